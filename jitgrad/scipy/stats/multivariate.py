"""Distributions of vectors: counts, shares and normal ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.scipy.linalg import solve_triangular
from jitgrad.scipy.special import gammaln, xlogy

from .distribution import Distribution, float_arguments


def _multinomial_logpmf(x: Any, n: Any, p: Any) -> Array:
    """The logarithm of the probability of counts x along the last axis, which add up to n, for chances p along it.

    NaN where n is no count or a chance is outside [0, 1].
    """
    counts, chances = float_arguments("scipy.stats.multinomial.logpmf", x, p)
    trials = float_arguments("scipy.stats.multinomial.logpmf", n, jnp.zeros((), counts.dtype))[0]
    dtype = counts.dtype
    counts, chances, trials = (v.astype(np.float64) for v in (counts, chances, trials))  # sums of terms of the size of counts
    fits = (counts.sum(-1) == trials) & jnp.all((counts >= 0) & (jnp.floor(counts) == counts), -1)
    held = jnp.maximum(counts, 0.0)
    logarithm = gammaln(trials + 1) + (xlogy(held, chances) - gammaln(held + 1)).sum(-1)
    there = (trials >= 0) & jnp.all((chances >= 0) & (chances <= 1), -1) & ~jnp.any(jnp.isnan(counts), -1)
    return jnp.where(there, jnp.where(fits, logarithm, -math.inf), math.nan).astype(dtype)


def _dirichlet_logpdf(x: Any, alpha: Any) -> Array:
    """The logarithm of the density at shares x along the first axis, of which the last may be left out; alpha: concentrations.

    NaN where a concentration is not positive.
    """
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
    whole = shares.sum(0)
    fits = jnp.all(shares >= 0, 0) & (jnp.abs(whole - 1) < max(1e-6, 4 * float(jnp.finfo(shares.dtype).eps)))
    dtype, shares, weights = shares.dtype, shares.astype(np.float64), weights.astype(np.float64)
    density = xlogy(weights - 1, jnp.maximum(shares, 0.0)) - gammaln(weights)
    logarithm = jnp.where(fits, density.sum(0) + gammaln(weights.sum(0)), -math.inf)
    return jnp.where(jnp.all(weights > 0, 0) & ~jnp.isnan(whole), logarithm, math.nan).astype(dtype)


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


def _normal_logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Array:
    """The logarithm of the density at x, vectors along the last axis, for a mean and a covariance matrix; batches broadcast.

    A mean and cov of no axes stand for one component, or for independent components of one variance. NaN where cov is not positive
    definite.
    """
    where = "scipy.stats.multivariate_normal.logpdf"
    if allow_singular is not None:
        raise NotImplementedError(f"{where}: allow_singular is not supported; cov must be positive definite")
    zero = jnp.zeros(())
    point, middle, matrix = (float_arguments(where, v, zero)[0] for v in (x, mean, cov))
    dtype = jnp.result_type(point, middle, matrix)
    point, middle, matrix = point.astype(dtype), middle.astype(dtype), matrix.astype(dtype)
    if not middle.ndim:
        if matrix.ndim:
            raise ShapeError(f"{where}: of a mean without axes cov must be a number, got shape {list(matrix.shape)}")
        return -0.5 * ((point - middle) ** 2 / matrix + math.log(2 * math.pi) + jnp.log(matrix))
    size = middle.shape[-1]
    if not matrix.ndim:
        difference = point - middle
        return -0.5 * ((difference**2).sum(-1) / matrix + size * (math.log(2 * math.pi) + jnp.log(matrix)))
    if matrix.shape[-2:] != (size, size) or (point.ndim and point.shape[-1] not in (size, 1)):
        raise ShapeError(
            f"{where}: of a mean of {size} numbers x must be vectors of {size} and cov matrices of {size} x {size}, got shapes "
            f"{list(point.shape)} and {list(matrix.shape)}"
        )
    factor, difference = jnp.linalg.cholesky(matrix), point - middle
    batch = jnp.broadcast_shapes(difference.shape[:-1], factor.shape[:-2])
    factor = jnp.broadcast_to(factor, (*batch, size, size)) if matrix.ndim > 2 else factor
    if matrix.ndim == 2:
        columns = difference.reshape(-1, size).T
        solved = solve_triangular(factor, columns, lower=True).T.reshape(difference.shape)
    else:
        difference = jnp.broadcast_to(difference, (*batch, size))
        solved = solve_triangular(factor, difference[..., None], lower=True)[..., 0]
    logarithm = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return -0.5 * (solved**2).sum(-1) - 0.5 * size * math.log(2 * math.pi) - logarithm


multivariate_normal = Distribution(
    "multivariate_normal", "Normal vectors of a mean and a covariance matrix.\n\n>>> from jitgrad.scipy.stats import "
    "multivariate_normal\n>>> import jitgrad.numpy as jnp\n>>> print(multivariate_normal.logpdf(jnp.zeros(2), jnp.zeros(2), "
    "jnp.eye(2)))\n-1.837877",
    {"logpdf": _normal_logpdf, "pdf": lambda x, mean, cov: jnp.exp(_normal_logpdf(x, mean, cov))},
)  # fmt: skip
