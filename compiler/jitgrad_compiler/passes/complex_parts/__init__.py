"""Complex values as pairs of real ones, so that fusion, targets and every pass behind this one know real numbers alone.

    graph(a:c64[3]) {                        graph(a:f32[3,2]) {
      b:c64[3] = exp a              ->         ... its parts are slices; exp, cos and sin of them; put side by side
      return b                                 return ...
    }                                        }

A complex input or result of the program keeps its bytes: it becomes one real array with a last axis of two, whose slices and
concatenation are index maps of the kernels. In between every value is two. The rules stand in a table by op: table.py, and
arithmetic.py, exponentials.py, inverses.py, movement.py, contraction.py, matrices.py, fourier.py, control.py, which fill it.
split.py walks a Graph.
"""

from __future__ import annotations

from ...ir.graph import Graph
from . import arithmetic, contraction, control, exponentials, fourier, inverses, matrices, movement
from .split import split
from .table import RULES

__all__ = [
    "RULES", "arithmetic", "complex_parts", "contraction", "control", "exponentials", "fourier", "inverses", "matrices", "movement",
]  # fmt: skip


def complex_parts(graph: Graph) -> Graph:
    """The pass; a graph without complex values as it is."""
    if not graph.has_complex:
        return graph
    return split(graph, (True,) * len(graph.inputs), (True,) * len(graph.outputs))
