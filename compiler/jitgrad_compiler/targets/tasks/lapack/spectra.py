"""Kernels of eigenvalues, singular values, Schur's form and Sylvester's equation.

Their routines iterate, and may never end on numbers that are not finite: such matrices are not given to them. What does not
converge is NaN, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ....ir.types import BOOL, I32
from ...emitter import Emitter
from ...libm import hypot
from ...llvm_text import PTR, Reg
from .factorizations import BLOCK
from .matrices import Matrices
from .systems import times

NULL = Reg("null", PTR)


@contextmanager
def _of_finite(m: Matrices, *operands: tuple[Reg, int]) -> Iterator[Reg]:
    """The body is done where all numbers are finite, and says in the `info` that it is given how that went."""
    e, info = m.e, m.info()
    e.set(info, e.const(1, I32))
    fine = e.const(True, BOOL)
    for source, count in operands:
        fine = e.and_(fine, m.finite(source, count))
    with e.when(fine):
        yield info
    with e.when(m.failed(info), unlikely=True):
        m.spoil()


def eigh(m: Matrices) -> None:
    """Of the matrix turned, though its transpose would do: vectors have the signs that NumPy's have."""
    n, vectors = m.shapes[0][0], m.params["vectors"]
    turned, of_integers = m.numbers(n * n), m.scratch((3 + 5 * n) * I32.nbytes)
    reals = 1 + 6 * n + 2 * n * n
    with _of_finite(m, (m.inputs[0], n * n)) as info:
        m.turn(turned, m.inputs[0], n, n)
        job, w = "V" if vectors else "N", m.outputs[0]
        if m.complex:
            room, of_reals = 2 * n + n * n + BLOCK * n, m.scratch(reals * m.dtype.nbytes)
            work = m.numbers(room)
            m.call("heevd", job, "L", n, turned, n, w, work, room, of_reals, reals, of_integers, 3 + 5 * n, info)
        else:
            room = reals + BLOCK * n
            m.call("syevd", job, "L", n, turned, n, w, m.numbers(room), room, of_integers, 3 + 5 * n, info)
        if vectors:
            m.turn(m.outputs[1], turned, n, n)


def svd(m: Matrices) -> None:
    """Of the matrix turned, for the same reason."""
    rows, columns = m.shapes[0]
    few, most = min(rows, columns), max(rows, columns)
    vectors, full = m.params["vectors"], m.params["full"]
    if not few:
        if vectors:
            m.unit(m.outputs[0], rows, m.result_shapes[0][1])
            m.unit(m.outputs[2], m.result_shapes[2][0], columns)
        return
    left = right = NULL
    made, kept = (rows, columns) if full else (few, few)
    if vectors:
        left, right = m.numbers(rows * made), m.numbers(kept * columns)
    factors, of_integers = m.numbers(rows * columns), m.scratch(8 * few * I32.nbytes)
    room = (few * few + 3 * few if m.complex else 4 * few * few + 7 * few) + most + BLOCK * (rows + columns)
    work = m.numbers(room)
    reals = max(5 * few * few + 5 * few, 2 * most * few + 2 * few * few + few)
    extra = [m.scratch(reals * m.dtype.nbytes)] if m.complex else []
    with _of_finite(m, (m.inputs[0], rows * columns)) as info:
        m.turn(factors, m.inputs[0], rows, columns)
        job = "N" if not vectors else "A" if full else "S"
        s = m.outputs[1 if vectors else 0]
        m.call("gesdd", job, rows, columns, factors, rows, s, left, rows, right, kept, work, room, *extra, of_integers, info)
        if vectors:
            m.turn(m.outputs[0], left, made, rows)
            m.turn(m.outputs[2], right, columns, kept)


