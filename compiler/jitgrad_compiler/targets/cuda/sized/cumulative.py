"""Running sums, products, maxima and minima of arrays of any size along an axis: (outer, length, inner).

They are made as library/cumulative.py makes them, by a thread, a warp or a block each; long ones in chunks, whose totals are
themselves made running ones before each chunk goes on from those before it. The order follows from the sizes alone.
"""

from __future__ import annotations

from typing import NamedTuple

from ....ir.types import BOOL, I64, DType
from ....kernels.tuning import Tuning
from ...combining import joined
from ...long_sums import RUN, rounds, runs
from ...running import Running, neutral
from ..device import THREADS
from ..library.cumulative import prefix, total_of_team
from .kernel import SizedKernel, Writer

WHOLE, TOTALS, CHUNKS = "whole", "totals", "chunks"
"""What a kernel makes: running values of whole rows, the total of each chunk, or running values of chunks from those totals."""


class Run(NamedTuple):
    """What a kernel does, by teams of so many threads."""

    combine: str
    stored: DType
    reverse: bool
    team: int
    part: str


def emit_running(name: str, run: Run, tuning: Tuning) -> SizedKernel:
    """The kernel. Its arguments are the operand, of CHUNKS the totals, which are running ones, and the result; how many chunks all
    rows have; and the sizes `length` and `inner`, how many chunks a row has, and how many elements a chunk.
    """
    words = ("units", "length", "inner", "chunks", "size")
    w = Writer(name, ("source", *["before"] * (run.part == CHUNKS), "target"), words, False, tuning)
    e, team, dtype = w.e, run.team, run.stored.computed
    source, target = w.pointer("source"), w.pointer("target")
    length, inner, chunks, size = (w.word(n) for n in words[1:])
    number = w.thread()
    unit, member = e.div(number, team), e.rem(w.threads.thread(), team) if team > 1 else e.const(0, I64)
    with e.when(e.const(True, BOOL) if team == THREADS else e.compare("lt", unit, w.word("units"))):
        column, rest = e.rem(unit, inner), e.div(unit, inner)
        chunk, outer = e.rem(rest, chunks), e.div(rest, chunks)
        number = e.add(e.mul(e.add(e.mul(outer, inner), column), chunks), chunk)
        low = e.mul(chunk, size)
        high = e.least(e.add(low, size), length)
        long = rounds(run.combine, dtype)
        running = Running(e, run.combine, dtype, 1, long)
        if run.part == CHUNKS:
            with e.when(e.compare("gt", chunk, 0)):
                running.take(e.load(e.offset(w.pointer("before"), e.sub(number, 1), dtype), dtype))
                running.close()
        steps = (RUN if team == 1 else 1) if long else None  # a team's tile is a tree of additions
        with runs(e, low, high, team, steps, running.close) as tile:
            step = e.add(tile, member)
            inside = e.const(True, BOOL) if team == 1 else e.compare("lt", step, high)
            step = e.least(step, e.sub(length, 1))
            along = e.sub(e.sub(length, 1), step) if run.reverse else step
            place = e.add(e.mul(e.add(e.mul(outer, length), along), inner), column)
            value = e.convert(e.load(e.offset(source, place, run.stored), run.stored), dtype)
            if team > 1:
                value = e.select(inside, value, e.const(neutral(run.combine, dtype), dtype))
            total = value
            if run.part != TOTALS:
                if team > 1:
                    first, total = prefix(w, run.combine, team, member, value)
                    value = joined(e, run.combine, first, value)
                found = running.with_next(value)
                with e.when(inside):
                    e.store(e.offset(target, place, run.stored), e.convert(found, run.stored))
            running.take(total)
        if run.part == TOTALS:
            total = total_of_team(w, run.combine, team, member, running.value())
            with e.when(e.compare("eq", member, 0)):
                e.store(e.offset(target, number, dtype), total)
    return w.finish(result_bytes=dtype.nbytes)
