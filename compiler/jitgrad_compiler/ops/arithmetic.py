"""Elementwise arithmetic: sums, products, rounding, extremes, selection, conversion, complex parts.

Quotients are in division.py, powers in powers.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError
from ..ir.builder import Value, bind, literal, operand
from ..ir.graph import OPS
from ..ir.storage import rounded
from ..ir.types import BOOL, F32, F64, NAMES, ArrayType, DType, complex_of, signed_integer
from .define import (
    Operand,
    Tangents,
    check_dtypes,
    convert,
    elementwise,
    elementwise_shape,
    is_linear,
    known,
    type_of_operand,
    zeros,
)


def op(name: str, /, *args: Value, **params: Any) -> Value:
    return bind(OPS[name], *args, **params)


def where(condition: Value, a: Any, b: Any) -> Value:
    """`select` with Python numbers allowed for one of the branches."""
    like = a if isinstance(a, Value) else b
    return op("select", condition, operand(a, like), operand(b, like))


def is_number(register: Any) -> bool:
    """Whether a register is a constant, the same in all lanes, that is not a NaN."""
    return register.constant is not None and register.constant == register.constant


def has_zeros(x: Any) -> bool:
    """Whether a zero is among the elements of an array. Counting is the quickest way to look at a small one."""
    return np.count_nonzero(x) < x.size if x.size <= SMALL else bool((x == 0).any())


SMALL = 4096
"""Elements that are counted in less time than a reduction takes to begin."""


def _extreme(ufunc: Any, order: str) -> Any:
    """NumPy's maximum or minimum, which give one or the other of two zeros; 0.0 is more than -0.0 here."""

    def evaluate(x: Any, y: Any) -> Any:
        out = ufunc(x, y)
        if out.dtype.kind in "biu":
            return out
        number, other = (x, y) if isinstance(x, (np.generic, float, int)) else (y, x)
        if isinstance(number, (np.generic, float, int)):
            if number:
                return out
            negative = np.signbit(number)
            if order == "gt" and not negative:
                return np.add(out, number)  # the sum of two zeros is -0.0 if both are
            if negative == (order == "gt"):
                return np.copysign(out, other)  # what is on the other side of the zero gives way to it
        elif not has_zeros(out):
            return out
        both = np.equal(x, 0) & np.equal(y, 0)
        negative = (np.bitwise_and if order == "gt" else np.bitwise_or)(np.signbit(x), np.signbit(y))
        return np.where(both, np.where(negative, -0.0, 0.0).astype(out.dtype), out)

    return evaluate


def extreme(e: Any, order: str, x: Any, y: Any) -> Any:
    """The larger or smaller of two registers, NaN where either is, and any of two zeros.

    It compares and selects in the form that becomes one vmaxps, and one blend for y's NaN.
    """
    if x.type == BOOL:
        return e.or_(x, y) if order == "gt" else e.and_(x, y)
    if is_number(x):
        x, y = y, x
    chosen = e.select(e.compare(order, y, x), y, x)
    return chosen if not x.type.is_float or is_number(y) else e.select(e.isnan(y), y, chosen)


def _emit_extreme(order: str) -> Any:
    """`extreme` with 0.0 above -0.0. Of equal numbers it takes both's bits together, which differ for zeros alone."""

    def emit(e: Any, x: Any, y: Any) -> Any:
        chosen = extreme(e, order, x, y)
        number = next((v for v in (y, x) if is_number(v)), None)
        if not x.type.is_float or (number is not None and number.constant != 0):
            return chosen
        if number is not None and order == "gt":
            return e.add(chosen, number)  # a tie chose the other one: -0.0 + 0.0 is 0.0, and -0.0 changes nothing
        x_bits, y_bits = (e.bitcast(v, signed_integer(x.type.bits)) for v in (x, y))
        tie = e.bitcast(e.and_(x_bits, y_bits) if order == "gt" else e.or_(x_bits, y_bits), x.type)
        return e.select(e.compare("eq", x, y), tie, chosen)

    return emit


