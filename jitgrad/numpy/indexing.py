"""x[index] and what x.at[index] does: carrying out the plans of `index_plan.py`; and take, take_along_axis, put_along_axis.

Out-of-range indices are held inside when reading and dropped when writing, as in jax; other modes can be asked for. Where none is,
they are errors inside debug.checked("index").
"""

from __future__ import annotations

from types import NoneType
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import (
    Shape,
    broadcast,
    broadcast_right,
    constant,
    convert,
    flat,
    limits,
    op,
    reshape,
    select,
    signed_places,
    slice_axis,
    transpose,
)
from jitgrad.checks import check_indices, is_checked
from jitgrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, broadcast_shape, broadcasts_to, no_out, not_in_place, stored
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, DType

from .creation import array
from .index_now import written_now
from .index_plan import (
    Index,
    Number,
    Plan,
    Points,
    Range,
    at_hand,
    clipped,
    columns,
    from_front,
    inside,
    plan,
    with_axes_for_flags,
    wrapped,
)

READING = {None: "clip", "clip": "clip", "promise_in_bounds": "clip", "fill": "fill", "drop": "fill"}
WRITING = {None: "drop", "drop": "drop", "fill": "drop", "promise_in_bounds": "drop", "clip": "clip"}


def mode_of(where: str, modes: dict[str | None, str], mode: Any) -> str:
    if not isinstance(mode, (str, NoneType)) or mode not in modes:
        raise ArgumentError(f"{where}: mode must be one of {', '.join(repr(m) for m in modes if m)}, got {mode!r}")
    return modes[mode]


def unsure(mode: Any) -> bool:
    """Whether indices are to be checked: nobody has said what is to become of those outside."""
    return mode in (None, "promise_in_bounds") and is_checked("index")


def _check_plan(where: str, p: Plan, shape: Shape, wrap: bool) -> None:
    for axis, (e, n) in enumerate(zip(p.axes, shape, strict=True)):
        if isinstance(e, (Number, Points)):
            places = from_numpy(np.array(e.number)) if isinstance(e, Number) else e.indices
            check_column(where, places, axis, n, wrap)


def check_column(where: str, places: Array, axis: int, n: int, wrap: bool = True) -> None:
    check_indices(where, reshape(places, (*places.type.shape, 1)), ((axis, n, 1),), wrap)


def getitem(
    x: Array, index: Index, mode: Any = None, fill_value: ArrayLike | None = None, where: str = "indexing", wrap: bool = True
) -> Array:
    """`x[index]`."""
    x = convert(x, x.type.dtype)
    if type(index) is int and x.type.shape and 0 <= index < x.type.shape[0]:  # what loops over an array do
        return reshape(slice_axis(x, 0, index, index + 1), x.type.shape[1:])
    index, shape = with_axes_for_flags(index, x.type.shape)
    x = reshape(x, shape)
    p = plan(index, x.type.shape, wrap)
    if unsure(mode):
        _check_plan(where, p, x.type.shape, wrap)
    mode = mode_of(where, READING, mode)
    if mode == "fill":  # a number outside is to be seen by the gather
        p = _with_points_outside(p, x.type.shape)
    for e, n in zip(p.axes, x.type.shape, strict=True):
        if isinstance(e, Number) and n == 0:
            raise IndexingError(f"indexing: an axis of size 0 has no element {e.number}")
    block = _block(x, p)
    points = [e for e in p.axes if isinstance(e, Points)]
    if not points:
        return reshape(block, p.shape)
    kept = [e for e in p.axes if not isinstance(e, Number)]
    block = reshape(block, tuple(n for e, n in zip(p.axes, block.type.shape, strict=True) if not isinstance(e, Number)))
    if not p.points and mode == "clip":
        return reshape(_window(block, kept), p.shape)
    axes = tuple(i for i, e in enumerate(kept) if isinstance(e, Points))
    indices = columns([e.indices for e in points], p.points)
    out = _gathered(block, indices, axes, 0, mode, fill_value)
    k = len(p.points)
    order = (*range(k, k + p.front), *range(k), *range(k + p.front, out.type.rank))
    return reshape(transpose(out, order), p.shape)


def _with_points_outside(p: Plan, shape: Shape) -> Plan:
    axes = [
        Points(from_numpy(np.array(e.number))) if isinstance(e, Number) and not 0 <= e.number < n else e
        for e, n in zip(p.axes, shape, strict=True)
    ]
    return Plan(axes, p.points, p.front, p.shape)


