"""The gate to scipy.special: its import takes longer than all else of jitgrad, so it waits for the first function that needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy import asarray, float64, ndarray

from .define import as_numpy_dtype


@cache
def special() -> Any:
    """The module scipy.special."""
    return importlib.import_module("scipy.special")


def scipys(name: str) -> Callable[..., Any]:
    """A function of scipy.special, of float64 arrays."""
    found: Any = None

    def whole(*xs: Any, **how: Any) -> Any:
        nonlocal found
        if found is None:
            found = getattr(special(), name)
        return found(*xs, **how)

    return whole


def of_float64(name: str) -> Callable[..., Any]:
    """A function of scipy.special done in float64 and rounded, so that float32 references are right to the last bit."""
    whole = scipys(name)

    def reference(x: Any, *more: Any) -> Any:
        if type(x) is ndarray:
            if not more:
                return whole(x.astype(float64)).astype(x.dtype)
            return whole(x, *more, dtype=float64).astype(x.dtype)
        return as_numpy_dtype(whole(*[asarray(y, float64) for y in (x, *more)]), more[-1] if more else x)

    return reference


FEW = 16
"""Elements up to which Python asks number by number sooner than NumPy does all at once."""


def mended(whole: Callable[..., Any], scalar: Callable[..., float], known: Callable[..., Any]) -> Callable[..., Any]:
    """A function of float64 arrays, but for numbers for which it is wrong: these are done one by one.

    `known` says where it is right, of Python's numbers and of arrays: by operators that both have, `&` and `|` among them.
    """

    def reference(x: Any, *more: Any) -> Any:
        if not more:
            if type(x) is ndarray and x.size <= FEW and all(map(known, x.ravel().tolist())):
                return whole(x.astype(float64)).astype(x.dtype)
            return at_length(x)
        last = more[-1]
        if type(last) is ndarray and last.size <= FEW:
            numbers = last.ravel().tolist()
            if len(more) == 1:
                firsts = numbers_beside(x, last)
                if firsts and all(map(known, firsts, numbers)):
                    return whole(asarray(x, float64), last.astype(float64)).astype(last.dtype)
            else:
                columns = [numbers_beside(y, last) for y in (x, *more[:-1])]
                if all(columns) and all(map(known, *columns, numbers)):
                    return whole(*[asarray(y, float64) for y in (x, *more)]).astype(last.dtype)
        return at_length(x, *more)

    def at_length(*xs: Any) -> Any:
        wide = np.broadcast_arrays(*[asarray(x, float64) for x in xs])
        right = known(*wide)
        if np.all(right):
            return as_numpy_dtype(whole(*wide), xs[-1])
        out, wrong = np.empty(right.shape), ~right
        out[right] = whole(*[x[right] for x in wide])
        out[wrong] = [scalar(*numbers) for numbers in zip(*[x[wrong].tolist() for x in wide], strict=True)]
        return as_numpy_dtype(out, xs[-1])

    return reference


def numbers_beside(x: Any, array: Any) -> list[float]:
    """An operand's number for each element of an array; none where that takes longer to say."""
    if type(x) is ndarray:
        return x.ravel().tolist() if x.size == array.size else []
    return [float(x)] * array.size


def one_by_one(scalar: Callable[..., float]) -> Callable[..., Any]:
    """The reference of a function that no library has."""
    whole = np.vectorize(scalar, otypes=[float64])
    return lambda *xs: as_numpy_dtype(whole(*[asarray(x, float64) for x in xs]), xs[-1])


def ordinary(x: Any) -> Any:
    """Whether a number is neither infinite nor NaN nor zero, and of a size at which no library loses it."""
    return (abs(x) < 1e15) & (abs(x) > 1e-290)
