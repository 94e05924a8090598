"""Rows of keys sorted with their places, stably: what sort and scatter are built on.

short rows  in a block's shared memory, several rows a block where they are very short, by a bitonic network (K. Batcher,
            Sorting networks and their applications, 1968) of pairs, so that places decide between equal keys
long rows   radix sort, eight bits a pass from the lowest, each pass by several blocks: each chunk's digits are counted, the
            counts summed up, and each chunk's pairs moved behind those with lower digits and those of chunks before it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ....ir.types import I32, I64, U8, U32, U64, DType
from ....kernels.memory import aligned
from ....kernels.tuning import Gpu
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..device import SHARED_BYTES, THREADS, WARP, WARPS
from ..loops.sums import Team
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
Read = Callable[[Reg, Reg], tuple[Reg, Reg]]
"""What reads a pair, given its row and its place there."""
Write = Callable[[Reg, Reg, Reg, Reg], None]
"""What takes a sorted pair: (row, number, key, place)."""
Take = Callable[[BlockFunction], Write]
"""The same in a function of a block."""


class Sizes(NamedTuple):
    """Rows of `n` pairs each, in chunks of `size`; registers of a function."""

    rows: Reg
    n: Reg
    chunks: Reg
    size: Reg

    def chunk(self, e: Emitter, block: Reg) -> tuple[Reg, Reg, Reg, Reg]:
        """A block's row, chunk of it, and the chunk's first pair and the one behind its last."""
        row, chunk = e.div(block, self.chunks), e.rem(block, self.chunks)
        low = e.mul(chunk, self.size)
        return row, chunk, low, e.least(e.add(low, self.size), self.n)


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
        self.shared = n <= most_shared(module.tuning.gpu)
        self.chunks, self.size = chunked(rows, n, module.tuning.gpu)
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

    def _in_shared(self) -> Phase:
        f = BlockFunction(self.module, f"{self.name}_sort")
        padded, total = in_block(self.n)
        levels, most = f.e.const(padded.bit_length() - 1, I64), f.e.const(total, I64)
        write_in_shared(f, f.block, self._sizes(f), levels, most, total, self.key, self.keys(f), self.take(f))
        return f.finish(-(-self.rows // (total // padded)))

    def _count(self, number: int) -> Phase:
        f = BlockFunction(self.module, f"{self.name}_count{number}")
        write_counts(f, f.block, self._sizes(f), self._digit(f.e, number), self._read(f, number), self._counts(f), self.place)
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
        f = BlockFunction(self.module, f"{self.name}_move{number}")
        read, write = self._read(f, number), self._write(f, number)
        write_moves(f, f.block, self._sizes(f), self._digit(f.e, number), read, write, self._counts(f), self.place)
        return f.finish(self.rows * self.chunks)

    def _sizes(self, f: BlockFunction) -> Sizes:
        return Sizes(*[f.e.const(n, I64) for n in (self.rows, self.n, self.chunks, self.size)])

    def _counts(self, f: BlockFunction) -> Reg:
        return f.e.offset(self.scratch(f), self.counts_at, U8)

    def _digit(self, e: Emitter, number: int) -> Callable[[Reg], Reg]:
        return lambda key: digit_of(e, e.shr(key, DIGIT_BITS * number) if number else key)

    def _buffers(self, f: BlockFunction, which: int) -> tuple[Reg, Reg]:
        scratch = self.scratch(f)
        return f.e.offset(scratch, self.keys_at[which], U8), f.e.offset(scratch, self.places_at[which], U8)

    def _read(self, f: BlockFunction, number: int) -> Read:
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

    def _write(self, f: BlockFunction, number: int) -> Write:
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


# -- sizes


def most_shared(tuning: Gpu) -> int:
    """Pairs of the longest row that a block sorts in shared memory."""
    return min(tuning.shared_sort, MOST_SHARED)


def in_block(n: int) -> tuple[int, int]:
    """A short row's pairs, padded to a power of two, and the pairs of the rows that are a block's."""
    padded = max(2, 1 << (n - 1).bit_length())
    return padded, max(padded, 2 * THREADS)


def chunked(rows: int, n: int, tuning: Gpu) -> tuple[int, int]:
    """The chunks of a long row, and the pairs of one."""
    chunks = max(1, min(-(-tuning.enough_blocks // rows), n // (2 * TILE)))
    size = -(-n // (chunks * TILE)) * TILE
    return -(-n // size), size


# -- short rows


def write_in_shared(
    f: Team,
    block: Reg,
    sizes: Sizes,
    levels: Reg,
    total: Reg,
    room: int,
    key: DType,
    keys: Callable[[Reg, Reg], Reg],
    take: Write,
) -> None:
    """The rows of a block, of 2^levels pairs each when padded, `total` together, sorted in the room of so many."""
    e, t = f.e, f.threads
    memory, thread = _Shared(f, key == U64, room), t.thread()
    last, per_block = e.sub(e.shl(e.const(1, I64), levels), 1), e.shr(total, levels)

    def where(i: Reg) -> tuple[Reg, Reg, Reg]:
        row, number = e.add(e.mul(block, per_block), e.shr(i, levels)), e.and_(i, last)
        return row, number, e.and_(e.compare("lt", row, sizes.rows), e.compare("lt", number, sizes.n))

    with e.loop(thread, total, THREADS) as i:
        row, number, inside = where(i)
        found = keys(e.least(row, e.sub(sizes.rows, 1)), e.least(number, e.sub(sizes.n, 1)))
        memory.store(i, e.select(inside, found, e.const(-1, key)), e.select(inside, e.convert(number, U32), -1))
    t.barrier()
    with e.loop(1, e.add(levels, 1)) as level, e.loop(0, level) as step:
        shift = e.sub(e.sub(level, 1), step)
        apart = e.shl(e.const(1, I64), shift)
        with e.loop(thread, e.shr(total, 1), THREADS) as i:
            low = e.or_(e.shl(e.shr(i, shift), e.add(shift, 1)), e.and_(i, e.sub(apart, 1)))
            falls = e.compare("ne", e.and_(e.shr(e.and_(low, last), level), 1), 0)
            memory.exchange(low, e.add(low, apart), falls)
        t.barrier()
    with e.loop(thread, total, THREADS) as i:
        row, number, inside = where(i)
        with e.when(inside):
            take(row, number, *memory.load(i))


class _Shared:
    """Pairs in a block's shared memory: of keys of 32 bits one number each, else in two arrays."""

    def __init__(self, f: Team, wide: bool, count: int) -> None:
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


