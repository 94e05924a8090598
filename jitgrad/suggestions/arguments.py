"""Which argument of a call is of no kind that its parameter takes, for errors that do not say so themselves.

In goes a call of one of our functions that has failed, out comes the parameter and what it takes, as its annotation says. Next on
the path: called.py, which completes the error's text.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from operator import index
from typing import Any, NamedTuple

import numpy as np

from jitgrad.array import as_value
from jitgrad.flags import is_flag
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.builder import Value


class Kind(NamedTuple):
    """What a parameter takes: in words, of one and of several, and whether a value is that."""

    one: str
    several: str
    fits: Callable[[Any], bool]


class Misfit(NamedTuple):
    """An argument, by its parameter's name, with what that takes."""

    name: str
    takes: str
    value: Any


def misfit(f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], lists: bool) -> Misfit | None:
    """The first argument of f(*args, **kwargs) that is of no kind its parameter takes; some functions take `lists` for arrays."""
    try:
        signature = inspect.signature(f)
        given = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return None
    for name, value in given.items():
        parameter = signature.parameters[name]
        annotation = str(parameter.annotation)
        kind = _kind(BY_NAME.get(name, annotation) if annotation == "Any" else annotation)
        each: Iterable[tuple[str, Any]] = [(name, value)]
        if parameter.kind is parameter.VAR_POSITIONAL:
            each = [(f"{name}[{i}]", v) for i, v in enumerate(value)]
        elif parameter.kind is parameter.VAR_KEYWORD:
            each = value.items()
        for shown, v in each:
            if not kind.fits(v) and not (lists and ARRAY in kind.one and _is_list_of_numbers(v)):
                return Misfit(shown, kind.one, v)
    return None


def _does(function: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Whether a function takes a value."""

    def fits(x: Any) -> bool:
        try:
            function(x)
        except Exception:
            return False
        return True

    return fits


def _is_number(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "biuf"
    return isinstance(x, Value) or (not isinstance(x, (str, bytes)) and _does(float)(x))


def _is_list_of_numbers(x: Any) -> bool:
    try:
        return isinstance(x, (list, tuple)) and np.asarray(x).dtype.kind in "biufc"
    except ValueError:  # ragged
        return False


ARRAY = "an array or a number"
KINDS = {
    "int": Kind("an integer", "integers", _does(index)),
    "bool": Kind("True or False", "bools", is_flag),
    "float": Kind("a number", "numbers", _is_number),
    "str": Kind("a string", "strings", lambda x: isinstance(x, str)),
    "None": Kind("None", "None", lambda x: x is None),
    "ArrayLike": Kind(ARRAY, "arrays", _does(as_value)),
    "DType": Kind("an element type or None", "element types", lambda x: x is None or _does(dtype_name)(x)),
    "Callable": Kind("a function", "functions", callable),
}
ANYTHING = Kind("anything", "anything", lambda x: True)
ALIASES = {"Axis": "int | Sequence[int] | None", "Shape": "int | Sequence[int]", "Arrays": "Sequence[ArrayLike] | ArrayLike"}
BY_NAME = {"dtype": "DType", "preferred_element_type": "DType", "shape": "Shape | None"}
"""Parameters whose annotations leave open what their name says."""


def _sequence(items: Kind) -> Kind:
    def fits(x: Any) -> bool:
        try:
            return not isinstance(x, (str, bytes, Mapping)) and all(map(items.fits, x))
        except TypeError:
            return False

    return Kind(f"a sequence of {items.several}", f"sequences of {items.several}", fits)


def _any_of(kinds: list[Kind]) -> Kind:
    words = [k.one for k in kinds]
    one = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    return Kind(one, " or ".join(k.several for k in kinds), lambda x: any(k.fits(x) for k in kinds))


@cache
def _kind(annotation: str) -> Kind:
    """What an annotation says; what is no kind of this table takes anything."""
    name, _, inside = ALIASES.get(annotation.rpartition(".")[2], annotation).partition("[")
    parts = list(_alternatives(ALIASES.get(annotation.rpartition(".")[2], annotation)))
    if len(parts) > 1:
        kinds = list(map(_kind, parts))
        return ANYTHING if ANYTHING in kinds else _any_of(kinds)
    if name in ("Sequence", "Iterable", "tuple", "Collection", "list"):
        items = re.sub(r",.*", "", inside.removesuffix("]"))
        return _sequence(_kind(items)) if items else ANYTHING
    return KINDS.get(name, ANYTHING)


def _alternatives(annotation: str) -> Iterator[str]:
    """The parts between the bars that are in no brackets."""
    depth, start = 0, 0
    for i, c in enumerate(annotation):
        depth += (c == "[") - (c == "]")
        if c == "|" and not depth:
            yield annotation[start:i].strip()
            start = i + 1
    yield annotation[start:].strip()
