"""Counts: bincount of whole numbers, histogram of numbers between edges."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import constant, convert, fill, flat, in_memory, op, reshape, select, signed_places, slice_axis
from jitgrad.at_once import done_at_once
from jitgrad.errors import ArgumentError, DTypeError, ShapeError, shown
from jitgrad.operands import ArrayLike, array_arg, common_dtype, inexact_arg, is_complex, size_arg
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, DType

from . import reductions
from .creation import array
from .manipulation import stack
from .ranges import linspace
from .sorting import known_size, searchsorted


def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0, *, length: int | None = None) -> Array:
    """How often each number 0, 1, ... stands in a vector of integers (int64), or the sums of the weights there.

    `length`, which traced code needs, is the size of the result; larger numbers are dropped, negative ones count as 0.
    Raises ConcretizationTypeError for a traced vector without it, ShapeError unless it is a vector.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.bincount(jnp.array([0, 2, 2, 1])))
    [1 1 2]
    """
    values = array_arg("bincount", x)
    if values.type.rank != 1:
        raise ShapeError(f"bincount: needs a vector, got shape {values.type.shape}")
    if not values.type.dtype.is_integer and values.type.dtype != BOOL:
        raise DTypeError(f"bincount: needs integers, got {values.dtype}")
    values = signed_places(values)
    data = known_size("bincount", values, length, "length")
    minlength = size_arg("bincount", minlength, "minlength must be an integer", 0)
    if data is not None:
        length = max(int(data.max()) + 1 if data.size else 0, minlength)
    assert length is not None
    counted = fill(values.type.shape, 1, I64) if weights is None else array_arg("bincount", weights)
    if counted.type.shape != values.type.shape:
        raise ShapeError(f"bincount: weights must have the shape {values.type.shape} of x, got {counted.type.shape}")
    if counted.type.dtype == BOOL:
        counted = convert(counted, I64)
    empty = fill((length,), 0, counted.type.dtype)
    column = reshape(op("max", values, constant(0, I64)), (values.type.size, 1))
    return op("scatter", empty, column, counted, axes=(0,), batch=0, kind="add")


def histogram_bin_edges(
    a: ArrayLike, bins: int | ArrayLike = 10, range: Sequence[ArrayLike] | None = None, weights: ArrayLike | None = None
) -> Array:
    """The edges that `histogram` counts between: given ones, or bins + 1 at equal distances over the range of the elements.

    Raises ArgumentError for a range that is not finite, which that of the elements is not where an infinity or a NaN is among them,
    for one that falls, and for edges that do. Where these are traced, nothing is raised: edges of a range that is not finite are
    nan or infinite, as in jax. Weights, one for each element, change no edge.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.histogram_bin_edges(jnp.array([0.0, 4.0]), 4))
    [0. 1. 2. 3. 4.]
    """
    x = inexact_arg("histogram", a)
    if is_complex(x):
        raise DTypeError(f"histogram: complex numbers have no order, got {x.dtype}")
    if weights is not None:
        _weights("histogram", x, weights, x.type.size)
    ends = None if range is None else _given_ends(range, x.type.dtype)
    if not isinstance(bins, (int, np.integer)):
        return beside(_checked_edges(inexact_arg("histogram", bins)), x)
    if bins < 1:
        raise ArgumentError(f"histogram: needs at least 1 bin, got {bins}")
    if ends is not None:
        low, high = ends
    elif not x.type.size:
        low, high = constant(0, x.type.dtype), constant(1, x.type.dtype)
    else:
        low, high = _ends(x)
        _check_range(low, high, given=False)
    return beside(_equal_edges(low, high, int(bins)), x)


def _given_ends(range: Any, dtype: DType) -> tuple[Array, Array]:
    """The two numbers of a range, which given edges are not made from, but which it must be all the same."""
    try:
        first, last = range
    except (TypeError, ValueError):
        raise ArgumentError(f"histogram: range must be (lowest, highest), two numbers; got {shown(range)}") from None
    low, high = (convert(as_value(end, "histogram"), dtype) for end in (first, last))
    _check_range(low, high, given=True)
    return low, high


@done_at_once
def _ends(x: Array) -> tuple[Array, Array]:
    return reductions.min(x), reductions.max(x)


@done_at_once
def _equal_edges(low: Array, high: Array, bins: int) -> Array:
    half = convert(op("eq", low, high), low.type.dtype) * 0.5  # one number alone stands in the middle of a range of 1
    edges: Array = linspace(low - half, high + half, bins + 1)
    return edges


def _check_range(low: Array, high: Array, given: bool) -> None:
    ends = [end.concrete() for end in (low, high)]
    if any([end is None for end in ends]):
        return
    first, last = (float(end) for end in ends)
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ArgumentError(
            f"histogram: the range given, {first} to {last}, is not finite"
            if given
            else f"histogram: the elements go from {first} to {last}, so that there are no bins of equal width between. Give "
            "range=(lowest, highest), or leave out what is not finite, x[jnp.isfinite(x)]."
        )
    if first > last:
        raise ArgumentError(f"histogram: range must be (lowest, highest), got ({first}, {last})")


def _checked_edges(edges: Array) -> Array:
    """Raises where an edge lies below the one before it: between such edges nothing would be counted, or something wrong."""
    if edges.type.rank != 1:
        raise ShapeError(f"histogram: bins must be a number of bins or a vector of edges, got shape {edges.type.shape}")
    concrete = edges.concrete()
    numbers = None if concrete is None else concrete.data()
    if numbers is not None and not np.all(numbers[:-1] <= numbers[1:]):
        raise ArgumentError(
            f"histogram: edges must not fall and none may be nan, got {str(numbers)[:80]}. Sort them with jnp.sort."
        )
    return edges


def histogram(
    a: ArrayLike,
    bins: int | ArrayLike = 10,
    range: Sequence[ArrayLike] | None = None,
    weights: ArrayLike | None = None,
    density: bool | None = None,
) -> tuple[Array, Array]:
    """(counts, edges): how many elements lie in each bin, the last of which includes its upper edge; floats, as in jax.

    bins: a number, or the edges. weights: what each element counts. density: counts as a density whose integral is 1.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.histogram(jnp.array([0.0, 1.0, 1.5, 2.0]), bins=2)[0])
    [1. 3.]
    """
    x = flat(inexact_arg("histogram", a))
    edges = convert(histogram_bin_edges(x, bins, range), x.type.dtype)
    return _counted_between(x, edges, weights, density), edges


EXACT = 1 << 24
"""Counts below this one are float32 numbers."""


def _counted_now(x: np.ndarray, edges: np.ndarray, n: int) -> np.ndarray:
    """By NumPy: how many elements lie in each bin."""
    inside = x[np.greater_equal(x, edges[0, ...]) & np.less_equal(x, edges[-1, ...])]
    place = np.minimum(edges.searchsorted(inside, "right") - 1, n - 1)
    return np.bincount(place, minlength=n).astype(x.dtype)


def _counted_between(x: Array, edges: Array, weights: ArrayLike | None, density: bool | None) -> Array:
    """`histogram`'s counts."""
    n = edges.type.shape[0] - 1
    if weights is None and n > 0 and x.type.size < EXACT and in_memory(x, edges) and not x.type.dtype.is_storage:
        counts = from_numpy(_counted_now(x.data(), edges.data(), n))
    else:
        place, inside = _bin_of(x, edges)
        counts = _counted(select(inside, place, constant(n, I64)), _weights("histogram", x, weights, x.type.size), n)
    if density:
        widths = convert(slice_axis(edges, 0, 1, n + 1) - slice_axis(edges, 0, 0, n), counts.type.dtype)
        counts = counts / widths / op("broadcast", op("reduce_sum", counts, axes=(0,)), shape=(n,), dims=())
    return counts


