"""jax.lax's windows of arrays: slices at fixed places, and dynamic ones at computed places, which are held inside the array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.checks import check_indices, is_checked
from jitgrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from jitgrad.operands import array_arg, size_arg, strong
from jitgrad_compiler.ir.types import I64

from .arguments import arrays_arg, axes_arg, axis_arg, integer_arg, integers_arg
from .arguments import items as sequence
from .elementwise import same_dtype
from .shapes import expand_dims, squeeze
from .window_geometry import counts_or_ones

ArrayLike = Any


def slice(
    operand: ArrayLike, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> Array:
    """Elements from `start_indices` up to `limit_indices` by `strides`, an integer for each axis. ShapeError outside the operand.

    >>> import jitgrad.numpy as jnp
    >>> print(slice(jnp.arange(6), (1,), (6,), (2,)))
    [1 3 5]
    """
    x = array_arg("lax.slice", operand)
    where, rank = "lax.slice", x.type.rank
    start, limit = (
        integers_arg(where, "start_indices", start_indices, rank),
        integers_arg(where, "limit_indices", limit_indices, rank),
    )
    steps = counts_or_ones(where, "strides", strides, rank)
    if not all(0 <= low <= high <= n for low, high, n in zip(start, limit, x.type.shape, strict=True)):
        raise ShapeError(
            f"{where}: needs 0 <= start_indices <= limit_indices <= shape, got start_indices {start} and limit_indices {limit} "
            f"for shape {x.type.shape}"
        )
    return ops.op("slice", x, start=start, limit=limit, strides=steps)


def slice_in_dim(operand: ArrayLike, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0) -> Array:
    """Elements from start to limit along one axis; negative positions count from the end, None means the end itself.

    Raises ShapeError for positions outside the axis, and for a limit before the start.

    >>> import jitgrad.numpy as jnp
    >>> print(slice_in_dim(jnp.arange(6), -2, None))
    [4 5]
    """
    x = array_arg("lax.slice_in_dim", operand)
    where = "lax.slice_in_dim"
    along = axis_arg(where, "axis", axis, x.type.rank)
    n = x.type.shape[along]
    ends = (("start_index", start_index, 0), ("limit_index", limit_index, n))
    lo, hi = (e if at is None else size_arg(where, at, f"{name} must be an integer or None") for name, at, e in ends)
    lo, hi = (at + n if at < 0 else at for at in (lo, hi))
    if not 0 <= lo <= hi <= n:
        raise ShapeError(f"{where}: needs 0 <= start_index <= limit_index <= {n}, the size of axis {axis}, got {lo} and {hi}")
    return ops.slice_axis(x, along, lo, hi, size_arg(where, stride, "stride must be an integer", 1))


def index_in_dim(operand: ArrayLike, index: int, axis: int = 0, keepdims: bool = True) -> Array:
    """The element at a fixed index along an axis, which stays with size 1 unless keepdims is False. IndexError outside.

    >>> import jitgrad.numpy as jnp
    >>> print(index_in_dim(jnp.arange(6), -1))
    [5]
    """
    x = array_arg("lax.index_in_dim", operand)
    along = axis_arg("lax.index_in_dim", "axis", axis, x.type.rank)
    place, n = size_arg("lax.index_in_dim", index, "index must be an integer"), x.type.shape[along]
    if not -n <= place < n:
        raise IndexingError(f"lax.index_in_dim: index {place} is outside axis {axis} of shape {x.type.shape}")
    taken = ops.slice_axis(x, along, place % n, place % n + 1)
    return taken if keepdims else squeeze(taken, (along,))


def _starts(where: str, x: Array, start_indices: Any, allow_negative_indices: bool | Sequence[bool]) -> list[Array]:
    """A scalar index for each axis, negative ones counted from the end where that is allowed."""
    rank = x.type.rank
    if isinstance(start_indices, (Array, np.ndarray)):
        row = as_value(start_indices, where)
        if row.type.shape != (rank,):
            raise ShapeError(f"{where}: start_indices must be {rank} scalars or one array of them, got shape {row.type.shape}")
        items: list[Any] = [ops.reshape(ops.slice_axis(row, 0, i, i + 1), ()) for i in range(rank)]
    else:
        items = sequence(where, "start_indices", start_indices, "integer scalars")
    if len(items) != rank:
        raise ShapeError(f"{where}: needs {rank} start indices for shape {x.type.shape}, got {len(items)}")
    allowed: list[Any] = [allow_negative_indices] * rank
    if not isinstance(allow_negative_indices, bool):
        allowed = sequence(where, "allow_negative_indices", allow_negative_indices, "bools")
    if len(allowed) != rank:
        raise ArgumentError(f"{where}: allow_negative_indices must be one bool or {rank} of them, got {allow_negative_indices}")
    return [_start(where, i, n, ok) for i, n, ok in zip(items, x.type.shape, allowed, strict=True)]


def _start(where: str, start: Any, size: int, allow_negative: bool) -> Array:
    value = as_value(start, where)
    if not value.type.dtype.is_integer or value.type.shape:
        raise DTypeError(f"{where}: start indices must be integer scalars, got {value.dtype}{list(value.type.shape)}")
    if value.owner is None:
        number = min(int(value.data()), 2**63 - 1)
        return ops.constant(number + size if allow_negative and number < 0 else number, I64)
    narrow = value.type.dtype.is_unsigned or size > np.iinfo(value.dtype).max
    value = ops.signed_places(value) if value.weak or narrow else strong(value)
    if not allow_negative:
        return value
    zero, count = ops.constant(0, value.type.dtype), ops.constant(size, value.type.dtype)
    return ops.select(ops.op("lt", value, zero), ops.op("add", value, count), value)


def _sizes_arg(where: str, x: Array, slice_sizes: Any) -> tuple[int, ...]:
    """The sizes of a window, a number for each axis, of which none is larger than x's."""
    sizes = integers_arg(where, "slice_sizes", slice_sizes, x.type.rank)
    if not all(0 <= s <= n for s, n in zip(sizes, x.type.shape, strict=True)):
        raise ShapeError(f"{where}: slice_sizes must be from 0 to the sizes of shape {x.type.shape}, got {sizes}")
    return sizes


