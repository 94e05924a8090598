"""How a loop kernel runs on the CPU: which axes are rows, which are inside a row, which is vectorised, and how many tasks.

Everything here follows from the kernel, its shape and the target's tuning, never from the machine's threads, so results do not
depend on them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....ir.types import BOOL
from ....kernels.affine import Affine, Axis, linear
from ....kernels.expression import Load, walk
from ....kernels.kernel import Kernel, Reduction, Store
from ....kernels.merged_axes import indices_of, merge, renamed, side_by_side
from ....kernels.tuning import Loops
from ...expressions import total_cost
from ...order import lanes_for
from ..contract.blocking import round_up
from .remainders import Cut, cuts_of
from .turned import Turned, turned_axis


@dataclass
class Schedule:
    """`kernel` is the one that was asked for, in terms of merged axes; rows and inner are its loops; `columns` says that the vector
    axis is the last of the rows that are not `unrolled`, which are written out step by step, instead of the last of the inner.
    `cuts` says which of those are remainders.

    A task is `rows_per_task` rows, or `chunk` elements of the last inner axis of one row where there are `chunks` of them.
    """

    kernel: Kernel
    rows: list[Axis]
    inner: list[Axis]
    columns: bool
    width: int
    tasks: int
    rows_per_task: int
    chunk: int
    chunks: int
    unrolled: Sequence[Axis] = ()
    cuts: Sequence[Cut] = ()
    together: int = 1
    """Vectors of columns that are run down side by side."""
    turned: Turned | None = None
    """The axis of the rows along which a map reads what it writes along the vector axis."""

    @property
    def strips(self) -> int:
        """Of so many columns, along the vector axis."""
        axis = self.vector_axis
        assert axis is not None
        return -(-axis.extent // (self.width * self.together))

    @property
    def others(self) -> list[Axis]:
        """The rows' axes that are walked step by step around columns, or around squares."""
        turned = None if self.turned is None else self.turned.axis
        return [a for a in self.rows if a is not self.vector_axis and a not in self.unrolled and a is not turned]

    @property
    def pieces(self) -> int:
        """Strips of columns, or squares."""
        rows = math.prod(a.extent for a in self.others) * self.strips
        return rows if self.turned is None else rows * self.turned.run * self.turned.runs

    @property
    def row_count(self) -> int:
        return math.prod(a.extent for a in self.rows)

    @property
    def vector_axis(self) -> Axis | None:
        axes = self.rows if self.columns else self.inner
        axes = [a for a in axes if a not in self.unrolled]
        return axes[-1] if axes else None


def lanes_of(kernel: Kernel) -> int:
    """Elements of the vectors that a kernel computes by."""
    return lanes_for(max([n.dtype.nbytes for n in walk(kernel.roots()) if n.dtype != BOOL] or [1]))


def work_of(kernel: Kernel) -> float:
    """What a kernel does, in simple operations."""
    return math.prod(a.extent for a in kernel.axes) * total_cost(kernel.roots())


def schedule(kernel: Kernel, tuning: Loops) -> Schedule:
    wide = [a for a in kernel.axes if a.extent != 1]
    width = lanes_of(kernel)
    cuts = cuts_of(kernel, wide, width, tuning)
    if cuts:
        unrolled = [c.remainder for c in cuts.values()]
        kernel = renamed(kernel, {a: c.index for a, c in cuts.items()})
        wide = [*[cuts[a].steps if a in cuts else a for a in wide], *unrolled]
        rows, inner, columns = wide, list[Axis](), True
    else:
        rows, inner, columns = _divide(kernel, wide, tuning)
        unrolled = rows[-1:] if columns and len(rows) > 1 and rows[-1].extent <= tuning.written_out else []
    merged: dict[Axis, Affine] = {}
    places = indices_of(kernel)
    if all(a.extent for a in wide):
        apart = {*unrolled, *[c.steps for c in cuts.values() if c.short]}
        rows = merge(rows, places, merged, apart)
        inner = merge(inner, places, merged, apart)
    if merged:
        kernel = renamed(kernel, merged)
    work = work_of(kernel)
    s = Schedule(kernel, rows, inner, columns, width, 1, 1, 0, 1, unrolled, list(cuts.values()))
    if s.vector_axis is not None and not any(c.short for c in s.cuts):
        s.turned = turned_axis(kernel, s.others, s.vector_axis, unrolled, width, tuning)
    if s.turned is not None and not columns:
        s.rows, s.inner, s.columns = [*rows, *inner], [], True
    _tasks(s, kernel, work, tuning)
    return s


