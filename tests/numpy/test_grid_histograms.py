"""Histograms of points, windows, spacing and polynomials of given zeros: against NumPy, eagerly and in programs."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close, check_grads

RUNS = pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
POINTS = np.random.default_rng(0).normal(size=(50, 3))
WEIGHTS = np.random.default_rng(1).uniform(size=50)
ARGUMENTS = {
    "by number": {"bins": 4}, "by numbers": {"bins": (2, 3, 4)},
    "edges": {"bins": [np.array([-1.0, 0.0, 2.0]), 3, np.linspace(-2, 2, 4)]},
    "ranges": {"bins": 3, "range": [(-1, 1), None, (0, 3)]}, "weights": {"bins": 3, "weights": WEIGHTS},
    "density": {"bins": (2, 3, 2), "density": True},
    "both": {"bins": 3, "density": True, "weights": WEIGHTS, "range": [(-1, 1)] * 3},
}  # fmt: skip


@RUNS
@pytest.mark.parametrize("given", ARGUMENTS)
def test_points_are_counted_in_boxes(run, given):
    options = {**ARGUMENTS[given]}
    wanted, wanted_edges = np.histogramdd(POINTS, **options)
    if "range" in options:  # with None among them
        options["range"] = [r if r is None else tuple(map(float, r)) for r in options["range"]]
    counts, edges = run(lambda x: jnp.histogramdd(x, **options))(POINTS)
    assert_close(counts, wanted, 1e-9)
    for e, w in zip(edges, wanted_edges, strict=True):
        assert_close(e, w, 1e-9)
    assert_close(jnp.histogramdd(list(POINTS.T), **options)[0], wanted, 1e-9)


@RUNS
@pytest.mark.parametrize("bins", [5, (3, 4), [np.linspace(-2, 2, 4), np.linspace(-1, 1, 3)], np.linspace(-2, 2, 6)], ids=str)
def test_pairs_are_counted_in_cells(run, bins):
    x, y = POINTS[:, 0], POINTS[:, 1]
    for got, wanted in zip(run(lambda x, y: jnp.histogram2d(x, y, bins))(x, y), np.histogram2d(x, y, bins), strict=True):
        assert_close(got, wanted, 1e-9)


def test_counts_of_points_have_derivatives_by_weights():
    grad = jitgrad.grad(lambda w: (jnp.histogramdd(POINTS, 2, weights=w)[0] ** 2).sum())(WEIGHTS)
    counts, _ = np.histogramdd(POINTS, 2, weights=WEIGHTS)
    assert_close(grad.sum(), 2 * sum(counts.ravel() * np.histogramdd(POINTS, 2)[0].ravel()), 1e-9)


def test_what_is_no_histogram_is_told():
    with pytest.raises(errors.ShapeError, match=r"histogramdd: the sample must be points \[n, axes\]"):
        jnp.histogramdd(np.ones(3))
    with pytest.raises(errors.ArgumentError, match="3 axes need as many bins and ranges, got 2 and 3"):
        jnp.histogramdd(POINTS, (2, 2))
    with pytest.raises(errors.ShapeError, match="weights must have the size of a, 50; got 3"):
        jnp.histogramdd(POINTS, weights=np.ones(3))


@RUNS
@pytest.mark.parametrize("points", [0, 1, 2, 7])
def test_kaisers_window(run, points):
    assert_close(run(lambda b: jnp.kaiser(points, b))(np.float32(8.6)), np.kaiser(points, 8.6), 1e-5)


@RUNS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spacing_is_the_distance_to_the_next_number(run, dtype):
    x = np.array([0.0, -0.0, 1.0, -1.0, 1.5, 1000.0, np.inf, np.nan, np.finfo(dtype).tiny, -3.0], dtype)
    with np.errstate(all="ignore"):
        wanted = np.spacing(x)
    got = np.asarray(run(jnp.spacing)(x))
    assert got.dtype == dtype and np.array_equal(got, wanted, equal_nan=True)


def test_spacing_and_nextafter_of_pythons_numbers_are_of_the_default_type():
    assert float(jnp.spacing(1.0)) == np.spacing(np.float32(1))
    assert float(jnp.nextafter(1.0, 2.0)) == np.nextafter(np.float32(1), np.float32(2))


@RUNS
def test_polynomials_of_zeros_and_quotients(run):
    zeros = np.array([1.0, -2.0, 0.5, 3.0])
    assert_close(run(jnp.poly)(zeros), np.poly(zeros), 1e-9)
    assert_close(run(jnp.poly)(np.array([1j, -1j])), np.poly([1j, -1j]), 1e-9)
    assert run(jnp.poly)(np.zeros(0)).tolist() == np.poly([]) == 1
    u, v = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0])
    quotient, rest = run(jnp.polydiv)(u, v)
    wanted, wanted_rest = np.polydiv(u, v)
    assert_close(quotient, wanted, 1e-9)
    assert_close(rest[-len(wanted_rest) :], wanted_rest, 1e-9)
    assert rest.shape == (4,) and np.allclose(np.polyadd(np.polymul(quotient, v), rest), u)
    assert_close(run(jnp.polydiv)(v, u)[1], v)
    with pytest.raises(errors.ShapeError, match="polydiv: needs vectors of coefficients"):
        jnp.polydiv(u, np.ones((2, 2)))


XS = np.linspace(-1, 2, 12)
YS = np.stack([XS**3 - XS + 0.1 * np.sin(9 * XS), np.cos(XS)], 1)


@RUNS
@pytest.mark.parametrize("w", [None, np.linspace(0.5, 2, 12)], ids=["plain", "weights"])
@pytest.mark.parametrize("y", [YS[:, 0], YS], ids=["one", "two"])
@pytest.mark.parametrize("degree", [0, 1, 3])
def test_polynomials_are_fitted(run, degree, y, w):
    assert_close(run(lambda x, y: jnp.polyfit(x, y, degree, w=w))(XS, y), np.polyfit(XS, y, degree, w=w), 1e-8)
    for cov in (True, "unscaled"):
        got, spread = run(lambda x, y: jnp.polyfit(x, y, degree, w=w, cov=cov))(XS, y)  # noqa: B023
        wanted, wanted_spread = np.polyfit(XS, y, degree, w=w, cov=cov)
        assert_close(got, wanted, 1e-8)
        assert_close(spread, wanted_spread, 1e-7)
    for k, wanted in enumerate(np.polyfit(XS, y, degree, w=w, full=True)):
        assert_close(run(lambda x, y: jnp.polyfit(x, y, degree, w=w, full=True)[k])(XS, y), wanted, 1e-7)  # noqa: B023


def test_fits_have_derivatives_and_say_what_they_need():
    check_grads(lambda y: jnp.polyfit(XS, y, 2), (YS[:, 0],), order=1)
    check_grads(lambda x: jnp.polyfit(x, YS[:, 0], 2), (XS,), order=1)
    with pytest.raises(errors.ShapeError, match="polyfit: needs x"):
        jnp.polyfit(XS, YS[:3], 1)
    with pytest.raises(errors.ArgumentError, match="covariance needs more than 2 points"):
        jnp.polyfit(XS[:2], YS[:2, 0], 1, cov=True)
    with pytest.raises(errors.ArgumentError, match="deg must be 0 or more"):
        jnp.polyfit(XS, YS, -1)


POLYNOMIALS = [[1.0, -6.0, 11.0, -6.0], [2.0, 0.0, 8.0], [0.0, 0.0, 1.0, -1.0, 0.0, 0.0], [3.0], [], [0.0, 0.0], [1.0, 2j, -1.0]]


@pytest.mark.parametrize("p", POLYNOMIALS, ids=str)
def test_zeros_of_polynomials_are_found(p):
    found = jnp.roots(np.array(p))
    assert found.dtype == "complex128" or not p
    assert_close(np.sort_complex(np.asarray(found)), np.sort_complex(np.roots(p).astype(complex)), 1e-6)


def test_zeros_are_found_in_programs():
    p = np.array([1.0, -6.0, 11.0, -6.0])
    found = jitgrad.jit(lambda p: jnp.roots(p, strip_zeros=False))(p)
    assert_close(np.sort_complex(np.asarray(found)), np.array([1, 2, 3], complex), 1e-6)
    with pytest.raises(errors.ConcretizationTypeError, match="strip_zeros"):
        jitgrad.jit(jnp.roots)(p)
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert_close(np.real(jnp.poly(matrix)), np.poly(matrix), 1e-6)
