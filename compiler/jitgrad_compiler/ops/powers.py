"""Whole powers by repeated multiplication: `integer_pow` to an exponent known beforehand, `pow_of_integers` to one in an array.

pow, of floats to any exponent, is in transcendental.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError
from ..ir.builder import Value
from ..ir.types import ArrayType
from .arithmetic import op
from .define import check_dtypes, elementwise, zeros


def squared(x: Any) -> Any:
    """x * x; of complex numbers by (a - b)(a + b), whose sign and last digits are right where a and b are nearly equal."""
    x = np.asarray(x)
    if x.dtype.kind != "c":
        return np.multiply(x, x)
    out = np.empty_like(x)
    out.real, out.imag = (x.real - x.imag) * (x.real + x.imag), 2 * x.real * x.imag
    return out


def _integer_pow(x: Any, exponent: int) -> Any:
    """By squaring, in the order that the emission multiplies in, so that both give the same numbers."""
    result, base, n = None, x, abs(exponent)
    while n:
        if n & 1:
            result = base if result is None else np.multiply(result, base)
        n >>= 1
        base = squared(base) if n else base
    result = np.ones_like(x) if result is None else result
    return np.divide(np.asarray(x).dtype.type(1), result) if exponent < 0 else result


def _emit_integer_pow(e: Any, x: Any, exponent: int) -> Any:
    result, base, n = None, x, abs(exponent)
    while n:
        if n & 1:
            result = base if result is None else e.mul(result, base)
        n >>= 1
        base = e.mul(base, base) if n else base
    result = e.const(1, x.type, x.width) if result is None else result
    return e.div(e.const(1, x.type, x.width), result) if exponent < 0 else result


def _integer_pow_type(x: ArrayType, exponent: int) -> ArrayType:
    check_dtypes("integer_pow", "numeric", [x])
    if exponent < 0 and not x.dtype.is_inexact:
        raise DTypeError(
            f"integer_pow: an integer array cannot be raised to the negative power {exponent}; convert it to a float first"
        )
    return x


integer_pow = elementwise(
    "integer_pow", _integer_pow, _emit_integer_pow, infer=_integer_pow_type, accepts="numeric",
    partials=[lambda x, out, exponent: _power_rule(x, exponent)], doc="x to a constant integer power.",
)  # fmt: skip


def _power_rule(x: Value, exponent: int) -> Any:
    if exponent in (0, 1):
        return zeros(x.type) + exponent
    return x * 2 if exponent == 2 else op("integer_pow", x, exponent=exponent - 1) * exponent


def _pow_of_integers(x: Any, y: Any) -> Any:
    x, y = np.broadcast_arrays(x, y)
    negative = np.less(y, 0)
    reciprocal = np.where(x == 1, 1, np.where((x + 1 == 0) & negative, 1 - 2 * (y & 1), 0))
    return np.where(negative, reciprocal, np.power(x, np.where(negative, 0, y))).astype(x.dtype)


def _emit_pow_of_integers(e: Any, x: Any, y: Any) -> Any:
    """By squaring over every bit that the exponent can have, so that overflow wraps as in NumPy."""
    signed = x.type.is_signed
    bits = x.type.nbytes * 8 - signed
    result, base, left, one = e.const(1, x.type), x, y, e.const(1, x.type)
    for step in range(bits):
        result = e.mul(e.select(e.compare("ne", e.and_(left, 1), 0), base, one), result)
        if step < bits - 1:
            base, left = e.mul(base, base), e.shr(left, one)
    if not signed:
        return result
    alternating = e.sub(1, e.mul(e.and_(y, 1), 2))
    reciprocal = e.select(e.compare("eq", x, -1), alternating, e.convert(e.compare("eq", x, 1), x.type))
    return e.select(e.compare("lt", y, 0), reciprocal, result)


pow_of_integers = elementwise(
    "pow_of_integers", _pow_of_integers, _emit_pow_of_integers, accepts="integer", arity=2, transcendental=True,
    doc="x to the power y, of integers. A negative power is 0, but of 1 and -1.",
)  # fmt: skip
