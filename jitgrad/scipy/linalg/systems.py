"""Cholesky's and the LU factorisation, systems of equations, inverses and determinants."""

from __future__ import annotations

from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.linear_algebra import systems
from jitgrad.matrix_operands import system_args
from jitgrad.operands import ArrayLike

TRANSPOSES = {0: (False, False), "N": (False, False), 1: (True, False), "T": (True, False), 2: (True, True), "C": (True, True)}
"""(transposed, conjugated) by the names of `trans`."""


def _transposes(where: str, trans: int | str) -> tuple[bool, bool]:
    if trans not in TRANSPOSES:
        raise ArgumentError(f"{where}: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    return TRANSPOSES[trans]


def _pair(where: str, given: Any, wanted: str) -> tuple[Any, Any]:
    """The parts of a factorisation."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        many = f" of {len(given)}" if isinstance(given, (tuple, list)) else ""
        raise ArgumentError(f"{where}: {wanted}, got {type(given).__name__}{many}")
    return given[0], given[1]


def cholesky(a: ArrayLike, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The upper triangular U with U^H U = a, or with `lower` its conjugate transpose, for Hermitian positive definite matrices; NaN
    where one is not.

    >>> import jitgrad.numpy as jnp
    >>> print(cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]])))
    [[2. 1.]
     [0. 2.]]
    """
    factor = systems.cholesky("scipy.linalg.cholesky", a, True)
    return factor if lower else systems.adjoint(factor)


def cho_factor(a: ArrayLike, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, bool]:
    """(a Cholesky factor, lower), as `cho_solve` takes them. Its other triangle is 0.

    >>> import jitgrad.numpy as jnp
    >>> factor = cho_factor(jnp.array([[4.0, 2.0], [2.0, 5.0]]))
    >>> print(cho_solve(factor, jnp.array([6.0, 7.0])))
    [1. 1.]
    """
    factor = systems.cholesky("scipy.linalg.cho_factor", a, True)
    return (factor if lower else systems.adjoint(factor)), bool(lower)


def cho_solve(c_and_lower: tuple[ArrayLike, bool], b: ArrayLike, overwrite_b: bool = False, check_finite: bool = True) -> Array:
    """x with a x = b from what `cho_factor` gave for a; b [n] or [..., n, m].

    >>> import jitgrad.numpy as jnp
    >>> print(cho_solve((jnp.array([[2.0, 0.0], [1.0, 2.0]]), True), jnp.array([6.0, 7.0])))
    [1. 1.]
    """
    where = "scipy.linalg.cho_solve"
    factor, lower = _pair(where, c_and_lower, "c_and_lower must be (factor, lower), as cho_factor gives them")
    if not isinstance(lower, (bool, int, np.bool_)):
        raise ArgumentError(f"{where}: lower must be True or False, got {type(lower).__name__}")
    return systems.cholesky_solve(where, factor, b, bool(lower))


def lu_factor(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """(L and U in one matrix, the pivots), as `lu_solve` takes them: row i was exchanged with row pivots[i].

    >>> import jitgrad.numpy as jnp
    >>> factors = lu_factor(jnp.array([[1.0, 2.0], [4.0, 3.0]]))
    >>> print(lu_solve(factors, jnp.array([3.0, 7.0])))
    [1. 1.]
    """
    factors, pivots, _ = systems.lu("scipy.linalg.lu_factor", a)
    return factors, pivots


def lu_solve(
    lu_and_piv: tuple[ArrayLike, ArrayLike], b: ArrayLike, trans: int | str = 0, overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:  # fmt: skip
    """x with a x = b from what `lu_factor` gave for a; trans 1 or "T": a^T x = b, 2 or "C": a^H x = b. b [n] or [..., n, m].

    >>> import jitgrad.numpy as jnp
    >>> print(lu_solve(lu_factor(jnp.array([[1.0, 2.0], [4.0, 3.0]])), jnp.array([5.0, 5.0]), trans="T"))
    [1. 1.]
    """
    where = "scipy.linalg.lu_solve"
    factors, pivots = _pair(where, lu_and_piv, "lu_and_piv must be (factors, pivots), as lu_factor gives them")
    return systems.lu_solve(where, factors, pivots, b, *_transposes(where, trans))


def lu(
    a: ArrayLike, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, Array] | tuple[Array, Array, Array]:
    """(P, L, U) with a = P L U: a permutation, a lower triangular matrix of ones on its diagonal, an upper triangular one. With
    permute_l (P L, U).

    >>> import jitgrad.numpy as jnp
    >>> p, lower, upper = lu(jnp.array([[1.0, 2.0], [4.0, 3.0]]))
    >>> print(p @ lower @ upper)
    [[1. 2.]
     [4. 3.]]
    """
    factors, _, order = systems.lu("scipy.linalg.lu", a)
    lower, upper = systems.triangles(factors)
    back = jnp.argsort(order, axis=-1)
    if permute_l:
        return jnp.take_along_axis(lower, back[..., None], axis=-2), upper
    permutation = (back[..., :, None] == jnp.arange(factors.shape[-2])).astype(jnp.real(factors).dtype)
    return permutation, lower, upper


def solve(
    a: ArrayLike, b: ArrayLike, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False, debug: bool = False,
    check_finite: bool = True, assume_a: str = "gen",
) -> Array:  # fmt: skip
    """x with a x = b for a [..., n, n] and b [n] or [..., n, m].

    assume_a: "gen", "sym", "her" or "pos": of a positive definite a one triangle is read, the upper one unless `lower`, and
    factorised in half the time.

    >>> import jitgrad.numpy as jnp
    >>> print(solve(jnp.array([[4.0, 2.0], [2.0, 5.0]]), jnp.array([6.0, 7.0]), assume_a="pos"))
    [1. 1.]
    """
    where = "scipy.linalg.solve"
    if assume_a not in ("gen", "sym", "her", "pos"):
        raise ArgumentError(f"{where}: assume_a must be 'gen', 'sym', 'her' or 'pos', got {assume_a!r}")
    return systems.positive_solve(where, a, b, lower) if assume_a == "pos" else systems.solve(where, a, b)


def solve_triangular(
    a: ArrayLike, b: ArrayLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False,
    debug: bool | None = None, check_finite: bool = True,
) -> Array:  # fmt: skip
    """x with a x = b, for triangular a [..., n, n] and b [n] or [..., n, m]; the other triangle is not read.

    trans 1 or "T": a^T x = b; 2 or "C": a^H x = b. unit_diagonal: the diagonal counts as ones.

    >>> import jitgrad.numpy as jnp
    >>> print(solve_triangular(jnp.array([[2.0, 1.0], [0.0, 1.0]]), jnp.array([2.0, 3.0]), trans="T"))
    [1. 2.]
    """
    where = "scipy.linalg.solve_triangular"
    transposed, conjugated = _transposes(where, trans)
    matrix, given, is_vector = system_args(where, a, b)
    x = systems.triangular_solve(
        where, matrix, given, lower=lower, transpose=transposed, conjugate=conjugated, unit_diagonal=unit_diagonal
    )
    return systems.without_column(x, is_vector)


def inv(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The inverses of square matrices; infinite or NaN where one is singular.

    >>> import jitgrad.numpy as jnp
    >>> print(inv(jnp.array([[2.0, 0.0], [0.0, 4.0]])))
    [[0.5  0.  ]
     [0.   0.25]]
    """
    return systems.inv("scipy.linalg.inv", a)


def det(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The determinants of square matrices; 1 of one without rows.

    >>> import jitgrad.numpy as jnp
    >>> print(det(jnp.array([[1.0, 2.0], [3.0, 4.0]])))
    -2.0
    """
    return systems.det("scipy.linalg.det", a)


__all__ = ["cho_factor", "cho_solve", "cholesky", "det", "inv", "lu", "lu_factor", "lu_solve", "solve", "solve_triangular"]
