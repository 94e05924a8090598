"""Arrays as sets: unique, isin, union1d, ...; and comparisons of whole arrays. Where the number of results depends on the elements,
traced code gives it with `size=`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import (
    broadcast,
    constant,
    convert,
    fill,
    flat,
    iota,
    is_number,
    limits,
    op,
    op_all,
    reshape,
    select,
    slice_axis,
)
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, is_complex, one_of, size_arg
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, U64

from . import reductions
from .arithmetic import isclose
from .indexing import take
from .manipulation import concatenate, promoted
from .sorting import argsort, first_true, known_size, mixes_signs, searchsorted


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


def unique(
    ar: ArrayLike,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
    sorted: bool = True,
) -> Any:
    """The different elements in rising order (different slices along an axis), and where wanted: the index of each one's first
    occurrence, the number of each element's value among them, how often each occurs.

    With `size`, which traced code needs, exactly so many: the first ones, then fill_value (the smallest by default) 0 times.
    Raises ConcretizationTypeError for a traced array without it.

    >>> import jitgrad.numpy as jnp
    >>> values, counts = jnp.unique(jnp.array([3, 1, 3]), return_counts=True)
    >>> print(values, counts)
    [1 3] [1 2]
    """
    x = array_arg("unique", ar)
    axis = None if axis is None else axis_number("unique", axis, x.type.rank)
    data = known_size("unique", x, size, fill_value=fill_value)
    if data is not None:
        if x.type.dtype.is_storage:  # NumPy finds no NaN in the small types of ml_dtypes
            data = data.astype(np.float32)
        found = np.unique(data, True, True, True, axis=axis, equal_nan=equal_nan)
        # The elements are taken out of x, so that they keep its derivative.
        out = [_taken(x, beside(from_numpy(found[1]), x), axis), *(beside(from_numpy(np.asarray(f)), x) for f in found[1:])]
    else:
        if axis is not None:
            raise ArgumentError("unique: with size= only axis=None is available")
        out = list(_unique_traced(x, int(size or 0), fill_value, equal_nan))
    wanted = [out[0], *[v for v, w in zip(out[1:], (return_index, return_inverse, return_counts), strict=True) if w]]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)


def _taken(x: Array, indices: Array, axis: int | None = None) -> Array:
    return take(x if axis is not None else flat(x), indices, axis or 0, mode="clip")


def _unique_traced(x: Array, size: int, fill_value: ArrayLike | None, equal_nan: bool) -> tuple[Array, Array, Array, Array]:
    shape = x.type.shape
    x = flat(x)
    n = x.type.shape[0]
    if not n:
        raise ShapeError("unique: an empty array has no elements to fill `size` with")
    values, places = _rising(x)
    differs = op("ne", slice_axis(values, 0, 1, n), slice_axis(values, 0, 0, n - 1))
    if equal_nan and x.type.dtype.is_inexact:
        nan = op("ne", values, values)
        differs = differs & op("not", slice_axis(nan, 0, 1, n) & slice_axis(nan, 0, 0, n - 1))
    starts = op("concatenate", broadcast(constant(True, BOOL), (1,), ()), differs, axis=0)
    at, valid = first_true(starts, size)
    column = reshape(at, (size, 1))
    found, first = (op("gather", v, column, axes=(0,), batch=0, mode="clip") for v in (values, places))
    filler = broadcast(reshape(slice_axis(values, 0, 0, 1), ()), (size,), ()) if fill_value is None else None
    if filler is None:
        number = convert(as_value(fill_value, "unique"), x.type.dtype)
        filler = number if isinstance(number.ref, np.generic) else broadcast(number, (size,), ())
    smallest = broadcast(reshape(slice_axis(places, 0, 0, 1), ()), (size,), ())
    group = op("cumsum", convert(starts, I64), axis=0, reverse=False) - 1
    inverse = op("scatter", iota((n,), 0), reshape(places, (n, 1)), group, axes=(0,), batch=0, kind="set")
    ones = broadcast(constant(1, I64), (n,), ())
    counts = op("scatter", broadcast(constant(0, I64), (size,), ()), reshape(group, (n, 1)), ones, axes=(0,), batch=0, kind="add")
    return select(valid, found, filler), select(valid, first, smallest), reshape(inverse, shape), counts


def unique_values(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> Array:
    """The different elements in rising order. (Array API; NaNs all differ)

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.unique_values(jnp.array([3, 1, 3])))
    [1 3]
    """
    result: Array = unique(x, equal_nan=False, size=size, fill_value=fill_value)
    return result


def unique_counts(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueCounts:
    """(values, counts): the different elements and how often each occurs. (Array API)

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.unique_counts(jnp.array([3, 1, 3])))
    [1 3] [1 2]
    """
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_inverse(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueInverse:
    """(values, inverse_indices): the different elements and the number of each element's value among them. (Array API)

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.unique_inverse(jnp.array([3, 1, 3])))
    [1 3] [1 0 1]
    """
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_all(x: ArrayLike, /, *, size: int | None = None, fill_value: ArrayLike | None = None) -> UniqueAll:
    """values, indices, inverse_indices and counts of the different elements. (Array API)

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.unique_all(jnp.array([3, 1, 3])).indices)
    [1 0]
    """
    return UniqueAll(*unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value))


def isin(
    element: ArrayLike, test_elements: ArrayLike, assume_unique: bool = False, invert: bool = False, *, method: str = "auto"
) -> Array:
    """Whether each element is among test_elements; with `invert` whether it is not.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isin(jnp.array([1, 2, 3]), jnp.array([3, 1])))
    [ True False  True]
    """
    one_of("isin", "method", method, ("auto", "compare_all", "binary_search", "sort"))
    x, tests = array_arg("isin", element), array_arg("isin", test_elements)
    if mixes_signs(x, tests):
        most = int(limits(I64).max)
        known = x >= 0 if tests.type.dtype == U64 else x <= most
        found = isin(convert(x, tests.type.dtype if tests.type.dtype == U64 else I64), tests) & known
        return op("not", found) if invert else found
    x, tests = promoted("isin", [element, test_elements])
    tests = flat(tests)
    n = tests.type.shape[0]
    if not n:
        found = beside(op("broadcast", constant(False, BOOL), shape=x.type.shape, dims=()), x, tests)
    elif n <= 16 or is_complex(x):
        shape = (*x.type.shape, n)
        rank = x.type.rank
        equal = op("eq", broadcast(x, shape, tuple(range(rank))), broadcast(tests, shape, (rank,)))
        found = op("reduce_or", equal, axes=(rank,))
    else:
        ordered = op("sort", tests, axis=0)
        at = searchsorted(ordered, x)
        found = op("eq", op("gather", ordered, reshape(at, (*at.type.shape, 1)), axes=(0,), batch=0, mode="clip"), x)
    return op("not", found) if invert else found


def union1d(ar1: ArrayLike, ar2: ArrayLike, *, size: int | None = None, fill_value: ArrayLike | None = None) -> Array:
    """The different elements of both, in rising order; for `size` see `unique`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.union1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [1 2 3]
    """
    result: Array = unique(concatenate([flat(array_arg("union1d", a)) for a in (ar1, ar2)]), size=size, fill_value=fill_value)
    return result


def _rising(x: Array) -> tuple[Array, Array]:
    """A vector in rising order, and where each element was."""
    if not is_complex(x):
        values, places = op_all("sort", x, iota(x.type.shape, 0), axis=0)
        return values, places
    places = argsort(x)
    return _taken(x, places), places


def _starts(values: Array) -> Array:
    """Of sorted elements, those that differ from the one before; NaNs do not differ."""
    n = values.type.shape[0]
    behind, before = slice_axis(values, 0, min(n, 1), n), slice_axis(values, 0, 0, max(n - 1, 0))
    differs = op("ne", behind, before)
    if values.type.dtype.is_inexact:
        differs = differs & op("not", op("ne", behind, behind) & op("ne", before, before))
    return op("concatenate", broadcast(constant(True, BOOL), (min(n, 1),), ()), differs, axis=0)


def _members(where: str, x: ArrayLike, others: ArrayLike, there: bool, assume_unique: bool) -> tuple[Array, Array]:
    """The elements of x, in rising order or where they are unique as they are; and which are (not) among others, each once."""
    mine = flat(array_arg(where, x))
    mine = mine if assume_unique else _rising(mine)[0]
    found = isin(mine, array_arg(where, others), invert=not there)
    return mine, found if assume_unique else found & _starts(mine)


def _chosen(where: str, values: Array, mask: Array, size: int | None, fill_value: ArrayLike | None) -> tuple[Array, Array, Array]:
    """The elements that a mask chooses, their places, and which of these exist: all, or `size` with fill_value behind them."""
    known = known_size(where, mask, size, fill_value=fill_value)
    if known is not None:
        places = beside(from_numpy(np.flatnonzero(known)), values)
        return _taken(values, places), places, beside(fill(places.type.shape, True, BOOL), values)
    count = size_arg(where, size, "size is an integer")
    if not values.type.size:
        return (
            fill((count,), 0 if fill_value is None else fill_value, values.type.dtype),
            iota((count,), 0),
            fill((count,), False, BOOL),
        )
    places, there = first_true(mask, count)
    found = op("gather", values, reshape(places, (count, 1)), axes=(0,), batch=0, mode="clip")
    filler = convert(as_value(0 if fill_value is None else fill_value, where), values.type.dtype)
    return select(there, found, filler if is_number(filler) else broadcast(filler, (count,), ())), places, there


def intersect1d(
    ar1: ArrayLike,
    ar2: ArrayLike,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> Any:
    """The elements that are in both, each once, in rising order, in the promoted type; with `return_indices` also where each is
    first in ar1 and in ar2.

    With `size`, which traced code needs, exactly so many: the first ones, then fill_value (the smallest common one by default), at
    indices behind the arrays' ends. Raises ConcretizationTypeError for traced arrays without it.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.intersect1d(jnp.array([3, 1]), jnp.array([2, 1]), return_indices=True))
    [1] [1] [1]
    """
    x, y = (flat(v) for v in promoted("intersect1d", [ar1, ar2]))
    values, order = _rising(x)
    mask = isin(values, y) & _starts(values)
    if size is not None and fill_value is None and values.type.size:
        fill_value = _chosen("intersect1d", values, mask, 1, 0)[0][0]
    found, places, there = _chosen("intersect1d", values, mask, size, fill_value)
    if not return_indices:
        return found
    n, m = values.type.size, y.type.size
    if not n or not m:
        return found, fill(found.type.shape, n, I64), fill(found.type.shape, m, I64)
    others, other_order = _rising(y)
    equal = op("eq", *(broadcast(v, (found.type.size, m), (axis,)) for axis, v in enumerate((found, others))))
    second = op("argmax", convert(equal, I64), axis=1, dtype=I64)
    return found, *(
        select(there, _taken(order, at), broadcast(constant(end, I64), there.type.shape, ()))
        for order, at, end in ((order, places, n), (other_order, second, m))
    )


def setdiff1d(
    ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False, *, size: int | None = None, fill_value: ArrayLike | None = None
) -> Array:
    """The elements of the first that are not in the second, each once, in rising order, in the first's type.

    With assume_unique they stay in their order. With `size`, which traced code needs, exactly so many: the first ones, then
    fill_value (0 by default). Raises ConcretizationTypeError for traced arrays without it.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.setdiff1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [3]
    """
    mine, mask = _members("setdiff1d", ar1, ar2, False, assume_unique)
    return _chosen("setdiff1d", mine, mask, size, fill_value)[0]


def setxor1d(
    ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False, *, size: int | None = None, fill_value: ArrayLike | None = None
) -> Array:
    """The elements that are in just one of both, in rising order, in the promoted type.

    With `size`, which traced code needs, exactly so many: the first ones, then fill_value (the smallest of them by default). Raises
    ConcretizationTypeError for traced arrays without it.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.setxor1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [2 3]
    """
    parts = [_members("setxor1d", x, y, False, assume_unique) for x, y in ((ar1, ar2), (ar2, ar1))]
    values, order = _rising(concatenate([values for values, _ in parts]))
    mask = _taken(concatenate([mask for _, mask in parts]), order) if values.type.size else parts[0][1]
    if size is not None and fill_value is None and values.type.size:
        fill_value = _chosen("setxor1d", values, mask, 1, 0)[0][0]
    return _chosen("setxor1d", values, mask, size, fill_value)[0]


def allclose(a: ArrayLike, b: ArrayLike, rtol: ArrayLike = 1e-5, atol: ArrayLike = 1e-8, equal_nan: bool = False) -> Array:
    """Whether all elements are close, see `isclose`; a bool array without axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.allclose(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.000001])))
    True
    """
    result: Array = reductions.all(isclose(a, b, rtol, atol, equal_nan))
    return result


def array_equal(a1: ArrayLike, a2: ArrayLike, equal_nan: bool = False) -> Array:
    """Whether two arrays have one shape and equal elements (NaNs too with equal_nan).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.array_equal(jnp.array([1, 2]), jnp.array([1, 2])))
    True
    """
    x, y = as_value(a1, "array_equal"), as_value(a2, "array_equal")
    if x.type.shape != y.type.shape:
        return beside(from_numpy(np.array(False)), x, y)
    return _all_equal(x, y, equal_nan)


def array_equiv(a1: ArrayLike, a2: ArrayLike) -> Array:
    """Whether two arrays broadcast to one shape and have equal elements there.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.array_equiv(jnp.array([1, 1]), 1))
    True
    """
    x, y = as_value(a1, "array_equiv"), as_value(a2, "array_equiv")
    try:
        return _all_equal(x, y, False)
    except ShapeError:
        return beside(from_numpy(np.array(False)), x, y)


def _all_equal(x: Array, y: Array, equal_nan: bool) -> Array:
    same: Any = x == y
    if equal_nan:
        same = same | ((x != x) & (y != y))
    result: Array = reductions.all(same)
    return result
