"""Calls replaced by what they call, also inside loops and branches, so that later passes see no calls."""

from __future__ import annotations

from ..ir.graph import Eqn, Graph, Op, Var, map_graphs, remembered
from .rewrite import Rewriter


@remembered
def inline(graph: Graph, only: Op | None = None, but: tuple[Op, ...] = ()) -> Graph:
    """Without equations that do no more than their graph: those of every such op `but` some, or of one; in nested programs too."""
    if not any(_is_inlined(e, only, but) or any(e.graphs) for e in graph.eqns):
        return graph
    rewriter = Rewriter(graph)
    _into(rewriter, graph, only, but)
    return rewriter.finish()


def _is_inlined(e: Eqn, only: Op | None, but: tuple[Op, ...]) -> bool:
    return e.op.kind == "call" and e.op not in but if only is None else e.op is only


def _into(rewriter: Rewriter, graph: Graph, only: Op | None, but: tuple[Op, ...]) -> None:
    for e in graph.eqns:
        inputs = [rewriter.read(a) for a in e.inputs]
        if not _is_inlined(e, only, but):
            outputs = [Var(v.type) for v in e.outputs]  # a graph that is called twice is copied twice
            params = map_graphs(e.params, lambda g: inline(g, only, but)) if any(e.graphs) else e.params
            rewriter.eqns.append(Eqn(e.op, inputs, params, outputs, e.source))
            rewriter.atoms.update(zip(e.outputs, outputs, strict=True))
            continue
        inner = e.params["graph"]
        rewriter.atoms.update(zip(inner.inputs, inputs, strict=True))
        _into(rewriter, inner, only, but)
        rewriter.atoms.update((v, rewriter.read(a)) for v, a in zip(e.outputs, inner.outputs, strict=True))
