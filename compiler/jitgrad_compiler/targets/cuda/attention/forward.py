"""Attention's result: a block has some queries of a head and goes over its keys, tile by tile, with a running maximum and sum.

T. Dao, FlashAttention-2, 2023. Scores and weights are in registers alone. Tiles of keys that none of the queries sees by its
position are left out.
"""

from __future__ import annotations

from math import inf

from ....ir.types import F32
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..phases import Emitted, Phase, Pointers, Scratch
from .fragments import larger
from .heads import Heads, Pairs, exponential, finite
from .sides import Side, brought, leave, note_place, over_keys
from .tiles import Tiles


def emit_attention(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The function of attention_forward."""
    return Emitted([_Forward(module, name, Heads(kernel.eqns[0]), pointers).emit()])


class _Forward:
    def __init__(self, module: Module, name: str, h: Heads, pointers: Pointers) -> None:
        self.h, self.tiles = h, Tiles(module, name, h, 1)
        self.pointers = pointers

    def emit(self) -> Phase:
        h, tiles = self.h, self.tiles
        e, x = tiles.e, tiles.fragments
        side = Side(tiles, h.heads, h.queries, True)
        memory = self.pointers(e, tiles.f.table, [*h.arrays, *h.eqn.outputs])
        copy_query = brought(tiles, memory, h.arrays[0], side.example, side.head)
        copy_query(tiles.resident(0), side.first, tiles.rows)
        self.largest = [self._slot(-inf) for _ in range(x.parts)]
        self.totals = [self._slot(0.0) for _ in range(x.parts)]
        sums = x.zeros(h.features)

        def weigh(scores: list[Reg], stage: Reg) -> None:
            self._weigh(scores, sums)
            x.add(sums, scores, tiles.streamed(stage, 1))

        over_keys(tiles, side, Pairs(tiles.f, h, self.pointers, side.example, side.head), memory, weigh)
        totals = [x.over_row(e.get(slot, F32), "add") for slot in self.totals]
        largest = [finite(e, e.get(slot, F32)) for slot in self.largest]
        out, *notes = h.eqn.outputs
        leave(tiles, side, memory[out], sums, [e.div(1.0, total) for total in totals])
        for part in range(x.parts):
            row = side.row(tiles, part)
            own = e.and_(e.compare("lt", row, h.queries), e.compare("eq", x.first_column, 0))
            with e.when(own):
                for v, found in zip(notes, (largest, totals), strict=True):
                    e.store(note_place(tiles, memory[v], side.example, side.head, row), found[part])
        return tiles.f.finish(side.blocks, tiles.shared_bytes)

    def _slot(self, value: float) -> Reg:
        e = self.tiles.e
        slot = e.alloca(F32)
        e.set(slot, e.const(value, F32))
        return slot

    def _weigh(self, scores: list[Reg], sums: list[Reg]) -> None:
        """Scores become weights; what was summed up so far belongs to the largest score so far."""
        e, t, x = self.tiles.e, self.tiles.t, self.tiles.fragments
        wide = self.h.dtype == F32
        found = [x.numbers(slot) for slot in scores]
        factors, shifts = [], []
        for part in range(x.parts):
            before = e.get(self.largest[part], F32)
            best = before
            for numbers in found:
                for n in (0, 1):
                    best = larger(e, best, numbers[2 * part + n])
            best = x.over_row(best, "max")
            shift = finite(e, best)
            e.set(self.largest[part], best)
            factors.append(exponential(e, t, e.sub(before, shift), wide))
            shifts.append(shift)
        for part, factor in enumerate(factors):
            e.set(self.totals[part], e.mul(e.get(self.totals[part], F32), factor))
        for slot, numbers in zip(scores, found, strict=True):
            weights = [exponential(e, t, e.sub(s, shifts[n // 2]), wide) for n, s in enumerate(numbers)]
            for n, w in enumerate(weights):
                e.set(self.totals[n // 2], e.add(e.get(self.totals[n // 2], F32), w))
            x.put(slot, weights)
        for slot in sums:
            x.put(slot, [e.mul(s, factors[n // 2]) for n, s in enumerate(x.numbers(slot))])
