"""The cotangents of attention's query, key and value. Weights are computed again from scores, largest scores and sums.

With weights p, the cotangent c of the result o and D = sum(c * o) of each query, v's is p.T @ c, that of the scores is
s = p * (c @ v.T - D), and those of q and k are scale * s @ k and scale * s.T @ q (T. Dao, FlashAttention-2, 2023). Three phases: D,
into scratch memory; then blocks that have queries and go over keys; then blocks that have keys and go over queries of all heads
that share them. So no two blocks add to one number, and sums are the same bits whoever runs first. For 16 bits s is rounded before
its products, as p is. No s is larger than half of the largest |c @ v.T|, for p (1 - p) <= 1/4: what is finite where that has 16
bits, as in the formula, is finite here.
"""

from __future__ import annotations

from ....ir.graph import Var
from ....ir.types import F32
from ....kernels.kernel import Kernel
from ....kernels.memory import aligned
from ...llvm_text import Module, Reg
from ..device import THREADS
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch
from .fragments import Fragments
from .heads import MASKED, Heads, Pairs, exponential, vars_of
from .sides import Side, brought, finish, leave, note_place, over_keys
from .tiles import ASIDE, Tiles

LARGEST, INVERSE, DOT = 0, 1, 2
"""What is noted of a query: its largest score, the inverse of its sum, and D."""


