"""Updates of a scatter by the places that they go to: index rows sorted, and each place's segment of them taken in order.

Where segments may be long, rows are cut into chunks of equal length: a thread takes what of a segment is in its chunk. A segment
that goes on in other chunks has its first part among the `firsts`, what follows among the `others`, of which a chunk has one each;
the thread of the first part's chunk joins them in another phase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ....ir.types import BOOL, I64, U8, U64, DType
from ....kernels.memory import aligned
from ...combining import joined
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...long_sums import LONGEST, Total, rounds
from ...running import neutral
from ..device import THREADS
from ..phases import BlockFunction, Phase, Scratch
from .pairs import PairSort
from .updates import Updates


class Segments:
    """Emits the phases."""

    def __init__(self, module: Module, name: str, updates: Updates, scratch: Scratch) -> None:
        self.module, self.name, self.u, self.scratch = module, name, updates, scratch
        g, self.count = updates.g, updates.g.count
        self.dtype: DType = updates.dtype.computed
        bits = updates.places.bit_length()  # the number of places itself stands for none of them
        self.pairs = PairSort(module, f"{name}_places", g.batch, self.count, bits, self._keys, self._take, self._behind)
        self.scratch_bytes = 0
        self.keys_at = self._room(g.batch * self.count * self.pairs.key.nbytes)
        self.rows_at = self._room(g.batch * self.count * self.pairs.place.nbytes)
        share = module.tuning.gpu.thread_share
        parted = updates.kind != "set" and not (updates.kind == "mul" and self.dtype.is_float)
        self.chunk = share if parted and self.count > share else self.count
        self.chunks = -(-self.count // self.chunk)
        parts = g.batch * self.chunks * updates.columns * self.dtype.nbytes if self.chunks > 1 else 0
        self.firsts_at, self.others_at = self._room(parts), self._room(parts)
        self.pairs_at = self.scratch_bytes

    def _room(self, nbytes: int) -> int:
        place, self.scratch_bytes = self.scratch_bytes, self.scratch_bytes + aligned(nbytes)
        return place

    def emit(self) -> list[Phase]:
        phases = self.pairs.emit()
        self.scratch_bytes += self.pairs.scratch_bytes
        phases.append(self._last() if self.u.kind == "set" else self._combined())
        if self.chunks > 1:
            phases.append(self._joined())
        return phases

    # -- index rows in the order of their places

    def _keys(self, f: BlockFunction) -> Callable[[Reg, Reg], Reg]:
        e, u, memory = f.e, self.u, self.u.memory(f)

        def key(batch: Reg, row: Reg) -> Reg:
            inside, number, _ = u.place(e, memory, batch, row)
            return e.convert(e.select(inside, number, u.places), self.pairs.key)

        return key

    def _take(self, f: BlockFunction) -> Callable[[Reg, Reg, Reg, Reg], None]:
        e, pairs = f.e, self.pairs
        keys, rows = self._in_scratch(f, self.keys_at), self._in_scratch(f, self.rows_at)

        def take(batch: Reg, number: Reg, key: Reg, place: Reg) -> None:
            at = e.add(e.mul(batch, self.count), number)
            e.store(e.offset(keys, at, pairs.key), key)
            e.store(e.offset(rows, at, pairs.place), e.convert(place, pairs.place))

        return take

    def _behind(self, f: BlockFunction) -> Reg:
        return self._in_scratch(f, self.pairs_at)

    def _in_scratch(self, f: BlockFunction, place: int) -> Reg:
        return f.e.offset(self.scratch(f.e, f.table), place, U8)

    # -- segments

    def _function(self, suffix: str) -> tuple[_Sorted, Reg]:
        f = BlockFunction(self.module, f"{self.name}_{suffix}")
        return _Sorted(self, f), f.e.add(f.e.mul(f.block, THREADS), f.threads.thread())

    def _last(self) -> Phase:
        """The last update of a place is the one that stays."""
        s, number = self._function("last")
        e, u = s.e, self.u
        with e.when(e.compare("lt", number, u.total)):
            batch, at, column = u.parts(e, number, self.count)
            key = s.key(batch, at)
            following = s.key(batch, s.held(e.add(at, 1)))
            last = e.or_(e.compare("eq", at, self.count - 1), e.compare("ne", following, key))
            with e.when(e.and_(last, e.compare("lt", key, u.places))):
                e.store(s.target(batch, key, column), u.update(e, s.memory, batch, s.row(batch, at), column))
        return s.f.finish(-(-u.total // THREADS))

    def _combined(self) -> Phase:
        s, number = self._function("combined")
        e, u = s.e, self.u
        with e.when(e.compare("lt", number, u.total)):
            batch, at, column = u.parts(e, number, self.count)
            key, chunk = s.key(batch, at), e.div(at, self.chunk)
            begins = e.or_(e.compare("eq", at, 0), e.compare("ne", s.key(batch, s.before(at)), key))
            starts = e.compare("eq", e.rem(at, self.chunk), 0) if self.chunks > 1 else e.const(False, BOOL)
            with e.when(e.and_(e.or_(begins, starts), e.compare("lt", key, u.places))):
                target = s.target(batch, key, column)
                value = _Value(self, e)
                nothing = e.const(neutral(u.kind, self.dtype), self.dtype)
                value.set(nothing)
                with e.when(begins):
                    value.set(e.convert(e.load(target, u.dtype), self.dtype))
                end = e.least(e.mul(e.add(chunk, 1), self.chunk), self.count)
                with s.while_key(batch, at, end, 1, key) as i:
                    value.add(e.convert(u.update(e, s.memory, batch, s.row(batch, i), column), self.dtype))
                found = value.value()
                if self.chunks == 1:
                    e.store(target, e.convert(found, u.dtype))
                else:
                    goes_on = e.and_(e.compare("lt", end, self.count), e.compare("eq", s.key(batch, s.held(end)), key))
                    goes_on = e.and_(goes_on, e.compare("eq", s.key(batch, e.sub(end, 1)), key))
                    with e.when(e.and_(begins, e.not_(goes_on))):
                        e.store(target, e.convert(found, u.dtype))
                    with e.when(e.and_(begins, goes_on)):
                        e.store(s.part(self.firsts_at, batch, chunk, column), found)
                    with e.when(e.not_(begins)):
                        e.store(s.part(self.others_at, batch, chunk, column), found)
        return s.f.finish(-(-u.total // THREADS))

    def _joined(self) -> Phase:
        """A chunk's last segment with its parts in those behind, if it begins there and goes on."""
        s, number = self._function("joined")
        e, u = s.e, self.u
        count = u.g.batch * self.chunks * u.columns
        with e.when(e.compare("lt", number, count)):
            batch, chunk, column = u.parts(e, number, self.chunks)
            low, end = e.mul(chunk, self.chunk), e.mul(e.add(chunk, 1), self.chunk)
            key = s.key(batch, s.held(e.sub(end, 1)))
            begins = e.or_(e.compare("eq", low, 0), e.compare("ne", s.key(batch, s.before(low)), key))
            begins = e.or_(begins, e.compare("ne", s.key(batch, low), key))
            goes_on = e.and_(e.compare("lt", end, self.count), e.compare("eq", s.key(batch, s.held(end)), key))
            with e.when(e.and_(e.and_(begins, goes_on), e.compare("lt", key, u.places))):
                value = _Value(self, e)
                value.set(e.load(s.part(self.firsts_at, batch, chunk, column), self.dtype))
                with s.while_key(batch, end, e.const(self.count, I64), self.chunk, key) as i:
                    value.add(e.load(s.part(self.others_at, batch, e.div(i, self.chunk), column), self.dtype))
                e.store(s.target(batch, key, column), e.convert(value.value(), u.dtype))
        return s.f.finish(-(-count // THREADS))


class _Sorted:
    """The sorted index rows, as a function reads them."""

    def __init__(self, segments: Segments, f: BlockFunction) -> None:
        self.segments, self.f, self.e, self.memory = segments, f, f.e, segments.u.memory(f)
        self.scratch = segments.scratch(f.e, f.table)

    def _at(self, place: int, batch: Reg, at: Reg, type: DType) -> Reg:
        e = self.e
        index = e.add(e.mul(batch, self.segments.count), at)
        return e.load(e.offset(e.offset(self.scratch, place, U8), index, type), type)

    def key(self, batch: Reg, at: Reg) -> Reg:
        """The number of the place of a sorted row."""
        return self.e.bitcast(self.e.convert(self._at(self.segments.keys_at, batch, at, self.segments.pairs.key), U64), I64)

    def row(self, batch: Reg, at: Reg) -> Reg:
        """Which row it was."""
        return self.e.bitcast(self.e.convert(self._at(self.segments.rows_at, batch, at, self.segments.pairs.place), U64), I64)

    def held(self, at: Reg) -> Reg:
        return self.e.least(at, self.segments.count - 1)

    def before(self, at: Reg) -> Reg:
        """The row before; of the first one, itself."""
        e = self.e
        return e.sub(at, e.convert(e.compare("gt", at, 0), I64))

    def part(self, place: int, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        """Where a chunk's part of a column lies."""
        e, s = self.e, self.segments
        at = e.add(e.mul(e.add(e.mul(batch, s.chunks), chunk), s.u.columns), column)
        return e.offset(e.offset(self.scratch, place, U8), at, s.dtype)

    def target(self, batch: Reg, key: Reg, column: Reg) -> Reg:
        u = self.segments.u
        return u.target(self.e, self.memory, batch, u.offset_of(self.e, key), column)

    @contextmanager
    def while_key(self, batch: Reg, start: Reg, end: Reg, step: int, key: Reg) -> Iterator[Reg]:
        """The body runs for every `step`-th row from one on, as long as they have this key."""
        e = self.e
        place = e.alloca(I64)
        e.set(place, start)
        head, look, body, done = (e.fresh(hint) for hint in ("head", "look", "body", "exit"))
        e.branch(head)
        e.label(head)
        at = e.get(place, I64)
        e.branch_if(e.compare("lt", at, end), look, done)
        e.label(look)
        e.branch_if(e.compare("eq", self.key(batch, at), key), body, done)
        e.label(body)
        yield at
        e.set(place, e.add(at, step))
        e.branch(head)
        e.label(done)


class _Value:
    """What is combined: a sum of floats that may be long with the rounding errors kept."""

    def __init__(self, segments: Segments, e: Emitter) -> None:
        self.e, self.kind, self.dtype = e, segments.u.kind, segments.dtype
        long = rounds(self.kind, self.dtype) and segments.count > LONGEST
        self.total = Total.start(e, self.dtype, 1) if long else None
        self.slot = self.total.sum if self.total else e.alloca(self.dtype)

    def set(self, value: Reg) -> None:
        if self.total:
            self.total.set(self.e, 0.0)
        self.e.set(self.slot, value)

    def add(self, value: Reg) -> None:
        if self.total:
            self.total.add(self.e, value)
        else:
            self.e.set(self.slot, joined(self.e, self.kind, self.e.get(self.slot, self.dtype), value))

    def value(self) -> Reg:
        return self.total.value(self.e) if self.total else self.e.get(self.slot, self.dtype)
