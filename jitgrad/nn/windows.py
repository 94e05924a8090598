"""What layers of windows, convolutions and pools, have in common: a number or one for each axis of space, paddings, examples alone.

Space has one axis (sequences), two (images) or three (volumes); the layers' names end in 1d, 2d and 3d.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.lax.window_geometry import Pads, padtype_to_pads, span
from jitgrad.operands import size_arg

from .data_format import CHANNELS_LAST, check_format
from .module import Module

Counts = tuple[int, ...]

WHAT = {1: "sequences", 2: "images", 3: "volumes"}


def each(where: str, name: str, given: Any, rank: int, least: int = 1) -> Counts:
    """One number for each axis of space, of one for all or of a sequence."""
    numbers = tuple(given) if isinstance(given, (tuple, list)) else (given,) * rank
    if len(numbers) != rank:
        raise ArgumentError(f"{where}: {name} must be an integer or {rank} of them, one for each axis of space, got {given!r}")
    out = tuple(size_arg(where, n, f"{name} must be an integer or {rank} of them") for n in numbers)
    if min(out) < least:
        raise ArgumentError(f"{where}: {name} must be {least} or more, got {given!r}")
    return out


def padding_arg(where: str, given: Any, rank: int) -> str | Pads:
    """A name, or a pair for each axis of space: of one number, of one for each axis, or of pairs."""
    if isinstance(given, str):
        if given.upper() not in ("SAME", "VALID"):
            raise ArgumentError(f"{where}: padding must be 'same', 'valid', or numbers of elements, got {given!r}")
        return given.upper()
    if isinstance(given, (tuple, list)) and given and all(isinstance(p, (tuple, list)) for p in given):
        lows, highs = (each(where, "padding", [p[i] for p in given], rank, 0) for i in (0, -1))
        return tuple(zip(lows, highs, strict=True))
    return tuple((n, n) for n in each(where, "padding", given, rank, 0))


def pads_of(padding: str | Pads, space: Counts, sizes: Counts, strides: Counts, dilation: Counts) -> Pads:
    """The pairs that a layer's padding is for an input."""
    if not isinstance(padding, str):
        return padding
    return tuple(padtype_to_pads(space, [span(n, d) for n, d in zip(sizes, dilation, strict=True)], strides, padding))


def least_sizes(sizes: Counts, dilation: Counts, pads: Iterable[tuple[int, int]], steps: Counts | None = None) -> Counts:
    """How many elements it takes, so many steps apart, for a window to fit between the pads."""
    each_axis = zip(sizes, dilation, pads, steps or (1,) * len(sizes), strict=True)
    return tuple(-(-(span(n, d) - low - high - 1) // step) + 1 for n, d, (low, high), step in each_axis)


class OfSpace(Module):
    """A layer whose input is [batch, *space, channels], or [batch, channels, *space] with data_format="channels_first"; or of one
    example alone, without the batch axis."""

    rank: ClassVar[int]
    """How many axes of space there are."""
    data_format: str

    @property
    def where(self) -> str:
        return f"nn.{type(self).__name__}"

    def set_format(self, data_format: Any) -> None:
        self.data_format = check_format(self.where, data_format)

    def run(self, x: Any, channels: int | None, f: Callable[[Array], Array]) -> Array:
        """f of an input of a batch, once the shape of x has been looked at. channels: how many there must be."""
        value = jnp.asarray(x)
        last = self.data_format == CHANNELS_LAST
        alone = value.ndim == self.rank + 1
        if not (alone or value.ndim == self.rank + 2) or channels not in (None, value.shape[-1 if last else -self.rank - 1]):
            count = "channels" if channels is None else str(channels)
            space = ("length", "height, width", "depth, height, width")[self.rank - 1]
            shape = f"[batch, {space}, {count}]" if last else f"[batch, {count}, {space}]"
            self.refuse_input(f"{shape} ({self.data_format}), or the same without the batch", value)
        sizes = value.shape[-self.rank - 1 : -1] if last else value.shape[-self.rank :]
        least = self.least_space(sizes)
        if any(n < m for n, m in zip(sizes, least, strict=True)):
            needed = " x ".join(str(max(m, 0)) for m in least)
            self.refuse_input(
                f"{WHAT[self.rank]} of {needed} elements or more ({self.data_format}), which have room for a window", value
            )
        return f(value[None])[0] if alone else f(value)

    def least_space(self, space: Counts) -> Counts:
        """The sizes that axes of space must have, these or more, for one window to fit."""
        return (0,) * self.rank

    def whole(self, of_space: Any, other: Any) -> Any:
        """A tuple for every axis of an input, of one for those of space and one value for the others."""
        if self.data_format == CHANNELS_LAST:
            return (other, *of_space, other)
        return (other, other, *of_space)

    def space(self, x: Array) -> Counts:
        """The sizes of an input's axes of space."""
        return x.shape[1:-1] if self.data_format == CHANNELS_LAST else x.shape[2:]


def of_ranks(base: type[OfSpace], name: str, module: str, doc: str) -> list[Any]:
    """The layers of a base for one, two and three axes of space. The doc may name {rank}, {what} and {name}."""

    def made(rank: int, what: str) -> Any:
        label = f"{name}{rank}d"
        body = {"rank": rank, "__doc__": doc.format(rank=rank, what=what, name=label), "__module__": module}
        return new_class(label, (base,), exec_body=lambda namespace: namespace.update(body))

    return [made(rank, what) for rank, what in WHAT.items()]
