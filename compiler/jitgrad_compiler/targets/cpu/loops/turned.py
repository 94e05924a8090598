"""Maps that read along one axis and write along another, as transposition does: which two, and where squares of both pay.

Next on the path: squares.py, which reads such a square and turns it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....kernels.affine import Axis
from ....kernels.expression import Load, walk
from ....kernels.kernel import Kernel
from ....kernels.tuning import Loops


@dataclass(frozen=True)
class Turned:
    """An axis whose squares are gone through in `runs` of `run` each, so that cache lines which two share are still at hand."""

    axis: Axis
    run: int
    runs: int


def turned_axis(
    kernel: Kernel, rows: Sequence[Axis], along: Axis, unrolled: Sequence[Axis], width: int, tuning: Loops
) -> Turned | None:
    """The axis of the rows along which a map reads most of what it reads across its vectors; None where squares do not pay."""
    if kernel.reductions or kernel.inner or along.extent < tuning.turned_steps:
        return None
    if math.prod(a.extent for a in (*rows, *unrolled)) * along.extent < tuning.turned_at_least:
        return None
    last = unrolled[-1] if unrolled else None
    pairs = last is not None and last.extent == 2 and all(s.offset.factor(last) == 1 for s in kernel.stores)
    if any(s.offset.factor(along) != (2 if pairs else 1) for s in kernel.stores):
        return None
    most, found = 0, None
    for a in rows:
        loads = turned_loads(kernel, a, along) if a.extent >= tuning.turned_steps else []
        squares = sum(steps_of(n, unrolled) for n in loads)
        if len(loads) > most and squares <= tuning.most_squares:
            most, found = len(loads), a
    if found is None:
        return None
    squares = -(-found.extent // width)
    runs = -(-squares // tuning.squares_in_run)
    return Turned(found, -(-squares // runs), runs)


def turned_loads(kernel: Kernel, turned: Axis, along: Axis) -> list[Load]:
    """What lies side by side along one axis, and neither so nor in pairs along the other, which vectors run along."""
    loads = [n for n in walk(kernel.roots()) if isinstance(n, Load)]
    return [n for n in loads if n.offset.factor(turned) == 1 and n.offset.factor(along) not in (0, 1, 2)]


def steps_of(load: Load, unrolled: Sequence[Axis]) -> int:
    return math.prod(a.extent for a in unrolled if a in load.axes)
