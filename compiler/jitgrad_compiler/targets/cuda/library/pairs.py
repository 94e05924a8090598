"""Rows of keys sorted with their places, stably: what sort and scatter are built on.

short rows  in a block's shared memory, several rows a block where they are very short, by a bitonic network (K. Batcher,
            Sorting networks and their applications, 1968) of pairs, so that places decide between equal keys
long rows   radix sort, eight bits a pass from the lowest, each pass by several blocks: each chunk's digits are counted, the
            counts summed up, and each chunk's pairs moved behind those with lower digits and those of chunks before it
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import I32, I64, U8, U32, U64, DType
from ....kernels.memory import aligned
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..device import SHARED_BYTES, THREADS, WARP, WARPS
from ..phases import BlockFunction, Phase
from .cumulative import Cumulative, Line

DIGIT_BITS = 8
BUCKETS = 1 << DIGIT_BITS
ITEMS = 4
"""Pairs of a thread in a tile that is moved at once."""
TILE = ITEMS * THREADS
PLACE_BITS = 32
MOST_SHARED = SHARED_BYTES // (U64.nbytes + U32.nbytes)
"""Pairs that shared memory holds, of wide keys."""

Keys = Callable[[BlockFunction], Callable[[Reg, Reg], Reg]]
"""In a function of a block, what reads a key, given its row and its place there."""
Take = Callable[[BlockFunction], Callable[[Reg, Reg, Reg, Reg], None]]
"""In a function of a block, what takes a sorted pair: (row, number, key, place)."""
_Read = Callable[[Reg, Reg], tuple[Reg, Reg]]


class PairSort:
    """Emits the phases; keys are unsigned numbers of so many bits, of U64 where these are more than 32, else of U32."""

    def __init__(
        self,
        module: Module,
        name: str,
        rows: int,
        n: int,
        bits: int,
        keys: Keys,
        take: Take,
        scratch: Callable[[BlockFunction], Reg],
    ) -> None:
        self.module, self.name, self.rows, self.n, self.bits = module, name, rows, n, bits
        self.keys, self.take, self.scratch = keys, take, scratch
        self.key: DType = U32 if bits <= PLACE_BITS else U64
        self.place = U32 if n < 1 << PLACE_BITS else U64
        """Of places and of counts."""
        tuning = module.tuning.gpu
        self.shared = n <= min(tuning.shared_sort, MOST_SHARED)
        self.chunks = max(1, min(-(-tuning.enough_blocks // rows), n // (2 * TILE)))
        self.size = -(-n // (self.chunks * TILE)) * TILE
        self.chunks = -(-n // self.size)
        self.keys_at, self.places_at = [0, 0], [0, 0]
        self.scratch_bytes = 0
        if not self.shared:
            for which in range(2):
                self.keys_at[which], self.places_at[which] = self._room(self.key), self._room(self.place)
            self.counts_at = self.scratch_bytes
            self.scratch_bytes += aligned(rows * BUCKETS * self.chunks * self.place.nbytes)

    def _room(self, type: DType) -> int:
        place, self.scratch_bytes = self.scratch_bytes, self.scratch_bytes + aligned(self.rows * self.n * type.nbytes)
        return place

    def emit(self) -> list[Phase]:
        if self.shared:
            return [self._in_shared()]
        phases = []
        for number in range(-(-self.bits // DIGIT_BITS)):
            phases.append(self._count(number))
            phases += self._summed(number)
            phases.append(self._move(number))
        return phases

    # -- short rows

    def _in_shared(self) -> Phase:
        padded = 2
        while padded < self.n:
            padded *= 2
        total = max(padded, 2 * THREADS)
        per_block = total // padded
        f = BlockFunction(self.module, f"{self.name}_sort")
        e, t = f.e, f.threads
        memory = _Shared(f, self.key == U64, total)
        keys, take, thread = self.keys(f), self.take(f), t.thread()

        def where(i: Reg) -> tuple[Reg, Reg, Reg]:
            row, number = e.add(e.mul(f.block, per_block), e.div(i, padded)), e.rem(i, padded)
            inside = e.and_(e.compare("lt", row, self.rows), e.compare("lt", number, self.n))
            return row, number, inside

        with e.loop(thread, e.const(total, I64), THREADS) as i:
            row, number, inside = where(i)
            key = keys(e.least(row, self.rows - 1), e.least(number, self.n - 1))
            memory.store(i, e.select(inside, key, e.const(-1, self.key)), e.select(inside, e.convert(number, U32), -1))
        t.barrier()
        with e.loop(1, padded.bit_length()) as block, e.loop(0, block) as step:
            shift = e.sub(e.sub(block, 1), step)
            apart = e.shl(e.const(1, I64), shift)
            with e.loop(thread, e.const(total // 2, I64), THREADS) as i:
                low = e.or_(e.shl(e.shr(i, shift), e.add(shift, 1)), e.and_(i, e.sub(apart, 1)))
                falls = e.compare("ne", e.and_(e.shr(e.and_(low, padded - 1), block), 1), 0)
                memory.exchange(low, e.add(low, apart), falls)
            t.barrier()
        with e.loop(thread, e.const(total, I64), THREADS) as i:
            row, number, inside = where(i)
            with e.when(inside):
                take(row, number, *memory.load(i))
        return f.finish(-(-self.rows // per_block))

    # -- long rows, a pass

    def _count(self, number: int) -> Phase:
        """How often each digit stands in each chunk, [row, digit, chunk]."""
        f = BlockFunction(self.module, f"{self.name}_count{number}")
        e, t = f.e, f.threads
        read, counts, shared, thread = self._read(f, number), self._counts(f), t.shared(), t.thread()
        f.shared_bytes = BUCKETS * self.place.nbytes
        row, chunk, low, high = self._chunk(f)
        mine = e.offset(shared, thread, self.place)
        e.store(mine, e.const(0, self.place))
        t.barrier()
        with e.loop(e.add(low, thread), high, THREADS) as i:
            key, _ = read(row, i)
            t.atomic("add", e.offset(shared, self._digit(e, key, number), self.place), e.const(1, self.place))
        t.barrier()
        at = e.add(e.mul(e.add(e.mul(row, BUCKETS), thread), self.chunks), chunk)
        e.store(e.offset(counts, at, self.place), e.load(mine, self.place))
        return f.finish(self.rows * self.chunks)

    def _summed(self, number: int) -> list[Phase]:
        """The counts with those before them in their row."""
        line = Line("add", self.place, self.rows, BUCKETS * self.chunks, 1)
        behind = self.counts_at + aligned(line.outer * line.n * self.place.nbytes)
        emitted = Cumulative(
            self.module, f"{self.name}_sums{number}", line, self._counts, self._counts,
            lambda f: f.e.offset(self.scratch(f), behind, U8),
        ).emit()  # fmt: skip
        self.scratch_bytes = max(self.scratch_bytes, behind + aligned(emitted.scratch_bytes))
        return emitted.phases

    def _move(self, number: int) -> Phase:
        """The pairs of a chunk to their places, tile by tile. A warp's lie side by side; those of one digit find each other by
        their bits.
        """
        f = BlockFunction(self.module, f"{self.name}_move{number}")
        e, t = f.e, f.threads
        read, write, counts, shared, thread = self._read(f, number), self._write(f, number), self._counts(f), t.shared(), t.thread()
        f.shared_bytes = (WARPS + 1) * BUCKETS * self.place.nbytes
        row, chunk, low, high = self._chunk(f)
        warp, lane = e.div(thread, WARP), e.rem(thread, WARP)
        below = e.sub(e.shl(e.const(1, U32), e.convert(lane, U32)), 1)
        running = e.offset(shared, thread, self.place)
        of_warps = e.offset(shared, BUCKETS, self.place)
        mine = e.offset(of_warps, e.mul(warp, BUCKETS), self.place)
        first = e.add(e.mul(thread, self.chunks), chunk)
        begins = e.add(e.mul(row, BUCKETS * self.chunks), e.sub(first, 1))
        e.store(running, e.const(0, self.place))
        with e.when(e.compare("gt", first, 0)):
            e.store(running, e.load(e.offset(counts, begins, self.place), self.place))
        with e.loop(low, high, TILE) as tile:
            for w in range(WARPS):
                e.store(e.offset(of_warps, e.add(thread, w * BUCKETS), self.place), e.const(0, self.place))
            t.barrier()
            held = []
            for item in range(ITEMS):
                i = e.add(e.add(tile, e.mul(warp, ITEMS * WARP)), e.add(lane, item * WARP))
                inside = e.compare("lt", i, high)
                key, place = read(row, e.least(i, self.n - 1))
                digit = self._digit(e, key, number)
                alike = self._alike(f, digit, inside)
                rank = e.convert(e.intrinsic("ctpop", e.and_(alike, below)), self.place)
                slot = e.offset(mine, digit, self.place)
                before = e.load(slot, self.place)
                t.warp_barrier()
                with e.when(e.and_(inside, e.compare("eq", rank, 0))):
                    e.store(slot, e.add(before, e.convert(e.intrinsic("ctpop", alike), self.place)))
                t.warp_barrier()
                held.append((inside, key, place, slot, e.add(before, rank)))
            t.barrier()
            total = e.load(running, self.place)
            for w in range(WARPS):
                slot = e.offset(of_warps, e.add(thread, w * BUCKETS), self.place)
                count = e.load(slot, self.place)
                e.store(slot, total)
                total = e.add(total, count)
            e.store(running, total)
            t.barrier()
            for inside, key, place, slot, rank in held:
                with e.when(inside):
                    write(row, e.convert(e.add(e.load(slot, self.place), rank), I64), key, place)
            t.barrier()
        return f.finish(self.rows * self.chunks)

    def _alike(self, f: BlockFunction, digit: Reg, inside: Reg) -> Reg:
        """The lanes of the warp that have this one's digit, as bits."""
        e, t = f.e, f.threads
        found = e.convert(t.ballot(inside), U32)
        narrow = e.convert(digit, I32)
        for bit in range(DIGIT_BITS):
            has = e.compare("ne", e.and_(narrow, 1 << bit), 0)
            having = e.convert(t.ballot(has), U32)
            found = e.and_(found, e.select(has, having, e.not_(having)))
        return found

    # -- what they share

    def _counts(self, f: BlockFunction) -> Reg:
        return f.e.offset(self.scratch(f), self.counts_at, U8)

    def _digit(self, e: Emitter, key: Reg, number: int) -> Reg:
        return e.convert(e.and_(e.shr(key, DIGIT_BITS * number) if number else key, BUCKETS - 1), I64)

    def _chunk(self, f: BlockFunction) -> tuple[Reg, Reg, Reg, Reg]:
        """A block's row, chunk of it, and the chunk's first pair and the one behind its last."""
        e = f.e
        row, chunk = e.div(f.block, self.chunks), e.rem(f.block, self.chunks)
        low = e.mul(chunk, self.size)
        return row, chunk, low, e.least(e.add(low, self.size), self.n)

    def _buffers(self, f: BlockFunction, which: int) -> tuple[Reg, Reg]:
        scratch = self.scratch(f)
        return f.e.offset(scratch, self.keys_at[which], U8), f.e.offset(scratch, self.places_at[which], U8)

    def _read(self, f: BlockFunction, number: int) -> _Read:
        """What reads the pairs before a pass."""
        e = f.e
        if number == 0:
            read = self.keys(f)
            return lambda row, i: (read(row, i), e.convert(i, self.place))
        keys, places = self._buffers(f, number % 2)

        def pair(row: Reg, i: Reg) -> tuple[Reg, Reg]:
            at = e.add(e.mul(row, self.n), i)
            return e.load(e.offset(keys, at, self.key), self.key), e.load(e.offset(places, at, self.place), self.place)

        return pair

    def _write(self, f: BlockFunction, number: int) -> Callable[[Reg, Reg, Reg, Reg], None]:
        """What takes the pairs behind a pass."""
        e = f.e
        if DIGIT_BITS * (number + 1) >= self.bits:
            return self.take(f)
        keys, places = self._buffers(f, (number + 1) % 2)

        def write(row: Reg, i: Reg, key: Reg, place: Reg) -> None:
            at = e.add(e.mul(row, self.n), i)
            e.store(e.offset(keys, at, self.key), key)
            e.store(e.offset(places, at, self.place), place)

        return write


