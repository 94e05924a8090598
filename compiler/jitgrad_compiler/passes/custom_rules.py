"""Rules of custom functions put into programs that are about to be differentiated: traced at that moment, and not before.

A rule that is traced late may close over values that its function does not. They become operands of the equation, and of every
equation around it: an op with nested programs says in its rule `hoists` where operands for all of them go, as a function from
(params, how many) to (the place, the params that change).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.builder import Value, consts_in_front, each_once, outer_identity
from ..ir.graph import OPS, Atom, Deferred, Eqn, Graph, Op, PerGraph, Var, map_graphs, remembered
from ..ops.custom import Rule

Flags = Sequence[bool]


def has_rules(params: Mapping[str, Any]) -> bool:
    """Whether an equation's nested programs, or it itself, have rules that are not traced yet."""
    return any(
        p.has_deferred if isinstance(p, Graph) else isinstance(p, Rule) or isinstance(p, tuple) and any(map(_has_deferred, p))
        for p in params.values()
    )


def _has_deferred(p: Any) -> bool:
    return isinstance(p, Graph) and p.has_deferred


def with_rules(op: Op, params: Mapping[str, Any], active: Flags) -> tuple[int, list[Value], dict[str, Any]]:
    """The params with the rules that derivatives along the active operands may need, and values to be inserted into the operands at
    a place. An exception in the rule of the op itself is raised; rules inside whose tracing fails are left as they are, for it may
    turn out that nothing needs them.
    """
    hoists = op.hoists
    if hoists is None:
        return 0, [], dict(params)
    if "rule" in params:
        return _own_rule(params, hoists) if isinstance(params["rule"], Rule) else (0, [], dict(params))
    precise = "graph" in params and "consts" not in params  # elsewhere what goes in is not all that there is
    graphs: dict[int, tuple[Graph, list[Value]]] = {}

    def supply(graph: Graph) -> Graph:
        floats = [any(active) and t.dtype.is_inexact for t in map(_element, graph.input_types)]
        graphs[id(graph)] = supplied(graph, active if precise else floats)
        return graph

    map_graphs(params, supply)
    consts = each_once(v for _, captured in graphs.values() for v in captured)
    made = map_graphs(params, lambda g: consts_in_front(*graphs[id(g)], consts))
    place, changes = hoists(params, len(consts))
    return place, consts, {**made, **changes}


def closes_over(graph: Graph, moving: Sequence[Value | None]) -> bool:
    """Whether a graph uses one of its first inputs, those that are not None."""
    used = {a for e in graph.eqns for a in e.inputs}.union(graph.outputs)
    return any(t is not None and v in used for v, t in zip(graph.inputs, moving, strict=False))


def _element(type: Any) -> Any:
    return getattr(type, "element", type)


def _own_rule(params: Mapping[str, Any], hoists: Any) -> tuple[int, list[Value], dict[str, Any]]:
    programs = params["rule"].programs()
    place, changes = hoists(params, len(programs.captured))
    made = {**params, **changes, "graph": consts_in_front(params["graph"], [], programs.captured), "rule": programs.graphs}
    if "moving" in params:
        made["moving"] = (*[False] * made["consts"], *programs.moving)
    return place, programs.captured, made


def supplied(graph: Graph, active: Flags) -> tuple[Graph, list[Value]]:
    """The graph with the rules that its derivative along the active inputs may need, and the values that its new last inputs stand
    for. It is kept with the graph while these can be used.
    """
    if not graph.has_deferred:
        return graph, []
    kept = _supplied.of(graph)
    found = kept.get(tuple(active))
    if found is None or any(v.owner is not None and not v.owner.alive for v in found[1]):
        found = kept[tuple(active)] = _supply(graph, active)
    return found


_supplied: PerGraph[dict[tuple[bool, ...], tuple[Graph, list[Value]]]] = PerGraph(dict)
"""What `supplied` has found, by the active inputs."""


def _supply(graph: Graph, active: Flags) -> tuple[Graph, list[Value]]:
    moving: set[Atom] = {v for v, a in zip(graph.inputs, active, strict=True) if a}
    outer: dict[int, tuple[Value, Var]] = {}
    eqns = []
    for e in graph.eqns:
        flags = [a in moving for a in e.inputs]
        if not any(flags) or e.op is OPS["stop_gradient"]:
            eqns.append(e)
            continue
        moving.update(v for v in e.outputs if _element(v.type).dtype.is_inexact)
        if has_rules(e.params):
            try:
                place, captured, params = with_rules(e.op, e.params, flags)
            except Exception:  # raised again by whoever needs the rule
                eqns.append(e)
                continue
            hidden = [outer.setdefault(outer_identity(v), (v, Var(v.type)))[1] for v in captured]
            e = Eqn(e.op, [*e.inputs[:place], *hidden, *e.inputs[place:]], params, e.outputs, e.source)
        eqns.append(e)
    return Graph([*graph.inputs, *[var for _, var in outer.values()]], eqns, graph.outputs), [v for v, _ in outer.values()]


@remembered
def without_rules(graph: Graph) -> Graph:
    """The graph for being run: what its rules say plays no part any more, and the graph does not keep them alive."""
    if not graph.has_deferred:
        return graph
    eqns = [Eqn(e.op, e.inputs, params_without_rules(e.params), e.outputs, e.source) if e.has_deferred else e for e in graph.eqns]
    return Graph(graph.inputs, eqns, graph.outputs)


def params_without_rules(params: Mapping[str, Any]) -> dict[str, Any]:
    return {k: () if isinstance(p, Deferred) and not p.runs else p for k, p in map_graphs(params, without_rules).items()}
