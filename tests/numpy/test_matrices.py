"""Matrices of a form, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

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


def test_a_diagonal_may_be_traced() -> None:
    for f in (lambda k: jnp.eye(3, 4, k=k), lambda k: jnp.tri(3, k=k), lambda k: jnp.triu(jnp.ones((3, 3)), k)):
        np.testing.assert_array_equal(jitgrad.jit(f)(1), f(1))
        np.testing.assert_array_equal(jitgrad.vmap(f)(jnp.array([-1, 2])), np.stack([f(-1), f(2)]))
