"""What tells one program of a jitted function from another: the types of its arguments and their containers, and static values.

`scan` reads an argument in one walk, on the path of every call: a walker for each type, found in a table. Next: programs.py.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
import optree

from jitgrad_compiler.ir.types import I64, NAMES, ArrayType, DType

from . import tree
from .array import Array, narrow
from .config import config
from .promotion import PYTHON, WEAK

Signature = Any
Walker = Callable[[Any, list[Any]], Signature]
Builder = Callable[[Any], Any]


class UnknownArgument(Exception):
    """The arguments hold something that the fast walk does not know, a traced value for example."""


class AnyLeaves(list[Any]):
    """Leaves for `scan` that may be traced: where the signature alone is asked for."""


def scan(x: Any, leaves: list[Any]) -> Signature:
    """The signature of an argument; its leaves are appended to the list, in the order of `tree.leaves`."""
    t = type(x)
    if t is Array:
        if x.owner is not None and type(leaves) is not AnyLeaves:
            raise UnknownArgument
        leaves.append(x)
        return (x.type, x.weak) if x.weak else x.type
    if t is list or t is tuple:
        return scan_all(x, leaves, [t])
    walker = _walkers.get(t)
    return (walker or _walker_of(t))(x, leaves)


def scan_all(items: Collection[Any], leaves: list[Any], signature: list[Any]) -> Signature:
    """The signatures of items behind others; concrete arrays, of which most containers consist, without a call for each."""
    for x in items:
        if type(x) is Array and x.owner is None and not x.weak:
            leaves.append(x)
            signature.append(x.type)
        else:
            signature.append(scan(x, leaves))
    return tuple(signature)


_orders: dict[tuple[Any, ...], Callable[[Any], Collection[Any]]] = {}
"""For the keys of a dict, in the order they came in, what gives its values in the order of leaves."""
_types: dict[tuple[Any, Any], ArrayType] = {}


def _dict(x: dict[Any, Any], leaves: list[Any]) -> Signature:
    keys = tuple(x)
    values = _orders.get(keys)
    if values is None:
        order = tuple(tree.structure(dict.fromkeys(keys, 0)).entries())
        values = _orders[keys] = dict.values if order == keys else itemgetter(*order)
    # The keys as they came in: a program gives its results in that order, too.
    return scan_all(values(x), leaves, [dict, keys])


def _named_tuple(x: Collection[Any], leaves: list[Any]) -> Signature:
    return scan_all(x, leaves, [type(x)])


def _numpy_array(x: np.ndarray, leaves: list[Any]) -> Signature:
    if not config.jax_enable_x64:
        x = narrow(x)
    key = (x.shape, x.dtype)
    found = _types.get(key)
    if found is None:
        if x.dtype not in NAMES:
            if x.dtype.itemsize == 0 and x.dtype.names == ("float0",):
                return key  # there is nothing to hand over
            raise UnknownArgument
        found = _types[key] = ArrayType(x.shape, NAMES[x.dtype])
    leaves.append(x)
    return found


def _scalar(dtype: DType, weak: str) -> Walker:
    signature, target = (ArrayType((), dtype), weak), dtype.numpy

    def walk(x: Any, leaves: list[Any]) -> Signature:
        if weak == PYTHON and dtype == I64 and not (config.jax_enable_x64 or -(2**31) <= x < 2**31):
            raise UnknownArgument  # `as_value` tells of it
        try:
            leaves.append(np.asarray(x, target))
        except OverflowError:  # an int beyond 64 bits, of which `as_value` tells
            raise UnknownArgument from None
        return signature

    return walk


def _numpy_scalar(x: np.generic, leaves: list[Any]) -> Signature:
    x = narrow(x)
    leaves.append(np.asarray(x))
    return ArrayType((), NAMES[x.dtype])


def _node(flatten: Callable[[Any], Any]) -> Walker:
    """For any other container that optree knows, by its own function; its metadata are like static arguments."""

    def walk(x: Any, leaves: list[Any]) -> Signature:
        children, metadata, *_ = flatten(x)
        order = tuple(x) if isinstance(x, dict) else ()
        return scan_all(children, leaves, [type(x), comparable(metadata), order])

    return walk


def register_walker(t: type, walker: Walker) -> None:
    """Let a function read the arguments of a type of containers, quicker than optree's: it calls `scan_all` with the children."""
    _walkers[t] = walker


