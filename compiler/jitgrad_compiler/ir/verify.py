"""The verifier: every variable defined once and before its use, every output typed as its op's rule says."""

from __future__ import annotations

from .graph import Eqn, Graph, IRError, Literal, Var, print_graph


def verify(graph: Graph, after: str = "tracing") -> Graph:
    """Return the graph if it keeps the rules of the IR; raise IRError, naming the pass `after` and showing the fault, if not."""
    defined = set(graph.inputs)
    if len(defined) != len(graph.inputs):
        raise IRError(f"verify after {after}: an input is listed twice\n{graph}")
    for number, e in enumerate(graph.eqns):
        for a in e.inputs:
            if isinstance(a, Var) and a not in defined:
                raise _fault(graph, number, after, "uses a variable that is not defined yet")
        try:
            expected = e.op.types([a.type for a in e.inputs], e.params)
        except (TypeError, ValueError) as error:
            raise _fault(graph, number, after, str(error)) from error
        got = tuple(v.type for v in e.outputs)
        if got != expected:
            want = ", ".join(map(str, expected))
            raise _fault(graph, number, after, f"{e.op.name} gives {want}, the equation says {', '.join(map(str, got))}")
        if e.op.kind == "elementwise" and any(isinstance(a, Var) and a.type.shape != got[0].shape for a in e.inputs):
            raise _fault(graph, number, after, "an elementwise operand has another shape; only literals broadcast by themselves")
        for v in e.outputs:
            if v in defined:
                raise _fault(graph, number, after, "defines a variable twice")
            defined.add(v)
        for g in e.graphs:
            verify(g, after)
    for a in graph.outputs:
        if not isinstance(a, Literal) and a not in defined:
            raise IRError(f"verify after {after}: an output is not defined by\n{Graph(graph.inputs, graph.eqns, [])}")
    return graph


def _fault(graph: Graph, number: int, after: str, message: str) -> IRError:
    """An error that shows the ten equations around the fault."""
    e: Eqn = graph.eqns[number]
    known = set(graph.inputs)
    for other in graph.eqns:
        known |= set(other.outputs)
    missing = [a for a in e.inputs if isinstance(a, Var) and a not in known]
    shown = Graph([*graph.inputs, *missing], graph.eqns[: number + 1], [])
    try:
        lines = print_graph(shown).splitlines()[1:-2][-10:]
    except KeyError:  # defined later than used: names cannot be given
        lines = [f"  {e.op.name} ..."]
    lines[-1] += "   <-- here"
    where = f" ({e.source[0]}:{e.source[1]})" if e.source else ""
    return IRError(f"verify after {after}: equation {number}{where}: {message}\n" + "\n".join(lines))
