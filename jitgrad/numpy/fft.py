"""Fourier transforms by numpy.fft's names, which are also those of the array API's extension. Of float32 and complex64, and of what
has fewer digits, they are complex64 and float32, of float64 and complex128 complex128 and float64; integers become default_float.

    fft, ifft                 along one axis                      rfft, irfft      of real numbers: half of the result says all
    fft2, ifft2, fftn, ifftn  along several                       rfft2, rfftn     the last axis given is the one that is halved
    hfft, ihfft               of what has a real transform        fftfreq, ...     which frequencies those are, and their order

Arguments are NumPy's. `n` (of several axes `s`) is how many elements are transformed: the first of an axis, or zeros behind those
there are. `norm` says which direction is divided by their number: "backward" (or None) the inverse, "forward" the other one, and
"ortho" each by the number's root.

>>> import jitgrad.numpy as jnp
>>> print(jnp.abs(jnp.fft.fft(jnp.array([1.0, 0.0, -1.0, 0.0]))))
[0. 2. 0. 2.]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import fourier
from jitgrad.array import Array
from jitgrad.array_ops import concatenate, slice_axis
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, is_complex, size_arg
from jitgrad.promotion import default_float, dtype_name
from jitgrad.publishing import public as _public

_NORMS = ("backward", "ortho", "forward")
Sizes = Sequence[int] | None


def _scale(where: str, norm: Any, sizes: Sequence[int], inverse: bool) -> float:
    """What the sums are multiplied by."""
    if norm is not None and norm not in _NORMS:
        raise ArgumentError(f"{where}: norm must be None, {', '.join(map(repr, _NORMS))}, got {norm!r}")
    if norm == "ortho":
        return 1 / math.sqrt(math.prod(sizes))
    return 1 / math.prod(sizes) if (norm == "forward") != inverse else 1.0


def _points(where: str, n: int, what: str) -> int:
    if n < 1:
        raise ArgumentError(f"{where}: needs at least one element to transform, got {what}")
    return n


def _one_axis(where: str, x: Array, n: Any, axis: Any, halves: bool = False) -> tuple[list[int], list[int]]:
    """The axis and how many elements are transformed along it; `halves`: of an operand that has half of them."""
    at = axis_number(where, axis, x.ndim)
    if n is None:
        size = 2 * (x.shape[at] - 1) if halves else x.shape[at]
        return [at], [_points(where, size, f"shape {x.shape} along axis {axis}")]
    return [at], [_points(where, size_arg(where, n, "n must be an integer"), f"n={n}")]


def _listed(where: str, name: str, given: Any) -> list[Any]:
    """Sizes or axes, which must be several, if only one."""
    if isinstance(given, (tuple, list, range)) or isinstance(given, np.ndarray) and given.ndim == 1:
        return list(given)
    raise ArgumentError(f"{where}: {name} must be a sequence of integers, got {given!r}")


def _several_axes(where: str, x: Array, s: Any, axes: Any, halves: bool = False) -> tuple[list[int], list[int]]:
    """The same of several axes, without `axes` the last ones; sizes of -1 are those of the operand."""
    if s is not None:
        s = [size_arg(where, n, "sizes of s must be integers") for n in _listed(where, "s", s)]
        if axes is None and len(s) > x.ndim:
            raise ArgumentError(f"{where}: s={tuple(s)} has {len(s)} sizes, the array {x.ndim} axes")
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    axes = _listed(where, "axes", axes)
    found = [axis_number(where, a, x.ndim) for a in axes]
    if len(set(found)) != len(found):
        raise ArgumentError(f"{where}: axes must name each axis once, got {tuple(axes)} for shape {x.shape}")
    if s is not None and len(s) != len(found):
        raise ArgumentError(f"{where}: s and axes must be equally long, got s={tuple(s)} and axes={tuple(axes)}")
    sizes = [x.shape[a] for a in found]
    if halves and sizes:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if s is not None:
        sizes = [own if n == -1 else _points(where, n, f"s={tuple(s)}") for n, own in zip(s, sizes, strict=True)]
    for a, n in zip(found, sizes, strict=True):
        _points(where, n, f"shape {x.shape} along axis {a}")
    return found, sizes


Chosen = tuple[list[int], list[int]]
"""Axes from the front, and how many elements are transformed along each."""


def _complex(where: str, a: ArrayLike, norm: Any, inverse: bool, choose: Callable[[Array], Chosen]) -> Array:
    x = fourier.float_or_complex(where, a)
    axes, sizes = choose(x)
    scale = _scale(where, norm, sizes, inverse)
    for axis, n in zip(axes, sizes, strict=True):
        x = fourier.resized(x, axis, n)
    return fourier.of_complex(fourier.as_complex(x), axes, inverse, scale)


def _real(where: str, a: ArrayLike, norm: Any, choose: Callable[[Array], Chosen], inverse: bool = False) -> Array:
    x = fourier.real(where, a)
    axes, sizes = choose(x)
    if not axes:
        raise ArgumentError(f"{where}: needs at least one axis, got axes=() for shape {x.shape}")
    scale = _scale(where, norm, sizes, inverse)
    for axis, n in zip(axes, sizes, strict=True):
        x = fourier.resized(x, axis, n)
    return fourier.of_real(x, axes, scale)


def _to_real(where: str, a: ArrayLike, norm: Any, choose: Callable[[Array], Chosen], inverse: bool = True) -> Array:
    x = fourier.as_complex(fourier.float_or_complex(where, a))
    axes, sizes = choose(x)
    if not axes:
        raise ArgumentError(f"{where}: needs at least one axis, got axes=() for shape {x.shape}")
    scale = _scale(where, norm, sizes, inverse)
    for axis, n in zip(axes, [*sizes[:-1], sizes[-1] // 2 + 1], strict=True):
        x = fourier.resized(x, axis, n)
    return fourier.to_real(x if inverse else jnp.conj(x), axes, sizes[-1], scale)


# -- one axis


def fft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The sums over j of a[j] exp(-2 pi i j k / n), complex, for each k below n.

    Raises ArgumentError for an axis that does not exist, for n below 1 and other norms than the three.

    >>> import jitgrad.numpy as jnp
    >>> print(fft(jnp.array([1.0, 2.0, 3.0, 4.0])))
    [10.+0.j -2.+2.j -2.+0.j -2.-2.j]
    """
    return _complex("fft.fft", a, norm, False, lambda x: _one_axis("fft.fft", x, n, axis))


