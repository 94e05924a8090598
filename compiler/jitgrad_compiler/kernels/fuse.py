"""Fusion: a Graph cut into kernels. Every equation joins the kernel that makes its operands if that kernel can compute it too.

A cluster is a kernel under construction over a domain, the shape its loops run over. An equation fits a cluster when its elements
can be pulled (pull.py) at the loop indices: at the full domain, or at one row of it where reductions over the rest are done first.
Layout ops, and cheap arithmetic on operands much smaller than the result, belong to no cluster: whoever reads them does them again.
Greedy in program order; a join that would make kernels wait for each other in a circle is refused. What is behind a barrier is
never computed by the kernel that makes the barrier's operand. Kernels run in program order where they can.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..ir.graph import Eqn, Graph, Literal, Op, Var
from ..ir.types import SIZES
from .affine import Affine, Axis, axis_index, linear, split
from .expression import Contracted, Load, Node, Reduced, operation_cost, walk
from .kernel import Contraction, Kernel, Reduction, Store
from .pull import LayoutIndex, Puller, Unfusable, is_small_reduction

INLINED = ("broadcast", "reshape", "transpose", "reverse", "slice", "iota")
CONTROL = ("scan", "while", "switch", "rowwise", "tape_add", "callback")
"""Kinds of ops that have kernels of their own and values of any type."""
PULLED = ("elementwise", "layout", "gather", "dynamic_slice", "dynamic_update_slice", "iota")
REPEAT_COST = 30.0
"""Simple operations worth doing again rather than storing their result, when the operands are small."""
REPEAT_LARGE_COST = 8.0
"""The same when the operands are as large as the result, so that only the store is saved."""
CHOICE_COST = 2.0
"""Of doing a piece of a concatenation or a pad again; free ones, one inside another, would be done again 2**n times."""
MAX_NODES = 600
MAX_ROW_BYTES = 1 << 18
PARALLEL_ELEMENTS = 1 << 15
"""Below this a kernel runs on one thread, so having only one row costs nothing."""


def is_free(op: Op) -> bool:
    """Whether an op only says where an element is, so that every reader does it again."""
    return op.name in INLINED or bool(op.traits.get("barrier"))


class Cluster:
    """A kernel under construction."""

    def __init__(self, plan: Fusion, number: int, shape: tuple[int, ...]) -> None:
        self.plan, self.number, self.shape = plan, number, shape
        self.axes = tuple(Axis(n, d) for n, d in zip(_axis_names(), shape, strict=False))
        self.natural: LayoutIndex = tuple(map(axis_index, self.axes))
        self.inner: frozenset[Axis] | None = None
        self.eqns: list[Eqn] = []
        self.members: dict[Var, LayoutIndex] = {}
        self.values: dict[Var, Node] = {}
        self.reductions: dict[Var, Reduction] = {}
        self.puller = Puller(self._definition, self._resolve)
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
        if any(self.plan.owner.get(v) is self for v in self.plan.behind.get(var, ())):
            raise Unfusable("behind a barrier")
        again = var in self.members or var in self.plan.inlined or (not self.from_memory and self.plan.repeats(var))
        return self.plan.definitions[var] if again else None

    def _resolve(self, puller: Puller, var: Var, index: LayoutIndex) -> Node | None:
        if var is self.dot:
            if index != self.natural:
                raise Unfusable("a contraction's result elsewhere")
            return self.values[var]
        r = self.reductions.get(var)
        if r is not None:
            return self._use(r, index)
        at = self.members.get(var)
        if at is not None and at != index:
            dear = self.values[var].cost > REPEAT_COST and (self.plan.uses[var] > 1 or var in self.plan.stored)
            if dear or self.values[var].stage or self.dot:
                raise Unfusable("too much to do again")
        return None

    def _use(self, r: Reduction, index: LayoutIndex) -> Node:
        if index != r.index or r.position or (self.inner is not None and r.axes != self.inner):
            raise Unfusable("a reduction's result elsewhere")
        if self.inner is None:
            row = math.prod(a.extent for a in r.axes)
            rows = math.prod(self.shape) // max(row, 1)
            enough = rows >= 16 or math.prod(self.shape) <= PARALLEL_ELEMENTS
            if not enough or row * SIZES[r.dtype] > MAX_ROW_BYTES or not r.operand.axes >= r.axes:
                raise Unfusable("rows too few or too long")
            if any(o.position is not None and o.axes != r.axes for o in self.reductions.values()):
                raise Unfusable("an argmax over other parts of a row")
            if any(
                o.operand.axes and o.axes & r.axes and o.axes != r.axes and not o.axes >= r.axes for o in self.reductions.values()
            ):
                raise Unfusable("reductions over other parts of a row")
            self.inner = r.axes
        r.inside = True
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
        if found is None and (self.inner is not None or self.reductions):
            for inner in [self.inner] if self.inner is not None else [r.axes for r in self.reductions.values()]:
                found = _match(shape, tuple(a for a in self.axes if a not in inner))
                if found is not None:
                    return found
        return found

    def add(self, e: Eqn) -> bool:
        """Take an equation in if it fits; leave the cluster as it was if not."""
        if len(self.puller.nodes) > MAX_NODES:
            return False
        saved = self.inner, {r: r.inside for r in self.reductions.values()}
        try:
            new = self._reduce(e) if e.op.kind in ("reduce", "argreduce") and not is_small_reduction(e) else self._map(e)
        except Unfusable:
            new = None
        loads = None if new is None else self._new_dependencies(new)
        if new is None or loads is None:
            self.inner = saved[0]
            for r, inside in saved[1].items():
                r.inside = inside
            self.puller.memo.clear()
            self._forget(e)
            return False
        self.eqns.append(e)
        self.plan.depend(self, loads)
        for v in e.outputs:
            self.plan.owner[v] = self
        return True

    def _forget(self, e: Eqn) -> None:
        for v in e.outputs:
            self.members.pop(v, None)
            self.values.pop(v, None)
            self.reductions.pop(v, None)

    def _map(self, e: Eqn) -> Node | None:
        out = e.outputs[0]
        index = self.place(out.type.shape)
        if index is None:
            return None
        node = self.puller.expand(e, index, None)
        if (
            self.inner is not None
            and node.axes & self.inner
            and frozenset().union(*[i.axes for i in index]) & self.inner == frozenset()
        ):
            return None
        self.members[out], self.values[out] = index, node
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
        if self.inner is not None and over & self.inner and not over >= self.inner:
            return None
        if self.inner is None and any(
            r.inside is False and r.axes != over and _crossing(r.axes, over, self.axes) for r in self.reductions.values()
        ):
            return None
        kept = tuple(i for k, i in enumerate(index) if k not in axes)
        out = e.outputs[0]
        position = index[axes[0]] if e.op.kind == "argreduce" else None
        combine = e.op.traits["combine"] if position is None else e.op.name
        name = f"r{len(self.reductions) + 1}"
        r = Reduction(name, combine, operand, over, out, kept, out.type.dtype, operand.stage)
        if position is not None:
            axis = next(iter(position.axes), None)
            if axis is None or self.reductions or self.members:
                return None
            r.position = axis
        self.reductions[out] = r
        return operand

    def _new_dependencies(self, node: Node) -> int | None:
        """The clusters whose results the node loads; None where one of them waits for this cluster."""
        mask = 0
        for n in walk([node]):
            if isinstance(n, Load):
                owner = self.plan.owner.get(n.source)
                if owner is not None and owner is not self:
                    mask |= (1 << owner.number) | owner.dependencies
        return None if mask >> self.number & 1 else mask

    def loads(self) -> list[Var]:
        roots = [*self.values.values(), *[r.operand for r in self.reductions.values()]]
        if self.contraction is not None:
            roots += [self.contraction.left, self.contraction.right]
        return list(dict.fromkeys(n.source for n in walk(roots) if isinstance(n, Load)))


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


class Fusion:
    """The cutting of one Graph."""

    def __init__(self, graph: Graph, updates: Sequence[Eqn] = ()) -> None:
        self.graph = graph
        self.in_place = {id(e) for e in updates}
        self.definitions: dict[Var, Eqn] = {v: e for e in graph.eqns for v in e.outputs}
        self.owner: dict[Var, Cluster] = {}
        self.clusters: list[Cluster] = []
        self.stored = {a for a in graph.outputs if isinstance(a, Var)}
        self.by_shape: dict[tuple[int, ...], list[Cluster]] = {}
        self.inlined: set[Var] = set()
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
        for e in self.graph.eqns:
            if e.op.kind in CONTROL:
                leaves.update((v, {v: None}) for v in e.outputs)
                continue
            below: dict[Var, None] = {}
            total = operation_cost(e.op)
            for a in e.inputs:
                if isinstance(a, Var):
                    below |= leaves[a]
                    total += cost.get(a, 0.0)
            inline = is_free(e.op)
            if not inline and e.op.kind == "elementwise" or is_small_reduction(e):
                factor = math.prod(e.inputs[0].type.shape) // max(e.outputs[0].type.size, 1) if is_small_reduction(e) else 1
                total *= max(factor, 1)
                small = sum(v.type.nbytes for v in below) * 8 <= e.outputs[0].type.nbytes
                inline = total <= REPEAT_COST and small and e.outputs[0].type.nbytes >= 1 << 14
            for v in e.outputs:
                leaves[v] = below if inline else {v: None}
                if not is_free(e.op):
                    cost[v] = total if inline else 0.0
                else:
                    cost[v] = cost.get(e.inputs[0], 0.0) if e.inputs and isinstance(e.inputs[0], Var) else 0.0
                if inline:
                    self.inlined.add(v)

    def _find_barriers(self) -> None:
        for e in self.graph.eqns:
            if not e.op.traits.get("barrier"):
                continue
            seen = [a for a in e.inputs if isinstance(a, Var)]
            for v in seen:
                if v in self.inlined:
                    seen += [a for a in self.definitions[v].inputs if isinstance(a, Var) and a not in seen]
            self.behind[e.outputs[0]] = found = [v for v in seen if v not in self.inlined]
            self.stored.update(v for v in found if v in self.definitions)

    def repeats(self, var: Var) -> bool:
        """Whether another kernel does better to compute a value again than to have it stored: cheap, from operands no larger."""
        if var not in self.owner or self.owner[var].contraction is not None or var in self.stored:
            return False
        cost, leaves = self._chain(var, {})
        return cost <= REPEAT_LARGE_COST and var not in leaves and sum(v.type.nbytes for v in leaves) <= 2 * var.type.nbytes + 4096

    def _chain(self, var: Var, known: dict[Var, tuple[float, set[Var]]]) -> tuple[float, set[Var]]:
        """The cost of computing a value from values in memory, and those values. `known` has what was found on the way."""
        if var not in known:
            known[var] = self._chain_anew(var, known)
        return known[var]

    def _chain_anew(self, var: Var, known: dict[Var, tuple[float, set[Var]]]) -> tuple[float, set[Var]]:
        e = self.definitions.get(var)
        owner = self.owner.get(var)
        in_kernel = owner is not None and var in owner.members and owner.contraction is None
        if (
            e is None
            or var in self.stored
            or not (in_kernel or var in self.inlined)
            or operation_cost(e.op) > 10
            or e.op.kind == "gather"
        ):
            return 0.0, {var}
        choices = CHOICE_COST * (len(e.inputs) - 1) if e.op.name in ("concatenate", "pad") else 0.0
        cost = operation_cost(e.op) if e.op.kind == "elementwise" else choices
        leaves: set[Var] = set()
        for a in dict.fromkeys(e.inputs):
            if isinstance(a, Var):
                more, below = self._chain(a, known)
                cost += more
                leaves |= below
            if cost > REPEAT_LARGE_COST:
                return (0.0, {var}) if in_kernel else (cost, leaves)
        return cost, leaves

    # -- clusters

    def depend(self, c: Cluster, mask: int) -> None:
        """Cluster c now waits for the clusters in the mask, and so do all that wait for c."""
        if mask & ~c.dependencies:
            c.dependencies |= mask
            for other in self.clusters:
                if other.dependencies >> c.number & 1:
                    other.dependencies |= c.dependencies

    def new_cluster(self, shape: tuple[int, ...]) -> Cluster:
        c = Cluster(self, len(self.clusters), shape)
        self.clusters.append(c)
        self.by_shape.setdefault(tuple(n for n in shape if n != 1), []).append(c)
        return c

    def producers(self, e: Eqn) -> list[Cluster]:
        """The clusters that make the equation's operands, seen through what is inlined; the latest first."""
        found: dict[int, Cluster] = {}
        stack = [a for a in e.inputs if isinstance(a, Var)]
        seen = set(stack)
        while stack:
            v = stack.pop()
            if v in self.owner:
                found[self.owner[v].number] = self.owner[v]
            elif v in self.inlined and v not in self.behind:
                fresh = [a for a in self.definitions[v].inputs if isinstance(a, Var) and a not in seen]
                seen.update(fresh)
                stack += fresh
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
            elif e.op.kind == "contract":
                self._contract(e)
            elif e.op.kind in PULLED or e.op.kind in ("reduce", "argreduce"):
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
            candidates += [c for c in siblings if not c.whole and reads & set(c.loads())]
        candidates.sort(key=lambda c: (c.contraction is None, -math.prod(c.shape), -c.number))
        if math.prod(domain) and any(c.add(e) for c in candidates):
            return
        if not self.new_cluster(self.domain(e)).add(e):
            raise AssertionError(f"fuse: {e.op.name} does not fit a kernel of its own")

    def _merge(self, parts: list[Cluster]) -> Cluster | None:
        """One cluster of the equations of several, if they fit together and nothing between them would wait for itself."""
        mask = sum(1 << c.number for c in parts)
        for other in self.clusters:
            if (
                not other.dead
                and other not in parts
                and other.dependencies & mask
                and any(c.dependencies >> other.number & 1 for c in parts)
            ):
                return None
        order = {id(e): n for n, e in enumerate(self.graph.eqns)}
        eqns = sorted((e for c in parts for e in c.eqns), key=lambda e: order[id(e)])
        before = {v: self.owner[v] for e in eqns for v in e.outputs}
        for v in before:
            del self.owner[v]
        # built beside the parts: their numbers are still set in others' masks, so the new number joins those
        c = Cluster(self, len(self.clusters), max((p.shape for p in parts), key=len))
        self.clusters.append(c)
        for other in self.clusters:  # who waits for a part waits for the whole, as long as it is being built too
            if other is not c and not other.dead and other not in parts and other.dependencies & mask:
                other.dependencies |= 1 << c.number
        if not all(c.add(e) for e in eqns):
            self.clusters.pop()
            self.owner.update(before)
            for other in self.clusters:
                other.dependencies &= ~(1 << c.number)
            return None
        self.by_shape.setdefault(tuple(n for n in c.shape if n != 1), []).append(c)
        for p in parts:
            p.dead = True
        for other in self.clusters:
            if other is not c and not other.dead and other.dependencies & mask:
                other.dependencies |= (1 << c.number) | c.dependencies
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
            batch, row, column, depth, c.puller.pull(x, tuple(left)), c.puller.pull(y, tuple(right)), c.dot.type.dtype
        )
        c.from_memory = False
        self.stored.update(v for v in c.loads() if v in self.owner)
        c.members[c.dot] = c.natural
        c.eqns.append(e)
        self.owner[c.dot] = c
        mask = (c._new_dependencies(c.contraction.left) or 0) | (c._new_dependencies(c.contraction.right) or 0)
        self.depend(c, mask)

    def _own_kernel(self, e: Eqn) -> None:
        """An op with a kernel of its own reads its operands from memory; a scatter into one number takes the number."""
        x = self.definitions.get(e.inputs[0]) if e.op.kind == "scatter" and isinstance(e.inputs[0], Var) else None
        if x is not None and x.op.name == "broadcast" and isinstance(x.inputs[0], Literal):
            e = Eqn(e.op, [x.inputs[0], *e.inputs[1:]], e.params, e.outputs, e.source)
        shape = () if e.op.kind in CONTROL else e.outputs[0].type.shape
        c = self.new_cluster(shape)
        c.whole = True
        c.eqns.append(e)
        if e.has_effect:
            if self.effects is not None:
                self.depend(c, (1 << self.effects.number) | self.effects.dependencies)
            self.effects = c
        for a in e.inputs:
            if isinstance(a, Var):
                if a in self.inlined and a not in self.owner:
                    self.stored.add(a)
                    if not self.new_cluster(a.type.shape).add(self.definitions[a]):
                        raise AssertionError("fuse: a layout op does not fit a kernel of its own")
                self.stored.add(a)
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
            reads = [a for a in c.eqns[0].inputs if isinstance(a, Var)] if c.whole else c.loads()
            needed.update(reads)
        places: dict[Any, int] = {v: n for n, e in enumerate(self.graph.eqns) for v in (*e.outputs, id(e))}
        waiting = sorted(alive, key=lambda c: min(places[e.outputs[0] if e.outputs else id(e)] for e in c.eqns))
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


