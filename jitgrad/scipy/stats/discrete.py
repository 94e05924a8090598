"""Distributions of whole numbers: -inf, a chance of 0, for what is none or out of range."""

from __future__ import annotations

import inspect
import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.scipy.special import betainc, gammainc, gammaincc, gammaln, xlog1py, xlogy

from .distribution import distribution, log_chance
from .saddle_points import log_binomial, log_poisson


def _at_whole(k: Array, possible: Array, log: Any) -> Array:
    """A logarithm at whole numbers that are possible; `log` is a function of k, held where it is computed anyway."""
    there = possible & (jnp.floor(k) == k)
    return jnp.where(there, log(jnp.where(there, k, 1.0)), jnp.where(jnp.isnan(k), k, -math.inf))


def _some(p: Any) -> Array:
    return (p > 0) & (p <= 1)


def _trials(n: Any) -> Array:
    return (n >= 0) & (jnp.floor(n) == n)


def _binom_logpmf(k: Array, others: Array, p: Any, q: Any) -> Array:
    """Of k successes and others that are none; q is 1 - p."""
    inside = (k > 0) & (others > 0)
    some = [jnp.where(inside, v, 0.5) for v in (k, others, p, q)]
    none, rest = (jnp.where(inside, 0.0, v) for v in (k, others))
    return jnp.where(inside, log_binomial(*some), xlogy(none, p) + xlog1py(rest, -p))


def _nbinom_logpmf(k: Array, n: Any, p: Any) -> Array:
    some = k > 0
    held, needed, chance = jnp.where(some, k, 1.0), jnp.where(n > 0, n, 1.0), jnp.where(some, p, 0.5)
    return jnp.where(some, log_binomial(held, needed, 1 - chance, chance) - jnp.log1p(held / needed), xlogy(n, p))


def _poisson_logpmf(k: Array, mu: Any) -> Array:
    some = k > 0
    return jnp.where(some, log_poisson(jnp.where(some, k, 1.0), jnp.where(some, mu, 1.0)), -mu)


def _betabinom_logpmf(k: Array, n: Any, a: Any, b: Any) -> Array:
    """By binomial chances of counts, of shapes and of both together: at one probability, which falls out."""
    others, whole = n - jnp.minimum(k, n), n + a + b
    p, q = (k + a) / whole, (others + b) / whole
    chances = _binom_logpmf(k, others, p, q) + log_binomial(a, b, p, q) - log_binomial(k + a, others + b, p, q)
    return chances + jnp.log(a / (k + a)) + jnp.log(b / (others + b)) + jnp.log(whole / (a + b))


def _chances(signature: Any, below: Any, above: Any, last: Any = None, log_above: Any = None) -> dict[str, Any]:
    """cdf, sf and their logarithms, from functions of a whole number k >= 0 (below last(parameters)) and the parameters.

    signature: a function from the arguments as users give them to x - loc and the parameters. log_above: the logarithm of `above`
    where there is a formula for it, which does not underflow.
    """

    def at(f: Any, ends: tuple[float, float]) -> Any:
        def formula(*args: Any) -> Array:
            x, *parameters = signature(*args)
            k = jnp.floor(x)
            inside = k >= 0
            over = k >= last(*parameters) if last else k == math.inf
            value = f(jnp.where(inside & ~over, k, 0.0), *parameters)
            return jnp.where(inside, jnp.where(over, ends[1], value), jnp.where(jnp.isnan(x), x, ends[0]))

        return formula

    cdf, sf = at(below, (0.0, 1.0)), at(above, (1.0, 0.0))
    made: dict[str, Any] = {
        "cdf": cdf, "sf": sf, "logcdf": lambda *args: log_chance(cdf(*args), sf(*args)),
        "logsf": at(log_above, (0.0, -math.inf)) if log_above else lambda *args: log_chance(sf(*args), cdf(*args)),
    }  # fmt: skip
    for formula in made.values():
        formula.__signature__ = inspect.signature(signature)
    return made


