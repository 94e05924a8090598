"""Calls of Python from inside programs: what they do is an effect, so they are neither shared nor dropped, and keep their order.

An equation names its function by a token, a number in a table of this process; what it prints as can be read in any process,
but runs in this one alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..ir.graph import Op
from ..ir.types import ArrayType
from .define import zero_jvp

_functions: dict[int, Callable[..., Any]] = {}
_tokens: dict[Any, int] = {}
_numbers = itertools.count()


def token_for(key: Any, function: Callable[..., Any]) -> int:
    """The token of a function of arrays; equal keys get one token, so that programs that call it are equal too."""
    if key not in _tokens:
        _tokens[key] = number = next(_numbers)
        _functions[number] = function
    return _tokens[key]


def function_of(token: int) -> Callable[..., Any]:
    if token not in _functions:
        raise KeyError(f"callback: this process has no function of the token {token}")
    return _functions[token]


_sites: list[tuple[int, tuple[ArrayType, ...]]] = []


@cache
def site(token: int, types: tuple[ArrayType, ...]) -> int:
    """A number for a token with operands of certain types, by which compiled code calls it."""
    _sites.append((token, types))
    return len(_sites) - 1


def at_site(number: int) -> tuple[Callable[..., Any], tuple[ArrayType, ...]]:
    token, types = _sites[number]
    return function_of(token), types


def _callback(*arrays: Any, token: int) -> Sequence[Any]:
    function_of(token)(*[np.array(a) for a in arrays])
    return []


callback = Op(
    "callback", lambda *types, token: (), _callback, kind="callback", effect=True,
    doc="A Python function called with the operands; it gives nothing back, and derivatives take no notice of it.",
)  # fmt: skip
callback.jvp = zero_jvp(callback)
