"""Conditions that programs look at while they run, inside `debug.checked`: `require` says one, and the error where it is not met.

Whoever can fail in silence asks `is_checked(kind)` first, so that outside of such blocks nothing is traced or computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import bind_all, state, user_source
from jitgrad_compiler.ops.effects import callback

from .array import Array
from .callbacks import prepare_call
from .config import config
from .errors import IndexingError, JitgradError


def is_checked(kind: str) -> bool:
    """Whether `debug.checked(kind)` is on: a kind of config.CHECKS."""
    return kind in config.checked


class _Check:
    """Looks at arrays and may raise; equal for equal keys, so that programs which check the same are the same."""

    __name__ = "check"

    def __init__(self, *key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class _Raiser(_Check):
    """Raises an error with a message where it is not given True."""

    def __call__(self, fine: Any) -> None:
        if not fine:
            error, message = self.key
            raise error(message)


def require(fine: Array, error: type[JitgradError], message: str) -> None:
    """Raise `error(message)` when the program comes by with `fine`, a boolean scalar, False; under vmap for any example."""
    _call(_Raiser(error, message), fine)


def _call(check: Callable[[Any], None], array: Array) -> None:
    called = prepare_call("debug.checked", check, ((array,), {}))
    bind_all(callback, *called.operands, callee=called.callee)


class _Indices(_Check):
    """Raises IndexingError, with the line of the program that indexes, for indices [..., k] that are not inside their axes."""

    def __call__(self, indices: np.ndarray) -> None:
        where, bounds, wrapped, line = self.key
        limits = np.array([size - taken for _, size, taken in bounds])
        bad = np.argwhere((indices < 0) | (indices > limits))
        if not len(bad):
            return
        place = tuple(bad[0])
        axis, size, taken = bounds[place[-1]]
        number = int(indices[place])
        given = f"index {number - size if number < 0 and wrapped else number}" + (f", for {taken} elements," if taken > 1 else "")
        others = f", as are {len(bad) - 1} others" if len(bad) > 1 else ""
        at = f" ({os.path.basename(line[0])}:{line[1]})" if line else ""
        raise IndexingError(f"{where}: {given} is outside axis {axis}, which has size {size}{others}{at}")


def check_indices(where: str, indices: Array, bounds: tuple[tuple[int, int, int], ...], wrapped: bool = True) -> None:
    """Raise IndexingError, when the program comes by, for indices [..., k], counted from the front, that are not inside.

    bounds: the k axes that they are for, each with its size and the number of elements taken from the index on. wrapped: whether
    negative ones were given as such, and the size of the axis has been added.
    """
    _call(_Indices(where, bounds, wrapped, user_source() if state.staging is not None else None), indices)