class _Unhashable:
    """Metadata of a container that have no hash, compared by ==."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Unhashable) and type(self.value) is type(other.value) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(type(self.value))


_walkers: dict[type, Walker] = {
    dict: _dict,
    np.ndarray: _numpy_array,
    type(None): lambda x, leaves: None,
    **{t: _scalar(*scalar) for t, scalar in WEAK.items()},
}


def _walker_of(t: type) -> Walker:
    """The walker of a type that is met for the first time."""
    if issubclass(t, np.generic) and np.dtype(t) in NAMES:
        walker: Walker = _numpy_scalar
    elif (number := next((n for n in (int, float, complex) if issubclass(t, n)), None)) is not None:
        walker = _scalar(*WEAK[number])
    elif (registration := tree.registration(t)) is None:
        raise UnknownArgument  # not kept, as it may be registered later
    elif registration.kind == optree.PyTreeKind.NAMEDTUPLE:
        walker = _named_tuple
    else:
        walker = _node(registration.flatten_func)
    _walkers[t] = walker
    return walker


def comparable(x: Any) -> Any:
    """What stands for metadata where they are compared and hashed: their `static_key`, or if that has no hash an object with ==."""
    key = static_key(x)
    try:
        hash(key)
    except TypeError:
        return _Unhashable(x)
    return key


def static_key(x: Any) -> Any:
    """A key of a static value: equal values of other types, and zeros of other signs, have other keys, also deep inside."""
    t = type(x)
    if t is float:
        return (t, x.hex())
    if t is complex:
        return (t, x.real.hex(), x.imag.hex())
    if isinstance(x, (np.inexact, np.ndarray)):
        return (t, x.dtype, x.shape, x.tobytes())
    if isinstance(x, tuple) and t.__eq__ is tuple.__eq__:
        return (t, *map(static_key, x))
    if t is list:  # among the metadata of containers
        return (t, *map(static_key, x))
    if t is frozenset or t is set:
        return (t, frozenset(map(static_key, x)))
    if t is dict:
        return (t, *((static_key(k), static_key(v)) for k, v in x.items()))
    if t is slice:
        return (t, static_key(x.start), static_key(x.stop), static_key(x.step))
    if dataclasses.is_dataclass(t) and not isinstance(x, type):
        return (t, x, tuple(_field_key(getattr(x, f.name, None)) for f in dataclasses.fields(x) if f.compare))
    return (t, x)


def _field_key(x: Any) -> Any:
    """Of a field of an object whose own hash may leave it out."""
    try:
        hash(x)
    except TypeError:
        return type(x)
    return static_key(x)


def builder_of(treedef: tree.PyTreeDef, like: Any) -> Builder:
    """A function from an iterator of leaves to the tree, without optree; `like`, such a tree, tells the order of its dicts."""
    kind: Any = treedef.type
    if treedef.is_leaf():
        return next
    if like is None:
        return lambda leaves: None
    registration = tree.registration(kind)
    parts, metadata, *_ = registration.flatten_func(like)
    children = [builder_of(c, part) for c, part in zip(treedef.children(), parts, strict=True)]
    if kind in (dict, OrderedDict, defaultdict):
        make = partial(defaultdict, like.default_factory) if kind is defaultdict else kind
        return _dict_builder(make, tuple(like), treedef.entries(), children)
    if kind is tuple:
        return lambda leaves: tuple([c(leaves) for c in children])
    if kind is list:
        return lambda leaves: [c(leaves) for c in children]
    if registration.kind == optree.PyTreeKind.NAMEDTUPLE:
        return lambda leaves: kind(*[c(leaves) for c in children])
    unflatten = registration.unflatten_func
    return lambda leaves: unflatten(metadata, tuple([c(leaves) for c in children]))


def _dict_builder(kind: Callable[..., Any], keys: tuple[Any, ...], order: list[Any], children: list[Builder]) -> Builder:
    """For a dict of these keys, whose leaves come in another order, perhaps."""
    plain = all(c is next for c in children)
    if kind is dict and keys == tuple(order):
        if plain:
            return lambda leaves: dict(zip(order, leaves))  # noqa: B905
        return lambda leaves: {k: c(leaves) for k, c in zip(order, children, strict=True)}
    places = [order.index(k) for k in keys]
    if kind is dict and plain:
        count, in_order = len(keys), itemgetter(*places)
        return lambda leaves: dict(zip(keys, in_order(tuple(islice(leaves, count)))))  # noqa: B905

    def build(leaves: Any) -> Any:
        items = [c(leaves) for c in children]
        return kind((k, items[n]) for k, n in zip(keys, places, strict=True))

    return build
