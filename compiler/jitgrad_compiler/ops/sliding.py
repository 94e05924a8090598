"""slide: a vector moved along another, the sum of their products at each place. Convolutions and correlations are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, literal
from ..ir.graph import JVP, Op
from ..ir.types import ArrayType
from .arithmetic import op
from .define import Operand, bilinear_jvp, broadcast_batch, check_dtypes, is_linear, known, type_of_operand


def _type(x: ArrayType, y: ArrayType) -> ArrayType:
    check_dtypes("slide", "numeric", [x, y])
    if not x.rank or x.shape[:-1] != y.shape[:-1] or not 0 < y.shape[-1] <= x.shape[-1]:
        raise ShapeError(f"slide: needs vectors [..., n] and [..., m] with 0 < m <= n, got {x} and {y}")
    return ArrayType((*x.shape[:-1], x.shape[-1] - y.shape[-1] + 1), x.dtype)


def _numpy(x: Any, y: Any) -> Any:
    """By np.correlate, which conjugates its second operand; float32 in float64, for long sums."""
    x, y = np.asarray(x), np.asarray(y)
    wide = np.result_type(x, np.float64) if x.dtype.kind in "fc" else x.dtype
    out = np.empty((*x.shape[:-1], x.shape[-1] - y.shape[-1] + 1), x.dtype)
    for row in np.ndindex(*x.shape[:-1]):
        out[row] = np.correlate(x[row].astype(wide), np.conj(y[row]).astype(wide), "valid")
    return out


def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, y) = cts, operands
    if not is_linear(x):
        return [None, op("slide", known("slide", x), ct)]
    kernel, last = known("slide", y), type_of_operand(x).rank - 1
    edge = kernel.type.shape[last] - 1
    padding = (*[(0, 0, 0)] * last, (edge, edge, 0))
    return [op("slide", op("pad", ct, literal(0, ct.type.dtype), padding=padding), op("reverse", kernel, axes=(last,))), None]


def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return [op("slide", *[broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True)])]


slide = Op(
    "slide", _type, _numpy, transpose=_transpose, batch=_batch,
    doc="The sum over k of x[..., i + k] * y[..., k], for each place i at which y is inside x.",
)  # fmt: skip
JVP[slide] = bilinear_jvp(slide)
