"""Functions of two numbers, in plain Python float64: Faddeeva's, by the parts of its complex argument, Owen's T, and the factor of
spherical harmonics that depends on the colatitude. They run as they stand, and kernels have them by
`targets/scalar_translation.py`.
"""

from __future__ import annotations

import math

from .gamma_functions import two_product
from .integral_functions import dawsn
from .quadrature import NODES, PANELS, WEIGHTS

ROOT_PI = 1.7724538509055159
STEP = 0.5116633539732443  # sqrt(pi / 12)
LARGEST_DEGREE = 1e5


def wofz_real(x: float, y: float) -> float:
    """The real part of w(x + i y) = exp(-z^2) erfc(-i z) (NIST DLMF 7.2.3)."""
    return _wofz(x, y)[0]


def wofz_imag(x: float, y: float) -> float:
    """The imaginary part of w(x + i y)."""
    return _wofz(x, y)[1]


def _wofz(x: float, y: float) -> tuple[float, float]:
    """w(-conj(z)) is conj(w(z)), and w(z) is 2 exp(-z^2) - w(-z) below the real axis (NIST DLMF 7.4.3)."""
    if math.isnan(x) or math.isnan(y):
        return math.nan, math.nan
    size = abs(x)
    real, imag = _wofz_above(size, abs(y))
    if y < 0.0:
        exponent = (abs(y) - size) * (abs(y) + size)
        large = math.exp(exponent) if exponent < 709.7 else math.inf
        angle = 2.0 * (size * y) if abs(size * y) < 1e300 else 0.0
        # w of size + i y, whose mirror image at the origin is -size - i y
        real, imag = 2.0 * large * math.cos(angle) - real, -2.0 * large * math.sin(angle) + imag if size > 0.0 else 0.0
    return real, imag if x >= 0.0 else -imag


def _wofz_above(x: float, y: float) -> tuple[float, float]:
    """x, y >= 0."""
    if x * x + y * y >= 42.25:
        real, imag = _wofz_far(x, y)
        return (real + math.exp(-x * x), imag) if y < 1e-3 and x < 30.0 else (real, imag)
    if y < 0.1:
        return _wofz_near_axis(x, y)
    return _wofz_by_sums(x, y)


def _wofz_far(x: float, y: float) -> tuple[float, float]:
    """Laplace's continued fraction (NIST DLMF 7.9.3), from its 20th step down."""
    if x > 1e100 or y > 1e100:
        scale = max(x, y)
        if scale == math.inf:
            return 0.0, 0.0
        u, v = x / scale, y / scale
        square = u * u + v * v
        return v / square / scale / ROOT_PI, u / square / scale / ROOT_PI
    a, b = x, y
    k = 20.0
    while k > 0.0:  # z - k / 2 / (a + i b)
        square = a * a + b * b
        a, b = x - 0.5 * k * a / square, y + 0.5 * k * b / square
        k -= 1.0
    square = a * a + b * b
    return b / square / ROOT_PI, a / square / ROOT_PI


def _wofz_near_axis(x: float, y: float) -> tuple[float, float]:
    """Taylor's series from the real axis, where w is exp(-x^2) + 2 i D(x) / sqrt(pi), by w' = -2 z w + 2 i / sqrt(pi)."""
    square, low = two_product(x, x)
    real = math.exp(-square)
    real -= real * low
    imag = 2.0 / ROOT_PI * dawsn(x)
    before, before_imag = real, imag
    current, current_imag = -2.0 * x * real, 2.0 / ROOT_PI - 2.0 * x * imag
    power, n = 1.0, 1.0
    while n < 60.0:  # i^n y^n times the n-th coefficient
        power *= y
        turn = n - 4.0 * math.floor(0.25 * n)
        if turn == 0.0:
            real, imag = real + power * current, imag + power * current_imag
        elif turn == 1.0:
            real, imag = real - power * current_imag, imag + power * current
        elif turn == 2.0:
            real, imag = real - power * current, imag - power * current_imag
        else:
            real, imag = real + power * current_imag, imag - power * current
        if power * (abs(current) + abs(current_imag)) < 1e-18 * abs(real) and n > 4.0:
            break
        n += 1.0
        before, current = current, -2.0 / n * (x * current + before)
        before_imag, current_imag = current_imag, -2.0 / n * (x * current_imag + before_imag)
    return real, imag


