"""A cluster: a kernel under construction, which takes in the equations that it can compute. fuse.py says which it is offered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..ir.graph import Eqn, Var
from .affine import Affine, Axis, axis_index
from .expression import Load, Node, Reduced, walk
from .kernel import Contraction, Reduction
from .pull import LayoutIndex, Puller, Unfusable, is_small_reduction

if TYPE_CHECKING:
    from .fuse import Fusion


class Member(NamedTuple):
    """A value that a cluster computes in its loops: at which index of it they are, and how."""

    at: LayoutIndex
    node: Node


class Row(NamedTuple):
    """The row of a cluster of several stages: the axes that are reduced first, and the reductions whose results are then read."""

    axes: frozenset[Axis] | None = None
    inside: frozenset[Var] = frozenset()


class Cluster:
    """A kernel under construction."""

    def __init__(self, plan: Fusion, number: int, shape: tuple[int, ...]) -> None:
        self.plan, self.number, self.shape = plan, number, shape
        self.axes = tuple(Axis(n, d) for n, d in zip(_axis_names(), shape, strict=False))
        self.natural: LayoutIndex = tuple(map(axis_index, self.axes))
        self.row = Row()
        self.eqns: list[Eqn] = []
        self.members: dict[Var, Member] = {}
        self.reductions: dict[Var, Reduction] = {}
        self.puller = Puller(self._definition, self._resolve)
        self.counted: set[int] = set()
        """The nodes, by id, below what was taken in so far; what they load is in `sources`."""
        self.sources: dict[Var, None] = {}
        self.dependencies = 0
        """Bit n is set when cluster n must run before this one."""
        self.contraction: Contraction | None = None
        self.dot: Var | None = None
        self.dead = False
        self.whole = False
        """Whether this is the kernel of one op by itself, which reads its operands from memory."""
        self.from_memory = False
        """Set while a contraction's operands are pulled, which are best read as they lie in memory."""

    # -- what the puller may see

    def _definition(self, var: Var) -> Eqn | None:
        if any(self.plan.owner.get(v) is self for v in self.plan.repeats.behind.get(var, ())):
            raise Unfusable("behind a barrier")
        again = var in self.members or var in self.plan.repeats.inlined or (not self.from_memory and self.plan.repeats.again(var))
        return self.plan.repeats.definitions[var] if again else None

    def _resolve(self, puller: Puller, var: Var, index: LayoutIndex) -> Node | None:
        if var is self.dot:
            if index != self.natural:
                raise Unfusable("a contraction's result elsewhere")
            return self.members[var].node
        r = self.reductions.get(var)
        if r is not None:
            return self._use(r, index)
        member = self.members.get(var)
        if member is None:
            return None
        if member.at == index:
            return member.node
        plan = self.plan.repeats
        dear = member.node.cost > plan.tuning.repeat_cost and (plan.uses[var] > 1 or var in plan.stored)
        if dear or member.node.stage or self.dot or var in plan.cut_off:
            raise Unfusable("too much to do again")
        return None

    def _use(self, r: Reduction, index: LayoutIndex) -> Node:
        if index != r.index or r.position or (self.row.axes is not None and r.axes != self.row.axes):
            raise Unfusable("a reduction's result elsewhere")
        if self.row.axes is None:
            tuning = self.plan.tuning
            row = math.prod(a.extent for a in r.axes)
            rows = math.prod(self.shape) // max(row, 1)
            enough = rows >= tuning.enough_rows or math.prod(self.shape) <= tuning.serial_elements
            if not enough or row * r.dtype.nbytes > tuning.row_bytes or not r.operand.axes >= r.axes:
                raise Unfusable("rows too few or too long")
            if math.prod(self.shape) > tuning.across_elements and _lies_across(r):
                raise Unfusable("rows whose elements lie apart")
            if any(o.position is not None and o.axes != r.axes for o in self.reductions.values()):
                raise Unfusable("an argmax over other parts of a row")
            if any(
                o.operand.axes and o.axes & r.axes and o.axes != r.axes and not o.axes >= r.axes for o in self.reductions.values()
            ):
                raise Unfusable("reductions over other parts of a row")
        self.row = Row(r.axes, self.row.inside | {r.result})
        node = self.puller.nodes.get(("reduced", r.name))
        if node is None:
            rows_axes = frozenset(a for a in self.axes if a not in r.axes and a.extent != 1)
            node = self.puller.nodes[("reduced", r.name)] = Reduced(r, rows_axes)
        return node

    # -- joining

    def place(self, shape: tuple[int, ...]) -> LayoutIndex | None:
        """The index at which a value of this shape is computed here: the loops, or the row's part of them."""
        if self.contraction is not None:  # its axes are flattened ones, so shapes are compared whole
            return self.natural if shape == self.shape else None
        found = _match(shape, self.axes)
        if found is None:
            for inner in [self.row.axes] if self.row.axes is not None else [r.axes for r in self.reductions.values()]:
                found = _match(shape, tuple(a for a in self.axes if a not in inner))
                if found is not None:
                    return found
        return found

    def add(self, e: Eqn) -> bool:
        """Take an equation in if it fits; leave the cluster as it was if not."""
        waits = self.try_add(e)
        if waits is None:
            return False
        self.plan.depend(self, waits)
        return True

    def try_add(self, e: Eqn) -> int | None:
        """Take an equation in if it fits, but for the clusters that must now run before this one, which are returned as a mask."""
        if self.full:
            return None
        before = self.row
        try:
            new = self._reduce(e) if e.op.kind in ("reduce", "argreduce") and not is_small_reduction(e) else self._map(e)
        except Unfusable:
            new = None
        loads = None if new is None else self._new_dependencies(new)
        if new is None or loads is None:
            self.row = before
            self.puller.memo.clear()
            self._forget(e)
            return None
        waits, fresh = loads
        self.eqns.append(e)
        self._count(fresh)
        for v in e.outputs:
            self.plan.owner[v] = self
        return waits

    @property
    def full(self) -> bool:
        tuning = self.plan.tuning
        few = math.prod(self.shape) <= tuning.small and len(self.sources) > tuning.small_sources
        return few or len(self.puller.nodes) > tuning.most_nodes

    def _count(self, fresh: Sequence[Node]) -> None:
        self.counted.update(map(id, fresh))
        self.sources.update((n.source, None) for n in fresh if isinstance(n, Load))

    def give_back(self, eqns: Sequence[Eqn]) -> None:
        """Undo the taking in of the last equations, which must have been maps."""
        del self.eqns[len(self.eqns) - len(eqns) :]
        for e in eqns:
            self._forget(e)
        self.puller.memo.clear()
        self.counted.clear()
        self.sources.clear()
        self._count(walk(self._roots()))

    def _forget(self, e: Eqn) -> None:
        for v in e.outputs:
            self.members.pop(v, None)
            self.reductions.pop(v, None)

    def _map(self, e: Eqn) -> Node | None:
        out = e.outputs[0]
        index = self.place(out.type.shape)
        if index is None:
            return None
        node = self.puller.expand(e, index, None)
        inner = self.row.axes or frozenset()
        if node.axes & inner and not any(i.axes & inner for i in index):
            return None
        self.members[out] = Member(index, node)
        return node

    def _reduce(self, e: Eqn) -> Node | None:
        if self.contraction is not None:
            return None
        (x,) = e.inputs
        index = self.place(x.type.shape)
        if index is None:
            return None
        axes = (e.params["axis"],) if e.op.kind == "argreduce" else e.params["axes"]
        operand = self.puller.pull(x, index)
        over = frozenset(a for k in axes for a in index[k].axes)
        if self.row.axes is not None and over & self.row.axes and not over >= self.row.axes:
            return None
        if self.row.axes is None and any(r.axes != over and _crossing(r.axes, over, self.axes) for r in self.reductions.values()):
            return None
        kept = tuple(i for k, i in enumerate(index) if k not in axes)
        out = e.outputs[0]
        position = index[axes[0]] if e.op.kind == "argreduce" else None
        combine = e.op.traits.combine
        name = f"r{len(self.reductions) + 1}"
        r = Reduction(name, combine, operand, over, out, kept, out.type.dtype, operand.stage)
        if position is not None:
            axis = next(iter(position.axes), None)
            if axis is None or self.reductions or self.members:
                return None
            r.position = axis
        self.reductions[out] = r
        return operand

    def _new_dependencies(self, node: Node) -> tuple[int, list[Node]] | None:
        """The clusters whose results are newly loaded for a node, and its nodes that are new here; None where one of those clusters
        waits for this one.
        """
        mask, fresh = 0, walk([node], self.counted)
        for n in fresh:
            if isinstance(n, Load):
                owner = self.plan.owner.get(n.source)
                if owner is not None and owner is not self:
                    mask |= (1 << owner.number) | owner.dependencies
        return None if mask >> self.number & 1 else (mask, fresh)

    def _roots(self) -> list[Node]:
        roots = [*[m.node for m in self.members.values()], *[r.operand for r in self.reductions.values()]]
        if self.contraction is not None:
            roots += [self.contraction.left, self.contraction.right]
        return roots


