"""Radix sort of few long rows, each pass over a row's chunks in parallel: count the digits, place the counts, move the pairs.

In scratch memory lie, a row: two buffers of pairs, the digit counts of each chunk, the "or" and "and" of each chunk's keys, and
which buffer holds the pairs before each pass. A pass over a digit that all keys share moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import I64, U8, U64
from ...emitter import Emitter
from ...llvm_text import Reg
from ...tasks.partition import Partition, partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase
from ...tasks.sort_rows import Rows
from .radix import BUCKETS, DIGIT_BITS, Pairs, RadixSteps
from .sort_pairs import Varying, load_pairs, store_sorted


class ChunkedSort:
    """Emits the phases: load and count, then place, move and count again for each digit, then store."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.pairs = rows, Pairs(rows.key, rows.n)
        self.steps = RadixSteps(rows.module, rows.name, self.pairs)
        tuning = rows.module.tuning.sort
        self.chunks: Partition = partition(rows.n, min(rows.n // tuning.chunk, tuning.most_chunks), 64)
        self.passes = self.pairs.key_bits // DIGIT_BITS
        chunks = rows.count * self.chunks.tasks
        self.counts_at = 2 * rows.count * self.pairs.bytes
        self.bits_at = self.counts_at + 8 * BUCKETS * chunks
        self.states_at = self.bits_at + 16 * chunks
        self.scratch_bytes = self.states_at + 8 * (self.passes + 1) * rows.count

    def emit(self) -> Emitted:
        rows, chunks = self.rows.count, self.rows.count * self.chunks.tasks
        count = self._by_pass("count", chunks, self._count)
        place = self._by_pass("place", rows, self._place)
        move = self._by_pass("move", chunks, self._move)
        phases = [self._load(chunks)]
        for number in range(self.passes):
            phases += [*([count(number)] if number else []), place(number), move(number)]
        return Emitted([*phases, self._store(chunks)], self.scratch_bytes)

    # -- phases

    def _by_pass(self, step: str, tasks: int, body: Callable[[Emitter, Reg, Reg, Reg], None]) -> Callable[[int], Phase]:
        """A step of every pass: one function that is told the pass, and for each pass a task function that calls it."""
        shared = f"{self.rows.name}_{step}"
        e = Emitter(self.rows.module, shared, [*TASK_ARGUMENTS, ("number", I64)], internal=True)
        args, begin, end, number = e.args
        scratch = self.rows.scratch(e, args)
        with e.loop(begin, end) as task:
            body(e, scratch, task, number)
        e.finish()

        def phase(number: int) -> Phase:
            e = self.rows.function(f"_{step}{number}")
            e.call(shared, None, *e.args, e.const(number, I64))
            e.finish()
            return Phase(e.name, tasks)

        return phase

    def _load(self, tasks: int) -> Phase:
        e = self.rows.function("_load")
        args, begin, end = e.args
        memory, scratch, varying = self.rows.memory(e), self.rows.scratch(e, args), Varying(e)
        with e.loop(begin, end) as task:
            row, chunk, low, high = self._chunk(e, task)
            with e.when(e.compare("eq", chunk, 0)):
                e.store(self._state(e, scratch, row, e.const(0, I64)), e.const(0, I64))
            buffer = e.offset(scratch, e.mul(row, 2 * self.pairs.bytes), U8)
            load_pairs(e, self.rows, self.pairs, memory, self.rows.base(e, row), buffer, low, high, varying)
            bits = self._bits(e, scratch, task)
            e.store(bits, e.get(varying.some, U64))
            e.store(e.offset(bits, 1, U64), e.get(varying.all, U64))
            e.call(self.steps.count, None, buffer, low, high, e.const(0, I64), self._counts(e, scratch, task))
        e.finish()
        return Phase(e.name, tasks)

    def _count(self, e: Emitter, scratch: Reg, task: Reg, number: Reg) -> None:
        row, _, low, high = self._chunk(e, task)
        shift = e.mul(number, DIGIT_BITS)
        with e.when(self._varies(e, scratch, row, shift)):
            buffer = self._buffer(e, scratch, row, number)
            e.call(self.steps.count, None, buffer, low, high, shift, self._counts(e, scratch, task))

    def _place(self, e: Emitter, scratch: Reg, row: Reg, number: Reg) -> None:
        before = e.load(self._state(e, scratch, row, number), I64)
        varies = self._varies(e, scratch, row, e.mul(number, DIGIT_BITS))
        e.store(self._state(e, scratch, row, e.add(number, 1)), e.xor(before, e.convert(varies, I64)))
        with e.when(varies):
            counts = self._counts(e, scratch, e.mul(row, self.chunks.tasks))
            e.call(self.steps.place, None, counts, e.const(self.chunks.tasks, I64))

    def _move(self, e: Emitter, scratch: Reg, task: Reg, number: Reg) -> None:
        row, _, low, high = self._chunk(e, task)
        shift = e.mul(number, DIGIT_BITS)
        with e.when(self._varies(e, scratch, row, shift)):
            source, target = self._buffer(e, scratch, row, number), self._buffer(e, scratch, row, e.add(number, 1))
            e.call(self.steps.move, None, source, target, low, high, shift, self._counts(e, scratch, task))

    def _store(self, tasks: int) -> Phase:
        e = self.rows.function()
        args, begin, end = e.args
        memory, scratch = self.rows.memory(e), self.rows.scratch(e, args)
        with e.loop(begin, end) as task:
            row, _, low, high = self._chunk(e, task)
            buffer = self._buffer(e, scratch, row, e.const(self.passes, I64))
            store_sorted(e, self.rows, self.pairs, memory, row, buffer, low, high)
        e.finish()
        return Phase(e.name, tasks)

    # -- places in scratch memory

    def _chunk(self, e: Emitter, task: Reg) -> tuple[Reg, Reg, Reg, Reg]:
        """A task's row, chunk of it, and the chunk's first pair and the one behind its last."""
        row, chunk = e.div(task, self.chunks.tasks), e.rem(task, self.chunks.tasks)
        return row, chunk, *self.chunks.bounds(e, chunk)

    def _counts(self, e: Emitter, scratch: Reg, task: Reg) -> Reg:
        return e.offset(e.offset(scratch, self.counts_at, U8), e.mul(task, BUCKETS), I64)

    def _bits(self, e: Emitter, scratch: Reg, task: Reg) -> Reg:
        return e.offset(e.offset(scratch, self.bits_at, U8), e.mul(task, 2), U64)

    def _state(self, e: Emitter, scratch: Reg, row: Reg, number: Reg) -> Reg:
        return e.offset(e.offset(scratch, self.states_at, U8), e.add(e.mul(row, self.passes + 1), number), I64)

    def _buffer(self, e: Emitter, scratch: Reg, row: Reg, number: Reg) -> Reg:
        """The buffer that holds a row's pairs before a pass."""
        which = e.load(self._state(e, scratch, row, number), I64)
        return e.offset(scratch, e.mul(e.add(e.mul(row, 2), which), self.pairs.bytes), U8)

    def _varies(self, e: Emitter, scratch: Reg, row: Reg, shift: Reg) -> Reg:
        """Whether the row's keys differ in a digit."""
        varying = Varying(e)
        varying.start()
        first = e.mul(row, self.chunks.tasks)
        with e.loop(first, e.add(first, self.chunks.tasks)) as task:
            bits = self._bits(e, scratch, task)
            varying.include(e.load(bits, U64), e.load(e.offset(bits, 1, U64), U64))
        return varying.digit(self.pairs, shift)
