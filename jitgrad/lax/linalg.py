"""Linear algebra by jax.lax.linalg's names: matrices of floats, the last two axes.

>>> import jitgrad.numpy as jnp
>>> print(cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]])))
[[2. 0.]
 [1. 2.]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.checks import is_checked, require
from jitgrad.errors import ShapeError, SingularMatrixError
from jitgrad.operands import ArrayLike, inexact_arg
from jitgrad.vectorization import vmap

from .loops import fori_loop


def of_matrices(f: Callable[[Array], Array], x: Array) -> Array:
    """f of each matrix of the last two axes."""
    front, matrix = x.shape[:-2], x.shape[-2:]
    if not front:
        return f(x)
    out = vmap(f)(x.reshape((-1, *matrix)))
    return out.reshape((*front, *out.shape[1:]))


def _columns_of_cholesky(matrix: Array) -> Array:
    """A column at a time (Golub and Van Loan, Matrix Computations, 4.2)."""
    rows = jnp.arange(matrix.shape[0])

    def column(j: Any, lower: Array) -> Array:
        rest = matrix[:, j] - lower @ lower[j]
        return lower.at[:, j].set(jnp.where(rows >= j, rest / jnp.sqrt(rest[j]), 0))

    return fori_loop(0, matrix.shape[0], column, jnp.zeros_like(matrix))


def cholesky(x: ArrayLike, *, symmetrize_input: bool = True) -> Array:
    """The lower triangular L with L L^T = x, for symmetric positive definite matrices; NaN where one is not.

    symmetrize_input: factorise (x + x^T) / 2, so that derivatives are symmetric, too. Raises ShapeError for
    matrices that are not square.
    """
    value = inexact_arg("linalg.cholesky", x)
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"linalg.cholesky: takes square matrices, got shape {value.shape}")
    if symmetrize_input:
        value = (value + jnp.matrix_transpose(value)) / 2
    lower = of_matrices(_columns_of_cholesky, value)
    if is_checked("linalg"):
        require(jnp.all(jnp.isfinite(lower)), SingularMatrixError, "linalg.cholesky: a matrix is not positive definite")
    return lower


__all__ = ["cholesky"]