def _bin_of(x: Array, edges: Array) -> tuple[Array, Array]:
    """The number of the bin of each element, and which are inside the edges. Raises ArgumentError for no bins."""
    n = edges.type.shape[0] - 1
    if n < 1:
        raise ArgumentError(f"histogram: needs at least 1 bin, got {n}")
    last = reshape(slice_axis(edges, 0, n, n + 1), ())
    first = reshape(slice_axis(edges, 0, 0, 1), ())
    inside = (x >= first) & (x <= last)
    place = op("min", searchsorted(edges, x, "right") - 1, constant(n - 1, I64))
    return op("max", place, constant(0, I64)), inside


def _weights(where: str, x: Array, weights: ArrayLike | None, n: int) -> Array:
    """What each of n elements of x's type counts."""
    if weights is None:
        return fill((n,), 1, x.type.dtype)
    w = flat(array_arg(where, weights))
    if w.type.size != n:
        raise ShapeError(f"{where}: weights must have the size of a, {n}; got {w.type.size}")
    return convert(w, common_dtype([x, w])[0])


def _counted(places: Array, weights: Array, size: int) -> Array:
    """The sums of the weights at each place below `size`; others are dropped."""
    column = reshape(places, (places.type.size, 1))
    return op("scatter", fill((size,), 0, weights.type.dtype), column, weights, axes=(0,), batch=0, kind="add")


@done_at_once
def _side_by_side(coordinates: Sequence[Array]) -> Array:
    return stack(coordinates, 1)


