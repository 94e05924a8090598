"""References of ops that have a shorter way for what is common."""

from __future__ import annotations

import ml_dtypes
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


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex64", "bfloat16", "float8_e4m3"])
def test_windows_of_arrays_in_any_order_are_views_that_nobody_writes(dtype: str) -> None:
    x = np.arange(20).reshape(4, 5).astype(named(dtype))
    wanted = [[[[x[i + a, 2 * j + 2 * b] for b in range(2)] for a in range(3)] for j in range(2)] for i in range(2)]
    held = x.copy()
    held.flags.writeable = False
    for array in (x, held, np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
        found = OPS["windows"].numpy(array, sizes=(3, 2), strides=(1, 2), dilation=(1, 2))
        np.testing.assert_array_equal(found, np.array(wanted, x.dtype))
        assert not found.flags.writeable


def named(dtype: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, dtype, dtype))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_largest_elements_along_any_axis_are_in_order(axis: int) -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 4, 5)).astype(np.float32)
    values, places = OPS["top_k"].numpy(x, axis=axis, k=2)
    order = np.argsort(-x, axis, kind="stable").take([0, 1], axis)
    np.testing.assert_array_equal(places, order)
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, axis))


def test_bits_that_are_shifted_out_are_gone() -> None:
    for dtype in ("int8", "uint8", "int64"):
        size = np.dtype(dtype).itemsize * 8
        x = np.array([-1, 1, 100, -100], "int64").astype(dtype)
        for counts in ([0, 1, 2, 3], [0, size - 1, size, -1]):
            count = np.array(counts, "int64").astype(dtype)
            found = OPS["shift_right_logical"].numpy(x, count)
            bits = [int(b) % (1 << size) for b in x]
            wanted = [b >> n if 0 <= n < size else 0 for b, n in zip(bits, counts, strict=True)]
            np.testing.assert_array_equal(found, np.array(wanted, f"u{size // 8}").view(dtype))


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64"])
def test_windows_start_inside_whatever_they_are_told(dtype: str) -> None:
    x, window = np.arange(6.0), np.array([-1.0, -2.0])
    ends = np.iinfo(dtype)
    for start in (ends.min, 0, 3, 4, 5, ends.max):
        at = np.array(start, dtype)
        place = min(max(start, 0), 4)
        np.testing.assert_array_equal(OPS["dynamic_slice"].numpy(x, at, sizes=(2,)), x[place : place + 2])
        updated = OPS["dynamic_update_slice"].numpy(x, window, at)
        np.testing.assert_array_equal(updated, [*x[:place], *window, *x[place + 2 :]])
