"""Which rows a block of attention's kernels has, and what becomes of its products with others: scores, and results in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....ir.graph import Var
from ....ir.types import BOOL, F32
from ...llvm_text import Reg
from .fragments import COLUMNS, NAMES
from .heads import Pairs
from .tiles import Tiles


class Side:
    """The warps' rows of a block: a head's queries, or keys, from `first` on."""

    def __init__(self, tiles: Tiles, heads: int, count: int, last_first: bool) -> None:
        e, f = tiles.e, tiles.f
        per = -(-count // tiles.rows)
        number = e.div(f.block, per)
        self.head, self.example = e.rem(number, heads), e.div(number, heads)
        place = e.rem(f.block, per)
        self.first = e.mul(e.sub(per - 1, place) if last_first else place, tiles.rows)
        self.last = e.least(e.add(self.first, tiles.rows), count)
        self.count, self.blocks, self.heads = count, per * heads * tiles.h.examples, heads
        x = tiles.fragments
        self.own = e.add(self.first, e.add(e.mul(x.warp, x.rows), x.line))
        """The lane's first row."""
        self.warp_first = e.add(self.first, e.mul(x.warp, x.rows))

    def row(self, tiles: Tiles, part: int) -> Reg:
        return tiles.e.add(self.own, 8 * part)


def start_of(tiles: Tiles, pointer: Reg, example: Reg, head: Reg, count: int, heads: int) -> Reg:
    """Where the first row of an example's head lies, of an array [examples, count, heads, features]."""
    e, h = tiles.e, tiles.h
    return e.offset(pointer, e.mul(e.add(e.mul(example, count * heads), head), h.features), h.dtype)


Bring = Callable[[Reg, Reg, int], None]
"""Copies to a tile, from a row on, so many."""


def brought(tiles: Tiles, memory: Mapping[Var, Reg], v: Var, example: Reg, head: Reg) -> Bring:
    """What copies rows of a head of an operand of the equation."""
    h = tiles.h
    count, heads, features = v.type.shape[-3:]
    base = start_of(tiles, memory[v], h.example(tiles.e, example, v, 4), head, count, heads)
    return lambda to, first, rows: tiles.copy(to, base, first, rows, count, heads * features)


def leave(tiles: Tiles, side: Side, pointer: Reg, sums: list[Reg], factors: list[Reg]) -> None:
    """Sums, times a factor of each row, as rows of an array [examples, count, heads, features]."""
    e, t, h, x = tiles.e, tiles.t, tiles.h, tiles.fragments
    base = start_of(tiles, pointer, side.example, side.head, side.count, side.heads)
    for part, factor in enumerate(factors):
        row = side.row(tiles, part)
        with e.when(e.compare("lt", row, side.count)):
            own = e.offset(base, e.add(e.mul(row, side.heads * h.features), x.first_column), h.dtype)
            for j, slot in enumerate(sums):
                two = [e.mul(n, factor) for n in x.numbers(slot)[2 * part : 2 * part + 2]]
                place = e.offset(own, COLUMNS * j, h.dtype)
                if h.dtype == F32:
                    e.store(place, e.insert(e.insert(e.poison(F32, 2), two[0], 0), two[1], 1), align=8)
                else:
                    e.store(place, t.pair(NAMES[h.dtype], *two))


def note_place(tiles: Tiles, pointer: Reg, example: Reg, head: Reg, query: Reg) -> Reg:
    """Where the number of a query lies in an array [examples, queries, heads] of float32."""
    e, h = tiles.e, tiles.h
    return e.offset(pointer, e.add(e.mul(e.add(e.mul(example, h.queries), query), h.heads), head), F32)


def finish(tiles: Tiles, pairs: Pairs, side: Side, products: list[Reg], first: Reg, queries: bool) -> None:
    """Products of the block's rows with a tile's from `first` on become scores. `queries`: whether the rows are these."""
    e, x = tiles.e, tiles.fragments
    for slot in products:
        x.put(slot, [pairs.score(n) for n in x.numbers(slot)])
    rows, columns = (side.warp_first, e.add(side.warp_first, x.rows)), (first, e.add(first, tiles.columns))
    plain = e.not_(pairs.all_seen(rows, columns) if queries else pairs.all_seen(columns, rows))
    with e.when(plain if not pairs.each_asked else e.const(True, BOOL)):
        for j, slot in enumerate(products):
            found = []
            for n, s in enumerate(x.numbers(slot)):
                row = side.row(tiles, n // 2)
                column = e.add(first, e.add(x.first_column, COLUMNS * j + n % 2))
                found.append(pairs.asked(s, *((row, column) if queries else (column, row))))
            x.put(slot, found)


Weigh = Callable[[list[Reg], Reg], None]
"""Takes the scores of a tile of keys, and the stage where that lies, with the tile of its values behind it."""


def over_keys(tiles: Tiles, side: Side, pairs: Pairs, memory: Mapping[Var, Reg], weigh: Weigh) -> None:
    """Go over the keys, and values, that some of the block's queries see by their positions; the queries are the first resident."""
    e, h, x = tiles.e, tiles.h, tiles.fragments
    _, key, value = h.arrays
    shared = e.div(side.head, h.heads // h.shared)
    copies = [brought(tiles, memory, v, side.example, shared) for v in (key, value)]
    low, count = tiles.numbers(*pairs.keys_of(side.first, side.last))

    def first(n: Reg) -> Reg:
        return e.mul(e.add(low, n), tiles.columns)

    def copy(n: Reg, stage: Reg) -> None:
        for number, bring in enumerate(copies):
            bring(tiles.streamed(stage, number), first(n), tiles.columns)

    def use(n: Reg, stage: Reg) -> None:
        scores = x.across(tiles.resident(0), tiles.streamed(stage, 0))
        finish(tiles, pairs, side, scores, first(n), True)
        weigh(scores, stage)

    tiles.stream(count, copy, use)
