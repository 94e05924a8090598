"""The incomplete gamma and beta functions, in plain Python float64; derivatives by parameters are in `incomplete_slopes.py`.

Whichever of the two parts of the whole is the smaller one is computed. Small parameters take power series and continued fractions,
whose length grows with the root of the parameter; large ones Gauss's quadrature of the density, from the end of the interval to
where it has vanished: its integrand is smooth, of one sign, and starts with 1, so nothing is lost. The factors in front are
written as powers of how far the argument is from the mean (C. Loader, Fast and accurate computation of binomial probabilities,
2000). They run as they stand, and kernels have them by `targets/scalar_translation.py`.
"""

from __future__ import annotations

import math

from .gamma_functions import gamma, log_pair, two_product, two_sum
from .gamma_series import digamma_series, lgamma_near_one, logarithm_part, stirling_series
from .quadrature import NODES, PANELS, WEIGHTS

LARGE = 60.0  # parameters from here on are integrated over
VANISHED = 42.0  # -log of what of the density is nothing beside its start
SHRUNK = 7.888609052210118e-31  # 2^-100


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


def digamma_rest(x: float) -> float:
    """log x - digamma(x), for x >= 10 (NIST DLMF 5.11.2)."""
    reciprocal = 1.0 / x
    square = reciprocal * reciprocal
    return 0.5 * reciprocal + square * digamma_series(square)


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
        return math.exp(exponent - stirling_rest(a)) / (math.sqrt(2.0 * math.pi) * math.sqrt(a))
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
        return gamma_front(a, x) * a * gamma_moments(a, x, -1.0)[0]
    term, total, n = 1.0, 1.0, a
    while term > 1e-17 * total:
        n += 1.0
        term *= x / n
        total += term
    return gamma_front(a, x) * total


def gamma_upper(a: float, x: float) -> float:
    """Q by the continued fraction of NIST DLMF 8.9.2, for small x by a series, or by quadrature."""
    if a >= LARGE:
        return gamma_front(a, x) * a * gamma_moments(a, x, 1.0)[0]
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


def gamma_moments(a: float, x: float, side: float) -> tuple[float, float, float]:
    """The integral of t^(a - 1) exp(-t), by x^a exp(-x), over t = x (1 + side s): for side = -1 from 0 to x, for side = 1 from x to
    infinity. That is (1 + side s)^(a - 1) exp(-side x s); then of it times log(1 + side s), and times the square of that."""
    power = a - 1.0
    slope = side * ((x - a) + 1.0)  # of -log of the integrand at s = 0
    if side < 0.0:
        end = min(1.0, 2.0 * VANISHED / (slope + math.hypot(slope, math.sqrt(2.0 * VANISHED) * math.sqrt(abs(power)))))
    else:  # log(1 + s) - s is at most -s^2 / (2 + 4 s / 3)
        bend, linear = 0.5 * power + 2.0 / 3.0 * slope, slope - 2.0 / 3.0 * VANISHED
        end = 2.0 * VANISHED / (linear + math.hypot(linear, math.sqrt(4.0 * VANISHED) * math.sqrt(bend)))
    total, moment, square, start = 0.0, 0.0, 0.0, 0.0
    for last in PANELS:
        width = end * last - start
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            s = side * (start + width * node)
            less = log1p_less(s)
            value = width * weight * math.exp(power * less - slope * abs(s))
            logarithm = less + s
            total += value
            moment += value * logarithm
            square += value * logarithm * logarithm
        start = end * last
    return total, moment, square


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


def beyond_mean(a: float, b: float, x: float, y: float) -> float:
    """x (a + b) - a for x + y = 1, from the smaller of x and y."""
    scale = SHRUNK if max(a, b) > 1e280 else 1.0  # two_product's factors are smaller
    a, b = a * scale, b * scale
    whole, whole_low = two_sum(a, b)
    if x <= y:
        product, low = two_product(x, whole)
        return ((product - a) + (low + x * whole_low)) / scale
    product, low = two_product(y, whole)
    return ((b - product) - (low + y * whole_low)) / scale


def beta_front(a: float, b: float, x: float, y: float) -> float:
    """x^a y^b / B(a, b) for a, b > 0 and x + y = 1, both above 0."""
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)
    log_y = math.log(y) if y < 0.5 else math.log1p(-x)
    if a >= 10.0 and b >= 10.0:
        if min(x, y) < 1e-300:
            return 0.0
        scale = SHRUNK if max(a, b) > 1e280 else 1.0  # of ratios alone, so that the sum is in range
        whole, beyond = a * scale + b * scale, beyond_mean(a, b, x, y)
        rest = stirling_rest(whole) - stirling_rest(a) - stirling_rest(b)
        exponent = a * _log_less(beyond / a, x * whole / (a * scale)) + b * _log_less(-beyond / b, y * whole / (b * scale))
        return math.exp(exponent + rest) * math.sqrt(a * scale / whole * b / (2.0 * math.pi))
    if b >= 10.0:
        return _beta_front_of_small(a, b, x, log_y)
    if a >= 10.0:
        return _beta_front_of_small(b, a, y, log_x)
    high, low = two_product(a, log_x)
    other, other_low = two_product(b, log_y)
    high, error = two_sum(high, other)
    power = math.exp(high)
    power += power * (error + low + other_low)
    return power * (gamma(a + b) / gamma(a)) / gamma(b) if min(a, b) > 1e-290 else power * (min(a, b) * (max(a, b) / (a + b)))


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
    if min(a, b) > 1e40:  # a step between two floats
        beyond = beyond_mean(a * SHRUNK, b * SHRUNK, x, y)
        return 0.5 if beyond == 0.0 else 1.0 if beyond > 0.0 else 0.0
    if x <= a / (a + b):
        return _beta_lower(a, b, x, y)
    return 1.0 - _beta_lower(b, a, y, x)


def _not_zero(x: float) -> float:
    """What a continued fraction is divided by (Lentz's method, as Thompson and Barnett changed it)."""
    return x if x != 0.0 else 1e-300


def _beta_lower(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b) for x below the mean: the continued fraction of NIST DLMF 8.17.22, or quadrature."""
    if a >= LARGE and b >= LARGE:
        return _beta_integral(a, b, x, y)
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


def _beta_integral(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b) for x below the mean: the integral of the density over t = x (1 - s), that is front / y times
    (1 - s)^(a - 1) (1 + r s)^(b - 1) with r = x / y."""
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
    total, start = 0.0, 0.0
    for last in PANELS:
        width = end * last - start
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            s = start + width * node
            total += width * weight * math.exp(first * log1p_less(-s) + second * log1p_less(ratio * s) - slope * s)
        start = end * last
    return beta_front(a, b, x, y) / y * total


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
