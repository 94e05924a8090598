"""Loop kernels on the CPU: maps, reductions and rows of several stages, with explicit vectors and tasks fixed by shape.

    task: for each of its rows
            for each stage: loop over the row's vectors; reductions of the stage accumulate, its stores are written
          sums over rows are kept for the task (row_sums.py)

Short rows whose own arithmetic is dear go in tiles of one vector's width: their loops run row by row, what is computed once a row
runs as vectors over the tile. Kernels that reduce across rows alone vectorise along them (columns.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

from ....ir.types import BOOL, I32, I64, U8, DType
from ....kernels.affine import Axis, axis_index, linear
from ....kernels.expression import Node
from ....kernels.kernel import Kernel, Reduction, Store
from ...accumulators import Accumulator
from ...emitter import Emitter
from ...expressions import Expressions, reduced_nodes, total_cost
from ...llvm_text import Module, Reg
from ...long_sums import Cut, pieces, rounds, runs
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers, all_of, each_task
from .columns import emit_columns
from .plan import LoopPlan
from .schedule import Schedule, lanes_of, schedule, work_of
from .sections import sections_of
from .squares import Squares
from .turned import Turned


class LoopKernel:
    """Emits one kernel. `scratch(e, args)` gives the memory that was asked for in `Emitted.scratch_bytes`."""

    def __init__(
        self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
    ) -> None:
        self.module, self.name = module, name
        self.pointers, self.scratch = pointers, scratch
        self.tuning = module.tuning.loops
        self.s: Schedule = schedule(kernel, self.tuning)
        self.kernel = kernel = self.s.kernel
        self.stages = range(max([n.stage for n in kernel.roots()], default=0) + 1)
        self.plan = plan = LoopPlan(self.s, self.tuning)
        self.kept, self.row_nodes, self.sums = plan.kept, plan.row_nodes, plan.sums

    def emit(self) -> Emitted:
        phases = [Phase(self.name, self.s.tasks)]
        self._emit_main()
        if self.sums.partial:
            e = Emitter(self.module, f"{self.name}_sum", TASK_ARGUMENTS, width=self.s.width)
            results = self.pointers(e, e.args[0], [r.result for r in self.sums.reductions])
            self.sums.emit_combine(e, results, self.scratch(e, e.args[0]))
            e.finish()
            phases.append(Phase(e.name, 1))
        return Emitted(phases, self.sums.scratch_bytes + self.kept.scratch_bytes)

    # -- the main function

    def _emit_main(self) -> None:
        s = self.s
        self.e = e = Emitter(self.module, self.name, TASK_ARGUMENTS, width=s.width)
        args = e.args[0]
        self.x = x = Expressions(e, s.width)
        x.pointers = self.pointers(e, args, [*self.kernel.inputs, *self.kernel.outputs])
        memory = self.scratch(e, args) if self.sums.scratch_bytes + self.kept.scratch_bytes else None
        behind = None if memory is None else e.offset(memory, self.sums.scratch_bytes, U8)
        with each_task(e, s.tasks) as task, x.scope():
            self.rows_kept = self.kept.places(e, behind, task)
            self.sums.start(e, x, memory, task)
            if s.columns:
                self._columns(task)
            elif s.chunks > 1:
                self._row(e.div(task, s.chunks), e.mul(e.rem(task, s.chunks), s.chunk))
            elif s.row_count == 1:
                self._row(e.const(0, I64), None)
            else:
                self._rows(*self._range(task, s.rows_per_task, s.row_count))
            self.sums.finish(e, x, memory, task)
        e.finish()

    def _range(self, task: Reg, step: int, count: int) -> tuple[Reg, Reg]:
        e = self.e
        low = e.mul(task, step)
        high = e.add(low, step)
        if count % step:
            high = e.least(high, count)
        return low, high

    def _set_rows(self, row: Reg, axes: Sequence[Axis]) -> None:
        """The rows' axes from a row's number."""
        for a in reversed(axes):
            if a is axes[0]:
                self.x.axis_values[a] = row
            else:
                self.x.axis_values[a] = self.e.rem(row, a.extent)
                row = self.e.div(row, a.extent)

    def _rows(self, low: Reg, high: Reg) -> None:
        tile = bool(self.row_nodes)
        step = self.s.width if tile else 1
        with runs(self.e, low, high, step, self.sums.steps, lambda: self.sums.close(self.e)) as row, self.x.scope():
            if tile:
                self._tile(row, high)
            else:
                self._row(row, None)

    def _columns(self, task: Reg) -> None:
        e, x, s = self.e, self.x, self.s
        axis = s.vector_axis
        assert axis is not None
        low, high = self._range(task, s.rows_per_task, s.pieces)
        with e.loop(low, high) as strip, x.scope():
            if s.turned is None:
                self._strips(strip, axis)
            else:
                self._square(strip, axis, s.turned)
            x.vector_axis = None

    def _strips(self, number: Reg, axis: Axis) -> None:
        """The strips of columns of a number, side by side."""
        e, x, s = self.e, self.x, self.s
        start = number
        if s.others:
            self._set_rows(e.div(number, s.strips), s.others)
            start = e.rem(number, s.strips)
        size = s.width * s.together
        first = e.mul(start, size)
        x.vector_axis = axis
        if s.together == 1:
            self._strip(axis, first, 1)
        elif axis.extent % size == 0:
            self._strip(axis, first, s.together)
        else:
            behind = e.add(first, size)
            whole = e.compare("le", behind, axis.extent)
            with e.when(whole), x.scope():
                self._strip(axis, first, s.together)
            with e.when(e.not_(whole)), e.loop(first, e.const(axis.extent, I64), s.width) as i, x.scope():
                self._strip(axis, i, 1)

    def _square(self, number: Reg, axis: Axis, turned: Turned) -> None:
        """The square of a number: those of a run come first, then those along the vector axis, then the next run."""
        e, x, s = self.e, self.x, self.s
        within, rest = e.rem(number, turned.run), e.div(number, turned.run)
        strip, rest = e.rem(rest, s.strips), e.div(rest, s.strips)
        run = rest
        if s.others:
            self._set_rows(e.div(rest, turned.runs), s.others)
            run = e.rem(rest, turned.runs)
        column, first = e.mul(strip, s.width), e.mul(e.add(e.mul(run, turned.run), within), s.width)
        outside = turned.run * turned.runs * s.width >= turned.axis.extent + s.width
        with e.when(e.compare("lt", first, turned.axis.extent)) if outside else nullcontext(), x.scope():
            with Squares(e, x, self.kernel, turned.axis, axis, s.unrolled).rows(first, column):
                self._strip(axis, column, 1)

    def _strip(self, axis: Axis, first: Reg, together: int) -> None:
        """So many vectors side by side from the column `first`."""
        x = self.x
        x.axis_values[axis] = first
        if together == 1 and axis.extent % self.s.width:
            x.mask = self._lanes_below(axis, first)
        emit_columns(self.e, x, self.kernel, self.s, together)
        x.mask = None

    def _lanes_below(self, axis: Axis, first: Reg) -> Reg:
        """Which lanes of a vector that begins at `first` are inside the axis."""
        return self._lanes_of(self.e.sub(axis.extent, first), axis.extent)

    def _lanes_of(self, left: Reg, most: int) -> Reg:
        """Which lanes of a vector hold one of the elements that are left, `most` at most."""
        e, width = self.e, self.s.width
        if most >= 2**31:
            left = e.least(left, width)
        return e.lanes_below(e.convert(left, I32), width)

    # -- one row, stage by stage

    def _of_stage(self, stage: int) -> tuple[list[Reduction], list[Store]]:
        return [r for r in self.kernel.reductions if r.operand.stage == stage], [
            st for st in self.kernel.stores if st.node.stage == stage
        ]

    def _row(self, row: Reg, low: Reg | None) -> None:
        x = self.x
        with x.scope():
            self._set_rows(row, self.s.rows)
            x.cache = self.rows_kept
            for x.stage in self.stages:
                reductions, stores = self._of_stage(x.stage)
                for a in self._row_loop(reductions, stores, low):
                    self._row_result(a.reduction, a.finish(self.e))
                self._once(reductions, stores)
            x.cache = {}

    def _row_result(self, r: Reduction, value: Reg) -> None:
        x = self.x
        for node in reduced_nodes(self.kernel.roots()):
            if node.reduction is r:
                x.bind(node, value)
        if r.stored:
            x.store(x.pointers[r.result], linear(r.index, r.result.type.shape), value)

    def _once(self, reductions: Sequence[Reduction], stores: Sequence[Store]) -> None:
        """What a stage does once a row: sums over rows of one value each, and stores."""
        e, x = self.e, self.x
        for r in reductions:
            if self.plan.loops(r):
                continue
            if self.sums.kinds[id(r)] == "outer":
                self.sums.add_outer(e, x, r, x.emit(r.operand))
                continue
            self.sums.running[id(r)].add(e, x.emit(r.operand), x.mask)
        self._store([st for st in stores if not self.plan.in_loop(st.offset.axes)])

    def _row_loop(self, reductions: Sequence[Reduction], stores: Sequence[Store], low: Reg | None) -> list[Accumulator]:
        """The stage's loop over a row. Returns the accumulators of its reductions that give one value a row."""
        looped = [r for r in reductions if self.plan.loops(r)]
        inner_stores = [st for st in stores if self.plan.in_loop(st.offset.axes)]
        roots = [*[r.operand for r in looped], *[st.node for st in inner_stores]]
        kinds, accumulators = self.sums.kinds, []
        copies, turns, runs_at = self.plan.running(looped, roots)
        for r in looped:
            a = Accumulator(r, kinds[id(r)], self.s.width if self.s.inner else 1)
            if a.kind == "row":
                a.start(self.e, copies[id(r)], runs_at is not None and rounds(r.combine, r.dtype), turns[id(r)])
            elif a.kind == "all":
                a = self.sums.running[id(r)]
            accumulators.append(a)
        if roots:
            self._loop(roots, accumulators, inner_stores, low, runs_at)
        for a in accumulators:
            if id(a.reduction) in self.sums.each_row:
                a.close(self.e)
        return [a for a in accumulators if a.kind == "row"]

    def _loop(
        self, roots: list[Node], accumulators: list[Accumulator], stores: Sequence[Store], low: Reg | None, runs_at: Cut | None
    ) -> None:
        e, x, s = self.e, self.x, self.s
        if not s.inner:
            with x.scope():
                self._body(accumulators, stores, 0)
            return
        axis, width = s.inner[-1], s.width
        with ExitStack() as loops:
            for n, a in enumerate(s.inner[:-1]):
                x.hoist(roots, s.inner[n:])
                steps = runs_at.steps if runs_at is not None and runs_at.loop == n else None
                x.axis_values[a] = loops.enter_context(runs(e, 0, a.extent, 1, steps, lambda: self._close(accumulators)))
                loops.enter_context(x.scope())
            x.hoist(roots, [axis])
            x.vector_axis = axis
            copies = max([1, *[len(a.slots) // a.turns for a in accumulators]])
            start: Reg | int = 0
            stop: Reg | int = axis.extent
            if low is not None:
                start, high = low, e.add(low, s.chunk)
                stop = e.least(high, axis.extent)
            length = runs_at.steps * width * copies if runs_at is not None and runs_at.loop == len(s.inner) - 1 else None
            with pieces(e, start, stop, length, lambda: self._close(accumulators)) as (first, behind), x.scope():
                if axis.extent % width and total_cost(roots) >= self.tuning.heavy:
                    with e.loop(first, behind, width) as i, x.scope():
                        self._masked_body(axis, i, accumulators, stores)
                else:
                    self._whole_vectors(axis, first, behind, copies, accumulators, stores)
            x.vector_axis = None

    def _close(self, accumulators: Sequence[Accumulator]) -> None:
        for a in accumulators:
            a.close(self.e)

    def _whole_vectors(
        self, axis: Axis, start: Reg | int, stop: Reg | int, copies: int, accumulators: list[Accumulator], stores: Sequence[Store]
    ) -> None:
        """As many vectors at a time as reductions keep sums, then one at a time, then what is left, masked.

        Both ends are multiples of so many vectors, but for the end of the axis.
        """
        e, x, width, extent = self.e, self.x, self.s.width, axis.extent
        for together in (copies, 1) if copies > 1 and extent % (width * copies) >= width else (copies,):
            step = width * together
            end = stop if extent % step == 0 else stop - stop % step if isinstance(stop, int) else e.and_(stop, -step)
            if not (isinstance(start, int) and isinstance(end, int) and start >= end):
                with e.loop(start, end, step) as i, x.scope():
                    for c in range(together):
                        with x.scope():
                            x.axis_values[axis] = e.add(i, c * width) if c else i
                            self._body(accumulators, stores, c)
            start = end
        if extent % width:
            with nullcontext() if isinstance(stop, int) else e.when(e.compare("eq", stop, extent)), x.scope():
                self._masked_body(axis, e.const(extent - extent % width, I64), accumulators, stores)

    def _masked_body(self, axis: Axis, i: Reg, accumulators: list[Accumulator], stores: Sequence[Store]) -> None:
        x = self.x
        x.mask = self._lanes_below(axis, i)
        x.axis_values[axis] = i
        self._body(accumulators, stores, 0)
        x.mask = None

    def _body(self, accumulators: list[Accumulator], stores: Sequence[Store], copy: int) -> None:
        e, x = self.e, self.x
        for a in accumulators:
            value = x.emit(a.reduction.operand)
            if a.kind == "outer":
                self.sums.add_outer(e, x, a.reduction, value)
            else:
                a.add(e, value, x.mask, copy, self._position(a.reduction))
        self._store(stores)

    def _store(self, stores: Sequence[Store]) -> None:
        """Every value before the first store: a store may be over what another value is computed from, at the same place."""
        x = self.x
        values = [x.emit(st.node) for st in stores]
        for st, value in zip(stores, values, strict=True):
            x.store(x.pointers[st.target], st.offset, value)

    def _position(self, r: Reduction) -> Reg | None:
        """The lanes' places along the axis that argmax and argmin look for."""
        if r.position is None:
            return None
        if r.position is self.x.vector_axis:
            return self.x.vector_index(axis_index(r.position), I64)
        return self.e.splat(self.x.scalar_index(axis_index(r.position)), self.s.width)

    # -- a tile of short rows

    def _lane_memory(self, dtype: DType) -> Reg:
        """Room for one vector that is also read and written lane by lane, so that a bool takes a byte as it does in memory."""
        return self.e.alloca(U8 if dtype == BOOL else dtype, self.s.width)

    def _tile(self, first: Reg, high: Reg) -> None:
        """Stage by stage: what is computed once a row as a vector over the tile's rows, then the rows' loops one after another."""
        e, x, (axis,), width = self.e, self.x, self.s.rows, self.s.width
        left = e.sub(high, first)
        count = e.least(left, width)
        mask = self._lanes_of(left, axis.extent)
        reduced = reduced_nodes(self.kernel.roots())
        results = {id(r): self._lane_memory(r.dtype) for r in self.kernel.reductions if self.sums.kinds[id(r)] == "row"}
        dear = {id(n): self._lane_memory(n.dtype) for n in self.row_nodes}
        for x.stage in self.stages:
            reductions, stores = self._of_stage(x.stage)
            with x.scope():
                x.vector_axis, x.axis_values[axis], x.mask = axis, first, mask
                for node in reduced:
                    if node.stage <= x.stage:
                        x.bind(node, e.load(results[id(node.reduction)], node.dtype, width))
                for n in self.row_nodes:
                    if n.stage == x.stage:
                        e.store(dear[id(n)], e.splat(x.emit(n), width))
                    elif n.stage < x.stage:
                        x.bind(n, e.load(dear[id(n)], n.dtype, width))
                self._once(reductions, stores)
                x.vector_axis, x.mask = None, None
            with e.loop(0, count) as k, x.scope():
                x.axis_values[axis] = e.add(first, k)
                for node in reduced:
                    if node.stage <= x.stage:
                        x.bind(node, e.load(e.offset(results[id(node.reduction)], k, node.dtype), node.dtype))
                for n in self.row_nodes:
                    if n.stage <= x.stage:
                        x.bind(n, e.load(e.offset(dear[id(n)], k, n.dtype), n.dtype))
                for a in self._row_loop(reductions, stores, None):
                    e.store(e.offset(results[id(a.reduction)], k, a.reduction.dtype), a.finish(e))
            with x.scope():
                x.vector_axis, x.axis_values[axis], x.mask = axis, first, mask
                for r in reductions:
                    if r.stored and self.sums.kinds[id(r)] == "row":
                        offset = linear(r.index, r.result.type.shape)
                        x.store(x.pointers[r.result], offset, e.load(results[id(r)], r.dtype, width))
                x.vector_axis, x.mask = None, None


def emit_loops(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]) -> Emitted:
    """The task functions of a loop kernel."""
    tuning = module.tuning.loops
    sections = sections_of(kernel, lanes_of(kernel), tuning)
    if len(sections) == 1:
        return LoopKernel(module, name, kernel, pointers, scratch).emit()
    parts = [LoopKernel(module, f"{name}_{n}", s, pointers, scratch).emit().phases[0] for n, s in enumerate(sections)]
    serial = sum(work_of(s) for s in sections) < tuning.serial_work
    return Emitted([all_of(module, name, parts, serial)])
