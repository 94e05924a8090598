"""Elements around the space of sequences, images and volumes: a constant, or those of the other side of an edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ParametersError
from jitgrad.lax.window_geometry import Pads
from jitgrad.operands import ArrayLike, size_arg

from .data_format import CHANNELS_LAST
from .windows import OfSpace, of_ranks


def _sides(where: str, given: Any, rank: int) -> Pads:
    """How many elements come before and behind each axis of space."""
    message = (
        f"padding must be an integer, {2 * rank} of them (before and behind the last axis, then the one before it), or a pair for "
        "each axis of space"
    )
    if not isinstance(given, (tuple, list)):
        n = size_arg(where, given, message)
        return ((n, n),) * rank
    pairs: Sequence[Any] = given
    if len(given) == 2 * rank and not any(isinstance(p, (tuple, list)) for p in given):
        pairs = [given[i : i + 2] for i in range(2 * rank - 2, -1, -2)]
    if len(pairs) != rank or not all(isinstance(p, (tuple, list)) and len(p) == 2 for p in pairs):
        raise ParametersError(f"{where}: {message}, got {given!r}")
    found = [(size_arg(where, low, message), size_arg(where, high, message)) for low, high in pairs]
    return tuple(found)


class _Pad(OfSpace):
    """Elements that jnp.pad finds by a mode."""

    mode: str
    spare: int | None
    """How many elements of an axis can't be taken; None: there is no limit."""

    def __init__(self, padding: int | Sequence[Any], *, data_format: str = CHANNELS_LAST) -> None:
        self.set_format(data_format)
        self.padding = _sides(self.where, padding, self.rank)
        if min(min(p) for p in self.padding) < 0:
            raise ArgumentError(f"{self.where}: padding must be 0 or more, got {padding!r}")

    def __call__(self, x: Any) -> Array:
        return self.run(x, None, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        for size, pair in zip(self.space(x), self.padding, strict=True):
            if self.spare is not None and max(pair) > size - self.spare:
                self.refuse_input(f"of {max(pair) + self.spare} or more elements along an axis with padding {pair}", x)
        return jnp.pad(x, self.whole(self.padding, (0, 0)), mode=self.mode)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, data_format={self.data_format!r}"


class _ReflectionPad(_Pad):
    mode, spare = "reflect", 1


class _ReplicationPad(_Pad):
    mode, spare = "edge", None


class _CircularPad(_Pad):
    mode, spare = "wrap", 0


class _ConstantPad(OfSpace):
    def __init__(self, padding: int | Sequence[Any], value: ArrayLike = 0.0, *, data_format: str = CHANNELS_LAST) -> None:
        self.set_format(data_format)
        self.padding, self.value = _sides(self.where, padding, self.rank), value

    def __call__(self, x: Any) -> Array:
        return self.run(x, None, self._of_batch)

    def _of_batch(self, x: Array) -> Array:
        if any(n + low + high < 0 for n, (low, high) in zip(self.space(x), self.padding, strict=True)):
            self.refuse_input(f"at least as large as what padding {self.padding} takes away", x)
        sides = [(low, high, 0) for low, high in self.padding]
        return lax.pad(x, jnp.asarray(self.value, x.dtype), self.whole(sides, (0, 0, 0)))

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}, data_format={self.data_format!r}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[Any], *, data_format: str = CHANNELS_LAST) -> None:
        super().__init__(padding, data_format=data_format)


def _doc(around: str, more: str = "") -> str:
    return f"""{around} around {{what}}: [batch, *space, channels] to the same with more places.

    padding: how many elements before and behind each axis of space: one number for all, numbers as PyTorch has them (before and
    behind the last axis, then the one before it), or a pair for each axis, in their order.{more}
    data_format="channels_first": [batch, channels, *space]. Raises ParametersError for other paddings, ShapeError for inputs of
    another shape, or too small.

    >>> import jitgrad.numpy as jnp
    >>> {{name}}((1, 2) + (0, 0) * ({{rank}} - 1))(jnp.ones((4,) + (5,) * {{rank}} + (3,))).shape[-2]
    8
    """


_CUT = " Negative numbers take elements away."
ConstantPad1d, ConstantPad2d, ConstantPad3d = of_ranks(_ConstantPad, "ConstantPad", __name__, _doc("A value", _CUT))
ZeroPad1d, ZeroPad2d, ZeroPad3d = of_ranks(_ZeroPad, "ZeroPad", __name__, _doc("Zeros", _CUT))
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = of_ranks(
    _ReflectionPad, "ReflectionPad", __name__, _doc("Mirrored elements, of which the edge's own is there once,")
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = of_ranks(
    _ReplicationPad, "ReplicationPad", __name__, _doc("The edge's elements, repeated,")
)
CircularPad1d, CircularPad2d, CircularPad3d = of_ranks(
    _CircularPad, "CircularPad", __name__, _doc("The elements of the opposite side")
)
