"""Modules that compute in 16 bits: what changes type and what does not, and that they train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, nn, optim

KEY = jitgrad.random.key(0)
X = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)


def network() -> Any:
    keys = jitgrad.random.split(KEY, 2)
    return nn.Sequential(
        nn.Linear(6, 8, key=keys[0]), nn.BatchNorm(8), nn.GELU(), nn.Dropout(0.1), nn.LayerNorm(8), nn.Linear(8, 1, key=keys[1])
    )


def types(x: Any) -> set[str]:
    return {str(a.dtype) for a in jitgrad.tree.leaves(x) if jnp.issubdtype(a.dtype, jnp.floating)}


@pytest.mark.parametrize("compute", ["bfloat16", "float16"])
def test_a_module_computes_in_16_bits_and_gives_32(compute: str) -> None:
    seen: list[str] = []

    class Look(nn.Module):
        def __call__(self, x: Any) -> Any:
            seen.append(str(x.dtype))
            return x

    model = nn.MixedPrecision(nn.Sequential(Look(), network(), Look()), compute)
    out = model(X)
    assert seen == [compute] * 2 and out.dtype == np.float32 and types(model) == {"float32"}
    np.testing.assert_allclose(out, model.module(X), atol=0.03)


def test_training_keeps_parameters_and_statistics_in_their_own_type() -> None:
    model, plain = nn.MixedPrecision(network()), network()
    out, after = nn.apply(model, X, train=True, key=KEY)
    _, wide = nn.apply(plain, X, train=True, key=KEY)
    assert types(after) == {"float32"} and out.dtype == np.float32
    for name in ("running_mean", "running_var"):
        ours, theirs = getattr(after.module[1], name), getattr(wide[1], name)
        assert not np.array_equal(ours, getattr(plain[1], name))
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
    for before, kept in zip(jitgrad.tree.leaves(nn.trainable(model)), jitgrad.tree.leaves(nn.trainable(after)), strict=True):
        np.testing.assert_array_equal(before, kept)


def test_a_loop_of_steps_lowers_the_loss() -> None:
    model = nn.MixedPrecision(network())
    rule = optim.adam(0.02)
    state = rule.init(nn.trainable(model))

    @jitgrad.jit
    def step(model: Any, state: Any, key: Any) -> Any:
        def loss(model: Any) -> Any:
            logits, after = nn.apply(model, X, train=True, key=key)
            return jnp.mean(nn.losses.binary_cross_entropy_with_logits(logits, Y)), after

        (value, model), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model)
        updates, state = rule.update(gradient, state, nn.trainable(model))
        return optim.apply_updates(model, updates), state, value, gradient

    values = []
    for n in range(40):
        model, state, value, gradient = step(model, state, jitgrad.random.fold_in(KEY, n))
        values.append(float(value))
    assert types(gradient) == types(model) == {"float32"}
    assert values[-1] < 0.5 * values[0]


def test_sizes_are_found_and_bad_arguments_refused() -> None:
    model = nn.MixedPrecision(nn.Sequential(nn.Linear(None, 4), nn.BatchNorm(None)))
    out, model = nn.apply(model, X, train=True, key=KEY)
    assert out.shape == (16, 4) and types(model) == {"float32"} and model(X).shape == (16, 4)
    with pytest.raises(errors.ArgumentError, match="the first argument must be a Module, got function"):
        nn.MixedPrecision(network)
    for wrong in ("int8", "no type", 3):
        with pytest.raises(errors.ArgumentError, match="compute must be a type of floating-point numbers"):
            nn.MixedPrecision(network(), wrong)
