"""The gate to scipy.special: its import takes longer than all else of jitgrad, so it waits for the first function that needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .define import as_numpy_dtype


@cache
def special() -> Any:
    """The module scipy.special."""
    return importlib.import_module("scipy.special")


def of_float64(name: str) -> Callable[..., Any]:
    """A function of scipy.special done in float64 and rounded, so that float32 references are right to the last bit."""

    def reference(*xs: Any) -> Any:
        return as_numpy_dtype(getattr(special(), name)(*[np.asarray(x, np.float64) for x in xs]), xs[-1])

    return reference


def mended(whole: Callable[..., Any], scalar: Callable[..., float], rare: Callable[..., Any]) -> Callable[..., Any]:
    """A function of float64 arrays, but for rare numbers, for which it is wrong: these are done one by one."""

    def reference(*xs: Any) -> Any:
        wide = np.broadcast_arrays(*[np.asarray(x, np.float64) for x in xs])
        wrong = rare(*wide)
        if not np.any(wrong):
            return as_numpy_dtype(whole(*wide), xs[-1])
        out = np.empty(wrong.shape)
        out[~wrong] = whole(*[x[~wrong] for x in wide])
        out[wrong] = [scalar(*numbers) for numbers in zip(*[x[wrong].tolist() for x in wide], strict=True)]
        return as_numpy_dtype(out, xs[-1])

    return reference


def one_by_one(scalar: Callable[..., float]) -> Callable[..., Any]:
    """The reference of a function that no library has."""
    whole = np.vectorize(scalar, otypes=[np.float64])
    return lambda *xs: as_numpy_dtype(whole(*[np.asarray(x, np.float64) for x in xs]), xs[-1])


def extreme(*xs: Any) -> Any:
    """Where a number is infinite, NaN, zero, or of a size at which libraries tend to lose it."""
    found = np.zeros(np.shape(xs[0]), bool)
    for x in xs:
        found |= ~((np.abs(x) < 1e15) & (np.abs(x) > 1e-290))
    return found
