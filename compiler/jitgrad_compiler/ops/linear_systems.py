"""Triangular systems, Cholesky's and the LU factorisation, systems of square matrices, and determinants.

Derivatives follow Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), those of LU de Hoog, Anderssen and Lukas, "Differentiation of matrix functionals using triangular
factorization" (2011). Factorisations of Hermitian matrices read the lower triangle alone, and so do their derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind, bind_all, literal
from ..ir.graph import JVP, Op
from ..ir.types import I32, DType
from .arithmetic import op
from .define import Operand, Tangents, add_tangents, broadcast, convert, known, linear_jvp, reduce_sum, reshape, transpose_axes
from .factorization import (
    Shape,
    each_matrix,
    nan_unless_finite,
    nan_where,
    on_matrices,
    scipy_linalg,
    square,
    whole_batch,
)
from .matrices import (
    along_columns,
    below,
    beside,
    block,
    conjugated,
    diagonal,
    identity_like,
    mirrored,
    product,
    real,
    transposed,
    upper,
    where_between,
)

# -- systems: A X = B for A [n, n] and B [n, m]


def _system(name: str, a: Shape, b: Shape, left: bool = True) -> None:
    n = square(name, a)
    if b[0 if left else 1] != n:
        raise ShapeError(f"{name}: a {a} and b {b} do not fit; b must have {n} {'rows' if left else 'columns'}")


def _batch_of_columns(solver: Callable[[], Op]) -> Any:
    """The batching rule of systems solved from the left: where the matrices (all operands but the last) are the same for all
    examples, those are more columns.
    """

    def rule(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        b = args[-1]
        if any(batched[:-1]) or not params.get("left", True):
            return whole_batch(solver())(size, args, batched, params)
        _, *lead, n, m = b.type.shape
        rank = b.type.rank
        wide = reshape(transpose_axes(b, (*range(1, rank - 1), 0, rank - 1)), (*lead, n, size * m))
        out = reshape(bind(solver(), *args[:-1], wide, **params), (*lead, n, size, m))
        return [transpose_axes(out, (rank - 2, *range(rank - 2), rank - 1))]

    return rule


def _triangular_results(dtype: DType, a: Shape, b: Shape, left: bool, **params: bool) -> Sequence[tuple[Shape, DType]]:
    _system("triangular_solve", a, b, left)
    return [(b, dtype)]


def _triangular_numpy(a: Any, b: Any, left: bool, lower: bool, transpose: bool, unit_diagonal: bool) -> Any:
    trtrs = None

    def one(a: Any, b: Any) -> Any:
        nonlocal trtrs
        if trtrs is None:
            (trtrs,) = scipy_linalg().blas.get_blas_funcs(("trsm",), (a, b))
        return (trtrs(1, a.T, b.T, side=left, lower=not lower, trans_a=int(transpose), diag=int(unit_diagonal)).T,)

    params = dict(left=left, lower=lower, transpose=transpose, unit_diagonal=unit_diagonal)
    if not np.size(b):
        return np.zeros_like(b)
    return each_matrix(one, triangular_solve, a, b, **params)[0]


def _triangle_of(a: Value, lower_one: bool, unit_diagonal: bool) -> Value:
    comparison = ("gt" if lower_one else "lt") if unit_diagonal else ("ge" if lower_one else "le")
    return where_between(a, comparison)


def _triangular_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a, b), (ta, tb) = primals, tangents
    x = bind(triangular_solve, a, b, **params)
    if ta is not None:
        moved = _triangle_of(ta, params["lower"], params["unit_diagonal"])
        moved = transposed(moved) if params["transpose"] else moved
        tb = add_tangents(tb, -(product(moved, x) if params["left"] else product(x, moved)))
    return [x], [None if tb is None else bind(triangular_solve, a, tb, **params)]


def _triangular_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    a = known("triangular_solve", operands[0])
    return [None, bind(triangular_solve, a, cts[0], **{**params, "transpose": not params["transpose"]})]


triangular_solve: Op = on_matrices(
    "triangular_solve", (2, 2), _triangular_results, _triangular_numpy, transpose=_triangular_transpose,
    batch=_batch_of_columns(lambda: triangular_solve),
    doc="X with op(A) X = B, or from the right X op(A) = B, for triangular A and op the identity or the transpose.",
)  # fmt: skip
JVP[triangular_solve] = _triangular_jvp


def triangular(
    a: Value, b: Value, *, lower: bool, left: bool = True, transpose: bool = False, unit_diagonal: bool = False
) -> Value:
    return bind(triangular_solve, a, b, left=left, lower=lower, transpose=transpose, unit_diagonal=unit_diagonal)


# -- the Hermitian part


def _hermitian_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("hermitian_part", a)
    return [(a, dtype)]


def _hermitian_numpy(a: Any) -> Any:
    half = a * a.dtype.type(0.5)  # first: sums of the largest numbers there are overflow
    turned = np.swapaxes(half, -1, -2)
    return half + (turned.conj() if np.iscomplexobj(a) else turned)


def _hermitian_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [bind(hermitian_part, cts[0])]


hermitian_part: Op = on_matrices(
    "hermitian_part", (2,), _hermitian_results, _hermitian_numpy, transpose=_hermitian_transpose,
    doc="(A + A^H) / 2; one op for the sake of eager mode, which programs write out.",
)  # fmt: skip
JVP[hermitian_part] = linear_jvp(hermitian_part)


# -- Cholesky


def _cholesky_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("cholesky", a)
    return [(a, dtype)]


def _cholesky_numpy(a: Any) -> Any:
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        (factor,) = each_matrix(lambda a: (np.linalg.cholesky(a),), cholesky, a)
    if not factor.size:
        return factor
    spoilt = np.isnan(factor[..., -1, -1])  # a NaN of the triangle is on its way to the last element
    return nan_where(spoilt, factor)[0] if spoilt.any() else factor


def _cholesky_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    factor, (t,) = bind(cholesky, *primals), tangents
    if t is None:
        return [factor], [None]
    inner = triangular(factor, mirrored(t), lower=True)
    inner = triangular(conjugated(factor), inner, lower=True, left=False, transpose=True)
    return [factor], [product(factor, where_between(inner, "gt") + where_between(inner, "eq") * 0.5)]


cholesky: Op = on_matrices(
    "cholesky", (2,), _cholesky_results, _cholesky_numpy,
    doc="The lower triangular L with L L^H = A for the Hermitian A of the lower triangle; NaN where A is not positive definite.",
)  # fmt: skip
JVP[cholesky] = _cholesky_jvp


# -- LU


def _lu_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    return [(a, dtype), ((min(a),), I32), ((a[0],), I32)]


def permutation_of(pivots: Any, rows: int) -> Any:
    """The order of rows that exchanges, one after the other, bring about."""
    order = np.arange(rows, dtype=np.int32)
    for i, p in enumerate(pivots):
        order[[i, p]] = order[[p, i]]
    return order


def _lu_numpy(a: Any) -> Any:
    getrf = None

    def one(a: Any) -> Any:
        nonlocal getrf
        if not a.size:
            return a, np.zeros(0, np.int32), np.arange(a.shape[0], dtype=np.int32)
        if getrf is None:
            (getrf,) = scipy_linalg().lapack.get_lapack_funcs(("getrf",), (a,))
        factors, pivots, _ = getrf(a)
        return factors, pivots, permutation_of(pivots, a.shape[0])

    factors, pivots, order = each_matrix(one, lu, a)
    return *nan_unless_finite(np.asarray(a), factors), pivots, order


def taken_rows(x: Value, order: Value) -> Value:
    """Rows in another order: x [..., m, n], order [..., k]."""
    batch = x.type.rank - 2
    return op("gather", x, reshape(order, (*order.type.shape, 1)), axes=(batch,), batch=batch, mode="clip")


def _lu_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    factors, pivots, order = bind_all(lu, *primals)
    (t,) = tangents
    if t is None:
        return [factors, pivots, order], [None] * 3
    m, n = factors.type.shape[-2:]
    k = min(m, n)
    t = taken_rows(t, order)
    top = block(factors, (0, k), (0, k))
    inner = triangular(top, block(t, (0, k), (0, k)), lower=True, unit_diagonal=True)
    inner = triangular(top, inner, lower=False, left=False)
    unit = where_between(top, "gt") + identity_like(top)
    moved_lower, moved_upper = product(unit, where_between(inner, "gt")), product(upper(inner), upper(top))
    moved = moved_lower + moved_upper
    if m > n:
        rest = block(t, (k, m), (0, n)) - product(block(factors, (k, m), (0, n)), moved_upper)
        moved = below(moved, triangular(top, rest, lower=False, left=False))
    elif n > m:
        rest = block(t, (0, m), (k, n)) - product(moved_lower, block(factors, (0, m), (k, n)))
        moved = beside(moved, triangular(top, rest, lower=True, unit_diagonal=True))
    return [factors, pivots, order], [moved, None, None]


lu: Op = on_matrices(
    "lu", (2,), _lu_results, _lu_numpy,
    doc="L and U in one matrix with P A = L U by partial pivoting; the rows' exchanges, counted from 0; their order.",
)  # fmt: skip
JVP[lu] = _lu_jvp


# -- square systems


def _solve_results(dtype: DType, a: Shape, b: Shape, transpose: bool) -> Sequence[tuple[Shape, DType]]:
    _system("solve", a, b)
    return [(b, dtype)]


def _solve_numpy(a: Any, b: Any, transpose: bool) -> Any:
    turned = np.swapaxes(a, -1, -2) if transpose else a
    try:
        return nan_unless_finite(a, np.linalg.solve(turned, b))[0]
    except np.linalg.LinAlgError:
        factors, pivots, _ = lu.numpy(turned)
        return _factored_numpy(turned, factors, pivots, b, False)


def _factored_results(
    dtype: DType, a: Shape, factors: Shape, pivots: Shape, b: Shape, transpose: bool
) -> Sequence[tuple[Shape, DType]]:
    _system("solve_factored", a, b)
    if factors != a or pivots != a[:1]:
        raise ShapeError(f"solve_factored: factors {factors} and pivots {pivots} are not those of a {a}")
    return [(b, dtype)]


def _factored_numpy(a: Any, factors: Any, pivots: Any, b: Any, transpose: bool) -> Any:
    def one(a: Any, factors: Any, pivots: Any, b: Any) -> Any:
        """By trsm, not getrs: OpenBLAS's wakes its threads for two columns of any size, as laswp does."""
        if not b.size:
            return (b,)
        (trsm,) = scipy_linalg().blas.get_blas_funcs(("trsm",), (factors,))
        order, turned = permutation_of(pivots, len(b)), factors.T  # in Fortran's order: U^T is below, L^T above, of ones
        if not transpose:
            return (trsm(1, turned, trsm(1, turned, b[order], trans_a=1, diag=1), trans_a=1, lower=1),)
        x = np.empty_like(b)
        x[order] = trsm(1, turned, trsm(1, turned, b, lower=1), diag=1)
        return (x,)

    with np.errstate(all="ignore"):
        return each_matrix(one, solve_factored, a, factors, pivots, b, transpose=transpose)[0]


