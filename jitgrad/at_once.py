"""Functions that NumPy does at once: where nothing is traced, one call of a counterpart stands for a function's many operations.

`counterpart` names one. A function's own operations say first what type its result has for such arguments; where the counterpart
gives just that type it is called from then on. Whatever it raises, whatever lies on a GPU, is traced or weak, goes the long way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad_compiler.ir import builder, quiet
from jitgrad_compiler.ir.builder import as_typed, state
from jitgrad_compiler.ir.types import NAMES, ArrayType

from .array import Array
from .config import config

KNOWN = 512
"""How many kinds of arguments are remembered for a function."""
SMALL = 64
"""Python ints below this one may be axes or exponents: results' types are remembered for each. Larger ones go the long way."""
LONG_WAY = object()

_counterparts: dict[Any, tuple[Callable[..., Any], bool]] = {}
_all_known: list[dict[Any, Any]] = []


def counterpart(function: Any, numpys: Callable[..., Any], alike: bool = False) -> None:
    """Have `numpys` do on NumPy arrays what a function does, to the bit. It raises anything for arguments that it does not take.

    `alike`: it does so only where all arrays are of one element type, because it would promote them otherwise.
    """
    _counterparts[function] = numpys, alike


def also_counterpart(function: Any, known: Any) -> None:
    """Have another function's counterpart, if there is one, serve this one, too."""
    if known in _counterparts:
        _counterparts[function] = _counterparts[known]


def _forget(_: Any) -> None:
    for known in _all_known:
        known.clear()


for _name in ("jax_enable_x64", "default_float", "default_device"):
    config.listen(_name, _forget)


def at_once(function: Any) -> Callable[[tuple[Any, ...], dict[str, Any]], Any] | None:
    """What gives a function's result for arguments at once, or None where it has to go the long way; None without a counterpart."""
    found = _counterparts.get(function)
    if found is None:
        return None
    numpys, alike = found
    known: dict[Any, Any] = {}
    _all_known.append(known)

    def now(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if state.staging is not None or builder.watched or config.default_device is not None:
            return None
        kinds: list[Any] = []
        given: list[Any] = []
        for x in args:
            if type(x) is Array and type(x.ref) is np.ndarray and x.owner is None and not x.weak:
                kinds.append(x.type)
                given.append(x.ref)
            elif not _take(x, kinds, given):
                return None
        if kwargs:
            for name, x in kwargs.items():
                kinds.append(name)
                if not _take(x, kinds, given):
                    return None
            given, named = given[: len(args)], dict(zip(kwargs, given[len(args) :], strict=True))
        else:
            named = kwargs
        key = tuple(kinds)
        types = known.get(key)
        if types is LONG_WAY:
            return None
        if types is None:
            return _learn(function, args, kwargs, numpys, given, named, alike, known, key)
        token = quiet.state.set(quiet.QUIET)
        try:
            out = numpys(*given, **named)
        except Exception:
            return None
        finally:
            quiet.state.reset(token)
        if type(types) is ArrayType:
            if type(out) is not np.ndarray:
                out = np.asarray(out)
            return Array(types, None, out if out.dtype is types.dtype.numpy else as_typed(out, types))
        return types[0]([Array(t, None, np.asarray(o)) for t, o in zip(types[1], out, strict=True)])

    return now


def _take(x: Any, kinds: list[Any], given: list[Any]) -> bool:
    """Note an argument and what says of it how results' types depend on it, if a counterpart can be given it."""
    kind = type(x)
    if kind is Array:
        if x.owner is not None or x.weak or isinstance(x.ref, np.generic) or getattr(x.ref, "pointer", None) is not None:
            return False
        kinds.append(x.type)
        given.append(x.data())
    elif kind is float:
        kinds.append(float)
        given.append(x)
    elif kind is str or x is None or kind is bool or (kind is int and -SMALL < x < SMALL):
        kinds += (kind, x)
        given.append(x)
    elif kind is tuple or kind is list:
        items: list[Any] = []
        kinds += (kind, len(x))
        if not all([_take(v, kinds, items) for v in x]):
            return False
        given.append(kind(items))
    else:
        return False
    return True


def _learn(
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    numpys: Callable[..., Any],
    given: list[Any],
    named: dict[str, Any],
    alike: bool,
    known: dict[Any, Any],
    key: Any,
) -> Any:
    """The result by the function's own operations; whether the counterpart gives the same types is remembered."""
    if not config.jax_enable_x64:
        return None
    try:
        out = function(*args, **kwargs)
    except Exception:
        return None  # raised again, the long way
    if len(known) >= KNOWN:
        known.clear()
    known[key] = LONG_WAY
    numbers = [x.dtype for x in _flat([*given, *named.values()]) if isinstance(x, np.ndarray)]
    if any(NAMES[t].is_storage for t in numbers):
        return out
    floats = any(type(x) is float for x in given)
    if alike and (len(set(numbers)) > 1 or (floats and any(t.kind in "biu" for t in numbers))):
        return out
    token = quiet.state.set(quiet.QUIET)
    try:
        theirs = numpys(*given, **named)
    except Exception:
        return out
    finally:
        quiet.state.reset(token)
    if type(out) is Array:
        if _is_plain(out) and _agree(out, theirs):
            known[key] = out.type
    elif type(out) in (tuple, list) and len(out) == len(theirs):
        if all([type(o) is Array and _is_plain(o) and _agree(o, t) for o, t in zip(out, theirs, strict=True)]):
            known[key] = type(out), [o.type for o in out]
    return out


def _flat(items: list[Any]) -> list[Any]:
    return [y for x in items for y in (_flat(list(x)) if isinstance(x, (tuple, list)) else [x])]


def _is_plain(x: Array) -> bool:
    return x.owner is None and not x.weak and type(x.ref) is np.ndarray and not x.type.dtype.is_storage


def _agree(out: Array, theirs: Any) -> bool:
    array = np.asarray(theirs)
    return array.dtype == out.type.dtype.numpy and array.shape == out.type.shape
