"""Making arrays, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "array([[1, 2], [3, 4]])",
    "array([1.5, 2])",
    "array([True, 2])",
    "array([x, y])",
    "array([[v, v], [v, v]])",
    "array([v[0], 2.0])",
    "array(3)",
    "array([])",
    "array(x, dtype=float32)",
    "array(x, ndmin=4)",
    "array((1, 2, 3))",
    "asarray(x)",
    "zeros((2, 3), dtype=int)",
    "ones(3)",
    "zeros(())",
    "full((2, 3), 1.5)",
    "full((2, 4), v)",
    "full(3, True)",
    "zeros_like(x)",
    "ones_like(i)",
    "full_like(x, 2)",
    "full_like(i, 2.7)",
    "zeros_like(x, shape=(2,))",
    "empty_like(x, dtype=int) :: zeros((3, 4), int)",
    "arange(5)",
    "arange(2, 9, 3)",
    "arange(9, 2, -2)",
    "arange(0.0, 1.0, 0.25)",
    "arange(5.0)",
    "arange(3, dtype=float32)",
    "arange(5, 2)",
    "linspace(0, 1, 5)",
    "linspace(1.0, 5.0, 4, endpoint=False)",
    "linspace(v, v + 1, 3)",
    "linspace(v, 2.0, 3, axis=1)",
    "linspace(0, 10, 4, dtype=int)",
    "linspace(0, 1, 1)",
    "linspace(2, 3, 0)",
    "linspace(0.0, 1.0, 5, retstep=True)",
    "logspace(0, 2, 5)",
    "logspace(0, 2, 5, base=2)",
    "geomspace(1, 100, 5)",
    "geomspace(-1.0, -8.0, 4)",
    "meshgrid(v, w)",
    'meshgrid(v, w, indexing="ij")',
    "meshgrid(v, w, sparse=True)",
    "meshgrid(v, w, v[:2])",
    "indices((2, 3))",
    "indices((2, 3), sparse=True)",
    "fromfunction(lambda a, b: a + b, (3, 4), dtype=int)",
]


@pytest.mark.parametrize("case", CASES)
def test_creation_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