def _share(chosen: str) -> list[Any]:
    """Partials of max and min: all to the operand that won, half to each where they tie."""

    def partial(me: int) -> Any:
        def weight(x: Value, y: Value, out: Value) -> Value:
            mine, other = (x, y) if me == 0 else (y, x)
            one, half, zero = (literal(number, out.type.dtype) for number in (1, 0.5, 0))
            return op("select", op(chosen, mine, other), one, op("select", op("eq", mine, other), half, zero))

        return weight

    return [partial(0), partial(1)]


def _add_transpose(sign: int) -> Any:
    def transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
        (ct,), (x, y) = cts, operands
        return [ct if is_linear(x) else None, (ct if sign > 0 else -ct) if is_linear(y) else None]

    return transpose


def _mul_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, y) = cts, operands
    return [ct * known("mul", y), None] if is_linear(x) else [None, ct * known("mul", x)]


add = elementwise(
    "add", np.add, lambda e, x, y: e.add(x, y) if x.type != BOOL else e.or_(x, y), accepts="any",
    partials=[lambda x, y, out: 1, lambda x, y, out: 1], transpose=_add_transpose(1), commutes=True, doc="x + y; of bools, or.",
)  # fmt: skip
sub = elementwise(
    "sub", np.subtract, lambda e, x, y: e.sub(x, y), accepts="numeric",
    partials=[lambda x, y, out: 1, lambda x, y, out: -1], transpose=_add_transpose(-1), doc="x - y.",
)  # fmt: skip
mul = elementwise(
    "mul", np.multiply, lambda e, x, y: e.mul(x, y) if x.type != BOOL else e.and_(x, y), accepts="any",
    partials=[lambda x, y, out: y, lambda x, y, out: x], transpose=_mul_transpose, commutes=True, doc="x * y; of bools, and.",
)  # fmt: skip


neg = elementwise(
    "neg", np.negative, lambda e, x: e.neg(x), hands_on=True, exact=True, accepts="numeric", partials=[lambda x, out: -1],
    transpose=lambda cts, operands, params: [-cts[0]], doc="-x.",
)  # fmt: skip
max_ = elementwise(
    "max", _extreme(np.maximum, "gt"), _emit_extreme("gt"), hands_on=True, exact=True, accepts="ordered", partials=_share("gt"),
    commutes=True,
    doc="The larger of x and y, 0.0 of both zeros; NaN where either is.",
)  # fmt: skip
min_ = elementwise(
    "min", _extreme(np.minimum, "lt"), _emit_extreme("lt"), hands_on=True, exact=True, accepts="ordered", partials=_share("lt"),
    commutes=True,
    doc="The smaller of x and y, -0.0 of both zeros; NaN where either is.",
)  # fmt: skip


def _abs_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (x,), (t,) = primals, tangents
    out = op("abs", x)
    if t is None:
        return [out], [None]
    if x.type.dtype.is_complex:
        nonzero = op("gt", out, zeros(out.type))
        unit = op("conj", x) / convert(where(nonzero, out, 1.0), x.type.dtype)
        return [out], [op("real", t * unit)]
    return [out], [t * op("sign", x)]


def _sign_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    """Constant for real numbers; x / |x| of a complex one turns with the part of the tangent across it, and stays 0 at 0."""
    (x,), (t,) = primals, tangents
    out = op("sign", x)
    if t is None or not x.type.dtype.is_complex:
        return [out], [None]
    size = op("abs", x)
    across = op("imag", op("conj", out) * t) / where(op("gt", size, zeros(size.type)), size, 1.0)
    return [out], [out * make_complex(zeros(across.type), across)]


def _emit_sign(e: Any, x: Any) -> Any:
    if x.type in (F32, F64):
        one = e.copysign(e.const(1.0, x.type, x.width), x)
        return e.select(e.compare("eq", x, 0.0), x, e.select(e.isnan(x), x, one))
    positive = e.convert(e.compare("gt", x, 0), x.type)
    return e.sub(positive, e.convert(e.compare("lt", x, 0), x.type)) if x.type.is_signed else positive


