"""Functions done at once: where nothing is traced, one call stands for a function's many operations.

`counterpart` names a function of NumPy arrays that gives the same numbers to the bit. A function's own operations say first what
type its result has for such arguments; where the counterpart gives just that type it is called from then on. `replayed` names a
function whose operations are written down when it is called again with such arguments (replay.py). Whatever these raise, whatever
lies on a GPU, is traced or weak, goes the long way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import asarray, ndarray

from jitgrad_compiler.ir import builder
from jitgrad_compiler.ir.builder import as_typed, state
from jitgrad_compiler.ir.graph import Op
from jitgrad_compiler.ir.quiet import QUIET
from jitgrad_compiler.ir.quiet import state as _errors
from jitgrad_compiler.ir.types import NAMES, ArrayType

from .annotated import check_kinds, checks_of
from .array import Array
from .config import config
from .flags import check_flags, flags_of
from .replay import recorded

Now = Callable[[tuple[Any, ...], dict[str, Any]], Any]

KNOWN = 512
"""How many kinds of arguments are remembered for a function."""
SMALL = 1 << 12
"""Python ints below this one may be sizes or axes: results' types are remembered for each. Larger ones go the long way."""
LARGE = 1 << 31
"""Python ints below this one may be operands: results' types are remembered for each number of bits."""
LONG_WAY = object()
SEEN = object()
_set, _reset, _new = _errors.set, _errors.reset, tuple.__new__

_counterparts: dict[Any, tuple[Callable[..., Any], bool, bool]] = {}
_replayed: set[Any] = set()
_all_known: list[dict[Any, Any]] = []


def counterpart(function: Any, numpys: Callable[..., Any], alike: bool = False, any_size: bool = False) -> None:
    """Have `numpys` do on NumPy arrays what a function does, to the bit. It raises anything for arguments that it does not take.

    `alike`: it does so only where all arrays are of one element type, because it would promote them otherwise; its ints are
    operands. `any_size`: the elements say how many results there are.
    """
    _counterparts[function] = numpys, alike, any_size


def of_one_type(numpys: Callable[..., Any]) -> Callable[..., Any]:
    """A reference that looks at its two operands, and is to see a Python number in the type of the array beside it."""

    def evaluate(x: Any, y: Any) -> Any:
        if not isinstance(y, ndarray):
            y = x.dtype.type(y)
        elif not isinstance(x, ndarray):
            x = y.dtype.type(x)
        return numpys(x, y)

    return evaluate


def one_op(function: Any, op: Op) -> None:
    """Have an op's reference do what a function does that is this op alone, of one or two operands of one type."""
    plain = op.traits.arity != 2 or isinstance(op.numpy, np.ufunc)
    counterpart(function, op.numpy if plain else of_one_type(op.numpy), alike=True)


def also_counterpart(function: Any, known: Any, swapped: bool = False) -> None:
    """Have another function's counterpart, if there is one, serve this one, too; `swapped`: with its two arguments exchanged."""
    if known in _counterparts:
        numpys, *how = _counterparts[known]
        counterpart(function, (lambda x, y: numpys(y, x)) if swapped else numpys, *how)
    if known in _replayed:
        _replayed.add(function)


def replayed(function: Any) -> None:
    """Have a function's operations written down and done again. Of its arguments' elements it is to look at none."""
    _replayed.add(function)


def done_at_once(function: Any) -> Any:
    """A function of this package, called inside of others, that is replayed as those are that users call."""
    replayed(function)
    now = at_once(function)

    def done(*args: Any) -> Any:
        found = None if now is None else now(args, {})
        return function(*args) if found is None else found

    return done


def _forget(_: Any) -> None:
    for known in _all_known:
        known.clear()


_elsewhere = False
"""Whether arrays are made on a device that is not the processor."""


def _note_device(device: Any) -> None:
    global _elsewhere
    _elsewhere = device is not None


for _name in ("jax_enable_x64", "default_float", "checked", "jax_default_matmul_precision"):
    config.listen(_name, _forget)
config.listen("default_device", _note_device)


def at_once(function: Any) -> Now | None:
    """What gives a function's result for arguments at once, or None where it has to go the long way; None if nothing does so."""
    now = _by_replay(function) if function in _replayed else None
    return _by_counterpart(function, *_counterparts[function], now or _not_now) if function in _counterparts else now


