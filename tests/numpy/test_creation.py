"""Making arrays, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError

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
    "linspace(0, 37, 38, dtype=int)",
    "linspace(-5, 5, 8, dtype=int)",
    "linspace(7.3, -7.3, 9, dtype=int)",
    "linspace(0.0, 97.0, 98)",
    "linspace(array([0, 3]), 10, 4, dtype=int)",
    "linspace(0, 1, 1, endpoint=False)",
]


@pytest.mark.parametrize("case", CASES)
def test_creation_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ((2**63, 2**63 + 3, None, "uint64"), np.arange(2**63, 2**63 + 3, dtype=np.uint64)),
        ((np.uint64(2**63), np.uint64(2**63 + 3)), np.arange(2**63, 2**63 + 3, dtype=np.uint64)),
        ((2**63 - 3, 2**63 - 1), np.arange(2**63 - 3, 2**63 - 1)),
        ((-(2**63), 2**63 - 1, 2**62), -(2**63) + 2**62 * np.arange(4)),
        ((0, -9007199254740994, -9007199254740993, "int64"), np.array([0, -9007199254740993])),
        ((0, 1, np.inf), np.zeros(1)),
        ((0, 1, -np.inf), np.zeros(0)),
        ((0.0, 1.0, 0.1, "float64"), np.arange(0.0, 1.0, 0.1)),
    ],
)
def test_arange_counts_exactly_to_the_ends_of_the_types(bounds: tuple[Any, ...], wanted: np.ndarray) -> None:
    for got in (jnp.arange(*bounds), jitgrad.jit(lambda: jnp.arange(*bounds))()):
        np.testing.assert_array_equal(got, wanted)
    assert jnp.arange(*bounds).dtype.kind == wanted.dtype.kind


def test_arange_without_an_end_is_refused() -> None:
    for bounds in ((0, np.inf), (0.0, np.nan), (0, 1, np.nan)):
        with pytest.raises(ArgumentError, match="number of steps"):
            jnp.arange(*bounds)


def test_linspace_counts_whole_numbers_whole() -> None:
    for n in range(1, 300):
        np.testing.assert_array_equal(jnp.linspace(0, n, n + 1, dtype="int32"), np.arange(n + 1))
        np.testing.assert_array_equal(jnp.linspace(0.0, n, n + 1, dtype="float64"), np.arange(n + 1))
    np.testing.assert_array_equal(jnp.linspace(-(2**62), 2**62, 5, dtype="int64"), np.arange(-2, 3) * 2**61)
    np.testing.assert_array_equal(jnp.linspace(-1e308, 1e308, 3, dtype="float64"), [-1e308, 0.0, 1e308])


def test_the_step_of_no_steps_is_nan() -> None:
    points, step = jnp.linspace(jnp.zeros(2), jnp.ones(2), 0, retstep=True)
    assert points.shape == (0, 2) and step.shape == () and np.isnan(step)
