"""A name that a module does not have: the error says what to use instead. Every public module's `__getattr__` is made here.

The tables are in suggestions/absent.py, which is loaded at the first miss.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .errors import MissingNameError


def missing(module: str, later: Sequence[str] = ()) -> Callable[[str], Any]:
    """The module's `__getattr__`; submodules in `later` are imported when they are first asked for.

    It raises MissingNameError, an AttributeError, so that hasattr and getattr with a default work, and an ImportError with the same
    text to `from module import name`, which would keep an AttributeError's to itself.
    """

    def module_getattr(name: str) -> Any:
        if name in later:
            return importlib.import_module(f"{module}.{name}")
        if name.startswith("__") or _looks_for_submodules(sys._getframe(1)):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        absent = importlib.import_module("jitgrad.suggestions.absent")
        text = absent.advice(module, name)
        if _imports(sys._getframe(1)) and f"{module}.{name}" not in sys.modules:
            raise ImportError(text, name=module)
        raise MissingNameError(text)

    return module_getattr


def _looks_for_submodules(frame: Any) -> bool:
    """Whether a frame is the import system's, which asks for an attribute before it imports a submodule of that name."""
    return bool(frame.f_code.co_name == "_handle_fromlist")


def _imports(frame: Any) -> bool:
    """Whether a frame's instruction is that of `from module import name`."""
    opcode = importlib.import_module("opcode")
    return frame.f_lasti >= 0 and bool(frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"])
