"""Pools: the largest element or the mean of each window, of windows as many as the result is to have, or of all of space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import ArgumentError
from jitgrad.operands import inexact_arg, size_arg
from jitgrad.ranges import Size

from .data_format import CHANNELS_LAST, check_format, images
from .module import Module
from .windows import Counts, OfSpace, each, least_sizes, of_ranks, padding_arg, pads_of


def lowest(x: Array) -> Any:
    """What is below or equal to all numbers of a type."""
    if x.dtype == bool:
        return False
    return -math.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min


def highest(x: Array) -> Any:
    """What is above or equal to all numbers of a type."""
    if x.dtype == bool:
        return True
    return math.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).max


class _Pool(OfSpace):
    """What pools of windows have in common."""

    def set_windows(self, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> None:
        where, rank = self.where, self.rank
        self.kernel_size, self.dilation = each(where, "kernel_size", kernel_size, rank), each(where, "dilation", dilation, rank)
        self.stride = self.kernel_size if stride is None else each(where, "stride", stride, rank)
        self.padding = padding_arg(where, padding, rank)
        self.ceil_mode = ceil_mode
        if not isinstance(self.padding, str) and any(
            2 * max(p) > d * (k - 1) + 1 for p, k, d in zip(self.padding, self.kernel_size, self.dilation, strict=True)
        ):
            raise ArgumentError(f"{where}: padding must be at most half of kernel_size {self.kernel_size}, got {padding}")

    def pads(self, space: Counts) -> list[tuple[int, int]]:
        """Elements before and behind each axis; with ceil_mode so many behind that the last window fits which begins inside."""
        found = list(pads_of(self.padding, space, self.kernel_size, self.stride, self.dilation))
        if not self.ceil_mode or isinstance(self.padding, str):
            return found
        for axis, (n, k, s, d, (low, high)) in enumerate(
            zip(space, self.kernel_size, self.stride, self.dilation, found, strict=True)
        ):
            reach = d * (k - 1) + 1
            last = -(-(n + low + high - reach) // s)
            if last * s >= n + low:
                last -= 1
            found[axis] = (low, max(high, last * s + reach - n - low))
        return found

    def least_space(self, space: Counts) -> Counts:
        pads = pads_of(self.padding, space, self.kernel_size, self.stride, self.dilation)
        if self.ceil_mode and not isinstance(self.padding, str):
            pads = tuple((low, high + step - 1) for (low, high), step in zip(pads, self.stride, strict=True))
        return least_sizes(self.kernel_size, self.dilation, pads)

    def reduced(self, x: Array, init: Any, computation: Callable[[Any, Any], Any], pads: Sequence[tuple[int, int]]) -> Array:
        whole = self.whole
        return lax.reduce_window(
            x, init, computation, whole(self.kernel_size, 1), whole(self.stride, 1), whole(pads, (0, 0)), None,
            whole(self.dilation, 1),
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, data_format={self.data_format!r}"
        )  # fmt: skip


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: str | int | Sequence[Any] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
        *,
        data_format: str = CHANNELS_LAST,
    ) -> None:
        self.set_format(data_format)
        self.set_windows(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def __call__(self, x: Any) -> Any:
        out = self.run(x, None, self._of_batch)
        return (out, self.run(x, None, self._places)) if self.return_indices else out

    def _of_batch(self, x: Array) -> Array:
        return self.reduced(x, lowest(x), lax.max, self.pads(self.space(x)))

    def _places(self, x: Array) -> Array:
        """Where in space, counted row by row, the first largest element of each window is (or its first NaN)."""
        value = stop_gradient(x)
        largest = self._of_batch(value)
        space, pads, found = self.space(x), self.pads(self.space(x)), self.space(largest)
        places = jnp.zeros(largest.shape, int)
        for offset in reversed(list(np.ndindex(*self.kernel_size))):  # the first one has the last word
            element, place, inside = value, np.zeros((), int), np.ones((), bool)
            for axis, (n, (low, _)) in enumerate(zip(space, pads, strict=True)):
                at = np.arange(found[axis]) * self.stride[axis] - low + offset[axis] * self.dilation[axis]
                element = jnp.take(element, np.clip(at, 0, n - 1), axis=self.whole(range(self.rank), -1).index(axis))
                place, inside = np.add.outer(place * n, at), np.logical_and.outer(inside, (at >= 0) & (at < n))
            shape = self.whole(found, 1)
            here = ((element == largest) | (element != element)) & inside.reshape(shape)
            places = jnp.where(here, place.reshape(shape), places)
        return places


_ARGUMENTS = """kernel_size: an integer, or {rank} of them; stride: the same, by default kernel_size. padding: "same",
    "valid", a number of elements on each side that are left out, {rank} of them, or {rank} pairs. ceil_mode: a window that reaches
    over the end counts, where it begins inside. data_format="channels_first": [batch, channels, *space]."""

MaxPool1d, MaxPool2d, MaxPool3d = of_ranks(
    _MaxPool,
    "MaxPool",
    __name__,
    f"""The largest element of each window of {{what}}: [batch, *space, channels] to [batch, *places, channels].

    {_ARGUMENTS} dilation: how far apart a window's elements are.
    return_indices: the result is a pair, of which the second says where these elements are, counted row by row in space:
    what `nn.MaxUnpool{{rank}}d` takes.
    The derivative is that of the first of several largest elements. Raises ShapeError for inputs of another shape.

    >>> import jitgrad.numpy as jnp
    >>> {{name}}(2)(jnp.ones((4,) + (9,) * {{rank}} + (3,))).shape == (4,) + (4,) * {{rank}} + (3,)
    True
    """,
)


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: str | int | Sequence[Any] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Size | None = None,
        *,
        data_format: str = CHANNELS_LAST,
    ) -> None:
        self.set_format(data_format)
        self.set_windows(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        if divisor_override is not None and size_arg(self.where, divisor_override, "divisor_override must be an integer") == 0:
            raise ArgumentError(f"{self.where}: divisor_override must not be 0")

    def __call__(self, x: Any) -> Array:
        return self.run(inexact_arg(self.where, x), None, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        space = self.space(x)
        pads = self.pads(space)
        total = self.reduced(x, 0, lax.add, pads)
        if self.divisor_override is not None:
            return total / self.divisor_override
        counted = pads_of(self.padding, space, self.kernel_size, self.stride, self.dilation)
        counts: Any = np.ones((), int)
        for axis, (n, k, s, count) in enumerate(
            zip(space, self.kernel_size, self.stride, self.space(total), strict=True)
        ):  # fmt: skip
            start = np.arange(count) * s - pads[axis][0]
            around = counted[axis] if self.count_include_pad else (0, 0)
            inside = np.minimum(start + k, n + around[1]) - np.maximum(start, -around[0])
            counts = np.multiply.outer(counts, inside)
        if counts.size and (counts == counts.flat[0]).all():
            return total / int(counts.flat[0])
        shape = self.whole(counts.shape, 1)
        return total / jnp.asarray(np.maximum(counts, 1).reshape(shape), total.dtype)


AvgPool1d, AvgPool2d, AvgPool3d = of_ranks(
    _AvgPool,
    "AvgPool",
    __name__,
    f"""The mean of each window of {{what}}: [batch, *space, channels] to [batch, *places, channels], as floats.

    {_ARGUMENTS} count_include_pad: whether padding counts, as zeros.
    divisor_override: what sums are divided by instead. Raises ShapeError for inputs of another shape.

    >>> import jitgrad.numpy as jnp
    >>> {{name}}(3, 2, "same")(jnp.ones((4,) + (9,) * {{rank}} + (3,))).shape == (4,) + (5,) * {{rank}} + (3,)
    True
    """,
)


class _AdaptivePool(OfSpace):
    """Pools of as many windows as the result is to have: the i-th of o windows of n elements is [i n / o, (i + 1) n / o), rounded
    outwards."""

    def __init__(self, output_size: Any, *, data_format: str = CHANNELS_LAST) -> None:
        self.set_format(data_format)
        given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * self.rank
        if len(given) != self.rank:
            raise ArgumentError(
                f"{self.where}: output_size must be an integer or None, or {self.rank} of them, got {output_size!r}"
            )
        self.output_size = tuple(None if n is None else each(self.where, "output_size", n, 1)[0] for n in given)

    def __call__(self, x: Any) -> Array:
        return self.run(x, None, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        space = self.space(x)
        if 0 in space:
            self.refuse_input("at least one element along each axis of space", x)
        counts = [n if o is None else o for n, o in zip(space, self.output_size, strict=True)]
        value = self.outside(x)
        sizes, held = [], []
        for axis, (n, o) in enumerate(zip(space, counts, strict=True), 1 if self.data_format == CHANNELS_LAST else 2):
            starts, ends = np.arange(o) * n // o, -(-(np.arange(o) + 1) * n // o)
            size = int((ends - starts).max())
            if n % o:  # windows of two sizes: each is copied into one of the larger, filled up
                at = starts[:, None] + np.arange(size)
                at = np.where(at < ends[:, None], at, n).ravel()
                around = [(0, 0)] * x.ndim
                around[axis] = (0, 1)
                x = jnp.take(jnp.pad(x, around, constant_values=value), at, axis=axis)
            sizes.append(size)
            held.append(ends - starts)
        return self.pooled(x, tuple(sizes), held)

    def outside(self, x: Array) -> Any:
        """What windows are filled up with."""
        raise NotImplementedError

    def pooled(self, x: Array, sizes: Counts, held: list[np.ndarray]) -> Array:
        """Windows side by side reduced; `held` is how many elements each has along each axis."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, data_format={self.data_format!r}"


