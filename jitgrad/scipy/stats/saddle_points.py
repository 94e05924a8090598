"""Logarithms of Poisson's and binomial chances, whose large terms cancel on paper.

What is left are deviances and what Stirling's formula leaves of factorials (C. Loader, Fast and accurate computation of binomial
probabilities, 2000). Numbers need not be whole, so densities of the gamma and beta distributions are of the same form.
"""

from __future__ import annotations

import math

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.scipy.special import gammaln
from jitgrad.scipy.special.gamma import stirling_rest


def log_poisson(k: Array, mean: Array) -> Array:
    """log(mean^k exp(-mean) / gamma(k + 1)) for k > 0."""
    return -0.5 * jnp.log(2 * math.pi * k) - _factorial_rest(k) - _deviance(k, mean)


def log_binomial(k: Array, others: Array, p: Array, q: Array) -> Array:
    """log(p^k q^others gamma(n + 1) / (gamma(k + 1) gamma(others + 1))) for k, others > 0, n = k + others and p + q = 1."""
    n = k + others
    rest = _factorial_rest(n) - _factorial_rest(k) - _factorial_rest(others)
    return rest - _deviance(k, n * p) - _deviance(others, n * q) - 0.5 * (jnp.log(2 * math.pi * k) + jnp.log(others / n))


def _deviance(k: Array, mean: Array) -> Array:
    """k log(k / mean) + mean - k, near the mean by the series of the logarithm (NIST DLMF 4.6.4)."""
    share = (k - mean) / (k + mean)
    near = jnp.abs(share) < 0.1
    held = jnp.where(near, share, 0.0)
    square = held * held
    series = jnp.zeros_like(square)
    for j in range(8, -1, -1):
        series = series * square + 1 / (2 * j + 3)
    close = (k - mean) * held + 2 * k * held * square * series
    k, mean = jnp.where(near, 1.0, k), jnp.where(near, 1.0, mean)
    return jnp.where(near, close, k * (jnp.log(k) - jnp.log(mean)) + mean - k)


def _factorial_rest(x: Array) -> Array:
    """log gamma(x + 1) less Stirling's (x + 1/2) log x - x + log(2 pi) / 2, for x > 0."""
    large = x >= 8
    small = jnp.where(large, 1.0, x)
    exact = gammaln(small + 1) - (small + 0.5) * jnp.log(small) + small - 0.5 * math.log(2 * math.pi)
    return jnp.where(large, stirling_rest(jnp.where(large, x, 8.0)), exact)
