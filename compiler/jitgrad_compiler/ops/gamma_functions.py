"""The gamma family of one number, in plain Python: lgamma, digamma, polygamma and Hurwitz's zeta function.

They run as they stand, and `targets/numba_scalar.py` compiles them into kernels. All is float64; float32 kernels call them
so and round once. Polynomials and constants are in `gamma_series.py`; what accuracy comes out is in
benchmarks/results/gamma_functions.md. Where a difference could cancel, numbers go as a pair (high, low) whose exact sum is
meant and whose low part is under an ulp of the high one (T. J. Dekker, A floating-point technique for extending the
available precision, 1971).
"""

from __future__ import annotations

import math

from .gamma_series import (
    DIGAMMA_ROOT,
    DIGAMMA_ROOT_LOW,
    EULER_MACLAURIN,
    LOG2,
    LOG2_LOW,
    cotangent_part,
    digamma_over_root,
    digamma_series,
    lgamma_near_one,
    lgamma_near_two,
    logarithm_part,
    sine_part,
    stirling_series,
)

_SPLITTER = 134217729.0  # 2^27 + 1
_HALF_LOG_2PI_LESS_HALF = 0.4189385332046727


def two_sum(a: float, b: float) -> tuple[float, float]:
    """a + b as a pair, exactly (D. E. Knuth, TAOCP 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: float, b: float) -> tuple[float, float]:
    """a * b as a pair, exactly, for factors under 1e290."""
    scaled = _SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = _SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    product = a * b
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def log_pair(x: float) -> tuple[float, float]:
    """log x as a pair, for finite x > 0: log m = 2 atanh((m - 1) / (m + 1)) of the mantissa, and the exponent's part."""
    m, k = math.frexp(x)
    if m < 0.7071067811865476:
        m, k = 2.0 * m, k - 1
    f = m - 1.0
    divisor = 2.0 + f
    divisor_low = f - (divisor - 2.0)
    reciprocal = 1.0 / divisor
    s = f * reciprocal
    product, product_low = two_product(s, divisor)
    s_low = (((f - product) - product_low) - s * divisor_low) * reciprocal
    high, low = two_sum(k * LOG2, 2.0 * s)
    low += k * LOG2_LOW + (2.0 * s_low + s * s * s * logarithm_part(s * s))
    return two_sum(high, low)


def _to_nearest(x: float) -> float:
    """x less the whole number nearest to it, exactly, for |x| < 2^52."""
    return x - math.floor(x + 0.5)


def _is_even(n: float) -> bool:
    """Whether a whole number under 2^53 is even."""
    return 2.0 * math.floor(0.5 * n) == n


def lgamma_stirling(x: float) -> tuple[float, float]:
    """lgamma as a pair for 10 <= x <= 1e17: Stirling's series, its leading product taken exactly."""
    log_x, log_x_low = log_pair(x)
    factor, factor_low = two_sum(log_x, -1.0)
    product, product_low = two_product(x - 0.5, factor)
    low = (x - 0.5) * (factor_low + log_x_low) + product_low
    reciprocal = 1.0 / x
    return product, low + (_HALF_LOG_2PI_LESS_HALF + stirling_series(reciprocal * reciprocal) * reciprocal)


def lgamma(x: float) -> float:
    """log |gamma(x)|; +inf at 0, -1, -2, ... and at both infinities."""
    if math.isnan(x):
        return x
    if x >= 10.0:
        if x > 1e17:  # the rest of Stirling's formula is under half an ulp
            return x if x == math.inf else x * (log_pair(x)[0] - 1.0)
        high, low = lgamma_stirling(x)
        return high + low
    if x >= 2.5:  # gamma(x) = (x - 1) (x - 2) ... gamma(2 + z)
        z, product = x - 2.0, 1.0
        while z >= 0.5:
            product *= z + 1.0
            z -= 1.0
        return log_pair(product)[0] + z * lgamma_near_two(z)
    if x >= 1.5:
        return (x - 2.0) * lgamma_near_two(x - 2.0)
    if x >= 0.5:
        return (x - 1.0) * lgamma_near_one(x - 1.0) + 0.0  # lgamma(1) is 0.0, not -0.0
    if x > -10.0:
        return _lgamma_shifted(x)
    return _lgamma_reflected(x)


def _lgamma_shifted(x: float) -> float:
    """-10 < x < 0.5: gamma(x) = gamma(1 + z) / (x (x + 1) ... z).

    Near a zero of lgamma the product is near gamma(1 + z), and its relative error is the absolute one of the result, so it
    is taken as a pair. The factors and z are exact: none is larger than x.
    """
    z, product, product_low = x, 1.0, 0.0
    while z < -0.5:
        high, low = two_product(product, z)
        product, product_low = two_sum(high, low + product_low * z)
        z += 1.0
    if z == 0.0:
        return math.inf
    if product == 1.0:
        product = z
    else:
        high, low = two_product(product, z)
        product, product_low = two_sum(high, low + product_low * z)
    log_product, log_product_low = log_pair(abs(product))
    return (z * lgamma_near_one(z) - log_product) - (log_product_low + product_low / product)