class _Shared:
    """Pairs in a block's shared memory: of keys of 32 bits one number each, else in two arrays."""

    def __init__(self, f: BlockFunction, wide: bool, count: int) -> None:
        self.e, self.wide = f.e, wide
        self.memory = f.threads.shared()
        self.places = f.e.offset(self.memory, count, U64)
        f.shared_bytes = count * (U64.nbytes + (U32.nbytes if wide else 0))

    def store(self, at: Reg, key: Reg, place: Reg) -> None:
        e = self.e
        if self.wide:
            e.store(e.offset(self.memory, at, U64), key)
            e.store(e.offset(self.places, at, U32), place)
        else:
            e.store(e.offset(self.memory, at, U64), e.or_(e.shl(e.convert(key, U64), PLACE_BITS), e.convert(place, U64)))

    def load(self, at: Reg) -> tuple[Reg, Reg]:
        e = self.e
        word = e.load(e.offset(self.memory, at, U64), U64)
        if self.wide:
            return word, e.load(e.offset(self.places, at, U32), U32)
        return e.convert(e.shr(word, PLACE_BITS), U32), e.convert(word, U32)

    def exchange(self, low: Reg, high: Reg, falls: Reg) -> None:
        """Two pairs put in order, the lesser one first, or last."""
        e = self.e
        places = [e.offset(self.memory, at, U64) for at in (low, high)]
        a, b = (e.load(p, U64) for p in places)
        wrong = e.compare("lt", b, a)
        if self.wide:
            numbers = [e.offset(self.places, at, U32) for at in (low, high)]
            c, d = (e.load(p, U32) for p in numbers)
            wrong = e.or_(wrong, e.and_(e.compare("eq", a, b), e.compare("lt", d, c)))
        with e.when(e.compare("ne", wrong, falls)):
            e.store(places[0], b)
            e.store(places[1], a)
            if self.wide:
                e.store(numbers[0], d)
                e.store(numbers[1], c)
