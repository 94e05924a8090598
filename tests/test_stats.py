"""jitgrad.scipy.stats against SciPy: every method, inside the support, at its ends and outside; derivatives against differences."""

from __future__ import annotations

import doctest
import importlib
import inspect

import jitgrad.scipy.stats.norm as norm
import mpmath as mp
import numpy as np
import pytest
import scipy.stats

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.scipy import stats
from jitgrad.testing import check_grads

LINE = np.array([-40.0, -6.0, -1.5, -1.0, -0.3, 0.0, 0.2, 0.5, 1.0, 1.7, 3.0, 9.0, 40.0])
WHOLE = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 30.0])
CHANCES = np.array([0.0, 1e-3, 0.1, 0.3, 0.5, 0.8, 1.0, -0.1, 1.1])
PARAMETERS = {
    "norm": [(), (0.5, 2.0)], "uniform": [(), (-1.0, 2.5)], "expon": [(), (0.2, 3.0)], "laplace": [(), (0.2, 3.0)],
    "logistic": [(), (0.2, 3.0)], "cauchy": [(), (0.2, 3.0)], "gumbel_r": [(), (0.2, 3.0)], "gumbel_l": [(), (0.2, 3.0)],
    "beta": [(2.0, 3.0), (0.5, 1.5, -1.0, 3.0)], "gamma": [(1.5,), (3.0, 0.2, 2.0)], "chi2": [(3.0,), (5.0, 0.2, 2.0)],
    "t": [(1.0,), (4.5, 0.2, 2.0)], "pareto": [(1.5,), (3.0, -1.0, 1.2)], "gennorm": [(1.5,)], "wrapcauchy": [(0.4,)],
    "vonmises": [(1.5,), (300.0,)],
    "truncnorm": [(-1.0, 2.0), (1.0, 4.0, 0.2, 2.0), (-9.0, -5.0), (6.0, 9.0)],
    "bernoulli": [(0.3,), (0.0,), (1.0,), (0.6, 1)], "binom": [(5, 0.3), (8, 1.0), (5, 0.4, 1)], "nbinom": [(4, 0.3)],
    "geom": [(0.3,), (0.6, 1)], "poisson": [(2.5,), (0.0,), (2.5, 1)], "betabinom": [(5, 1.5, 2.0)],
}  # fmt: skip
CASES = [
    (name, method, parameters) for name, rows in PARAMETERS.items() for parameters in rows
    for method in vars(getattr(stats, name)) if not method.startswith("_") and method != "entropy"
]  # fmt: skip


def values(name, method, parameters):
    if method in ("ppf", "isf"):
        return CHANCES[1:6] if name == "bernoulli" else CHANCES  # at the ends SciPy names values that have no chance
    if (
        hasattr(stats.norm, method)
        and hasattr(scipy.stats, name)
        and isinstance(getattr(scipy.stats, name), scipy.stats.rv_discrete)
    ):
        return WHOLE
    if name == "truncnorm":
        loc, scale = parameters[2:] or (0.0, 1.0)
        return np.linspace(parameters[0] - 1, parameters[1] + 1, 13) * scale + loc
    return LINE


