"""Elements at computed places: gather, scatter, dynamic_slice and dynamic_update_slice.

gather(x, indices, axes, batch, mode): indices is an integer array [..., len(axes)]; its rows address points along `axes` of x, of
which all other axes are taken whole. The first `batch` axes of both go together. The result has the shape
batch axes + other axes of indices + whole axes of x. mode "clip" holds indices inside; "fill" gives zero for those outside.
scatter puts updates of that shape where gather would have read them, in row-major order, and drops those outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..ir.builder import Value, bind_all, literal
from ..ir.graph import JVP, OPS, Op
from ..ir.types import I64, ArrayType
from .arithmetic import op, where
from .define import (
    Operand,
    Tangents,
    axis_to_front,
    broadcast,
    broadcast_batch,
    check_dtypes,
    convert,
    full,
    is_linear,
    linear_jvp,
    type_of_operand,
    zeros,
)
from .recurrence import moved_by_one
from .summation import add_at

Axes = tuple[int, ...]


def gathered_shape(x: tuple[int, ...], indices: tuple[int, ...], axes: Axes, batch: int) -> tuple[int, ...]:
    whole = tuple(n for i, n in enumerate(x) if i >= batch and i not in axes)
    return x[:batch] + indices[batch:-1] + whole


def _check(name: str, x: ArrayType, indices: ArrayType, axes: Axes, batch: int) -> None:
    if not indices.dtype.is_integer:
        raise DTypeError(f"{name}: indices must be integers, got {indices}")
    if (
        not indices.rank
        or indices.shape[-1] != len(axes)
        or list(axes) != sorted(set(axes))
        or any(not batch <= a < x.rank for a in axes)
        or indices.rank - 1 < batch
        or x.shape[:batch] != indices.shape[:batch]
    ):
        raise ShapeError(f"{name}: indices {indices} do not address axes {axes} of {x} with {batch} batch axes")


def _gather_type(x: ArrayType, indices: ArrayType, axes: Axes, batch: int, mode: str) -> ArrayType:
    _check("gather", x, indices, axes, batch)
    if mode not in ("clip", "fill"):
        raise ValueError(f"gather: mode must be 'clip' or 'fill', got {mode!r}")
    shape = gathered_shape(x.shape, indices.shape, axes, batch)
    if mode == "clip" and any(x.shape[a] == 0 for a in axes) and 0 not in shape:
        raise ShapeError(f"gather: cannot take elements from an empty axis of {x}")
    return ArrayType(shape, x.dtype)


def _grids(x_shape: Any, indices: Any, axes: Axes, batch: int) -> tuple[tuple[Any, ...], Any]:
    """One index array an axis of x, broadcasting to the result's shape; and which points are inside, shaped likewise."""
    outer = indices.ndim - 1
    whole = [i for i in range(len(x_shape)) if i >= batch and i not in axes]
    rank = outer + len(whole)
    grids: list[Any] = [None] * len(x_shape)
    inside = np.ones(indices.shape[:-1], bool)
    for k, a in enumerate(axes):
        at = indices[..., k]
        inside &= (at >= 0) & (at < x_shape[a])
        held = np.clip(at, 0, max(x_shape[a] - 1, 0)).astype(np.int64)
        grids[a] = held.reshape(held.shape + (1,) * len(whole))
    for i in range(batch):
        grids[i] = np.arange(x_shape[i]).reshape([-1 if j == i else 1 for j in range(rank)])
    for k, i in enumerate(whole):
        grids[i] = np.arange(x_shape[i]).reshape([-1 if j == outer + k else 1 for j in range(rank)])
    return tuple(grids), inside.reshape(inside.shape + (1,) * len(whole))


def _signed(places: Any, size: int) -> Any:
    """Places along an axis as NumPy's own integers, those behind its end still there."""
    if places.dtype == np.uint64:
        places = np.minimum(places, np.uint64(size - 1))
    return places.astype(np.int64, copy=False)


def _gather(x: Any, indices: Any, axes: Axes, batch: int, mode: str) -> Any:
    x, indices = np.asarray(x), np.asarray(indices)
    shape = gathered_shape(x.shape, indices.shape, axes, batch)
    if 0 in shape:
        return np.zeros(shape, x.dtype)
    if mode == "clip" and axes == (0,) and not batch and 0 not in x.shape:
        return x.take(_signed(indices.reshape(indices.shape[:-1]), x.shape[0]), 0, mode="clip")
    if mode == "clip" and axes == tuple(range(x.ndim)) and x.ndim and 0 not in x.shape:
        places = [_signed(indices[..., a], n) for a, n in enumerate(x.shape)]
        return x.reshape(-1).take(np.ravel_multi_index(places, x.shape, "clip"))
    if mode == "clip" and axes == (batch,) and x.ndim == batch + 1 and 0 not in x.shape:
        n = x.shape[-1]
        places = np.minimum(np.maximum(_signed(indices[..., 0], n), 0), n - 1)
        rows = np.arange(0, x.size, n).reshape(x.shape[:-1] + (1,) * (places.ndim - batch))
        return x.reshape(-1).take(places + rows)
    grids, inside = _grids(x.shape, indices, axes, batch)
    if 0 in x.shape:
        return np.zeros(shape, x.dtype)
    out = np.broadcast_to(x[grids] if grids else x, shape)
    return out if mode == "clip" else np.where(inside, out, np.zeros((), x.dtype))


