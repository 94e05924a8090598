"""Sums of any length, along any axes, by NumPy and compiled: relative error at most 4e-7 of equal float32 terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import config, grad, jit, lax, vmap
from jitgrad.scipy.special import logsumexp

BOUND = 4e-7
modes = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


def error(found: Any, count: int, term: float) -> float:
    wanted = count * float(np.float32(term))
    return float(np.max(np.abs(np.asarray(found, np.float64) / wanted - 1)))


SUMS: dict[str, tuple[tuple[int, ...], int, Callable[[Any], Any]]] = {
    "rows": ((3, 300_000), 300_000, lambda x: x.sum(1)),
    "rows of a few vectors": ((200, 3000), 3000, lambda x: x.sum(1)),
    "everything": ((1_000_003,), 1_000_003, lambda x: x.sum()),
    "two columns": ((300_000, 2), 300_000, lambda x: x.sum(0)),
    "columns that fill no vector": ((40_000, 17), 40_000, lambda x: x.sum(0)),
    "many columns": ((3000, 700), 3000, lambda x: x.sum(0)),
    "an axis between": ((7, 3000, 100), 3000, lambda x: x.sum(1)),
    "a narrow axis between": ((3, 40_000, 3), 40_000, lambda x: x.sum(1)),
    "leading axes": ((70, 3000, 10), 210_000, lambda x: x.sum((0, 1))),
    "axes around one": ((3000, 7, 100), 300_000, lambda x: x.sum((0, 2))),
    "axes that do not merge": ((30_000, 64), 48 * 30_000, lambda x: x[:, :48].sum()),
    "rows that do not merge": ((3, 30_000, 20), 30_000 * 9, lambda x: x[:, :, :9].sum((1, 2))),
    "a transposed array": ((3000, 700), 3000, lambda x: x.T.sum(1)),
    "rows of dear elements": ((3, 100_000), 100_000, lambda x: jnp.where(x > 0, x, jnp.exp(x)).sum(1)),
    "sums of short rows": ((30_000, 33), 990_000, lambda x: jnp.sum(jnp.sum(x, 1))),
    "sums over rows beside sums of rows": ((30_000, 50), 30_000, lambda x: (x / x.sum(1, keepdims=True) * 50 * x[0, 0]).sum(0)),
    "means": ((300_000, 2), 300_000, lambda x: x.mean(0) * 300_000),
    "nansum": ((300_000, 2), 300_000, lambda x: jnp.nansum(x, 0)),
    "einsum": ((300_000, 2), 300_000, lambda x: jnp.einsum("ij->j", x)),
    "a bias' gradient": ((300_000, 2), 300_000, lambda x: grad(lambda b: jnp.sum(x[0, 0] * (x + b)))(x[0] * 0)),
    "dot": ((1_000_000,), 1_000_000, lambda x: jnp.dot(x, jnp.ones_like(x))),
    "a vector times a matrix": ((100_000, 5), 100_000, lambda x: jnp.ones(100_000, "float32") @ x),
    "a matrix times a vector": ((5, 100_000), 100_000, lambda x: x @ jnp.ones(100_000, "float32")),
    "a product of long thin matrices": ((300_000, 5), 300_000, lambda x: x.T @ jnp.ones((300_000, 3), "float32")),
    "a product of long matrices": ((100, 30_000), 30_000, lambda x: x @ jnp.ones((30_000, 100), "float32")),
    "a product with more results": ((200, 40_000), 40_000, lambda x: x @ jnp.ones((40_000, 100), "float32")),
    "a batch of long products": ((2, 4, 30_000), 30_000, lambda x: jnp.einsum("bik,bjk->bij", x, x[:, :3] * 0 + 1)),
    "in a loop": ((100_000,), 100_000, lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.sum(x + 0 * c), jnp.float32(0))),
    "in vmap": ((30, 30_000), 30_000, lambda x: vmap(jnp.sum)(x)),
    "updates of one place": ((300_000,), 300_000, lambda x: jnp.zeros(3, "float32").at[jnp.zeros(300_000, int)].add(x)[0]),
    "updates of rows": (
        (30_000, 19), 30_000, lambda x: jnp.zeros((4, 19), "float32").at[jnp.full(30_000, 2)].add(x)[2],
    ),
    "updates of one of many places": (
        (100_000,), 100_000, lambda x: jnp.zeros(200_000, "float32").at[jnp.full(100_000, 7)].add(x)[7],
    ),
    "a lookup's gradient": (
        (300_000,), 300_000, lambda x: grad(lambda t: jnp.sum(t[jnp.ones(300_000, int)] * x))(jnp.zeros(3, "float32"))[1],
    ),
    "running sums": ((300_000,), 300_000, lambda x: jnp.cumsum(x)[-1]),
    "running sums from behind": ((300_000,), 300_000, lambda x: lax.cumsum(x, reverse=True)[0]),
    "running sums of two columns": ((100_000, 2), 100_000, lambda x: jnp.cumsum(x, 0)[-1]),
    "running sums of many columns": ((3000, 700), 3000, lambda x: jnp.cumsum(x, 0)[-1]),
    "running sums of short rows": ((100, 4000), 4000, lambda x: jnp.cumsum(x, 1)[:, -1]),
    "running sums of many rows": ((20, 40_000), 40_000, lambda x: jnp.cumsum(x, 1)[:, -1]),
}  # fmt: skip


@modes
@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_accurate_at_any_length(name, mode):
    shape, count, f = SUMS[name]
    for term in (0.1, 1.9):
        assert error(mode(f)(jnp.full(shape, np.float32(term))), count, term) <= BOUND


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_several_long_sums_of_one_loop_are_accurate(count):
    def f(x):
        return [(x * (n + 1)).sum(1) / (n + 1) for n in range(count)], [
            (jnp.exp(x) * (n + 1)).sum() / (n + 1) for n in range(count)
        ]

    for length in (20_000, 300_000):
        plain, dear = jit(f)(jnp.full((3, length), np.float32(0.1)))
        assert error(plain, length, 0.1) <= BOUND
        assert error(dear, 3 * length, np.exp(np.float32(0.1))) <= BOUND


@modes
def test_a_long_logsumexp_is_accurate(mode):
    x = np.zeros((2, 300_000), np.float32)
    np.testing.assert_allclose(mode(lambda x: logsumexp(x, axis=1))(jnp.asarray(x)), np.log(300_000), rtol=2e-7)


@modes
def test_the_spread_of_equal_long_columns_is_zero(mode):
    x = np.tile(np.array([100.0, -100.0], np.float32), (300_000, 1))
    np.testing.assert_allclose(mode(lambda x: jnp.std(x, 0))(jnp.asarray(x)), 0, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 300_000), (300_000, 2), (7, 3000, 50)])
def test_a_long_sum_is_the_same_at_every_number_of_threads(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    f = jit(lambda x: (x.sum(), x.sum(0), x.sum(1), jnp.cumsum(x, 1)))
    before, found = config.num_threads, []
    try:
        for threads in (1, 2, 3):
            config.num_threads = threads
            found.append([np.asarray(v) for v in f(x)])
    finally:
        config.num_threads = before
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@modes
def test_infinities_and_nans_go_through_long_sums(mode):
    f = mode(lambda x: (x.sum(), x.sum(0), x.sum(1), jnp.cumsum(x, 0), jnp.cumsum(x, 1)))
    for shape in ((3, 20_000), (20_000, 3)):
        for where, number in ((5, np.inf), (17_000, -np.inf), (9000, np.nan)):
            x = np.ones(shape, np.float32)
            x.reshape(-1)[where] = number
            wanted = (x.sum(), x.sum(0), x.sum(1), np.cumsum(x, 0), np.cumsum(x, 1))
            for a, b in zip(f(jnp.asarray(x)), wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6)


@modes
def test_infinities_nans_and_zeros_go_through_long_updates(mode):
    x = np.zeros((1000, 2), np.float32)
    x[5, 0], x[9, 1], x[700, 1] = np.inf, np.inf, -np.inf
    places = jnp.zeros(1000, int)
    np.testing.assert_array_equal(mode(lambda x: jnp.zeros((2, 2), "float32").at[places].add(x))(x), [[np.inf, np.nan], [0, 0]])
    zeros = mode(lambda x: (x[:1] * 0).at[places].add(x))(jnp.full((1000, 2), np.float32(-0.0)))
    assert np.signbit(zeros).all()


@modes
def test_float64_sums_keep_their_digits(mode):
    for shape, axis in (((1_000_003,), 0), ((100_000, 3), 0), ((3, 100_000), 1)):
        total = mode(lambda x, axis=axis: (x.sum(axis), jnp.cumsum(x, axis)))(jnp.full(shape, 0.1, "float64"))
        np.testing.assert_allclose(total[0], 0.1 * shape[axis], rtol=1e-14)
        np.testing.assert_allclose(jnp.max(total[1], axis), 0.1 * shape[axis], rtol=1e-14)
