"""Distributions of whole numbers: -inf, a chance of 0, for what is none or out of range. And of vectors: multinomial, dirichlet."""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.scipy.special import betaln, gammaln, xlog1py, xlogy

from .distribution import Distribution, distribution, float_arguments


def _at_whole(k: Array, possible: Array, log: Any) -> Array:
    """A logarithm at whole numbers that are possible; `log` is a function of k, held where it is computed anyway."""
    there = possible & (jnp.floor(k) == k)
    return jnp.where(there | jnp.isnan(k), log(jnp.where(there, k, 1.0)), -math.inf)


def _choices(n: Any, k: Any) -> Array:
    """The logarithm of n over k."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _bernoulli_ppf(q: Any, p: Any, loc: Any = 0) -> Array:
    return jnp.where((q >= 0) & (q <= 1) & (p >= 0) & (p <= 1), jnp.where(q <= 1 - p, 0.0, 1.0) + loc, math.nan)


bernoulli = distribution(
    "bernoulli", "One with probability p, else zero.", "pmf(1, 0.25) -> 0.25",
    logpmf=lambda k, p, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= 1), lambda k: xlogy(k, p) + xlog1py(1 - k, -p)
    ),
    cdf=lambda k, p, loc=0: jnp.where(k - loc < 0, 0.0, jnp.where(k - loc < 1, 1 - p, 1.0)),
    ppf=_bernoulli_ppf,
)  # fmt: skip
binom = distribution(
    "binom", "The number of successes among n trials of probability p.", "pmf(1, 2, 0.5) -> 0.5",
    logpmf=lambda k, n, p, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= n),
        lambda k: _choices(n, jnp.minimum(k, n)) + xlogy(k, p) + xlog1py(n - k, -p),
    ),
)  # fmt: skip
nbinom = distribution(
    "nbinom", "The number of failures before the n-th success, each of probability p.", "pmf(0, 1, 0.5) -> 0.5",
    logpmf=lambda k, n, p, loc=0: _at_whole(
        k - loc, k - loc >= 0, lambda k: gammaln(k + n) - gammaln(n) - gammaln(k + 1) + xlogy(n, p) + xlog1py(k, -p)
    ),
)  # fmt: skip
geom = distribution(
    "geom", "The number of trials up to the first success, each of probability p.", "pmf(2, 0.5) -> 0.25",
    logpmf=lambda k, p, loc=0: _at_whole(k - loc, k - loc >= 1, lambda k: xlog1py(k - 1, -p) + jnp.log(p)),
)  # fmt: skip
poisson = distribution(
    "poisson", "The number of events where mu are expected.", "pmf(0, 0.5) -> 0.60653067",
    logpmf=lambda k, mu, loc=0: _at_whole(k - loc, k - loc >= 0, lambda k: xlogy(k, mu) - gammaln(k + 1) - mu),
)  # fmt: skip
betabinom = distribution(
    "betabinom", "The number of successes among n trials of one probability that is beta(a, b) distributed.",
    "pmf(1, 1, 1.0, 1.0) -> 0.5",
    logpmf=lambda k, n, a, b, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= n),
        lambda k: _choices(n, jnp.minimum(k, n)) + betaln(k + a, n - jnp.minimum(k, n) + b) - betaln(a, b),
    ),
)  # fmt: skip


# -- of vectors


def _multinomial_logpmf(x: Any, n: Any, p: Any) -> Array:
    """The logarithm of the probability of counts x along the last axis, which add up to n, for chances p along it."""
    counts, chances = float_arguments("scipy.stats.multinomial.logpmf", x, p)
    trials = float_arguments("scipy.stats.multinomial.logpmf", n, jnp.zeros((), counts.dtype))[0]
    fits = (counts.sum(-1) == trials) & jnp.all((counts >= 0) & (jnp.floor(counts) == counts), -1)
    held = jnp.maximum(counts, 0.0)
    return jnp.where(fits, gammaln(trials + 1) + (xlogy(held, chances) - gammaln(held + 1)).sum(-1), -math.inf)


def _dirichlet_logpdf(x: Any, alpha: Any) -> Array:
    """The logarithm of the density at shares x along the first axis, of which the last may be left out; alpha: concentrations."""
    where = "scipy.stats.dirichlet.logpdf"
    shares, weights = jnp.asarray(x), jnp.asarray(alpha)
    if weights.ndim != 1 or not shares.ndim or shares.shape[0] not in (weights.shape[0], weights.shape[0] - 1):
        raise ShapeError(
            f"{where}: alpha must be a vector, and x have as many shares along its first axis, or one less, got shapes "
            f"{list(weights.shape)} and {list(shares.shape)}"
        )
    if shares.shape[0] == weights.shape[0] - 1:
        shares = jnp.concatenate([shares, 1 - shares.sum(0, keepdims=True)])
    shares, weights = float_arguments(where, shares, weights.reshape(-1, *[1] * (shares.ndim - 1)))
    fits = jnp.all(shares >= 0, 0) & (jnp.abs(shares.sum(0) - 1) < 1e-6)
    density = xlogy(weights - 1, jnp.maximum(shares, 0.0)) - gammaln(weights)
    return jnp.where(fits, density.sum(0) + gammaln(weights.sum(0)), -math.inf)


multinomial = Distribution(
    "multinomial", "How n trials fall on outcomes of probabilities p.\n\n>>> from jitgrad.scipy.stats import multinomial\n"
    ">>> import jitgrad.numpy as jnp\n>>> print(multinomial.pmf(jnp.array([1, 1]), 2, jnp.array([0.5, 0.5])))\n0.5",
    {"logpmf": _multinomial_logpmf, "pmf": lambda x, n, p: jnp.exp(_multinomial_logpmf(x, n, p))},
)  # fmt: skip
dirichlet = Distribution(
    "dirichlet", "Shares that add up to 1.\n\n>>> from jitgrad.scipy.stats import dirichlet\n>>> import jitgrad.numpy as jnp\n"
    ">>> print(dirichlet.pdf(jnp.array([0.5, 0.5]), jnp.ones(2)))\n1.0",
    {"logpdf": _dirichlet_logpdf, "pdf": lambda x, alpha: jnp.exp(_dirichlet_logpdf(x, alpha))},
)  # fmt: skip
