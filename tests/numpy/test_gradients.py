"""Derivatives of functions of jitgrad.numpy, against finite differences, and where they need care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

_random = np.random.default_rng(1)
X = _random.uniform(0.2, 0.9, size=(3, 4))
INDEX = np.array([2, 0, 2])

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda x: x * x[0] / (x + 1) - 2 / x,
    "integer power": lambda x: x**3 + x**-2,
    "power": lambda x: x**x + 2.0**x,
    "remainder": lambda x: jnp.remainder(x * 5, 1.5) + jnp.fmod(x * 5, 1.5),
    "hypot and arctan2": lambda x: jnp.hypot(x, x[1]) + jnp.arctan2(x, x[2]),
    "logaddexp": lambda x: jnp.logaddexp(x, x[0] * 2) + jnp.logaddexp2(x, x[1] + 1),
    "sinc": lambda x: jnp.sinc(x),
    "i0": lambda x: jnp.i0(x * 3),
    "mean and variance": lambda x: jnp.mean(x, 0) * jnp.var(x, axis=0, ddof=1) + jnp.std(x),
    "product": lambda x: jnp.prod(x, axis=1),
    "extremes": lambda x: jnp.max(x, axis=0) * jnp.min(x),
    "running": lambda x: jnp.cumsum(x, 1) * jnp.cumprod(x, 0),
    "masked mean": lambda x: jnp.mean(x, axis=0, where=X > 0.4),
    "where": lambda x: jnp.where(x > 0.5, x * 2, jnp.sin(x)),
    "clip": lambda x: jnp.clip(x * 2, 0.7, 1.1) * x,
    "matmul": lambda x: x @ x.T,
    "einsum": lambda x: jnp.einsum("ij,kj,k->i", x, x, x[:, 0]),
    "einsum diagonal": lambda x: jnp.einsum("ii,ij->j", x[:, :3], x),
    "tensordot and kron": lambda x: jnp.kron(x, x[:2, :2]) + jnp.tensordot(x, x, 2),
    "cross": lambda x: jnp.cross(x[:, :3], x[:, 1:]),
    "slices": lambda x: x[::-1, 1::2] * x[:, :2] + x[1, -1],
    "gather": lambda x: x[INDEX] * x[:, INDEX[:, None]].sum(),
    "update": lambda x: x.at[1].set(x[0] * 2).at[:, ::2].add(x[:, :2] * x[:, 1:3]),
    "scatter": lambda x: x.at[INDEX].add(x * 2).at[INDEX].multiply(x),
    "scatter extremes": lambda x: x.at[INDEX].max(x[::-1] * 1.3).at[0].min(0.5),
    "take": lambda x: jnp.take(x, INDEX, axis=1) + jnp.take_along_axis(x, jnp.argsort(x, 1), 1)[:, :3],
    "sort": lambda x: jnp.sort(x, axis=0) * jnp.arange(12.0).reshape(3, 4),
    "quantile": lambda x: jnp.quantile(x, 0.3, axis=1) + jnp.median(x),
    "rearrangement": lambda x: jnp.roll(jnp.pad(x, 2, mode="reflect"), 1, 0) * jnp.tile(jnp.flip(x), (3, 2))[:7],
    "repeat and split": lambda x: jnp.repeat(x, 2, 1)[:, :4] * jnp.concatenate(jnp.split(x, 2, 1)[::-1], 1),
    "diff and gradient": lambda x: jnp.gradient(x, axis=1)[:, 1:] * jnp.diff(x, axis=1),
    "interp": lambda x: jnp.interp(x, jnp.array([0.0, 0.5, 1.0]), x[0, :3]),
    "convolve": lambda x: jnp.convolve(x[0], x[1]),
    "polyval": lambda x: jnp.polyval(x[0], x[1]),
    "triangles": lambda x: jnp.tril(x) @ jnp.triu(x).T + jnp.trace(x),
    "covariance": lambda x: jnp.cov(x) + jnp.corrcoef(x),
    "linspace": lambda x: jnp.linspace(x[0], x[1], 5),
    "select": lambda x: jnp.select([x < 0.4, x < 0.7], [x * 2, x**2], x),
    "average": lambda x: jnp.average(x, axis=0, weights=x),
    "stack": lambda x: jnp.stack([x, x * x], 1) * jnp.vstack([x[None], x[None] + 1]).sum(0)[:, None],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_agrees_with_finite_differences(name: str) -> None:
    f = FUNCTIONS[name]

    def weighted(x: Any) -> Any:
        out = f(x)
        return jnp.sum(out * jnp.cos(jnp.arange(out.size, dtype="float64").reshape(out.shape)))

    found = np.asarray(jitgrad.grad(weighted)(jnp.array(X)))
    direction = _random.normal(size=X.shape)
    step = 1e-6
    difference = (float(weighted(jnp.array(X + step * direction))) - float(weighted(jnp.array(X - step * direction)))) / (2 * step)
    np.testing.assert_allclose((found * direction).sum(), difference, rtol=2e-6, atol=2e-7)


def test_where_keeps_the_gradient_of_the_chosen_branch_apart_from_the_other() -> None:
    gradient = jitgrad.grad(lambda x: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0))
    assert gradient(0.0) == 0.0
    assert gradient(4.0) == 0.25


def test_the_derivative_of_sqrt_at_zero_is_infinite() -> None:
    assert jitgrad.grad(jnp.sqrt)(0.0) == np.inf


def test_ties_share_the_derivative_of_extremes() -> None:
    assert jitgrad.grad(lambda x: jnp.maximum(x, 1.0))(1.0) == 0.5
    np.testing.assert_array_equal(jitgrad.grad(jnp.max)(jnp.array([2.0, 1.0, 2.0])), [0.5, 0, 0.5])


def test_the_derivative_of_abs_at_zero_is_zero() -> None:
    assert jitgrad.grad(jnp.abs)(0.0) == 0.0


def test_sinc_has_right_second_derivatives_at_zero() -> None:
    second = jitgrad.grad(jitgrad.grad(jnp.sinc))(0.0)
    np.testing.assert_allclose(second, -(np.pi**2) / 3, rtol=1e-6)


def test_logaddexp2_has_right_second_derivatives_at_ties() -> None:
    second = jitgrad.grad(jitgrad.grad(lambda x: jnp.logaddexp2(x, 1.0)))
    assert float(second(1.0)) == pytest.approx(np.log(2) / 4)


def test_the_derivative_of_the_cube_root_at_zero_is_infinite() -> None:
    assert np.isinf(jitgrad.grad(jnp.cbrt)(0.0))


def test_the_gradient_of_a_power_with_a_base_of_zero_is_finite() -> None:
    assert jitgrad.grad(lambda x: x**2.0)(0.0) == 0.0
    assert jitgrad.grad(lambda x: jnp.power(x, jnp.float32(2)))(0.0) == 0.0


def test_an_index_that_is_read_twice_gets_both_cotangents() -> None:
    gradient = jitgrad.grad(lambda x: x[jnp.array([1, 1, 0])].sum())(jnp.zeros(3))
    np.testing.assert_array_equal(gradient, [1, 2, 0])


def test_the_last_of_several_values_set_at_one_index_gets_the_cotangent() -> None:
    gradient = jitgrad.grad(lambda v: jnp.zeros(2).at[jnp.array([1, 1])].set(v).sum())(jnp.ones(2))
    np.testing.assert_array_equal(gradient, [0, 1])
