"""What an index means for an array of a shape: one entry an axis, and the shape that comes out. Next: `indexing.py` carries it out.

Entries are whole numbers, slices, points (integer arrays) and new axes, as in NumPy. Bool masks become points, so they must be
concrete.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy, memory_device
from jitgrad.array_ops import Shape, broadcast_right, constant, convert, op, select, signed_places
from jitgrad.errors import DTypeError, IndexingError, NonConcreteBooleanIndexError, ShapeError
from jitgrad.operands import broadcast_shape
from jitgrad_compiler.ir.types import BOOL, I32, I64, U64

from .creation import array

Index = Any


@dataclass(frozen=True)
class Number:
    """One number along an axis: counted from the front, and perhaps outside."""

    number: int


@dataclass(frozen=True)
class Range:
    """`count` elements from `start` by `step` (which may be negative) along an axis of size n."""

    start: int
    count: int
    step: int
    n: int

    @property
    def whole(self) -> bool:
        return self.count == self.n and (self.step == 1 or self.n == 0) and self.start == 0

    def places(self) -> np.ndarray:
        return self.start + self.step * np.arange(self.count)


@dataclass(frozen=True)
class Points:
    """An integer array, its negative numbers already counted from the front."""

    indices: Array


class NewAxis:
    """An axis of size 1 that the array does not have."""


Entry = Number | Range | Points


class Gap:
    """Where an ellipsis stood: it parts the index arrays on its two sides even where it stands for no axis."""


NEW, GAP = NewAxis(), Gap()


@dataclass(frozen=True)
class Plan:
    """axes: an entry for each axis of the array. points: the shape that all Points broadcast to. front: how many ranges come before
    the axes of the points in the result. shape: the result's, new axes included.
    """

    axes: list[Entry]
    points: Shape
    front: int
    shape: Shape

    @property
    def ranges(self) -> Shape:
        """The sizes of the result's axes that come from ranges."""
        return tuple(e.count for e in self.axes if isinstance(e, Range))


def with_axes_for_flags(index: Index, shape: Shape) -> tuple[Index, Shape]:
    """An index without True and False in it, for an array that has got an axis of size 1 for each, indexed by [0] or by nothing."""
    items = index if isinstance(index, tuple) else (index,)
    if not any(map(_is_flag, items)):
        return index, shape
    used = [0 if item is None or item is Ellipsis or _is_flag(item) else _axes_of(item) for item in items]
    out: list[Index] = []
    sizes, at = list(shape), 0
    for number, item in enumerate(items):
        if item is Ellipsis:
            at = len(sizes) - sum(used[number + 1 :])
            out.append(item)
        elif _is_flag(item):
            sizes.insert(at, 1)
            at += 1
            out.append(np.arange(int(_known_mask(item))))
        else:
            at += used[number]
            out.append(item)
    return tuple(out), tuple(sizes)


def _is_flag(item: Index) -> bool:
    return isinstance(item, (bool, np.bool_)) or (isinstance(item, (Array, np.ndarray)) and item.dtype == bool and not item.ndim)


def _axes_of(item: Index) -> int:
    """How many axes an index goes with: a mask with as many as it has."""
    return item.ndim if isinstance(item, (Array, np.ndarray)) and item.dtype == bool else 1


def plan(index: Index, shape: Shape, wrap: bool = True) -> Plan:
    """What `x[index]` means for an array of a shape. `wrap`: negative numbers count from the end, else they are outside.

    Raises IndexingError for too many indices, DTypeError for what is no index, NonConcreteBooleanIndexError for a traced mask.
    """
    if isinstance(index, list):
        raise DTypeError("indexing: a list is no index; write x[jnp.array(indices)], or x[i, j] for several axes")
    items = _expanded(index if isinstance(index, tuple) else (index,), len(shape))
    axes: list[Entry] = []
    ordered: list[Entry | NewAxis | Gap] = []
    for item in items:
        if item is None or item is Ellipsis:
            ordered.append(NEW if item is None else GAP)
            continue
        entry = _entry(item, shape[len(axes)], wrap)
        axes.append(entry)
        ordered.append(entry)
    arrays = [e.indices.type.shape for e in axes if isinstance(e, Points)]
    points = broadcast_shape("indexing", tuple(arrays)) if arrays else ()
    return _laid_out(axes, ordered, points)


