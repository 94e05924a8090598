"""The gamma function and its kin: logarithm, derivatives, ratios, incomplete ones."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import DTypeError
from jitgrad.operands import inexact_arg, size_arg
from jitgrad.promotion import default_float

from .arguments import ArrayLike, float_arguments, of_op

__all__ = [
    "bernoulli", "beta", "betainc", "betaincinv", "betaln", "boxcox", "boxcox1p", "comb", "digamma", "factorial", "gamma",
    "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammaln", "gammasgn", "loggamma", "multigammaln", "poch", "polygamma",
    "zeta",
]  # fmt: skip

gammaln = of_op("gammaln", "lgamma", "1.0 -> 0.0")
digamma = of_op("digamma", "digamma", "1.0 -> -0.5772157")


def polygamma(n: ArrayLike, x: ArrayLike) -> Array:
    """The n-th derivative of digamma at x, for n = 0, 1, 2, ...

    >>> print(polygamma(1, 1.0))
    1.644934
    """
    order, value = float_arguments("polygamma", n, x)
    return ops.op("polygamma", order, value)


def zeta(x: ArrayLike, q: ArrayLike | None = None) -> Array:
    """The Hurwitz zeta function, the sum of (q + k)**-x over k = 0, 1, 2, ... for x > 1; without q Riemann's, of q = 1.

    It has derivatives by both, and second ones where q is one of the two; by x for positive q.

    >>> print(zeta(2.0, 1.0))
    1.644934
    """
    return ops.op("zeta", *float_arguments("zeta", x, 1.0 if q is None else q))


def _sign_of_gamma(x: Array) -> Array:
    """1 or -1, by the sign of gamma(x); at 0 by that of x, nan at negative integers."""
    below = jnp.floor(x)
    sign = jnp.where((x < 0) & (below % 2 != 0), -1.0, 1.0).astype(x.dtype)
    return jnp.where((x < 0) & (below == x) | jnp.isnan(x), math.nan, jnp.where(x == 0, jnp.copysign(sign, x), sign))


gamma = of_op("gamma", "gamma", "5.0 -> 24.0")


def gammasgn(x: ArrayLike) -> Array:
    """The sign of gamma(x), 1 or -1: at 0 that of x, NaN at negative integers and -inf, 1 at inf.

    >>> print(gammasgn(-0.5))
    -1.0
    """
    (value,) = float_arguments("gammasgn", x)
    return _sign_of_gamma(jnp.asarray(value))


def loggamma(x: ArrayLike) -> Array:
    """log(gamma(x)): of real numbers NaN below 0, of complex ones the analytic continuation, cut along the negative real axis.

    Stirling's series far out (NIST DLMF 5.11.1), sums of logarithms on the way there (5.5.1), and on the left the reflection
    formula (5.5.3), on the branch that is analytic (D. E. G. Hare, Computing the principal branch of log-Gamma, 1997).

    >>> print(loggamma(1.0), loggamma(-1.0))
    0.0 nan
    """
    value = jnp.asarray(inexact_arg("scipy.special.loggamma", x))
    if not jnp.iscomplexobj(value):
        return jnp.where(value < 0, math.nan, gammaln(jnp.where(value < 0, 1.0, value)))
    left = value.real < 0.5
    right = _loggamma_right(jnp.where(left, 1 - value, value))
    # log(sin(pi z)) without the overflow of sin: on the half plane of z's sign.
    upper = jnp.where(value.imag < 0, jnp.conj(value), value)
    held = jnp.where(left, upper, 0.25 + 0.25j)
    whole = jnp.floor(held.real)
    turn = jnp.exp(2j * math.pi * (held - whole))
    log_sine = -1j * math.pi * (held - 0.5) + jnp.log1p(-turn) - math.log(2)
    reflected = math.log(math.pi) - jnp.where(value.imag < 0, jnp.conj(log_sine), log_sine) - right
    return jnp.where(left, reflected, right)


def _loggamma_right(z: Array) -> Array:
    """Re z >= 1/2."""
    total = jnp.zeros_like(z)
    for _ in range(8):
        near = z.real < 8
        total, z = total - jnp.where(near, jnp.log(jnp.where(near, z, 1.0)), 0.0), jnp.where(near, z + 1, z)
    return total + (z - 0.5) * jnp.log(z) - z + 0.5 * math.log(2 * math.pi) + stirling_rest(z)


def poch(z: ArrayLike, m: ArrayLike) -> Array:
    """Pochhammer's symbol gamma(z + m) / gamma(z), of negative integers z the limit.

    >>> print(poch(3.0, 2.0))
    12.0
    """
    base, steps = (jnp.asarray(v) for v in float_arguments("poch", z, m))
    base, steps = jnp.broadcast_arrays(base, steps)
    end = base + steps
    at_pole = (base <= 0) & (jnp.floor(base) == base)
    few = (jnp.floor(steps) == steps) & (steps < 0) & (steps >= -_FEW) & ~((jnp.floor(base) == base) & (end <= 0))
    ends_at_pole = (end <= 0) & (jnp.floor(end) == end) & ~few
    both = at_pole & ends_at_pole  # (-1)^m gamma(1 - z) / gamma(1 - z - m)
    first, last = jnp.where(both, 1 - end, base), jnp.where(both, 1 - base, end)
    regular = ~(at_pole | ends_at_pole) | both
    first, last = jnp.where(regular, first, 1.0), jnp.where(regular, last, 1.0)
    up, down = (first > 0) & (steps > 0), (last > 0) & (steps < 0)
    start, more = jnp.where(up, first, jnp.where(down, last, 1.0)), jnp.where(up | down, jnp.abs(steps), 1.0)
    small = (jnp.abs(first) < 20) & (jnp.abs(last) < 20)
    plain = gamma(jnp.where(small, last, 1.0)) / gamma(jnp.where(small, first, 1.0))
    ratio = gammaln(more) - betaln(start, more)
    logarithm = jnp.where(up, ratio, jnp.where(down, -ratio, gammaln(last) - gammaln(first)))
    size = _sign_of_gamma(first) * _sign_of_gamma(last) * jnp.exp(logarithm)
    odd = jnp.floor(jnp.abs(steps)) % 2 == 1
    value = jnp.where(small, plain, size)
    value = jnp.where(both & odd, -value, value)
    value = jnp.where(few, _few_steps_down(jnp.where(few, base, _FEW + 1.5), jnp.where(few, steps, -1.0)), value)
    return jnp.where(steps == 0, 1.0, jnp.where(ends_at_pole & ~both, math.inf, jnp.where(regular, value, 0.0)))


_FEW = 24


def _few_steps_down(z: Array, m: Array) -> Array:
    """gamma(z + m) / gamma(z) of a whole m from -_FEW to -1 by a product: z + m, rounded, may be nearer to a pole, or at one."""
    fixed = lax.stop_gradient(m)
    steps = jnp.arange(1, _FEW + 1, dtype=z.dtype)
    product = jnp.prod(jnp.where(steps <= -fixed[..., None], z[..., None] - steps, 1.0), axis=-1)
    last = z + fixed
    apart = jnp.where((last <= 0) & (jnp.floor(last) == last), 0.5, last)
    by_m = jnp.exp(gammaln(apart + (m - fixed)) - gammaln(apart))  # 1, with the derivatives by m
    return by_m / product


def comb(N: ArrayLike, k: ArrayLike, *, repetition: bool = False) -> Array:
    """The number of ways to choose k of N things, as a float; 0 for negative N, negative k and k > N.

    repetition: things may be chosen again, so that comb(N + k - 1, k) is meant.

    >>> print(comb(5, 2))
    10.0
    """
    things, chosen = (jnp.asarray(v) for v in float_arguments("comb", N, k))
    things, chosen = jnp.broadcast_arrays(things, chosen)
    none = (things < 0) | (chosen < 0)
    if repetition:
        nothing = (things == 0) & (chosen == 0)
        things = jnp.where(nothing, 0.0, things + chosen - 1)
    none = none | (chosen > things)
    total, part = jnp.where(none, 2.0, things), jnp.where(none, 1.0, chosen)
    value = jnp.exp(-betaln(total - part + 1, part + 1)) / (total + 1)
    exact = min(2.0**40, float(jnp.finfo(value.dtype).max))
    whole = (jnp.floor(total) == total) & (jnp.floor(part) == part) & (value < exact)
    rounding = lax.stop_gradient(jnp.round(value) - value)  # it has no slope, what it rounds has
    return jnp.where(none, 0.0, jnp.where(whole, value + rounding, value))


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers B_0 to B_n, with B_1 = -1/2, as an array of n + 1 numbers; infinite where floats do not reach.

    >>> print(bernoulli(2))
    [ 1.         -0.5         0.16666667]
    """
    try:
        count = operator.index(n)
    except TypeError:
        raise DTypeError(f"scipy.special.bernoulli: n must be a whole number that is known when it is called, got {n!r}") from None
    if count < 0:
        raise DTypeError(f"scipy.special.bernoulli: n must not be negative, got {n}")
    size_arg("scipy.special.bernoulli", count, "n is an integer")
    made = np.zeros(count + 1, default_float().numpy)
    finite = _bernoulli_numbers(min(count, 258))  # above are those out of range
    with np.errstate(over="ignore"):  # float32 ends before
        made[: len(finite)] = np.array(finite, made.dtype)
    made[260::4], made[262::4] = -math.inf, math.inf
    return jnp.asarray(made)


