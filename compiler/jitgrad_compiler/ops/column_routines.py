"""LAPACK's routines as libraries of GPUs have them: matrices lie column by column, and how it went is a number for each matrix.

An operand or a result named with a `t` is the transpose of the matrix that the routine is about: our rows are its columns. Programs
get these ops from passes/column_routines.py where such a library is at hand; it says which of our ops they stand for, and what is
done to spoiled results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.graph import Op
from ..ir.types import I32, DType
from .factorization import ROUTINES, Shape, each_matrix, on_matrices, scipy_linalg, square
from .linear_systems import permutation_of

_NO_DERIVATIVE = "programs are differentiated before it comes into them"
_INFO: tuple[Shape, DType] = ((), I32)


def _lapack(name: str, like: Any) -> Callable[..., Any]:
    return scipy_linalg().lapack.get_lapack_funcs((name,), (like,))[0]  # type: ignore[no-any-return]


def _routine(name: str, ranks: tuple[int, ...], results: Any, one: Callable[..., Any], doc: str) -> Op:
    """An op by what is done to one matrix."""

    def numpy(*arrays: Any, **params: Any) -> Any:
        found = each_matrix(lambda *a: one(*a, **params), op, *arrays, **params)
        return found if len(found) > 1 else found[0]

    op = on_matrices(name, ranks, results, numpy, no_derivative=_NO_DERIVATIVE, doc=doc)
    return op


# -- triangles


def _potrf_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("column_potrf", a)
    return [(a, dtype), _INFO]


def _potrf(a: Any) -> Any:
    found, info = _lapack("potrf", a)(a.T, lower=0, clean=0)
    return found.T, info


column_potrf = _routine(
    "column_potrf", (2,), _potrf_results, _potrf,
    "L with L L^H = A in the lower triangle, what is above it being A's; 0 where A is positive definite.",
)  # fmt: skip


def _getrf_results(dtype: DType, at: Shape) -> Sequence[tuple[Shape, DType]]:
    return [(at, dtype), ((min(at),), I32), _INFO]


def _getrf(at: Any) -> Any:
    factors, pivots, info = _lapack("getrf", at)(at.T)
    return factors.T, pivots + 1, info


column_getrf = _routine(
    "column_getrf", (2,), _getrf_results, _getrf,
    "Of the transpose of A that of L and U in one matrix, with P A = L U; the rows' exchanges, counted from 1.",
)  # fmt: skip


def _getrs_results(dtype: DType, factors: Shape, pivots: Shape, bt: Shape, transpose: bool) -> Sequence[tuple[Shape, DType]]:
    n = square("column_getrs", factors)
    if pivots != (n,) or bt[1] != n:
        raise ShapeError(f"column_getrs: factors {factors}, pivots {pivots} and b {bt} do not fit")
    return [(bt, dtype)]


def _getrs(factors: Any, pivots: Any, bt: Any, transpose: bool) -> Any:
    with np.errstate(all="ignore"):
        return (_lapack("getrs", factors)(factors.T, pivots - 1, bt.T, trans=int(transpose))[0].T,)


column_getrs = _routine(
    "column_getrs", (2, 1, 2), _getrs_results, _getrs,
    "The transpose of X with A X = B, or A^T X = B, from what column_getrf gives for A, and the transpose of B.",
)  # fmt: skip


def _order_results(dtype: DType, a: Shape, pivots: Shape) -> Sequence[tuple[Shape, DType]]:
    return [(a[:1], I32)]


def _order_numpy(a: Any, pivots: Any) -> Any:
    return each_matrix(lambda a, p: (permutation_of(p, len(a)),), exchanged_order, a, pivots)[0]


exchanged_order: Op = on_matrices(
    "exchanged_order", (2, 1), _order_results, _order_numpy, no_derivative=_NO_DERIVATIVE,
    doc="The order of a matrix's rows that exchanges, counted from 0, bring about one after the other.",
)  # fmt: skip


# -- orthonormal columns


def _geqrf_results(dtype: DType, at: Shape) -> Sequence[tuple[Shape, DType]]:
    return [(at, dtype), ((min(at),), dtype)]


def _geqrf(at: Any) -> Any:
    factors, taus = _lapack("geqrf", at)(at.T)[:2]
    return factors.T, taus


column_geqrf = _routine(
    "column_geqrf", (2,), _geqrf_results, _geqrf,
    "Of the transpose of A that of R and, below its diagonal, of the reflections that make Q; their factors.",
)  # fmt: skip


def _orgqr_results(dtype: DType, at: Shape, taus: Shape) -> Sequence[tuple[Shape, DType]]:
    if not taus[0] <= at[0] <= at[1]:
        raise ShapeError(f"column_orgqr: reflections {at} of {taus} factors make no columns of Q")
    return [(at, dtype)]


def _orgqr(at: Any, taus: Any) -> Any:
    return (_lapack("ungqr" if np.iscomplexobj(at) else "orgqr", at)(at.T, taus)[0].T,)


column_orgqr = _routine(
    "column_orgqr", (2, 1), _orgqr_results, _orgqr,
    "The transpose of the first columns of the product of reflections, as column_geqrf gives them.",
)  # fmt: skip


# -- spectra


def _syevd_results(dtype: DType, a: Shape, vectors: bool) -> Sequence[tuple[Shape, DType]]:
    n = square("column_syevd", a)
    return [((n,), dtype.real), *([(a, dtype)] if vectors else []), _INFO]


def _syevd(a: Any, vectors: bool) -> Any:
    run = _lapack("heevd" if np.iscomplexobj(a) else "syevd", a)
    w, v, info = run(a.T, compute_v=int(vectors), lower=0)
    return w, *([v.T] if vectors else []), info


column_syevd = _routine(
    "column_syevd", (2,), _syevd_results, _syevd,
    "The eigenvalues, rising, of the Hermitian A^T of A's lower triangle; its eigenvectors as rows; 0 where they converged.",
)  # fmt: skip


def _gesvd_results(dtype: DType, at: Shape, full: bool, vectors: bool) -> Sequence[tuple[Shape, DType]]:
    n, m = at
    if m < n:
        raise ShapeError(f"column_gesvd: takes matrices of at least as many rows as columns, got {(m, n)}")
    return [((n,), dtype.real), *([((m if full else n, m), dtype), ((n, n), dtype)] if vectors else []), _INFO]


def _gesvd(at: Any, full: bool, vectors: bool) -> Any:
    u, s, vh, info = _lapack("gesvd", at)(at.T, compute_uv=int(vectors), full_matrices=int(full))
    return s, *([u.T, vh.T] if vectors else []), info


column_gesvd = _routine(
    "column_gesvd", (2,), _gesvd_results, _gesvd,
    "Of the transpose of A [m, n], m >= n, with A = U diag(s) V^H the values, falling, and the transposes of U and V^H; "
    "0 where they converged.",
)  # fmt: skip


def _gesvdj_results(dtype: DType, at: Shape) -> Sequence[tuple[Shape, DType]]:
    _gesvd_results(dtype, at, True, True)
    n, m = at
    return [((n,), dtype.real), ((m, m), dtype), ((n, n), dtype), _INFO]


def _gesvdj(at: Any) -> Any:
    s, ut, vht, info = _gesvd(at, True, True)
    return s, ut, vht.conj().T, info


column_gesvdj = _routine(
    "column_gesvdj", (2,), _gesvdj_results, _gesvdj,
    "As column_gesvd with all vectors, by Jacobi's method, for many small matrices at once; the transpose of V in place of V^H's.",
)  # fmt: skip

LIBRARY_OPS = frozenset(op.name for op in ROUTINES if op.name.startswith("column_")) | {"triangular_solve"}
"""The ops that such a library does."""
