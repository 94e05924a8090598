"""Floats rounded to fewer bits of exponent and mantissa than their type has, as those of a narrower format would be."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.custom_derivatives import custom_jvp
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.operands import ArrayLike, size_arg, strong
from jitgrad_compiler.ir.types import BF16, F16, F32, F64, U16, U32, U64

FORMATS = {BF16: (U16, 8, 7), F16: (U16, 5, 10), F32: (U32, 8, 23), F64: (U64, 11, 52)}
"""The integer of a type's size, and its bits of exponent and mantissa."""


def reduce_precision(operand: ArrayLike, exponent_bits: int, mantissa_bits: int) -> Array:
    """The operand rounded to a float of so many bits of exponent and mantissa, half to even, in its own type.

    What is too large becomes infinite, what is too small for a normal number of those bits becomes 0. The derivative is 1.
    Raises DTypeError for others than floats, ArgumentError for fewer than 1 bit of exponent or 0 of mantissa.

    >>> print(reduce_precision(1.2345678, 5, 10))
    1.234375
    """
    where = "lax.reduce_precision"
    exponent = size_arg(where, exponent_bits, "exponent_bits is an integer")
    mantissa = size_arg(where, mantissa_bits, "mantissa_bits is an integer")
    if exponent < 1 or mantissa < 0:
        raise ArgumentError(f"{where}: needs exponent_bits >= 1 and mantissa_bits >= 0, got {exponent} and {mantissa}")
    value = as_value(operand, where)
    x = strong(value)
    if not x.type.dtype.is_float:
        raise DTypeError(f"{where}: takes floats, got {x.dtype}")
    out: Array = _reduced(exponent, mantissa)(x)
    out.weak = value.weak
    return out


@cache
def _reduced(exponent: int, mantissa: int) -> Callable[[Array], Array]:
    reduced = custom_jvp(lambda x: _with_bits(x, exponent, mantissa))
    reduced.defjvp(lambda primals, tangents: (reduced(*primals), tangents[0]))
    return reduced


def _with_bits(x: Array, exponent: int, mantissa: int) -> Array:
    dtype = x.type.dtype
    if dtype not in FORMATS:
        return ops.convert(_with_bits(ops.convert(x, F32), exponent, mantissa), dtype)
    whole, widest, digits = FORMATS[dtype]
    out = x
    if mantissa < digits:  # to the nearest, half to even: a carry goes on into the exponent
        left_out = digits - mantissa
        bits = ops.op("bitcast_convert_type", x, dtype=whole)
        last = ops.op("and", ops.op("shift_right_logical", bits, ops.constant(left_out, whole)), ops.constant(1, whole))
        bits = ops.op("add", ops.op("add", bits, ops.constant((1 << left_out - 1) - 1, whole)), last)
        bits = ops.op("and", bits, ops.constant((1 << 8 * dtype.nbytes) - (1 << left_out), whole))
        out = ops.select(ops.op("ne", x, x), x, ops.op("bitcast_convert_type", bits, dtype=dtype))
    if exponent < widest:
        size, ends = ops.op("abs", out), 2 ** (exponent - 1)
        for test, bound, instead in (("ge", ends, math.inf), ("lt", 2 - ends, 0.0)):
            beyond = ops.op(test, size, ops.constant(2.0**bound, dtype))
            out = ops.select(beyond, ops.op("copysign", ops.constant(instead, dtype), out), out)
    return out
