"""Sets, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_sets_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)
