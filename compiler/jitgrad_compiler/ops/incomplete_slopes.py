"""First and second derivatives of the incomplete gamma and beta functions by their parameters, in plain Python float64.

The logarithm of a density has simple derivatives by a parameter, so the derivatives of its integral are integrals of the density
times polynomials of them (NIST DLMF 8.2.4, 8.17.2). Densities have gamma(a + 1) in place of gamma(a), and the factor that is left
apart: for small a the one is smooth, and the derivatives of the other cancel on paper. Integrals are those of
`incomplete_functions.py`.
"""

from __future__ import annotations

import math

from .gamma_functions import digamma, polygamma, zeta
from .incomplete_functions import (
    LARGE,
    VANISHED,
    beta_front,
    beyond_mean,
    digamma_rest,
    gamma_front,
    gamma_moments,
    log1p_less,
)
from .quadrature import NODES, WEIGHTS

NEAR = 1e-3  # differences of two values as near as this, in parts of the argument, are Taylor's series about their middle

# -- gamma


def gammainc_slope(a: float, x: float) -> float:
    """The derivative of P(a, x) by a, for a, x > 0."""
    if not (a > 0.0 and x >= 0.0):
        return math.nan
    if x == 0.0 or x == math.inf or a == math.inf:
        return 0.0
    return gamma_front(a, x) * _gamma_slopes(a, x)[0]


def gammainc_curvature(a: float, x: float) -> float:
    """The second derivative of P(a, x) by a, for a, x > 0."""
    if not (a > 0.0 and x >= 0.0):
        return math.nan
    if x == 0.0 or x == math.inf or a == math.inf:
        return 0.0
    return gamma_front(a, x) * _gamma_slopes(a, x)[1]


def gamma_draw_slope(a: float, x: float) -> float:
    """The derivative of x by a where P(a, x) is held: -gammainc_slope / gamma_density, of which either may underflow."""
    if not (a > 0.0 and x >= 0.0) or a == math.inf:
        return math.nan
    if x == 0.0 or x == math.inf:
        return x
    return -_gamma_slopes(a, x)[0] * (x / a)


def gamma_draw_curvature(a: float, x: float) -> float:
    """The derivative of gamma_draw_slope by a where x is held."""
    if not (a > 0.0 and x >= 0.0) or a == math.inf:
        return math.nan
    if x == 0.0 or x == math.inf:
        return 0.0
    return _gamma_slopes(a, x)[2] * (x / a)


def _gamma_slopes(a: float, x: float) -> tuple[float, float, float]:
    """The derivatives of P(a, x) by a, by gamma_front(a, x), and gamma_draw_curvature by x / a: the series of P term by term, or
    quadrature."""
    spread, whole = zeta(2.0, a + 1.0), _log_less_digamma(x, a)
    logarithm = whole - 1.0 / a if a >= 10.0 else math.log(x) - digamma(a + 1.0)  # of the first term
    upper = x > a and x > 1.1
    if upper or a >= LARGE:
        total, moment, square = gamma_moments(a, x, 1.0 if upper else -1.0)
        sign = -1.0 if upper else 1.0
        both = logarithm * total + moment
        bend = a * (logarithm * logarithm * total + 2.0 * logarithm * moment + square - spread * total)
        drawn = a * zeta(2.0, a) * total - a * (square + whole * moment)
        return sign * (total + a * both), sign * (2.0 * both + bend), sign * drawn
    term, n, less = 1.0, a + 1.0, 1.0 / a
    slope, curvature, drawn = logarithm, logarithm * logarithm - spread, logarithm * less + spread
    while n < a + 400.0:
        term *= x / n
        logarithm -= 1.0 / n
        less += 1.0 / n
        spread -= 1.0 / (n * n)
        n += 1.0
        slope += term * logarithm
        curvature += term * (logarithm * logarithm - spread)
        drawn += term * (logarithm * less + spread)
        if term * abs(logarithm) < 1e-17 * abs(slope) and term * logarithm * logarithm < 1e-17 * abs(curvature):
            break
    return slope, curvature, drawn


