"""Layers that move elements: between channels and space, among channels, windows into features and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.linear_functions import linear_transpose
from jitgrad.operands import axis_number, size_arg
from jitgrad.ranges import Size
from jitgrad.tracing import ShapeDtypeStruct

from .data_format import CHANNELS_LAST, channel_axis, check_format
from .module import Module
from .windows import Counts, OfSpace, each


class _Shuffle(OfSpace):
    """Layers whose work is written for channels that are last."""

    rank = 2

    def moved(self, x: Array) -> Array:
        raise NotImplementedError

    def __call__(self, x: Any) -> Array:
        if self.data_format == CHANNELS_LAST:
            return self.run(x, None, self.moved)
        return self.run(x, None, lambda value: jnp.moveaxis(self.moved(jnp.moveaxis(value, 1, -1)), -1, 1))


def _factor(where: str, name: str, given: Any) -> int:
    factor = size_arg(where, given, f"{name} must be an integer")
    if factor < 1:
        raise ArgumentError(f"{where}: {name} must be 1 or more, got {factor}")
    return factor


class PixelShuffle(_Shuffle):
    """Channels become places: [batch, height, width, channels * r * r] to [batch, height * r, width * r, channels], r being
    upscale_factor (Shi et al., Real-time single image and video super-resolution, 2016).

    A channel's r * r values, row by row, lie one after another, as in PyTorch. data_format: as `nn.Conv2d`'s. Raises ShapeError
    where r * r does not divide the channels.

    >>> import jitgrad.numpy as jnp
    >>> print(PixelShuffle(2)(jnp.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0])
    [[0. 1.]
     [2. 3.]]
    """

    def __init__(self, upscale_factor: Size, *, data_format: str = CHANNELS_LAST) -> None:
        self.set_format(data_format)
        self.upscale_factor = _factor(self.where, "upscale_factor", upscale_factor)

    def moved(self, x: Array) -> Array:
        (batch, height, width, channels), r = x.shape, self.upscale_factor
        if channels % (r * r):
            self.refuse_input(f"of a number of channels that {r * r} divides (upscale_factor={r}, {self.data_format})", x)
        parts = jnp.transpose(x.reshape(batch, height, width, -1, r, r), (0, 1, 4, 2, 5, 3))
        return parts.reshape(batch, height * r, width * r, -1)


class PixelUnshuffle(_Shuffle):
    """Places become channels: [batch, height * r, width * r, channels] to [batch, height, width, channels * r * r], r being
    downscale_factor: what `nn.PixelShuffle` undoes. Raises ShapeError where r does not divide height and width.

    >>> import jitgrad.numpy as jnp
    >>> print(PixelUnshuffle(2)(jnp.arange(4.0).reshape(1, 2, 2, 1)))
    [[[[0. 1. 2. 3.]]]]
    """

    def __init__(self, downscale_factor: Size, *, data_format: str = CHANNELS_LAST) -> None:
        self.set_format(data_format)
        self.downscale_factor = _factor(self.where, "downscale_factor", downscale_factor)

    def moved(self, x: Array) -> Array:
        (batch, height, width, channels), r = x.shape, self.downscale_factor
        if height % r or width % r:
            self.refuse_input(f"of a height and a width that {r} divides (downscale_factor={r}, {self.data_format})", x)
        parts = jnp.transpose(x.reshape(batch, height // r, r, width // r, r, channels), (0, 1, 3, 5, 2, 4))
        return parts.reshape(batch, height // r, width // r, channels * r * r)


class ChannelShuffle(Module):
    """Channels in another order: those of `groups` groups in turn, the first of each, then the second (Zhang et al., ShuffleNet,
    2018). [batch, ..., channels], or [batch, channels, ...] with data_format="channels_first". Raises ShapeError where the groups
    do not divide the channels.

    >>> import jitgrad.numpy as jnp
    >>> print(ChannelShuffle(2)(jnp.array([[0.0, 1.0, 2.0, 3.0]])))
    [[0. 2. 1. 3.]]
    """

    def __init__(self, groups: Size, *, data_format: str = CHANNELS_LAST) -> None:
        self.groups = _factor("nn.ChannelShuffle", "groups", groups)
        self.data_format = check_format("nn.ChannelShuffle", data_format)

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        axis = channel_axis(self.data_format, value.ndim)
        if value.ndim < 2 or value.shape[axis] % self.groups:
            self.refuse_input(f"of a number of channels that {self.groups} divides (groups, {self.data_format})", value)
        shape = value.shape
        parts = value.reshape(*shape[:axis], self.groups, shape[axis] // self.groups, *shape[axis + 1 :])
        return jnp.swapaxes(parts, axis, axis + 1).reshape(shape)


class _Windows(OfSpace):
    """What Unfold and Fold have in common: windows of images, as their features."""

    rank = 2

    def set_windows(self, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> None:
        where = self.where
        self.kernel_size, self.dilation = each(where, "kernel_size", kernel_size, 2), each(where, "dilation", dilation, 2)
        self.padding, self.stride = each(where, "padding", padding, 2, 0), each(where, "stride", stride, 2)

    def check_size(self, space: Counts, x: Any) -> None:
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        if any(n + 2 * p < r for n, p, r in zip(space, self.padding, reach, strict=True)):
            self.refuse_input(f"of images at least as large as one window, {reach}, paddings included", x)

    def unfolded(self, x: Array) -> Array:
        last = self.data_format == CHANNELS_LAST
        images = "NHWC" if last else "NCHW"
        patches = lax.conv_general_dilated_patches(
            x, self.kernel_size, self.stride, [(p, p) for p in self.padding], None, self.dilation, (images, "HWIO", images)
        )
        places = math.prod(self.space(patches))
        return patches.reshape(len(x), places, -1) if last else patches.reshape(len(x), -1, places)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}, "
            f"data_format={self.data_format!r}"
        )


class Unfold(_Windows):
    """The windows of images, each as one vector: [batch, height, width, channels] to [batch, places, channels * window], the
    elements of a channel side by side, as in PyTorch. data_format="channels_first": [batch, channels, height, width] to
    [batch, channels * window, places].

    kernel_size, dilation, padding and stride: integers, or two. Raises ShapeError for inputs of another shape, or too small.

    >>> import jitgrad.numpy as jnp
    >>> Unfold(3, padding=1)(jnp.ones((2, 5, 6, 4))).shape
    (2, 30, 36)
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1, *, data_format: str = CHANNELS_LAST
    ) -> None:
        self.set_format(data_format)
        self.set_windows(kernel_size, dilation, padding, stride)

    def __call__(self, x: Any) -> Array:
        return self.run(x, None, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        self.check_size(self.space(x), x)
        return self.unfolded(x)


class Fold(_Windows):
    """Images of output_size (height, width) whose elements are the sums of those that windows have for them: the transpose of
    `nn.Unfold`, of which the other arguments are. [batch, places, channels * window] to [batch, height, width, channels], or with
    data_format="channels_first" [batch, channels * window, places] to [batch, channels, height, width].

    Raises ShapeError for inputs of another shape.

    >>> import jitgrad.numpy as jnp
    >>> print(Fold((1, 3), (1, 2))(jnp.array([[[1.0, 2.0], [3.0, 4.0]]]))[0, 0, :, 0])
    [1. 5. 4.]
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
        *,
        data_format: str = CHANNELS_LAST,
    ) -> None:
        self.set_format(data_format)
        self.output_size = each(self.where, "output_size", output_size, 2)
        self.set_windows(kernel_size, dilation, padding, stride)

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        alone = value.ndim == 2
        batch = value[None] if alone else value
        self.check_size(self.output_size, value)
        last = self.data_format == CHANNELS_LAST
        window, places = math.prod(self.kernel_size), 1
        for n, k, d, p, s in zip(self.output_size, self.kernel_size, self.dilation, self.padding, self.stride, strict=True):
            places *= (n + 2 * p - d * (k - 1) - 1) // s + 1
        features = batch.shape[-1 if last else 1] if batch.ndim == 3 else 1
        if batch.ndim != 3 or features % window or batch.shape[1 if last else 2] != places:
            shape = f"{places}, channels * {window}" if last else f"channels * {window}, {places}"
            self.refuse_input(f"[batch, {shape}] ({self.data_format}), or the same without the batch", value)
        images = ShapeDtypeStruct((len(batch), *self.whole(self.output_size, features // window)[1:]), batch.dtype)
        (out,) = linear_transpose(self.unfolded, images)(batch)
        return out[0] if alone else out

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"


class Unflatten(Module):
    """One axis as several, of the sizes `shape`, of which one may be -1: what is left.

    >>> import jitgrad.numpy as jnp
    >>> Unflatten(1, (3, -1))(jnp.ones((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, axis: int, shape: Sequence[int]) -> None:
        where = "nn.Unflatten"
        self.axis = size_arg(where, axis, "axis must be an integer")
        self.shape = tuple(size_arg(where, n, "shape must be integers") for n in shape)
        if min(self.shape, default=0) < -1 or self.shape.count(-1) > 1:
            raise ArgumentError(f"{where}: shape must be sizes of 0 or more, one of which may be -1, got {shape}")

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        axis = axis_number("nn.Unflatten", self.axis, value.ndim)
        known, size = math.prod(n for n in self.shape if n != -1), value.shape[axis]
        if size != known and not (-1 in self.shape and known and size % known == 0):
            self.refuse_input(f"of a size along axis {self.axis} that becomes {self.shape}", value)
        return value.reshape(*value.shape[:axis], *self.shape, *value.shape[axis + 1 :])
