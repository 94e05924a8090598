"""Maps of arrays that were joined, padded or cut apart: where along an axis each piece begins is tested at every place.

Such a map is several, one for each stretch of its axes in which all those tests come out alike: they are done when code is
written, and a piece is a copy. Next on the path: schedule.py, for each section by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ....ir.types import BOOL
from ....kernels.affine import Affine, Axis, axis_index
from ....kernels.expression import Apply, Const, Index, Inside, Load, Node, reading, walk
from ....kernels.kernel import Kernel
from ....kernels.merged_axes import renamed
from ....kernels.tuning import Loops
from ....ops.arithmetic import select
from ....ops.comparison import and_

Part = Mapping[Axis, tuple[int, int]]
"""Of axes: from where on and up to below where."""


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
    cuts = {a: c for a, c in found.items() if 0 < len(c) < tuning.sections and _pays(kernel, a, c, tuning)}
    while cuts and math.prod(len(c) + 1 for c in cuts.values()) > tuning.sections:
        del cuts[max(cuts, key=lambda a: len(cuts[a]))]
    if not cuts:
        return [kernel]
    parts = [dict(zip(cuts, p, strict=True)) for p in itertools.product(*[_pieces(a, c) for a, c in cuts.items()])]
    sections = [_inside(kernel, p) for p in parts]
    written = sum(len(walk(s.roots())) for s in sections)
    if written > max(tuning.written_sections, 2 * len(nodes)):
        return [kernel]
    return [renamed(s, {a: _part(a, *piece) for a, piece in p.items()}) for s, p in zip(sections, parts, strict=True)]


def _pieces(axis: Axis, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise([0, *cuts, axis.extent])


def _part(axis: Axis, low: int, high: int) -> Affine:
    """An axis in terms of the axis of a part of it."""
    return Affine(low) if high - low == 1 else axis_index(Axis(axis.name, high - low)) + low


def _pays(kernel: Kernel, axis: Axis, cuts: Sequence[int], tuning: Loops) -> bool:
    """Whether enough of what is read is not, where an axis is cut."""
    all_read = _loads(kernel) * axis.extent
    saved = all_read - sum(_loads(_inside(kernel, {axis: (low, high)})) * (high - low) for low, high in _pieces(axis, cuts))
    rows = math.prod(a.extent for a in kernel.axes if a is not axis)
    return saved >= tuning.saved_loads * all_read and saved * rows >= tuning.section_loads * (len(cuts) + 1)


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


def _inside(kernel: Kernel, part: Part) -> Kernel:
    """A kernel with what it comes to inside a part of its axes, where the tests that come out alike at all places are done."""
    made: dict[int, Node] = {}
    stack = kernel.roots()
    while stack:
        missing = [a for a in _needed(stack[-1], made) if id(a) not in made]
        if missing:
            stack += missing
        elif id(node := stack.pop()) not in made:
            made[id(node)] = _settled(node, made, part)
    stores = [replace(s, node=made[id(s.node)]) for s in kernel.stores]
    read = {n.source for n in walk([s.node for s in stores]) if isinstance(n, Load)}
    return replace(kernel, stores=stores, inputs=tuple(v for v in kernel.inputs if v in read))


def _needed(node: Node, made: Mapping[int, Node]) -> Sequence[Node]:
    """What a node is settled from: a test comes first, and then what it leaves to be read."""
    test = node.args[0] if isinstance(node, Apply) and node.op is select else node.guard if isinstance(node, Load) else None
    if test is None:
        return node.args
    known = made.get(id(test))
    if known is None:
        return (test,)
    if not isinstance(known, Const):
        return node.args
    if isinstance(node, Load):
        return node.args if known.value else ()
    return (node.args[1 if known.value else 2],)


def _settled(node: Node, made: Mapping[int, Node], part: Part) -> Node:
    """A node inside a part of the axes, in terms of what its operands have come to there."""
    if isinstance(node, Inside) and not node.args:
        return _tested(node, part)
    if isinstance(node, Load):
        guard = None if node.guard is None else made[id(node.guard)]
        if isinstance(guard, Const):
            if not guard.value:
                return Const(node.dtype.numpy.type(0), node.dtype)
            guard = None
        same = guard is node.guard and all(made[id(a)] is a for a in node.args)
        return node if same else Load(node.source, reading(node.offset, made), guard)
    if isinstance(node, Apply) and node.op is select and isinstance(test := made[id(node.args[0])], Const):
        return made[id(node.args[1 if test.value else 2])]
    args = tuple(made[id(a)] for a in node.args)
    if all(a is b for a, b in zip(args, node.args, strict=True)):
        return node
    if isinstance(node, Inside):
        return Inside(reading(node.index, made), node.low, node.high)
    if isinstance(node, Index):
        return Index(reading(node.index, made), node.dtype)
    assert isinstance(node, Apply)
    known = next((a for a in args if isinstance(a, Const)), None)
    if node.op is and_ and node.dtype == BOOL and known is not None:
        return next((a for a in args if a is not known), known) if known.value else known
    return Apply(node.op, node.params, args, node.dtype)


def _tested(test: Inside, part: Part) -> Node:
    """A test, or what it comes to everywhere inside a part of the axes."""
    low, high = _range(test.index, part)
    if (test.low is None or test.low <= low) and (test.high is None or high < test.high):
        return Const(np.True_, BOOL)
    outside = (test.low is not None and high < test.low) or (test.high is not None and low >= test.high)
    return Const(np.False_, BOOL) if outside else test


def _range(index: Affine, part: Part) -> tuple[int, int]:
    """Bounds of an index inside a part of the axes."""
    low = high = index.constant
    for atom, factor in index.terms.items():
        if not isinstance(atom, Axis):
            return index.substitute({a: _part(a, *piece) for a, piece in part.items()}).range
        first, behind = part.get(atom, (0, atom.extent))
        ends = first * factor, (behind - 1) * factor
        low, high = low + min(ends), high + max(ends)
    return low, high
