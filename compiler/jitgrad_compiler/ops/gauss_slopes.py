"""Derivatives of Gauss' 2F1(a, b; c; x) by its parameters, in plain Python float64 as `hypergeometric_functions.py`.

Each function there has its derivative here, along a direction (da, db, dc) of the parameters: pairs of a value and how it changes.
Transformations are differentiated, too, so that the same ones are taken. Of a polynomial in x that a change of the parameters
leaves one the sum is finite; what such a change makes of another is no polynomial.
"""

from __future__ import annotations

import math

from .gamma_functions import digamma, lgamma
from .hypergeometric_functions import (
    FEW_LOSS,
    MOST_LOSS,
    MOST_TERMS,
    MOST_TERMS_NEAR_ONE,
    SMALL,
    TRUST,
    is_pole,
    power,
    sign_of_gamma,
)


def hyp2f1_slope_a(a: float, b: float, c: float, x: float) -> float:
    """The derivative of 2F1 by a, or by b with the two exchanged."""
    if is_pole(b) and not (is_pole(c) and b < c):
        return _slope(a, b, c, x, 1.0, 0.0, -b)
    return _slope(a, b, c, x, 1.0, 0.0, math.inf)


def hyp2f1_slope_c(a: float, b: float, c: float, x: float) -> float:
    """The derivative of 2F1 by c."""
    last = min(-a if is_pole(a) else math.inf, -b if is_pole(b) else math.inf)
    if is_pole(c) and last > -c:
        last = math.inf
    return _slope(a, b, c, x, 0.0, 1.0, last)


def _slope(a: float, b: float, c: float, x: float, da: float, dc: float, last: float) -> float:
    """`last`: the power of x with which the derivative ends."""
    if a - a != 0.0 or b - b != 0.0 or c - c != 0.0 or x - x != 0.0:
        return math.nan
    if x == 0.0 or b == 0.0 or (a == 0.0 and da == 0.0):
        return 0.0
    if last < MOST_TERMS:
        return _series(a, b, c, x, da, 0.0, dc, MOST_TERMS)[1]
    if x > 1.0 or is_pole(c):
        return math.nan
    if x == 1.0:
        return _at_one(a, b, c, da, dc)
    if x < -0.5:  # as in hyp2f1
        logarithm, inverse = math.log1p(-x), 1.0 / (1.0 - x)
        front, other, dfront, dother = (a, b, da, 0.0) if a < b else (b, a, 0.0, da)
        value, slope = _inside(front, c - other, c, x / (x - 1.0), inverse, dfront, dc - dother, dc)
        return power(1.0 - x, -front) * (slope - dfront * logarithm * value)
    return _inside(a, b, c, x, 1.0 - x, da, 0.0, dc)[1]


def _at_one(a: float, b: float, c: float, da: float, dc: float) -> float:
    """Of gamma(c) gamma(c - a - b) / (gamma(c - a) gamma(c - b)), NIST DLMF 15.4.20."""
    left = c - a - b
    if left <= 0.0:
        return math.nan
    first, first_slope = _reciprocal_gamma(c - a)
    second, second_slope = _reciprocal_gamma(c - b)
    change = dc * digamma(c) + (dc - da) * digamma(left)
    # Each of the reciprocals is a number times the exponential of another, which join before they leave the range.
    of_gammas = lgamma(c) + lgamma(left) - _size(c - a) - _size(c - b)
    total = first * second * change + (dc - da) * first_slope * second + dc * first * second_slope
    return sign_of_gamma(c) * total * math.exp(of_gammas) if of_gammas < 709.7 else math.copysign(math.inf, total)


def _size(x: float) -> float:
    """The logarithm of what `_reciprocal_gamma` leaves out."""
    return -lgamma(1.0 - x) if is_pole(x) else lgamma(x)


def _reciprocal_gamma(x: float) -> tuple[float, float]:
    """1 / gamma(x) and its derivative, both times exp(_size(x)); at the poles they are 0 and (-1)^x (-x)! (NIST DLMF 5.7.1)."""
    if is_pole(x):
        return 0.0, sign_of_gamma(x - 0.5) * -1.0
    sign = sign_of_gamma(x)
    return sign, -sign * digamma(x)


