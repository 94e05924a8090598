"""Segments of a signal that overlap, the windows that they are multiplied by, and their sum. For `spectra.py`."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache, reduce
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, size_arg

ArrayLike = Any
USUAL = 256
"""SciPy's number of samples of a segment."""


@cache
def _windows() -> Any:
    """The module scipy.signal.windows, which is slow to import."""
    return importlib.import_module("scipy.signal.windows")


def window_array(where: str, window: Any, size: int, dtype: Any) -> Array:
    """A window by its name, or (name, numbers...), as in SciPy's get_window, or the factors themselves."""
    if isinstance(window, (str, tuple)):
        try:
            factors = (
                np.sin(np.pi * np.arange(size) / size) ** 2
                if window == "hann" and size > 1
                else _windows().get_window(window, size)
            )
        except ValueError as error:
            raise ArgumentError(f"{where}: window {window!r} is none of SciPy's: {error}") from None
        return jnp.asarray(factors, dtype)
    given = array_arg(where, window)
    if given.shape != (size,):
        raise ShapeError(
            f"{where}: window must be an array [{size}], one factor for each of nperseg samples, got shape {given.shape}"
        )
    return given.astype(given.dtype if given.type.dtype.is_complex else dtype)


def segment_sizes(where: str, window: Any, nperseg: Any, noverlap: Any, nfft: Any, samples: int | None) -> tuple[int, int, int]:
    """(samples of a segment, from one segment to the next, points of a transform), all checked."""
    size: int
    if not isinstance(window, (str, tuple)):
        shape = np.shape(window)
        if len(shape) != 1 or not shape[0]:
            raise ShapeError(f"{where}: window must have one axis, with elements, got shape {shape}")
        size = shape[0] if nperseg is None else size_arg(where, nperseg, "nperseg must be an integer")
        if size != shape[0]:
            raise ArgumentError(f"{where}: nperseg is {size}, but the window has {shape[0]} factors")
        if samples is not None and size > samples:
            raise ShapeError(f"{where}: the window has {size} factors, but the signal {samples} samples")
    else:
        size = USUAL if nperseg is None else size_arg(where, nperseg, "nperseg must be an integer")
        if samples is not None and size > samples:
            if nperseg is not None:
                warnings.warn(f"{where}: nperseg={size} is more than the {samples} samples, which are one segment", stacklevel=4)
            size = samples
    if size < 1:
        raise ArgumentError(f"{where}: nperseg must be 1 or more, got {size}")
    overlap = size // 2 if noverlap is None else size_arg(where, noverlap, "noverlap must be an integer")
    if not 0 <= overlap < size:
        raise ArgumentError(f"{where}: noverlap must be from 0 to nperseg - 1 = {size - 1}, got {overlap}")
    points = size if nfft is None else size_arg(where, nfft, "nfft must be an integer")
    if points < size:
        raise ArgumentError(f"{where}: nfft must be nperseg={size} or more, got {points}")
    return size, size - overlap, points


def segments(x: Array, size: int, step: int) -> Array:
    """[..., samples] as [..., segments, size], where segments begin `step` samples apart. Where steps fill a segment it is put
    together from slices of blocks.
    """
    count = (x.shape[-1] - size) // step + 1
    if size % step:
        return x[..., np.arange(count)[:, None] * step + np.arange(size)]
    parts = size // step
    blocks = x[..., : (count + parts - 1) * step].reshape(*x.shape[:-1], -1, step)
    return jnp.concatenate([blocks[..., n : n + count, :] for n in range(parts)], axis=-1)


def overlapped(x: Array, step: int) -> Array:
    """The inverse of `segments`, but that samples of several segments are added."""
    count, size = x.shape[-2:]
    parts = -(-size // step)
    front = [(0, 0)] * (x.ndim - 2)
    whole = jnp.pad(x, [*front, (0, 0), (0, parts * step - size)]).reshape(*x.shape[:-2], count, parts, step)
    moved = [jnp.pad(whole[..., n, :], [*front, (n, parts - 1 - n), (0, 0)]) for n in range(parts)]
    total = reduce(lambda a, b: a + b, moved)
    return total.reshape(*x.shape[:-2], -1)[..., : step * (count - 1) + size]


def _odd(x: Array, n: int) -> Array:
    """Turned round at the ends, in both directions."""
    left, right = 2 * x[..., :1] - x[..., n:0:-1], 2 * x[..., -1:] - x[..., -2 : -n - 2 : -1]
    return jnp.concatenate([left, x, right], axis=-1)


def _padded(mode: str) -> Callable[[Array, int], Array]:
    return lambda x, n: jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], mode=mode)


BOUNDARIES: dict[str | None, Callable[[Array, int], Array]] = {
    "even": _padded("reflect"),
    "odd": _odd,
    "constant": _padded("edge"),
    "zeros": _padded("constant"),
    None: lambda x, n: x,
}
"""What stands before and behind a signal, n samples of it."""
