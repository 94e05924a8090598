"""The transpose of a Graph that is linear in some of its inputs, which is checked.

A function that is linear is its own derivative, and what its derivative keeps does not depend on where it is taken: so the linear
part found by linearize is the function, and it is an error if a residual depends on a linear input.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NonDifferentiableError
from ..ir.builder import Value
from ..ir.graph import Eqn, Graph, Var
from ..ir.interpreter import evaluate
from ..ops.define import zeros
from .linearize import linearize_graph, transpose_graph
from .nested_programs import build, picked, spread
from .simplify import remove_dead


def linear_transpose_graph(graph: Graph, linear: Sequence[bool], where: str) -> Graph:
    """The Graph from (other inputs, cotangents of all outputs) to cotangents of the linear inputs. Raises NonDifferentiableError,
    with the line, where the outputs are not linear in them.
    """
    parts = linearize_graph(graph, linear)
    count, forward = len(graph.outputs), parts.forward
    fault = _depends(forward, linear, forward.outputs[count:])
    if fault is not None:
        at = f" ({fault.source[0]}:{fault.source[1]})" if fault.source else ""
        raise NonDifferentiableError(f"{where} must be linear, but {fault.op.name}{at} makes it something else")
    known = remove_dead(Graph(forward.inputs, forward.eqns, forward.outputs[count:]))
    active = sum(linear)
    backward = transpose_graph(parts.linear, [n < active for n in range(len(parts.linear.inputs))])

    def run(*values: Value) -> Sequence[Value]:
        others, cotangents = values[: len(linear) - active], values[len(linear) - active :]
        given = spread(others, [not f for f in linear])
        inputs = [zeros(t) if v is None else v for v, t in zip(given, graph.input_types, strict=True)]
        return evaluate(backward, [*evaluate(known, inputs), *picked(cotangents, parts.active_outputs)])

    return build([*picked(graph.input_types, [not f for f in linear]), *graph.output_types], run)


def _depends(graph: Graph, linear: Sequence[bool], residuals: Sequence[object]) -> Eqn | None:
    """The equation that first uses a residual, or makes one, from a linear input; None where no residual depends on one."""
    inputs = {v for v, flag in zip(graph.inputs, linear, strict=True) if flag}
    makers: dict[Var, Eqn] = {}
    for e in graph.eqns:
        if any(isinstance(a, Var) and (a in inputs or a in makers) for a in e.inputs):
            makers.update((v, e) for v in e.outputs)
    for a in residuals:
        if a in makers:
            return makers[a]
        if a in inputs:
            return next((e for e in graph.eqns if a in e.inputs), None)
    return None
