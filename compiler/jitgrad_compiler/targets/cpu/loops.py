"""Loop kernels on the CPU: maps, reductions and rows of several stages, with explicit vectors and tasks fixed by shape.

    task: for each of its rows
            for each stage: loop over the row's vectors; reductions of the stage accumulate, its stores are written
          sums over rows are kept for the task and written to scratch; a last task adds them in order

With `columns` the vector runs along the rows' last axis and the reduction is a plain loop with its sums in registers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir.graph import OPS, Var
from ...ir.types import FLOATS, NUMPY, SIZES
from ...kernels.affine import Axis, axis_index, linear
from ...kernels.expression import Apply, Node, operation_cost, walk
from ...kernels.kernel import Kernel, Reduction, Store
from ..emitter import Emitter, Module, Reg
from ..expressions import Expressions, total_cost
from .schedule import Schedule, reduction_kind, schedule

TASK_ARGUMENTS = (("args", "ptr"), ("begin", "i64"), ("end", "i64"))
HEAVY = 24.0
"""Simple operations of a loop body from which one masked loop is better than a loop and its copy for the tail."""
MAX_SCRATCH_BYTES = 1 << 16


@dataclass
class Phase:
    """A task function of a program and how many tasks it has; phases of a kernel run one after another."""

    function: str
    tasks: int


@dataclass
class Emitted:
    """What a kernel became: its phases, and how much scratch memory the program must lend it."""

    phases: list[Phase]
    scratch_bytes: int = 0


Pointers = Callable[[Emitter, Reg, Sequence[Var]], dict[Var, Reg]]
"""Reads the pointers of variables from the program's table."""


def identity(combine: str, dtype: str) -> Any:
    """The number that a combination starts from."""
    if combine in ("add", "or"):
        return 0
    if combine == "mul":
        return 1
    if combine == "and":
        return True if dtype == "bool" else -1
    if dtype in FLOATS:
        return -np.inf if combine in ("max", "argmax") else np.inf
    if dtype == "bool":
        return combine in ("min", "argmin")
    info = np.iinfo(NUMPY[dtype])
    return int(info.min if combine in ("max", "argmax") else info.max)


def combine(e: Emitter, name: str, a: Reg, b: Reg) -> Reg:
    return OPS[name].emit(e, a, b)  # type: ignore[no-any-return, misc]


def _axes_left(r: Reduction) -> frozenset[Axis]:
    """The axes of a reduction's result."""
    return frozenset(a for i in r.index for a in i.axes)


@dataclass
class _Accumulator:
    """The running value of one reduction: slots of `width` lanes, several to hide the latency of adding to one."""

    reduction: Reduction
    kind: str
    slots: list[Reg] = field(default_factory=list)
    positions: list[Reg] = field(default_factory=list)
    width: int = 1
    target: Reg | None = None


