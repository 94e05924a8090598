"""The kernel of QR of one large matrix: block after block of columns, each block's reflections applied by many tasks.

Of a block the reflections are found by one task (geqrt); all columns behind it take them side by side (larfb). Q is the same
reflections applied to the identity, the last block's first.
"""

from __future__ import annotations

from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Emitted, Pointers, Scratch
from .blocked import Blocked
from .factorizations import BLOCK
from .matrices import Matrices


class BlockedQR(Blocked):
    """In scratch memory are the matrix by columns, Q by columns, each block's triangle, and room to work in."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        super().__init__(module, name, kernel, pointers, scratch)
        self.rows, self.columns = self.whole.shapes[0]
        self.few, self.made = min(self.rows, self.columns), self.whole.result_shapes[0][1]
        self.lend(
            [
                self.rows * self.columns, self.rows * self.made, self.few * BLOCK,
                BLOCK * (max(self.columns, self.made) + BLOCK),
            ]
        )  # fmt: skip

    def emit(self) -> Emitted:
        rows, columns, few, made = self.rows, self.columns, self.few, self.made
        self.phase(columns, lambda m, low, high: m.turn_columns(self.place(m, 0), m.inputs[0], rows, columns, low, high))
        firsts = range(0, few, BLOCK)
        for first in firsts:
            width = min(BLOCK, few - first)
            self.phase(1, lambda m, low, high, f=first, w=width: self._factorise(m, f, w), 1)  # type: ignore[misc]
            behind = first + width
            self.phase(columns - behind, lambda m, low, high, f=first, w=width: self._apply(m, f, w, 0, f + w, low, high, True))  # type: ignore[misc]
        self.phase(made, self._start)
        for first in reversed(firsts):
            width = min(BLOCK, few - first)
            self.phase(made - first, lambda m, low, high, f=first, w=width: self._apply(m, f, w, 1, f, low, high, False))  # type: ignore[misc]
        self.phase(rows, lambda m, low, high: m.turn_columns(m.outputs[0], self.place(m, 1), made, rows, low, high))
        self.phase(made, self._triangle)
        return self.emitted()

    def _factorise(self, m: Matrices, first: int, width: int) -> None:
        corner = first * self.rows + first
        triangle, work = self.place(m, 2, first * BLOCK), self.place(m, 3)
        m.call("geqrt", self.rows - first, width, width, self.place(m, 0, corner), self.rows, triangle, BLOCK, work, m.info())

    def _apply(self, m: Matrices, first: int, width: int, target: int, start: int, low: Reg, high: Reg, adjoint: bool) -> None:
        """A block's reflections to columns of the matrix, or of Q, counted from `start`."""
        e = m.e
        count = m.integer(e.sub(high, low))
        c = self.place(m, target, e.add(e.mul(e.add(low, start), self.rows), first))
        work = self.place(m, 3, e.mul(low, BLOCK))
        how = ("C" if m.complex else "T") if adjoint else "N"
        m.call(
            "larfb", "L", how, "F", "C", self.rows - first, count, width, self.place(m, 0, first * self.rows + first), self.rows,
            self.place(m, 2, first * BLOCK), BLOCK, c, self.rows, work, count,
        )  # fmt: skip

    def _start(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Columns of the identity."""
        e = m.e
        with e.loop(low, high) as j:
            column = self.place(m, 1, e.mul(j, self.rows))
            m.fill(column, self.rows * m.parts_of_number, 0.0)
            e.store(m.at(column, j), e.const(1.0, m.dtype))

    def _triangle(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Rows of R: from the diagonal on those of the matrix, whose columns lie in memory."""
        e, factors = m.e, self.place(m, 0)
        with e.loop(low, high) as i:
            row = m.at(m.outputs[1], e.mul(i, self.columns))
            m.fill(row, self.columns * m.parts_of_number, 0.0)
            with e.loop(i, self.columns) as j:
                m.move(row, j, factors, e.add(e.mul(j, self.rows), i))


def emit_blocked_qr(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    return BlockedQR(module, name, kernel, pointers, scratch).emit()
