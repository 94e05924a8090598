"""Sets, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import grad, jit

CASES = [
    "allclose(x, x)",
    "array_equal(x, x)",
    "array_equal(x, v)",
    "array_equiv(x, x)",
    "unique(q, size=4) :: unique(q)",
    "unique(q, size=6, fill_value=-1, return_counts=True, return_inverse=True, return_index=True) :: ("
    "np.r_[unique(q), [-1] * (6 - len(unique(q)))], "
    "np.r_[unique(q, return_index=True)[1], [np.argmin(q)] * (6 - len(unique(q)))], "
    "unique(q, return_inverse=True)[1], "
    "np.r_[unique(q, return_counts=True)[1], [0] * (6 - len(unique(q)))])",
    "isin(i, k)",
    "isin(i, k, invert=True)",
    "isin(i, arange(-2, 30))",
    "isin(x, array([]))",
]

CONCRETE_CASES = [
    "unique(q)",
    "unique(x.round(0), return_index=True, return_inverse=True, return_counts=True)",
    "unique(i, axis=0)",
    "unique_values(q) :: unique(q)",
    "unique_counts(q)",
    "unique_inverse(q)",
    "unique_all(q)",
    "union1d(q, k)",
    "intersect1d(q, k)",
    "setdiff1d(q, k)",
    "setxor1d(q, array([1, 9]))",
    "setdiff1d(q, array([2.0, 3.0]))",
    "setdiff1d(array([3, 1, 2, 5]), k, assume_unique=True)",
    "setxor1d(q, array([1, 99]))",
    "intersect1d(q, array([1.0, 2.5]))",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_sets_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


def test_isin_tells_uint64_and_int64_apart() -> None:
    unsigned = np.arange(2**62, 2**62 + 50, dtype=np.uint64)
    signed = np.array([-5, 2**62 + 3, 2**62 + 60, 2**63 - 1])
    np.testing.assert_array_equal(jnp.isin(jnp.array(signed), jnp.array(unsigned)), [False, True, False, False])
    np.testing.assert_array_equal(jnp.isin(jnp.array(signed), jnp.array(unsigned[2:5])), [False, True, False, False])
    np.testing.assert_array_equal(jnp.isin(jnp.array(unsigned[:5]), jnp.array(signed)), [False, False, False, True, False])
    assert jnp.intersect1d(jnp.array(unsigned), jnp.array(signed)).shape == (1,)


@pytest.mark.parametrize(
    ("chosen", "indices"),
    [
        (lambda x: jnp.unique(x), [1, 0, 3, 2]),
        (lambda x: jnp.unique(x, return_counts=True)[0], [1, 0, 3, 2]),
        (lambda x: jnp.unique_values(x), [1, 0, 3, 2]),
        (lambda x: jnp.unique(x.reshape(2, 2), axis=0).ravel(), [0, 1, 2, 3]),
        (lambda x: jnp.union1d(x[:2], x[2:]), [1, 0, 3, 2]),
        (lambda x: jnp.intersect1d(x, jnp.array([2.0, 9.0])), [2]),
        (lambda x: jnp.setdiff1d(x, jnp.array([2.0, 9.0])), [1, 0, 3]),
        (lambda x: jnp.setxor1d(x, jnp.array([2.0, 9.0])), [1, 0, 3]),
    ],
    ids=["unique", "counts", "values", "axis", "union1d", "intersect1d", "setdiff1d", "setxor1d"],
)
def test_elements_of_sets_keep_their_derivatives(chosen, indices):
    x = np.array([0.5, 0.25, 2.0, 1.5])
    expected = np.zeros(4)
    expected[indices] = 2 * x[indices]
    assert np.array_equal(grad(lambda x: jnp.sum(chosen(x) ** 2))(jnp.array(x)), expected)


@pytest.mark.parametrize("dtype", ["int32", "float64", "complex128", "bool"])
@pytest.mark.parametrize("name", ["intersect1d", "setdiff1d", "setxor1d"])
def test_sets_of_two_arrays_take_a_size_and_fill_what_is_left(name: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    for sizes in ((4, 5), (0, 3), (3, 0), (6, 6)):
        a, b = (rng.integers(0, 5, n).astype(dtype) for n in sizes)
        want = getattr(np, name)(a, b)
        np.testing.assert_array_equal(getattr(jnp, name)(a, b), want)
        for size in (0, 2, 7):
            found = jit(lambda a, b, size=size: getattr(jnp, name)(a, b, size=size, fill_value=1))(a, b)
            filled = np.concatenate([want, np.ones(9, dtype)])[: max(size, len(want))][:size]
            np.testing.assert_array_equal(found, filled)


def test_a_size_without_a_fill_value_repeats_the_smallest_common_element() -> None:
    a, b = jnp.array([1, 3, 5, 7]), jnp.array([3, 5, 9, 11])
    np.testing.assert_array_equal(jnp.intersect1d(a, b, size=4), [3, 5, 3, 3])
    np.testing.assert_array_equal(jnp.setxor1d(a, b, size=6), [1, 7, 9, 11, 1, 1])
    np.testing.assert_array_equal(jnp.setdiff1d(a, b, size=4), [1, 7, 0, 0])


def test_an_intersection_tells_where_its_elements_are_first() -> None:
    a, b = np.array([3, 1, 3, 5, 2]), np.array([5, 5, 3])
    for found, want in zip(jnp.intersect1d(a, b, return_indices=True), np.intersect1d(a, b, return_indices=True), strict=True):
        np.testing.assert_array_equal(found, want)
    found = jit(lambda a, b: jnp.intersect1d(a, b, return_indices=True, size=3))(a, b)
    np.testing.assert_array_equal(np.stack(found), [[3, 5, 3], [0, 3, 5], [2, 0, 3]])


def test_unique_of_small_floats_and_of_traced_complex_numbers_is_that_of_their_values() -> None:
    x = jnp.array([-0.0, np.nan, 1, 0, np.nan, 1, -0.0], "bfloat16")
    np.testing.assert_array_equal(jnp.unique(x).astype(float), [0, 1, np.nan])
    z = np.array([1 + 1j, 1 - 1j, 1 + 1j, 0])
    np.testing.assert_array_equal(jit(lambda z: jnp.unique(z, size=3))(z), np.unique(z))
