"""jax.lax's functions that make arrays or move whole axes: full, iota, broadcast, reshape, transpose, pad, concatenate, rev, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, ShapeError, shown
from jitgrad.numpy.creation import like_of
from jitgrad.operands import array_arg, broadcast_shape, broadcasts_to, shape_arg, size_arg, strong
from jitgrad.promotion import dtype_name
from jitgrad.transfers import beside

from .arguments import arrays_arg, axes_arg, axis_arg, element_type_arg, integer_arg, integers_arg, items, permutation_arg
from .elementwise import same_dtype

ArrayLike = Any
DTypeLike = Any
Shape = Sequence[int]
MOST_AXES = 64
"""NumPy's arrays have no more."""


def full(shape: Shape, fill_value: ArrayLike, dtype: DTypeLike = None) -> Array:
    """An array of one number, of the number's type where none is given.

    >>> print(full((2,), 3.0))
    [3. 3.]
    """
    value = as_value(fill_value, "lax.full")
    if value.type.shape:
        raise ShapeError(f"lax.full: fill_value must be a scalar, got shape {value.type.shape}")
    if value.weak and value.type.dtype.is_complex and dtype is not None and not dtype_name(dtype).is_complex:
        raise DTypeError(f"lax.full: fill_value {fill_value} is complex and does not fit into {dtype_name(dtype).numpy}")
    value = strong(value) if dtype is None else ops.convert(value, dtype_name(dtype))
    sizes = shape_arg("lax.full", shape)
    concrete = value.owner is None
    if not concrete:
        return ops.broadcast(value, sizes, ())
    return beside(ops.fill(sizes, np.asarray(value.data())[()], value.type.dtype), value)


def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike = None, shape: Shape | None = None) -> Array:
    """An array of one number, of x's shape and type where no others are given.

    >>> import jitgrad.numpy as jnp
    >>> print(full_like(jnp.ones(2), 3))
    [3. 3.]
    """
    sizes, kind = like_of("lax.full_like", x, shape, dtype)
    return beside(full(sizes, fill_value, kind), x, fill_value)


def zeros_like_array(x: ArrayLike) -> Array:
    """Zeros of x's shape and type."""
    return full_like(x, 0)


def iota(dtype: DTypeLike, size: int) -> Array:
    """0, 1, ... size - 1.

    >>> print(iota("int32", 3))
    [0 1 2]
    """
    kind = element_type_arg("lax.iota", "dtype", dtype, "iufVc")
    return ops.iota(shape_arg("lax.iota", (size,)), 0, kind)


def broadcasted_iota(dtype: DTypeLike, shape: Shape, dimension: int) -> Array:
    """Each element's index along one axis of a shape.

    >>> print(broadcasted_iota("int32", (2, 2), 0))
    [[0 0]
     [1 1]]
    """
    sizes = shape_arg("lax.broadcasted_iota", shape)
    kind = element_type_arg("lax.broadcasted_iota", "dtype", dtype, "iufVc")
    return ops.iota(sizes, axis_arg("lax.broadcasted_iota", "dimension", dimension, len(sizes)), kind)


def broadcast(operand: ArrayLike, sizes: Shape) -> Array:
    """The operand repeated along new axes in front, of the given sizes.

    >>> print(broadcast(1.0, (2,)))
    [1. 1.]
    """
    x = array_arg("lax.broadcast", operand)
    return ops.broadcast_right(x, shape_arg("lax.broadcast", sizes) + x.type.shape)


