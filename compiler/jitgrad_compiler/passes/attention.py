"""Derivatives and batching of attention: those of its program, with what a target's kernels need beside it.

The forward program gives the residuals that the linear part takes, as a call's does. What is differentiated again is the program
alone, as a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind_all
from ..ir.graph import BATCH, JVP, TRANSPOSE, Graph, Op, Var
from ..ops.attention import RESULTS, attention, attention_forward, attention_gradient, attention_linear
from ..ops.calls import call
from ..ops.define import Operand, Tangents
from .calls import kept_once
from .jvp import recorded
from .nested_programs import are_there, linearized, present, spread, transposed, turned, wholly_batched


def _as_call(params: dict[str, Any]) -> dict[str, Any]:
    return {"graph": params["graph"], "name": "attention"}


@JVP.of(attention)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    formula, active = params["graph"], are_there(tangents)
    if not recorded(tangents) or len(formula.outputs) > RESULTS:
        return JVP[call](primals, tangents, _as_call(params))
    parts = linearized(formula, active)
    forward, sources = kept_once(parts.forward, RESULTS)
    found = bind_all(attention, *primals, **{**params, "graph": forward})
    outs, residuals = found[:RESULTS], [primals[n] if given else found[n] for given, n in sources]
    if not any(parts.active_outputs):
        return outs, [None] * RESULTS
    beside = [Var(v.type) for v in (*primals, *outs)]
    linear = Graph([*parts.linear.inputs, *beside], parts.linear.eqns, parts.linear.outputs)
    operands = [*present(tangents), *residuals, *primals, *outs]
    of_linear = {**params, "graph": linear, "formula": formula, "active": active, "backward": False}
    return outs, spread(bind_all(attention_linear, *operands, **of_linear), parts.active_outputs)


@JVP.of(attention_linear)
def _linear_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    return JVP[call](primals, tangents, _as_call(params))


@TRANSPOSE.of(attention_linear)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    linear, given, values = turned(cts, operands)
    moving = sum(params["active"])
    if params["backward"] or linear != (True,) * moving + (False,) * (len(linear) - moving):
        return TRANSPOSE[call](cts, operands, _as_call(params))
    graph = transposed(params["graph"], linear, given)
    return spread(bind_all(attention_linear, *values, **{**params, "graph": graph, "backward": True}), linear)


def _batch_rule(op: Op) -> Any:
    def rule(size: int, args: Sequence[Value], flags: Sequence[bool], params: dict[str, Any]) -> Any:
        graph = wholly_batched(params["graph"], size, flags)
        return bind_all(op, *args, **{**params, "graph": graph, "lead": (size, *params["lead"])})

    return rule


for _op in (attention, attention_linear, attention_forward, attention_gradient):
    BATCH[_op] = _batch_rule(_op)
