"""What models are built with: keys for their layers, convolutions with batch norm, channels flattened and joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import nn, random
from jitgrad.array import Array
from jitgrad.nn.data_format import CHANNELS_LAST, channel_axis, check_format


class Options(NamedTuple):
    """What a model hands on to its layers: a key for each, where their channels are, and their parameters' type."""

    keys: Iterator[Any]
    data_format: str
    dtype: Any

    def conv(self, inputs: int, outputs: int, kernel_size: Any, **of: Any) -> nn.Module:
        layer: nn.Module = nn.Conv2d(
            inputs, outputs, kernel_size, **of, data_format=self.data_format, key=next(self.keys), dtype=self.dtype
        )
        return layer

    def norm(self, channels: int, **of: Any) -> nn.Module:
        layer: nn.Module = nn.BatchNorm2d(channels, **of, data_format=self.data_format, dtype=self.dtype)
        return layer

    def linear(self, inputs: int, outputs: int, **of: Any) -> nn.Module:
        return nn.Linear(inputs, outputs, **of, key=next(self.keys), dtype=self.dtype)

    def max_pool(self, kernel_size: int, stride: int, **of: Any) -> nn.Module:
        layer: nn.Module = nn.MaxPool2d(kernel_size, stride, **of, data_format=self.data_format)
        return layer


def options(where: str, key: Any, data_format: str, dtype: Any) -> Options:
    """The options of a model. Without a key, layers take theirs from the generator of `random.seed`."""
    keys = itertools.repeat(None) if key is None else (random.fold_in(key, n) for n in itertools.count())
    return Options(keys, check_format(where, data_format), dtype)


def flat(x: Array, data_format: str) -> Array:
    """[batch, features] of images, channel by channel in either format, as torchvision's models have them."""
    first = jnp.moveaxis(x, -1, 1) if data_format == CHANNELS_LAST else x
    return jnp.reshape(first, (first.shape[0], -1))


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm (epsilon 0.001) and relu: what Inception's networks consist of."""

    def __init__(self, inputs: int, outputs: int, kernel_size: Any, of: Options, **more: Any) -> None:
        self.conv = of.conv(inputs, outputs, kernel_size, bias=False, **more)
        self.bn = of.norm(outputs, eps=0.001)

    def __call__(self, x: Any) -> Array:
        return nn.relu(self.bn(self.conv(x)))


def joined(parts: list[Array], data_format: str) -> Array:
    """Branches joined along their channels."""
    return jnp.concatenate(parts, axis=channel_axis(data_format, parts[0].ndim))
