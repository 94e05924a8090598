"""Fusion: a Graph cut into kernels. Every equation joins the kernel that makes its operands if that kernel can compute it too.

A cluster is a kernel under construction over a domain, the shape its loops run over. An equation fits a cluster when its elements
can be pulled (pull.py) at the loop indices: at the full domain, or at one row of it where reductions over the rest are done first.
Layout ops, and cheap arithmetic on operands much smaller than the result, belong to no cluster: whoever reads them does them again.
Greedy in program order; a join that would make kernels wait for each other in a circle is refused. What is behind a barrier is
never computed by the kernel that makes the barrier's operand. Kernels run in program order where they can.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..ir.graph import Eqn, Graph, Literal, Var
from ..ir.storage import small
from ..ops.arithmetic import convert_element_type
from ..ops.contraction import dot_general
from ..ops.indexing import gather, scatter
from ..ops.layout import broadcast_op, reshape_op
from .affine import Affine, Axis, axis_index, linear, split
from .cluster import Cluster
from .expression import Contracted, Load, walk
from .kernel import Contraction, Kernel, Store
from .pull import is_pulled, is_small_reduction
from .tuning import Tuning

MOST_INLINED = 60
"""Layout ops one inside another that a reader does again; pulling through them recurses."""
RESHAPE_DEPTH = 8
"""What a reshape counts there whose index needs division: such indices, one inside another, grow by a factor each time."""
CHOICE_COST = 2.0
"""Of doing a piece of a concatenation or a pad again; free ones, one inside another, would be done again 2**n times."""


def is_mixing(reshape: Eqn) -> bool:
    """Whether a reshape does more than to add and remove axes of size 1."""
    before, after = reshape.inputs[0].type.shape, reshape.params["shape"]
    return [n for n in before if n != 1] != [n for n in after if n != 1]


class Fusion:
    """The cutting of one Graph."""

    def __init__(self, graph: Graph, tuning: Tuning, updates: Sequence[Eqn] = ()) -> None:
        self.graph, self.tuning = graph, tuning.fusion
        self.in_place = {id(e) for e in updates}
        self.definitions: dict[Var, Eqn] = {v: e for e in graph.eqns for v in e.outputs}
        self.owner: dict[Var, Cluster] = {}
        self.clusters: list[Cluster] = []
        self.stored = {a for a in graph.outputs if isinstance(a, Var)}
        self.by_shape: dict[tuple[int, ...], list[Cluster]] = {}
        self.inlined: set[Var] = set()
        self.cut_off: set[Var] = set()
        """Results of layout ops that are stored after all, for too many stand one inside another."""
        self.places: dict[Any, int] = {v: n for n, e in enumerate(graph.eqns) for v in (*e.outputs, id(e))}
        """Where in the program an equation, by its id, or a value stands."""
        self.chains: dict[Var, tuple[float, frozenset[Var]]] = {}
        self.awaited = 0
        """Bit n is set when a cluster waits for cluster n."""
        self.apart: set[frozenset[int]] = set()
        """Clusters that could not become one."""
        self.uses: dict[Var, int] = {}
        for e in graph.eqns:
            for a in e.inputs:
                if isinstance(a, Var):
                    self.uses[a] = self.uses.get(a, 0) + 1
        self.effects: Cluster | None = None
        """The last kernel so far that has effects, which come in the order of the program."""
        self.behind: dict[Var, list[Var]] = {}
        """For each barrier the values in memory that it stands for."""
        self._find_inlined()
        self._find_barriers()

    # -- what is done again by every reader

    def _find_inlined(self) -> None:
        leaves: dict[Var, dict[Var, None]] = {v: {v: None} for v in self.graph.inputs}
        cost: dict[Var, float] = {}
        depth: dict[Var, int] = {}
        for e in self.graph.eqns:
            below: dict[Var, None] = {}
            total = e.op.traits.cost
            for a in e.inputs:
                if isinstance(a, Var):
                    below |= leaves[a]
                    total += cost.get(a, 0.0)
            inline = e.op.traits.free or widens(e) and not self._keeps_wide(e)
            if not inline and e.op.kind == "elementwise" or is_small_reduction(e):
                factor = math.prod(e.inputs[0].type.shape) // max(e.outputs[0].type.size, 1) if is_small_reduction(e) else 1
                total *= max(factor, 1)
                small = sum(v.type.nbytes for v in below) * self.tuning.inlined_ratio <= e.outputs[0].type.nbytes
                large = e.outputs[0].type.nbytes >= self.tuning.inlined_bytes
                inline = total <= self.tuning.repeat_cost and small and large
            above = max((depth.get(a, 0) for a in e.inputs if isinstance(a, Var)), default=0)
            deep = above + (RESHAPE_DEPTH if e.op is reshape_op and is_mixing(e) else 1)
            if inline and deep > MOST_INLINED:
                inline = False
                self.cut_off.update(e.outputs)
                self.stored.update(e.outputs)
            for v in e.outputs:
                # arithmetic in a kernel that is read elsewhere in it is done again there, with the layout ops below it
                depth[v] = deep if inline else above if e.op.kind == "elementwise" else 0
                leaves[v] = below if inline else {v: None}
                if not e.op.traits.free:
                    cost[v] = total if inline else 0.0
                else:
                    cost[v] = cost.get(e.inputs[0], 0.0) if e.inputs and isinstance(e.inputs[0], Var) else 0.0
                if inline:
                    self.inlined.add(v)

    def _keeps_wide(self, e: Eqn) -> bool:
        """Whether what an equation widens is small and was rounded by the program itself, so that it is stored wide."""
        (x,) = e.inputs
        before = self.definitions.get(x) if isinstance(x, Var) else None
        return before is not None and before.op is convert_element_type and small(x.type)

    def _find_barriers(self) -> None:
        for e in self.graph.eqns:
            if e.op.traits.in_memory:
                self.stored.update(e.outputs)
            if not e.op.traits.barrier:
                continue
            seen = [a for a in e.inputs if isinstance(a, Var)]
            for v in seen:
                if v in self.inlined:
                    seen += [a for a in self.definitions[v].inputs if isinstance(a, Var) and a not in seen]
            self.behind[e.outputs[0]] = found = [v for v in seen if v not in self.inlined]
            self.stored.update(v for v in found if v in self.definitions)

    def store(self, values: Iterable[Var]) -> None:
        """These values are written to memory, whoever makes them."""
        fresh = set(values) - self.stored
        if fresh:
            self.stored |= fresh
            self.chains.clear()

    def repeats(self, var: Var) -> bool:
        """Whether another kernel does better to compute a value again than to have it stored: cheap, from operands no larger."""
        if var not in self.owner or self.owner[var].contraction is not None or var in self.stored:
            return False
        cost, leaves = self._chain(var)
        if cost > self.tuning.repeat_large_cost or var in leaves:
            return False
        return bool(sum(v.type.nbytes for v in leaves) <= 2 * var.type.nbytes + self.tuning.repeat_bytes)

    def _chain(self, var: Var) -> tuple[float, frozenset[Var]]:
        """The cost of computing a value from values in memory, and those values. What is found on the way is kept until more is
        stored.
        """
        stack = [var]
        while stack:
            v = stack[-1]
            if v in self.chains:
                stack.pop()
                continue
            e = self._again(v)
            missing = [] if e is None else [a for a in e.inputs if isinstance(a, Var) and a not in self.chains]
            if missing:
                stack += missing
            else:
                self.chains[v] = (0.0, frozenset((v,))) if e is None else self._chained(v, e)
        return self.chains[var]

    def _again(self, var: Var) -> Eqn | None:
        """The equation to do again for a value; None where it is read from memory."""
        e = self.definitions.get(var)
        if e is None or var in self.stored or e.op.traits.cost > self.tuning.repeat_op_cost or e.op is gather:
            return None
        return e if var in self.inlined or self._in_kernel(var) else None

    def _in_kernel(self, var: Var) -> bool:
        owner = self.owner.get(var)
        return owner is not None and var in owner.members and owner.contraction is None

    def _chained(self, var: Var, e: Eqn) -> tuple[float, frozenset[Var]]:
        choices = CHOICE_COST * (len(e.inputs) - 1) if e.op.kind == "layout" and e.inputs else 0.0
        cost = e.op.traits.cost if e.op.kind == "elementwise" else choices
        leaves: frozenset[Var] = frozenset()
        for a in dict.fromkeys(e.inputs):
            if isinstance(a, Var):
                more, below = self.chains[a]
                cost += more
                leaves |= below
            if cost > self.tuning.repeat_large_cost:
                return (0.0, frozenset((var,))) if self._in_kernel(var) else (cost, leaves)
        return cost, leaves

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
            if v not in self.owner and v in self.inlined and v not in self.behind:
                fresh = [a for a in self.definitions[v].inputs if isinstance(a, Var) and a not in seen]
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
            if e.outputs and e.outputs[0] in self.inlined and not any(v in self.stored for v in e.outputs):
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
            reads = set(a for a in e.inputs if isinstance(a, Var))
            siblings = [
                c
                for c in reversed(self.by_shape.get(domain, [])[-8:])
                if not c.dead and c not in candidates and c.contraction is None
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
        if e.op.kind in ("reduce", "argreduce") or any(v in self.behind for v in self.reads(e)):
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
                return None
        largest.eqns.sort(key=lambda e: self.places[id(e)])
        self.depend(largest, waits)
        return largest

    def _rebuild(self, parts: Sequence[Cluster]) -> Cluster | None:
        eqns = sorted((e for c in parts for e in c.eqns), key=lambda e: self.places[id(e)])
        before = {v: self.owner[v] for e in eqns for v in e.outputs}
        for v in before:
            del self.owner[v]
        self.chains.clear()
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
            self.chains.clear()
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
        c.values[c.dot] = Contracted(c.dot.type.dtype, used)
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
        )
        c.from_memory = False
        mask = 0
        for side in (c.contraction.left, c.contraction.right):
            found = c._new_dependencies(side)
            if found is None:
                raise AssertionError("fuse: a contraction waits for itself")
            mask |= found[0]
            c._count(found[1])
        self.store(v for v in c.sources if v in self.owner)
        c.members[c.dot] = c.natural
        c.eqns.append(e)
        self.owner[c.dot] = c
        self.depend(c, mask)

    def _own_kernel(self, e: Eqn) -> None:
        """An op with a kernel of its own reads its operands from memory; a scatter into one number takes the number."""
        x = self.definitions.get(e.inputs[0]) if e.op is scatter and isinstance(e.inputs[0], Var) else None
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
                if a in self.inlined and a not in self.owner:
                    self.store([a])
                    if not self.new_cluster(a.type.shape).add(self.definitions[a]):
                        raise AssertionError("fuse: a layout op does not fit a kernel of its own")
                self.store([a])
                owner = self.owner.get(a)
                if owner is not None:
                    self.depend(c, (1 << owner.number) | owner.dependencies)
        for v in e.outputs:
            self.owner[v] = c

    # -- records

    def _kernels(self) -> list[Kernel]:
        alive = [c for c in self.clusters if not c.dead]
        needed = set(self.stored)
        for c in alive:
            reads = [a for a in c.eqns[0].inputs if isinstance(a, Var)] if c.whole else c.sources
            needed.update(reads)
        waiting = sorted(alive, key=lambda c: min(self.places[e.outputs[0] if e.outputs else id(e)] for e in c.eqns))
        order: list[Cluster] = []
        done = sum(1 << c.number for c in self.clusters if c.dead)
        while waiting:
            ready = next((c for c in waiting if not c.dependencies & ~done), None)
            if ready is None:
                raise AssertionError("fuse: kernels wait for each other")
            order.append(ready)
            waiting.remove(ready)
            done |= 1 << ready.number
        return [k for c in order if (k := _record(c, needed)) is not None]


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
        r.stored = r.result in needed
    reductions = [r for r in c.reductions.values() if r.stored or r.inside]
    stores = []
    for v in sorted((v for v in c.values if v in needed), key=c.plan.places.__getitem__):
        offset = linear(c.members[v], v.type.shape)
        stores.append(Store(v, offset, c.values[v]))
    if not reductions and not stores:
        return None
    roots = [*[r.operand for r in reductions], *[s.node for s in stores]]
    if c.contraction is not None:
        roots += [c.contraction.left, c.contraction.right]
    inputs = tuple(dict.fromkeys(n.source for n in walk(roots) if isinstance(n, Load)))
    kind = "loops" if c.contraction is None else "contract"
    inner = c.inner if c.inner is not None and any(r.inside for r in reductions) else frozenset()
    return Kernel(kind, c.axes, inner, reductions, stores, tuple(c.eqns), c.contraction, inputs)


def fuse(graph: Graph, tuning: Tuning, updates: Sequence[Eqn] = ()) -> list[Kernel]:
    """The kernels of a Graph, in an order in which they can run. `updates` are equations that change a window of memory they own:
    memory.py's `updates_in_place`.
    """
    return Fusion(graph, tuning, updates).cut()


def widens(e: Eqn) -> bool:
    """Whether an equation reads a storage type as the one it is computed in: a shift or so, and less to read than its result."""
    source, made = e.inputs[0].type.dtype if e.inputs else None, e.outputs[0].type.dtype if e.outputs else None
    return e.op is convert_element_type and source is not None and source.is_storage and made is source.computed
