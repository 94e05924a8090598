"""A program without what it does beside computing its outputs: for computing them a second time."""

from __future__ import annotations

from ..ir.graph import Eqn, Graph, map_graphs, remembered


@remembered
def without_effects(graph: Graph) -> Graph:
    if not graph.has_effect:
        return graph
    eqns = [
        Eqn(e.op, e.inputs, map_graphs(e.params, without_effects), e.outputs, e.source)
        for e in graph.eqns
        if e.outputs or not e.op.traits.effect
    ]
    return Graph(graph.inputs, eqns, graph.outputs)
