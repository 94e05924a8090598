"""References of ops that have a shorter way for what is common."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad_compiler  # noqa: F401
from jitgrad_compiler.ir.graph import OPS


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_elements_at_places_along_all_axes_are_those_at_the_nearest_edges(dtype: str) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    ends = np.iinfo(dtype)
    places = [p for p in (ends.min, -9, -1, 0, 1, 2, 3, 9, ends.max) if ends.min <= p <= ends.max]
    indices = np.stack(np.meshgrid(*[np.array(places, dtype)] * 3, indexing="ij"), -1)
    found = OPS["gather"].numpy(x, indices, axes=(0, 1, 2), batch=0, mode="clip")
    wanted = [[[x[held(i, 2), held(j, 3), held(k, 4)] for k in places] for j in places] for i in places]
    np.testing.assert_array_equal(found, wanted)


def held(place: int, size: int) -> int:
    return min(max(place, 0), size - 1)


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint64"])
def test_quotients_by_zero_are_rounded_down_as_others_are(dtype: str) -> None:
    ends = np.iinfo(dtype)
    numbers = [n for n in (ends.min, ends.min + 1, -7, -1, 0, 1, 7, ends.max) if ends.min <= n <= ends.max]
    x, y = (v.ravel() for v in np.meshgrid(np.array(numbers, dtype), np.array(numbers, dtype)))
    with np.errstate(all="ignore"):
        found = OPS["floor_div"].numpy(x, y)
    assert found.dtype == dtype
    wanted = [(-1 if a >= 0 else -2) if b == 0 else a // b for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    np.testing.assert_array_equal(found, np.array([w % (1 << ends.bits) for w in wanted], f"u{ends.bits // 8}").view(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_logistic_function_neither_overflows_nor_loses_small_values(dtype: type) -> None:
    x = np.array([-np.inf, -800, -90, -20, -1e-30, -0.0, 0.0, 0.5, 20, 800, np.inf, np.nan], dtype)
    with np.errstate(over="raise", invalid="raise"):
        found = OPS["logistic"].numpy(x)
    assert found.dtype == dtype
    with np.errstate(over="ignore"):
        wanted = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    np.testing.assert_allclose(found, wanted.astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).smallest_subnormal)
