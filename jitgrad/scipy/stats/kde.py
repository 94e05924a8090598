"""Kernel density estimates with normal kernels (D. W. Scott, Multivariate Density Estimation, 1992)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.normalization import logsumexp
from jitgrad.operands import real_number_arg
from jitgrad.scipy.linalg import solve_triangular
from jitgrad.scipy.special import ndtr
from jitgrad.tree_util import register_pytree_node_class

from .distribution import float_arguments

Bandwidth = str | float | Callable[["gaussian_kde"], Any] | None


@register_pytree_node_class
class gaussian_kde:  # noqa: N801 - jax's and SciPy's name
    """The density of points by a normal kernel at each.

    dataset: points as columns, of shape (d, n), or n numbers. bw_method: "scott" (the default), "silverman", a number, or a
    function of the estimate: by what the points' deviation is scaled. weights: n numbers, which are scaled to add up to 1.

    Attributes: dataset, weights, covariance (of a kernel, d x d), inv_cov, neff (the effective number of points), d, n. It is a
    pytree, so that jit and vmap take it as an argument.

    Raises:
        ShapeError, ArgumentError, DTypeError: dataset has no two points, weights are no n numbers, or bw_method is unknown.

    >>> import jitgrad.numpy as jnp
    >>> kde = gaussian_kde(jnp.array([0.0, 1.0, 2.0]))
    >>> print(kde.n, kde.pdf(1.0).shape)
    3 (1,)
    """

    dataset: Array
    weights: Array
    covariance: Array
    inv_cov: Array
    neff: Array

    def __init__(self, dataset: Any, bw_method: Bandwidth = None, weights: Any = None) -> None:
        where = "scipy.stats.gaussian_kde"
        (points,) = float_arguments(where, dataset)
        self.dataset = jnp.atleast_2d(points)
        if self.dataset.ndim != 2 or self.dataset.size < 2:
            raise ShapeError(f"{where}: dataset must be d x n numbers, two points or more, got shape {list(points.shape)}")
        d, n = self.dataset.shape
        if weights is None:
            self.weights = jnp.full(n, 1 / n, self.dataset.dtype)
        else:
            given = float_arguments(where, weights)[0].astype(self.dataset.dtype)
            if given.shape != (n,):
                raise ShapeError(f"{where}: weights must be {n} numbers, one a point, got shape {list(given.shape)}")
            self.weights = given / given.sum()
        self.neff = 1 / (self.weights**2).sum()
        factor = self._factor(bw_method)
        middle = self.dataset - (self.dataset * self.weights).sum(1, keepdims=True)
        spread = (middle * self.weights) @ middle.T / (1 - (self.weights**2).sum())
        self.covariance = spread * factor**2
        self.inv_cov = jnp.linalg.inv(spread) / factor**2

    def _factor(self, method: Bandwidth) -> Any:
        power = -1 / (self.d + 4)
        if callable(method):
            return method(self)
        if method is None or isinstance(method, str):
            if method not in (None, "scott", "silverman"):
                raise ArgumentError(
                    f"scipy.stats.gaussian_kde: bw_method must be scott, silverman, a number or a function, got {method!r}"
                )
            return (self.neff * (self.d + 2) / 4) ** power if method == "silverman" else self.neff**power
        value = real_number_arg("scipy.stats.gaussian_kde", "bw_method", method)
        return method if isinstance(method, int | float) else value.astype(self.dataset.dtype)

    def tree_flatten(self) -> tuple[tuple[Array, ...], None]:
        return (self.dataset, self.weights, self.covariance, self.inv_cov, self.neff), None

    @classmethod
    def tree_unflatten(cls, aux_data: None, children: Any) -> gaussian_kde:
        made = object.__new__(cls)
        made.dataset, made.weights, made.covariance, made.inv_cov, made.neff = children
        return made

    @property
    def d(self) -> int:
        """The number of components."""
        return self.dataset.shape[0]

    @property
    def n(self) -> int:
        """The number of points."""
        return self.dataset.shape[1]

    def evaluate(self, points: Any) -> Array:
        """The density at points, of shape (d, m) or (d,), or m numbers where d is 1."""
        return jnp.exp(self.logpdf(points))

    def pdf(self, x: Any) -> Array:
        """The density at points: `evaluate`."""
        return self.evaluate(x)

    def __call__(self, points: Any) -> Array:
        return self.evaluate(points)

    def logpdf(self, x: Any) -> Array:
        """The logarithm of the density at points, without underflow."""
        return self._log_mixture(self._points("logpdf", x), self.covariance)

    def _points(self, method: str, x: Any) -> Array:
        where = f"scipy.stats.gaussian_kde.{method}"
        points = jnp.atleast_2d(float_arguments(where, x)[0].astype(self.dataset.dtype))
        if points.ndim == 2 and points.shape[0] != self.d and points.shape == (1, self.d):
            points = points.T
        if points.ndim != 2 or points.shape[0] != self.d:
            raise ShapeError(f"{where}: points must have {self.d} components along the first axis, got shape {list(points.shape)}")
        return points

    def _log_mixture(self, points: Array, covariance: Array) -> Array:
        """The logarithm of the weighted sum of normal densities of a covariance around the data, at points."""
        factor = jnp.linalg.cholesky(covariance)
        scaled = solve_triangular(factor, self.dataset, lower=True)
        there = solve_triangular(factor, points, lower=True)
        energy = 0.5 * ((there[:, :, None] - scaled[:, None, :]) ** 2).sum(0)
        scale = 0.5 * self.d * math.log(2 * math.pi) + jnp.log(jnp.diagonal(factor)).sum()
        return logsumexp(-energy, axis=1, b=self.weights) - scale

    def integrate_gaussian(self, mean: Any, cov: Any) -> Array:
        """The integral of the density times that of a normal distribution."""
        where = "scipy.stats.gaussian_kde.integrate_gaussian"
        middle = jnp.atleast_1d(float_arguments(where, mean)[0]).astype(self.dataset.dtype)
        matrix = jnp.atleast_2d(float_arguments(where, cov)[0]).astype(self.dataset.dtype)
        if middle.shape != (self.d,) or matrix.shape != (self.d, self.d):
            raise ShapeError(
                f"{where}: mean must be {self.d} numbers and cov {self.d} x {self.d}, got shapes {list(middle.shape)} and "
                f"{list(matrix.shape)}"
            )
        return jnp.exp(self._log_mixture(middle[:, None], self.covariance + matrix))[0]

    def integrate_box_1d(self, low: Any, high: Any) -> Array:
        """The chance of a number between low and high, of one component."""
        if self.d != 1:
            raise ShapeError(f"scipy.stats.gaussian_kde.integrate_box_1d: for data of one component, got {self.d}")
        spread = jnp.sqrt(self.covariance[0, 0])
        return (self.weights * (ndtr((high - self.dataset[0]) / spread) - ndtr((low - self.dataset[0]) / spread))).sum()

    def integrate_kde(self, other: gaussian_kde) -> Array:
        """The integral of the product of two densities."""
        if other.d != self.d:
            raise ShapeError(f"scipy.stats.gaussian_kde.integrate_kde: the other must have {self.d} components, got {other.d}")
        return (jnp.exp(self._log_mixture(other.dataset, self.covariance + other.covariance)) * other.weights).sum()

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Array:
        """Random points of the density, of shape (d, *shape)."""
        first, second = random.split(key)
        chosen = random.choice(first, self.n, shape, p=self.weights)
        noise = random.normal(second, (self.d, *shape), self.dataset.dtype)
        factor = jnp.linalg.cholesky(self.covariance)
        return self.dataset[:, chosen] + jnp.tensordot(factor, noise, 1)

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> Array:
        """Not there, as in jax: use integrate_box_1d for data of one component."""
        raise NotImplementedError("scipy.stats.gaussian_kde.integrate_box is not available; integrate_box_1d is, for one component")

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Not there, as in jax: an estimate does not change; make another with this bw_method."""
        raise DTypeError("scipy.stats.gaussian_kde: an estimate does not change; make another one with this bw_method")