@pytest.mark.parametrize(("name", "method", "parameters"), CASES, ids=lambda x: str(x).replace(" ", ""))
def test_a_method_is_scipys(name, method, parameters):
    x = WHOLE if method.endswith("pmf") else values(name, method, parameters)
    with np.errstate(all="ignore"):
        expected = getattr(getattr(scipy.stats, name), method)(x, *parameters)
    found = getattr(getattr(stats, name), method)
    np.testing.assert_allclose(found(x, *parameters), expected, rtol=2e-12, atol=1e-16 if method.startswith("log") else 1e-15)
    np.testing.assert_allclose(jitgrad.jit(found)(x, *parameters), expected, rtol=1e-11, atol=1e-15)
    narrow = found(x.astype(np.float32), *parameters)
    assert narrow.dtype == np.float32
    near = np.abs(expected) < (80 if name == "gennorm" else 1e30)  # whose tails are logarithms of what float32 has no numbers for
    np.testing.assert_allclose(np.asarray(narrow)[near], expected[near], rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", PARAMETERS)
def test_densities_have_the_derivatives_of_their_values(name):
    distribution = getattr(stats, name)
    discrete = "logpmf" in vars(distribution)
    log = distribution.logpmf if discrete else distribution.logpdf
    x = {"truncnorm": 7.1, "beta": 0.7, "bernoulli": 2.0}.get(name, 2.0 if discrete else 1.3)
    numbers = [jnp.array(v, "float64") for v in (x, *PARAMETERS[name][-1])]
    counts = {"binom": (0, 1, 3), "betabinom": (0, 1), "nbinom": (0,), "bernoulli": (0, 2), "geom": (0, 2), "poisson": (0, 2)}
    for n in range(len(numbers)):
        if n in counts.get(name, ()):
            continue

        def at(v, n=n):
            return log(*numbers[:n], v, *numbers[n + 1 :])

        slope = (float(at(numbers[n] + 1e-6)) - float(at(numbers[n] - 1e-6))) / 2e-6
        assert abs(float(jitgrad.grad(at)(numbers[n])) - slope) < 1e-5 * max(1, abs(slope)), (name, n)


def test_gradients_are_finite_outside_the_support():
    for log in (stats.beta.logpdf, stats.gamma.logpdf, stats.uniform.logpdf, stats.expon.logpdf, stats.pareto.logpdf):
        parameters = [2.0] * (len(inspect.signature(log).parameters) - 3)
        assert np.isfinite(jitgrad.grad(lambda x, log=log, p=parameters: jnp.exp(log(x, *p)))(-0.5))


MANY = {  # the middle, and parameters for float32 and float64
    "poisson": (1e6, (1e6,), (1e12,)), "binom": (1e6, (3e6, 0.3333), (3e12, 0.3333)), "nbinom": (1e6, (1e6, 0.5), (1e12, 0.5)),
    "geom": (1e6, (1e-6,), (1e-12,)), "betabinom": (1e6, (3e6, 2e6, 4e6), (3e8, 2e8, 4e8)), "gamma": (1e6, (1e6,), (1e12,)),
    "chi2": (1e6, (1e6,), (1e12,)), "beta": (1 / 3, (1e6, 2e6), (1e12, 2e12)),
}  # fmt: skip


def exact_log_chance(name, k, *numbers):
    """What is linear in log gamma and logarithms, in 60 digits."""

    def choices(n, k):
        return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)

    def betaln(a, b):
        return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)

    with mp.workdps(60):
        k, (a, *rest) = mp.mpf(float(k)), [mp.mpf(float(v)) for v in numbers]
        b = rest[0] if rest else mp.mpf(0)
        formulas = {
            "poisson": lambda: k * mp.log(a) - a - mp.loggamma(k + 1),
            "binom": lambda: choices(a, k) + k * mp.log(b) + (a - k) * mp.log(1 - b),
            "nbinom": lambda: choices(k + a - 1, k) + a * mp.log(b) + k * mp.log(1 - b),
            "geom": lambda: mp.log(a) + (k - 1) * mp.log(1 - a),
            "betabinom": lambda: choices(a, k) + betaln(k + b, a - k + rest[1]) - betaln(b, rest[1]),
            "gamma": lambda: (a - 1) * mp.log(k) - k - mp.loggamma(a),
            "chi2": lambda: (a / 2 - 1) * mp.log(k) - k / 2 - mp.loggamma(a / 2) - a / 2 * mp.log(2),
            "beta": lambda: (a - 1) * mp.log(k) + (b - 1) * mp.log(1 - k) - betaln(a, b),
        }
        return float(formulas[name]())


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
def test_chances_of_large_counts_keep_their_digits(name, run):
    """SciPy's have lost them at the parameters of float64, too."""
    f = run(getattr(stats, name).logpdf if name in ("gamma", "chi2", "beta") else getattr(stats, name).logpmf)
    middle, *parameters = MANY[name]
    for dtype, numbers, rtol in zip(("float32", "float64"), parameters, (2e-7, 3e-10), strict=True):
        large = max(numbers[0], 1 / numbers[0])
        x = middle * (1 if name == "beta" else large / 1e6 / (3 if "binom" in name and name != "nbinom" else 1))
        x = x * (1 + np.array([0, 1, -3, 8]) / np.sqrt(large))
        x = (x if name == "beta" else np.round(x)).astype(dtype)
        given = [np.array(v, dtype) for v in numbers]
        np.testing.assert_allclose(f(x, *given), [exact_log_chance(name, v, *given) for v in x], rtol=rtol, atol=rtol)


