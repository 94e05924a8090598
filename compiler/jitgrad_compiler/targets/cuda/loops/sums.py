"""One reduction of a loop kernel, by threads, warps or blocks, always in the same order.

Threads of a team take elements in turns, so that what lies side by side is read at once. Their shares meet by exchanging registers
within a warp, and through shared memory within a block.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from ....ir.types import BOOL, I64, U8
from ....kernels.affine import axis_index, linear
from ....kernels.expression import Load, Reduced, walk
from ....kernels.kernel import Reduction
from ...accumulators import Accumulator
from ...combining import beats, folded, joined
from ...emitter import Emitter
from ...llvm_text import Reg
from ...long_sums import LONGEST, RUN, rounds, runs
from ..device import THREADS, WARP, WARPS, Threads
from ..expressions import ThreadExpressions, decomposed
from ..phases import BlockFunction, Phase

if TYPE_CHECKING:
    from .kernel import LoopKernel

Best = tuple[Reg, Reg | None]
"""A combined value and, of argmax and argmin, its place."""
T = TypeVar("T", Reg, Best)


class Sum:
    """`kept` are the axes of the result, `reduced` those that are summed over; `shares` parts of each sum are made apart."""

    def __init__(self, kernel: LoopKernel, r: Reduction, name: str) -> None:
        self.kernel, self.r, self.name, self.tuning = kernel, r, name, kernel.tuning
        self.reduced = [a for a in kernel.axes if a in r.axes]
        left = frozenset(a for i in r.index for a in i.axes)
        self.kept = [a for a in kernel.axes if a in left]
        self.results = math.prod(a.extent for a in self.kept)
        self.length = math.prod(a.extent for a in self.reduced)
        self.columns = self._by_threads()
        self.team = 1 if self.columns else WARP if self.length <= self.tuning.warp_row else THREADS
        self.shares = self._shares()

    def _by_threads(self) -> bool:
        """Whether neighbouring results are read from neighbouring places, or sums are short, so that each is one thread's."""
        if not self.reduced or self.length <= self.tuning.short_row:
            return True
        if not self.kept:
            return False
        loads = [n for n in walk([self.r.operand]) if isinstance(n, (Load, Reduced))]
        offsets = [n.offset if isinstance(n, Load) else linear(n.reduction.index, n.reduction.result.type.shape) for n in loads]
        across, along = (sum(o.factor(a) == 1 for o in offsets) for a in (self.kept[-1], self.reduced[-1]))
        return across > along

    def _shares(self) -> int:
        if self.r.position is not None or self.results == 0:
            return 1
        t = self.tuning
        if self.columns:
            wanted, most = -(-t.enough_threads // self.results), self.length // t.thread_share
        else:
            wanted, most = -(-t.enough_blocks * THREADS // (self.results * self.team)), self.length // t.share
        return max(1, min(wanted, most, t.enough_blocks))

    def emit(self) -> list[Phase]:
        if self.shares == 1:
            return [self._main(None)]
        place = self.kernel.room(self.results * self.shares * self.r.operand.dtype.nbytes)
        return [self._main(place), self._add_shares(place)]

    # -- the shares of all results

    def _main(self, place: int | None) -> Phase:
        r, k = self.r, self.kernel
        lanes = self._lanes()
        f = BlockFunction(k.module, self.name, lanes)
        e, t = f.e, f.threads
        x = k.start(f, lanes, [r.operand])
        target = k.result(e, f.table, r) if place is None else k.in_scratch(e, f.table, place)
        units, per_block = self.results * self.shares, THREADS // self.team
        thread = t.thread()
        unit = e.add(e.mul(f.block, per_block), e.div(thread, self.team)) if self.team < THREADS else f.block
        member = e.rem(thread, self.team) if self.team > 1 else e.const(0, I64)
        inside = e.const(True, BOOL) if units % per_block == 0 else e.compare("lt", unit, units)
        with e.when(inside), x.scope():
            result, share = unit, e.const(0, I64)
            if self.shares > 1:
                share, result = e.div(unit, self.results), e.rem(unit, self.results)
            decomposed(x, result, self.kept)
            steps = self.length // lanes
            low, high = e.const(0, I64), e.const(steps, I64)
            if self.shares > 1:
                size = -(-steps // self.shares)
                low = e.mul(share, size)
                high = e.least(e.add(low, size), steps)
            best = self._own(f, x, e.add(low, member), high, lanes, steps)
            best = met(f, r, self.team, best, member)
            with e.when(e.compare("eq", member, 0)):
                self._write(f, x, target, best, unit if place is not None else None)
        return f.finish(-(-units // per_block))

    def _lanes(self) -> int:
        if self.columns or self.r.position is not None or not self.reduced:
            return 1
        places = [(n.offset, n.source) for n in walk([self.r.operand]) if isinstance(n, Load)]
        lanes = self.kernel.lanes(self.reduced[-1], places, self.results * self.length)
        while lanes > 1 and self.length // lanes < 2 * self.team:
            lanes //= 2
        return lanes

    def _own(self, f: BlockFunction, x: ThreadExpressions, first: Reg, stop: Reg, lanes: int, steps: int) -> Best:
        """What this thread makes of its elements."""
        e, r = f.e, self.r
        turns = -(-steps // (self.team * self.shares))
        long = rounds(r.combine, r.operand.dtype) and turns > LONGEST
        a = Accumulator(r, "row", lanes).start(e, 1, long)
        with runs(e, first, stop, self.team, RUN if long else None, lambda: a.close(e)) as step, x.scope():
            decomposed(x, step, self.reduced, lanes)
            x.vector_axis = self.reduced[-1] if lanes > 1 else None
            here = None
            if r.position is not None:
                here = e.convert(x.scalar_index(axis_index(r.position)), I64)
            a.add(e, x.emit(r.operand), None, 0, here)
        x.vector_axis = None
        value = folded(e, r.combine, a.value(e)) if r.position is None else a.value(e)
        return value, (e.get(a.positions[0], I64) if r.position is not None else None)

    def _write(self, f: BlockFunction, x: ThreadExpressions, target: Reg, best: Best, unit: Reg | None) -> None:
        e, r = f.e, self.r
        value = best[0] if best[1] is None else e.convert(best[1], r.dtype)
        if unit is not None:
            e.store(e.offset(target, unit, value.type), value)
            return
        x.store(target, linear(r.index, r.result.type.shape), value)

    # -- shares of one result, made one

    def _add_shares(self, place: int) -> Phase:
        """A warp a result, where there are many shares; else a thread."""
        r, k = self.r, self.kernel
        team = WARP if self.shares > self.tuning.short_row else 1
        f = BlockFunction(k.module, f"{self.name}_shares")
        e, t, dtype = f.e, f.threads, r.operand.dtype
        x = k.start(f, 1, [])
        source, target = k.in_scratch(e, f.table, place), k.result(e, f.table, r)
        thread, per_block = t.thread(), THREADS // team
        unit = e.add(e.mul(f.block, per_block), e.div(thread, team))
        member = e.rem(thread, team)
        inside = e.const(True, BOOL) if self.results % per_block == 0 else e.compare("lt", unit, self.results)
        with e.when(inside), x.scope():
            decomposed(x, unit, self.kept)
            long = rounds(r.combine, dtype)
            a = Accumulator(r, "row").start(e, 1, long)
            with e.loop(member, e.const(self.shares, I64), team) as share:
                a.add(e, e.load(e.offset(source, e.add(e.mul(share, self.results), unit), dtype), dtype))
                a.close(e)
            best = met(f, r, team, (a.value(e), None), member)
            with e.when(e.compare("eq", member, 0)):
                self._write(f, x, target, best, None)
        return f.finish(-(-self.results // per_block))


class Team(Protocol):
    """A function in the making, whose threads meet."""

    e: Emitter
    threads: Threads
    shared_bytes: int


def met(f: Team, r: Reduction, team: int, best: Best, member: Reg) -> Best:
    """What a team's threads made of one result, as one: of a thread, a warp or a block."""
    t = f.threads
    mask = WARP // 2 if team > 1 else 0
    while mask:
        other = (t.from_lane(best[0], mask), None if best[1] is None else t.from_lane(best[1], mask))
        best = _better(f.e, r, best, other)
        mask //= 2
    return best if team <= WARP else block_joined(f, [best], member, [lambda a, b: _better(f.e, r, a, b)])[0]


def _better(e: Emitter, r: Reduction, a: Best, b: Best) -> Best:
    if a[1] is None or b[1] is None:
        return joined(e, r.combine, a[0], b[0]), None
    wins, loses = beats(e, r.combine, b[0], a[0]), beats(e, r.combine, a[0], b[0])
    second = e.or_(wins, e.and_(e.not_(loses), e.compare("lt", b[1], a[1])))
    return e.select(second, b[0], a[0]), e.select(second, b[1], a[1])


def block_joined(f: Team, values: Sequence[T], member: Reg, joins: Sequence[Callable[[T, T], T]]) -> list[T]:
    """What all warps of a block made of some reductions, each the same in all its lanes, as one; every thread has it then. Shared
    memory is used from its beginning on, and free again. A value is a register, or a tuple of them.
    """
    e, t = f.e, f.threads
    shared = t.shared()
    warp, lane = e.div(member, WARP), e.rem(member, WARP)
    slot = 8 * WARPS
    parts = [_registers(v) for v in values]
    flat = [r for part in parts for r in part]
    f.shared_bytes = max(f.shared_bytes, len(flat) * slot)
    rows = [e.offset(shared, n * slot, U8) for n in range(len(flat))]
    with e.when(e.compare("eq", lane, 0)):
        for row, r in zip(rows, flat, strict=True):
            e.store(e.offset(row, warp, r.type), r)
    t.barrier()
    found = [[e.load(e.offset(row, w, r.type), r.type) for w in range(WARPS)] for row, r in zip(rows, flat, strict=True)]
    t.barrier()
    out: list[T] = []
    for value, part, join in zip(values, parts, joins, strict=True):
        mine, found = found[: len(part)], found[len(part) :]
        warps = [_alike(value, [each[w] for each in mine]) for w in range(WARPS)]
        out.append(functools.reduce(join, warps))
    return out


def _registers(value: Reg | Best) -> list[Reg]:
    return [value] if isinstance(value, Reg) else [r for r in value if r is not None]


def _alike(value: T, registers: list[Reg]) -> T:
    if isinstance(value, Reg):
        return registers[0]
    return registers[0], (registers[1] if len(registers) > 1 else None)
