"""Arguments of public functions are what their annotations say, in modules that ask for it (publishing.py): `optim.sgd(b"x")` would
fail at the first update, far from its cause, and `optim.scale_by_rms(decay=float("nan"))` would not fail at all.

tracebacks.py and at_once.py ask when a function has raised no error of its own, which says more. Arrays are left to the functions,
which say themselves what they take for one, and so are traced values. Classes' constructors: construction.py.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from jitgrad_compiler.ir.builder import Value

from .errors import JitgradError, ParametersError, shown
from .own_frames import is_of_ours
from .suggestions.arguments import ANYTHING, ARRAY, Kind, kind_of, misfit
from .suggestions.called import PYTHONS

Checks = tuple[tuple[int, str, Kind], ...]
"""Places among positional arguments, behind all of them for those that are given by name alone, with names and what they take."""

_checks: dict[FunctionType, Checks] = {}


def check_annotations(f: Any) -> None:
    """Have the calls of a function checked from now on."""
    if isinstance(f, FunctionType):
        code = inspect.unwrap(f).__code__
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        kinds = [(n, kind_of(n, str(a))) for n, a in f.__annotations__.items() if n in parameters]
        _checks[f] = tuple(
            (at if (at := parameters.index(n)) < code.co_argcount else sys.maxsize, n, kind)
            for n, kind in kinds
            if kind is not ANYTHING and ARRAY not in kind.one
        )


def checks_of(f: Any) -> Checks | None:
    """What is to be asked of a function's arguments where it gives a result; None of a function that is never asked."""
    return _checks.get(f)


def asked(f: Callable[..., Any], name: str, checks: Checks, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """f(*args, **kwargs), a call by a `name`. Raises ParametersError as `check_kinds` does, also in place of an error of Python's
    or NumPy's, which says less.
    """
    try:
        out = f(*args, **kwargs)
    except PYTHONS as error:
        if not isinstance(error, JitgradError) and is_of_ours(error.__traceback__):
            wrong = misfit(f, args, kwargs, lists=True)
            if wrong is not None:
                raise ParametersError(f"{name}: {wrong.name} must be {wrong.takes}, got {shown(wrong.value)}") from None
        raise
    check_kinds(name, checks, args, kwargs)
    return out


def check_kinds(name: str, checks: Checks, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises ParametersError where an argument of a call of a function, a `name`, is of no kind that its parameter takes."""
    for place, parameter, kind in checks:
        if place < len(args):
            x = args[place]
        elif parameter in kwargs:
            x = kwargs[parameter]
        else:
            continue
        if type(x) not in kind.types and not (isinstance(x, Value) and x.owner is not None) and not kind.fits(x):
            raise ParametersError(f"{name}: {parameter} must be {kind.one}, got {shown(x)}")