def _gather_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    x, indices = operands
    assert isinstance(indices, Value)
    shape, axes = type_of_operand(x).shape, params["axes"]
    if params["mode"] == "clip":  # a clipped index read the edge, so the edge gets its cotangent
        most = int(np.iinfo(indices.type.dtype.numpy.name).max)
        edges = [full(indices.type.shape[:-1], min(shape[a] - 1, most), indices.type.dtype) for a in axes]
        high = [op("reshape", edge, shape=(*edge.type.shape, 1)) for edge in edges]
        limit = op("concatenate", *high, axis=indices.type.rank - 1) if high else indices
        indices = op("min", op("max", indices, full(indices.type.shape, 0, indices.type.dtype)), limit)
    return [op("scatter", zeros(type_of_operand(x)), indices, cts[0], axes=axes, batch=params["batch"], kind="add"), None]


def _gather_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    (x, indices), axes, batch, mode = args, params["axes"], params["batch"], params["mode"]
    if all(batched) or batch:
        x, indices = broadcast_batch(x, size, batched[0]), broadcast_batch(indices, size, batched[1])
        return [op("gather", x, indices, axes=tuple(a + 1 for a in axes), batch=batch + 1, mode=mode)]
    if batched[1]:
        return [op("gather", x, indices, axes=axes, batch=0, mode=mode)]
    out = op("gather", x, indices, axes=tuple(a + 1 for a in axes), batch=0, mode=mode)
    return [axis_to_front(out, indices.type.rank - 1)]


gather = Op(
    "gather", _gather_type, _gather, computes=False, in_registers=True, reads_places=True,
    transpose=_gather_transpose, batch=_gather_batch,
    doc="Points and whole slices of x at indices.",
)  # fmt: skip
JVP[gather] = linear_jvp(gather, 1)

SCATTER_KINDS = {
    "set": None, "add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum,
}  # fmt: skip


def _scatter_type(x: ArrayType, indices: ArrayType, updates: ArrayType, axes: Axes, batch: int, kind: str) -> ArrayType:
    _check("scatter", x, indices, axes, batch)
    if kind not in SCATTER_KINDS:
        raise ValueError(f"scatter: kind must be one of {', '.join(SCATTER_KINDS)}, got {kind!r}")
    check_dtypes("scatter", "any", [x, updates])
    shape = gathered_shape(x.shape, indices.shape, axes, batch)
    if updates.shape != shape:
        raise ShapeError(f"scatter: updates must have shape {shape} for indices {indices} into {x}, got {updates}")
    return x


def _scatter(x: Any, indices: Any, updates: Any, axes: Axes, batch: int, kind: str) -> Any:
    x, indices, updates = np.array(x, order="C"), np.asarray(indices), np.asarray(updates)
    if updates.size == 0 or x.size == 0:
        return x
    grids, inside = _grids(x.shape, indices, axes, batch)
    inside = np.broadcast_to(inside, updates.shape)
    at = tuple(np.broadcast_to(g, updates.shape)[inside] for g in grids)
    if kind == "set":
        x[at] = updates[inside]
    elif kind == "add":
        add_at(x, at, updates[inside])
    else:
        SCATTER_KINDS[kind].at(x, at, updates[inside])  # type: ignore[union-attr]
    return x


def _at(x: Value, indices: Value, params: dict[str, Any]) -> Value:
    """What the places that the updates went to hold in x; zero for those outside."""
    return op("gather", x, indices, axes=params["axes"], batch=params["batch"], mode="fill")


def _put(x: Value, indices: Value, updates: Value, params: dict[str, Any], kind: str) -> Value:
    return op("scatter", x, indices, updates, axes=params["axes"], batch=params["batch"], kind=kind)


