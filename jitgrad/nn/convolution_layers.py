"""Convolutions as layers, and transposed ones, for sequences, images and volumes. lax/convolution.py does them.

Weights are [*window, channels in a group, out_channels], so that channels-last inputs are convolved as they lie; PyTorch's are
[out_channels, channels in a group, *window].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.numpy.manipulation import promoted
from jitgrad.operands import size_arg
from jitgrad.ranges import Count, Size

from .data_format import CHANNELS_LAST, along, channel_axis
from .initializers import Initializer, made
from .linear import fan_in_uniform, keys_for
from .sizes import Sized
from .torch_weights import Layout, plain, turned
from .unbuilt import is_unbuilt
from .windows import Counts, OfSpace, each, least_sizes, of_ranks, padding_arg, pads_of

_SPACE = "HWD"
_PADDING_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class _Convolution(OfSpace, Sized):
    """What convolutions and transposed ones have in common."""

    weight: Array
    bias: Array | None

    def set_sizes(self, outputs: int, kernel_size: Any, stride: Any, dilation: Any, groups: Size) -> None:
        where, rank = self.where, self.rank
        self.out_channels = size_arg(where, outputs, "out_channels must be an integer", 0)
        self.kernel_size = each(where, "kernel_size", kernel_size, rank)
        self.stride, self.dilation = each(where, "stride", stride, rank), each(where, "dilation", dilation, rank)
        self.groups = size_arg(where, groups, "groups must be an integer")
        self.check_groups(outputs, "out_channels")

    def check_groups(self, channels: int, name: str) -> None:
        if self.groups < 1 or channels % self.groups:
            raise ArgumentError(
                f"{self.where}: groups must divide in_channels and out_channels, got {self.groups} groups and {name}={channels}"
            )

    def features(self) -> tuple[int, int]:
        """Of the weight the channels that each result reads, and how many results there are."""
        raise NotImplementedError

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype, weight_init, bias_init = options
        self.in_channels = size_arg(self.where, size, "in_channels must be an integer", 0)
        self.check_groups(self.in_channels, "in_channels")
        shape = (*self.kernel_size, *self.features())
        inputs = math.prod(shape[:-1])
        weight_key, bias_key = keys_for(self.where, key, 2)
        if weight_init is None:
            self.weight = fan_in_uniform(weight_key, shape, dtype, inputs)
        else:
            self.weight = made(f"{self.where}: weight_init", weight_init, weight_key, shape, dtype)
        if not bias:
            self.bias = None
        elif bias_init is None:
            self.bias = fan_in_uniform(bias_key, (self.out_channels,), dtype, inputs)
        else:
            self.bias = made(f"{self.where}: bias_init", bias_init, bias_key, (self.out_channels,), dtype)

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        if is_unbuilt(self):
            self.run(value, None, lambda batch: self.sized(batch, channel_axis(self.data_format, batch.ndim)))
        return self.run(value, self.in_channels, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        raise NotImplementedError

    def convolved(self, x: Array, weight: Array, strides: Any, padding: Any, x_dilation: Any) -> Array:
        """x by [*window, channels in a group, out_channels], plus the bias."""
        x, weight = promoted(self.where, [x, weight])
        space = _SPACE[: self.rank]
        images = f"N{space}C" if self.data_format == CHANNELS_LAST else f"NC{space}"
        out = lax.conv_general_dilated(
            x, weight, strides, padding, x_dilation, self.dilation, (images, f"{space}IO", images), self.groups
        )
        return out if self.bias is None else out + along(self.bias, channel_axis(self.data_format, out.ndim), out.ndim)

    def sizes_text(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += "" if self.groups == 1 else f", groups={self.groups}"
        text += "" if set(self.dilation) == {1} else f", dilation={self.dilation}"
        return text + ("" if self.bias is not None else ", bias=False")


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: Count | None,
        out_channels: Count,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = 0,
        dilation: int | Sequence[int] = 1,
        groups: Size = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        data_format: str = CHANNELS_LAST,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        self.set_format(data_format)
        self.set_sizes(out_channels, kernel_size, stride, dilation, groups)
        self.padding = padding_arg(self.where, padding, self.rank)
        if padding_mode != "zeros" and padding_mode not in _PADDING_MODES:
            raise ArgumentError(
                f"{self.where}: padding_mode must be 'zeros', {', '.join(map(repr, _PADDING_MODES))}, got {padding_mode!r}"
            )
        self.padding_mode = padding_mode
        self.start(in_channels, key, bias, dtype, weight_init, bias_init)

    def features(self) -> tuple[int, int]:
        return self.in_channels // self.groups, self.out_channels

    def least_space(self, space: Counts) -> Counts:
        pads = pads_of(self.padding, space, self.kernel_size, self.stride, self.dilation)
        return least_sizes(self.kernel_size, self.dilation, pads)

    def _of_batch(self, x: Array) -> Array:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            pads = pads_of(padding, self.space(x), self.kernel_size, self.stride, self.dilation)
            x = jnp.pad(x, self.whole(pads, (0, 0)), mode=_PADDING_MODES[self.padding_mode])
            padding = "VALID"
        return self.convolved(x, self.weight, self.stride, padding, None)

    def torch_layout(self) -> Layout:
        return {"weight": turned(self.weight), "bias": plain(self.bias)}

    def extra_repr(self) -> str:
        padding = "" if self.padding == ((0, 0),) * self.rank else f", padding={self.padding}"
        return f"{self.sizes_text()}{padding}, data_format={self.data_format!r}"


Conv1d, Conv2d, Conv3d = of_ranks(
    _Conv,
    "Conv",
    __name__,
    """A convolution of {what}: [batch, *space, in_channels] to [batch, *places, out_channels], or of one example without the batch.

    in_channels may be None: then the first input gives it (`nn.build`). kernel_size, stride, dilation: an integer, or {rank} of
    them. padding: "same" (as many places as elements, divided by the stride and rounded up), "valid" (none), a number of zeros on
    each side, {rank} of them, or {rank} pairs. padding_mode: what stands there instead of zeros: "reflect", "replicate" or
    "circular". groups: groups of channels that have each a part of the results.
    data_format="channels_first": [batch, in_channels, *space].

    weight is [*kernel_size, in_channels / groups, out_channels], bias [out_channels] or None. Both start uniform in +-1 / sqrt(n)
    for the n numbers that go into a result, as PyTorch's; weight_init and bias_init are other initializers (`nn.initializers`). key
    and dtype: as `nn.Linear`'s. Raises ArgumentError for arguments that do not go together, ShapeError for inputs of another shape.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = {name}(3, 8, 3, stride=2, padding="same", key=jitgrad.random.key(0))
    >>> layer(jnp.ones((4,) + (9,) * {rank} + (3,))).shape == (4,) + (5,) * {rank} + (8,)
    True
    """,
)


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels: Count | None,
        out_channels: Count,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[Any] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: Size = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        *,
        data_format: str = CHANNELS_LAST,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        self.set_format(data_format)
        self.set_sizes(out_channels, kernel_size, stride, dilation, groups)
        pads = padding_arg(self.where, padding, self.rank)
        if isinstance(pads, str):
            raise ArgumentError(f"{self.where}: padding must be numbers of elements, got {padding!r}")
        self.padding = pads
        self.output_padding = each(self.where, "output_padding", output_padding, self.rank, 0)
        if any(n >= max(s, d) for n, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)):
            raise ArgumentError(
                f"{self.where}: output_padding must be smaller than stride or dilation, got {output_padding} beside stride "
                f"{stride} and dilation {dilation}"
            )
        self.start(in_channels, key, bias, dtype, weight_init, bias_init)

    def features(self) -> tuple[int, int]:
        return self.out_channels // self.groups, self.in_channels

    def least_space(self, space: Counts) -> Counts:
        return least_sizes(self.kernel_size, self.dilation, self._pads(), self.stride)

    def _pads(self) -> list[tuple[int, int]]:
        """What is put around an input whose elements are strides apart."""
        reach = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        return [(r - low, r - high + more) for r, (low, high), more in zip(reach, self.padding, self.output_padding, strict=True)]

    def _of_batch(self, x: Array) -> Array:
        rank, groups = self.rank, self.groups
        turned = jnp.flip(self.weight, tuple(range(rank)))
        each_group = jnp.reshape(turned, (*self.kernel_size, self.out_channels // groups, groups, self.in_channels // groups))
        kernel = jnp.reshape(
            jnp.transpose(each_group, (*range(rank), rank + 2, rank + 1, rank)),
            (*self.kernel_size, self.in_channels // groups, self.out_channels),
        )
        return self.convolved(x, kernel, (1,) * rank, self._pads(), self.stride)

    def torch_layout(self) -> Layout:
        return {"weight": turned(self.weight), "bias": plain(self.bias)}

    def extra_repr(self) -> str:
        return f"{self.sizes_text()}, padding={self.padding}, data_format={self.data_format!r}"


ConvTranspose1d, ConvTranspose2d, ConvTranspose3d = of_ranks(
    _ConvTranspose,
    "ConvTranspose",
    __name__,
    """The transpose of a convolution of {what}: [batch, *places, in_channels] to [batch, *space, out_channels].

    It is the gradient by its input of `nn.Conv{rank}d` with this kernel_size, stride, padding, dilation and groups, and grows
    {what} by the stride. output_padding: how many more elements the result has, behind, where several sizes have these places.
    Other arguments are that layer's; padding is numbers. weight is its, too: [*kernel_size, out_channels / groups, in_channels].

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = {name}(8, 3, 3, stride=2, padding=1, output_padding=1, key=jitgrad.random.key(0))
    >>> layer(jnp.ones((4,) + (5,) * {rank} + (8,))).shape == (4,) + (10,) * {rank} + (3,)
    True
    """,
)
