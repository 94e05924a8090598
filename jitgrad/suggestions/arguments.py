"""Which argument of a call is of no kind that its parameter takes, for errors that do not say so themselves.

In goes a call of one of our functions that has failed, out comes the parameter and what it takes, as its annotation says. Next on
the path: called.py, which completes the error's text.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from operator import index
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from jitgrad.array import as_value
from jitgrad.flags import is_flag
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.builder import Value


class Kind(NamedTuple):
    """What a parameter takes: in words, of one and of several, and whether a value is that; values of some types always are."""

    one: str
    several: str
    fits: Callable[[Any], bool]
    types: frozenset[type] = frozenset()


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
        kind = kind_of(name, str(parameter.annotation))
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


def kind_of(name: str, annotation: str) -> Kind:
    """What a parameter of a name takes by its annotation."""
    named = "DType" if name.endswith("dtype") else BY_NAME.get(name, annotation)
    return _kind(named if annotation == "Any" else annotation)


def _is_number(x: Any) -> bool:
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind in "biufV"
    return isinstance(x, Value) or (not isinstance(x, (str, bytes)) and _does(float)(x))


def _in_range(words: str, holds: Callable[[Any], Any], single: bool = False) -> Kind:
    """A number, or, unless it is to be a single one, an array of numbers, in a range; what those of Arrays are is not asked."""

    def fits(x: Any) -> bool:
        if not _is_number(x) or (single and np.ndim(x)):
            return False
        return isinstance(x, Value) or bool(np.all(holds(np.asarray(x, "float64"))))

    return Kind(f"a {words}", words.replace("number", "numbers").replace("that is", "that are"), fits)


def _is_count(least: int) -> Callable[[Any], bool]:
    return lambda x: _is_index(x) and (isinstance(x, Value) or index(x) >= least)


def _is_index(x: Any) -> bool:
    return not isinstance(x, (bool, np.bool_)) and _does(index)(x)


def _is_key(x: Any) -> bool:
    """Whether something is a random key, or the words of one."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, Value) or getattr(dtype, "__name__", None) == "prng_key" or getattr(dtype, "kind", None) == "u"


def _has(*attributes: str) -> Callable[[Any], bool]:
    return lambda x: not isinstance(x, type) and all([hasattr(x, a) for a in attributes])


def _is_list_of_numbers(x: Any) -> bool:
    try:
        return isinstance(x, (list, tuple)) and np.asarray(x).dtype.kind in "biufc"
    except ValueError:  # ragged
        return False


ARRAY = "an array or a number"
NONE = type(None)
KINDS = {
    "int": Kind("an integer", "integers", _is_index, frozenset([int])),
    "Size": Kind("an integer of 1 or more", "integers of 1 or more", _is_count(1)),
    "Count": Kind("an integer of 0 or more", "integers of 0 or more", _is_count(0)),
    "bool": Kind("True or False", "bools", is_flag, frozenset([bool, NONE])),
    "float": Kind("a number", "numbers", _is_number, frozenset([float, int])),
    "Number": _in_range("finite number", np.isfinite),
    "NotNegative": _in_range("number that is not negative", lambda x: x >= 0),
    "Positive": _in_range("positive number", lambda x: x > 0),
    "Fraction": _in_range("number from 0 to 1", lambda x: (x >= 0) & (x <= 1)),
    "Decay": _in_range("number from 0 to less than 1", lambda x: (x >= 0) & (x < 1)),
    "Real": _in_range("finite number", np.isfinite, single=True),
    "Amount": _in_range("finite number of 0 or more", lambda x: (x >= 0) & (x < np.inf), single=True),
    "Steps": _in_range("positive, finite number", lambda x: (x > 0) & (x < np.inf), single=True),
    "Part": _in_range("number from 0 to 1", lambda x: (x >= 0) & (x <= 1), single=True),
    "str": Kind("a string", "strings", lambda x: isinstance(x, str), frozenset([str])),
    "None": Kind("None", "None", lambda x: x is None, frozenset([NONE])),
    "ArrayLike": Kind(ARRAY, "arrays", _does(as_value)),
    "DType": Kind("an element type or None", "element types", lambda x: x is None or _does(dtype_name)(x), frozenset([NONE])),
    "Callable": Kind("a function", "functions", callable, frozenset([FunctionType])),
    "Mapping": Kind("a dict", "dicts", lambda x: isinstance(x, Mapping), frozenset([dict])),
    "type": Kind("a class", "classes", lambda x: isinstance(x, type), frozenset([type])),
    "PathLike": Kind("a path", "paths", lambda x: isinstance(x, os.PathLike)),
    "Path": Kind("a path", "paths", lambda x: isinstance(x, (str, os.PathLike)), frozenset([str])),
    "ndarray": Kind("an array", "arrays", lambda x: isinstance(x, (np.ndarray, Value))),
    "Metric": Kind("a metric, as metrics.Accuracy() is", "metrics", _has("init", "update", "compute")),
    "Tokenizer": Kind("a tokenizer of the package tokenizers", "tokenizers", _has("encode", "decode", "get_vocab_size")),
    "Key": Kind("a random key or None", "keys", lambda x: x is None or _is_key(x), frozenset([NONE])),
    "PyTreeDef": Kind("a structure, as tree.structure gives", "structures", _has("num_leaves", "unflatten")),
    "Hashable": Kind("hashable", "hashable values", _does(hash)),
    "TextIO": Kind("a file to write to", "files", _has("write")),
    "Optimizer": Kind("an optimizer, which has init and update", "optimizers", _has("init", "update")),
}
ANYTHING = Kind("anything", "anything", lambda x: True)
ALIASES = {
    "Axis": "int | Sequence[int] | None",
    "Shape": "int | Sequence[int]",
    "Arrays": "Sequence[ArrayLike] | ArrayLike",
    "Schedule": "Callable",
    "Initializer": "Callable",
    "Activation": "Callable",
    "LearningRate": "float | Callable",
    "GradientTransformation": "Optimizer",
    "Name": "Path",
    "IsLeaf": "Callable | None",
    "Where": "str | Iterable[str] | Callable | None",
}
BY_NAME = {"key": "Key", "preferred_element_type": "DType", "dtype_momentum": "DType", "shape": "Shape | None"}
"""Parameters whose annotations leave open what their name says."""


