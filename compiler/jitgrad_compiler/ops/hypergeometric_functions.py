"""Hypergeometric functions of real numbers, in plain Python float64: Kummer's 1F1 with derivatives by its parameters, Gauss' 2F1.

They run as they stand, and kernels have them by `targets/scalar_translation.py`. Where two series give the same number, the one
whose terms cancel less is taken; towards the singular point 1 of 2F1 its differential equation is followed by Taylor's series in
steps of half the distance, which needs no case for whole c - a - b. With large parameters another solution may grow out of rounding
there, which Euler's transformation shows: it has other errors, and the two must agree. What has not converged after many terms, or
has lost more than eight digits, is NaN. Beside a zero of the function it has not: what counts there is its derivative. Those of 2F1
by its parameters are in `gauss_slopes.py`.
"""

from __future__ import annotations

import math

from .gamma_functions import digamma, gamma, lgamma

MOST_TERMS = 3000.0
MOST_TERMS_NEAR_ONE = 500.0  # of a series in x > 1/2, beside which there is another way
MOST_LOSS = 1e8  # of terms larger than their sum by this, too few digits are left
FEW_LOSS = 1e3  # so much is lost before another way is tried
TRUST = 1e-7  # how near two ways must come to each other
SMALL = 6.0  # for parameters up to this size the differential equation keeps nine digits
LARGE = 1e250
LOG_LARGE = 575.6462732485114


def is_pole(b: float) -> bool:
    """Whether a number is 0, -1, -2, ..."""
    return b <= 0.0 and (b < -1e15 or math.floor(b) == b)


def hyp1f1(a: float, b: float, x: float) -> float:
    """1F1(a; b; x) (NIST DLMF 13.2.2); inf where b is 0, -1, ... and no polynomial is meant."""
    return _kummer(a, b, x)[0]


def hyp1f1_slope_a(a: float, b: float, x: float) -> float:
    """The derivative of 1F1 by a."""
    return _kummer(a, b, x)[1]


def hyp1f1_slope_b(a: float, b: float, x: float) -> float:
    """The derivative of 1F1 by b."""
    return _kummer(a, b, x)[2]


def _kummer(a: float, b: float, x: float) -> tuple[float, float, float]:
    if a - a != 0.0 or b - b != 0.0 or math.isnan(x):
        return math.nan, math.nan, math.nan
    if x == 0.0:
        return 1.0, 0.0, 0.0
    if is_pole(b) and not (is_pole(a) and a >= b):
        return math.inf, math.nan, math.nan
    if abs(x) > 200.0 and not is_pole(a):
        value, value_a, value_b = _kummer_far(a, b, x)
        if value == value:
            return value, value_a, value_b
    if x == math.inf or x == -math.inf:
        return (1.0, math.nan, 0.0) if a == 0.0 else (math.nan, math.nan, math.nan)
    if x < 0.0 and b > 0.0 and b >= a:
        value, value_a, value_b, loss = _kummer_transformed(a, b, x)
        return value, value_a, value_b
    value, value_a, value_b, loss = _kummer_series(a, b, x, 0.0)
    if loss > 8.0 and not is_pole(b):
        other, other_a, other_b, other_loss = _kummer_transformed(a, b, x)
        if other_loss < loss:
            value, value_a, value_b, loss = other, other_a, other_b, other_loss
    return value, value_a, value_b


def _kummer_transformed(a: float, b: float, x: float) -> tuple[float, float, float, float]:
    """exp(x) 1F1(b - a; b; -x) (NIST DLMF 13.2.39)."""
    value, by_first, by_second, loss = _kummer_series(b - a, b, -x, x)
    return value, -by_first, by_first + by_second, loss


