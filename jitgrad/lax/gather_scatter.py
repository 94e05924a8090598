"""jax.lax's gather and scatter: windows at computed places, described by dimension numbers as in XLA's Gather and Scatter.

https://openxla.org/xla/operation_semantics#gather states the meaning. A window's axes that are taken whole stay axes of the
compiler's gather (jitgrad_compiler/ops/indexing.py); along all others every element's own place is computed.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.checks import check_indices, is_checked
from jitgrad.errors import ArgumentError, DTypeError, ParametersError, ShapeError, shown
from jitgrad.numpy.indexing import check_fill, missing
from jitgrad.operands import array_arg, common_dtype, shape_arg, stored
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.types import I64

from .arguments import integers_arg
from .bodies import check_callable
from .elementwise import same_dtype
from .loops import fori_loop

ArrayLike = Any


class GatherDimensionNumbers(NamedTuple):
    """offset_dims: the result's axes that run over a window. collapsed_slice_dims: the operand's axes that windows lack.
    start_index_map: which axis of the operand each component of an index is for. operand_batching_dims and
    start_indices_batching_dims: axes of the operand and of the indices that go together.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """update_window_dims: the updates' axes that run over a window. inserted_window_dims: the operand's axes that windows lack.
    scatter_dims_to_operand_dims: which axis of the operand each component of an index is for. The batching axes as for gather.
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


class GatherScatterMode(enum.Enum):
    """What happens to windows that are not wholly inside: CLIP moves them inside; FILL_OR_DROP reads a fill value and writes
    nothing; PROMISE_IN_BOUNDS says that there are none, and is done as CLIP.
    """

    CLIP = 0
    FILL_OR_DROP = 1
    PROMISE_IN_BOUNDS = 2
    ONE_HOT = 3

    @staticmethod
    def parse(where: str, mode: Any) -> GatherScatterMode:
        names = {"clip": "CLIP", "fill": "FILL_OR_DROP", "drop": "FILL_OR_DROP", "promise_in_bounds": "PROMISE_IN_BOUNDS"}
        if mode is None:
            return GatherScatterMode.FILL_OR_DROP
        if isinstance(mode, GatherScatterMode) and mode is not GatherScatterMode.ONE_HOT:
            return mode
        if not isinstance(mode, str) or mode not in names:
            raise ArgumentError(f"{where}: mode must be one of {', '.join(names)} or a GatherScatterMode, got {mode!r}")
        return GatherScatterMode[names[mode]]


class _Windows(NamedTuple):
    """Where windows lie: the compiler's indices, and the axes that they address."""

    indices: Array  # [*batch, *pointed window axes, len(axes)]
    axes: tuple[int, ...]  # the operand's axes that are pointed at, increasing
    inside: Array | None  # [*batch]: whether the whole window is inside, where that was asked for
    batch: tuple[int, ...]  # the sizes of the batch axes
    pointed: tuple[int, ...]  # the operand's axes of the windows along which elements are pointed at
    whole: tuple[int, ...]  # those that are taken whole


def _check_axes(where: str, dims: GatherDimensionNumbers | ScatterDimensionNumbers, rank: int, window_rank: int) -> None:
    """Raise ArgumentError for dimension numbers that name axes which do not exist, or one twice. `rank` is the operand's,
    `window_rank` that of the array with the windows.
    """
    fields = (GatherDimensionNumbers if where == "lax.gather" else ScatterDimensionNumbers)._fields
    if getattr(dims, "_fields", ()) != fields:
        kind = "Gather" if where == "lax.gather" else "Scatter"
        raise ParametersError(f"{where}: dimension_numbers must be a lax.{kind}DimensionNumbers, got {shown(dims)}")
    named = {name: integers_arg(where, name, axes) for name, axes in zip(fields, dims, strict=True)}
    windows, absent, mapped = list(named)[:3]
    for name, size in ((windows, window_rank), (absent, rank), (mapped, rank), ("operand_batching_dims", rank)):
        axes = tuple(named[name])
        if len(set(axes)) < len(axes) or not all(0 <= d < size for d in axes):
            raise ArgumentError(f"{where}: {name} must be different axes from 0 to {size - 1}, got {axes}")
    if both := sorted({*named[absent]} & {*named["operand_batching_dims"]}):
        raise ArgumentError(f"{where}: axes {both} are among both {absent} and operand_batching_dims")