_OWN = ("sort", "scatter", "cumulative", *CONTROL)


def _record(c: Cluster, needed: set[Var]) -> Kernel | None:
    first = c.eqns[0]
    if not first.has_effect and not any(
        v.type.size for e in c.eqns for v in e.outputs
    ):  # arrays without elements: nothing is written
        return None
    if c.whole:
        inputs = tuple(dict.fromkeys(a for a in first.inputs if isinstance(a, Var)))
        return Kernel(first.op.kind, c.axes, frozenset(), [], [], (first,), inputs=inputs, extra={"outputs": first.outputs})
    for r in c.reductions.values():
        r.stored = r.result in needed
    reductions = [r for r in c.reductions.values() if r.stored or r.inside]
    stores = []
    for v, node in c.values.items():
        if v in needed:
            offset = linear(c.members[v], v.type.shape)
            stores.append(Store(v, offset, node))
    if not reductions and not stores:
        return None
    roots = [*[r.operand for r in reductions], *[s.node for s in stores]]
    if c.contraction is not None:
        roots += [c.contraction.left, c.contraction.right]
    inputs = tuple(dict.fromkeys(n.source for n in walk(roots) if isinstance(n, Load)))
    kind = "loops" if c.contraction is None else "contract"
    inner = c.inner if c.inner is not None and any(r.inside for r in reductions) else frozenset()
    return Kernel(kind, c.axes, inner, reductions, stores, tuple(c.eqns), c.contraction, inputs)


def fuse(graph: Graph, updates: Sequence[Eqn] = ()) -> list[Kernel]:
    """The kernels of a Graph, in an order in which they can run. `updates` are equations that change a window of memory they own:
    memory.py's `updates_in_place`.
    """
    return Fusion(graph, updates).cut()
