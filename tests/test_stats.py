"""jitgrad.scipy.stats against SciPy: every method, inside the support, at its ends and outside; derivatives against differences."""

from __future__ import annotations

import doctest
import importlib
import inspect

import jitgrad.scipy.stats.norm as norm
import numpy as np
import pytest
import scipy.stats

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.scipy import stats

LINE = np.array([-40.0, -6.0, -1.5, -1.0, -0.3, 0.0, 0.2, 0.5, 1.0, 1.7, 3.0, 9.0, 40.0])
WHOLE = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 30.0])
CHANCES = np.array([0.0, 1e-3, 0.1, 0.3, 0.5, 0.8, 1.0, -0.1, 1.1])
PARAMETERS = {
    "norm": [(), (0.5, 2.0)], "uniform": [(), (-1.0, 2.5)], "expon": [(), (0.2, 3.0)], "laplace": [(), (0.2, 3.0)],
    "logistic": [(), (0.2, 3.0)], "cauchy": [(), (0.2, 3.0)], "gumbel_r": [(), (0.2, 3.0)], "gumbel_l": [(), (0.2, 3.0)],
    "beta": [(2.0, 3.0), (0.5, 1.5, -1.0, 3.0)], "gamma": [(1.5,), (3.0, 0.2, 2.0)], "chi2": [(3.0,), (5.0, 0.2, 2.0)],
    "t": [(1.0,), (4.5, 0.2, 2.0)], "pareto": [(1.5,), (3.0, -1.0, 1.2)], "gennorm": [(1.5,)], "wrapcauchy": [(0.4,)],
    "truncnorm": [(-1.0, 2.0), (1.0, 4.0, 0.2, 2.0), (-9.0, -5.0), (6.0, 9.0)],
    "bernoulli": [(0.3,), (0.0,), (1.0,), (0.6, 1)], "binom": [(5, 0.3), (8, 1.0), (5, 0.4, 1)], "nbinom": [(4, 0.3)],
    "geom": [(0.3,), (0.6, 1)], "poisson": [(2.5,), (0.0,), (2.5, 1)], "betabinom": [(5, 1.5, 2.0)],
}  # fmt: skip
CASES = [
    (name, method, parameters) for name, rows in PARAMETERS.items() for parameters in rows
    for method in vars(getattr(stats, name)) if not method.startswith("_")
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
    np.testing.assert_allclose(found(x, *parameters), expected, rtol=2e-12, atol=1e-300 if method.startswith("log") else 1e-15)
    np.testing.assert_allclose(jitgrad.jit(found)(x, *parameters), expected, rtol=1e-11, atol=1e-15)
    narrow = found(x.astype(np.float32), *parameters)
    assert narrow.dtype == np.float32
    near = np.abs(expected) < 1e30
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


def test_vectors_of_counts_and_shares_are_scipys():
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
    example = doctest.DocTestParser().get_doctest(getattr(stats, name).__doc__, {}, name, None, None)
    assert example.examples and importlib.import_module("jitgrad.scipy.stats")
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=output.append)
    assert not runner.failures, "".join(output)
