"""A block of threads over tiles: its warps have rows of resident ones, and go over others, which come while they multiply.

shared memory    the resident tiles; one or two stages of two streamed tiles each and notes about their rows; and for float32
                 where warps exchange weights (fragments.py)
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import BOOL, F32, I64, U8
from ...llvm_text import Module, Reg
from ..device import THREADS, WARPS
from ..phases import BlockFunction
from .fragments import Fragments, Halves, Words, exchange_bytes, stride
from .heads import Heads

MOST_SHARED = 99 << 10
"""Bytes that every GPU can lend a block."""
ASIDE = 16
"""Bytes that are copied at once."""

Copy = Callable[[Reg, Reg], None]
"""Brings the tiles of a number to a stage."""


def rows_of(h: Heads) -> int:
    """The rows of a block."""
    return WARPS * (Words.rows if h.dtype == F32 else Halves.rows)


def columns_of(h: Heads) -> int:
    """The rows of a streamed tile."""
    return (64 if h.features <= 64 else 32) // (2 if h.dtype == F32 else 1)


class Tiles:
    """The function of a block in the making."""

    def __init__(self, module: Module, name: str, h: Heads, residents: int, notes: int = 0) -> None:
        self.h, self.f = h, BlockFunction(module, name)
        self.e, self.t = self.f.e, self.f.threads
        self.rows, self.columns, self.stride = rows_of(h), columns_of(h), stride(h.dtype, h.features)
        self.residents = residents
        self.tile_bytes = self.columns * self.stride * h.dtype.nbytes
        self.stage_bytes = 2 * self.tile_bytes + notes * self.columns * 4
        exchange = exchange_bytes(self.columns) if h.dtype == F32 else 0
        fixed = residents * self._resident_bytes + exchange
        self.stages = 2 if fixed + 2 * self.stage_bytes <= MOST_SHARED else 1
        self.shared_bytes = fixed + self.stages * self.stage_bytes
        self.thread, self.shared = self.t.thread(), self.t.shared()
        room = self.shared_bytes - exchange
        self.fragments: Fragments = (
            Words(self.f, h.dtype, h.features, self.columns, room)
            if h.dtype == F32
            else Halves(self.f, h.dtype, h.features, self.columns)
        )

    @property
    def _resident_bytes(self) -> int:
        return self.rows * self.stride * self.h.dtype.nbytes

    def resident(self, number: int) -> Reg:
        """Where a resident tile lies."""
        return self.e.offset(self.shared, number * self._resident_bytes, U8)

    def stage(self, number: Reg) -> Reg:
        """Where the stage of a streamed number lies."""
        e = self.e
        first = e.offset(self.shared, self.residents * self._resident_bytes, U8)
        return e.offset(first, e.mul(e.and_(number, 1), self.stage_bytes), U8) if self.stages > 1 else first

    def streamed(self, stage: Reg, number: int) -> Reg:
        """A tile of a stage."""
        return self.e.offset(stage, number * self.tile_bytes, U8)

    def note(self, stage: Reg, number: int, row: Reg | int) -> Reg:
        """A note of a stage about a row, a float32."""
        e = self.e
        notes = e.offset(stage, 2 * self.tile_bytes + number * self.columns * 4, U8)
        return e.offset(notes, row, F32)

    def copy(self, to: Reg, source: Reg, first: Reg, rows: int, limit: int, step: int) -> None:
        """Rows from one on, which lie `step` elements apart, on their way into a tile; zeros in place of those from `limit` on."""
        e, dtype = self.e, self.h.dtype
        lanes = ASIDE // dtype.nbytes
        per = self.h.features // lanes
        for n in range(0, rows * per, THREADS):
            unit = e.add(self.thread, n)
            inside = e.const(True, BOOL) if n + THREADS <= rows * per else e.compare("lt", unit, rows * per)
            with e.when(inside):
                line, part = e.div(unit, per), e.mul(e.rem(unit, per), lanes)
                row = e.add(first, line)
                there = e.compare("lt", row, limit)
                place = e.add(e.mul(e.least(row, limit - 1), step), part)
                self.t.copy(e.offset(to, e.add(e.mul(line, self.stride), part), dtype), e.offset(source, place, dtype), there)

    def numbers(self, low: Reg, high: Reg) -> tuple[Reg, Reg]:
        """The number of the first tile that has rows from `low` up to `high`, and how many have."""
        e = self.e
        first = e.div(low, self.columns)
        count = e.sub(e.div(e.add(high, self.columns - 1), self.columns), first)
        return first, e.select(e.compare("lt", low, high), count, 0)

    def stream(self, count: Reg, copy: Copy, use: Copy) -> None:
        """Copy and use tiles of all numbers below `count`; residents that are on their way have come by then."""
        e, t = self.e, self.t
        if self.stages == 1:
            with e.loop(0, count) as n:
                copy(n, self.stage(n))
                self._come(2)
                use(n, self.stage(n))
                t.barrier()
        else:
            with e.when(e.compare("gt", count, 0)):
                copy(e.const(0, I64), self.stage(e.const(0, I64)))
            t.end_copies()
            with e.loop(0, count) as n:
                following = e.add(n, 1)
                with e.when(e.compare("lt", following, count)):
                    copy(following, self.stage(following))
                self._come(1)
                use(n, self.stage(n))
                t.barrier()
        self._come(2)

    def _come(self, groups: int) -> None:
        """Wait until all copies have come but those of the last group."""
        for _ in range(groups):
            self.t.end_copies()
        self.t.wait_for_copies()
        self.t.barrier()