def _sequence(items: Kind) -> Kind:
    if items is ANYTHING:
        return Kind("a sequence", "sequences", _does(iter), frozenset([list, tuple]))

    def fits(x: Any) -> bool:
        if isinstance(x, Iterator):
            return True  # to look at its items would take them away
        try:
            return not isinstance(x, (str, bytes, Mapping)) and all(map(items.fits, x))
        except TypeError:
            return False

    return Kind(f"a sequence of {items.several}", f"sequences of {items.several}", fits)


def _mapping(keys: Kind, values: Kind) -> Kind:
    def fits(x: Any) -> bool:
        return isinstance(x, Mapping) and all(map(keys.fits, x)) and all(map(values.fits, x.values()))

    what = f"a dict of {'values' if values is ANYTHING else values.several}"
    return Kind(what if keys is ANYTHING else f"{what} by {keys.several}", "dicts", fits)


def _any_of(kinds: list[Kind]) -> Kind:
    words = [k.one for k in kinds]
    one = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    types = frozenset().union(*(k.types for k in kinds))
    return Kind(one, " or ".join(k.several for k in kinds), lambda x: any(k.fits(x) for k in kinds), types)


@cache
def _kind(annotation: str) -> Kind:
    """What an annotation says; what is no kind of this table takes anything."""
    annotation = ALIASES.get(annotation.rpartition(".")[2], annotation)
    name, _, inside = annotation.partition("[")
    parts = [inner for part in _split(annotation, "|") for inner in _split(ALIASES.get(part, part), "|")]
    if len(parts) > 1:
        kinds = list(map(_kind, parts))
        return ANYTHING if ANYTHING in kinds else _any_of(kinds)
    if name in ("Sequence", "Iterable", "tuple", "Collection", "list"):
        items = dict.fromkeys(item for item in _split(inside.removesuffix("]"), ",") if item not in ("", "..."))
        return _sequence(_kind(" | ".join(items))) if items else ANYTHING
    if name == "Mapping" and inside:
        keys, _, values = inside.removesuffix("]").partition(", ")
        return _mapping(_kind(keys), _kind(values))
    return KINDS.get(name.rpartition(".")[2], ANYTHING)


def _split(annotation: str, bar: str) -> Iterator[str]:
    """The parts between bars, or commas, that are in no brackets."""
    depth, start = 0, 0
    for i, c in enumerate(annotation):
        depth += (c == "[") - (c == "]")
        if c == bar and not depth:
            yield annotation[start:i].strip()
            start = i + 1
    yield annotation[start:].strip()