class LoopKernel:
    """Emits one kernel. `scratch(e)` gives the memory that was asked for in `Emitted.scratch_bytes`."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]) -> None:
        self.module, self.name, self.kernel = module, name, kernel
        self.pointers, self.scratch = pointers, scratch
        self.s: Schedule = schedule(kernel)
        self.kinds = {id(r): reduction_kind(r, self.s) for r in kernel.reductions}
        self.sums = [r for r in kernel.reductions if self.kinds[id(r)] in ("all", "outer")]
        self.partial = self.s.tasks > 1 and bool(self.sums)
        self.places: dict[int, int] = {}
        self.partial_bytes = 0
        if self.partial:
            for r in self.sums:
                self.places[id(r)] = self.partial_bytes
                self.partial_bytes += -(-self.s.tasks * self._sum_size(r) * SIZES[r.dtype] // 64) * 64

    def _sum_size(self, r: Reduction) -> int:
        return r.result.type.size if self.kinds[id(r)] == "outer" else 1

    def emit(self) -> Emitted:
        phases = [Phase(self.name, self.s.tasks)]
        self._emit_main()
        if self.partial:
            self._emit_combine()
            phases.append(Phase(f"{self.name}_sum", 1))
        return Emitted(phases, self.partial_bytes)

    # -- the main function

    def _emit_main(self) -> None:
        e = Emitter(self.module, self.name, TASK_ARGUMENTS, width=self.s.width)
        self.e = e
        args, begin, end = e.args
        self.x = x = Expressions(e, self.s.width)
        x.pointers = self.pointers(e, args, [*self.kernel.inputs, *self.kernel.outputs])
        self.memory = self.scratch(e, args) if self.partial else None
        with e.loop(begin, end) as task, x.scope():
            self._start_sums(task)
            if self.s.columns:
                self._columns(task)
            elif self.s.chunks > 1:
                row = e.div(task, self.s.chunks)
                low = e.mul(e.rem(task, self.s.chunks), self.s.chunk)
                self._row(row, low)
            else:
                low, high = self._range(task, self.s.rows_per_task, self.s.row_count)
                if self.s.row_count == 1:
                    self._row(e.const(0, "i64"), None)
                else:
                    with e.loop(low, high) as row:
                        self._row(row, None)
            self._finish_sums(task)
        e.finish()

    def _range(self, task: Reg, step: int, count: int) -> tuple[Reg, Reg]:
        e = self.e
        low = e.mul(task, step)
        high = e.add(low, step)
        if count % step:
            high = e.select(e.compare("lt", high, count), high, e.const(count, "i64"))
        return low, high

    def _set_rows(self, row: Reg, axes: Sequence[Axis]) -> None:
        """The rows' axes from a row's number."""
        for a in reversed(axes):
            if a is axes[0]:
                self.x.axis_values[a] = row
            else:
                self.x.axis_values[a] = self.e.rem(row, a.extent)
                row = self.e.div(row, a.extent)

    # -- one row: stages over its inner axes

    def _row(self, row: Reg, low: Reg | None) -> None:
        k, s, x = self.kernel, self.s, self.x
        with x.scope():
            self._set_rows(row, s.rows)
            self._choose_scratch()
            last = max([n.stage for n in k.roots()], default=0)
            for stage in range(last + 1):
                x.stage = stage
                reductions = [r for r in k.reductions if r.operand.stage == stage]
                stores = [st for st in k.stores if st.node.stage == stage]
                self._stage(reductions, stores, low)
            x.cache = {}

    def _in_loop(self, axes: frozenset[Axis]) -> bool:
        return bool(axes & set(self.s.inner))

    def _stage(self, reductions: Sequence[Reduction], stores: Sequence[Store], low: Reg | None) -> None:
        e, x = self.e, self.x
        looped = [r for r in reductions if self._in_loop(r.axes | _axes_left(r)) or self.kinds[id(r)] == "row"]
        once = [r for r in reductions if r not in looped]
        inner_stores = [st for st in stores if self._in_loop(st.offset.axes)]
        row_stores = [st for st in stores if st not in inner_stores]
        roots = [*[r.operand for r in looped], *[st.node for st in inner_stores]]
        accumulators = [self._accumulator(r, roots) for r in looped]
        if roots:
            self._loop_over_row(roots, accumulators, inner_stores, low)
        for a in accumulators:
            if a.kind == "row":
                self._finish_row(a)
        for r in once:  # one value a row, summed over rows
            if self.kinds[id(r)] == "outer":
                self._add_outer(_Accumulator(r, "outer", target=self.sum_targets[id(r)]), x.emit(r.operand))
                continue
            slot = self.sum_slots[id(r)][0]
            e.set(slot, combine(e, r.combine, e.get(slot, r.dtype), x.emit(r.operand)))
        for st in row_stores:
            x.store(x.pointers[st.target], st.offset, x.emit(st.node))

    def _accumulator(self, r: Reduction, roots: Sequence[Node]) -> _Accumulator:
        e, kind = self.e, self.kinds[id(r)]
        if kind == "outer":
            return _Accumulator(r, kind, target=self.sum_targets[id(r)])
        if kind == "all":
            return _Accumulator(r, kind, self.sum_slots[id(r)], width=self.s.width)
        a = _Accumulator(r, kind, width=self.s.width if self.s.inner else 1)
        count = self._copies(roots, [r])
        operand_dtype = r.operand.dtype
        for _ in range(count):
            slot = e.alloca(operand_dtype, a.width)
            e.set(slot, e.const(identity(r.combine, operand_dtype), operand_dtype, a.width))
            a.slots.append(slot)
            if r.position is not None:
                at = e.alloca("i64", a.width)
                e.set(at, e.lane_ids("i64", a.width))
                a.positions.append(at)
        return a

    def _copies(self, roots: Sequence[Node], reductions: Sequence[Reduction]) -> int:
        """How many accumulators a reduction has: four where the body is so short that adding to one would be waited for."""
        short = total_cost(roots) <= HEAVY / 2 and bool(self.s.inner) and self.s.inner[-1].extent >= 8 * self.s.width
        return 4 if short and all(r.position is None for r in reductions) else 1

    def _loop_over_row(self, roots: list[Node], accumulators: list[_Accumulator], stores: Sequence[Store], low: Reg | None) -> None:
        e, x, s = self.e, self.x, self.s
        if not s.inner:
            with x.scope():
                self._body(accumulators, stores, 0)
            return
        axis = s.inner[-1]
        with ExitStack() as loops:
            for a in s.inner[:-1]:
                x.hoist(roots, s.inner[s.inner.index(a) :])
                x.axis_values[a] = loops.enter_context(e.loop(0, a.extent))
                loops.enter_context(x.scope())
            x.hoist(roots, [axis])
            x.vector_axis = axis
            copies = max([1, *[len(a.slots) for a in accumulators]])
            heavy = total_cost(roots) >= HEAVY
            width = s.width
            start: Reg | int
            if low is None:
                start, whole, stop = 0, axis.extent - axis.extent % width, e.const(axis.extent, "i64")
                ragged = bool(axis.extent % width)
            else:
                start = low
                high = e.add(low, s.chunk)
                stop = e.select(e.compare("lt", high, axis.extent), high, e.const(axis.extent, "i64"))
                whole, ragged = 0, bool(axis.extent % width)
            if ragged and heavy:
                with e.loop(start, stop, width) as i, x.scope():
                    self._masked_body(axis, i, accumulators, stores)
            else:
                self._unmasked(axis, start, stop, copies, accumulators, stores, low is None)
                if ragged:
                    at = e.const(whole, "i64") if low is None else e.const(axis.extent - axis.extent % width, "i64")
                    if low is None:
                        with x.scope():
                            self._masked_body(axis, at, accumulators, stores)
                    else:
                        with e.when(e.compare("eq", stop, axis.extent)), x.scope():
                            self._masked_body(axis, at, accumulators, stores)
            x.vector_axis = None

    def _unmasked(
        self, axis: Axis, start: Reg | int, stop: Reg, copies: int, accumulators: list[_Accumulator], stores: Sequence[Store], fixed: bool
    ) -> None:
        """Whole vectors: four at a time where reductions keep four sums, then one at a time."""
        e, x, width = self.e, self.x, self.s.width
        step = width * copies
        if fixed:
            fours: Reg | int = axis.extent - axis.extent % step
            ones: Reg | int = axis.extent - axis.extent % width
        else:
            length = e.sub(stop, start) if isinstance(start, Reg) else stop
            fours = e.add(e.sub(length, e.rem(length, step)), start)
            ones = e.add(e.sub(length, e.rem(length, width)), start)
        if copies > 1:
            with e.loop(start, fours, step) as i, x.scope():
                for c in range(copies):
                    with x.scope():
                        x.axis_values[axis] = e.add(i, c * width) if c else i
                        self._body(accumulators, stores, c)
            start = fours
        if not (isinstance(start, int) and isinstance(ones, int) and start >= ones):
            with e.loop(start, ones, width) as i, x.scope():
                x.axis_values[axis] = i
                self._body(accumulators, stores, 0)

    def _masked_body(self, axis: Axis, i: Reg, accumulators: list[_Accumulator], stores: Sequence[Store]) -> None:
        e, x, width = self.e, self.x, self.s.width
        left = e.convert(e.sub(axis.extent, i), "i32")
        x.mask = e.compare("lt", e.lane_ids("i32", width), left)
        x.axis_values[axis] = i
        self._body(accumulators, stores, 0)
        x.mask = None

    def _body(self, accumulators: list[_Accumulator], stores: Sequence[Store], copy: int) -> None:
        e, x = self.e, self.x
        for a in accumulators:
            r = a.reduction
            value = x.emit(r.operand)
            if a.kind == "outer":
                self._add_outer(a, value)
                continue
            value = e.splat(value, a.width)
            if x.mask is not None:
                value = e.select(x.mask, value, e.const(identity(r.combine, value.type), value.type))
            if r.position is not None:
                self._keep_best(a, value)
                continue
            slot = a.slots[copy % len(a.slots)]
            e.set(slot, combine(e, r.combine, e.get(slot, value.type, a.width), value))
        for st in stores:
            x.store(x.pointers[st.target], st.offset, x.emit(st.node))

    def _keep_best(self, a: _Accumulator, value: Reg) -> None:
        """argmax and argmin: the first best value and its place, lane by lane."""
        e, x, r = self.e, self.x, a.reduction
        best, place = e.get(a.slots[0], value.type, a.width), e.get(a.positions[0], "i64", a.width)
        assert r.position is not None
        here = self._position(r)
        better = self._beats(value, best, r.combine)
        if x.mask is not None:
            better = e.and_(better, x.mask)
        e.set(a.slots[0], e.select(better, value, best))
        e.set(a.positions[0], e.select(better, here, place))

    def _position(self, r: Reduction) -> Reg:
        e, x = self.e, self.x
        axis = r.position
        assert axis is not None
        if axis is x.vector_axis:
            return x.vector_index(axis_index(axis), "i64")
        return e.splat(x.scalar_index(axis_index(axis)), self.s.width)

    def _beats(self, value: Reg, best: Reg, order: str) -> Reg:
        e = self.e
        better = e.compare("gt" if order == "argmax" else "lt", value, best) if value.type != "bool" else (
            e.and_(value, e.not_(best)) if order == "argmax" else e.and_(e.not_(value), best)
        )
        if value.type not in FLOATS:
            return better
        return e.or_(better, e.and_(e.isnan(value), e.not_(e.isnan(best))))

    def _finish_row(self, a: _Accumulator) -> None:
        """The row's value: accumulators together, then lanes together, both in a fixed order."""
        e, x, r = self.e, self.x, a.reduction
        if r.position is not None:
            value = self._fold_best(a)
        else:
            parts = [e.get(slot, r.operand.dtype, a.width) for slot in a.slots]
            while len(parts) > 1:
                half = len(parts) // 2
                parts = [combine(e, r.combine, parts[i], parts[i + half]) for i in range(half)]
            value = parts[0]
            if not self.s.columns:
                value = e.fold(lambda p, q: combine(e, r.combine, p, q), value)
        if r.inside:
            node = next((n for n in self._reduced_nodes() if n.reduction is r), None)
            if node is not None:
                x.bind(node, value)
        if r.stored:
            x.store(x.pointers[r.result], linear(r.index, r.result.type.shape), value)

    def _reduced_nodes(self) -> list[Any]:
        return [n for n in walk(self.kernel.roots()) if hasattr(n, "reduction")]

    def _fold_best(self, a: _Accumulator) -> Reg:
        """The best of all lanes; of equal ones the first place."""
        e, order = self.e, a.reduction.combine
        value, place = e.get(a.slots[0], a.reduction.operand.dtype, a.width), e.get(a.positions[0], "i64", a.width)
        while value.width > 1:
            half = value.width // 2
            low, high = range(half), range(half, value.width)
            v0, v1 = e.shuffle(value, value, low), e.shuffle(value, value, high)
            p0, p1 = e.shuffle(place, place, low), e.shuffle(place, place, high)
            tie = e.not_(e.or_(self._beats(v0, v1, order), self._beats(v1, v0, order)))
            second = e.or_(self._beats(v1, v0, order), e.and_(tie, e.compare("lt", p1, p0)))
            value, place = e.select(second, v1, v0), e.select(second, p1, p0)
        return e.convert(place, a.reduction.dtype)

    # -- what a later stage needs again

    def _choose_scratch(self) -> None:
        """Values of a row that are dear to compute and read in several stages are kept in scratch memory by the first."""
        k, s, e = self.kernel, self.s, self.e
        if len(s.inner) == 0 or not k.inner:
            return
        size = math.prod(a.extent for a in s.inner)
        place = linear([axis_index(a) for a in s.inner], [a.extent for a in s.inner])
        stages: dict[int, set[int]] = {}
        nodes: dict[int, Node] = {}
        for root, looped in [*[(r.operand, True) for r in k.reductions], *[(st.node, self._in_loop(st.offset.axes)) for st in k.stores]]:
            if looped:
                for n in walk([root]):
                    nodes[id(n)] = n
                    stages.setdefault(id(n), set()).add(root.stage)
        for key, n in nodes.items():
            dear = isinstance(n, Apply) and operation_cost(n.op) >= 5
            if dear and len(stages[key]) > 1 and n.axes >= frozenset(s.inner) and n.dtype != "bool":
                padded = size + s.width  # a row's last vector is written whole
                if padded * SIZES[n.dtype] <= MAX_SCRATCH_BYTES:
                    if key not in self.scratch_slots:
                        self.scratch_slots[key] = e.alloca(n.dtype, 1, padded)
                    self.x.cache[key] = (self.scratch_slots[key], place, min(stages[key]))

    # -- sums over rows

    def _start_sums(self, task: Reg) -> None:
        e, s = self.e, self.s
        self.sum_slots: dict[int, list[Reg]] = {}
        self.sum_targets: dict[int, Reg] = {}
        self.scratch_slots: dict[int, Reg] = {}
        roots = self.kernel.roots()
        for r in self.sums:
            if self.kinds[id(r)] == "outer":
                target = self._sum_place(r, task)
                self.sum_targets[id(r)] = target
                self._fill(target, r)
                continue
            looped = self._in_loop(r.axes)
            width = s.width if looped else 1
            slots = [e.alloca(r.dtype, width) for _ in range(self._copies(roots, [r]) if looped else 1)]
            for slot in slots:
                e.set(slot, e.const(identity(r.combine, r.dtype), r.dtype, width))
            self.sum_slots[id(r)] = slots

    def _sum_place(self, r: Reduction, task: Reg) -> Reg:
        """Where a task's sum goes: its part of the scratch memory, or the result itself where there is one task."""
        e = self.e
        if not self.partial:
            return self.x.pointers[r.result]
        assert self.memory is not None
        base = e.offset(self.memory, self.places[id(r)], "u8")
        return e.offset(base, e.mul(task, self._sum_size(r)), r.dtype)

    def _fill(self, target: Reg, r: Reduction) -> None:
        e, size, width = self.e, self._sum_size(r), self.s.width
        start = e.const(identity(r.combine, r.dtype), r.dtype)
        if size >= width:
            with e.loop(0, size - size % width, width) as i:
                e.store(e.offset(target, i, r.dtype), e.splat(start, width))
        with e.loop(size - size % width, size) as i:
            e.store(e.offset(target, i, r.dtype), start)

    def _add_outer(self, a: _Accumulator, value: Reg) -> None:
        e, x, r = self.e, self.x, a.reduction
        assert a.target is not None
        offset = linear(r.index, r.result.type.shape)
        if not x.varies(offset.axes):
            if x.vector_axis in r.axes:
                value = e.splat(value, self.s.width)
                if x.mask is not None:
                    value = e.select(x.mask, value, e.const(identity(r.combine, r.dtype), r.dtype))
                value = e.fold(lambda p, q: combine(e, r.combine, p, q), value)
            at = e.offset(a.target, x.scalar_index(offset), r.dtype)
            e.store(at, combine(e, r.combine, e.load(at, r.dtype), e.extract(value, 0)))
            return
        value = e.splat(value, self.s.width)
        if x.vector_axis is not None and offset.factor(x.vector_axis) == 1:
            at = e.offset(a.target, x.scalar_index(offset), r.dtype)
            e.store(at, combine(e, r.combine, e.load(at, r.dtype, self.s.width, x.mask), value), x.mask)
        else:
            index = x.index(offset)
            held = e.gather(a.target, index, r.dtype, x.mask)
            e.scatter(a.target, index, combine(e, r.combine, held, value), x.mask)

    def _finish_sums(self, task: Reg) -> None:
        e = self.e
        for r in self.sums:
            if self.kinds[id(r)] == "outer":
                continue
            width = self.s.width if self._in_loop(r.axes) else 1
            parts = [e.get(slot, r.dtype, width) for slot in self.sum_slots[id(r)]]
            while len(parts) > 1:
                half = len(parts) // 2
                parts = [combine(e, r.combine, parts[i], parts[i + half]) for i in range(half)]
            value = e.fold(lambda p, q, r=r: combine(e, r.combine, p, q), parts[0])
            e.store(self._sum_place(r, task), value)

    def _emit_combine(self) -> None:
        """The tasks' sums added in the order of the tasks."""
        e = Emitter(self.module, f"{self.name}_sum", TASK_ARGUMENTS, width=self.s.width)
        args, begin, end = e.args
        results = self.pointers(e, args, [r.result for r in self.sums])
        memory = self.scratch(e, args)
        for r in self.sums:
            base, size, width = e.offset(memory, self.places[id(r)], "u8"), self._sum_size(r), self.s.width

            def add_up(i: Reg, lanes: int, r: Reduction = r, base: Reg = base, size: int = size) -> None:
                slot = e.alloca(r.dtype, lanes)
                e.set(slot, e.load(e.offset(base, i, r.dtype), r.dtype, lanes))
                with e.loop(1, self.s.tasks) as task:
                    at = e.offset(base, e.add(e.mul(task, size), i), r.dtype)
                    e.set(slot, combine(e, r.combine, e.get(slot, r.dtype, lanes), e.load(at, r.dtype, lanes)))
                e.store(e.offset(results[r.result], i, r.dtype), e.get(slot, r.dtype, lanes))

            whole = size - size % width
            if whole:
                with e.loop(0, whole, width) as i:
                    add_up(i, width)
            if whole != size:
                with e.loop(whole, size) as i:
                    add_up(i, 1)
        e.finish()

    # -- columns: the vector along the rows, the reduction a loop

    def _columns(self, task: Reg) -> None:
        e, x, s = self.e, self.x, self.s
        axis = s.vector_axis
        assert axis is not None
        blocks = -(-axis.extent // s.width)
        others = [a for a in s.rows if a is not axis and a is not s.unrolled]
        count = math.prod(a.extent for a in others) * blocks
        low, high = self._range(task, s.rows_per_task, count)
        with e.loop(low, high) as block, x.scope():
            start = block
            if others:
                self._set_rows(e.div(block, blocks), others)
                start = e.rem(block, blocks)
            first = e.mul(start, s.width)
            x.axis_values[axis] = first
            x.vector_axis = axis
            if axis.extent % s.width:
                left = e.convert(e.sub(axis.extent, first), "i32")
                x.mask = e.compare("lt", e.lane_ids("i32", s.width), left)
            self._columns_block()
            x.mask, x.vector_axis = None, None

    def _columns_block(self) -> None:
        e, x, s, k = self.e, self.x, self.s, self.kernel
        roots = [r.operand for r in k.reductions]
        steps = range(s.unrolled.extent) if s.unrolled is not None else range(1)
        slots = {}
        for r in k.reductions:
            for u in steps:
                slots[id(r), u] = e.alloca(r.dtype, s.width)
                e.set(slots[id(r), u], e.const(identity(r.combine, r.dtype), r.dtype, s.width))
        x.stage = 0
        moving = [*s.inner, *([s.unrolled] if s.unrolled is not None else [])]
        x.hoist(roots, moving)
        fixed: list[dict[Any, Reg]] = [{} for _ in steps]
        for u in steps:  # what varies with the unrolled axis but not along the reduction
            if s.unrolled is not None:
                x.axis_values[s.unrolled] = u
            x.scopes.append(fixed[u])
            x.hoist(roots, s.inner)
            x.scopes.pop()
        with ExitStack() as loops:
            for a in s.inner:
                x.axis_values[a] = loops.enter_context(e.loop(0, a.extent))
            loops.enter_context(x.scope())
            if s.unrolled is not None:
                x.hoist(roots, [s.unrolled])
            for u in steps:
                if s.unrolled is not None:
                    x.axis_values[s.unrolled] = u
                x.scopes.append(dict(fixed[u]))
                for r in k.reductions:
                    slot = slots[id(r), u]
                    value = e.splat(x.emit(r.operand), s.width)
                    e.set(slot, combine(e, r.combine, e.get(slot, r.dtype, s.width), value))
                x.scopes.pop()
        for u in steps:
            if s.unrolled is not None:
                x.axis_values[s.unrolled] = u
            with x.scope():
                x.stage = 0
                for r in k.reductions:
                    a = _Accumulator(r, "row", [slots[id(r), u]], width=s.width)
                    self._finish_row(a)
                for stage in (0, 1):
                    x.stage = stage
                    for st in k.stores:
                        if st.node.stage == stage:
                            x.store(x.pointers[st.target], st.offset, x.emit(st.node))


def emit_loops(
    module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
) -> Emitted:
    """The task functions of a loop kernel."""
    return LoopKernel(module, name, kernel, pointers, scratch).emit()
