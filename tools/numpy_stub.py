"""Writes jitgrad/numpy/__init__.pyi, the types of jitgrad.numpy's functions for editors and mypy: `python tools/numpy_stub.py`.

Functions are written with the signatures that they have, those with ufuncs' methods as instances of protocols; every other name
comes from the module that jitgrad/numpy/__init__.py imports it from, or is one of its own assignments.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import FunctionType

import jitgrad.numpy as jnp

SOURCE = Path(jnp.__file__)
STUB = SOURCE.with_suffix(".pyi")

HEADER = """\
# Written by tools/numpy_stub.py: the types of jitgrad.numpy's functions, for editors and mypy.
# ruff: noqa

from builtins import bool as _bool
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from jitgrad.array import Array

from . import fft as fft, linalg as linalg

class _HasArray(Protocol):
    def __array__(self) -> Any: ...

ArrayLike = Array | np.ndarray[Any, Any] | np.generic | complex | _HasArray
Arrays = ArrayLike | Sequence[Any]
Axis = int | Sequence[int] | None
Bins = Any
Path = list[tuple[int, ...]]
Shape = tuple[int, ...]

class _UnaryUfunc(Protocol):
    __name__: str
    nin: int
    nout: int
    nargs: int
    identity: Any
    def __call__(self, x: ArrayLike, /) -> Array: ...
    def at(self, a: ArrayLike, indices: Any, /, *, inplace: _bool = True) -> Array: ...

class _BinaryUfunc(Protocol):
    __name__: str
    nin: int
    nout: int
    nargs: int
    identity: Any
    def __call__(self, x: ArrayLike, y: ArrayLike, /) -> Array: ...
"""
METHODS = ("reduce", "accumulate", "reduceat", "outer", "at")


def signature(function: FunctionType, first: str = "") -> str:
    """(parameters) -> result, as text, with `first` in front."""
    found = inspect.signature(function)
    parts, marked = [first] if first else [], False
    parameters = list(found.parameters.values())
    for n, p in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY and not marked:
            parts.append("*")
            marked = True
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        marked = marked or p.kind is p.VAR_POSITIONAL
        text = f"{star}{p.name}: {annotation(p.annotation)}"
        parts.append(text if p.default is p.empty else f"{text} = {default(p.default)}")
        last = n + 1 == len(parameters) or parameters[n + 1].kind is not p.POSITIONAL_ONLY
        if p.kind is p.POSITIONAL_ONLY and last:
            parts.append("/")
    return f"({', '.join(parts)}) -> {annotation(found.return_annotation)}"


def annotation(given: object) -> str:
    return re.sub(r"\bbool\b", "_bool", given) if isinstance(given, str) else "Any"  # jnp.bool is an element type


def default(value: object) -> str:
    return repr(value) if isinstance(value, (int, float, str, bool, type(None))) and value == value else "..."


def is_ufunc(function: object, nin: int) -> bool:
    """Whether a function is called as the protocol of ufuncs of so many operands is."""
    if not isinstance(function, FunctionType) or getattr(function, "nin", 0) != nin or function.nout != 1:  # type: ignore[attr-defined]
        return False
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]  # some are called by name, too, as jax's are
    return set(kinds) <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD} and len(kinds) == nin


def declaration(name: str, places: dict[str, str]) -> str:
    value = getattr(jnp, name)
    for nin, protocol in ((1, "_UnaryUfunc"), (2, "_BinaryUfunc")):
        if is_ufunc(value, nin):
            return f"{name}: {protocol}"
    if isinstance(value, FunctionType):
        return f"def {name}{signature(value)}: ..."
    if name in places:
        return f"from .{places[name]} import {name} as {name}"
    same = next(n for n in places if getattr(jnp, n) is value) if not isinstance(value, str) else None
    return f"{name} = {same}" if same else f"{name}: {type(value).__name__}"


def imported_from() -> dict[str, str]:
    """The module of this package that each name comes from."""
    places = {}
    for node in ast.parse(SOURCE.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 1:
            places.update({a.asname or a.name: node.module for a in node.names})
    return places


def classes(names: list[str], places: dict[str, str]) -> list[str]:
    """Imports of the classes that signatures name."""
    words = {
        w for n in names if isinstance(getattr(jnp, n), FunctionType) for w in signature(getattr(jnp, n)).replace("|", " ").split()
    }
    homes = {"NpzArrays": "files_and_text", "UniqueAll": "sets", "UniqueCounts": "sets", "UniqueInverse": "sets"}
    return [f"from .{home} import {name} as {name}" for name, home in homes.items() if name in words]


def text() -> str:
    """The whole stub."""
    names, places = sorted(jnp.__all__), imported_from()
    methods = [f"    def {m}{signature(getattr(jnp.add, m), 'self')}: ..." for m in METHODS]
    aliases = [n for n in names if not isinstance(getattr(jnp, n), FunctionType) and n not in places]
    ordered = [n for n in names if n not in aliases] + aliases
    declared = [declaration(n, places) for n in ordered]
    everything = f"__all__ = [\n{''.join(f'    {n!r},' + chr(10) for n in names)}]"
    return "\n".join([HEADER + "\n".join(methods), "", *classes(names, places), "", *declared, "", everything, ""])


if __name__ == "__main__":
    STUB.write_text(text())
