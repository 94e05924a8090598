"""Splitting, repeating, flipping and rolling arrays. Joining and reshaping are in `manipulation.py`, padding in `padding.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import broadcast, broadcast_right, concatenate, constant, convert, op, reshape, slice_axis
from jitgrad.errors import ArgumentError, ConcretizationTypeError, DTypeError, ParametersError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axes_tuple, axis_number, is_several, size_arg, stored
from jitgrad_compiler.ir.types import I64

from .elementwise import named
from .index_plan import signed, wrapped
from .indexing import take_places
from .manipulation import moveaxis, ravel, swapaxes, unstack


def static(where: str, what: str, x: Any, kinds: str = "iub") -> np.ndarray:
    """Integers that decide a shape (or numbers of the given NumPy kinds). Raises ConcretizationTypeError for traced ones,
    ParametersError for what is none.
    """
    if isinstance(x, Array):
        concrete = x.concrete()
        if concrete is None:
            raise ConcretizationTypeError(
                f"{where}: {what} decides the shape of the result, so it must be a concrete number, not a traced value"
            )
        found = np.asarray(concrete)
    else:
        try:
            # no integers at all, as in [], are floats for NumPy
            found = np.asarray(x) if np.size(x) else np.zeros(np.shape(x), int)
        except ValueError:  # ragged
            found = np.asarray(None)
    if found.dtype.kind not in kinds:
        raise ParametersError(f"{where}: {what} must be an integer or integers, got {x!r}")
    return found


def split(ary: ArrayLike, indices_or_sections: int | Sequence[int] | ArrayLike, axis: int = 0) -> list[Array]:
    """Pieces along an axis: so many equal ones, or cut before the given indices.

    Raises ShapeError where the axis does not divide evenly; `array_split` then makes the first ones larger.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.split(jnp.arange(6), 3))
    [0 1] [2 3] [4 5]
    """
    return _split("split", ary, indices_or_sections, axis, True)


def array_split(ary: ArrayLike, indices_or_sections: int | Sequence[int] | ArrayLike, axis: int = 0) -> list[Array]:
    """Pieces along an axis: so many nearly equal ones, the larger first, or cut before the given indices.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.array_split(jnp.arange(5), 2))
    [0 1 2] [3 4]
    """
    return _split("array_split", ary, indices_or_sections, axis, False)


MOST_PIECES = 1 << 20
"""How many pieces an axis may be divided into that has fewer elements: each is an array of its own."""


def _split(where: str, ary: ArrayLike, sections: Any, axis: int, even: bool) -> list[Array]:
    x = array_arg(where, ary)
    at = axis_number(where, axis, x.type.rank)
    n = x.type.shape[at]
    cuts = static(where, "indices_or_sections", sections)
    if cuts.ndim > 1:
        raise ShapeError(f"{where}: indices_or_sections must be an integer or a vector of indices, got shape {cuts.shape}")
    if cuts.ndim == 0:
        count = int(cuts)
        if count < 1 or (even and n % count):
            raise ShapeError(f"{where}: axis {at} of shape {x.type.shape} does not divide into {count} equal pieces")
        if count > max(n, MOST_PIECES):
            raise ArgumentError(f"{where}: indices_or_sections must be at most {max(n, MOST_PIECES)} pieces, got {count}")
        small, larger = divmod(n, count)
        bounds = [0]
        for i in range(count):
            bounds.append(bounds[-1] + small + (i < larger))
    else:
        bounds = [0, *[min(max(int(c) + n if c < 0 else int(c), 0), n) for c in cuts], n]
    return [slice_axis(x, at, a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _splitter(name: str, axis_of: Any, word: str) -> Any:
    def function(ary: ArrayLike, indices_or_sections: int | Sequence[int] | ArrayLike) -> list[Array]:
        x = array_arg(name, ary)
        return _split(name, x, indices_or_sections, axis_of(x.type.rank), True)

    return named(
        function, name,
        f"""`split` along {word}.

    >>> import jitgrad.numpy as jnp
    >>> len(jnp.{name}(jnp.ones((2, 2, 2)), 2))
    2
    """,
    )  # fmt: skip


vsplit = _splitter("vsplit", lambda rank: 0, "axis 0")
hsplit = _splitter("hsplit", lambda rank: 0 if rank == 1 else 1, "axis 1, of vectors along axis 0")
dsplit = _splitter("dsplit", lambda rank: 2, "axis 2")


def tile(A: ArrayLike, reps: int | Sequence[int]) -> Array:
    """The array set side by side with itself, reps[i] times along axis i.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.tile(jnp.array([1, 2]), (2, 2)))
    [[1 2 1 2]
     [1 2 1 2]]
    """
    x = array_arg("tile", A)
    what = "reps is an integer or a tuple of integers"
    given: Any = reps
    counts = tuple([size_arg("tile", r, what, 0) for r in (given if is_several(given) or np.ndim(given) else (given,))])
    rank = max(len(counts), x.type.rank)
    shape = (1,) * (rank - x.type.rank) + x.type.shape
    counts = (1,) * (rank - len(counts)) + counts
    grown = tuple(k for pair in zip(counts, shape, strict=True) for k in pair)
    wide = broadcast(reshape(x, shape), grown, tuple(range(1, 2 * rank, 2))) if any(c != 1 for c in counts) else x
    return reshape(wide, tuple(c * n for c, n in zip(counts, shape, strict=True)))


def repeat(a: ArrayLike, repeats: int | ArrayLike, axis: int | None = None, *, total_repeat_length: int | None = None) -> Array:
    """Each element (or slice along an axis) several times in a row; flattened without an axis.

    `repeats` is a number or one for each element. Traced repeats need total_repeat_length, the size of the result: what does not
    fit is cut off, and the last element fills what is left over. Raises ConcretizationTypeError without it.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.repeat(jnp.array([7, 8]), 2), jnp.repeat(jnp.array([7, 8]), jnp.array([1, 3])))
    [7 7 8 8] [7 8 8 8]
    """
    x = array_arg("repeat", a)
    if axis is None:
        x, axis = ravel(x), 0
    at = axis_number("repeat", axis, x.type.rank)
    n = x.type.shape[at]
    if total_repeat_length is not None:
        total_repeat_length = size_arg("repeat", total_repeat_length, "total_repeat_length is an integer", 0)
    if isinstance(repeats, int) and total_repeat_length is None:
        repeats = size_arg("repeat", repeats, "repeats is an integer", 0)
        shape = x.type.shape
        wide = broadcast(x, (*shape[: at + 1], repeats, *shape[at + 1 :]), tuple(i + (i > at) for i in range(len(shape))))
        return reshape(wide, (*shape[:at], n * repeats, *shape[at + 1 :]))
    counts = as_value(repeats, "repeat") if not isinstance(repeats, (list, tuple)) else as_value(np.asarray(repeats))
    if counts.type.dtype.is_inexact:
        raise DTypeError(f"repeat: repeats must be integers, got {counts.dtype}")
    if counts.concrete() is None and total_repeat_length is None:
        static("repeat", "repeats (give total_repeat_length)", counts)
    counts = broadcast(reshape(convert(counts, I64), counts.type.shape or (1,)), (n,), (0,))
    if counts.owner is None:
        if (np.asarray(counts) < 0).any():
            raise ArgumentError(f"repeat: repeats must be 0 or more, got {repeats}")
        places = np.repeat(np.arange(n), np.asarray(counts))
        if total_repeat_length is not None:
            places = (
                np.resize(places[:total_repeat_length], total_repeat_length)
                if n == 0
                else np.pad(
                    places[:total_repeat_length], (0, max(0, total_repeat_length - len(places))), constant_values=max(n - 1, 0)
                )
            )
        return take_places(x, as_value(places), at)
    # element i starts at the sum of the counts before it; counting the starts up to each place gives the element there
    assert total_repeat_length is not None
    total = total_repeat_length
    ends = op("cumsum", counts, axis=0, reverse=False)
    place = op("iota", shape=(total, n), axis=0, dtype=I64)
    passed = op("le", broadcast(ends, (total, n), (1,)), place)
    element = op("reduce_sum", convert(passed, I64), axes=(1,))
    return take_places(x, op("min", element, constant(n - 1, I64)), at)


def flip(m: ArrayLike, axis: int | Sequence[int] | None = None) -> Array:
    """Elements in opposite order along axes (all by default).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.flip(jnp.array([1, 2, 3])))
    [3 2 1]
    """
    x = array_arg("flip", m)
    axes = axes_tuple("flip", axis, x.type.rank)
    return op("reverse", x, axes=axes) if axes else x


def flipud(m: ArrayLike) -> Array:
    """Rows in opposite order (axis 0).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.flipud(jnp.array([[1], [2]])).tolist())
    [[2], [1]]
    """
    return flip(m, 0)


def fliplr(m: ArrayLike) -> Array:
    """Columns in opposite order (axis 1).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fliplr(jnp.array([[1, 2]])))
    [[2 1]]
    """
    return flip(m, 1)


def rot90(m: ArrayLike, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by k times 90 degrees in the plane of two axes, from the first towards the second.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.rot90(jnp.array([[1, 2], [3, 4]])))
    [[2 4]
     [1 3]]
    """
    x = array_arg("rot90", m)
    if not is_several(axes) or len(axes) != 2:
        raise ArgumentError(f"rot90: axes must be two axes, got {axes!r}")
    one, other = (axis_number("rot90", a, x.type.rank) for a in axes)
    if one == other:
        raise ArgumentError(f"rot90: the axes must differ, got {axes}")
    k = size_arg("rot90", k, "k must be an integer") % 4
    if k == 2:
        return flip(x, (one, other))
    if k == 1:
        return swapaxes(flip(x, other), one, other)
    return flip(swapaxes(x, one, other), other) if k else x


