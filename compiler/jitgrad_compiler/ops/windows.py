"""Windows: all the places at which a small box fits into an array, and what is put back from there.

`windows` is an index map, so what reads it (a sum, a largest element, a contraction) reads the array itself; `fold`, its transpose,
adds up what all windows say of each element. passes/windowed.py writes the ops of this room as what kernels are made of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import ShapeError
from ..ir.builder import Value
from ..ir.graph import BATCH, JVP, TRANSPOSE, Op
from ..ir.types import I32, ArrayType
from .arithmetic import op
from .define import Operand, Tangents, broadcast_batch, check_dtypes, linear_jvp, reshape, type_of_operand, zero_jvp

Counts = tuple[int, ...]


def span(size: int, dilation: int) -> int:
    """How many elements a window reaches over, whose elements are `dilation` apart."""
    return (size - 1) * dilation + 1 if size else 0


def places(n: int, size: int, stride: int, dilation: int) -> int:
    """At how many places a window fits into n elements, `stride` apart."""
    return max(0, (n - span(size, dilation)) // stride + 1)


def _check(name: str, x: ArrayType, sizes: Counts, strides: Counts, dilation: Counts) -> None:
    counts = (sizes, strides, dilation)
    if any(len(c) != x.rank for c in counts) or any(n < 1 for c in counts for n in c):
        raise ShapeError(
            f"{name}: sizes {sizes}, strides {strides} and dilation {dilation} must be positive numbers, one for each axis of {x}"
        )


def placed(shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> Counts:
    """The number of windows along each axis."""
    return tuple(places(*of) for of in zip(shape, sizes, strides, dilation, strict=True))


def view(x: Any, sizes: Counts, strides: Counts, dilation: Counts) -> Any:
    """All windows of a NumPy array, as a view."""
    x = np.asarray(x)
    shape = (*placed(x.shape, sizes, strides, dilation), *sizes)
    if 0 in shape:
        return np.zeros(shape, x.dtype)
    steps = (*[a * s for a, s in zip(x.strides, strides, strict=True)], *[a * d for a, d in zip(x.strides, dilation, strict=True)])
    if not x.flags.c_contiguous:
        return as_strided(x, shape, steps, writeable=False)
    seen: Any = np.ndarray(shape, x.dtype, x, 0, steps)  # the same in a tenth of the time
    seen.flags.writeable = False
    return seen


# -- windows, and their transpose


def _windows_type(x: ArrayType, sizes: Counts, strides: Counts, dilation: Counts) -> ArrayType:
    _check("windows", x, sizes, strides, dilation)
    return ArrayType((*placed(x.shape, sizes, strides, dilation), *sizes), x.dtype)


windows = Op(
    "windows", _windows_type, view, kind="layout", computes=False, free=True, in_registers=True,
    doc="All windows of an array: [place along each axis, place in the window along each axis].",
)  # fmt: skip
JVP[windows] = linear_jvp(windows)


@TRANSPOSE.of(windows)
def _windows_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [op("fold", cts[0], shape=type_of_operand(operands[0]).shape, **params)]


@BATCH.of(windows)
def _windows_batch(size: int, args: Sequence[Value], is_batched: Sequence[bool], params: dict[str, Any]) -> Any:
    made = op("windows", args[0], **_in_batch(params))
    rank = args[0].type.rank
    return [reshape(made, made.type.shape[:rank] + made.type.shape[rank + 1 :])]


def _fold_type(x: ArrayType, shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> ArrayType:
    check_dtypes("fold", "numeric", [x])
    whole = ArrayType(shape, x.dtype)
    _check("fold", whole, sizes, strides, dilation)
    if x.shape != (*placed(shape, sizes, strides, dilation), *sizes):
        raise ShapeError(f"fold: {x} does not have the windows of sizes {sizes}, strides {strides}, dilation {dilation} in {shape}")
    return whole


def _fold(x: Any, shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> Any:
    x, rank = np.asarray(x), len(shape)
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(*sizes):
        into = tuple(
            slice(k * d, k * d + (n - 1) * s + 1 if n else k * d, s)
            for k, n, s, d in zip(place, x.shape[:rank], strides, dilation, strict=True)
        )
        out[into] += x[(..., *place)]
    return out


fold = Op(
    "fold", _fold_type, _fold,
    doc="Of an array's windows the sum, for each element, of what all windows that hold it have there.",
)  # fmt: skip
JVP[fold] = linear_jvp(fold)


@TRANSPOSE.of(fold)
def _fold_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [op("windows", cts[0], **{k: v for k, v in params.items() if k != "shape"})]


@BATCH.of(fold)
def _fold_batch(size: int, args: Sequence[Value], is_batched: Sequence[bool], params: dict[str, Any]) -> Any:
    (x,), shape = args, params["shape"]
    rank = len(shape)
    grown = reshape(x, (*x.type.shape[: rank + 1], 1, *x.type.shape[rank + 1 :]))
    return [op("fold", grown, **_in_batch(params | {"shape": (size, *shape)}))]


# -- the largest or smallest element of each window; where it is; what is at such a place; and putting something there


def _batch_alone(name: str) -> Any:
    """The batching of an op of one operand and of windows."""

    def batch(size: int, args: Sequence[Value], is_batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [op(name, args[0], **_in_batch(params))]

    return batch


def _in_batch(params: dict[str, Any]) -> dict[str, Any]:
    """Params of windows beside a new first axis, others as they are."""
    return {k: (1, *v) if k in ("sizes", "strides", "dilation") else v for k, v in params.items()}


def _reduce_window(name: str, largest: bool, numpy: Any, doc: str) -> Op:
    def infer(x: ArrayType, sizes: Counts, strides: Counts, dilation: Counts) -> ArrayType:
        check_dtypes(name, "ordered", [x])
        _check(name, x, sizes, strides, dilation)
        return ArrayType(placed(x.shape, sizes, strides, dilation), x.dtype)

    def reference(x: Any, sizes: Counts, strides: Counts, dilation: Counts) -> Any:
        seen = view(x, sizes, strides, dilation)
        return numpy(seen, axis=tuple(range(len(sizes), seen.ndim)))

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        (x,), (t,) = primals, tangents
        out = op(name, x, **params)
        if t is None or not x.type.dtype.is_inexact:
            return [out], [None]
        return [out], [op("window_take", t, op("window_place", x, largest=largest, **params), **params)]

    made = Op(name, infer, reference, kind="window_reduce", batch=_batch_alone(name), doc=doc, combine="max" if largest else "min")
    JVP[made] = jvp
    return made


reduce_window_max = _reduce_window(
    "reduce_window_max", True, np.max, "The largest element of each window; its tangent is that of the first largest one."
)
reduce_window_min = _reduce_window(
    "reduce_window_min", False, np.min, "The smallest element of each window; its tangent is that of the first smallest one."
)


def _place_type(x: ArrayType, sizes: Counts, strides: Counts, dilation: Counts, largest: bool) -> ArrayType:
    check_dtypes("window_place", "ordered", [x])
    _check("window_place", x, sizes, strides, dilation)
    return ArrayType(placed(x.shape, sizes, strides, dilation), I32)


def _place(x: Any, sizes: Counts, strides: Counts, dilation: Counts, largest: bool) -> Any:
    seen = view(x, sizes, strides, dilation)
    flat = seen.reshape(*seen.shape[: len(sizes)], math.prod(sizes))
    return (np.argmax if largest else np.argmin)(flat, axis=-1).astype(np.int32)


window_place = Op(
    "window_place", _place_type, _place,
    doc="Which element of each window, counted row by row, is its first largest (or smallest) one, or its first NaN.",
)  # fmt: skip


JVP[window_place] = zero_jvp(window_place)
BATCH[window_place] = _batch_alone("window_place")


def _check_places(name: str, found: ArrayType, shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> None:
    if found.dtype != I32 or found.shape != placed(shape, sizes, strides, dilation):
        raise ShapeError(f"{name}: {found} are not the places in windows of sizes {sizes}, strides {strides} in shape {shape}")


def _take_type(x: ArrayType, found: ArrayType, sizes: Counts, strides: Counts, dilation: Counts) -> ArrayType:
    check_dtypes("window_take", "real", [x])
    _check("window_take", x, sizes, strides, dilation)
    _check_places("window_take", found, x.shape, sizes, strides, dilation)
    return ArrayType(found.shape, x.dtype)


def _take(x: Any, found: Any, sizes: Counts, strides: Counts, dilation: Counts) -> Any:
    seen = view(x, sizes, strides, dilation)
    flat = seen.reshape(*seen.shape[: len(sizes)], math.prod(sizes))
    return np.take_along_axis(flat, np.asarray(found)[..., None].astype(np.int64), axis=-1)[..., 0]


window_take = Op(
    "window_take", _take_type, _take,
    doc="The element of each window at a place that is given for each.",
)  # fmt: skip
JVP[window_take] = linear_jvp(window_take, 1)


@TRANSPOSE.of(window_take)
def _take_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    x, found = operands
    return [op("window_put", cts[0], found, shape=type_of_operand(x).shape, **params), None]  # type: ignore[arg-type]


@BATCH.of(window_take)
def _take_batch(size: int, args: Sequence[Value], is_batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, found = (broadcast_batch(a, size, b) for a, b in zip(args, is_batched, strict=True))
    return [op("window_take", x, found, **_in_batch(params))]


def _put_type(x: ArrayType, found: ArrayType, shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> ArrayType:
    check_dtypes("window_put", "real", [x])
    whole = ArrayType(shape, x.dtype)
    _check("window_put", whole, sizes, strides, dilation)
    _check_places("window_put", found, shape, sizes, strides, dilation)
    if x.shape != found.shape:
        raise ShapeError(f"window_put: {x} has not the shape of the places {found}")
    return whole


def _put(x: Any, found: Any, shape: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> Any:
    places_in = np.arange(math.prod(sizes), dtype=np.int32).reshape(sizes)
    spread = np.where(np.asarray(found)[(..., *[None] * len(sizes))] == places_in, np.asarray(x)[(..., *[None] * len(sizes))], 0)
    return _fold(spread.astype(np.asarray(x).dtype), shape, sizes, strides, dilation)


window_put = Op(
    "window_put", _put_type, _put,
    doc="An element for each window, added to zeros at the place in the window that is given for each.",
)  # fmt: skip
JVP[window_put] = linear_jvp(window_put, 1)


@TRANSPOSE.of(window_put)
def _put_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [op("window_take", cts[0], operands[1], **{k: v for k, v in params.items() if k != "shape"}), None]  # type: ignore[arg-type]


@BATCH.of(window_put)
def _put_batch(size: int, args: Sequence[Value], is_batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, found = (broadcast_batch(a, size, b) for a, b in zip(args, is_batched, strict=True))
    return [op("window_put", x, found, **_in_batch(params | {"shape": (size, *params["shape"])}))]