def _poisson_entropy(mu: Any, loc: Any = 0) -> Array:
    """The sum over counts for mu < 100, above it the asymptotic series (R. J. Evans and J. Boersma, 1988)."""
    small = mu < 100
    held, k = jnp.where(small, mu, 1.0)[..., None], jnp.arange(260).astype(mu.dtype)
    log = xlogy(k, held) - gammaln(k + 1) - held
    summed = -jnp.sum(jnp.exp(log) * jnp.where(log > -math.inf, log, 0.0), -1)
    inverse = 1 / jnp.where(small, 100.0, mu)
    series = inverse * (1 / 12 + inverse * (1 / 24 + inverse * (19 / 360 + inverse * (9 / 80))))
    return jnp.where(small, summed, 0.5 * (math.log(2 * math.pi * math.e) - jnp.log(inverse)) - series)


def _bernoulli_ppf(q: Any, p: Any, loc: Any = 0) -> Array:
    return jnp.where((q >= 0) & (q <= 1), jnp.where(q <= 1 - p, 0.0, 1.0).astype(q.dtype) + loc, math.nan)


bernoulli = distribution(
    "bernoulli", "One with probability p, else zero.", "pmf(1, 0.25) -> 0.25",
    holds=lambda p: (p >= 0) & (p <= 1),
    logpmf=lambda k, p, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= 1), lambda k: xlogy(k, p) + xlog1py(1 - k, -p)
    ),
    **_chances(lambda k, p, loc=0: (k - loc, p), lambda k, p: 1 - p, lambda k, p: p, lambda p: 1.0),
    ppf=_bernoulli_ppf,
)  # fmt: skip
binom = distribution(
    "binom", "The number of successes among n trials of probability p.", "pmf(1, 2, 0.5) -> 0.5",
    holds=lambda n, p: _trials(n) & (p >= 0) & (p <= 1), wide=True,
    logpmf=lambda k, n, p, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= n), lambda k: _binom_logpmf(k, n - jnp.minimum(k, n), p, 1 - p)
    ),
    **_chances(
        lambda k, n, p, loc=0: (k - loc, n, p), lambda k, n, p: betainc(jnp.maximum(n - k, 0.5), k + 1, 1 - p),
        lambda k, n, p: betainc(k + 1, jnp.maximum(n - k, 0.5), p), lambda n, p: n,
    ),
)  # fmt: skip
nbinom = distribution(
    "nbinom", "The number of failures before the n-th success, each of probability p.", "pmf(0, 1, 0.5) -> 0.5",
    holds=lambda n, p: (n > 0) & _some(p), wide=True,
    logpmf=lambda k, n, p, loc=0: _at_whole(
        k - loc, k - loc >= 0, lambda k: _nbinom_logpmf(k, n, p)
    ),
    **_chances(
        lambda k, n, p, loc=0: (k - loc, n, p), lambda k, n, p: betainc(n, k + 1, p), lambda k, n, p: betainc(k + 1, n, 1 - p)
    ),
)  # fmt: skip
geom = distribution(
    "geom", "The number of trials up to the first success, each of probability p.", "pmf(2, 0.5) -> 0.25",
    holds=_some, wide=True,
    logpmf=lambda k, p, loc=0: _at_whole(k - loc, k - loc >= 1, lambda k: xlog1py(k - 1, -p) + jnp.log(p)),
    **_chances(
        lambda k, p, loc=0: (k - loc, p), lambda k, p: -jnp.expm1(xlog1py(k, -p)), lambda k, p: jnp.exp(xlog1py(k, -p)),
        log_above=lambda k, p: xlog1py(k, -p),
    ),
)  # fmt: skip
poisson = distribution(
    "poisson", "The number of events where mu are expected.", "pmf(0, 0.5) -> 0.60653067",
    holds=lambda mu: mu >= 0, wide=True,
    logpmf=lambda k, mu, loc=0: _at_whole(k - loc, k - loc >= 0, lambda k: _poisson_logpmf(k, mu)),
    **_chances(lambda k, mu, loc=0: (k - loc, mu), lambda k, mu: gammaincc(k + 1, mu), lambda k, mu: gammainc(k + 1, mu)),
    entropy=_poisson_entropy,
)  # fmt: skip
betabinom = distribution(
    "betabinom", "The number of successes among n trials of one probability that is beta(a, b) distributed.",
    "pmf(1, 1, 1.0, 1.0) -> 0.5",
    holds=lambda n, a, b: _trials(n) & (a > 0) & (b > 0), wide=True,
    logpmf=lambda k, n, a, b, loc=0: _at_whole(
        k - loc, (k - loc >= 0) & (k - loc <= n), lambda k: _betabinom_logpmf(k, n, a, b)
    ),
)  # fmt: skip
