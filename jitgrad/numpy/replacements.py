"""Copies of arrays with other elements at places or under masks: put, place, putmask. NumPy's change their argument."""

from __future__ import annotations

from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import constant, convert, flat, iota, op, reshape, select, signed_places
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, not_in_place, stored
from jitgrad_compiler.ir.types import I64

from .arithmetic import truth
from .creation import array
from .index_plan import columns, from_front, wrapped
from .indexing import check_column, take_places, unsure
from .selection import clip


def _values(where: str, v: Any, x: Array) -> Array:
    made = array(v) if isinstance(v, (list, tuple)) else as_value(v, where)
    return flat(stored(where, made, x.type.dtype))


def _repeated(values: Array, places: Array) -> Array:
    """The values, over and over again, at places."""
    return take_places(values, op("rem", places, constant(values.type.size, places.type.dtype)), 0)


def put(a: ArrayLike, ind: ArrayLike, v: ArrayLike, mode: str | None = None, *, inplace: bool = True) -> Array:
    """A copy of `a` with values at places of the flattened array; where there are fewer values than places they repeat.

    mode: what becomes of places outside: None: nothing is written; "clip": the nearest place; "wrap": they are counted around.
    Raises ImmutableArrayError unless inplace=False is given, DTypeError unless the places are integers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.put(jnp.zeros(4), jnp.array([1, -1]), jnp.array([5.0, 6.0]), inplace=False))
    [0. 5. 0. 6.]
    """
    not_in_place("put", inplace)
    if mode not in (None, "clip", "wrap"):
        raise ArgumentError(f"put: mode must be None, 'clip' or 'wrap', got {mode!r}")
    x = array_arg("put", a)
    places = flat(array(ind) if isinstance(ind, (list, tuple)) else array_arg("put", ind))
    values, n = _values("put", v, x), x.type.size
    if not places.type.size or not values.type.size:
        return x
    if not places.type.dtype.is_integer:
        raise DTypeError(f"put: places must be integers, got {places.dtype}")
    if mode == "wrap":
        places = wrapped(places, max(n, 1))
    elif mode == "clip":
        places = clip(signed_places(places), 0, n - 1)
    else:
        places = from_front(places, n)
        if unsure(mode):
            check_column("put", places, 0, n)
    count = places.type.size
    updates = values if values.type.size == count else _repeated(values, iota((count,), 0))
    column = columns([places], (count,))
    return reshape(op("scatter", flat(x), column, updates, axes=(0,), batch=0, kind="set"), x.type.shape)


def place(arr: ArrayLike, mask: ArrayLike, vals: ArrayLike, *, inplace: bool = True) -> Array:
    """A copy of `arr` with its elements where `mask` holds replaced by `vals` in order, which repeat where there are fewer.

    Raises ImmutableArrayError unless inplace=False is given, ShapeError unless the mask has as many elements, ArgumentError for no
    values.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.arange(5)
    >>> print(jnp.place(x, x > 1, jnp.array([10, 20]), inplace=False))
    [ 0  1 10 20 10]
    """
    x, chosen, values = _masked("place", arr, mask, vals, inplace)
    rank = op("cumsum", convert(chosen, I64), axis=0, reverse=False) - 1
    return _replaced(x, chosen, values, op("max", rank, constant(0, I64)))


def putmask(a: ArrayLike, mask: ArrayLike, values: ArrayLike, *, inplace: bool = True) -> Array:
    """A copy of `a` with its elements where `mask` holds replaced by those of `values` at the same place, which repeat.

    Raises what `place` raises.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.arange(5)
    >>> print(jnp.putmask(x, x > 1, jnp.array([10, 20]), inplace=False))
    [ 0  1 10 20 10]
    """
    x, chosen, wanted = _masked("putmask", a, mask, values, inplace)
    return _replaced(x, chosen, wanted, iota((x.type.size,), 0))


def _masked(where: str, arr: ArrayLike, mask: ArrayLike, vals: ArrayLike, inplace: bool) -> tuple[Array, Array, Array]:
    not_in_place(where, inplace)
    x = array_arg(where, arr)
    chosen = truth(flat(array(mask) if isinstance(mask, (list, tuple)) else array_arg(where, mask)))
    values = _values(where, vals, x)
    if chosen.type.size != x.type.size:
        raise ShapeError(f"{where}: the mask must have as many elements as the array, {x.type.size}, got {chosen.type.size}")
    if x.type.size and not values.type.size:
        raise ArgumentError(f"{where}: needs at least one value")
    return x, chosen, values


def _replaced(x: Array, chosen: Array, values: Array, places: Array) -> Array:
    if not x.type.size:
        return x
    return reshape(select(chosen, _repeated(values, places), flat(x)), x.type.shape)