def _lgamma_reflected(x: float) -> float:
    """x <= -10: gamma(x) gamma(-x) = -pi / (x sin(pi x)) (NIST DLMF 5.5.3)."""
    if x <= -4503599627370496.0:  # every float from here on is a whole number
        return math.inf
    r = _to_nearest(x)
    if r == 0.0:
        return math.inf
    high, low = lgamma_stirling(-x)
    log_sine, log_sine_low = log_pair(abs(x * (r * sine_part(r * r))) / math.pi)
    total, error = two_sum(high, log_sine)
    return -(total + (error + low + log_sine_low))


def gamma(x: float) -> float:
    """The gamma function; infinite with x's sign at 0, NaN at -1, -2, ... and -inf."""
    if x >= 10.0:
        if x > 171.7:
            return math.inf
        high, low = lgamma_stirling(x)
        high, low = two_sum(high, low)
        half = math.exp(0.5 * high)
        return (half + half * low) * half
    if x > 0.0:
        return _gamma_small(x)
    if not x < 0.0:
        return math.copysign(math.inf, x) if x == 0.0 else x
    if x <= -4503599627370496.0:
        return math.nan
    r = _to_nearest(x)
    if r == 0.0:
        return math.nan
    sine = r * sine_part(r * r)
    if not _is_even(x - r):
        sine = -sine
    if x > -10.0:  # NIST DLMF 5.5.3
        return -math.pi / (x * sine * _gamma_small(-x)) if x < -1e-300 else 1.0 / x
    if x < -190.0:
        return 0.0 if sine > 0.0 else -0.0
    high, low = lgamma_stirling(-x)
    high, low = two_sum(high, low)
    half = math.exp(-0.5 * high)
    return -math.pi / (x * sine) * (half - half * low) * half


def _gamma_small(x: float) -> float:
    """0 < x < 10: products from x in [1/2, 3/2] on."""
    if x < 0.5:
        return math.exp(x * lgamma_near_one(x)) / x
    product = 1.0
    while x > 1.5:
        x -= 1.0
        product *= x
    return product * math.exp((x - 1.0) * lgamma_near_one(x - 1.0))


def _digamma_positive(x: float) -> tuple[float, float]:
    """digamma as a pair for x >= 1."""
    if x >= 10.0:
        log_x, log_x_low = log_pair(x)
        reciprocal = 1.0 / x
        w = reciprocal * reciprocal
        return log_x, log_x_low - (0.5 * reciprocal + w * digamma_series(w))
    total = 0.0
    while x > 2.0:
        x -= 1.0
        total += 1.0 / x
    t = x - 1.0
    return total, _digamma_near_root(t)


def _digamma_near_root(t: float) -> float:
    """digamma(1 + t) for 0 <= t <= 1, to a few ulp at its root too."""
    return ((t - DIGAMMA_ROOT) - DIGAMMA_ROOT_LOW) * digamma_over_root(t - 0.5)


def digamma(x: float) -> float:
    """The derivative of lgamma; NaN at -1, -2, ..., -inf at 0.0 and +inf at -0.0."""
    if x >= 1.0:
        if x > 1e17:
            return x if x == math.inf else log_pair(x)[0]
        high, low = _digamma_positive(x)
        return high + low
    if abs(x) < 1e-17:
        return -1.0 / x if x != 0.0 else -math.copysign(math.inf, x)
    if x > 0.0:
        return _digamma_near_root(x) - 1.0 / x
    return _digamma_reflected(x)


def _digamma_reflected(x: float) -> float:
    """x < 0: digamma(1 - x) - pi cot(pi x), with digamma(1 - x) = digamma(-x) - 1 / x (NIST DLMF 5.5.4, 5.5.2)."""
    if not x > -4503599627370496.0:
        return math.nan
    r = _to_nearest(x)
    if r == 0.0:
        return math.nan
    high, low = _digamma_positive(-x) if x <= -10.0 else _digamma_positive(1.0 - x)
    if x <= -10.0:
        low -= 1.0 / x
    # pi cot(pi r) = 1 / r - r * (a smooth part), and the quotient's rounding error is known.
    quotient = 1.0 / r
    product, product_low = two_product(quotient, r)
    low -= ((1.0 - product) - product_low) / r
    total, error = two_sum(high, -quotient)
    total, error_smooth = two_sum(total, r * cotangent_part(r * r))
    return total + (error + error_smooth + low)


def zeta(s: float, q: float) -> float:
    """Hurwitz's zeta function, the sum of (q + k)^-s over k = 0, 1, 2, ...

    inf at s = 1 and, for s > 1, at q = 0, -1, -2, ...; NaN for s < 1, and for negative q where s is not a whole number. An
    infinite s is an even one.
    """
    if math.isnan(s) or math.isnan(q) or s < 1.0:
        return math.nan
    if s == 1.0:
        return math.inf
    if q > 0.0:
        return _zeta_positive(s, q)
    if q <= -4503599627370496.0 or q == math.floor(q) or s > 9007199254740992.0:
        return math.inf
    if s != math.floor(s):
        return math.nan
    # Terms below zero are those of two sums over positive numbers: f, f + 1, ... up to -q.
    f = -q - math.floor(-q)
    below, above, beyond = _zeta_positive(s, f), _zeta_positive(s, 1.0 - f), _zeta_positive(s, 1.0 - q)
    if _is_even(s):
        return above + (below - beyond)
    if f == 0.5:  # they are equal, be they infinite
        return beyond
    if below == math.inf and above == math.inf:
        return math.copysign(math.inf, f - 0.5)
    return (above - below) + beyond


