"""Which of our functions an error came from, and what it was called with, for errors that do not say so themselves.

In goes an exception that leaves a public function (tracebacks.py), out comes the same one with its text completed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from jitgrad.errors import JitgradError

PYTHONS = (TypeError, ValueError, IndexError, AttributeError, OverflowError, ArithmeticError)
SHOWN = 60


def name_call(error: Exception, f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Put the function's name before the text of an error that does not have it, and to one that is not ours add the call.

    What Python or NumPy says of an argument deep inside ("int() argument must be ...") would tell users nothing about their line.
    """
    name = f.__name__
    if len(error.args) != 1 or not isinstance(text := error.args[0], str):
        if isinstance(error, PYTHONS):
            error.add_note(f"{CALLED} {name}({_listed(f, args, kwargs)}).")
    elif isinstance(error, JitgradError):
        if not _names(name, error.message):
            error.message, error.args = f"{name}: {error.message}", (f"{name}: {text}",)
    elif isinstance(error, PYTHONS):
        head = text if _names(name, text) else f"{name}: {text}"
        error.args = (head if CALLED in text else f"{head.rstrip('.')}. {CALLED} {name}({_listed(f, args, kwargs)}).",)


CALLED = "It was called as"


def _names(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _listed(f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The arguments of a call, each by its parameter's name."""
    try:
        given = inspect.signature(f).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {**{str(i): x for i, x in enumerate(args)}, **kwargs}
    return ", ".join(f"{name}={_described(x)}" for name, x in given.items())


def _described(x: Any) -> str:
    """An array by its type and shape, anything else as Python writes it, cut where that is long."""
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return f"{dtype}[{','.join(map(str, shape))}]"
    if isinstance(x, (list, tuple)) and len(x) <= 8:
        inside = ", ".join(map(_described, x))
        return f"[{inside}]" if isinstance(x, list) else f"({inside}{',' if len(x) == 1 else ''})"
    try:
        text = repr(x)
    except Exception:  # an object of the user's that cannot be printed
        text = f"<{type(x).__name__}>"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
