"""Derivatives of products of many factors, zeros among them: of prod, cumprod and at[].multiply."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.testing import check_grads

ZEROS = [[2.0, 3.0, -0.5, 1.5, 4.0], [2.0, 0.0, -0.5, 1.5, 4.0], [0.0, 3.0, -0.5, 0.0, 4.0], [0.0, 0.0, 0.0, 1.5, 4.0]]


def second_by_hand(x: np.ndarray) -> np.ndarray:
    """d2 prod(x) / dx_i dx_j: the product of all others."""
    out = np.zeros((len(x), len(x)))
    for i, j in combinations(range(len(x)), 2):
        out[i, j] = out[j, i] = np.prod(np.delete(x, [i, j]))
    return out


@pytest.mark.parametrize("x", ZEROS)
def test_a_product_has_right_first_and_second_derivatives_beside_zeros(x: list[float]) -> None:
    first = [np.prod(np.delete(x, i)) for i in range(len(x))]
    products: list[Callable[[Any], Any]] = [
        jnp.prod, lambda v: jnp.cumprod(v)[-1], lambda v: jnp.ones(2).at[jnp.zeros(5, int)].multiply(v)[0],
        lambda v: jnp.flip(jnp.cumprod(jnp.flip(v)))[0],
    ]  # fmt: skip
    for f in products:
        for wrap in (lambda g: g, jitgrad.jit):
            np.testing.assert_allclose(wrap(jitgrad.grad(f))(jnp.array(x)), first, atol=1e-6)
            np.testing.assert_allclose(wrap(jitgrad.hessian(f))(jnp.array(x)), second_by_hand(np.array(x)), atol=1e-6)


@pytest.mark.parametrize(("shape", "axis"), [((7,), 0), ((3, 5), 1), ((5, 3), 0), ((2, 4, 3), 1), ((2, 20), 0)])
def test_running_products_have_the_derivatives_of_their_values_along_every_axis(shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    x.flat[2] = 0.0
    check_grads(lambda v: jnp.cumprod(v, axis), (x,), order=2, atol=1e-4, rtol=1e-4, eps=1e-5)
    check_grads(jitgrad.jit(lambda v: jnp.cumprod(v, axis)), (x,), order=2, atol=1e-4, rtol=1e-4, eps=1e-5)


def test_the_derivative_of_a_running_product_takes_memory_as_its_operand_does() -> None:
    n = 100_000  # n * n numbers would be 40 GB
    x = jnp.array(1 + np.random.default_rng(0).normal(size=n) / n)
    found = jitgrad.jit(jitgrad.grad(lambda v: jnp.sum(jnp.cumprod(v))))(x)
    values = np.cumprod(np.asarray(x, float))
    np.testing.assert_allclose(found, np.cumsum(values[::-1])[::-1] / np.asarray(x, float), rtol=1e-3)


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_a_product_that_leaves_the_types_range_has_slopes_inside(size: float) -> None:
    x = jnp.array([size, size], "float32")
    for f in (jnp.prod, lambda v: jnp.cumprod(v)[-1], lambda v: jnp.ones(1).at[jnp.array([0, 0])].multiply(v)[0]):
        for run in (jitgrad.grad(f), jitgrad.jit(jitgrad.grad(f))):
            np.testing.assert_allclose(run(x), [size, size], rtol=1e-6)


def test_multiplying_at_places_has_the_derivatives_of_its_values() -> None:
    random = np.random.default_rng(1)
    x, v, rows = random.normal(size=(4, 3)), random.normal(size=(5, 3)), random.normal(size=(2, 3))
    x[1, 1] = v[0, 0] = v[3, 0] = 0.0
    places = jnp.array([2, 0, 2, 2, 9])  # 9 is outside
    check_grads(lambda a, b: jnp.asarray(a).at[places].multiply(b), (x, v), order=2, atol=1e-4, rtol=1e-4, eps=1e-5)
    check_grads(lambda a, b: jnp.asarray(a).at[1:3].multiply(b), (x, rows), order=2, atol=1e-4, rtol=1e-4, eps=1e-5)
    batched = jitgrad.vmap(jitgrad.grad(lambda b, a: jnp.sum(a.at[places].multiply(b))), in_axes=1, out_axes=1)
    whole = jitgrad.grad(lambda b, a: jnp.sum(a.at[places].multiply(b)))
    np.testing.assert_allclose(batched(jnp.array(v), jnp.array(x)), whole(jnp.array(v), jnp.array(x)), rtol=1e-5)
