"""Spectra of the segments of a signal: stft and its inverse, and their means, welch and csd. Reads `segments.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.numpy.manipulation import promoted
from jitgrad.operands import axis_number, broadcast_shape, inexact_arg, is_complex, stored

from .segments import BOUNDARIES, overlapped, segment_sizes, segments, window_array
from .trends import detrend

ArrayLike = Any


def _without_trend(where: str, kind: Any, axis: int) -> Callable[[Array], Array]:
    """What is done to segments [..., samples]: a named trend is taken off, or a function is called with samples along its axis."""
    if callable(kind):
        return lambda x: jnp.moveaxis(jnp.asarray(kind(jnp.moveaxis(x, -1, axis))), axis, -1)
    if kind in ("linear", "constant"):
        return lambda x: detrend(x, type=kind)
    if kind is False or kind is None:
        return lambda x: x
    raise ArgumentError(f"{where}: detrend must be 'constant', 'linear', False or a function, got {kind!r}")


def _spectra(
    where: str, signals: list[ArrayLike], fs: ArrayLike, window: Any, nperseg: Any, noverlap: Any, nfft: Any, trend: Any,
    onesided: bool, scaling: str, axis: Any, squares: bool, boundary: str | None = None, padded: bool = False,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """(frequencies, times, spectra): with `squares` conj(X) * Y of two signals, or abs(X) ** 2 of one, else X.

    Frequencies are where the samples were, times last.
    """
    if boundary not in BOUNDARIES:
        raise ArgumentError(f"{where}: boundary must be one of {', '.join(map(repr, BOUNDARIES))}, got {boundary!r}")
    if scaling not in ("density", "spectrum"):
        raise ArgumentError(f"{where}: scaling must be 'density' or 'spectrum', got {scaling!r}")
    values = promoted(where, [inexact_arg(where, x) for x in signals])
    if values[0].type.dtype.is_storage:
        values = [v.astype("float32") for v in values]
    at = axis_number(where, axis, values[0].ndim)
    if any(v.ndim != values[0].ndim for v in values):
        raise ShapeError(f"{where}: x and y must have one number of axes, got shapes {values[0].shape} and {values[-1].shape}")
    values = [jnp.moveaxis(v, at, -1) for v in values]
    front = broadcast_shape(where, tuple(v.shape[:-1] for v in values))
    real = jnp.real(values[0]).dtype
    fs = stored(where, fs, values[0].type.dtype.real)
    if any(not v.size for v in values):
        shape = list(front)
        shape.insert(at, min(v.shape[-1] for v in values))
        nothing = jnp.zeros(shape, real)
        return nothing, nothing, nothing if squares and len(values) == 1 else nothing + 0j
    samples = max(v.shape[-1] for v in values)
    size, step, points = segment_sizes(where, window, nperseg, noverlap, nfft, values[0].shape[-1])
    values = [_behind(v, samples - v.shape[-1]) for v in values]
    if boundary in ("even", "odd") and size // 2 >= samples:
        raise ShapeError(f"{where}: boundary {boundary!r} takes more than nperseg // 2 = {size // 2} samples, got {samples}")
    values = [BOUNDARIES[boundary](v, size // 2) for v in values]
    if padded:
        values = [_behind(v, -(v.shape[-1] - size) % step % size) for v in values]
    factors = window_array(where, window, size, real)
    halves = onesided and not any(map(is_complex, (*values, factors)))
    without_trend = _without_trend(where, trend, axis)
    transform = jnp.fft.rfft if halves else jnp.fft.fft
    found = [transform(without_trend(segments(v, size, step)) * factors, points) for v in values]
    out = found[0]
    if squares and len(values) == 1:
        out = jnp.square(jnp.real(out)) + jnp.square(jnp.imag(out))
    elif squares:
        out = jnp.conj(out) * found[1]
    scale = 1 / (fs * jnp.sum(factors * factors)) if scaling == "density" else 1 / jnp.sum(factors) ** 2
    out = out * (scale if squares else jnp.sqrt(scale)).astype(out.dtype if is_complex(factors) else real)
    if squares and halves:
        doubled = np.ones(out.shape[-1])
        doubled[1 : None if points % 2 else -1] = 2
        out = out * jnp.asarray(doubled, real)
    frequencies = (jnp.fft.rfftfreq if halves else jnp.fft.fftfreq)(points, 1 / jnp.asarray(fs, real), dtype=real)
    middle = 0 if boundary is not None else size / 2
    times = jnp.asarray(middle + step * np.arange(out.shape[-2]), real) / jnp.asarray(fs, real)
    return frequencies, times, jnp.moveaxis(out, -1, at)


def _behind(x: Array, count: int) -> Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, count)]) if count else x


def stft(
    x: ArrayLike, fs: ArrayLike = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = False, return_onesided: bool = True, boundary: str | None = "zeros",
    padded: bool = True, axis: int = -1,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """(frequencies [f], times [t], Z [..., f, t]): the Fourier transforms of a signal's segments, divided by the window's sum.

    fs: samples for each unit of time. window: a name of SciPy's get_window, (name, numbers...), or the factors. nperseg: samples of
    a segment, by default the window's or 256, at most the signal's. noverlap: samples of a segment that the next one has too, by
    default half. nfft: points of a transform, by default nperseg; more are zeros. detrend: what segments are freed of, "constant",
    "linear", False, or a function of segments, with samples along `axis`. return_onesided: frequencies from 0 on for real signals;
    complex ones have all. boundary: what stands before and behind the signal, so that segments are centred at its ends, "zeros",
    "even", "odd", "constant" or None. padded: zeros make whole segments. axis: where the samples are, and the frequencies
    afterwards.

    Raises ArgumentError and ShapeError for what does not fit together; warns where nperseg is above the number of samples. As
    jax.scipy.signal.stft.

    >>> import jitgrad.numpy as jnp
    >>> f, t, z = stft(jnp.ones(8), nperseg=4)
    >>> print(f, t, z.shape)
    [0.   0.25 0.5 ] [0. 2. 4. 6. 8.] (3, 5)
    """
    return _spectra(
        "scipy.signal.stft", [x], fs, window, nperseg, noverlap, nfft, detrend, return_onesided, "spectrum", axis, False, boundary,
        padded,
    )  # fmt: skip


def csd(
    x: ArrayLike, y: ArrayLike | None, fs: ArrayLike = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True,
    scaling: str = "density", axis: int = -1, average: str = "mean",
) -> tuple[Array, Array]:  # fmt: skip
    """(frequencies [f], P [..., f]): the cross spectral density of two signals, by Welch's method, the mean over segments of
    conj(X) * Y. For y=None that of x with itself, real.

    Arguments as of `stft`. scaling: "density" (power for each unit of frequency) or "spectrum" (power). average: "mean", or
    "median" over segments, corrected for its bias. The shorter signal is continued by zeros.

    >>> import jitgrad.numpy as jnp
    >>> f, p = csd(jnp.array([1.0, -1.0, 1.0, -1.0]), jnp.array([1.0, -1.0, 1.0, -1.0]), scaling="spectrum", window="boxcar")
    >>> print(f, p)
    [0.   0.25 0.5 ] [0.+0.j 0.+0.j 1.+0.j]
    """
    return _mean_spectrum(
        "scipy.signal.csd", [x] if y is None else [x, y], fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling,
        axis, average,
    )  # fmt: skip


def welch(
    x: ArrayLike, fs: ArrayLike = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density", axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:  # fmt: skip
    """(frequencies [f], P [..., f]): the power spectral density of a signal by Welch's method, `csd` of x with itself.

    >>> import jitgrad.numpy as jnp
    >>> f, p = welch(jnp.array([1.0, -1.0, 1.0, -1.0]), scaling="spectrum", window="boxcar")
    >>> print(f, p)
    [0.   0.25 0.5 ] [0. 0. 1.]
    """
    return _mean_spectrum(
        "scipy.signal.welch", [x], fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )


def _mean_spectrum(
    where: str, signals: list[ArrayLike], fs: ArrayLike, window: Any, nperseg: Any, noverlap: Any, nfft: Any, trend: Any,
    onesided: bool, scaling: str, axis: Any, average: str,
) -> tuple[Array, Array]:  # fmt: skip
    if average not in ("mean", "median"):
        raise ArgumentError(f"{where}: average must be 'mean' or 'median', got {average!r}")
    frequencies, _, found = _spectra(where, signals, fs, window, nperseg, noverlap, nfft, trend, onesided, scaling, axis, True)
    if not found.size:
        return frequencies, found
    if average == "mean":
        return frequencies, jnp.mean(found, axis=-1)
    later = np.arange(2.0, found.shape[-1], 2)
    bias = 1 + float(np.sum(1 / (later + 1) - 1 / later))  # of the median of n exponential draws, whose mean is 1
    middle = lambda v: jnp.median(v, axis=-1) / bias
    return frequencies, middle(jnp.real(found)) + 1j * middle(jnp.imag(found)) if is_complex(found) else middle(found)


def istft(
    Zxx: ArrayLike, fs: ArrayLike = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
    nfft: int | None = None, input_onesided: bool = True, boundary: bool = True, time_axis: int = -1, freq_axis: int = -2,
) -> tuple[Array, Array]:  # fmt: skip
    """(times [n], signal [..., n]): the inverse of `stft`, by least squares where segments contradict each other.

    Arguments must be those that stft was called with: nperseg (by default what Zxx' frequencies say), noverlap (half of it), nfft,
    window, fs. input_onesided: stft's return_onesided; boundary: whether it had one, which is cut off. Samples that no segment
    reaches are zero. Raises what stft does.

    >>> import jitgrad.numpy as jnp
    >>> _, _, z = stft(jnp.array([1.0, 2.0, 3.0, 2.0]), nperseg=2)
    >>> print(istft(z)[1].round(3))
    [1. 2. 3. 2.]
    """
    where = "scipy.signal.istft"
    z = inexact_arg(where, Zxx)
    if z.ndim < 2:
        raise ShapeError(f"{where}: Zxx must have an axis of frequencies and one of times, got shape {z.shape}")
    at, frequencies = axis_number(where, time_axis, z.ndim), axis_number(where, freq_axis, z.ndim)
    if at == frequencies:
        raise ArgumentError(f"{where}: time_axis and freq_axis are the same axis, {at}")
    even = 2 * (z.shape[frequencies] - 1) if input_onesided else z.shape[frequencies]
    if even < 1 or not z.shape[at]:
        raise ShapeError(f"{where}: there are too few frequencies or times, in Zxx of shape {z.shape}")
    chosen = even if nperseg is None and isinstance(window, (str, tuple)) else nperseg
    size, step, _ = segment_sizes(where, window, chosen, noverlap, None, None)
    points = even + 1 if nfft is None and input_onesided and size == even + 1 else even if nfft is None else nfft
    size, step, points = segment_sizes(where, window, size, noverlap, points, None)
    back = jnp.fft.irfft if input_onesided else jnp.fft.ifft
    parts = back(jnp.moveaxis(z, (at, frequencies), (-2, -1)), points)[..., :size]
    factors = window_array(where, window, size, jnp.real(parts).dtype)
    x = overlapped(parts * (factors * jnp.sum(factors)), step)
    weight = overlapped(jnp.broadcast_to(factors * factors, parts.shape[-2:]), step)
    if boundary:
        kept = slice(size // 2, x.shape[-1] - size // 2)
        x, weight = x[..., kept], weight[kept]
    x = x / jnp.where(jnp.real(weight) > 1e-10, weight, 1)
    times = jnp.arange(x.shape[-1], dtype=jnp.real(x).dtype) / stored(where, fs, x.type.dtype.real)
    return times, jnp.moveaxis(x, -1, at - (frequencies < at))
