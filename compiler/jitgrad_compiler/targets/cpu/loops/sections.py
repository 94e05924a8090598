"""Maps of arrays that were joined, padded or cut apart: where along an axis each piece begins is tested at every place.

Such a map is several, one for each stretch of its axes in which all those tests come out alike: they are done when code is
written, and a piece is a copy. Next on the path: schedule.py, for each section by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ....ir.types import BOOL
from ....kernels.affine import Affine, Axis, axis_index
from ....kernels.expression import Apply, Const, Inside, Load, Node, walk
from ....kernels.kernel import Kernel
from ....kernels.merged_axes import renamed
from ....kernels.tuning import Loops
from ....ops.arithmetic import select


def sections_of(kernel: Kernel, width: int, tuning: Loops) -> list[Kernel]:
    """The kernels that do a kernel's work, one a section; itself where that does not pay. Their axes are parts of its axes."""
    if kernel.reductions or kernel.inner:
        return [kernel]
    nodes = walk(kernel.roots())
    tests = [n for n in nodes if isinstance(n, Inside)]
    if not tests or any(n.step > 1 for n in tests):
        return [kernel]
    stored = [s.offset.axes for s in kernel.stores]
    found = {a: _cuts(kernel, a, tests, 2 * width) for a in kernel.axes if all(a in axes for axes in stored)}
    cuts = {a: c for a, c in found.items() if c and _saved(kernel, a, c) >= tuning.saved_loads}
    while cuts and math.prod(len(c) + 1 for c in cuts.values()) > tuning.sections:
        del cuts[max(cuts, key=lambda a: len(cuts[a]))]
    if not cuts:
        return [kernel]
    sections = _sections(kernel, cuts)
    written = sum(len(walk(s.roots())) for s in sections)
    return sections if written <= max(tuning.written_sections, 2 * len(nodes)) else [kernel]


def _sections(kernel: Kernel, cuts: Mapping[Axis, Sequence[int]]) -> list[Kernel]:
    return [renamed(kernel, dict(parts), _settled) for parts in itertools.product(*[_parts(a, c) for a, c in cuts.items()])]


def _saved(kernel: Kernel, axis: Axis, cuts: Sequence[int]) -> float:
    """The share of what is read that is not, where an axis is cut."""
    pieces = zip(_sections(kernel, {axis: cuts}), itertools.pairwise([0, *cuts, axis.extent]), strict=True)
    return 1 - sum(_loads(s) * (high - low) for s, (low, high) in pieces) / max(_loads(kernel) * axis.extent, 1)


def _loads(kernel: Kernel) -> int:
    return sum(isinstance(n, Load) for n in walk(kernel.roots()))


def _cuts(kernel: Kernel, axis: Axis, tests: Sequence[Inside], least: int) -> list[int]:
    """Where along an axis tests come out anew; each stretch has `least` elements or more, with those of the axes behind."""
    behind = math.prod(a.extent for a in kernel.axes[kernel.axes.index(axis) + 1 :])
    places, kept = sorted({p for n in tests for p in _changes(n, axis) if 0 < p < axis.extent}), [0]
    for p in places:
        if (p - kept[-1]) * behind >= least and (axis.extent - p) * behind >= least:
            kept.append(p)
    return kept[1:]


def _changes(test: Inside, axis: Axis) -> Iterator[int]:
    """The first places at which a test of one axis alone comes out otherwise than before."""
    factor = test.index.factor(axis)
    if not factor or len(test.index.terms) != 1:
        return
    for bound in (test.low, test.high):
        if bound is not None:
            left = bound - test.index.constant
            yield -(-left // factor) if factor > 0 else (left // factor) + 1


def _parts(axis: Axis, cuts: Sequence[int]) -> Iterator[tuple[Axis, Affine]]:
    """An axis with what it is in terms of the axis of a section, section by section."""
    for low, high in itertools.pairwise([0, *cuts, axis.extent]):
        yield axis, Affine(low) if high - low == 1 else axis_index(Axis(axis.name, high - low)) + low


def _settled(node: Node) -> Node:
    """A node, or what it comes to where a test that it is or reads comes out alike at all places."""
    if isinstance(node, Inside) and not node.args:
        low, high = node.index.range
        if (node.low is None or node.low <= low) and (node.high is None or high < node.high):
            return Const(np.True_, BOOL)
        outside = (node.low is not None and high < node.low) or (node.high is not None and low >= node.high)
        return Const(np.False_, BOOL) if outside else node
    if isinstance(node, Load) and isinstance(node.guard, Const):
        return Load(node.source, node.offset, None) if node.guard.value else Const(node.dtype.numpy.type(0), node.dtype)
    if not isinstance(node, Apply):
        return node
    if node.op is select and isinstance(condition := node.args[0], Const):
        return node.args[1 if condition.value else 2]
    known = next((a for a in node.args if isinstance(a, Const)), None)
    if node.op.name == "and" and node.dtype == BOOL and known is not None:
        return next((a for a in node.args if a is not known), known) if known.value else known
    return Apply(node.op, node.params, node.args, node.dtype)
