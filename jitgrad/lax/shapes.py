"""jax.lax's functions that make arrays or move whole axes: full, iota, broadcast, reshape, transpose, pad, concatenate, rev, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.numpy.creation import like_of
from jitgrad.operands import array_arg, axes_tuple, axis_number, broadcast_shape, shape_arg, strong
from jitgrad.promotion import dtype_name
from jitgrad.transfers import beside

from .elementwise import same_dtype

ArrayLike = Any
DTypeLike = Any
Shape = Sequence[int]


def full(shape: Shape, fill_value: ArrayLike, dtype: DTypeLike = None) -> Array:
    """An array of one number, of the number's type where none is given.

    >>> print(full((2,), 3.0))
    [3. 3.]
    """
    value = as_value(fill_value, "lax.full")
    if value.type.shape:
        raise ShapeError(f"lax.full: fill_value must be a scalar, got shape {value.type.shape}")
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
    return broadcasted_iota(dtype, (size,), 0)


def broadcasted_iota(dtype: DTypeLike, shape: Shape, dimension: int) -> Array:
    """Each element's index along one axis of a shape.

    >>> print(broadcasted_iota("int32", (2, 2), 0))
    [[0 0]
     [1 1]]
    """
    sizes = shape_arg("lax.broadcasted_iota", shape)
    return ops.iota(sizes, axis_number("lax.broadcasted_iota", dimension, len(sizes)), dtype_name(dtype))


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
    return ops.broadcast(x, shape_arg("lax.broadcast_in_dim", shape), tuple(map(index, broadcast_dimensions)))


def broadcast_shapes(*shapes: Shape) -> tuple[int, ...]:
    """The shape that shapes broadcast to by NumPy's rule; ShapeError where there is none.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return broadcast_shape("lax.broadcast_shapes", tuple(shape_arg("lax.broadcast_shapes", s) for s in shapes))


def broadcast_to_rank(x: ArrayLike, rank: int) -> Array:
    """x with axes of size 1 added in front until it has `rank` axes."""
    value = array_arg("lax.broadcast_to_rank", x)
    return expand_dims(value, tuple(range(rank - value.type.rank)))


def reshape(operand: ArrayLike, new_sizes: Shape, dimensions: Sequence[int] | None = None) -> Array:
    """The same elements in another shape, read in row-major order, or in that of the axes `dimensions` where they are given.

    >>> print(reshape(iota("int32", 4), (2, 2)))
    [[0 1]
     [2 3]]
    """
    x = array_arg("lax.reshape", operand)
    if dimensions is not None:
        x = ops.transpose(x, tuple(map(index, dimensions)))
    return ops.reshape(x, shape_arg("lax.reshape", new_sizes))


def collapse(operand: ArrayLike, start_dimension: int, stop_dimension: int | None = None) -> Array:
    """Axes from `start_dimension` up to `stop_dimension` made one.

    >>> collapse(full((2, 3, 4), 0.0), 0, 2).shape
    (6, 4)
    """
    x = array_arg("lax.collapse", operand)
    shape = x.type.shape
    lo, hi, _ = slice_bounds(start_dimension, stop_dimension, len(shape))
    if hi <= lo:
        raise ArgumentError(f"lax.collapse: axes {start_dimension} to {stop_dimension} of shape {shape} are none")
    return ops.reshape(x, (*shape[:lo], math.prod(shape[lo:hi]), *shape[hi:]))


def slice_bounds(start: int | None, stop: int | None, size: int) -> tuple[int, int, int]:
    """Python's rule for slices: negative positions count from the end."""
    return slice(start, stop).indices(size)