def _kummer_series(a: float, b: float, x: float, exponent: float) -> tuple[float, float, float, float]:
    """exp(exponent) times the series, its derivatives by a and b, and how much larger the terms are than their sum."""
    term, term_a, term_b = 1.0, 0.0, 0.0
    total, total_a, total_b, size, slope = 1.0, 0.0, 0.0, 1.0, 0.0
    k, scale = 0.0, exponent
    while k < MOST_TERMS:
        lower = b + k
        if lower == 0.0:
            break
        ratio = x / lower / (k + 1.0)
        upper = a + k
        term_b = (term_b - term / lower) * upper * ratio
        term_a = (term_a * upper + term) * ratio
        term *= upper * ratio
        total += term
        total_a += term_a
        total_b += term_b
        size += abs(term)
        k += 1.0
        slope += k * term
        if size > LARGE:
            term, term_a, term_b, size = term / LARGE, term_a / LARGE, term_b / LARGE, size / LARGE
            total, total_a, total_b, slope = total / LARGE, total_a / LARGE, total_b / LARGE, slope / LARGE
            scale += LOG_LARGE
        small = abs(term) <= 1e-17 * abs(total) and abs(term_a) <= 1e-17 * abs(total_a) and abs(term_b) <= 1e-17 * abs(total_b)
        if small and abs(upper * ratio) < 0.95 and k > -a and k > -b:  # beside a pole of b terms grow once more
            break
    if k == MOST_TERMS or is_lost(total, slope / x, size):
        return math.nan, math.nan, math.nan, math.inf
    loss = size / abs(total) if total != 0.0 else math.inf
    if scale == 0.0:
        return total, total_a, total_b, loss
    if scale > 1300.0:
        return math.copysign(math.inf, total), math.copysign(math.inf, total_a), math.copysign(math.inf, total_b), loss
    half = math.exp(0.5 * scale)
    return half * total * half, half * total_a * half, half * total_b * half, loss


def is_lost(total: float, slope: float, size: float) -> bool:
    """Whether a sum of terms of a size has lost its digits: a change of x in its last one would change it by less."""
    return total != 0.0 and size > MOST_LOSS * max(abs(total), abs(slope))


def _kummer_far(a: float, b: float, x: float) -> tuple[float, float, float]:
    """Large |x| (NIST DLMF 13.7.1, 13.7.2): gamma(b) / gamma(a) exp(x) x^(a - b) above 0, gamma(b) / gamma(b - a) |x|^-a below."""
    lower = a if x > 0.0 else b - a
    if is_pole(lower):
        return math.nan, math.nan, math.nan
    first, second = (b - a, 1.0 - a) if x > 0.0 else (a, a - b + 1.0)
    size = abs(x)
    term, by_first, by_second = 1.0, 0.0, 0.0
    total, total_first, total_second, k = 1.0, 0.0, 0.0, 0.0
    while k < 200.0 and size < math.inf:
        ratio = 1.0 / ((k + 1.0) * size)
        following = term * (first + k) * (second + k) * ratio
        if abs(following) > abs(term):  # the series has not come near enough to its limit
            return math.nan, math.nan, math.nan
        if abs(following) < 1e-18 * abs(total):
            break
        by_first = (by_first * (first + k) + term) * (second + k) * ratio
        by_second = (by_second * (second + k) + term) * (first + k) * ratio
        term = following
        total, total_first, total_second = total + term, total_first + by_first, total_second + by_second
        k += 1.0
    logarithm = math.log(size)
    if x > 0.0:
        exponent = lgamma(b) - lgamma(a) + (a - b) * logarithm + x
        rate_a, rate_b = logarithm - digamma(a), digamma(b) - logarithm
        slope_a, slope_b = -(total_first + total_second), total_first
    else:
        exponent = lgamma(b) - lgamma(b - a) - a * logarithm
        rate_a, rate_b = digamma(b - a) - logarithm, digamma(b) - digamma(b - a)
        slope_a, slope_b = total_first + total_second, -total_second
    sign = sign_of_gamma(b) * sign_of_gamma(lower)
    if exponent > 709.7:
        front = sign * math.inf
    else:
        front = sign * math.exp(exponent)
    return front * total, front * (rate_a * total + slope_a), front * (rate_b * total + slope_b)


def sign_of_gamma(x: float) -> float:
    below = math.floor(max(x, -1e15)) + 0.0
    return -1.0 if x < 0.0 and below - 2.0 * math.floor(0.5 * below) == 1.0 else 1.0


def hyp2f1(a: float, b: float, c: float, x: float) -> float:
    """2F1(a, b; c; x) for x <= 1 (NIST DLMF 15.2.1), and of polynomials for any x; inf where c is 0, -1, ... and none is meant, NaN
    for x > 1, where the function is not real."""
    if a - a != 0.0 or b - b != 0.0 or c - c != 0.0 or x - x != 0.0:
        return math.nan
    if x == 0.0 or a == 0.0 or b == 0.0:
        return 1.0
    last = min(-a if is_pole(a) else math.inf, -b if is_pole(b) else math.inf)
    if is_pole(c) and last > -c:
        return math.inf
    if last < MOST_TERMS:
        return _gauss_series(a, b, c, x, MOST_TERMS)[0]
    if x > 1.0:
        return math.nan
    if x == 1.0:
        return _gauss_at_one(a, b, c)
    if x < -0.5:  # Pfaff's transformations, NIST DLMF 15.8.1: the parameter left in front is the smaller one
        front = min(a, b)
        return power(1.0 - x, -front) * _gauss_inside(front, c - max(a, b), c, x / (x - 1.0), 1.0 / (1.0 - x))
    return _gauss_inside(a, b, c, x, 1.0 - x)


