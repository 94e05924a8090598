"""Every example runs from any folder and prints what it promises."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name, folder, *arguments):
    """An example's output, from a run in another folder."""
    paths = [str(ROOT), str(ROOT / "compiler"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--quick", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def number(output, name):
    return float(re.findall(rf"{name}: (-?[0-9.]+)", output)[-1])


def test_linear_regression_fits_the_line(tmp_path):
    output = run("linear_regression", tmp_path)
    assert number(output, "slope") == pytest.approx(2.5989, abs=0.001)
    assert number(output, "R2") > 0.98
    assert (tmp_path / "linear_regression.png").stat().st_size > 0


def test_logistic_regression_finds_malignant_samples(tmp_path):
    output = run("logistic_regression", tmp_path)
    assert all(number(output, name) > 0.9 for name in ("accuracy", "precision", "recall"))
    assert (tmp_path / "logistic_regression.png").stat().st_size > 0


def test_digits_are_read(tmp_path):
    output = run("digits", tmp_path)
    assert output.splitlines()[-1].startswith("test accuracy: ")
    assert output.splitlines()[-2].endswith(f": {(tmp_path / 'digits.png').resolve()}")
    assert number(output, "test accuracy") > 0.93
    assert (tmp_path / "digits.png").stat().st_size > 0


def test_a_convolutional_network_reads_digits(tmp_path):
    output = run("digits_cnn", tmp_path)
    assert output.splitlines()[-1].startswith("test accuracy: ")
    assert number(output, "test accuracy") > 0.96
    assert (tmp_path / "digits_cnn.png").stat().st_size > 0


def test_speech_is_recognised(tmp_path):
    output = run("speech", tmp_path)
    assert output.splitlines()[-1].startswith("label error: ")
    assert number(output, "label error") < 0.1
    assert (tmp_path / "speech.png").stat().st_size > 0


def idx(values):
    """An array of bytes as a file of MNIST's."""
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def test_files_of_mnist_and_cifar_are_read(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 128), ("t10k", 20)):
        labels = rng.integers(0, 10, count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.repeat(labels * 25, 28 * 28).reshape(-1, 28, 28)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    for part in ("test_batch", *(f"data_batch_{n}" for n in range(1, 6))):
        record = np.concatenate([rng.integers(0, 10, (20, 1)), rng.integers(0, 256, (20, 3072))], axis=1)
        (tmp_path / f"{part}.bin").write_bytes(record.astype(np.uint8).tobytes())
    for name, option in (("digits_cnn", "--mnist"), ("resnet", "--cifar")):
        assert 0 <= number(run(name, tmp_path, option, str(tmp_path)), "accuracy") <= 1


def test_an_autoencoders_bound_lies_below_the_likelihood_and_above_that_of_independent_pixels(tmp_path):
    output = run("vae", tmp_path)
    assert output.splitlines()[-1].startswith("ELBO: ")
    assert number(output, "independent pixels") + 1 < number(output, "ELBO") < number(output, "log-likelihood") < -20
    assert (tmp_path / "vae.png").stat().st_size > 0


@pytest.mark.parametrize(("options", "least"), [((), 0.9), (("--overfit",), 1)], ids=["digits", "overfit"])
def test_a_residual_network_reads_digits_and_learns_noise_by_heart(tmp_path, options, least):
    output = run("resnet", tmp_path, *options)
    assert output.splitlines()[-1].startswith("accuracy: ")
    assert number(output, "accuracy") >= least
    assert (tmp_path / "resnet.png").stat().st_size > 0


def test_gradients_follow_pythons_control_flow(tmp_path):
    output = run("dynamic_graph", tmp_path)
    assert "turn 3" in output
    assert output.splitlines()[-1] == "gradients agree"


def test_a_program_shows_its_graph_its_kernels_and_its_machine_code(tmp_path):
    output = run("inspect_program", tmp_path)
    assert "dot_general" in output and "machine code" in output
    assert re.search(r"fused: \d+ equations into \d+ kernels", output)


def test_lorenz_finds_the_parameters_through_the_solver(tmp_path):
    found = run("lorenz", tmp_path).splitlines()[-1].removeprefix("parameters: ").split()
    assert [float(x) for x in found] == pytest.approx([10, 28, 8 / 3], abs=0.03)
    assert (tmp_path / "lorenz.png").stat().st_size > 0


def test_an_lstm_learns_to_add_numbers_that_are_far_apart(tmp_path):
    output = run("lstm", tmp_path)
    assert output.splitlines()[-1].startswith("accuracy: ")
    assert number(output, "accuracy") > 0.9
    assert (tmp_path / "lstm.png").stat().st_size > 0


def test_newtons_root_has_the_exact_derivatives_through_its_loop_and_implicitly(tmp_path):
    output = run("newton", tmp_path)
    fewest, most = re.search(r"steps: (\d+) to (\d+)", output).groups()
    assert int(fewest) < int(most)
    differences = re.findall(r"^(.*) derivative at all times, largest difference: (\S+)$", output, re.MULTILINE)
    ways = ("through the loop", "implicit")
    assert [name for name, _ in differences] == [f"{way}, {order}" for way in ways for order in ("first", "second")]
    assert all(float(difference) < 1e-8 for _, difference in differences)
    assert (tmp_path / "newton.png").stat().st_size > 0


def test_a_gpt_learns_to_write(tmp_path):
    output = run("gpt", tmp_path)
    assert int(re.match(r"(\d+) characters", output)[1]) > 300_000
    assert output.splitlines()[-1].startswith("held-out loss: ")
    assert number(output, "held-out loss") < 2.9  # 100 steps of half of a batch each; the entropy of single characters is 3.26
    assert (tmp_path / "gpt.png").stat().st_size > 0


def test_a_gpt_learns_from_a_file_of_ones_own(tmp_path):
    (tmp_path / "counting.txt").write_text("one two three four five six seven\n" * 1000, encoding="utf-8")
    output = run("gpt", tmp_path, "--text", "counting.txt")
    assert number(output, "held-out loss") < 0.5


def test_spam_is_found_by_its_words(tmp_path):
    output = run("spam", tmp_path)
    assert number(output, "precision") > 0.9 and number(output, "recall") > 0.9
    assert (tmp_path / "spam.png").stat().st_size > 0


def test_spam_is_found_in_a_file_of_messages(tmp_path):
    lines = [f'ham\tsee you at {n}, "love"\nspam\twin {n} now!\tcall\n' for n in range(40)]
    (tmp_path / "messages").write_text("".join(lines), encoding="utf-8")
    output = run("spam", tmp_path, "--data", "messages")
    assert "messages [right, found]: [10, 0] [0, 10]" in output


def test_an_lstm_reads_sentences_that_a_bag_of_words_does_not(tmp_path):
    output = run("sentiment", tmp_path)
    assert float(re.search(r"accuracy of a bag of words: (\S+)", output)[1]) < 0.6
    assert output.splitlines()[-1].startswith("accuracy: ")
    assert number(output, "accuracy") > 0.97
    assert (tmp_path / "sentiment.png").stat().st_size > 0


def test_an_lstm_reads_reviews_of_ones_own(tmp_path):
    rows = [f'"a good, long film no. {n}",positive\nthe bad one {n},negative\n' for n in range(400)]
    (tmp_path / "reviews.csv").write_text("review,sentiment\n" + "".join(rows), encoding="utf-8")
    assert number(run("sentiment", tmp_path, "--csv", "reviews.csv"), "accuracy") > 0.97


def test_the_network_of_a_keras_tutorial_is_fitted(tmp_path):
    output = run("keras_style", tmp_path)
    assert output.splitlines()[-1].startswith("R2: ")
    assert number(output, "R2") > 0.35
    assert (tmp_path / "keras_style.png").stat().st_size > 0


def test_the_network_of_a_pytorch_tutorial_is_trained(tmp_path):
    output = run("torch_style", tmp_path)
    assert output.splitlines()[-1].startswith("accuracy: ")
    assert number(output, "accuracy") > 0.9
    assert (tmp_path / "torch_style.png").stat().st_size > 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_is_short(path):
    assert len(path.read_text().splitlines()) < 100


@pytest.mark.parametrize("path", [p for p in EXAMPLES if "def main" in p.read_text()], ids=lambda p: p.stem)
def test_an_example_that_is_run_has_help_and_a_quick_way(path):
    text = path.read_text()
    assert "ArgumentParser(description=__doc__)" in text and '"--quick"' in text and f"Run: python {path.name}" in text
