"""linear_recurrence: y[i] = a[i] y[i - 1] + b[i] along an axis, from y[-1] = 0.

It is what the derivative of a running product is, and its own derivatives are of the same form: linear in b, and in a the
recurrence of the values before. So derivatives of every order take memory as large as their operands, and divide by nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind, literal
from ..ir.graph import OPS, Op
from ..ir.types import ArrayType
from .define import Operand, Tangents, add_tangents, broadcast_batch, check_dtypes, is_linear, known, not_linear

FEW_ROWS = 16
"""Rows up to which Python's floats are quicker than NumPy, whose steps cost a microsecond each."""


def moved_by_one(x: Value, axis: int, back: bool, first: Any) -> Value:
    """Each element's neighbour before it along an axis (behind it, for `back`), and `first` for the one that has none."""
    edge = [(0, 0, 0)] * x.type.rank
    edge[axis] = (-1, 1, 0) if back else (1, -1, 0)
    return bind(OPS["pad"], x, literal(first, x.type.dtype), padding=tuple(edge))


def _type(a: ArrayType, b: ArrayType, axis: int, reverse: bool) -> ArrayType:
    check_dtypes("linear_recurrence", "inexact", [a, b])
    if a.shape != b.shape or not 0 <= axis < a.rank:
        raise ShapeError(f"linear_recurrence: needs two arrays of one shape that has axis {axis}, got {a} and {b}")
    return b


def _recurrence(a: Any, b: Any, axis: int, reverse: bool) -> Any:
    steps = [np.moveaxis(np.flip(x, axis) if reverse else np.asarray(x), axis, 0) for x in (a, b)]
    rows = [s.reshape(len(s), math.prod(s.shape[1:])) for s in steps]
    out = np.empty(rows[0].shape, np.asarray(b).dtype)
    if 0 < out.shape[1] <= FEW_ROWS:
        for number in range(out.shape[1]):
            out[:, number] = _one_row(*(r[:, number].tolist() for r in rows))
    else:
        y = np.zeros(out.shape[1:], out.dtype)
        for i in range(len(out)):
            y = rows[0][i] * y + rows[1][i]
            out[i] = y
    found = np.moveaxis(out.reshape(steps[0].shape), 0, axis)
    return np.flip(found, axis) if reverse else found


def _one_row(a: list[Any], b: list[Any]) -> list[Any]:
    y, out = 0.0, []
    for factor, term in zip(a, b, strict=True):
        y = factor * y + term
        out.append(y)
    return out


def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a, b), (ta, tb) = primals, tangents
    out = bind(linear_recurrence, a, b, **params)
    from_a = None if ta is None else ta * moved_by_one(out, params["axis"], params["reverse"], 0)
    total = add_tangents(from_a, tb)
    return [out], [None if total is None else bind(linear_recurrence, a, total, **params)]


def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    a, b = operands
    if is_linear(a):
        raise not_linear("linear_recurrence")
    axis, reverse = params["axis"], params["reverse"]
    following = moved_by_one(known("linear_recurrence", a), axis, not reverse, 0)
    return [None, bind(linear_recurrence, following, cts[0], axis=axis, reverse=not reverse)]


def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    a, b = (broadcast_batch(x, size, is_batched) for x, is_batched in zip(args, batched, strict=True))
    return [bind(linear_recurrence, a, b, axis=params["axis"] + 1, reverse=params["reverse"])]


linear_recurrence = Op(
    "linear_recurrence", _type, _recurrence, jvp=_jvp, transpose=_transpose, batch=_batch,
    doc="y[i] = a[i] * y[i - 1] + b[i] along an axis, from the end for `reverse`.",
)  # fmt: skip
