"""Names that are not there say what to use, and hasattr, getattr and imports work as for any module."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import config, errors, lax, nn, random, scipy

CASES = {
    (jitgrad, "pmap"): "jitgrad.pmap is not in jitgrad. Use jitgrad.vmap.", (jitgrad, "tree_map"): "Use jitgrad.tree",
    (jitgrad, "gradd"): "Did you mean jitgrad.grad?", (jitgrad,
    "relu"): "Use jitgrad.nn.relu",
    (jnp, "concatnate"): "Did you mean jitgrad.numpy.concatenate?", (jnp, "unsqueeze"): "Use jitgrad.numpy.expand_dims",
    (jnp, "float8_e5m2"): "Floats are float16, bfloat16, float32, float64 and float8_e4m3fn",
    (jnp, "float"): "float32 or float64", (jnp, "random"): "jitgrad.random",
    (jnp, "in1d"): "jitgrad.numpy.isin", (jnp, "softmax"): "Use jitgrad.nn.softmax", (jnp,
    "Sum"): "Did you mean jitgrad.numpy.sum?",
    (lax, "infeed"): "one device",
    (nn, "Relu"): "Did you mean jitgrad.nn.ReLU?", (jitgrad.models, "resnet18"): "Did you mean jitgrad.models.ResNet18?",
    (nn, "CTCLoss"): "Use jitgrad.nn.ctc_loss.", (nn, "dropout"): "Use the layer jitgrad.nn.Dropout",
    (jitgrad.metrics, "wer"): "Use jitgrad.metrics.label_error_rate.", (jitgrad.audio, "stft"): "Use jitgrad.audio.spectrogram.",
    (nn, "NLLLoss"): "jitgrad.nn.losses.nll", (random, "randn"): "Use jitgrad.random.normal",
    (jitgrad, "save"): "Use jitgrad.io.save.", (jitgrad.io, "CheckpointManager"): "Use jitgrad.io.Checkpoints.",
    (random, "default_rng"): "jitgrad.random.key(seed)", (scipy.optimize, "fmin_bfgs"): "jitgrad.scipy.optimize.minimize",
    (scipy.special, "gamaln"): "special.gammaln?",
    (jitgrad, "qqqqq"): "module 'jitgrad' has no attribute 'qqqqq'",
}  # fmt: skip


@pytest.mark.parametrize(("module", "name"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_a_missing_name_says_what_to_use(module, name):
    with pytest.raises(errors.MissingNameError) as caught:
        getattr(module, name)
    assert CASES[module, name] in str(caught.value)
    assert isinstance(caught.value, AttributeError) and not hasattr(module, name) and getattr(module, name, 3) == 3


def test_an_import_of_a_missing_name_says_so_too():
    with pytest.raises(ImportError, match="Use jitgrad.vmap"):
        from jitgrad import pmap  # noqa: F401
    with pytest.raises(ImportError, match="Did you mean jitgrad.numpy.concatenate"):
        from jitgrad.numpy import concatnate, sin  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("jitgrad.pmap")
    from jitgrad.scipy import stats

    assert stats is scipy.stats and importlib.import_module("jitgrad.scipy.stats") is stats


LATER = [
    "data",
    "io",
    "metrics",
    "models",
    "nn",
    "optim",
    "random",
    "scipy",
    "scipy.stats",
    "testing",
    "numpy.linalg",
    "suggestions.absent",
    "suggestions.suggestion",
]


def test_families_and_tables_are_loaded_when_they_are_needed():
    code = f"import jitgrad, sys; print(*[n for n in {LATER} if 'jitgrad.' + n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_data_loads_what_only_some_readers_need_when_they_do():
    slow = ["scipy.ndimage", "scipy.signal", "PIL", "tokenizers"]
    code = f"import jitgrad.data, sys; print(*[n for n in {slow} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("way", ["{outer}.{name}", "from {outer} import {name}", "import {outer}.{name}"])
def test_what_is_loaded_later_is_there_by_every_way_of_asking(way):
    lines = ["import jitgrad"]
    for path in (n for n in LATER if "suggestions" not in n):
        outer, _, name = f"jitgrad.{path}".rpartition(".")
        lines += [f"assert {name!r} in dir({outer})", way.format(outer=outer, name=name)]
        lines += [f"assert jitgrad.{path}.__getattr__.__module__ == 'jitgrad.missing'"] if path != "scipy.stats" else []
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_special_names_are_looked_for_as_ever():
    with pytest.raises(AttributeError, match="has no attribute '__wrapped__'"):
        jnp.__wrapped__  # noqa: B018


# Settings


TAKEN = {
    "jax_platforms": "cpu", "jax_platform_name": "cpu", "jax_default_matmul_precision": "highest",
    "jax_threefry_partitionable": True,
    "jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow", "jax_compilation_cache_dir": None,
    "jax_default_prng_impl": "threefry2x32",
}  # fmt: skip
REFUSED = {
    "jax_platforms": ("cuda", "processor"), "jax_compilation_cache_dir": ("/tmp/x", "not kept on disk"),
    "jax_numpy_dtype_promotion": ("strict", "standard lattice"), "jax_threefry_partitionable": (False, "partitionable"),
    "jax_numpy_rank_promotion": ("raise", "as in NumPy"), "jax_log_compiles": (True, "not logged"), "jax_num_cpu_devices": (4,
    "num_threads"),
    "jax_default_dtype_bits": ("64", "default_float"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_a_setting_of_jax_with_its_one_meaning_is_taken(name):
    before = getattr(config, name)
    try:
        config.update(name, TAKEN[name])
        assert getattr(config, name) == TAKEN[name]
    finally:
        config.update(name, before)


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_of_jax_that_means_nothing_says_why(name):
    value, why = REFUSED[name]
    before = getattr(config, name)
    with pytest.raises(ValueError, match=rf"config\.{name} = .* has no meaning here: .*{why}"):
        config.update(name, value)
    assert getattr(config, name) == before


def test_an_unknown_setting_is_refused_with_the_nearest_name():
    with pytest.raises(AttributeError, match="did you mean jax_debug_nans"):
        config.update("jax_debug_nan", True)
    with pytest.raises(AttributeError, match="did you mean jax_platforms"):
        config.jax_platform = "cpu"


def test_settings_last_for_a_block():
    with jitgrad.debug_nans(), jitgrad.default_matmul_precision("highest"), jitgrad.numpy_rank_promotion("allow"):
        assert config.debug_nans and config.jax_default_matmul_precision == "highest"
    assert not config.debug_nans and not config.debug_infs
    with pytest.raises(RuntimeError), jitgrad.debug_infs():
        raise RuntimeError
    assert not config.debug_infs
    with pytest.raises(ValueError, match="standard lattice"), jitgrad.numpy_dtype_promotion("strict"):
        pass
