"""Kernels of cumsum, cumprod, cummax and cummin. An array is seen as [outer, n, inner], with the running value along n.

    inner > 1           row by row of [n, inner]: out[i] = out[i - 1] + x[i], the vector along inner
    inner = 1, n short  some rows side by side, which hides the latency of one addition after the other
    inner = 1, n long   chunks: first each chunk's total, then each chunk from the sum of the totals before it, by vectors that are
                        scanned in log2(lanes) shifts (Hillis and Steele, Data parallel algorithms, 1986)

The first two combine in NumPy's order, the third in one of its own, fixed by shape and element type. Long sums of floats go in
runs, each on top of the total before it (long_sums.py). Storage types are converted where they are read and written.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.types import BOOL, U8
from ....kernels.kernel import Kernel
from ...combining import folded, joined, joined_pairwise
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...long_sums import LONGEST, RUN, join_in_memory, rounds, runs, whole
from ...order import VECTOR_BYTES, lanes_for
from ...running import Running, neutral
from ...tasks.partition import Partition, partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers


def emit_cumulative(
    module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
) -> Emitted:
    """The task functions of a cumulative op."""
    if not kernel.eqns[0].outputs[0].type.size:
        return Emitted([])
    return _Cumulative(module, name, kernel, pointers, scratch).emit()


class _Cumulative:
    def __init__(
        self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
    ) -> None:
        eqn = kernel.eqns[0]
        (self.x,), (self.out,) = kernel.inputs, eqn.outputs
        shape, axis = self.out.type.shape, eqn.params["axis"]
        self.module, self.name, self.pointers, self.scratch = module, name, pointers, scratch
        self.tuning = module.tuning.cumulative
        self.reverse: bool = eqn.params["reverse"]
        self.op: str = eqn.op.traits.combine
        self.stored = U8 if self.out.type.dtype == BOOL else self.out.type.dtype  # a bool is a byte of 0 or 1
        self.dtype = self.stored.computed
        self.n = shape[axis]
        self.inner = math.prod(shape[axis + 1 :])
        self.outer = math.prod(shape[:axis])
        self.width = lanes_for(self.dtype.nbytes)
        self.start = neutral(self.op, self.dtype)
        self.steps = RUN if rounds(self.op, self.dtype) and self.n > LONGEST else None
        """Steps along the axis that are a run."""

    def emit(self) -> Emitted:
        if self.inner > 1:
            return self._columns()
        return self._short_rows() if self.n < self.tuning.long else self._long_rows()

    def _function(self, suffix: str = "") -> tuple[Emitter, Reg, Reg, Reg, Reg]:
        """An emitter, the pointers of operand and result, and the range of tasks."""
        e = Emitter(self.module, self.name + suffix, TASK_ARGUMENTS, width=self.width)
        args, begin, end = e.args
        found = self.pointers(e, args, [self.x, self.out])
        return e, found[self.x], found[self.out], begin, end

    def _most_tasks(self) -> int:
        return self.module.tuning.most_tasks if self.outer * self.n * self.inner >= self.tuning.serial_elements else 1

    def _combine(self, e: Emitter, a: Reg, b: Reg) -> Reg:
        return joined(e, self.op, a, b)

    def _running(self, e: Emitter, width: int) -> Running:
        return Running(e, self.op, self.dtype, width, self.steps is not None)

    def _at(self, e: Emitter, pointer: Reg, index: Reg) -> Reg:
        """A place in the operand or in the result."""
        return e.offset(pointer, index, self.stored)

    def _read(self, e: Emitter, place: Reg, width: int = 1, mask: Reg | None = None) -> Reg:
        return e.convert(e.load(place, self.stored, width, mask), self.dtype)

    def _write(self, e: Emitter, place: Reg, value: Reg, mask: Reg | None = None) -> None:
        e.store(place, e.convert(value, self.stored), mask)

    def _turned(self, e: Emitter, step: Reg) -> Reg:
        """Where along the axis a step goes."""
        return e.sub(self.n - 1, step) if self.reverse else step

    # -- columns

    def _columns(self) -> Emitted:
        block = min(-(-self.inner // self.width) * self.width, self.tuning.column_bytes // self.dtype.nbytes)
        blocks = -(-self.inner // block)
        parts = partition(self.outer * blocks, self._most_tasks())
        e, x, out, begin, end = self._function()
        whole = self.inner - self.inner % self.width
        with parts.units(e) as unit:
            base = e.mul(e.div(unit, blocks), self.n * self.inner)
            low = e.mul(e.rem(unit, blocks), block)
            high = e.add(low, block)
            source, target = self._at(e, x, base), self._at(e, out, base)
            if whole:
                self._whole_columns(e, source, target, low, e.least(high, whole))
            if whole < self.inner:
                with e.when(e.compare("ge", high, self.inner)):
                    self._last_columns(e, source, target, whole)
        e.finish()
        return Emitted([Phase(self.name, parts.tasks)])

    def _whole_columns(self, e: Emitter, x: Reg, out: Reg, low: Reg, high: Reg) -> None:
        if self.steps is not None or self.stored != self.dtype:
            self._kept_columns(e, x, out, low, high)
            return
        first = (self.n - 1) * self.inner if self.reverse else 0
        with e.loop(low, high, self.width) as c:
            at = e.add(c, first)
            e.store(self._at(e, out, at), e.load(self._at(e, x, at), self.dtype, self.width))
        with e.loop(1, self.n) as step:
            row = e.mul(self._turned(e, step), self.inner)
            before = self._at(e, out, e.add(row, self.inner if self.reverse else -self.inner))
            here, source = self._at(e, out, row), self._at(e, x, row)
            with e.loop(low, high, self.width) as c:
                a = e.load(self._at(e, before, c), self.dtype, self.width)
                b = e.load(self._at(e, source, c), self.dtype, self.width)
                e.store(self._at(e, here, c), self._combine(e, a, b))

    def _kept_columns(self, e: Emitter, x: Reg, out: Reg, low: Reg, high: Reg) -> None:
        """The running values in memory of their own; of a long sum each row is on top of what the runs before came to."""
        dtype, width = self.dtype, self.width
        running, before, total, lost = (e.alloca(dtype, width, self.tuning.column_bytes // VECTOR_BYTES) for _ in range(4))

        def at(memory: Reg, c: Reg) -> Reg:
            return e.offset(memory, e.sub(c, low), dtype)

        with e.loop(low, high, width) as c:
            for memory in (running, before, total):
                e.store(at(memory, c), e.const(self.start, dtype, width))
            e.store(at(lost, c), e.const(0, dtype, width))

        def close() -> None:
            with e.loop(low, high, width) as c:
                join_in_memory(e, at(total, c), at(lost, c), e.load(at(running, c), dtype, width))
                e.store(at(running, c), e.const(self.start, dtype, width))
                e.store(at(before, c), whole(e, e.load(at(total, c), dtype, width), e.load(at(lost, c), dtype, width)))

        with runs(e, 0, self.n, 1, self.steps, close) as step:
            row = e.mul(self._turned(e, step), self.inner)
            here, source = self._at(e, out, row), self._at(e, x, row)
            with e.loop(low, high, width) as c:
                value = self._combine(e, e.load(at(running, c), dtype, width), self._read(e, self._at(e, source, c), width))
                e.store(at(running, c), value)
                over = value if self.steps is None else e.add(e.load(at(before, c), dtype, width), value)
                self._write(e, self._at(e, here, c), over)

    def _last_columns(self, e: Emitter, x: Reg, out: Reg, first: int) -> None:
        """The columns that fill no vector, the running values in a register: a masked store is slow to read back."""
        mask = e.lanes([lane < self.inner - first for lane in range(self.width)], BOOL)
        running = self._running(e, self.width)
        with runs(e, 0, self.n, 1, self.steps, running.close) as step:
            at = e.add(e.mul(self._turned(e, step), self.inner), first)
            self._write(e, self._at(e, out, at), running.take(self._read(e, self._at(e, x, at), self.width, mask)), mask)

    # -- rows

    def _short_rows(self) -> Emitted:
        rows = self.tuning.interleaved
        parts = partition(self.outer, self._most_tasks(), rows)
        e, x, out, begin, end = self._function()
        with e.loop(begin, end) as task:
            low, high = parts.bounds(e, task)
            after = low
            if self.outer >= rows:
                after = e.add(low, e.mul(e.div(e.sub(high, low), rows), rows))
                with e.loop(low, after, rows) as row:
                    self._side_by_side(e, x, out, row, rows)
            if self.outer % rows:
                with e.loop(after, high) as row:
                    self._side_by_side(e, x, out, row, 1)
        e.finish()
        return Emitted([Phase(self.name, parts.tasks)])

    def _side_by_side(self, e: Emitter, x: Reg, out: Reg, row: Reg, rows: int) -> None:
        base = e.mul(row, self.n)
        running = [self._running(e, 1) for _ in range(rows)]

        def close() -> None:
            for r in running:
                r.close()

        with runs(e, 0, self.n, 1, self.steps, close) as step:
            first = e.add(base, self._turned(e, step))
            for number, r in enumerate(running):
                at = e.add(first, number * self.n)
                self._write(e, self._at(e, out, at), r.take(self._read(e, self._at(e, x, at))))

    def _long_rows(self) -> Emitted:
        if self.outer >= self.tuning.enough_rows:
            chunks = Partition(self.n, self.n)
        else:
            chunks = partition(self.n, min(self.module.tuning.most_tasks, max(self.n // self.tuning.chunk, 1)), 4 * self.width)
        phases = []
        if chunks.tasks > 1:
            phases.append(self._totals(chunks))
        phases.append(self._scan(chunks))
        return Emitted(phases, self.outer * chunks.tasks * self.dtype.nbytes if chunks.tasks > 1 else 0)

    def _chunk(self, e: Emitter, chunks: Partition, unit: Reg) -> tuple[Reg, Reg, Reg, Reg]:
        """A unit's row, number in the row, and first and last element in the array."""
        row, number = e.div(unit, chunks.tasks), e.rem(unit, chunks.tasks)
        low, high = chunks.bounds(e, number)
        base = e.mul(row, self.n)
        return row, number, e.add(base, low), e.add(base, high)

    def _totals(self, chunks: Partition) -> Phase:
        e, x, _, begin, end = self._function("_totals")
        totals, width, group = self.scratch(e, e.args[0]), self.width, 4 * self.width
        with e.loop(begin, end) as unit:
            _, _, low, high = self._chunk(e, chunks, unit)
            running = [self._running(e, width) for _ in range(4)]

            def close(running: list[Running] = running) -> None:
                for r in running:
                    r.close()

            after = e.sub(high, e.rem(e.sub(high, low), group))
            with runs(e, low, after, group, self.steps, close) as i:
                for number, r in enumerate(running):
                    r.take(self._read(e, self._at(e, x, e.add(i, number * width)), width))
            with e.loop(after, high, width) as i:
                running[0].take(self._masked_load(e, x, i, self._mask(e, i, high)))
            total = joined_pairwise(e, self.op, [r.value() for r in running])
            e.store(e.offset(totals, unit, self.dtype), folded(e, self.op, total))
        e.finish()
        return Phase(f"{self.name}_totals", self.outer * chunks.tasks)

    def _scan(self, chunks: Partition) -> Phase:
        e, x, out, begin, end = self._function()
        width = self.width
        totals = self.scratch(e, e.args[0]) if chunks.tasks > 1 else None
        with e.loop(begin, end) as unit:
            row, number, low, high = self._chunk(e, chunks, unit)
            running = self._running(e, width)
            if totals is not None:
                self._take_before(e, running, e.offset(totals, e.mul(row, chunks.tasks), self.dtype), number, chunks.tasks)
            after = e.sub(high, e.rem(e.sub(high, low), width))

            def step(at: Reg, mask: Reg | None) -> None:
                value = self._read(e, self._at(e, x, at), width) if mask is None else self._masked_load(e, x, at, mask)
                value = self._prefixes(e, value)
                self._write(e, self._at(e, out, at), running.with_next(value), mask)
                running.take(e.shuffle(value, value, [0 if self.reverse else width - 1] * width))

            def tail() -> None:
                if self.n % width:
                    with e.when(e.compare("lt", after, high)):
                        step(after, self._mask(e, after, high))

            if self.reverse:
                tail()
                with runs(e, 0, e.sub(after, low), width, self.steps, running.close) as i:
                    step(e.sub(e.sub(after, width), i), None)
            else:
                with runs(e, low, after, width, self.steps, running.close) as i:
                    step(i, None)
                tail()
        e.finish()
        return Phase(self.name, self.outer * chunks.tasks)

    def _take_before(self, e: Emitter, running: Running, totals: Reg, number: Reg, count: int) -> None:
        """The totals of the chunks that come before one, combined in their order."""
        steps = e.sub(count - 1, number) if self.reverse else number
        with e.loop(0, steps) as i:
            at = e.sub(count - 1, i) if self.reverse else i
            running.take(e.splat(e.load(e.offset(totals, at, self.dtype), self.dtype), self.width))
            running.close()

    def _prefixes(self, e: Emitter, value: Reg) -> Reg:
        """Each lane combined with those before it (behind it, in reverse), in steps that double the reach."""
        width, nothing = self.width, e.const(self.start, self.dtype, self.width)
        reach = 1
        while reach < width:
            sources = [lane + reach if self.reverse else lane - reach for lane in range(width)]
            shifted = e.shuffle(value, nothing, [s if 0 <= s < width else width for s in sources])
            value = self._combine(e, shifted, value)
            reach *= 2
        return value

    def _mask(self, e: Emitter, at: Reg, high: Reg) -> Reg:
        return e.lanes_below(e.sub(high, at), self.width)

    def _masked_load(self, e: Emitter, x: Reg, at: Reg, mask: Reg) -> Reg:
        value = self._read(e, self._at(e, x, at), self.width, mask)
        return e.select(mask, value, e.const(self.start, self.dtype, self.width))
