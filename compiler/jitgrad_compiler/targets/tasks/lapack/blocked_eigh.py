"""The kernel of the eigenvectors of one large matrix: what LAPACK's syevd does, its largest part by many tasks.

With Q^H A Q = T, tridiagonal, and T = Z W Z^T (sytrd, and stedc, which divides and conquers) the vectors are Q Z: Q's reflections
are joined block by block (larft), and applied to runs of Z's columns side by side (larfb).
"""

from __future__ import annotations

import math

from ....ir.types import I32
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Emitted, Pointers, Scratch
from .blocked import Blocked
from .matrices import Matrices

BLOCK = 64
"""Reflections that are applied at once: products of fewer are slower, more of them take longer to be joined."""
RUNS = 8
"""Tasks that share the columns of Z: more of them read the reflections more often."""


class BlockedEigh(Blocked):
    """In scratch memory are the matrix by columns, Z by columns, the reflections' factors, the blocks' triangles, and room to work
    in; at the end how it ended.
    """

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        super().__init__(module, name, kernel, pointers, scratch)
        self.n = n = self.whole.shapes[0][0]
        self.reflections = n - 1
        self.blocks = -(-self.reflections // BLOCK)
        self.reals, self.integers = 1 + 4 * n + 2 * n * n, 3 + 5 * n
        self.lend([n * n, n * n, n, self.blocks * BLOCK * BLOCK, n * BLOCK, n, self.reals, self.integers, 1])

    def emit(self) -> Emitted:
        n = self.n
        self.phase(n, lambda m, low, high: m.turn_columns(self.place(m, 0), m.inputs[0], n, n, low, high))
        self.phase(1, lambda m, low, high: self._tridiagonal(m), 1)
        self.phase(self.blocks, self._triangles)
        self.phase(n, self._apply, RUNS)
        self.phase(n, self._finish)
        return self.emitted()

    def _ended(self, m: Matrices) -> Reg:
        return self.place(m, 8)

    def _tridiagonal(self, m: Matrices) -> None:
        """W, Z and the reflections. Numbers whose squares over- or underflow are scaled, as syevd does."""
        e, n, ended = m.e, self.n, self._ended(m)
        a, z, taus, work, beside = (self.place(m, part) for part in (0, 1, 2, 4, 5))
        w = m.outputs[0]
        e.store(ended, e.const(1, I32))
        with e.when(m.finite(a, n * n)):
            factor, scaled = m.scaling(a, n * n)
            with e.when(scaled, unlikely=True):
                m.scale(a, n * n, factor)
            m.call("hetrd" if m.complex else "sytrd", "L", n, a, n, w, beside, taus, work, n * BLOCK, ended)
            rest = (self.place(m, 6), self.reals, self.place(m, 7), self.integers, ended)
            m.call("stedc", "I", n, w, beside, z, n, *((work, n * BLOCK) if m.complex else ()), *rest)
            with e.when(scaled, unlikely=True), e.loop(0, n) as i:
                place = e.offset(w, i, m.dtype)
                e.store(place, e.div(e.load(place, m.dtype), factor))
        with e.when(m.failed(ended), unlikely=True):
            m.spoil([0])

    def _block(self, m: Matrices, block: Reg) -> tuple[Reg, Reg, Reg, Reg, Reg]:
        """A block's first reflection, how many and how long they are, where they lie, and their triangle."""
        e = m.e
        first = e.mul(block, BLOCK)
        rest = e.sub(self.reflections, first)
        vectors = self.place(m, 0, e.add(e.mul(first, self.n + 1), 1))
        triangle = self.place(m, 3, e.mul(block, BLOCK * BLOCK))
        return first, m.integer(e.least(rest, BLOCK)), m.integer(rest), vectors, triangle

    def _triangles(self, m: Matrices, low: Reg, high: Reg) -> None:
        e = m.e
        with e.when(e.not_(m.failed(self._ended(m)))), e.loop(low, high) as block:
            first, count, length, vectors, triangle = self._block(m, block)
            m.call("larft", "F", "C", length, count, vectors, self.n, self.place(m, 2, first), triangle, BLOCK)

    def _apply(self, m: Matrices, low: Reg, high: Reg) -> None:
        """All blocks to some columns, the last one first."""
        e = m.e
        columns, work = m.integer(e.sub(high, low)), self.place(m, 4, e.mul(low, BLOCK))
        with e.when(e.not_(m.failed(self._ended(m)))), e.loop(0, self.blocks) as step:
            first, count, length, vectors, triangle = self._block(m, e.sub(self.blocks - 1, step))
            c = self.place(m, 1, e.add(e.add(e.mul(low, self.n), first), 1))
            m.call(
                "larfb", "L", "N", "F", "C", length, columns, count, vectors, self.n, triangle, BLOCK, c, self.n, work, columns,
            )  # fmt: skip

    def _finish(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Rows of the vectors, whose columns lie in memory."""
        e, n = m.e, self.n
        m.turn_columns(m.outputs[1], self.place(m, 1), n, n, low, high)
        with e.when(m.failed(self._ended(m)), unlikely=True), e.loop(low, high) as i:
            m.fill(m.at(m.outputs[1], e.mul(i, n)), n * m.parts_of_number, math.nan)


def emit_blocked_eigh(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    return BlockedEigh(module, name, kernel, pointers, scratch).emit()
