"""Sums, products, quotients, powers, comparisons, conversions: as NumPy does them, so that infinities and NaNs come out as in eager
mode. That is the textbook product, and Smith's quotient (R. L. Smith, Algorithm 116, 1962), whose divisor does not overflow.
"""

from __future__ import annotations

from typing import Any

from ...ir.builder import Value, is_literal, literal
from ...ir.types import BOOL, U32, U64, DType
from ...ops.arithmetic import op, where
from ...ops.define import convert
from .table import Operand, Parts, rule, zero_like


@rule("mul")
def multiply(x: Parts, y: Parts) -> Parts:
    return Parts(x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real)


@rule("div")
def divide(x: Parts, y: Parts) -> Parts:
    """By the larger part of the divisor; a zero divisor divides each part by itself, which gives infinities and NaNs."""
    size, other = op("abs", y.real), op("abs", y.imag)
    first = op("ge", size, other)
    large, small = op("select", first, y.real, y.imag), op("select", first, y.imag, y.real)
    ratio = small / large
    scale = 1 / (large + small * ratio)
    near, far = op("select", first, x.real, x.imag), op("select", first, x.imag, x.real)
    turned = near * ratio
    imag = op("select", first, far - turned, turned - far) * scale
    nothing = op("and", op("eq", size, zero_like(size)), op("eq", other, zero_like(other)))
    return Parts(
        op("select", nothing, x.real / size, (near + far * ratio) * scale), op("select", nothing, x.imag / size, imag)
    )  # fmt: skip


@rule("abs")
def absolute(x: Parts) -> Value:
    return op("hypot", x.real, x.imag)


@rule("sign")
def direction(x: Parts) -> Parts:
    """x / |x|, of zero 0; an infinite part alone gives the direction, two give NaN."""
    size = absolute(x)
    endless = is_infinite(size)
    zero, one = zero_like(size), literal(1, size.type.dtype)
    both = op("and", is_infinite(x.real), is_infinite(x.imag))

    def part(mine: Value) -> Value:
        far = where(is_infinite(mine), op("copysign", one, mine), zero)
        far = where(both, literal(float("nan"), size.type.dtype), far)
        return op("select", endless, far, op("select", op("eq", size, zero), size, mine / size))

    return Parts(part(x.real), part(x.imag))


def is_infinite(x: Value) -> Value:
    return op("eq", op("abs", x), literal(float("inf"), x.type.dtype))


def is_nan(x: Value) -> Value:
    return op("ne", x, x)


@rule("integer_pow")
def integer_power(x: Parts, exponent: int) -> Parts:
    """By squaring, as ops/powers.py does it."""
    n, result, base = abs(exponent), None, x
    while n:
        if n & 1:
            result = base if result is None else multiply(result, base)
        n >>= 1
        if n:
            base = Parts((base.real - base.imag) * (base.real + base.imag), 2 * base.real * base.imag)
    one = Parts(literal(1, x.real.type.dtype), zero_like(x.real))
    if result is None:
        return one
    return divide(one, result) if exponent < 0 else result


# -- comparison


@rule("eq")
def equal(x: Parts, y: Parts) -> Value:
    return op("and", op("eq", x.real, y.real), op("eq", x.imag, y.imag))


@rule("ne")
def not_equal(x: Parts, y: Parts) -> Value:
    return op("or", op("ne", x.real, y.real), op("ne", x.imag, y.imag))


@rule("is_finite")
def is_finite(x: Parts) -> Value:
    return op("and", op("is_finite", x.real), op("is_finite", x.imag))


# -- parts and conversions


rule("real")(lambda x: x.real)
rule("imag")(lambda x: x.imag)
rule("conj")(lambda x: Parts(x.real, -x.imag))
rule("complex")(Parts)


@rule("convert_element_type")
def converted(x: Operand, dtype: DType) -> Operand:
    if not isinstance(x, Parts):
        made = convert(x, dtype.real)
        return Parts(made, zero_like(made))
    if dtype.is_complex:
        return Parts(convert(x.real, dtype.real), convert(x.imag, dtype.real))
    if dtype == BOOL:
        return op("or", *[op("ne", part, zero_like(part)) for part in x])
    return convert(x.real, dtype)


@rule("bitcast_convert_type")
def same_bits(x: Operand, dtype: DType) -> Operand:
    """The real part's bits are the low half."""

    def cast(v: Value, to: DType) -> Value:
        return op("bitcast_convert_type", v, dtype=to)

    if isinstance(x, Parts) and dtype.is_complex:
        return x
    half, full = U32, U64  # no other type is as wide as a complex128
    if isinstance(x, Parts):
        low, high = (convert(cast(part, half), full) for part in x)
        return cast(op("or", low, op("shift_left", high, literal(32, full))), dtype)
    assert dtype.nbytes == 8
    bits = cast(x, full)
    low, high = convert(bits, half), convert(op("shift_right_logical", bits, literal(32, full)), half)
    return Parts(cast(low, dtype.real), cast(high, dtype.real))


def whole_exponent(y: Parts) -> int | None:
    """The number that an exponent is, where it is a constant and NumPy multiplies that often instead of taking logarithms."""
    if not (is_literal(y.real) and is_literal(y.imag, 0)):
        return None
    number: Any = y.real.ref
    return int(number) if abs(number) < 100 and number == int(number) else None
