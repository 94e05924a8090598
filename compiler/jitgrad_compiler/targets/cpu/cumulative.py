"""Kernels of cumsum, cumprod, cummax and cummin. An array is seen as [outer, n, inner], with the running value along n.

    inner > 1           row by row of [n, inner]: out[i] = out[i - 1] + x[i], the vector along inner
    inner = 1, n short  eight rows side by side, which hides the latency of one addition after the other
    inner = 1, n long   chunks: first each chunk's total, then each chunk from the sum of the totals before it, by vectors that are
                        scanned in log2(lanes) shifts (Hillis and Steele, Data parallel algorithms, 1986)

The first two add in NumPy's order. The third has an order of its own, fixed by shape and element type, and rounds less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...ir.types import FLOATS, SIZES
from ...kernels.kernel import Kernel
from ..emitter import Emitter, Module, Reg
from .accumulators import identity, joined
from .partition import MOST_TASKS, Partition, partition
from .phases import TASK_ARGUMENTS, Emitted, Phase, Pointers

SERIAL_ELEMENTS = 1 << 15
"""Below this a kernel is one task: waking another thread costs more."""
LONG = 1 << 12
"""Elements from which a row is scanned by vectors."""
CHUNK = 1 << 14
INTERLEAVED = 8
ENOUGH_ROWS = 16
COLUMN_BYTES = 2048
"""Columns that are run down together: wide enough for the prefetcher, few enough that the row before is still in the cache."""


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
        self.reverse: bool = eqn.params["reverse"]
        self.op: str = eqn.op.traits["combine"]
        self.dtype = "u8" if self.out.type.dtype == "bool" else self.out.type.dtype  # a bool is a byte of 0 or 1
        self.n = shape[axis]
        self.inner = math.prod(shape[axis + 1 :])
        self.outer = math.prod(shape[:axis])
        self.width = min(64 // SIZES[self.dtype], 16)
        self.start: Any = -0.0 if self.op == "add" and self.dtype in FLOATS else identity(self.op, self.dtype)
        """Changes nothing that it is combined with, not even a zero's sign."""

    def emit(self) -> Emitted:
        if self.inner > 1:
            return self._columns()
        return self._short_rows() if self.n < LONG else self._long_rows()

    def _function(self, suffix: str = "") -> tuple[Emitter, Reg, Reg, Reg, Reg]:
        """An emitter, the pointers of operand and result, and the range of tasks."""
        e = Emitter(self.module, self.name + suffix, TASK_ARGUMENTS, width=self.width)
        args, begin, end = e.args
        found = self.pointers(e, args, [self.x, self.out])
        return e, found[self.x], found[self.out], begin, end

    def _most_tasks(self) -> int:
        return MOST_TASKS if self.outer * self.n * self.inner >= SERIAL_ELEMENTS else 1

    def _combine(self, e: Emitter, a: Reg, b: Reg) -> Reg:
        return joined(e, self.op, a, b)

    def _at(self, e: Emitter, pointer: Reg, index: Reg) -> Reg:
        return e.offset(pointer, index, self.dtype)

    def _turned(self, e: Emitter, step: Reg) -> Reg:
        """Where along the axis a step goes."""
        return e.sub(self.n - 1, step) if self.reverse else step

    # -- columns

    def _columns(self) -> Emitted:
        block = min(-(-self.inner // self.width) * self.width, COLUMN_BYTES // SIZES[self.dtype])
        blocks = -(-self.inner // block)
        parts = partition(self.outer * blocks, self._most_tasks())
        e, x, out, begin, end = self._function()
        whole = self.inner - self.inner % self.width
        with parts.units(e, begin, end) as unit:
            base = e.mul(e.div(unit, blocks), self.n * self.inner)
            low = e.mul(e.rem(unit, blocks), block)
            high = e.add(low, block)
            source, target = self._at(e, x, base), self._at(e, out, base)
            if whole:
                self._whole_columns(e, source, target, low, e.select(e.compare("lt", high, whole), high, e.const(whole, "i64")))
            if whole < self.inner:
                with e.when(e.compare("ge", high, self.inner)):
                    self._last_columns(e, source, target, whole)
        e.finish()
        return Emitted([Phase(self.name, parts.tasks)])

    def _whole_columns(self, e: Emitter, x: Reg, out: Reg, low: Reg, high: Reg) -> None:
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

    def _last_columns(self, e: Emitter, x: Reg, out: Reg, first: int) -> None:
        """The columns that fill no vector, the running values in a register: a masked store is slow to read back."""
        mask = e.lanes([lane < self.inner - first for lane in range(self.width)], "bool")
        running = e.alloca(self.dtype, self.width)
        e.set(running, e.const(self.start, self.dtype, self.width))
        with e.loop(0, self.n) as step:
            at = e.add(e.mul(self._turned(e, step), self.inner), first)
            value = e.load(self._at(e, x, at), self.dtype, self.width, mask)
            value = self._combine(e, e.get(running, self.dtype, self.width), value)
            e.set(running, value)
            e.store(self._at(e, out, at), value, mask)

    # -- rows

    def _short_rows(self) -> Emitted:
        parts = partition(self.outer, self._most_tasks(), INTERLEAVED)
        e, x, out, begin, end = self._function()
        with e.loop(begin, end) as task:
            low, high = parts.bounds(e, task)
            after = low
            if self.outer >= INTERLEAVED:
                after = e.add(low, e.mul(e.div(e.sub(high, low), INTERLEAVED), INTERLEAVED))
                with e.loop(low, after, INTERLEAVED) as row:
                    self._side_by_side(e, x, out, row, INTERLEAVED)
            if self.outer % INTERLEAVED:
                with e.loop(after, high) as row:
                    self._side_by_side(e, x, out, row, 1)
        e.finish()
        return Emitted([Phase(self.name, parts.tasks)])

    def _side_by_side(self, e: Emitter, x: Reg, out: Reg, row: Reg, rows: int) -> None:
        base = e.mul(row, self.n)
        running = [e.alloca(self.dtype) for _ in range(rows)]
        for slot in running:
            e.set(slot, e.const(self.start, self.dtype))
        with e.loop(0, self.n) as step:
            first = e.add(base, self._turned(e, step))
            for number, slot in enumerate(running):
                at = e.add(first, number * self.n)
                value = self._combine(e, e.get(slot, self.dtype), e.load(self._at(e, x, at), self.dtype))
                e.set(slot, value)
                e.store(self._at(e, out, at), value)

    def _long_rows(self) -> Emitted:
        if self.outer >= ENOUGH_ROWS:
            chunks = Partition(self.n, self.n)
        else:
            chunks = partition(self.n, min(MOST_TASKS, max(self.n // CHUNK, 1)), 4 * self.width)
        phases = []
        if chunks.tasks > 1:
            phases.append(self._totals(chunks))
        phases.append(self._scan(chunks))
        return Emitted(phases, self.outer * chunks.tasks * SIZES[self.dtype] if chunks.tasks > 1 else 0)

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
            slots = [e.alloca(self.dtype, width) for _ in range(4)]
            for slot in slots:
                e.set(slot, e.const(self.start, self.dtype, width))
            after = e.sub(high, e.rem(e.sub(high, low), group))
            with e.loop(low, after, group) as i:
                for number, slot in enumerate(slots):
                    value = e.load(self._at(e, x, e.add(i, number * width)), self.dtype, width)
                    e.set(slot, self._combine(e, e.get(slot, self.dtype, width), value))
            with e.loop(after, high, width) as i:
                value = self._masked_load(e, x, i, self._mask(e, i, high))
                e.set(slots[0], self._combine(e, e.get(slots[0], self.dtype, width), value))
            a, b, c, d = (e.get(slot, self.dtype, width) for slot in slots)
            total = self._combine(e, self._combine(e, a, b), self._combine(e, c, d))
            e.store(self._at(e, totals, unit), e.fold(lambda p, q: self._combine(e, p, q), total))
        e.finish()
        return Phase(f"{self.name}_totals", self.outer * chunks.tasks)

    def _scan(self, chunks: Partition) -> Phase:
        e, x, out, begin, end = self._function()
        width, running = self.width, e.alloca(self.dtype, self.width)
        totals = self.scratch(e, e.args[0]) if chunks.tasks > 1 else None
        with e.loop(begin, end) as unit:
            row, number, low, high = self._chunk(e, chunks, unit)
            before = e.const(self.start, self.dtype)
            if totals is not None:
                before = self._total_before(e, e.offset(totals, e.mul(row, chunks.tasks), self.dtype), number, chunks.tasks)
            e.set(running, e.splat(before, width))
            after = e.sub(high, e.rem(e.sub(high, low), width))

            def step(at: Reg, mask: Reg | None) -> None:
                value = e.load(self._at(e, x, at), self.dtype, width) if mask is None else self._masked_load(e, x, at, mask)
                value = self._prefixes(e, value)
                carried = e.get(running, self.dtype, width)
                e.store(self._at(e, out, at), self._combine(e, carried, value), mask)
                end = e.shuffle(value, value, [0 if self.reverse else width - 1] * width)
                e.set(running, self._combine(e, carried, end))

            def tail() -> None:
                if self.n % width:
                    with e.when(e.compare("lt", after, high)):
                        step(after, self._mask(e, after, high))

            if self.reverse:
                tail()
                with e.loop(0, e.sub(after, low), width) as i:
                    step(e.sub(e.sub(after, width), i), None)
            else:
                with e.loop(low, after, width) as i:
                    step(i, None)
                tail()
        e.finish()
        return Phase(self.name, self.outer * chunks.tasks)

    def _total_before(self, e: Emitter, totals: Reg, number: Reg, count: int) -> Reg:
        """The totals of the chunks that come before one, combined in their order."""
        slot = e.alloca(self.dtype)
        e.set(slot, e.const(self.start, self.dtype))
        steps = e.sub(count - 1, number) if self.reverse else number
        with e.loop(0, steps) as i:
            at = e.sub(count - 1, i) if self.reverse else i
            e.set(slot, self._combine(e, e.get(slot, self.dtype), e.load(self._at(e, totals, at), self.dtype)))
        return e.get(slot, self.dtype)

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
        return e.compare("lt", e.lane_ids("i64", self.width), e.sub(high, at))

    def _masked_load(self, e: Emitter, x: Reg, at: Reg, mask: Reg) -> Reg:
        value = e.load(self._at(e, x, at), self.dtype, self.width, mask)
        return e.select(mask, value, e.const(self.start, self.dtype, self.width))
