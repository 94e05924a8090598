"""The incomplete gamma and beta functions and their derivatives by the parameters, in plain Python float64.

Whichever of the two parts of the whole is the smaller one is computed. Small parameters take power series and continued fractions,
whose length grows with the root of the parameter; large ones Gauss's quadrature of the density, from the end of the interval to
where it has vanished: its integrand is smooth, of one sign, and starts with 1, so nothing is lost. The factors in front are
written as powers of how far the argument is from the mean (C. Loader, Fast and accurate computation of binomial probabilities,
2000). They run as they stand, and kernels have them by `targets/scalar_translation.py`.
"""

from __future__ import annotations

import math

from .gamma_functions import digamma, gamma, log_pair, two_product, two_sum
from .gamma_series import lgamma_near_one, logarithm_part, stirling_series
from .quadrature import NODES, PANELS, WEIGHTS

LARGE = 60.0  # parameters from here on are integrated over
VANISHED = 42.0  # -log of what of the density is nothing beside its start


def log1p_less(u: float) -> float:
    """log(1 + u) - u, by 2 atanh(s) of s = u / (2 + u) near 0 (NIST DLMF 4.6.4)."""
    if -0.29 <= u <= 0.4:
        s = u / (2.0 + u)
        return s * s * s * logarithm_part(s * s) - u * s
    return math.log1p(u) - u


def stirling_rest(x: float) -> float:
    """log gamma(x) less Stirling's formula, for x >= 10 (NIST DLMF 5.11.1)."""
    reciprocal = 1.0 / x
    return stirling_series(reciprocal * reciprocal) * reciprocal


# -- gamma


def gamma_front(a: float, x: float) -> float:
    """x^a exp(-x) / gamma(a + 1) for a, x > 0."""
    if a >= 10.0:
        beyond = x - a
        u = beyond / a
        if -0.29 <= u <= 0.4:
            exponent = a * log1p_less(u)
        elif a > 1e6 or x == math.inf:
            return 0.0
        else:
            high, low = log_pair(x)
            other, other_low = log_pair(a)
            high, low = two_sum(high - other, low - other_low)
            product, product_low = two_product(a, high)
            exponent = (product - beyond) + (product_low + a * low)
        return math.exp(exponent - stirling_rest(a)) / math.sqrt(2.0 * math.pi * a)
    if x > 800.0:
        return 0.0
    high, low = log_pair(x)
    product, product_low = two_product(a, high)
    total, error = two_sum(product, -x)
    power = math.exp(total)
    return (power + power * (error + product_low + a * low)) / gamma(a + 1.0)


def gammainc(a: float, x: float) -> float:
    """P(a, x) (NIST DLMF 8.2.4); 1 at a = 0, NaN where a or x is negative."""
    if not (a >= 0.0 and x >= 0.0) or (a == x and (a == 0.0 or a == math.inf)):
        return math.nan
    if x == 0.0 or a == math.inf:
        return 0.0
    if a == 0.0 or x == math.inf:
        return 1.0
    return gamma_lower(a, x) if _is_lower(a, x) else 1.0 - gamma_upper(a, x)


def gammaincc(a: float, x: float) -> float:
    """Q(a, x) = 1 - P(a, x)."""
    if not (a >= 0.0 and x >= 0.0) or (a == x and (a == 0.0 or a == math.inf)):
        return math.nan
    if x == 0.0 or a == math.inf:
        return 1.0
    if a == 0.0 or x == math.inf:
        return 0.0
    return 1.0 - gamma_lower(a, x) if _is_lower(a, x) else gamma_upper(a, x)


def _is_lower(a: float, x: float) -> bool:
    """Whether P is computed: it is not near 1 then, as for small a it is at small x already (W. Gautschi, 1979)."""
    if x <= 0.5:
        return -0.4 / math.log(x) < a
    return 0.75 * x < a if x <= 1.1 else x <= a


