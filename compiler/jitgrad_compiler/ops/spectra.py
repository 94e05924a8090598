"""Eigenvalues and singular values, with their vectors, Schur's form and Sylvester's equation.

Derivatives follow Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), and Townsend, "Differentiating the singular value decomposition" (2016). Vectors of values that are
equal may be turned among each other, so they have no derivative: what is computed from them has NaN. The values have one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, NonDifferentiableError, ShapeError
from ..ir.builder import Value, bind, bind_all
from ..ir.graph import JVP, Op
from ..ir.types import DType
from .arithmetic import op, where
from .define import Operand, Tangents, add_tangents, broadcast, convert, known, reduce_sum
from .factorization import Shape, complex_type, each_matrix, finite_alone, on_matrices, scipy_linalg, square
from .linear_systems import solve
from .matrices import (
    adjoint,
    along_columns,
    along_rows,
    conjugated,
    diagonal,
    identity_like,
    mirrored,
    product,
    real,
    scaled_columns,
    transposed,
    where_between,
)


def _whole_or_each(run: Callable[..., Any], one: Callable[..., Any], routine: Op, a: Any, **params: Any) -> Any:
    """A NumPy function done to a batch at once; where that fails, or numbers are not finite, to one matrix after the other."""
    if np.isfinite(np.add.reduce(a, axis=None)):  # which is cheap, and may overflow
        try:
            return run(a)
        except np.linalg.LinAlgError:
            pass

    return each_matrix(finite_alone(one), routine, a, **params)


def _inverse_gaps(w: Value) -> Value:
    """1 / (w_j - w_i) at i, j; 0 on the diagonal."""
    n = w.type.shape[-1]
    gaps = along_rows(w, n) - along_columns(w, n)
    unit = identity_like(gaps)
    return 1 / (gaps + unit) - unit


# -- Hermitian matrices


def _eigh_results(dtype: DType, a: Shape, vectors: bool) -> Sequence[tuple[Shape, DType]]:
    n = square("eigh", a)
    return [((n,), dtype.real), *([(a, dtype)] if vectors else [])]


def _eigh_numpy(a: Any, vectors: bool) -> Any:
    def run(a: Any) -> Any:
        return tuple(np.linalg.eigh(a)) if vectors else (np.linalg.eigvalsh(a),)

    return _whole_or_each(run, run, eigh, a, vectors=vectors)


def _eigh_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    if t is None:
        outs = bind_all(eigh, a, **params)
        return outs, [None] * len(outs)
    w, v = bind_all(eigh, a, vectors=True)
    inner = product(adjoint(v), product(mirrored(t), v))
    moved = real(diagonal(inner))
    if not params["vectors"]:
        return [w], [moved]
    return [w, v], [moved, product(v, convert(_inverse_gaps(w), v.type.dtype) * inner)]


eigh: Op = on_matrices(
    "eigh", (2,), _eigh_results, _eigh_numpy,
    doc="The eigenvalues, rising, of the Hermitian matrix of a lower triangle, and its orthonormal eigenvectors, as columns.",
)  # fmt: skip
JVP[eigh] = _eigh_jvp


# -- singular values


def _svd_results(dtype: DType, a: Shape, full: bool, vectors: bool) -> Sequence[tuple[Shape, DType]]:
    m, n = a
    k = min(m, n)
    s = ((k,), dtype.real)
    return [((m, m if full else k), dtype), s, ((n if full else k, n), dtype)] if vectors else [s]


def _svd_numpy(a: Any, full: bool, vectors: bool) -> Any:
    def run(a: Any) -> Any:
        return tuple(np.linalg.svd(a, full_matrices=full)) if vectors else (np.linalg.svdvals(a),)

    return _whole_or_each(run, run, svd, a, full=full, vectors=vectors)


def _svd_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    if t is None:
        outs = bind_all(svd, a, **params)
        return outs, [None] * len(outs)
    m, n = a.type.shape[-2:]
    if params["vectors"] and params["full"] and m != n:
        raise NonDifferentiableError(
            f"svd has no derivative with all vectors of a {m} x {n} matrix, of which {abs(m - n)} may be turned; take "
            "full_matrices=False."
        )
    u, s, vh = bind_all(svd, a, full=False, vectors=True)
    v = adjoint(vh)
    inner = product(adjoint(u), product(t, v))
    moved_s = real(diagonal(inner))
    if not params["vectors"]:
        return [s], [moved_s]
    k, dtype = s.type.shape[-1], a.type.dtype
    inverse = 1 / s
    gaps = convert(_inverse_gaps(s * s), dtype)
    across, down = convert(along_rows(s, k), dtype), convert(along_columns(s, k), dtype)
    scaled, scaled_rows = inner * across, down * inner
    in_u = gaps * (scaled + adjoint(scaled))
    in_v = gaps * (scaled_rows + adjoint(scaled_rows))
    if dtype.is_complex:  # of u and v together the phase may be turned; u takes what turns
        turned = where_between(inner, "eq")
        in_u = in_u + (turned - adjoint(turned)) * convert(along_rows(inverse, k), dtype) * 0.5
    moved_u, moved_v = product(u, in_u), product(v, in_v)
    if m > k:
        outside = scaled_columns(product(t, v), convert(inverse, dtype))
        moved_u = moved_u + outside - product(u, product(adjoint(u), outside))
    if n > k:
        outside = scaled_columns(product(adjoint(t), u), convert(inverse, dtype))
        moved_v = moved_v + outside - product(v, product(adjoint(v), outside))
    return [u, s, vh], [moved_u, moved_s, adjoint(moved_v)]


svd: Op = on_matrices(
    "svd",
    (2,),
    _svd_results,
    _svd_numpy,
    doc="U, the singular values, falling, and V^H with A = U diag(s) V^H; or the values alone.",
)
JVP[svd] = _svd_jvp


# -- eigenvalues of any square matrix


def _eig_results(dtype: DType, a: Shape, left: bool, right: bool) -> Sequence[tuple[Shape, DType]]:
    n, kind = square("eig", a), complex_type(dtype)
    return [((n,), kind), *[(a, kind)] * (left + right)]


def _eig_numpy(a: Any, left: bool, right: bool) -> Any:
    kind = np.result_type(np.asarray(a).dtype, np.complex64)

    def run(a: Any) -> Any:
        found = tuple(np.linalg.eig(a)) if right else (np.linalg.eigvals(a),)
        return tuple(x.astype(kind) for x in found)

    def one(a: Any) -> Any:
        if not left:
            return run(a)
        size = np.abs(a).max() or 1.0  # the LAPACK that SciPy brings forgets to scale very large and small values back
        w, *vectors = scipy_linalg().eig(a / size, left=left, right=right)
        return w * size, *vectors

    if not np.size(a):
        return tuple(np.zeros(s, kind) for s in (np.shape(a)[:-1], *[np.shape(a)] * (left + right)))
    if left:
        return each_matrix(finite_alone(one), eig, a, left=left, right=right)
    return _whole_or_each(run, one, eig, a, left=left, right=right)


def _moved_vectors(w: Value, v: Value, t: Value) -> tuple[Value, Value]:
    """The tangents of eigenvalues and of right eigenvectors, which keep their length, and their largest element real."""
    inner = bind(solve, v, product(t, v), transpose=False)
    moved = product(v, _inverse_gaps(w) * inner)
    n, rank = v.type.shape[-1], v.type.rank
    along = reduce_sum(op("real", conjugated(v) * moved), (rank - 2,))
    size, kind = op("abs", v), w.type.dtype
    most = broadcast(op("reduce_max", size, axes=(rank - 2,)), size.type.shape, (*range(rank - 2), rank - 1))
    largest = convert(op("eq", size, most), kind.real)
    first = op("eq", op("cumsum", largest, axis=rank - 2, reverse=False), largest)  # of several that are equal
    chosen = conjugated(v) * convert(where(first, largest, 0), kind)
    turned = reduce_sum(op("imag", moved * chosen), (rank - 2,)) / reduce_sum(op("real", v * chosen), (rank - 2,))
    gauge = op("complex", along, turned)
    return diagonal(inner), moved - v * along_rows(gauge, n)


def _eig_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    outs = bind_all(eig, a, **params)
    if t is None or not a.type.shape[-1]:
        return outs, [None] * len(outs)
    w, *vectors = outs
    t = convert(t, w.type.dtype)
    moved: list[Value] = []
    if params["right"] or not params["left"]:
        v = vectors[-1] if params["right"] else bind_all(eig, a, left=False, right=True)[1]
        moved_w, moved_v = _moved_vectors(w, v, t)
        moved = [moved_v] if params["right"] else []
    if params["left"]:
        of_adjoint, moved_u = _moved_vectors(conjugated(w), vectors[0], adjoint(t))
        moved = [moved_u, *moved]
        if not params["right"]:
            moved_w = conjugated(of_adjoint)
    return outs, [moved_w, *moved]


eig: Op = on_matrices(
    "eig", (2,), _eig_results, _eig_numpy,
    doc="The eigenvalues of a square matrix, its left and its right eigenvectors, as columns of length 1; all are complex.",
)  # fmt: skip
JVP[eig] = _eig_jvp


# -- Schur's form and Sylvester's equation


def _schur_results(dtype: DType, a: Shape, vectors: bool) -> Sequence[tuple[Shape, DType]]:
    square("schur", a)
    return [(a, dtype)] * (1 + vectors)


def _schur_numpy(a: Any, vectors: bool) -> Any:
    def one(a: Any) -> Any:
        if not a.size:
            return (a, a)[: 1 + vectors]
        return scipy_linalg().schur(a, output="complex" if np.iscomplexobj(a) else "real")[: 1 + vectors]

    return each_matrix(finite_alone(one), schur, a, vectors=vectors)


schur: Op = on_matrices(
    "schur", (2,), _schur_results, _schur_numpy, no_derivative="of Schur's form none is defined; eig has one",
    doc="T, upper triangular but for blocks of 2 x 2 of a real matrix, and a unitary Z with A = Z T Z^H.",
)  # fmt: skip


def _sylvester_results(dtype: DType, a: Shape, b: Shape, c: Shape) -> Sequence[tuple[Shape, DType]]:
    if c != (square("sylvester", a), square("sylvester", b)):
        raise ShapeError(f"sylvester: a {a}, b {b} and c {c} do not fit; c must have a's rows and b's columns")
    return [(c, dtype)]


def _sylvester_numpy(a: Any, b: Any, c: Any) -> Any:
    if not np.size(c):
        return np.zeros_like(c)

    def one(a: Any, b: Any, c: Any) -> Any:
        linalg, kind = scipy_linalg(), "complex" if np.iscomplexobj(a) else "real"
        (t, u), (s, v) = linalg.schur(a, output=kind), linalg.schur(b, output=kind)
        (trsyl,) = linalg.lapack.get_lapack_funcs(("trsyl",), (t,))
        y, scale, info = trsyl(t, s, u.conj().T @ c @ v)
        if info:  # values that cancel
            raise np.linalg.LinAlgError
        return (u @ (y / scale) @ v.conj().T,)

    return each_matrix(finite_alone(one), sylvester, a, b, c)[0]


def _sylvester_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a, b, c), (ta, tb, tc) = primals, tangents
    x = bind(sylvester, a, b, c)
    tc = add_tangents(tc, None if ta is None else -product(ta, x))
    tc = add_tangents(tc, None if tb is None else -product(x, tb))
    return [x], [None if tc is None else bind(sylvester, a, b, tc)]


def _sylvester_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    a, b = (known("sylvester", x) for x in operands[:2])
    return [None, None, bind(sylvester, transposed(a), transposed(b), cts[0])]


sylvester: Op = on_matrices(
    "sylvester", (2, 2, 2), _sylvester_results, _sylvester_numpy, transpose=_sylvester_transpose, doc="X with A X + X B = C."
)
JVP[sylvester] = _sylvester_jvp


def _sqrtm_results(dtype: DType, a: Shape) -> Sequence[tuple[Shape, DType]]:
    square("sqrtm", a)
    if not dtype.is_complex:
        raise DTypeError(f"sqrtm: takes complex numbers, got {dtype}")
    return [(a, dtype)]


def _sqrtm_numpy(a: Any) -> Any:
    if not np.size(a):
        return np.zeros_like(a)

    def one(a: Any) -> Any:
        found = scipy_linalg().sqrtm(a)
        if not np.isfinite(found).all():
            raise np.linalg.LinAlgError
        return (found,)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of singular matrices, whose root is what it is
        return each_matrix(finite_alone(one), sqrtm, a)[0]


def _sqrtm_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (a,), (t,) = primals, tangents
    x = bind(sqrtm, a)
    return [x], [None if t is None else bind(sylvester, x, x, t)]


sqrtm: Op = on_matrices("sqrtm", (2,), _sqrtm_results, _sqrtm_numpy, doc="The principal X with X X = A, for complex numbers.")
JVP[sqrtm] = _sqrtm_jvp
