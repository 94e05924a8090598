"""Padding arrays: `pad`, a row of PADDINGS a mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import broadcast, concatenate, constant, convert, op, reshape, slice_axis
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, stored
from jitgrad_compiler.ir.types import F64

from . import quantiles, reductions
from .creation import array as make_array
from .indexing import take_places
from .rearrangement import static


def pad(
    array: ArrayLike,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: ArrayLike | None = None,
    end_values: ArrayLike | None = None,
    reflect_type: str | None = None,
    stat_length: Any = None,
) -> Array:
    """Elements put before and behind each axis: pad_width is a number, (before, behind), or such a pair for each axis.

    Modes: "constant" (constant_values: a number, by default 0, a pair, or pairs), "linear_ramp" (from the edge to end_values, given
    in the same ways), "edge", "reflect" (the edge once), "symmetric" (the edge twice), "wrap", "empty" (zeros), "maximum",
    "minimum", "mean" or "median" of the axis, or of its stat_length elements next to that end (a number, a pair, or pairs). With
    reflect_type "odd" a reflection is also turned about the edge's value: the edge twice less what is reflected. One axis follows
    the other, and pads what those before it have put. Raises ArgumentError for other modes, keywords of another mode, negative
    widths and a stat_length below 1, ShapeError where an axis without elements is padded by anything but constants.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.pad(jnp.array([1, 2]), (1, 2)), jnp.pad(jnp.array([1, 2, 3]), 2, mode="reflect"))
    [0 1 2 0 0] [3 2 1 2 3 2 1]
    >>> print(jnp.pad(jnp.array([1, 2, 3]), 2, "reflect", reflect_type="odd"), jnp.pad(jnp.array([4, 8]), 2, "linear_ramp"))
    [-1  0  1  2  3  4  5] [0 2 4 8 4 0]
    """
    x = array_arg("pad", array)
    widths = _pairs("pad_width", pad_width, x.type.rank)
    if any(w < 0 for pair in widths for w in pair):
        raise ArgumentError(f"pad: widths must be 0 or more, got {pad_width}")
    if mode not in PAD_MODES or reflect_type not in (None, "even", "odd"):
        raise ArgumentError(
            f"pad: mode {mode!r} with reflect_type {reflect_type or 'even'!r} is not available; modes are {', '.join(PAD_MODES)}; "
            "a reflect_type is 'even' or 'odd'"
        )
    _check_keywords(
        mode, constant_values=constant_values, end_values=end_values, reflect_type=reflect_type, stat_length=stat_length
    )
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, 0 if constant_values is None else constant_values)
    ends = _numbers(0 if end_values is None else end_values, x) if mode == "linear_ramp" else None
    lengths = _pairs("stat_length", stat_length, x.type.rank) if stat_length is not None else None
    if lengths and any(n < 1 for pair in lengths for n in pair):
        raise ArgumentError(f"pad: stat_length must be 1 or more, got {stat_length}")
    for axis, (before, behind) in enumerate(widths):
        if before or behind:
            if not x.type.shape[axis]:
                raise ShapeError(f"pad: mode {mode!r} needs elements, but axis {axis} of shape {x.type.shape} is empty")
            if mode in REFLECTIONS and reflect_type == "odd":
                x = _pad_odd(x, axis, before, behind, mode)
            else:
                x = PADDINGS[mode](x, axis, before, behind, ends[axis] if ends else lengths[axis] if lengths else None)
    return x


def _check_keywords(mode: str, **given: Any) -> None:
    """Raises ArgumentError for a keyword that says nothing in a mode."""
    taken = KEYWORDS.get(mode)
    others = [name for name, value in given.items() if value is not None and name != taken]
    if others:
        raise ArgumentError(
            f"pad: unsupported keyword arguments for mode {mode!r}: {', '.join(others)}; it takes {taken or 'none of them'}"
        )


def _pairs(what: str, given: Any, rank: int) -> list[list[int]]:
    """A pair of integers for each axis, of a number, a pair, pairs, or a dictionary of some axes' pairs."""
    if isinstance(given, dict):
        if not all(isinstance(i, int) and -rank <= i < rank for i in given):
            raise ArgumentError(f"pad: {what} names axes from {-rank} to {rank - 1}, got {given}")
        given = [given.get(i, given.get(i - rank, (0, 0))) for i in range(rank)]
        given = [(w, w) if isinstance(w, int) else w for w in given]
    numbers = static("pad", what, given)
    try:
        pairs: list[list[int]] = np.broadcast_to(numbers, (rank, 2)).astype(int).tolist()
    except ValueError:
        raise ArgumentError(f"pad: {what} {given} is not one pair, or one for each of the {rank} axes") from None
    return pairs


