"""Eigenvectors of one large tridiagonal matrix: what LAPACK's stedc does, its last step by many tasks.

The matrix is two halves and a matrix of rank one, whose eigenvectors are known (Cuppen, 1981). Each half's are found by a task
(stedc). Joined they have a diagonal matrix and one of rank one (laed2, which drops what is no part of that), whose eigenvalues
are the roots of a sum of fractions, each found by itself (laed4). Vectors that belong to exactly these roots are those of a row
near the one given (Gu and Eisenstat, 1995), and the halves' times them are the whole's. Next on the path: blocked_eigh.py.
"""

from __future__ import annotations

from ....ir.types import I32, I64
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Pointers, Scratch
from .blocked import Blocked
from .matrices import Argument, Matrices


class Divided(Blocked):
    """In scratch memory of its own are rows of real numbers and of integers, the halves' vectors, and what laed2 packs of them.

    The diagonal and what is beside it are given in `real(m, DIAGONAL)` and `real(m, BESIDE)`.
    """

    DIAGONAL, BESIDE, ROW, POLES, WEIGHTS, NEAR = range(6)
    """Rows of real numbers: the tridiagonal matrix; the row of the matrix of rank one, before and after laed2; what the fractions
    have below them; the row that the roots belong to.
    """
    ORDER, PLACES, PACKED, ROOM, KINDS = range(5)
    """Rows of integers: which eigenvalue is the next larger one, from 1 on; laed2's."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        super().__init__(module, name, kernel, pointers, scratch)
        self.n = n = self.whole.shapes[0][0]
        self.half = n // 2
        self._first = len(self.places)
        larger = n - self.half
        self._lent_halves = reals, integers = 1 + 4 * larger + larger**2, 3 + 5 * larger
        parts = self.whole.parts_of_number
        self.lend([-(-count // parts) for count in (6 * n, n * n, max(n * n, 2 * reals), 1)])
        self.lend([max(5 * n, 2 * integers), 2])

    def real(self, m: Matrices, row: int, at: Reg | int = 0) -> Reg:
        return m.e.offset(m.e.offset(self._own(m, 0), row * self.n, m.dtype), at, m.dtype)

    def order(self, m: Matrices) -> Reg:
        return self._integers(m, self.ORDER)

    def size(self, m: Matrices) -> Reg:
        """By how much eigenvalues are to be multiplied, as the matrix is divided by it."""
        return self._own(m, 3)

    def ended(self, m: Matrices) -> Reg:
        """Where an integer is that is not 0 if a routine failed."""
        return m.e.offset(self._own(m, 5), 1, I32)

    def _own(self, m: Matrices, number: int) -> Reg:
        return m.lent(self.places[self._first + number])

    def _integers(self, m: Matrices, row: int) -> Reg:
        return m.e.offset(self._own(m, 4), row * self.n, I32)

    def _real_call(self, m: Matrices, name: str, *arguments: Argument, library: str = "lapack") -> None:
        m.call(name, *arguments, library=library, letter=m.real_letter)

    def _count(self, m: Matrices) -> Reg:
        """How many eigenvalues are roots; the others are the halves' and lie behind."""
        return m.e.convert(m.e.get(self._own(m, 5), I32), I64)

    def _column(self, m: Matrices, j: Reg | int) -> Reg:
        return m.e.offset(self._own(m, 1), m.e.mul(j, self.n) if isinstance(j, Reg) else j * self.n, m.dtype)

    def solve(self) -> None:
        """The phases behind `divide` and before `vectors`."""
        self.phase(2, self._halves, 2, 1)
        self.phase(1, lambda m, low, high: self._join(m), 1)
        self.phase(self.n, self._roots)
        self.phase(1, lambda m, low, high: self._near(m), 1)

    def divide(self, m: Matrices) -> None:
        """By its largest element, so that nothing overflows; and in two."""
        e, n = m.e, self.n
        diagonal, beside, size = self.real(m, self.DIAGONAL), self.real(m, self.BESIDE), self.size(m)
        largest = m.value("lanst", "M", n, diagonal, beside)
        e.store(size, e.select(e.compare("eq", largest, 0.0), e.const(1.0, m.dtype), largest))
        for row, count in ((diagonal, n), (beside, n - 1)):
            self._real_call(m, "lascl", "G", 0, 0, size, 1.0, count, 1, row, count, m.info())
        between = e.abs(e.load(e.offset(beside, self.half - 1, m.dtype), m.dtype))
        for i in (self.half - 1, self.half):
            place = e.offset(diagonal, i, m.dtype)
            e.store(place, e.sub(e.load(place, m.dtype), between))

    def _halves(self, m: Matrices, low: Reg, high: Reg) -> None:
        e, n, half = m.e, self.n, self.half
        reals, integers = self._lent_halves
        with e.when(e.not_(m.failed(self.ended(m)))), e.loop(low, high) as second:
            first, size = e.mul(second, half), e.add(half, e.mul(second, n - 2 * half))
            info, count = m.info(), m.integer(size)
            self._real_call(m, "laset", "A", n, count, 0.0, 0.0, self._column(m, first), n)
            self._real_call(
                m, "stedc", "I", count, self.real(m, self.DIAGONAL, first), self.real(m, self.BESIDE, first),
                e.offset(self._column(m, first), first, m.dtype), n,
                e.offset(self._own(m, 2), e.mul(second, reals), m.dtype), reals,
                e.offset(self._own(m, 4), e.mul(second, integers), I32), integers, info,
            )  # fmt: skip
            self._tell(m, info)

    def _tell(self, m: Matrices, info: Reg) -> None:
        with m.e.when(m.failed(info), unlikely=True):
            m.e.store(self.ended(m), m.e.get(info, I32))

    def _join(self, m: Matrices) -> None:
        e, n, half = m.e, self.n, self.half
        row, order = self.real(m, self.ROW), self.order(m)
        with e.when(e.not_(m.failed(self.ended(m)))):
            for low, high, seen in ((0, half, half - 1), (half, n, half)):
                last_or_first = e.offset(self._column(m, low), seen, m.dtype)
                self._real_call(m, "copy", high - low, last_or_first, n, e.offset(row, low, m.dtype), 1, library="blas")
                with e.loop(low, high) as j:
                    e.store(e.offset(order, j, I32), e.convert(e.sub(j, low - 1), I32))
            info = m.info()
            self._real_call(
                m, "laed2", self._own(m, 5), n, half, self.real(m, self.DIAGONAL), self._column(m, 0), n, order, self._between(m),
                row, self.real(m, self.POLES), self.real(m, self.WEIGHTS), self._own(m, 2),
                *(self._integers(m, i) for i in (self.PLACES, self.PACKED, self.ROOM, self.KINDS)), info,
            )  # fmt: skip
            self._tell(m, info)

    def _between(self, m: Matrices) -> Reg:
        """Where the factor of the matrix of rank one is."""
        return self.real(m, self.BESIDE, self.half - 1)

    def _roots(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Eigenvalues, and in their columns how far off each pole is."""
        e = m.e
        with e.when(e.not_(m.failed(self.ended(m)))):
            count = self._count(m)
            with e.loop(low, e.least(high, count)) as j:
                info = m.info()
                self._real_call(
                    m, "laed4", self._own(m, 5), m.integer(e.add(j, 1)), self.real(m, self.POLES), self.real(m, self.WEIGHTS),
                    self._column(m, j), self._between(m), self.real(m, self.DIAGONAL, j), info,
                )  # fmt: skip
                self._tell(m, info)

    def _near(self, m: Matrices) -> None:
        """The row that the roots belong to exactly, and the order of all eigenvalues."""
        e = m.e
        with e.when(e.not_(m.failed(self.ended(m)))):
            count, poles, near = self._count(m), self.real(m, self.POLES), self.real(m, self.NEAR)
            self._real_call(m, "laset", "A", self.n, 1, 1.0, 1.0, near, self.n)
            with e.loop(0, count) as j:
                pole, own = (e.offset(row, j, m.dtype) for row in (poles, near))
                column, before = self._column(m, j), e.load(own, m.dtype)
                here = e.load(pole, m.dtype)

                def factor(i: Reg, mask: Reg, width: int) -> None:
                    x, off, other = (e.load(e.offset(row, i, m.dtype), m.dtype, width, mask) for row in (near, column, poles))
                    e.store(e.offset(near, i, m.dtype), e.mul(x, e.div(off, e.sub(other, e.splat(here, width)))), mask)

                m.vectors(e.const(0, I64), count, factor)
                # not what was divided by the difference of a pole and itself
                e.store(own, e.mul(before, e.load(e.offset(column, j, m.dtype), m.dtype)))
            with e.loop(0, count) as i:
                place, weight = (e.offset(row, i, m.dtype) for row in (near, self.real(m, self.WEIGHTS)))
                e.store(place, e.copysign(e.sqrt(e.neg(e.load(place, m.dtype))), e.load(weight, m.dtype)))
            order = self.order(m)
            with e.loop(0, self.n) as i:
                e.store(e.offset(order, i, I32), e.convert(e.add(i, 1), I32))
            with e.when(e.compare("gt", count, 0)):
                others = m.integer(e.sub(self.n, count))
                self._real_call(m, "lamrg", self._own(m, 5), others, self.real(m, self.DIAGONAL), 1, -1, order)
            self._sort(m, order)

    def _sort(self, m: Matrices, order: Reg) -> None:
        """By insertion: few are not where they belong, which are equal but for rounding."""
        e = m.e

        def value(number: Reg) -> Reg:
            return e.load(self.real(m, self.DIAGONAL, e.sub(e.convert(number, I64), 1)), m.dtype)

        hole = e.alloca(I64)
        with e.loop(1, self.n) as i:
            look, move, done = e.fresh("look"), e.fresh("move"), e.fresh("done")
            mine = e.load(e.offset(order, i, I32), I32)
            e.set(hole, i)
            e.branch(look)
            e.label(look)
            at = e.get(hole, I64)
            before = e.load(e.offset(order, e.sub(at, 1), I32), I32)
            e.branch_if(e.compare("gt", value(before), value(mine)), move, done)
            e.label(move)
            e.store(e.offset(order, at, I32), before)
            e.set(hole, e.sub(at, 1))
            e.branch_if(e.compare("gt", at, 1), look, done)
            e.label(done)
            e.store(e.offset(order, e.get(hole, I64), I32), mine)

    def vectors(self, m: Matrices, target: Reg, low: Reg, high: Reg) -> None:
        """Some columns of the eigenvectors at `target`, unless a routine failed. Columns have the order of `real(m, DIAGONAL)`."""
        e, n, dtype = m.e, self.n, m.dtype
        length = n * m.parts_of_number

        def out(j: Reg, at: Reg | int = 0) -> Reg:
            return e.offset(e.offset(target, e.mul(j, length), dtype), at, dtype)

        count = self._count(m)
        last = e.least(high, count)
        with e.loop(low, last) as j:
            self._vector(m, j, count, out(j))
        with e.when(e.compare("lt", low, last)):
            self._products(m, low, last, out(low), length)
        kept = e.select(e.compare("gt", low, count), low, count)
        with e.when(e.compare("lt", kept, high)):
            self._real_call(m, "lacpy", "A", n, m.integer(e.sub(high, kept)), self._column(m, kept), n, out(kept), length)
        if m.complex:
            with e.loop(low, high) as j, e.loop(0, n) as step:
                i = e.sub(n - 1, step)
                x, place = e.load(out(j, i), dtype), e.mul(i, 2)
                e.store(out(j, place), x)
                e.store(out(j, e.add(place, 1)), e.const(0.0, dtype))

    def _vector(self, m: Matrices, j: Reg, count: Reg, beside: Reg) -> None:
        """Of a root, in laed2's order and of length 1. laed4 gives that of one or two poles itself."""
        e, dtype, column = m.e, m.dtype, self._column(m, j)
        given = e.compare("lt", count, 3)

        def divide(i: Reg, mask: Reg, width: int) -> None:
            x = e.load(e.offset(column, i, dtype), dtype, width, mask)
            near = e.load(e.offset(self.real(m, self.NEAR), i, dtype), dtype, width, mask)
            e.store(e.offset(beside, i, dtype), e.select(e.splat(given, width), x, e.div(near, x)), mask)

        m.vectors(e.const(0, I64), count, divide)
        norm = m.value("nrm2", m.integer(count), beside, 1, library="blas")
        with e.loop(0, count) as i:
            x = e.load(e.offset(beside, m.listed(self._integers(m, self.PACKED), i), dtype), dtype)
            e.store(e.offset(column, i, dtype), e.div(x, norm))

    def _products(self, m: Matrices, low: Reg, last: Reg, target: Reg, length: int) -> None:
        """The halves' vectors, which laed2 packed by their kinds, times some columns."""
        e, packed, column = m.e, self._own(m, 2), self._column(m, low)
        kinds = self._integers(m, self.KINDS)
        above, both, below = (e.convert(e.load(e.offset(kinds, k, I32), I32), I64) for k in range(3))
        upper, lower = e.add(above, both), e.add(both, below)
        for rows, inner, source, factor, out in (
            (self.half, upper, packed, column, target),
            (self.n - self.half, lower, e.offset(packed, e.mul(upper, self.half), m.dtype), e.offset(column, above, m.dtype),
             e.offset(target, self.half, m.dtype)),
        ):  # fmt: skip
            self._real_call(
                m, "gemm", "N", "N", rows, m.integer(e.sub(last, low)), m.integer(inner), 1.0, source, rows, factor, self.n, 0.0,
                out, length, library="blas",
            )  # fmt: skip