def gamma_lower(a: float, x: float) -> float:
    """P by the series of NIST DLMF 8.11.4, or by quadrature."""
    if a >= LARGE:
        return _gamma_part(a, x, -1.0)[0]
    term, total, n = 1.0, 1.0, a
    while term > 1e-17 * total:
        n += 1.0
        term *= x / n
        total += term
    return gamma_front(a, x) * total


def gamma_upper(a: float, x: float) -> float:
    """Q by the continued fraction of NIST DLMF 8.9.2, for small x by a series, or by quadrature."""
    if a >= LARGE:
        return _gamma_part(a, x, 1.0)[0]
    if x <= 1.1:
        return _gamma_upper_series(a, x)
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    h = d
    for i in range(1, 500):
        factor = -i * (i - a)
        b += 2.0
        d = 1.0 / (factor * d + b)
        c = b + factor / c
        step = c * d
        h *= step
        if abs(step - 1.0) < 1e-16:
            break
    return gamma_front(a, x) * a * h


def _gamma_upper_series(a: float, x: float) -> float:
    """1 - x^a / gamma(1 + a) and the rest of the series of NIST DLMF 8.7.1, for x <= 1.1 and a under 1.1."""
    logarithm = a * math.log(x) - _lgamma_of_one_more(a)
    term, total, n = 1.0, 0.0, 1.0
    while n < 40.0:
        term *= -x / n
        total += a / (a + n) * term
        n += 1.0
    return -(math.expm1(logarithm) + math.exp(logarithm) * total)


def _lgamma_of_one_more(a: float) -> float:
    """lgamma(1 + a) for 0 < a < 1.5."""
    return a * lgamma_near_one(a) if a <= 0.5 else math.log(a) + (a - 1.0) * lgamma_near_one(a - 1.0)


def _gamma_part(a: float, x: float, side: float) -> tuple[float, float]:
    """P where side is -1, Q where it is 1, and its derivative by a."""
    total, moment = _gamma_moments(a, x, side)
    front = gamma_front(a, x) * a
    return front * total, front * moment


def _gamma_moments(a: float, x: float, side: float) -> tuple[float, float]:
    """P or Q and its derivative by a, by gamma_front(a, x) * a: the integral of t^(a - 1) exp(-t) / gamma(a) over
    t = x (1 + side s), that is front times (1 + side s)^(a - 1) exp(-side x s), for x > 0."""
    power = a - 1.0
    slope = side * ((x - a) + 1.0)  # of -log of the integrand at s = 0
    if side < 0.0:
        end = min(1.0, 2.0 * VANISHED / (slope + math.sqrt(slope * slope + 2.0 * VANISHED * abs(power))))
    else:  # log(1 + s) - s is at most -s^2 / (2 + 4 s / 3)
        square, linear = 0.5 * power + 2.0 / 3.0 * slope, slope - 2.0 / 3.0 * VANISHED
        end = 2.0 * VANISHED / (linear + math.sqrt(linear * linear + 4.0 * square * VANISHED))
    center = math.log(x) - digamma(a)
    total, moment, start = 0.0, 0.0, 0.0
    for last in PANELS:
        width = end * last - start
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            s = side * (start + width * node)
            less = log1p_less(s)
            value = width * weight * math.exp(power * less - slope * abs(s))
            total += value
            moment += value * (center + (less + s))
        start = end * last
    return total, moment


def gammainc_slope(a: float, x: float) -> float:
    """The derivative of P(a, x) by a, for a, x > 0."""
    if not (a > 0.0 and x >= 0.0):
        return math.nan
    if x == 0.0 or x == math.inf or a == math.inf:
        return 0.0
    return gamma_front(a, x) * _gamma_slope(a, x)


def gamma_draw_slope(a: float, x: float) -> float:
    """The derivative of x by a where P(a, x) is held: -gammainc_slope / gamma_density, of which either may underflow."""
    if not (a > 0.0 and x >= 0.0) or a == math.inf:
        return math.nan
    if x == 0.0 or x == math.inf:
        return x
    return -_gamma_slope(a, x) * (x / a)


