"""A product and a sum, rounded together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .define import elementwise


def _fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z with one rounding: float32 in float64, which holds the product; float64 one by one in integers."""
    x = np.asarray(x)
    if x.dtype == np.float32:
        return (x.astype(np.float64) * y + z).astype(np.float32)
    return np.vectorize(_fma_of_integers, [np.float64])(x, y, z)


def _fma_of_integers(x: float, y: float, z: float) -> float:
    if not (np.isfinite(x) and np.isfinite(y)) or x * y == z == 0:
        return x * y + z
    if not np.isfinite(z):
        return z
    (a, b), (c, d), (p, q) = x.as_integer_ratio(), y.as_integer_ratio(), z.as_integer_ratio()
    numerator = a * c * q + p * b * d
    try:
        return numerator / (b * d * q)  # of two integers Python's quotient is rounded once
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


fma = elementwise(
    "fma", _fma, lambda e, x, y, z: e.fma(x, y, z), accepts="float",
    partials=[lambda x, y, z, out: y, lambda x, y, z, out: x, lambda x, y, z, out: 1], doc="x * y + z, rounded once.",
)  # fmt: skip
