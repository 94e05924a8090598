"""fft by jax.lax's name: over the last axes, whose sizes are said again."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

from jitgrad import fourier
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, size_arg


class FftType(enum.Enum):
    """What `fft` does: a transform, its inverse, of real numbers, and to such."""

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def fft(x: ArrayLike, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Array:
    """The Fourier transform over as many last axes as fft_lengths has numbers; inverses are divided by their product.

    fft_type: a FftType or its name. fft_lengths: the axes' sizes, for IRFFT those of the result. Raises ShapeError where they are
    not, DTypeError for RFFT of complex numbers, ArgumentError for other types. jitgrad.numpy.fft pads and cuts.

    >>> import jitgrad.numpy as jnp
    >>> print(fft(jnp.array([1.0, 0.0]), "RFFT", (2,)))
    [1.+0.j 1.+0.j]
    """
    where = "lax.fft"
    kind = _kind(fft_type)
    lengths = [size_arg(where, n, "fft_lengths must be integers") for n in _sequence(fft_lengths)]
    value = fourier.real(where, x) if kind is FftType.RFFT else fourier.as_complex(fourier.float_or_complex(where, x))
    first = value.ndim - len(lengths)
    axes = range(first, value.ndim)
    wanted = [*lengths[:-1], lengths[-1] // 2 + 1] if kind is FftType.IRFFT and lengths else lengths
    if first < 0 or list(value.shape[first:]) != wanted:
        raise ShapeError(
            f"{where}: {kind.name} with fft_lengths {tuple(lengths)} needs last axes of {tuple(wanted)}, got shape {value.shape}"
        )
    if 0 in lengths or not lengths and kind in (FftType.RFFT, FftType.IRFFT):
        raise ArgumentError(f"{where}: fft_lengths must be positive, at least one of them for {kind.name}, got {tuple(lengths)}")
    if kind is FftType.RFFT:
        return fourier.of_real(value, axes)
    scale = 1.0 if kind is FftType.FFT else 1 / math.prod(lengths)
    if kind is FftType.IRFFT:
        return fourier.to_real(value, axes, lengths[-1], scale)
    return fourier.of_complex(value, axes, kind is FftType.IFFT, scale)


def _kind(fft_type: Any) -> FftType:
    if isinstance(fft_type, FftType):
        return fft_type
    if isinstance(fft_type, str) and fft_type.upper() in FftType.__members__:
        return FftType[fft_type.upper()]
    raise ArgumentError(f"lax.fft: fft_type must be one of {', '.join(FftType.__members__)}, got {fft_type!r}")


def _sequence(fft_lengths: Any) -> list[Any]:
    if isinstance(fft_lengths, (tuple, list)):
        return list(fft_lengths)
    raise ArgumentError(f"lax.fft: fft_lengths must be a sequence of sizes, got {fft_lengths!r}")