def _divide(kernel: Kernel, wide: Sequence[Axis], tuning: Loops) -> tuple[list[Axis], list[Axis], bool]:
    """(axes of rows, axes inside a row, whether rows are vectorised)."""
    some = [r.axes for r in kernel.reductions if not r.axes >= frozenset(wide)]
    if kernel.inner:
        some = [kernel.inner]
    if not some:
        positions = [r for r in kernel.reductions if r.position is not None]
        if positions:
            return [], list(wide), False
        few = _parted(kernel, wide, tuning)
        if few is not None:
            return [*[a for a in wide if a is not few], few], [], True
        rows, inner, _ = _divide_map(kernel, wide)
        return (list(wide), [], True) if _takes_turns(kernel, rows, inner, tuning) else (rows, inner, False)
    over = some[0] & frozenset(wide)
    reduced, kept = [a for a in wide if a in over], [a for a in wide if a not in over]
    if not kept or _contiguous_along(kernel, reduced[-1], wide) >= _contiguous_along(kernel, _vectorised(kept, tuning), wide):
        return kept, reduced, False
    alike = all(r.axes & frozenset(wide) == over and r.stage == 0 and r.position is None for r in kernel.reductions)
    outside = all(not (s.node.axes | s.offset.axes) & over for s in kernel.stores)
    leading = wide[: len(reduced)] == reduced
    if alike and outside and (math.prod(a.extent for a in kept) >= tuning.columns_at_least or not leading or kernel.inner):
        return kept, reduced, True
    if kernel.inner or any(r.position is not None for r in kernel.reductions):
        return kept, reduced, False
    if leading:
        return reduced, kept, False
    summed = frozenset().union(*[r.axes for r in kernel.reductions])
    behind = list(itertools.takewhile(lambda a: a not in summed, reversed(wide)))[::-1]
    if math.prod(a.extent for a in behind) < tuning.short_columns:
        return kept, reduced, False
    return list(wide[: -len(behind)]), behind, False


def _vectorised(axes: Sequence[Axis], tuning: Loops) -> Axis:
    """The axis that vectors would run along: the last, or the one before if the last is written out."""
    return axes[-2] if len(axes) > 1 and axes[-1].extent <= tuning.written_out else axes[-1]


def _contiguous_along(kernel: Kernel, axis: Axis, wide: Sequence[Axis]) -> float:
    """How much of what a kernel reads and writes lies side by side along an axis; the last axis wins a tie."""
    places = [(n.offset, n.axes) for n in walk(kernel.roots()) if isinstance(n, Load)] + [
        (s.offset, s.node.axes) for s in kernel.stores
    ]
    places += [(linear(r.index, r.result.type.shape), frozenset().union(*[i.axes for i in r.index])) for r in kernel.reductions]
    total = 0.5 if axis is wide[-1] else 0.0
    for offset, axes in places:
        if offset.factor(axis) == 1:
            total += math.prod(a.extent for a in axes)
    return total


def _divide_map(kernel: Kernel, wide: Sequence[Axis]) -> tuple[list[Axis], list[Axis], bool]:
    """Without rows to keep together: the last axis, merged with as many before it as lie side by side in memory everywhere."""
    places = indices_of(kernel)
    split = len(wide) - 1
    while split > 0 and all(side_by_side(p, wide[split - 1], wide[split]) for p in places):
        split -= 1
    return list(wide[:split]), list(wide[split:]), False


def _takes_turns(kernel: Kernel, rows: Sequence[Axis], inner: Sequence[Axis], tuning: Loops) -> bool:
    """Whether a map writes few elements side by side in memory, over a row that has vectors: it is vectorised along that, and all
    of the few are written out, which costs shuffles. What it reads must lie side by side along the row, or as what it writes.
    """
    if kernel.reductions or not rows or rows[-1].extent < tuning.interleaved_at_least or len(inner) != 1:
        return False
    (few,), along = inner, rows[-1]
    loads = [n.offset.factor(along) for n in walk(kernel.roots()) if isinstance(n, Load)]
    if few.extent > tuning.written_out or few.extent > 2 and not {*loads} <= {0, 1, few.extent}:
        return False
    return all(takes_turns(s, along, few) for s in kernel.stores)


