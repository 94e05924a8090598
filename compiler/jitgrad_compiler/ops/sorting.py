"""sort: one or more arrays ordered along an axis by the first of them; top_k: the largest elements. Stable; NaN is largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind_all
from ..ir.graph import Op
from ..ir.types import I32, I64, ArrayType
from .arithmetic import op
from .define import Tangents, broadcast_batch, check_dtypes
from .reduction import check_axes


def _type(*types: ArrayType, axis: int) -> tuple[ArrayType, ...]:
    if not types:
        raise ShapeError("sort: needs at least one operand")
    check_dtypes("sort", "ordered", types[:1])
    check_axes("sort", types[0], (axis,))
    if any(t.shape != types[0].shape for t in types):
        raise ShapeError(f"sort: operands must have one shape, got {', '.join(map(str, types))}")
    return types


def _numpy(*arrays: Any, axis: int) -> Any:
    if len(arrays) == 1:
        return np.sort(arrays[0], axis=axis, kind="stable")
    order = np.argsort(arrays[0], axis=axis, kind="stable")
    return tuple(np.take_along_axis(np.asarray(a), order, axis) for a in arrays)


def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    axis, n = params["axis"], len(primals)
    if all(t is None for t in tangents):
        return bind_all(sort, *primals, **params), [None] * n
    place = op("iota", shape=primals[0].type.shape, axis=axis, dtype=I64)
    *outs, order = bind_all(sort, *primals, place, **params)
    moved = [
        t if t is None or not o.type.dtype.is_inexact else take_along(t, order, axis) for t, o in zip(tangents, outs, strict=True)
    ]
    return outs, moved


def take_along(x: Value, index: Value, axis: int) -> Value:
    """x at an index along one axis for each position of the others."""
    rank = x.type.rank
    order = (*[i for i in range(rank) if i != axis], axis)
    rows = op("transpose", x, permutation=order)
    at = op("transpose", index, permutation=order)
    at = op("reshape", at, shape=(*at.type.shape, 1))
    taken = op("gather", rows, at, axes=(rank - 1,), batch=rank - 1, mode="clip")
    return op("transpose", taken, permutation=tuple(order.index(i) for i in range(rank)))


def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(sort, *[broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True)], axis=params["axis"] + 1)


sort = Op("sort", _type, _numpy, jvp=_jvp, batch=_batch, doc="Arrays ordered along an axis by the first of them.")


# -- the largest elements


def _top_type(x: ArrayType, axis: int, k: int) -> tuple[ArrayType, ...]:
    check_dtypes("top_k", "ordered", [x])
    check_axes("top_k", x, (axis,))
    if not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"top_k: k must be from 0 to the size of axis {axis}, {x.shape[axis]}, got {k}")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return ArrayType(shape, x.dtype), ArrayType(shape, I32)


LONG_ROW = 256
"""Elements of a row for which its least result is looked for before anything is sorted."""


def _top_numpy(x: Any, axis: int, k: int) -> Any:
    x = np.asarray(x)
    rows = x.swapaxes(axis, -1)
    n = rows.shape[-1]
    if 0 < 4 * k <= n and n >= LONG_ROW:
        places = np.empty((*rows.shape[:-1], k), np.int64)
        for at in np.ndindex(rows.shape[:-1]):
            row = rows[at]
            few = np.flatnonzero(~(row < np.partition(row, n - k)[n - k]))
            places[at] = few[_decreasing(row[few])[:k]]
    else:
        places = _decreasing(rows)[..., :k]
    found = (np.take_along_axis(rows, places, -1), places.astype(np.int32))
    return tuple([np.ascontiguousarray(a.swapaxes(-1, axis)) for a in found])


def _decreasing(rows: Any) -> Any:
    """The places of elements along the last axis in decreasing order, of equal ones in their own: increasing, from behind."""
    return rows.shape[-1] - 1 - np.argsort(rows[..., ::-1], -1, kind="stable")[..., ::-1]


def _top_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    values, places = bind_all(top_k, *primals, **params)
    (t,) = tangents
    moved = t if t is None or not values.type.dtype.is_inexact else take_along(t, places, params["axis"])
    return (values, places), [moved, None]


def _top_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(top_k, *args, axis=params["axis"] + 1, k=params["k"])


top_k = Op(
    "top_k", _top_type, _top_numpy, jvp=_top_jvp, batch=_top_batch,
    doc="The k largest elements along an axis in decreasing order, of equal ones the first, and where they were.",
)  # fmt: skip
