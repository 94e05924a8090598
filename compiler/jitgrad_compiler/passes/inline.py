"""Calls replaced by what they call, also inside loops and branches, so that later passes see no calls."""

from __future__ import annotations

from functools import lru_cache

from ..ir.graph import Eqn, Graph, Var, map_graphs
from .rewrite import Rewriter


@lru_cache(maxsize=512)
def inline(graph: Graph) -> Graph:
    if not any(e.op.kind == "call" or any(e.graphs) for e in graph.eqns):
        return graph
    rewriter = Rewriter(graph)
    _into(rewriter, graph)
    return rewriter.finish()


def _into(rewriter: Rewriter, graph: Graph) -> None:
    for e in graph.eqns:
        inputs = [rewriter.read(a) for a in e.inputs]
        if e.op.kind != "call":
            outputs = [Var(v.type) for v in e.outputs]  # a graph that is called twice is copied twice
            params = map_graphs(e.params, inline) if any(e.graphs) else e.params
            rewriter.eqns.append(Eqn(e.op, inputs, params, outputs, e.source))
            rewriter.atoms.update(zip(e.outputs, outputs, strict=True))
            continue
        inner = e.params["graph"]
        rewriter.atoms.update(zip(inner.inputs, inputs, strict=True))
        _into(rewriter, inner)
        rewriter.atoms.update((v, rewriter.read(a)) for v, a in zip(e.outputs, inner.outputs, strict=True))
