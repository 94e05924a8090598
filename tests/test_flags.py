"""Flags, which are True or False, by the annotations of every public function: what is neither is refused by name."""

from __future__ import annotations

import inspect
import itertools
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import audio, data, errors, image, lax, metrics, models, nn, ops, optim, random, tree_util
from jitgrad.flags import flags_of
from jitgrad.scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse, special, stats
from jitgrad.train import callbacks, layers, losses
from jitgrad.train import metrics as keras_metrics
from jitgrad.train.optimizers import schedules

MODULES = (
    jitgrad, jnp, jnp.linalg, jnp.fft, lax, lax.linalg, random, special, linalg, sparse.linalg, signal, fft, stats, ndimage,
    interpolate, integrate, optimize, image, audio, metrics, nn, ops, optim, tree_util,
)  # fmt: skip
X = jnp.arange(6.0).reshape(2, 3)


def _functions(owner: Any) -> list[tuple[str, FunctionType]]:
    """Those that users call by a name of the owner's: they are wrapped, so that their errors have no frames of ours."""
    names = getattr(owner, "__all__", [n for n in dir(owner) if not n.startswith("_")])
    found = {n: getattr(owner, n) for n in names if isinstance(inspect.getattr_static(owner, n, None), FunctionType)}
    return [(n, f.__wrapped__) for n, f in found.items() if hasattr(f, "__wrapped__")]


FLAGS = [(m, n, f.__name__, flag) for m in (*MODULES, jitgrad.Array) for n, f in _functions(m) for _, flag in flags_of(f)]


def test_the_flags_of_public_functions_are_found() -> None:
    names = {(n, flag) for _, n, _, flag in FLAGS}
    assert {
        ("sum", "keepdims"),
        ("sort", "descending"),
        ("svd", "full_matrices"),
        ("jit", "inline"),
        ("unique", "return_index"),
    } <= names
    assert len(names) > 200


@pytest.mark.parametrize(("module", "flags"), [(m, list(found)) for m, found in itertools.groupby(FLAGS, lambda row: row[0])])
def test_text_is_no_flag_of_any_public_function(module: Any, flags: list[tuple[Any, str, str, str]]) -> None:
    for _, name, main, flag in flags:
        called = main if module is jitgrad else name
        with pytest.raises(errors.ParametersError, match=rf"{called}: {flag} must be True or False, got 'no'"):
            getattr(module, name)(**{flag: "no"})


@pytest.mark.parametrize("keepdims", ["", "False", b"no", 1.0, [True], (), X, np.ones(1, bool), {}])
def test_what_is_no_flag_is_shown_by_the_error(keepdims: Any) -> None:
    for call in (
        lambda: jnp.sum(X, None, None, None, keepdims),
        lambda: jnp.max(X, keepdims=keepdims),
        lambda: X.mean(keepdims=keepdims),
    ):
        for _ in range(3):  # once, written down, and replayed
            with pytest.raises(errors.ParametersError, match="keepdims must be True or False, got "):
                call()


@pytest.mark.parametrize("keepdims", [True, 1, np.True_, np.array(True), jnp.array(True), np.int8(1)])
def test_numbers_without_axes_are_flags(keepdims: Any) -> None:
    for _ in range(3):
        assert jnp.sum(X, axis=0, keepdims=keepdims).shape == (1, 3)
    assert jnp.sum(X, axis=0, keepdims=None).shape == (3,)


def test_a_traced_flag_has_the_error_of_traced_bools() -> None:
    with pytest.raises(errors.TracerBoolConversionError, match="traced"):
        jitgrad.jit(lambda x, flag: jnp.sum(x, keepdims=flag))(X, True)


def test_flags_of_a_users_function_are_its_own() -> None:
    def scaled(x: Any, verbose: bool = False) -> Any:
        return x * len(verbose) if isinstance(verbose, str) else x

    assert jitgrad.grad(scaled)(1.0, verbose="no") == 2.0
    assert jitgrad.jit(scaled, static_argnames="verbose")(3.0, verbose="abc") == 9.0


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (lambda: nn.Linear(2, 3, bias="no"), "Linear: bias"),  # type: ignore[arg-type]
        (lambda: nn.LayerNorm(2, elementwise_affine="no"), "LayerNorm: elementwise_affine"),  # type: ignore[arg-type]
        (lambda: nn.BatchNorm2d(2, track_running_stats="no"), "BatchNorm2d: track_running_stats"),
        (lambda: nn.LSTM(2, 3, bidirectional="no"), "LSTM: bidirectional"),
        (lambda: models.ResNet([1, 1, 1, 1], bottleneck="no"), "ResNet: bottleneck"),  # type: ignore[arg-type]
        (lambda: layers.Dense(3, use_bias="no"), "Dense: use_bias"),
        (lambda: layers.GlobalAveragePooling2D(keepdims="no"), "GlobalAveragePooling2D: keepdims"),
    ],
)
def test_layers_refuse_what_is_no_flag(construct: Any, words: str) -> None:
    with pytest.raises(errors.ParametersError, match=f"{words} must be True or False, got 'no'"):
        construct()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: callbacks.EarlyStopping(restore_best_weights="no"), "EarlyStopping: restore_best_weights"),  # type: ignore[arg-type]
        (lambda: keras_metrics.BinaryCrossentropy(from_logits="no"), "BinaryCrossentropy: from_logits"),
        (lambda: losses.BinaryCrossentropy(from_logits="no"), "BinaryCrossentropy: from_logits"),
        (lambda: schedules.PolynomialDecay(0.1, 5, cycle="no"), "PolynomialDecay: cycle"),
        (lambda: optim.MultiSteps(optim.sgd(0.1), 2, use_grad_mean="no"), "MultiSteps: use_grad_mean"),  # type: ignore[arg-type]
        (lambda: data.from_arrays(X).batch(1, drop_remainder="no"), "batch: drop_remainder"),  # type: ignore[arg-type]
        (lambda: data.from_arrays(X).shuffle(reshuffle_each_iteration="no"), "shuffle: reshuffle_each_iteration"),  # type: ignore[arg-type]
        (lambda: nn.TransformerEncoderLayer(4, 2)(X[None], is_causal="no"), "TransformerEncoderLayer: is_causal"),  # type: ignore[arg-type]
    ],
)
def test_constructors_of_other_classes_data_sets_and_calls_of_layers_refuse_what_is_no_flag(call: Any, words: str) -> None:
    with pytest.raises(errors.ParametersError, match=f"^{words} must be True or False, got 'no'"):
        call()


def test_flags_of_a_users_layer_are_its_own() -> None:
    class Named(nn.Linear):
        def __init__(self, bias: bool = True) -> None:
            super().__init__(2, 3, bias=bias != "no")

    assert Named(bias="no").bias is None  # type: ignore[arg-type]
