"""Tables of roots of unity, exp(-2 pi i k / n), rounded from the next wider type.

A long transform needs as many roots as it has elements. They are products of two, out of tables of about the root of n: `Roots`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ....ir.types import DType
from ...llvm_text import Module, Reg

_PI = np.longdouble("3.14159265358979323846264338327950288")  # which takes some ten times as long as float64


def roots(exponents: Any, n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """exp(-2 pi i k / n) for an array of exponents k, as pairs along a last axis. Angles are taken from the nearest multiple of a
    quarter turn, so that none is larger than an eighth and those of whole quarters are exact.
    """
    k = np.asarray(exponents, np.int64) % n
    quarter = (8 * k + n) // (2 * n)  # the nearest multiple of n / 4
    wide: Any = np.float64 if dtype == np.float32 else np.longdouble
    angle = (4 * k - quarter * n).astype(wide) * wide(_PI) / (2 * n)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = quarter % 4
    real = np.choose(turn, [cos, -sin, -cos, sin])
    imag = np.choose(turn, [sin, cos, -sin, -cos])
    return np.stack([real, -imag], -1).astype(dtype)


def pass_table(module: Module, n: int, radix: int, dtype: DType) -> Reg:
    """The roots of a pass (butterflies.py) over what is left of n elements: w^(p k) for each p < n / radix and 0 < k < radix."""
    exponents = np.outer(np.arange(n // radix), np.arange(1, radix))
    return module.data(f"fft_roots_{n}_{radix}_{dtype}", roots(exponents, n, dtype.numpy))


def half_table(module: Module, n: int, dtype: DType) -> Reg:
    """w^k for k up to a quarter of n: what joins the halves of a transform of n real numbers (halves.py)."""
    return module.data(f"fft_half_{n}_{dtype}", roots(np.arange(n // 4 + 1), n, dtype.numpy))


class Roots(NamedTuple):
    """Where the roots w^k of n are: w^(k >> shift << shift) in `high`, the rest in `low`, both float64."""

    high: Reg
    low: Reg
    shift: int


def split_roots(module: Module, n: int) -> Roots:
    shift = (n.bit_length() + 1) // 2
    high, low = np.arange((n >> shift) + 1) << shift, np.arange(1 << shift)
    return Roots(
        module.data(f"fft_high_{n}", roots(high, n, np.float64)), module.data(f"fft_low_{n}", roots(low, n, np.float64)), shift
    )


def lanes_table(module: Module, n: int, count: int, lanes: int, dtype: DType) -> Reg:
    """w^(k l) of n for each k < count and lane l: [k, (real, imaginary), lane]."""
    found = roots(np.outer(np.arange(count), np.arange(lanes)), n, dtype.numpy)
    return module.data(f"fft_lanes_{n}_{count}_{lanes}_{dtype}", np.ascontiguousarray(found.swapaxes(1, 2)))
