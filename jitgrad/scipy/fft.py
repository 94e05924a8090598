"""Cosine transforms by jax.scipy.fft's names, of SciPy's types 1 to 4; and scipy.fft's Fourier transforms, which are numpy.fft's.

    1    x[0] + (-1)^k x[n-1] + 2 sum over 0 < j < n - 1 of x[j] cos(pi k j / (n - 1))
    2    2 sum of x[j] cos(pi k (2 j + 1) / 2n)
    3    x[0] + 2 sum over j > 0 of x[j] cos(pi (2 k + 1) j / 2n)
    4    2 sum of x[j] cos(pi (2 k + 1) (2 j + 1) / 4n)

Each is done by one Fourier transform (J. Makhoul, A fast cosine transform in one and two dimensions, 1980). Of complex numbers
they are those of both parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import fourier
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.numpy.fft import (
    _NORMS,
    Sizes,
    _one_axis,
    _several_axes,
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftfreq,
    rfftn,
)  # fmt: skip
from jitgrad.operands import ArrayLike, is_complex
from jitgrad.publishing import public as _public

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type that undoes a type, but for a factor."""


def _turns(exponents: Any, parts: int, like: Array) -> Array:
    """exp(-i pi k / parts) for exponents k, in the precision of an array."""
    angle = np.pi * (np.asarray(exponents) % (2 * parts)) / parts
    return jnp.asarray((np.cos(angle) - 1j * np.sin(angle)).astype(np.result_type(like.dtype, np.complex64)))


def _first(x: Array) -> Array:
    """Type 1: the transform of all numbers and, backwards, those that are not at the ends."""
    around = jnp.concatenate([x, x[..., -2:0:-1]], axis=-1)
    return jnp.real(fourier.of_real(around, [x.ndim - 1]))


def _second(x: Array) -> Array:
    """Type 2: the transform of the even numbers and the odd ones backwards, turned; its parts are the two halves."""
    n = x.shape[-1]
    found = fourier.of_real(jnp.concatenate([x[..., ::2], x[..., 1::2][..., ::-1]], axis=-1), [x.ndim - 1], 2.0)
    found = found * _turns(np.arange(n // 2 + 1), 2 * n, x)
    return jnp.concatenate([jnp.real(found), -jnp.imag(found)[..., (n - 1) // 2 : 0 : -1]], axis=-1)


def _third(x: Array) -> Array:
    """Type 3: type 2 from its end to its beginning."""
    n = x.shape[-1]
    mirrored = jnp.concatenate([jnp.zeros_like(x[..., :1]), x[..., :0:-1]], axis=-1)[..., : n // 2 + 1]
    turned = jnp.conj(_turns(np.arange(n // 2 + 1), 2 * n, x))
    found = fourier.to_real((x[..., : n // 2 + 1] - 1j * mirrored) * turned, [x.ndim - 1], n)
    evens = (n + 1) // 2
    odd = fourier.resized(found[..., evens:][..., ::-1], x.ndim - 1, evens)
    return jnp.stack([found[..., :evens], odd], axis=-1).reshape((*x.shape[:-1], 2 * evens))[..., :n]


def _fourth(x: Array) -> Array:
    """Type 4: a transform of twice the length, turned before and after."""
    n = x.shape[-1]
    turned = fourier.resized(x * _turns(np.arange(n), 2 * n, x), x.ndim - 1, 2 * n)
    found = fourier.of_complex(turned, [x.ndim - 1], False, 2.0)[..., :n]
    return jnp.real(found * _turns(2 * np.arange(n) + 1, 4 * n, x))


_TYPES = {1: _first, 2: _second, 3: _third, 4: _fourth}


def _along(where: str, x: Array, type: int, axis: int, norm: str | None, inverse: bool) -> Array:
    """A real array's transform along one axis."""
    n = x.shape[axis]
    if type == 1 and n < 2:
        raise ArgumentError(f"{where}: type 1 needs at least two elements, got shape {x.shape}")
    x = jnp.moveaxis(x, axis, -1)
    type = _INVERSE[type] if inverse else type
    length = 2 * (n - 1) if type == 1 else 2 * n
    ends = np.ones(n)
    if norm == "ortho":
        ends[[0, -1] if type == 1 else [0]] = math.sqrt(2)
        scale = 1 / math.sqrt(length)
    else:
        scale = 1 / length if (norm == "forward") != inverse else 1.0
    weights = jnp.asarray(ends, x.dtype)
    if norm == "ortho" and type in (1, 3):
        x = x * weights
    x = _TYPES[type](x) * scale
    if norm == "ortho" and type in (1, 2):
        x = x / weights
    return jnp.moveaxis(x, -1, axis)


def _transformed(where: str, x: ArrayLike, type: Any, norm: Any, inverse: bool, choose: Any) -> Array:
    if not isinstance(type, int) or type not in _TYPES:
        raise ArgumentError(f"{where}: type must be 1, 2, 3 or 4, got {type!r}")
    if norm is not None and norm not in _NORMS:
        raise ArgumentError(f"{where}: norm must be None, {', '.join(map(repr, _NORMS))}, got {norm!r}")
    value = fourier.float_or_complex(where, x)
    axes, sizes = choose(value)
    for axis, n in zip(axes, sizes, strict=True):
        value = fourier.resized(value, axis, n)

    def of_part(part: Array) -> Array:
        for axis in axes:
            part = _along(where, part, type, axis, norm, inverse)
        return part

    if is_complex(value):
        return of_part(jnp.real(value)) + 1j * of_part(jnp.imag(value))
    return of_part(value)


def dct(x: ArrayLike, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The cosine transform of a type along an axis, of its first n elements or of zeros behind them.

    norm: None or "backward": the sums; "forward": divided by 2n, of type 1 by 2 (n - 1); "ortho": by the root of that, with the
    ends weighed so that the transform is orthogonal. Raises ArgumentError for other types and norms, and of type 1 for one element.

    >>> import jitgrad.numpy as jnp
    >>> print(dct(jnp.array([1.0, 1.0, 1.0])))
    [ 6.  0. -0.]
    """
    return _transformed("scipy.fft.dct", x, type, norm, False, lambda v: _one_axis("scipy.fft.dct", v, n, axis))


def idct(x: ArrayLike, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """What `dct` of the type is of.

    >>> import jitgrad.numpy as jnp
    >>> print(idct(jnp.array([6.0, 0.0, 0.0])))
    [1. 1. 1.]
    """
    return _transformed("scipy.fft.idct", x, type, norm, True, lambda v: _one_axis("scipy.fft.idct", v, n, axis))


def dctn(
    x: ArrayLike, type: int = 2, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:  # fmt: skip
    """`dct` along several axes, all by default; s: how many elements of each.

    >>> import jitgrad.numpy as jnp
    >>> print(dctn(jnp.ones((2, 2))))
    [[16.  0.]
     [ 0.  0.]]
    """
    return _transformed("scipy.fft.dctn", x, type, norm, False, lambda v: _several_axes("scipy.fft.dctn", v, s, axes))


def idctn(
    x: ArrayLike, type: int = 2, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:  # fmt: skip
    """What `dctn` of the type is of.

    >>> import jitgrad.numpy as jnp
    >>> print(idctn(jnp.array([[16.0, 0.0], [0.0, 0.0]])))
    [[1. 1.]
     [1. 1.]]
    """
    return _transformed("scipy.fft.idctn", x, type, norm, True, lambda v: _several_axes("scipy.fft.idctn", v, s, axes))


__all__ = [
    "dct", "dctn", "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "idct", "idctn", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

_public(__name__, replays=True)
