"""Derivatives and batching of linear_solve: A x = b gives A dx = db - dA x, so the linear part is one more solution, and its
transpose is a solution with the transposed operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NonDifferentiableError
from ..ir.builder import Value, bind_all
from ..ir.graph import BATCH, JVP, TRANSPOSE
from ..ir.interpreter import evaluate
from ..ops.define import Operand, Tangents, broadcast_batch, is_linear
from ..ops.linear_solve import linear_solve
from .jvp import jvp
from .nested_programs import filled, wholly_batched


@JVP.of(linear_solve)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    n, matvec = params["consts"], params["matvec"]
    consts, rhs = primals[:n], list(tangents[n:])
    outs = bind_all(linear_solve, *primals, **params)
    solution = outs[: len(rhs)]

    def at_solution(values: Sequence[Value]) -> Sequence[Value]:
        return evaluate(matvec, [*values, *solution])

    if any(t is not None for t in tangents[:n]):
        _, moved = jvp(at_solution, consts, tangents[:n])
        rhs = [t if m is None else -m if t is None else t - m for t, m in zip(rhs, moved, strict=True)]
    if all(t is None for t in rhs):
        return outs, [None] * len(outs)
    given = [filled(t, x.type) for t, x in zip(rhs, solution, strict=True)]
    found = bind_all(linear_solve, *consts, *given, **params)
    return outs, [*found[: len(rhs)], *[None] * (len(outs) - len(rhs))]


@TRANSPOSE.of(linear_solve)
def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    n, name = params["consts"], params["name"]
    consts = [x for x in operands[:n] if isinstance(x, Value)]
    if len(consts) < n:
        raise NonDifferentiableError(f"{name}: the solution of a linear system is not linear in what its operator is made of")
    if params["transposed"] is None:
        raise NonDifferentiableError(
            f"{name}: transpose_solve is needed for reverse mode. Give it, or symmetric=True for an operator that equals its "
            "transpose."
        )
    turned = {
        **params, "graph": params["transposed"], "transposed": params["graph"], "matvec": params["vecmat"],
        "vecmat": params["matvec"],
    }  # fmt: skip
    rhs = operands[n:]
    found = bind_all(linear_solve, *consts, *cts[: len(rhs)], **turned)
    return [*[None] * n, *[ct if is_linear(b) else None for ct, b in zip(found, rhs, strict=False)]]


@BATCH.of(linear_solve)
def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    n = params["consts"]
    flags = (*batched[:n], *[True] * (len(args) - n))
    graphs = {key: params[key] for key in ("graph", "matvec", "vecmat", "transposed")}
    made = {key: g and wholly_batched(g, size, flags) for key, g in graphs.items()}
    rhs = [broadcast_batch(b, size, was) for b, was in zip(args[n:], batched[n:], strict=True)]
    return bind_all(linear_solve, *args[:n], *rhs, **{**params, **made})