def _check_starts(where: str, x: Array, starts: list[Array], sizes: Sequence[int]) -> None:
    """Inside debug.checked("index"): an error for a window that is not inside, whose sizes are those of an operand's block."""
    if is_checked("index") and len(sizes) == x.type.rank and starts:
        row = ops.concatenate([ops.reshape(ops.convert(s, I64), (1,)) for s in starts], 0)
        check_indices(where, row, tuple(zip(range(len(sizes)), x.type.shape, sizes, strict=True)))


def dynamic_slice(
    operand: ArrayLike, start_indices: Any, slice_sizes: Sequence[int], *, allow_negative_indices: bool | Sequence[bool] = True
) -> Array:
    """A window of fixed sizes at computed indices, which are moved so that the window lies inside the operand.

    start_indices: a scalar integer for each axis, or one array of them; negative ones count from the end.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_slice(jnp.arange(6), (jnp.int32(5),), (2,)))
    [4 5]
    """
    x = array_arg("lax.dynamic_slice", operand)
    sizes = _sizes_arg("lax.dynamic_slice", x, slice_sizes)
    starts = _starts("lax.dynamic_slice", x, start_indices, allow_negative_indices)
    _check_starts("lax.dynamic_slice", x, starts, sizes)
    return ops.op("dynamic_slice", x, *starts, sizes=sizes)


