"""Special functions by jax.scipy.special's names. Those that are one op of the compiler are rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import normalization
from jitgrad.array import Array
from jitgrad.errors import DTypeError
from jitgrad.normalization import logsumexp
from jitgrad.operands import inexact_arg, operands
from jitgrad.promotion import strong_dtype
from jitgrad_compiler.ir.graph import OPS

ArrayLike = Any


def _float_arguments(where: str, *xs: ArrayLike) -> list[Array]:
    """Operands of one float type and one shape, not weak any more."""
    values, weak = operands(f"scipy.special.{where}", *xs, inexact=True)
    if not values[0].type.dtype.is_float:
        raise DTypeError(f"scipy.special.{where}: takes real numbers, got {values[0].dtype}")
    return [ops.convert(v, strong_dtype(v.type.dtype, weak)) for v in values]


def _of_op(name: str, op: str, sample: str) -> Callable[[ArrayLike], Array]:
    """A function that is one op; `sample` is "argument -> result" for the example in its documentation."""

    def function(x: ArrayLike) -> Array:
        return ops.op(op, inexact_arg(f"scipy.special.{name}", x))

    given, result = sample.split(" -> ")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[op].doc}\n\n>>> from jitgrad.scipy import special\n>>> print(special.{name}({given}))\n{result}"
    return function


erf = _of_op("erf", "erf", "0.0 -> 0.0")
erfc = _of_op("erfc", "erfc", "0.0 -> 1.0")
erfinv = _of_op("erfinv", "erf_inv", "0.0 -> 0.0")
expit = _of_op("expit", "logistic", "0.0 -> 0.5")
gammaln = _of_op("gammaln", "lgamma", "1.0 -> 0.0")
digamma = _of_op("digamma", "digamma", "1.0 -> -0.5772157")
entr = _of_op("entr", "entr", "0.0 -> 0.0")


def softmax(x: ArrayLike, axis: normalization.Axis = None) -> Array:
    """exp(x) divided by its sum over axes (all by default, where nn.softmax takes the last one), without overflow.

    >>> import jitgrad.numpy as jnp
    >>> print(softmax(jnp.array([[1000.0], [1000.0]])).tolist())
    [[0.5], [0.5]]
    """
    return normalization.softmax(x, axis)


def log_softmax(x: ArrayLike, axis: normalization.Axis = None) -> Array:
    """log(softmax(x)) over axes (all by default, where nn.log_softmax takes the last one).

    >>> import jitgrad.numpy as jnp
    >>> print(log_softmax(jnp.array([0.0, -200.0])))
    [   0. -200.]
    """
    return normalization.log_softmax(x, axis)


def polygamma(n: ArrayLike, x: ArrayLike) -> Array:
    """The n-th derivative of digamma at x, for n = 0, 1, 2, ...

    >>> print(polygamma(1, 1.0))
    1.644934
    """
    order, value = _float_arguments("polygamma", n, x)
    return ops.op("polygamma", order, value)


def zeta(x: ArrayLike, q: ArrayLike = 1.0) -> Array:
    """The Hurwitz zeta function, the sum of (q + k)**-x over k = 0, 1, 2, ... for x > 1.

    >>> print(zeta(2.0, 1.0))
    1.644934
    """
    return ops.op("zeta", *_float_arguments("zeta", x, q))


def logit(x: ArrayLike) -> Array:
    """log(x / (1 - x)), the inverse of expit; near 1/2 as 2 atanh(2 x - 1), which loses nothing there.

    >>> print(logit(0.5))
    0.0
    """
    value = inexact_arg("scipy.special.logit", x)
    central = (value > 0.3) & (value < 0.65)
    held = jnp.where(central, value, 0.5)
    away = jnp.where(central, 0.25, value)
    return jnp.where(central, 2 * jnp.arctanh(2 * held - 1), jnp.log(away) - jnp.log1p(-away))


def _of_two(name: str, doc: str, sample: str) -> Callable[[ArrayLike, ArrayLike], Array]:
    """A function of two arguments that is one op of its name; `sample` is "arguments -> result"."""

    def function(x: ArrayLike, y: ArrayLike) -> Array:
        return ops.op(name, *_float_arguments(name, x, y))

    given, result = sample.split(" -> ")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n>>> from jitgrad.scipy import special\n>>> print(special.{name}({given}))\n{result}"
    return function


xlogy = _of_two("xlogy", "x * log(y), and 0 where x is 0. The derivative by x is log(y) there too.", "0.0, 0.0 -> 0.0")
xlog1py = _of_two("xlog1py", "x * log(1 + y), and 0 where x is 0. The derivative by x is log(1 + y) there too.", "0.0, -1.0 -> 0.0")
rel_entr = _of_two(
    "rel_entr",
    "p * log(p / q), 0 where p is 0, inf where p > 0 and q is 0, or one is negative: the terms of a relative entropy in nats. The "
    "derivative by p is -inf where p is 0.",
    "1.0, 1.0 -> 0.0",
)


def kl_div(p: ArrayLike, q: ArrayLike) -> Array:
    """rel_entr(p, q) - p + q.

    >>> print(kl_div(1.0, 1.0))
    0.0
    """
    first, second = _float_arguments("kl_div", p, q)
    relative = rel_entr(first, second)
    outside = (relative == math.inf) & ((first < 0) | (second <= 0))
    return jnp.where(outside, math.inf, relative - first + second)


def ndtr(x: ArrayLike) -> Array:
    """The normal distribution function: the chance that a standard normal number is below x.

    >>> print(ndtr(0.0))
    0.5
    """
    (value,) = _float_arguments("ndtr", x)
    return 0.5 * ops.op("erfc", jnp.asarray(value) * -math.sqrt(0.5))


def log_ndtr(x: ArrayLike) -> Array:
    """log(ndtr(x)), accurate on both sides.

    Far below 0 the asymptotic series of Mills' ratio serves (Abramowitz and Stegun 26.2.12).

    >>> print(log_ndtr(0.0))
    -0.6931472
    """
    (value,) = _float_arguments("log_ndtr", x)
    value = jnp.asarray(value)
    far = -10.0 if value.dtype == "float32" else -20.0
    is_far, is_above = value < far, value > 0
    held = jnp.where(is_far, 0.0, value)
    tail = 0.5 * ops.op("erfc", jnp.where(is_above, held, -held) * math.sqrt(0.5))
    near = jnp.where(is_above, jnp.log1p(-jnp.where(is_above, tail, 0.0)), jnp.log(jnp.where(is_above, 1.0, tail)))
    distant = jnp.where(is_far, value, 2 * far)
    inverse = 1 / distant
    inverse_square, term, series = inverse * inverse, 1.0, 1.0
    for k in range(1, 9):
        term = term * inverse_square * -(2 * k - 1)
        series = series + term
    below = -0.5 * distant * distant - jnp.log(-distant) - 0.5 * math.log(2 * math.pi) + jnp.log(series)
    return jnp.where(is_far, below, near)


def ndtri(p: ArrayLike) -> Array:
    """The inverse of ndtr, right into both tails: -inf at 0, inf at 1, nan outside.

    >>> print(ndtri(0.5))
    0.0
    """
    return ops.op("ndtri", *_float_arguments("ndtri", p))


def _sign_of_gamma(x: Array) -> Array:
    """1 or -1, by the sign of gamma(x); at 0 by that of x, nan at negative integers."""
    below = jnp.floor(x)
    sign = jnp.where((x < 0) & (below % 2 != 0), -1.0, 1.0).astype(x.dtype)
    return jnp.where((x < 0) & (below == x), math.nan, jnp.where(x == 0, jnp.copysign(sign, x), sign))


def gamma(x: ArrayLike) -> Array:
    """The gamma function, exp(gammaln(x)) with its sign; NaN at negative integers, infinite with x's sign at 0.

    >>> print(gamma(5.0))
    24.0
    """
    value = inexact_arg("scipy.special.gamma", x)
    return _sign_of_gamma(value) * jnp.exp(gammaln(value))


def betaln(a: ArrayLike, b: ArrayLike) -> Array:
    """The logarithm of the size of the beta function, without cancellation where arguments are large.

    Where the larger argument is above 8, log gamma of it and of the sum are Stirling's formula, whose large parts cancel on paper
    (A. R. DiDonato and A. H. Morris, Algorithm 708, 1992).

    >>> print(betaln(1.0, 1.0))
    0.0
    """
    first, second = (jnp.asarray(v) for v in _float_arguments("betaln", a, b))
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
    endless = b > float(jnp.finfo(b.dtype).eps) ** -2  # the rest is nothing beside log b, and its derivative underflows
    held = jnp.where(endless, 8.0, b)
    rest = jnp.where(endless, 0.0, a - (a + held - 0.5) * jnp.log1p(a / held))
    return gammaln(a) - a * jnp.log(b) + (rest + (_stirling_rest(b) - _stirling_rest(a + b)))


def _betaln_of_two_large(a: Array, b: Array) -> Array:
    ratio = a / b
    rest = _stirling_rest(a) + _stirling_rest(b) - _stirling_rest(a + b)
    small = ratio < float(jnp.finfo(b.dtype).eps) / 4
    scaled = jnp.where(small, a, b * jnp.log1p(jnp.where(small, 1.0, ratio)))  # b log(1 + a / b)
    total = (a - 0.5) * (jnp.log(ratio) - jnp.log1p(ratio)) - scaled
    return total + (0.5 * (math.log(2 * math.pi) - jnp.log(b)) + rest)


def _stirling_rest(x: Array) -> Array:
    """log gamma(x) less Stirling's (x - 1/2) log x - x + log(2 pi) / 2, for x >= 8 (NIST DLMF 5.11.1)."""
    inverse = 1 / x
    square = inverse * inverse
    total = jnp.zeros_like(x) + BERNOULLI_RATIOS[-1]
    for ratio in reversed(BERNOULLI_RATIOS[:-1]):
        total = total * square + ratio
    return total * inverse


BERNOULLI_RATIOS = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
"""B_2k / (2k (2k - 1)) for k = 1, 2, ..."""


def beta(a: ArrayLike, b: ArrayLike) -> Array:
    """The beta function gamma(a) gamma(b) / gamma(a + b).

    >>> print(beta(1.0, 1.0))
    1.0
    """
    first, second = (jnp.asarray(v) for v in _float_arguments("beta", a, b))
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
    return jnp.where(value < 0, 0.0, jnp.exp(gammaln(jnp.where(value < 0, 0.0, value) + 1)))


def multigammaln(a: ArrayLike, d: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension d.

    >>> print(multigammaln(1.0, 1))
    0.0
    """
    value = inexact_arg("scipy.special.multigammaln", a)
    total = jnp.zeros_like(value) + d * (d - 1) / 4 * math.log(math.pi)
    for j in range(d):
        total = total + gammaln(value - j / 2)
    return total


__all__ = [
    "beta", "betaln", "digamma", "entr", "erf", "erfc", "erfinv", "expit", "factorial", "gamma", "gammaln", "kl_div", "log_ndtr",
    "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "rel_entr", "softmax", "xlog1py", "xlogy",
    "zeta",
]  # fmt: skip