def _bernoulli_numbers(n: int) -> list[float]:
    """By the Akiyama-Tanigawa triangle."""
    row: list[Fraction] = []
    numbers = []
    for m in range(n + 1):
        row.append(Fraction(1, m + 1))
        for j in range(m, 0, -1):
            row[j - 1] = j * (row[j - 1] - row[j])
        numbers.append(float(row[0]) if m != 1 else -0.5)
    return numbers


def boxcox(x: ArrayLike, lmbda: ArrayLike) -> Array:
    """(x^lmbda - 1) / lmbda, and log(x) where lmbda is 0; NaN for negative x.

    >>> print(boxcox(2.0, 0.0))
    0.6931472
    """
    value, power = (jnp.asarray(v) for v in float_arguments("boxcox", x, lmbda))
    return _power_transform(value, value == 0, jnp.log(jnp.where((value == 0) | (value == math.inf), 1.0, value)), power)


def boxcox1p(x: ArrayLike, lmbda: ArrayLike) -> Array:
    """boxcox(1 + x, lmbda), accurate for small x.

    >>> print(boxcox1p(1.0, 0.0))
    0.6931472
    """
    value, power = (jnp.asarray(v) for v in float_arguments("boxcox1p", x, lmbda))
    return _power_transform(value, value == -1, jnp.log1p(jnp.where((value == -1) | (value == math.inf), 0.0, value)), power)