def roll(a: ArrayLike, shift: ArrayLike | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
    """Elements moved along axes, those that fall off coming in at the other end; flattened without an axis. Shifts may be traced.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.roll(jnp.arange(5), 2))
    [3 4 0 1 2]
    """
    x = array_arg("roll", a)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.type.shape)
    axes = list(axis) if is_several(axis) else [axis]
    if isinstance(shift, (Array, np.ndarray)) and shift.ndim:
        shift = unstack(shift)
    shifts = list(shift) if is_several(shift) else [shift]
    if len(shifts) == 1:
        shifts *= len(axes)
    if len(axes) == 1 and len(shifts) > 1:
        axes *= len(shifts)
    if len(axes) != len(shifts):
        raise ArgumentError(f"roll: {len(shifts)} shifts do not go with {len(axes)} axes")
    for by, name in zip(shifts, axes, strict=True):
        at = axis_number("roll", name, x.type.rank)
        places = as_value(by, "roll")
        if places.type.dtype.is_inexact or places.type.rank:
            raise ParametersError(f"roll: shift must be an integer, or one for each axis, got {shift!r}")
        x = _rolled(x, places, at)
    return x


def _rolled(x: Array, by: Array, at: int) -> Array:
    n = x.type.shape[at]
    if not n:
        return x
    if by.owner is None:
        cut = -int(np.asarray(by.data())) % n
        return x if not cut else concatenate([slice_axis(x, at, cut, n), slice_axis(x, at, 0, cut)], at)
    places = (op("iota", shape=(n,), axis=0, dtype=I64) - wrapped(by, n)) % n
    return take_places(x, places, at)


