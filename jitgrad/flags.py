"""Flags: parameters of public functions that are True or False, as their annotations say.

What is neither, text or an array, is refused before the function runs: `keepdims="no"` would be taken for True. tracebacks.py and
at_once.py ask, before they call.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from operator import index
from types import FunctionType
from typing import Any

from .errors import ParametersError, shown

Flags = tuple[tuple[int, str], ...]
"""Places among positional arguments, behind all of them for flags that are given by name alone, with names."""

ANNOTATIONS = ("bool", "bool | None", bool)
NUMBERS = frozenset("biufcV")
"""The kinds of element types of numbers, as NumPy abbreviates them; those of 16 bits and less that it lacks are V."""


def flags_of(f: Any) -> Flags:
    """The flags among a function's own parameters."""
    if not isinstance(f, FunctionType):
        return ()
    code = f.__code__
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    flags = [n for n, annotation in f.__annotations__.items() if annotation in ANNOTATIONS and n in parameters]
    return tuple((at if (at := parameters.index(n)) < code.co_argcount else sys.maxsize, n) for n in flags)


def check_flags(f: Any, flags: Flags, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises ParametersError where a flag of the call f(*args, **kwargs) is none."""
    for place, name in flags:
        x = args[place] if place < len(args) else kwargs.get(name)
        if x is not None and x is not True and x is not False and not is_flag(x):
            raise ParametersError(f"{f.__name__}: {name} must be True or False, got {shown(x)}")


def is_flag(x: Any) -> bool:
    """Whether something is a bool, an integer, as in NumPy, a number of no axes, or None, which says nothing."""
    if isinstance(x, (str, bytes)):
        return False
    if x is None:
        return True
    if getattr(x, "shape", None) == ():
        return getattr(x.dtype, "kind", None) in NUMBERS
    try:
        index(x)
    except TypeError:
        return False
    return True
