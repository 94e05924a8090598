"""Our modules take Keras' variables and give its results; stored numbers of Keras 3.15, and names that it publishes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, io, models, nn, random, tree

from .keras_cases import CASES, NUMBERS, drawn

STORED = json.loads(NUMBERS.read_text())
KEY = random.key(0)


def variables_of(case):
    return {path: drawn(path, shape) for path, shape in STORED[case]["variables"].items()}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_the_stored_numbers_of_keras(name):
    case = CASES[name]
    loaded = io.load_keras(case.ours(), variables_of(name), names=case.names)
    np.testing.assert_allclose(loaded(case.inputs()), STORED[name]["numbers"], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["convolutions", "both GRU"])
def test_a_file_and_names_of_earlier_versions_are_taken(tmp_path, name):
    case = CASES[name]
    wanted = io.load_keras(case.ours(), variables_of(name), names=case.names)
    io.save(tmp_path / "keras.safetensors", {f"{path}:0": x for path, x in variables_of(name).items()})
    loaded = io.load_keras(jitgrad.eval_shape(case.ours), tmp_path / "keras.safetensors", names=case.names)
    for a, b in zip(tree.leaves(loaded), tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


def vgg_variables(model):
    """Of keras.applications' VGG: its names and shapes, and each with other numbers."""
    found = {}
    for i, layer in enumerate([x for x in (*model.features, *model.classifier) if hasattr(x, "weight")]):
        stage, number = VGG16[i]
        name = f"block{stage}_conv{number}" if number else stage
        found[f"{name}/kernel"] = drawn(name, layer.weight.shape)
        found[f"{name}/bias"] = drawn(f"{name}/bias", layer.bias.shape)
    return found


VGG16 = [
    *[(stage, n) for stage, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, count + 1)],
    *[(name, 0) for name in ("fc1", "fc2", "predictions")],
]  # fmt: skip


def test_vgg16_takes_the_names_of_keras_applications():
    model = jitgrad.eval_shape(lambda key: models.VGG16(4, hidden=8, key=key), KEY)
    given = vgg_variables(model)
    loaded = io.load_keras(model, given)
    np.testing.assert_array_equal(loaded.features[2].weight, given["block1_conv2/kernel"])
    np.testing.assert_array_equal(loaded.features[28].bias, given["block5_conv3/bias"])
    np.testing.assert_array_equal(loaded.classifier[6].weight, given["predictions/kernel"])
    seen = np.random.default_rng(0).standard_normal((1, 7, 7, 512)).astype("float32")
    ours = np.moveaxis(seen, -1, 1).reshape(1, -1) @ np.asarray(loaded.classifier[0].weight)
    np.testing.assert_allclose(ours, seen.reshape(1, -1) @ given["fc1/kernel"], rtol=1e-3, atol=1e-3)


def test_images_are_flattened_in_keras_order_for_lenet():
    layers = {"conv1": (5, 5, 1, 6), "conv2": (5, 5, 6, 16), "fc1": (400, 120), "fc2": (120, 84), "fc3": (84, 10)}
    given = {f"{n}/kernel": drawn(n, s) * 0.1 for n, s in layers.items()} | {
        f"{n}/bias": drawn(f"{n}b", s[-1:]) for n, s in layers.items()
    }
    loaded = io.load_keras(models.LeNet(key=KEY), given)
    x = np.random.default_rng(0).standard_normal((2, 28, 28, 1)).astype("float32")
    pools = nn.MaxPool2d(2, 2)
    y = pools(nn.relu(loaded.conv2(pools(nn.relu(loaded.conv1(x)))))).reshape(2, -1)
    for n in ("fc1", "fc2", "fc3"):
        y = y @ given[f"{n}/kernel"] + given[f"{n}/bias"]
        y = nn.relu(y) if n != "fc3" else y
    np.testing.assert_allclose(loaded(x), y, rtol=1e-3, atol=1e-3)


def test_resnet50_is_another_network_in_keras():
    model = models.ResNet((1, 1, 1, 1), 4, key=KEY)
    with pytest.raises(errors.ArgumentError, match="blocks stride in their first convolution"):
        io.load_keras(model, {"conv1_conv/kernel": np.ones((7, 7, 3, 64))})


def dense(*names):
    return {f"{n}/{v}": x for n in names for v, x in (("kernel", np.ones((3, 3))), ("bias", np.zeros(3)))}


def two():
    return nn.Sequential(nn.Linear(3, 3, key=KEY), jnp.tanh, nn.Linear(3, 3, key=KEY))


REFUSED = {
    "the source has no 'b/kernel', 'b/bias'": lambda: io.load_keras(two(), dense("m/a"), names=["a", "b"]),
    "Sequential has no place for 'c/kernel', 'c/bias'": lambda: io.load_keras(two(), dense("a", "b", "c"), names=["a", "b"]),
    "Sequential has no place for 'a/gamma'": lambda: io.load_keras(
        two(), dense("a", "b") | {"a/gamma": np.ones(3)}, names=["a", "b"]
    ),
    "the source has no '0/kernel', '0/bias', '2/kernel', '2/bias'": lambda: io.load_keras(two(), dense("a"), strict=False),
    "'a/kernel' must have shape (3, 3), and has (3, 4)": lambda: io.load_keras(
        two(), dense("a", "b") | {"a/kernel": np.ones((3, 4))}, names=["a", "b"]
    ),
    "a name for each of the 2 layers 0, 2, got ['a']": lambda: io.load_keras(two(), dense("a"), names=["a"]),
    "names must have the layers 0, 2; it is otherwise with 1": lambda: io.load_keras(
        two(), {}, names={"0": "a", "1": "b", "2": "c"}
    ),
    "names must have the layers 0, 2; it is otherwise with 2": lambda: io.load_keras(two(), {}, names={"0": "a"}),
    "'a' may be the layer of 'x/a/kernel' or of 'y/a/kernel'": lambda: io.load_keras(
        two(), dense("x/a", "y/a"), names=["a", "b"]
    ),
    "the source has no 'a/weight'": lambda: io.load_keras(nn.Sequential(nn.PReLU()), {}, names=["a"]),
    "layer: a layer of Keras' has one cell": lambda: io.load_keras(
        CASES["LSTM"].ours().__class__(nn.LSTM(3, 4, 2, key=KEY)), {}, names=["a"]
    ),
    "no input size yet": lambda: io.load_keras(nn.Linear(None, 3), {}),
    "the source must be a path or a dict": lambda: io.load_keras(two(), [np.ones(3)]),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_told(message):
    with pytest.raises((errors.ArgumentError, errors.ShapeError)) as error:
        REFUSED[message]()
    assert message in str(error.value) and str(error.value).startswith("io.load_keras: ")


def test_layers_may_be_called_cells():
    loaded = io.load_keras(two(), dense("my_cell", "lstm_cell"), names=["my_cell", "lstm_cell"])
    np.testing.assert_array_equal(loaded[2].weight, 1)


def test_what_both_have_is_loaded_where_that_is_asked_for():
    model = two()
    loaded = io.load_keras(model, dense("a", "more"), names=["a", "b"], strict=False)
    np.testing.assert_array_equal(loaded[0].weight, 1)
    assert loaded[2].weight is model[2].weight
    norm = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    norm = tree.map(lambda x: x + 5, norm)
    given = {"a/beta": np.ones(2), "a/moving_mean": np.zeros(2), "a/moving_variance": np.ones(2)}
    loaded = io.load_keras(norm, given, names=["a", "b"], strict=False)
    np.testing.assert_array_equal(loaded[0].weight, 1)
    np.testing.assert_array_equal(loaded[1].weight, 6)
