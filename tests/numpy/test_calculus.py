"""Calculus on samples, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
]


@pytest.mark.parametrize("case", CASES)
def test_calculus_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
