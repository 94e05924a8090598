"""Kernels of `fft_pairs`: transforms along one axis of arrays of complex numbers as pairs, and of real ones.

    1 roots.py         tables of roots of unity
    2 butterflies.py   passes over a buffer of as many transforms side by side as a vector has lanes
    3 moves.py         what brings rows or columns of memory into such a buffer, and back
    4 halves.py        real numbers as half as many complex ones
    5 transforms.py    what is asked for, and all passes of a length
    6 here             a vector of rows or columns after the other
    7 long.py          long rows, and few ones, which are made of columns and rows of about the root of their length

Lengths have no prime factors above 13: passes/complex_parts/fourier.py sees to the others, and to odd lengths of real numbers.
What is added in which order depends on the length, and on whether rows are many.
"""

from __future__ import annotations

from ....kernels.kernel import Kernel
from ....ops.fourier import LONGEST_COLUMN
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...order import LONE_LENGTH
from ..partition import partition
from ..phases import Emitted, Phase, Pointers, each_task
from .halves import emit_join, emit_part
from .long import LongRows
from .moves import emit_pairs_in, emit_pairs_out, emit_reals_in, emit_reals_out, emit_rows, emit_square
from .roots import half_table
from .transforms import Scratch, Transforms


def emit_fourier(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The task functions."""
    t = Transforms(module, name, kernel, pointers, scratch)
    lone = t.outer < t.lanes // 2 and t.length >= LONE_LENGTH
    if t.inner == 1 and (lone or t.length > LONGEST_COLUMN):
        return LongRows(t).emit()
    return _SideBySide(t).emit()


class _SideBySide:
    """As many rows, or columns, as a vector has lanes at a time."""

    def __init__(self, transforms: Transforms) -> None:
        self.t = transforms

    def emit(self) -> Emitted:
        t = self.t
        blocks = -(-(t.outer if t.inner == 1 else t.inner) // t.lanes)
        parts = partition(blocks if t.inner == 1 else t.outer * blocks, t.most_tasks)
        buffer = t.buffer(t.length)
        e = t.function()
        x, out, memory = t.memory(e)
        with each_task(e, parts.tasks) as task:
            a = t.at(e, memory, e.mul(task, 2 * buffer))
            b = t.at(e, a, buffer)
            with e.loop(*parts.bounds(e, task)) as unit:
                if t.inner == 1:
                    first = e.mul(unit, t.lanes)
                    if t.outer >= t.lanes:  # the last rows, some of which have been done: whole vectors are quicker
                        first = e.least(first, t.outer - t.lanes)
                    self._rows(e, t.at(e, x, e.mul(first, t.row_in)), a, t.row_in, 0 if t.real else t.exchanged, None)
                    made = self._transform(e, a, b)
                    self._rows(e, t.at(e, out, e.mul(first, t.row_out)), made, t.row_out, t.exchanged, self._scale)
                else:
                    row, first = e.div(unit, blocks), e.mul(e.rem(unit, blocks), t.lanes)
                    count = e.least(e.sub(t.inner, first), t.lanes)
                    wide = [e.mul(first, 1 if real else 2) for real in (t.takes_real, t.makes_real)]
                    source, target = (
                        t.at(e, pointer, e.add(e.mul(row, size * t.inner), at))
                        for pointer, size, at in zip((x, out), (t.row_in, t.row_out), wide, strict=True)
                    )
                    self._load_columns(e, source, a, count)
                    self._store_columns(e, self._transform(e, a, b), target, count)
        e.finish()
        return Emitted([Phase(e.name, parts.tasks)], parts.tasks * 2 * buffer * t.dtype.nbytes)

    @property
    def _scale(self) -> float:
        return 0.5 * self.t.scale if self.t.takes_real else self.t.scale

    def _transform(self, e: Emitter, a: Reg, b: Reg) -> Reg:
        """Where the transform of what is in buffer a has come to be, but for the scale."""
        t = self.t
        if t.makes_real:
            t.call(e, emit_part(t.module, t.dtype), a, b, t.length, half_table(t.module, t.n, t.dtype))
            a, b = b, a
        a, b = t.passes(e, t.length, a, b)
        if t.takes_real:
            t.call(e, emit_join(t.module, t.dtype), a, b, t.length, half_table(t.module, t.n, t.dtype))
            return b
        return a

    def _rows(self, e: Emitter, memory: Reg, buffer: Reg, columns: int, exchanged: int, back: float | None) -> None:
        """Rows of memory into a buffer; `back`: the other way, times that."""
        t = self.t
        scale = 1.0 if back is None else back
        if t.outer < t.lanes or columns < t.lanes:
            rows = min(t.outer, t.lanes)
            t.call(e, emit_rows(t.module, t.dtype), memory, columns, rows, buffer, columns, exchanged, scale, back is not None)
            return
        with e.loop(0, columns, t.lanes) as c:
            at = e.least(c, columns - t.lanes) if columns % t.lanes else c
            own = t.at(e, memory, at), columns, 0
            turned = t.at(e, buffer, e.mul(at, t.lanes)), t.lanes, exchanged * t.lanes
            t.call(e, emit_square(t.module, t.dtype), *(own if back is None else turned), *(turned if back is None else own), scale)

    def _load_columns(self, e: Emitter, source: Reg, a: Reg, count: Reg) -> None:
        t = self.t
        if t.takes_real:
            t.call(e, emit_reals_in(t.module, t.dtype), source, t.inner, t.n, count, a)
        else:
            exchanged = 0 if t.real else t.exchanged
            t.call(e, emit_pairs_in(t.module, t.dtype), source, 2 * t.inner, t.row_in // 2, count, a, exchanged)

    def _store_columns(self, e: Emitter, made: Reg, target: Reg, count: Reg) -> None:
        t = self.t
        if t.makes_real:
            t.call(e, emit_reals_out(t.module, t.dtype), made, target, t.inner, t.n, count, self._scale)
        else:
            scale = self._scale
            t.call(
                e, emit_pairs_out(t.module, t.dtype), made, target, 2 * t.inner, t.row_out // 2, count, t.exchanged, scale
            )  # fmt: skip