def factored(a: Value) -> list[Value]:
    """a, and its factors and pivots as constants to derivatives: what solve_factored takes before b."""
    constant = op("stop_gradient", a)
    return [a, *bind_all(lu, constant)[:2]]


def _solved(known_ones: Sequence[Value], ta: Value | None, b: Value, tb: Value | None, transpose: bool) -> Any:
    """The solution and its tangent."""
    x = bind(solve_factored, *known_ones, b, transpose=transpose)
    if ta is not None:
        tb = add_tangents(tb, -product(transposed(ta) if transpose else ta, x))
    return [x], [None if tb is None else bind(solve_factored, *known_ones, tb, transpose=transpose)]


def _solve_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a, b), (ta, tb) = primals, tangents
    return _solved(factored(a), ta, b, tb, **params)


def _solve_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [None, bind(solve, known("solve", operands[0]), cts[0], transpose=not params["transpose"])]


solve: Op = on_matrices(
    "solve", (2, 2), _solve_results, _solve_numpy, transpose=_solve_transpose, batch=_batch_of_columns(lambda: solve),
    doc="X with A X = B, or with A^T X = B.",
)  # fmt: skip
JVP[solve] = _solve_jvp


def _factored_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    return _solved(primals[:3], tangents[0], primals[3], tangents[3], **params)


