"""The kernel of the eigenvectors of one large matrix: what LAPACK's syevd does, its largest part by many tasks.

With Q^H A Q = T, tridiagonal (sytrd), and T = Z W Z^T (divided.py) the vectors are Q Z: Q's reflections are joined block by block
(larft), and applied to runs of Z's columns side by side (larfb).
"""

from __future__ import annotations

import math

from ....ir.types import I32
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Emitted, Pointers, Scratch
from .divided import Divided
from .matrices import Matrices

BLOCK = 64
"""Reflections that are applied at once: products of fewer are slower, more of them take longer to be joined."""
RUNS = 8
"""Tasks that share the columns of Z: more of them read the reflections more often."""


class BlockedEigh(Divided):
    """In scratch memory are the matrix by columns, Z by columns, the reflections' factors, the blocks' triangles, room to work in,
    and by how much the matrix was multiplied.
    """

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        super().__init__(module, name, kernel, pointers, scratch)
        n = self.n
        self.reflections = n - 1
        self.blocks = -(-self.reflections // BLOCK)
        self._lent = len(self.places)
        self.lend([n * n, n * n, n, self.blocks * BLOCK * BLOCK, n * BLOCK, 1])

    def emit(self) -> Emitted:
        n = self.n
        self.phase(n, lambda m, low, high: m.turn_columns(self._part(m, 0), m.inputs[0], n, n, low, high))
        self.phase(1, lambda m, low, high: self._tridiagonal(m), 1)
        self.phase(self.blocks, self._triangles)
        self.solve()
        self.phase(n, self._apply, RUNS)
        self.phase(n, self._finish)
        return self.emitted()

    def _part(self, m: Matrices, number: int, at: Reg | int = 0) -> Reg:
        return self.place(m, self._lent + number, at)

    def _tridiagonal(self, m: Matrices) -> None:
        """T and the reflections. Numbers whose squares over- or underflow are scaled, as syevd does."""
        e, n, ended = m.e, self.n, self.ended(m)
        a, taus, work, scale = (self._part(m, part) for part in (0, 2, 4, 5))
        e.store(ended, e.const(1, I32))
        with e.when(m.finite(a, n * n)):
            factor, scaled = m.scaling(a, n * n)
            e.store(scale, factor)
            with e.when(scaled, unlikely=True):
                m.scale(a, n * n, factor)
            diagonal, beside = self.real(m, self.DIAGONAL), self.real(m, self.BESIDE)
            m.call("hetrd" if m.complex else "sytrd", "L", n, a, n, diagonal, beside, taus, work, n * BLOCK, ended)
            self.divide(m)

    def _block(self, m: Matrices, block: Reg) -> tuple[Reg, Reg, Reg, Reg, Reg]:
        """A block's first reflection, how many and how long they are, where they lie, and their triangle."""
        e = m.e
        first = e.mul(block, BLOCK)
        rest = e.sub(self.reflections, first)
        vectors = self._part(m, 0, e.add(e.mul(first, self.n + 1), 1))
        triangle = self._part(m, 3, e.mul(block, BLOCK * BLOCK))
        return first, m.integer(e.least(rest, BLOCK)), m.integer(rest), vectors, triangle

    def _triangles(self, m: Matrices, low: Reg, high: Reg) -> None:
        e = m.e
        with e.when(e.not_(m.failed(self.ended(m)))), e.loop(low, high) as block:
            first, count, length, vectors, triangle = self._block(m, block)
            m.call("larft", "F", "C", length, count, vectors, self.n, self._part(m, 2, first), triangle, BLOCK)

    def _apply(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Some columns of Z, and all blocks to them, the last one first."""
        e = m.e
        columns, work = m.integer(e.sub(high, low)), self._part(m, 4, e.mul(low, BLOCK))
        with e.when(e.not_(m.failed(self.ended(m)))):
            self.vectors(m, self._part(m, 1), low, high)
            with e.loop(0, self.blocks) as step:
                first, count, length, vectors, triangle = self._block(m, e.sub(self.blocks - 1, step))
                c = self._part(m, 1, e.add(e.add(e.mul(low, self.n), first), 1))
                m.call(
                    "larfb", "L", "N", "F", "C", length, columns, count, vectors, self.n, triangle, BLOCK, c, self.n, work, columns,
                )  # fmt: skip

    def _finish(self, m: Matrices, low: Reg, high: Reg) -> None:
        """Eigenvalues in order, and rows of the vectors, whose columns lie in memory."""
        e, n, order, failed = m.e, self.n, self.order(m), m.failed(self.ended(m))
        with e.when(e.not_(failed)):
            size, scale = e.load(self.size(m), m.dtype), e.load(self._part(m, 5), m.dtype)
            with e.loop(low, high) as i:
                x = e.load(self.real(m, self.DIAGONAL, m.listed(order, i)), m.dtype)
                e.store(e.offset(m.outputs[0], i, m.dtype), e.div(e.mul(x, size), scale))
            m.turn_columns(m.outputs[1], self._part(m, 1), n, n, low, high, order)
        with e.when(failed, unlikely=True), e.loop(low, high) as i:
            e.store(e.offset(m.outputs[0], i, m.dtype), e.const(math.nan, m.dtype))
            m.fill(m.at(m.outputs[1], e.mul(i, n)), n * m.parts_of_number, math.nan)


def emit_blocked_eigh(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    return BlockedEigh(module, name, kernel, pointers, scratch).emit()