def _power_transform(value: Array, is_zero: Array, logarithm: Array, power: Array) -> Array:
    """expm1(power * logarithm) / power, by the series of expm1(u) / u for small u; at the ends of the values its limits."""
    exponent = power * logarithm
    near = jnp.abs(exponent) < 0.5
    held, far = jnp.where(near, exponent, 0.0), jnp.where(near, 1.0, exponent)
    series = jnp.zeros_like(held)
    for k in range(16, -1, -1):
        series = series * held + 1 / math.factorial(k + 1)
    found = logarithm * jnp.where(near, series, jnp.expm1(far) / far)
    least = jnp.where(power > 0, -1 / jnp.where(power > 0, power, 1.0), jnp.where(power <= 0, -math.inf, power))
    most = jnp.where(power < 0, -1 / jnp.where(power < 0, power, -1.0), jnp.where(power >= 0, math.inf, power))
    return jnp.where(is_zero, least, jnp.where(value == math.inf, most, found))


def betaln(a: ArrayLike, b: ArrayLike) -> Array:
    """The logarithm of the size of the beta function, without cancellation where arguments are large.

    Where the larger argument is above 8, log gamma of it and of the sum are Stirling's formula, whose large parts cancel on paper
    (A. R. DiDonato and A. H. Morris, Algorithm 708, 1992).

    >>> print(betaln(1.0, 1.0))
    0.0
    """
    first, second = (jnp.asarray(v) for v in float_arguments("betaln", a, b))
    first, second = jnp.broadcast_arrays(first, second)
    low, high = jnp.where(first <= second, first, second), jnp.where(first <= second, second, first)
    is_large, both = (high >= 8) & (low + high >= 8), low >= 8
    plain = _betaln_by_sum(jnp.where(is_large, 1.0, low), jnp.where(is_large, 1.0, high))
    one = _betaln_of_one_large(jnp.where(is_large & ~both, low, 1.0), jnp.where(is_large & ~both, high, 8.0))
    two = _betaln_of_two_large(jnp.where(both, low, 8.0), jnp.where(both, high, 8.0))
    return jnp.where(both, two, jnp.where(is_large, one, plain))


def _betaln_by_sum(a: Array, b: Array) -> Array:
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def _betaln_of_one_large(a: Array, b: Array) -> Array:
    # The rest is nothing beside log b then, and its derivative underflows.
    endless = b > min(float(jnp.finfo(b.dtype).eps) ** -2, float(jnp.finfo(b.dtype).max))
    held = jnp.where(endless, 8.0, b)
    rest = jnp.where(endless, 0.0, a - (a + held - 0.5) * jnp.log1p(a / held))
    return gammaln(a) - a * jnp.log(b) + (rest + (stirling_rest(b) - stirling_rest(a + b)))


