"""The steps of a radix sort, functions that the kernels of sorting.py call: digits counted, counts placed, pairs moved."""

from __future__ import annotations

from ....ir.types import I64, U32, U64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg

DIGIT_BITS = 8
BUCKETS = 1 << DIGIT_BITS
PLACE_BITS = 32

Pair = tuple[Reg, ...]


class Pairs:
    """A row's keys, each with its place in the row, in a buffer of `bytes`.

    A key of up to 32 bits and its place are the halves of one u64; wider keys have their places in a second array.
    """

    def __init__(self, key: DType, n: int) -> None:
        self.key_bits, self.n = 8 * key.nbytes, n
        self.packed = self.key_bits <= 32 and n <= 1 << PLACE_BITS
        self.place_type = U32 if n <= 1 << PLACE_BITS else U64
        size = 8 * n if self.packed else (8 + self.place_type.nbytes) * n
        self.bytes = -(-size // 64) * 64

    def make(self, e: Emitter, key: Reg, place: Reg) -> Pair:
        wide = e.convert(key, U64)
        if self.packed:
            return (e.or_(e.shl(wide, PLACE_BITS), e.bitcast(place, U64)),)
        return wide, e.convert(place, self.place_type)

    @property
    def types(self) -> tuple[DType, ...]:
        """Of a pair's parts in memory."""
        return (U64,) if self.packed else (U64, self.place_type)

    def at(self, e: Emitter, buffer: Reg, at: Reg) -> Pair:
        """Where the parts of a pair are."""
        return tuple(
            e.offset(e.offset(buffer, self.n, U64) if n else buffer, at, type) for n, type in enumerate(self.types)
        )  # fmt: skip

    def load(self, e: Emitter, buffer: Reg, at: Reg) -> Pair:
        return tuple(e.load(place, type) for place, type in zip(self.at(e, buffer, at), self.types, strict=True))

    def store(self, e: Emitter, buffer: Reg, at: Reg, pair: Pair) -> None:
        for place, part in zip(self.at(e, buffer, at), pair, strict=True):
            e.store(place, part)

    def place(self, e: Emitter, pair: Pair) -> Reg:
        wide = e.and_(pair[0], (1 << PLACE_BITS) - 1) if self.packed else e.convert(pair[1], U64)
        return e.bitcast(wide, I64)

    def load_keyed(self, e: Emitter, buffer: Reg, at: Reg) -> Reg:
        """The part of a pair that holds the key."""
        return e.load(e.offset(buffer, at, U64), U64)

    def digit(self, e: Emitter, keyed: Reg, shift: Reg) -> Reg:
        """The key's digit that starts at bit `shift`."""
        low = e.add(shift, PLACE_BITS) if self.packed else shift
        return e.bitcast(e.and_(e.shr(keyed, e.bitcast(low, U64)), BUCKETS - 1), I64)


class RadixSteps:
    """Emits the three steps; `count`, `place` and `move` are the functions' names."""

    def __init__(self, module: Module, name: str, pairs: Pairs) -> None:
        self.module, self.pairs = module, pairs
        self.count, self.place, self.move = (f"{name}_{step}" for step in ("count_digits", "place_counts", "move_pairs"))
        self._emit_count()
        self._emit_place()
        self._emit_move()

    def _emit_count(self) -> None:
        """How often each digit stands in the pairs from low to high."""
        arguments = [("source", PTR), ("low", I64), ("high", I64), ("shift", I64), ("counts", PTR)]
        e = Emitter(self.module, self.count, arguments, internal=True)
        source, low, high, shift, counts = e.args
        with e.loop(0, BUCKETS, 8) as i:
            e.store(e.offset(counts, i, I64), e.const(0, I64, 8))
        with e.loop(low, high) as i:
            at = e.offset(counts, self.pairs.digit(e, self.pairs.load_keyed(e, source, i), shift), I64)
            e.store(at, e.add(e.load(at, I64), 1))
        e.finish()

    def _emit_place(self) -> None:
        """Counts of chunks, [chunk, digit], become the places where each chunk's pairs of a digit begin, digit by digit."""
        e = Emitter(self.module, self.place, [("counts", PTR), ("chunks", I64)], internal=True)
        counts, chunks = e.args
        next_place = e.alloca(I64)
        e.set(next_place, e.const(0, I64))
        with e.loop(0, BUCKETS) as digit, e.loop(0, chunks) as chunk:
            at = e.offset(counts, e.add(e.mul(chunk, BUCKETS), digit), I64)
            count, place = e.load(at, I64), e.get(next_place, I64)
            e.store(at, place)
            e.set(next_place, e.add(place, count))
        e.finish()

    def _emit_move(self) -> None:
        """Each pair from low to high to the next place of its digit, in order."""
        arguments = [("source", PTR), ("target", PTR), ("low", I64), ("high", I64), ("shift", I64), ("places", PTR)]
        e = Emitter(self.module, self.move, arguments, internal=True)
        source, target, low, high, shift, places = e.args
        with e.loop(low, high) as i:
            pair = self.pairs.load(e, source, i)
            at = e.offset(places, self.pairs.digit(e, pair[0], shift), I64)
            place = e.load(at, I64)
            e.store(at, e.add(place, 1))
            self.pairs.store(e, target, place, pair)
        e.finish()