def _sign(x: Any) -> Any:
    """NumPy's, whose result for -0.0 is 0.0."""
    x = np.asarray(x)
    out = np.sign(x)
    return np.where(x == 0, x, out) if x.dtype.kind == "f" and has_zeros(x) else out


def _round_away(x: Any) -> Any:
    whole = np.trunc(x)
    return np.copysign(np.where(np.abs(x - whole) >= 0.5, np.abs(whole) + 1, np.abs(whole)), x).astype(np.asarray(x).dtype)


abs_ = elementwise(
    "abs", np.abs, lambda e, x: e.abs(x), hands_on=True, exact=True, accepts="numeric", result="real", jvp=_abs_jvp, doc="|x|."
)
sign = elementwise(
    "sign", _sign, _emit_sign, exact=True, accepts="numeric", jvp=_sign_jvp,
    doc="-1, 0 or 1 by x's sign, of complex numbers x / |x|; a zero or NaN as it is.",
)  # fmt: skip
floor = elementwise("floor", np.floor, lambda e, x: e.floor(x), exact=True, accepts="float", doc="The largest integer not above x.")
ceil = elementwise("ceil", np.ceil, lambda e, x: e.ceil(x), exact=True, accepts="float", doc="The least integer not below x.")
trunc = elementwise("trunc", np.trunc, lambda e, x: e.trunc(x), exact=True, accepts="float", doc="x without its fraction.")
round_even = elementwise(
    "round_even", np.rint, lambda e, x: e.round_even(x), exact=True, accepts="float", doc="The nearest integer, halves to even."
)
round_away = elementwise(
    "round_away", _round_away, lambda e, x: e.intrinsic("round", x), exact=True, accepts="float",
    doc="The nearest integer, halves away from zero.",
)  # fmt: skip


def _select_type(condition: ArrayType, x: ArrayType, y: ArrayType) -> ArrayType:
    if condition.dtype != BOOL:
        raise DTypeError(f"select: the condition must be bool, got {condition}")
    check_dtypes("select", "any", [x, y])
    return ArrayType(elementwise_shape("select", [condition, x, y]), x.dtype)


def _select_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (c, x, y), (_, tx, ty) = primals, tangents
    out = op("select", c, x, y)
    if tx is None and ty is None:
        return [out], [None]
    return [out], [where(c, 0 if tx is None else tx, 0 if ty is None else ty)]


def _select_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (c, x, y) = cts, operands
    assert isinstance(c, Value)
    return [None, where(c, ct, 0) if is_linear(x) else None, where(c, 0, ct) if is_linear(y) else None]


select = elementwise(
    "select", np.where, lambda e, c, x, y: e.select(c, x, y), infer=_select_type, arity=3, accepts="any",
    computes=False, hands_on=True, exact=True, jvp=_select_jvp, transpose=_select_transpose,
    doc="x where the condition holds, else y.",
)  # fmt: skip


def _convert(x: Any, dtype: DType) -> Any:
    x, target = np.asarray(x), dtype.numpy
    if NAMES[x.dtype].is_storage:
        x = x.astype(NAMES[x.dtype].computed.numpy)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real if target.kind != "b" else x != 0
    if x.dtype.kind == "f" and target.kind in "iu":
        return saturated(x, target)
    return rounded(x, dtype) if dtype.is_storage else x.astype(target)


_BOUNDS = {size: np.array(2.0 ** (8 * size - 1), np.float32) for size in (1, 2, 4, 8)}


