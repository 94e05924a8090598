"""The parts of a module with their paths: submodules and arrays, wherever containers hold them; and what stands in two places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.tracing import is_module
from jitgrad.tree_keys import key_of

from .unbuilt import Unbuilt


def is_array(x: Any) -> bool:
    return isinstance(x, (Array, np.ndarray))


def has_parameters(x: Any) -> bool:
    """Whether x is an array, or stands for those that a layer does not have yet."""
    return is_array(x) or isinstance(x, Unbuilt)


def below(x: Any) -> Iterator[tuple[str, Any]]:
    """What a module or a container holds, each with its place: `.weight`, `[0]`, `['a']`. Nothing for an array."""
    if is_module(x):
        yield from [(f".{name}", value) for name, value in vars(x).items()]
    elif type(x) in (list, tuple):
        yield from [(f"[{i}]", value) for i, value in enumerate(x)]
    elif type(x) is dict:
        yield from [(f"[{k!r}]", value) for k, value in x.items()]
    elif not is_array(x) and x is not None and (registration := tree.registration(type(x))) is not None:
        children, _, entries = tree.flatten_one_level(x)
        yield from [(str(key_of(registration.kind, type(x), e)), c) for c, e in zip(children, entries, strict=True)]


def parts(x: Any, wanted: Callable[[Any], bool], path: str = "") -> Iterator[tuple[str, Any]]:
    """All parts of x that are `wanted`, itself included, with their paths; those that are outside come first."""
    if wanted(x):
        yield path, x
    for place, value in below(x):
        yield from parts(value, wanted, path + place)


def modules(x: Any) -> Iterator[tuple[str, Any]]:
    """A module and all modules inside it, with their paths."""
    return parts(x, is_module)


def arrays(x: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays of an attribute or a pytree with their paths, without those of modules inside."""
    if is_array(x):
        yield path, x
    elif not is_module(x):
        for place, value in below(x):
            yield from arrays(value, path + place)


def shown(path: str) -> str:
    """A path as it is written behind the module's name and a dot."""
    return path.removeprefix(".")


def check_places(module: Any) -> None:
    """Raise ArgumentError where one module or one parameter stands in two places: as a pytree it would become two."""
    where = type(module).__name__
    seen: dict[int, tuple[str, Any]] = {}
    held: list[Any] = []  # so that no id is given twice

    def visit(x: Any, path: str, above: tuple[int, ...], counted: bool) -> None:
        if counted and id(x) in seen:
            first = seen[id(x)][0]
            if id(x) in above:
                raise ArgumentError(
                    f"{where}: {shown(path)} is the module {shown(first) or 'itself'} around it. Pass it as an argument."
                )
            if is_array(x):
                raise ArgumentError(
                    f"{where}: {shown(first)} and {shown(path)} are one array. As leaves of a pytree they would be two parameters, "
                    "trained apart. For tied weights keep it in one place and use it from there (Embedding.attend does); for two "
                    "that start equal assign x.copy()."
                )
            if any(True for _ in parts(x, has_parameters)):
                raise ArgumentError(
                    f"{where}: {shown(first)} and {shown(path)} are one {type(x).__name__}. As parts of a pytree they would be two "
                    "modules, trained apart. For tied weights keep it in one place and call it from there (Embedding.attend does); "
                    "for two that start equal assign copy.deepcopy of it."
                )
            return
        if counted:
            seen[id(x)] = path, x
        inside = (*above, id(x)) if is_module(x) else above
        buffers = x._held if is_module(x) else {}
        for place, value in below(x):
            held.append(value)
            is_buffer = place[1:] in buffers
            single = is_module(value) or (is_array(value) and value.dtype.kind in "fcV" and not is_buffer and not _is_traced(value))
            visit(value, path + place, inside, single)

    visit(module, "", (), True)


def _is_traced(x: Any) -> bool:
    return isinstance(x, Array) and x.owner is not None
