"""Integrals of one number, in plain Python float64: exponential, sine, cosine and Fresnel integrals, the dilogarithm, Dawson's
integral and the scaled complementary error function.

They run as they stand, and kernels have them by `targets/scalar_translation.py`. Near 0 power series serve, elsewhere polynomials
of `special_series.py` in a variable in which the function is smooth up to infinity.
"""

from __future__ import annotations

import math

from .gamma_functions import two_product
from .special_series import (
    EULER,
    ci_series,
    dawsn_tail,
    dawsn_to_1,
    dawsn_to_2,
    dawsn_to_4,
    dawsn_to_7,
    dilogarithm_part,
    erfcx_scaled,
    exp1_series,
    exp1_tail,
    exp1_to_2,
    exp1_to_4,
    exp1_to_10,
    expi_over_root,
    expi_tail,
    expi_to_12,
    expi_to_24,
    expi_to_48,
    fresnel_c_series,
    fresnel_f_tail,
    fresnel_f_to_24,
    fresnel_g_tail,
    fresnel_g_to_24,
    fresnel_s_series,
    si_series,
    sici_f_tail,
    sici_f_to_8,
    sici_g_tail,
    sici_g_to_8,
)

EXPI_ROOT, EXPI_ROOT_LOW = 0.37250741078136663, 1.3140183414386028e-17
LOG_EXPI_ROOT = -0.9874983466453419


def exp1(x: float) -> float:
    """E_1(x), the integral of exp(-t) / t from x > 0 on (NIST DLMF 6.2.1); inf at 0, NaN below."""
    if not x >= 0.0:
        return math.nan
    if x <= 1.0:
        return math.inf if x == 0.0 else x * exp1_series(x) - (EULER + math.log(x))
    if x > 740.0:
        return 0.0 if x > 750.0 else math.exp(-0.5 * x) / x * scaled_exp1(x) * math.exp(-0.5 * x)
    return math.exp(-x) / x * scaled_exp1(x)


def scaled_exp1(x: float) -> float:
    """x exp(x) E_1(x) for x >= 1."""
    if x <= 2.0:
        return exp1_to_2(2.0 * x - 3.0)
    if x <= 4.0:
        return exp1_to_4(x - 3.0)
    if x <= 10.0:
        return exp1_to_10((x - 7.0) / 3.0)
    return exp1_tail(20.0 / x - 1.0)


def expi(x: float) -> float:
    """Ei(x), the principal value of the integral of exp(t) / t up to x (NIST DLMF 6.2.5); -inf at 0.

    Up to 6 by its root r: Ei(x) - log(x / r) is (x - r) times a function without poles.
    """
    if x < 0.0:
        return -exp1(-x)
    if x <= 6.0:
        if x == 0.0:
            return -math.inf
        beyond = (x - EXPI_ROOT) - EXPI_ROOT_LOW
        logarithm = math.log1p(beyond / EXPI_ROOT) if x > 0.1 else math.log(x) - LOG_EXPI_ROOT
        return logarithm + beyond * expi_over_root(x / 3.0 - 1.0)
    if x <= 12.0:
        scaled = expi_to_12(x / 3.0 - 3.0)
    elif x <= 24.0:
        scaled = expi_to_24(x / 6.0 - 3.0)
    elif x <= 48.0:
        scaled = expi_to_48(x / 12.0 - 3.0)
    elif x < 800.0:
        half = math.exp(0.5 * x)
        return half / x * expi_tail(96.0 / x - 1.0) * half
    else:
        return x + math.inf
    return math.exp(x) / x * scaled


def expn(n: float, x: float) -> float:
    """E_n(x), the integral of exp(-x t) / t^n for t from 1 on (NIST DLMF 8.19.3), of whole n, those from -10,000 on, and x >= 0.

    The series of DLMF 8.19.8 for x <= 1; above the continued fraction of DLMF 8.19.17, by its even part; for n < 1 the recurrence
    of DLMF 8.19.12, whose terms are positive.
    """
    if not n >= -10000.0 or not x >= 0.0:
        return math.nan
    if n > 9007199254740992.0:
        return 0.0
    if n != math.floor(n):
        return math.nan
    if x == 0.0:
        return 1.0 / (n - 1.0) if n > 1.0 else math.inf
    if x == math.inf:
        return 0.0
    if n < 1.0:
        return _expn_below(n, x)
    if n == 1.0:
        return exp1(x)
    if x <= 1.0:
        return _expn_series(n, x)
    return _expn_fraction(n, x)