# -- long rows, a pass


def digit_of(e: Emitter, key: Reg) -> Reg:
    """The lowest digit."""
    return e.convert(e.and_(key, BUCKETS - 1), I64)


def write_counts(f: Team, block: Reg, sizes: Sizes, digit: Callable[[Reg], Reg], read: Read, counts: Reg, place: DType) -> None:
    """How often each digit stands in each chunk, [row, digit, chunk]."""
    e, t = f.e, f.threads
    shared, thread = t.shared(), t.thread()
    f.shared_bytes = BUCKETS * place.nbytes
    row, chunk, low, high = sizes.chunk(e, block)
    mine = e.offset(shared, thread, place)
    e.store(mine, e.const(0, place))
    t.barrier()
    with e.loop(e.add(low, thread), high, THREADS) as i:
        key, _ = read(row, i)
        t.atomic("add", e.offset(shared, digit(key), place), e.const(1, place))
    t.barrier()
    at = e.add(e.mul(e.add(e.mul(row, BUCKETS), thread), sizes.chunks), chunk)
    e.store(e.offset(counts, at, place), e.load(mine, place))


def write_moves(
    f: Team, block: Reg, sizes: Sizes, digit: Callable[[Reg], Reg], read: Read, write: Write, counts: Reg, place: DType
) -> None:
    """The pairs of a chunk to their places, tile by tile. A warp's lie side by side; those of one digit find each other by their
    bits.
    """
    e, t = f.e, f.threads
    shared, thread = t.shared(), t.thread()
    f.shared_bytes = (WARPS + 1) * BUCKETS * place.nbytes
    row, chunk, low, high = sizes.chunk(e, block)
    warp, lane = e.div(thread, WARP), e.rem(thread, WARP)
    below = e.sub(e.shl(e.const(1, U32), e.convert(lane, U32)), 1)
    running = e.offset(shared, thread, place)
    of_warps = e.offset(shared, BUCKETS, place)
    mine = e.offset(of_warps, e.mul(warp, BUCKETS), place)
    first = e.add(e.mul(thread, sizes.chunks), chunk)
    begins = e.add(e.mul(row, e.mul(sizes.chunks, BUCKETS)), e.sub(first, 1))
    e.store(running, e.const(0, place))
    with e.when(e.compare("gt", first, 0)):
        e.store(running, e.load(e.offset(counts, begins, place), place))
    with e.loop(low, high, TILE) as tile:
        for w in range(WARPS):
            e.store(e.offset(of_warps, e.add(thread, w * BUCKETS), place), e.const(0, place))
        t.barrier()
        held = []
        for item in range(ITEMS):
            i = e.add(e.add(tile, e.mul(warp, ITEMS * WARP)), e.add(lane, item * WARP))
            inside = e.compare("lt", i, high)
            key, number = read(row, e.least(i, e.sub(sizes.n, 1)))
            here = digit(key)
            alike = _alike(f, here, inside)
            rank = e.convert(e.intrinsic("ctpop", e.and_(alike, below)), place)
            slot = e.offset(mine, here, place)
            before = e.load(slot, place)
            t.warp_barrier()
            with e.when(e.and_(inside, e.compare("eq", rank, 0))):
                e.store(slot, e.add(before, e.convert(e.intrinsic("ctpop", alike), place)))
            t.warp_barrier()
            held.append((inside, key, number, slot, e.add(before, rank)))
        t.barrier()
        total = e.load(running, place)
        for w in range(WARPS):
            slot = e.offset(of_warps, e.add(thread, w * BUCKETS), place)
            count = e.load(slot, place)
            e.store(slot, total)
            total = e.add(total, count)
        e.store(running, total)
        t.barrier()
        for inside, key, number, slot, rank in held:
            with e.when(inside):
                write(row, e.convert(e.add(e.load(slot, place), rank), I64), key, number)
        t.barrier()


def _alike(f: Team, digit: Reg, inside: Reg) -> Reg:
    """The lanes of the warp that have this one's digit, as bits."""
    e, t = f.e, f.threads
    found = e.convert(t.ballot(inside), U32)
    narrow = e.convert(digit, I32)
    for bit in range(DIGIT_BITS):
        has = e.compare("ne", e.and_(narrow, 1 << bit), 0)
        having = e.convert(t.ballot(has), U32)
        found = e.and_(found, e.select(has, having, e.not_(having)))
    return found