def _inside(a: float, b: float, c: float, x: float, beyond: float, da: float, db: float, dc: float) -> tuple[float, float]:
    """-1/2 <= x < 1, with beyond = 1 - x: the value and its change."""
    if x > 0.5 and max(abs(a), abs(b), abs(c)) <= SMALL:
        return _towards_one(a, b, c, beyond, da, db, dc)
    most = MOST_TERMS if x <= 0.5 else MOST_TERMS_NEAR_ONE
    front, change = power(beyond, c - a - b), (dc - da - db) * math.log(beyond)
    value, slope, by_x, slope_by_x, loss = _series(a, b, c, x, da, db, dc, most)
    if loss > 8.0:
        other, other_slope, by_x, slope_by_x, other_loss = _series(c - a, c - b, c, x, dc - da, dc - db, dc, most)
        if other_loss < loss:
            value, slope, loss = front * other, front * (other_slope + change * other), other_loss
    if x <= 0.5 or loss < FEW_LOSS:
        return value, slope
    value, slope = _towards_one(a, b, c, beyond, da, db, dc)
    other, other_slope = _towards_one(c - a, c - b, c, beyond, dc - da, dc - db, dc)
    other, other_slope = front * other, front * (other_slope + change * other)
    if abs(value - other) <= TRUST * abs(value) and abs(slope - other_slope) <= TRUST * max(abs(slope), 1e-3 * abs(value)):
        return value, slope
    return math.nan, math.nan


def _series(
    a: float, b: float, c: float, x: float, da: float, db: float, dc: float, most: float
) -> tuple[float, float, float, float, float]:
    """The series, its change, the derivatives of both by x, and how much larger the terms are than the first two."""
    term, change, k = 1.0, 0.0, 0.0
    total, changed, by_x, changed_by_x, size = 1.0, 0.0, 0.0, 0.0, 1.0
    while k < most and (term != 0.0 or change != 0.0):
        lower = c + k
        if lower == 0.0:
            break
        upper = (a + k) * (b + k)
        step = x / (lower * (k + 1.0))
        change = (change * upper + term * (da * (b + k) + db * (a + k) - dc * upper / lower)) * step
        term *= upper * step
        k += 1.0
        total, changed = total + term, changed + change
        by_x, changed_by_x = by_x + k * term, changed_by_x + k * change
        size += abs(term) + abs(change)
        small = abs(term) <= 1e-17 * abs(total) and k * abs(change) <= 1e-17 * max(abs(changed), abs(changed_by_x))
        if small and abs(upper * step) < 0.95 and k > -a and k > -b and k > -c:
            break
    near = max(abs(total), abs(changed))
    if k == most or size > MOST_LOSS * max(near, abs(by_x / x)):
        return math.nan, math.nan, math.nan, math.nan, math.inf
    return total, changed, by_x / x, changed_by_x / x, size / near if near != 0.0 else math.inf


def _towards_one(a: float, b: float, c: float, beyond: float, da: float, db: float, dc: float) -> tuple[float, float]:
    """From x = 1/2 by Taylor's series of the differential equation (NIST DLMF 15.10.1); y is the distance to 1."""
    value, dvalue, slope, dslope, _ = _series(a, b, c, 0.5, da, db, dc, MOST_TERMS)
    y = 0.5
    while y > beyond:
        step = min(0.5 * y, y - beyond)
        before, current, dbefore, dcurrent = value, slope * step, dvalue, dslope * step
        value, slope, dvalue, dslope, n = before + current, current, dbefore + dcurrent, dcurrent, 0.0
        share = step / (y * (1.0 - y))
        first, dfirst = c - (a + b + 1.0) * (1.0 - y), dc - (da + db) * (1.0 - y)
        while n < 400.0:
            below = share / ((n + 2.0) * (n + 1.0))
            product, dproduct = (n + a) * (n + b) * step, (da * (n + b) + db * (n + a)) * step
            rate, drate = ((2.0 * y - 1.0) * n + first) * (n + 1.0), dfirst * (n + 1.0)
            dfollowing = below * (product * dbefore + dproduct * before - rate * dcurrent - drate * current)
            following = below * (product * before - rate * current)
            value, dvalue = value + following, dvalue + dfollowing
            slope, dslope = slope + (n + 2.0) * following, dslope + (n + 2.0) * dfollowing
            largest = max(abs(following), abs(dfollowing)) * (n + 2.0)
            small = largest <= 1e-17 * max(abs(slope), abs(dslope)) and largest <= 1e-17 * max(abs(value), abs(dvalue))
            before, current, dbefore, dcurrent = current, following, dcurrent, dfollowing
            n += 1.0
            if small and n > -a and n > -b:
                break
        if n == 400.0:
            return math.nan, math.nan
        slope, dslope = slope / step, dslope / step
        if y - step <= beyond:
            break
        y -= step
    return value, dvalue