def _wofz_by_sums(x: float, y: float) -> tuple[float, float]:
    """The midpoint or trapezoidal rule, whichever's points keep away from x, and what the poles of its error give (M. Al Azah and
    S. N. Chandler-Wilde, Computation of the complex error function using modified trapezoidal rules, 2021)."""
    place = x / STEP - math.floor(x / STEP)
    middle = y >= max(x, math.pi / STEP) or 0.25 <= place <= 0.75
    square, cross = (x - y) * (x + y), 2.0 * x * y
    real, imag = 0.0, 0.0
    for k in range(13):
        t = STEP * (k + 0.5) if middle else STEP * k
        a = square - t * t
        weight = math.exp(-t * t) / (a * a + cross * cross)
        if k == 0 and not middle:
            weight *= 0.5
        real += weight * a
        imag -= weight * cross
    # times 2 i h z / pi
    factor = 2.0 * STEP / math.pi
    real, imag = -factor * (x * imag + y * real), factor * (x * real - y * imag)
    if y >= max(x, math.pi / STEP):
        return real, imag
    # 2 exp(-z^2) / (1 +- exp(-2 i pi z / h)), with the exponential of a positive part divided out
    decay, angle = math.exp(-2.0 * math.pi * y / STEP), 2.0 * math.pi * x / STEP
    sign = 1.0 if middle else -1.0
    c, s = decay * math.cos(angle) + sign, decay * math.sin(angle)
    size = 2.0 * decay * math.exp((y - x) * (y + x)) / (c * c + s * s)
    turned = angle - cross
    return real + size * (math.cos(turned) * c + math.sin(turned) * s), imag + size * (math.sin(turned) * c - math.cos(turned) * s)


def owens_t(h: float, a: float) -> float:
    """Owen's T function, the chance that X > h and 0 < Y < a X for two standard normal numbers (D. B. Owen, 1956).

    For a > 1 by T(a h, 1 / a); else by Gauss's quadrature over where the integrand has not vanished.
    """
    if math.isnan(h) or math.isnan(a):
        return math.nan
    height, size = abs(h), abs(a)
    if height == math.inf or size == 0.0:
        return 0.0 * math.copysign(1.0, a)
    if height == 0.0:
        return math.atan(a) / (2.0 * math.pi)
    if size <= 1.0:
        return math.copysign(_owens_t_inside(height, size), a)
    above = 0.5 * math.erfc(height * 0.7071067811865476)
    if size == math.inf or height * size > 1e8:
        return math.copysign(0.5 * above, a)
    beyond = 0.5 * math.erfc(height * size * 0.7071067811865476)
    return math.copysign(0.5 * (above + beyond) - above * beyond - _owens_t_inside(height * size, 1.0 / size), a)


def _owens_t_inside(h: float, a: float) -> float:
    """0 <= a <= 1."""
    if h > 40.0:
        return 0.0
    end = min(a, 9.2 / h)
    total, start = 0.0, 0.0
    for last in PANELS:
        width = end * last - start
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            t = start + width * node
            total += width * weight * math.exp(-0.5 * h * h * t * t) / (1.0 + t * t)
        start = end * last
    square, low = two_product(h, h)
    front = math.exp(-0.5 * square)
    return (front - front * (0.5 * low)) * total / (2.0 * math.pi)


def legendre_harmonic(n: float, m: float, theta: float) -> float:
    """The spherical harmonic of degree n and order m at longitude 0: Legendre's function of cos(theta), normalised (NIST DLMF
    14.30.1), by the recurrence of 14.10.3 in the degree. 0 for |m| > n, NaN for n < 0 and orders that are not whole."""
    order = abs(m)
    if not 0.0 <= n <= LARGEST_DEGREE or n != math.floor(n) or not order <= LARGEST_DEGREE or m != math.floor(m):
        return math.nan
    if theta - theta != 0.0:  # infinite or NaN
        return math.nan
    if order > n:
        return 0.0
    x, sine = math.cos(theta), math.sin(theta)
    value, k = 0.28209479177387814, 1.0
    while k <= order:
        value *= -sine * math.sqrt((2.0 * k + 1.0) / (2.0 * k))
        k += 1.0
    if m < 0.0 and order - 2.0 * math.floor(0.5 * order) == 1.0:
        value = -value
    before, degree = 0.0, order + 1.0
    while degree <= n:
        lower = degree - 1.0
        share = math.sqrt((lower - order) * (lower + order) / (4.0 * lower * lower - 1.0)) if lower > order else 0.0
        scale = math.sqrt((4.0 * degree * degree - 1.0) / ((degree - order) * (degree + order)))
        before, value = value, scale * (x * value - share * before)
        degree += 1.0
    return value