def _others_product(x: Value, indices: Value, updates: Value, params: dict[str, Any]) -> Value:
    """For scatter-multiply: for each update the product of the element of x and of all other updates at its place.

    The updates are put in the order of their places; then it is a running product from the front times one from the end, each
    beginning anew where a place does. Nothing is divided by, so zeros are nothing special, and derivatives are right in turn.
    """
    count = int(np.prod(updates.type.shape))
    number = op("reshape", op("iota", shape=(int(np.prod(x.type.shape)),), axis=0, dtype=I64), shape=x.type.shape)
    place = op("reshape", _at(number + 1, indices, params), shape=(count,))  # 0 for those outside
    ordered, order = bind_all(OPS["sort"], place, op("iota", shape=(count,), axis=0, dtype=I64), axis=0)
    column = op("reshape", order, shape=(count, 1))
    factor, element = (
        op("gather", op("reshape", v, shape=(count,)), column, axes=(0,), batch=0, mode="clip")
        for v in (updates, _at(x, indices, params))
    )

    def product(back: bool, start: Any) -> Value:
        begins = op("ne", ordered, moved_by_one(ordered, 0, back, -1))
        factors = where(begins, 0, moved_by_one(factor, 0, back, 1))
        return op("linear_recurrence", factors, where(begins, start, 0), axis=0, reverse=back)

    one = full((count,), 1, x.type.dtype)
    others = product(False, element) * product(True, one)
    back_in_place = op("scatter", zeros(others.type), column, others, axes=(0,), batch=0, kind="set")
    return op("reshape", back_in_place, shape=updates.type.shape)


def _ties(x: Value, indices: Value, updates: Value, out: Value, params: dict[str, Any]) -> tuple[Value, Value]:
    """For scatter-min and -max: the share of each element of x and of each update in the result, ties shared evenly."""
    dtype = out.type.dtype
    mine = convert(op("eq", x, out), dtype)
    theirs = convert(op("eq", updates, _at(out, indices, params)), dtype)
    count = _put(mine, indices, theirs, params, "add")
    return mine / count, where(op("eq", theirs, zeros(theirs.type)), 0, theirs / _at(count, indices, params))


def _scatter_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (x, indices, updates), (tx, _, tu), kind = primals, tangents, params["kind"]
    out = op("scatter", x, indices, updates, **params)
    if tx is None and tu is None:
        return [out], [None]
    if kind == "mul":
        ones = full(x.type.shape, 1, x.type.dtype)
        tx = None if tx is None else tx * _put(ones, indices, updates, params, "mul")
        tu = None if tu is None else tu * _others_product(x, indices, updates, params)
    if kind in ("min", "max"):
        shares = _ties(x, indices, updates, out, params)
        tx = None if tx is None else tx * shares[0]
        tu = None if tu is None else tu * shares[1]
    tx = zeros(x.type) if tx is None else tx
    tu = zeros(updates.type) if tu is None else tu
    return [out], [_put(tx, indices, tu, params, "set" if kind == "set" else "add")]


def _scatter_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, indices, updates) = cts, operands
    assert isinstance(indices, Value)
    if params["kind"] not in ("set", "add"):
        raise TypeError(f"scatter of kind {params['kind']} is not linear")
    from_updates = _at(ct, indices, params) if is_linear(updates) else None
    if params["kind"] == "add":
        return [ct if is_linear(x) else None, None, from_updates]
    shape = type_of_operand(updates).shape
    if from_updates is not None:  # of several updates to one place the last one stayed: only it gets the cotangent
        number = op("reshape", op("iota", shape=(int(np.prod(shape)),), axis=0, dtype=I64), shape=shape)
        winner = _put(full(ct.type.shape, -1, I64), indices, number, params, "set")
        from_updates = where(op("eq", _at(winner, indices, params), number), from_updates, 0)
    kept = _put(ct, indices, full(shape, 0, ct.type.dtype), params, "set") if is_linear(x) else None
    return [kept, None, from_updates]


def _scatter_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, indices, updates = (broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True))
    axes = tuple(a + 1 for a in params["axes"])
    return [op("scatter", x, indices, updates, axes=axes, batch=params["batch"] + 1, kind=params["kind"])]


scatter = Op(
    "scatter", _scatter_type, _scatter, updates=True, jvp=_scatter_jvp, transpose=_scatter_transpose,
    batch=_scatter_batch,
    doc="x with updates set, added, multiplied, or taken the minimum or maximum with, at indices.",
)  # fmt: skip

# -- dynamic slices: starts are scalars, held so that the window stays inside


def _check_starts(name: str, x: ArrayType, starts: Sequence[ArrayType], sizes: Sequence[int]) -> None:
    if len(starts) != x.rank or any(s.shape or not s.dtype.is_integer for s in starts):
        raise ShapeError(f"{name}: needs {x.rank} scalar integer starts for {x}, got {', '.join(map(str, starts))}")
    if len(sizes) != x.rank or any(not 0 <= n <= m for n, m in zip(sizes, x.shape, strict=True)):
        raise ShapeError(f"{name}: a window of {tuple(sizes)} is not inside {x}")