def _gamma_slope(a: float, x: float) -> float:
    """The derivative of P(a, x) by a, by gamma_front(a, x): the series of P term by term, or quadrature."""
    if x > a and x > 1.1:
        return -_gamma_moments(a, x, 1.0)[1] * a
    if a >= LARGE:
        return _gamma_moments(a, x, -1.0)[1] * a
    center = math.log(x) - digamma(a + 1.0)
    term, total, n = 1.0, center, a
    while n < a + 400.0:
        n += 1.0
        term *= x / n
        center -= 1.0 / n
        total += term * center
        if abs(term * center) < 1e-17 * abs(total):
            break
    return total


def gamma_density(a: float, x: float) -> float:
    """The derivative of P(a, x) by x, x^(a - 1) exp(-x) / gamma(a); 0 at a = 0."""
    if not (a >= 0.0 and x >= 0.0) or (a == math.inf and x == math.inf):
        return math.nan
    if a == 0.0 or a == math.inf or x == math.inf:
        return 0.0
    if x == 0.0:
        return math.inf if a < 1.0 else 1.0 if a == 1.0 else 0.0
    return gamma_front(a, x) * (a / x)


# -- beta


def beta_front(a: float, b: float, x: float, y: float) -> float:
    """x^a y^b / B(a, b) for a, b > 0 and x + y = 1, both above 0."""
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)
    log_y = math.log(y) if y < 0.5 else math.log1p(-x)
    if a >= 10.0 and b >= 10.0:
        if min(x, y) < 1e-300:
            return 0.0
        whole, whole_low = two_sum(a, b)
        if x <= y:
            product, low = two_product(x, whole)
            beyond = (product - a) + (low + x * whole_low)
        else:
            product, low = two_product(y, whole)
            beyond = (b - product) - (low + y * whole_low)
        rest = stirling_rest(whole) - stirling_rest(a) - stirling_rest(b)
        exponent = a * _log_less(beyond / a, x * whole / a) + b * _log_less(-beyond / b, y * whole / b)
        return math.exp(exponent + rest) * math.sqrt(a / whole * b / (2.0 * math.pi))
    if b >= 10.0:
        return _beta_front_of_small(a, b, x, log_y)
    if a >= 10.0:
        return _beta_front_of_small(b, a, y, log_x)
    high, low = two_product(a, log_x)
    other, other_low = two_product(b, log_y)
    high, error = two_sum(high, other)
    power = math.exp(high)
    power += power * (error + low + other_low)
    return power * (gamma(a + b) / gamma(a)) / gamma(b) if min(a, b) > 1e-290 else power * min(a, b)


def _log_less(u: float, ratio: float) -> float:
    """log1p_less(u), of a number whose 1 + u is known to more digits."""
    return math.log(ratio) - u if u < -0.5 else log1p_less(u)


def _beta_front_of_small(a: float, b: float, x: float, log_y: float) -> float:
    """a < 10 <= b: gamma(a + b) / gamma(b) is (a + b)^a times what Stirling's formula leaves."""
    ratio = a / b
    rest = b * log1p_less(ratio) - 0.5 * math.log1p(ratio) + (stirling_rest(a + b) - stirling_rest(b))
    return math.exp(a * math.log(x * (a + b)) + b * log_y + rest) / gamma(a)


def betainc(a: float, b: float, x: float) -> float:
    """I_x(a, b) (NIST DLMF 8.17.2): 0 at x = 0, 1 at x = 1, between them 1 at a = 0 and 0 at b = 0; NaN where a parameter is
    negative or x outside [0, 1]."""
    if not (a >= 0.0 and b >= 0.0 and 0.0 <= x <= 1.0) or (a == b and (a == 0.0 or a == math.inf)):
        return math.nan
    if x == 0.0 or x == 1.0:
        return x
    if a == math.inf or b == 0.0:
        return 0.0
    if b == math.inf or a == 0.0:
        return 1.0
    y = 1.0 - x
    if x <= a / (a + b):
        return _beta_lower(a, b, x, y)
    return 1.0 - _beta_lower(b, a, y, x)


