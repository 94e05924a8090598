"""Reductions over rows: each task keeps its own, writes them to scratch, and a last task combines them in the tasks' order."""

from __future__ import annotations

from collections.abc import Callable

from ...ir.graph import Var
from ...ir.types import SIZES
from ...kernels.affine import Axis, linear
from ...kernels.kernel import Kernel, Reduction
from ..emitter import Emitter, Reg
from ..expressions import Expressions
from .accumulators import filled, folded, identity, joined
from .schedule import Schedule, reduction_kind


def axes_left(r: Reduction) -> frozenset[Axis]:
    """The axes of a reduction's result."""
    return frozenset(a for i in r.index for a in i.axes)


class RowSums:
    """The reductions of kinds 'all' and 'outer' of one kernel.

    `lanes` says how many lanes the running value of an 'all' has, and in how many copies.
    """

    def __init__(self, kernel: Kernel, s: Schedule, lanes: Callable[[Reduction], tuple[int, int]]) -> None:
        self.s, self.lanes = s, lanes
        self.kinds = {id(r): reduction_kind(r, s) for r in kernel.reductions}
        self.reductions = [r for r in kernel.reductions if self.kinds[id(r)] != "row"]
        self.partial = s.tasks > 1 and bool(self.reductions)
        self.places: dict[int, int] = {}
        self.scratch_bytes = 0
        if self.partial:
            for r in self.reductions:
                self.places[id(r)] = self.scratch_bytes
                self.scratch_bytes += -(-s.tasks * self._size(r) * SIZES[r.dtype] // 64) * 64
        self.slots: dict[int, list[Reg]] = {}
        self.targets: dict[int, Reg] = {}

    def _size(self, r: Reduction) -> int:
        return r.result.type.size if self.kinds[id(r)] == "outer" else 1

    def start(self, e: Emitter, x: Expressions, memory: Reg | None, task: Reg) -> None:
        """At the start of a task."""
        for r in self.reductions:
            if self.kinds[id(r)] == "outer":
                self.targets[id(r)] = self._place(e, x, memory, r, task)
                self._fill(e, self.targets[id(r)], r)
                continue
            width, copies = self.lanes(r)
            self.slots[id(r)] = [e.alloca(r.dtype, width) for _ in range(copies)]
            for slot in self.slots[id(r)]:
                e.set(slot, e.const(identity(r.combine, r.dtype), r.dtype, width))

    def finish(self, e: Emitter, x: Expressions, memory: Reg | None, task: Reg) -> None:
        """At the end of a task."""
        for r in self.reductions:
            if self.kinds[id(r)] == "all":
                width, _ = self.lanes(r)
                parts = [e.get(slot, r.dtype, width) for slot in self.slots[id(r)]]
                e.store(self._place(e, x, memory, r, task), folded(e, r.combine, parts))

    def _place(self, e: Emitter, x: Expressions, memory: Reg | None, r: Reduction, task: Reg) -> Reg:
        """Where a task's share goes: its part of the scratch memory, or the result itself where there is one task."""
        if memory is None:
            return x.pointers[r.result]
        base = e.offset(memory, self.places[id(r)], "u8")
        return e.offset(base, e.mul(task, self._size(r)), r.dtype)

    def _fill(self, e: Emitter, target: Reg, r: Reduction) -> None:
        size, width = self._size(r), self.s.width
        start = e.const(identity(r.combine, r.dtype), r.dtype)
        whole = size - size % width
        if whole:
            with e.loop(0, whole, width) as i:
                e.store(e.offset(target, i, r.dtype), e.splat(start, width))
        with e.loop(whole, size) as i:
            e.store(e.offset(target, i, r.dtype), start)

    def add_outer(self, e: Emitter, x: Expressions, r: Reduction, value: Reg) -> None:
        """One vector (or one value) joins its places in the task's share."""
        target, offset = self.targets[id(r)], linear(r.index, r.result.type.shape)
        if not x.varies(offset.axes):
            if x.vector_axis in r.axes:
                value = folded(e, r.combine, [filled(e, r.combine, e.splat(value, self.s.width), x.mask)])
            at = e.offset(target, x.scalar_index(offset), r.dtype)
            e.store(at, joined(e, r.combine, e.load(at, r.dtype), e.extract(value, 0)))
            return
        value = e.splat(value, self.s.width)
        if x.vector_axis is not None and offset.factor(x.vector_axis) == 1:
            at = e.offset(target, x.scalar_index(offset), r.dtype)
            e.store(at, joined(e, r.combine, e.load(at, r.dtype, self.s.width, x.mask), value), x.mask)
        else:
            index = x.index(offset)
            held = e.gather(target, index, r.dtype, x.mask)
            e.scatter(target, index, joined(e, r.combine, held, value), x.mask)

    def emit_combine(self, e: Emitter, results: dict[Var, Reg], memory: Reg) -> None:
        """The tasks' shares combined in the order of the tasks."""
        for r in self.reductions:
            base, size, width = e.offset(memory, self.places[id(r)], "u8"), self._size(r), self.s.width
            whole = size - size % width
            if whole:
                with e.loop(0, whole, width) as i:
                    self._combine_at(e, r, base, results[r.result], i, width)
            if whole != size:
                with e.loop(whole, size) as i:
                    self._combine_at(e, r, base, results[r.result], i, 1)

    def _combine_at(self, e: Emitter, r: Reduction, base: Reg, result: Reg, i: Reg, lanes: int) -> None:
        slot = e.alloca(r.dtype, lanes)
        e.set(slot, e.load(e.offset(base, i, r.dtype), r.dtype, lanes))
        with e.loop(1, self.s.tasks) as task:
            at = e.offset(base, e.add(e.mul(task, self._size(r)), i), r.dtype)
            e.set(slot, joined(e, r.combine, e.get(slot, r.dtype, lanes), e.load(at, r.dtype, lanes)))
        e.store(e.offset(result, i, r.dtype), e.get(slot, r.dtype, lanes))