def test_chances_of_no_counts_have_slopes_by_chances_of_nothing():
    for f, numbers, slope in (
        (stats.poisson.logpmf, (0.0, 0.0), -1), (stats.binom.logpmf, (0.0, 5.0, 0.0), -5), (stats.binom.logpmf, (5.0, 5.0, 1.0), 5),
        (stats.nbinom.logpmf, (0.0, 3.0, 1.0), 3),
    ):  # fmt: skip
        assert float(jitgrad.grad(f, len(numbers) - 1)(*numbers)) == slope
    assert float(jitgrad.grad(stats.gamma.logpdf)(0.0, 1.0)) == -1
    assert float(jitgrad.grad(stats.beta.logpdf)(0.0, 1.0, 3.0)) == -2


def test_vectors_of_counts_and_shares_are_scipys():
    many, chances = np.array([1e6, 2.001e6, 2.999e6]), np.array([0.125, 0.375, 0.5])
    for name, numbers in (("multinomial.logpmf", (many, 6e6, chances)), ("dirichlet.logpdf", (chances, many))):
        family, method = name.split(".")
        wanted = getattr(getattr(scipy.stats, family), method)(*numbers)
        found = getattr(getattr(stats, family), method)(*[np.array(v, np.float32) for v in numbers])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=2e-7)
    x, p = np.array([[1, 2, 0], [0, 0, 3], [1, 1, 2]]), np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(stats.multinomial.logpmf(x, 3, p), scipy.stats.multinomial.logpmf(x, 3, p), rtol=1e-12)
    alpha = np.array([1.5, 2.0, 0.7])
    shares = np.array([[0.2, 0.5], [0.3, 0.25], [0.5, 0.25]])
    expected = scipy.stats.dirichlet.logpdf(shares, alpha)
    np.testing.assert_allclose(stats.dirichlet.logpdf(shares, alpha), expected, rtol=1e-12)
    np.testing.assert_allclose(stats.dirichlet.pdf(shares[:2], alpha), np.exp(expected), rtol=1e-12)
    assert stats.dirichlet.logpdf(np.array([0.5, 0.7, -0.2]), alpha) == -np.inf
    with pytest.raises(errors.ShapeError, match="dirichlet"):
        stats.dirichlet.logpdf(np.ones(2) / 2, np.ones(4))


def test_parameters_broadcast_and_may_be_named():
    found = stats.norm.logpdf(np.zeros(3), loc=np.arange(2.0)[:, None], scale=2)
    np.testing.assert_allclose(found, scipy.stats.norm.logpdf(np.zeros(3), np.arange(2.0)[:, None], 2), rtol=1e-12)
    assert stats.norm.logpdf(1, 0).dtype == "float32"
    assert jitgrad.vmap(stats.norm.cdf)(np.zeros(4)).shape == (4,)
    assert np.isnan(np.asarray(stats.norm.cdf(np.nan)))
    assert norm is stats.norm


