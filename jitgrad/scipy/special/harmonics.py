"""Spherical harmonics."""

from __future__ import annotations

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.operands import as_value

from .arguments import ArrayLike, float_arguments

__all__ = ["sph_harm_y"]


def sph_harm_y(
    n: ArrayLike, m: ArrayLike, theta: ArrayLike, phi: ArrayLike, diff_n: int | None = None, n_max: int | None = None
) -> Array:
    """The spherical harmonic of degree n and order m at colatitude theta in [0, pi] and longitude phi (NIST DLMF 14.30.1).

    n, m: whole numbers; NaN for n < 0, 0 for |m| > n. All arguments broadcast. n_max: degrees above it become it, as in jax. The
    result is complex; derivatives by theta are finite at the poles.

    Raises:
        DTypeError: n or m is no array of integers.
        ArgumentError: diff_n is given; use jvp or grad.

    >>> print(sph_harm_y(0, 0, 0.0, 0.0))
    (0.2820948+0j)
    """
    if diff_n is not None:
        raise ArgumentError("scipy.special.sph_harm_y: diff_n is not supported; jvp and grad give derivatives by theta and phi")
    for name, given in (("n", n), ("m", m)):
        type = as_value(given, "scipy.special.sph_harm_y").type.dtype
        if not type.is_integer:
            raise DTypeError(f"scipy.special.sph_harm_y: {name} must be whole numbers, got {type}")
    degree = jnp.asarray(n) if n_max is None else jnp.minimum(jnp.asarray(n), n_max)
    colatitude, longitude = (jnp.asarray(v) for v in float_arguments("sph_harm_y", theta, phi))
    wide = jnp.promote_types(colatitude.dtype, jnp.float32)  # complex numbers have no smaller parts
    colatitude, longitude = colatitude.astype(wide), longitude.astype(wide)
    order = jnp.asarray(m).astype(wide)
    factor = ops.op("legendre_harmonic", *float_arguments("sph_harm_y", degree.astype(wide), order, colatitude))
    angle = order * longitude
    return lax.complex(factor * jnp.cos(angle), factor * jnp.sin(angle))
