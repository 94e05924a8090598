"""Reductions over rows: each task keeps its own, writes them to scratch, and a last task combines them in the tasks' order.

A sum that goes to many places ('outer') lies in memory, its task's share. Where it is a long one (long_sums.py) the share is
that of a run of rows, beside the total and what that lost; or, where rows meet at a place too irregularly for runs, there is no
share and every addition joins the total.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....ir.graph import Var
from ....ir.types import U8
from ....kernels.affine import Axis, linear
from ....kernels.kernel import Kernel, Reduction
from ...accumulators import Accumulator
from ...combining import filled, folded, identity, joined
from ...emitter import Emitter
from ...expressions import Expressions, narrowest
from ...llvm_text import Reg
from ...long_sums import LONGEST, RUN, Total, join, join_in_memory, rounds, whole
from .schedule import Schedule, reduction_kind


def axes_left(r: Reduction) -> frozenset[Axis]:
    """The axes of a reduction's result."""
    return frozenset(a for i in r.index for a in i.axes)


@dataclass
class _Outer:
    """The memory of an 'outer' sum of one task: its result, of a long one what that lost, and the share of a run."""

    result: Reg
    lost: Reg | None = None
    share: Reg | None = None


class RowSums:
    """The reductions of kinds 'all' and 'outer' of one kernel.

    `lanes` says how many lanes the running value of an 'all' has, in how many copies and turns. A task takes `trips` steps over its
    rows, of which each makes so many `additions` to a running value or a place. `steps` of them are a run; None where no sum is a
    long one.
    """

    def __init__(
        self, kernel: Kernel, s: Schedule, lanes: Callable[[Reduction], tuple[int, int, int]],
        trips: int, additions: Callable[[Reduction], int],
    ) -> None:  # fmt: skip
        self.s, self.lanes = s, lanes
        self.kinds = {id(r): reduction_kind(r, s) for r in kernel.reductions}
        self.reductions = [r for r in kernel.reductions if self.kinds[id(r)] != "row"]
        self.running: dict[int, Accumulator] = {}
        self.outer: dict[int, _Outer] = {}
        self._plan(trips, additions)
        self.partial = s.tasks > 1 and bool(self.reductions)
        self.places: dict[int, int] = {}
        self.scratch_bytes = 0
        for r in self.reductions:
            self.places[id(r)] = self.scratch_bytes
            self.scratch_bytes += -(-s.tasks * self._parts(r) * self._size(r) * r.dtype.nbytes // 64) * 64

    # -- which sums are long ones

    def _plan(self, trips: int, additions: Callable[[Reduction], int]) -> None:
        """Finds the long sums, which of them join their totals at each addition or after each row, and the steps of a run."""
        a_step = {id(r): additions(r) for r in self.reductions if rounds(r.combine, r.dtype)}
        rows = set(self.s.rows)
        to_one_place = {id(r): min(trips, math.prod(a.extent for a in r.axes & rows)) for r in self.reductions}
        self.long = {key for key, n in a_step.items() if n * to_one_place[key] > LONGEST}
        outer = [r for r in self.reductions if id(r) in self.long and self.kinds[id(r)] == "outer"]
        self.at_once = {id(r) for r in outer if axes_left(r) & rows or a_step[id(r)] > LONGEST}
        in_runs = [a_step[id(r)] for r in outer if id(r) not in self.at_once]
        most = max(in_runs or [a_step[key] for key in self.long - self.at_once], default=None)
        self.steps = None if most is None or trips == 1 else max(RUN // most, 1)
        self.each_row = {key for key in self.long - {id(r) for r in outer} if a_step[key] * (self.steps or 1) > LONGEST}

    def _size(self, r: Reduction) -> int:
        return r.result.type.size if self.kinds[id(r)] == "outer" else 1

    def _parts(self, r: Reduction) -> int:
        """How many arrays of the result's size a task has in scratch memory."""
        extra = 0 if self.kinds[id(r)] == "all" or id(r) not in self.long else 1 if id(r) in self.at_once else 2
        return extra + (self.s.tasks > 1)

    # -- a task

    def start(self, e: Emitter, x: Expressions, memory: Reg | None, task: Reg) -> None:
        """At the start of a task."""
        for r in self.reductions:
            if self.kinds[id(r)] == "all":
                width, copies, turns = self.lanes(r)
                self.running[id(r)] = Accumulator(r, "all", width).start(e, copies, id(r) in self.long, turns)
                continue
            size, parts = self._size(r), self._parts(r)
            found = [] if self.partial else [x.pointers[r.result]]
            if parts:
                assert memory is not None
                base = e.offset(memory, self.places[id(r)], U8)
                found += [e.offset(base, e.add(e.mul(task, size * parts), size * n), r.dtype) for n in range(parts)]
            self._fill(e, found, r)
            self.outer[id(r)] = _Outer(*found)

    def close(self, e: Emitter) -> None:
        """The end of a run of rows."""
        for key, a in self.running.items():
            if key not in self.each_row:
                a.close(e)
        for r in self.reductions:
            if id(r) in self.outer and self.outer[id(r)].share is not None:
                self._over_places(e, r, lambda *at, r=r: self._join_share(e, r, *at))

    def _join_share(self, e: Emitter, r: Reduction, at: Reg, lanes: int, mask: Reg | None) -> None:
        m = self.outer[id(r)]
        assert m.share is not None
        share = e.offset(m.share, at, r.dtype)
        self._join(e, r, at, e.load(share, r.dtype, lanes, mask), mask)
        e.store(share, e.const(0, r.dtype, lanes), mask)

    def _join(self, e: Emitter, r: Reduction, at: Reg, value: Reg, mask: Reg | None) -> None:
        """A value, or a vector of them, joins the total."""
        m = self.outer[id(r)]
        assert m.lost is not None
        join_in_memory(e, e.offset(m.result, at, r.dtype), e.offset(m.lost, at, r.dtype), value, mask)

    def finish(self, e: Emitter, x: Expressions, memory: Reg | None, task: Reg) -> None:
        """At the end of a task."""
        for r in self.reductions:
            if self.kinds[id(r)] == "all":
                result = x.pointers[r.result]
                if memory is not None and self.partial:
                    result = e.offset(e.offset(memory, self.places[id(r)], U8), task, r.dtype)
                e.store(result, self.running[id(r)].finish(e))
            elif id(r) in self.long:
                self._over_places(e, r, lambda *at, r=r: self._settle(e, r, *at))

    def _settle(self, e: Emitter, r: Reduction, at: Reg, lanes: int, mask: Reg | None) -> None:
        m = self.outer[id(r)]
        assert m.lost is not None
        result = e.offset(m.result, at, r.dtype)
        lost = e.load(e.offset(m.lost, at, r.dtype), r.dtype, lanes, mask)
        e.store(result, whole(e, e.load(result, r.dtype, lanes, mask), lost), mask)

    def _over_places(self, e: Emitter, r: Reduction, body: Callable[[Reg, int, Reg | None], None]) -> None:
        """The body for every place of a result: by vectors, the last one masked; of a short result one by one."""
        size = self._size(r)
        width = self.s.width if size >= self.s.width else 1
        kind = narrowest(0, size)
        with e.loop(0, size, width) as i:
            mask = e.lanes_below(e.convert(e.sub(size, i), kind), width) if size % width else None
            body(i, width, mask)

    def _fill(self, e: Emitter, targets: Sequence[Reg], r: Reduction) -> None:
        def fill(at: Reg, lanes: int, mask: Reg | None) -> None:
            for target in targets:
                e.store(e.offset(target, at, r.dtype), e.const(identity(r.combine, r.dtype), r.dtype, lanes), mask)

        self._over_places(e, r, fill)

    def add_outer(self, e: Emitter, x: Expressions, r: Reduction, value: Reg) -> None:
        """One vector (or one value) joins its places in the task's share."""
        m, offset = self.outer[id(r)], linear(r.index, r.result.type.shape)
        target = m.share or m.result
        at_once = id(r) in self.at_once
        if not x.varies(offset.axes):
            if x.vector_axis in r.axes:
                value = folded(e, r.combine, filled(e, r.combine, e.splat(value, self.s.width), x.mask))
            place, value = x.scalar_index(offset), e.extract(value, 0)
            if at_once:
                self._join(e, r, place, value, None)
                return
            at = e.offset(target, place, r.dtype)
            e.store(at, joined(e, r.combine, e.load(at, r.dtype), value))
            return
        value = e.splat(value, self.s.width)
        if x.vector_axis is not None and offset.factor(x.vector_axis) == 1:
            if at_once:
                self._join(e, r, x.scalar_index(offset), value, x.mask)
                return
            at = e.offset(target, x.scalar_index(offset), r.dtype)
            e.store(at, joined(e, r.combine, e.load(at, r.dtype, self.s.width, x.mask), value), x.mask)
            return
        place, lanes = x.places(target, offset, r.dtype)
        held = e.gather(place, lanes, r.dtype, x.mask)
        if at_once:
            assert m.lost is not None
            beside, _ = x.places(m.lost, offset, r.dtype)
            error = e.gather(beside, lanes, r.dtype, x.mask)
            for pointer, result in zip((place, beside), join(e, held, error, value), strict=True):
                e.scatter(pointer, lanes, result, x.mask)
        else:
            e.scatter(place, lanes, joined(e, r.combine, held, value), x.mask)

    # -- the last task

    def emit_combine(self, e: Emitter, results: dict[Var, Reg], memory: Reg) -> None:
        """The tasks' shares combined in the order of the tasks."""
        for r in self.reductions:
            base = e.offset(memory, self.places[id(r)], U8)
            result = results[r.result]
            self._over_places(e, r, lambda *at, r=r, base=base, result=result: self._combine_at(e, r, base, result, *at))

    def _combine_at(self, e: Emitter, r: Reduction, base: Reg, result: Reg, i: Reg, lanes: int, mask: Reg | None) -> None:
        total = Total.start(e, r.dtype, lanes) if rounds(r.combine, r.dtype) else Accumulator(r, "row", lanes).start(e, 1)
        with e.loop(0, self.s.tasks) as task:
            at = e.offset(base, e.add(e.mul(task, self._size(r) * self._parts(r)), i), r.dtype)
            total.add(e, e.load(at, r.dtype, lanes, mask))
        e.store(e.offset(result, i, r.dtype), total.value(e), mask)
