"""Arrays as sets: unique, isin, union1d, ...; and comparisons of whole arrays. Where the number of results depends on the elements,
traced code gives it with `size=`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import broadcast, constant, convert, flat, iota, limits, op, op_all, reshape, select, slice_axis
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, is_complex
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, U64

from . import reductions
from .arithmetic import isclose
from .indexing import take
from .manipulation import concatenate, promoted
from .sorting import first_true, known_size, mixes_signs, searchsorted, sort


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
    data = known_size("unique", x, size)
    if data is not None:
        found = np.unique(data, True, True, True, axis=axis, equal_nan=equal_nan)
        # The elements are taken out of x, so that they keep its derivative.
        out = [_taken(x, found[1], axis), *(beside(from_numpy(np.asarray(f)), x) for f in found[1:])]
    else:
        if axis is not None:
            raise ArgumentError("unique: with size= only axis=None is available")
        if is_complex(x):
            raise ArgumentError("unique: with size= complex arrays are not available")
        out = list(_unique_traced(x, int(size or 0), fill_value, equal_nan))
    wanted = [out[0], *[v for v, w in zip(out[1:], (return_index, return_inverse, return_counts), strict=True) if w]]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)


def _taken(x: Array, indices: np.ndarray, axis: int | None = None) -> Array:
    return take(x if axis is not None else flat(x), from_numpy(indices), axis or 0, mode="clip")


def _unique_traced(x: Array, size: int, fill_value: ArrayLike | None, equal_nan: bool) -> tuple[Array, Array, Array, Array]:
    shape = x.type.shape
    x = flat(x)
    n = x.type.shape[0]
    if not n:
        raise ShapeError("unique: an empty array has no elements to fill `size` with")
    values, places = op_all("sort", x, iota((n,), 0), axis=0)
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


def _known(where: str, x: Array) -> np.ndarray:
    data = known_size(where, x, None)
    assert data is not None
    return data


def _kept(where: str, x: ArrayLike, others: ArrayLike, there: bool, assume_unique: bool = False) -> Array:
    """The elements that are (not) among others, in their own type: each once, rising, or as they are where unique."""
    mine = flat(array_arg(where, x))
    mine = mine if assume_unique else unique(mine)
    return _taken(mine, np.flatnonzero(_known(where, isin(mine, array_arg(where, others), invert=not there))))


def intersect1d(ar1: ArrayLike, ar2: ArrayLike) -> Array:
    """The elements that are in both, each once, in rising order, in the promoted type; concrete arrays only.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.intersect1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [1]
    """
    kind = promoted("intersect1d", [ar1, ar2])[0].type.dtype
    return convert(_kept("intersect1d", ar1, ar2, True), kind)


def setdiff1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> Array:
    """The elements of the first that are not in the second, each once, in rising order, in the first's type; concrete arrays only.

    With assume_unique they stay in their order.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.setdiff1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [3]
    """
    return _kept("setdiff1d", ar1, ar2, False, assume_unique)


def setxor1d(ar1: ArrayLike, ar2: ArrayLike, assume_unique: bool = False) -> Array:
    """The elements that are in just one of both, in rising order, in the promoted type; concrete arrays only.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.setxor1d(jnp.array([3, 1]), jnp.array([2, 1])))
    [2 3]
    """
    parts = [_kept("setxor1d", x, y, False, assume_unique) for x, y in ((ar1, ar2), (ar2, ar1))]
    return sort(concatenate(parts))


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
