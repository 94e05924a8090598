"""Maps whose results lie side by side along one axis and some of whose operands along another: tiles go through shared memory, so
that both are read and written whole lines at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....ir.types import BOOL, U8, DType
from ....kernels.affine import Affine, Axis
from ....kernels.expression import Load, runtime_atoms, walk
from ....kernels.kernel import Store
from ...llvm_text import Reg
from ..device import THREADS, WARP
from ..expressions import ThreadExpressions, decomposed
from ..phases import BlockFunction, Phase

if TYPE_CHECKING:
    from .kernel import LoopKernel

SIDE = WARP
ROWS = THREADS // SIDE
STRIDE = SIDE + 1
"""Elements from one row of a tile to the next, so that a column's lie in different banks."""


class Transpose:
    """A map over `axes`: `across` is the one that results lie side by side along, `down` that of the `turned` loads."""

    def __init__(self, kernel: LoopKernel, axes: Sequence[Axis], stores: Sequence[Store], down: Axis, turned: list[Load]) -> None:
        self.kernel, self.stores, self.down, self.across, self.turned = kernel, stores, down, axes[-1], turned
        self.others = [a for a in axes if a is not down and a is not axes[-1]]

    def emit(self, name: str) -> Phase:
        k, roots = self.kernel, [s.node for s in self.stores]
        f = BlockFunction(k.module, name)
        e, t = f.e, f.threads
        x = k.start(f, 1, roots)
        targets = k.pointers(e, f.table, [s.target for s in self.stores])
        across, down = (-(-a.extent // SIDE) for a in (self.across, self.down))
        tile, column = e.div(f.block, across), e.rem(f.block, across)
        outer, row = e.div(tile, down), e.rem(tile, down)
        first_across, first_down = e.mul(column, SIDE), e.mul(row, SIDE)
        thread = t.thread()
        lane, line = e.rem(thread, SIDE), e.div(thread, SIDE)
        shared, offset, places = t.shared(), 0, list[Reg]()
        for load in self.turned:
            places.append(e.offset(shared, offset, U8))
            offset += SIDE * STRIDE * _stored(load.dtype).nbytes
        with x.scope():
            decomposed(x, outer, self.others)
            for n in range(0, SIDE, ROWS):
                at = e.add(line, n)
                self._fill(x, places, e.add(first_down, lane), e.add(first_across, at), e.add(e.mul(at, STRIDE), lane))
            t.barrier()
            for n in range(0, SIDE, ROWS):
                at = e.add(line, n)
                inside = e.and_(
                    self._inside(x, self.down, e.add(first_down, at)), self._inside(x, self.across, e.add(first_across, lane))
                )
                with e.when(inside), x.scope():
                    x.axis_values[self.down], x.axis_values[self.across] = e.add(first_down, at), e.add(first_across, lane)
                    for load, place in zip(self.turned, places, strict=True):
                        x.bind(load, e.load(e.offset(place, e.add(e.mul(lane, STRIDE), at), load.dtype), load.dtype))
                    values = [x.emit(node) for node in roots]
                    for s, value in zip(self.stores, values, strict=True):
                        x.store(targets[s.target], s.offset, value)
        blocks = math.prod(a.extent for a in self.others) * across * down
        return f.finish(blocks, offset)

    def _fill(self, x: ThreadExpressions, places: Sequence[Reg], down: Reg, across: Reg, at: Reg) -> None:
        """One element of each turned load, into its tile."""
        e = x.e
        with e.when(e.and_(self._inside(x, self.down, down), self._inside(x, self.across, across))), x.scope():
            x.axis_values[self.down], x.axis_values[self.across] = down, across
            for load, place in zip(self.turned, places, strict=True):
                e.store(e.offset(place, at, load.dtype), x.emit(load))

    def _inside(self, x: ThreadExpressions, axis: Axis, place: Reg) -> Reg:
        e = x.e
        return e.const(True, BOOL) if axis.extent % SIDE == 0 else e.compare("lt", place, axis.extent)


def _stored(dtype: DType) -> DType:
    return U8 if dtype == BOOL else dtype


def transpose_of(kernel: LoopKernel, axes: Sequence[Axis], stores: Sequence[Store]) -> Transpose | None:
    """A map as a transpose; None where no operand lies the other way, or sides are shorter than a tile's."""
    if len(axes) < 2 or axes[-1].extent < SIDE or any(s.offset.factor(axes[-1]) != 1 for s in stores):
        return None
    loads = [n for n in walk([s.node for s in stores]) if isinstance(n, Load)]
    found: dict[Axis, list[Load]] = {}
    for load in loads:
        for axis in axes[:-1]:
            if axis.extent >= SIDE and _turned(load, axis, axes[-1]):
                found.setdefault(axis, []).append(load)
    if not found:
        return None
    down = max(found, key=lambda a: len(found[a]))
    return Transpose(kernel, axes, stores, down, found[down][:4])


def _turned(load: Load, down: Axis, across: Axis) -> bool:
    offset: Affine = load.offset
    if load.guard is not None or runtime_atoms(offset):
        return False
    return offset.factor(down) == 1 and offset.factor(across) not in (None, 0, 1)
