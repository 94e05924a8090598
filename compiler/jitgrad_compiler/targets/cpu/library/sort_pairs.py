"""Rows that are sorted as pairs of keys and places: where pairs come from, which of their bits differ, how they become results.
Next: radix.py.
"""

from __future__ import annotations

from ....ir.graph import Var
from ....ir.types import U64
from ...emitter import Emitter
from ...llvm_text import Reg
from ...tasks.sort_rows import Rows
from .radix import Pairs


class Varying:
    """Which bits differ among keys: those in the "or" of all and not in the "and"."""

    def __init__(self, e: Emitter) -> None:
        self.e, self.some, self.all = e, e.alloca(U64), e.alloca(U64)

    def start(self) -> None:
        self.e.set(self.some, self.e.const(0, U64))
        self.e.set(self.all, self.e.const(-1, U64))

    def include(self, some: Reg, all: Reg) -> None:
        self.e.set(self.some, self.e.or_(self.e.get(self.some, U64), some))
        self.e.set(self.all, self.e.and_(self.e.get(self.all, U64), all))

    def digit(self, pairs: Pairs, shift: Reg) -> Reg:
        """Whether the keys' digits at bit `shift` differ."""
        bits = self.e.xor(self.e.get(self.some, U64), self.e.get(self.all, U64))
        return self.e.compare("ne", pairs.digit(self.e, bits, shift), 0)


def load_pairs(
    e: Emitter, rows: Rows, pairs: Pairs, memory: dict[Var, Reg], base: Reg, buffer: Reg, low: Reg, high: Reg, varying: Varying
) -> None:
    """The pairs of a row's elements from low to high."""
    varying.start()
    with e.loop(low, high) as i:
        pair = pairs.make(e, rows.load_key(e, memory, rows.at(e, base, i)), i)
        varying.include(pair[0], pair[0])
        pairs.store(e, buffer, i, pair)


def store_sorted(e: Emitter, rows: Rows, pairs: Pairs, memory: dict[Var, Reg], row: Reg, buffer: Reg, low: Reg, high: Reg) -> None:
    """The results from low to high of a row whose pairs are sorted."""
    take = rows.taker(e, memory, row)
    with e.loop(low, e.least(high, rows.kept) if rows.kept < rows.n else high) as i:
        take(pairs.place(e, pairs.load(e, buffer, i)), i)