class _AdaptiveAvgPool(_AdaptivePool):
    def __call__(self, x: Any) -> Array:
        return super().__call__(inexact_arg(self.where, x))

    def outside(self, x: Array) -> Any:
        return 0

    def pooled(self, x: Array, sizes: Counts, held: list[np.ndarray]) -> Array:
        total = lax.reduce_window(x, 0, lax.add, self.whole(sizes, 1), self.whole(sizes, 1))
        counts: Any = np.ones((), int)
        for along in held:
            counts = np.multiply.outer(counts, along)
        return total / jnp.asarray(counts.reshape(self.whole(counts.shape, 1)), total.dtype)


class _AdaptiveMaxPool(_AdaptivePool):
    def outside(self, x: Array) -> Any:
        return lowest(x)

    def pooled(self, x: Array, sizes: Counts, held: list[np.ndarray]) -> Array:
        return lax.reduce_window(x, lowest(x), lax.max, self.whole(sizes, 1), self.whole(sizes, 1))


_ADAPTIVE = """{what} of each of output_size windows, that are as large as they must be, of {{what}}: [batch, *space, channels] to
    [batch, *output_size, channels].

    output_size: an integer, or {{rank}} of them; None keeps the size of an axis. The i-th of o windows of n elements begins at
    i n / o, rounded down, and ends at (i + 1) n / o, rounded up, as PyTorch's do. data_format: as `nn.Conv{{rank}}d`'s.

    >>> import jitgrad.numpy as jnp
    >>> {{name}}(4)(jnp.ones((2,) + (9,) * {{rank}} + (3,))).shape == (2,) + (4,) * {{rank}} + (3,)
    True
    """

AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = of_ranks(
    _AdaptiveAvgPool, "AdaptiveAvgPool", __name__, _ADAPTIVE.format(what="The mean")
)
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = of_ranks(
    _AdaptiveMaxPool, "AdaptiveMaxPool", __name__, _ADAPTIVE.format(what="The largest element")
)


class _GlobalPool(Module):
    def __init__(self, *, keepdims: bool = False, data_format: str = CHANNELS_LAST) -> None:
        self.keepdims, self.data_format = keepdims, check_format(f"nn.{type(self).__name__}", data_format)

    def axes(self, x: Array) -> Counts:
        """The axes of space of an input."""
        if x.ndim < 3:
            self.refuse_input(images(0, self.data_format).replace("0", "channels") + " with at least 3 axes", x)
        found = tuple(range(1, x.ndim - 1)) if self.data_format == CHANNELS_LAST else tuple(range(2, x.ndim))
        if not all(x.shape[a] for a in found):
            self.refuse_input("at least one element along each axis of space", x)
        return found


class GlobalAvgPool(_GlobalPool):
    """The mean of each channel over all of space: [batch, ..., channels] to [batch, channels], or with keepdims axes of size 1
    between.

    >>> import jitgrad.numpy as jnp
    >>> print(GlobalAvgPool()(jnp.arange(8.0).reshape(1, 2, 2, 2)))
    [[3. 4.]]
    """

    def __call__(self, x: Any) -> Array:
        value = inexact_arg("nn.GlobalAvgPool", x)
        return jnp.mean(value, axis=self.axes(value), keepdims=self.keepdims)


class GlobalMaxPool(_GlobalPool):
    """The largest element of each channel over all of space: [batch, ..., channels] to [batch, channels], or with keepdims axes of
    size 1 between.

    >>> import jitgrad.numpy as jnp
    >>> print(GlobalMaxPool()(jnp.arange(8.0).reshape(1, 2, 2, 2)))
    [[6. 7.]]
    """

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        return jnp.max(value, axis=self.axes(value), keepdims=self.keepdims)
