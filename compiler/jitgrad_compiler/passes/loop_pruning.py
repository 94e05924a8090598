"""Control flow without what nobody reads: results, carries, operands and residuals that no live result depends on; and operands
that are one number, or one value for all steps, made what they are. Runs after simplify, which left the bodies in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.graph import Atom, Eqn, Graph, Literal, Rules, Var, map_graphs
from ..ops.control import rowwise, scan, switch, while_loop
from ..ops.layout import broadcast_op
from .nested_programs import picked
from .rewrite import Rewriter
from .simplify import remove_dead, simplify_nested


def prune_loops(graph: Graph) -> Graph:
    if not any(e.op in PRUNE for e in graph.eqns):
        return graph
    return _Settler(_without_unread(graph)).run()


def _inner(graph: Graph) -> Graph:
    """A body pruned inside."""
    return simplify_nested(prune_loops(graph))


def restricted(graph: Graph, outputs: Sequence[Atom]) -> tuple[Graph, list[bool]]:
    """The graph with other outputs, without what they do not need; and which inputs are needed."""
    small = remove_dead(Graph(graph.inputs, graph.eqns, outputs))
    read = {a for e in small.eqns for a in e.inputs} | set(outputs)
    return small, [v in read for v in graph.inputs]


# -- results that nobody reads


def _without_unread(graph: Graph) -> Graph:
    live = {a for a in graph.outputs if isinstance(a, Var)}
    eqns = []
    for e in reversed(graph.eqns):
        needed = [v in live for v in e.outputs]
        if not any(needed) and not e.has_effect:
            continue
        rule = PRUNE.get(e.op)
        if rule is not None:
            e = rule(e, needed)  # first, for loops inside may then have results that nobody reads
            e = Eqn(e.op, e.inputs, map_graphs(e.params, _inner), e.outputs, e.source)
            e = rule(e, [True] * len(e.outputs))
        eqns.append(e)
        live.update(a for a in e.inputs if isinstance(a, Var))
    return Graph(graph.inputs, reversed(eqns), graph.outputs)


def _scan(e: Eqn, needed: list[bool]) -> Eqn:
    p = e.params
    body, consts, carry = p["body"], p["consts"], p["carry"]
    head = 0 if p["length"] is not None else 1
    wanted = list(needed)
    while True:
        small, used = restricted(body, picked(body.outputs, wanted))
        grown = [w or k < carry and used[consts + k] for k, w in enumerate(wanted)]
        if grown == wanted:
            break
        wanted = grown
    used = [u or consts <= n < consts + carry and wanted[n - consts] for n, u in enumerate(used)]
    inner = Graph(picked(body.inputs, used), small.eqns, small.outputs)
    params = {**p, "body": inner, "consts": sum(used[:consts]), "carry": sum(wanted[:carry])}
    return Eqn(e.op, [*e.inputs[:head], *picked(e.inputs[head:], used)], params, picked(e.outputs, wanted), e.source)


def _while(e: Eqn, needed: list[bool]) -> Eqn:
    p = e.params
    body, cond, consts = p["body"], p["cond"], p["consts"]
    n = len(e.inputs) - consts
    _, tested = restricted(cond, cond.outputs)
    wanted = [a or b for a, b in zip(needed[:n], tested[consts:], strict=True)]
    if p["states"]:
        wanted = [a or b for a, b in zip(wanted, needed[n + 2 :], strict=True)]
    saved = [] if p["states"] else needed[n + 1 :]
    while True:
        small, used = restricted(body, picked(body.outputs, [*wanted, *saved]))
        grown = [w or used[consts + k] for k, w in enumerate(wanted)]
        if grown == wanted:
            break
        wanted = grown
    used_consts = [a or b for a, b in zip(used[:consts], tested[:consts], strict=True)]
    flags = [*used_consts, *wanted]
    params = {
        **p, "body": Graph(picked(body.inputs, flags), small.eqns, small.outputs),
        "cond": Graph(picked(cond.inputs, flags), cond.eqns, cond.outputs), "consts": sum(used_consts), "saved": sum(saved),
    }  # fmt: skip
    steps = [True, True, *wanted] if p["states"] else [True, *saved]
    return Eqn(e.op, picked(e.inputs, flags), params, picked(e.outputs, [*wanted, *steps]), e.source)


def _switch(e: Eqn, needed: list[bool]) -> Eqn:
    found = [restricted(b, picked(b.outputs, needed)) for b in e.params["branches"]]
    used = [any(column) for column in zip(*[flags for _, flags in found], strict=True)]
    branches = tuple(Graph(picked(b.inputs, used), b.eqns, b.outputs) for b, _ in found)
    return Eqn(e.op, [e.inputs[0], *picked(e.inputs[1:], used)], {"branches": branches}, picked(e.outputs, needed), e.source)


def _rowwise(e: Eqn, needed: list[bool]) -> Eqn:
    small, used = restricted(e.params["graph"], picked(e.params["graph"].outputs, needed))
    inner = Graph(picked(small.inputs, used), small.eqns, small.outputs)
    params = {**e.params, "graph": inner, "mapped": tuple(picked(e.params["mapped"], used))}
    return Eqn(e.op, picked(e.inputs, used), params, picked(e.outputs, needed), e.source)


PRUNE: Rules[Callable[[Eqn, list[bool]], Eqn]] = Rules(
    "pruning", {"scan": _scan, "while_loop": _while, "switch": _switch, "rowwise": _rowwise}
)
"""rule(equation, which results are read) -> the equation without the others."""


# -- operands and results that are the same in every step


class _Settler(Rewriter):
    def run(self) -> Graph:
        self.by: dict[Var, Eqn] = {}
        for e in self.graph.eqns:
            inputs = [self.read(a) for a in e.inputs]
            if e.op is scan:
                self._scan(e, inputs)
            elif e.op is while_loop:
                self._while(e, inputs)
            elif e.op is rowwise:
                self._rowwise(e, inputs)
            elif e.op is switch:
                self._switch(e, inputs)
            else:
                self.keep(e, inputs)
            self.by.update((v, self.eqns[-1]) for v in self.eqns[-1].outputs if self.eqns)
        return self.finish()

    def _put(self, e: Eqn, inputs: Sequence[Atom], params: dict[str, Any], outputs: Sequence[Var]) -> None:
        self.eqns.append(Eqn(e.op, inputs, params, outputs, e.source))
        self.atoms.update((v, v) for v in outputs)

    def _scan(self, e: Eqn, inputs: list[Atom]) -> None:
        p = e.params
        body, consts, carry, length = p["body"], p["consts"], p["carry"], p["length"]
        head = 0 if length is not None else 1
        operands = inputs[head:]
        fixed: list[tuple[Var, Atom]] = list(zip(body.inputs[:consts], operands[:consts], strict=True))
        carries, xs = [], []
        for k in range(consts, consts + carry):
            if body.outputs[k - consts] is body.inputs[k]:
                fixed.append((body.inputs[k], operands[k]))
                self.atoms[e.outputs[k - consts]] = operands[k]
            else:
                carries.append(k)
        for k in range(consts + carry, len(operands)):
            one = self._one_for_all(operands[k], body.inputs[k].type, e) if length is not None else None
            if one is not None:
                fixed.append((body.inputs[k], one))
            else:
                xs.append(k)
        body = _with_numbers(body, fixed)
        fixed = [(v, a) for v, a in fixed if isinstance(a, Var)]
        ys: dict[Atom, Var] = {}
        for v, a in zip(e.outputs[carry:], body.outputs[carry:], strict=True):
            outside = a if isinstance(a, Literal) else dict(fixed).get(a)
            if outside is not None and length is not None:
                dims = tuple(range(1, v.type.rank))
                self.atoms[v] = self.emit("broadcast", [outside], {"shape": v.type.shape, "dims": dims}, e.source)
            elif a in ys:
                self.atoms[v] = ys[a]
            else:
                ys[a] = v
        inner = Graph(
            [*[v for v, _ in fixed], *[body.inputs[k] for k in carries], *[body.inputs[k] for k in xs]], body.eqns,
            [*[body.outputs[k - consts] for k in carries], *ys],
        )  # fmt: skip
        self._put(
            e, [*inputs[:head], *[a for _, a in fixed], *[operands[k] for k in [*carries, *xs]]],
            {**p, "body": simplify_nested(inner), "consts": len(fixed), "carry": len(carries)},
            [*[e.outputs[k - consts] for k in carries], *ys.values()],
        )  # fmt: skip

    def _one_for_all(self, a: Atom, element: Any, e: Eqn) -> Atom | None:
        """What every slice of an operand is, where they are all one."""
        made = self.by.get(a) if isinstance(a, Var) else None
        if made is None or made.op is not broadcast_op or 0 in made.params["dims"]:
            return None
        if not element.shape:
            return made.inputs[0]
        dims = tuple(d - 1 for d in made.params["dims"])
        return self.emit("broadcast", [made.inputs[0]], {"shape": element.shape, "dims": dims}, e.source)

    def _while(self, e: Eqn, inputs: list[Atom]) -> None:
        p = e.params
        body, cond, consts = p["body"], p["cond"], p["consts"]
        n = len(inputs) - consts
        same = [] if p["states"] else [k for k in range(n) if body.outputs[k] is body.inputs[consts + k]]
        moving = [k for k in range(n) if k not in same]
        places = [*range(consts), *[consts + k for k in same]]
        for k in same:
            self.atoms[e.outputs[k]] = inputs[consts + k]
        held = [k for k in places if isinstance(inputs[k], Var)]
        wanted = [*held, *[consts + k for k in moving]]
        graphs = {}
        for name, g in (("cond", cond), ("body", body)):
            changed = _with_numbers(g, [(g.inputs[k], inputs[k]) for k in places])
            outputs = changed.outputs if g is cond else [*[changed.outputs[k] for k in moving], *changed.outputs[n:]]
            graphs[name] = simplify_nested(Graph([g.inputs[k] for k in wanted], changed.eqns, outputs))
        params = {**p, **graphs, "consts": len(held)}
        self._put(e, [inputs[k] for k in wanted], params, [*[e.outputs[k] for k in moving], *e.outputs[n:]])

    def _rowwise(self, e: Eqn, inputs: list[Atom]) -> None:
        graph, mapped = e.params["graph"], e.params["mapped"]
        fixed: list[tuple[Var, Atom]] = []
        rows = []
        for v, a, m in zip(graph.inputs, inputs, mapped, strict=True):
            one = self._one_for_all(a, v.type, e) if m else a
            rows.append((v, a)) if one is None else fixed.append((v, one))
        inner = _with_numbers(graph, fixed)
        fixed = [(v, a) for v, a in fixed if isinstance(a, Var)]
        inner = Graph([*[v for v, _ in fixed], *[v for v, _ in rows]], inner.eqns, inner.outputs)
        params = {**e.params, "graph": simplify_nested(inner), "mapped": (*[False] * len(fixed), *[True] * len(rows))}
        self._put(e, [a for _, a in [*fixed, *rows]], params, e.outputs)

    def _switch(self, e: Eqn, inputs: list[Atom]) -> None:
        kept_inputs = [k for k, a in enumerate(inputs[1:]) if isinstance(a, Var)]
        branches = []
        for b in e.params["branches"]:
            changed = _with_numbers(b, list(zip(b.inputs, inputs[1:], strict=True)))
            branches.append(simplify_nested(Graph([b.inputs[k] for k in kept_inputs], changed.eqns, changed.outputs)))
        self._put(e, [inputs[0], *[inputs[1 + k] for k in kept_inputs]], {"branches": tuple(branches)}, e.outputs)


def _with_numbers(graph: Graph, operands: Sequence[tuple[Var, Atom]]) -> Graph:
    """The graph with the inputs that are given as constants replaced by them."""
    numbers = {v: a for v, a in operands if isinstance(a, Literal)}
    if not numbers:
        return graph

    def read(a: Atom) -> Atom:
        return numbers.get(a, a) if isinstance(a, Var) else a

    eqns = [Eqn(e.op, [read(a) for a in e.inputs], e.params, e.outputs, e.source) for e in graph.eqns]
    return Graph(graph.inputs, eqns, [read(a) for a in graph.outputs])
