"""What is zero but for one element a row is written as a choice, which fuses: the gradient of a loss by labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.passes.pipeline import prepare


def _ops(f: Any, *args: Any) -> set[str]:
    return {e.op.name for e in prepare(jitgrad.make_graph(f)(*args)).eqns}


def _loss(x: Any, y: Any) -> Any:
    return -jnp.take_along_axis(x - jnp.log(jnp.exp(x).sum(-1, keepdims=True)), y[..., None], -1).mean()


@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 70), (1, 1)])
@pytest.mark.parametrize("labels", ["i4", "i8", "u1", "u4"])
def test_the_gradient_of_a_loss_by_labels_scatters_nothing(shape: tuple[int, ...], labels: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.integers(0, shape[-1], shape[:-1]).astype(labels)
    f = jitgrad.grad(_loss)
    assert "scatter" not in _ops(f, x, y)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    expected = (p - (np.arange(shape[-1]) == y[..., None])) / y.size
    np.testing.assert_allclose(jitgrad.jit(f)(x, y), expected, atol=1e-12)


def test_places_outside_of_a_row_stay_zero_whatever_their_bits() -> None:
    x, u = np.ones((6, 5), "f4"), np.arange(1.0, 7, dtype="f4")[:, None]
    i = np.array([[0], [4], [5], [1 << 32], [(1 << 32) + 3], [-6]])
    f = jitgrad.grad(lambda x, w: (jnp.take_along_axis(x, i, 1, mode="fill", fill_value=0) * w).sum())
    assert "scatter" not in _ops(f, x, u)
    expected = np.zeros((6, 5))
    expected[0, 0], expected[1, 4] = 1, 2
    np.testing.assert_array_equal(jitgrad.jit(f)(x, u), expected)


def test_several_elements_a_row_and_rows_that_are_not_zero_are_scattered() -> None:
    x, i, u = np.zeros((6, 5)), np.array([[1, 1]] * 6), np.ones((6, 2))
    f = jitgrad.grad(lambda x: (jnp.take_along_axis(x, i, 1) * u).sum())
    assert "scatter" in _ops(f, x)
    np.testing.assert_array_equal(jitgrad.jit(f)(x)[:, 1], np.full(6, 2))
