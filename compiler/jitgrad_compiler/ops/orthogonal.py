"""The QR factorisation, and Householder's reflections as LAPACK stores them: below a diagonal, with a factor each.

The derivative is that of Walter and Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum
experimental design" (2010); of a wide matrix R's other columns follow from those that make it square.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import NonDifferentiableError, ShapeError
from ..ir.builder import Value, bind_all
from ..ir.graph import JVP, Op
from ..ir.types import I32, DType
from .define import Tangents, convert
from .factorization import Shape, each_matrix, on_matrices, scipy_linalg
from .linear_systems import taken_rows, triangular
from .matrices import adjoint, beside, block, product, real, transposed, where_between


def _qr_results(dtype: DType, a: Shape, full: bool) -> Sequence[tuple[Shape, DType]]:
    m, n = a
    rows = m if full else min(m, n)
    return [((m, rows), dtype), ((rows, n), dtype)]


def _qr_numpy(a: Any, full: bool) -> Any:
    return tuple(np.linalg.qr(a, "complete" if full else "reduced"))


def qr_tangents(q: Value, r: Value, t: Value) -> tuple[Value, Value]:
    """The tangents of both factors for that of the matrix."""
    m, n = q.type.shape[-2], r.type.shape[-1]
    if q.type.shape[-1] > min(m, n):
        raise NonDifferentiableError(
            f"qr has no derivative with all {m} columns of Q, of which the last {m - n} may be turned; take mode='reduced'."
        )
    k = min(m, n)
    square_r, left = block(r, (0, k), (0, k)), block(t, (0, m), (0, k))
    moved = triangular(square_r, left, lower=False, left=False)
    inner = product(adjoint(q), moved)
    below_diagonal = where_between(inner, "gt")
    turning = below_diagonal - adjoint(below_diagonal)
    if q.type.dtype.is_complex:
        diagonal = where_between(inner, "eq")
        turning = turning + (diagonal - convert(real(diagonal), diagonal.type.dtype))
    moved_q = product(q, turning - inner) + moved
    moved_r = product(inner - turning, square_r)
    if n > k:  # R2 = Q^H A2, and A2 = Q R2
        rest = product(adjoint(q), block(t, (0, m), (k, n))) + product(product(adjoint(moved_q), q), block(r, (0, k), (k, n)))
        moved_r = beside(moved_r, rest)
    return moved_q, moved_r


def _qr_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    q, r = bind_all(qr, *primals, **params)
    (t,) = tangents
    return [q, r], [None, None] if t is None else list(qr_tangents(q, r, t))


qr: Op = on_matrices("qr", (2,), _qr_results, _qr_numpy, doc="Q and R with A = Q R, Q's columns orthonormal, R upper triangular.")
JVP[qr] = _qr_jvp


def _pivoted_results(dtype: DType, a: Shape, full: bool) -> Sequence[tuple[Shape, DType]]:
    return [*_qr_results(dtype, a, full), ((a[1],), I32)]


def _pivoted_numpy(a: Any, full: bool) -> Any:
    def one(a: Any) -> Any:
        if not a.size:
            return *np.linalg.qr(a, "complete" if full else "reduced"), np.arange(a.shape[1])
        return scipy_linalg().qr(a, mode="full" if full else "economic", pivoting=True, check_finite=False)

    return each_matrix(one, qr_pivoted, a, full=full)


def taken_columns(x: Value, order: Value) -> Value:
    """Columns in another order: x [..., m, n], order [..., k]."""
    return transposed(taken_rows(transposed(x), order))


def _pivoted_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    q, r, order = bind_all(qr_pivoted, *primals, **params)
    (t,) = tangents
    return [q, r, order], [None] * 3 if t is None else [*qr_tangents(q, r, taken_columns(t, order)), None]


qr_pivoted: Op = on_matrices(
    "qr_pivoted", (2,), _pivoted_results, _pivoted_numpy,
    doc="Q, R and an order of columns with A[:, order] = Q R, R's diagonal falling in size.",
)  # fmt: skip
JVP[qr_pivoted] = _pivoted_jvp


# -- reflections

_NO_DERIVATIVE = "of reflections none is defined; qr has one"


def _reflections_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    return [(a, dtype), ((min(a),), dtype)]


def _lapack(name: str) -> Callable[..., Any]:
    def run(*arrays: Any, **named: Any) -> Any:
        (function,) = scipy_linalg().lapack.get_lapack_funcs((name,), arrays[:1])
        return function(*arrays, **named)

    return run


def _geqrf_numpy(a: Any) -> Any:
    run = _lapack("geqrf")
    return each_matrix(lambda a: run(a)[:2] if a.size else (a, np.zeros(0)), geqrf, a)


geqrf: Op = on_matrices(
    "geqrf", (2,), _reflections_results, _geqrf_numpy, no_derivative=_NO_DERIVATIVE,
    doc="R on and above the diagonal, below it Householder's reflections, whose product is Q; their factors.",
)  # fmt: skip


def _product_results(dtype: DType, a: Shape, factors: Shape) -> Sequence[tuple[Shape, DType]]:
    if factors[0] > a[1] or a[1] > a[0]:
        raise ShapeError(f"householder_product: takes a [m, n] with m >= n and at most n factors, got {a} and {factors}")
    return [(a, dtype)]


def _product_numpy(a: Any, factors: Any) -> Any:
    run = None

    def one(a: Any, factors: Any) -> Any:
        nonlocal run
        if not factors.size:
            return (np.eye(*a.shape),)
        run = run or _lapack("ungqr" if np.iscomplexobj(a) else "orgqr")
        return (run(a, factors)[0],)

    return each_matrix(one, householder_product, a, factors)[0]


householder_product: Op = on_matrices(
    "householder_product", (2, 1), _product_results, _product_numpy, no_derivative=_NO_DERIVATIVE,
    doc="The first columns of the product of Householder's reflections below a diagonal.",
)  # fmt: skip


def _hessenberg_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    if a[0] != a[1]:
        raise ShapeError(f"hessenberg: takes square matrices, got shape {a}")
    return [(a, dtype), ((max(a[0] - 1, 0),), dtype)]


def _hessenberg_numpy(a: Any) -> Any:
    run = _lapack("gehrd")
    return each_matrix(lambda a: run(a)[:2] if a.shape[0] > 1 else (a, np.zeros(0)), hessenberg, a)


hessenberg: Op = on_matrices(
    "hessenberg", (2,), _hessenberg_results, _hessenberg_numpy, no_derivative=_NO_DERIVATIVE,
    doc="H of A = Q H Q^H, with zeros below its first subdiagonal, where the reflections are that make Q; their factors.",
)  # fmt: skip


def _tridiagonal_results(dtype: DType, a: Shape, lower: bool) -> Sequence[tuple[Shape, DType]]:
    _hessenberg_results(dtype, a)
    less = (max(a[0] - 1, 0),)
    return [(a, dtype), (a[:1], dtype.real), (less, dtype.real), (less, dtype)]


def _tridiagonal_numpy(a: Any, lower: bool) -> Any:
    run = _lapack("hetrd" if np.iscomplexobj(a) else "sytrd")

    def one(a: Any) -> Any:
        return run(a, lower=int(lower))[:4] if a.size else (a, np.zeros(0), np.zeros(0), np.zeros(0))

    return each_matrix(one, tridiagonal, a, lower=lower)


tridiagonal: Op = on_matrices(
    "tridiagonal", (2,), _tridiagonal_results, _tridiagonal_numpy, no_derivative=_NO_DERIVATIVE,
    doc="T of a Hermitian A = Q T Q^H: its reflections, its diagonal, the one beside it, and the reflections' factors.",
)  # fmt: skip
