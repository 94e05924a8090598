"""NumPy's functions given an Array: `np.sin(x)`, `np.dot(m, x)`, `m * x`, `np.add.reduce(x)` do jitgrad's function of that name.

NumPy asks `Array.__array_ufunc__` and `Array.__array_function__` (NEP 13 and 18), set at the end. What jitgrad has is looked up by
name in HOMES and given the arguments by name; anything else (another function, another argument, out=) NumPy does itself where
all arrays are concrete, and elsewhere an error names it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import convert, reshape
from jitgrad.errors import ArgumentError, DTypeError, ImmutableArrayError, NotAnArrayError, TracerArrayConversionError
from jitgrad.promotion import dtype_name
from jitgrad.tracebacks import boundary
from jitgrad_compiler.ir.types import DType

from .creation import array

HOMES = {
    "numpy": "jitgrad.numpy", "numpy.linalg": "jitgrad.numpy.linalg", "numpy.fft": "jitgrad.numpy.fft",
    "scipy.special": "jitgrad.scipy.special",
}  # fmt: skip
"""Where functions live, and where ours of the same name and meaning do, if we have any."""
RENAMED = {("clip", "a_min"): "min", ("clip", "a_max"): "max"}
"""Arguments that have another name here than in NumPy."""
WRITERS = ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")
"""Functions that change their first argument."""
PRINTERS = ("array2string", "array_repr", "array_str")
UFUNC_DEFAULTS = {"casting": "same_kind", "order": "K", "subok": True, "where": True, "dtype": None, "signature": None, "sig": None}

_NOT_GIVEN = inspect.signature(np.sum).parameters["initial"].default
"""What NumPy's functions take for an argument that was not given."""


@cache
def _home(function: Any) -> str | None:
    """The module of HOMES that a function is of."""
    name = function.__name__
    return next((home for home in HOMES if getattr(sys.modules.get(home), name, None) is function), None)


@cache
def counterpart(function: Any) -> Callable[..., Any] | None:
    """Our function of the name and meaning of one of NumPy's or SciPy's."""
    ours = HOMES[home] if (home := _home(function)) else None
    return getattr(importlib.import_module(ours), function.__name__, None) if ours else None


def _named(function: Any) -> str:
    home = _home(function)
    return f"{home}.{function.__name__}" if home else function.__name__


def _in_numpy(what: str, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The call done by NumPy. Raises TracerArrayConversionError, which names `what`, unless all arrays are concrete."""

    def plain(x: Any) -> Any:
        if isinstance(x, Array):
            return x.elements(what, "functions that jitgrad.numpy has", TracerArrayConversionError)
        if isinstance(x, (list, tuple)):
            return tuple(map(plain, x)) if isinstance(x, tuple) else list(map(plain, x))
        return {k: plain(v) for k, v in x.items()} if type(x) is dict else x

    return call(*plain(args), **plain(kwargs))


def _refuse_writing(what: str, target: Any) -> None:
    if isinstance(target, Array):
        raise ImmutableArrayError(
            f"{what} would write into its argument, but jitgrad arrays are immutable, got {target.dtype}{list(target.shape)}. "
            "Use the result of jitgrad.numpy's function, or x.at[i].set(value), .add(value) and their kin."
        )


# --- functions


@cache
def _signature(function: Any) -> inspect.Signature | None:
    """NumPy's parameters; None where it does not tell, or takes any number of positions: then ours are of the same order."""
    try:
        found = inspect.signature(function)
    except ValueError:  # written in C, before NumPy 2.4
        return None
    return None if any(p.kind is p.VAR_POSITIONAL for p in found.parameters.values()) else found


def _arguments(
    function: Any, ours: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any], list[str]]:
    """NumPy's arguments as ours, by position and by name, and the names of those that ours has not."""
    signature = _signature(function)
    taken = _own_parameters(ours)
    any_name = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    if signature is None:
        return list(args), dict(kwargs), [] if any_name else [k for k in kwargs if k not in taken]
    theirs = signature.parameters
    positions, places = list(taken.values()), list(theirs)
    first: list[Any] = []
    named: dict[str, Any] = {}
    missing: list[str] = []
    for name, value in _flat(signature.bind(*args, **kwargs).arguments, theirs):
        if value is _NOT_GIVEN:
            continue
        target, place = RENAMED.get((function.__name__, name), name), places.index(name) if name in theirs else -1
        own = taken.get(target)
        if own is not None and own.kind not in (own.POSITIONAL_ONLY, own.VAR_POSITIONAL, own.VAR_KEYWORD):
            named[target] = value
        elif place == len(first) < len(positions) and (own is not None or positions[place].name not in theirs):
            first.append(value)
        elif any_name:
            named[target] = value
        elif name not in theirs or not _is_default(value, theirs[name].default):
            missing.append(name)
    return first, named, missing


def _flat(arguments: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> Any:
    """Pairs of name and value, those of ** among them."""
    for name, value in arguments.items():
        yield from value.items() if parameters[name].kind is inspect.Parameter.VAR_KEYWORD else ((name, value),)


@cache
def _own_parameters(ours: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(ours).parameters


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, (str, bool, int)) and type(value) is type(default) and value == default)


