"""The micro-kernel: a tile of C held in registers while K runs.

In: strides and sizes of one tile. Out: the name of a function, made once per distinct tile, that all contractions share. Called
from `contraction.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....ir.types import BOOL, I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg, llvm_type
from ...long_sums import join


class Tile(NamedTuple):
    """Everything the code of a tile depends on. Steps are no part of it, so that contractions of many sizes share tiles."""

    dtype: DType
    lanes: int
    rows: int
    fewer: bool  # whether the last row may be missing: tiles of both heights are one function, which costs a branch in each step
    vectors: int
    side_by_side: bool  # whether the rows of A lie side by side, as they are packed along m
    last_lanes: int  # live lanes of the last vector
    mask_b: bool  # whether the dead lanes of the last vector must not be read from B
    mask_c: bool  # or written to C
    adds: bool  # whether it may add to C, where K is several blocks
    run: int = 0  # steps of K summed by themselves, of a long K
    lost: bool = False  # whether what the sums lost is kept behind C
    in_runs: bool = False  # whether K is several runs
    reads_on: bool = False  # whether the rows of A below, which are next, are asked for
    a_ahead: int = 0  # steps of K after which a line of A will be read that hardware does not foresee; 0 where it does

    @property
    def name(self) -> str:
        tail = f"_{self.last_lanes}{'b' * self.mask_b}{'c' * self.mask_c}" if self.mask_b or self.mask_c else ""
        long = f"_run{self.run}{'_lost' * self.lost}" if self.run else ""
        runs = "_runs" * self.in_runs + "_on" * self.reads_on + f"_ahead{self.a_ahead}" * (self.a_ahead > 0)
        rows = f"{self.rows - 1}or{self.rows}" if self.fewer else self.rows
        shape = f"{rows}x{self.vectors}x{self.lanes}{'_adds' * self.adds}{'_packed' * self.side_by_side}"
        return f"tile_{self.dtype}_{shape}{tail}{long}{runs}"


class Steps(NamedTuple):
    """How far apart the operands' rows, or their columns, lie, in elements; `lost`: how far behind C what its sums lost."""

    a_row: int
    a_k: int
    b_k: int
    c_row: int
    lost: int = 0


class Runs(NamedTuple):
    """Runs of K that one call goes through, each of k steps, and how far apart they begin."""

    number: int
    a: int
    b: int


def emit_tile(module: Module, tile: Tile) -> str:
    """Emit `void name(ptr a, ptr b, ptr c, i64 k, i64 ahead, i1 accumulate, i1 full, i64 steps..., i64 runs...)`: C = A B, or
    C += A B, over k > 0 steps, of each run where K is several; not `full`, a tile that may be lower has no last row.

    One sum an element, started at zero and carried through k in order with fused multiply-adds; of a long K one for each run, which
    then joins the sum of those before. In each step a line of B that lies
    `ahead` elements further is asked for: of the next panel, which comes from a slower cache than the hardware looks ahead for.
    """
    name = tile.name
    arguments = [("a", PTR), ("b", PTR), ("c", PTR), ("k", I64), ("ahead", I64), ("accumulate", BOOL), ("full", BOOL)]
    arguments += [(name, I64) for name in Steps._fields]
    arguments += [(f"runs_{name}", I64) for name in Runs._fields if tile.in_runs]
    if not module.shares(name, arguments):
        return name
    e = Emitter(module, name, arguments, attributes="noinline nounwind")
    a, b, c, k, ahead, accumulate, last, a_row, a_k, b_k, c_row, lost_at = e.args[:12]
    with e.loop(0, tile.rows) as number:  # the tile of C arrives while K runs; hardware fetches lines in pairs
        line = e.offset(c, e.mul(number, c_row), tile.dtype)
        for vector in range(0, tile.vectors, 2):
            e.prefetch(e.offset(line, vector * tile.lanes, tile.dtype), write=True)
    reading = _Reading(a, b, a_row, a_k, b_k, ahead, last)
    if tile.run or tile.in_runs:
        sums = _sum_piece_by_piece(e, tile, reading, k, e.args[12:])
    else:
        sums = _sum_over_k(e, tile, reading, k, None)
    edge = e.lanes([lane < tile.last_lanes for lane in range(tile.lanes)], BOOL) if tile.mask_c else None
    adding = e.splat(accumulate, tile.lanes)  # as a mask, which costs nothing, where a branch would double the code

    def write(row: int, line: Reg) -> None:
        for vector in range(tile.vectors):
            where = e.offset(line, vector * tile.lanes, tile.dtype)
            live = edge if vector == tile.vectors - 1 else None
            sum = sums[row][vector]
            if tile.lost:
                beside = e.offset(where, lost_at, tile.dtype)
                held, error = (e.load(p, tile.dtype, tile.lanes) for p in (where, beside))
                total, lost = join(e, held, error, sum)
                e.store(where, e.select(adding, total, sum))
                e.store(beside, e.select(adding, lost, 0.0))
                continue
            if tile.adds:
                sum = e.select(adding, e.add(sum, e.load(where, tile.dtype, tile.lanes, live)), sum)
            e.store(where, sum, live)

    for row in range(tile.rows - tile.fewer):
        write(row, c)
        c = e.offset(c, c_row, tile.dtype)
    if tile.fewer:
        with e.when(last):
            write(tile.rows - 1, c)
    e.finish()
    return name