@done_at_once
def _coordinates(points: Array) -> tuple[Array, ...]:
    return tuple(reshape(slice_axis(points, 1, k, k + 1), points.type.shape[:1]) for k in builtins.range(points.type.shape[1]))


@done_at_once
def _box_of(x: Array, edges: Array, places: Array, inside: Array) -> tuple[Array, Array]:
    """The numbers of boxes and which points are inside, with one more coordinate and the edges along its axis."""
    place, within = _bin_of(x, edges)
    return places * (edges.type.shape[0] - 1) + place, inside & within


@done_at_once
def _counted_inside(places: Array, inside: Array, weights: Array, shape: tuple[int, ...]) -> Array:
    size = math.prod(shape)
    return reshape(_counted(select(inside, places, constant(size, I64)), weights, size), shape)


Bins = Any
"""A number of bins or a vector of edges, or one of these for each axis."""


def histogramdd(
    sample: ArrayLike,
    bins: Bins = 10,
    range: Sequence[Any] | None = None,
    weights: ArrayLike | None = None,
    density: bool | None = None,
) -> tuple[Array, list[Array]]:
    """(counts, edges of each axis): how many of n points lie in each box of a grid; floats, as in jax.

    sample: [n, axes], or a sequence of a vector of coordinates for each axis. bins: a number, or for each axis a number or edges.
    range: None, or (lowest, highest) or None for each axis. weights: [n], what each point counts. density: counts as a density.
    Raises ShapeError for samples that are no points, ArgumentError unless there are bins and ranges for each axis.

    >>> import jitgrad.numpy as jnp
    >>> counts, edges = jnp.histogramdd(jnp.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), bins=2)
    >>> print(counts)
    [[1. 0.]
     [1. 1.]]
    """
    if isinstance(sample, (list, tuple)):
        sample = _side_by_side([inexact_arg("histogramdd", c) for c in sample])
    points = inexact_arg("histogramdd", sample)
    if points.type.rank != 2:
        raise ShapeError(f"histogramdd: the sample must be points [n, axes], got shape {points.type.shape}")
    n, rank = points.type.shape
    _check_bins("histogramdd", bins)
    many = [bins] * rank if isinstance(bins, (int, np.integer)) else list(bins)
    ranges: list[Any] = [None] * rank if range is None else list(range)
    if len(many) != rank or len(ranges) != rank:
        raise ArgumentError(f"histogramdd: {rank} axes need as many bins and ranges, got {len(many)} and {len(ranges)}")
    edges, flat_place, inside = [], fill((n,), 0, I64), fill((n,), 1, BOOL)
    for x, b, r in zip(_coordinates(points), many, ranges, strict=True):
        edge = convert(histogram_bin_edges(x, array(b) if isinstance(b, (list, tuple)) else b, r), x.type.dtype)
        edges.append(edge)
        flat_place, inside = _box_of(x, edge, flat_place, inside)
    shape = tuple(e.type.shape[0] - 1 for e in edges)
    counts = _counted_inside(flat_place, inside, _weights("histogramdd", points, weights, n), shape)
    if density:
        total = op("reduce_sum", counts, axes=tuple(builtins.range(rank)))
        for k, e in enumerate(edges):
            widths = convert(slice_axis(e, 0, 1, shape[k] + 1) - slice_axis(e, 0, 0, shape[k]), counts.type.dtype)
            counts = counts / op("broadcast", widths, shape=shape, dims=(k,))
        counts = counts / op("broadcast", total, shape=shape, dims=())
    return counts, edges


def _check_bins(where: str, bins: Any) -> None:
    if not isinstance(bins, (int, np.integer, list, tuple)) and getattr(bins, "ndim", 0) == 0:
        raise ArgumentError(f"{where}: bins must be an integer, a vector of edges, or one of these for each axis, got {bins!r}")


def histogram2d(
    x: ArrayLike,
    y: ArrayLike,
    bins: Bins = 10,
    range: Sequence[Any] | None = None,
    weights: ArrayLike | None = None,
    density: bool | None = None,
) -> tuple[Array, Array, Array]:
    """(counts, x edges, y edges): how many of the points (x, y) lie in each cell of a grid, x along axis 0; see `histogramdd`.

    bins: a number, a vector of edges for both axes, or a pair of these.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.histogram2d(jnp.array([0.0, 1.0, 1.0]), jnp.array([0.0, 1.0, 0.0]), bins=2)[0])
    [[1. 0.]
     [1. 1.]]
    """
    _check_bins("histogram2d", bins)
    both = bins
    if not isinstance(bins, (int, np.integer)) and len(bins) != 2:  # one vector of edges
        both = [bins, bins]
    counts, (first, second) = histogramdd((x, y), both, range, weights, density)
    return counts, first, second
