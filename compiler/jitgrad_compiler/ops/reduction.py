"""Reductions over axes, and cumulative ones along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind
from ..ir.graph import JVP, TRANSPOSE, Op
from ..ir.types import ArrayType, DType
from .arithmetic import op, where
from .define import Tangents, broadcast, check_dtypes, convert, full, linear_jvp, reduce_sum, type_of_operand, zero_jvp
from .recurrence import moved_by_one
from .summation import pairwise_sum, running_sum


def check_axes(name: str, x: ArrayType, axes: Sequence[int]) -> None:
    if any(not 0 <= a < x.rank for a in axes) or len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: axes {tuple(axes)} must be different axes of {x}")


def expand(x: Value, shape: tuple[int, ...], axes: tuple[int, ...]) -> Value:
    """A reduced value broadcast back over the axes it was reduced over."""
    return broadcast(x, shape, tuple(i for i in range(len(shape)) if i not in axes))


def _reduce(name: str, numpy: Callable[..., Any], accepts: str, doc: str, combine: str, empty: Any = None) -> Op:
    def infer(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
        check_dtypes(name, accepts, [x])
        check_axes(name, x, axes)
        if empty is None and any(x.shape[a] == 0 for a in axes):
            raise ShapeError(f"{name}: the reduced axes {axes} of {x} are empty, and {name} of nothing is not defined")
        return ArrayType(tuple(d for i, d in enumerate(x.shape) if i not in axes), x.dtype)

    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [bind(made, args[0], axes=tuple(a + 1 for a in params["axes"]))]

    made = Op(
        name, infer, lambda x, axes: numpy(x, axis=axes), kind="reduce", batch=batch, doc=doc, combine=combine, empty=empty,
        in_registers=True, hands_on=combine in ("add", "max", "min"), exact=combine in ("max", "min"),
    )  # fmt: skip
    return made


reduce_sum_op = _reduce("reduce_sum", pairwise_sum, "numeric", "Sum over axes.", empty=0, combine="add")
JVP[reduce_sum_op] = linear_jvp(reduce_sum_op)
TRANSPOSE[reduce_sum_op] = lambda cts, operands, params: [expand(cts[0], type_of_operand(operands[0]).shape, params["axes"])]


def _product_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    """The tangent is the sum of t_i times the product of all others, which two cumulative products give without dividing."""
    (x,), (t,), axes = primals, tangents, params["axes"]
    out = op("reduce_prod", x, axes=axes)
    if t is None or not axes:
        return [out], [t]
    kept = tuple(i for i in range(x.type.rank) if i not in axes)
    order = (*kept, *axes)
    shape = (*[x.type.shape[i] for i in kept], int(np.prod([x.type.shape[i] for i in axes])))
    flat = op("reshape", op("transpose", x, permutation=order), shape=shape)
    flat_t = op("reshape", op("transpose", t, permutation=order), shape=shape)
    axis = len(kept)
    others = _before(flat, axis, False) * _before(flat, axis, True)
    return [out], [reduce_sum(flat_t * others, (axis,))]


def _before(x: Value, axis: int, reverse: bool) -> Value:
    """The product of the elements before each one (behind it, for `reverse`)."""
    return op("cumprod", moved_by_one(x, axis, reverse, 1), axis=axis, reverse=reverse) if x.type.shape[axis] else x


reduce_prod_op = _reduce(
    "reduce_prod",
    lambda x, axis: np.multiply.reduce(x, axis=axis, dtype=np.asarray(x).dtype),
    "numeric",
    "Product over axes.",
    empty=1,
    combine="mul",
)
JVP[reduce_prod_op] = _product_jvp


def _chooser_jvp(name: str) -> Any:
    """The tangents of the elements that were chosen, averaged where several tie."""

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        (x,), (t,), axes = primals, tangents, params["axes"]
        out = op(name, x, axes=axes)
        if t is None or not x.type.dtype.is_inexact:
            return [out], [None]
        chosen = convert(op("eq", x, expand(out, x.type.shape, axes)), x.type.dtype)
        return [out], [reduce_sum(t * chosen, axes) / reduce_sum(chosen, axes)]

    return jvp


reduce_max_op = _reduce("reduce_max", np.maximum.reduce, "ordered", "Largest element over axes; NaN where one is.", combine="max")
reduce_min_op = _reduce("reduce_min", np.minimum.reduce, "ordered", "Smallest element over axes; NaN where one is.", combine="min")
JVP[reduce_max_op] = _chooser_jvp("reduce_max")
JVP[reduce_min_op] = _chooser_jvp("reduce_min")


def _bits(name: str, ufunc: Any, empty: bool, combine: str, doc: str) -> Op:
    def numpy(x: Any, axis: Any) -> Any:
        return ufunc.reduce(x, axis=axis)

    return _reduce(name, numpy, "bits", doc, empty=empty, combine=combine)


reduce_and_op = _bits("reduce_and", np.bitwise_and, True, "and", "Bitwise and over axes; of bools, whether all hold.")
reduce_or_op = _bits("reduce_or", np.bitwise_or, False, "or", "Bitwise or over axes; of bools, whether any holds.")
JVP[reduce_and_op], JVP[reduce_or_op] = zero_jvp(reduce_and_op), zero_jvp(reduce_or_op)


def _arg(name: str, numpy: Any, doc: str) -> Op:
    def infer(x: ArrayType, axis: int, dtype: DType) -> ArrayType:
        check_dtypes(name, "ordered", [x])
        check_axes(name, x, (axis,))
        if not x.shape[axis]:
            raise ShapeError(f"{name}: axis {axis} of {x} is empty")
        return ArrayType(x.shape[:axis] + x.shape[axis + 1 :], dtype)

    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [bind(made, args[0], axis=params["axis"] + 1, dtype=params["dtype"])]

    def reference(x: Any, axis: int, dtype: DType) -> Any:
        return numpy(x, axis=axis)

    made = Op(name, infer, reference, kind="argreduce", batch=batch, doc=doc, combine=name, in_registers=True)
    JVP[made] = zero_jvp(made)
    return made


argmax = _arg("argmax", np.argmax, "Index of the first largest element along an axis; a NaN counts as largest.")
argmin = _arg("argmin", np.argmin, "Index of the first smallest element along an axis; a NaN counts as smallest.")


def _cumulative(name: str, accumulate: Callable[..., Any], accepts: str, combine: str, doc: str) -> Op:
    def infer(x: ArrayType, axis: int, reverse: bool) -> ArrayType:
        check_dtypes(name, accepts, [x])
        check_axes(name, x, (axis,))
        return x

    def numpy(x: Any, axis: int, reverse: bool) -> Any:
        turned = np.flip(x, axis) if reverse else np.asarray(x)
        out = accumulate(turned, axis=axis)
        return np.flip(out, axis) if reverse else out

    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [bind(made, args[0], axis=params["axis"] + 1, reverse=params["reverse"])]

    made = Op(name, infer, numpy, kind="cumulative", batch=batch, doc=doc, combine=combine, exact=combine in ("max", "min"))
    return made


def _running(ufunc: Any) -> Callable[..., Any]:
    return lambda x, axis: ufunc.accumulate(x, axis=axis, dtype=x.dtype)


cumsum = _cumulative("cumsum", running_sum, "numeric", "add", "Running sum along an axis, from the end for `reverse`.")
JVP[cumsum] = linear_jvp(cumsum)
TRANSPOSE[cumsum] = lambda cts, operands, params: [op("cumsum", cts[0], axis=params["axis"], reverse=not params["reverse"])]
cumprod = _cumulative(
    "cumprod", _running(np.multiply), "numeric", "mul", "Running product along an axis, from the end for `reverse`."
)
cummax = _cumulative("cummax", _running(np.maximum), "ordered", "max", "Running maximum along an axis, from the end for `reverse`.")
cummin = _cumulative("cummin", _running(np.minimum), "ordered", "min", "Running minimum along an axis, from the end for `reverse`.")


def _cumprod_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    """By the product rule, step by step: t[i] times the product of what came before, and x[i] times the tangent of that."""
    (x,), (t,), axis = primals, tangents, params["axis"]
    out = op("cumprod", x, **params)
    if t is None or not x.type.shape[axis]:
        return [out], [t]
    return [out], [op("linear_recurrence", x, t * moved_by_one(out, axis, params["reverse"], 1), **params)]


JVP[cumprod] = _cumprod_jvp


def _cumulative_chooser_jvp(name: str) -> Any:
    """The tangents of the elements that hold the record, averaged where several tie, as in `_chooser_jvp`; 0 behind a NaN.

    The record stays until it is beaten, so that sums over its holders are a recurrence that begins anew where it changes.
    """

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        (x,), (t,), (axis, reverse) = primals, tangents, (params["axis"], params["reverse"])
        out = op(name, x, axis=axis, reverse=reverse)
        if t is None or not x.type.shape[axis]:
            return [out], [t]
        stays = convert(op("eq", out, moved_by_one(out, axis, reverse, 0)), x.type.dtype)
        holds = op("eq", x, out)
        count = op("linear_recurrence", stays, convert(holds, x.type.dtype), **params)
        total = op("linear_recurrence", stays, where(holds, t, 0), **params)
        return [out], [total / op("max", count, full(x.type.shape, 1, x.type.dtype))]

    return jvp


JVP[cummax] = _cumulative_chooser_jvp("cummax")
JVP[cummin] = _cumulative_chooser_jvp("cummin")
