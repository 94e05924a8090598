"""Statistics, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad.numpy as jnp

CASES = [
    "ptp(x)",
    "ptp(x, axis=1, keepdims=True)",
    "median(x)",
    "median(x, axis=0)",
    "median(t, axis=(0, 2))",
    "median(i, axis=1)",
    "median(x, axis=1, keepdims=True)",
    "median(n)",
    "nanmedian(n[:3])",
    "nanmedian(where(b, x, nan), axis=1)",
    "quantile(x, 0.3)",
    "quantile(x, array([0.1, 0.5, 1.0]), axis=1) :: quantile(x, np.float32([0.1, 0.5, 1.0]).astype(float), axis=1)",
    "quantile(x, 0.3, axis=(0, 1), keepdims=True)",
    'quantile(x, 0.3, method="lower")',
    'quantile(x, 0.3, method="higher", axis=0)',
    'quantile(x, 0.3, method="nearest", axis=0)',
    'quantile(x, 0.3, method="midpoint", axis=1)',
    "percentile(x, 30.0, axis=0)",
    "percentile(i, 30, axis=0)",
    "nanquantile(where(b, x, nan), 0.4)",
    "nanpercentile(where(b, x, nan), 40.0, axis=1)",
    "average(x)",
    "average(x, axis=0)",
    "average(x, weights=p)",
    "average(x, axis=1, weights=v)",
    "average(i, axis=0, weights=array([1, 2, 3]))",
    "average(x, weights=p, returned=True)",
    "average(x, axis=0, returned=True)",
    "cov(x)",
    "cov(x, rowvar=False)",
    "cov(v, v * 2)",
    "cov(x, bias=True)",
    "cov(x, fweights=k) :: cov(x, fweights=k)",
    "cov(x, aweights=abs(v))",
    "cov(c)",
    "corrcoef(x)",
    "corrcoef(c)",
    "corrcoef(v)",
    "bincount(q, length=5) :: bincount(q, minlength=5)",
    "histogram(x, 5) :: [h.astype(float) for h in histogram(x, 5)]",
    "histogram(x, bins=s) :: [h.astype(float) for h in histogram(x, bins=s)]",
    "histogram(x, 4, range=(-1, 1)) :: [h.astype(float) for h in histogram(x, 4, range=(-1, 1))]",
    "histogram(x, 4, weights=p)",
    "histogram(x, 4, density=True)",
    "histogram_bin_edges(x, 4)",
    "corrcoef(x[:1], rowvar=False)",
    "cov(x, rowvar=False)",
    "average(t, axis=(1, 2), weights=x)",
    "average(t, axis=(2, 1), weights=x.T)",
    "average(t, axis=(0, 2), weights=x[:2], keepdims=True)",
    "average(t, axis=(1, 2), weights=x, returned=True)",
]

CONCRETE_CASES = [
    "bincount(q)",
    "bincount(k, weights=v)",
    "bincount(q, minlength=9)",
    "histogram(x, 5) :: [h.astype(float) for h in histogram(x, 5)]",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_statistics_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


def test_a_histogram_of_whole_numbers_has_one_in_each_bin() -> None:
    for n in (7, 10, 13, 50, 97, 100, 255):
        np.testing.assert_array_equal(jnp.histogram(jnp.arange(n), n, (0, n))[0], np.ones(n))
