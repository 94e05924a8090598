"""Arrays at places between their elements, by jax.scipy.ndimage's name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import array_arg, is_complex, stored
from jitgrad.publishing import public as _public
from jitgrad_compiler.ir.types import I64

ArrayLike = Any


def _mirror(index: Array, size: int) -> Array:
    """To and fro between the first and the last element."""
    last = size - 1
    return jnp.abs((index + last) % (2 * last) - last) if last else jnp.zeros_like(index)


def _reflect(index: Array, size: int) -> Array:
    """To and fro between the outer edges of the first and the last element."""
    return (_mirror(2 * index + 1, 2 * size + 1) - 1) // 2


def _clip(index: Array, size: int) -> Array:
    return jnp.clip(index, 0, size - 1)


PLACES: dict[str, Callable[[Array, int], Array]] = {
    "constant": _clip,
    "nearest": _clip,
    "wrap": lambda index, size: index % size,
    "mirror": _mirror,
    "reflect": _reflect,
}
"""By mode, which element stands at an index."""


def _elements(x: Array, places: Sequence[Array]) -> Array:
    """Those of all axes at places inside."""
    if not places:
        return x
    columns = jnp.stack(places, axis=-1)
    return ops.op("gather", x, columns, axes=tuple(range(len(places))), batch=0, mode="clip")


FARTHEST = 2.0**52
"""Coordinates beyond this are of no use: floats next to them are more than 1 apart."""


def _neighbours(coordinate: Array, order: int) -> list[tuple[Array, Array | None]]:
    """The indices around a coordinate, and their weights; None for 1."""
    if not coordinate.type.dtype.is_float:
        return [(ops.convert(coordinate, I64), None)]
    within = jnp.clip(coordinate, -FARTHEST, FARTHEST)
    if order == 0:
        return [(ops.convert(lax.round(within), I64), jnp.where(jnp.isnan(within), math.nan, jnp.ones_like(within)))]
    below = jnp.floor(within)
    index, share = ops.convert(below, I64), within - below
    return [(index, 1 - share), (index + 1, share)]


def map_coordinates(
    input: ArrayLike, coordinates: Sequence[ArrayLike], order: int, mode: str = "constant", cval: ArrayLike = 0.0
) -> Array:
    """input [n1, ..., nd] at places between its elements: the arrays coordinates[0], ..., coordinates[d - 1], which broadcast
    together, hold indices along each axis; where one is NaN, so is the result.

    order: 0 (the nearest element) or 1 (linear between neighbours). mode says what stands around the array: "constant" (cval),
    "nearest" (its edges), "wrap" (it is repeated), "mirror" (turned round at its last element), "reflect" (turned round at its
    edge). The result has input's type; integers are rounded. SciPy's names of "constant" and "wrap" are "grid-constant" and
    "grid-wrap".

    Differentiable with respect to input and coordinates; the latter's gradient is that of the piecewise linear function, and 0 for
    order 0. Raises ArgumentError for other orders and modes, ShapeError for another number of coordinates than input has axes. As
    jax.scipy.ndimage.map_coordinates.

    >>> import jitgrad.numpy as jnp
    >>> print(map_coordinates(jnp.array([[0.0, 1.0], [2.0, 3.0]]), [jnp.array([0.5, 1.0]), jnp.array([0.5, 0.25])], order=1))
    [1.5  2.25]
    """
    where = "scipy.ndimage.map_coordinates"
    x = array_arg(where, input)
    if not isinstance(order, (int, np.integer)) or order not in (0, 1):
        got = repr(order) if isinstance(order, (int, float, str)) else type(order).__name__
        raise ArgumentError(f"{where}: order must be 0 (nearest) or 1 (linear), got {got}")
    if not isinstance(mode, str) or mode not in PLACES:
        raise ArgumentError(f"{where}: mode must be one of {', '.join(map(repr, PLACES))}, got {mode!r}")
    given = [array_arg(where, c) for c in coordinates]
    if len(given) != x.type.rank:
        raise ShapeError(f"{where}: takes one array of coordinates for each of input's {x.type.rank} axes, got {len(given)}")
    if any(map(is_complex, given)):
        raise DTypeError(f"{where}: coordinates must be real numbers")
    given = list(jnp.broadcast_arrays(*given))
    if not x.size and given[0].size:
        raise ShapeError(f"{where}: input has no elements, got shape {x.shape}")
    outside = stored(where, cval, x.type.dtype)

    def along(coordinate: Array, size: int) -> list[tuple[Array, Array, Array | None]]:
        return [(PLACES[mode](i, size), (0 <= i) & (i < size), weight) for i, weight in _neighbours(coordinate, order)]

    terms = []
    for corner in itertools.product(*[along(c, n) for c, n in zip(given, x.shape, strict=True)]):
        places, inside, weights = zip(*corner, strict=True) if corner else ((), (), ())
        element = _elements(x, places)
        if mode == "constant" and inside:
            element = jnp.where(reduce(and_, inside), element, outside)
        terms.append(reduce(lambda a, w: a if w is None else w * a, weights, element))
    total = reduce(lambda a, b: a + b, terms)
    if not x.type.dtype.is_inexact and total.type.dtype.is_float:
        total = lax.round(total)
    return ops.convert(total, x.type.dtype)


__all__ = ["map_coordinates"]

_public(__name__, replays=True)
