"""Squares of what a map reads along one axis and uses along another, turned in registers: turned.py says where.

A square has a vector's width of steps of both axes. Its columns are read where they lie side by side, a vector each, and turned by
shuffles in a small memory; then its rows are there along the axis that is written, whose vectors compute all the rest. Next on the
path: columns.py, which writes a square's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ....ir.types import BOOL, I32, I64, U8, DType, unsigned_integer
from ....kernels.affine import Affine, Axis, axis_index, linear
from ....kernels.expression import Load
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...expressions import Expressions
from ...llvm_text import Reg
from ..transpose import emit_transpose
from .columns import written_out
from .turned import steps_of, turned_loads


class Squares:
    """The memory for a kernel's squares: one for each load and step of the axes that are written out."""

    def __init__(self, e: Emitter, x: Expressions, kernel: Kernel, turned: Axis, along: Axis, unrolled: Sequence[Axis]) -> None:
        self.e, self.x, self.turned, self.along = e, x, turned, along
        self.stores, self.unrolled = kernel.stores, unrolled
        self.row = Axis("row", x.width)
        """Of a square, counted along the turned axis."""
        self.loads: list[tuple[Load, Sequence[Axis], Reg]] = []
        for n in turned_loads(kernel, turned, along):
            own = [a for a in unrolled if a in n.axes]
            self.loads.append((n, own, e.alloca(_bits(n.dtype), x.width, x.width * steps_of(n, own))))

    @contextmanager
    def rows(self, first: Reg, column: Reg) -> Iterator[None]:
        """What follows is run for each row of the square that begins at `first` of the turned axis and `column` of the other."""
        e, x, width, (turned, along) = self.e, self.x, self.x.width, (self.turned, self.along)
        with x.scope():
            self._fill(first, column)
        x.vector_axis = along
        with e.loop(0, _left(e, turned, first, width)) as row, x.scope():
            x.axis_values[self.row], x.axis_values[turned] = row, e.add(first, row)
            x.turned = {id(n): (memory, self._place(own)) for n, own, memory in self.loads}
            yield
            x.turned = {}

    def _place(self, own: Sequence[Axis]) -> Affine:
        axes = [*own, self.row]
        return linear([axis_index(a) for a in axes], [a.extent for a in axes]) * self.x.width

    def _fill(self, first: Reg, column: Reg) -> None:
        e, x, width, (turned, along) = self.e, self.x, self.x.width, (self.turned, self.along)
        x.vector_axis, x.axis_values[turned] = turned, first
        left = _left(e, turned, first, width)
        x.mask = e.lanes_below(e.convert(left, I32), width) if isinstance(left, Reg) else None
        squares: list[tuple[Reg, int, DType]] = []
        with e.loop(0, _left(e, along, column, width)) as lane, x.scope():
            x.axis_values[along], x.axis_values[self.row] = e.add(column, lane), lane
            self._ask_for_stores(first, column, lane)
            for n, own, memory in self.loads:
                for step in written_out(own):
                    x.axis_values.update(step)
                    with x.scope():
                        value = x.emit(n)
                        if value.constant is None:  # else it is known where it is used, too
                            ahead = e.add(x.scalar_index(n.offset), e.module.tuning.loops.vectors_ahead * width)
                            e.prefetch(e.offset(x.pointers[n.source], ahead, n.dtype))
                            e.store(e.offset(memory, x.scalar_index(self._place(own)), n.dtype), e.splat(value, width))
                            numbers = {self.row: 0, **step}
                            start = self._place(own).substitute({a: Affine(i) for a, i in numbers.items()}).constant
                            squares.append((memory, start, _bits(n.dtype)))
        x.mask = None
        for memory, start, type in squares:
            square, apart = e.offset(memory, start, type), e.const(width, I64)
            e.call(emit_transpose(e.module, type, width), None, square, apart, square, apart)

    def _ask_for_stores(self, first: Reg, column: Reg, row: Reg) -> None:
        """Have the places of a square's row fetched, to be written when the square is turned."""
        e, x = self.e, self.x
        held = dict(x.axis_values)
        x.axis_values[self.turned], x.axis_values[self.along] = e.add(first, row), column
        for step in written_out(self.unrolled):
            x.axis_values.update(step)
            with x.scope():
                for st in self.stores:
                    e.prefetch(e.offset(x.pointers[st.target], x.scalar_index(st.offset), st.node.dtype), write=True)
        x.axis_values = held


def _left(e: Emitter, axis: Axis, first: Reg, width: int) -> Reg | int:
    return e.least(e.sub(axis.extent, first), width) if axis.extent % width else width


def _bits(dtype: DType) -> DType:
    return U8 if dtype == BOOL else unsigned_integer(dtype.bits)
