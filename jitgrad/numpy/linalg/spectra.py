"""QR, eigenvalues, singular values, and what follows from them: pseudo-inverses, least squares, ranks, condition numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.linear_algebra import spectra, systems
from jitgrad.matrix_operands import matrix_arg, one_type
from jitgrad.operands import ArrayLike

from .norms import matrix_norm


class QRResult(NamedTuple):
    """What qr gives."""

    Q: Array
    R: Array


class EighResult(NamedTuple):
    """What eigh gives."""

    eigenvalues: Array
    eigenvectors: Array


class EigResult(NamedTuple):
    """What eig gives."""

    eigenvalues: Array
    eigenvectors: Array


class SVDResult(NamedTuple):
    """What svd gives."""

    U: Array
    S: Array
    Vh: Array


def qr(a: ArrayLike, mode: str = "reduced") -> Any:
    """(Q, R) with a = Q R for matrices [..., m, n]: Q's columns are orthonormal, R is upper triangular.

    mode: "reduced": Q [..., m, k] and R [..., k, n] for k = min(m, n); "complete": Q [..., m, m] and R [..., m, n]; "r": R alone,
    of the reduced ones; "raw": (h, tau), Householder's reflections and their factors, h transposed as LAPACK has it. "complete" has
    a derivative where m <= n, "raw" none.

    >>> import jitgrad.numpy as jnp
    >>> q, r = qr(jnp.array([[3.0, 1.0], [4.0, 2.0]]))
    >>> print(jnp.round(jnp.abs(r), 4))
    [[5.  2.2]
     [0.  0.4]]
    """
    where = "linalg.qr"
    if mode == "raw":
        h, taus = spectra.op_all("geqrf", matrix_arg(where, a))
        return jnp.matrix_transpose(h), taus
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"{where}: mode must be 'reduced', 'complete', 'r' or 'raw', got {mode!r}")
    q, r = spectra.qr(where, a, mode == "complete")
    return r if mode == "r" else QRResult(q, r)


def svd(
    a: ArrayLike, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:  # fmt: skip
    """(U, S, Vh) with a = U[..., :k] diag(S) Vh[..., :k, :] for matrices [..., m, n], k = min(m, n); S falls. Without compute_uv S.

    full_matrices: U [..., m, m] and Vh [..., n, n]; without it [..., m, k] and [..., k, n]. Where m is not n, the derivative needs
    full_matrices=False, for the vectors beside the first k may be turned. hermitian: a is, and its eigenvalues are taken.
    subset_by_index: (start, end), the singular values from the start-th to below the end-th, with full_matrices=False.

    >>> import jitgrad.numpy as jnp
    >>> print(svd(jnp.array([[0.0, 2.0], [1.0, 0.0]]), compute_uv=False))
    [2. 1.]
    """
    where = "linalg.svd"
    if subset_by_index is not None and compute_uv and full_matrices:
        raise ArgumentError(f"{where}: subset_by_index needs full_matrices=False")
    if hermitian:
        found = spectra.hermitian_svd(where, a, compute_uv)
    else:
        found = spectra.svd(where, a, full_matrices, compute_uv)
    if subset_by_index is not None:
        part = slice(*subset_by_index)
        found = [found[0][..., :, part], found[1][..., part], found[2][..., part, :]] if compute_uv else [found[0][..., part]]
    return SVDResult(*found) if compute_uv else found[0]


def svdvals(x: ArrayLike, /) -> Array:
    """The singular values of matrices [..., m, n], falling: [..., min(m, n)].

    >>> import jitgrad.numpy as jnp
    >>> print(svdvals(jnp.array([[0.0, 2.0], [1.0, 0.0]])))
    [2. 1.]
    """
    return spectra.svd("linalg.svdvals", x, False, False)[0]


def _is_lower(where: str, uplo: str | None) -> bool:
    if uplo not in (None, "L", "U"):
        raise ArgumentError(f"{where}: UPLO must be 'L' or 'U', got {uplo!r}")
    return uplo != "U"


def eigh(a: ArrayLike, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """(eigenvalues [..., n], rising, orthonormal eigenvectors as columns [..., n, n]) of Hermitian matrices.

    symmetrize_input: of (a + a^H) / 2, so that derivatives are symmetric, too; else of one triangle, UPLO "L" or "U". Eigenvectors
    of eigenvalues that are equal have no derivative: it is NaN.

    >>> import jitgrad.numpy as jnp
    >>> w, v = eigh(jnp.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> print(jnp.round(w, 4))
    [1. 3.]
    """
    where = "linalg.eigh"
    return EighResult(*spectra.eigh(where, a, _is_lower(where, UPLO), symmetrize_input, True))


def eigvalsh(a: ArrayLike, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """The eigenvalues of Hermitian matrices, rising; arguments as of `eigh`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(eigvalsh(jnp.array([[2.0, 1.0], [1.0, 2.0]])), 4))
    [1. 3.]
    """
    where = "linalg.eigvalsh"
    return spectra.eigh(where, a, _is_lower(where, UPLO), symmetrize_input, False)[0]


def eig(a: ArrayLike) -> EigResult:
    """(eigenvalues [..., n], eigenvectors of length 1 as columns [..., n, n]) of square matrices; both are complex.

    Eigenvectors are differentiated as those that keep their length, and their largest element real.

    >>> import jitgrad.numpy as jnp
    >>> print(eig(jnp.array([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues)
    [0.+1.j 0.-1.j]
    """
    return EigResult(*spectra.eig("linalg.eig", a))


def eigvals(a: ArrayLike) -> Array:
    """The eigenvalues of square matrices, complex.

    >>> import jitgrad.numpy as jnp
    >>> print(eigvals(jnp.array([[0.0, 1.0], [-1.0, 0.0]])))
    [0.+1.j 0.-1.j]
    """
    return spectra.eig("linalg.eigvals", a, right=False)[0]


def pinv(a: ArrayLike, rtol: ArrayLike | None = None, hermitian: bool = False, *, rcond: ArrayLike | None = None) -> Array:
    """The pseudo-inverse [..., n, m] of matrices [..., m, n] (Moore and Penrose's).

    rtol (rcond is its older name): singular values up to rtol times the largest count as 0; 10 max(m, n) eps by default. hermitian:
    a is. The derivative is that at constant rank.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(pinv(jnp.array([[2.0, 0.0], [0.0, 0.0]])), 4))
    [[0.5 0. ]
     [0.  0. ]]
    """
    if rtol is not None and rcond is not None:
        raise ArgumentError("linalg.pinv: takes rtol= or rcond=, got both")
    return spectra.pinv("linalg.pinv", a, rcond if rtol is None else rtol, hermitian)


def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, *, numpy_resid: bool = False
) -> tuple[Array, Array, Array, Array]:
    """(x, residuals, rank, s): x [n] or [n, k] of least length that makes |a x - b| least, for a [m, n] and b [m] or [m, k].

    residuals: of each column of b the square of that length; with numpy_resid none where the rank is less than n or m <= n, which
    needs concrete numbers. s: a's singular values; those up to rcond, max(m, n) eps by default, times the largest count as 0.

    >>> import jitgrad.numpy as jnp
    >>> x, *_ = lstsq(jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), jnp.array([1.0, 3.0, 5.0]))
    >>> print(jnp.round(x, 4))
    [1. 2.]
    """
    where = "linalg.lstsq"
    matrix, given = one_type(where, a, b)
    if matrix.ndim != 2 or given.ndim not in (1, 2) or given.shape[0] != matrix.shape[0]:
        raise ShapeError(f"{where}: takes a [m, n] and b [m] or [m, k], got shapes {matrix.shape} and {given.shape}")
    columns = given if given.ndim == 2 else given[:, None]
    m, n = matrix.shape
    tolerance = max(m, n) * spectra.epsilon(matrix) if rcond is None or rcond < 0 else rcond
    x = jnp.matmul(spectra.pinv(where, matrix, tolerance, False), columns)
    s = svdvals(matrix)
    found = jnp.sum(s > tolerance * s[0]) if s.size else jnp.zeros((), int)
    rest = columns - jnp.matmul(matrix, x)
    residuals = jnp.sum(jnp.real(rest * jnp.conj(rest)), axis=0)
    if numpy_resid and (m <= n or int(found) < n):
        residuals = residuals[:0]
    return (x if given.ndim == 2 else x[:, 0]), residuals, found, s


def matrix_rank(M: ArrayLike, rtol: ArrayLike | None = None, *, hermitian: bool = False, tol: ArrayLike | None = None) -> Array:
    """How many singular values of matrices are larger than rtol, max(m, n) eps by default, times the largest, or than tol.

    >>> import jitgrad.numpy as jnp
    >>> print(matrix_rank(jnp.array([[1.0, 2.0], [2.0, 4.0]])))
    1
    """
    return spectra.rank("linalg.matrix_rank", M, rtol, tol, hermitian)


def cond(x: ArrayLike, p: Any = None) -> Array:
    """The condition numbers of matrices: the norm of order p times that of the inverse.

    By default and for p = 2 it is the quotient of the largest and the smallest singular value, for -2 of the smallest and the
    largest. Of a singular matrix it is infinite.

    >>> import jitgrad.numpy as jnp
    >>> print(cond(jnp.array([[4.0, 0.0], [0.0, 2.0]])))
    2.0
    """
    where = "linalg.cond"
    value = matrix_arg(where, x)
    if 0 in value.shape[-2:]:
        raise ShapeError(f"{where}: of a matrix without elements none is defined, got shape {value.shape}")
    if p in (None, 2, -2):
        s = svdvals(value)
        first, last = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        found = first / last
    else:
        found = matrix_norm(value, ord=p) * matrix_norm(systems.inv(where, value), ord=p)
    given = jnp.any(jnp.isnan(value), axis=(-2, -1))
    return jnp.where(jnp.isnan(found) & ~given, math.inf, found)


__all__ = [
    "cond", "eig", "eigh", "eigvals", "eigvalsh", "lstsq", "matrix_rank", "pinv", "qr", "svd", "svdvals",
]  # fmt: skip
