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
