"""QR, singular values, eigenvalues, Schur's form, Hessenberg's, and the polar decomposition."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.array_ops import op, op_all
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.linear_algebra import spectra, systems
from jitgrad.matrix_operands import one_type, square_arg
from jitgrad.operands import ArrayLike, size_arg
from jitgrad_compiler.ops.factorization import complex_type


def qr(
    a: ArrayLike, overwrite_a: bool = False, lwork: Any = None, mode: str = "full", pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Array, ...]:  # fmt: skip
    """(Q, R) with a = Q R for matrices [..., m, n]; with pivoting (Q, R, order) with a[:, order] = Q R, R's diagonal falling.

    mode: "full": Q [..., m, m]; "economic": Q [..., m, k] for k = min(m, n); "r": R alone, in a tuple, of the full ones.
    lwork is LAPACK's, and is not asked for here.

    >>> import jitgrad.numpy as jnp
    >>> q, r = qr(jnp.array([[3.0, 1.0], [4.0, 2.0]]))
    >>> print(jnp.round(q @ r, 4))
    [[3. 1.]
     [4. 2.]]
    """
    where = "scipy.linalg.qr"
    if mode not in ("full", "r", "economic"):
        raise ArgumentError(f"{where}: mode must be 'full', 'r' or 'economic', got {mode!r}")
    if lwork is not None:
        size_arg(where, lwork, "lwork must be an integer or None")
    found = spectra.qr(where, a, mode != "economic", pivoting)
    return tuple(found[1:]) if mode == "r" else tuple(found)


def qr_multiply(
    a: ArrayLike, c: ArrayLike, mode: str = "right", pivoting: bool = False, conjugate: bool = False, overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Array, ...]:  # fmt: skip
    """(c Q, R) or, with mode "left", (Q c, R) for the economic Q and R of a [m, n]; with pivoting the order of columns behind them.

    conjugate: with the conjugate of Q. c may be a vector. Left, c may have as many rows as Q has columns, or as a has rows.

    >>> import jitgrad.numpy as jnp
    >>> product, r = qr_multiply(jnp.array([[3.0, 1.0], [4.0, 2.0]]), jnp.eye(2))
    >>> print(jnp.round(product @ r, 4))
    [[3. 1.]
     [4. 2.]]
    """
    where = "scipy.linalg.qr_multiply"
    if mode not in ("left", "right"):
        raise ArgumentError(f"{where}: mode must be 'left' or 'right', got {mode!r}")
    matrix, given = one_type(where, a, c)
    q, *rest = spectra.qr(where, matrix, False, pivoting)
    q = systems.conjugated(q) if conjugate else q
    inner = q.shape[-1] if mode == "left" else q.shape[-2]
    axis = 0 if given.ndim == 1 else -2 if mode == "left" else -1
    if given.ndim == 0 or given.shape[axis] != inner:
        lines = "rows" if mode == "left" else "columns"
        raise ShapeError(f"{where}: c must have {inner} {lines} beside a {matrix.shape}, got {given.shape}")
    return (jnp.matmul(q, given) if mode == "left" else jnp.matmul(given, q)), *rest


def svd(
    a: ArrayLike, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False, check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """(U, s, Vh) with a = U diag(s) Vh, or s alone; as numpy.linalg.svd. lapack_driver: "gesdd" or "gesvd", one method serves both.

    >>> import jitgrad.numpy as jnp
    >>> print(svd(jnp.array([[0.0, 2.0], [1.0, 0.0]]), compute_uv=False))
    [2. 1.]
    """
    if lapack_driver not in ("gesdd", "gesvd"):
        raise ArgumentError(f"scipy.linalg.svd: lapack_driver must be 'gesdd' or 'gesvd', got {lapack_driver!r}")
    found = spectra.svd("scipy.linalg.svd", a, full_matrices, compute_uv)
    return tuple(found) if compute_uv else found[0]


def eigh(
    a: ArrayLike, b: ArrayLike | None = None, lower: bool = True, eigvals_only: bool = False, overwrite_a: bool = False,
    overwrite_b: bool = False, turbo: bool = True, eigvals: None = None, type: int = 1, check_finite: bool = True,
) -> Any:  # fmt: skip
    """(eigenvalues, rising, eigenvectors as columns) of Hermitian matrices, of which one triangle is read; or the values alone.

    b: positive definite, for the problem a v = w b v (type 1), a b v = w v (2) or b a v = w v (3); vectors are orthonormal by b.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(eigh(jnp.array([[2.0, 1.0], [1.0, 2.0]]), eigvals_only=True), 4))
    [1. 3.]
    """
    where = "scipy.linalg.eigh"
    if eigvals is not None:
        raise ArgumentError(f"{where}: eigvals must be None; slice the results")
    if type not in (1, 2, 3):
        raise ArgumentError(f"{where}: type must be 1, 2 or 3, got {type!r}")
    if b is None:
        found = spectra.eigh(where, a, lower, False, not eigvals_only)
        return found[0] if eigvals_only else tuple(found)
    matrix, other = one_type(where, a, b)
    matrix, other = (x if lower else systems.adjoint(x) for x in (square_arg(where, matrix), square_arg(where, other, "b")))
    factor = op("cholesky", other)  # b = L L^H
    whole = jnp.tril(matrix) + systems.adjoint(jnp.tril(matrix, -1))

    def solved(x: Array, right: bool = False) -> Array:
        return systems.triangular_solve(where, factor, x, lower=True, left=not right, transpose=right, conjugate=right)

    if type == 1:  # L^-1 a L^-H
        reduced = solved(solved(whole), right=True)
    else:  # L^H a L
        reduced = jnp.matmul(systems.adjoint(factor), jnp.matmul(whole, factor))
    w, *vectors = spectra.eigh(where, reduced, True, True, not eigvals_only)
    if eigvals_only:
        return w
    if type == 3:
        return w, jnp.matmul(factor, vectors[0])
    back = systems.triangular_solve(where, factor, vectors[0], lower=True, transpose=True, conjugate=True)
    return w, back


def eigh_tridiagonal(
    d: ArrayLike, e: ArrayLike, *, eigvals_only: bool = False, select: str = "a", select_range: tuple[int, int] | None = None,
    tol: float | None = None, key: Any = None,
) -> Any:  # fmt: skip
    """(eigenvalues, rising, eigenvectors) of the symmetric matrix with d [n] on its diagonal and e [n - 1] beside it.

    select: "a" all, "i" those from the first to the last number of select_range, both included. tol, key: taken for jax's sake.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(eigh_tridiagonal(jnp.array([2.0, 2.0]), jnp.array([1.0]), eigvals_only=True), 4))
    [1. 3.]
    """
    where = "scipy.linalg.eigh_tridiagonal"
    if select not in ("a", "i"):
        raise ArgumentError(f"{where}: select must be 'a' or 'i', got {select!r}; how many lie between numbers is unknown")
    diagonal, beside = one_type(where, d, e)
    n = diagonal.shape[0] if diagonal.ndim == 1 else -1
    if n < 1 or beside.shape != (n - 1,):
        raise ShapeError(f"{where}: takes d [n] and e [n - 1], got shapes {diagonal.shape} and {beside.shape}")
    found = spectra.eigh(where, jnp.diag(diagonal) + jnp.diag(beside, -1), True, False, not eigvals_only)
    if select == "i":
        if select_range is None:
            raise ArgumentError(f"{where}: select='i' needs select_range, the numbers of the first and the last eigenvalue")
        first, last = select_range
        found = [x[..., first : last + 1] for x in found]
    return found[0] if eigvals_only else tuple(found)


def schur(a: ArrayLike, output: str = "real") -> tuple[Array, Array]:
    """(T, Z) with a = Z T Z^H for square matrices: Z unitary, T upper triangular; of real ones with output="real" but for blocks of
    2 x 2 on the diagonal, with "complex" complex. It has no derivative.

    >>> import jitgrad.numpy as jnp
    >>> t, z = schur(jnp.array([[1.0, 2.0], [0.0, 3.0]]))
    >>> print(jnp.round(z @ t @ z.T, 4))
    [[1. 2.]
     [0. 3.]]
    """
    where = "scipy.linalg.schur"
    if output not in ("real", "complex"):
        raise ArgumentError(f"{where}: output must be 'real' or 'complex', got {output!r}")
    value = square_arg(where, a)
    if output == "complex":
        value = value.astype(complex_type(value.type.dtype).numpy)
    t, z = op_all("schur", value, vectors=True)
    return t, z


def rsf2csf(T: ArrayLike, Z: ArrayLike, check_finite: bool = True) -> tuple[Array, Array]:
    """The complex Schur form (T, Z) of a real one: upper triangular, with the same Z T Z^H.

    >>> import jitgrad.numpy as jnp
    >>> t, z = rsf2csf(*schur(jnp.array([[0.0, 1.0], [-1.0, 0.0]])))
    >>> print(jnp.round(jnp.real(z @ t @ jnp.conj(z.T)), 4))
    [[ 0.  1.]
     [-1.  0.]]
    """
    where = "scipy.linalg.rsf2csf"
    t, z = one_type(where, T, Z)
    t, z = square_arg(where, t, "T"), square_arg(where, z, "Z")
    if t.shape != z.shape:
        raise ShapeError(f"{where}: T and Z must have one shape, got {t.shape} and {z.shape}")
    kind = complex_type(t.type.dtype).numpy
    found, turned = op_all("schur", t.astype(kind), vectors=True)
    return found, jnp.matmul(z.astype(kind), turned)


def hessenberg(a: ArrayLike, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """H with a = Q H Q^H for square matrices, Q unitary, H zero below its first subdiagonal; with calc_q (H, Q). No derivative.

    >>> import jitgrad.numpy as jnp
    >>> h, q = hessenberg(jnp.array([[1.0, 2.0], [3.0, 4.0]]), calc_q=True)
    >>> print(h)
    [[1. 2.]
     [3. 4.]]
    """
    packed, taus = op_all("hessenberg", square_arg("scipy.linalg.hessenberg", a))
    h = jnp.triu(packed, -1)
    if not calc_q:
        return h
    n = packed.shape[-1]
    q = jnp.broadcast_to(jnp.eye(n, dtype=packed.dtype), packed.shape)
    if n > 1:
        q = q.at[..., 1:, 1:].set(op("householder_product", packed[..., 1:, :-1], taus))
    return h, q


def polar(
    a: ArrayLike, side: str = "right", *, method: str = "qdwh", eps: float | None = None, max_iterations: int | None = None
) -> tuple[Array, Array]:
    """(u, p) with a = u p, or with side "left" a = p u: p positive semidefinite, u with orthonormal columns or rows.

    method: "qdwh" or "svd"; both are done by singular values. a [..., m, n]; right p is [..., n, n], left [..., m, m].

    >>> import jitgrad.numpy as jnp
    >>> u, p = polar(jnp.array([[0.0, 2.0], [3.0, 0.0]]))
    >>> print(jnp.round(p, 4))
    [[3. 0.]
     [0. 2.]]
    """
    where = "scipy.linalg.polar"
    if side not in ("right", "left"):
        raise ArgumentError(f"{where}: side must be 'right' or 'left', got {side!r}")
    if method not in ("qdwh", "svd"):
        raise ArgumentError(f"{where}: method must be 'qdwh' or 'svd', got {method!r}")
    u, s, vh = spectra.polar(where, a, eps, max_iterations)
    sizes = s[..., None, :].astype(u.dtype)
    p = jnp.matmul(systems.adjoint(vh) * sizes, vh) if side == "right" else jnp.matmul(u * sizes, systems.adjoint(u))
    return jnp.matmul(u, vh), p


__all__ = [
    "eigh", "eigh_tridiagonal", "hessenberg", "polar", "qr", "qr_multiply", "rsf2csf", "schur", "svd",
]  # fmt: skip
