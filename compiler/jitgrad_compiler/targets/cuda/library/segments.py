"""Updates of a scatter by the places that they go to: index rows sorted, and each place's segment of them taken in order
(ordered_updates.py), by a phase more where segments are cut.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import I64, U8, U64, DType
from ....kernels.memory import aligned
from ...llvm_text import Module, Reg
from ..device import THREADS
from ..phases import BlockFunction, Phase, Scratch
from .ordered_updates import Extents, Ordered, long, parted, write_combined, write_joined, write_last
from .pairs import PairSort, Write
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
        self.chunk = share if parted(updates.kind, self.dtype) and self.count > share else self.count
        self.chunks = -(-self.count // self.chunk)
        parts = g.batch * self.chunks * updates.columns * self.dtype.nbytes if self.chunks > 1 else 0
        self.firsts_at, self.others_at = self._room(parts), self._room(parts)
        self.pairs_at = self.scratch_bytes

    def _room(self, nbytes: int) -> int:
        place, self.scratch_bytes = self.scratch_bytes, self.scratch_bytes + aligned(nbytes)
        return place

    def emit(self) -> list[Phase]:
        u, phases = self.u, self.pairs.emit()
        self.scratch_bytes += self.pairs.scratch_bytes
        last = u.kind == "set"
        phases.append(self._phase("last" if last else "combined", write_last if last else write_combined, u.total))
        if self.chunks > 1:
            phases.append(self._phase("joined", write_joined, u.g.batch * self.chunks * u.columns))
        return phases

    # -- index rows in the order of their places

    def _keys(self, f: BlockFunction) -> Callable[[Reg, Reg], Reg]:
        e, u, memory = f.e, self.u, self.u.memory(f)

        def key(batch: Reg, row: Reg) -> Reg:
            inside, number, _ = u.place(e, memory, batch, row)
            return e.convert(e.select(inside, number, u.places), self.pairs.key)

        return key

    def _take(self, f: BlockFunction) -> Write:
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

    def _phase(self, suffix: str, write: Callable[[Ordered, Reg], None], count: int) -> Phase:
        f = BlockFunction(self.module, f"{self.name}_{suffix}")
        number = f.e.add(f.e.mul(f.block, THREADS), f.threads.thread())
        with f.e.when(f.e.compare("lt", number, count)):
            write(_Sorted(self, f), number)
        return f.finish(-(-count // THREADS))


class _Sorted(Ordered):
    """Sorted index rows in scratch memory."""

    def __init__(self, segments: Segments, f: BlockFunction) -> None:
        u, sizes = segments.u, (segments.count, segments.u.columns, segments.u.places, segments.chunk, segments.chunks)
        summed = long(u.kind, segments.dtype, segments.count)
        super().__init__(f.e, u.kind, u.dtype, Extents(*[f.e.const(n, I64) for n in sizes]), segments.chunks > 1, summed)
        self.segments, self.memory, self.scratch = segments, u.memory(f), segments.scratch(f.e, f.table)

    def _at(self, place: int, batch: Reg, at: Reg, type: DType) -> Reg:
        e = self.e
        index = e.add(e.mul(batch, self.segments.count), at)
        found = e.load(e.offset(e.offset(self.scratch, place, U8), index, type), type)
        return e.bitcast(e.convert(found, U64), I64)

    def key(self, batch: Reg, at: Reg) -> Reg:
        return self._at(self.segments.keys_at, batch, at, self.segments.pairs.key)

    def row(self, batch: Reg, at: Reg) -> Reg:
        return self._at(self.segments.rows_at, batch, at, self.segments.pairs.place)

    def update(self, batch: Reg, row: Reg, column: Reg) -> Reg:
        return self.segments.u.update(self.e, self.memory, batch, row, column)

    def target(self, batch: Reg, key: Reg, column: Reg) -> Reg:
        u = self.segments.u
        return u.target(self.e, self.memory, batch, u.offset_of(self.e, key), column)

    def first(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        return self._part(self.segments.firsts_at, batch, chunk, column)

    def other(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        return self._part(self.segments.others_at, batch, chunk, column)

    def _part(self, place: int, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        e, n = self.e, self.n
        at = e.add(e.mul(e.add(e.mul(batch, n.chunks), chunk), n.columns), column)
        return e.offset(e.offset(self.scratch, place, U8), at, self.dtype)
