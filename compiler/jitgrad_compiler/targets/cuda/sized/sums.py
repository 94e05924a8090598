"""Reductions of arrays of any size over neighbouring axes: (outer, length, inner) to (outer, inner).

A result is a thread's, a warp's or a block's; long ones are summed in shares, which the same kernel sums again. A team's threads
take elements in turns, always in the same order. Next on the path: places.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ....ir.graph import Graph
from ....ir.types import BOOL, I64, ArrayType, DType
from ....kernels.kernel import Kernel, Reduction
from ....kernels.tuning import Gpu, Tuning
from ...accumulators import Accumulator
from ...combining import folded
from ...llvm_text import Reg
from ...long_sums import RUN, rounds, runs
from ..device import THREADS, WARP
from ..expressions import ThreadExpressions
from ..loops.sums import met
from .kernel import SizedKernel, Writer, loads, lowered, placed

ANY = 1 << 12
"""The extent of each of the three axes in the program that stands for all sizes."""


class Stage(NamedTuple):
    """What a kernel sums: elements or shares of sums, to shares or to results, by teams of so many threads."""

    team: int
    of_shares: bool
    to_shares: bool


class Split(NamedTuple):
    """How one reduction is done: the team of the first kernel, the shares of a result, and how many elements each has."""

    team: int
    shares: int
    size: int


def split(outer: int, length: int, inner: int, cut: bool, tuning: Gpu) -> Split:
    """As loops/sums.py does it; `cut`: whether shares are possible."""
    results, team = outer * inner, team_of(length, inner, tuning)
    if team == 1:
        wanted, most = -(-tuning.enough_threads // max(results, 1)), length // tuning.thread_share
    else:
        wanted, most = -(-tuning.enough_blocks * THREADS // max(results * team, 1)), length // tuning.share
    shares = max(1, min(wanted, most, tuning.enough_blocks)) if cut else 1
    size = max(-(-length // shares), 1)
    return Split(team, max(-(-length // size), 1), size)


def team_of(length: int, inner: int, tuning: Gpu) -> int:
    if inner > 1 or length <= tuning.short_row:
        return 1
    return WARP if length <= tuning.warp_row else THREADS


def three_axes(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, int, int] | None:
    """The shape as (outer, reduced, inner); None where the axes are not neighbours."""
    sizes, last = [1, 1, 1], 0
    for n, size in enumerate(shape):
        if size == 1:
            continue
        part = 1 if n in axes else 2 * (last > 0)
        if part < last:
            return None
        sizes[part] *= size
        last = part
    return sizes[0], sizes[1], sizes[2]


def stand_in(dtype: DType) -> ArrayType:
    return ArrayType((ANY, ANY, ANY), dtype)


def weights(dtype: DType) -> ArrayType:
    return ArrayType((ANY, ANY), dtype)


WEIGHTED: dict[str, Any] = {"dims": (((1,), (1,)), ((0,), (0,)))}
"""Params of the dot_general that sums products of `stand_in` and `weights`."""


def emit_sum(name: str, graph: Graph, stage: Stage, contracts: bool, tuning: Tuning) -> SizedKernel | None:
    """The kernel of a reduction of `stand_in` over the middle axis; None where it is more than that. Its arguments are the operand,
    the result, the number of sums, and the sizes `length`, `inner`, `shares` and `size`.

    The graph may have a second input of (outer, reduced), by whose elements the first one's are multiplied. It follows that among
    the arguments, and last comes `group`: how many neighbours along outer have one of its rows in common.
    """
    program = lowered(graph, contracts, tuning)
    kernels = [] if program is None else program.kernels
    if program is None or not 1 <= len(kernels) <= 2 or len(kernels[0].reductions) != 1 or kernels[0].stores:
        return None
    after = kernels[1] if len(kernels) > 1 else None
    if after is not None and (after.reductions or len(after.stores) != 1):
        return None
    return _Sum(name, program.graph, kernels[0].reductions[0], after, stage, contracts, tuning).emit()


class _Sum:
    """`after`: what is done to a result at last."""

    def __init__(
        self, name: str, graph: Graph, r: Reduction, after: Kernel | None, stage: Stage, contracts: bool, tuning: Tuning
    ) -> None:
        self.graph, self.r, self.after, self.stage = graph, r, after, stage
        self.weighted = len(graph.inputs) > 1
        pointers = ["source", *["weights"] * self.weighted, "target"]
        words = ["units", "length", "inner", "shares", "size", *["group"] * self.weighted]
        self.w = Writer(name, pointers, words, contracts, tuning)
        self.x = ThreadExpressions(self.w.e, 1)

    def emit(self) -> SizedKernel:
        w, e, team = self.w, self.w.e, self.stage.team
        source, target = w.pointer("source"), w.pointer("target")
        self.x.pointers = {self.graph.inputs[0]: source}
        if self.weighted:
            self.x.pointers[self.graph.inputs[1]] = w.pointer("weights")
        number = w.thread()
        unit, member = e.div(number, team), e.rem(w.threads.thread(), team) if team > 1 else e.const(0, I64)
        inside = e.const(True, BOOL) if team == THREADS else e.compare("lt", unit, w.word("units"))
        with e.when(inside):
            best = met(w, self.r, team, self._own(source, unit, member), member)
            with e.when(e.compare("eq", member, 0)):
                value = self._last(best)
                e.store(e.offset(target, unit, value.type), value)
        return w.finish(result_bytes=self.r.operand.dtype.nbytes)

    def _own(self, source: Reg, unit: Reg, member: Reg) -> tuple[Reg, Reg | None]:
        """What this thread makes of its elements."""
        w, e, r = self.w, self.w.e, self.r
        length, inner, shares, size = (w.word(n) for n in ("length", "inner", "shares", "size"))
        rest, column = e.div(unit, inner), e.rem(unit, inner)
        row, share = e.div(rest, shares), e.rem(rest, shares)
        low = e.mul(share, size)
        long = rounds(r.combine, r.operand.dtype)
        a = Accumulator(r, "row").start(e, 1, long)
        team = self.stage.team
        with runs(
            e, e.add(low, member), e.least(e.add(low, size), length), team, RUN if long else None, lambda: a.close(e)
        ) as step:
            place = e.add(e.mul(e.add(e.mul(row, length), step), inner), column)
            weight = e.add(e.mul(e.div(row, w.word("group")), length), step) if self.weighted else None
            a.add(e, self._element(source, place, weight), None, 0, None if r.position is None else step)
        if r.position is None:
            return folded(e, r.combine, a.value(e)), None
        return a.value(e), e.get(a.positions[0], I64)

    def _element(self, source: Reg, place: Reg, weight: Reg | None) -> Reg:
        e, x, dtype = self.w.e, self.x, self.r.operand.dtype
        if self.stage.of_shares:
            return e.load(e.offset(source, place, dtype), dtype)
        with x.scope():
            for read, where in zip(self.graph.inputs, (place, weight), strict=False):
                for node in loads([self.r.operand], read):
                    assert where is not None
                    placed(x, node, where)
            return x.emit(self.r.operand)

    def _last(self, best: tuple[Reg, Reg | None]) -> Reg:
        """What is written."""
        e, x, r = self.w.e, self.x, self.r
        value = best[0] if best[1] is None else e.convert(best[1], r.dtype)
        if self.after is None or self.stage.to_shares:
            return value
        (store,) = self.after.stores
        with x.scope():
            for node in loads([store.node], r.result):
                x.bind(node, value)
            return x.emit(store.node)
