"""Bessel functions of whole order."""

from __future__ import annotations

import operator

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import DTypeError
from jitgrad.operands import size_arg

from .arguments import ArrayLike, float_arguments, of_real

__all__ = ["bessel_jn", "i0", "i0e", "i1", "i1e"]

i0 = of_real("i0", "i0", "0.0 -> 1.0")
i0e = of_real("i0e", "i0e", "0.0 -> 1.0")
i1 = of_real("i1", "i1", "0.0 -> 0.0")
i1e = of_real("i1e", "i1e", "0.0 -> 0.0")


def bessel_jn(z: ArrayLike, *, v: int, n_iter: int = 50) -> Array:
    """The Bessel functions J_0, J_1, ..., J_v of real z, as an array of shape (v + 1, *z.shape).

    n_iter is jax's number of steps; as many are taken here as full precision needs (NIST DLMF 10.74).

    Raises:
        DTypeError: v is no whole number known when it is called, or negative; z is complex.

    >>> print(bessel_jn(0.0, v=1))
    [1. 0.]
    """
    try:
        last = operator.index(v)
    except TypeError:
        raise DTypeError(f"scipy.special.bessel_jn: v must be a whole number that is known when it is called, got {v!r}") from None
    size_arg("scipy.special.bessel_jn", n_iter, "n_iter must be an integer")
    if last < 0:
        raise DTypeError(f"scipy.special.bessel_jn: v must not be negative, got {v}")
    (value,) = float_arguments("bessel_jn", z)
    orders = jnp.arange(last + 1).reshape(-1, *[1] * value.type.rank)
    return ops.op("bessel_j", *float_arguments("bessel_jn", orders.astype(value.dtype), value))
