"""The inverses of the incomplete gamma and beta functions by their argument, in plain Python float64.

Newton's steps for the logarithm of the chance, in the logarithm of the argument, inside an interval that is known to hold the root
and is halved where a step would leave it. They run as they stand, and kernels have them by `targets/scalar_translation.py`.
"""

from __future__ import annotations

import math

from .incomplete_functions import beta_density, betainc, gamma_density, gammainc, gammaincc

STEPS = 200


def gammaincinv(a: float, p: float) -> float:
    """The x at which P(a, x) is p; inf at 1."""
    if not (0.0 < a < math.inf and 0.0 <= p <= 1.0):
        return 0.0 if a == 0.0 and 0.0 <= p <= 1.0 else math.nan
    if p == 0.0 or p == 1.0:
        return 0.0 if p == 0.0 else math.inf
    return _gamma_root(a, p, 1.0)


def gammainccinv(a: float, q: float) -> float:
    """The x at which Q(a, x) is q; inf at 0."""
    if not (0.0 < a < math.inf and 0.0 <= q <= 1.0):
        return 0.0 if a == 0.0 and 0.0 <= q <= 1.0 else math.nan
    if q == 0.0 or q == 1.0:
        return 0.0 if q == 1.0 else math.inf
    return _gamma_root(a, q, -1.0)


def _gamma_root(a: float, chance: float, side: float) -> float:
    """Where P (side 1) or Q (side -1) is the chance, of the two the one that is small; 0 where that is below 1e-300."""
    if chance > 0.5:
        chance, side = 1.0 - chance, -side
    low, high = 1e-300, 1e300
    x = a if a > 1e-3 else 1e-3
    target = math.log(chance)
    for _ in range(STEPS):
        value = gammainc(a, x) if side > 0.0 else gammaincc(a, x)
        below = value < chance if side > 0.0 else value > chance
        if below:
            low = x
        else:
            high = x
        slope = gamma_density(a, x) * x
        following = 0.0
        if value > 0.0 and slope > 0.0:
            following = x * math.exp(max(-50.0, min(50.0, side * (target - math.log(value)) * value / slope)))
        if not low < following < high:
            following = math.sqrt(low) * math.sqrt(high)
        if abs(following - x) <= 1e-16 * x or high <= low * (1.0 + 2.3e-16):
            break
        x = following
    return x if x > 2e-300 else 0.0


def betaincinv(a: float, b: float, p: float) -> float:
    """The x in [0, 1] at which I_x(a, b) is p."""
    if not (0.0 < a < math.inf and 0.0 < b < math.inf and 0.0 <= p <= 1.0):
        return math.nan
    if p == 0.0 or p == 1.0:
        return p
    mean = a / (a + b)
    if betainc(a, b, mean) >= p:
        return _beta_root(a, b, p, mean)
    return 1.0 - _beta_root(b, a, 1.0 - p, b / (a + b))


def _beta_root(a: float, b: float, p: float, mean: float) -> float:
    """The root below the mean."""
    low, high, x, target = 1e-300, mean, mean, math.log(p)
    for _ in range(STEPS):
        value = betainc(a, b, x)
        if value < p:
            low = x
        else:
            high = x
        slope = beta_density(a, b, x) * x
        following = 0.0
        if value > 0.0 and slope > 0.0:
            following = x * math.exp(max(-50.0, min(50.0, (target - math.log(value)) * value / slope)))
        if not low < following < high:
            following = math.sqrt(low) * math.sqrt(high)
        if abs(following - x) <= 1e-16 * x or high <= low * (1.0 + 2.3e-16):
            return following
        x = following
    return x