def _dynamic_slice_type(x: ArrayType, *starts: ArrayType, sizes: tuple[int, ...]) -> ArrayType:
    _check_starts("dynamic_slice", x, starts, sizes)
    return ArrayType(sizes, x.dtype)


def _window(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    held = [min(max(int(s), 0), m - n) for s, n, m in zip(starts, sizes, np.shape(x), strict=True)]
    return tuple(slice(s, s + n) for s, n in zip(held, sizes, strict=True))


def _dynamic_slice_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    x, *starts = operands
    known = [s for s in starts if isinstance(s, Value)]
    return [op("dynamic_update_slice", zeros(type_of_operand(x)), cts[0], *known), *[None] * len(starts)]


def _window_indices(size: int, x: ArrayType, starts: Sequence[Value], batched: Sequence[bool], sizes: Sequence[int]) -> Value:
    """[batch, *sizes, rank] places of the elements of a window that differs from example to example."""
    shape = (size, *sizes)
    columns = []
    for i, (s, b, n, m) in enumerate(zip(starts, batched, sizes, x.shape, strict=True)):
        start = convert(broadcast_batch(s, size, b) if not is_scalar_literal(s) else full((size,), 0, s.type.dtype) + s, I64)
        held = op("min", op("max", start, literal(0, I64)), literal(m - n, I64))
        place = broadcast(held, shape, (0,)) + op("iota", shape=shape, axis=i + 1, dtype=I64)
        columns.append(op("reshape", place, shape=(*shape, 1)))
    return op("concatenate", *columns, axis=len(shape))


def is_scalar_literal(v: Value) -> bool:
    return v.owner is None and isinstance(v.ref, np.generic)


def _dynamic_slice_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    (x, *starts), sizes = args, params["sizes"]
    if not any(batched[1:]):
        return [op("dynamic_slice", x, literal(0, I64), *[convert(s, I64) for s in starts], sizes=(size, *sizes))]
    inner = ArrayType(x.type.shape[1:] if batched[0] else x.type.shape, x.type.dtype)
    indices = _window_indices(size, inner, starts, batched[1:], sizes)
    x = broadcast_batch(x, size, batched[0])
    return [op("gather", x, indices, axes=tuple(range(1, x.type.rank)), batch=1, mode="clip")]


dynamic_slice = Op(
    "dynamic_slice", _dynamic_slice_type, lambda x, *starts, sizes: np.asarray(x)[_window(x, starts, sizes)], computes=False,
    in_registers=True, reads_places=True,
    transpose=_dynamic_slice_transpose, batch=_dynamic_slice_batch,
    doc="A window of a fixed size at a computed place.",
)  # fmt: skip
JVP[dynamic_slice] = linear_jvp(dynamic_slice, 1)


def _update_type(x: ArrayType, update: ArrayType, *starts: ArrayType) -> ArrayType:
    check_dtypes("dynamic_update_slice", "any", [x, update])
    if update.rank != x.rank:
        raise ShapeError(f"dynamic_update_slice: the update {update} must have as many axes as {x}")
    _check_starts("dynamic_update_slice", x, starts, update.shape)
    return x


def _update(x: Any, update: Any, *starts: Any) -> Any:
    x = np.array(x)
    x[_window(x, starts, np.shape(update))] = update
    return x


def _update_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, update, *starts) = cts, operands
    known = [s for s in starts if isinstance(s, Value)]
    shape = type_of_operand(update)
    kept = (
        op("dynamic_update_slice", ct, zeros(shape) if shape.shape else literal(0, shape.dtype), *known) if is_linear(x) else None
    )
    taken = op("dynamic_slice", ct, *known, sizes=shape.shape) if is_linear(update) else None
    return [kept, taken, *[None] * len(starts)]


def _update_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, update, *starts = args
    x, update = broadcast_batch(x, size, batched[0]), broadcast_batch(update, size, batched[1])
    if not any(batched[2:]):
        return [op("dynamic_update_slice", x, update, literal(0, I64), *[convert(s, I64) for s in starts])]
    inner = ArrayType(x.type.shape[1:], x.type.dtype)
    indices = _window_indices(size, inner, starts, batched[2:], update.type.shape[1:])
    return [op("scatter", x, indices, update, axes=tuple(range(1, x.type.rank)), batch=1, kind="set")]


dynamic_update_slice = Op(
    "dynamic_update_slice", _update_type, _update, computes=False, in_registers=True, updates=True,
    transpose=_update_transpose,
    batch=_update_batch, doc="x with a window at a computed place replaced.",
)  # fmt: skip
JVP[dynamic_update_slice] = linear_jvp(dynamic_update_slice, 2)