def _log_less_digamma(x: float, a: float) -> float:
    """log x - digamma(a), for large a by how far x is from it: digamma is the logarithm less a series (NIST DLMF 5.11.2)."""
    beyond = (x - a) / a
    if a < 10.0 or abs(beyond) > 0.5:
        return math.log(x) - digamma(a)
    return math.log1p(beyond) + digamma_rest(a)


# -- beta


def betainc_slope(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by a, for a, b > 0 and x in [0, 1]."""
    return _beta_slopes(a, b, x)[0]


def betainc_slope_b(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by b."""
    return _beta_slopes(a, b, x)[1]


def betainc_curvature(a: float, b: float, x: float) -> float:
    """The second derivative of I_x(a, b) by a."""
    return _beta_slopes(a, b, x)[2]


def betainc_twist(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by a and b."""
    return _beta_slopes(a, b, x)[3]


def betainc_curvature_b(a: float, b: float, x: float) -> float:
    """The second derivative of I_x(a, b) by b."""
    return _beta_slopes(a, b, x)[4]


def _beta_slopes(a: float, b: float, x: float) -> tuple[float, float, float, float, float]:
    """The derivatives of I_x(a, b) by a, b, a twice, both, b twice."""
    if not (a > 0.0 and b > 0.0 and 0.0 <= x <= 1.0):
        return math.nan, math.nan, math.nan, math.nan, math.nan
    if x == 0.0 or x == 1.0 or a == math.inf or b == math.inf:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    if x <= a / (a + b):
        return _beta_lower_slopes(a, b, x, 1.0 - x)
    by_b, by_a, by_bb, by_ab, by_aa = _beta_lower_slopes(b, a, 1.0 - x, x)
    return -by_a, -by_b, -by_aa, -by_ab, -by_bb


def _beta_lower_slopes(a: float, b: float, x: float, y: float) -> tuple[float, float, float, float, float]:
    """For x below the mean: of the integral; for small a of x^a y^b / (a B(a, b)) + I_x(a + 1, b) (NIST DLMF 8.17.20)."""
    if a >= 1.0:
        return _beta_integral_slopes(a, b, x, y)
    by_a, by_b, by_aa, by_ab, by_bb = _beta_integral_slopes(a + 1.0, b, x, y)
    whole = a + b
    front = beta_front(a, b, x, y) * (whole / a / b)
    log_a, log_b = _beta_logarithms(a, b, x, y)
    spread = zeta(2.0, whole + 1.0)
    # The factor b / (a + b), with its derivatives.
    factor, down = b / whole, 1.0 / whole
    factor_a, factor_b = -factor * down, a / whole * down
    by_a += front * (factor_a + factor * log_a)
    by_b += front * (factor_b + factor * log_b)
    by_aa += front * (-2.0 * factor_a * down + 2.0 * factor_a * log_a + factor * (log_a * log_a - _spread(a + 1.0, b)))
    by_ab += front * ((b - a) / whole * down * down + factor_a * log_b + factor_b * log_a + factor * (log_a * log_b + spread))
    by_bb += front * (-2.0 * factor_b * down + 2.0 * factor_b * log_b + factor * (log_b * log_b - _spread(b + 1.0, a)))
    return by_a, by_b, by_aa, by_ab, by_bb


def _beta_integral_slopes(a: float, b: float, x: float, y: float) -> tuple[float, float, float, float, float]:
    """For x below the mean and a >= 1: the integral of the density over t = x exp(-v), that is front / y times
    exp(-a v) (1 + r s)^(b - 1) with r = x / y and s = 1 - exp(-v), and with polynomials of the logarithms of t and 1 - t."""
    ratio, more, slope = x / y, b - 1.0, max((x - beyond_mean(a, b, x, y)) / y, 0.0)
    end = VANISHED / a
    if more > 0.0:  # the exponent is concave: Newton's steps come from above
        curvature = math.hypot(math.sqrt(a), math.sqrt(more) * ratio)
        near = 2.0 * VANISHED / (slope + math.hypot(slope, math.sqrt(2.0 * VANISHED) * curvature))
        near *= 1.0 + ratio * near
        end = min((VANISHED + more * math.log1p(ratio)) / a, -math.log1p(-near) if near < 0.9 else 1e300)
        for _ in range(5):
            exponent, rise = _beta_exponent(a, more, ratio, slope, end)
            if exponent > -VANISHED - 0.01:
                break
            end += (exponent + VANISHED) / (a - more * ratio * math.exp(-end - rise))
    log_a, log_b = _beta_logarithms(a, b, x, y)
    total, by_a, by_b, by_aa, by_ab, by_bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    start, width = 0.0, min(end / 7.0, 0.5 / ratio)
    while start < end:
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            v = start + width * node
            exponent, rise = _beta_exponent(a, more, ratio, slope, v)
            value = width * weight * math.exp(exponent)
            a_here, b_here = log_a - v, log_b + rise
            total += value
            by_a += value * a_here
            by_b += value * b_here
            by_aa += value * a_here * a_here
            by_ab += value * a_here * b_here
            by_bb += value * b_here * b_here
        start += width
        width *= 2.0
    whole = a + b
    front = beta_front(a, b, x, y) / y * (whole / a / b)
    spread = zeta(2.0, whole + 1.0)
    # The factor a b / (a + b), with its derivatives.
    down, share_a, share_b = 1.0 / whole, a / whole, b / whole
    factor, factor_a, factor_b = a * share_b, share_b * share_b, share_a * share_a
    by_aa = 2.0 * factor_a * by_a + factor * (by_aa - _spread(a + 1.0, b) * total) - 2.0 * factor_a * down * total
    by_ab = factor_a * by_b + factor_b * by_a + factor * (by_ab + spread * total) + 2.0 * share_a * share_b * down * total
    by_bb = 2.0 * factor_b * by_b + factor * (by_bb - _spread(b + 1.0, a) * total) - 2.0 * factor_b * down * total
    return (
        front * (factor_a * total + factor * by_a),
        front * (factor_b * total + factor * by_b),
        front * by_aa,
        front * by_ab,
        front * by_bb,
    )


def _beta_exponent(a: float, more: float, ratio: float, slope: float, v: float) -> tuple[float, float]:
    """more log(1 + r s) - a v for s = 1 - exp(-v), and that logarithm; for small v by slope = a - more r, the others' rest."""
    s = -math.expm1(-v)
    u = ratio * s
    if s > 0.25 or u > 0.4:
        rise = math.log1p(u)
        return more * rise - a * v, rise
    less = log1p_less(u)
    return a * log1p_less(-s) + more * less - slope * s, less + u


def _beta_logarithms(a: float, b: float, x: float, y: float) -> tuple[float, float]:
    """log x - digamma(a + 1) + digamma(a + b + 1), and the same of y and b."""
    beyond = beyond_mean(a, b, x, y)
    return _logarithm(a + 1.0, b, x, y, beyond - y), _logarithm(b + 1.0, a, y, x, -beyond - x)


def _logarithm(a: float, b: float, x: float, y: float, beyond: float) -> float:
    """log x - digamma(a) + digamma(a + b) for a >= 1 and beyond = x (a + b) - a: of large numbers without their logarithms."""
    if a >= 10.0:
        u = beyond / a
        return (math.log1p(u) if u > -0.5 else math.log(x * ((a + b) / a))) + (digamma_rest(a) - digamma_rest(a + b))
    logarithm = math.log(x) if x < 0.5 else math.log1p(-y)
    if b > NEAR * a:
        return logarithm + (digamma(a + b) - digamma(a))
    middle = a + 0.5 * b
    return logarithm + b * (polygamma(1.0, middle) + b * b / 24.0 * polygamma(3.0, middle))


def _spread(a: float, b: float) -> float:
    """trigamma(a) - trigamma(a + b) for a >= 1."""
    if b > NEAR * a:
        return zeta(2.0, a) - zeta(2.0, a + b)
    middle = a + 0.5 * b
    return -b * (polygamma(2.0, middle) + b * b / 24.0 * polygamma(4.0, middle))
