"""The kernel of Cholesky's factorisation of one large matrix: block after block of columns, the rest of the matrix by many tasks.

As LAPACK sees it, A^T = U^H U: of a block row of U the corner is factorised, what is behind it solved for, and its products are
taken from what is below (Golub and Van Loan, Matrix Computations, 4.2).
"""

from __future__ import annotations

import math

from ....ir.types import I32, I64
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Emitted, Pointers, Scratch
from .blocked import Blocked
from .factorizations import lost
from .matrices import Matrices

BLOCK = 128
"""Columns of a block."""


class BlockedCholesky(Blocked):
    """In scratch memory is how the factorisation of each corner ended."""

    def emit(self) -> Emitted:
        self.n = n = self.whole.shapes[0][0]
        firsts = range(0, n, BLOCK)
        self.lend([len(firsts)])
        self.phase(n, self._copy)
        for block, first in enumerate(firsts):
            width = min(BLOCK, n - first)
            self.phase(1, lambda m, low, high, b=block, f=first, w=width: self._corner(m, b, f, w), 1)  # type: ignore[misc]
            behind = n - first - width
            self.phase(behind, lambda m, low, high, f=first, w=width: self._behind(m, f, w, low, high))  # type: ignore[misc]
            self.phase(behind, lambda m, low, high, f=first, w=width: self._below(m, f, w, low, high))  # type: ignore[misc]
        self.phase(n, lambda m, low, high: self._finish(m, len(firsts), low, high))
        return self.emitted()

    def _at(self, m: Matrices, row: int | Reg, column: int | Reg) -> Reg:
        """An element of U."""
        e = m.e
        column = column if isinstance(column, Reg) else e.const(column, I64)
        return m.at(m.outputs[0], e.add(e.mul(column, self.n), row))

    def _copy(self, m: Matrices, low: Reg, high: Reg) -> None:
        with m.e.loop(low, high) as j:
            at = m.e.mul(j, self.n)
            m.copy(m.at(m.outputs[0], at), m.at(m.inputs[0], at), self.n)

    def _corner(self, m: Matrices, block: int, first: int, width: int) -> None:
        m.call("potrf", "U", width, self._at(m, first, first), self.n, m.e.offset(self.place(m, 0), block, I32))

    def _behind(self, m: Matrices, first: int, width: int, low: Reg, high: Reg) -> None:
        count, start = m.integer(m.e.sub(high, low)), m.e.add(low, first + width)
        corner = self._at(m, first, first)
        m.blas("trsm", "L", "U", "C", "N", width, count, 1.0, corner, self.n, self._at(m, first, start), self.n)

    def _below(self, m: Matrices, first: int, width: int, low: Reg, high: Reg) -> None:
        """Columns of the rest, down to below their diagonals."""
        count, start, rows = m.integer(m.e.sub(high, low)), m.e.add(low, first + width), m.integer(high)
        m.blas(
            "gemm", "C", "N", rows, count, width, -1.0, self._at(m, first, first + width), self.n, self._at(m, first, start),
            self.n, 1.0, self._at(m, first + width, start), self.n,
        )  # fmt: skip

    def _finish(self, m: Matrices, blocks: int, low: Reg, high: Reg) -> None:
        """Zeros above the diagonal as we see it; NaN everywhere where a corner was not positive definite."""
        e, parts = m.e, m.parts_of_number
        failed = e.alloca(I32)
        e.set(failed, e.const(0, I32))
        with e.loop(0, blocks) as block:
            e.set(failed, e.or_(e.get(failed, I32), e.load(e.offset(self.place(m, 0), block, I32), I32)))
        failure = e.or_(m.failed(failed), lost(m, m.outputs[0], self.n))
        with e.loop(low, high) as i:
            row = m.at(m.outputs[0], e.mul(i, self.n))
            with e.loop(e.mul(e.add(i, 1), parts), e.const(self.n * parts, I64)) as j:
                e.store(e.offset(row, j, m.dtype), e.const(0.0, m.dtype))
            with e.when(failure, unlikely=True):
                m.fill(row, self.n * parts, math.nan)


def emit_blocked_cholesky(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    return BlockedCholesky(module, name, kernel, pointers, scratch).emit()
