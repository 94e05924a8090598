"""What speech is recognised from: the power of sound by time and frequency, on the mel scale, as logarithms.

A spectrum is a product with cosines and sines, so that a spectrogram is one convolution, whose windows are never in memory.

>>> import jitgrad.numpy as jnp
>>> from jitgrad import audio
>>> tone = jnp.sin(2 * jnp.pi * 1000 * jnp.arange(8000) / 8000)
>>> audio.spectrogram(tone, 200, 80).shape
(98, 101)
>>> print(jnp.argmax(audio.spectrogram(tone, 200, 80)[50]) * 8000 / 200)
1000.0
"""

from __future__ import annotations

from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.ranges import Amount, Steps

from .array import Array
from .config import config
from .errors import ArgumentError, ShapeError
from .lax.convolution import conv_general_dilated
from .operands import array_arg, real_arg, size_arg
from .publishing import public as _public

ArrayLike = Any


def spectrogram(x: ArrayLike, length: int, hop: int, *, window: ArrayLike = "hann", fft_length: int | None = None) -> Array:
    """The power of sound by time and frequency: [..., samples] to [..., frames, fft_length // 2 + 1], squared magnitudes of the
    discrete Fourier transforms of windows.

    A window has `length` samples, the next one begins `hop` samples later, and only whole ones count: there are
    1 + (samples - length) // hop. window: what samples are multiplied by, an array [length], or "hann" for
    sin(pi n / length)**2. fft_length: windows are transformed as if zeros made them that long, by default `length`; result k is of
    the frequency k / fft_length, in turns a sample. Nothing is divided by. Raises ShapeError for less than one window,
    ArgumentError for sizes below 1.

    >>> import jitgrad.numpy as jnp
    >>> print(spectrogram(jnp.ones(6), 4, 2, window=jnp.ones(4)).round(3))
    [[16.  0.  0.]
     [16.  0.  0.]]
    """
    where = "audio.spectrogram"
    value = real_arg(where, x)
    length, hop = _positive(where, "length", length), _positive(where, "hop", hop)
    size = length if fft_length is None else _positive(where, "fft_length", fft_length)
    if size < length:
        raise ArgumentError(f"{where}: fft_length must be at least length={length}, got {size}")
    if not value.ndim or value.shape[-1] < length:
        raise ShapeError(f"{where}: x must be [..., samples] with at least length={length} samples, got shape {value.shape}")
    bins = size // 2 + 1
    turns = np.outer(np.arange(length), np.arange(bins)) % size / size  # whole turns left out, so that angles keep their digits
    waves = np.concatenate([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)
    kernel = jnp.asarray(waves, value.dtype) * _window(where, window, length).astype(value.dtype)[:, None]
    sounds = value.reshape(-1, value.shape[-1], 1)
    parts = conv_general_dilated(sounds, kernel[:, None], (hop,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))
    power = parts[..., :bins] ** 2 + parts[..., bins:] ** 2
    return power.reshape(*value.shape[:-1], *power.shape[1:])


def _positive(where: str, name: str, n: Any) -> int:
    size = size_arg(where, n, f"{name} must be an integer")
    if size < 1:
        raise ArgumentError(f"{where}: {name} must be 1 or more, got {size}")
    return size


def _window(where: str, window: ArrayLike, length: int) -> Array:
    if isinstance(window, str):
        if window != "hann":
            raise ArgumentError(f"{where}: window must be 'hann' or an array of {length} factors, got {window!r}")
        return jnp.asarray(np.sin(np.pi * np.arange(length) / length) ** 2)
    value = array_arg(where, window)
    if value.shape != (length,):
        raise ShapeError(f"{where}: window must have shape ({length},), one factor a sample, got {value.shape}")
    return value


def mel_filters(
    bins: int, mels: int, sample_rate: Steps, low: float = 0.0, high: float | None = None, *, dtype: Any = None
) -> Array:
    """How much each of `bins` frequencies, evenly spaced from 0 to half the sample rate, counts in each mel band: [bins, mels].

    Bands are triangles of height 1 whose corners are evenly spaced on the mel scale, 2595 log10(1 + f / 700) for a frequency f in
    hertz (O'Shaughnessy, Speech communication, 1987), from `low` to `high`, by default half the sample rate; a band ends where the
    next but one begins. dtype: `config.default_float` by default. Raises ArgumentError for an empty range, and where a band has no
    frequency.

    >>> print(mel_filters(6, 2, 8000.0).round(2))
    [[0.   0.  ]
     [0.85 0.15]
     [0.16 0.84]
     [0.   0.72]
     [0.   0.36]
     [0.   0.  ]]
    """
    where = "audio.mel_filters"
    bins, mels = _positive(where, "bins", bins), _positive(where, "mels", mels)
    top = sample_rate / 2 if high is None else high
    if not 0 <= low < top <= sample_rate / 2:
        raise ArgumentError(
            f"{where}: frequencies must be 0 <= low < high <= sample_rate / 2 = {sample_rate / 2}, got low={low}, high={top}"
        )
    first, last = 2595 * np.log10(1 + np.array([low, top]) / 700)
    corners = 700 * (10 ** (np.linspace(first, last, mels + 2) / 2595) - 1)
    frequencies = np.linspace(0, sample_rate / 2, bins)[:, None]
    rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(~filters.any(axis=0))
    if empty.size:
        raise ArgumentError(
            f"{where}: none of the {bins} frequencies is in band {empty[0]} of {mels}. Ask for fewer mels, or a longer fft_length."
        )
    return jnp.asarray(filters, config.default_float if dtype is None else dtype)


def log_mel_spectrogram(
    x: ArrayLike,
    sample_rate: Steps,
    *,
    mels: int = 80,
    length: int | None = None,
    hop: int | None = None,
    fft_length: int | None = None,
    low: float = 0.0,
    high: float | None = None,
    floor: Amount = 1e-6,
) -> Array:
    """log(power + floor) of sound in mel bands: [..., samples] to [..., frames, mels].

    length and hop: of `spectrogram`'s windows, by default 25 and 10 milliseconds. fft_length: by default the least power of 2 that
    is not below length. mels, low, high: of `mel_filters`. floor: what silence has. Samples are taken as they are, so that those of
    integers want to be divided by their largest.

    >>> import jitgrad.numpy as jnp
    >>> log_mel_spectrogram(jnp.zeros((3, 16000)), 16000).shape
    (3, 98, 80)
    """
    length = round(0.025 * sample_rate) if length is None else length
    hop = round(0.01 * sample_rate) if hop is None else hop
    size = 1 << max(length - 1, 0).bit_length() if fft_length is None else fft_length
    if size % 2:
        raise ArgumentError(
            f"audio.log_mel_spectrogram: fft_length must be even, so that its last frequency is half the rate, got {size}"
        )
    power = spectrogram(x, length, hop, fft_length=size)
    bands = mel_filters(power.shape[-1], mels, sample_rate, low, high, dtype=power.dtype)
    return jnp.log(power @ bands + floor)


__all__ = ["log_mel_spectrogram", "mel_filters", "spectrogram"]

_public(__name__, replays=True, arguments=True)
