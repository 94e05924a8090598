"""Kernels of triangular and square systems, and determinants.

X^T of our X, row by row in memory, is what BLAS sees. So A X = B is done as X^T A^T = B^T, by solutions from the right.
"""

from __future__ import annotations

import math

from ....ir.types import F64, I32, I64, DType
from ...emitter import Emitter
from ...libm import hypot
from ...llvm_text import Reg
from .matrices import Matrices


def _from_right(m: Matrices, matrix: Reg, n: int, x: Reg, rows: int, uplo: str, transpose: str, unit: str) -> None:
    """X op(M) = B in place of B = x [rows, n], both as LAPACK sees them; one row by a routine for vectors."""
    if rows == 1:
        m.blas("trsv", uplo, "T" if transpose == "N" else "N", unit, n, matrix, n, x, 1)
    else:
        m.blas("trsm", "R", uplo, transpose, unit, rows, n, 1.0, matrix, n, x, rows)


def triangular_solve(m: Matrices) -> None:
    p, (rows, columns), n = m.params, m.shapes[1], m.shapes[0][0]
    a, b = m.inputs
    m.copy(m.outputs[0], b, rows * columns)
    uplo, transpose, unit = "U" if p["lower"] else "L", "T" if p["transpose"] else "N", "U" if p["unit_diagonal"] else "N"
    if p["left"]:
        _from_right(m, a, n, m.outputs[0], columns, uplo, transpose, unit)
    elif rows == 1:
        m.blas("trsv", uplo, transpose, unit, n, a, n, m.outputs[0], 1)
    else:
        m.blas("trsm", "L", uplo, transpose, unit, n, rows, 1.0, a, n, m.outputs[0], n)


def exchange_rows(m: Matrices, x: Reg, columns: int, pivots: Reg, count: int, backward: bool, base: int) -> None:
    """The rows of x exchanged as pivots, counted from `base`, say."""
    e = m.e
    parts = m.parts_of_number
    with e.loop(0, count) as step:
        i = e.sub(count - 1, step) if backward else step
        other = e.sub(e.convert(e.load(e.offset(pivots, i, I32), I32), I64), base)
        with e.when(e.compare("ne", other, i)):
            one, two = (e.offset(x, e.mul(k, columns * parts), m.dtype) for k in (i, other))
            with e.loop(0, columns * parts) as j:
                a, b = (e.load(e.offset(row, j, m.dtype), m.dtype) for row in (one, two))
                e.store(e.offset(one, j, m.dtype), b)
                e.store(e.offset(two, j, m.dtype), a)


def lu(m: Matrices) -> None:
    e, (rows, columns) = m.e, m.shapes[0]
    factors, pivots, order = m.outputs
    few = min(rows, columns)
    turned, info = m.numbers(rows * columns), m.info()
    m.turn(turned, m.inputs[0], rows, columns)
    m.call("getrf", rows, columns, turned, rows, pivots, info)
    m.turn(factors, turned, columns, rows)
    count_up(m, order, rows)
    with e.loop(0, few) as i:
        place = e.offset(pivots, i, I32)
        pivot = e.sub(e.load(place, I32), 1)
        e.store(place, pivot)
        exchange(m, order, i, pivot)
    m.spoil_unless_finite(m.inputs[0], rows * columns, [0])


def count_up(m: Matrices, order: Reg, rows: int) -> None:
    """The numbers from 0 on."""
    with m.e.loop(0, rows) as i:
        m.e.store(m.e.offset(order, i, I32), m.e.convert(i, I32))


def exchange(m: Matrices, order: Reg, i: Reg, other: Reg) -> None:
    """Two of the numbers."""
    e = m.e
    one, two = e.offset(order, i, I32), e.offset(order, e.convert(other, I64), I32)
    a, b = e.load(one, I32), e.load(two, I32)
    e.store(one, b)
    e.store(two, a)


def solve(m: Matrices) -> None:
    n, columns = m.shapes[1]
    m.copy(m.outputs[0], m.inputs[1], n * columns)
    _solve_in_place(m, n, columns, m.params["transpose"])


def inverse(m: Matrices) -> None:
    n = m.shapes[0][0]
    m.unit(m.outputs[0], n, n)
    _solve_in_place(m, n, n, False)


def _factored(m: Matrices, transpose: bool) -> tuple[Reg, Reg]:
    """The factors L U of M = A, or A^T, and the rows' exchanges, as LAPACK has them. It sees A^T in memory. A is turned, for
    pivots among its columns would lose all digits where those are of very different size.
    """
    n = m.shapes[0][0]
    factors, pivots = m.numbers(n * n), m.scratch(n * I32.nbytes)
    if transpose:
        m.copy(factors, m.inputs[0], n * n)
    else:
        m.turn(factors, m.inputs[0], n, n)
    if n:
        m.call("getrf", n, n, factors, n, pivots, m.info())
    return factors, pivots


def _solve_in_place(m: Matrices, n: int, columns: int, transpose: bool) -> None:
    """With M = P^T L U it is X^T U^T L^T = B^T P^T: the exchanges, then L^T, then U^T."""
    x = m.outputs[0]
    factors, pivots = _factored(m, transpose)
    exchange_rows(m, x, columns, pivots, n, False, 1)
    _from_right(m, factors, n, x, columns, "L", "T", "U")
    _from_right(m, factors, n, x, columns, "U", "T", "N")
    m.spoil_unless_finite(m.inputs[0], n * n)