def saturated(x: np.ndarray, target: np.dtype) -> np.ndarray:
    """Floats as integers: truncated, held to the type's range, NaN as 0."""
    if target.kind == "i" and np.count_nonzero(inside := np.less(np.abs(x), _BOUNDS[target.itemsize])) == inside.size:
        return x.astype(target)
    info = np.iinfo(target)
    whole: np.ndarray = np.trunc(x.astype(np.float64) if x.dtype.itemsize < 8 else x)
    inside = np.greater_equal(whole, float(info.min)) & np.less(whole, float(info.max))
    if np.count_nonzero(inside) == inside.size:
        return whole.astype(target)
    kept = np.where(inside, whole, 0.0).astype(target)
    return np.where(whole < float(info.min), target.type(info.min), np.where(whole >= float(info.max), target.type(info.max), kept))


def _convert_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (x,), (t,) = primals, tangents
    out = op("convert_element_type", x, **params)
    return [out], [convert(t, params["dtype"]) if t is not None and params["dtype"].is_inexact else None]


def _convert_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [convert(cts[0], type_of_operand(operands[0]).dtype)]


convert_element_type = elementwise(
    "convert_element_type", _convert, lambda e, x, dtype: e.convert(x, dtype), infer=lambda x, dtype: ArrayType(x.shape, dtype),
    accepts="any", computes=False, hands_on=True, jvp=_convert_jvp, transpose=_convert_transpose,
    doc="The value in another type. Floats to integers truncate and saturate, NaN is 0; complex to real drops the imaginary part.",
)  # fmt: skip


def _bitcast_type(x: ArrayType, dtype: DType) -> ArrayType:
    if x.dtype.nbytes != dtype.nbytes or BOOL in (x.dtype, dtype):
        raise DTypeError(f"bitcast_convert_type: {x.dtype} and {dtype} are not of one size")
    return ArrayType(x.shape, dtype)


bitcast_convert_type = elementwise(
    "bitcast_convert_type", lambda x, dtype: np.asarray(x).view(dtype.numpy), lambda e, x, dtype: e.bitcast(x, dtype),
    infer=_bitcast_type, accepts="any", by_bits=True, doc="The same bits read as another type of that size.",
)  # fmt: skip


def _linear_part(name: str, numpy: Any, result: Any, transpose: Any, doc: str) -> Any:
    return elementwise(name, numpy, infer=result, accepts="complex", linear=True, transpose=transpose, doc=doc, complex_only=True)


def _part_type(x: ArrayType) -> ArrayType:
    check_dtypes("real and imag", "complex", [x])
    return ArrayType(x.shape, x.dtype.real)


def _conj_type(x: ArrayType) -> ArrayType:
    check_dtypes("conj", "complex", [x])
    return x


def make_complex(real: Value, imag: Value) -> Value:
    return op("complex", real, imag)


real = _linear_part(
    "real", np.real, _part_type, lambda cts, xs, params: [make_complex(cts[0], zeros(cts[0].type))], "The real part."
)
imag = _linear_part(
    "imag", np.imag, _part_type, lambda cts, xs, params: [make_complex(zeros(cts[0].type), -cts[0])], "The imaginary part."
)
conj = _linear_part("conj", np.conj, _conj_type, lambda cts, xs, params: [op("conj", cts[0])], "The complex conjugate.")


def _complex_type(x: ArrayType, y: ArrayType) -> ArrayType:
    check_dtypes("complex", "float", [x, y])
    return ArrayType(elementwise_shape("complex", [x, y]), complex_of(x.dtype))


def _put_together(x: Any, y: Any) -> Any:
    """Part by part: x + 1j * y would lose infinities, nan and the sign of zeros."""
    x, y = np.broadcast_arrays(x, y)
    out = np.empty(x.shape, np.complex64 if x.dtype.itemsize == 4 else np.complex128)
    out.real, out.imag = x, y
    return out


def _complex_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    x, y = operands
    return [op("real", cts[0]) if is_linear(x) else None, -op("imag", cts[0]) if is_linear(y) else None]


complex_ = elementwise(
    "complex", _put_together, infer=_complex_type, arity=2, accepts="float", transpose=_complex_transpose, doc="x + iy.",
    linear=True, complex_only=True,
)  # fmt: skip