def _block(x: Array, p: Plan) -> Array:
    """The part of x that numbers and ranges leave, with every axis still there."""
    start, limit, strides, reverse = [], [], [], []
    for i, (e, n) in enumerate(zip(p.axes, x.type.shape, strict=True)):
        if isinstance(e, Number):
            at = min(max(e.number, 0), n - 1)
            bounds = (at, at + 1, 1)
        elif isinstance(e, Range):
            last = e.start + (e.count - 1) * e.step
            bounds = (0, 0, 1) if not e.count else (min(e.start, last), max(e.start, last) + 1, abs(e.step) if e.count > 1 else 1)
            if e.step < 0 and e.count > 1:
                reverse.append(i)
        else:
            bounds = (0, n, 1)
        start.append(bounds[0])
        limit.append(bounds[1])
        strides.append(bounds[2])
    if any(start) or tuple(limit) != x.type.shape or any(s != 1 for s in strides):
        x = op("slice", x, start=tuple(start), limit=tuple(limit), strides=tuple(strides))
    return op("reverse", x, axes=tuple(reverse)) if reverse else x


def _window(block: Array, kept: list[Any]) -> Array:
    """Scalar traced indices: a window of size 1 along their axes."""
    zero = constant(0, I64)
    if any(isinstance(e, Points) and not n for e, n in zip(kept, block.type.shape, strict=True)):
        raise IndexingError(f"indexing: an axis of size 0 has no element to take, and the array has shape {block.type.shape}")
    starts = [signed_places(e.indices) if isinstance(e, Points) else zero for e in kept]
    sizes = tuple(1 if isinstance(e, Points) else n for e, n in zip(kept, block.type.shape, strict=True))
    return op("dynamic_slice", block, *starts, sizes=sizes)


def missing(dtype: DType) -> Any:
    """What stands for an element that is not there: nan, the least signed integer, the largest unsigned one, True."""
    if dtype.is_inexact:
        return np.nan
    if dtype == BOOL:
        return True
    info = limits(dtype)
    return info.max if dtype.is_unsigned else info.min


def check_fill(where: str, fill_value: ArrayLike | None, mode: Any, fills: bool) -> None:
    """Raises for a fill_value that is no number, ArgumentError for one that stands nowhere, because the mode is none that fills."""
    if fill_value is None:
        return
    as_value(fill_value, where)
    if not fills:
        raise ArgumentError(f'{where}: fill_value goes with mode="fill", got mode {mode!r}')


def _gathered(x: Array, indices: Array, axes: Shape, batch: int, mode: str, fill_value: ArrayLike | None) -> Array:
    """gather, with `fill_value` for rows outside where the mode is "fill"."""
    sizes = tuple(x.type.shape[a] for a in axes)
    valid = inside(indices, sizes) if mode == "fill" else None
    if 0 in sizes and mode == "clip" and indices.type.size:
        raise IndexingError(f"indexing: an axis of size 0 in shape {x.type.shape} has no elements to take")
    if at_hand(indices) and mode == "clip":
        indices = clipped(indices, sizes) if 0 not in sizes else indices
    out = op("gather", x, indices, axes=axes, batch=batch, mode="clip" if valid is None else "fill")
    if valid is None:
        return out
    k = indices.type.rank - 1
    number = constant(missing(x.type.dtype), x.type.dtype) if fill_value is None else stored("fill_value", fill_value, x.type.dtype)
    number = number if isinstance(number.ref, np.generic) else broadcast_right(number, out.type.shape)
    return select(broadcast(valid, out.type.shape, tuple(range(k))), out, number)


def take_places(x: Array, places: Array, axis: int) -> Array:
    """x at places that are all inside along an axis, of which `places` (one axis) takes the place."""
    out = op("gather", x, reshape(places, (*places.type.shape, 1)), axes=(axis,), batch=0, mode="clip")
    rank = x.type.rank
    return transpose(out, (*range(1, axis + 1), 0, *range(axis + 1, rank)))


# -- writing

_FOLD = {"add": "add", "mul": "mul", "min": "min", "max": "max"}


def scatter(x: Array, index: Index, y: ArrayLike, kind: str, mode: Any, method: str = "", wrap: bool = True) -> Array:
    """x with y put, added, ... at an index; `method` is what users called, where that is not `kind`."""
    if mode is None and wrap and (found := written_now(x, index, y, kind)) is not None:
        return found
    index, shape = with_axes_for_flags(index, x.type.shape)
    made = _scatter(reshape(convert(x, x.type.dtype), shape), index, y, kind, mode, f"at[].{method or kind}", wrap)
    return reshape(made, x.type.shape)