def eig(m: Matrices) -> None:
    e, n = m.e, m.shapes[0][0]
    left, right = m.params["left"], m.params["right"]
    turned, room = m.numbers(n * n), (4 + BLOCK) * n
    work = m.numbers(room)
    wanted = [job for job, on in (("left", left), ("right", right)) if on]
    vectors = {job: m.numbers(n * n) for job in wanted}
    jobs = ["V" if job in wanted else "N" for job in ("left", "right")]
    places = [vectors.get(job, NULL) for job in ("left", "right")]
    with _of_finite(m, (m.inputs[0], n * n)) as info:
        m.turn(turned, m.inputs[0], n, n)
        factor, scaled = m.scaling(turned, n * n)  # which geev would do, too, but in SciPy's LAPACK not back
        with e.when(scaled, unlikely=True):
            m.scale(turned, n * n, factor)
        if m.complex:
            reals = m.scratch(2 * n * m.dtype.nbytes)
            m.call("geev", *jobs, n, turned, n, m.outputs[0], places[0], n, places[1], n, work, room, reals, info)
            with e.when(scaled, unlikely=True):
                m.scale(m.outputs[0], n, factor, back=True)
            for job, out in zip(wanted, m.outputs[1:], strict=True):
                m.turn(out, vectors[job], n, n)
            return
        wr, wi = m.numbers(n), m.numbers(n)
        m.call("geev", *jobs, n, turned, n, wr, wi, places[0], n, places[1], n, work, room, info)
        with e.when(scaled, unlikely=True):
            m.scale(wr, n, factor, back=True)
            m.scale(wi, n, factor, back=True)
        with e.loop(0, n) as j:
            for part, values in enumerate((wr, wi)):
                e.store(e.offset(m.outputs[0], e.add(e.mul(j, 2), part), m.dtype), e.load(e.offset(values, j, m.dtype), m.dtype))
            for job, out in zip(wanted, m.outputs[1:], strict=True):
                _unpack(m, vectors[job], wi, out, n, j)


def _unpack(m: Matrices, vectors: Reg, wi: Reg, out: Reg, n: int, j: Reg) -> None:
    """Column j of the complex vectors: those of a conjugate pair lie as their real and their imaginary part, side by side."""
    e = m.e
    imaginary = e.load(e.offset(wi, j, m.dtype), m.dtype)
    second = e.compare("lt", imaginary, 0.0)
    real_at = e.mul(e.select(second, e.sub(j, 1), j), n)
    sign = e.select(second, e.const(-1.0, m.dtype), e.select(e.compare("gt", imaginary, 0.0), e.const(1.0, m.dtype), 0.0))
    imag_at = e.mul(e.select(e.compare("gt", imaginary, 0.0), e.add(j, 1), j), n)
    with e.loop(0, n) as i:
        target = e.offset(out, e.mul(e.add(e.mul(i, n), j), 2), m.dtype)
        e.store(target, e.load(e.offset(vectors, e.add(real_at, i), m.dtype), m.dtype))
        part = e.load(e.offset(vectors, e.add(imag_at, i), m.dtype), m.dtype)
        e.store(e.offset(target, 1, m.dtype), e.mul(part, sign))


def _schur_of(m: Matrices, turned: Reg, vectors: Reg, n: int, info: Reg) -> None:
    """T, column by column, in place of a matrix that is, and its vectors; NULL: none."""
    room = max((3 + BLOCK) * n, 1)
    work, count, flags = m.numbers(room), m.scratch(I32.nbytes), m.scratch(n * I32.nbytes)
    values = [m.numbers(n), *([] if m.complex else [m.numbers(n)])]
    extra = [m.scratch(n * m.dtype.nbytes)] if m.complex else []
    job = "N" if vectors is NULL else "V"
    m.call("gees", job, "N", NULL, n, turned, n, count, *values, vectors, n, work, room, *extra, flags, info)


def schur(m: Matrices) -> None:
    n = m.shapes[0][0]
    turned, vectors = m.numbers(n * n), m.numbers(n * n) if m.params["vectors"] else NULL
    with _of_finite(m, (m.inputs[0], n * n)) as info:
        m.turn(turned, m.inputs[0], n, n)
        _schur_of(m, turned, vectors, n, info)
        m.turn(m.outputs[0], turned, n, n)
        if m.params["vectors"]:
            m.turn(m.outputs[1], vectors, n, n)