def test_a_method_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match=r"scipy\.stats\.norm has no rvs; it has logpdf, pdf"):
        stats.norm.rvs(3)
    with pytest.raises(errors.DTypeError, match=r"scipy\.stats\.norm\.logpdf"):
        stats.norm.logpdf(1j)


@pytest.mark.parametrize("name", stats.__all__)
def test_the_example_of_a_distribution_shows_what_it_says(name):
    if callable(getattr(stats, name)):
        pytest.skip("a function, whose example runs with its module's")
    example = doctest.DocTestParser().get_doctest(getattr(stats, name).__doc__, {}, name, None, None)
    assert example.examples and importlib.import_module("jitgrad.scipy.stats")
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=output.append)
    assert not runner.failures, "".join(output)


def test_the_entropy_of_poisson_is_scipys_on_both_sides_of_its_series():
    mu = np.array([0.0, 0.1, 2.5, 30.0, 99.0, 101.0])
    for f in (stats.poisson.entropy, jitgrad.jit(stats.poisson.entropy)):
        np.testing.assert_allclose(f(mu), [0.0, *scipy.stats.poisson.entropy(mu[1:])], rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(f(np.array([1e9])), 0.5 * np.log(2 * np.pi * np.e * 1e9), rtol=1e-10)


def test_chances_have_derivatives_at_the_middle_and_by_their_parameters():
    for cdf, parameters in ((stats.t.cdf, (3.0,)), (stats.gennorm.cdf, (1.7,))):
        density = {"t": stats.t.pdf, "gennorm": stats.gennorm.pdf}[cdf.__qualname__.split(".")[0]]
        for x in (jnp.array(v, "float64") for v in (0.0, 0.3, -2.0)):
            np.testing.assert_allclose(jitgrad.grad(cdf)(x, *parameters), density(x, *parameters), rtol=1e-10)
    for cdf, arguments in (
        (stats.t.cdf, (0.7, 3.0, 0.1, 1.5)), (stats.gamma.cdf, (2.0, 1.5, 0.1, 1.2)), (stats.beta.cdf, (0.4, 1.5, 2.5)),
        (stats.chi2.sf, (2.0, 3.5)), (stats.gamma.logsf, (9.0, 2.0)),
    ):  # fmt: skip
        check_grads(cdf, tuple(jnp.array(v, "float64") for v in arguments), order=1, atol=1e-6, rtol=1e-5, eps=1e-5)


def test_normal_vectors_are_scipys():
    rng = np.random.default_rng(2)
    root, mean, x = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(4, 2, 3))
    cov = root @ root.T + np.eye(3)
    expected = scipy.stats.multivariate_normal.logpdf(x, mean, cov)
    for f in (stats.multivariate_normal.logpdf, jitgrad.jit(stats.multivariate_normal.logpdf)):
        np.testing.assert_allclose(f(x, mean, cov), expected, rtol=1e-12)
        np.testing.assert_allclose(
            f(x, mean, np.stack([cov, 2 * cov])),
            np.stack([scipy.stats.multivariate_normal.logpdf(x[:, n], mean, (n + 1) * cov) for n in range(2)], 1),
            rtol=1e-12,
        )
        np.testing.assert_allclose(f(1.0, 0.5, 2.0), scipy.stats.norm.logpdf(1.0, 0.5, np.sqrt(2)), rtol=1e-6)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(x, mean, cov), np.exp(expected), rtol=1e-12)
    batched = jitgrad.vmap(stats.multivariate_normal.logpdf, (0, None, None))(x, mean, cov)
    np.testing.assert_allclose(batched, expected, rtol=1e-12)

    def of_root(x, mean, root):
        return stats.multivariate_normal.logpdf(x, mean, root @ root.T + jnp.eye(3))

    check_grads(of_root, (x[0, 0], mean, root), order=2, atol=1e-3, rtol=1e-3)
    with pytest.raises(errors.ShapeError, match=r"multivariate_normal\.logpdf: of a mean of 3"):
        stats.multivariate_normal.logpdf(x, mean, np.eye(2))


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
def test_ranks_are_scipys(method):
    a = np.array([[3, 1, 2, 3, 3], [0, 0, 5, -1, 5], [1, 1, 1, 1, 1]])
    rank = jitgrad.jit(stats.rankdata, static_argnames=("method", "axis"))
    for f in (stats.rankdata, rank):
        np.testing.assert_array_equal(f(a, method), scipy.stats.rankdata(a, method))
        for axis in (0, 1, -1):
            np.testing.assert_array_equal(f(a, method, axis=axis), scipy.stats.rankdata(a, method, axis=axis))
    assert np.isnan(stats.rankdata(np.array([1.0, np.nan]), method)).all()
    assert stats.rankdata(np.zeros(0), method).shape == (0,)


