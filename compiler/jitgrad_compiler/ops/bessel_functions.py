"""Bessel functions of whole order, in plain Python float64: I_0, I_1, and I_n and J_n by recurrence.

They run as they stand, and kernels have them by `targets/scalar_translation.py`. Upwards the recurrences lose digits where the
order is above the argument, so there they go downwards from far above, and are scaled by a value or sum that is known (J. C. P.
Miller; W. Gautschi, Computational aspects of three-term recurrence relations, 1967).
"""

from __future__ import annotations

import math

from .special_series import i0_series, i0_tail, i1_series, i1_tail

LARGEST_ORDER = 1e5


def i0(x: float) -> float:
    """I_0(x) (NIST DLMF 10.25.2)."""
    size = abs(x)
    if not size > 8.0:
        return i0_series(0.25 * size * size)
    return _unscaled(_tail(size, i0_tail(16.0 / size - 1.0)), size)


def i0e(x: float) -> float:
    """exp(-|x|) I_0(x)."""
    size = abs(x)
    if not size > 8.0:
        return math.exp(-size) * i0_series(0.25 * size * size)
    return _tail(size, i0_tail(16.0 / size - 1.0))


def i1(x: float) -> float:
    """I_1(x)."""
    size = abs(x)
    if not size > 8.0:
        return x * (0.5 * i1_series(0.25 * size * size))
    return math.copysign(_unscaled(_tail(size, i1_tail(16.0 / size - 1.0)), size), x)


def i1e(x: float) -> float:
    """exp(-|x|) I_1(x)."""
    size = abs(x)
    if not size > 8.0:
        return x * (math.exp(-size) * (0.5 * i1_series(0.25 * size * size)))
    return math.copysign(_tail(size, i1_tail(16.0 / size - 1.0)), x)


def _tail(x: float, part: float) -> float:
    """The polynomial over sqrt(x) (NIST DLMF 10.40.1), 0 at infinity."""
    return part / math.sqrt(x)


def _unscaled(scaled: float, x: float) -> float:
    """exp(x) times what may be small, in two halves."""
    if x > 720.0:
        return math.inf
    half = math.exp(0.5 * x)
    return half * scaled * half


def bessel_i(n: float, x: float) -> float:
    """I_n(x) of whole n; NaN for other orders."""
    scaled = bessel_ie(n, x)
    if scaled == 0.0 and abs(x) > 720.0:  # an order far above x: out of range
        return math.nan
    size = abs(x)
    if size > 1500.0:
        return math.copysign(math.inf, scaled)
    half = math.exp(0.5 * size)
    return half * scaled * half


def bessel_ie(n: float, x: float) -> float:
    """exp(-|x|) I_n(x) of whole n; NaN for other orders and those above 100,000."""
    order, size = abs(n), abs(x)
    if math.isnan(x) or not order <= LARGEST_ORDER or order != math.floor(order):
        return math.nan
    odd = order - 2.0 * math.floor(0.5 * order) == 1.0
    sign = -1.0 if odd and x < 0.0 else 1.0
    if order == 0.0:
        return i0e(x)
    if order == 1.0:
        return i1e(x)
    if size == 0.0 or size == math.inf:
        return sign * 0.0
    if size * size < 1e-14 * order:
        return sign * _first_term(order, size)
    if size > 1e5 * order:
        return sign * _ratios_up(order, size)
    return sign * _downwards(order, size, i0e(size))


def _first_term(n: float, x: float) -> float:
    """(x / 2)^n / n!, factor by factor."""
    value, k = 1.0, 1.0
    while k <= n and value > 0.0:
        value *= 0.5 * x / k
        k += 1.0
    return value


def _ratios_up(n: float, x: float) -> float:
    """Upwards from I_0 and I_1, for x far above n."""
    before, current, k = i0e(x), i1e(x), 1.0
    while k < n:
        before, current = current, before - 2.0 * k / x * current
        k += 1.0
    return current


def _downwards(n: float, x: float, first: float) -> float:
    """By ratios r_k = I_k / I_(k - 1) = 1 / (2 k / x + r_(k + 1)), which are all positive (NIST DLMF 10.33.1), from I_0."""
    k = math.floor(n + 10.0 + 1.5 * math.sqrt(40.0 * max(n, x))) + 0.0
    ratio, value, scale = 0.0, 1.0, 0.0
    while k > 0.0:
        ratio = 1.0 / (2.0 * k / x + ratio)
        if k <= n:
            value *= ratio
            if value < 1e-250 and value > 0.0:
                value *= 1e250
                scale -= 1.0
        k -= 1.0
    value *= first
    while scale < 0.0:
        value *= 1e-250
        scale += 1.0
    return value


def bessel_j(n: float, x: float) -> float:
    """J_n(x) of whole n; NaN for other orders and those above 100,000."""
    order, size = abs(n), abs(x)
    if math.isnan(x) or not order <= LARGEST_ORDER or order != math.floor(order):
        return math.nan
    sign = 1.0
    if order - 2.0 * math.floor(0.5 * order) == 1.0:
        sign = (-1.0 if x < 0.0 else 1.0) * (-1.0 if n < 0.0 else 1.0)
    if size == 0.0:
        return 1.0 if order == 0.0 else sign * 0.0
    if size == math.inf:
        return 0.0
    if size * size < 1e-16 * (order + 1.0):
        return sign * _first_term(order, size)
    if size > 25.0 and size > order:
        return sign * _j_upwards(order, size)
    return sign * _j_downwards(order, size)


def _j_upwards(n: float, x: float) -> float:
    """From Hankel's expansions of J_0 and J_1 (NIST DLMF 10.17.3), for x > 25 and x > n."""
    before = _hankel(0.0, x)
    if n == 0.0:
        return before
    current, k = _hankel(1.0, x), 1.0
    while k < n:
        before, current = current, 2.0 * k / x * current - before
        k += 1.0
    return current


def _hankel(n: float, x: float) -> float:
    """J_n for n = 0 or 1. With c and s the cosine and sine of x, those of x - pi/4 are (c + s) and (s - c) over the root of 2."""
    p, q, term = 1.0, 0.0, 1.0
    square = 4.0 * n * n
    for k in range(1, 40):
        odd = 2.0 * k - 1.0
        following = term * (square - odd * odd) / (k * 8.0 * x)
        if abs(following) > abs(term) or abs(following) < 1e-18:
            break
        term = following
        if k & 1 == 1:
            q += term if k & 2 == 0 else -term
        else:
            p += term if k & 2 == 0 else -term
    c, s = math.cos(x), math.sin(x)
    root = math.sqrt(math.pi * x)
    if n == 0.0:
        return (p * (c + s) - q * (s - c)) / root
    return (p * (s - c) + q * (c + s)) / root


def _j_downwards(n: float, x: float) -> float:
    """Downwards from far above, scaled by J_0 + 2 J_2 + 2 J_4 + ... = 1 (NIST DLMF 10.12.4)."""
    largest = max(n, x)
    k = 2.0 * math.floor(0.5 * (largest + 20.0 + 6.0 * math.sqrt(largest)) + 6.0 * math.pow(largest, 0.33333))
    above, current, total, found = 0.0, 1e-290, 0.0, 0.0
    while k > 0.0:
        if 2.0 * math.floor(0.5 * k) == k:
            total += 2.0 * current
        if k == n:
            found = current
        above, current = current, 2.0 * k / x * current - above
        k -= 1.0
        if abs(current) > 1e250:
            current *= 1e-250
            above *= 1e-250
            total *= 1e-250
            found *= 1e-250
    total += current
    if n == 0.0:
        found = current
    return found / total
