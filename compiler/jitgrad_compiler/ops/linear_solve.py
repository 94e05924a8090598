"""The solution of a linear system by a program of the user's.

linear_solve [graph, matvec, vecmat, transposed, consts, name]: operands are consts, which all the graphs take first, and the
right-hand side b. graph gives x with matvec(x) = b, and auxiliary values behind it; transposed does the same for vecmat, the
transpose of matvec. Those two are None where the system can be solved in one direction alone. Derivatives are in
passes/linear_solve.py.
"""

from __future__ import annotations

from typing import Any

from ..ir.graph import EVALUATE, Graph, Op
from .control import expect
from .custom import run_eagerly, run_nested
from .define import as_consts


def _type(
    *types: Any, graph: Graph, matvec: Graph, vecmat: Graph | None, transposed: Graph | None, consts: int, name: str
) -> tuple[Any, ...]:
    where, rhs = f"linear_solve of {name}", types[consts:]
    expect(where, "the graph's inputs", graph.input_types, types)
    expect(where, "the solution", rhs, graph.output_types[: len(rhs)])
    for other in (matvec, vecmat):
        if other is not None:
            expect(where, "the operator's inputs", graph.input_types, other.input_types)
            expect(where, "the operator's results", rhs, other.output_types)
    if transposed is not None:
        expect(where, "the transposed graph's inputs", graph.input_types, transposed.input_types)
        expect(where, "the transposed graph's results", rhs, transposed.output_types[: len(rhs)])
    return graph.output_types


linear_solve = Op(
    "linear_solve", _type, run_nested, kind="call", computes=False, hoists=as_consts,
    doc="The solution of a linear system, whose derivative is one more solution.",
)  # fmt: skip
EVALUATE[linear_solve] = run_eagerly