def _array_function(self: Array, function: Any, types: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A function of NumPy, one of whose arguments is an Array."""
    if not all(issubclass(t, (Array, np.ndarray)) for t in types):
        return NotImplemented
    name = _named(function)
    if function.__name__ in PRINTERS and isinstance(args[0], Array) and args[0].concrete() is not None:
        return function(args[0].shown(), *args[1:], **kwargs)
    if function.__name__ in WRITERS and name.startswith("numpy."):
        _refuse_writing(name, args[0] if args else next(iter(kwargs.values()), None))
        return _in_numpy(f"{name}, which writes into a NumPy array,", function, args, kwargs)
    ours = counterpart(function)
    if ours is None:
        return _in_numpy(f"{name}, which jitgrad does not have,", function, args, kwargs)
    first, named, missing = _arguments(function, ours, args, kwargs)
    if named.get("out") is not None or "out" in missing:
        missing = ["out"]
        _refuse_writing(f"{name} with out=", named.get("out", kwargs.get("out")))
    if missing:
        return _in_numpy(f"{name} with {missing[0]}=, which jitgrad's has not,", function, args, kwargs)
    try:
        return ours(*first, **named)
    except NotAnArrayError:  # NumPy takes a list for an array anywhere
        lists = [x for x in (*first, *named.values()) if isinstance(x, list)]
        if not lists:
            raise
    return ours(*[_from_list(x) for x in first], **{k: _from_list(x) for k, x in named.items()})


def _from_list(x: Any) -> Any:
    return array(x) if isinstance(x, list) else x


# --- ufuncs


def _array_ufunc(self: Array, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """A ufunc of NumPy or SciPy, or one of its methods, one of whose operands is an Array."""
    if method == "__call__" and not kwargs and all([type(x) in (Array, np.ndarray) for x in inputs]):
        ours = counterpart(ufunc)
        if ours is not None:
            return ours(*inputs)
    for x in (*inputs, *kwargs.get("out", ())):
        asks = getattr(type(x), "__array_ufunc__", np.ndarray.__array_ufunc__)
        if asks is not np.ndarray.__array_ufunc__ and not isinstance(x, Array):
            return NotImplemented
    name = _named(ufunc) + ("" if method == "__call__" else f".{method}")
    call = getattr(ufunc, method)
    if kwargs.get("out") is not None:
        for target in kwargs["out"]:
            _refuse_writing(f"{name} with out=", target)
        return _in_numpy(f"{name} into a NumPy array (with out=, += and the like)", call, inputs, kwargs)
    if method == "at":
        _refuse_writing(name, inputs[0])
        return _in_numpy(f"{name}, which writes into a NumPy array,", call, inputs, kwargs)
    given = {k: v for k, v in kwargs.items() if k not in UFUNC_DEFAULTS or not _is_default(v, UFUNC_DEFAULTS[k])}
    ours = counterpart(ufunc)
    if method not in ("__call__", "outer"):
        ours = getattr(ours, method, None)
    if ours is None:
        return _in_numpy(f"{name}, which jitgrad does not have,", call, inputs, kwargs)
    dtype = given.get("dtype")
    missing = [k for k in given if k not in _own_parameters(ours) and (k != "dtype" or ours is not counterpart(ufunc))]
    if "where" in missing:
        raise ArgumentError(
            f"{name}: where= without out= leaves elements unset. Choose what they are: jitgrad.numpy.where(mask, result, other)."
        )
    if missing:
        return _in_numpy(f"{name} with {missing[0]}=, which jitgrad's has not,", call, inputs, kwargs)
    inputs = tuple(map(_from_list, inputs))
    if method == "outer":
        left, right = (as_value(x, name) for x in inputs)
        inputs = (reshape(left, left.type.shape + (1,) * right.type.rank), right)
    if dtype is None or "dtype" in _own_parameters(ours):
        return ours(*inputs, **given)
    del given["dtype"]
    return _in_dtype(name, lambda *xs: ours(*xs, **given), inputs, dtype_name(dtype))


def _in_dtype(name: str, ours: Callable[..., Any], inputs: Sequence[Any], dtype: DType) -> Any:
    """ours(*inputs) computed in an element type, to which the operands must be castable as NumPy's "same_kind" says."""

    def done(result: Any) -> bool:
        return all(r.type.dtype == dtype and not r.weak for r in (result if isinstance(result, tuple) else (result,)))

    result = ours(*inputs)
    if done(result):
        return result
    values = [as_value(x, name) for x in inputs]
    for v in values:
        if not v.weak and not np.can_cast(v.dtype, dtype.numpy, "same_kind"):
            raise DTypeError(
                f"{name}: an operand of type {v.dtype} is not computed with in dtype={dtype.numpy}. Convert it with .astype."
            )
    result = ours(*[convert(v, dtype) for v in values])
    if not done(result):
        raise DTypeError(
            f"{name}: there is no result of dtype={dtype.numpy}, got {result.dtype}. Leave dtype= out, and use .astype."
        )
    return result


setattr(Array, "__array_function__", boundary(_array_function))  # noqa: B010
setattr(Array, "__array_ufunc__", boundary(_array_ufunc))  # noqa: B010
