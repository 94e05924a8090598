"""Convolutions and correlations of arrays with any number of axes, summed directly or by Fourier transforms. Next: `spectra.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.lax.convolution import conv_general_dilated
from jitgrad.numpy.manipulation import promoted
from jitgrad.operands import axes_tuple, broadcast_shape, inexact_arg, is_complex, is_several
from jitgrad.precision import PrecisionLike, check_precision

ArrayLike = Any

_MODES = ("full", "same", "valid")
_BOUNDARIES = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


def _pair(where: str, in1: ArrayLike, in2: ArrayLike, mode: str, axes: int | None) -> list[Array]:
    values = promoted(where, [inexact_arg(where, in1), inexact_arg(where, in2)])
    x, y = values
    if x.ndim == y.ndim and axes not in (None, x.ndim):
        raise ShapeError(f"{where}: operands must have {axes} axes, got shapes {x.shape} and {y.shape}")
    _check_sizes(where, x, y, mode, range(x.ndim))
    return values


def _check_sizes(where: str, x: Array, y: Array, mode: str, axes: Sequence[int]) -> None:
    shapes = (x.shape, y.shape)
    if x.ndim != y.ndim:
        raise ShapeError(f"{where}: operands must have one number of axes, got shapes {shapes[0]} and {shapes[1]}")
    if 0 in (*shapes[0], *shapes[1]):
        raise ShapeError(f"{where}: operands must have at least one element, got shapes {shapes[0]} and {shapes[1]}")
    if mode not in _MODES:
        raise ArgumentError(f"{where}: mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    ahead = {x.shape[a] > y.shape[a] for a in axes if x.shape[a] != y.shape[a]}
    if mode == "valid" and len(ahead) > 1:
        raise ShapeError(
            f"{where}: with mode 'valid' one operand must be as large as the other along each axis, got shapes {shapes}"
        )


def _convolved(x: Array, y: Array, mode: str, turned: bool = False) -> Array:
    """The convolution of arrays of one number of axes; the smaller one is moved along the larger one.

    turned: with "same" and an even size of y, the middle is one further, as correlations of planes have it.
    """
    places = []
    for n, m in zip(x.shape, y.shape, strict=True):  # first result, counted in those of "full", and number of results
        places.append(
            {"full": (0, n + m - 1), "same": ((m - (not turned)) // 2, n), "valid": (min(n, m) - 1, abs(n - m) + 1)}[mode]
        )
    if y.size > x.size:
        x, y = y, x
    padding = [(m - 1 - at, at + count - n) for n, m, (at, count) in zip(x.shape, y.shape, places, strict=True)]
    kernel = jnp.flip(y)[..., None, None]
    letters = "".join(map(chr, range(ord("a"), ord("a") + x.ndim)))
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    return conv_general_dilated(x[None, ..., None], kernel, (1,) * x.ndim, padding, dimension_numbers=numbers)[0, ..., 0]


def _mirrored(y: Array) -> Array:
    return jnp.conj(jnp.flip(y))


def _check_method(where: str, method: str, precision: Any) -> None:
    check_precision(where, precision)
    if method not in ("auto", "direct", "fft"):
        raise ArgumentError(f"{where}: method must be 'auto', 'direct' or 'fft', got {method!r}")


def _fast_size(n: int) -> int:
    """The least size from n on that is a product of 2, 3 and 5, of which transforms are fast."""
    best, fives = 1 << max(n - 1, 0).bit_length(), 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(-(-n // threes) - 1, 0).bit_length())
            threes *= 3
        fives *= 5
    return best


def _multiplied(x: Array, y: Array, mode: str, axes: Sequence[int]) -> Array:
    """The convolution along some axes, of equal sizes or 1 along others, as the product of the Fourier transforms."""
    whole = [x.shape[a] + y.shape[a] - 1 for a in axes]
    sizes = [_fast_size(n) for n in whole]
    dtype = x.dtype
    if x.type.dtype.is_storage:
        x, y = x.astype("float32"), y.astype("float32")
    there, back = (jnp.fft.fftn, jnp.fft.ifftn) if is_complex(x) else (jnp.fft.rfftn, jnp.fft.irfftn)
    full = back(there(x, sizes, axes) * there(y, sizes, axes), sizes, axes).astype(dtype)
    wanted = {"full": whole, "same": [x.shape[a] for a in axes], "valid": [abs(x.shape[a] - y.shape[a]) + 1 for a in axes]}[mode]
    where = [slice(None)] * full.ndim
    for a, n, m in zip(axes, whole, wanted, strict=True):
        where[a] = slice((n - m) // 2, (n - m) // 2 + m)
    return full[tuple(where)]


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """`convolve` along axes (all by default) by Fourier transforms, for large in1 and in2; along other axes they broadcast.

    Exact to a few units in the last place of the largest element, so that small ones may lose digits. Raises what `convolve` does,
    and ShapeError for sizes of other axes that do not broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(fftconvolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 1.0])).round(3))
    [1. 3. 5. 3.]
    """
    where = "scipy.signal.fftconvolve"
    x, y = (inexact_arg(where, v) for v in (in1, in2))
    along = axes_tuple(where, list(axes) if is_several(axes) else axes, max(x.ndim, y.ndim))
    if x.ndim == y.ndim:
        broadcast_shape(where, tuple(tuple(1 if a in along else n for a, n in enumerate(v.shape)) for v in (x, y)))
    _check_sizes(where, x, y, mode, along)
    x, y = promoted(where, [x, y])
    return _multiplied(x, y, mode, along) if along else x * y


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto", precision: PrecisionLike = None) -> Array:
    """The sums over j of in1[j] * in2[k - j], as floats; both have one number of axes.

    mode: "full" (all k), "same" (as many as in1 has, from the middle of them) or "valid" (where the smaller one is inside). method:
    "direct" (and "auto") adds products, "fft" is `fftconvolve`. Raises ShapeError for operands without elements or of other axes,
    ArgumentError for other modes and methods.

    >>> import jitgrad.numpy as jnp
    >>> print(convolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 1.0])))
    [1. 3. 5. 3.]
    """
    where = "scipy.signal.convolve"
    _check_method(where, method, precision)
    x, y = _pair(where, in1, in2, mode, None)
    return _by(method, x, y, mode)


def _by(method: str, x: Array, y: Array, mode: str) -> Array:
    return _multiplied(x, y, mode, range(x.ndim)) if method == "fft" and x.ndim else _convolved(x, y, mode)


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto", precision: PrecisionLike = None) -> Array:
    """The sums over j of in1[j + k] * conj(in2[j]), as floats: `convolve` with in2 turned round and conjugated.

    >>> import jitgrad.numpy as jnp
    >>> print(correlate(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0]), "valid"))
    [2. 3.]
    """
    where = "scipy.signal.correlate"
    _check_method(where, method, precision)
    x, y = _pair(where, in1, in2, mode, None)
    return _by(method, x, _mirrored(y), mode)


def _in_plane(
    where: str, in1: ArrayLike, in2: ArrayLike, mode: str, boundary: str, fillvalue: Any, precision: Any, turned: bool
) -> Array:  # fmt: skip
    check_precision(where, precision)
    x, y = _pair(where, in1, in2, mode, 2)
    if boundary not in _BOUNDARIES:
        raise ArgumentError(f"{where}: boundary must be one of {', '.join(map(repr, _BOUNDARIES))}, got {boundary!r}")
    as_value(fillvalue, where)  # also where nothing is filled
    y = _mirrored(y) if turned else y
    zeros = boundary == "fill" and isinstance(fillvalue, (int, float, complex)) and fillvalue == 0
    if zeros or mode == "valid":
        found = _convolved(x, y, mode, turned)
        smaller = any(n < m for n, m in zip(x.shape, y.shape, strict=True))
        # where in1 slides along in2, SciPy's correlations of planes take the conjugate of in1, not of in2; so do jax's
        return jnp.conj(found) if turned and mode == "valid" and smaller else found
    around = [(m - 1, m - 1) for m in y.shape]
    more = {"constant_values": fillvalue} if boundary == "fill" else {}
    whole = _convolved(jnp.pad(x, around, mode=_BOUNDARIES[boundary], **more), y, "valid")
    if mode == "full":
        return whole
    first = [(m - (not turned)) // 2 for m in y.shape]
    return whole[first[0] : first[0] + x.shape[0], first[1] : first[1] + x.shape[1]]


def convolve2d(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0, precision: PrecisionLike = None
) -> Array:
    """`convolve` of two matrices; boundary: what stands around in1, "fill" (fillvalue), "wrap" or "symm" (mirrored at its edge).

    >>> import jitgrad.numpy as jnp
    >>> print(convolve2d(jnp.ones((2, 2)), jnp.ones((2, 2)), boundary="wrap", mode="same"))
    [[4. 4.]
     [4. 4.]]
    """
    return _in_plane("scipy.signal.convolve2d", in1, in2, mode, boundary, fillvalue, precision, False)


def correlate2d(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0, precision: PrecisionLike = None
) -> Array:
    """`correlate` of two matrices; boundary as of `convolve2d`. With "valid" and an in1 that is the smaller one complex results are
    conjugate to `correlate`'s, as SciPy's are.

    >>> import jitgrad.numpy as jnp
    >>> print(correlate2d(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[0.0, 1.0]]), mode="valid"))
    [[2.]
     [4.]]
    """
    return _in_plane("scipy.signal.correlate2d", in1, in2, mode, boundary, fillvalue, precision, True)
