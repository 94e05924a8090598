"""Ops on matrices written with the routines of a GPU's library (ops/column_routines.py), for targets that have one.

Transposes, triangles and what is NaN are ordinary equations, which fuse with their neighbours. Bodies of loops and branches are
left alone, as is what the library has no routine for, or does one by one where there are many: that is LAPACK's, on the processor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..ir.builder import Value, bind, bind_all, literal, source_of, staging
from ..ir.graph import Atom, Eqn, Graph, Rules, Var, remembered
from ..ir.interpreter import literal_value
from ..ir.types import I32, ArrayType
from ..ops.arithmetic import op
from ..ops.column_routines import (
    column_geqrf,
    column_gesvd,
    column_gesvdj,
    column_getrf,
    column_getrs,
    column_orgqr,
    column_potrf,
    column_syevd,
    exchanged_order,
)
from ..ops.define import broadcast, full, reshape, zeros
from ..ops.linear_systems import parity, triangular_solve
from ..ops.matrices import adjoint, below, block, conjugated, diagonal, identity_like, lower, transposed, upper

MANY, SMALL = 64, 64
"""More matrices than that, with sides up to this, are not worth a call each."""
LONGEST = 1 << 14
"""The longest side of matrices that are given to it: it counts what it works in as an int."""
JACOBI = 32
"""The longest side of matrices whose singular values the library finds many at a time."""

Rule = Callable[..., Sequence[Value]]
WRITTEN: Rules[Rule] = Rules("a GPU's library")


@remembered
def write_with_column_routines(graph: Graph) -> Graph:
    """The graph, with those of its own equations written out that the library can do."""
    if not any(e.op in WRITTEN for e in graph.eqns):
        return graph
    with staging() as builder:
        env = {v: builder.input(v.type) for v in graph.inputs}

        def read(a: Atom) -> Value:
            return env[a] if isinstance(a, Var) else literal_value(a)

        for e in graph.eqns:
            args, rule = [read(a) for a in e.inputs], WRITTEN.get(e.op)
            with source_of(e.source):
                outs = rule(*args, **e.params) if rule is not None and _is_given(e) else ()
                env.update(zip(e.outputs, outs or bind_all(e.op, *args, **e.params), strict=True))
        return builder.finish([read(a) for a in graph.outputs])[0]


def asks_for_library(graph: Graph) -> bool:
    """Whether a graph, or one that it calls, has what such a library may do."""
    return any(e.op in WRITTEN or e.op is triangular_solve or any(map(asks_for_library, e.graphs)) for e in graph.eqns)


def _is_given(e: Eqn) -> bool:
    shapes = [a.type.shape for a in (*e.inputs, *e.outputs)]
    return all(math.prod(s) for s in shapes) and int(max(max(s[-2:], default=0) for s in shapes)) <= LONGEST


def _one_by_one(a: Value) -> bool:
    """Whether matrices are too small and too many to be done by a call each."""
    return math.prod(a.type.shape[:-2]) > MANY and int(max(a.type.shape[-2:])) <= SMALL


def _unless(spoiled: Value, x: Value) -> Value:
    """x; NaN in what belongs to matrices that are spoiled."""
    shape, dtype = x.type.shape, x.type.dtype
    return op("select", broadcast(spoiled, shape, tuple(range(spoiled.type.rank))), full(shape, math.nan, dtype), x)


def _not_finite(a: Value) -> Value:
    """Which matrices have a NaN or an infinity."""
    return op("not", op("reduce_and", op("is_finite", a), axes=(a.type.rank - 2, a.type.rank - 1)))


def _failed(info: Value) -> Value:
    return op("ne", info, literal(0, I32))


@WRITTEN.of("cholesky")
def _cholesky(a: Value) -> Sequence[Value]:
    factor, info = bind_all(column_potrf, a)
    n, lead = a.type.shape[-1], a.type.shape[:-2]
    corner = reshape(block(factor, (n - 1, n), (n - 1, n)), lead)  # where a NaN of the triangle ends
    return [_unless(op("or", _failed(info), op("ne", corner, corner)), lower(factor))]


# -- systems


@WRITTEN.of("lu")
def _lu(a: Value) -> Sequence[Value]:
    rows, columns = a.type.shape[-2:]
    if rows != columns and _one_by_one(a):
        return ()
    factors, pivots, _ = bind_all(column_getrf, transposed(a))
    from_zero = pivots - 1
    return [_unless(_not_finite(a), transposed(factors)), from_zero, bind(exchanged_order, a, from_zero)]


def _solution(a: Value, b: Value, transpose: bool) -> Value:
    """The library factorises what it sees, the transpose of what it is given: A itself, for pivots among A's columns would lose all
    digits where those are of very different size.
    """
    factors, pivots, _ = bind_all(column_getrf, a if transpose else transposed(a))
    return _unless(_not_finite(a), transposed(bind(column_getrs, factors, pivots, transposed(b), transpose=False)))


@WRITTEN.of("solve")
def _solve(a: Value, b: Value, transpose: bool) -> Sequence[Value]:
    return [_solution(a, b, transpose)]


@WRITTEN.of("solve_factored")
def _solve_factored(a: Value, factors: Value, pivots: Value, b: Value, transpose: bool) -> Sequence[Value]:
    return [transposed(bind(column_getrs, transposed(factors), pivots + 1, transposed(b), transpose=transpose))]


@WRITTEN.of("inverse")
def _inverse(a: Value) -> Sequence[Value]:
    return [_solution(a, identity_like(a), False)]


def _pivots(a: Value) -> tuple[Value, Value]:
    """The diagonal of U, and the sign of the exchanges."""
    factors, pivots, _ = bind_all(column_getrf, transposed(a))
    on_diagonal = diagonal(factors)
    return on_diagonal, parity(pivots - 1, on_diagonal)


@WRITTEN.of("det")
def _det(a: Value) -> Sequence[Value]:
    on_diagonal, sign = _pivots(a)
    return [_unless(_not_finite(a), op("reduce_prod", on_diagonal, axes=(on_diagonal.type.rank - 1,)) * sign)]


@WRITTEN.of("slogdet")
def _slogdet(a: Value) -> Sequence[Value]:
    on_diagonal, sign = _pivots(a)
    last = (on_diagonal.type.rank - 1,)
    size = op("reduce_sum", op("log", op("abs", on_diagonal)), axes=last)
    spoiled = _not_finite(a)
    return [_unless(spoiled, op("reduce_prod", op("sign", on_diagonal), axes=last) * sign), _unless(spoiled, size)]


# -- orthonormal columns


@WRITTEN.of("qr")
def _qr(a: Value, full: bool) -> Sequence[Value]:
    if _one_by_one(a):
        return ()
    *lead, rows, columns = a.type.shape
    few = min(rows, columns)
    made = rows if full else few
    factors, taus = bind_all(column_geqrf, transposed(a))
    r = upper(block(transposed(factors), (0, made), (0, columns)))
    reflections = block(factors, (0, few), (0, rows))
    if made > few:
        reflections = below(reflections, zeros(ArrayType((*lead, made - few, rows), a.type.dtype)))
    return [transposed(bind(column_orgqr, reflections, taus)), r]


@WRITTEN.of("geqrf")
def _geqrf(a: Value) -> Sequence[Value]:
    if _one_by_one(a):
        return ()
    factors, taus = bind_all(column_geqrf, transposed(a))
    return [transposed(factors), taus]


@WRITTEN.of("householder_product")
def _householder_product(a: Value, factors: Value) -> Sequence[Value]:
    return () if _one_by_one(a) else [transposed(bind(column_orgqr, transposed(a), factors))]


# -- spectra


def _of_finite(a: Value) -> tuple[Value, Value]:
    """Zeros in place of matrices with numbers that are not finite, and which those are: iterations might never end on them."""
    spoiled, shape = _not_finite(a), a.type.shape
    return op("select", broadcast(spoiled, shape, tuple(range(len(shape) - 2))), full(shape, 0, a.type.dtype), a), spoiled


@WRITTEN.of("eigh")
def _eigh(a: Value, vectors: bool) -> Sequence[Value]:
    safe, spoiled = _of_finite(a)
    w, *rows, info = bind_all(column_syevd, safe, vectors=vectors)
    spoiled = op("or", spoiled, _failed(info))
    return [_unless(spoiled, w), *[_unless(spoiled, adjoint(v)) for v in rows]]


@WRITTEN.of("svd")
def _svd(a: Value, full: bool, vectors: bool) -> Sequence[Value]:
    """Of A, or where it has fewer rows than columns of its transpose, U diag(s) V^H: then V^H's transpose is A's U, U's its V^H."""
    rows, columns = a.type.shape[-2:]
    safe, spoiled = _of_finite(a)
    tall = rows > columns
    if math.prod(a.type.shape[:-2]) > 1 and max(rows, columns) <= JACOBI:
        s, ut, vt, info = bind_all(column_gesvdj, transposed(safe) if tall else safe)
        few, most = min(rows, columns), max(rows, columns)
        left = ut if full else block(ut, (0, few), (0, most))
        found = [left, conjugated(transposed(vt))] if vectors else []
    elif _one_by_one(a):
        return ()
    else:
        s, *found, info = bind_all(column_gesvd, transposed(safe) if tall else safe, full=full and vectors, vectors=vectors)
    spoiled = op("or", spoiled, _failed(info))
    s, *found = [_unless(spoiled, x) for x in (s, *found)]
    if not vectors:
        return [s]
    ut, vht = found
    return [transposed(ut), s, transposed(vht)] if tall else [vht, s, ut]