def _scatter(x: Array, index: Index, y: ArrayLike, kind: str, mode: Any, where: str, wrap: bool) -> Array:
    p = plan(index, x.type.shape, wrap)
    if unsure(mode):
        _check_plan(where, p, x.type.shape, wrap)
    mode = mode_of(where, WRITING, mode)
    value = value_of(y, x.type.dtype, where, infinite=kind in ("max", "min"))
    if not broadcasts_to(value.type.shape, p.shape):
        raise ShapeError(
            f"{where}: a value of shape {value.type.shape} does not broadcast to the indexed shape {p.shape} of an array of shape "
            f"{x.type.shape}"
        )
    value = broadcast_right(value, p.shape)
    if 0 in p.shape or 0 in x.type.shape:
        return x
    static = not any(isinstance(e, Points) for e in p.axes)
    if static and all(_contiguous(e, n) for e, n in zip(p.axes, x.type.shape, strict=True)):
        return _update_block(x, p, value, kind)
    return _scatter_points(x, p, value, kind, mode)


def value_of(y: ArrayLike, dtype: DType, where: str, infinite: bool = False) -> Array:
    if isinstance(y, (list, tuple)):
        stored(where, array(y), dtype)
        return array(y, dtype)  # at once, so that digits are kept
    return stored(where, y, dtype, infinite)


def _contiguous(e: Any, n: int) -> bool:
    """Whether a number or a range is inside and without gaps."""
    return 0 <= e.number < n if isinstance(e, Number) else e.step == 1 or e.count == 1


def _update_block(x: Array, p: Plan, value: Array, kind: str) -> Array:
    """A block at a constant place."""
    starts = [e.number if isinstance(e, Number) else e.start for e in p.axes if not isinstance(e, Points)]
    sizes = tuple(e.count if isinstance(e, Range) else 1 for e in p.axes)
    value = reshape(value, sizes)
    if kind != "set":
        value = op(_FOLD[kind], _block(x, p), value)
    if sizes == x.type.shape:
        return beside(value, x)
    return op("dynamic_update_slice", x, value, *[constant(s, I64) for s in starts])


def _scatter_points(x: Array, p: Plan, value: Array, kind: str, mode: str) -> Array:
    """The addressed axes are those of points, numbers and partial ranges; a grid of them addresses, the rest goes whole."""
    partial = [i for i, e in enumerate(p.axes) if isinstance(e, Range) and not e.whole]
    axes = tuple(i for i, e in enumerate(p.axes) if not isinstance(e, Range) or not e.whole)
    k = len(p.points)
    grid = (*p.points, *[p.axes[i].count for i in partial])  # type: ignore[union-attr]
    parts = []
    for i in axes:
        e = p.axes[i]
        if isinstance(e, Points):
            shape = (1,) * (k - e.indices.type.rank) + e.indices.type.shape + (1,) * len(partial)
            parts.append(reshape(e.indices, shape))
        elif isinstance(e, Number):
            parts.append(from_numpy(np.array(e.number)))
        else:
            at = k + partial.index(i)
            parts.append(from_numpy(e.places().reshape([-1 if j == at else 1 for j in range(len(grid))])))
    indices = columns(parts, grid)
    sizes = tuple(x.type.shape[a] for a in axes)
    if mode == "clip":
        indices = clipped(indices, sizes)
    # the value's axes: ranges in order, those of the points after the first `front`; wanted: points, partial ranges, whole ones
    value = reshape(value, (*p.ranges[: p.front], *p.points, *p.ranges[p.front :]))
    ranges = [i for i, e in enumerate(p.axes) if isinstance(e, Range)]
    place = {i: n if n < p.front else n + k for n, i in enumerate(ranges)}
    whole = [i for i in ranges if i not in partial]
    order = (*range(p.front, p.front + k), *[place[i] for i in partial], *[place[i] for i in whole])
    return op("scatter", x, indices, transpose(value, order), axes=axes, batch=0, kind=kind)


# -- functions


def _indices(where: str, indices: ArrayLike) -> Array:
    value = array_arg(where, indices)
    if not value.type.dtype.is_integer:
        raise DTypeError(f"{where}: indices must be integers, got {value.dtype}")
    return value


def take(
    a: ArrayLike,
    indices: ArrayLike,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: ArrayLike | None = None,
) -> Array:
    """Elements (or slices along an axis) at integer indices, whose axes take the place of that axis; flattened without one.

    mode "fill" (the default) gives fill_value (nan, or the least integer) for indices outside, "clip" holds them inside (negative
    ones at 0), "wrap" counts around. Raises DTypeError unless the indices are integers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.take(jnp.array([5.0, 6.0, 7.0]), jnp.array([2, 0, 9])))
    [ 7.  5. nan]
    """
    no_out("take", out)
    x, at = array_arg("take", a), _indices("take", indices)
    if axis is None:
        x, axis = flat(x), 0
    number = axis_number("take", axis, x.type.rank)
    n = x.type.shape[number]
    if not n and at.type.size:
        raise ShapeError(f"take: there are no elements along axis {number} of shape {x.type.shape} to take")
    if mode not in (None, "fill", "clip", "wrap"):
        raise ArgumentError(f"take: mode must be 'fill', 'clip' or 'wrap', got {mode!r}")
    check_fill("take", fill_value, mode, mode in (None, "fill"))
    if mode == "wrap":
        at = wrapped(at, n)
    elif mode != "clip":
        at = from_front(at, n)
    if unsure(mode):
        check_column("take", at, number, n)
    column = columns([at], at.type.shape)
    made = _gathered(x, column, (number,), 0, "clip" if mode in ("clip", "wrap") else "fill", fill_value)
    k = at.type.rank
    return transpose(made, (*range(k, k + number), *range(k), *range(k + number, made.type.rank)))


