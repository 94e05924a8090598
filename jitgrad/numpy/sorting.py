"""Sorting, searching and what follows from it: sort, argsort, lexsort, searchsorted, nonzero, digitize, partition.

Sorts are stable and put NaNs last. Where the number of results depends on the elements, traced code gives it with `size=`.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import (
    broadcast,
    constant,
    convert,
    flat,
    in_memory,
    iota,
    is_number,
    limits,
    op,
    op_all,
    reshape,
    select,
    slice_axis,
)
from jitgrad.errors import ArgumentError, ConcretizationTypeError, DTypeError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, inexact_arg, is_complex, one_of, operands, size_arg
from jitgrad.promotion import dtype_name
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import I64, SIGNED, U64, complex_of

from .arithmetic import truth
from .index_plan import columns

KINDS = (None, "quicksort", "mergesort", "heapsort", "stable")
SEARCHES = ("scan", "scan_unrolled", "sort", "compare_all", "default")


def _plain(where: str, kind: Any, order: Any) -> None:
    """`kind` says how to sort, which here is always stably; `order` would name fields, which arrays have not."""
    one_of(where, "kind", kind, KINDS)
    one_of(where, "order", order, (None,))


def _sortable(where: str, a: ArrayLike, axis: int | None) -> tuple[Array, int]:
    x = array_arg(where, a)
    if axis is None:
        x, axis = flat(x), 0
    return x, axis_number(where, axis, x.type.rank)


def sort(
    a: ArrayLike, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True, descending: bool = False
) -> Array:
    """Elements in ascending order along an axis (flattened for None), NaNs last; in descending order NaNs first.

    Complex numbers are ordered by their real, then by their imaginary parts.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.sort(jnp.array([3, 1, 2])))
    [1 2 3]
    """
    _plain("sort", kind, order)
    x, at = _sortable("sort", a, axis)
    out = _along(x, lexsort((op("imag", x), op("real", x)), at), at) if is_complex(x) else op("sort", x, axis=at)
    return op("reverse", out, axes=(at,)) if descending else out


def argsort(
    a: ArrayLike,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
    dtype: Any = None,
) -> Array:
    """The indices (int64, or of the integer type `dtype`) that sort along an axis; equal elements keep their order, also in
    descending order.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.argsort(jnp.array([3, 1, 2])), jnp.argsort(jnp.array([3, 1, 3]), descending=True))
    [1 2 0] [0 2 1]
    """
    _plain("argsort", kind, order)
    x, at = _sortable("argsort", a, axis)
    if descending:  # sorted backwards from the end, so that equal elements keep their order
        x = op("reverse", x, axes=(at,))
    keys = (op("imag", x), op("real", x)) if is_complex(x) else (x,)
    places = lexsort(keys, at)
    if descending:
        places = x.type.shape[at] - 1 - op("reverse", places, axes=(at,))
    return as_places("argsort", places, dtype)


def as_places(where: str, places: Array, dtype: Any) -> Array:
    """Indices in the integer type that is asked for."""
    if dtype is None:
        return places
    wanted = dtype_name(dtype)
    if not wanted.is_integer:
        raise DTypeError(f"{where}: dtype must be an integer type, got {wanted.numpy}")
    return convert(places, wanted)


def lexsort(keys: Sequence[ArrayLike] | ArrayLike, axis: int = -1) -> Array:
    """The indices (int64) that sort by the last key, equal ones by the key before it, and so on.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.lexsort((jnp.array([2, 1, 0]), jnp.array([1, 0, 1]))))
    [1 2 0]
    """
    if not isinstance(keys, (Array, np.ndarray, Sequence)) or isinstance(keys, str) or getattr(keys, "ndim", 1) == 0:
        raise ArgumentError(f"lexsort: keys must be a sequence of arrays, got {keys!r}")
    values = [array_arg("lexsort", k) for k in (list(keys) if isinstance(keys, Array) else keys)]
    if not values or any(v.type.shape != values[0].type.shape for v in values):
        raise ShapeError(f"lexsort: needs one key at least, all of one shape; got {[v.type.shape for v in values]}")
    at = axis_number("lexsort", axis, values[0].type.rank)
    places = iota(values[0].type.shape, at)
    for i in range(len(values)):  # stable sorts, the most important key last
        if i == 0:
            places = op_all("sort", values[0], places, axis=at)[1]
        else:
            places = op_all("sort", _along(values[i], places, at), places, axis=at)[1]
    return places


def _along(x: Array, places: Array, axis: int) -> Array:
    """x at places along an axis, for each position of the others."""
    order = (*[i for i in range(x.type.rank) if i != axis], axis)
    back = tuple(order.index(i) for i in range(x.type.rank))
    rank = x.type.rank
    rows = x if rank == 1 else op("transpose", x, permutation=order)
    column = places if rank == 1 else op("transpose", places, permutation=order)
    out = op("gather", rows, reshape(column, (*column.type.shape, 1)), axes=(rank - 1,), batch=rank - 1, mode="clip")
    return out if rank == 1 else op("transpose", out, permutation=back)


def partition(a: ArrayLike, kth: int, axis: int = -1) -> Array:
    """Elements arranged so that the kth is where sorting puts it, none smaller behind it; here they are simply sorted.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.partition(jnp.array([3, 1, 2]), 1))
    [1 2 3]
    """
    x, at = _sortable("partition", a, axis)
    axis_number("partition", kth, x.type.shape[at])
    return sort(x, at)


def argpartition(a: ArrayLike, kth: int, axis: int = -1) -> Array:
    """The indices that `partition` arranges by.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.argpartition(jnp.array([3, 1, 2]), 1))
    [1 2 0]
    """
    x, at = _sortable("argpartition", a, axis)
    axis_number("argpartition", kth, x.type.shape[at])
    return argsort(x, at)


def searchsorted(a: ArrayLike, v: ArrayLike, side: str = "left", sorter: ArrayLike | None = None, *, method: str = "scan") -> Array:
    """Where in the sorted vector `a` each element of v would go (int64): before equal ones, or with side "right" behind them.

    By bisection. NaN goes behind all numbers. Raises ShapeError unless `a` is a vector, ArgumentError for another side.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.searchsorted(jnp.array([1, 2, 2, 5]), jnp.array([2, 4])))
    [1 3]
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    one_of("searchsorted", "method", method, SEARCHES)
    keys, wanted = as_value(a, "searchsorted"), as_value(v, "searchsorted")
    if keys.type.rank != 1:
        raise ShapeError(f"searchsorted: the sorted array must be a vector, got shape {keys.type.shape}")
    if sorter is not None:
        order = array_arg("searchsorted", sorter)
        if order.type.rank != 1 or not order.type.dtype.is_integer:
            raise ArgumentError(f"searchsorted: sorter must be a vector of integers, got {order.dtype}{list(order.shape)}")
        if order.type.shape != keys.type.shape:
            raise ShapeError(f"searchsorted: sorter must have the shape {keys.type.shape} of a, got {order.type.shape}")
        keys = _along(keys, convert(order, I64), 0)
    shape, n = wanted.type.shape, keys.type.shape[0]
    if not n:
        return beside(broadcast(constant(0, I64), shape, ()), keys, wanted)
    wanted = broadcast(wanted, (1,), ()) if is_number(wanted) else flat(wanted)
    if mixes_signs(keys, wanted):
        out = _among_the_other_sign(keys, wanted, side)
    else:
        kind = operands("searchsorted", keys, constant(0, wanted.type.dtype) if not wanted.weak else wanted)[0][0].type.dtype
        out = _bisected(convert(keys, kind), convert(wanted, kind), side)
    return reshape(out, shape)


