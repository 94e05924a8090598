"""Functions of probabilities: the normal distribution, logistic functions, softmax, terms of entropies."""

from __future__ import annotations

import math

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import normalization
from jitgrad.array import Array
from jitgrad.at_once import one_op
from jitgrad.normalization import logsumexp
from jitgrad.operands import inexact_arg, size_arg
from jitgrad_compiler.ir.graph import OPS

from .arguments import ArrayLike, float_arguments, of_op, of_two

__all__ = [
    "entr", "erf", "erfc", "erfinv", "expit", "kl_div", "log_ndtr", "log_softmax", "logit", "logsumexp", "ndtr", "ndtri",
    "rel_entr", "softmax", "xlog1py", "xlogy",
]  # fmt: skip

erf = of_op("erf", "erf", "0.0 -> 0.0")
erfc = of_op("erfc", "erfc", "0.0 -> 1.0")
erfinv = of_op("erfinv", "erf_inv", "0.0 -> 0.0")
expit = of_op("expit", "logistic", "0.0 -> 0.5")
entr = of_op("entr", "entr", "0.0 -> 0.0")


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


xlogy = of_two("xlogy", "x * log(y), and 0 where x is 0. The derivative by x is log(y) there too.", "0.0, 0.0 -> 0.0")
xlog1py = of_two("xlog1py", "x * log(1 + y), and 0 where x is 0. The derivative by x is log(1 + y) there too.", "0.0, -1.0 -> 0.0")


def rel_entr(p: ArrayLike, q: ArrayLike) -> Array:
    """p * log(p / q), 0 where p is 0, inf where p > 0 and q is 0, or one is negative: the terms of a relative entropy in nats.

    The derivative by p is -inf where p is 0.

    >>> print(rel_entr(1.0, 1.0))
    0.0
    """
    return ops.op("rel_entr", *float_arguments("rel_entr", p, q))


one_op(rel_entr, OPS["rel_entr"])


def kl_div(p: ArrayLike, q: ArrayLike) -> Array:
    """rel_entr(p, q) - p + q.

    >>> print(kl_div(1.0, 1.0))
    0.0
    """
    first, second = float_arguments("kl_div", p, q)
    relative = rel_entr(first, second)
    outside = (relative == math.inf) & ((first < 0) | (second <= 0))
    return jnp.where(outside, math.inf, relative - first + second)


def ndtr(x: ArrayLike) -> Array:
    """The normal distribution function: the chance that a standard normal number is below x.

    >>> print(ndtr(0.0))
    0.5
    """
    (value,) = float_arguments("ndtr", x)
    return 0.5 * ops.op("erfc", jnp.asarray(value) * -math.sqrt(0.5))


def log_ndtr(x: ArrayLike, series_order: int = 3) -> Array:
    """log(ndtr(x)), accurate on both sides; series_order is taken for jax's sake, more terms than its 3 are always added.

    Far below 0 the asymptotic series of Mills' ratio serves (Abramowitz and Stegun 26.2.12).

    >>> print(log_ndtr(0.0))
    -0.6931472
    """
    size_arg("scipy.special.log_ndtr", series_order, "series_order must be an integer", 1)
    (value,) = float_arguments("log_ndtr", x)
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
    return ops.op("ndtri", *float_arguments("ndtri", p))