def _not_zero(x: float) -> float:
    """What a continued fraction is divided by (Lentz's method, as Thompson and Barnett changed it)."""
    return x if x != 0.0 else 1e-300


def _beta_lower(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b) for x below the mean: the continued fraction of NIST DLMF 8.17.22, or quadrature."""
    if a >= LARGE and b >= LARGE:
        return _beta_part(a, b, x, y)[0]
    c, d, h, m = 1.0, 0.0, 1.0, 0.0
    while m < 10000.0:
        odd = -(a + m) / (a + 2.0 * m) * ((a + b + m) / (a + 2.0 * m + 1.0)) * x
        d = 1.0 / _not_zero(1.0 + odd * d)
        c = _not_zero(1.0 + odd / c)
        h *= c * d
        m += 1.0
        even = m / (a + 2.0 * m - 1.0) * ((b - m) / (a + 2.0 * m)) * x
        d = 1.0 / _not_zero(1.0 + even * d)
        c = _not_zero(1.0 + even / c)
        h *= c * d
        if abs(c * d - 1.0) < 2e-16:
            break
    return beta_front(a, b, x, y) / a / h


def _beta_part(a: float, b: float, x: float, y: float) -> tuple[float, float, float]:
    """I_x(a, b) for x below the mean and its derivatives by a and b: the integral of the density over t = x (1 - s), that is
    front / y times (1 - s)^(a - 1) (1 + r s)^(b - 1) with r = x / y."""
    ratio, first, second = x / y, a - 1.0, b - 1.0
    if x <= y:
        product, low = two_product(x, first + second)
        slope = ((first - product) - low) / y
    else:
        product, low = two_product(y, first + second)
        slope = ((product - second) + low) / y
    curvature = first + second * ratio * ratio
    end = 2.0 * VANISHED / (slope + math.sqrt(slope * slope + 2.0 * VANISHED * curvature))
    end = min(1.0, end * (1.0 + ratio * end))
    both = digamma(a + b)
    center_x, center_y = math.log(x) - digamma(a) + both, math.log(y) - digamma(b) + both
    total, moment_x, moment_y, start = 0.0, 0.0, 0.0, 0.0
    for last in PANELS:
        width = end * last - start
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            s = start + width * node
            less_x, less_y = log1p_less(-s), log1p_less(ratio * s)
            value = width * weight * math.exp(first * less_x + second * less_y - slope * s)
            total += value
            moment_x += value * (center_x + (less_x - s))
            moment_y += value * (center_y + (less_y + ratio * s))
        start = end * last
    front = beta_front(a, b, x, y) / y
    return front * total, front * moment_x, front * moment_y


def betainc_slope(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by a, for a, b > 0 and x in [0, 1]."""
    if not (a > 0.0 and b > 0.0 and 0.0 <= x <= 1.0):
        return math.nan
    if x == 0.0 or x == 1.0 or a == math.inf or b == math.inf:
        return 0.0
    y = 1.0 - x
    if x <= a / (a + b):
        return _beta_part(a, b, x, y)[1] if a >= LARGE and b >= LARGE else _beta_fraction_slopes(a, b, x, y)[0]
    return -(_beta_part(b, a, y, x)[2] if a >= LARGE and b >= LARGE else _beta_fraction_slopes(b, a, y, x)[1])


