"""Inverse trigonometric and hyperbolic functions. Those of sine and cosine by W. Kahan's formulas (Branch cuts for complex
elementary functions, 1987), whose terms have one sign, so that no digits are lost at the cuts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...ir.builder import Value, literal
from ...ir.types import F64
from ...ops.arithmetic import op, where
from .arithmetic import is_infinite, is_nan
from .exponentials import both, either, in_double, is_zero, square_root
from .table import Parts, rule

FAR = 2.0**500
"""From here 1 is nothing beside x, which is divided by four to keep products of roots finite."""
LOG_4 = math.log(4)


def _roots(x: Parts) -> tuple[Parts, Parts, Value]:
    """sqrt(1 - x) and sqrt(1 + x), of a quarter of what is far out; and what asinh of their product lacks for that."""
    far = op("gt", op("max", op("abs", x.real), op("abs", x.imag)), literal(FAR, F64))
    scale, one = where(far, literal(0.25, F64), 1), where(far, literal(0, F64), 1)
    a, b = x.real * scale, x.imag * scale
    return square_root(Parts(one - a, -b)), square_root(Parts(one + a, b)), where(far, literal(LOG_4, F64), 0)


def _asinh(x: Value, more: Value) -> Value:
    found = op("asinh", x)
    return found + op("copysign", more, found)


def _arc_sine(x: Parts) -> Parts:
    (p, q), (r, s), more = _roots(x)
    endless = either(is_infinite(x.real), is_infinite(x.imag))
    real = op("atan2", x.real, op("select", endless, op("abs", x.imag), _scaled_back(p * r - q * s, more)))
    imag = op("select", endless, op("copysign", literal(math.inf, F64), x.imag), _asinh(p * s - q * r, more))
    return Parts(op("select", both(is_zero(x.real), is_nan(x.imag)), x.real, real), imag)


def _scaled_back(x: Value, more: Value) -> Value:
    """The product of roots of quarters, times four."""
    return x * where(op("gt", more, literal(0, F64)), literal(4, F64), 1)


def _turned(f: Callable[[Parts], Parts]) -> Callable[[Parts], Parts]:
    """-i f(ix): the inverse hyperbolic sine of the arc sine, and their kin."""

    def of(x: Parts) -> Parts:
        found = f(Parts(-x.imag, x.real))
        return Parts(found.imag, -found.real)

    return of


rule("asin")(in_double(_arc_sine))
rule("asinh")(in_double(_turned(_arc_sine)))


def _arc_cosine(x: Parts) -> Parts:
    (p, q), (r, s), more = _roots(x)
    endless = either(is_infinite(x.real), is_infinite(x.imag))
    real = op("select", endless, op("atan2", op("abs", x.imag), x.real), 2 * op("atan2", p, r))
    imag = op("select", endless, op("copysign", literal(math.inf, F64), -x.imag), _asinh(r * q - s * p, more))
    quarter = literal(math.pi / 2, F64)
    return Parts(op("select", both(is_zero(x.real), is_nan(x.imag)), quarter, real), imag)


rule("acos")(in_double(_arc_cosine))


@rule("acosh")
@in_double
def inverse_hyperbolic_cosine(x: Parts) -> Parts:
    found = _arc_cosine(x)
    return Parts(op("abs", found.imag), op("copysign", found.real, x.imag))


def _inverse_hyperbolic_tangent(x: Parts) -> Parts:
    """log1p(4a / ((1 - a)**2 + b*b)) / 4 with a = |Re x|; far out Re 1/x, and beside 1 without b's square."""
    a, b = op("abs", x.real), x.imag
    size = op("abs", b)
    endless = either(is_infinite(a), is_infinite(b))
    far = op("or", endless, op("gt", op("max", a, size), literal(2.0**60, F64)))
    beside = both(op("eq", a, literal(1, F64)), op("lt", size, literal(2.0**-500, F64)))
    left = 1 - a
    inside = op("select", beside, 2.0**-50 / size, 4 * a / (left * left + b * b))
    logarithm = op("log1p", inside)
    near = op("select", beside, (logarithm + 51 * math.log(2)) * 0.5, logarithm * 0.25)
    distance = op("hypot", a, b)
    outside = op("select", endless, literal(0, F64), a / distance / distance)
    real = op("copysign", op("select", far, outside, near), x.real)
    turn = op("atan2", 2 * b, left * (1 + a) - b * b) * 0.5
    imag = op("select", far, where(is_nan(b), b, op("copysign", literal(math.pi / 2, F64), b)), turn)
    alone = both(is_zero(a), is_nan(b))
    return Parts(op("select", alone, x.real, real), imag)


rule("atanh")(in_double(_inverse_hyperbolic_tangent))
rule("atan")(in_double(_turned(_inverse_hyperbolic_tangent)))
