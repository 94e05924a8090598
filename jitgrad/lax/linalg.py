"""Linear algebra by jax.lax.linalg's names: matrices of floats or complex numbers, the last two axes.

>>> import jitgrad.numpy as jnp
>>> print(cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]])))
[[2. 0.]
 [1. 2.]]
"""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.array_ops import op, op_all
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.linear_algebra import spectra, systems
from jitgrad.matrix_operands import check_results, matrix_arg, one_type, square_arg
from jitgrad.operands import ArrayLike, array_arg, size_arg
from jitgrad.publishing import public as _public

from .algorithms import EighImplementation, EigImplementation, SvdAlgorithm, check_algorithm, check_magma
from .arguments import integers_arg


def cholesky(x: ArrayLike, *, symmetrize_input: bool = True) -> Array:
    """The lower triangular L with L L^H = x, for Hermitian positive definite matrices; NaN where one is not.

    symmetrize_input: factorise (x + x^H) / 2, so that derivatives are symmetric, too; else the lower triangle alone is read. Raises
    ShapeError for matrices that are not square.
    """
    return systems.cholesky("lax.linalg.cholesky", square_arg("lax.linalg.cholesky", x, "x"), symmetrize_input)


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
    factors, pivots, order = systems.lu("lax.linalg.lu", matrix_arg("lax.linalg.lu", x, "x"))
    return factors, pivots, order


def lu_pivots_to_permutation(pivots: ArrayLike, permutation_size: int) -> Array:
    """The order of rows that the pivots of `lu` bring about.

    >>> import jitgrad.numpy as jnp
    >>> print(lu_pivots_to_permutation(jnp.array([2, 2]), 3))
    [2 0 1]
    """
    where = "lax.linalg.lu_pivots_to_permutation"
    exchanges, size = array_arg(where, pivots), size_arg(where, permutation_size, "permutation_size must be an integer")
    if not exchanges.type.dtype.is_integer:
        raise DTypeError(f"{where}: pivots must be integers, got {exchanges.dtype}")
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
        "lax.linalg.triangular_solve", matrix, given, lower=bool(lower), left=bool(left_side), transpose=bool(transpose_a),
        conjugate=bool(conjugate_a), unit_diagonal=bool(unit_diagonal),
    )  # fmt: skip
    return jnp.squeeze(x, -1 if left_side else -2) if is_vector else x


def qr(x: ArrayLike, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None) -> tuple[Array, ...]:
    """(Q, R) with x = Q R for matrices [..., m, n]: Q [..., m, m], or without full_matrices its first min(m, n) columns.

    pivoting: an order of columns behind them, with x[:, order] = Q R. Raises ArgumentError for use_magma.

    >>> import jitgrad.numpy as jnp
    >>> q, r = qr(jnp.array([[3.0], [4.0]]), full_matrices=False)
    >>> print(jnp.abs(r))
    [[5.]]
    """
    check_magma("lax.linalg.qr", use_magma)
    return tuple(spectra.qr("lax.linalg.qr", matrix_arg("lax.linalg.qr", x, "x"), full_matrices, pivoting))


def svd(
    x: ArrayLike, *, full_matrices: bool = True, compute_uv: bool = True, subset_by_index: tuple[int, int] | None = None,
    algorithm: SvdAlgorithm | None = None,
) -> Any:  # fmt: skip
    """(U, s, Vh) with x = U diag(s) Vh for matrices, or s alone; as numpy.linalg.svd.

    Raises ArgumentError for an `algorithm` that is not LAPACK's.

    >>> import jitgrad.numpy as jnp
    >>> print(svd(jnp.array([[0.0, 2.0], [1.0, 0.0]]), compute_uv=False))
    [2. 1.]
    """
    check_algorithm("lax.linalg.svd", "algorithm", SvdAlgorithm, algorithm)
    found = jnp.linalg.svd(matrix_arg("lax.linalg.svd", x, "x"), full_matrices, compute_uv, subset_by_index=subset_by_index)
    return tuple(found) if compute_uv else found


