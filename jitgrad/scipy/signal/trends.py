"""What is left of a signal without its trend."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import axis_number, inexact_arg, is_several, size_arg

ArrayLike = Any


def detrend(
    data: ArrayLike, axis: int = -1, type: str = "linear", bp: int | Sequence[int] = 0, overwrite_data: None = None
) -> Array:
    """data less its mean along an axis (type "constant"), or less the straight line of least squares ("linear").

    bp: where new lines begin, places along the axis. overwrite_data must be None. Floats. Raises ArgumentError
    for other types and places beyond the axis, ShapeError for an axis without elements.

    >>> import jitgrad.numpy as jnp
    >>> print(detrend(jnp.array([1.0, 4.0, 8.0, 8.0, 9.0])).round(3) + 0.0)
    [-1.  0.  2.  0. -1.]
    """
    where = "scipy.signal.detrend"
    if overwrite_data not in (None, False):
        raise ArgumentError(f"{where}: overwrite_data is not supported, because arrays are immutable; use the returned array")
    if type not in ("linear", "constant"):
        raise ArgumentError(f"{where}: type must be 'linear' or 'constant', got {type!r}")
    x = inexact_arg(where, data)
    at = axis_number(where, axis, x.ndim)
    size = x.shape[at]
    if not size:
        raise ShapeError(f"{where}: there is nothing along axis {axis} of shape {x.shape}")
    given = list(bp) if is_several(bp) or isinstance(bp, np.ndarray) and bp.ndim else [bp]
    breaks = sorted({0, size, *[size_arg(where, place, "bp must be an integer, or several") for place in given]})
    if breaks[0] < 0 or breaks[-1] > size:
        raise ArgumentError(f"{where}: bp must be places from 0 to {size}, the size of axis {axis}, got {bp}")
    if type == "constant":
        return x - jnp.mean(x, axis=at, keepdims=True)
    last = jnp.moveaxis(x, at, -1)
    parts = [_without_line(last[..., first:end]) for first, end in pairwise(breaks)]
    return jnp.moveaxis(jnp.concatenate(parts, axis=-1), -1, at)


def _without_line(x: Array) -> Array:
    n = x.shape[-1]
    around_0 = x - jnp.mean(x, axis=-1, keepdims=True)
    if n == 1:
        return around_0
    t = np.linspace(-1, 1, n)
    times = jnp.asarray(t, jnp.real(x).dtype)
    slope = jnp.sum(around_0 * times, axis=-1, keepdims=True) / float((t * t).sum())
    return around_0 - slope * times
