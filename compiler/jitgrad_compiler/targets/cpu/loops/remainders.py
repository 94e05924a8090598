"""Maps whose indices are divided by small numbers, as where windows are put back in place or an array is enlarged.

Such an axis is cut into steps and remainders, and what belongs to each remainder is written out: divisions and tests are done when
code is written. So each place computes its own terms alone, and vectors read side by side. Next on the path: schedule.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....kernels.affine import Affine, Axis, Div, Mod, axes_of_atom, axis_index
from ....kernels.expression import Index, Inside, Load, Node, walk
from ....kernels.kernel import Kernel
from ....kernels.tuning import Loops


@dataclass(frozen=True)
class Cut:
    """An axis of `extent` elements as `steps` times the extent of `remainder`, plus that; the last step may be short of some."""

    extent: int
    steps: Axis
    remainder: Axis

    @property
    def index(self) -> Affine:
        return axis_index(self.steps) * self.remainder.extent + axis_index(self.remainder)

    @property
    def short(self) -> bool:
        """Whether the last step lacks a remainder."""
        return self.extent % self.remainder.extent > 0

    def count(self, remainder: int) -> int:
        """How many steps have an element with a remainder."""
        return -(-(self.extent - remainder) // self.remainder.extent)


def cuts_of(kernel: Kernel, wide: Sequence[Axis], width: int, tuning: Loops) -> dict[Axis, Cut]:
    """The axes of a map to cut, the last of which vectors run along; none where that does not pay."""
    if kernel.reductions or kernel.inner or len(wide) < 2 or wide[-1].extent < width // 2:
        return {}
    nodes = walk(kernel.roots())
    divisions = list(dict.fromkeys(d for n in nodes for d in _divisions(n)))
    divided = {a: by for a in wide if (by := _divisor(divisions, a, tuning)) is not None} if divisions else {}
    if not divided:
        return {}
    last = wide[-1]
    if last in divided and (divided[last] != 2 or any(s.offset.factor(last) != 1 for s in kernel.stores)):
        return {}
    tested = [i for n in nodes if isinstance(n, Inside) for i in _tested(n)]
    chosen = [a for a in wide if a in divided and (a is last or any(a in axes for axes in tested))]
    if not chosen or math.prod(divided[a] for a in chosen) * len(nodes) > tuning.written_remainders:
        return {}
    cuts = {}
    for a in chosen:
        steps, remainder = Axis(f"{a.name}_", -(-a.extent // divided[a])), Axis(f"{a.name}%", divided[a])
        cuts[a] = Cut(a.extent, steps, remainder)
    along = cuts[last].steps if last in cuts else last
    replaced = {a: c.index for a, c in cuts.items()}
    return {} if any(along in axes for n in nodes for axes in _divided(n, replaced)) else cuts


def _divisor(divisions: Sequence[tuple[frozenset[Axis], int]], axis: Axis, tuning: Loops) -> int | None:
    """By what an axis is divided, where the largest such number is a multiple of all of them."""
    found = {by for axes, by in divisions if axis in axes}
    largest = max(found, default=1)
    fits = 1 < largest <= min(tuning.written_out, axis.extent - 1)
    return largest if fits and not any(largest % by for by in found) else None


def _places(node: Node) -> list[Affine]:
    return [node.offset] if isinstance(node, Load) else [node.index] if isinstance(node, (Index, Inside)) else []


def _atoms(index: Affine) -> Iterator[Div | Mod]:
    for atom in index.terms:
        if isinstance(atom, (Div, Mod)):
            yield atom
            yield from _atoms(atom.of)


def _divisions(node: Node) -> Iterator[tuple[frozenset[Axis], int]]:
    """The axes of everything that is divided in a node's index, and by what."""
    for index in _places(node):
        for atom in _atoms(index):
            yield axes_of_atom(atom), atom.by
    if isinstance(node, Inside) and node.step > 1:
        yield node.index.axes, node.step


def _divided(node: Node, replaced: dict[Axis, Affine]) -> Iterator[frozenset[Axis]]:
    """The axes of everything that is still divided when axes are replaced."""
    for index in _places(node):
        new = index.substitute(replaced)
        for atom in _atoms(new):
            yield axes_of_atom(atom)
        if isinstance(node, Inside) and node.step > 1:
            yield frozenset(a for a in new.axes if (new.factor(a) or 1) % node.step)


def _tested(node: Inside) -> Iterator[frozenset[Axis]]:
    """The axes whose remainder a test asks for."""
    if node.step > 1:
        yield node.index.axes
    for atom in _atoms(node.index):
        yield axes_of_atom(atom)