def expand_dims(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Axes of size 1 put in, at `dimensions` of the result.

    >>> expand_dims(full((2, 3), 0.0), (0, -1)).shape
    (1, 2, 3, 1)
    """
    x = array_arg("lax.expand_dims", array)
    rank = x.type.rank + len(tuple(dimensions))
    added = axes_tuple("lax.expand_dims", tuple(dimensions), rank)
    sizes = iter(x.type.shape)
    return ops.reshape(x, tuple(1 if i in added else next(sizes) for i in range(rank)))


def squeeze(array: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Axes of size 1 taken out; ShapeError for those of another size.

    >>> squeeze(full((1, 2, 1), 0.0), (0,)).shape
    (2, 1)
    """
    x = array_arg("lax.squeeze", array)
    gone = axes_tuple("lax.squeeze", tuple(dimensions), x.type.rank)
    for a in gone:
        if x.type.shape[a] != 1:
            raise ShapeError(f"lax.squeeze: axis {a} of shape {x.type.shape} has size {x.type.shape[a]}, not 1")
    return ops.reshape(x, tuple(n for i, n in enumerate(x.type.shape) if i not in gone))


def transpose(operand: ArrayLike, permutation: Sequence[int]) -> Array:
    """Axes in another order: axis i of the result is axis permutation[i] of the operand.

    >>> transpose(full((2, 3), 0.0), (1, 0)).shape
    (3, 2)
    """
    return ops.transpose(array_arg("lax.transpose", operand), tuple(map(index, permutation)))


def rev(operand: ArrayLike, dimensions: Sequence[int]) -> Array:
    """Elements along axes in opposite order.

    >>> print(rev(iota("int32", 3), (0,)))
    [2 1 0]
    """
    x = array_arg("lax.rev", operand)
    return ops.op("reverse", x, axes=axes_tuple("lax.rev", tuple(dimensions), x.type.rank))


def pad(operand: ArrayLike, padding_value: ArrayLike, padding_config: Sequence[tuple[int, int, int]]) -> Array:
    """A scalar put around and between the elements: counts (low, high, interior) for each axis; negative ones cut off.

    >>> print(pad(iota("int32", 3), 9, [(1, 0, 1)]))
    [9 0 9 1 9 2]
    """
    x = array_arg("lax.pad", operand)
    (x, value), _ = same_dtype("pad", [x, as_value(padding_value, "lax.pad")])
    low_high_interior = tuple((index(low), index(high), index(interior)) for low, high, interior in padding_config)
    return ops.op("pad", x, value, padding=low_high_interior)


def concatenate(operands: Sequence[ArrayLike], dimension: int) -> Array:
    """Arrays one behind the other along an axis. ShapeError where their other axes differ, DTypeError for several types.

    >>> print(concatenate([iota("int32", 2), iota("int32", 1)], 0))
    [0 1 0]
    """
    arrays, _ = same_dtype("concatenate", [array_arg("lax.concatenate", x) for x in operands])
    if not arrays:
        raise ArgumentError("lax.concatenate: needs at least one operand")
    return ops.concatenate(arrays, axis_number("lax.concatenate", dimension, arrays[0].type.rank))


def split(operand: ArrayLike, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    """An array cut along an axis into pieces of the given sizes, which add up to the axis.

    >>> [piece.tolist() for piece in split(iota("int32", 3), (1, 2))]
    [[0], [1, 2]]
    """
    x = array_arg("lax.split", operand)
    along = axis_number("lax.split", axis, x.type.rank)
    counts = shape_arg("lax.split", tuple(sizes))
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
    counts = shape_arg("lax.tile", tuple(reps))
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
    arrays, _ = same_dtype("stack", [array_arg("lax.stack", x) for x in operands])
    if not arrays:
        raise ArgumentError("lax.stack: needs at least one operand")
    if len({x.type.shape for x in arrays}) > 1:
        raise ShapeError(f"lax.stack: operands must have one shape, got {', '.join(str(x.type.shape) for x in arrays)}")
    place = axis_number("lax.stack", axis, arrays[0].type.rank + 1)
    return ops.concatenate([expand_dims(x, (place,)) for x in arrays], place)


def unstack(x: ArrayLike, axis: int = 0) -> tuple[Array, ...]:
    """The slices of an array along an axis, each without it.

    >>> [piece.tolist() for piece in unstack(reshape(iota("int32", 4), (2, 2)), axis=1)]
    [[0, 2], [1, 3]]
    """
    value = array_arg("lax.unstack", x)
    along = axis_number("lax.unstack", axis, value.type.rank)
    return tuple(squeeze(ops.slice_axis(value, along, i, i + 1), (along,)) for i in range(value.type.shape[along]))


def empty(shape: Shape | int, dtype: DTypeLike) -> Array:
    """An array of a shape and type whose elements nobody is to read; they are 0.

    >>> empty((2, 3), "float32").shape
    (2, 3)
    """
    return full((shape,) if isinstance(shape, int) else shape, 0, dtype)


def broadcast_like(arr: ArrayLike, like_arr: ArrayLike) -> Array:
    """An array repeated to the shape of another one, by NumPy's rule; ShapeError where that does not go.

    >>> broadcast_like(iota("int32", 3), full((2, 3), 0.0)).shape
    (2, 3)
    """
    x, like = array_arg("lax.broadcast_like", arr), array_arg("lax.broadcast_like", like_arr)
    if broadcast_shapes(x.type.shape, like.type.shape) != like.type.shape:
        raise ShapeError(f"lax.broadcast_like: shape {x.type.shape} does not broadcast to {like.type.shape}")
    return ops.broadcast_right(x, like.type.shape)


def dtype(x: Any) -> np.dtype[Any]:
    """The element type of an array or a number.

    >>> dtype(full((2,), 1.0))
    dtype('float32')
    """
    return np.dtype(array_arg("lax.dtype", x).dtype)
