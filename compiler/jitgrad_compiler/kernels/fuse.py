"""Fusion: a Graph cut into kernels. Every equation joins the kernel that makes its operands if that kernel can compute it too.

A cluster is a kernel under construction over a domain, the shape its loops run over. An equation fits a cluster when its elements
can be pulled (pull.py) at the loop indices: at the full domain, or at one row of it where reductions over the rest are done first.
Layout ops, and cheap arithmetic on operands much smaller than the result, belong to no cluster: whoever reads them does them again
(repeats.py). Greedy in program order; a join that would make kernels wait for each other in a circle is refused. Kernels run in
program order where they can. Next on the path: cluster.py, what fits a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..ir.graph import Eqn, Graph, Literal, Var
from ..ops.contraction import REDUCED, dot_general
from ..ops.indexing import scatter
from ..ops.layout import broadcast_op
from .affine import Affine, Axis, axis_index, linear, split
from .cluster import Cluster, Member
from .expression import Contracted, Load, walk
from .kernel import Contraction, Kernel, Store
from .pull import is_pulled, is_small_reduction
from .repeats import Repeats
from .tuning import Tuning


class Fusion:
    """The cutting of one Graph."""

    def __init__(
        self,
        graph: Graph,
        tuning: Tuning,
        updates: Sequence[Eqn] = (),
        again: frozenset[Var] = frozenset(),
        given: frozenset[Var] = frozenset(),
    ) -> None:
        self.graph, self.tuning, self.given = graph, tuning.fusion, given
        self.outputs = {a for a in graph.outputs if isinstance(a, Var)}
        self.in_place = {id(e) for e in updates}
        self.owner: dict[Var, Cluster] = {}
        """The kernel that makes a value."""
        self.repeats = Repeats(graph, self.tuning, self.owner, again)
        self.clusters: list[Cluster] = []
        self.by_shape: dict[tuple[int, ...], list[Cluster]] = {}
        self.places: dict[Any, int] = {v: n for n, e in enumerate(graph.eqns) for v in (*e.outputs, id(e))}
        """Where in the program an equation, by its id, or a value stands."""
        self.awaited = 0
        """Bit n is set when a cluster waits for cluster n."""
        self.apart: set[frozenset[int]] = set()
        """Clusters that could not become one."""
        self.effects: Cluster | None = None
        """The last kernel so far that has effects, which come in the order of the program."""

    # -- clusters

    def depend(self, c: Cluster, mask: int) -> None:
        """Cluster c now waits for the clusters in the mask, and so do all that wait for c."""
        if not mask & ~c.dependencies:
            return
        c.dependencies |= mask
        self.awaited |= mask
        if self.awaited >> c.number & 1:
            for other in self.clusters:
                if other.dependencies >> c.number & 1:
                    other.dependencies |= c.dependencies

    def new_cluster(self, shape: tuple[int, ...] = (), whole: bool = False) -> Cluster:
        """An empty one; `whole`: for an op with a kernel of its own, which nobody joins."""
        c = Cluster(self, len(self.clusters), shape)
        self.clusters.append(c)
        c.whole = whole
        if not whole:
            self.by_shape.setdefault(tuple(n for n in shape if n != 1), []).append(c)
        return c

    def reads(self, e: Eqn) -> set[Var]:
        """The equation's operands, and what is seen through those that are inlined."""
        stack = [a for a in e.inputs if isinstance(a, Var)]
        seen = set(stack)
        while stack:
            v = stack.pop()
            if v not in self.owner and v in self.repeats.inlined and v not in self.repeats.behind:
                fresh = [a for a in self.repeats.definitions[v].inputs if isinstance(a, Var) and a not in seen]
                seen.update(fresh)
                stack += fresh
        return seen

    def producers(self, e: Eqn) -> list[Cluster]:
        """The clusters that make what the equation reads; the latest first."""
        found = {self.owner[v].number: self.owner[v] for v in self.reads(e) if v in self.owner}
        return [found[n] for n in sorted(found, reverse=True)]

    def domain(self, e: Eqn) -> tuple[int, ...]:
        reduces = e.op.kind in ("reduce", "argreduce") and not is_small_reduction(e)
        shape: tuple[int, ...] = (e.inputs[0] if reduces else e.outputs[0]).type.shape
        return shape

    def cut(self) -> list[Kernel]:
        for e in self.graph.eqns:
            if e.outputs and e.outputs[0] in self.repeats.inlined and not any(v in self.repeats.stored for v in e.outputs):
                continue
            if id(e) in self.in_place:
                self._own_kernel(e)
            elif e.op is dot_general:
                self._contract(e)
            elif is_pulled(e.op) or e.op.kind in ("reduce", "argreduce"):
                self._fuse(e)
            else:
                self._own_kernel(e)
        return self._kernels()

    def _fuse(self, e: Eqn) -> None:
        candidates = [c for c in self.producers(e) if not c.whole]
        domain = tuple(n for n in self.domain(e) if n != 1)
        alike = [c for c in candidates if tuple(n for n in c.shape if n != 1) == domain and c.contraction is None and not c.dead]
        if len(alike) > 1:
            merged = self._merge(alike)
            first = [] if merged is None else [merged]
            candidates = [*first, *[c for c in candidates if not c.dead and c is not merged]]
        if not candidates or all(tuple(n for n in c.shape if n != 1) != domain for c in candidates):
            reads = self.repeats.read_again(e) or set(a for a in e.inputs if isinstance(a, Var))
            siblings = [
                c
                for c in reversed(self.by_shape.get(domain, [])[-8:])
                if not c.dead and c not in candidates and (c.contraction is None or not candidates and self.repeats.writes_again(e))
            ]
            candidates += [c for c in siblings if not reads.isdisjoint(c.sources)]
        candidates.sort(key=lambda c: (c.contraction is None, -math.prod(c.shape), -c.number))
        if math.prod(domain) and any(c.add(e) for c in candidates):
            return
        if 0 < math.prod(domain) <= self.tuning.small and any(c.add(e) for c in self._beside(e, domain)):
            return
        if not self.new_cluster(self.domain(e)).add(e):
            raise AssertionError(f"fuse: {e.op.name} does not fit a kernel of its own")

    def _beside(self, e: Eqn, domain: tuple[int, ...]) -> list[Cluster]:
        """Kernels of as few elements that need not wait any longer with the equation, though they share nothing with it. What is
        done again on purpose stays in a kernel of its own.
        """
        if e.op.kind in ("reduce", "argreduce") or any(v in self.repeats.behind for v in self.reads(e)):
            return []
        waits = 0
        for c in self.producers(e):
            waits |= (1 << c.number) | c.dependencies
        return [
            c
            for c in reversed(self.by_shape.get(domain, [])[-4:])
            if not (c.dead or c.contraction or c.reductions or waits & ~c.dependencies)
        ]

    def _merge(self, parts: list[Cluster]) -> Cluster | None:
        """One cluster of the equations of several, if they fit together and nothing between them would wait for itself."""
        numbers = frozenset(c.number for c in parts)
        if numbers in self.apart or sum(len(c.puller.nodes) for c in parts) > self.tuning.most_nodes:
            return None
        mask = sum(1 << n for n in numbers)
        for other in self.clusters:
            if (
                not other.dead
                and other.number not in numbers
                and other.dependencies & mask
                and any(c.dependencies >> other.number & 1 for c in parts)
            ):
                return None
        largest = max(parts, key=lambda c: len(c.puller.nodes))
        maps = not any(c.reductions for c in parts)
        merged = self._absorb(largest, parts) if maps and not largest.dependencies & mask else self._rebuild(parts)
        if merged is None:
            self.apart.add(numbers)
            return None
        gone = [c for c in parts if c is not merged]
        for p in gone:
            p.dead = True
        self.awaited |= 1 << merged.number
        for other in self.clusters:  # who waits for a part waits for the whole
            if other is not merged and not other.dead and other.dependencies & mask:
                other.dependencies |= (1 << merged.number) | merged.dependencies
        return merged

    def _absorb(self, largest: Cluster, parts: Sequence[Cluster]) -> Cluster | None:
        """The equations of the other parts, all of them maps, taken into the largest, so that merging costs what is small.

        None where one does not fit, or would now read what waits for a part: what was done again may have been stored since.
        """
        eqns = sorted((e for c in parts if c is not largest for e in c.eqns), key=lambda e: self.places[id(e)])
        before = {v: self.owner[v] for e in eqns for v in e.outputs}
        mask = sum(1 << c.number for c in parts)
        waits = 0
        done: list[Eqn] = []
        for e in eqns:
            more = largest.try_add(e)
            if more is not None:
                waits |= more
                done.append(e)
            if more is None or more & mask:
                largest.give_back(done)
                self.owner.update(before)
                self.repeats.forget(before)
                return None
        self.repeats.forget(before)
        largest.eqns.sort(key=lambda e: self.places[id(e)])
        self.depend(largest, waits)
        return largest

    def _rebuild(self, parts: Sequence[Cluster]) -> Cluster | None:
        eqns = sorted((e for c in parts for e in c.eqns), key=lambda e: self.places[id(e)])
        before = {v: self.owner[v] for e in eqns for v in e.outputs}
        for v in before:
            del self.owner[v]
        self.repeats.forget(before)
        mask = sum(1 << c.number for c in parts)
        # built beside the parts: their numbers are still set in others' masks, so the new number joins those
        c = Cluster(self, len(self.clusters), max((p.shape for p in parts), key=len))
        self.clusters.append(c)
        self.awaited |= 1 << c.number
        for other in self.clusters:  # who waits for a part waits for the whole, as long as it is being built too
            if other is not c and not other.dead and other not in parts and other.dependencies & mask:
                other.dependencies |= 1 << c.number
        if not all(c.add(e) for e in eqns):
            self.clusters.pop()
            self.owner.update(before)
            self.repeats.forget(before)
            for other in self.clusters:
                other.dependencies &= ~(1 << c.number)
            return None
        self.by_shape.setdefault(tuple(n for n in c.shape if n != 1), []).append(c)
        return c

    def _contract(self, e: Eqn) -> None:
        c = self.new_cluster(e.outputs[0].type.shape)
        x, y = e.inputs
        (cx, cy), (bx, by) = e.params["dims"]
        fx = tuple(i for i in range(x.type.rank) if i not in cx and i not in bx)
        fy = tuple(i for i in range(y.type.rank) if i not in cy and i not in by)
        sizes = [tuple(t.shape[i] for i in axes) for t, axes in ((x.type, bx), (x.type, fx), (y.type, fy), (x.type, cx))]
        batch, row, column, depth = (Axis(n, math.prod(s)) for n, s in zip("bijk", sizes, strict=True))
        places = [split(axis_index(a), s) for a, s in zip((batch, row, column, depth), sizes, strict=True)]
        left, right = [Affine(0)] * x.type.rank, [Affine(0)] * y.type.rank
        for target, groups in ((left, ((bx, 0), (fx, 1), (cx, 3))), (right, ((by, 0), (fy, 2), (cy, 3)))):
            for dims, which in groups:
                for d, place in zip(dims, places[which], strict=True):
                    target[d] = place
        c.axes = (batch, row, column)
        c.natural = (*places[0], *places[1], *places[2])
        c.dot = e.outputs[0]
        used = frozenset(a for a in c.axes if a.extent != 1)
        c.members[c.dot] = Member(c.natural, Contracted(c.dot.type.dtype, used))
        c.from_memory = True
        c.contraction = Contraction(
            batch,
            row,
            column,
            depth,
            c.puller.pull(x, tuple(left)),
            c.puller.pull(y, tuple(right)),
            c.dot.type.dtype,
            tuple(tuple(n for n in s if n != 1) for s in sizes[1:]),
            e.params.get("precision") == REDUCED,
        )
        c.from_memory = False
        mask = 0
        for side in (c.contraction.left, c.contraction.right):
            found = c._new_dependencies(side)
            if found is None:
                raise AssertionError("fuse: a contraction waits for itself")
            mask |= found[0]
            c._count(found[1])
        self.repeats.store(v for v in c.sources if v in self.owner)
        c.eqns.append(e)
        self.owner[c.dot] = c
        self.depend(c, mask)

    def _own_kernel(self, e: Eqn) -> None:
        """An op with a kernel of its own reads its operands from memory; a scatter into one number takes the number."""
        x = self.repeats.definitions.get(e.inputs[0]) if e.op is scatter and isinstance(e.inputs[0], Var) else None
        if x is not None and x.op is broadcast_op and isinstance(x.inputs[0], Literal):
            e = Eqn(e.op, [x.inputs[0], *e.inputs[1:]], e.params, e.outputs, e.source)
        c = self.new_cluster(whole=True)
        c.eqns.append(e)
        if e.has_effect:
            if self.effects is not None:
                self.depend(c, (1 << self.effects.number) | self.effects.dependencies)
            self.effects = c
        for a in e.inputs:
            if isinstance(a, Var):
                if a in self.repeats.inlined and a not in self.owner:
                    self.repeats.store([a])
                    if not self.new_cluster(a.type.shape).add(self.repeats.definitions[a]):
                        raise AssertionError("fuse: a layout op does not fit a kernel of its own")
                self.repeats.store([a])
                owner = self.owner.get(a)
                if owner is not None:
                    self.depend(c, (1 << owner.number) | owner.dependencies)
        for v in e.outputs:
            self.owner[v] = c

    # -- records

    def _kernels(self) -> list[Kernel]:
        alive = [c for c in self.clusters if not c.dead]
        needed = set(self.repeats.stored)
        for c in alive:
            needed.update(_reads(c))
        waiting = sorted(alive, key=lambda c: min(self.places[e.outputs[0] if e.outputs else id(e)] for e in c.eqns))
        last = self._last(alive, needed)
        order: list[Cluster] = []
        done = sum(1 << c.number for c in self.clusters if c.dead)
        while waiting:
            ready = next((c for some in (last, waiting) for c in some if not c.dependencies & ~done), None)
            if ready is None:
                raise AssertionError("fuse: kernels wait for each other")
            ready = self._before(ready, waiting, done)
            order.append(ready)
            waiting.remove(ready)
            if ready in last:
                last.remove(ready)
            done |= 1 << ready.number
        return [k for c in order if (k := _record(c, needed)) is not None]

    def _last(self, alive: Sequence[Cluster], needed: set[Var]) -> list[Cluster]:
        """The kernels after which a large value is not needed any more, and that make nothing but results of the program: an update
        of a parameter by its gradient. They run as soon as they can.
        """
        readers: dict[Var, int] = {}
        for c in alive:
            for v in _reads(c):
                readers[v] = readers.get(v, 0) + 1

        def frees(c: Cluster) -> bool:
            made = {v for e in c.eqns for v in e.outputs if v in needed}
            if c.whole or c.contraction is not None or not made or not made <= self.outputs:
                return False
            large = [v for v in c.sources if v.type.nbytes >= self.tuning.freed_bytes and v in self.owner and v not in self.outputs]
            return any(readers[v] == 1 for v in large)

        return [c for c in alive if frees(c)]

    def _before(self, c: Cluster, waiting: Sequence[Cluster], done: int) -> Cluster:
        """The kernel itself; or one that could run now, too, and reads what this one may write its results over."""
        if not self.given:
            return c
        sizes = {v.type.nbytes for e in c.eqns for v in e.outputs if v in self.outputs}
        given = {v for v in self.given.intersection(_reads(c)) if v.type.nbytes in sizes}
        if not given:
            return c
        others = (o for o in waiting if o is not c and not o.dependencies & ~done)
        return next((o for o in others if not given.isdisjoint(_reads(o))), c)


