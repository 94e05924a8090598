"""Statistics, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit

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


@pytest.mark.parametrize("count", [jnp.histogram, jnp.histogram_bin_edges])
@pytest.mark.parametrize("elements", [[1.0, 2.0, np.inf], [-np.inf, 3.0], [1.0, np.nan], [np.nan]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bins_over_elements_that_are_not_finite_are_refused(count: Any, elements: list[float], dtype: str) -> None:
    x = jnp.array(elements, dtype)
    with pytest.raises(errors.ArgumentError, match=r"histogram: the elements go from .* Give range="):
        count(x, bins=3)
    with pytest.raises(errors.ArgumentError, match="the elements go from"):
        grad(lambda x: count(x, 3)[1].sum())(x)
    assert jnp.histogram(x, 3, (0, 4))[0].sum() == np.histogram(x, 3, (0, 4))[0].sum()


def test_a_range_that_falls_or_is_not_finite_and_edges_that_fall_are_refused() -> None:
    x = jnp.array([1.0, 2.0, 3.0])
    for given, words in (
        (dict(range=(3, 1)), "lowest, highest"), (dict(range=(0, np.inf)), "not finite"), (dict(range=(np.nan, 1)), "not finite"),
        (dict(range=(1, 2, 3)), r"two numbers; got \(1, 2, 3\)"), (dict(bins=jnp.array([3.0, 2.0, 1.0])), "edges must not fall"),
        (dict(bins=jnp.array([1.0, np.nan, 3.0])), "edges must not fall"), (dict(bins=0), "at least 1 bin"),
    ):  # fmt: skip
        for function in (jnp.histogram, jnp.histogram_bin_edges):
            with pytest.raises(errors.ArgumentError, match=words):
                function(x, **given)
    np.testing.assert_array_equal(jnp.histogram(x, jnp.array([1.0, 2.0, 2.0, 3.0]))[0], [1, 0, 2])
    np.testing.assert_array_equal(jnp.histogram(x, 2, (2, 2))[1], [1.5, 2, 2.5])


def test_traced_elements_that_are_not_finite_give_edges_that_are_not() -> None:
    counts, edges = jit(lambda x: jnp.histogram(x, 3))(jnp.array([1.0, np.nan]))
    assert np.isnan(edges).all() and (np.asarray(counts) == 0).all()


def test_a_histogram_counts_in_the_type_that_elements_and_weights_have_together() -> None:
    x = jnp.array([1.0, 2.0, 3.0], "float32")
    for weights in ([1j, 2, 3], np.array([0.1, 2.0, 3.0])):
        counts = jnp.histogram(x, 2, weights=jnp.asarray(weights))[0]
        np.testing.assert_array_equal(counts, np.histogram(np.asarray(x), 2, weights=np.asarray(weights))[0])
    with pytest.raises(errors.DTypeError, match="histogram: complex numbers have no order"):
        jnp.histogram(x + 1j, 2)


Q = np.array([0.0, 0.25, 0.5, 1.0])


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_weighted_quantiles_are_numpys(name: str) -> None:
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(-3, 3, (4, 5)))
    if name == "nanquantile":
        x[rng.random(x.shape) > 0.7] = np.nan
    for axis, weights in ((None, rng.integers(0, 3, x.shape)), (0, np.array([0, 1, 2, 1])), (-1, rng.random(x.shape))):
        given = dict(axis=axis, method="inverted_cdf", keepdims=True)
        whole = np.broadcast_to(weights[:, None] if axis == 0 else weights, x.shape)  # NumPy fails for nanquantile of a vector
        want = getattr(np, name)(x, Q, weights=whole, **given)
        ours = lambda x, w, given=given: getattr(jnp, name)(x, Q, weights=w, **given)  # noqa: E731
        for f in (ours, jit(ours)):
            np.testing.assert_array_equal(f(jnp.array(x), jnp.array(weights)), want)
    assert np.isnan(jnp.quantile(jnp.ones(2), 0.5, weights=jnp.zeros(2), method="inverted_cdf"))


def test_quantiles_of_many_small_floats_are_at_their_own_places() -> None:
    x = np.linspace(0, 1, 5001).astype(np.float16)
    np.testing.assert_array_equal(jnp.quantile(jnp.array(x), 0.9), np.quantile(x.astype(float), 0.9).astype(np.float16))


def test_a_quantile_at_an_infinite_element_is_infinite() -> None:
    x = jnp.array([1.0, np.inf])
    assert jnp.quantile(x, 1.0) == np.inf and jnp.quantile(x, 0.0) == 1 and np.isnan(jit(jnp.quantile)(x, np.nan))


def test_what_a_quantile_cannot_take_is_an_error() -> None:
    x = jnp.array([[1.0, 2.0, 3.0]])
    for given, words in (
        ((x, 1.5), "quantile: q must be between 0 and 1, got 1.5"),
        ((x, np.nan), "quantile: q must be between 0 and 1"),
        ((x, 0.5, None, x), "quantile: out= is not supported"),
    ):
        with pytest.raises(errors.ArgumentError, match=words):
            jnp.quantile(*given)
    with pytest.raises(errors.ArgumentError, match="percentile: q must be between 0 and 100, got -1"):
        jnp.percentile(x, -1)
    with pytest.raises(errors.ArgumentError, match='weights= go with method="inverted_cdf" alone'):
        jnp.quantile(x, 0.5, weights=x)
    with pytest.raises(errors.ArgumentError, match="weights must be 0 or more"):
        jnp.quantile(x, 0.5, weights=-x, method="inverted_cdf")
    with pytest.raises(errors.ShapeError, match=r"weights of shape \(2,\) do not go with an array of shape \(1, 3\)"):
        jnp.quantile(x, 0.5, 1, weights=x[0, :2], method="inverted_cdf")


@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
def test_a_known_mean_is_taken(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    given = dict(axis=1, keepdims=True, mean=x.mean(1, keepdims=True) + 0.1)
    np.testing.assert_allclose(getattr(jnp, name)(jnp.array(x), **given), getattr(np, name)(x, **given), rtol=1e-12)
    with pytest.raises(errors.ShapeError, match=r"mean= must broadcast to the array's shape \(3, 4\), got shape \(3,\)"):
        getattr(jnp, name)(x, axis=1, mean=x.mean(1))


def test_the_deviation_of_one_element_has_the_derivative_0() -> None:
    np.testing.assert_array_equal(grad(lambda x: jnp.std(x, axis=1).sum())(jnp.ones((3, 1))), np.zeros((3, 1)))
    np.testing.assert_array_equal(grad(lambda x: jnp.nanstd(x, axis=0).sum())(jnp.ones((1, 2))), np.zeros((1, 2)))
    assert grad(jnp.std)(2.0) == 0 and np.isnan(jnp.std(jnp.array([np.nan])))


def test_covariances_are_computed_in_the_type_that_is_asked_for() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    for name in ("cov", "corrcoef"):
        found = getattr(jnp, name)(jnp.array(x), dtype="float64")
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, getattr(np, name)(x, dtype=np.float64), rtol=1e-12)
