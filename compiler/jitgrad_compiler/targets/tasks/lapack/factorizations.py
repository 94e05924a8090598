"""Kernels of Cholesky's and the QR factorisation, and of Householder's reflections.

A = Q R is seen by LAPACK as A^T = L Q', with L = R^T and Q' = Q^T: an LQ factorisation, whose factors lie in memory as ours do.
"""

from __future__ import annotations

from ....ir.types import I32, I64
from ...llvm_text import Reg
from .matrices import Matrices

BLOCK = 64
"""Columns at a time for which routines get room to work in."""


def cholesky(m: Matrices) -> None:
    """Of A^T = U^H U, seen by LAPACK, L = U^T is what we see."""
    n = m.shapes[0][0]
    out, info = m.outputs[0], m.info()
    m.copy(out, m.inputs[0], n * n)
    m.call("potrf", "U", n, out, n, info)
    m.clear_triangle(out, n, n, above=True)
    with m.e.when(m.e.or_(m.failed(info), lost(m, out, n)), unlikely=True):
        m.spoil()


def lost(m: Matrices, factor: Reg, n: int) -> Reg:
    """Whether a Cholesky factor has NaN: one of the triangle is on its way to the last element, and potrf says nothing of it."""
    return m.e.isnan(m.e.load(m.at(factor, m.e.const(n * n - 1, I64)), m.dtype))


def generator(m: Matrices, rows: bool) -> str:
    """The routine that makes Q of reflections in rows or in columns."""
    return ("un" if m.complex else "or") + ("glq" if rows else "gqr")


def qr(m: Matrices) -> None:
    e = m.e
    rows, columns = m.shapes[0]
    few, made = min(rows, columns), m.result_shapes[0][1]
    q, r = m.outputs
    if not few:
        m.unit(q, rows, made)
        return
    room = max(rows, columns) * BLOCK
    factors, taus, work, info = q if made == columns else m.numbers(rows * columns), m.numbers(few), m.numbers(room), m.info()
    m.copy(factors, m.inputs[0], rows * columns)
    m.call("gelqf", columns, rows, factors, columns, taus, work, room, info)
    m.copy(r, factors, few * columns)
    m.fill(e.offset(r, few * columns * m.parts_of_number, m.dtype), (made - few) * columns * m.parts_of_number, 0.0)
    m.clear_triangle(r, few, columns, above=False)
    if factors is not q:
        with e.loop(0, rows) as i:
            m.copy(m.at(q, e.mul(i, made)), m.at(factors, e.mul(i, columns)), few)
    m.call(generator(m, True), made, rows, few, q, made, taus, work, room, info)


def _factored_by_columns(m: Matrices, turned: Reg, r: Reg, taus: Reg, work: Reg, room: int, q: Reg, made: int) -> None:
    """Q and R of reflections in columns of `turned`."""
    rows, columns = m.shapes[0]
    few, info = min(rows, columns), m.info()
    whole = turned if made <= columns else m.numbers(rows * made)
    m.fill(r, made * columns * m.parts_of_number, 0.0)
    m.turn(r, turned, columns, min(rows, made), source_width=rows)
    m.clear_triangle(r, made, columns, above=False)
    if whole is not turned:
        m.copy(whole, turned, rows * few)
    m.call(generator(m, False), rows, made, few, whole, rows, taus, work, room, info)
    m.turn(q, whole, made, rows)


def qr_pivoted(m: Matrices) -> None:
    e = m.e
    rows, columns = m.shapes[0]
    few, made = min(rows, columns), m.result_shapes[0][1]
    q, r, order = m.outputs
    with e.loop(0, columns) as j:
        e.store(e.offset(order, j, I32), e.convert(j, I32))
    if not few:
        m.unit(q, rows, made)
        return
    room = (max(rows, columns) + 1) * BLOCK
    turned, taus, work, info = m.numbers(rows * columns), m.numbers(few), m.numbers(room), m.info()
    m.turn(turned, m.inputs[0], rows, columns)
    m.fill_integers(order, columns, 0)
    extra = [m.scratch(2 * columns * m.dtype.nbytes)] if m.complex else []
    m.call("geqp3", rows, columns, turned, rows, order, taus, work, room, *extra, info)
    with e.loop(0, columns) as j:
        place = e.offset(order, j, I32)
        e.store(place, e.sub(e.load(place, I32), 1))
    _factored_by_columns(m, turned, r, taus, work, room, q, made)


def geqrf(m: Matrices) -> None:
    rows, columns = m.shapes[0]
    room = columns * BLOCK
    turned, work, info = m.numbers(rows * columns), m.numbers(room), m.info()
    m.turn(turned, m.inputs[0], rows, columns)
    m.call("geqrf", rows, columns, turned, rows, m.outputs[1], work, room, info)
    m.turn(m.outputs[0], turned, columns, rows)


def householder_product(m: Matrices) -> None:
    (rows, columns), (count,) = m.shapes
    room = columns * BLOCK
    turned, work, info = m.numbers(rows * columns), m.numbers(room), m.info()
    m.turn(turned, m.inputs[0], rows, columns)
    m.call(generator(m, False), rows, columns, count, turned, rows, m.inputs[1], work, room, info)
    m.turn(m.outputs[0], turned, columns, rows)


def hessenberg(m: Matrices) -> None:
    n = m.shapes[0][0]
    room = n * BLOCK
    turned, work, info = m.numbers(n * n), m.numbers(room), m.info()
    m.turn(turned, m.inputs[0], n, n)
    m.call("gehrd", n, 1, n, turned, n, m.outputs[1], work, room, info)
    m.turn(m.outputs[0], turned, n, n)


def tridiagonal(m: Matrices) -> None:
    n = m.shapes[0][0]
    room = n * BLOCK
    turned, work, info = m.numbers(n * n), m.numbers(room), m.info()
    m.turn(turned, m.inputs[0], n, n)
    _, diagonal, beside, taus = m.outputs
    uplo = "L" if m.params["lower"] else "U"
    m.call("hetrd" if m.complex else "sytrd", uplo, n, turned, n, diagonal, beside, taus, work, room, info)
    m.turn(m.outputs[0], turned, n, n)