def _factored_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    given = [known("solve_factored", x) for x in operands[:3]]
    return [None, None, None, bind(solve_factored, *given, cts[0], transpose=not params["transpose"])]


solve_factored: Op = on_matrices(
    "solve_factored", (2, 2, 1, 2), _factored_results, _factored_numpy, transpose=_factored_transpose,
    batch=_batch_of_columns(lambda: solve_factored),
    doc="X with A X = B, or A^T X = B, from A, its factors and pivots, and B; a function of A and B alone to derivatives.",
)  # fmt: skip
JVP[solve_factored] = _factored_jvp


def _inverse_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("inverse", a)
    return [(a, dtype)]


def _inverse_numpy(a: Any) -> Any:
    try:
        return nan_unless_finite(a, np.linalg.inv(a))[0]
    except np.linalg.LinAlgError:
        return _solve_numpy(a, np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape), False)


def _inverse_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    x, (t,) = bind(inverse, *primals), tangents
    return [x], [None if t is None else -product(x, product(t, x))]


inverse: Op = on_matrices("inverse", (2,), _inverse_results, _inverse_numpy, doc="The inverse of a square matrix.")
JVP[inverse] = _inverse_jvp


# -- tridiagonal systems


def _tridiagonal_results(dtype: DType, dl: Shape, d: Shape, du: Shape, b: Shape) -> Sequence[tuple[Shape, DType]]:
    if not dl == d == du == b[:1]:
        raise ShapeError(f"tridiagonal_solve: takes three diagonals [n] and b [n, m], got {dl}, {d}, {du} and {b}")
    return [(b, dtype)]


