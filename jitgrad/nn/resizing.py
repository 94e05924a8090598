"""Sequences, images and volumes of another size, as PyTorch's interpolate: a function, and a layer that calls it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import image
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, inexact_arg

from .data_format import CHANNELS_LAST, check_format
from .module import Module
from .windows import each

_MODES = {"nearest": None, "nearest-exact": None, "linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
"""How many axes of space each way needs; None: one to three."""


def interpolate(
    x: Any,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    *,
    data_format: str = CHANNELS_LAST,
) -> Array:
    """Sequences, images or volumes [batch, *space, channels] with space of another size: `size`, or its own times scale_factor,
    rounded down. Either is one number, or one for each axis.

    mode: "nearest" (the element of the place n / scale_factor, rounded down), "nearest-exact" (whose middle is nearest), "linear",
    "bilinear" and "trilinear" (on the line between two, along one, two and three axes), "bicubic" (of four, Keys' a = -0.75).
    align_corners: elements are points, of which the first and the last stay where they are, instead of squares side by side; not
    for nearest. Nothing is averaged where space gets smaller: `image.resize` does that. data_format="channels_first":
    [batch, channels, *space]. Raises ShapeError and ArgumentError for what does not fit.

    >>> import jitgrad.numpy as jnp
    >>> print(interpolate(jnp.array([[[1.0], [3.0]]]), scale_factor=2, mode="linear")[0, :, 0])
    [1.  1.5 2.5 3. ]
    """
    where = "nn.interpolate"
    check_format(where, data_format)
    value = array_arg(where, x) if mode.startswith("nearest") else inexact_arg(where, x)
    rank = value.ndim - 2
    if mode not in _MODES:
        raise ArgumentError(f"{where}: mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    if rank not in (1, 2, 3) or _MODES[mode] not in (None, rank):
        axes = "one, two or three axes" if _MODES[mode] is None else f"{_MODES[mode]} axes"
        raise ShapeError(
            f"{where}: x must have {axes} of space for mode {mode!r}, besides batch and channels, got shape {value.shape}"
        )
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"{where}: give either size or scale_factor, got {size} and {scale_factor}")
    if align_corners and _MODES[mode] is None:
        raise ArgumentError(f"{where}: align_corners is for linear and cubic modes, not for {mode!r}")
    first = 1 if data_format == CHANNELS_LAST else 2
    space = value.shape[first : first + rank]
    if 0 in space:
        raise ShapeError(f"{where}: x must have at least one element along each axis of space, got shape {value.shape}")
    sizes, scales = _sizes(where, space, size, scale_factor)
    for axis, (n, out, scale) in enumerate(zip(space, sizes, scales, strict=True), first):
        if mode.startswith("nearest"):
            if mode == "nearest" and rank == 2 and out in (n, 2 * n):
                scale = out / n  # as in PyTorch, images of as many places, or of twice as many, are copies
            middle = 0.5 if mode == "nearest-exact" else 0.0
            places = np.floor((np.arange(out) + middle) / scale)
            value = jnp.take(value, np.clip(places, 0, n - 1).astype(int), axis=axis)
        elif out != n or mode == "bicubic":
            value = _resampled(value, axis, out, scale, "cubic-pytorch" if mode == "bicubic" else "linear", bool(align_corners))
    return value


def _sizes(where: str, space: Sequence[int], size: Any, scale_factor: Any) -> tuple[list[int], list[float]]:
    """The sizes that axes get, and the distances of neighbours in them, in distances of what they were."""
    rank = len(space)
    if size is not None:
        sizes = each(where, "size", size, rank)
        return list(sizes), [out / n for n, out in zip(space, sizes, strict=True)]
    scales = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * rank
    if len(scales) != rank or not all(isinstance(s, (int, float)) and s > 0 for s in scales):
        raise ArgumentError(f"{where}: scale_factor must be a positive number or {rank} of them, got {scale_factor!r}")
    found = [math.floor(n * s) for n, s in zip(space, scales, strict=True)]
    if 0 in found:
        raise ArgumentError(f"{where}: nothing is left of {tuple(space)} elements by scale_factor {scale_factor}")
    return found, [float(s) for s in scales]


def _resampled(x: Array, axis: int, out: int, scale: float, method: str, align_corners: bool) -> Array:
    """One axis of another size."""
    n = x.shape[axis]
    shape = (*x.shape[:axis], out, *x.shape[axis + 1 :])
    shift = 0.0
    if n == 1:
        return jnp.broadcast_to(x, shape)
    if align_corners:
        if out == 1:
            return jnp.take(x, np.zeros(1, int), axis=axis)
        scale = (out - 1) / (n - 1)
        shift = (1 - scale) / 2
    scales, shifts = np.array([scale]), np.array([shift])
    return image.scale_and_translate(x, shape, (axis,), scales, shifts, method, antialias=False)


class Upsample(Module):
    """`nn.interpolate` as a layer, of the same arguments.

    >>> import jitgrad.numpy as jnp
    >>> Upsample(scale_factor=2, mode="bilinear")(jnp.ones((4, 5, 6, 3))).shape
    (4, 10, 12, 3)
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        *,
        data_format: str = CHANNELS_LAST,
    ) -> None:
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners
        self.data_format = check_format("nn.Upsample", data_format)

    def __call__(self, x: Any) -> Array:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, data_format=self.data_format)