def emit_attention_gradient(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The functions of attention_gradient."""
    g = _Gradient(module, name, Heads(kernel.eqns[0]), pointers, scratch)
    active = g.h.params["active"]
    phases = [g.dots()]
    if active[0]:
        phases.append(g.of_queries())
    if active[1] or active[2]:
        phases.append(g.of_keys())
    return Emitted(phases, aligned(g.h.examples * g.h.queries * g.h.heads * 4))


class _Gradient:
    def __init__(self, module: Module, name: str, h: Heads, pointers: Pointers, scratch: Scratch) -> None:
        self.module, self.name, self.h, self.pointers, self.scratch = module, name, h, pointers, scratch
        self.query, self.key, self.value = h.arrays
        self.out, self.largest, self.totals, self.ct = vars_of(h.eqn.inputs[-4:])
        asked = [n for n, there in enumerate(h.params["active"]) if there]
        self.results: dict[int, Var] = dict(zip(asked, h.eqn.outputs, strict=True))

    def dots(self) -> Phase:
        """D, a thread a query and head."""
        h, f = self.h, BlockFunction(self.module, f"{self.name}_dots")
        e, lanes = f.e, ASIDE // h.dtype.nbytes
        memory = self.pointers(e, f.table, [self.out, self.ct])
        number = e.add(e.mul(f.block, THREADS), f.threads.thread())
        rows = h.queries * h.heads
        with e.when(e.compare("lt", number, h.examples * rows)):
            example, row = e.div(number, rows), e.rem(number, rows)
            total = e.alloca(F32)
            e.set(total, e.const(0, F32))
            starts = []
            for v in (self.out, self.ct):
                place = e.mul(e.add(e.mul(h.example(e, example, v, 4), rows), row), h.features)
                starts.append(e.offset(memory[v], place, h.dtype))
            with e.loop(0, h.features, lanes) as n:
                x, y = (e.load(e.offset(s, n, h.dtype), h.dtype, lanes, align=ASIDE) for s in starts)
                for lane in range(lanes):
                    a, b = (e.convert(e.extract(v, lane), F32) for v in (x, y))
                    e.set(total, e.fma(a, b, e.get(total, F32)))
            e.store(e.offset(self.scratch(e, f.table), number, F32), e.get(total, F32))
        return f.finish(-(-h.examples * rows // THREADS))

    def of_queries(self) -> Phase:
        h, tiles = self.h, Tiles(self.module, f"{self.name}_queries", self.h, 2)
        e, x, side = tiles.e, tiles.fragments, Side(tiles, self.h.heads, self.h.queries, True)
        memory = self._memory(tiles, self.results[0])
        for number, v in enumerate((self.query, self.ct)):
            brought(tiles, memory, v, side.example, side.head)(tiles.resident(number), side.first, tiles.rows)
        notes = []
        for part in range(x.parts):
            row = e.least(side.row(tiles, part), h.queries - 1)
            notes.append(self._notes(tiles, memory, side.example, side.head, row))
        sums = x.zeros(h.features)

        def weigh(scores: list[Reg], stage: Reg) -> None:
            moved = x.across(tiles.resident(1), tiles.streamed(stage, 1))
            for slot, by in zip(scores, moved, strict=True):
                found = []
                for m, (s, c) in enumerate(zip(x.numbers(slot), x.numbers(by), strict=True)):
                    largest, inverse, dot = notes[m // 2]
                    found.append(self._moved(x, s, self._weight(x, s, largest, inverse), c, dot))
                x.put(slot, found)
            x.add(sums, scores, tiles.streamed(stage, 0))

        over_keys(tiles, side, Pairs(tiles.f, h, self.pointers, side.example, side.head), memory, weigh)
        leave(tiles, side, memory[self.results[0]], sums, [e.const(h.params["scale"], F32)] * x.parts)
        return tiles.f.finish(side.blocks, tiles.shared_bytes)

    def of_keys(self) -> Phase:
        h, tiles = self.h, Tiles(self.module, f"{self.name}_keys", self.h, 2, 3)
        e, x, side = tiles.e, tiles.fragments, Side(tiles, self.h.shared, self.h.keys, False)
        outs = [self.results[n] for n in (1, 2) if n in self.results]
        memory = self._memory(tiles, *outs)
        for number, v in enumerate((self.key, self.value)):
            brought(tiles, memory, v, side.example, side.head)(tiles.resident(number), side.first, tiles.rows)
        groups = h.heads // h.shared
        seeing = Pairs(tiles.f, h, self.pointers, side.example, e.mul(side.head, groups)).queries_of(side.first, side.last)
        low, per = tiles.numbers(*seeing)
        of_keys, of_values = x.zeros(h.features), x.zeros(h.features)

        def place(n: Reg) -> tuple[Reg, Reg]:
            """The head, and the first query, of a streamed tile."""
            return e.add(e.mul(side.head, groups), e.div(n, per)), e.mul(e.add(low, e.rem(n, per)), tiles.columns)

        def copy(n: Reg, stage: Reg) -> None:
            head, first = place(n)
            for number, v in enumerate((self.query, self.ct)):
                brought(tiles, memory, v, side.example, head)(tiles.streamed(stage, number), first, tiles.columns)
            with e.when(e.compare("lt", tiles.thread, tiles.columns)):
                query = e.add(first, tiles.thread)
                there = e.compare("lt", query, h.queries)
                found = self._notes(tiles, memory, side.example, head, e.least(query, h.queries - 1))
                for number, note in enumerate(found):
                    e.store(tiles.note(stage, number, tiles.thread), e.select(there, note, 0.0))

        def use(n: Reg, stage: Reg) -> None:
            head, first = place(n)
            scores = x.across(tiles.resident(0), tiles.streamed(stage, 0))
            finish(tiles, Pairs(tiles.f, h, self.pointers, side.example, head), side, scores, first, False)
            weights = [e.alloca(F32, x.width) for _ in scores]

            def of_column(number: int, j: int) -> list[Reg]:
                two = e.load(tiles.note(stage, number, e.add(x.first_column, 8 * j)), F32, 2, align=8)
                return [e.extract(two, n % 2) for n in range(x.width)]

            for j, (slot, weight) in enumerate(zip(scores, weights, strict=True)):
                kinds = zip(x.numbers(slot), of_column(LARGEST, j), of_column(INVERSE, j), strict=True)
                x.put(weight, [self._weight(x, *numbers) for numbers in kinds])
            x.add(of_values, weights, tiles.streamed(stage, 1))
            moved = x.across(tiles.resident(1), tiles.streamed(stage, 1))
            for j, (slot, weight, by) in enumerate(zip(scores, weights, moved, strict=True)):
                moves = zip(x.numbers(slot), x.numbers(weight), x.numbers(by), of_column(DOT, j), strict=True)
                x.put(slot, [self._moved(x, *numbers) for numbers in moves])
            x.add(of_keys, scores, tiles.streamed(stage, 0))

        tiles.stream(e.mul(per, groups), copy, use)
        for number, sums, factor in ((1, of_keys, h.params["scale"]), (2, of_values, 1.0)):
            if number in self.results:
                leave(tiles, side, memory[self.results[number]], sums, [e.const(factor, F32)] * x.parts)
        return tiles.f.finish(side.blocks, tiles.shared_bytes)

    # -- what they share

    def _memory(self, tiles: Tiles, *results: Var) -> dict[Var, Reg]:
        read = [self.query, self.key, self.value, self.largest, self.totals, self.ct]
        return self.pointers(tiles.e, tiles.f.table, [*read, *results])

    def _notes(self, tiles: Tiles, memory: dict[Var, Reg], example: Reg, head: Reg, query: Reg) -> tuple[Reg, Reg, Reg]:
        e, h = tiles.e, self.h
        found = []
        for v in (self.largest, self.totals):
            found.append(e.load(note_place(tiles, memory[v], h.example(e, example, v, 3), head, query), F32))
        dot = e.load(note_place(tiles, self.scratch(e, tiles.f.table), example, head, query), F32)
        return found[0], e.div(1.0, found[1]), dot

    def _weight(self, x: Fragments, score: Reg, largest: Reg, inverse: Reg) -> Reg:
        e = x.e
        return e.mul(exponential(e, x.t, e.sub(score, largest), self.h.dtype == F32), inverse)

    def _moved(self, x: Fragments, score: Reg, weight: Reg, product: Reg, dot: Reg) -> Reg:
        """The cotangent of a score; of one that a query sees for want of others, 0."""
        e = x.e
        found = e.mul(weight, e.sub(product, dot))
        return e.select(e.compare("eq", score, MASKED), 0.0, found) if self.h.all_alike else found