def broadcast_in_dim(operand: ArrayLike, shape: Shape, broadcast_dimensions: Sequence[int]) -> Array:
    """The operand's axes put at `broadcast_dimensions` (increasing) of a shape, repeated along the others and those of size 1.

    >>> import jitgrad.numpy as jnp
    >>> print(broadcast_in_dim(jnp.array([1, 2]), (2, 2), (0,)))
    [[1 1]
     [2 2]]
    """
    x = array_arg("lax.broadcast_in_dim", operand)
    where = "lax.broadcast_in_dim"
    sizes = shape_arg(where, shape)
    places = integers_arg(where, "broadcast_dimensions", broadcast_dimensions, x.type.rank)
    if list(places) != sorted(set(places)) or not all(0 <= p < len(sizes) for p in places):
        raise ArgumentError(f"{where}: broadcast_dimensions must be increasing axes from 0 to {len(sizes) - 1}, got {places}")
    if any(n not in (1, sizes[p]) for n, p in zip(x.type.shape, places, strict=True)):
        raise ShapeError(
            f"{where}: shape {x.type.shape}, its axes at {places}, does not broadcast to {sizes}; sizes must be equal or 1"
        )
    return ops.broadcast(x, sizes, places)


def broadcast_shapes(*shapes: Shape) -> tuple[int, ...]:
    """The shape that shapes broadcast to by NumPy's rule; ShapeError where there is none.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return broadcast_shape("lax.broadcast_shapes", tuple(shape_arg("lax.broadcast_shapes", s) for s in shapes))


def broadcast_to_rank(x: ArrayLike, rank: int) -> Array:
    """x with axes of size 1 added in front until it has `rank` axes; one that has more is returned as it is."""
    value = array_arg("lax.broadcast_to_rank", x)
    wanted = integer_arg("lax.broadcast_to_rank", "rank", rank, 0, MOST_AXES)
    return expand_dims(value, tuple(range(wanted - value.type.rank)))


def reshape(operand: ArrayLike, new_sizes: Shape, dimensions: Sequence[int] | None = None) -> Array:
    """The same elements in another shape, read in row-major order, or in that of the axes `dimensions` where they are given.

    >>> print(reshape(iota("int32", 4), (2, 2)))
    [[0 1]
     [2 3]]
    """
    x = array_arg("lax.reshape", operand)
    if dimensions is not None:
        x = ops.transpose(x, permutation_arg("lax.reshape", "dimensions", dimensions, x.type.rank))
    return ops.reshape(x, shape_arg("lax.reshape", new_sizes))


def collapse(operand: ArrayLike, start_dimension: int, stop_dimension: int | None = None) -> Array:
    """Axes from `start_dimension` up to `stop_dimension` made one.

    >>> collapse(full((2, 3, 4), 0.0), 0, 2).shape
    (6, 4)
    """
    where = "lax.collapse"
    x = array_arg(where, operand)
    shape = x.type.shape
    ends = (("start_dimension", start_dimension), ("stop_dimension", stop_dimension))
    first, last = (n if n is None else size_arg(where, n, f"{name} must be an integer") for name, n in ends)
    lo, hi, _ = slice(first, last).indices(len(shape))
    if hi <= lo:
        raise ArgumentError(f"{where}: axes {start_dimension} to {stop_dimension} of shape {shape} are none")
    return ops.reshape(x, (*shape[:lo], math.prod(shape[lo:hi]), *shape[hi:]))


def expand_dims(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Axes of size 1 put in, at `dimensions` of the result.

    >>> expand_dims(full((2, 3), 0.0), (0, -1)).shape
    (1, 2, 3, 1)
    """
    x = array_arg("lax.expand_dims", array)
    rank = x.type.rank + len(items("lax.expand_dims", "dimensions", dimensions, "integers"))
    added = axes_arg("lax.expand_dims", "dimensions", dimensions, rank)
    sizes = iter(x.type.shape)
    return ops.reshape(x, tuple(1 if i in added else next(sizes) for i in range(rank)))