def _tridiagonal_numpy(dl: Any, d: Any, du: Any, b: Any) -> Any:
    def one(dl: Any, d: Any, du: Any, b: Any) -> Any:
        if not b.size:
            return (b,)
        if len(d) == 1:
            x, info = b / d, d[0] == 0
        else:
            (gtsv,) = scipy_linalg().lapack.get_lapack_funcs(("gtsv",), (d,))
            *_, x, info = gtsv(dl[1:], d, du[:-1], b)
        if info:
            raise np.linalg.LinAlgError
        return (x,)

    with np.errstate(all="ignore"):
        return each_matrix(one, tridiagonal_solve, dl, d, du, b)[0]


def _shifted(x: Value, by: int) -> Value:
    """x [..., n] moved along its axis by one place, a zero coming in."""
    lead = ((0, 0, 0),) * (x.type.rank - 1)
    return op("pad", x, literal(0, x.type.dtype), padding=(*lead, (by, -by, 0)))


def _tridiagonal_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    *diagonals, b = primals
    x = bind(tridiagonal_solve, *primals)
    columns = x.type.shape[-1]
    t = tangents[3]
    rank = x.type.rank
    for moved, by in zip(tangents[:3], (1, 0, -1), strict=True):
        if moved is not None:
            rows = op("pad", x, literal(0, x.type.dtype), padding=(*((0, 0, 0),) * (rank - 2), (by, -by, 0), (0, 0, 0)))
            t = add_tangents(t, -(along_columns(moved, columns) * rows))
    return [x], [None if t is None else bind(tridiagonal_solve, *diagonals, t)]


def _tridiagonal_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    below, d, above = (known("tridiagonal_solve", x) for x in operands[:3])
    return [None, None, None, bind(tridiagonal_solve, _shifted(above, 1), d, _shifted(below, -1), cts[0])]


tridiagonal_solve: Op = on_matrices(
    "tridiagonal_solve", (1, 1, 1, 2), _tridiagonal_results, _tridiagonal_numpy, transpose=_tridiagonal_transpose,
    doc="X with A X = B for the tridiagonal A of three diagonals [n], the lower one's first, the upper one's last unread.",
)  # fmt: skip
JVP[tridiagonal_solve] = _tridiagonal_jvp


# -- determinants


def _determinant_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("det", a)
    return [((), dtype)]


def _log_determinant_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("slogdet", a)
    return [((), dtype), ((), dtype.real)]