def power(base: float, exponent: float) -> float:
    """base^exponent for base > 0; inf where Python's pow would raise."""
    return math.inf if exponent * math.log(base) > 709.7 else math.pow(base, exponent)


def _gauss_at_one(a: float, b: float, c: float) -> float:
    """NIST DLMF 15.4.20, and the sign of infinity where the series diverges."""
    left = c - a - b
    if left > 0.0:
        if is_pole(c - a) or is_pole(c - b):
            return 0.0
        if max(abs(c), left) < 100.0:
            return gamma(c) / gamma(c - a) * (gamma(left) / gamma(c - b))
        sign = sign_of_gamma(c) * sign_of_gamma(c - a) * sign_of_gamma(c - b)
        return sign * math.exp(lgamma(c) + lgamma(left) - lgamma(c - a) - lgamma(c - b))
    if is_pole(c - a) or is_pole(c - b):
        return math.inf if left < 0.0 else math.nan
    return sign_of_gamma(c) * sign_of_gamma(a) * sign_of_gamma(b) * math.inf


def _gauss_inside(a: float, b: float, c: float, x: float, beyond: float) -> float:
    """-1/2 <= x < 1, with beyond = 1 - x."""
    if is_pole(a) or is_pole(b):
        return _gauss_series(a, b, c, x, MOST_TERMS)[0]
    if x > 0.5 and max(abs(a), abs(b), abs(c)) <= SMALL:
        return _gauss_towards_one(a, b, c, beyond)
    most = MOST_TERMS if x <= 0.5 else MOST_TERMS_NEAR_ONE
    value, loss = _gauss_series(a, b, c, x, most)
    if loss > 8.0:  # Euler's transformation, NIST DLMF 15.8.1
        other, other_loss = _gauss_series(c - a, c - b, c, x, most)
        if other_loss < loss:
            value, loss = power(beyond, c - a - b) * other, other_loss
    if x <= 0.5 or loss < FEW_LOSS:
        return value
    value, other = _gauss_towards_one(a, b, c, beyond), power(beyond, c - a - b) * _gauss_towards_one(c - a, c - b, c, beyond)
    return value if abs(value - other) <= TRUST * abs(value) else math.nan


def _gauss_series(a: float, b: float, c: float, x: float, most: float) -> tuple[float, float]:
    """The series, and how much larger its terms are than the sum."""
    term, total, size, slope, k = 1.0, 1.0, 1.0, 0.0, 0.0
    while k < most and term != 0.0:
        if c + k == 0.0:
            break
        ratio = (a + k) / (c + k) * ((b + k) / (k + 1.0)) * x
        term *= ratio
        total += term
        size += abs(term)
        k += 1.0
        slope += k * term
        if abs(term) <= 1e-17 * abs(total) and abs(ratio) < 0.95 and k > -a and k > -b and k > -c:
            break
    if k == most or is_lost(total, slope / x, size):
        return math.nan, math.inf
    return total, size / abs(total) if total != 0.0 else math.inf


def _gauss_towards_one(a: float, b: float, c: float, beyond: float) -> float:
    """From x = 1/2 by Taylor's series of the differential equation (NIST DLMF 15.10.1); y is the distance to 1."""
    value = _gauss_series(a, b, c, 0.5, MOST_TERMS)[0]
    slope = a * b / c * _gauss_series(a + 1.0, b + 1.0, c + 1.0, 0.5, MOST_TERMS)[0]
    y = 0.5
    while y > beyond:
        step = min(0.5 * y, y - beyond)
        before, current = value, slope * step
        value, slope, n = before + current, current, 0.0
        share = step / (y * (1.0 - y))
        first = c - (a + b + 1.0) * (1.0 - y)
        while n < 400.0:
            below = share / ((n + 2.0) * (n + 1.0))
            following = below * ((n + a) * (n + b) * step * before - ((2.0 * y - 1.0) * n + first) * (n + 1.0) * current)
            value += following
            slope += (n + 2.0) * following
            small = abs(following) * (n + 2.0) <= 1e-17 * abs(slope) and abs(current) * (n + 1.0) <= 1e-16 * abs(slope)
            before, current = current, following
            n += 1.0
            if small and abs(following) <= 1e-17 * abs(value) and n > -a and n > -b:
                break
        if n == 400.0:
            return math.nan
        slope /= step
        if y - step <= beyond:
            break
        y -= step
    return value
