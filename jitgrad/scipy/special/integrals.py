"""Functions that are integrals: exponential, sine, cosine, Fresnel's, Dawson's, the dilogarithm, erfcx, wofz, Owen's T."""

from __future__ import annotations

import math

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.operands import inexact_arg

from .arguments import ArrayLike, float_arguments, of_real

__all__ = ["dawsn", "erfcx", "exp1", "expi", "expn", "fresnel", "owens_t", "sici", "spence", "wofz"]

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


def wofz(z: ArrayLike) -> Array:
    """Faddeeva's function exp(-z^2) erfc(-i z) of real or complex numbers, as complex ones (NIST DLMF 7.2.3).

    Its real part on the real axis is exp(-x^2), its imaginary one 2 D(x) / sqrt(pi) of Dawson's integral.

    >>> print(wofz(0.0))
    (1+0j)
    """
    value = jnp.asarray(inexact_arg("scipy.special.wofz", z))
    if not jnp.iscomplexobj(value):
        value = lax.complex(*[v.astype(jnp.promote_types(v.dtype, jnp.float32)) for v in (value, jnp.zeros_like(value))])
    x, y = value.real, value.imag
    real, imag = (ops.op(f"wofz_{part}", *float_arguments("wofz", x, y)) for part in ("real", "imag"))
    return lax.complex(real, imag)


def owens_t(h: ArrayLike, a: ArrayLike) -> Array:
    """Owen's T function: the chance that X > h and 0 < Y < a X for two standard normal numbers (D. B. Owen, 1956).

    >>> print(owens_t(0.0, 1.0))
    0.125
    """
    return ops.op("owens_t", *float_arguments("owens_t", h, a))