def _zeta_positive(s: float, q: float) -> float:
    if q < 1.0 and -s * math.log(q) > 709.0:  # inf, where Python's pow would raise
        return math.inf
    return _scaled_zeta(s, q, 1.0)


def _scaled_zeta(s: float, q: float, unit: float) -> float:
    """unit^s zeta(s, q) for s > 1 and q > 0: ten terms, then the Euler-Maclaurin formula (NIST DLMF 25.11.28)."""
    total = 0.0
    for _ in range(10):
        total += math.pow(q / unit, -s)
        q += 1.0
    total += math.pow(q / unit, 1.0 - s) * unit / (s - 1.0)
    power = math.pow(q / unit, -s)
    if power == 0.0:
        return total
    total += 0.5 * power
    power *= s / q
    for j, coefficient in enumerate(EULER_MACLAURIN):
        total += coefficient * power
        power *= ((s + (2 * j + 1)) / q) * ((s + (2 * j + 2)) / q)
    return total


def zeta_slope(s: float, q: float) -> float:
    """The derivative of the zeta function by s, for s > 1 and q > 0: -sum of log(q + k) (q + k)^-s, as the sum itself is found.

    For other q it is defined at whole s alone, and there is no derivative: NaN.
    """
    return _zeta_slopes(s, q)[0]


def zeta_curvature(s: float, q: float) -> float:
    """The second derivative of the zeta function by s: the sum of log(q + k)^2 (q + k)^-s."""
    return _zeta_slopes(s, q)[1]


def _zeta_slopes(s: float, q: float) -> tuple[float, float]:
    if math.isnan(s) or math.isnan(q) or s <= 1.0 or q <= 0.0:
        return math.nan, math.nan
    if s == math.inf:
        return (0.0, 0.0) if q >= 1.0 else (math.inf, math.inf)
    if q == math.inf:
        return -0.0, 0.0
    if q < 1.0 and -s * math.log(q) > 696.0:  # as large times the square of the logarithm
        return math.inf, math.inf
    slope, curvature = 0.0, 0.0
    for _ in range(10):
        logarithm = math.log(q)
        power = math.pow(q, -s)
        slope -= logarithm * power
        curvature += logarithm * logarithm * power
        q += 1.0
    logarithm, rest = math.log(q), 1.0 / (s - 1.0)
    power = math.pow(q, 1.0 - s) * rest
    slope -= power * (logarithm + rest)
    curvature += power * (logarithm * logarithm + 2.0 * rest * (logarithm + rest))
    # Terms of the formula are powers of q times (s) (s + 1) ...: `first` is the derivative of their logarithm, `second` that of it.
    power = math.pow(q, -s)
    slope -= 0.5 * logarithm * power
    curvature += 0.5 * logarithm * logarithm * power
    power *= s / q
    first, second = 1.0 / s - logarithm, -1.0 / (s * s)
    for j, coefficient in enumerate(EULER_MACLAURIN):
        slope += coefficient * power * first
        curvature += coefficient * power * (first * first + second)
        near, far = s + (2 * j + 1), s + (2 * j + 2)
        power *= (near / q) * (far / q)
        first += 1.0 / near + 1.0 / far
        second -= 1.0 / (near * near) + 1.0 / (far * far)
    return slope, curvature


def polygamma(n: float, x: float) -> float:
    """The n-th derivative of digamma, (-1)^(n + 1) n! zeta(n + 1, x) (NIST DLMF 5.15.1); NaN unless n is 0, 1, 2, ..."""
    if n == 0.0:
        return digamma(x)
    if math.isnan(x) or not 0.0 < n < 9007199254740992.0 or n != math.floor(n):
        return math.nan
    sign = -1.0 if _is_even(n) else 1.0
    value = zeta(n + 1.0, x)
    if n <= 170.0:
        factorial, k = 1.0, 2.0
        while k <= n:
            factorial *= k
            k += 1.0
        if abs(value) > 1e-280 or x < 1.0 or x == math.inf:
            return sign * factorial * value
        root = math.pow(x, -0.5 * (n + 1.0))  # x^-(n + 1), which is too small, in two halves
        return sign * (factorial * root * _scaled_zeta(n + 1.0, x, x) * root)
    if x == math.inf:
        return sign * value
    if x <= 0.0:  # n! is out of range, and so is its product with a sum of order 2^n
        return sign * math.copysign(math.inf, value)
    exponent = lgamma(n + 1.0) - (n + 1.0) * math.log(x) + math.log(_scaled_zeta(n + 1.0, x, x))
    return sign * math.exp(exponent) if exponent < 709.0 else sign * math.inf
