"""Compiled loops round less often than they are written, but what cancels, overflows or underflows as written still does."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax

NUMBERS = np.random.default_rng(0).random(257)
TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def once_by_fori(f, *args):
    return lax.fori_loop(0, 1, lambda i, s: (*s[:-1], f(*s[:-1])), (*args, jnp.zeros_like(args[0])))[-1]


def once_by_while(f, *args):
    start = (0, *args, jnp.zeros_like(args[0]))
    return lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, *s[1:-1], f(*s[1:-1])), start)[-1]


def once_by_scan(f, *args):
    return lax.scan(lambda c, xs: (c, f(*xs)), 0, tuple(a[None] for a in args))[1][0]


LOOPS = pytest.mark.parametrize("loop", [once_by_fori, once_by_while, once_by_scan])


@pytest.fixture
def as_written():
    jitgrad.config.contract_products = False
    yield
    jitgrad.config.contract_products = True


CANCEL = {
    "squares": lambda x, y: jnp.sqrt(x * x - y * y),
    "a square and a negative one": lambda x, y: jnp.sqrt(x * x + -(y * y)),
    "a product and a power": lambda x, y: jnp.sqrt(x * x - y**2),
    "a determinant": lambda x, y: x * (3.7 * y) - y * (3.7 * x),
    "the imaginary part of a product": lambda x, y: (x - 0.1) * y - y * (x - 0.1),
    "a sum of squares": lambda x, y: jnp.sqrt((x * x + y * y) - (y * y + x * x)),
    "equal constants": lambda x, y: jnp.sqrt(x * 0.1 - y * 0.1),
    "halves of squares": lambda x, y: jnp.sqrt(0.5 * (x * x) - 0.5 * (y * y)),
    "a chosen square": lambda x, y: jnp.sqrt(jnp.where(x > 0, x * x, 0.0) - y * y),
    "a sum of one element": lambda x, y: jnp.sqrt(jnp.sum((x * x)[None]) - y * y),
}


@LOOPS
@TYPES
@pytest.mark.parametrize("name", CANCEL)
def test_what_cancels_as_written_cancels_in_a_loop(loop, dtype, name):
    x = jnp.asarray(NUMBERS, dtype)
    f = jitgrad.vmap(lambda x, y: loop(CANCEL[name], x, y))
    assert np.asarray(jitgrad.jit(f)(x, jnp.array(x))).tolist() == [0.0] * len(NUMBERS)
    assert jitgrad.jit(lambda x, y: loop(CANCEL[name], x, y))(x[0], x[0]) == 0


@LOOPS
def test_a_product_is_rounded_with_the_sum_that_reads_it_and_as_written_on_demand(loop, as_written):
    x, y = (np.random.default_rng(seed).random(257, np.float32) for seed in (1, 2))
    f = jitgrad.jit(jitgrad.vmap(lambda x, y: loop(lambda x, y: x * y - 0.7, x, y)))
    written = x * y - np.float32(0.7)
    once = (x.astype(float) * y - np.float32(0.7)).astype(np.float32)
    assert (written != once).any()
    np.testing.assert_array_equal(f(x, y), written)
    jitgrad.config.contract_products = True
    np.testing.assert_array_equal(f(x, y), once)
    jitgrad.config.update("contract_products", False)
    np.testing.assert_array_equal(f(x, y), written)


def test_an_eager_loop_follows_the_setting_too(as_written):
    def f(x):
        return lax.fori_loop(0, 3000, lambda i, s: s * 0.7 + x, x)

    x = np.float32(0.3)
    want = x
    for _ in range(3000):
        want = want * np.float32(0.7) + x
    assert f(jnp.asarray(x)) == want


FACTORS = [
    (1e15, 1e-15, 1e30), (1e-15, 1e15, 1e-35), (1e20, 1e-19, -1e20), (10.0, 0.5, 1e38), (4.0, -0.25, 1e38), (1e-20, 1e19, 1e-20),
    (1e-20, 1e-20, 1e10), (1e20, 1e20, 1e-10), (1e20, 1e20, 1e-30), (1e-30, -1e-10, 1e30), (0.0, 5.0, np.inf), (np.inf, 0.5, 0.0),
    (np.nan, 2.0, 1.0), (3.0, 0.1, np.inf), (3.0, 0.1, 1.0),
]  # fmt: skip


@LOOPS
@pytest.mark.parametrize(("first", "second", "value"), FACTORS)
def test_constant_factors_overflow_and_underflow_as_they_are_written(loop, first, second, value):
    value = np.float32(value)
    with np.errstate(all="ignore"):
        product = value * np.float32(first) * np.float32(second)
        wanted = [product, np.float32(0.3) + product, product - np.float32(0.3)]
    for n, f in enumerate([lambda v: v * first * second, lambda v: 0.3 + v * first * second, lambda v: v * first * second - 0.3]):
        one = jitgrad.jit(lambda v, f=f: loop(f, v))(value)
        row = jitgrad.jit(jitgrad.vmap(lambda v, f=f: loop(f, v)))(np.full(19, value))[7]
        for got in (one, row):
            np.testing.assert_allclose(got, wanted[n], rtol=2e-7, atol=0)


def test_constant_factors_of_float64_overflow_as_they_are_written():
    f = jitgrad.jit(lambda v: once_by_fori(lambda v: v * 1e200 * 1e-200, v))
    assert f(jnp.array(1e200, "float64")) == np.inf
    np.testing.assert_allclose(f(jnp.array(1e100, "float64")), 1e100, rtol=1e-15)