def eigh(
    x: ArrayLike, *, lower: bool = True, symmetrize_input: bool = True, sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None, implementation: EighImplementation | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """(eigenvectors as columns, eigenvalues, rising) of Hermitian matrices.

    lower: which triangle is read, unless symmetrize_input takes (x + x^H) / 2. subset_by_index: (start, end), those from the
    start-th to below the end-th. Raises ArgumentError for an `implementation` that is not LAPACK's.

    >>> import jitgrad.numpy as jnp
    >>> v, w = eigh(jnp.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> print(jnp.round(w, 4))
    [1. 3.]
    """
    where = "lax.linalg.eigh"
    check_algorithm(where, "implementation", EighImplementation, implementation)
    w, v = spectra.eigh(where, square_arg(where, x, "x"), lower, symmetrize_input, True)
    if subset_by_index is None:
        return v, w
    start, end = integers_arg(where, "subset_by_index", subset_by_index, 2, "end")
    if not 0 <= start <= end <= w.shape[-1]:
        raise ArgumentError(f"{where}: subset_by_index must be 0 <= start <= end <= {w.shape[-1]}, got {(start, end)}")
    return v[..., :, start:end], w[..., start:end]


def eig(
    x: ArrayLike, *, compute_left_eigenvectors: bool = True, compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False, implementation: EigImplementation | None = None, use_magma: bool | None = None,
) -> list[Array]:  # fmt: skip
    """[eigenvalues, left eigenvectors, right eigenvectors] of square matrices, complex; those that are asked for.

    Raises ArgumentError for an `implementation` that is not LAPACK's, and for use_magma.

    >>> import jitgrad.numpy as jnp
    >>> print(eig(jnp.array([[0.0, 1.0], [-1.0, 0.0]]))[0])
    [0.+1.j 0.-1.j]
    """
    where = "lax.linalg.eig"
    check_algorithm(where, "implementation", EigImplementation, implementation)
    check_magma(where, use_magma)
    return spectra.eig(where, square_arg(where, x, "x"), bool(compute_left_eigenvectors), bool(compute_right_eigenvectors))


def schur(
    x: ArrayLike, *, compute_schur_vectors: bool = True, sort_eig_vals: bool = False, select_callable: Any = None
) -> tuple[Array, ...]:
    """(T, Z) with x = Z T Z^H, Schur's form, real of real matrices; (T,) without vectors. Eigenvalues are not sorted.

    >>> import jitgrad.numpy as jnp
    >>> print(schur(jnp.eye(2))[0])
    [[1. 0.]
     [0. 1.]]
    """
    where = "lax.linalg.schur"
    if sort_eig_vals or select_callable is not None:
        raise ArgumentError(f"{where}: eigenvalues are not sorted; sort_eig_vals must be False and select_callable None")
    return tuple(op_all("schur", square_arg(where, x, "x"), vectors=bool(compute_schur_vectors)))


def hessenberg(a: ArrayLike) -> tuple[Array, Array]:
    """(h, taus): Hessenberg's form on and above h's first subdiagonal, below it Householder's reflections with the factors taus.

    >>> import jitgrad.numpy as jnp
    >>> print(hessenberg(jnp.array([[1.0, 2.0], [3.0, 4.0]]))[0])
    [[1. 2.]
     [3. 4.]]
    """
    packed, taus = op_all("hessenberg", square_arg("lax.linalg.hessenberg", a))
    return packed, taus


def tridiagonal(a: ArrayLike, *, lower: bool = True) -> tuple[Array, Array, Array, Array]:
    """(packed, d, e, taus) of Hermitian matrices: T of Q^H a Q = T has d on its diagonal and e beside it; packed and taus are Q's
    reflections. One triangle is read.

    >>> import jitgrad.numpy as jnp
    >>> print(tridiagonal(jnp.array([[1.0, 2.0], [2.0, 3.0]]))[1])
    [1. 3.]
    """
    packed, d, e, taus = op_all("tridiagonal", square_arg("lax.linalg.tridiagonal", a), lower=bool(lower))
    return packed, d, e, taus


def tridiagonal_solve(dl: ArrayLike, d: ArrayLike, du: ArrayLike, b: ArrayLike, *, perturb_singular: bool = False) -> Array:
    """x [..., n, m] with a x = b for the tridiagonal a with d [..., n] on its diagonal, dl[..., 1:] below and du[..., :-1] above.

    NaN where a is singular. perturb_singular: False.

    >>> import jitgrad.numpy as jnp
    >>> print(tridiagonal_solve(jnp.array([0.0, 1.0]), jnp.array([2.0, 2.0]), jnp.array([1.0, 0.0]), jnp.array([[3.0], [3.0]])))
    [[1.]
     [1.]]
    """
    where = "lax.linalg.tridiagonal_solve"
    if perturb_singular:
        raise ArgumentError(f"{where}: perturb_singular must be False")
    *diagonals, given = one_type(where, dl, d, du, b)
    shapes = [x.shape for x in diagonals]
    if not shapes[0] == shapes[1] == shapes[2] == given.shape[:-1]:
        raise ShapeError(f"{where}: takes diagonals [..., n] and b [..., n, m], got shapes {shapes} and {given.shape}")
    x = op("tridiagonal_solve", *diagonals, given)
    check_results(where, [x], [*diagonals, given])
    return x


def householder_product(a: ArrayLike, taus: ArrayLike) -> Array:
    """The first n columns of the product of the reflections below the diagonal of a [..., m, n], with factors taus [..., k].

    >>> import jitgrad.numpy as jnp
    >>> print(householder_product(jnp.array([[1.0], [1.0]]), jnp.array([1.0])))
    [[ 0.]
     [-1.]]
    """
    where = "lax.linalg.householder_product"
    packed, factors = one_type(where, a, taus)
    packed = matrix_arg(where, packed)
    if factors.shape[:-1] != packed.shape[:-2] or factors.ndim == 0 or factors.shape[-1] > packed.shape[-1]:
        raise ShapeError(f"{where}: takes a [..., m, n] and taus [..., k], k <= n, got shapes {packed.shape} and {factors.shape}")
    if packed.shape[-1] > packed.shape[-2]:
        raise ShapeError(f"{where}: a must have at most as many columns as rows, got shape {packed.shape}")
    return op("householder_product", packed, factors)


def ormqr(a: ArrayLike, taus: ArrayLike, c: ArrayLike, *, left: bool = True, transpose: bool = False) -> Array:
    """Q c, or without `left` c Q, for the m x m product Q of the reflections below the diagonal of a [..., m, k]; transpose: Q^H.

    >>> import jitgrad.numpy as jnp
    >>> print(ormqr(jnp.eye(2), jnp.zeros(2), jnp.ones((2, 1))))
    [[1.]
     [1.]]
    """
    where = "lax.linalg.ormqr"
    packed, factors, given = one_type(where, a, taus, c)
    m, k = matrix_arg(where, packed).shape[-2:]
    if k > m:
        raise ShapeError(f"{where}: a must have at most as many columns as rows, got shape {packed.shape}")
    if given.ndim != packed.ndim or given.shape[-2 if left else -1] != m:
        raise ShapeError(
            f"{where}: c must have {m} {'rows' if left else 'columns'}, as a has rows, got shapes {given.shape} and {packed.shape}"
        )
    wide = jnp.concatenate([packed, jnp.zeros((*packed.shape[:-1], m - k), packed.dtype)], axis=-1)
    q = householder_product(wide, factors)
    q = systems.adjoint(q) if transpose else q
    return jnp.matmul(q, given) if left else jnp.matmul(given, q)


def qdwh(
    x: ArrayLike, *, is_hermitian: bool = False, max_iterations: int | None = None, eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """(u, h, iterations, converged) of the polar decomposition x = u h of a matrix [m, n], m >= n; done by singular values, so the
    iterations are 0 and it has converged.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(qdwh(jnp.array([[0.0, 2.0], [3.0, 0.0]]))[1], 4))
    [[3. 0.]
     [0. 2.]]
    """
    where = "lax.linalg.qdwh"
    value = matrix_arg(where, x, "x")
    if dynamic_shape is not None and integers_arg(where, "dynamic_shape", dynamic_shape, 2) != value.shape[-2:]:
        raise ArgumentError(f"{where}: dynamic_shape must be None or that of x, {value.shape[-2:]}, got {dynamic_shape}")
    u, s, vh = spectra.polar(where, value, eps, max_iterations)
    h = jnp.matmul(systems.adjoint(vh) * s[..., None, :].astype(u.dtype), vh)
    return jnp.matmul(u, vh), h, jnp.zeros((), int), jnp.ones((), bool)


def symmetric_product(
    a_matrix: ArrayLike, c_matrix: ArrayLike, *, alpha: float = 1.0, beta: float = 0.0, symmetrize_output: bool = False
) -> Array:
    """alpha a a^T + beta c for a [..., n, k] and a symmetric c [..., n, n]; the result is whole, symmetrize_output or not.

    >>> import jitgrad.numpy as jnp
    >>> print(symmetric_product(jnp.array([[1.0], [2.0]]), jnp.eye(2), beta=1.0))
    [[2. 2.]
     [2. 5.]]
    """
    where = "lax.linalg.symmetric_product"
    a, c = one_type(where, a_matrix, c_matrix)
    a, c = matrix_arg(where, a, "a_matrix"), square_arg(where, c, "c_matrix")
    if c.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{where}: c_matrix must have as many rows as a_matrix, got shapes {c.shape} and {a.shape}")
    return alpha * jnp.matmul(a, jnp.matrix_transpose(a)) + beta * c


def cholesky_update(r_matrix: ArrayLike, w_vector: ArrayLike) -> Array:
    """The upper triangular S with S^T S = r^T r + w w^T, for an upper triangular r [n, n] and a vector w [n].

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(cholesky_update(2 * jnp.eye(1), jnp.array([1.5])), 4))
    [[2.5]]
    """
    where = "lax.linalg.cholesky_update"
    r, w = one_type(where, r_matrix, w_vector)
    if r.ndim != 2 or r.shape[0] != r.shape[1] or w.shape != r.shape[:1]:
        raise ShapeError(f"{where}: takes r [n, n] and w [n], got shapes {r.shape} and {w.shape}")
    _, s = spectra.qr(where, jnp.concatenate([jnp.triu(r), w[None]]), False)
    return s * jnp.where(jnp.diagonal(s) < 0, -1, 1)[:, None].astype(s.dtype)


__all__ = [
    "EigImplementation", "EighImplementation", "SvdAlgorithm",
    "cholesky", "cholesky_update", "eig", "eigh", "hessenberg", "householder_product", "lu", "lu_pivots_to_permutation",
    "ormqr", "qdwh", "qr", "schur", "svd", "symmetric_product", "triangular_solve", "tridiagonal", "tridiagonal_solve",
]  # fmt: skip

_public(__name__, replays=True)
