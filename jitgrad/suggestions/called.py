"""Which of our functions an error came from, and what it was called with, for errors that do not say so themselves.

In goes an exception that leaves a public function (tracebacks.py), out comes the same one with its text completed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from jitgrad.errors import JitgradError, NotAnArrayError

from .arguments import misfit

PYTHONS = (TypeError, ValueError, IndexError, AttributeError, OverflowError, ArithmeticError, MemoryError)
SHOWN = 60


def name_call(error: Exception, f: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Put the name by which a function was called before the text of an error that does not have it, or has another one, and to one
    that is not ours add the call.

    What Python or NumPy says of an argument deep inside ("int() argument must be ...") would tell users nothing about their line.
    """
    wrong = misfit(f, args, kwargs, lists=not isinstance(error, NotAnArrayError))
    if len(error.args) != 1 or not isinstance(text := error.args[0], str):
        if isinstance(error, PYTHONS):
            said = "" if wrong is None else f"{name}: {wrong.name} must be {wrong.takes}, got {_described(wrong.value)}. "
            error.add_note(f"{said}{CALLED} {name}({_listed(f, args, kwargs)}).")
    elif isinstance(error, JitgradError):
        said = re.sub(rf"^([\w.]*\b)?{re.escape(f.__name__)}\b", rf"\g<1>{name}", error.message)
        whole = said if _names(name, said) else _in_place_of_inner(f, name, said, wrong is not None)
        if wrong is not None and not _tells(wrong.name, whole):
            whole = f"{whole.rstrip('.')}. That is the argument {wrong.name}."
        error.message, error.args = whole, (text.replace(error.message, whole, 1),)
    elif isinstance(error, PYTHONS):
        head = text if _names(name, text) else f"{name}: {text}"
        if wrong is not None and CALLED not in text:
            head = f"{name}: {wrong.name} must be {wrong.takes}, got {_described(wrong.value)} ({text.rstrip('.')})"
        error.args = (head if CALLED in text else f"{head.rstrip('.')}. {CALLED} {name}({_listed(f, args, kwargs)}).",)


CALLED = "It was called as"


def _in_place_of_inner(f: Callable[..., Any], name: str, text: str, of_argument: bool) -> str:
    """A text with the name of the function that was called. It takes the place of that of a function inside, "cumsum: axis 7 does
    not exist", where the text is `of_argument`s of the call or begins with a parameter that both have; elsewhere it stands before.
    """
    inner = re.match(r"((?:\w+\.)*)\w+: (?:an? )?(\w+)", text)
    if inner is None:
        return f"{name}: {text}"
    axes = ("axis", "axes")
    if not of_argument and not any([p == inner[2] or p[:4] in axes and inner[2] in axes for p in inspect.signature(f).parameters]):
        return f"{name}: {text}"
    module = inner[1] if inner[1].rstrip(".") in f.__module__ else ""
    return f"{module}{name}{text[text.index(':') :]}"


def _names(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _tells(parameter: str, text: str) -> bool:
    """Whether a text speaks of a parameter; "an array or a number" does not of one whose name is a."""
    return _names(parameter, text) if parameter != "a" else re.search(r"\ba(=|:| must| has| is| and b)\b", text) is not None


def _listed(f: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The arguments of a call, each by its parameter's name."""
    try:
        given = inspect.signature(f).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {**{str(i): x for i, x in enumerate(args)}, **kwargs}
    return ", ".join(f"{name}={_described(x)}" for name, x in given.items() if name != "self")


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