def mixes_signs(x: Array, y: Array) -> bool:
    """Whether one is uint64 and the other a signed integer, for which no integer type has room: they meet as floats."""
    kinds = {x.type.dtype, y.type.dtype}
    return U64 in kinds and not kinds.isdisjoint(SIGNED)


def _among_the_other_sign(keys: Array, wanted: Array, side: str) -> Array:
    """In the keys' own type: what is below or above all of its numbers goes to the front or the end."""
    if keys.type.dtype == U64:
        place = _bisected(keys, convert(op("max", wanted, constant(0, wanted.type.dtype)), U64), side)
        return select(wanted < 0, broadcast(constant(0, I64), place.type.shape, ()), place)
    most = int(limits(I64).max)
    held = convert(op("min", wanted, constant(most, U64)), I64)
    place = _bisected(convert(keys, I64), held, side)
    return select(wanted > most, broadcast(constant(keys.type.shape[0], I64), place.type.shape, ()), place)


def _bisected(keys: Array, wanted: Array, side: str) -> Array:
    """The place of each element of a vector among keys of its type."""
    if in_memory(keys, wanted) and not (keys.type.dtype.is_storage or keys.type.dtype.is_complex):
        return from_numpy(np.asarray(np.searchsorted(keys.data(), wanted.data(), "left" if side == "left" else "right")))
    n = keys.type.shape[0]
    low = broadcast(constant(0, I64), wanted.type.shape, ())
    high = broadcast(constant(n, I64), wanted.type.shape, ())
    is_float = wanted.type.dtype.is_float
    for _ in range(int(n).bit_length()):
        middle = op("shift_right_arithmetic", low + high, constant(1, I64))
        element = op("gather", keys, reshape(middle, (*middle.type.shape, 1)), axes=(0,), batch=0, mode="clip")
        before = element < wanted if side == "left" else element <= wanted
        if is_float:  # NaN is larger than every number and equal to itself
            nan_key, nan_wanted = op("ne", element, element), op("ne", wanted, wanted)
            before = before | (nan_wanted & (op("not", nan_key) if side == "left" else op("eq", nan_wanted, nan_wanted)))
        going = low < high
        low = select(going & before, middle + 1, low)
        high = select(going & op("not", before), middle, high)
    return low


