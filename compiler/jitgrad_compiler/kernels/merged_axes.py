"""Axes of a kernel that are walked as if they were one, made one, so that targets have fewer and longer loops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace

from .affine import Affine, Axis, axis_index
from .expression import Index, Inside, Load, Node, Reduced, reading, walk
from .kernel import Kernel


def indices_of(kernel: Kernel) -> list[Affine]:
    """Every index expression of a kernel."""
    found: dict[Affine, None] = {}
    for n in walk(kernel.roots()):
        if isinstance(n, Load):
            found[n.offset] = None
        elif isinstance(n, (Index, Inside)):
            found[n.index] = None
    for s in kernel.stores:
        found[s.offset] = None
    for r in kernel.reductions:
        for i in r.index:
            found[i] = None
    return list(found)


def side_by_side(place: Affine, a: Axis, b: Axis) -> bool:
    fa, fb = place.factor(a), place.factor(b)
    return fa is not None and fb is not None and fa == fb * b.extent


def merge(axes: Sequence[Axis], places: Sequence[Affine], merged: dict[Axis, Affine], apart: set[Axis]) -> list[Axis]:
    """Neighbouring axes that every index expression walks as if they were one, made one. Fills in what the old axes are now."""
    out: list[Axis] = []
    group: list[Axis] = []

    def close() -> None:
        if len(group) == 1:
            out.append(group[0])
        elif group:
            one = Axis("".join(a.name for a in group), math.prod(a.extent for a in group))
            rest = axis_index(one)
            for a in reversed(group):  # in terms that Affine can put together again
                merged[a] = rest % a.extent if a is not group[0] else rest
                rest = rest // a.extent
            out.append(one)

    for a in axes:
        if group and a not in apart and group[-1] not in apart and all(side_by_side(p, group[-1], a) for p in places):
            group.append(a)
            continue
        close()
        group = [a]
    close()
    return out


def renamed(kernel: Kernel, merged: dict[Axis, Affine]) -> Kernel:
    """A kernel of its own in terms of other axes."""
    nodes: dict[int, Node] = {}
    reductions = {id(r): replace(r) for r in kernel.reductions}

    def axes(old: Iterable[Axis]) -> Iterator[Axis]:
        return (b for a in old for b in (merged[a].axes if a in merged else (a,)))

    def index(old: Affine) -> Affine:
        return reading(old.substitute(merged), nodes)

    for n in walk(kernel.roots()):
        new = nodes[id(n)] = copy(n)
        new.args, new.axes = tuple(nodes[id(a)] for a in n.args), frozenset(axes(n.axes))
        if isinstance(new, Load):
            new.offset, new.guard = index(new.offset), None if new.guard is None else nodes[id(new.guard)]
        elif isinstance(new, (Index, Inside)):
            new.index = index(new.index)
        elif isinstance(new, Reduced):
            new.reduction = reductions[id(new.reduction)]
    for r in reductions.values():
        r.operand, r.axes, r.index = nodes[id(r.operand)], frozenset(axes(r.axes)), tuple(map(index, r.index))
    return replace(
        kernel,
        axes=tuple(dict.fromkeys(axes(kernel.axes))),
        inner=frozenset(axes(kernel.inner)),
        reductions=list(reductions.values()),
        stores=[replace(st, offset=index(st.offset), node=nodes[id(st.node)]) for st in kernel.stores],
    )