def _betaln_of_two_large(a: Array, b: Array) -> Array:
    ratio = a / b
    rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(a + b)
    small = ratio < float(jnp.finfo(b.dtype).eps) / 4
    scaled = jnp.where(small, a, b * jnp.log1p(jnp.where(small, 1.0, ratio)))  # b log(1 + a / b)
    total = (a - 0.5) * (jnp.log(ratio) - jnp.log1p(ratio)) - scaled
    return total + (0.5 * (math.log(2 * math.pi) - jnp.log(b)) + rest)


def stirling_rest(x: Array) -> Array:
    """log gamma(x) less Stirling's (x - 1/2) log x - x + log(2 pi) / 2, for x >= 8 (NIST DLMF 5.11.1)."""
    inverse = 1 / x
    square = inverse * inverse
    total = jnp.zeros_like(x) + BERNOULLI_RATIOS[-1]
    for ratio in reversed(BERNOULLI_RATIOS[:-1]):
        total = total * square + ratio
    return total * inverse


BERNOULLI_RATIOS = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
"""B_2k / (2k (2k - 1)) for k = 1, 2, ..."""


def gammainc(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularised lower incomplete gamma function P(a, x): the integral of t^(a - 1) exp(-t) / gamma(a) up to x.

    NaN where a or x is negative. It has first and second derivatives by both arguments (NIST DLMF 8.2.4).

    >>> print(gammainc(1.0, 1.0))
    0.63212055
    """
    return ops.op("gammainc", *float_arguments("gammainc", a, x))


def gammaincc(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x), accurate where it is small.

    >>> print(gammaincc(1.0, 1.0))
    0.36787945
    """
    return ops.op("gammaincc", *float_arguments("gammaincc", a, x))


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """The regularised incomplete beta function I_x(a, b): the integral of t^(a - 1) (1 - t)^(b - 1) / B(a, b) up to x in [0, 1].

    NaN for negative parameters and x outside. It has first and second derivatives by all arguments (NIST DLMF 8.17.2).

    >>> print(betainc(1.0, 2.0, 0.5))
    0.75
    """
    return ops.op("betainc", *float_arguments("betainc", a, b, x))


def gammaincinv(a: ArrayLike, p: ArrayLike) -> Array:
    """The x at which gammainc(a, x) is p, with derivatives by both; NaN for p outside [0, 1]. SciPy's name, which jax has not.

    >>> print(gammaincinv(1.0, 0.0))
    0.0
    """
    return ops.op("gammaincinv", *float_arguments("gammaincinv", a, p))


def gammainccinv(a: ArrayLike, q: ArrayLike) -> Array:
    """The x at which gammaincc(a, x) is q, with derivatives by both; NaN for q outside [0, 1]. SciPy's name, which jax has not.

    >>> print(gammainccinv(1.0, 1.0))
    0.0
    """
    return ops.op("gammainccinv", *float_arguments("gammainccinv", a, q))


def betaincinv(a: ArrayLike, b: ArrayLike, p: ArrayLike) -> Array:
    """The x at which betainc(a, b, x) is p, with derivatives by all; NaN for p outside [0, 1]. SciPy's name, which jax has not.

    >>> print(betaincinv(1.0, 1.0, 0.25))
    0.25
    """
    return ops.op("betaincinv", *float_arguments("betaincinv", a, b, p))


def beta(a: ArrayLike, b: ArrayLike) -> Array:
    """The beta function gamma(a) gamma(b) / gamma(a + b).

    >>> print(beta(1.0, 1.0))
    1.0
    """
    first, second = (jnp.asarray(v) for v in float_arguments("beta", a, b))
    sign = _sign_of_gamma(first) * _sign_of_gamma(second) * _sign_of_gamma(first + second)
    return sign * jnp.exp(betaln(first, second))


def factorial(n: ArrayLike, exact: bool = False) -> Array:
    """n! as a float, 0 for negative n.

    >>> print(factorial(4))
    24.0
    """
    if exact:
        raise DTypeError("scipy.special.factorial: exact=True needs integers of any size, which arrays do not hold")
    value = inexact_arg("scipy.special.factorial", n)
    return jnp.where(value < 0, 0.0, gamma(jnp.where(value < 0, 0.0, value) + 1))


def multigammaln(a: ArrayLike, d: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension d, an integer of 1 or more.

    >>> print(multigammaln(1.0, 1))
    0.0
    """
    value = inexact_arg("scipy.special.multigammaln", a)
    size = size_arg("scipy.special.multigammaln", d, "d must be an integer", 1)
    parts = gammaln(value[..., None] - jnp.arange(size, dtype=value.dtype) / 2)
    return jnp.sum(parts, axis=-1) + size * (size - 1) / 4 * math.log(math.pi)