def betainc_slope_b(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by b."""
    if not (a > 0.0 and b > 0.0 and 0.0 <= x <= 1.0):
        return math.nan
    if x == 0.0 or x == 1.0 or a == math.inf or b == math.inf:
        return 0.0
    y = 1.0 - x
    if x <= a / (a + b):
        return _beta_part(a, b, x, y)[2] if a >= LARGE and b >= LARGE else _beta_fraction_slopes(a, b, x, y)[1]
    return -(_beta_part(b, a, y, x)[1] if a >= LARGE and b >= LARGE else _beta_fraction_slopes(b, a, y, x)[0])


def beta_density(a: float, b: float, x: float) -> float:
    """The derivative of I_x(a, b) by x, x^(a - 1) (1 - x)^(b - 1) / B(a, b); 0 where a or b is 0."""
    if not (a >= 0.0 and b >= 0.0 and 0.0 <= x <= 1.0):
        return math.nan
    if a == 0.0 or b == 0.0 or a == math.inf or b == math.inf:
        return 0.0
    if x == 0.0:
        return math.inf if a < 1.0 else b if a == 1.0 else 0.0
    if x == 1.0:
        return math.inf if b < 1.0 else a if b == 1.0 else 0.0
    return beta_front(a, b, x, 1.0 - x) / x / (1.0 - x)


def _beta_fraction_slopes(a: float, b: float, x: float, y: float) -> tuple[float, float]:
    """The derivatives by a and b of front / a times the continued fraction of `_beta_lower`: its convergents with theirs."""
    before, current = 1.0, 1.0  # denominators; the numerators are those of the fraction without its first step
    top_before, top = 0.0, 1.0
    before_a, before_b, current_a, current_b = 0.0, 0.0, 0.0, 0.0
    top_before_a, top_before_b, top_a, top_b = 0.0, 0.0, 0.0, 0.0
    value, value_a, value_b, k = 1.0, 0.0, 0.0, 1.0
    while k < 20000.0:
        m = math.floor(0.5 * k) + 0.0
        if 2.0 * m == k:
            factor = m / (a + k - 1.0) * ((b - m) / (a + k)) * x
            by_a = factor * (-1.0 / (a + k - 1.0) - 1.0 / (a + k))
            by_b = m / (a + k - 1.0) / (a + k) * x
        else:
            factor = -(a + m) / (a + 2.0 * m) * ((a + b + m) / (a + k)) * x
            by_a = factor * (1.0 / (a + m) + 1.0 / (a + b + m) - 1.0 / (a + 2.0 * m) - 1.0 / (a + k))
            by_b = -(a + m) / (a + 2.0 * m) / (a + k) * x
        before_a, current_a = current_a, current_a + factor * before_a + by_a * before
        before_b, current_b = current_b, current_b + factor * before_b + by_b * before
        top_before_a, top_a = top_a, top_a + factor * top_before_a + by_a * top_before
        top_before_b, top_b = top_b, top_b + factor * top_before_b + by_b * top_before
        before, current = current, current + factor * before
        top_before, top = top, top + factor * top_before
        last, last_a, last_b = value, value_a, value_b
        value = top / current
        value_a = (top_a - value * current_a) / current
        value_b = (top_b - value * current_b) / current
        k += 1.0
        if abs(value - last) + abs(value_a - last_a) + abs(value_b - last_b) < 1e-16 * (abs(value) + abs(value_a) + abs(value_b)):
            break
        if abs(current) > 1e100 or abs(current) < 1e-100:
            scale = 1.0 / current
            before, current, top_before, top = before * scale, 1.0, top_before * scale, top * scale
            before_a, current_a, before_b, current_b = before_a * scale, current_a * scale, before_b * scale, current_b * scale
            top_before_a, top_a, top_before_b, top_b = top_before_a * scale, top_a * scale, top_before_b * scale, top_b * scale
    both = digamma(a + b)
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)
    log_y = math.log(y) if y < 0.5 else math.log1p(-x)
    front = beta_front(a, b, x, y) / a
    slope_a = value_a + value * (log_x - digamma(a + 1.0) + both)
    slope_b = value_b + value * (log_y - digamma(b) + both)
    return front * slope_a, front * slope_b
