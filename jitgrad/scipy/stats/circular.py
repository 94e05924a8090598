"""Distributions on the circle (K. V. Mardia and P. E. Jupp, Directional Statistics, 2000)."""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.scipy.special import i0e

from .distribution import distribution, log_chance

LOG_2PI = math.log(2 * math.pi)


def _wrapcauchy_chance(x: Any, c: Any, below: bool) -> Array:
    """By the tangent of half the angle, which is infinite half way round."""
    half = jnp.clip(x, 0, 2 * math.pi) / 2
    cosine = (1 - c) * jnp.cos(half)
    chance = jnp.arctan2((1 + c) * jnp.abs(jnp.sin(half)), cosine if below else -cosine) / math.pi
    return jnp.where(x < 0, float(not below), jnp.where(x > 2 * math.pi, float(below), chance))


def _wrapcauchy_cdf(x: Any, c: Any) -> Array:
    return _wrapcauchy_chance(x, c, True)


def _wrapcauchy_sf(x: Any, c: Any) -> Array:
    return _wrapcauchy_chance(x, c, False)


wrapcauchy = distribution(
    "wrapcauchy", "The Cauchy distribution wrapped around the circle, on [0, 2 pi].", "pdf(0.0, 0.5) -> 0.47746485",
    holds=lambda c: (c > 0) & (c < 1),
    logpdf=lambda x, c: jnp.where(
        (x < 0) | (x > 2 * math.pi), -math.inf, jnp.log1p(-c * c) - LOG_2PI - jnp.log1p(c * c - 2 * c * jnp.cos(x))
    ),
    cdf=_wrapcauchy_cdf, logcdf=lambda x, c: log_chance(_wrapcauchy_cdf(x, c), _wrapcauchy_sf(x, c)),
    sf=_wrapcauchy_sf, logsf=lambda x, c: log_chance(_wrapcauchy_sf(x, c), _wrapcauchy_cdf(x, c)),
)  # fmt: skip


def _vonmises_logpdf(x: Any, kappa: Any) -> Array:
    """kappa cos x - log(2 pi I_0(kappa)), with kappa taken out of both, so that large ones do not overflow."""
    sine = jnp.sin(x / 2)
    return -2 * kappa * sine * sine - LOG_2PI - jnp.log(i0e(kappa))


vonmises = distribution(
    "vonmises", "The von Mises distribution on the circle, of mean 0 and concentration kappa.", "pdf(0.0, 1.0) -> 0.3417105",
    holds=lambda kappa: kappa >= 0,
    logpdf=_vonmises_logpdf,
)  # fmt: skip
