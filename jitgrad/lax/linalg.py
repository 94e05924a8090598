"""Linear algebra by jax.lax.linalg's names: matrices of floats or complex numbers, the last two axes.

>>> import jitgrad.numpy as jnp
>>> print(cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]])))
[[2. 0.]
 [1. 2.]]
"""

from __future__ import annotations

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.linear_algebra import systems
from jitgrad.operands import ArrayLike, size_arg


def cholesky(x: ArrayLike, *, symmetrize_input: bool = True) -> Array:
    """The lower triangular L with L L^H = x, for Hermitian positive definite matrices; NaN where one is not.

    symmetrize_input: factorise (x + x^H) / 2, so that derivatives are symmetric, too; else the lower triangle alone is read. Raises
    ShapeError for matrices that are not square.
    """
    return systems.cholesky("lax.linalg.cholesky", x, symmetrize_input)


def lu(x: ArrayLike) -> tuple[Array, Array, Array]:
    """(factors, pivots, order) of matrices [..., m, n] by partial pivoting, with x[order] = L U.

    L and U are one matrix, without the ones on L's diagonal; row i was exchanged with row pivots[i], int32[..., min(m, n)]; order
    is int32[..., m].

    >>> import jitgrad.numpy as jnp
    >>> factors, pivots, order = lu(jnp.array([[1.0, 2.0], [4.0, 3.0]]))
    >>> print(factors, pivots, order)
    [[4.   3.  ]
     [0.25 1.25]] [1 1] [1 0]
    """
    factors, pivots, order = systems.lu("lax.linalg.lu", x)
    return factors, pivots, order


def lu_pivots_to_permutation(pivots: ArrayLike, permutation_size: int) -> Array:
    """The order of rows that the pivots of `lu` bring about.

    >>> import jitgrad.numpy as jnp
    >>> print(lu_pivots_to_permutation(jnp.array([2, 2]), 3))
    [2 0 1]
    """
    where = "lax.linalg.lu_pivots_to_permutation"
    exchanges, size = jnp.asarray(pivots), size_arg(where, permutation_size, "permutation_size is an integer")
    if exchanges.ndim == 0 or exchanges.shape[-1] > size:
        raise ShapeError(f"{where}: pivots must have shape [..., k] with k at most permutation_size={size}, got {exchanges.shape}")
    return systems.pivots_to_order(where, exchanges.astype(jnp.int32), size)


def triangular_solve(
    a: ArrayLike,
    b: ArrayLike,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Array:
    """x with op(a) x = b (left_side) or x op(a) = b, for triangular a [..., n, n]; the other triangle is not read.

    op(a): a, its transpose, its conjugate, or both. unit_diagonal: the diagonal counts as ones. b may have one axis less than a: it
    is vectors then.

    >>> import jitgrad.numpy as jnp
    >>> a = jnp.array([[2.0, 0.0], [1.0, 1.0]])
    >>> print(triangular_solve(a, jnp.array([[2.0], [3.0]]), left_side=True, lower=True)[:, 0])
    [1. 2.]
    """
    matrix, given = jnp.asarray(a), jnp.asarray(b)
    is_vector = matrix.ndim >= 2 and given.ndim == matrix.ndim - 1
    if is_vector:
        given = jnp.expand_dims(given, -1 if left_side else -2)
    x = systems.triangular_solve(
        "lax.linalg.triangular_solve", matrix, given, lower=lower, left=left_side, transpose=transpose_a, conjugate=conjugate_a,
        unit_diagonal=unit_diagonal,
    )  # fmt: skip
    return jnp.squeeze(x, -1 if left_side else -2) if is_vector else x


__all__ = ["cholesky", "lu", "lu_pivots_to_permutation", "triangular_solve"]
