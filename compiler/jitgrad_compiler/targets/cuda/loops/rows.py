"""Rows of several stages on a GPU, each done by a warp or a block: a row is read once, and its values stay in registers from
stage to stage.

A team's threads have some groups of elements each, which lie side by side. Every group has a scope of its own, open through all
stages, so that what one stage has computed the next one finds. Sums over rows are kept by each team, which goes on from row to row
then; a second phase adds what teams have.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ....ir.types import BOOL, I64
from ....kernels.affine import Axis, linear
from ....kernels.expression import Load, walk
from ....kernels.kernel import Reduction, Store
from ...combining import filled, folded, identity, joined
from ...expressions import reduced_nodes
from ...llvm_text import Reg
from ...long_sums import LONGEST, Total, rounds
from ..device import THREADS, WARP
from ..expressions import decomposed
from ..phases import BlockFunction, Phase
from .sums import block_joined

if TYPE_CHECKING:
    from .kernel import LoopKernel

MOST_ELEMENTS = 32
"""Of a row that one thread has, which take registers."""
MOST_NODES = 3000
"""Of expressions, written out for every group."""


class Rows:
    """The rows of a kernel: `rows` are the axes around them, `inner` those inside; `kinds` says of each reduction, by its id,
    whether it has one value a row ('row'), one for each place in a row ('outer') or one for all rows ('all').
    """

    def __init__(self, kernel: LoopKernel, inner: list[Axis], kinds: dict[int, str]) -> None:
        self.kernel, self.inner, self.kinds = kernel, inner, kinds
        self.rows = [a for a in kernel.axes if a not in inner]
        self.count, self.length = math.prod(a.extent for a in self.rows), math.prod(a.extent for a in inner)
        k, t = kernel.kernel, kernel.tuning
        self.team = WARP if self.length <= t.warp_row else THREADS
        self.per_block = THREADS // self.team
        places = [(n.offset, n.source) for n in walk(k.roots()) if isinstance(n, Load)]
        places += [(s.offset, s.target) for s in k.stores if inner[-1] in s.offset.axes]
        self.lanes = kernel.lanes(inner[-1], places, self.count * self.length)
        while self.lanes > 1 and self.length < self.lanes * self.team:
            self.lanes //= 2
        self.groups = -(-self.length // (self.team * self.lanes))
        self.across = [r for r in k.reductions if kinds[id(r)] != "row"]
        most = t.enough_blocks // 2 * self.per_block
        self.teams = min(self.count, most) if self.across else self.count
        self.long = -(-self.count // self.teams) > LONGEST

    def emit(self) -> list[Phase]:
        """The phases."""
        places = {id(r): self.length if self.kinds[id(r)] == "outer" else 1 for r in self.across}
        self.room = {id(r): self.kernel.room(self.teams * places[id(r)] * r.operand.dtype.nbytes) for r in self.across}
        phases = [self._main()]
        for r in self.across:
            phases.append(self._together(r, f"{self.kernel.name}_{len(phases)}"))
        return phases

    # -- rows

    def _main(self) -> Phase:
        k = self.kernel
        f = BlockFunction(k.module, f"{k.name}_0", self.lanes)
        e, t = f.e, f.threads
        self.f, self.x = f, k.start(f, self.lanes, k.kernel.roots())
        self.x.width = self.lanes
        thread = t.thread()
        self.member = e.rem(thread, self.team)
        number = f.block if self.team == THREADS else e.add(e.mul(f.block, self.per_block), e.div(thread, self.team))
        self.targets = k.pointers(e, f.table, [s.target for s in k.kernel.stores])
        with e.when(e.const(True, BOOL) if self.teams % self.per_block == 0 else e.compare("lt", number, self.teams)):
            self.sums = {id(r): self._sums(r) for r in self.across}
            if self.teams == self.count:
                self._row(number)
            else:
                with e.loop(number, e.const(self.count, I64), self.teams) as row:
                    self._row(row)
            for r in self.across:
                self._leave(r, number)
        return f.finish(-(-self.teams // self.per_block))

    def _sums(self, r: Reduction) -> list[_RunningValue]:
        """What this thread has of a sum over rows, for each of its groups or for all."""
        count = self.groups if self.kinds[id(r)] == "outer" else 1
        return [_RunningValue(self.f, r, self.lanes, self.long) for _ in range(count)]

    def _row(self, number: Reg) -> None:
        k, x, e = self.kernel.kernel, self.x, self.f.e
        scopes: list[dict[object, Reg]] = [{} for _ in range(self.groups)]
        with x.scope():
            decomposed(x, number, self.rows)
            for x.stage in range(max(n.stage for n in k.roots()) + 1):
                reductions = [r for r in k.reductions if r.operand.stage == x.stage]
                stores = [s for s in k.stores if s.node.stage == x.stage]
                looped = [r for r in reductions if self._varies(r.operand.axes) or self.kinds[id(r)] == "row"]
                inside = [s for s in stores if self._varies(s.offset.axes)]
                x.hoist([*[r.operand for r in looped], *[s.node for s in inside]], self.inner)
                held: dict[int, Reg] = {}
                for g in range(self.groups):
                    with self._group(g, scopes[g]) as mask:
                        self._take(looped, held, g, mask)
                        self._store(inside, mask)
                self._bind([r for r in looped if self.kinds[id(r)] == "row"], held)
                for r in reductions:
                    if r not in looped:
                        self._take_once(r)
                self._store([s for s in stores if s not in inside], e.compare("eq", self.member, 0))
            x.stage = 0

    def _varies(self, axes: frozenset[Axis]) -> bool:
        return not axes.isdisjoint(self.inner)

    @contextmanager
    def _group(self, g: int, scope: dict[object, Reg]) -> Iterator[Reg]:
        """The expressions at a group of this thread's elements; whether the row has it."""
        e, x = self.f.e, self.x
        units = self.length // self.lanes
        unit = e.add(self.member, g * self.team)
        mask = e.const(True, BOOL)
        if (g + 1) * self.team > units:
            mask = e.compare("lt", unit, units)
            unit = e.least(unit, units - 1)
        x.scopes.append(scope)
        decomposed(x, unit, self.inner, self.lanes)
        x.vector_axis = self.inner[-1] if self.lanes > 1 else None
        yield mask
        x.vector_axis = None
        x.scopes.pop()

    def _take(self, reductions: Sequence[Reduction], held: dict[int, Reg], g: int, mask: Reg) -> None:
        """A group's values join what reductions have."""
        e, x = self.f.e, self.x
        for r in reductions:
            value = e.splat(x.emit(r.operand), self.lanes)
            value = filled(e, r.combine, value, None if mask.constant else mask)
            if self.kinds[id(r)] == "row":
                before = held.get(id(r))
                held[id(r)] = value if before is None else joined(e, r.combine, before, value)
            else:
                slots = self.sums[id(r)]
                slots[g if len(slots) > 1 else 0].add(value)

    def _take_once(self, r: Reduction) -> None:
        """One value a row, which one thread has."""
        e = self.f.e
        value = self.x.emit(r.operand)
        first = e.compare("eq", self.member, 0)
        value = e.select(first, value, e.const(identity(r.combine, value.type), value.type))
        if self.lanes > 1:
            value = e.insert(e.const(identity(r.combine, value.type), value.type, self.lanes), value, 0)
        self.sums[id(r)][0].add(value)

    def _bind(self, reductions: Sequence[Reduction], held: dict[int, Reg]) -> None:
        """The results of a row, which all threads of the team have from here on."""
        e, x = self.f.e, self.x
        values = [folded(e, r.combine, held[id(r)]) for r in reductions]
        for r, value in zip(reductions, self._met(reductions, values), strict=True):
            for node in reduced_nodes(self.kernel.kernel.roots()):
                if node.reduction is r:
                    x.bind(node, value)
            if r.stored:
                target = self.kernel.result(e, self.f.table, r)
                with e.when(e.compare("eq", self.member, 0)), x.scope():
                    x.store(target, linear(r.index, r.result.type.shape), value)

    def _met(self, reductions: Sequence[Reduction], values: list[Reg]) -> list[Reg]:
        """What the threads of a team have of each reduction, as one."""
        e, t = self.f.e, self.f.threads
        mask = WARP // 2
        while mask:
            values = [joined(e, r.combine, v, t.from_lane(v, mask)) for r, v in zip(reductions, values, strict=True)]
            mask //= 2
        if self.team == WARP or not values:
            return values
        return block_joined(self.f, values, self.member, [functools.partial(joined, e, r.combine) for r in reductions])

    def _store(self, stores: Sequence[Store], mask: Reg) -> None:
        x = self.x
        values = [x.emit(s.node) for s in stores]
        if stores:
            with self.f.e.when(mask), x.scope():
                for s, value in zip(stores, values, strict=True):
                    x.store(self.targets[s.target], s.offset, value)

    # -- sums over rows

    def _leave(self, r: Reduction, number: Reg) -> None:
        """What a team has of a sum, into scratch memory."""
        e, k, dtype = self.f.e, self.kernel, r.operand.dtype
        place = k.in_scratch(e, self.f.table, self.room[id(r)])
        values = [s.value() for s in self.sums[id(r)]]
        if self.kinds[id(r)] == "all":
            (value,) = self._met([r], [folded(e, r.combine, values[0])])
            with e.when(e.compare("eq", self.member, 0)):
                e.store(e.offset(place, number, dtype), value)
            return
        for g, value in enumerate(values):
            with self._group(g, {}) as mask, e.when(mask):
                unit = e.add(self.member, g * self.team)
                at = e.add(e.mul(number, self.length), e.mul(unit, self.lanes))
                e.store(e.offset(place, at, dtype), value, align=0 if dtype == BOOL else self.lanes * dtype.nbytes)

    def _together(self, r: Reduction, name: str) -> Phase:
        """What the teams have, made one: a warp's threads have neighbouring results, its warps take turns with the teams."""
        k, dtype = self.kernel, r.operand.dtype
        results = self.length if self.kinds[id(r)] == "outer" else 1
        f = BlockFunction(k.module, name)
        e, t = f.e, f.threads
        x = k.start(f, 1, [])
        source, target = k.in_scratch(e, f.table, self.room[id(r)]), k.result(e, f.table, r)
        thread = t.thread()
        if results == 1:
            value = _RunningValue(f, r, 1, -(-self.teams // THREADS) > LONGEST)
            with e.loop(thread, e.const(self.teams, I64), THREADS) as team:
                value.add(e.load(e.offset(source, team, dtype), dtype))
            self.f, self.member, before = f, thread, self.team
            self.team = THREADS
            (total,) = self._met([r], [value.value()])
            self.team = before
            with e.when(e.compare("eq", thread, 0)):
                x.store(target, linear(r.index, r.result.type.shape), total)
            return f.finish(1)
        warp, lane = e.div(thread, WARP), e.rem(thread, WARP)
        column = e.add(e.mul(f.block, WARP), lane)
        read = e.least(column, results - 1)
        turns = THREADS // WARP
        value = _RunningValue(f, r, 1, -(-self.teams // turns) > LONGEST)
        with e.loop(warp, e.const(self.teams, I64), turns) as team:
            value.add(e.load(e.offset(source, e.add(e.mul(team, results), read), dtype), dtype))
        shared = t.shared()
        f.shared_bytes = max(f.shared_bytes, THREADS * 8)
        e.store(e.offset(shared, thread, dtype), value.value())
        t.barrier()
        first = e.and_(e.compare("eq", warp, 0), e.compare("lt", column, results))
        with e.when(first), x.scope():
            decomposed(x, column, self.inner)
            total = e.load(e.offset(shared, lane, dtype), dtype)
            for n in range(1, turns):
                total = joined(e, r.combine, total, e.load(e.offset(shared, e.add(lane, n * WARP), dtype), dtype))
            x.store(target, linear(r.index, r.result.type.shape), total)
        return f.finish(-(-results // WARP))


class _RunningValue:
    """What a thread has of a sum over rows; `long` says that many values join, so that rounding errors are kept."""

    def __init__(self, f: BlockFunction, r: Reduction, lanes: int, long: bool) -> None:
        self.e, self.combine, self.dtype, self.lanes = f.e, r.combine, r.operand.dtype, lanes
        self.total = Total.start(f.e, self.dtype, lanes) if long and rounds(r.combine, self.dtype) else None
        if self.total is None:
            self.slot = f.e.alloca(self.dtype, lanes)
            f.e.set(self.slot, f.e.const(identity(r.combine, self.dtype), self.dtype, lanes))

    def add(self, value: Reg) -> None:
        if self.total is not None:
            self.total.add(self.e, value)
        else:
            self.e.set(self.slot, joined(self.e, self.combine, self.e.get(self.slot, self.dtype, self.lanes), value))

    def value(self) -> Reg:
        return self.e.get(self.slot, self.dtype, self.lanes) if self.total is None else self.total.value(self.e)


def rows_of(kernel: LoopKernel) -> Rows | None:
    """A kernel as rows; None where it is something else, or its rows are too long for registers."""
    k = kernel.kernel
    inner = [a for a in kernel.axes if a in k.inner]
    row_axes, inside = frozenset(kernel.axes) - frozenset(inner), frozenset(inner)
    length, count = math.prod(a.extent for a in inner), math.prod(a.extent for a in row_axes)
    if not inner or not length or not count or length > MOST_ELEMENTS * THREADS:
        return None
    kinds: dict[int, str] = {}
    for r in k.reductions:
        over, left = r.axes & frozenset(kernel.axes), frozenset(a for i in r.index for a in i.axes)
        if r.position is not None:
            return None
        if over == inside and left <= row_axes:
            kinds[id(r)] = "row"
        elif over == row_axes and left == inside:
            kinds[id(r)] = "outer"
        elif not left and (over == row_axes | inside or over == row_axes and r.operand.axes.isdisjoint(inside)):
            kinds[id(r)] = "all"
        else:
            return None
    if any(kinds[id(n.reduction)] != "row" for n in reduced_nodes(k.roots())):
        return None
    for s in k.stores:
        axes = (s.node.axes | s.offset.axes) & frozenset(kernel.axes)
        if not axes >= row_axes or s.offset.axes & inside not in (frozenset(), inside) or axes & inside != s.offset.axes & inside:
            return None
    made = Rows(kernel, inner, kinds)
    return made if made.groups * len(walk(k.roots())) <= MOST_NODES else None
