"""What of a module is arrays and what is not: its `Plan`, by which it is flattened and made again. Next on the path: module.py.

A module's children are the attributes that hold arrays, modules, or lists, tuples, dicts and registered containers of these; all
others are static, and compared where programs are looked up. A plan is made when a module is first flattened and goes along to
every module that is made of its leaves, so that flattening reads attributes and looks at nothing. Equal plans are one object.
"""

from __future__ import annotations

import enum
import functools
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.signatures import comparable
from jitgrad.tree_keys import GetAttrKey
from jitgrad.tree_registration import Held, register_pytree_node

from .parts import has_parameters, is_module, parts
from .unbuilt import Unbuilt


class Kind(enum.Enum):
    """How an attribute is seen by pytrees."""

    ARRAYS = 1
    """As a child."""
    MIXED = 2
    """As a child whose items that hold no array are static: [Linear(...), jnp.tanh]."""
    STATIC = 3


PLAIN = (str, bytes, int, float, complex, type(None), np.generic, np.dtype, type, types.BuiltinFunctionType)


def kind_of(value: Any) -> Kind:
    """How pytrees see an attribute of this value."""
    if isinstance(value, (Array, Unbuilt)) or is_module(value):
        return Kind.ARRAYS
    if isinstance(value, PLAIN):
        return Kind.STATIC
    if isinstance(value, np.ndarray):
        return Kind.ARRAYS if value.dtype.kind in "biufcV" and value.dtype.names is None else Kind.STATIC
    if _is_container(value):
        items = value.values() if type(value) is dict else value
        kinds = {kind_of(x) for x in items if x is not None}
        if kinds <= {Kind.STATIC}:
            return Kind.STATIC
        return Kind.ARRAYS if kinds == {Kind.ARRAYS} else Kind.MIXED
    if tree.registration(type(value)) is None:
        if callable(value):
            _check_function(value)
        return Kind.STATIC
    return Kind.ARRAYS if any(kind_of(x) is not Kind.STATIC for x in tree.flatten_one_level(value)[0]) else Kind.STATIC


def _check_function(f: Any) -> None:
    """Raise ArgumentError for a function that has a module with arrays inside: they would be no leaves, and stay what they are."""
    for module in _modules_inside(f, 4):
        if any(True for _ in parts(module, has_parameters)):
            raise ArgumentError(
                f"nn.Module: the function {getattr(f, '__name__', type(f).__name__)!r} can't be an attribute, because it has a "
                f"{type(module).__name__} inside, whose arrays would be no leaves of this module, so that nothing trains them. "
                "Make that module an attribute, and write what uses it as a method."
            )


def _modules_inside(f: Any, depth: int) -> Iterator[Any]:
    """The modules that a function is bound to or closes over, itself or by functions that it closes over."""
    inside: list[Any] = [getattr(f, "__wrapped__", None)]
    if hasattr(type(f), "__jitgrad_model__"):
        inside = [f.module]
    elif isinstance(f, types.MethodType):
        inside = [f.__self__]
    elif isinstance(f, functools.partial):
        inside = [f.func, *f.args, *f.keywords.values()]
    elif isinstance(f, types.FunctionType):
        inside += [cell.cell_contents for cell in f.__closure__ or () if cell != types.CellType()]
    for x in inside:
        if is_module(x):
            yield x
        elif depth and callable(x):
            yield from _modules_inside(x, depth - 1)


def _is_container(x: Any) -> bool:
    return type(x) in (list, tuple, dict) or (isinstance(x, tuple) and hasattr(x, "_fields"))


class Fixed:
    """A static item of a container of arrays."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value, self.key = value, comparable(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return repr(self.value)


register_pytree_node(Fixed, lambda fixed: ((), fixed), lambda fixed, _: fixed)


def _rebuilt(container: Any, f: Callable[[Any], Any]) -> Any:
    if type(container) is dict:
        return {k: f(x) for k, x in container.items()}
    if hasattr(container, "_fields"):
        return type(container)(*map(f, container))
    return type(container)([f(x) for x in container])


CHILD, ALONE = "child", "static"
Pattern = Any
"""Of a MIXED value: for each item CHILD, ALONE or a Pattern, behind what `_form` says of the container."""
Seen = Any
"""A Kind, or the Pattern of a MIXED value."""


def _items(container: Any) -> list[Any]:
    return list(container.values() if type(container) is dict else container)


def _form(container: Any) -> Any:
    return (type(container), tuple(container) if type(container) is dict else len(container))


def pattern_of(x: Any) -> Pattern:
    """Which items of a value are children."""
    kind = Kind.ARRAYS if x is None else kind_of(x)
    if kind is Kind.MIXED:
        return (_form(x), *map(pattern_of, _items(x)))
    return CHILD if kind is Kind.ARRAYS else ALONE


def seen_as(value: Any) -> Seen:
    """The kind of a value, or its pattern where it is MIXED."""
    kind = kind_of(value)
    return pattern_of(value) if kind is Kind.MIXED else kind


def wrapped(x: Any, pattern: Pattern) -> Any:
    """A MIXED value whose static items are `Fixed`. An item that the pattern has as a child is one, whatever leaf stands there, and
    so is what has become one since.
    """
    if pattern is CHILD or x is None:
        return x
    if pattern is ALONE or not _is_container(x) or _form(x) != pattern[0]:
        pattern = pattern_of(x)
        if type(pattern) is str:
            return x if pattern is CHILD else Fixed(x)
    patterns = iter(pattern[1:])
    return _rebuilt(x, lambda item: wrapped(item, next(patterns)))


def unwrapped(x: Any) -> Any:
    if type(x) is Fixed:
        return x.value
    return _rebuilt(x, unwrapped) if _is_container(x) else x


def _is_mutable(x: Any) -> bool:
    return type(x) in (list, dict, set) or (type(x) is tuple and any(map(_is_mutable, x)))


def _copied(x: Any) -> Any:
    """A static value as it is now, whose lists, dicts and sets nobody else changes."""
    if type(x) is set:
        return set(x)
    return _rebuilt(x, _copied) if type(x) in (list, dict, tuple) else x


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """The values of these names in a dict, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda attributes: (attributes[names[0]],)) if names else lambda attributes: ()