def ifft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """What `fft` is of: the means over k of a[k] exp(2 pi i j k / n).

    >>> import jitgrad.numpy as jnp
    >>> print(ifft(jnp.array([4.0, 0.0, 0.0, 0.0])))
    [1.+0.j 1.+0.j 1.+0.j 1.+0.j]
    """
    return _complex("fft.ifft", a, norm, True, lambda x: _one_axis("fft.ifft", x, n, axis))


def rfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """`fft` of real numbers for k up to n / 2: the others are their conjugates. Raises DTypeError for complex numbers.

    >>> import jitgrad.numpy as jnp
    >>> print(rfft(jnp.array([1.0, 2.0, 3.0, 4.0])))
    [10.+0.j -2.+2.j -2.+0.j]
    """
    return _real("fft.rfft", a, norm, lambda x: _one_axis("fft.rfft", x, n, axis))


def irfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The n real numbers that `rfft` is of, by default 2 (m - 1) for m elements. Imaginary parts that would be zero do not count.

    >>> import jitgrad.numpy as jnp
    >>> print(irfft(jnp.array([10.0, -2.0 + 2.0j, -2.0])))
    [1. 2. 3. 4.]
    """
    return _to_real("fft.irfft", a, norm, lambda x: _one_axis("fft.irfft", x, n, axis, halves=True))


def hfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """`fft` of n elements whose transform is real, of which `a` has the first n // 2 + 1: the others are their conjugates.

    >>> import jitgrad.numpy as jnp
    >>> print(hfft(jnp.array([1.0, 1.0j, 0.0])))
    [ 1.  3.  1. -1.]
    """
    return _to_real("fft.hfft", a, norm, lambda x: _one_axis("fft.hfft", x, n, axis, halves=True), inverse=False)


def ihfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """What `hfft` is of: n // 2 + 1 elements of the inverse of real numbers.

    >>> import jitgrad.numpy as jnp
    >>> print(ihfft(jnp.array([1.0, 3.0, 1.0, -1.0])))
    [1.-0.j 0.+1.j 0.-0.j]
    """
    return jnp.conj(_real("fft.ihfft", a, norm, lambda x: _one_axis("fft.ihfft", x, n, axis), inverse=True))


# -- several axes


def fftn(a: ArrayLike, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """`fft` along several axes, all by default; s: how many elements of each, -1 for all.

    Raises ArgumentError for axes that are named twice or do not exist, and for s of another length.

    >>> import jitgrad.numpy as jnp
    >>> print(fftn(jnp.ones((2, 2))))
    [[4.+0.j 0.+0.j]
     [0.+0.j 0.+0.j]]
    """
    return _complex("fft.fftn", a, norm, False, lambda x: _several_axes("fft.fftn", x, s, axes))


def ifftn(a: ArrayLike, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """`ifft` along several axes, as `fftn`.

    >>> import jitgrad.numpy as jnp
    >>> print(ifftn(jnp.array([[4.0, 0.0], [0.0, 0.0]])))
    [[1.+0.j 1.+0.j]
     [1.+0.j 1.+0.j]]
    """
    return _complex("fft.ifftn", a, norm, True, lambda x: _several_axes("fft.ifftn", x, s, axes))


def rfftn(a: ArrayLike, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """`rfft` along the last of the axes, `fft` along the others, as `fftn`.

    >>> import jitgrad.numpy as jnp
    >>> print(rfftn(jnp.ones((2, 4))))
    [[8.+0.j 0.+0.j 0.+0.j]
     [0.+0.j 0.+0.j 0.+0.j]]
    """
    return _real("fft.rfftn", a, norm, lambda x: _several_axes("fft.rfftn", x, s, axes))


def irfftn(a: ArrayLike, s: Sizes = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    """What `rfftn` is of; the last of s is how many real numbers come out.

    >>> import jitgrad.numpy as jnp
    >>> print(irfftn(jnp.array([[4.0, 0.0], [0.0, 0.0]])))
    [[1. 1.]
     [1. 1.]]
    """
    return _to_real("fft.irfftn", a, norm, lambda x: _several_axes("fft.irfftn", x, s, axes, halves=True))


def _plane(where: str, x: Array, s: Sizes, axes: Sequence[int], halves: bool = False) -> Chosen:
    axes = _listed(where, "axes", axes)
    if len(axes) != 2:
        raise ArgumentError(f"{where}: transforms along two axes, got axes={tuple(axes)}. Use {where[:-1]}n for any number.")
    return _several_axes(where, x, s, axes, halves)


def fft2(a: ArrayLike, s: Sizes = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """`fftn` along two axes, the last ones by default.

    >>> import jitgrad.numpy as jnp
    >>> print(fft2(jnp.ones((1, 2))))
    [[2.+0.j 0.+0.j]]
    """
    return _complex("fft.fft2", a, norm, False, lambda x: _plane("fft.fft2", x, s, axes))


def ifft2(a: ArrayLike, s: Sizes = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """`ifftn` along two axes, the last ones by default.

    >>> import jitgrad.numpy as jnp
    >>> print(ifft2(jnp.array([[2.0, 0.0]])))
    [[1.+0.j 1.+0.j]]
    """
    return _complex("fft.ifft2", a, norm, True, lambda x: _plane("fft.ifft2", x, s, axes))


def rfft2(a: ArrayLike, s: Sizes = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """`rfftn` along two axes, the last ones by default.

    >>> import jitgrad.numpy as jnp
    >>> print(rfft2(jnp.ones((2, 2))))
    [[4.+0.j 0.+0.j]
     [0.+0.j 0.+0.j]]
    """
    return _real("fft.rfft2", a, norm, lambda x: _plane("fft.rfft2", x, s, axes))


def irfft2(a: ArrayLike, s: Sizes = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """`irfftn` along two axes, the last ones by default.

    >>> import jitgrad.numpy as jnp
    >>> print(irfft2(jnp.array([[4.0, 0.0], [0.0, 0.0]])))
    [[1. 1.]
     [1. 1.]]
    """
    return _to_real("fft.irfft2", a, norm, lambda x: _plane("fft.irfft2", x, s, axes, halves=True))


# -- frequencies


def _frequencies(where: str, n: Any, counts: Callable[[int], Any], d: ArrayLike, dtype: Any, device: Any) -> Array:
    n = _points(where, size_arg(where, n, "n must be an integer"), f"n={n!r}")
    kind = default_float() if dtype is None else dtype_name(dtype)
    if not kind.is_inexact:
        raise DTypeError(f"{where}: dtype must be a float type, got {kind.numpy}")
    if isinstance(d, (int, float)):
        with np.errstate(all="ignore"):
            return jnp.asarray(counts(n) / np.float64(d * n), kind.numpy, device=device)
    spacing = array_arg(where, d)
    if is_complex(spacing):
        raise DTypeError(f"{where}: d must be real, got {spacing.dtype}")
    return jnp.asarray(counts(n), kind.numpy, device=device) / (spacing * n).astype(kind.numpy)


def fftfreq(n: int, d: ArrayLike = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `fft`'s results, in cycles per unit of the sample spacing d: 0, 1, ... and then ..., -2, -1, over n d.

    dtype: a float type, default_float by default. Raises ArgumentError for n below 1.

    >>> print(fftfreq(4, d=0.5))
    [ 0.   0.5 -1.  -0.5]
    """
    return _frequencies("fft.fftfreq", n, lambda n: (np.arange(n) + n // 2) % n - n // 2, d, dtype, device)


def rfftfreq(n: int, d: ArrayLike = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `rfft`'s results: 0, 1, ..., n // 2, over n d.

    >>> print(rfftfreq(4, d=0.5))
    [0.  0.5 1. ]
    """
    return _frequencies("fft.rfftfreq", n, lambda n: np.arange(n // 2 + 1), d, dtype, device)


def _rolled(where: str, x: ArrayLike, axes: Any, by: Callable[[int], int]) -> Array:
    value = array_arg(where, x)
    for axis in range(value.ndim) if axes is None else axes if isinstance(axes, (tuple, list)) else [axes]:
        at = axis_number(where, axis, value.ndim)
        size = value.shape[at]
        first = -by(size) % size if size else 0
        if first:
            value = concatenate([slice_axis(value, at, first, size), slice_axis(value, at, 0, first)], at)
    return value


def fftshift(x: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """Results of transforms with frequency zero in the middle: rolled by half of their length, along all axes by default.

    >>> import jitgrad.numpy as jnp
    >>> print(fftshift(fftfreq(5)))
    [-0.4 -0.2  0.   0.2  0.4]
    """
    return _rolled("fft.fftshift", x, axes, lambda n: n // 2)


def ifftshift(x: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """`fftshift` undone.

    >>> import jitgrad.numpy as jnp
    >>> print(ifftshift(jnp.array([-2, -1, 0, 1, 2])))
    [ 0  1  2 -2 -1]
    """
    return _rolled("fft.ifftshift", x, axes, lambda n: -(n // 2))


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "irfft2",
    "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

_public(__name__, replays=True)
