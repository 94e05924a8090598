"""Taking numbers apart, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "ldexp(x, j)",
    "modf(x * 3)",
    "modf(n)",
    "frexp(x * 100)",
    "frexp(n)",
    "frexp(array([0.0, 5e-324, 1e-310, -3.0, 1e300], dtype=float64))",
    "gcd(i, j)",
    "gcd(i * 12, 18)",
    "lcm(i, j)",
    "gcd(12, j)",
    "lcm(6, j)",
    "ldexp(1.0, j)",
]


@pytest.mark.parametrize("case", CASES)
def test_number_parts_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