def _parted(kernel: Kernel, wide: Sequence[Axis], tuning: Loops) -> Axis | None:
    """The axis along which a map reads few elements side by side, each of which it writes to a row of its own."""
    if kernel.reductions or not wide or wide[-1].extent < tuning.interleaved_at_least:
        return None
    along = wide[-1]
    if any(s.offset.factor(along) != 1 for s in kernel.stores):
        return None
    loads = [n.offset for n in walk(kernel.roots()) if isinstance(n, Load)]
    for few in wide[:-1]:
        if 1 < few.extent <= tuning.written_out and any((o.factor(few), o.factor(along)) == (1, few.extent) for o in loads):
            return few
    return None


def takes_turns(store: Store, along: Axis, few: Axis) -> bool:
    """Whether the steps of an axis lie side by side, and those of another so far apart that there is room for them alone."""
    return few.extent > 1 and store.offset.factor(few) == 1 and store.offset.factor(along) == few.extent


def _tasks(s: Schedule, kernel: Kernel, work: float, tuning: Loops) -> None:
    count = s.row_count
    if s.columns:
        s.together = _together(s, kernel, work, tuning)
        count = s.pieces
    if work < tuning.serial_work or count == 0:
        s.rows_per_task, s.tasks = max(count, 1), 1
        return
    kinds = {reduction_kind(r, s) for r in kernel.reductions}
    outer_sums = "outer" in kinds
    most = _most_partial(s, kernel, tuning) if outer_sums else tuning.most_tasks
    row_work = work / count
    wanted = max(1, min(most, int(work / (tuning.serial_work / 4))))
    keeps_rows = bool(kernel.inner) or s.columns or outer_sums or "row" in kinds
    if not keeps_rows and count < most and s.inner:
        last = s.inner[-1].extent
        step = 4 * s.width
        chunks = max(1, min(-(-last // step), -(-wanted // count)))
        s.chunk = round_up(round_up(last, chunks) // chunks, step)
        s.chunks = -(-last // s.chunk)
        s.rows_per_task, s.tasks = 1, count * s.chunks
        return
    least = int(tuning.serial_work / 16 / max(row_work, 1))
    s.rows_per_task = max(1, -(-count // wanted), least, 4 if outer_sums else 1)
    if count >= 8 * s.width and not s.columns:  # tiles of rows are whole
        s.rows_per_task = -(-s.rows_per_task // s.width) * s.width
    s.tasks = -(-count // s.rows_per_task)


def _most_partial(s: Schedule, kernel: Kernel, tuning: Loops) -> int:
    """Tasks whose shares of sums that rows are left of take little time beside the work."""
    shares = sum(r.result.type.size for r in kernel.reductions if frozenset(s.rows) & {a for i in r.index for a in i.axes})
    elements = math.prod(a.extent for a in (*s.rows, *s.inner))
    return min(tuning.most_partial_tasks, max(1, elements // (8 * shares))) if shares else tuning.most_partial_tasks


def _together(s: Schedule, kernel: Kernel, work: float, tuning: Loops) -> int:
    """How many vectors of columns are run down side by side: all of a row's that are read lie on a page or two then."""
    axis, sums = s.vector_axis, len(kernel.reductions)
    if s.unrolled or axis is None or not sums:
        return 1
    cost = total_cost([r.operand for r in kernel.reductions])
    vectors = -(-axis.extent // s.width)
    count = vectors * math.prod(a.extent for a in s.rows if a is not axis)
    tasks = min(tuning.enough_tasks, work // (tuning.serial_work / 4)) if work >= tuning.serial_work else 1
    together = tuning.side_by_side
    while together > 1 and (
        together > vectors
        or together * sums > tuning.side_by_side
        or together * cost > 2 * tuning.heavy
        or count < together * tasks
    ):
        together //= 2
    return together


def reduction_kind(r: Reduction, s: Schedule) -> str:
    """'row': one value a row; 'all': one for the whole kernel; 'outer': one for each place in a row, or for each of some rows."""
    if s.columns or r.inside or r.position is not None:
        return "row"
    over_rows, over_inner = bool(r.axes & set(s.rows)), bool(r.axes & set(s.inner))
    left = frozenset(a for i in r.index for a in i.axes)
    if left & set(s.inner) or over_rows and left:
        return "outer"
    return "row" if over_inner and not over_rows and s.rows else "all"
