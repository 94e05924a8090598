"""Kernels of ops/column_routines.py: a routine each, on a copy of what it overwrites."""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import I32
from ...llvm_text import Reg
from .factorizations import BLOCK, generator
from .matrices import Matrices
from .spectra import NULL
from .systems import count_up, exchange


def _told(m: Matrices, info: Reg) -> None:
    m.e.store(m.outputs[-1], m.e.get(info, I32))


def column_potrf(m: Matrices) -> None:
    n, info = m.shapes[0][0], m.info()
    m.copy(m.outputs[0], m.inputs[0], n * n)
    m.call("potrf", "U", n, m.outputs[0], n, info)
    _told(m, info)


def column_getrf(m: Matrices) -> None:
    (columns, rows), info = m.shapes[0], m.info()
    m.copy(m.outputs[0], m.inputs[0], rows * columns)
    m.call("getrf", rows, columns, m.outputs[0], rows, m.outputs[1], info)
    _told(m, info)


def column_getrs(m: Matrices) -> None:
    columns, n = m.shapes[2]
    factors, pivots, b = m.inputs
    m.copy(m.outputs[0], b, n * columns)
    m.call("getrs", "T" if m.params["transpose"] else "N", n, columns, factors, n, pivots, m.outputs[0], n, m.info())


def exchanged_order(m: Matrices) -> None:
    (rows, _), (count,) = m.shapes
    order = m.outputs[0]
    count_up(m, order, rows)
    with m.e.loop(0, count) as i:
        exchange(m, order, i, m.e.load(m.e.offset(m.inputs[1], i, I32), I32))


def column_geqrf(m: Matrices) -> None:
    columns, rows = m.shapes[0]
    room = columns * BLOCK
    m.copy(m.outputs[0], m.inputs[0], rows * columns)
    m.call("geqrf", rows, columns, m.outputs[0], rows, m.outputs[1], m.numbers(room), room, m.info())


def column_orgqr(m: Matrices) -> None:
    (columns, rows), (count,) = m.shapes
    room = columns * BLOCK
    m.copy(m.outputs[0], m.inputs[0], rows * columns)
    m.call(generator(m, False), rows, columns, count, m.outputs[0], rows, m.inputs[1], m.numbers(room), room, m.info())


def column_syevd(m: Matrices) -> None:
    n, vectors, info = m.shapes[0][0], m.params["vectors"], m.info()
    matrix = m.outputs[1] if vectors else m.numbers(n * n)
    m.copy(matrix, m.inputs[0], n * n)
    job, reals, integers = "V" if vectors else "N", 1 + 6 * n + 2 * n * n, 3 + 5 * n
    of_integers = m.scratch(integers * I32.nbytes)
    if m.complex:
        room = 2 * n + n * n + BLOCK * n
        of_reals = m.scratch(reals * m.dtype.nbytes)
        m.call("heevd", job, "U", n, matrix, n, m.outputs[0], m.numbers(room), room, of_reals, reals, of_integers, integers, info)
    else:
        room = reals + BLOCK * n
        m.call("syevd", job, "U", n, matrix, n, m.outputs[0], m.numbers(room), room, of_integers, integers, info)
    _told(m, info)


def _gesvd(m: Matrices, full: bool, u: Reg, vh: Reg) -> None:
    (columns, rows), info = m.shapes[0], m.info()
    matrix, room = m.numbers(rows * columns), (rows + 5 * columns) * BLOCK
    extra = [m.scratch(5 * columns * m.dtype.nbytes)] if m.complex else []
    m.copy(matrix, m.inputs[0], rows * columns)
    jobs = ("N", "N") if u is NULL else ("A" if full else "S", "S")
    m.call(
        "gesvd", *jobs, rows, columns, matrix, rows, m.outputs[0], u, rows, vh, columns, m.numbers(room), room, *extra, info
    )  # fmt: skip
    _told(m, info)


def column_gesvd(m: Matrices) -> None:
    u, vh = m.outputs[1:3] if m.params["vectors"] else (NULL, NULL)
    _gesvd(m, m.params["full"], u, vh)


def column_gesvdj(m: Matrices) -> None:
    columns = m.shapes[0][0]
    vh = m.numbers(columns * columns)
    _gesvd(m, True, m.outputs[1], vh)
    m.turn(m.outputs[2], vh, columns, columns, conjugate=True)


ROUTINES: tuple[Callable[[Matrices], None], ...] = (
    column_potrf, column_getrf, column_getrs, exchanged_order, column_geqrf, column_orgqr, column_syevd, column_gesvd,
    column_gesvdj,
)  # fmt: skip
