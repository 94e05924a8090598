"""Kernels of cumsum, cumprod, cummax and cummin. An array is seen as [outer, n, inner], with the running value along n.

    columns: each thread goes along one, whose neighbours in memory are its neighbours'
    rows:    a warp or a block goes along one tile by tile: within a tile by shifts that double their reach (Hillis and Steele,
             Data parallel algorithms, 1986), from tile to tile by a running value that all threads have
    chunks:  where rows or columns are few and long, several teams share one: the chunks' totals, these as rows of their own, and
             each chunk from the totals before it

Every order is one of its own, fixed by shape, element type and tuning. Long sums of floats go in runs, each on top of the total
before it (../../long_sums.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ....ir.types import BOOL, I32, I64, U8, DType
from ....kernels.kernel import Kernel
from ....kernels.tuning import Gpu
from ...combining import joined
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...long_sums import LONGEST, RUN, rounds, runs
from ...running import Running, neutral
from ..device import THREADS, WARP, WARPS
from ..expressions import ALIGNED
from ..loops.sums import Team, block_joined
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch

Place = Callable[[BlockFunction], Reg]
"""Reads a pointer in a function of a block."""


def emit_cumulative(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The functions of a cumulative op."""
    eqn = kernel.eqns[0]
    (x,), (out,), axis = kernel.inputs, eqn.outputs, eqn.params["axis"]
    shape, dtype = out.type.shape, out.type.dtype
    if not out.type.size:
        return Emitted([])
    line = Line(
        eqn.op.traits.combine, U8 if dtype == BOOL else dtype,  # a bool is a byte of 0 or 1
        math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), eqn.params["reverse"],
    )  # fmt: skip
    return Cumulative(module, name, line, lambda f: pointers(f.e, f.table, [x])[x], lambda f: pointers(f.e, f.table, [out])[out],
                      lambda f: scratch(f.e, f.table)).emit()  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What is combined along n in arrays [outer, n, inner]."""

    combine: str
    stored: DType
    outer: int
    n: int
    inner: int
    reverse: bool = False

    @property
    def count(self) -> int:
        return self.outer * self.inner


class Cumulative:
    """Emits the functions; `chunks` parts of each row are one team's each."""

    def __init__(self, module: Module, name: str, line: Line, source: Place, target: Place, scratch: Place | None) -> None:
        self.module, self.name, self.line = module, name, line
        self.source, self.target, self.scratch = source, target, scratch
        self.dtype = line.stored.computed
        tuning: Gpu = module.tuning.gpu
        self.team = 1 if line.inner > 1 or line.n <= tuning.short_row else WARP if line.n <= tuning.warp_row else THREADS
        self.lanes = self._lanes(tuning)
        self.chunks, self.size = 1, line.n
        if scratch is not None:
            tile = self.team * self.lanes
            self.size = -(-line.n // (self._most_chunks(tuning) * tile)) * tile
            self.chunks = -(-line.n // self.size)
        self.units = line.count * self.chunks
        self.per_block = THREADS // self.team

    def _lanes(self, tuning: Gpu) -> int:
        """Elements that lie side by side and are one thread's."""
        line, lanes = self.line, min(4, ALIGNED // self.line.stored.nbytes)
        if self.team == 1 or line.count * line.n // lanes < tuning.wide_from:
            return 1
        while lanes > 1 and (line.n % lanes or line.n < lanes * self.team):
            lanes //= 2
        return lanes

    def _most_chunks(self, tuning: Gpu) -> int:
        line = self.line
        if self.team == 1:
            wanted, most = -(-tuning.enough_threads // line.count), line.n // tuning.thread_share
        else:
            wanted, most = -(-tuning.enough_blocks * THREADS // (line.count * self.team)), line.n // tuning.share
        return max(1, min(wanted, most))

    def emit(self) -> Emitted:
        """The phases."""
        if self.chunks == 1:
            return Emitted([self._scan("")])
        rows = Line(self.line.combine, self.dtype, self.line.count, self.chunks, 1)
        assert self.scratch is not None
        together = Cumulative(self.module, f"{self.name}_before", rows, self.scratch, self.scratch, None)
        return Emitted([self._totals(), together._scan(""), self._scan("_chunks")], self.units * self.dtype.nbytes)

    # -- phases

    def _totals(self) -> Phase:
        """The total of each chunk, [row, chunk] in scratch memory."""
        f, e, unit, member = self._function("_totals")
        source, totals = self.source(f), self.scratch(f) if self.scratch else None
        assert totals is not None
        with self._inside(f, unit):
            row, chunk, base = self._unit(e, unit)
            running, steps = self._running(e)
            low, high = self._bounds(e, chunk)
            with runs(e, low, high, self.team * self.lanes, steps, running.close) as tile:
                parts, _, _ = self._read(e, source, base, tile, member, high)
                for part in parts:
                    running.take(part)
            value = total_of_team(f, self.line.combine, self.team, member, running.value())
            with e.when(e.compare("eq", member, 0)):
                e.store(e.offset(totals, e.add(e.mul(row, self.chunks), chunk), self.dtype), value)
        return f.finish(-(-self.units // self.per_block))

    def _scan(self, suffix: str) -> Phase:
        """Each chunk, from the totals before it."""
        f, e, unit, member = self._function(suffix)
        source, target = self.source(f), self.target(f)
        before = self.scratch(f) if self.chunks > 1 and self.scratch else None
        with self._inside(f, unit):
            row, chunk, base = self._unit(e, unit)
            running, steps = self._running(e)
            if before is not None:
                at = e.sub(e.add(e.mul(row, self.chunks), chunk), 1)
                with e.when(e.compare("gt", chunk, 0)):
                    running.take(e.load(e.offset(before, at, self.dtype), self.dtype))
                    running.close()
            low, high = self._bounds(e, chunk)
            with runs(e, low, high, self.team * self.lanes, steps, running.close) as tile:
                parts, place, inside = self._read(e, source, base, tile, member, high)
                for n in range(1, len(parts)):
                    parts[n] = joined(e, self.line.combine, parts[n - 1], parts[n])
                if self.team == 1:
                    found, total = parts, parts[-1]
                else:
                    first, total = prefix(f, self.line.combine, self.team, member, parts[-1])
                    found = [joined(e, self.line.combine, first, part) for part in parts]
                found = [running.with_next(value) for value in found]
                self._write(e, target, place, found, inside)
                running.take(total)
        return f.finish(-(-self.units // self.per_block))

    # -- what they share

    def _function(self, suffix: str) -> tuple[BlockFunction, Emitter, Reg, Reg]:
        """A function, the number of the thread's unit, and its own in the team."""
        f = BlockFunction(self.module, f"{self.name}{suffix}", self.lanes)
        e, thread = f.e, f.threads.thread()
        if self.team == THREADS:
            return f, e, f.block, thread
        unit = e.add(e.mul(f.block, self.per_block), e.div(thread, self.team))
        return f, e, unit, e.rem(thread, self.team) if self.team > 1 else e.const(0, I64)

    def _inside(self, f: BlockFunction, unit: Reg) -> AbstractContextManager[None]:
        e = f.e
        return e.when(e.const(True, BOOL) if self.units % self.per_block == 0 else e.compare("lt", unit, self.units))

    def _unit(self, e: Emitter, unit: Reg) -> tuple[Reg, Reg, Reg]:
        """A unit's row, its chunk of it, and where the row's first element lies. Neighbouring columns are neighbouring units."""
        inner = self.line.inner
        column, rest = e.rem(unit, inner) if inner > 1 else e.const(0, I64), e.div(unit, inner)
        chunk, outer = e.rem(rest, self.chunks) if self.chunks > 1 else e.const(0, I64), e.div(rest, self.chunks)
        return e.add(e.mul(outer, inner), column), chunk, e.add(e.mul(outer, self.line.n * inner), column)

    def _bounds(self, e: Emitter, chunk: Reg) -> tuple[Reg, Reg]:
        low = e.mul(chunk, self.size)
        return low, e.least(e.add(low, self.size), self.line.n)

    def _running(self, e: Emitter) -> tuple[Running, int | None]:
        """What all threads of a team have at the end of a tile, and how many tiles are a run of a long sum: the tile of a team is a
        tree of additions, so that one is.
        """
        turns = -(-self.size // (self.team * self.lanes))
        long = rounds(self.line.combine, self.dtype) and turns > LONGEST
        return Running(e, self.line.combine, self.dtype, 1, long), (RUN if self.team == 1 else 1) if long else None

    def _read(self, e: Emitter, source: Reg, base: Reg, tile: Reg, member: Reg, high: Reg) -> tuple[list[Reg], Reg, Reg]:
        """This thread's elements of a tile, in the order of the steps; where they lie; and whether the chunk has them."""
        line, lanes, stored = self.line, self.lanes, self.line.stored
        inside, step = e.const(True, BOOL), tile
        if self.team > 1:
            step = e.add(tile, e.mul(member, lanes))
            inside = e.compare("lt", step, high)
            step = e.least(step, line.n - lanes)
        along = e.sub(line.n - lanes, step) if line.reverse else step
        place = e.add(base, e.mul(along, line.inner))
        value = e.load(e.offset(source, place, stored), stored, lanes, align=lanes * stored.nbytes)
        parts = [e.convert(e.extract(value, lane), self.dtype) for lane in range(lanes)]
        if inside.constant is None:
            parts = [e.select(inside, part, neutral(line.combine, self.dtype)) for part in parts]
        return parts[::-1] if line.reverse else parts, place, inside

    def _write(self, e: Emitter, target: Reg, place: Reg, values: list[Reg], inside: Reg) -> None:
        stored = self.line.stored
        ordered = values[::-1] if self.line.reverse else values
        with e.when(inside):
            whole = e.poison(stored, self.lanes)
            for lane, value in enumerate(ordered):
                whole = e.insert(whole, e.convert(value, stored), lane)
            e.store(e.offset(target, place, stored), whole, align=self.lanes * stored.nbytes)


def total_of_team(f: Team, combine: str, team: int, member: Reg, value: Reg) -> Reg:
    """The values of the team's threads combined."""
    e, mask = f.e, WARP // 2 if team > 1 else 0
    while mask:
        value = joined(e, combine, value, f.threads.from_lane(value, mask))
        mask //= 2
    return block_joined(f, [value], member, [lambda a, b: joined(e, combine, a, b)])[0] if team == THREADS else value


def prefix(f: Team, combine: str, team: int, member: Reg, value: Reg) -> tuple[Reg, Reg]:
    """The values of the team's threads before this one combined, and those of all."""
    e, t, dtype = f.e, f.threads, value.type
    lane = e.rem(member, WARP) if team > WARP else member
    reach = 1
    while reach < WARP:
        below = t.from_below(value, reach)
        value = e.select(e.compare("ge", lane, reach), joined(e, combine, below, value), value)
        reach *= 2
    total = t.of_lane(value, e.const(WARP - 1, I32))
    nothing = e.const(neutral(combine, dtype), dtype)
    first = e.select(e.compare("eq", lane, 0), nothing, t.from_below(value, 1))
    if team == WARP:
        return first, total
    shared, warp = t.shared(), e.div(member, WARP)
    f.shared_bytes = max(f.shared_bytes, WARPS * dtype.nbytes)
    with e.when(e.compare("eq", lane, 0)):
        e.store(e.offset(shared, warp, dtype), total)
    t.barrier()
    totals = [e.load(e.offset(shared, w, dtype), dtype) for w in range(WARPS)]
    t.barrier()
    before, everything = nothing, totals[0]
    for w in range(WARPS):
        here = totals[0] if w == 0 else joined(e, combine, everything, totals[w])
        before = e.select(e.compare("gt", warp, w), here, before)
        everything = here
    return joined(e, combine, before, first), everything
