"""What is decided of a loop kernel before any of it is emitted: which values of a row are kept, what is computed once a row, and
how many running values each reduction has. All of it follows from the schedule. Next on the path: kernel.py, which emits it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....kernels.affine import Axis
from ....kernels.expression import Apply, Node, walk
from ....kernels.kernel import Reduction
from ....kernels.tuning import Loops
from ...expressions import total_cost
from ...long_sums import Cut, cut, rounds
from .kept_rows import KeptRows
from .row_sums import RowSums, axes_left
from .schedule import Schedule


class LoopPlan:
    """`kept` are the values of a row that its stages hand on, `row_nodes` what is dear and computed once a row, by vectors over a
    tile of rows; `sums` are the reductions over rows.
    """

    def __init__(self, s: Schedule, tuning: Loops) -> None:
        self.kernel, self.s, self.tuning = s.kernel, s, tuning
        self.kept = self._kept_rows()
        self.row_nodes = self._dear_row_nodes()
        rows_per_step = s.width if self.row_nodes else 1
        self.sums = RowSums(self.kernel, s, self._lanes, -(-s.rows_per_task // rows_per_step), self._additions)

    def in_loop(self, axes: frozenset[Axis]) -> bool:
        return bool(axes & set(self.s.inner))

    def loops(self, r: Reduction) -> bool:
        """Whether a reduction takes in values inside the loop over a row, not one value a row."""
        return self.in_loop(r.axes | axes_left(r)) or self.sums.kinds[id(r)] == "row"

    def _lanes(self, r: Reduction) -> tuple[int, int, int]:
        """Lanes, copies and turns of the running value of a sum over everything."""
        if self.in_loop(r.axes):
            copies = self._copies(self.kernel.roots(), r)
            return self.s.width, copies, self._turns(r, copies)
        return (self.s.width if self.row_nodes else 1), 1, 1

    def _turns(self, r: Reduction, copies: int) -> int:
        """How many running values of a sum take turns in a loop over a row that is too long for one."""
        long = rounds(r.combine, r.dtype) and bool(self.s.inner) and cut(self._trips(copies)) is not None
        alike = [o for o in self.kernel.reductions if o.operand.stage == r.operand.stage and rounds(o.combine, o.dtype)]
        if not long:
            return 1
        turns, room = self.tuning.turns, self.tuning.turning // (copies * len(alike))
        return turns if room >= turns else 2 if room >= 2 else 1

    def _copies(self, roots: Sequence[Node], r: Reduction) -> int:
        """How many accumulators a reduction has: several where the body is so short that adding to one would be waited for."""
        long = bool(self.s.inner) and self.s.inner[-1].extent >= 8 * self.s.width
        return self.tuning.copies if long and total_cost(roots) <= self.tuning.heavy / 2 and r.position is None else 1

    def _additions(self, r: Reduction) -> int:
        """How many additions a step of the loop over rows makes to each running value of a sum over rows, or to each place."""
        if not self.in_loop(r.axes | axes_left(r)):
            return 1
        _, copies, turns = self._lanes(r)
        over = set(self.s.inner) - axes_left(r)
        trips = [n for a, n in zip(self.s.inner, self._trips(copies), strict=True) if a in over]
        return -(-math.prod(trips) // turns) * (self.s.width if self.row_nodes else 1)

    def _trips(self, copies: int) -> list[int]:
        """How often the loops over a row run."""
        *outer, last = self.s.inner
        length = self.s.chunk if self.s.chunks > 1 else last.extent
        return [*[a.extent for a in outer], -(-length // (self.s.width * copies))]

    def _kept_rows(self) -> KeptRows:
        k, s = self.kernel, self.s
        if not s.inner or not k.inner or s.columns:
            return KeptRows(s, [], self.tuning)
        roots = [*[r.operand for r in k.reductions], *[st.node for st in k.stores if self.in_loop(st.offset.axes)]]
        return KeptRows(s, roots, self.tuning)

    def _dear_row_nodes(self) -> list[Node]:
        """What is computed once a row and dear, where rows are short and go in tiles; else nothing."""
        k, s = self.kernel, self.s
        size = math.prod(a.extent for a in s.inner)
        tiles = len(s.rows) == 1 and s.rows[0].extent >= 2 * s.width and s.chunks == 1 and not s.columns
        if not tiles or not k.inner or self.kept.slots or size > self.tuning.short_row or any(r.position for r in k.reductions):
            return []
        applied = [n for n in walk(k.roots()) if isinstance(n, Apply) and not self.in_loop(n.axes)]
        once: list[Node] = [n for n in applied if n.op.traits.cost >= self.tuning.dear]
        return once if sum(n.op.traits.cost for n in applied if n in once) >= self.tuning.dear_row else []

    def running(self, looped: Sequence[Reduction], roots: Sequence[Node]) -> tuple[dict[int, int], dict[int, int], Cut | None]:
        """For the loop of a stage, which computes the roots: of each reduction in it, by its id, how many copies of its running
        value there are and how many take turns; and where the loop is cut into runs.
        """
        kinds = self.sums.kinds
        copies = {id(r): self._copies(roots, r) if kinds[id(r)] == "row" else self._lanes(r)[1] for r in looped}
        turns = {id(r): self._turns(r, copies[id(r)]) if kinds[id(r)] != "outer" else 1 for r in looped}
        most = max(copies.values(), default=1)
        long = [r for r in looped if rounds(r.combine, r.dtype) and kinds[id(r)] != "outer"]
        additions = [most / copies[id(r)] / turns[id(r)] for r in long]
        return copies, turns, cut(self._trips(most), max(additions)) if additions and self.s.inner else None
