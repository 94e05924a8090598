"""Matrices of a form, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "eye(3)",
    "eye(3, 4, k=1)",
    "eye(3, 4, k=-1, dtype=int)",
    "identity(2)",
    "tri(3, 4, k=1)",
    "tril(x)",
    "triu(x)",
    "tril(t, -1)",
    "triu(t, 1)",
    "triu(x, -1)",
    "diag(v)",
    "diag(v, 1)",
    "diag(v, -2)",
    "diag(x)",
    "diag(x, 1)",
    "diag(x, -1)",
    "diag(x, 7)",
    "diagflat(m[:2, :2])",
    "diagonal(t)",
    "diagonal(t, 1, 1, 2)",
    "diagonal(t, axis1=2, axis2=0, offset=-1)",
    "diagonal(x, 5)",
    "vander(v)",
    "vander(v, 3, increasing=True)",
    "vander(v, 0)",
]


@pytest.mark.parametrize("case", CASES)
def test_matrices_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
