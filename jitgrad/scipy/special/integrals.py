"""Functions that are integrals: exponential, sine, cosine and Fresnel integrals, the dilogarithm, Dawson's integral, erfcx."""

from __future__ import annotations

import math

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array

from .arguments import ArrayLike, float_arguments, of_real

__all__ = ["dawsn", "erfcx", "exp1", "expi", "expn", "fresnel", "sici", "spence"]

exp1 = of_real("exp1", "exp1", "1.0 -> 0.21938394")
expi = of_real("expi", "expi", "1.0 -> 1.8951178")
spence = of_real("spence", "spence", "1.0 -> 0.0")
erfcx = of_real("erfcx", "erfcx", "0.0 -> 1.0")
dawsn = of_real("dawsn", "dawsn", "0.0 -> 0.0")


def expn(n: ArrayLike, x: ArrayLike) -> Array:
    """The exponential integral E_n(x) of whole n >= 0 and x >= 0: that of exp(-x t) / t^n for t from 1 on. NaN elsewhere.

    >>> print(expn(0, 1.0))
    0.36787945
    """
    order, value = float_arguments("expn", n, x)
    return jnp.where(jnp.asarray(order) < 0, math.nan, ops.op("expn", order, value))


def sici(x: ArrayLike) -> tuple[Array, Array]:
    """The sine integral Si(x), of sin(t) / t from 0 to x, and the cosine integral Ci(|x|), which is -inf at 0.

    >>> sine, cosine = sici(1.0)
    >>> print(sine, cosine)
    0.94608307 0.33740392
    """
    (value,) = float_arguments("sici", x)
    return ops.op("sine_integral", value), ops.op("cosine_integral", value)


def fresnel(x: ArrayLike) -> tuple[Array, Array]:
    """Fresnel's integrals S(x) and C(x): of sin(pi t^2 / 2) and of cos(pi t^2 / 2) from 0 to x.

    >>> sine, cosine = fresnel(1.0)
    >>> print(sine, cosine)
    0.43825915 0.7798934
    """
    (value,) = float_arguments("fresnel", x)
    return ops.op("fresnel_sine", value), ops.op("fresnel_cosine", value)