def _expn_below(n: float, x: float) -> float:
    value, order = math.exp(-x) / x, 0.0
    while order > n:
        order -= 1.0
        value = (math.exp(-x) - order * value) / x
        if value == math.inf:
            return value
    return value


def _expn_series(n: float, x: float) -> float:
    harmonic, k, last = -EULER, 1.0, min(n, 64.0)
    total, term, limit = 1.0 / (n - 1.0), 1.0, 0.0
    while k < last:
        harmonic += 1.0 / k
        k += 1.0
    k = 1.0
    while k < 60.0:
        term *= -x / k
        if k == n - 1.0:
            limit = term * (harmonic - math.log(x))
        else:
            added = term / (n - 1.0 - k)
            total += added
            if abs(added) < 1e-17 * abs(total) and k > n:
                return total + limit
            if abs(term) < 1e-19 * abs(total) and k < n - 1.0:
                return total
        k += 1.0
    return total + limit


def _expn_fraction(n: float, x: float) -> float:
    b = x + n
    c, d = 1e300, 1.0 / b
    h = d
    for i in range(1, 2000):
        a = -i * (n - 1.0 + i)
        b += 2.0
        d = 1.0 / (a * d + b)
        c = b + a / c
        step = c * d
        h *= step
        if abs(step - 1.0) < 1e-16:
            break
    return h * math.exp(-0.5 * x) * math.exp(-0.5 * x)


def sine_integral(x: float) -> float:
    """Si(x), the integral of sin(t) / t from 0 to x (NIST DLMF 6.2.9)."""
    size = abs(x)
    if not size > 4.0:
        return x * si_series(x * x)
    if size == math.inf:
        return math.copysign(0.5 * math.pi, x)
    f, g = _sine_parts(size)
    return math.copysign(0.5 * math.pi - (f * math.cos(size) + g * math.sin(size)), x)


def cosine_integral(x: float) -> float:
    """Ci(|x|) (NIST DLMF 6.2.11); -inf at 0."""
    size = abs(x)
    if size == 0.0:
        return -math.inf
    if not size > 4.0:
        return (EULER + math.log(size)) + size * size * ci_series(size * size)
    if size == math.inf:
        return 0.0
    f, g = _sine_parts(size)
    return f * math.sin(size) - g * math.cos(size)


def _sine_parts(x: float) -> tuple[float, float]:
    """The auxiliary functions f and g for x >= 4 (NIST DLMF 6.2.17, 6.2.18)."""
    if x <= 8.0:
        z = 0.5 * x - 3.0
        return sici_f_to_8(z) / x, sici_g_to_8(z) / x / x
    z = 128.0 / x / x - 1.0
    return sici_f_tail(z) / x, sici_g_tail(z) / x / x


def fresnel_sine(x: float) -> float:
    """S(x), the integral of sin(pi t^2 / 2) from 0 to x (NIST DLMF 7.2.8)."""
    size = abs(x)
    if not size > 1.6:
        square = x * x
        return square * x * fresnel_s_series(square * square)
    if size > 1e150:
        return math.copysign(0.5, x)
    f, g = _fresnel_parts(size)
    sine, cosine = _of_half_square(size)
    return math.copysign(0.5 - (f * cosine + g * sine), x)


def fresnel_cosine(x: float) -> float:
    """C(x), the integral of cos(pi t^2 / 2) from 0 to x (NIST DLMF 7.2.7)."""
    size = abs(x)
    if not size > 1.6:
        square = x * x
        return x * fresnel_c_series(square * square)
    if size > 1e150:
        return math.copysign(0.5, x)
    f, g = _fresnel_parts(size)
    sine, cosine = _of_half_square(size)
    return math.copysign(0.5 + (f * sine - g * cosine), x)


