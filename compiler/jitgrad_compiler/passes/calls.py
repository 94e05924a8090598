"""The rules of `call`: a nested program is differentiated and vectorised as a whole, and stays one equation.

So the gradient of a jitted function, taken outside jit, is two compiled programs: one forward with residuals, one backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.builder import Value, bind_all
from ..ir.graph import BATCH, BATCHED_OUTPUTS, JVP, TRANSPOSE, Graph, Var, remembered
from ..ops.calls import call
from ..ops.define import Tangents
from .jvp import recorded
from .nested_programs import are_there, batched_program, forward_mode, linearized, present, spread, transpose_rule


@remembered
def kept_once(forward: Graph, count: int) -> tuple[Graph, tuple[tuple[bool, int], ...]]:
    """The forward program without those residuals that are operands or results, which are there already, and each other one once;
    and where every residual is: (whether an operand, its number there or among the results).
    """
    numbers = {v: n for n, v in enumerate(forward.inputs)}
    outputs = list(forward.outputs[:count])
    sources = []
    for a in forward.outputs[count:]:
        if isinstance(a, Var) and a in numbers:
            sources.append((True, numbers[a]))
            continue
        if a not in outputs:
            outputs.append(a)
        sources.append((False, outputs.index(a)))
    return Graph(forward.inputs, forward.eqns, outputs), tuple(sources)


@JVP.of(call)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    if not recorded(tangents):
        return forward_mode(call, primals, tangents, params)
    name, count = params["name"], len(params["graph"].outputs)
    parts = linearized(params["graph"], are_there(tangents))
    forward, sources = kept_once(parts.forward, count)
    found = bind_all(call, *primals, graph=forward, name=name)
    outs, residuals = found[:count], [primals[n] if given else found[n] for given, n in sources]
    if not any(parts.active_outputs):
        return outs, [None] * count
    moving = bind_all(call, *present(tangents), *residuals, graph=parts.linear, name=name)
    return outs, spread(moving, parts.active_outputs)


TRANSPOSE[call] = transpose_rule(lambda graph, values, params: bind_all(call, *values, graph=graph, name=params["name"]))


@BATCH.of(call)
def _batch(size: int, args: Sequence[Value], flags: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(call, *args, graph=batched_program(params["graph"], size, tuple(flags), 0)[0], name=params["name"])


@BATCHED_OUTPUTS.of(call)
def _batched_outputs(size: int, params: Mapping[str, Any], flags: Sequence[bool]) -> Sequence[bool]:
    return batched_program(params["graph"], size, tuple(flags), 0)[1]