class Plan:
    """The static part of a module: its class, its children's names, which of them it holds (buffers and frozen parameters), its
    static attributes, and whether it is in training.
    """

    __slots__ = (
        "__weakref__", "changing", "cls", "fixed", "hash", "held", "inference", "is_plain", "key", "keys", "kinds", "mixed",
        "names", "template", "training", "twin", "values",
    )  # fmt: skip

    def __init__(self, cls: type, kinds: Mapping[str, Seen], attributes: Mapping[str, Any], held: Mapping[str, str]) -> None:
        self.cls, self.kinds, self.held, self.training = cls, dict(kinds), held, False
        self.names = tuple(n for n, k in kinds.items() if k is not Kind.STATIC or n in held)
        self.mixed = {n: kinds[n] for n in self.names if type(kinds[n]) is tuple}
        static = {n: attributes[n] for n, k in kinds.items() if k is Kind.STATIC and n not in held}
        self.fixed = {n: comparable(x) for n, x in static.items()}
        self.changing = tuple(n for n, x in static.items() if _is_mutable(x))
        self.template = {n: _copied(static[n]) if n in static else None for n in kinds}
        self.is_plain = not (held or self.mixed or self.changing)
        self.keys = [GetAttrKey(n) for n in self.names]
        self.values = _getter(self.names)
        self.key: Any = (cls, self.names, tuple(self.mixed.items()), tuple(sorted(held.items())), tuple(self.fixed.items()), False)
        self.hash = hash(self.key)
        self.inference: Plan = self
        self.twin: Plan | None = None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Plan) and self.key == other.key)

    def __hash__(self) -> int:
        return self.hash

    def __repr__(self) -> str:
        statics = [f"{n}={x!r}" for n, x in self.template.items() if n in self.fixed]
        return f"{self.cls.__name__}({', '.join([*self.names, *statics])})"

    def fits(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the lists, dicts and sets among the static attributes are as they were."""
        return all(kind_of(attributes[n]) is Kind.STATIC and comparable(attributes[n]) == self.fixed[n] for n in self.changing)

    def in_training(self) -> Plan:
        """The plan of the same module in training."""
        if self.twin is None:
            twin = Plan(self.cls, self.kinds, self.template, self.held)
            twin.training, twin.inference, twin.key = True, self, (*self.key[:-1], True)
            twin.hash = hash(twin.key)
            self.twin = _one(twin)
        return self.twin

    def flatten(self, attributes: dict[str, Any]) -> Sequence[Any]:
        """The children."""
        if self.is_plain:
            return self.values(attributes)
        children = []
        for name, child in zip(self.names, self.values(attributes), strict=True):
            child = wrapped(child, self.mixed[name]) if name in self.mixed else child
            children.append(Held(child) if name in self.held else child)
        return children

    def unflatten(self, children: Sequence[Any]) -> dict[str, Any]:
        """The attributes."""
        attributes: dict[str, Any] = self.template.copy()
        attributes.update(zip(self.names, children))  # noqa: B905
        if self.is_plain:
            return attributes
        for name in self.held:
            child = attributes[name]
            attributes[name] = child.value if type(child) is Held else child
        for name in self.mixed:
            attributes[name] = unwrapped(attributes[name])
        for name in self.changing:
            attributes[name] = _copied(attributes[name])
        return attributes


_plans: weakref.WeakValueDictionary[Any, Plan] = weakref.WeakValueDictionary()


def _one(plan: Plan) -> Plan:
    return _plans.setdefault(plan.key, plan)


def make_plan(cls: type, attributes: Mapping[str, Any], held: Mapping[str, str], known: Mapping[str, Seen] | None = None) -> Plan:
    """The plan of a module with these attributes; `known` are the kinds of those that were not assigned since they were found.

    Values of cached properties are left out: they are computed again.
    """
    kinds: dict[str, Seen] = {}
    for name, value in attributes.items():
        if known is not None and name in known:
            kinds[name] = known[name]
        elif not isinstance(getattr(cls, name, None), functools.cached_property):
            kinds[name] = seen_as(value)
    return _one(Plan(cls, kinds, attributes, held))
