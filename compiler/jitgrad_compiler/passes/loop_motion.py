"""Work moved out of loops.

In front of a loop: what does not change from step to step; and of a scan the contractions that need its slices alone, done for all
steps at once (the input projection of a recurrent net). Behind a scan: contractions that only results are made of, done on their
stacked operands; and sums over the steps of contractions (the gradient of a weight), which become one contraction over the
steps too. What would be stacked for that is bounded: STACKED_BYTES.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ir.graph import Atom, Eqn, Graph, Literal, Var
from ..ir.types import ArrayType
from ..ops.arithmetic import add, convert_element_type
from ..ops.contraction import dot_general
from ..ops.control import scan, tape_add, while_loop
from ..ops.layout import reshape_op, transpose_op
from ..ops.reduction import reduce_sum_op
from .loop_pruning import restricted
from .nested_programs import picked
from .rewrite import Rewriter
from .simplify import remove_dead, simplify_nested
from .vmap import vmap_graph

STACKED_AT_MOST = 4
"""How many times larger than the sum that it saves a step's share of stacked operands may be."""
STACKED_BYTES = 64 << 20
"""What may be stacked for all steps of any scan. It may be more where scans stack as much anyway, as for a gradient, and one
contraction then does the work of many; a product of two slices is the same work in its step."""

LARGE_PRODUCTS = 1 << 24
"""A contraction of so many products is as fast in its step as with those of others. It moves only where little is stacked for it:
GROWTH times the slices that it reads, or, behind a loop, as much as its result."""
GROWTH = 8


def move_out_of_loops(graph: Graph, halves: bool = False) -> Graph:
    """`halves`: whether products are of 16-bit numbers as they are, so that widening these is no work to be done beforehand."""
    if not any(e.op in (scan, while_loop) for e in graph.eqns):
        return graph
    return remove_dead(_Mover(graph, halves).run())