def _windows(
    where: str, operand: Array, indices: Array, dims: GatherDimensionNumbers, sizes: tuple[int, ...], mode: Any
) -> _Windows:
    shape, batch = operand.type.shape, indices.type.shape[:-1]
    absent = (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    if not indices.type.rank or not indices.type.dtype.is_integer or indices.type.shape[-1] != len(dims.start_index_map):
        raise ShapeError(
            f"{where}: the last axis of the integer indices must have the size {len(dims.start_index_map)} of the index map, got "
            f"{indices.dtype}{list(indices.type.shape)}"
        )
    inside_shape = len(sizes) == len(shape) and all(0 <= s <= n for s, n in zip(sizes, shape, strict=True))
    if not inside_shape or any(sizes[d] != 1 for d in absent):
        raise ShapeError(f"{where}: windows of sizes {sizes} do not fit shape {shape}; axes {absent} must have size 1")
    wanted = GatherScatterMode.parse(where, mode)
    checked = wanted is GatherScatterMode.FILL_OR_DROP
    if is_checked("index") and (mode is None or wanted is GatherScatterMode.PROMISE_IN_BOUNDS):
        check_indices(where, indices, tuple((d, shape[d], sizes[d]) for d in dims.start_index_map), wrapped=False)
    starts: dict[int, Array] = {}
    inside: Array | None = None
    at = ops.signed_places(indices)
    for k, d in enumerate(dims.start_index_map):
        start = ops.reshape(ops.slice_axis(at, len(batch), k, k + 1), batch)
        zero, last = ops.constant(0, I64), ops.constant(shape[d] - sizes[d], I64)
        if checked:
            fits = ops.op("and", ops.op("ge", start, zero), ops.op("le", start, last))
            inside = fits if inside is None else ops.op("and", inside, fits)
        starts[d] = ops.op("min", ops.op("max", start, zero), last)
    for mine, theirs in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
        starts[mine] = ops.iota(batch, theirs)
    window = tuple(d for d in range(len(shape)) if d not in absent)
    whole = tuple(d for d in window if sizes[d] == shape[d])  # such a window starts at 0, or is not inside
    if checked and len(whole) == len(shape):  # one that is not inside must have an index to be dropped by
        whole = tuple(d for d in whole if d not in dims.start_index_map[:1])
    pointed = tuple(d for d in window if d not in whole)
    axes = tuple(sorted((*absent, *pointed)))
    full = (*batch, *(sizes[d] for d in pointed))
    columns = []
    for d in axes:
        place = ops.broadcast(starts.get(d, ops.constant(0, I64)), full, tuple(range(len(batch))) if d in starts else ())
        if d in pointed:
            place = ops.op("add", place, ops.iota(full, len(batch) + pointed.index(d)))
        columns.append(ops.reshape(place, (*full, 1)))
    found = ops.concatenate(columns, len(full)) if columns else ops.fill((*full, 0), 0, I64)
    return _Windows(found, axes, inside, batch, pointed, whole)


def _order(where: str, found: _Windows, window_dims: Sequence[int]) -> tuple[int, ...]:
    """For each axis of gather's result its place among the compiler's: batch axes, pointed window axes, whole ones."""
    nb = len(found.batch)
    behind = (*found.pointed, *found.whole)
    in_operand_order = iter(nb + behind.index(d) for d in sorted(behind))
    batch_axes = iter(range(nb))
    rank = nb + len(behind)
    if len(tuple(window_dims)) != len(behind) or not all(0 <= d < rank for d in window_dims):
        name = "offset_dims" if where == "lax.gather" else "update_window_dims"
        raise ShapeError(
            f"{where}: {name} must be {len(behind)} of {rank} axes, one for each axis of a window, got {tuple(window_dims)}"
        )
    return tuple(next(in_operand_order) if i in window_dims else next(batch_axes) for i in range(rank))


def _fill_value(x: Array, fill_value: Any) -> Array:
    """jax's where none is given: NaN, the least signed and the largest unsigned integer, True."""
    if fill_value is None:
        return ops.constant(missing(x.type.dtype), x.type.dtype)
    value = stored("lax.gather", fill_value, x.type.dtype)
    if value.type.shape:
        raise ShapeError(f"lax.gather: fill_value must be a scalar, got shape {value.type.shape}")
    return value


def gather(
    operand: ArrayLike,
    start_indices: ArrayLike,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: str | GatherScatterMode | None = None,
    fill_value: Any = None,
) -> Array:
    """Windows of `slice_sizes` from the operand, at start_indices [*batch, len(start_index_map)].

    The result has the batch axes and the windows' axes, the latter at `offset_dims`. Windows that are not wholly inside are filled
    with `fill_value` (NaN, the least signed or the largest unsigned integer by default), or moved inside with mode="clip",
    which takes no fill_value.

    >>> import jitgrad.numpy as jnp
    >>> rows = GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
    >>> print(gather(jnp.arange(6).reshape(3, 2), jnp.array([[2], [0]]), rows, (1, 2)))
    [[4 5]
     [0 1]]
    """
    x, indices = array_arg("lax.gather", operand), array_arg("lax.gather", start_indices)
    _check_axes("lax.gather", dimension_numbers, x.type.rank, x.type.rank + indices.type.rank)
    sizes = integers_arg("lax.gather", "slice_sizes", slice_sizes, x.type.rank)
    found = _windows("lax.gather", x, indices, dimension_numbers, sizes, mode)
    fills = GatherScatterMode.parse("lax.gather", mode) is GatherScatterMode.FILL_OR_DROP
    check_fill("lax.gather", fill_value, mode, fills)
    out = ops.op("gather", x, found.indices, axes=found.axes, batch=0, mode="clip")
    if found.inside is not None:
        held = ops.broadcast(found.inside, out.type.shape, tuple(range(len(found.batch))))
        out = ops.select(held, out, ops.broadcast(_fill_value(x, fill_value), out.type.shape, ()))
    return ops.transpose(out, _order("lax.gather", found, dimension_numbers.offset_dims))


def _scatter(kind: str, doc: str) -> Callable[..., Array]:
    name = "scatter" if kind == "set" else f"scatter_{kind}"
    where = f"lax.{name}"

    def function(
        operand: ArrayLike,
        scatter_indices: ArrayLike,
        updates: ArrayLike,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None,
    ) -> Array:
        (x, parts), _ = same_dtype(name, [array_arg(where, operand), as_value(updates, where)])
        _check_axes(where, dimension_numbers, x.type.rank, parts.type.rank)
        dims = GatherDimensionNumbers(*dimension_numbers)
        absent = (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
        if len(dims.offset_dims) + len(absent) != x.type.rank:
            raise ShapeError(f"{where}: {dimension_numbers} do not name {x.type.rank} axes for the operand's shape {x.type.shape}")
        window = iter(parts.type.shape[d] for d in dims.offset_dims)
        sizes = tuple(1 if d in absent else next(window) for d in range(x.type.rank))
        found = _windows(where, x, array_arg(where, scatter_indices), dims, sizes, mode)
        order = _order(where, found, dims.offset_dims)
        parts = ops.transpose(parts, tuple(order.index(i) for i in range(len(order))))
        indices = found.indices
        if found.inside is not None:  # the compiler's scatter drops what is outside, here the whole window
            held = ops.broadcast(found.inside, indices.type.shape, tuple(range(len(found.batch))))
            indices = ops.select(held, indices, ops.constant(-1, I64))
        if kind == "sub":
            parts = ops.op("neg", parts)
        return ops.op("scatter", x, indices, parts, axes=found.axes, batch=0, kind="add" if kind == "sub" else kind)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"The operand with windows at scatter_indices {doc}.\n\n"
        "updates have the axes of the indices but the last one, and the windows' axes at `update_window_dims`. Windows that are\n"
        'not wholly inside are dropped, or moved inside with mode="clip". Updates of one place are taken in row-major order.'
    )
    return function


scatter = _scatter("set", "replaced by updates")
scatter_add = _scatter("add", "added to")
scatter_sub = _scatter("sub", "subtracted from")
scatter_mul = _scatter("mul", "multiplied by updates")
scatter_min = _scatter("min", "lowered to updates that are smaller")
scatter_max = _scatter("max", "raised to updates that are larger")


def scatter_apply(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    func: Callable[[Array], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
) -> Array:
    """The operand with its elements in windows at scatter_indices replaced by func of them, once for each window that has them.

    func: of one scalar. update_shape: what the shape of `scatter`'s updates would be. With unique_indices no element is in two
    windows, and there are derivatives of every kind; without, forward mode's.

    >>> import jitgrad.numpy as jnp
    >>> rows = ScatterDimensionNumbers(update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,))
    >>> print(scatter_apply(jnp.zeros(3), jnp.array([[0], [2], [0]]), lambda x: x + 1, rows, update_shape=(3,)))
    [2. 0. 1.]
    """
    where = "lax.scatter_apply"
    check_callable(where, "func", func)
    x = array_arg(where, operand)
    ones = ops.fill(shape_arg(where, update_shape), 1, I64)
    times = scatter_add(ops.fill(x.type.shape, 0, I64), scatter_indices, ones, dimension_numbers, mode=mode)

    def applied(value: Array) -> Array:
        out = as_value(func(value), where)
        if out.type.shape or common_dtype([out, value])[0] != value.type.dtype:
            raise DTypeError(
                f"{where}: func must return a scalar of the operand's type {x.dtype}, got {out.dtype}{list(out.type.shape)}"
            )
        return ops.convert(out, x.type.dtype)

    def once(value: Array, number: Array) -> Array:
        new = ops.reshape(vmap(applied)(ops.flat(value)), x.type.shape)
        return ops.select(ops.op("gt", times, ops.broadcast(number, times.type.shape, ())), new, value)

    if unique_indices or not x.type.shape or not math.prod(x.type.shape):
        return once(x, ops.constant(0, I64))
    most = ops.op("reduce_max", times, axes=tuple(range(x.type.rank)))
    out: Array = fori_loop(ops.constant(0, I64), most, lambda i, value: once(value, ops.convert(i, I64)), x)
    return out