def _lies_across(r: Reduction) -> bool:
    """Whether most of what a reduction reads lies side by side along axes that it keeps. It runs best down all columns at once; a
    kernel of several stages goes from row to row, and each element of a row would be on a cache line of its own.
    """
    kept = reduced = 0
    for n in walk([r.operand]):
        if isinstance(n, Load) and n.axes & r.axes:
            size = math.prod(a.extent for a in n.axes)
            beside = [a for a in n.axes if a.extent != 1 and n.offset.factor(a) == 1]
            kept += size * any(a not in r.axes for a in beside)
            reduced += size * any(a in r.axes for a in beside)
    return kept > reduced


def _crossing(a: frozenset[Axis], b: frozenset[Axis], axes: Sequence[Axis]) -> bool:
    """Whether two sets of reduced axes cannot be a row and what is summed over rows.

    They can where one holds the other, or where they part the domain.
    """
    every = frozenset(x for x in axes if x.extent != 1)
    return not (a <= b or b <= a or not (a & b) and (a | b) == every)


def _axis_names() -> Iterable[str]:
    letters = "ijklpqrstuvwxyz"
    return itertools.chain(letters, (f"{a}{n}" for n in itertools.count(1) for a in letters))


def _match(shape: tuple[int, ...], axes: Sequence[Axis]) -> LayoutIndex | None:
    """The axes as an index of an array of this shape, sizes of 1 aside."""
    wide = [a for a in axes if a.extent != 1]
    if [a.extent for a in wide] != [n for n in shape if n != 1]:
        return None
    found = iter(wide)
    return tuple(Affine(0) if n == 1 else axis_index(next(found)) for n in shape)