def trim_zeros(filt: ArrayLike, trim: str = "fb", axis: int | Sequence[int] | None = None) -> Array:
    """An array without the slices of nothing but zeros at the front ("f") and back ("b") of axes (all by default).

    The shape depends on the numbers: concrete arrays only.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.trim_zeros(jnp.array([0, 1, 2, 0])), jnp.trim_zeros(jnp.array([[0, 0, 0], [0, 1, 0]])))
    [1 2] [[1]]
    """
    x = array_arg("trim_zeros", filt)
    if not isinstance(trim, str) or not trim or set(trim.lower()) - {"f", "b"}:
        raise ArgumentError(f"trim_zeros: trim must be 'f', 'b' or 'fb', got {trim!r}")
    axes = axes_tuple("trim_zeros", tuple(axis) if is_several(axis) else axis, x.type.rank)
    places = np.nonzero(np.atleast_1d(static("trim_zeros", "the array", x, "iubfcV")))
    for at in axes:
        kept = places[at]
        start = int(kept.min()) if len(kept) and "f" in trim.lower() else 0
        limit = int(kept.max()) + 1 if len(kept) and "b" in trim.lower() else x.type.shape[at] if len(kept) else 0
        x = slice_axis(x, at, start, limit)
    return x


def delete(arr: ArrayLike, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False) -> Array:
    """Without the slices at the given places (an int, a slice, or integers) along an axis; flattened without one.

    The places decide the shape, so they must be concrete; assume_unique_indices, which jax needs for traced ones, changes nothing.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.delete(jnp.array([1, 2, 3]), 1))
    [1 3]
    """
    x = array_arg("delete", arr)
    if axis is None:
        x, axis = ravel(x), 0
    at = axis_number("delete", axis, x.type.rank)
    places = np.delete(np.arange(x.type.shape[at]), obj if isinstance(obj, slice) else static("delete", "obj", obj))
    return take_places(x, as_value(places), at)


def insert(arr: ArrayLike, obj: Any, values: ArrayLike, axis: int | None = None) -> Array:
    """`values` put in before the given places (an int, a slice, or integers) along an axis; flattened without one.

    The places decide the shape, so they must be concrete.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.insert(jnp.array([1, 3]), 1, 2))
    [1 2 3]
    """
    x, new = array_arg("insert", arr), as_value(values, "insert")
    if axis is None:
        x, axis = ravel(x), 0
    at = axis_number("insert", axis, x.type.rank)
    n = x.type.shape[at]
    where = np.arange(n)[obj] if isinstance(obj, slice) else static("insert", "obj", obj)
    if where.dtype == bool:
        where = np.flatnonzero(where)
    new = stored("insert", new, x.type.dtype)
    if new.type.rank > x.type.rank:
        raise ShapeError(f"insert: values {list(new.type.shape)} have more axes than the array {list(x.type.shape)}")
    new = reshape(new, (1,) * (x.type.rank - new.type.rank) + new.type.shape)
    if where.ndim == 0:
        new = moveaxis(new, 0, at)
    single = where.size == 1  # before which all values along the axis go
    count = new.type.shape[at] if single else where.size
    new = broadcast_right(new, (*x.type.shape[:at], count, *x.type.shape[at + 1 :]))
    before = np.repeat(where, count) if single else where
    # the order that NumPy itself gives to indices, old ones before `n` and the inserted ones behind
    order = np.insert(np.arange(n), signed(before), np.arange(n, n + count))
    return take_places(concatenate([x, new], at), as_value(order), at)