def dynamic_slice_in_dim(
    operand: ArrayLike, start_index: ArrayLike, slice_size: int, axis: int = 0, *, allow_negative_indices: bool = True
) -> Array:
    """`dynamic_slice` along one axis, the others taken whole.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_slice_in_dim(jnp.arange(6), 1, 2))
    [1 2]
    """
    x = array_arg("lax.dynamic_slice_in_dim", operand)
    along = axis_arg("lax.dynamic_slice_in_dim", "axis", axis, x.type.rank)
    starts: list[Any] = [0] * x.type.rank
    sizes = list(x.type.shape)
    starts[along] = start_index
    sizes[along] = integer_arg("lax.dynamic_slice_in_dim", "slice_size", slice_size, 0, sizes[along])
    return dynamic_slice(x, starts, sizes, allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(
    operand: ArrayLike, index: ArrayLike, axis: int = 0, keepdims: bool = True, *, allow_negative_indices: bool = True
) -> Array:
    """The element at a computed index along an axis, which stays with size 1 unless keepdims is False.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_index_in_dim(jnp.arange(6), 3, keepdims=False))
    3
    """
    taken = dynamic_slice_in_dim(operand, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return taken if keepdims else squeeze(taken, (axis,))


def dynamic_update_slice(
    operand: ArrayLike, update: ArrayLike, start_indices: Any, *, allow_negative_indices: bool | Sequence[bool] = True
) -> Array:
    """The operand with a window replaced by `update`, which has as many axes; indices as in `dynamic_slice`.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_update_slice(jnp.zeros(4), jnp.ones(2), (1,)))
    [0. 1. 1. 0.]
    """
    x = array_arg("lax.dynamic_update_slice", operand)
    (x, part), _ = same_dtype("dynamic_update_slice", [x, as_value(update, "lax.dynamic_update_slice")])
    starts = _starts("lax.dynamic_update_slice", x, start_indices, allow_negative_indices)
    _check_starts("lax.dynamic_update_slice", x, starts, part.type.shape)
    return ops.op("dynamic_update_slice", x, part, *starts)


def dynamic_update_slice_in_dim(
    operand: ArrayLike, update: ArrayLike, start_index: ArrayLike, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """`dynamic_update_slice` at an index along one axis, at the start of all others.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_update_slice_in_dim(jnp.zeros(4), jnp.ones(2), 2, 0))
    [0. 0. 1. 1.]
    """
    x = array_arg("lax.dynamic_update_slice_in_dim", operand)
    starts: list[Any] = [0] * x.type.rank
    starts[axis_arg("lax.dynamic_update_slice_in_dim", "axis", axis, x.type.rank)] = start_index
    return dynamic_update_slice(x, update, starts, allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(
    operand: ArrayLike, update: ArrayLike, index: ArrayLike, axis: int, *, allow_negative_indices: bool = True
) -> Array:
    """The operand with the element at a computed index along an axis replaced; `update` has that axis with size 1, or lacks it.

    >>> import jitgrad.numpy as jnp
    >>> print(dynamic_update_index_in_dim(jnp.zeros(3), 5.0, 1, 0))
    [0. 5. 0.]
    """
    x = array_arg("lax.dynamic_update_index_in_dim", operand)
    along = axis_arg("lax.dynamic_update_index_in_dim", "axis", axis, x.type.rank)
    part = as_value(update, "lax.dynamic_update_index_in_dim")
    if part.type.rank != x.type.rank:
        part = expand_dims(ops.convert(part, x.type.dtype) if part.weak else part, (along,))
    return dynamic_update_slice_in_dim(x, part, index, along, allow_negative_indices=allow_negative_indices)


def index_take(src: ArrayLike, idxs: Sequence[ArrayLike], axes: Sequence[int]) -> Array:
    """Elements of `src` at points: one array of indices for each of `axes`, all of one shape [n]; the other axes are taken whole.

    The result has the points in front: [n, *other axes]. Negative indices count from the end, those outside are held inside.

    >>> import jitgrad.numpy as jnp
    >>> print(index_take(jnp.arange(6).reshape(2, 3), (jnp.array([0, 1]), jnp.array([2, 0])), (0, 1)))
    [2 3]
    """
    x = array_arg("lax.index_take", src)
    where = "lax.index_take"
    along = axes_arg(where, "axes", axes, x.type.rank)
    points = arrays_arg(where, "idxs", idxs)
    if len(points) != len(along):
        raise ArgumentError(f"{where}: idxs must have one array for each of the axes {along}, got {len(points)}")
    if any(not p.type.dtype.is_integer for p in points) or len({p.type.shape for p in points}) > 1:
        listed = ", ".join(f"{p.dtype}{list(p.type.shape)}" for p in points)
        raise ShapeError(f"{where}: idxs must be arrays of integers of one shape, got {listed}")
    columns = []
    for a, of_axis in sorted(zip(along, points, strict=True), key=lambda pair: pair[0]):
        at = ops.signed_places(of_axis)
        counted = ops.op("add", at, ops.constant(x.type.shape[a], I64))
        at = ops.select(ops.op("lt", at, ops.constant(0, I64)), counted, at)
        columns.append(ops.reshape(at, (*at.type.shape, 1)))
    indices = ops.concatenate(columns, columns[0].type.rank - 1)
    return ops.op("gather", x, indices, axes=tuple(sorted(along)), batch=0, mode="clip")