class _Mover(Rewriter):
    def __init__(self, graph: Graph, halves: bool) -> None:
        super().__init__(graph)
        self.halves = halves

    def run(self) -> Graph:
        self._stacks: set[Atom] = set()
        for e in self.graph.eqns:
            inputs = [self.read(a) for a in e.inputs]
            if e.op in (scan, while_loop):
                e = Eqn(e.op, inputs, _moved_inside(e.params, self.halves), e.outputs, e.source)
                e = self._invariants(e)
                if e.op is scan and e.params["length"] is not None:
                    self._room = max(STACKED_BYTES, self._stacked_anyway(e))
                    e = self._in_front(e)
                    e = self._behind(e)
                    self._stacks.update(e.outputs[e.params["carry"] :])
                self.eqns.append(e)
                self.atoms.update((v, v) for v in e.outputs)
                self._finish_behind()
            else:
                self.keep(e, inputs)
        return self.finish()

    _after: list[Any]
    _room: int
    """Bytes that may still be stacked for the scan at hand."""

    def _inline(self, graph: Graph, atoms: Sequence[Atom]) -> list[Atom]:
        """A graph's equations here, on these operands."""
        env: dict[Var, Atom] = dict(zip(graph.inputs, atoms, strict=True))

        def read(a: Atom) -> Atom:
            return env[a] if isinstance(a, Var) else a

        for e in graph.eqns:
            outputs = [Var(v.type) for v in e.outputs]
            self.eqns.append(Eqn(e.op, [read(a) for a in e.inputs], e.params, outputs, e.source))
            env.update(zip(e.outputs, outputs, strict=True))
        return [read(a) for a in graph.outputs]

    # -- what does not change

    def _invariants(self, e: Eqn) -> Eqn:
        p = e.params
        consts, head = p["consts"], 0 if p.get("length", 0) is not None else 1
        graphs = {name: p[name] for name in ("cond", "body") if name in p}
        moved: dict[str, list[Var]] = {name: _invariant(g, consts, self.halves) for name, g in graphs.items()}
        if not any(moved.values()):
            return e
        fixed, rest = list(e.inputs[head : head + consts]), list(e.inputs[head + consts :])
        extra: list[Atom] = []
        made = {}
        for name, g in graphs.items():
            extra += self._inline(Graph(g.inputs[:consts], _needed_for(g, moved[name]), moved[name]), fixed)
            hidden = [v if other == name else Var(v.type) for other in graphs for v in moved[other]]
            gone = set(moved[name])
            eqns = [x for x in g.eqns if not any(v in gone for v in x.outputs)]
            made[name] = simplify_nested(remove_dead(Graph([*g.inputs[:consts], *hidden, *g.inputs[consts:]], eqns, g.outputs)))
        params = {**p, **made, "consts": consts + len(extra)}
        return Eqn(e.op, [*e.inputs[:head], *fixed, *extra, *rest], params, e.outputs, e.source)

    # -- for all steps at once, before the loop

    def _in_front(self, e: Eqn) -> Eqn:
        p = e.params
        body, consts, carry, length = p["body"], p["consts"], p["carry"], p["length"]
        wanted = self._affordable(body, consts, carry, length)
        if not wanted:
            return e
        needed = _needed_for(body, wanted)
        read = {a for x in needed for a in x.inputs}
        used = [v in read for v in body.inputs]
        inner = Graph(picked(body.inputs, used), needed, wanted)
        flags = [n >= consts + carry for n, u in enumerate(used) if u]
        stacked = self._inline(_for_all(inner, length, flags), picked(e.inputs, used))
        gone = set(wanted)
        rest = [x for x in body.eqns if not any(v in gone for v in x.outputs)]
        changed = Graph([*body.inputs, *wanted], rest, body.outputs)
        return _without_unused(Eqn(e.op, [*e.inputs, *stacked], {**p, "body": changed}, e.outputs, e.source))

    def _stacked_anyway(self, e: Eqn) -> int:
        """Bytes of what a scan stacks, and of what it reads that other scans stack."""
        first, carry = e.params["consts"] + e.params["carry"], e.params["carry"]
        return sum(a.type.nbytes for a in [*[a for a in e.inputs[first:] if a in self._stacks], *e.outputs[carry:]])

    def _affordable(self, body: Graph, consts: int, carry: int, length: int) -> list[Var]:
        """Contractions that depend on slices alone, as many as there is room for with what they are made of."""
        free = _depending_on(body, [*body.inputs[:consts], *body.inputs[consts + carry :]])
        made = {v: x for x in body.eqns if id(x) in free for v in x.outputs}
        fixed = {*body.inputs[:consts]}
        for x in body.eqns:
            if all(a in fixed for a in x.inputs):
                fixed.update(x.outputs)
        found: list[Var] = []
        counted: set[int] = set()
        for x in body.eqns:
            if x.op is not dot_general or id(x) not in free:
                continue
            work = _work_of(x, made, counted)
            size = length * sum(v.type.nbytes for y in work if y.op.kind != "layout" for v in y.outputs)
            shared = any(a in fixed for a in x.inputs)
            if not any(_spreads(y, fixed) for y in work) and size <= (self._room if shared else min(self._room, STACKED_BYTES)):
                self._room -= size
                counted.update(map(id, work))
                found.append(x.outputs[0])
        return found

    # -- for all steps at once, behind the loop

    def _behind(self, e: Eqn) -> Eqn:
        """Takes sums and contractions of results out; `_finish_behind` does them."""
        self._after = []
        p = e.params
        body, consts, carry = p["body"], p["consts"], p["carry"]
        made = {v: x for x in body.eqns for v in x.outputs}
        uses: dict[Atom, int] = {}
        for a in [*[a for x in body.eqns for a in x.inputs], *body.outputs]:
            uses[a] = uses.get(a, 0) + 1
        stacks = _Stacks(e, self._room)
        gone: set[int] = set()
        for k in range(carry):
            chain = _summed(body.outputs[k], body.inputs[consts + k], made, uses)
            if chain is not None and stacks.worth(chain[-1], body.output_types[k]) and not stacks.fixed(chain[-1].inputs):
                gone.add(k)
                sources = [stacks.stacked(a) for a in chain[-1].inputs]
                self._after.append((e.outputs[k], e.inputs[consts + k], chain, sources))
        for k in range(carry, len(body.outputs)):
            chain = _chain(body.outputs[k], made, uses)
            if chain is not None and chain[-1].op is dot_general and stacks.worth(chain[-1], body.output_types[k]):
                gone.add(k)
                self._after.append((e.outputs[k], None, chain, [stacks.stacked(a) for a in chain[-1].inputs]))
        if not gone:
            return e
        keep_carry = [k for k in range(carry) if k not in gone]
        keep_ys = [k for k in range(carry, len(body.outputs)) if k not in gone]
        inputs = [*body.inputs[:consts], *[body.inputs[consts + k] for k in keep_carry], *body.inputs[consts + carry :]]
        operands = [*e.inputs[:consts], *[e.inputs[consts + k] for k in keep_carry], *e.inputs[consts + carry :]]
        outputs = [*[body.outputs[k] for k in [*keep_carry, *keep_ys]], *stacks.fresh]
        results = [*[e.outputs[k] for k in [*keep_carry, *keep_ys]], *stacks.fresh.values()]
        changed = remove_dead(Graph(inputs, body.eqns, outputs))
        return _without_unused(Eqn(e.op, operands, {**p, "body": changed, "carry": len(keep_carry)}, results, e.source))

    def _finish_behind(self) -> None:
        after, self._after = getattr(self, "_after", []), []
        for out, start, chain, sources in after:
            *moves, work = chain
            flags = [stacked for _, stacked in sources]
            operands = [a for a, _ in sources]
            if start is not None:
                value: Atom = self._total(work, operands, flags)
                for x in reversed(moves):
                    value = self.emit(x.op.name, [value], x.params, x.source)
                self.atoms[out] = self.emit("add", [start, value], {}, work.source)
                continue
            inner = [Var(t) for t in (a.type for a in work.inputs)]
            eqns, last = [Eqn(work.op, inner, work.params, work.outputs, work.source)], work.outputs[0]
            for x in reversed(moves):
                eqns.append(Eqn(x.op, [last], x.params, x.outputs, x.source))
                last = x.outputs[0]
            length = out.type.shape[0]
            (self.atoms[out],) = self._inline(_for_all(Graph(inner, eqns, [last]), length, flags), operands)

    def _total(self, work: Eqn, operands: list[Atom], flags: list[bool]) -> Var:
        """The sum over the steps of a contraction or a reduction."""
        if work.op.kind == "reduce":
            return self.emit("reduce_sum", operands, {"axes": (0, *[a + 1 for a in work.params["axes"]])}, work.source)
        (cx, cy), batch_axes = work.params["dims"]
        assert batch_axes == ((), ()) and all(flags)
        dims = ((0, *[a + 1 for a in cx]), (0, *[a + 1 for a in cy]))
        return self.emit("dot_general", operands, {**work.params, "dims": (dims, ((), ()))}, work.source)


