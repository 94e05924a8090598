"""sort: one or more arrays ordered along an axis by the first of them. Stable; NaNs go last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind_all
from ..ir.graph import Op
from ..ir.types import I64, ArrayType
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