class _Reading(NamedTuple):
    """What the loop over K reads, from where on."""

    a: Reg
    b: Reg
    a_row: Reg
    a_k: Reg
    b_k: Reg
    ahead: Reg
    last: Reg  # whether there is the last row


def _sum_piece_by_piece(e: Emitter, tile: Tile, x: _Reading, k: Reg, runs: Sequence[Reg]) -> list[list[Reg]]:
    """The sums over runs of K, one after the other; of a long K the sums of its pieces, added one after the other."""
    dtype, lanes = tile.dtype, tile.lanes
    totals = [[e.alloca(dtype, lanes) for _ in range(tile.vectors)] for _ in range(tile.rows)]
    for row in totals:
        for total in row:
            e.set(total, e.const(0, dtype, lanes))

    def add_up(here: _Reading, steps: Reg) -> None:
        held = [[e.get(total, dtype, lanes) for total in row] for row in totals]
        sums = _sum_over_k(e, tile, here, steps, None if tile.run else held)
        for row, before, after in zip(totals, held, sums, strict=True):
            for total, sofar, sum in zip(row, before, after, strict=True):
                e.set(total, e.add(sofar, sum) if tile.run else sum)

    def add_up_run(here: _Reading) -> None:
        if not tile.run:
            add_up(here, k)
            return
        with e.loop(0, k, tile.run) as first:
            left = e.sub(k, first)
            steps = e.least(left, tile.run)
            add_up(_moved(e, tile, here, e.mul(first, x.a_k), e.mul(first, x.b_k)), steps)

    if tile.in_runs:
        several, a_far, b_far = runs
        with e.loop(0, several) as number:
            add_up_run(_moved(e, tile, x, e.mul(number, a_far), e.mul(number, b_far)))
    else:
        add_up_run(x)
    return [[e.get(total, dtype, lanes) for total in row] for row in totals]


def _moved(e: Emitter, tile: Tile, x: _Reading, a: Reg, b: Reg) -> _Reading:
    return x._replace(a=e.offset(x.a, a, tile.dtype), b=e.offset(x.b, b, tile.dtype))