def _trace_of_solution(a: Value, t: Value) -> Value:
    """tr(A^-1 T)."""
    return reduce_sum(diagonal(bind(solve_factored, *factored(a), t, transpose=False)), (a.type.rank - 2,))


def _log_determinant_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    sign, size = bind_all(slogdet, a)
    if t is None:
        return [sign, size], [None, None]
    moved = _trace_of_solution(a, t)
    if not a.type.dtype.is_complex:
        return [sign, size], [None, moved]
    return [sign, size], [sign * (moved - convert(real(moved), moved.type.dtype)), real(moved)]


slogdet = on_matrices(
    "slogdet", (2,), _log_determinant_results, lambda a: nan_unless_finite(a, *np.linalg.slogdet(a)),
    doc="The sign, or phase, of a determinant and the logarithm of its size: 0 and -inf of a singular matrix.",
)  # fmt: skip
JVP[slogdet] = _log_determinant_jvp


def _element(x: Value, i: int, j: int) -> Value:
    return reshape(block(x, (i, i + 1), (j, j + 1)), x.type.shape[:-2])


def _adjugate_contracted(a: Value, t: Value) -> Value:
    """tr(adj(A) T), the derivative of the determinant.

    Up to 3 x 3 by minors. Else of P A = L U with the last pivot p apart, U' being U with 1 in its place: adj(A) = det(P) det(U) / p
    U'^-1 diag(p, ..., p, 1) L^-1 P, which holds where p is 0, too, as it is for a matrix that lacks one rank.
    """
    n, rank = a.type.shape[-1], a.type.rank
    if n <= 3:
        total = None
        for i in range(n):
            for j in range(n):
                total = add_tangents(total, _minor(a, i, j) * _element(t, i, j))
        assert total is not None
        return total
    factors, pivots, order = bind_all(lu, a)
    last = _element(factors, n - 1, n - 1)
    inner = triangular(factors, taken_rows(t, order), lower=True, unit_diagonal=True)
    rows, row = block(inner, (0, n - 1), (0, n)), block(inner, (n - 1, n), (0, n))
    inner = below(rows * broadcast(last, rows.type.shape, tuple(range(rank - 2))), row)
    top = below(block(upper(factors), (0, n - 1), (0, n)), block(identity_like(a), (n - 1, n), (0, n)))
    inner = triangular(top, inner, lower=False)
    others = op("reduce_prod", diagonal(top), axes=(rank - 2,))
    return reduce_sum(diagonal(inner), (rank - 2,)) * others * parity(pivots, a)


def parity(pivots: Value, like: Value) -> Value:
    """The sign of a permutation, -1 for an odd number of exchanges."""
    here = op("iota", shape=pivots.type.shape, axis=pivots.type.rank - 1, dtype=I32)
    odd = convert(op("ne", pivots, here), I32)
    count = op("reduce_sum", odd, axes=(pivots.type.rank - 1,))
    return convert(1 - 2 * op("and", count, literal(1, I32)), like.type.dtype)


def _minor(a: Value, i: int, j: int) -> Value:
    """(-1)^(i + j) times the determinant of a without row i and column j, for up to 3 rows."""
    n = a.type.shape[-1]
    rows, columns = ([k for k in range(n) if k != left_out] for left_out in (i, j))
    if n == 1:
        return reduce_sum(identity_like(a), (a.type.rank - 2, a.type.rank - 1))
    sign = -1 if (i + j) % 2 else 1
    if n == 2:
        return _element(a, rows[0], columns[0]) * sign
    first = _element(a, rows[0], columns[0]) * _element(a, rows[1], columns[1])
    return (first - _element(a, rows[0], columns[1]) * _element(a, rows[1], columns[0])) * sign


def _determinant_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    out = bind(det, a)
    return [out], [None if t is None or not a.type.shape[-1] else _adjugate_contracted(a, t)]


det = on_matrices(
    "det", (2,), _determinant_results, lambda a: nan_unless_finite(a, np.linalg.det(a))[0],
    doc="The determinant; 1 of a matrix without rows.",
)  # fmt: skip
JVP[det] = _determinant_jvp
