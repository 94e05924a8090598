"""Conditions that programs look at while they run, inside `debug.checked`: `require` says one, and the error where it is not met.

Whoever can fail in silence asks `is_checked(kind)` first, so that outside of such blocks nothing is traced or computed.
"""

from __future__ import annotations

from typing import Any

from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ops.effects import callback

from .array import Array
from .callbacks import prepare_call
from .config import config
from .errors import JitgradError


def is_checked(kind: str) -> bool:
    """Whether `debug.checked(kind)` is on: a kind of config.CHECKS."""
    return kind in config.checked


class _Raiser:
    """Raises an error where it is not given True; equal for equal errors, so that programs which check the same are the same."""

    __name__ = "check"

    def __init__(self, error: type[JitgradError], message: str) -> None:
        self.key = (error, message)

    def __call__(self, fine: Any) -> None:
        if not fine:
            error, message = self.key
            raise error(message)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Raiser) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def require(fine: Array, error: type[JitgradError], message: str) -> None:
    """Raise `error(message)` when the program comes by with `fine`, a boolean scalar, False; under vmap for any example."""
    called = prepare_call("debug.checked", _Raiser(error, message), ((fine,), {}))
    bind_all(callback, *called.operands, callee=called.callee)
