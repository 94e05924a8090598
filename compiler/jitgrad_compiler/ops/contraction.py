"""dot_general: sums of products over any contracted axes, with any batch axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value
from ..ir.graph import JVP, Op
from ..ir.types import ArrayType
from .arithmetic import op
from .define import Operand, axis_to_front, bilinear_jvp, check_dtypes, is_linear, known, transpose_axes, type_of_operand
from .summation import long_matmul

Dims = tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]
"""((contracted axes of x, of y), (batch axes of x, of y)), as in lax.dot_general."""


IN_FULL, REDUCED = "highest", "tensorfloat32"
"""What `precision` may be, a param: that operands may be rounded to TF32, where a target is faster so. Without it they may not."""


def free_axes(rank: int, contracted: tuple[int, ...], batch: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(rank) if i not in contracted and i not in batch)


def _type(x: ArrayType, y: ArrayType, dims: Dims, precision: str = IN_FULL) -> ArrayType:
    check_dtypes("dot_general", "numeric", [x, y])
    (cx, cy), (bx, by) = dims
    for name, t, c, b in (("first", x, cx, bx), ("second", y, cy, by)):
        if len({*c, *b}) != len(c) + len(b) or any(not 0 <= a < t.rank for a in (*c, *b)):
            raise ShapeError(
                f"dot_general: contracted axes {c} and batch axes {b} are not different axes of the {name} operand {t}"
            )
    if [x.shape[a] for a in cx] != [y.shape[a] for a in cy] or [x.shape[a] for a in bx] != [y.shape[a] for a in by]:
        raise ShapeError(
            f"dot_general: contracted sizes must agree, got {x} along axes {cx} and {y} along axes {cy}"
            + (f", and batch sizes along {bx} and {by}" if bx else "")
        )
    batch = tuple(x.shape[a] for a in bx)
    left = tuple(x.shape[a] for a in free_axes(x.rank, cx, bx))
    return ArrayType(batch + left + tuple(y.shape[a] for a in free_axes(y.rank, cy, by)), x.dtype)


def contract_numpy(x: Any, y: Any, dims: Dims, precision: str = IN_FULL) -> Any:
    """By matrix products of operands brought to [batch, free, contracted] and [batch, contracted, free]."""
    x, y = np.asarray(x), np.asarray(y)
    x_order, x_shape, y_order, y_shape, shape = _as_products(x.shape, y.shape, dims)
    return long_matmul(x.transpose(x_order).reshape(x_shape), y.transpose(y_order).reshape(y_shape)).reshape(shape)


@lru_cache(maxsize=1024)
def _as_products(x: tuple[int, ...], y: tuple[int, ...], dims: Dims) -> tuple[Any, ...]:
    """For operands of two shapes: the order of each one's axes, its shape then, and that of the result."""
    (cx, cy), (bx, by) = dims
    fx, fy = free_axes(len(x), cx, bx), free_axes(len(y), cy, by)

    def sizes(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
        return tuple(shape[i] for i in axes)

    batch, rows, columns = sizes(x, bx), sizes(x, fx), sizes(y, fy)
    depth = math.prod(sizes(x, cx))
    x_order, y_order = (*bx, *fx, *cx), (*by, *cy, *fy)
    x_shape, y_shape = (*batch, math.prod(rows), depth), (*batch, depth, math.prod(columns))
    return x_order, x_shape, y_order, y_shape, (*batch, *rows, *columns)


def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    x, y = operands
    (cx, cy), (bx, by) = params["dims"]
    more = {k: v for k, v in params.items() if k != "dims"}
    if is_linear(x):
        return [_transpose_one(cts[0], type_of_operand(x), known("dot_general", y), (cx, cy), (bx, by), True, more), None]
    return [None, _transpose_one(cts[0], type_of_operand(y), x, (cy, cx), (by, bx), False, more)]


def _transpose_one(ct: Value, mine: ArrayType, other: Any, contracted: Any, batch: Any, first: bool, more: Any) -> Value:
    """Contract the cotangent with the other operand over the other's free axes, then put the axes where they were."""
    (c_mine, c_other), (b_mine, b_other) = contracted, batch
    f_mine, f_other = free_axes(mine.rank, c_mine, b_mine), free_axes(other.type.rank, c_other, b_other)
    nb = len(b_mine)
    at = nb + len(f_mine) if first else nb
    ct_contracted = tuple(range(at, at + len(f_other)))
    batch_axes = tuple(range(nb))
    if first:
        out = op("dot_general", ct, other, dims=((ct_contracted, f_other), (batch_axes, b_other)), **more)
        # result axes: batch, my free axes, then the other's contracted axes in the order they have there
        behind = [c_mine[c_other.index(a)] for a in sorted(c_other)]
        order = [*b_mine, *f_mine, *behind]
    else:
        out = op("dot_general", other, ct, dims=((f_other, ct_contracted), (b_other, batch_axes)), **more)
        behind = [c_mine[c_other.index(a)] for a in sorted(c_other)]
        order = [*b_mine, *behind, *f_mine]
    return transpose_axes(out, tuple(order.index(i) for i in range(mine.rank)))


def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    (x, y), ((cx, cy), (bx, by)) = args, params["dims"]
    more = {k: v for k, v in params.items() if k != "dims"}

    def up(axes: Sequence[int]) -> tuple[int, ...]:
        return tuple(a + 1 for a in axes)

    if all(batched):
        return [op("dot_general", x, y, dims=((up(cx), up(cy)), ((0, *up(bx)), (0, *up(by)))), **more)]
    if batched[0]:  # the new axis is the first free one of x
        out = op("dot_general", x, y, dims=((up(cx), cy), (up(bx), by)), **more)
        return [axis_to_front(out, len(bx))]
    out = op("dot_general", x, y, dims=((cx, up(cy)), (bx, up(by))), **more)
    return [axis_to_front(out, len(bx) + len(free_axes(x.type.rank, cx, bx)))]


dot_general = Op(
    "dot_general", _type, contract_numpy, in_registers=True, transpose=_transpose, batch=_batch,
    doc="Sums of products over contracted axes. Result axes: batch, x's free axes, y's free axes.",
)  # fmt: skip
JVP[dot_general] = bilinear_jvp(dot_general)