def _not_now(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Of a function that is replayed for no arguments."""


def _by_counterpart(function: Any, numpys: Callable[..., Any], alike: bool, any_size: bool, otherwise: Now) -> Now:
    known: dict[Any, Any] = {}
    _all_known.append(known)
    take = _take_operand if alike else _take

    def now(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if state.staging is not None or builder.watched or _elsewhere:
            return None
        named = kwargs
        if not kwargs and len(args) == 1 and type(x := args[0]) is Array and type(x.ref) is ndarray and not x.weak:
            key: tuple[Any, ...] = (x.type,)
            given: list[Any] = [x.ref]
        else:
            kinds: list[Any] = []
            given = []
            for x in args:
                if type(x) is Array and type(x.ref) is ndarray and not x.weak:
                    kinds.append(x.type)
                    given.append(x.ref)
                elif not take(x, kinds, given):
                    return otherwise(args, kwargs)
            if kwargs:
                named = {}
                for name, x in kwargs.items():
                    kinds.append(name)
                    if not take(x, kinds, given):
                        return otherwise(args, kwargs)
                    named[name] = given.pop()
            key = tuple(kinds)
        found = known.get(key)
        if found is LONG_WAY:
            return otherwise(args, kwargs)
        if found is None:
            return _learn(function, args, kwargs, numpys, given, named, alike, known, key)
        make, types, weak = found
        token = _set(QUIET)
        try:
            out = numpys(*given, **named) if named else numpys(*given)
        except Exception:
            return otherwise(args, kwargs)
        finally:
            _reset(token)
        if make is None:
            if type(out) is not ndarray:
                out = asarray(out)
            if any_size:
                types = _new(ArrayType, (out.shape, types.dtype))
            return Array(types, None, out if out.dtype is types.dtype.numpy else as_typed(out, types), weak)
        if any_size:
            types = [_new(ArrayType, (o.shape, t.dtype)) for t, o in zip(types, out, strict=True)]
        return make([Array(t, None, asarray(o)) for t, o in zip(types, out, strict=True)])

    return now


def _take_operand(x: Any, kinds: list[Any], given: list[Any]) -> bool:
    """`_take` of a number or an array."""
    if type(x) is int and -LARGE < x < LARGE:
        kinds += (x.bit_length(), x < 0)
        given.append(x)
        return True
    return _take(x, kinds, given)


def _take(x: Any, kinds: list[Any], given: list[Any]) -> bool:
    """Note an argument and what says of it how results' types depend on it, if a counterpart can be given it."""
    kind = type(x)
    if kind is Array:
        if not _is_here(x):
            return False
        kinds.append(x.type)
        given.append(x.data())
    elif kind is float or kind is np.float64:
        kinds.append(kind)
        given.append(float(x))
    elif kind is complex:
        kinds.append(kind)
        given.append(x)
    elif kind is str or x is None or kind is bool or kind is type or (kind is int and -SMALL < x < SMALL):
        kinds += (kind, x)
        given.append(x)
    elif kind is tuple or kind is list:
        items: list[Any] = []
        kinds += (kind, len(x))
        if not all([_take(v, kinds, items) for v in x]):
            return False
        given.append(kind(items))
    elif (kind is ndarray or kind is np.float32) and x.dtype in NAMES:
        kinds.append(ArrayType(x.shape, NAMES[x.dtype]))
        given.append(np.array(x))
    else:
        return False
    return True


def _is_here(x: Array) -> bool:
    """Whether an Array is a plain one in this computer's memory, and no scalar constant."""
    return x.owner is None and not x.weak and not isinstance(x.ref, np.generic) and getattr(x.ref, "pointer", None) is None


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
        check_flags(function, flags_of(function), args, kwargs)
        out = function(*args, **kwargs)
        check_kinds(function.__name__, checks_of(function) or (), args, kwargs)
    except Exception:
        return None  # raised again, the long way
    _remember(known, key, LONG_WAY)
    numbers = [x.dtype for x in _flat([*given, *named.values()]) if isinstance(x, ndarray)]
    if any(NAMES[t].is_storage for t in numbers):
        return out
    floats = any(type(x) in (float, complex) for x in given)
    if alike and (len(set(numbers)) > 1 or (floats and any(t.kind in "biu" for t in numbers))):
        return out
    token = _set(QUIET)
    try:
        theirs = numpys(*given, **named)
    except Exception:
        return out
    finally:
        _reset(token)
    if (found := _of_results(out)) is not None:
        theirs = [theirs] if found[0] is None else theirs
        leaves = [out] if found[0] is None else out
        if len(leaves) == len(theirs) and all([_agree(o, t) for o, t in zip(leaves, theirs, strict=True)]):
            known[key] = found
    return out


def _of_results(out: Any) -> tuple[Any, Any, Any] | None:
    """Of results that are arrays: what makes one of several (None of a single one), their types, and whether it is weak."""
    if type(out) is Array:
        return (None, out.type, out.weak) if _is_plain(out) else None
    if isinstance(out, (tuple, list)) and all([type(o) is Array and _is_plain(o) and not o.weak for o in out]):
        return getattr(type(out), "_make", type(out)), [o.type for o in out], False
    return None


def _remember(known: dict[Any, Any], key: Any, what: Any) -> None:
    if len(known) >= KNOWN:
        known.clear()
    known[key] = what


def _flat(items: list[Any]) -> list[Any]:
    return [y for x in items for y in (_flat(list(x)) if isinstance(x, (tuple, list)) else [x])]


def _is_plain(x: Array) -> bool:
    return x.owner is None and type(x.ref) is ndarray and not x.type.dtype.is_storage


def _agree(out: Array, theirs: Any) -> bool:
    array = asarray(theirs)
    return array.dtype == out.type.dtype.numpy and array.shape == out.type.shape


def _by_replay(function: Any) -> Now:
    known: dict[Any, Any] = {}
    _all_known.append(known)

    def now(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if state.staging is not None or builder.watched or _elsewhere:
            return None
        kinds: list[Any] = []
        given: list[Any] = []
        for x in args:
            if type(x) is Array and type(x.ref) is ndarray and not x.weak:
                kinds.append(x.type)
                given.append(x.ref)
            elif not _note(x, kinds, given):
                return None
        for name, x in kwargs.items():
            kinds.append(name)
            if not _note(x, kinds, given):
                return None
        key = tuple(kinds)
        found = known.get(key)
        if found is LONG_WAY:
            return None
        if found is None:
            _remember(known, key, SEEN)
            return None
        if found is SEEN:
            return _record(function, args, kwargs, given, known, key)
        call, (make, types, weak) = found
        token = _set(QUIET)
        try:
            out = call(*given)
        except Exception:
            return None
        finally:
            _reset(token)
        if make is None:
            return Array(types, None, out if type(out) is ndarray else asarray(out), weak)
        return make([Array(t, None, asarray(o)) for t, o in zip(types, out, strict=True)])

    return now


def _note(x: Any, kinds: list[Any], given: list[Any]) -> bool:
    """Note an array of an argument, or what a function's operations depend on beside arrays."""
    kind = type(x)
    if kind is Array:
        if not _is_here(x):
            return False
        kinds.append(x.type)
        given.append(x.data())
    elif kind is float:
        kinds += (kind, x or str(x))  # 0.0 and -0.0 are equal
    elif kind in _STATIC or x is None:
        kinds += (kind, x)
    elif kind is tuple or kind is list:
        kinds += (kind, len(x))
        return all([_note(v, kinds, given) for v in x])
    else:
        return False
    return True


_STATIC = (str, bool, int, type, np.dtype)


def _record(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: list[Any], known: dict[Any, Any], key: Any) -> Any:
    """The result by the function's own operations; they are written down, if that gives the same numbers to the bit."""
    if not config.jax_enable_x64:
        return None
    try:
        check_flags(function, flags_of(function), args, kwargs)
        out = function(*args, **kwargs)
        check_kinds(function.__name__, checks_of(function) or (), args, kwargs)
    except Exception:
        return None  # raised again, the long way
    known[key] = LONG_WAY
    found = _of_results(out)
    if found is None:
        return out
    leaves, single = ([out], True) if found[0] is None else (out, False)
    token = _set(QUIET)
    try:
        call = recorded(function, args, kwargs, given)
        replays = [call(*given)] if single else call(*given)
    except Exception:
        return out
    finally:
        _reset(token)
    if all([_agree(x, r) and x.data().tobytes() == asarray(r).tobytes() for x, r in zip(leaves, replays, strict=True)]):
        known[key] = call, found
    return out
