"""Every output its own memory: an output that is an input, a constant or another output becomes a copy.

Not so tapes, which leave a program only towards another one: the executable hands one on as it is.
"""

from __future__ import annotations

from ..ir.graph import Graph, Literal
from ..ir.types import TapeType
from .rewrite import Rewriter


def own_outputs(graph: Graph) -> Graph:
    rewriter = Rewriter(graph)
    rewriter.eqns += graph.eqns
    taken = set(graph.inputs)
    outputs = []
    for a in graph.outputs:
        if isinstance(a, Literal) or a in taken and not isinstance(a.type, TapeType):
            a = rewriter.emit("reshape", [a], {"shape": a.type.shape}, None)
        taken.add(a)
        outputs.append(a)
    return Graph(graph.inputs, rewriter.eqns, outputs)