def _moved_inside(params: Any, halves: bool) -> dict[str, Any]:
    return {k: simplify_nested(move_out_of_loops(v, halves)) if isinstance(v, Graph) else v for k, v in params.items()}


def _invariant(graph: Graph, consts: int, halves: bool) -> list[Var]:
    """Values that depend on the consts alone and are worth computing once, and read by what depends on more."""
    fixed = set(graph.inputs[:consts])
    worth: set[Var] = set()
    for e in graph.eqns:
        if e.has_effect or e.op is tape_add or _may_not_end(e) or not all(a in fixed for a in e.inputs if isinstance(a, Var)):
            continue
        fixed.update(e.outputs)
        widens = halves and e.op is convert_element_type and e.inputs[0].type.dtype.is_storage
        if e.op.kind != "layout" and not widens or any(a in worth for a in e.inputs):
            worth.update(e.outputs)
    read = {a for e in graph.eqns if not all(v in fixed for v in e.outputs) for a in e.inputs} | set(graph.outputs)
    return [v for e in graph.eqns for v in e.outputs if v in worth and v in read]


def _may_not_end(e: Eqn) -> bool:
    """Whether it holds a while_loop, which must not be done where the program would not come to it."""
    return e.op is while_loop or any(_may_not_end(x) for g in e.graphs for x in g.eqns)


def _needed_for(graph: Graph, outputs: Sequence[Var]) -> tuple[Eqn, ...]:
    return remove_dead(Graph(graph.inputs, [e for e in graph.eqns if not e.has_effect], outputs)).eqns


def _depending_on(graph: Graph, inputs: Sequence[Var]) -> set[int]:
    """The equations (by id) that depend on these inputs alone."""
    known, found = set(inputs), set()
    for e in graph.eqns:
        if not e.has_effect and not any(e.graphs) and all(a in known for a in e.inputs if isinstance(a, Var)):
            known.update(e.outputs)
            found.add(id(e))
    return found


def _for_all(graph: Graph, length: int, flags: Sequence[bool]) -> Graph:
    """The graph done for all steps; operands that are flagged have the steps in front, and so have all results."""
    return simplify_nested(vmap_graph(graph, length, flags))


def _products(e: Eqn) -> int:
    """How many products of elements a contraction adds up."""
    summed = e.params["dims"][0][0]
    count: int = e.outputs[0].type.size * math.prod(e.inputs[0].type.shape[a] for a in summed)
    return count


