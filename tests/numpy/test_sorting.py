"""Sorting and searching, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "digitize(x, s)",
    "digitize(x, s, right=True)",
    "digitize(x, s[::-1])",
    "searchsorted(s, x)",
    'searchsorted(s, x, side="right")',
    "searchsorted(s, 0.5)",
    'searchsorted(sort(n), array([nan, 2.0, inf]), side="right") :: np.array([4, 2, 3])',
    "searchsorted(sort(n), array([nan, 2.0, inf])) :: np.array([3, 2, 2])",
    "searchsorted(array([1, 2, 2, 5]), 2)",
    "sort(x)",
    "sort(x, axis=0)",
    "sort(x, axis=None)",
    "sort(n)",
    "sort(x, descending=True) :: -sort(-x)",
    "argsort(x)",
    "argsort(x, axis=0)",
    'argsort(i, axis=1) :: argsort(i, axis=1, kind="stable")',
    'argsort(i, axis=1, descending=True) :: argsort(-i, axis=1, kind="stable")',
    "argsort(x, axis=None)",
    "lexsort((q, q % 2))",
    "lexsort((x, i), axis=0)",
    "partition(x, 1) :: sort(x)",
    "argpartition(v, 1) :: argsort(v)",
    "nonzero(k, size=5, fill_value=-1) :: (np.array([0, 2, 3, -1, -1]),)",
    "nonzero(b, size=2) :: tuple(p[:2] for p in nonzero(b))",
    "argwhere(b, size=3) :: argwhere(b)[:3]",
    "sort_complex(c.ravel())",
]

CONCRETE_CASES = [
    "nonzero(i)",
    "nonzero(b)",
    "flatnonzero(i)",
    "argwhere(i)",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_sorting_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)