def _laid_out(axes: list[Entry], ordered: list[Entry | NewAxis | Gap], points: Shape) -> Plan:
    """The result's shape: numbers drop their axis, those of points stand where the first of adjacent ones stood, else in front."""
    advanced = [i for i, e in enumerate(ordered) if isinstance(e, (Points, Number))] if points else []
    adjacent = bool(advanced) and advanced[-1] - advanced[0] == len(advanced) - 1
    out: list[int] = [] if adjacent or not advanced else list(points)
    front = 0
    for i, entry in enumerate(ordered):
        if adjacent and i == advanced[0]:
            out += points
            front = sum(isinstance(e, Range) for e in ordered[:i])
        if isinstance(entry, Range):
            out.append(entry.count)
        elif isinstance(entry, NewAxis):
            out.append(1)
    return Plan(axes, points, front, tuple(out))


def _expanded(items: tuple[Index, ...], rank: int) -> list[Index]:
    """One item an axis, None for new ones; behind an ellipsis the axes it stands for; masks replaced by their nonzero places."""
    out: list[Index] = []
    used = ellipses = 0
    for item in items:
        if item is Ellipsis:
            ellipses += 1
            out.append(item)
        elif item is None or isinstance(item, slice) or (isinstance(item, (int, np.integer)) and not isinstance(item, bool)):
            used += item is not None
            out.append(item)
        else:
            made = _array_items(item)
            used += len(made)
            out += made
    if ellipses > 1:
        raise IndexingError("indexing: an index can hold only one ellipsis (...)")
    if used > rank:
        raise IndexingError(f"indexing: {used} indices are too many for an array with {rank} axes; give fewer, or add axes first")
    at = next((i for i, item in enumerate(out) if isinstance(item, EllipsisType)), len(out))
    return [*out[: at + 1], *[slice(None)] * (rank - used), *out[at + 1 :]]


def _array_items(item: Index) -> list[Index]:
    """An array as index: itself, or for a mask of n axes the n index arrays of its true places."""
    try:
        value = array(item, "int64" if not item else None) if isinstance(item, (list, tuple)) else as_value(item, "indexing")
    except TypeError:
        raise DTypeError(
            f"indexing: indices are integers, slices, None, ... and integer or bool arrays; got {type(item).__name__}"
        ) from None
    if value.type.dtype == BOOL:
        return _Masked.places(_known_mask(value))
    if not value.type.dtype.is_integer:
        raise DTypeError(f"indexing: arrays as indices must be of integers or bools, got {value.dtype}; convert with .astype(int)")
    return [value]


def _known_mask(item: Index) -> np.ndarray:
    """A mask's elements. Raises NonConcreteBooleanIndexError for a traced one."""
    value = as_value(item, "indexing")
    concrete = value.concrete()
    if concrete is None:
        raise NonConcreteBooleanIndexError(
            f"indexing: a traced bool array of shape {value.type.shape} selects an unknown number of elements. Use "
            "jnp.where(mask, x, other) to keep the shape, or jnp.nonzero(mask, size=...) for indices of a fixed number."
        )
    return np.asarray(concrete)


class _Masked:
    """One of the index arrays of a mask, which knows the size that its axis must have."""

    def __init__(self, places: np.ndarray, n: int) -> None:
        self.indices, self.n = places, n

    @classmethod
    def places(cls, mask: np.ndarray) -> list[_Masked]:
        return [cls(p, n) for p, n in zip(np.nonzero(mask), mask.shape, strict=True)]


def _entry(item: Index, n: int, wrap: bool) -> Entry:
    if isinstance(item, slice):
        start, stop, step = item.indices(n)
        count = len(range(start, stop, step))
        return Range(start if count else 0, count, step, n)
    if isinstance(item, _Masked):
        if item.n != n:
            raise ShapeError(f"indexing: a mask of size {item.n} does not go with an axis of size {n}")
        return Points(from_numpy(item.indices))
    if isinstance(item, (int, np.integer)):
        number = min(max(int(item), -(2**63)), 2**63 - 1)  # what no axis has room for is outside, wherever
        return Number(number + n if number < 0 and wrap else number)
    if item.owner is None and not item.type.shape:
        return _entry(int(np.asarray(item.data())), n, wrap)
    return Points(from_front(item, n) if wrap else signed_places(item))