def _spreads(e: Eqn, fixed: set[Var]) -> bool:
    """Whether it is a large contraction that makes much more than it reads of a step."""
    slices = sum(a.type.size for a in e.inputs if a not in fixed)
    return e.op is dot_general and _products(e) >= LARGE_PRODUCTS and e.outputs[0].type.size > GROWTH * slices


def _work_of(e: Eqn, made: dict[Var, Eqn], counted: set[int]) -> list[Eqn]:
    """The equation, and those it depends on, that are not counted yet."""
    found, waiting = {id(e): e}, [e]
    while waiting:
        for a in waiting.pop().inputs:
            x = made.get(a) if isinstance(a, Var) else None
            if x is not None and id(x) not in counted and id(x) not in found:
                found[id(x)] = x
                waiting.append(x)
    return list(found.values())


def _without_unused(e: Eqn) -> Eqn:
    """A scan without the operands that its body no longer reads."""
    p = e.params
    body, consts, carry = p["body"], p["consts"], p["carry"]
    small, used = restricted(body, body.outputs)
    used = [u or consts <= n < consts + carry for n, u in enumerate(used)]
    inner = simplify_nested(Graph(picked(body.inputs, used), small.eqns, small.outputs))
    return Eqn(e.op, picked(e.inputs, used), {**p, "body": inner, "consts": sum(used[:consts])}, e.outputs, e.source)


def _chain(a: Atom, made: dict[Any, Eqn], uses: dict[Atom, int]) -> list[Eqn] | None:
    """Layout equations, outermost first, and the contraction or sum below them, where each is read by the next alone."""
    chain: list[Eqn] = []
    while True:
        e = made.get(a)
        if e is None or uses.get(a, 0) != 1:
            return None
        chain.append(e)
        if e.op is dot_general and e.params["dims"][1] == ((), ()) or e.op is reduce_sum_op:
            return chain if all(isinstance(x, Var) for x in e.inputs) else None
        if e.op not in (transpose_op, reshape_op):
            return None
        a = e.inputs[0]


def _summed(a: Atom, carry: Var, made: dict[Any, Eqn], uses: dict[Atom, int]) -> list[Eqn] | None:
    """The chain that a step adds to a carry which is only a sum."""
    e = made.get(a)
    if e is None or e.op is not add or uses.get(a, 0) != 1 or uses.get(carry, 0) != 1 or carry not in e.inputs:
        return None
    return _chain(e.inputs[1] if e.inputs[0] is carry else e.inputs[0], made, uses)


class _Stacks:
    """Values of a scan's body as they are for all steps: operands that are so already, and results to be added."""

    def __init__(self, e: Eqn, room: int) -> None:
        p = e.params
        self.room = room
        body, consts, carry = p["body"], p["consts"], p["carry"]
        self.length, self.consts = p["length"], dict(zip(body.inputs[:consts], e.inputs[:consts], strict=True))
        self.xs = dict(zip(body.inputs[consts + carry :], e.inputs[consts + carry :], strict=True))
        moved = [v for x in body.eqns if x.op is dot_general for v in x.outputs]
        self.ys = {a: v for a, v in zip(body.outputs[carry:], e.outputs[carry:], strict=True) if a not in moved}
        self.fresh: dict[Atom, Var] = {}

    def worth(self, work: Eqn, result: ArrayType) -> bool:
        fresh = [a for a in work.inputs if a not in self.xs and a not in self.ys and a not in self.fresh and a not in self.consts]
        most = 1 if work.op is dot_general and _products(work) >= LARGE_PRODUCTS else STACKED_AT_MOST
        few = sum(a.type.size for a in fresh) <= most * result.size
        return bool(few and self.length * sum(a.type.nbytes for a in fresh) <= self.room)

    def fixed(self, operands: Sequence[Atom]) -> bool:
        """Whether one of them is the same in every step."""
        return any(a in self.consts for a in operands)

    def stacked(self, a: Atom) -> tuple[Atom, bool]:
        """The value for all steps; False where it is one for all."""
        if a in self.consts:
            return self.consts[a], False
        if a in self.xs:
            return self.xs[a], True
        if a in self.ys and not isinstance(a, Literal):
            return self.ys[a], True
        if a not in self.fresh:
            self.fresh[a] = Var(ArrayType((self.length, *a.type.shape), a.type.dtype))
            self.room -= self.fresh[a].type.nbytes
        return self.fresh[a], True
