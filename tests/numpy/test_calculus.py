"""Calculus on samples, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import grad, jit, vmap
from jitgrad.testing import assert_close

CASES = [
    "diff(v)",
    "diff(x, n=2)",
    "diff(x, axis=0)",
    "diff(b)",
    "diff(v, prepend=0.0, append=array([1.0, 2.0]))",
    "diff(x, n=9)",
    "ediff1d(x)",
    "ediff1d(v, to_end=array([1.0]), to_begin=2.0)",
    "gradient(v)",
    "gradient(x)",
    "gradient(x, 2.0)",
    "gradient(x, 2.0, 3.0)",
    "gradient(x, axis=1)",
    "gradient(v, s[:4])",
    "gradient(x, s[:3], s[:4])",
    "trapezoid(v)",
    "trapezoid(x, axis=0)",
    "trapezoid(v, s[:4])",
    "trapezoid(x, dx=0.5)",
    "trapezoid(x, s[:4], axis=1)",
    "trapezoid(x, y)",
    "interp(x, s, s * 2)",
    "interp(x, s, s ** 2, left=-5.0, right=7.0)",
    "interp(0.3, s, s)",
    "interp(x * 3, s, s, period=1.5)",
    "interp(x * 3, s, s, left=7.0, right=8.0, period=1.5)",
    "interp(x, s, s + 1j * s)",
    "interp(x, s[:1], s[:1])",
    "convolve(v, w)",
    "convolve(w, v)",
    'convolve(v, w, mode="same")',
    'convolve(w, v, mode="same")',
    'convolve(v, w, mode="valid")',
    "convolve(w[:1], v)",
    "correlate(v, w)",
    "correlate(w, v)",
    'correlate(v, w, mode="full")',
    'correlate(w, v, mode="full")',
    'correlate(v, w, mode="same")',
    'correlate(w, v, mode="same")',
    'correlate(s, v, mode="same")',
    'correlate(v, s, mode="same")',
    'correlate(s, v[:3], mode="same")',
    'correlate(c[0], c[1], mode="full")',
    'convolve(c[0], c[1], mode="full")',
    "polyval(v, x)",
    "polyval(k, 3)",
    "polyval(array([2.0]), x)",
    "polyadd(v, w)",
    "polysub(v, w)",
    "polymul(v, w)",
    "polyder(v)",
    "polyder(v, 2)",
    "polyint(v)",
    "polyint(v, 2)",
    "polyint(v, 2, k=array([1.0, 2.0]))",
    "unwrap(x * 5)",
    "unwrap(x * 5, axis=0, period=2.0)",
    "unwrap(i * 5, period=7)",
    "unwrap(x * 5, discont=4.0)",
    "hanning(7)",
    "hamming(7)",
    "blackman(7)",
    "bartlett(7)",
    "hanning(1)",
    "trapezoid(x, dx=array([1.0, 2.0, 3.0]))",
    "trapezoid(x, y, axis=0)",
    "trapezoid(x, array([0.0, 1.0, 4.0]), axis=0)",
    "trapezoid(t, array([0.0, 1.0, 4.0]), axis=1)",
    "diff(i, n=0, prepend=0) :: i",
    "interp(array([2.0, 2.5, 3.0, 3.5, 4.0]), array([1.0, 2.0, 3.0, 4.0]), array([1.0, 2.0, inf, 4.0]))",
    "interp(array([2.0, 2.5, 3.0, 4.0]), arange(1.0, 5.0), array([1.0, 2.0, nan, 4.0])) :: np.array([2.0, nan, nan, 4.0])",
    "interp(array([1.0, 1.5, 2.0]), array([1.0, 2.0]), array([-inf, inf]))",
    "polyder(array([100, 100, 3], dtype=int8)) :: np.array([200, 100])",
]


@pytest.mark.parametrize("case", CASES)
def test_calculus_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(40, 7), (7, 40), (300, 129), (5, 5), (9, 1)])
@pytest.mark.parametrize("f", [jnp.convolve, jnp.correlate])
def test_convolutions_and_their_gradients_are_those_of_numpy(f, sizes, mode):
    r = np.random.default_rng(sum(sizes))
    a, v = r.standard_normal(sizes[0]), r.standard_normal(sizes[1])
    numpy = np.convolve if f is jnp.convolve else np.correlate
    wanted = numpy(a, v, mode)
    weights = r.standard_normal(wanted.size)
    for run in (lambda g: g, jit):
        assert_close(run(lambda a, v: f(a, v, mode))(a, v), wanted, 1e-12, 1e-12)
        slopes = run(grad(lambda a, v: jnp.sum(f(a, v, mode) * weights), argnums=(0, 1)))(jnp.asarray(a), jnp.asarray(v))
        for n, slope in enumerate(slopes):
            units = np.eye(sizes[n])
            exact = np.array([weights @ (numpy(u, v, mode) if n == 0 else numpy(a, u, mode)) for u in units])
            assert_close(slope, exact, 1e-11, 1e-11)


def test_a_batch_of_convolutions_is_each_ones():
    r = np.random.default_rng(0)
    a, v = r.standard_normal((3, 50)), r.standard_normal((3, 8))
    both = jit(vmap(jnp.convolve))(a, v)
    left = jit(vmap(lambda a: jnp.convolve(a, v[0])))(a)
    right = vmap(lambda v: jnp.convolve(a[0], v))(jnp.asarray(v))
    for n in range(3):
        assert_close(both[n], np.convolve(a[n], v[n]), 1e-12, 1e-12)
        assert_close(left[n], np.convolve(a[n], v[0]), 1e-12, 1e-12)
        assert_close(right[n], np.convolve(a[0], v[n]), 1e-12, 1e-12)


def test_convolutions_of_complex_numbers_and_integers():
    r = np.random.default_rng(1)
    a, v = (r.standard_normal(n) + 1j * r.standard_normal(n) for n in (20, 6))
    for run in (lambda g: g, jit):
        assert_close(run(jnp.convolve)(a, v), np.convolve(a, v), 1e-12)
        assert_close(run(jnp.correlate)(a, v), np.correlate(a, v), 1e-12)
        assert_close(run(jnp.correlate)(v, a), np.correlate(v, a), 1e-12)
    assert_close(jit(jnp.convolve)(np.arange(5), np.arange(3)), np.convolve(np.arange(5), np.arange(3)).astype(np.float32))


def test_a_convolution_is_fused_with_what_reads_it_and_makes_no_table():
    lowered = jit(lambda a, v: jnp.tanh(jnp.convolve(a, v))).lower(np.ones(20_000, np.float32), np.ones(500, np.float32))
    assert lowered.compile().memory_analysis().temp_size_in_bytes < 1 << 18


def test_polynomials_are_subtracted_in_the_type_that_both_have() -> None:
    for run in (lambda f: f, jit):
        found = run(jnp.polysub)(np.array([300, 1], np.int16), np.array([5], np.uint8))
        assert found.dtype == "int16" and found.tolist() == [300, -4]
        assert np.signbit(run(jnp.polysub)(np.array([1.0, -0.0, 2.0]), np.array([3.0]))[1])