def at_hand(indices: Array) -> bool:
    """Whether the numbers are known here. Those on a GPU stay there, and are not waited for."""
    return indices.owner is None and memory_device(indices.ref) is None


def from_front(indices: Array, n: int) -> Array:
    """Indices with negative ones counted from the front, in a type that holds n."""
    if at_hand(indices):
        numbers = signed(indices.data())
        return from_numpy(np.where(numbers < 0, numbers + n, numbers))
    if indices.type.dtype not in (I32, I64) or n > 2**31 - 1:
        unsigned = indices.type.dtype.is_unsigned
        indices = signed_places(indices)
        if unsigned:
            return indices
    elif indices.weak:
        indices = convert(indices, indices.type.dtype)
    return select(indices < 0, indices + n, indices)


def wrapped(indices: Array, n: int) -> Array:
    """Indices counted around an axis of a size of at least 1."""
    dtype = U64 if indices.type.dtype == U64 else I64
    return convert(op("mod", convert(indices, dtype), constant(n, dtype)), I64)


def columns(indices: list[Array], shape: Shape) -> Array:
    """Index arrays, broadcast to a shape, side by side in one more axis: what gather and scatter take."""
    if all(at_hand(i) for i in indices):
        return from_numpy(np.stack([np.broadcast_to(signed(i.data()), shape) for i in indices], -1))
    known = [at_hand(i) for i in indices]
    unknown = [i.type.dtype for i, k in zip(indices, known, strict=True) if not k]
    dtype = I32 if all(t == I32 for t in unknown) and all(_small(i) for i, k in zip(indices, known, strict=True) if k) else I64
    typed = [
        from_numpy(signed(i.data()).astype(dtype.numpy)) if k else convert(i, I32) if dtype == I32 else signed_places(i)
        for i, k in zip(indices, known, strict=True)
    ]
    parts = [op("reshape", broadcast_right(i, shape), shape=(*shape, 1)) for i in typed]
    return parts[0] if len(parts) == 1 else op("concatenate", *parts, axis=len(shape))


def _small(i: Array) -> bool:
    """Whether an index array at hand fits in int32."""
    if not i.type.size:
        return True
    numbers = np.asarray(i.data())
    return -(2**31) <= int(numbers.min()) and int(numbers.max()) < 2**31


def inside(indices: Array, sizes: Shape) -> Array | None:
    """Which rows of columns are inside an array's axes; None where all are, as far as is known."""
    if at_hand(indices):
        numbers = np.asarray(indices.data())
        ok = ((numbers >= 0) & (numbers < np.array(sizes))).all(-1)
        return None if ok.all() else from_numpy(ok)
    limit = held_limit(indices, sizes)
    within = op("and", indices >= 0, op("lt", indices, limit) if len(sizes) > 1 else indices < sizes[0])
    return op("reduce_and", within, axes=(indices.type.rank - 1,))


def held_limit(indices: Array, sizes: Shape) -> Array:
    limit = from_numpy(np.array(sizes, indices.type.dtype.numpy))
    return broadcast_right(limit, indices.type.shape)


def signed(places: Any) -> Any:
    """Places as `signed_places` has them. Beside signed integers NumPy makes floats of unsigned ones, or refuses them."""
    places = np.asarray(places)
    held = np.minimum(places, np.uint64(2**63 - 1)) if places.dtype == np.uint64 else places
    return held.astype(np.int64, copy=False)


def clipped(indices: Array, sizes: Shape) -> Array:
    """Columns held inside an array's axes."""
    if at_hand(indices):
        return from_numpy(np.clip(indices.data(), 0, np.array(sizes) - 1))
    low = op("max", indices, constant(0, indices.type.dtype))
    if len(sizes) == 1:
        return op("min", low, constant(sizes[0] - 1, indices.type.dtype))
    return op("min", low, held_limit(indices, tuple(n - 1 for n in sizes)))