def test_modes_and_standard_errors_are_scipys():
    a = np.array([[3.0, 1, 2, 3, 3], [0, 0, 5, -1, 5], [1, 1, 1, 1, 2]])
    for axis in (0, 1, -1, None):
        for keep in (False, True):
            found, expected = stats.mode(a, axis, keepdims=keep), scipy.stats.mode(a, axis, keepdims=keep)
            np.testing.assert_array_equal(found.mode, expected.mode)
            np.testing.assert_array_equal(found.count, expected.count)
        np.testing.assert_allclose(stats.sem(a, axis), scipy.stats.sem(a, axis), rtol=1e-14)
        np.testing.assert_allclose(stats.sem(a, axis, 0, keepdims=True).ravel(), np.ravel(scipy.stats.sem(a, axis, 0)), rtol=1e-14)
    gaps = np.where(a == 5, np.nan, a)
    np.testing.assert_allclose(stats.sem(gaps, nan_policy="omit"), scipy.stats.sem(gaps, nan_policy="omit"), rtol=1e-14)
    assert np.isnan(stats.mode(np.array([1.0, np.nan])).mode)
    for call in (lambda: stats.rankdata(a, "odd"), lambda: stats.mode(a, nan_policy="raise"), lambda: stats.mode(a, 2)):
        with pytest.raises(errors.ArgumentError, match=r"scipy\.stats\.(rankdata|mode): "):
            call()


@pytest.mark.parametrize("method", [None, "silverman", 0.4])
def test_a_density_estimate_is_scipys(method):
    rng = np.random.default_rng(4)
    data, weights, points = rng.normal(size=(2, 30)), rng.uniform(0.5, 2, 30), rng.normal(size=(2, 7))
    ours, theirs = stats.gaussian_kde(data, method, weights), scipy.stats.gaussian_kde(data, method, weights)
    np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-12)
    np.testing.assert_allclose(ours.inv_cov, theirs.inv_cov, rtol=1e-10)
    assert (ours.d, ours.n) == (2, 30)
    np.testing.assert_allclose(ours.logpdf(points), theirs.logpdf(points), rtol=1e-12)
    np.testing.assert_allclose(jitgrad.jit(lambda k, x: k.pdf(x))(ours, points), theirs.pdf(points), rtol=1e-12)
    np.testing.assert_allclose(ours.integrate_kde(ours), theirs.integrate_kde(theirs), rtol=1e-12)
    np.testing.assert_allclose(
        ours.integrate_gaussian(np.zeros(2), np.eye(2)), theirs.integrate_gaussian(np.zeros(2), np.eye(2)), rtol=1e-12
    )
    line = stats.gaussian_kde(data[0], method)
    np.testing.assert_allclose(
        line.integrate_box_1d(-1.0, 2.0), scipy.stats.gaussian_kde(data[0], method).integrate_box_1d(-1, 2), rtol=1e-12
    )
    assert ours.resample(jitgrad.random.key(0), (5, 3)).shape == (2, 5, 3)
    with pytest.raises(errors.ArgumentError, match="bw_method"):
        stats.gaussian_kde(data, "none")
    with pytest.raises(errors.ShapeError, match="points must have 2 components"):
        ours.pdf(np.zeros((3, 4)))