def solve_factored(m: Matrices) -> None:
    """The factors of A = P^T L U are seen transposed, L^T above the diagonal of ones, U^T below: X^T U^T L^T P = B^T."""
    n, columns = m.shapes[3]
    _, factors, pivots, b = m.inputs
    x = m.outputs[0]
    m.copy(x, b, n * columns)
    if m.params["transpose"]:
        _from_right(m, factors, n, x, columns, "L", "T", "N")
        _from_right(m, factors, n, x, columns, "U", "T", "U")
        exchange_rows(m, x, columns, pivots, n, True, 0)
    else:
        exchange_rows(m, x, columns, pivots, n, False, 0)
        _from_right(m, factors, n, x, columns, "U", "N", "U")
        _from_right(m, factors, n, x, columns, "L", "N", "N")


def tridiagonal_solve(m: Matrices) -> None:
    n, columns = m.shapes[3]
    diagonals = [m.numbers(n) for _ in range(3)]
    for copied, given in zip(diagonals, m.inputs, strict=False):
        m.copy(copied, given, n)
    b, info = m.numbers(n * columns), m.info()
    m.turn(b, m.inputs[3], n, columns)
    m.call("gtsv", n, columns, m.at(diagonals[0], m.e.const(1, I64)), diagonals[1], diagonals[2], b, n, info)
    with m.e.when(m.failed(info), unlikely=True):
        m.fill(b, n * columns * m.parts_of_number, math.nan)
    m.turn(m.outputs[0], b, columns, n)


def _on_diagonal(m: Matrices, factors: Reg, i: Reg) -> list[Reg]:
    """The parts of the i-th element of the diagonal."""
    e, n, parts = m.e, m.shapes[0][0], m.parts_of_number
    at = e.mul(i, (n + 1) * parts)
    return [e.load(e.offset(factors, e.add(at, part), m.dtype), m.dtype) for part in range(parts)]


def _exchanged(m: Matrices, pivots: Reg, i: Reg) -> Reg:
    """-1 where row i was exchanged with another, else 1."""
    e = m.e
    same = e.compare("eq", e.convert(e.load(e.offset(pivots, i, I32), I32), I64), e.add(i, 1))
    return e.select(same, e.const(1.0, m.dtype), -1.0)


def times(e: Emitter, x: list[Reg], y: list[Reg]) -> list[Reg]:
    """The product of two numbers, complex ones as pairs."""
    if len(x) == 1:
        return [e.mul(x[0], y[0])]
    return [e.sub(e.mul(x[0], y[0]), e.mul(x[1], y[1])), e.add(e.mul(x[0], y[1]), e.mul(x[1], y[0]))]


def _start(m: Matrices, dtype: DType) -> list[Reg]:
    """Places for a product's parts, 1 at first."""
    slots = [m.e.alloca(dtype) for _ in range(m.parts_of_number)]
    for part, slot in enumerate(slots):
        m.e.set(slot, m.e.const(0.0 if part else 1.0, dtype))
    return slots


def _put(m: Matrices, slots: list[Reg], target: Reg) -> None:
    for part, slot in enumerate(slots):
        m.e.store(m.e.offset(target, part, m.dtype), m.e.get(slot, m.dtype))


def det(m: Matrices) -> None:
    """The product is float64's, as NumPy's is: one that float32 holds may have parts that it does not, and an infinite complex
    number times another would be NaN."""
    e = m.e
    factors, pivots = _factored(m, False)
    slots = _start(m, F64)
    with e.loop(0, m.shapes[0][0]) as i:
        sign = _exchanged(m, pivots, i)
        factor = [e.convert(e.mul(x, sign), F64) for x in _on_diagonal(m, factors, i)]
        for slot, value in zip(slots, times(e, [e.get(s, F64) for s in slots], factor), strict=True):
            e.set(slot, value)
    for part, slot in enumerate(slots):
        e.store(e.offset(m.outputs[0], part, m.dtype), e.convert(e.get(slot, F64), m.dtype))
    m.spoil_unless_finite(m.inputs[0], m.shapes[0][0] ** 2)


def slogdet(m: Matrices) -> None:
    e = m.e
    factors, pivots = _factored(m, False)
    slots, size = _start(m, m.dtype), e.alloca(m.dtype)
    e.set(size, e.const(0.0, m.dtype))
    with e.loop(0, m.shapes[0][0]) as i:
        factor, sign = _on_diagonal(m, factors, i), _exchanged(m, pivots, i)
        length = hypot(e, *factor) if m.complex else e.abs(factor[0])
        e.set(size, e.add(e.get(size, m.dtype), e.vector_math.log(length)))
        zero = e.compare("eq", length, 0.0)
        if m.complex:
            unit = [e.select(zero, e.const(0.0, m.dtype), e.mul(sign, e.div(x, length))) for x in factor]
        else:
            unit = [e.select(zero, e.const(0.0, m.dtype), e.copysign(sign, e.mul(factor[0], sign)))]
        for slot, value in zip(slots, times(e, [e.get(s, m.dtype) for s in slots], unit), strict=True):
            e.set(slot, value)
    _put(m, slots, m.outputs[0])
    e.store(m.outputs[1], e.get(size, m.dtype))
    m.spoil_unless_finite(m.inputs[0], m.shapes[0][0] ** 2)
