"""What undoes max pooling, but for the elements that it left out, which are 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array

from .data_format import CHANNELS_LAST
from .windows import OfSpace, each, of_ranks


class _MaxUnpool(OfSpace):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        data_format: str = CHANNELS_LAST,
    ) -> None:
        self.set_format(data_format)
        where, rank = self.where, self.rank
        self.kernel_size = each(where, "kernel_size", kernel_size, rank)
        self.stride = self.kernel_size if stride is None else each(where, "stride", stride, rank)
        self.padding = each(where, "padding", padding, rank, 0)

    def __call__(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Array:
        value, places = jnp.asarray(x), jnp.asarray(indices)
        if places.shape != value.shape or places.dtype.kind not in "iu":
            self.refuse_input(f"and the indices, integers, of one shape; indices are {places.dtype} of {list(places.shape)}", value)
        size = None if output_size is None else each(self.where, "output_size", output_size, self.rank)

        def of_batch(x: Array) -> Array:
            at = places[None] if places.ndim < x.ndim else places
            space = size or tuple(
                (n - 1) * s - 2 * p + k
                for n, s, p, k in zip(self.space(x), self.stride, self.padding, self.kernel_size, strict=True)
            )
            last = self.data_format == CHANNELS_LAST
            if last:
                x, at = jnp.moveaxis(x, -1, 1), jnp.moveaxis(at, -1, 1)
            batch, channels = x.shape[:2]
            rows, columns = jnp.arange(batch)[:, None, None], jnp.arange(channels)[:, None]
            flat = jnp.zeros((batch, channels, math.prod(space)), x.dtype)
            flat = flat.at[rows, columns, at.reshape(batch, channels, -1)].set(x.reshape(batch, channels, -1))
            out = flat.reshape(batch, channels, *space)
            return jnp.moveaxis(out, 1, -1) if last else out

        return self.run(value, None, of_batch)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, data_format={self.data_format!r}"
        )  # fmt: skip


MaxUnpool1d, MaxUnpool2d, MaxUnpool3d = of_ranks(
    _MaxUnpool,
    "MaxUnpool",
    __name__,
    """The largest elements of windows of {what} where they were, and 0 elsewhere: layer(*pool(x)) for a pool that is
    `nn.MaxPool{rank}d` of the same arguments with return_indices=True.

    output_size: that of space, by default the least that such a pool's result may come from. Where an element was in several
    windows it is there once. Indices outside are left out. Raises ShapeError where x and indices are of two shapes.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> x = jnp.ones((4,) + (6,) * {rank} + (3,))
    >>> {name}(2)(*nn.MaxPool{rank}d(2, return_indices=True)(x)).shape == x.shape
    True
    """,
)