@pytest.mark.parametrize("name", PARAMETERS)
def test_small_floats_stay_small(name):
    half = jnp.full((2,), 0.5, "float16")
    for method, function in vars(getattr(stats, name)).items():
        if not method.startswith("_"):
            parameters = PARAMETERS[name][0] if method != "entropy" else ()
            assert function(half, *parameters).dtype == "float16", method


def test_vectors_have_no_distribution_of_parameters_that_are_none():
    shares, counts = np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 2.0])
    for alpha in ([1.0, 2.0, 0.0], [1.0, -2.0, 1.0], [1.0, np.nan, 1.0]):
        assert np.isnan(stats.dirichlet.logpdf(shares, np.array(alpha)))
    assert np.isnan(stats.dirichlet.logpdf(np.array([np.nan, 0.5, 0.5]), np.ones(3)))
    for n, p in ((-1, shares), (3, np.array([-0.2, 0.7, 0.5])), (3, np.array([0.2, 0.3, np.nan])), (3, np.array([1.2, 0.0, 0.0]))):
        assert np.isnan(stats.multinomial.logpmf(counts, n, p))
    for cov in ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        assert np.isnan(stats.multivariate_normal.logpdf(np.zeros(2), np.zeros(2), np.array(cov)))


def test_the_mode_of_nothing_is_nan_that_is_there_no_time():
    for shape, axis, left in (((0,), 0, ()), ((0, 3), 0, (3,)), ((3, 0), -1, (3,)), ((2, 0), None, ()), ((3, 0), 0, (0,))):
        found = stats.mode(np.zeros(shape), axis)
        np.testing.assert_array_equal(found.mode, np.full(left, np.nan))
        np.testing.assert_array_equal(found.count, np.zeros(left))
    assert stats.mode(np.array(3.0)) == (3.0, 1)
    with pytest.raises(errors.ArgumentError, match=r"scipy\.stats\.sem: axis 3 is out of range"):
        stats.sem(np.ones(2), 3)


def test_students_t_is_accurate_far_out_and_of_many_degrees_of_freedom():
    x = np.array([-30.0, -3.0, -0.5, 0.2, 4.0])
    for df in (1.0, 1e3, 0.9e4, 1.1e4, 1e7, 1e15, 1e300, np.inf):
        for method in ("logpdf", "cdf", "sf"):
            want = getattr(scipy.stats.t, method)(x, df)
            np.testing.assert_allclose(getattr(stats.t, method)(x, np.array(df)), want, rtol=1e-9, atol=0)
        q = np.array([1e-10, 0.01, 0.5, 0.7])
        np.testing.assert_allclose(stats.t.ppf(q, np.array(df)), scipy.stats.t.ppf(q, df), rtol=1e-9)
    np.testing.assert_allclose(stats.t.ppf(np.array(1e-300), np.array(1.0)), -1 / np.pi * 1e300, rtol=1e-12)
    np.testing.assert_allclose(stats.cauchy.logpdf(np.array([1e20], np.float32)), -np.log(np.pi) - 40 * np.log(10), rtol=1e-6)


def test_the_logarithm_of_a_chance_that_underflows_is_there_where_it_has_a_formula():
    k, p = np.array([1000.0, 1e10, 0.0, -1.0, np.inf, 5.5]), np.array([0.9, 0.3, 0.5, 0.5, 0.5, 1.0])
    for logsf in (stats.geom.logsf, jitgrad.jit(stats.geom.logsf)):
        np.testing.assert_allclose(logsf(k, p), [1000 * np.log(0.1), 1e10 * np.log(0.7), 0, 0, -np.inf, -np.inf], rtol=1e-13)