def digitize(x: ArrayLike, bins: ArrayLike, right: bool = False, *, method: str | None = None) -> Array:
    """The number (int64) of the bin that each element falls into: bins[i - 1] <= x < bins[i].

    With `right` bins[i - 1] < x <= bins[i]. Of bins that fall, bins[i - 1] > x >= bins[i], with `right` bins[i - 1] >= x > bins[i];
    which of the two they do is seen from their ends.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.digitize(jnp.array([0.5, 1.0, 9.0]), jnp.array([1.0, 2.0])))
    [0 1 2]
    """
    one_of("digitize", "method", method, (None, *SEARCHES))
    edges = array_arg("digitize", bins)
    if edges.type.rank != 1:
        raise ShapeError(f"digitize: bins must be a vector, got shape {edges.type.shape}")
    n = edges.type.shape[0]
    side = "left" if right else "right"
    rising = searchsorted(edges, x, side)
    if n < 2:
        return rising
    falling = n - searchsorted(op("reverse", edges, axes=(0,)), x, side)
    last, first = (reshape(slice_axis(edges, 0, i, i + 1), ()) for i in (n - 1, 0))
    return select(broadcast(last >= first, rising.type.shape, ()), rising, falling)


def known_size(where: str, x: Array, size: int | None, name: str = "size", fill_value: Any = None) -> np.ndarray | None:
    """The concrete array where no size is given, an argument of that `name`. Raises ConcretizationTypeError where it is traced,
    ParametersError for a size that is no integer of 0 or more, NotAnArrayError for a fill_value that is none, also where nothing is
    to be filled.
    """
    for fill in fill_value if isinstance(fill_value, tuple) else (fill_value,):
        if fill is not None:
            as_value(fill, where)
    if size is not None:
        size_arg(where, size, f"{name} must be an integer", 0)
        return None
    concrete = x.concrete()
    if concrete is None:
        raise ConcretizationTypeError(
            f"{where}: how many results there are depends on the elements, which are traced here. Give {name}="
            + (", and fill_value= for what is left over." if name == "size" else ".")
        )
    return np.asarray(concrete)


def nonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """The indices (int64) of the elements that are not 0, one array an axis, in row-major order.

    With `size`, which traced code needs, exactly so many: the first ones, then fill_value (0 by default; a tuple: one an axis).
    Raises ConcretizationTypeError for a traced array without it.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.nonzero(jnp.array([0, 5, 0, 7])), *jnp.nonzero(jnp.array([0, 5]), size=3, fill_value=-1))
    [1 3] [ 1 -1 -1]
    """
    x = array_arg("nonzero", a)
    if not x.type.rank:
        raise ShapeError("nonzero: needs an array with axes; use jnp.atleast_1d")
    data = known_size("nonzero", x, size, fill_value=fill_value)
    if data is not None:
        return tuple(beside(from_numpy(p), x) for p in np.nonzero(data))
    places, valid = first_true(flat(truth(x)), index(size))  # type: ignore[arg-type]
    fills = fill_value if isinstance(fill_value, tuple) else (fill_value,) * x.type.rank
    out = []
    for axis, n in reversed(list(enumerate(x.type.shape))):
        number = places % n if n else places
        places = op("div", places, constant(max(n, 1), I64))
        fill = convert(as_value(0 if fills[axis] is None else fills[axis], "nonzero"), I64)
        out.append(select(valid, number, fill if isinstance(fill.ref, np.generic) else broadcast(fill, number.type.shape, ())))
    return tuple(out[::-1])


def first_true(mask: Array, size: int) -> tuple[Array, Array]:
    """Of a bool vector the places of the first `size` true elements, and which of these exist."""
    n = mask.type.shape[0]
    rank = op("cumsum", convert(mask, I64), axis=0, reverse=False) - 1  # the number of each true element among them
    target = select(mask, rank, constant(size, I64))
    empty = broadcast(constant(0, I64), (size,), ())
    places = op("scatter", empty, reshape(target, (n, 1)), iota((n,), 0), axes=(0,), batch=0, kind="set")
    total = op("reduce_sum", convert(mask, I64), axes=(0,))
    return places, op("lt", iota((size,), 0), broadcast(total, (size,), ())) if size else op("eq", places, places)


def flatnonzero(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices (int64) of the elements that are not 0 in the flattened array; see `nonzero`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.flatnonzero(jnp.array([[0, 5], [6, 0]])))
    [1 2]
    """
    return nonzero(flat(array_arg("flatnonzero", a)), size=size, fill_value=fill_value)[0]


def argwhere(a: ArrayLike, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of the elements that are not 0 as rows: [count, axes]; see `nonzero`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.argwhere(jnp.array([[0, 5], [6, 0]])))
    [[0 1]
     [1 0]]
    """
    x = array_arg("argwhere", a)
    if not x.type.rank:  # no axes, so that only the count of rows tells whether the number is 0
        rows = nonzero(reshape(x, (1,)), size=size, fill_value=fill_value)[0]
        return beside(from_numpy(np.zeros((rows.type.shape[0], 0), np.int64)), x)
    places = nonzero(x, size=size, fill_value=fill_value)
    return columns(list(places), places[0].type.shape)


def sort_complex(a: ArrayLike) -> Array:
    """Numbers as complex ones, ordered by the real and then the imaginary part.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.sort_complex(jnp.array([2 + 1j, 1 - 1j, 2 - 1j])))
    [1.-1.j 2.-1.j 2.+1.j]
    """
    x = inexact_arg("sort_complex", a)
    return sort(x if is_complex(x) else convert(x, complex_of(x.type.dtype.accumulated)))