def _numbers(values: ArrayLike, x: Array) -> list[list[Array]]:
    """A pair of numbers of x's type for each axis, of a number, a pair or pairs; they may be traced."""
    rank, dtype = x.type.rank, x.type.dtype
    given = make_array(values) if isinstance(values, (list, tuple)) else as_value(values, "pad")
    stored("pad", given, dtype)
    if given.owner is None:
        table = np.broadcast_to(np.asarray(values if isinstance(values, (list, tuple)) else given.data()), (rank, 2))
        return [[constant(number, dtype) for number in pair] for pair in table]
    shape = given.type.shape
    traced = broadcast(convert(given, dtype), (rank, 2), tuple(range(2 - len(shape), 2)))
    return [[traced[i, side] for side in (0, 1)] for i in range(rank)]


def _pad_constant(x: Array, widths: list[list[int]], values: ArrayLike) -> Array:
    rank = x.type.rank
    given = values if isinstance(values, (list, tuple)) else as_value(values, "pad")
    if isinstance(given, Array) and not given.type.shape:
        padding = tuple((low, high, 0) for low, high in widths)
        return op("pad", x, stored("pad", given, x.type.dtype), padding=padding) if any(map(any, widths)) else x
    numbers = _numbers(values, x)
    for axis, pair in enumerate(widths):
        for side, width in enumerate(pair):
            padding = tuple(((width, 0, 0) if side == 0 else (0, width, 0)) if i == axis else (0, 0, 0) for i in range(rank))
            x = op("pad", x, numbers[axis][side], padding=padding) if width else x
    return x


def _joined(low: Array | None, x: Array, high: Array | None, axis: int) -> Array:
    return concatenate([part for part in (low, x, high) if part is not None], axis)


def _pad_statistic(fold: Callable[..., Array], x: Array, axis: int, before: int, behind: int, lengths: list[int] | None) -> Array:
    n = x.type.shape[axis]

    def side(width: int, start: int, limit: int) -> Array | None:
        if not width:
            return None
        summary = fold(slice_axis(x, axis, start, limit), axis=axis, keepdims=True)
        return _repeated(convert(summary, x.type.dtype), axis, width)

    low, high = [min(k, n) for k in lengths] if lengths else (n, n)
    return _joined(side(before, 0, low), x, side(behind, n - high, n), axis)


def _rounded(fold: Callable[..., Array]) -> Callable[..., Array]:
    """Of integers computed in float64, and rounded."""

    def whole(x: Array, **keywords: Any) -> Array:
        return fold(x, **keywords) if x.type.dtype.is_inexact else op("round_even", fold(convert(x, F64), **keywords))

    return whole


def _repeated(x: Array, axis: int, count: int) -> Array:
    return broadcast(x, (*x.type.shape[:axis], count, *x.type.shape[axis + 1 :]), tuple(range(x.type.rank)))


def _pad_ramp(x: Array, axis: int, before: int, behind: int, ends: list[Array]) -> Array:
    n, dtype = x.type.shape[axis], x.type.dtype
    working = dtype if dtype.is_inexact else F64

    def ramp(width: int, end: Array, edge: int, rising: bool) -> Array | None:
        if not width:
            return None
        steps = np.arange(width) if rising else np.arange(width)[::-1]
        shape = tuple(width if i == axis else 1 for i in range(x.type.rank))
        there = convert(slice_axis(x, axis, edge, edge + 1), working)
        share = convert(reshape(as_value(steps / width), shape), working)
        out = convert(end, working) + share * (there - convert(end, working))
        return convert(out if dtype.is_inexact else op("floor", out), dtype)

    return _joined(ramp(before, ends[0], 0, True), x, ramp(behind, ends[1], n - 1, False), axis)