def _reads(c: Cluster) -> Iterable[Var]:
    return [a for a in c.eqns[0].inputs if isinstance(a, Var)] if c.whole else c.sources


def _record(c: Cluster, needed: set[Var]) -> Kernel | None:
    first = c.eqns[0]
    if not first.has_effect and not any(
        v.type.size for e in c.eqns for v in e.outputs
    ):  # arrays without elements: nothing is written
        return None
    if c.whole:
        inputs = tuple(dict.fromkeys(a for a in first.inputs if isinstance(a, Var)))
        return Kernel(first.op.name, c.axes, frozenset(), [], [], (first,), inputs=inputs, results=first.outputs)
    for r in c.reductions.values():
        r.stored, r.inside = r.result in needed, r.result in c.row.inside
    reductions = [r for r in c.reductions.values() if r.stored or r.inside]
    stores = []
    for v in sorted((v for v in c.members if v in needed), key=c.plan.places.__getitem__):
        index, node = c.members[v]
        stores.append(Store(v, linear(index, v.type.shape), node))
    if not reductions and not stores:
        return None
    roots = [*[r.operand for r in reductions], *[s.node for s in stores]]
    if c.contraction is not None:
        roots += [c.contraction.left, c.contraction.right]
    inputs = tuple(dict.fromkeys(n.source for n in walk(roots) if isinstance(n, Load)))
    kind = "loops" if c.contraction is None else "contract"
    inner = c.row.axes if c.row.axes is not None and any(r.inside for r in reductions) else frozenset()
    return Kernel(kind, c.axes, inner, reductions, stores, tuple(c.eqns), c.contraction, inputs)


def fuse(
    graph: Graph,
    tuning: Tuning,
    updates: Sequence[Eqn] = (),
    again: frozenset[Var] = frozenset(),
    given: frozenset[Var] = frozenset(),
) -> list[Kernel]:
    """The kernels of a Graph, in an order in which they can run.

    Args:
        graph: what is cut.
        tuning: the target's sizes.
        updates: equations that change a window of memory they own: memory.py's `updates_in_place`.
        again: values that every reader computes: recompute.py's.
        given: inputs that results may be written over, which best happens when nobody else reads them any more.
    """
    return Fusion(graph, tuning, updates, again, given).cut()
