"""The kernel of top_k where it is a small part of its rows: each row is read once.

Pairs of keys and places are kept in a buffer, and only keys before the k-th that was found so far enter it. Where k is small, the
buffer is always in order. Otherwise it has room for more, is sorted once it is full, and all but the first k are dropped. Few long
rows are done in chunks, whose pairs a second phase joins, chunk by chunk. Of equal keys those stay which come first.
"""

from __future__ import annotations

from ....ir.graph import Var
from ....ir.types import I64, U8, U64
from ...emitter import Emitter
from ...llvm_text import PTR, Reg
from ...order import VECTOR_BYTES
from ...tasks.partition import partition
from ...tasks.phases import Emitted, Phase
from ...tasks.sort_rows import Rows
from .radix import BUCKETS, DIGIT_BITS, PLACE_BITS, Pairs, RadixSteps
from .sort_pairs import Varying


class Selection:
    """Emits the phases. A task has a buffer, and one of the same size to sort it."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.k = rows, rows.kept
        tuning = rows.module.tuning.sort
        self.ordered = self.k <= tuning.inserted
        self.room = self.k if self.ordered else self.k + max(self.k, tuning.selected_room)
        """Pairs of a buffer."""
        self.lanes = VECTOR_BYTES // U64.nbytes
        self.pairs = Pairs(rows.key, -(-self.room // self.lanes) * self.lanes)
        few = rows.count < tuning.enough_rows and rows.n >= tuning.long
        least = max(tuning.chunk, tuning.small_part * self.room)
        self.chunks = partition(rows.n, min(rows.n // least, tuning.most_chunks) if few else 1, 64)
        self.units = partition(rows.count * self.chunks.tasks, rows.most_tasks)
        self.buffers = self.units.count if self.chunks.tasks > 1 else self.units.tasks
        self.insert, self.sort = f"{rows.name}_insert", f"{rows.name}_sort"

    def emit(self) -> Emitted:
        (self._emit_insert if self.ordered else self._emit_sort)()
        phases = [self._select()]
        if self.chunks.tasks > 1:
            phases.append(self._join())
        return Emitted(phases, self.buffers * (1 if self.ordered else 2) * self.pairs.bytes)

    def _buffer(self, e: Emitter, scratch: Reg, number: Reg) -> Reg:
        return e.offset(scratch, e.mul(number, (1 if self.ordered else 2) * self.pairs.bytes), U8)

    def _kept(self, e: Emitter, low: Reg, high: Reg) -> Reg:
        return e.least(e.sub(high, low), self.k)

    # -- phases

    def _select(self) -> Phase:
        """The first pairs of each row, or of each chunk of one."""
        rows, chunks = self.rows, self.chunks.tasks
        e = rows.function("_select" if chunks > 1 else "")
        args, begin, end = e.args
        memory, scratch = rows.memory(e), rows.scratch(e, args)
        with e.loop(begin, end) as task:
            first, last = self.units.bounds(e, task)
            with e.loop(first, last) as unit:
                row, chunk = e.div(unit, chunks), e.rem(unit, chunks)
                low, high = self.chunks.bounds(e, chunk)
                buffer = self._buffer(e, scratch, unit if chunks > 1 else task)
                self._scan(e, memory, rows.base(e, row), buffer, low, high)
                if chunks == 1:
                    self._store(e, memory, row, buffer)
        e.finish()
        return Phase(e.name, self.units.tasks)

    def _join(self) -> Phase:
        """Each row's chunks: their pairs behind those of the chunks before, sorted."""
        rows, chunks = self.rows, self.chunks.tasks
        e = rows.function()
        args, begin, end = e.args
        memory, scratch = rows.memory(e), rows.scratch(e, args)
        with e.loop(begin, end) as row:
            buffer = self._buffer(e, scratch, e.mul(row, chunks))
            with e.loop(1, chunks) as chunk:
                other = self._buffer(e, scratch, e.add(e.mul(row, chunks), chunk))
                count = self._kept(e, *self.chunks.bounds(e, chunk))
                with e.loop(0, count) as i:
                    pair = self.pairs.load(e, other, i)
                    if self.ordered:
                        e.call(self.insert, None, buffer, e.const(self.k, I64), *pair)
                    else:
                        self.pairs.store(e, buffer, e.add(i, self.k), pair)
                if not self.ordered:
                    e.call(self.sort, None, buffer, e.add(count, self.k))
            self._store(e, memory, row, buffer)
        e.finish()
        return Phase(e.name, rows.count)

    def _store(self, e: Emitter, memory: dict[Var, Reg], row: Reg, buffer: Reg) -> None:
        take = self.rows.taker(e, memory, row)
        with e.loop(0, self.k) as i:
            take(self.pairs.place(e, self.pairs.load(e, buffer, i)), i)

    def _scan(self, e: Emitter, memory: dict[Var, Reg], base: Reg, buffer: Reg, low: Reg, high: Reg) -> None:
        """The first pairs of the elements from low to high, sorted, at the beginning of the buffer."""
        rows, key = self.rows, self.rows.key
        count, bound, left = e.alloca(I64), e.alloca(key), e.alloca(U64)

        def enter(i: Reg, mine: Reg) -> None:
            """A pair behind the others, or where it belongs."""
            pair, before = self.pairs.make(e, mine, i), e.get(count, I64)
            if self.ordered:
                e.call(self.insert, None, buffer, before, *pair)
            else:
                self.pairs.store(e, buffer, before, pair)
            e.set(count, e.least(e.add(before, 1), self.room))

        def drop() -> None:
            """All but the first k; where the buffer is in order, there are no others."""
            if not self.ordered:
                e.call(self.sort, None, buffer, e.get(count, I64))
                e.set(count, e.const(self.k, I64))
            keyed = self.pairs.load_keyed(e, buffer, e.const(self.k - 1, I64))
            e.set(bound, e.convert(e.shr(keyed, PLACE_BITS) if self.pairs.packed else keyed, key))

        full = e.least(high, e.add(low, self.room))
        e.set(count, e.const(0, I64))
        with e.loop(low, full) as i:
            enter(i, rows.load_key(e, memory, rows.at(e, base, i)))
        with e.when(e.compare("lt", full, high)):
            drop()
            width = VECTOR_BYTES // key.nbytes if rows.stride == 1 else 1
            with e.loop(full, high, width) as i:
                mask = e.lanes_below(e.sub(high, i), width) if width > 1 else None
                keys = rows.load_key(e, memory, rows.at(e, base, i), width, mask)
                before = e.compare("lt", keys, e.splat(e.get(bound, key), width))
                found = e.bits(before if mask is None else e.and_(before, mask))
                with e.when(e.compare("ne", found, 0), unlikely=True):
                    e.set(left, found)
                    with e.loop(0, e.bitcast(e.intrinsic("ctpop", found), I64)):
                        bits = e.get(left, U64)
                        rest = e.sub(bits, 1)  # the lowest bit as those below it
                        e.set(left, e.and_(bits, rest))
                        j = e.add(i, e.bitcast(e.intrinsic("ctpop", e.and_(e.not_(bits), rest)), I64))
                        mine = rows.load_key(e, memory, rows.at(e, base, j))
                        with e.when(e.compare("lt", mine, e.get(bound, key))):
                            enter(j, mine)
                            with e.when(e.compare("eq", e.get(count, I64), self.room), unlikely=not self.ordered):
                                drop()
        if not self.ordered:
            e.call(self.sort, None, buffer, e.get(count, I64))

    def _emit_insert(self) -> None:
        """`void insert(ptr buffer, i64 count, pair)`: the pair behind all of `count` whose keys are not greater.

        Behind those the others go one place on, a vector at a time; what is behind the buffer's end is lost.
        """
        arguments = [("buffer", PTR), ("count", I64), *zip(("keyed", "place"), self.pairs.types, strict=False)]
        e = Emitter(self.rows.module, self.insert, arguments, internal=True)
        buffer, count, *pair = e.args
        width = self.lanes
        mine = [e.splat(part, width) for part in pair]
        before = [e.alloca(type, width) for type in self.pairs.types]
        """The vector before; before the first one is what stays where it is."""
        for slot, type in zip(before, self.pairs.types, strict=True):
            e.set(slot, e.const(0, type, width))
        with e.loop(0, self.room, width) as i:
            places = self.pairs.at(e, buffer, i)
            here = [e.load(at, type, width) for at, type in zip(places, self.pairs.types, strict=True)]
            moved = [
                e.shuffle(e.get(slot, type, width), x, range(width - 1, 2 * width - 1))
                for slot, type, x in zip(before, self.pairs.types, here, strict=True)
            ]
            there = e.sub(count, i)
            stays, follows = (
                e.and_(e.compare("le", keys[0], mine[0]), e.lanes_below(end, width))
                for keys, end in ((here, there), (moved, e.add(there, 1)))
            )
            for at, slot, x, y, z in zip(places, before, here, moved, mine, strict=True):
                e.set(slot, x)
                e.store(at, e.select(stays, x, e.select(follows, z, y)))
        e.finish()

    def _emit_sort(self) -> None:
        """`void sort(ptr buffer, i64 count)`: the first k of so many pairs, or all, in order."""
        steps = RadixSteps(self.rows.module, self.rows.name, self.pairs)
        e = Emitter(self.rows.module, self.sort, [("buffer", PTR), ("count", I64)], internal=True)
        buffer, count = e.args
        zero, varying, counts = e.const(0, I64), Varying(e), e.alloca(I64, 1, BUCKETS)
        source, target = e.alloca(PTR), e.alloca(PTR)
        e.set(source, buffer)
        e.set(target, e.offset(buffer, self.pairs.bytes, U8))
        varying.start()
        with e.loop(0, count) as i:
            keyed = self.pairs.load_keyed(e, buffer, i)
            varying.include(keyed, keyed)
        with e.loop(0, self.pairs.key_bits, DIGIT_BITS) as shift, e.when(varying.digit(self.pairs, shift)):
            a, b = e.get(source, PTR), e.get(target, PTR)
            e.call(steps.count, None, a, zero, count, shift, counts)
            e.call(steps.place, None, counts, e.const(1, I64))
            e.call(steps.move, None, a, b, zero, count, shift, counts)
            e.set(source, b)
            e.set(target, a)
        with e.loop(0, e.least(count, self.k)) as i:
            self.pairs.store(e, buffer, i, self.pairs.load(e, e.get(source, PTR), i))
        e.finish()