def _fresnel_parts(x: float) -> tuple[float, float]:
    """The auxiliary functions f and g for x >= 1.6 (NIST DLMF 7.2.10, 7.2.11)."""
    first, second = 1.0 / (math.pi * x), 1.0 / (math.pi * math.pi * x) / x / x
    if x <= 2.4:
        z = (x - 2.0) / 0.4
        return fresnel_f_to_24(z) * first, fresnel_g_to_24(z) * second
    square = (2.4 / x) * (2.4 / x)
    z = 2.0 * square * square - 1.0
    return fresnel_f_tail(z) * first, fresnel_g_tail(z) * second


def fresnel_sine_slope(x: float) -> float:
    """sin(pi x^2 / 2), with what rounding x^2 would lose."""
    return _of_half_square(x)[0]


def fresnel_cosine_slope(x: float) -> float:
    """cos(pi x^2 / 2), with what rounding x^2 would lose."""
    return _of_half_square(x)[1]


def _of_half_square(x: float) -> tuple[float, float]:
    """The sine and cosine of pi x^2 / 2; x^2 is taken modulo 4 before it is rounded, and is a multiple of 4 from 1e8 on."""
    if not abs(x) <= 1e8:
        return (math.nan, math.nan) if x - x != 0.0 else (0.0, 1.0)
    square, low = two_product(x, x)
    turns = (square - 4.0 * math.floor(0.25 * square + 0.5)) + low
    return math.sin(0.5 * math.pi * turns), math.cos(0.5 * math.pi * turns)


def spence(x: float) -> float:
    """The dilogarithm Li_2(1 - x), the integral of log(t) / (1 - t) from 1 to x (NIST DLMF 25.12.2); NaN below 0.

    The argument is brought to [1/2, 1] by DLMF 25.12.4 and 25.12.6.
    """
    if not x >= 0.0:
        return math.nan
    if x > 1.0:
        if x == math.inf:
            return -math.inf
        logarithm = math.log1p(x - 1.0)
        w = (x - 1.0) / x
        inside = _dilogarithm(w) if x <= 2.0 else _reflected_spence(1.0 / x)
        return -0.5 * logarithm * logarithm - inside
    return _dilogarithm(1.0 - x) if x >= 0.5 else _reflected_spence(x)


def _reflected_spence(x: float) -> float:
    """0 <= x <= 1/2."""
    if x == 0.0:
        return math.pi * math.pi / 6.0
    return math.pi * math.pi / 6.0 - (math.log(x) * math.log1p(-x) + _dilogarithm(x))


def _dilogarithm(w: float) -> float:
    """Li_2(w) for 0 <= w <= 1/2."""
    return w * dilogarithm_part(4.0 * w - 1.0)


def erfcx(x: float) -> float:
    """exp(x^2) erfc(x) (W. J. Cody, 1969; M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of
    (1 + 2x) exp(x^2) erfc x, 1981, for the variable)."""
    if x >= 0.0:
        if x > 1e16:
            return 0.5641895835477563 / x
        return erfcx_scaled((x - 3.75) / (x + 3.75)) / (1.0 + 2.0 * x)
    if x < -26.7:
        return math.inf
    if not x < 0.0:
        return x
    square, low = two_product(x, x)
    large = math.exp(square)
    return 2.0 * (large + large * low) - erfcx_scaled((-x - 3.75) / (3.75 - x)) / (1.0 - 2.0 * x)


def dawsn(x: float) -> float:
    """Dawson's integral exp(-x^2) times the integral of exp(t^2) from 0 to x (NIST DLMF 7.2.5)."""
    size = abs(x)
    if not size > 1.0:
        return x * dawsn_to_1(2.0 * size * size - 1.0)
    if size <= 2.0:
        return dawsn_to_2(2.0 * size - 3.0) / x
    if size <= 4.0:
        return dawsn_to_4(size - 3.0) / x
    if size <= 7.0:
        return dawsn_to_7((size - 5.5) / 1.5) / x
    return dawsn_tail(98.0 / size / size - 1.0) / x
