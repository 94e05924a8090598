"""Long rows, and few ones: of rows times columns elements, transforms of columns, turns, transforms of rows (D. H. Bailey, FFTs in
external or hierarchical memory, 1990).

Element c + columns * r of a row is seen at [r, c]. As many columns as a vector has lanes are transformed side by side, each turned
by w^(k c), and stored as one block. A vector of rows k is then read across the blocks, transformed, and goes where it belongs
without being turned round: element k + rows * l is that of row k, place l.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.types import I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ..partition import partition
from ..phases import Emitted, Phase, each_task
from .butterflies import lanes_of, load, store, times
from .halves import ROOTS, emit_join_row, emit_part_row, root_from
from .moves import emit_pairs_in, emit_pairs_out, emit_square, shared
from .roots import lanes_table, split_roots
from .transforms import Transforms


def split(n: int, lanes: int) -> tuple[int, int]:
    """Rows and columns: near each other, and multiples of a vector's lanes where that can be."""

    def cost(rows: int) -> float:
        idle = sum(-(-m // lanes) * lanes / m for m in (rows, n // rows))
        return idle + abs(math.log2(rows * rows / n)) / 8

    rows = min((d for k in range(1, math.isqrt(n) + 1) if n % k == 0 for d in (k, n // k)), key=cost)
    return rows, n // rows


def emit_turn(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 n, i64 first, ROOTS)`: elements k < n times w^(k first), and what ROOTS have for a lane."""
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, target, n, first, *roots = e.args
        with e.loop(0, n) as k:
            at = e.mul(k, 2 * lanes)
            root = times(e, load(e, e.offset(roots[3], at, dtype), dtype), root_from(e, e.mul(k, first), roots, dtype))
            store(e, e.offset(target, at, dtype), times(e, load(e, e.offset(source, at, dtype), dtype), root))

    arguments = [("from", PTR), ("to", PTR), ("n", I64), ("first", I64), *ROOTS]
    return shared(module, f"fft_turn_{dtype}", arguments, body)


class LongRows:
    def __init__(self, transforms: Transforms) -> None:
        self.t = t = transforms
        self.rows, self.columns = split(t.length, t.lanes)
        self.row_blocks, self.column_blocks = (-(-m // t.lanes) for m in (self.rows, self.columns))
        self.block = self.row_blocks * t.lanes * 2 * t.lanes
        """Numbers of a block: of a vector of columns all elements, with room for whole vectors of rows."""
        self.blocks = self.block * self.column_blocks
        self.row = self.blocks + (2 * t.length if t.makes_real else 0)
        """Numbers of scratch memory that a row takes: its blocks, and behind them what of real results is transformed."""
        self.buffer = t.buffer(max(self.rows, self.columns))

    def emit(self) -> Emitted:
        return self._by_rows() if self.t.outer >= self.t.most_tasks else self._by_blocks()

    def _by_rows(self) -> Emitted:
        """Each task does rows from their beginning to their end."""
        t = self.t
        parts = partition(t.outer, t.most_tasks)
        room = 2 * self.buffer + self.row
        e = t.function()
        x, out, memory = t.memory(e)
        with each_task(e, parts.tasks) as task:
            mine = t.at(e, memory, e.mul(task, room))
            work = t.at(e, mine, self.row)
            with e.loop(*parts.bounds(e, task)) as row:
                source, target = t.at(e, x, e.mul(row, t.row_in)), t.at(e, out, e.mul(row, t.row_out))
                end = e.const(t.length // 2 + 1, I64)
                if t.makes_real:
                    self._part(e, source, mine, e.const(1, I64), end)
                with e.loop(0, self.column_blocks) as block:
                    self._columns(e, source, mine, block, work)
                with e.loop(0, self.row_blocks) as block:
                    self._rows(e, mine, target, block, work)
                if t.takes_real:
                    self._join(e, target, e.const(1, I64), end)
        e.finish()
        return Emitted([Phase(e.name, parts.tasks)], parts.tasks * room * t.dtype.nbytes)

    def _by_blocks(self) -> Emitted:
        """Tasks do parts of rows, phase by phase."""
        t = self.t
        half = t.length // 2  # k from 1 on of the halves
        pieces = -(-half // t.lanes)
        phases, tasks = [], 0

        def phase(name: str, units: int, body: Callable[[Emitter, Reg, Reg, Reg, Reg, Reg], None]) -> None:
            nonlocal tasks
            parts = partition(t.outer * units, t.most_tasks)
            e = t.function(name)
            x, out, memory = t.memory(e)
            with each_task(e, parts.tasks) as task:
                work = t.at(e, memory, e.add(e.mul(task, 2 * self.buffer), t.outer * self.row))
                with e.loop(*parts.bounds(e, task)) as unit:
                    row, piece = e.div(unit, units), e.rem(unit, units)
                    source, target = t.at(e, x, e.mul(row, t.row_in)), t.at(e, out, e.mul(row, t.row_out))
                    body(e, source, target, t.at(e, memory, e.mul(row, self.row)), piece, work)
            e.finish()
            phases.append(Phase(e.name, parts.tasks))
            tasks = max(tasks, parts.tasks)

        def bounds(e: Emitter, piece: Reg) -> tuple[Reg, Reg]:
            first = e.add(e.mul(piece, t.lanes), 1)
            return first, e.least(e.add(first, t.lanes), half + 1)

        if t.makes_real:
            phase("_part", pieces, lambda e, x, out, mine, n, work: self._part(e, x, mine, *bounds(e, n)))
        phase("_columns", self.column_blocks, lambda e, x, out, mine, n, work: self._columns(e, x, mine, n, work))
        phase("_rows", self.row_blocks, lambda e, x, out, mine, n, work: self._rows(e, mine, out, n, work))
        if t.takes_real:
            phase("_join", pieces, lambda e, x, out, mine, n, work: self._join(e, out, *bounds(e, n)))
        return Emitted(phases, (t.outer * self.row + tasks * 2 * self.buffer) * t.dtype.nbytes)

    # -- parts of a row

    def _columns(self, e: Emitter, source: Reg, mine: Reg, block: Reg, work: Reg) -> None:
        t = self.t
        if t.makes_real:
            source = t.at(e, mine, self.blocks)
        first = e.mul(block, t.lanes)
        count = e.least(e.sub(self.columns, first), t.lanes)
        t.call(
            e, emit_pairs_in(t.module, t.dtype), t.at(e, source, e.mul(first, 2)), 2 * self.columns, self.rows, count, work,
            t.exchanged,
        )  # fmt: skip
        made, _ = t.passes(e, self.rows, work, t.at(e, work, self.buffer))
        roots = split_roots(t.module, t.n)  # of real numbers twice the length, as for the halves
        lanes = lanes_table(t.module, t.length, self.rows, t.lanes, t.dtype)
        target = t.at(e, mine, e.mul(block, self.block))
        t.call(e, emit_turn(t.module, t.dtype), made, target, self.rows, e.mul(first, t.n // t.length), *roots, lanes)

    def _rows(self, e: Emitter, mine: Reg, target: Reg, block: Reg, work: Reg) -> None:
        t = self.t
        step, square = 2 * t.lanes, 2 * t.lanes * t.lanes
        with e.loop(0, self.column_blocks) as n:
            source = t.at(e, mine, e.add(e.mul(n, self.block), e.mul(block, square)))
            to = t.at(e, work, e.mul(n, square))
            for part in (0, t.lanes):
                t.call(e, emit_square(t.module, t.dtype), t.at(e, source, part), step, 0, t.at(e, to, part), step, 0, 1.0)
        made, _ = t.passes(e, self.columns, work, t.at(e, work, self.buffer))
        first = e.mul(block, t.lanes)
        count = e.least(e.sub(self.rows, first), t.lanes)
        scale = t.scale * (0.5 if t.takes_real else 1.0)
        t.call(
            e, emit_pairs_out(t.module, t.dtype), made, t.at(e, target, e.mul(first, 2)), 2 * self.rows, self.columns, count,
            t.exchanged, scale,
        )  # fmt: skip

    def _join(self, e: Emitter, target: Reg, first: Reg, end: Reg) -> None:
        t = self.t
        t.call(e, emit_join_row(t.module, t.dtype), target, target, t.length, first, end, *self._half_roots(e))

    def _part(self, e: Emitter, source: Reg, mine: Reg, first: Reg, end: Reg) -> None:
        t = self.t
        to = t.at(e, mine, self.blocks)
        t.call(e, emit_part_row(t.module, t.dtype), source, to, t.length, first, end, *self._half_roots(e))

    def _half_roots(self, e: Emitter) -> list[Reg | int]:
        t = self.t
        lanes = lanes_table(t.module, t.n, 2, t.lanes, t.dtype)
        return [*split_roots(t.module, t.n), t.at(e, lanes, 2 * t.lanes)]