def squeeze(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Axes of size 1 taken out; ShapeError for those of another size.

    >>> squeeze(full((1, 2, 1), 0.0), (0,)).shape
    (2, 1)
    """
    x = array_arg("lax.squeeze", array)
    gone = sorted(axes_arg("lax.squeeze", "dimensions", dimensions, x.type.rank))
    for a in gone:
        if x.type.shape[a] != 1:
            raise ShapeError(f"lax.squeeze: axis {a} of shape {x.type.shape} has size {x.type.shape[a]}, not 1")
    return ops.reshape(x, tuple(n for i, n in enumerate(x.type.shape) if i not in gone))


def transpose(operand: ArrayLike, permutation: Sequence[int]) -> Array:
    """Axes in another order: axis i of the result is axis permutation[i] of the operand.

    >>> transpose(full((2, 3), 0.0), (1, 0)).shape
    (3, 2)
    """
    x = array_arg("lax.transpose", operand)
    return ops.transpose(x, permutation_arg("lax.transpose", "permutation", permutation, x.type.rank))


def rev(operand: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Elements along axes in opposite order.

    >>> print(rev(iota("int32", 3), (0,)))
    [2 1 0]
    """
    x = array_arg("lax.rev", operand)
    return ops.op("reverse", x, axes=tuple(sorted(axes_arg("lax.rev", "dimensions", dimensions, x.type.rank))))


def pad(operand: ArrayLike, padding_value: ArrayLike, padding_config: Sequence[tuple[int, int, int]]) -> Array:
    """A scalar put around and between the elements: counts (low, high, interior) for each axis; negative ones cut off.

    >>> print(pad(iota("int32", 3), 9, [(1, 0, 1)]))
    [9 0 9 1 9 2]
    """
    x = array_arg("lax.pad", operand)
    (x, value), _ = same_dtype("pad", [x, as_value(padding_value, "lax.pad")])
    return ops.op("pad", x, value, padding=_padding_arg(padding_config, x, value))


def _padding_arg(given: Any, x: Array, value: Array) -> tuple[tuple[int, ...], ...]:
    """Three numbers for each axis, where they leave no fewer than no elements."""
    where = "lax.pad"
    if value.type.shape:
        raise ShapeError(f"{where}: padding_value must be a scalar, got shape {value.type.shape}")
    rows = items(where, "padding_config", given, "triples (low, high, interior)")
    if len(rows) != x.type.rank:
        raise ArgumentError(f"{where}: padding_config must have a triple for each axis of shape {x.type.shape}, got {shown(given)}")
    config = tuple([integers_arg(where, "a triple of padding_config", row, 3, "of low, high and interior") for row in rows])
    for axis, (n, (low, high, interior)) in enumerate(zip(x.type.shape, config, strict=True)):
        if interior < 0:
            raise ArgumentError(f"{where}: padding_config must have an interior of 0 or more, got {interior} for axis {axis}")
        if n + max(n - 1, 0) * interior + low + high < 0:
            raise ShapeError(
                f"{where}: padding_config cuts off more than there is of axis {axis} of shape {x.type.shape}: {config[axis]}"
            )
    return config


def concatenate(operands: Sequence[ArrayLike], dimension: int) -> Array:
    """Arrays one behind the other along an axis. ShapeError where their other axes differ, DTypeError for several types.

    >>> print(concatenate([iota("int32", 2), iota("int32", 1)], 0))
    [0 1 0]
    """
    where = "lax.concatenate"
    arrays, _ = same_dtype("concatenate", arrays_arg(where, "operands", operands))
    return ops.concatenate(arrays, axis_arg(where, "dimension", dimension, arrays[0].type.rank))


def split(operand: ArrayLike, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    """An array cut along an axis into pieces of the given sizes, which add up to the axis.

    >>> [piece.tolist() for piece in split(iota("int32", 3), (1, 2))]
    [[0], [1, 2]]
    """
    x = array_arg("lax.split", operand)
    along = axis_arg("lax.split", "axis", axis, x.type.rank)
    counts = shape_arg("lax.split", items("lax.split", "sizes", sizes, "integers"))
    if sum(counts) != x.type.shape[along]:
        raise ShapeError(f"lax.split: sizes {counts} add up to {sum(counts)}, not to axis {axis} of shape {x.type.shape}")
    ends = np.cumsum(counts).tolist()
    return [ops.slice_axis(x, along, end - n, end) for n, end in zip(counts, ends, strict=True)]


def tile(operand: ArrayLike, reps: Sequence[int]) -> Array:
    """The operand repeated along each of its axes, as often as `reps` says for it. ShapeError where reps has another length.

    >>> print(tile(iota("int32", 3), (2,)))
    [0 1 2 0 1 2]
    """
    x = array_arg("lax.tile", operand)
    counts = shape_arg("lax.tile", items("lax.tile", "reps", reps, "integers"))
    if len(counts) != x.type.rank:
        raise ShapeError(f"lax.tile: reps must have one number for each axis of shape {x.type.shape}, got {counts}")
    shape = tuple(n for pair in zip(counts, x.type.shape, strict=True) for n in pair)
    repeated = ops.broadcast(x, shape, tuple(range(1, len(shape), 2)))
    return ops.reshape(repeated, tuple(r * n for r, n in zip(counts, x.type.shape, strict=True)))


def stack(operands: Sequence[ArrayLike], axis: int = 0) -> Array:
    """Arrays of one shape and type along a new axis. ShapeError where shapes differ, DTypeError for several types.

    >>> print(stack([iota("int32", 2), iota("int32", 2)], axis=1))
    [[0 0]
     [1 1]]
    """
    arrays, _ = same_dtype("stack", arrays_arg("lax.stack", "operands", operands))
    if len({x.type.shape for x in arrays}) > 1:
        raise ShapeError(f"lax.stack: operands must have one shape, got {', '.join(str(x.type.shape) for x in arrays)}")
    place = axis_arg("lax.stack", "axis", axis, arrays[0].type.rank + 1)
    return ops.concatenate([expand_dims(x, (place,)) for x in arrays], place)


def unstack(x: ArrayLike, axis: int = 0) -> tuple[Array, ...]:
    """The slices of an array along an axis, each without it.

    >>> [piece.tolist() for piece in unstack(reshape(iota("int32", 4), (2, 2)), axis=1)]
    [[0, 2], [1, 3]]
    """
    value = array_arg("lax.unstack", x)
    along = axis_arg("lax.unstack", "axis", axis, value.type.rank)
    return tuple(squeeze(ops.slice_axis(value, along, i, i + 1), (along,)) for i in range(value.type.shape[along]))


def empty(shape: Shape | int, dtype: DTypeLike) -> Array:
    """An array of a shape and type whose elements nobody is to read; they are 0.

    >>> empty((2, 3), "float32").shape
    (2, 3)
    """
    return full(shape_arg("lax.empty", shape), 0, element_type_arg("lax.empty", "dtype", dtype).numpy)


def broadcast_like(arr: ArrayLike, like_arr: ArrayLike) -> Array:
    """An array repeated to the shape of another one, by NumPy's rule; ShapeError where that does not go.

    >>> broadcast_like(iota("int32", 3), full((2, 3), 0.0)).shape
    (2, 3)
    """
    x, like = array_arg("lax.broadcast_like", arr), array_arg("lax.broadcast_like", like_arr)
    if not broadcasts_to(x.type.shape, like.type.shape):
        raise ShapeError(f"lax.broadcast_like: shape {x.type.shape} does not broadcast to {like.type.shape}")
    return ops.broadcast_right(x, like.type.shape)


def dtype(x: Any) -> np.dtype[Any]:
    """The element type of an array or a number.

    >>> dtype(full((2,), 1.0))
    dtype('float32')
    """
    return np.dtype(array_arg("lax.dtype", x).dtype)


def shape_as_value(shape: Shape) -> Array:
    """A shape as an array of integers: int32, or int64 where a size needs it.

    >>> print(shape_as_value((2, 3)))
    [2 3]
    """
    sizes = shape_arg("lax.shape_as_value", items("lax.shape_as_value", "shape", shape, "integers"))
    return array_arg("lax.shape_as_value", np.asarray(sizes, np.int64 if max(sizes, default=0) >= 2**31 else np.int32))
