"""Functions from their values on a grid, by jax.scipy.interpolate's name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, ParametersError, ShapeError, shown
from jitgrad.operands import inexact_arg, is_several, real_arg
from jitgrad.publishing import public as _public
from jitgrad.tracebacks import boundary_methods

ArrayLike = Any

METHODS = ("linear", "nearest")


def _check_method(where: str, method: str) -> None:
    if method not in METHODS:
        raise ArgumentError(f"{where}: method must be 'linear' or 'nearest', got {method!r}")


@tree.register_pytree_node_class
class RegularGridInterpolator:
    """A function of n variables from its values on a grid: `interpolator(xi)`.

    points: the grid's coordinates, n vectors that rise, or fall, with two or more numbers each. values: an array with their sizes
    in front; further axes are those of the function's values. method: "linear" in each variable, or "nearest" (halfway the lower
    one). fill_value: what stands for points outside the grid; with None the function is continued. bounds_error must be False: a
    compiled program does not raise.

    xi: points [..., n], or a tuple of n arrays that broadcast together. A vector is one point, or, for n = 1, many. The result has
    xi's front axes and those that values has behind the grid's. It is NaN where a coordinate is.

    A pytree of its arrays, so an argument of functions under jit, vmap and grad; differentiable in values, points and xi. Raises
    ArgumentError for other methods and coordinates that do not rise or fall, ShapeError for what does not fit. As
    jax.scipy.interpolate.RegularGridInterpolator, and also for grids that fall.

    >>> import jitgrad.numpy as jnp
    >>> f = RegularGridInterpolator((jnp.array([0.0, 1.0]), jnp.array([0.0, 2.0])), jnp.array([[0.0, 4.0], [1.0, 5.0]]))
    >>> print(f(jnp.array([[0.5, 1.0], [1.0, 0.5], [2.0, 0.0]])))
    [2.5 2.  nan]
    """

    def __init__(
        self, points: Sequence[ArrayLike], values: ArrayLike, method: str = "linear", bounds_error: bool = False,
        fill_value: ArrayLike | None = math.nan,
    ) -> None:  # fmt: skip
        where = "scipy.interpolate.RegularGridInterpolator"
        _check_method(where, method)
        if bounds_error:
            raise ArgumentError(
                f"{where}: bounds_error=True is not supported, a compiled program does not raise; use fill_value=nan"
            )
        self.values = inexact_arg(where, values)
        if not is_several(points) and not getattr(points, "ndim", 0):
            raise ParametersError(f"{where}: points must be a sequence of vectors, one for each axis, got {shown(points)}")
        self.grid = tuple(real_arg(where, p) for p in points)
        if not 1 <= len(self.grid) <= self.values.ndim:
            raise ShapeError(f"{where}: there are {len(self.grid)} arrays of points, but values has {self.values.ndim} axes")
        for n, (axis, size) in enumerate(zip(self.grid, self.values.shape, strict=False)):
            if axis.shape != (size,) or size < 2:
                raise ShapeError(
                    f"{where}: points[{n}] must be a vector of two or more numbers, as many as values has along axis {n}, {size}; "
                    f"got shape {axis.shape}"
                )
            if axis.owner is None:
                steps = np.diff(np.asarray(axis.data()))
                if not ((steps > 0).all() or (steps < 0).all()):
                    raise ArgumentError(f"{where}: points[{n}] must rise, or fall, from number to number")
        self.fill_value: Array | None = None
        if fill_value is not None:
            fill, dtype = as_value(fill_value, where), self.values.type.dtype
            if fill.type.dtype.is_complex and not dtype.is_complex:
                raise DTypeError(f"{where}: a fill_value for real values must be real, got {fill.dtype}")
            self.fill_value = ops.convert(fill, dtype)
        self.method, self.bounds_error = method, False

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str]]:
        return (self.grid, self.values, self.fill_value), (self.method,)

    @classmethod
    def tree_unflatten(cls, aux: tuple[str], children: Any) -> RegularGridInterpolator:
        made = object.__new__(cls)
        made.grid, made.values, made.fill_value = children
        made.method, made.bounds_error = aux[0], False
        return made

    def __call__(self, xi: ArrayLike, method: str | None = None) -> Array:
        where = "scipy.interpolate.RegularGridInterpolator"
        method = self.method if method is None else method
        _check_method(where, method)
        n = len(self.grid)
        coordinates = self._coordinates(where, xi)
        choices = []
        outside = unknown = jnp.zeros_like(coordinates[0], bool)
        for x, grid in zip(coordinates, self.grid, strict=True):
            choices.append(_neighbours(x, grid, method))
            outside |= (x < jnp.minimum(grid[0], grid[-1])) | (x > jnp.maximum(grid[0], grid[-1]))
            unknown |= jnp.isnan(x)
        behind = (None,) * (self.values.ndim - n)
        terms = []
        for corner in itertools.product(*choices):
            element = self.values[tuple(place for place, _ in corner)]
            weights = [w for _, w in corner if w is not None]
            terms.append(element * reduce(lambda a, b: a * b, weights)[(..., *behind)] if weights else element)
        found = reduce(lambda a, b: a + b, terms)
        if self.fill_value is not None:
            found = jnp.where(outside[(..., *behind)], self.fill_value, found)
        return ops.convert(jnp.where(unknown[(..., *behind)], math.nan, found), found.type.dtype)

    def _coordinates(self, where: str, xi: ArrayLike) -> list[Array]:
        n = len(self.grid)
        if isinstance(xi, tuple) and len(xi) == 1:
            xi = xi[0]
        if isinstance(xi, tuple):
            given = list(jnp.broadcast_arrays(*[real_arg(where, x) for x in xi]))
        else:
            points = real_arg(where, xi)
            if points.ndim == 1 and points.size % n == 0:
                points = points.reshape(-1, n)
            given = [points[..., i] for i in range(points.shape[-1])] if points.ndim else []
        if len(given) != n:
            raise ShapeError(f"{where}: the grid has {n} variables, the points have {len(given)}; xi must be [..., {n}]")
        return given


def _neighbours(x: Array, grid: Array, method: str) -> list[tuple[Array, Array | None]]:
    """Places of the grid around x, and their weights; None for 1. A falling grid is looked at from its end."""
    size = grid.size
    falls = grid[0] > grid[-1]
    rising = jnp.where(falls, grid[::-1], grid)
    low = jnp.clip(jnp.searchsorted(rising, x) - 1, 0, size - 2)
    share = (x - rising[low]) / (rising[low + 1] - rising[low])
    place = lambda i: jnp.where(falls, size - 1 - i, i)
    if method == "nearest":
        return [(place(jnp.where(share <= 0.5, low, low + 1)), None)]
    return [(place(low), 1 - share), (place(low + 1), share)]


boundary_methods(RegularGridInterpolator, plain=("tree_flatten", "tree_unflatten"))

__all__ = ["RegularGridInterpolator"]

_public(__name__)
