"""How windows lie in an array: strides, dilations and paddings as users give them, as tuples of numbers for each axis.

convolution.py and windowed_reductions.py read their arguments here; jitgrad/nn's convolutions and pools, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from operator import index
from typing import Any

from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import shape_arg, size_arg

Counts = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

PADDINGS = ("VALID", "SAME", "SAME_LOWER")


def counts_arg(where: str, name: str, given: Any, rank: int) -> Counts:
    """A positive number for each of `rank` axes. Raises ArgumentError for anything else."""
    if isinstance(given, (str, bytes, Set, Mapping)) or not hasattr(given, "__iter__"):
        raise ArgumentError(f"{where}: {name} must be a sequence of {rank} integers, one for each axis, got {given!r}")
    numbers = tuple(size_arg(where, n, f"{name} must be integers") for n in given)
    if len(numbers) != rank:
        raise ArgumentError(f"{where}: {name} must have {rank} numbers, one for each axis, got {len(numbers)}: {numbers}")
    if any(n < 1 for n in numbers):
        raise ArgumentError(f"{where}: {name} must be 1 or more, got {numbers}")
    if any(n > 2**31 for n in numbers):
        raise ArgumentError(f"{where}: {name} must be less than 2**31, got {numbers}")
    return numbers


def counts_or_ones(where: str, name: str, given: Any, rank: int) -> Counts:
    """The same of an argument that may be left out."""
    return (1,) * rank if given is None else counts_arg(where, name, given, rank)


def span(size: int, dilation: int) -> int:
    """How many elements a window of `size` elements reaches over, that are `dilation` apart."""
    return (size - 1) * dilation + 1 if size else 0


def padtype_to_pads(
    in_shape: Sequence[int], window_shape: Sequence[int], window_strides: Sequence[int], padding: str
) -> list[tuple[int, int]]:
    """The pairs of paddings that a name stands for, given the sizes of the array and of the window, and its strides, for each axis.

    "VALID": none. "SAME": as many windows as there are elements, divided by the stride and rounded up; of an odd number of elements
    to pad one more is behind, with "SAME_LOWER" in front. Raises ArgumentError for any other name.

    >>> padtype_to_pads((7, 7), (3, 2), (1, 1), "SAME")
    [(1, 1), (0, 1)]
    """
    where = "lax.padtype_to_pads"
    sizes = shape_arg(where, in_shape)
    window = counts_arg(where, "window_shape", window_shape, len(sizes))
    return list(_named_pads(where, sizes, window, counts_arg(where, "window_strides", window_strides, len(sizes)), padding))


def _named_pads(where: str, shape: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: str) -> Pads:
    name = padding.upper() if isinstance(padding, str) else padding
    if name not in PADDINGS:
        raise ArgumentError(
            f"{where}: padding must be one of {', '.join(map(repr, PADDINGS))} or pairs (before, behind), one for each axis, "
            f"got {padding!r}"
        )
    if name == "VALID":
        return ((0, 0),) * len(shape)
    out = []
    for n, size, stride in zip(shape, window, strides, strict=True):
        count = -(-n // stride)
        whole = max(0, (count - 1) * stride + size - n)
        small = whole // 2
        out.append((small, whole - small) if name == "SAME" else (whole - small, small))
    return tuple(out)


def pads_arg(where: str, padding: Any, shape: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> Pads:
    """Pairs of paddings of an array of a shape, of a name or of pairs; the window's sizes are those it reaches over."""
    if isinstance(padding, str):
        return _named_pads(where, shape, window, strides, padding)
    try:
        pairs = tuple((index(low), index(high)) for low, high in padding)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{where}: padding must be one of {', '.join(map(repr, PADDINGS))} or pairs (before, behind), one for each axis, "
            f"got {padding!r}"
        ) from None
    if len(pairs) != len(shape):
        raise ArgumentError(f"{where}: padding must have {len(shape)} pairs, one for each axis of space, got {len(pairs)}: {pairs}")
    return pairs


def check_left(where: str, shape: Sequence[int], dilation: Sequence[int], padding: Pads) -> None:
    """Raise ShapeError where negative paddings cut off more than there is."""
    for n, d, (low, high) in zip(shape, dilation, padding, strict=True):
        if span(n, d) + low + high < 0:
            raise ShapeError(
                f"{where}: the padding ({low}, {high}) cuts off more than the {span(n, d)} elements along an axis of {n}"
            )