def _pad_places(mode: str, x: Array, axis: int, before: int, behind: int, _: None) -> Array:
    """Where each new element is one of the old ones."""
    places = np.pad(np.arange(x.type.shape[axis]), (before, behind), mode=mode)  # type: ignore[call-overload]
    pieces = _runs(places, 8)
    if pieces is None:
        return take_places(x, as_value(places), axis)
    return concatenate([_run(x, axis, first, last, count) for first, last, count in pieces], axis)


def _pad_odd(x: Array, axis: int, before: int, behind: int, mode: str) -> Array:
    """An odd reflection about each end: in the q-th copy of the axis (0 is the axis itself, q counts downwards before it) stands

    x[i] + q * (last - first)                       for an even q,
    (q + 1) * last - (q - 1) * first - x[i]         for an odd one, which runs backwards.
    """
    n = x.type.shape[axis]
    period = n if mode == "symmetric" else n - 1
    if not period:  # of one element NumPy repeats the edge
        return _pad_places("edge", x, axis, before, behind, None)
    copies = np.arange(-before, n + behind) // period
    copies[before : before + n] = 0
    odd = copies % 2 != 0
    shape = tuple(len(copies) if i == axis else 1 for i in range(x.type.rank))

    def weights(numbers: np.ndarray) -> Array:
        return convert(reshape(as_value(numbers), shape), x.type.dtype)

    first, last = slice_axis(x, axis, 0, 1), slice_axis(x, axis, n - 1, n)
    reflected = weights(np.where(odd, -1, 1)) * _pad_places(mode, x, axis, before, behind, None)
    moved = weights(np.where(odd, copies + 1, copies)) * last - weights(np.where(odd, copies - 1, copies)) * first
    return reflected + moved


REFLECTIONS = ("reflect", "symmetric")
PADDINGS: dict[str, Callable[[Array, int, int, int, Any], Array]] = {
    **{mode: partial(_pad_places, mode) for mode in ("edge", *REFLECTIONS, "wrap")},
    "maximum": partial(_pad_statistic, reductions.max),
    "minimum": partial(_pad_statistic, reductions.min),
    "mean": partial(_pad_statistic, _rounded(reductions.mean)),
    "median": partial(_pad_statistic, _rounded(quantiles.median)),
    "linear_ramp": _pad_ramp,
}
"""What pads one axis: of an array, the axis, the widths before and behind, and the mode's own pair (lengths, or end values)."""
PAD_MODES = ("constant", *PADDINGS, "empty")
KEYWORDS = {
    "constant": "constant_values", "linear_ramp": "end_values", **dict.fromkeys(REFLECTIONS, "reflect_type"),
    **dict.fromkeys(("maximum", "minimum", "mean", "median"), "stat_length"),
}  # fmt: skip
"""What each mode may be given besides the widths."""


def _runs(places: np.ndarray, most: int) -> list[tuple[int, int, int]] | None:
    """Places as runs (first, last, count) that rise by one, fall by one, or stay; None where there are more than `most`."""
    steps = np.diff(places)
    turns = np.flatnonzero(np.diff(steps)) + 1  # where the step from a place on is another than the one to it
    runs: list[tuple[int, int, int]] = []
    at = 0
    while at < len(places):
        if len(runs) == most:
            return None
        end = at
        if at < len(steps) and abs(steps[at]) <= 1:
            turn = np.searchsorted(turns, at, side="right")
            end = int(turns[turn]) if turn < len(turns) else len(steps)
        runs.append((int(places[at]), int(places[end]), end - at + 1))
        at = end + 1
    return runs


def _run(x: Array, axis: int, first: int, last: int, count: int) -> Array:
    part = slice_axis(x, axis, min(first, last), max(first, last) + 1)
    if first > last:
        return op("reverse", part, axes=(axis,))
    if first == last and count > 1:
        shape = (*x.type.shape[:axis], count, *x.type.shape[axis + 1 :])
        return broadcast(part, shape, tuple(range(x.type.rank)))
    return part