def _sum_over_k(e: Emitter, tile: Tile, x: _Reading, k: Reg, start: list[list[Reg]] | None) -> list[list[Reg]]:
    """The loop over K, from zeros or from the sums so far, with phis written out: so sums are in registers whatever passes run.

    A's rows are reached from pointers to a few of them by multiples of their stride, which are few enough for registers.
    """
    dtype, lanes = tile.dtype, tile.lanes
    vector_type = llvm_type(dtype, lanes)
    cells = [(row, vector) for row in range(tile.rows) for vector in range(tile.vectors)]
    group = tile.rows if tile.side_by_side else e.module.tuning.contraction.pointer_rows
    bases = [x.a]
    for _ in range(group, tile.rows, group):
        bases.append(e.offset(bases[-1], e.mul(x.a_row, group), dtype))
    apart: list[Reg | int] = [r if tile.side_by_side else e.mul(x.a_row, r) for r in range(group)]
    below = e.offset(x.a, e.mul(x.a_row, tile.rows), dtype) if tile.reads_on else None
    before, back = e.block, "joined" if tile.fewer else "step"
    e.branch("step")
    e.label("step")
    e.line(f"%index = phi i64 [ 0, %{before} ], [ %index_next, %{back} ]")
    for n, base in enumerate(bases):
        e.line(f"%a_{n} = phi ptr [ {base.text}, %{before} ], [ %a_next_{n}, %{back} ]")
    e.line(f"%b_at = phi ptr [ {x.b.text}, %{before} ], [ %b_next, %{back} ]")
    for row, vector in cells:
        first = start[row][vector].text if start else "zeroinitializer"
        e.line(f"%sum_{row}_{vector} = phi {vector_type} [ {first}, %{before} ], [ %next_{row}_{vector}, %{back} ]")
    b_at = Reg("%b_at", PTR)
    mask = e.lanes([lane < tile.last_lanes for lane in range(lanes)], BOOL) if tile.mask_b else None
    b_row = [
        e.load(e.offset(b_at, v * lanes, dtype), dtype, lanes, mask if v == tile.vectors - 1 else None) for v in range(tile.vectors)
    ]
    fma = f"llvm.fma.v{lanes}{dtype}"
    e.module.declare(fma, vector_type, [vector_type] * 3)

    def add(row: int, result: str) -> None:
        element = e.splat(e.load(e.offset(Reg(f"%a_{row // group}", PTR), apart[row % group], dtype), dtype), lanes)
        for vector in range(tile.vectors):
            e.line(
                f"%{result}_{row}_{vector} = call {vector_type} @{fma}"
                f"({element.typed}, {b_row[vector].typed}, {vector_type} %sum_{row}_{vector})"
            )

    for row in range(tile.rows - tile.fewer):
        add(row, "next")
    if tile.fewer:
        row = tile.rows - 1
        e.branch_if(x.last, "last", "joined")
        e.label("last")
        add(row, "added")
        e.branch("joined")
        e.label("joined")
        for vector in range(tile.vectors):
            e.line(f"%next_{row}_{vector} = phi {vector_type} [ %sum_{row}_{vector}, %step ], [ %added_{row}_{vector}, %last ]")
    e.prefetch(e.offset(b_at, x.ahead, dtype), level=2)
    if below:
        turns = 1 << (tile.rows - 1).bit_length()  # steps of K in which each row has its turn, so many elements further
        turn = e.op(f"and i64 %index, {turns - 1}", I64)
        e.prefetch(e.offset(below, e.add(e.mul(turn, x.a_row), e.sub(Reg("%index", I64), turn)), dtype), level=2)
    for n in range(len(bases) if tile.a_ahead else 0):
        e.prefetch(e.offset(Reg(f"%a_{n}", PTR), e.mul(x.a_k, tile.a_ahead), dtype))
    element_type = llvm_type(dtype)
    for n in range(len(bases)):
        e.line(f"%a_next_{n} = getelementptr {element_type}, ptr %a_{n}, {x.a_k.typed}")
    e.line(f"%b_next = getelementptr {element_type}, ptr %b_at, {x.b_k.typed}")
    e.line("%index_next = add nuw nsw i64 %index, 1")
    e.branch_if(e.compare("lt", Reg("%index_next", I64), k), "step", "summed")
    e.label("summed")
    return [[Reg(f"%next_{row}_{vector}", dtype, lanes) for vector in range(tile.vectors)] for row in range(tile.rows)]
