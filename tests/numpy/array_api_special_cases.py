"""The special cases of the Array API standard 2024.12, function by function: rows of a condition on operands and the result.

Written from the standard's text, "Special cases" of each function (https://data-apis.org/array-api/2024.12/API_specification).
A plain 0 in the text, which is neither +0 nor -0, is a zero of any sign here, as is all else whose sign the standard leaves open.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

INF, NAN, PI = math.inf, math.nan, math.pi


def sign(x):
    return math.copysign(1.0, x)


def is_zero(x):
    return x == 0


def plus_zero(x):
    return x == 0 and sign(x) > 0


def minus_zero(x):
    return x == 0 and sign(x) < 0


def finite(x):
    return math.isfinite(x)


def positive(x):  # greater than zero, and finite
    return 0 < x < INF


def negative(x):
    return -INF < x < 0


def whole(x):
    return math.isfinite(x) and x == int(x)


def odd(x):
    return whole(x) and int(x) % 2 == 1


isnan = math.isnan
isinf = math.isinf

REAL_NUMBERS = (0.0, -0.0, 0.25, -0.25, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0, 2.5, -2.5, 3.0, -3.0, INF, -INF, NAN)

SAME = "x"
"""The first operand itself."""


@dataclass(frozen=True)
class AnySign:
    """A component whose sign the standard leaves open."""

    size: float


A0, AINF, AHALF = AnySign(0.0), AnySign(INF), AnySign(PI / 2)

REAL = {
    "abs": [(isnan, NAN), (minus_zero, 0.0), (lambda x: x == -INF, INF)],
    "acos": [(isnan, NAN), (lambda x: x > 1, NAN), (lambda x: x < -1, NAN), (lambda x: x == 1, 0.0)],
    "acosh": [(isnan, NAN), (lambda x: x < 1, NAN), (lambda x: x == 1, 0.0), (lambda x: x == INF, INF)],
    "asin": [(isnan, NAN), (lambda x: x > 1, NAN), (lambda x: x < -1, NAN), (is_zero, SAME)],
    "asinh": [(isnan, NAN), (is_zero, SAME), (isinf, SAME)],
    "atan": [(isnan, NAN), (is_zero, SAME), (lambda x: x == INF, PI / 2), (lambda x: x == -INF, -PI / 2)],
    "atanh": [
        (isnan, NAN), (lambda x: x < -1, NAN), (lambda x: x > 1, NAN), (lambda x: x == -1, -INF), (lambda x: x == 1, INF),
        (is_zero, SAME),
    ],
    "ceil": [(whole, SAME), (isinf, SAME), (is_zero, SAME), (isnan, NAN), (lambda x: -1 < x < 0, -0.0)],
    "floor": [(whole, SAME), (isinf, SAME), (is_zero, SAME), (isnan, NAN)],
    "trunc": [(whole, SAME), (isinf, SAME), (is_zero, SAME), (isnan, NAN), (lambda x: -1 < x < 0, -0.0)],
    "round": [
        (whole, SAME), (isinf, SAME), (is_zero, SAME), (isnan, NAN), (lambda x: x == 0.5, 0.0), (lambda x: x == -0.5, -0.0),
        (lambda x: x == 1.5, 2.0), (lambda x: x == 2.5, 2.0), (lambda x: x == -1.5, -2.0), (lambda x: x == -2.5, -2.0),
        (lambda x: x == -0.25, -0.0),
    ],
    "cos": [(isnan, NAN), (is_zero, 1.0), (isinf, NAN)],
    "cosh": [(isnan, NAN), (is_zero, 1.0), (isinf, INF)],
    "exp": [(isnan, NAN), (is_zero, 1.0), (lambda x: x == INF, INF), (lambda x: x == -INF, 0.0)],
    "expm1": [(isnan, NAN), (is_zero, SAME), (lambda x: x == INF, INF), (lambda x: x == -INF, -1.0)],
    "log": [(isnan, NAN), (lambda x: x < 0, NAN), (is_zero, -INF), (lambda x: x == 1, 0.0), (lambda x: x == INF, INF)],
    "log1p": [(isnan, NAN), (lambda x: x < -1, NAN), (lambda x: x == -1, -INF), (is_zero, SAME), (lambda x: x == INF, INF)],
    "log2": [(isnan, NAN), (lambda x: x < 0, NAN), (is_zero, -INF), (lambda x: x == 1, 0.0), (lambda x: x == INF, INF)],
    "log10": [(isnan, NAN), (lambda x: x < 0, NAN), (is_zero, -INF), (lambda x: x == 1, 0.0), (lambda x: x == INF, INF)],
    "reciprocal": [(plus_zero, INF), (minus_zero, -INF), (lambda x: x == INF, 0.0), (lambda x: x == -INF, -0.0), (isnan, NAN)],
    "sign": [(lambda x: x < 0, -1.0), (is_zero, A0), (lambda x: x > 0, 1.0), (isnan, NAN)],
    "sin": [(isnan, NAN), (is_zero, SAME), (isinf, NAN)],
    "sinh": [(isnan, NAN), (is_zero, SAME), (isinf, SAME)],
    "sqrt": [(isnan, NAN), (lambda x: x < 0, NAN), (is_zero, SAME), (lambda x: x == INF, INF)],
    "square": [(isnan, NAN), (isinf, INF), (is_zero, 0.0)],
    "tan": [(isnan, NAN), (is_zero, SAME), (isinf, NAN)],
    "tanh": [(isnan, NAN), (is_zero, SAME), (lambda x: x == INF, 1.0), (lambda x: x == -INF, -1.0)],
    "negative": [(isnan, NAN), (plus_zero, -0.0), (minus_zero, 0.0), (lambda x: x == INF, -INF), (lambda x: x == -INF, INF)],
    "positive": [(lambda x: True, SAME)],
    "isfinite": [(isinf, False), (isnan, False), (finite, True)],
    "isinf": [(isinf, True), (lambda x: not isinf(x), False)],
    "isnan": [(isnan, True), (lambda x: not isnan(x), False)],
    "signbit": [
        (plus_zero, False), (minus_zero, True), (lambda x: x == INF, False), (lambda x: x == -INF, True), (positive, False),
        (negative, True),
    ],
}  # fmt: skip


def either_nan(x, y):
    return isnan(x) or isnan(y)


def signed(size):
    """A result of a size, positive where the operands have one sign, else negative."""
    return lambda x, y: size * sign(x) * sign(y)


def both(first, second):
    return lambda x, y: first(x) and second(y)


def on_either_side(first, second):
    return lambda x, y: (first(x) and second(y)) or (second(x) and first(y))


def is_infinity(s):
    return lambda x: x == s * INF


PLUS_INF, MINUS_INF = is_infinity(1), is_infinity(-1)


def above_zero(x):
    return x > 0


def below_zero(x):
    return x < 0


def number(x):
    return not isnan(x)


def always(x):
    return True


REAL_PAIRS = {
    "add": [
        (either_nan, NAN), (both(PLUS_INF, MINUS_INF), NAN), (both(MINUS_INF, PLUS_INF), NAN), (both(PLUS_INF, PLUS_INF), INF),
        (both(MINUS_INF, MINUS_INF), -INF), (both(PLUS_INF, finite), INF), (both(MINUS_INF, finite), -INF),
        (both(finite, PLUS_INF), INF), (both(finite, MINUS_INF), -INF), (both(minus_zero, minus_zero), -0.0),
        (both(minus_zero, plus_zero), 0.0), (both(plus_zero, minus_zero), 0.0), (both(plus_zero, plus_zero), 0.0),
        (lambda x, y: is_zero(x) and finite(y) and y != 0, lambda x, y: y),
        (lambda x, y: finite(x) and x != 0 and is_zero(y), SAME),
        (lambda x, y: finite(x) and x != 0 and y == -x, 0.0),
    ],
    "subtract": [
        (either_nan, NAN), (both(PLUS_INF, PLUS_INF), NAN), (both(MINUS_INF, MINUS_INF), NAN), (both(PLUS_INF, MINUS_INF), INF),
        (both(plus_zero, plus_zero), 0.0), (both(minus_zero, plus_zero), -0.0), (both(finite, PLUS_INF), -INF),
    ],
    "multiply": [
        (either_nan, NAN), (on_either_side(isinf, is_zero), NAN), (both(isinf, isinf), signed(INF)),
        (on_either_side(isinf, lambda x: finite(x) and x != 0), signed(INF)), (both(is_zero, finite), signed(0.0)),
    ],
    "divide": [
        (either_nan, NAN), (both(isinf, isinf), NAN), (both(is_zero, is_zero), NAN),
        (both(is_zero, lambda y: number(y) and y != 0), signed(0.0)), (both(lambda x: number(x) and x != 0, is_zero), signed(INF)),
        (both(isinf, finite), signed(INF)), (both(finite, isinf), signed(0.0)),
    ],
    "floor_divide": [
        (either_nan, NAN), (both(isinf, isinf), NAN), (both(is_zero, is_zero), NAN),
        (both(is_zero, lambda y: number(y) and y != 0), signed(0.0)), (both(lambda x: number(x) and x != 0, is_zero), signed(INF)),
        (both(isinf, lambda y: finite(y) and y != 0), NAN),  # or an infinity: the standard allows nan, to be as in Python
        (both(positive, PLUS_INF), 0.0), (both(positive, MINUS_INF), -1.0),
        (both(negative, PLUS_INF), -1.0), (both(negative, MINUS_INF), 0.0),
        (lambda x, y: finite(x) and finite(y) and x and y, lambda x, y: x // y),
    ],
    "remainder": [
        (either_nan, NAN), (both(isinf, isinf), NAN), (both(is_zero, is_zero), NAN), (both(is_zero, above_zero), 0.0),
        (both(is_zero, below_zero), -0.0), (both(lambda x: x != 0, is_zero), NAN), (both(isinf, finite), NAN),
        (both(positive, PLUS_INF), SAME), (both(positive, MINUS_INF), -INF), (both(negative, PLUS_INF), INF),
        (both(negative, MINUS_INF), SAME), (lambda x, y: finite(x) and finite(y) and y, lambda x, y: x % y),
    ],
    "pow": [
        (lambda x, y: x != 1 and isnan(y), NAN), (both(always, is_zero), 1.0), (both(isnan, lambda y: y != 0), NAN),
        (both(lambda x: abs(x) > 1, PLUS_INF), INF), (both(lambda x: abs(x) > 1, MINUS_INF), 0.0),
        (both(lambda x: abs(x) == 1, isinf), 1.0), (both(lambda x: x == 1, number), 1.0),
        (both(lambda x: abs(x) < 1, PLUS_INF), 0.0), (both(lambda x: abs(x) < 1, MINUS_INF), INF),
        (both(PLUS_INF, above_zero), INF),
        (both(PLUS_INF, below_zero), 0.0), (both(MINUS_INF, lambda y: y > 0 and odd(y)), -INF),
        (both(MINUS_INF, lambda y: y > 0 and not odd(y)), INF), (both(MINUS_INF, lambda y: y < 0 and odd(y)), -0.0),
        (both(MINUS_INF, lambda y: y < 0 and not odd(y)), 0.0), (both(plus_zero, above_zero), 0.0),
        (both(plus_zero, below_zero), INF),
        (both(minus_zero, lambda y: y > 0 and odd(y)), -0.0), (both(minus_zero, lambda y: y > 0 and not odd(y)), 0.0),
        (both(minus_zero, lambda y: y < 0 and odd(y)), -INF), (both(minus_zero, lambda y: y < 0 and not odd(y)), INF),
        (both(negative, lambda y: finite(y) and not whole(y)), NAN),
    ],
    "atan2": [
        (either_nan, NAN), (both(above_zero, is_zero), PI / 2), (both(below_zero, is_zero), -PI / 2),
        (both(is_zero, lambda y: y > 0 or plus_zero(y)), SAME), (both(plus_zero, lambda y: y < 0 or minus_zero(y)), PI),
        (both(minus_zero, lambda y: y < 0 or minus_zero(y)), -PI), (both(positive, PLUS_INF), 0.0), (both(positive, MINUS_INF), PI),
        (both(negative, PLUS_INF), -0.0), (both(negative, MINUS_INF), -PI), (both(PLUS_INF, finite), PI / 2),
        (both(MINUS_INF, finite), -PI / 2), (both(PLUS_INF, PLUS_INF), PI / 4), (both(PLUS_INF, MINUS_INF), 3 * PI / 4),
        (both(MINUS_INF, PLUS_INF), -PI / 4), (both(MINUS_INF, MINUS_INF), -3 * PI / 4),
    ],
    "copysign": [
        (lambda x, y: number(x) and number(y), lambda x, y: math.copysign(x, y)), (both(isnan, number), NAN),
    ],
    "hypot": [
        (lambda x, y: isinf(x) or isinf(y), INF), (lambda x, y: either_nan(x, y) and not isinf(x) and not isinf(y), NAN),
        (both(number, is_zero), lambda x, y: abs(x)), (both(is_zero, number), lambda x, y: abs(y)),
    ],
    "logaddexp": [
        (either_nan, NAN), (lambda x, y: number(y) and x == INF, INF), (lambda x, y: number(x) and y == INF, INF),
    ],
    "maximum": [(either_nan, NAN), (both(number, number), lambda x, y: max(x, y) if x != y else None)],
    "minimum": [(either_nan, NAN), (both(number, number), lambda x, y: min(x, y) if x != y else None)],
    "nextafter": [(either_nan, NAN), (lambda x, y: x == y, lambda x, y: y)],
    "equal": [(either_nan, False), (both(number, number), lambda x, y: x == y)],
    "not_equal": [(either_nan, True), (both(number, number), lambda x, y: x != y)],
    "less": [(either_nan, False), (both(number, number), lambda x, y: x < y)],
    "less_equal": [(either_nan, False), (both(number, number), lambda x, y: x <= y)],
    "greater": [(either_nan, False), (both(number, number), lambda x, y: x > y)],
    "greater_equal": [(either_nan, False), (both(number, number), lambda x, y: x >= y)],
}  # fmt: skip


# --- complex numbers


COMPONENTS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, INF, -INF, NAN)


def nonzero(x):
    return finite(x) and x != 0


def one(x):
    return x == 1


def cis(size):
    """size * (cos(b) + i sin(b)), each component by itself, 0 * anything being a zero of that sign."""
    return lambda a, b: (math.copysign(size, math.cos(b)), math.copysign(size, math.sin(b)))


NOTHING = (NAN, NAN)
# Rows: what a is, what b is, the result. All functions are those of the conjugate; rows are for b >= 0 or NaN.
COMPLEX = {
    "acos": [
        (is_zero, plus_zero, (PI / 2, -0.0)), (is_zero, isnan, (PI / 2, NAN)), (finite, PLUS_INF, (PI / 2, -INF)),
        (nonzero, isnan, NOTHING), (MINUS_INF, positive, (PI, -INF)), (PLUS_INF, positive, (0.0, -INF)),
        (MINUS_INF, PLUS_INF, (3 * PI / 4, -INF)), (PLUS_INF, PLUS_INF, (PI / 4, -INF)), (isinf, isnan, (NAN, AINF)),
        (isnan, finite, NOTHING), (isnan, PLUS_INF, (NAN, -INF)), (isnan, isnan, NOTHING),
    ],
    "acosh": [
        (is_zero, plus_zero, (0.0, PI / 2)), (finite, PLUS_INF, (INF, PI / 2)), (nonzero, isnan, NOTHING),
        (is_zero, isnan, (NAN, AHALF)), (MINUS_INF, positive, (INF, PI)), (PLUS_INF, positive, (INF, 0.0)),
        (MINUS_INF, PLUS_INF, (INF, 3 * PI / 4)), (PLUS_INF, PLUS_INF, (INF, PI / 4)), (isinf, isnan, (INF, NAN)),
        (isnan, finite, NOTHING), (isnan, PLUS_INF, (INF, NAN)), (isnan, isnan, NOTHING),
    ],
    "asinh": [
        (plus_zero, plus_zero, (0.0, 0.0)), (positive, PLUS_INF, (INF, PI / 2)), (finite, isnan, NOTHING),
        (PLUS_INF, positive, (INF, 0.0)), (PLUS_INF, PLUS_INF, (INF, PI / 4)), (PLUS_INF, isnan, (INF, NAN)),
        (isnan, plus_zero, (NAN, 0.0)), (isnan, nonzero, NOTHING), (isnan, PLUS_INF, (AINF, NAN)), (isnan, isnan, NOTHING),
    ],
    "atanh": [
        (plus_zero, plus_zero, (0.0, 0.0)), (plus_zero, isnan, (0.0, NAN)), (one, plus_zero, (INF, 0.0)),
        (positive, PLUS_INF, (0.0, PI / 2)), (nonzero, isnan, NOTHING), (PLUS_INF, positive, (0.0, PI / 2)),
        (PLUS_INF, PLUS_INF, (0.0, PI / 2)), (PLUS_INF, isnan, (0.0, NAN)), (isnan, finite, NOTHING),
        (isnan, PLUS_INF, (A0, PI / 2)), (isnan, isnan, NOTHING),
    ],
    "cosh": [
        (plus_zero, plus_zero, (1.0, 0.0)), (plus_zero, PLUS_INF, (NAN, A0)), (plus_zero, isnan, (NAN, A0)),
        (nonzero, PLUS_INF, NOTHING), (nonzero, isnan, NOTHING), (PLUS_INF, plus_zero, (INF, 0.0)), (PLUS_INF, nonzero, cis(INF)),
        (PLUS_INF, PLUS_INF, (AINF, NAN)), (PLUS_INF, isnan, (INF, NAN)), (isnan, plus_zero, (NAN, A0)),
        (isnan, lambda b: number(b) and b != 0, NOTHING), (isnan, isnan, NOTHING),
    ],
    "exp": [
        (is_zero, plus_zero, (1.0, 0.0)), (finite, PLUS_INF, NOTHING), (finite, isnan, NOTHING), (PLUS_INF, plus_zero, (INF, 0.0)),
        (MINUS_INF, finite, cis(0.0)), (PLUS_INF, nonzero, cis(INF)), (MINUS_INF, PLUS_INF, (A0, A0)),
        (PLUS_INF, PLUS_INF, (AINF, NAN)), (MINUS_INF, isnan, (A0, A0)), (PLUS_INF, isnan, (AINF, NAN)),
        (isnan, plus_zero, (NAN, 0.0)), (isnan, lambda b: b != 0, NOTHING),
    ],
    "expm1": [
        (is_zero, plus_zero, (A0, A0)), (finite, PLUS_INF, NOTHING), (finite, isnan, NOTHING), (PLUS_INF, plus_zero, (INF, 0.0)),
        (MINUS_INF, finite, lambda a, b: (-1.0, math.copysign(0.0, math.sin(b)))), (PLUS_INF, nonzero, cis(INF)),
        (MINUS_INF, PLUS_INF, (-1.0, A0)), (PLUS_INF, PLUS_INF, (AINF, NAN)), (MINUS_INF, isnan, (-1.0, A0)),
        (PLUS_INF, isnan, (AINF, NAN)), (isnan, plus_zero, (NAN, 0.0)), (isnan, lambda b: b != 0, NOTHING),
    ],
    "log": [
        (minus_zero, plus_zero, (-INF, PI)), (plus_zero, plus_zero, (-INF, 0.0)), (finite, PLUS_INF, (INF, PI / 2)),
        (finite, isnan, NOTHING), (MINUS_INF, positive, (INF, PI)), (PLUS_INF, positive, (INF, 0.0)),
        (MINUS_INF, PLUS_INF, (INF, 3 * PI / 4)), (PLUS_INF, PLUS_INF, (INF, PI / 4)), (isinf, isnan, (INF, NAN)),
        (isnan, finite, NOTHING), (isnan, PLUS_INF, (INF, NAN)), (isnan, isnan, NOTHING),
    ],
    "log1p": [
        (lambda a: a == -1, plus_zero, (-INF, 0.0)), (finite, PLUS_INF, (INF, PI / 2)), (finite, isnan, NOTHING),
        (MINUS_INF, positive, (INF, PI)), (PLUS_INF, positive, (INF, 0.0)), (MINUS_INF, PLUS_INF, (INF, 3 * PI / 4)),
        (PLUS_INF, PLUS_INF, (INF, PI / 4)), (isinf, isnan, (INF, NAN)), (isnan, finite, NOTHING), (isnan, PLUS_INF, (INF, NAN)),
        (isnan, isnan, NOTHING),
    ],
    "sinh": [
        (plus_zero, plus_zero, (0.0, 0.0)), (plus_zero, PLUS_INF, (A0, NAN)), (plus_zero, isnan, (A0, NAN)),
        (positive, PLUS_INF, NOTHING), (nonzero, isnan, NOTHING), (PLUS_INF, plus_zero, (INF, 0.0)), (PLUS_INF, positive, cis(INF)),
        (PLUS_INF, PLUS_INF, (AINF, NAN)), (PLUS_INF, isnan, (AINF, NAN)), (isnan, plus_zero, (NAN, 0.0)),
        (isnan, lambda b: number(b) and b != 0, NOTHING), (isnan, isnan, NOTHING),
    ],
    "sqrt": [
        (is_zero, plus_zero, (0.0, 0.0)), (always, PLUS_INF, (INF, INF)), (finite, isnan, NOTHING),
        (MINUS_INF, positive, (0.0, INF)),
        (PLUS_INF, positive, (INF, 0.0)), (MINUS_INF, isnan, (NAN, AINF)), (PLUS_INF, isnan, (INF, NAN)),
        (isnan, lambda b: not isinf(b), NOTHING),
    ],
    "tanh": [
        (plus_zero, plus_zero, (0.0, 0.0)), (nonzero, PLUS_INF, NOTHING), (plus_zero, PLUS_INF, (0.0, NAN)),
        (nonzero, isnan, NOTHING), (plus_zero, isnan, (0.0, NAN)), (PLUS_INF, positive, (1.0, A0)), (PLUS_INF, PLUS_INF, (1.0, A0)),
        (PLUS_INF, isnan, (1.0, A0)), (isnan, plus_zero, (NAN, 0.0)), (isnan, lambda b: number(b) and b != 0, NOTHING),
        (isnan, isnan, NOTHING),
    ],
}  # fmt: skip
ODD = ("asinh", "atanh", "sinh", "tanh")
EVEN = ("cosh",)
TURNED = {"asin": ("asinh", -1j), "atan": ("atanh", -1j), "cos": ("cosh", 1), "sin": ("sinh", -1j), "tan": ("tanh", -1j)}
"""Functions that the standard defines by another one: of 1j * x, times a number."""


def _negated(r):
    return r if isinstance(r, AnySign) else -r


def complex_case(name, a, b):
    """Pairs (real, imaginary) that name(a + bj) must give, one for each row that speaks of it; a component may be an AnySign."""
    if name in TURNED:  # 1j * x = -b + aj, and -1j * (re + im j) = im - re j
        other, factor = TURNED[name]
        found = complex_case(other, -b if b == b else b, a)
        return found if factor == 1 else [(im, _negated(re)) for re, im in found]
    if name in ODD and sign(a) < 0 and a == a:
        return [(_negated(re), _negated(im)) for re, im in complex_case(name, -a, -b if b == b else b)]
    if name in EVEN and sign(a) < 0 and a == a:
        return complex_case(name, -a, -b if b == b else b)
    if sign(b) < 0 and b == b:
        return [(re, _negated(im)) for re, im in complex_case(name, a, -b)]
    found = [r for is_a, is_b, r in COMPLEX[name] if is_a(a) and is_b(b)]
    return [r(a, b) if callable(r) else r for r in found]


def fits(got, wanted, tolerance):
    """Whether a number is the one that is wanted, the sign of zero included."""
    if isinstance(wanted, AnySign):
        return fits(abs(got), abs(wanted.size), tolerance)
    if isinstance(wanted, bool):
        return got == wanted
    if isnan(wanted):
        return isnan(got)
    if isinf(wanted) or wanted == 0:
        return got == wanted and sign(got) == sign(wanted)
    return abs(got - wanted) <= tolerance * abs(wanted)


def real_cases(rules, *operands):
    """The results that a table's rows want for operands."""
    for condition, result in rules:
        if condition(*operands):
            wanted = operands[0] if result is SAME else result(*operands) if callable(result) else result
            if wanted is not None:
                yield wanted


def pairs(numbers):
    return list(itertools.product(numbers, numbers))
