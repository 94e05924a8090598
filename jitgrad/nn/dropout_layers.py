"""Dropout: in training some numbers, or whole channels, become 0, and the others are scaled so that means stay."""

from __future__ import annotations

from types import new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.operands import inexact_arg
from jitgrad.ranges import Part

from .data_format import channel_axis, check_format
from .module import Module


class Dropout(Module):
    """In training each element is 0 with probability p, else divided by 1 - p; in inference x as it is (Srivastava et al., 2014).

    `nn.apply` needs a key for it. Raises ArgumentError for a p outside of [0, 1].

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> y, _ = nn.apply(Dropout(0.5), jnp.ones(6), train=True, key=jitgrad.random.key(1))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """

    def __init__(self, p: Part = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"nn.{type(self).__name__}: p is a probability, from 0 to 1, got {p}.")
        self.p = p

    def __call__(self, x: Any) -> Array:
        value = inexact_arg(f"nn.{type(self).__name__}", x)
        shape = self.drawn(value)
        if not self.training or self.p == 0:
            return value
        if self.p == 1:
            return jnp.zeros_like(value)
        keep = random.bernoulli(self.next_key(), jnp.float32(1 - self.p), shape)
        return jnp.where(keep, value / (1 - self.p), 0.0)

    def drawn(self, x: Array) -> tuple[int, ...]:
        """The shape of what is drawn, which broadcasts to the input's."""
        return x.shape


class AlphaDropout(Dropout):
    """Dropout for networks of selu: elements become selu's lowest value instead of 0; then all are scaled and shifted, so that
    mean 0 and variance 1 stay (Klambauer et al., Self-normalizing neural networks, 2017). As `nn.Dropout` otherwise.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> y, _ = nn.apply(AlphaDropout(0.5), jnp.ones(6), train=True, key=jitgrad.random.key(1))
    >>> len(set(y.tolist()))
    2
    """

    lowest = -1.7580993408473766
    """selu's value of minus infinity."""

    def __call__(self, x: Any) -> Array:
        value = inexact_arg("nn.AlphaDropout", x)
        if not self.training or self.p == 0:
            return value
        if self.p == 1:
            return jnp.zeros_like(value)
        keep = random.bernoulli(self.next_key(), jnp.float32(1 - self.p), value.shape)
        scale = ((1 - self.p) * (1 + self.p * self.lowest**2)) ** -0.5
        return scale * (jnp.where(keep, value, self.lowest) - self.p * self.lowest)


class _ChannelDropout(Dropout):
    rank: ClassVar[int]

    def __init__(self, p: Part = 0.5, *, data_format: str = "channels_last") -> None:
        super().__init__(p)
        self.data_format = check_format(f"nn.{type(self).__name__}", data_format)

    def drawn(self, x: Array) -> tuple[int, ...]:
        if x.ndim != self.rank:
            self.refuse_input(f"with {self.rank} axes, the batch's and the channels' included ({self.data_format})", x)
        axis = channel_axis(self.data_format, x.ndim)
        return tuple(n if a in (0, axis) else 1 for a, n in enumerate(x.shape))


def _of_channels(name: str, rank: int, what: str, shape: str) -> Any:
    doc = (
        f"`nn.Dropout` of whole channels of {what}: inputs are [batch, {shape}, channels], or, with "
        f'data_format="channels_first", [batch, channels, {shape}].'
    )
    return new_class(name, (_ChannelDropout,), exec_body=lambda body: body.update(rank=rank, __doc__=doc, __module__=__name__))


Dropout1d = _of_channels("Dropout1d", 3, "sequences", "time")
Dropout2d = _of_channels("Dropout2d", 4, "images", "height, width")
Dropout3d = _of_channels("Dropout3d", 5, "volumes", "depth, height, width")