def sylvester(m: Matrices) -> None:
    """Bartels and Stewart's method: with A = U T U^H and B = V S V^H, T Y + Y S = U^H C V and X = U Y V^H."""
    e = m.e
    rows, columns = m.shapes[2]
    a, u, b, v = (m.numbers(n * n) for n in (rows, rows, columns, columns))
    c, between, scale = m.numbers(rows * columns), m.numbers(rows * columns), m.numbers(1)
    operands = [(x, k) for x, k in zip(m.inputs, (rows * rows, columns * columns, rows * columns), strict=True)]
    adjoint = "C" if m.complex else "T"

    def times(ta: str, tb: str, x: Reg, y: Reg, inner: int, out: Reg) -> None:
        x_rows, y_rows = rows if ta == "N" or inner == rows else inner, inner if tb == "N" else columns
        m.blas("gemm", ta, tb, rows, columns, inner, 1.0, x, x_rows, y, y_rows, 0.0, out, rows)

    with _of_finite(m, *operands) as info:
        m.turn(a, m.inputs[0], rows, rows)
        m.turn(b, m.inputs[1], columns, columns)
        m.turn(c, m.inputs[2], rows, columns)
        _schur_of(m, a, u, rows, info)
        with e.when(e.not_(m.failed(info))):
            _schur_of(m, b, v, columns, info)
        with e.when(e.not_(m.failed(info))):
            times(adjoint, "N", u, c, rows, between)
            times("N", "N", between, v, columns, c)
            m.call("trsyl", "N", "N", 1, rows, columns, a, rows, b, columns, c, rows, scale, info)
            times("N", "N", u, c, rows, between)
            times("N", adjoint, between, v, columns, c)
            m.scale(c, rows * columns, e.load(scale, m.dtype), back=True)
            m.turn(m.outputs[0], c, columns, rows)  # info is 1 where values cancel, and were moved a little


def _quotient(e: Emitter, x: list[Reg], y: list[Reg]) -> list[Reg]:
    """Of complex numbers, both scaled by y's larger part."""
    scale = e.select(e.compare("gt", e.abs(y[0]), e.abs(y[1])), e.abs(y[0]), e.abs(y[1]))
    y = [e.div(part, scale) for part in y]
    length = e.mul(e.add(e.mul(y[0], y[0]), e.mul(y[1], y[1])), scale)
    return [e.div(part, length) for part in times(e, x, [y[0], e.neg(y[1])])]


def _root(e: Emitter, x: list[Reg]) -> list[Reg]:
    """The principal square root of a complex number, from the half without cancellation (Kahan, 1987)."""
    half = e.sqrt(e.mul(e.add(hypot(e, *x), e.abs(x[0])), 0.5))
    other = e.select(e.compare("eq", half, 0.0), half, e.div(e.mul(x[1], 0.5), half))
    right = e.compare("ge", x[0], 0.0)
    return [e.select(right, half, e.abs(other)), e.select(right, other, e.copysign(half, x[1]))]


def sqrtm(m: Matrices) -> None:
    """By Schur's form, whose root is triangular, too (Bjorck and Hammarling, 1983)."""
    e, n = m.e, m.shapes[0][0]
    t, z, between = m.numbers(n * n), m.numbers(n * n), m.numbers(n * n)
    sums = [e.alloca(m.dtype) for _ in range(2)]

    def element(i: Reg, j: Reg) -> list[Reg]:
        place = m.at(t, e.add(e.mul(j, n), i))
        return [e.load(e.offset(place, part, m.dtype), m.dtype) for part in range(2)]

    def put(i: Reg, j: Reg, x: list[Reg]) -> None:
        for part, value in enumerate(x):
            e.store(e.offset(m.at(t, e.add(e.mul(j, n), i)), part, m.dtype), value)

    with _of_finite(m, (m.inputs[0], n * n)) as info:
        m.turn(t, m.inputs[0], n, n)
        _schur_of(m, t, z, n, info)
        with e.loop(0, n) as j:
            put(j, j, _root(e, element(j, j)))
            with e.loop(0, j) as step:
                i = e.sub(e.sub(j, 1), step)
                for slot, part in zip(sums, element(i, j), strict=True):
                    e.set(slot, part)
                with e.loop(e.add(i, 1), j) as k:
                    for slot, part in zip(sums, times(e, element(i, k), element(k, j)), strict=True):
                        e.set(slot, e.sub(e.get(slot, m.dtype), part))
                both = [e.add(a, b) for a, b in zip(element(i, i), element(j, j), strict=True)]
                rest = [e.get(slot, m.dtype) for slot in sums]
                none = e.and_(e.compare("eq", rest[0], 0.0), e.compare("eq", rest[1], 0.0))
                put(i, j, [e.select(none, e.const(0.0, m.dtype), part) for part in _quotient(e, rest, both)])
        m.blas("gemm", "N", "N", n, n, n, 1.0, z, n, t, n, 0.0, between, n)
        m.blas("gemm", "N", "C", n, n, n, 1.0, between, n, z, n, 0.0, t, n)
        m.turn(m.outputs[0], t, n, n)
        e.set(info, e.select(m.finite(t, n * n), e.get(info, I32), e.const(1, I32)))


ROUTINES: tuple[Callable[[Matrices], None], ...] = (eigh, svd, eig, schur, sylvester, sqrtm)