def _along(where: str, arr: ArrayLike, indices: ArrayLike, axis: int | None) -> tuple[Array, Array, int]:
    x, at = array_arg(where, arr), _indices(where, indices)
    if axis is None:
        x, axis = flat(x), 0
    if x.type.rank != at.type.rank:
        raise ArgumentError(
            f"{where}: the indices must have as many axes as the array, got shapes {at.type.shape} and {x.type.shape}"
        )
    return x, at, axis_number(where, axis, x.type.rank)


def _rows(where: str, x: Array, axis: int, others: Shape) -> Array:
    """The axis last, all others broadcast to given sizes."""
    order = (*[i for i in range(x.type.rank) if i != axis], axis)
    moved = transpose(x, order)
    return broadcast_right(moved, (*others, moved.type.shape[-1]))


def take_along_axis(
    arr: ArrayLike,
    indices: ArrayLike,
    axis: int | None = -1,
    mode: str | None = None,
    fill_value: ArrayLike | None = None,
    *,
    wrap_negative_indices: bool = True,
) -> Array:
    """For each place of the other axes the elements of `arr` along one axis at `indices`, as argsort and argmax give them.

    The other axes broadcast. Outside the axis: fill_value (nan, or the least integer), or with mode "clip" the nearest element.
    wrap_negative_indices: negative ones count from the end; False: they are outside.
    Raises ArgumentError unless both have as many axes.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.array([[3, 1], [2, 4]])
    >>> print(jnp.take_along_axis(x, jnp.argsort(x, axis=1), axis=1))
    [[1 3]
     [2 4]]
    """
    x, at, number = _along("take_along_axis", arr, indices, axis)
    at = from_front(at, x.type.shape[number]) if wrap_negative_indices else signed_places(at)
    if unsure(mode):
        check_column("take_along_axis", at, number, x.type.shape[number], wrap_negative_indices)
    reading = mode_of("take_along_axis", {**READING, None: "fill"}, mode)
    check_fill("take_along_axis", fill_value, mode, reading == "fill")
    rank = x.type.rank
    rests = [v.type.shape[:number] + v.type.shape[number + 1 :] for v in (x, at)]
    others = broadcast_shape("take_along_axis", tuple(rests))
    places = _rows("take_along_axis", at, number, others)
    column = reshape(places, (*places.type.shape, 1))
    out = _gathered(_rows("take_along_axis", x, number, others), column, (rank - 1,), rank - 1, reading, fill_value)
    return transpose(out, (*range(number), rank - 1, *range(number, rank - 1)))


def put_along_axis(
    arr: ArrayLike, indices: ArrayLike, values: ArrayLike, axis: int | None, inplace: bool = True, *, mode: str | None = None
) -> Array:
    """A copy of `arr` with `values` where `take_along_axis` would read; indices outside are dropped (or held, mode "clip").

    Raises ImmutableArrayError unless inplace=False is given.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.put_along_axis(jnp.zeros((2, 2)), jnp.array([[1], [0]]), 5.0, axis=1, inplace=False))
    [[0. 5.]
     [5. 0.]]
    """
    not_in_place("put_along_axis", inplace)
    x, at, number = _along("put_along_axis", arr, indices, axis)
    shape = array_arg("put_along_axis", arr).type.shape
    at = from_front(at, x.type.shape[number])
    if unsure(mode):
        check_column("put_along_axis", at, number, x.type.shape[number])
    others = x.type.shape[:number] + x.type.shape[number + 1 :]
    places = _rows("put_along_axis", at, number, others)
    rank = x.type.rank
    wanted = (*x.type.shape[:number], places.type.shape[-1], *x.type.shape[number + 1 :])
    value = broadcast_right(stored("put_along_axis", values, x.type.dtype), wanted)
    column = reshape(places, (*places.type.shape, 1))
    if mode_of("put_along_axis", WRITING, mode) == "clip":
        column = clipped(column, (x.type.shape[number],))
    rows, updates = _rows("put_along_axis", x, number, others), _rows("put_along_axis", value, number, others)
    out = op("scatter", rows, column, updates, axes=(rank - 1,), batch=rank - 1, kind="set")
    return reshape(transpose(out, (*range(number), rank - 1, *range(number, rank - 1))), shape)
