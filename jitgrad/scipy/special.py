"""Special functions by jax.scipy.special's names. Those that are one op of the compiler are rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import DTypeError
from jitgrad.nn import log_softmax, logsumexp, softmax
from jitgrad.numpy import ops
from jitgrad.numpy.promote import inexact_arg, operands
from jitgrad.promotion import default_float
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import FLOATS

ArrayLike = Any


def _float_arguments(where: str, *xs: ArrayLike) -> list[Array]:
    """Operands of one float type and one shape, not weak any more."""
    values, weak = operands(f"scipy.special.{where}", *xs, inexact=True)
    if values[0].type.dtype not in FLOATS:
        raise DTypeError(f"scipy.special.{where}: takes real numbers, got {values[0].dtype}")
    return [ops.convert(v, default_float()) for v in values] if weak else values


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
    """log(x / (1 - x)), the inverse of expit.

    >>> print(logit(0.5))
    0.0
    """
    value = inexact_arg("scipy.special.logit", x)
    return jnp.log(value) - jnp.log1p(-value)


def _product_with_log(
    name: str, logarithm: Callable[[Array], Array], singular: float, doc: str
) -> Callable[[ArrayLike, ArrayLike], Array]:
    """x times a logarithm of y, and 0 where x is 0, whatever y is: both branches stay finite there, and so do derivatives."""

    def function(x: ArrayLike, y: ArrayLike) -> Array:
        factor, value = (v + jnp.zeros_like(v) if ops.is_number(v) else v for v in _float_arguments(name, x, y))
        zero = factor == 0
        return jnp.where(zero, 0.0, factor * logarithm(jnp.where(zero, singular, value)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n>>> from jitgrad.scipy import special\n>>> print(special.{name}(0.0, {singular - 1}))\n0.0"
    return function


xlogy = _product_with_log("xlogy", jnp.log, 1.0, "x * log(y), and 0 where x is 0.")
xlog1py = _product_with_log("xlog1py", jnp.log1p, 0.0, "x * log(1 + y), and 0 where x is 0.")


def entr(x: ArrayLike) -> Array:
    """-x * log(x), 0 at 0 and -inf below: the terms of an entropy in nats.

    >>> print(entr(1.0))
    -0.0
    """
    value = inexact_arg("scipy.special.entr", x)
    return jnp.where(value < 0, -math.inf, -xlogy(value, jnp.where(value < 0, 1.0, value)))


def rel_entr(p: ArrayLike, q: ArrayLike) -> Array:
    """p * log(p / q), 0 where p is 0, inf where p > 0 and q is 0, or one is negative: the terms of a relative entropy in nats.

    >>> print(rel_entr(1.0, 1.0))
    0.0
    """
    first, second = _float_arguments("rel_entr", p, q)
    both, none = (first > 0) & (second > 0), (first == 0) & (second >= 0)
    numerator, denominator = jnp.where(both, first, 1.0), jnp.where(both, second, 1.0)
    return jnp.where(both, xlogy(numerator, numerator) - xlogy(numerator, denominator), jnp.where(none, 0.0, math.inf))


def kl_div(p: ArrayLike, q: ArrayLike) -> Array:
    """rel_entr(p, q) - p + q.

    >>> print(kl_div(1.0, 1.0))
    0.0
    """
    first, second = _float_arguments("kl_div", p, q)
    return rel_entr(first, second) - first + second


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
    tail = 0.5 * ops.op("erfc", jnp.abs(jnp.where(is_far, 0.0, value)) * math.sqrt(0.5))
    near = jnp.where(is_above, jnp.log1p(-jnp.where(is_above, tail, 0.0)), jnp.log(tail))
    distant = jnp.where(is_far, value, 2 * far)
    inverse_square, term, series = 1 / (distant * distant), 1.0, 1.0
    for k in range(1, 9):
        term = term * inverse_square * -(2 * k - 1)
        series = series + term
    below = -0.5 * distant * distant - jnp.log(-distant) - 0.5 * math.log(2 * math.pi) + jnp.log(series)
    return jnp.where(is_far, below, near)


def ndtri(p: ArrayLike) -> Array:
    """The inverse of ndtr.

    >>> print(ndtri(0.5))
    0.0
    """
    (value,) = _float_arguments("ndtri", p)
    return math.sqrt(2) * ops.op("erf_inv", 2 * jnp.asarray(value) - 1)


def gamma(x: ArrayLike) -> Array:
    """The gamma function, exp(gammaln(x)) with its sign; NaN at negative integers.

    >>> print(gamma(5.0))
    24.0
    """
    value = inexact_arg("scipy.special.gamma", x)
    below = jnp.floor(value)
    negative = (value < 0) & (below % 2 != 0)
    size = jnp.exp(gammaln(value))
    return jnp.where((value < 0) & (below == value), math.nan, jnp.where(negative, -size, size))


def betaln(a: ArrayLike, b: ArrayLike) -> Array:
    """The logarithm of the beta function.

    >>> print(betaln(1.0, 1.0))
    0.0
    """
    first, second = (jnp.asarray(v) for v in _float_arguments("betaln", a, b))
    return gammaln(first) + gammaln(second) - gammaln(first + second)


def beta(a: ArrayLike, b: ArrayLike) -> Array:
    """The beta function gamma(a) gamma(b) / gamma(a + b), of positive arguments.

    >>> print(beta(1.0, 1.0))
    1.0
    """
    return jnp.exp(betaln(a, b))


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
