"""A product and a sum, rounded together."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from .define import elementwise


def _fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z with one rounding: float32 in float64, which holds the product; float64 one by one in fractions."""
    x = np.asarray(x)
    if x.dtype == np.float32:
        return (x.astype(np.float64) * y + z).astype(np.float32)
    return np.vectorize(_fma_of_fractions, [np.float64])(x, y, z)


def _fma_of_fractions(x: float, y: float, z: float) -> float:
    if not (np.isfinite(x) and np.isfinite(y)) or x * y == z == 0:
        return x * y + z
    if not np.isfinite(z):
        return z
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


fma = elementwise(
    "fma", _fma, lambda e, x, y, z: e.fma(x, y, z), accepts="float",
    partials=[lambda x, y, z, out: y, lambda x, y, z, out: x, lambda x, y, z, out: 1], doc="x * y + z, rounded once.",
)  # fmt: skip
