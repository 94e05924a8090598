"""The micro-kernel: a tile of C held in registers while K runs.

In: strides and sizes of one tile. Out: the name of an internal function of the module, made once per distinct tile, so that
contractions of one program share it. Called from `contraction.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from ....ir.types import BOOL, I64, DType
from ...emitter import PTR, Emitter, Module, Reg, llvm_type
from ..long_sums import join


class Tile(NamedTuple):
    """Everything the code of a tile depends on; strides are in elements."""

    dtype: DType
    lanes: int
    rows: int
    vectors: int
    a_row: int
    a_k: int
    b_k: int
    c_row: int
    last_lanes: int  # live lanes of the last vector
    mask_b: bool  # whether the dead lanes of the last vector must not be read from B
    mask_c: bool  # or written to C
    run: int = 0  # steps of K summed by themselves, of a long K
    lost: int = 0  # how far behind C lies what its sums lost, where that is kept

    @property
    def name(self) -> str:
        strides = f"{self.a_row}_{self.a_k}_{self.b_k}_{self.c_row}".replace("-", "m")
        tail = f"_{self.last_lanes}{'b' * self.mask_b}{'c' * self.mask_c}" if self.mask_b or self.mask_c else ""
        long = f"_run{self.run}_{self.lost}" if self.run else ""
        return f"tile_{self.dtype}_{self.rows}x{self.vectors}x{self.lanes}_{strides}{tail}{long}"


def emit_tile(module: Module, tile: Tile) -> str:
    """Emit `void name(ptr a, ptr b, ptr c, i64 k, i64 ahead, i1 accumulate)`: C = A B, or C += A B, over k > 0 steps.

    One sum an element, started at zero and carried through k in order with fused multiply-adds; of a long K one for each run, which
    then joins the sum of those before. In each step a line of B that lies
    `ahead` elements further is asked for: of the next panel, which comes from a slower cache than the hardware looks ahead for.
    """
    name = tile.name
    if not module.first_use(name):
        return name
    arguments = [("a", PTR), ("b", PTR), ("c", PTR), ("k", I64), ("ahead", I64), ("accumulate", BOOL)]
    e = Emitter(module, name, arguments, attributes="noinline nounwind", internal=True)
    a, b, c, k, ahead, accumulate = e.args
    for row in range(tile.rows):  # the tile of C arrives while K runs; hardware fetches lines in pairs
        for vector in range(0, tile.vectors, 2):
            e.prefetch(e.offset(c, row * tile.c_row + vector * tile.lanes, tile.dtype), write=True)
    sums = _sum_over_runs(e, tile, a, b, k, ahead) if tile.run else _sum_over_k(e, tile, a, b, k, ahead)
    edge = e.lanes([lane < tile.last_lanes for lane in range(tile.lanes)], BOOL) if tile.mask_c else None
    adding = e.splat(accumulate, tile.lanes)  # as a mask, which costs nothing, where a branch would double the code
    for row in range(tile.rows):
        for vector in range(tile.vectors):
            where = e.offset(c, row * tile.c_row + vector * tile.lanes, tile.dtype)
            live = edge if vector == tile.vectors - 1 else None
            sum = sums[row][vector]
            if tile.lost:
                beside = e.offset(where, tile.lost, tile.dtype)
                held, error = (e.load(p, tile.dtype, tile.lanes) for p in (where, beside))
                total, lost = join(e, held, error, sum)
                e.store(where, e.select(adding, total, sum))
                e.store(beside, e.select(adding, lost, 0.0))
                continue
            total = e.select(adding, e.add(sum, e.load(where, tile.dtype, tile.lanes, live)), sum)
            e.store(where, total, live)
    e.finish()
    return name


def _sum_over_runs(e: Emitter, tile: Tile, a: Reg, b: Reg, k: Reg, ahead: Reg) -> list[list[Reg]]:
    """The sums of runs of K, added one after the other."""
    dtype, lanes = tile.dtype, tile.lanes
    totals = [[e.alloca(dtype, lanes) for _ in range(tile.vectors)] for _ in range(tile.rows)]
    for row in totals:
        for total in row:
            e.set(total, e.const(0, dtype, lanes))
    with e.loop(0, k, tile.run) as first:
        left = e.sub(k, first)
        steps = e.select(e.compare("lt", left, tile.run), left, e.const(tile.run, I64))
        a_at, b_at = e.offset(a, e.mul(first, tile.a_k), dtype), e.offset(b, e.mul(first, tile.b_k), dtype)
        for row, sums in zip(totals, _sum_over_k(e, tile, a_at, b_at, steps, ahead), strict=True):
            for total, sum in zip(row, sums, strict=True):
                e.set(total, e.add(e.get(total, dtype, lanes), sum))
    return [[e.get(total, dtype, lanes) for total in row] for row in totals]


def _sum_over_k(e: Emitter, tile: Tile, a: Reg, b: Reg, k: Reg, ahead: Reg) -> list[list[Reg]]:
    """The loop over K, with phis written out: the sums then are registers from the start, whatever passes run later."""
    dtype, lanes = tile.dtype, tile.lanes
    vector_type = llvm_type(dtype, lanes)
    cells = [(row, vector) for row in range(tile.rows) for vector in range(tile.vectors)]
    before = e.block
    e.branch("step")
    e.label("step")
    e.line(f"%index = phi i64 [ 0, %{before} ], [ %index_next, %step ]")
    e.line(f"%a_at = phi ptr [ {a.text}, %{before} ], [ %a_next, %step ]")
    e.line(f"%b_at = phi ptr [ {b.text}, %{before} ], [ %b_next, %step ]")
    for row, vector in cells:
        e.line(f"%sum_{row}_{vector} = phi {vector_type} [ zeroinitializer, %{before} ], [ %next_{row}_{vector}, %step ]")
    a_at, b_at = Reg("%a_at", PTR), Reg("%b_at", PTR)
    mask = e.lanes([lane < tile.last_lanes for lane in range(lanes)], BOOL) if tile.mask_b else None
    b_row = [
        e.load(e.offset(b_at, v * lanes, dtype), dtype, lanes, mask if v == tile.vectors - 1 else None) for v in range(tile.vectors)
    ]
    fma = f"llvm.fma.v{lanes}{dtype}"
    e.module.declare(fma, vector_type, [vector_type] * 3)
    for row in range(tile.rows):
        element = e.splat(e.load(e.offset(a_at, row * tile.a_row, dtype), dtype), lanes)
        for vector in range(tile.vectors):
            e.line(
                f"%next_{row}_{vector} = call {vector_type} @{fma}"
                f"({element.typed}, {b_row[vector].typed}, {vector_type} %sum_{row}_{vector})"
            )
    e.prefetch(e.offset(b_at, ahead, dtype), level=2)
    element_type = llvm_type(dtype)
    e.line(f"%a_next = getelementptr {element_type}, ptr %a_at, i64 {tile.a_k}")
    e.line(f"%b_next = getelementptr {element_type}, ptr %b_at, i64 {tile.b_k}")
    e.line("%index_next = add nuw nsw i64 %index, 1")
    e.branch_if(e.compare("lt", Reg("%index_next", I64), k), "step", "summed")
    e.label("summed")
    return [[Reg(f"%next_{row}_{vector}", dtype, lanes) for vector in range(tile.vectors)] for row in range(tile.rows)]
