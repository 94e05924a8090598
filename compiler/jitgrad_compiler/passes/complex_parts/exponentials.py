"""Exponentials, logarithms, hyperbolic and trigonometric functions and roots, by real ones. Their values at zeros, infinities and
NaNs are those of C99, annex G, as NumPy gives them; what overflows on the way to a finite result is scaled first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...ir.builder import Value, literal
from ...ir.types import F32, F64, I64
from ...ops.arithmetic import op, where
from ...ops.define import convert
from .arithmetic import divide, integer_power, is_finite, is_infinite, is_nan, multiply, whole_exponent
from .table import Parts, rule, zero_like

LARGE = {F32: 80.0, F64: 700.0}
"""From here exp is taken of a smaller number and the result scaled, in case a small sine or cosine keeps it finite."""
STEP = 20.0
HUGE = {F32: 2.0**126, F64: 2.0**1022}
TINY = {F32: 2.0**-100, F64: 2.0**-960}
UP = {F32: 2.0**50, F64: 2.0**108}
"""What lifts subnormal numbers to where they have all their digits. It has a whole root."""
SATURATED = {F32: 44.0, F64: 350.0}
"""Where the square of sinh overflows, and tanh is 1 since long."""


def is_zero(x: Value) -> Value:
    return op("eq", x, zero_like(x))


def both(*conditions: Value) -> Value:
    found, *rest = conditions
    for c in rest:
        found = op("and", found, c)
    return found


def either(a: Value, b: Value) -> Value:
    return op("or", a, b)


def unbounded(x: Value) -> Value:
    """Infinite or NaN."""
    return op("not", op("is_finite", x))


def in_double(f: Callable[..., Parts]) -> Callable[..., Parts]:
    """A function of complex64 by way of float64, where its formulas lose digits or overflow."""

    def wider(*args: Parts) -> Parts:
        dtype = args[0].real.type.dtype
        found = f(*[Parts(*[convert(part, F64) for part in x]) for x in args])
        return Parts(*[convert(part, dtype) for part in found])

    return wider


def _turned(f: Callable[[Parts], Parts]) -> Callable[[Parts], Parts]:
    """i f(-ix): the sine of hyperbolic sine, and their kin."""

    def of(x: Parts) -> Parts:
        out = f(Parts(x.imag, -x.real))
        return Parts(-out.imag, out.real)

    return of


def _scaled_down(x: Value) -> tuple[Value, Value]:
    """(a number of x's sign whose exp is finite, the factor that is missing)."""
    size = op("abs", x)
    large = op("gt", size, literal(LARGE[x.type.dtype], x.type.dtype))
    return op("select", large, op("copysign", size - STEP, x), x), where(large, literal(math.exp(STEP), x.type.dtype), 1)


@rule("exp")
def exponential(x: Parts) -> Parts:
    return _exponential("exp", math.e, *x, x.imag)


@rule("exp2")
@in_double
def binary_exponential(x: Parts) -> Parts:
    return _exponential("exp2", 2.0, *x, x.imag * math.log(2))


def _exponential(function: str, base: float, a: Value, b: Value, angle: Value) -> Parts:
    """base**a (cos angle + i sin angle), where the angle comes from b."""
    dtype = a.type.dtype
    large = op("gt", a, literal(LARGE[dtype], dtype))
    size = op(function, op("select", large, a - STEP, a))
    factor = where(large, literal(base**STEP, dtype), 1)
    nowhere = both(unbounded(b), op("eq", a, literal(-math.inf, dtype)))
    endless = both(unbounded(b), op("eq", a, literal(math.inf, dtype)))
    real = op("select", either(nowhere, endless), size, size * op("cos", angle) * factor)
    imag = where(is_zero(b), b, size * op("sin", angle) * factor)
    return Parts(real, op("select", nowhere, op("copysign", size, b), imag))


@rule("expm1")
def exponential_less_one(x: Parts) -> Parts:
    a, b = x
    whole = exponential(x)
    half = op("sin", b * 0.5)
    close = op("expm1", a) * op("cos", b) - 2 * half * half
    far = op("or", op("gt", a, literal(40, a.type.dtype)), op("not", is_finite(x)))
    return Parts(op("select", far, whole.real - 1, close), whole.imag)


@rule("sinh")
def hyperbolic_sine(x: Parts) -> Parts:
    a, b = x
    held, factor = _scaled_down(a)
    real = op("sinh", held) * op("cos", b) * factor
    imag = op("cosh", held) * op("sin", b) * factor
    real = op("select", unbounded(b), where(is_infinite(a), op("abs", a), where(is_zero(a), a, real)), real)
    return Parts(real, op("select", is_zero(b), b, imag))


@rule("cosh")
def hyperbolic_cosine(x: Parts) -> Parts:
    a, b = x
    held, factor = _scaled_down(a)
    real = op("cosh", held) * op("cos", b) * factor
    imag = op("sinh", held) * op("sin", b) * factor
    endless = both(unbounded(b), is_infinite(a))
    zero = either(is_zero(b), both(is_zero(a), unbounded(b)))
    sign = where(is_nan(a), 1, op("copysign", literal(1, a.type.dtype), a))
    signed = op("copysign", literal(0, a.type.dtype), where(is_infinite(b), 0, sign * b))
    return Parts(op("select", endless, op("abs", a), real), op("select", zero, signed, imag))


@rule("tanh")
def hyperbolic_tangent(x: Parts) -> Parts:
    """sinh a cosh a / d + i sin b cos b / d with d = sinh(a)**2 + cos(b)**2, in which nothing cancels."""
    a, b = x
    s, cos = op("sinh", a), op("cos", b)
    turn = op("sin", b) * cos
    below = s * s + cos * cos
    far = op("gt", op("abs", a), literal(SATURATED[a.type.dtype], a.type.dtype))
    one = op("copysign", literal(1, a.type.dtype), a)
    real = op("select", far, one, s * op("cosh", a) / below)
    imag = op("select", far, op("copysign", literal(0, a.type.dtype), where(unbounded(b), b, turn)), turn / below)
    lost = both(unbounded(b), is_zero(a))
    return Parts(op("select", lost, a, real), op("select", is_zero(b), b, imag))


rule("sin")(_turned(hyperbolic_sine))
rule("tan")(_turned(hyperbolic_tangent))


@rule("cos")
def cosine(x: Parts) -> Parts:
    return hyperbolic_cosine(Parts(-x.imag, x.real))


# -- logarithms


def _pair_product(x: Value) -> tuple[Value, Value]:
    """x * x and what its rounding lost."""
    square = x * x
    return square, op("fma", x, x, -square)


def _pair_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """x + y and what its rounding lost (D. E. Knuth's TwoSum)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _log_of_size(x: Parts) -> Value:
    """log |x|, near 1 from |x|**2 - 1 with all its digits."""
    a, b = op("abs", x.real), op("abs", x.imag)
    dtype = a.type.dtype
    large, small = op("max", a, b), op("min", a, b)
    high, high_low = _pair_product(large)
    low, low_low = _pair_product(small)
    total, lost = _pair_sum(high - 1, low)
    excess = total + (lost + (high_low + low_low))
    near = both(op("gt", large, literal(0.5, dtype)), op("lt", large, literal(1.5, dtype)))
    size, shift = _held_size(x)
    return op("select", near, op("log1p", excess) * 0.5, op("log", size) + shift)


def _held_size(x: Parts) -> tuple[Value, Value]:
    """(|x| times a power of two that keeps it from overflow and among normal numbers, the logarithm that this took)."""
    dtype = x.real.type.dtype
    largest = op("max", op("abs", x.real), op("abs", x.imag))
    huge, tiny = op("gt", largest, literal(HUGE[dtype], dtype)), op("lt", largest, literal(TINY[dtype], dtype))
    factor = where(huge, literal(0.5, dtype), where(tiny, literal(UP[dtype], dtype), 1))
    shift = where(huge, literal(math.log(2), dtype), where(tiny, literal(-math.log(UP[dtype]), dtype), 0))
    return op("hypot", x.real * factor, x.imag * factor), shift


@rule("log")
def logarithm(x: Parts) -> Parts:
    return Parts(_log_of_size(x), op("atan2", x.imag, x.real))


def _to_base(base: float) -> Callable[[Parts], Parts]:
    return lambda x: Parts(*[part * (1 / math.log(base)) for part in logarithm(x)])


rule("log2")(_to_base(2))
rule("log10")(_to_base(10))


@rule("log1p")
def logarithm_of_one_more(x: Parts) -> Parts:
    """The real part from 2 a + a*a + b*b, which is |1 + x|**2 - 1."""
    a, b = x
    dtype = a.type.dtype
    held = [where(op("lt", op("abs", part), literal(3, dtype)), part, 0) for part in x]
    (square, square_low), (other, other_low) = (_pair_product(part) for part in held)
    first, first_low = _pair_sum(2 * held[0], other)
    total, lost = _pair_sum(first, square)
    excess = total + ((first_low + lost) + (square_low + other_low))
    near = both(
        op("gt", excess, literal(-0.75, dtype)), op("eq", held[0], a), op("eq", held[1], b)
    )  # fmt: skip
    size, shift = _held_size(Parts(a + 1, b))
    real = op("select", near, op("log1p", excess) * 0.5, op("log", size) + shift)
    return Parts(real, op("atan2", b, a + 1))


# -- roots and powers


@rule("sqrt")
def square_root(x: Parts) -> Parts:
    """From t = sqrt((|a| + |x|) / 2), the larger part's size; the other is b / 2t. All scaled by powers of four."""
    dtype = x.real.type.dtype
    largest = op("max", op("abs", x.real), op("abs", x.imag))
    huge, tiny = op("gt", largest, literal(HUGE[dtype] / 4, dtype)), op("lt", largest, literal(TINY[dtype], dtype))
    factor = where(huge, literal(1 / 16, dtype), where(tiny, literal(UP[dtype], dtype), 1))
    back = where(huge, literal(4, dtype), where(tiny, literal(UP[dtype] ** -0.5, dtype), 1))
    a, b = x.real * factor, x.imag * factor
    t = op("sqrt", (op("abs", a) + op("hypot", a, b)) * 0.5)
    nothing = is_zero(t)
    other = op("abs", b) / where(nothing, 1, 2 * t)
    right = op("ge", a, zero_like(a))
    real = op("select", right, t, other) * back
    imag = op("copysign", op("select", right, other, t) * back, x.imag)
    endless = is_infinite(x.imag)
    return Parts(op("select", endless, op("abs", x.imag), real), op("select", endless, x.imag, imag))


@rule("rsqrt")
def inverse_square_root(x: Parts) -> Parts:
    one = literal(1, x.real.type.dtype)
    return divide(Parts(one, zero_like(one)), square_root(x))


@rule("pow")
def power(x: Parts, y: Parts) -> Parts:
    exponent = whole_exponent(y)
    return integer_power(x, exponent) if exponent is not None else _power(x, y)


MOST_PRODUCTS = 100
"""Whole exponents from here on are done by logarithms, as in NumPy."""


@in_double
def _power(x: Parts, y: Parts) -> Parts:
    """exp(y log x); by products where y is a small whole number, 1 where it is 0; 0 to a power with a positive real part is 0, to
    any other NaN.
    """
    size = op("abs", y.real)
    whole = both(
        is_zero(y.imag), op("eq", op("trunc", y.real), y.real), op("lt", size, literal(MOST_PRODUCTS, F64))
    )  # fmt: skip
    far = exponential(_product_with_infinities(y, logarithm(x)))
    near = _power_by_products(x, where(whole, y.real, 0))
    at_zero = where(op("gt", y.real, zero_like(size)), 0, literal(math.nan, F64))
    nothing = both(is_zero(x.real), is_zero(x.imag))
    one = is_zero(size)

    def part(n: int) -> Value:
        found = op("select", nothing, at_zero, op("select", whole, near[n], far[n]))
        return where(both(one, is_zero(y.imag)), literal(1 - n, F64), found)

    return Parts(part(0), part(1))


def _power_by_products(x: Parts, exponent: Value) -> Parts:
    left = op("convert_element_type", op("abs", exponent), dtype=I64)
    result, base, started = x, x, None
    for _ in range(MOST_PRODUCTS.bit_length()):
        odd = op("ne", op("and", left, literal(1, I64)), literal(0, I64))
        if started is None:
            started = odd
        else:
            product = multiply(result, base)
            result = Parts(*[
                op("select", odd, op("select", started, p, b), r) for p, b, r in zip(product, base, result, strict=True)
            ])  # fmt: skip
            started = op("or", started, odd)
        base, left = multiply(base, base), op("shift_right_logical", left, literal(1, I64))
    one = literal(1, F64)
    inverse = divide(Parts(one, zero_like(one)), result)
    negative = op("lt", exponent, zero_like(exponent))
    return Parts(*[op("select", negative, i, r) for i, r in zip(inverse, result, strict=True)])


def _product_with_infinities(x: Parts, y: Parts) -> Parts:
    """The product, infinite where an operand is: C99, annex G.5.1, example 1, which libraries' powers use."""
    found = multiply(x, y)
    boxed = [op("or", is_infinite(z.real), is_infinite(z.imag)) for z in (x, y)]
    lost = both(is_nan(found.real), is_nan(found.imag), op("or", *boxed))

    def boxed_part(p: Value, endless: Value) -> Value:
        inside = where(is_nan(p), 0, p)
        return op("copysign", op("select", endless, where(is_infinite(p), literal(1, F64), 0), inside), p)

    a, b = (Parts(*[boxed_part(p, endless) for p in z]) for z, endless in zip((x, y), boxed, strict=True))
    box = multiply(a, b)
    return Parts(*[op("select", lost, p * math.inf, f) for p, f in zip(box, found, strict=True)])
