"""Linear algebra by jax.scipy.linalg's names: Cholesky's factorisation and triangular systems.

>>> import jitgrad.numpy as jnp
>>> print(solve_triangular(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.array([2.0, 3.0]), lower=True))
[1. 2.]
"""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.numpy import linalg
from jitgrad.operands import ArrayLike


def cholesky(a: ArrayLike, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The upper triangular U with U^T U = a, or with `lower` its transpose, for symmetric positive definite matrices."""
    return linalg.cholesky(a, upper=not lower)


def solve_triangular(
    a: ArrayLike, b: ArrayLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:  # fmt: skip
    """x with a x = b (trans "T" or 1: a^T x = b) for a triangular a [n, n] and b [n] or [n, m]; the other triangle is not read.

    unit_diagonal: the diagonal counts as ones.
    """
    where = "scipy.linalg.solve_triangular"
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ArgumentError(f"{where}: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    matrix, given = (jnp.asarray(x) for x in (a, b))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or given.shape[:1] != matrix.shape[:1] or given.ndim > 2:
        raise ShapeError(f"{where}: takes a [n, n] and b [n] or [n, m], got shapes {matrix.shape} and {given.shape}")
    dtype = jnp.result_type(matrix, given, 1.0)
    matrix, given = matrix.astype(dtype), given.astype(dtype)
    if trans in (1, 2, "T", "C"):
        matrix, lower = matrix.T if trans in (1, "T") else matrix.conj().T, not lower
    n = matrix.shape[0]
    rows = jnp.arange(n)

    def step(k: Any, x: Array) -> Array:
        j = k if lower else n - 1 - k
        known = jnp.where(rows < j if lower else rows > j, matrix[j], 0)
        rest = given[j] - known @ x
        return x.at[j].set(rest if unit_diagonal else rest / matrix[j, j])

    return lax.fori_loop(0, n, step, jnp.zeros_like(given))


__all__ = ["cholesky", "solve_triangular"]
