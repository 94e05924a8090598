"""Splitting, repeating, padding, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "split(x, 3)",
    "split(x, [1, 2], axis=1)",
    "split(x, 2, axis=1)",
    "array_split(v, 3)",
    "array_split(w, [1, 3])",
    "array_split(w, [-2])",
    "vsplit(x, 3)",
    "hsplit(x, 2)",
    "dsplit(t, 2)",
    "tile(v, 2)",
    "tile(x, (2, 1))",
    "tile(x, (2, 1, 3))",
    "tile(v, (2, 2))",
    "tile(v, 1)",
    "repeat(x, 2)",
    "repeat(x, 2, axis=1)",
    "repeat(x, array([1, 0, 2]), axis=0, total_repeat_length=3) :: repeat(x, array([1, 0, 2]), axis=0)",
    "repeat(v, k, total_repeat_length=6) :: repeat(v, k)",
    "flip(x)",
    "flip(x, 1)",
    "flip(t, (0, 2))",
    "flipud(x)",
    "fliplr(x)",
    "rot90(x)",
    "rot90(x, 2)",
    "rot90(x, -1)",
    "rot90(t, 1, (1, 2))",
    "roll(x, 1)",
    "roll(x, -2, axis=1)",
    "roll(x, (1, 2), axis=(0, 1))",
    "roll(x, 1, axis=(0, 1))",
    "roll(x, (1, 2), axis=1)",
    "roll(v, k[0], 0) :: roll(v, int(k[0]), 0)",
    "pad(x, 1)",
    "pad(x, (1, 2))",
    "pad(x, ((1, 0), (0, 2)), constant_values=5.0)",
    "pad(x, 1, constant_values=((1, 2), (3, 4)))",
    'pad(x, 2, mode="edge")',
    'pad(x, 2, mode="reflect")',
    'pad(v, 7, mode="reflect")',
    'pad(x, 2, mode="symmetric")',
    'pad(v, 9, mode="reflect", reflect_type="odd")',
    'pad(x, ((3, 5), (2, 9)), mode="symmetric", reflect_type="odd")',
    'pad(v[:1], 2, mode="reflect", reflect_type="odd")',
    'pad(x, (1, 2), mode="linear_ramp", end_values=((1, 2), (3, 4)))',
    'pad(u, (1, 4), mode="linear_ramp", end_values=3)',
    'pad(v[:1], (2, 3), mode="linear_ramp")',
    'pad(i, (2, 1), mode="mean", stat_length=2)',
    'pad(u, (2, 1), mode="mean")',
    'pad(i, (2, 1), mode="median", stat_length=((1, 2), (3, 4)))',
    "delete(v, [])",
    "insert(v, [], 2)",
    'pad(x, ((3, 5), (2, 9)), mode="wrap")',
    'pad(x, 1, mode="mean")',
    'pad(x, (1, 2), mode="maximum")',
    'pad(x, ((0, 0), (2, 1)), mode="minimum")',
    "delete(x, 1, axis=0)",
    "delete(x, [0, 2], axis=1)",
    "delete(x, slice(0, 2), axis=1)",
    "delete(v, -1)",
    "insert(v, 1, 9.0)",
    "insert(x, 1, v, axis=0)",
    "insert(x, [0, 2], 5.0, axis=1)",
    "insert(v, [1, 3], array([7.0, 8.0]))",
    "insert(v, [1], array([7.0, 8.0]))",
    "insert(v, array([True, False, False, True]), 9.0)",
    "insert(x, 1, x[:, :2].T, axis=1)",
    "insert(x, [1], x[:, :2], axis=1)",
    "insert(t, 0, t[0, 0], axis=1)",
    "roll(x, array([1, 2]), axis=(0, 1))",
    "roll(x, array([1, -3]), axis=1)",
    "roll(v, array(3))",
]

CONCRETE_CASES = [
    "repeat(x, array([1, 0, 2]), axis=0)",
    "trim_zeros(array([0, 0, 1, 2, 0]))",
    'trim_zeros(array([0, 0, 1, 2, 0]), "f")',
    "trim_zeros(array([[0, 0, 0], [0, 1, 0]]))",
    "trim_zeros(array([[0, 0, 0], [0, 1, 0]]), axis=1)",
    'trim_zeros(array([[0, 0, 0], [0, 1, 0]]), "b", axis=0)',
    "trim_zeros(array([0, 0]))",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_rearrangement_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)
