"""Derivatives and batching of checkpoint: what the policy does not keep is computed from the operands again, when it is needed.

The forward program gives the outputs, and the operands and kept values from which the linear part computes its other residuals. The
barriers at its start keep the second computation apart from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind, bind_all
from ..ir.graph import BATCH, JVP, TRANSPOSE, Eqn, Graph, Var, remembered
from ..ir.interpreter import evaluate
from ..ops.attention import attention
from ..ops.calls import call
from ..ops.checkpointing import NOTHING, barrier, checkpoint, checkpoint_name
from ..ops.contraction import dot_general
from ..ops.define import Tangents
from .inline import inline
from .jvp import recorded
from .linearize import LinearGraphs
from .nested_programs import (
    Flags,
    are_there,
    build,
    forward_mode,
    linearized,
    picked,
    present,
    spread,
    transpose_rule,
    wholly_batched,
)
from .simplify import remove_dead


def keeps(policy: tuple[Any, ...], e: Eqn) -> bool:
    """Whether a policy keeps what an equation computes. Policies are those of jitgrad/checkpoint_policies.py, as tuples."""
    kind, *details = policy
    named = e.op is checkpoint_name
    if kind == "everything":
        return True
    if kind == "dots":
        return e.op is dot_general
    if kind == "dots_with_no_batch_dims":
        return e.op is dot_general and not e.params["dims"][1][0]
    if kind == "names":
        return named and e.params["name"] in details
    if kind == "names_but":
        return named and e.params["name"] not in details
    if kind == "all_but_names":
        return not (named and e.params["name"] in details)
    if kind == "either":
        return any(keeps(p, e) for p in details)
    return False


def _keeps_scores(policy: tuple[Any, ...]) -> bool:
    """Whether a policy keeps products inside attention."""
    kind, *details = policy
    return kind == "dots" or kind == "either" and any(map(_keeps_scores, details))


@remembered
def checkpointed(graph: Graph, active: Flags, policy: tuple[Any, ...], prevent_cse: bool) -> LinearGraphs:
    """The split of a Graph in which the residuals are inputs and values that the policy keeps."""
    if policy != NOTHING:
        graph = inline(graph, call)
    if _keeps_scores(policy):
        graph = inline(graph, attention)
    parts = linearized(graph, active)
    count, forward = len(graph.outputs), parts.forward
    kept_eqns = [e for e in forward.eqns if e.has_effect or keeps(policy, e)]
    done = {id(e) for e in kept_eqns}
    saved = [v for e in kept_eqns for v in e.outputs]
    again = remove_dead(Graph([*forward.inputs, *saved], [e for e in forward.eqns if id(e) not in done], forward.outputs[count:]))
    read = {a for e in again.eqns for a in e.inputs} | set(again.outputs)
    kept: list[Var] = [v for v in again.inputs if v in read]
    again = Graph(kept, again.eqns, again.outputs)
    tangents = sum(active)

    def linear(*values: Value) -> Sequence[Value]:
        known = [bind(barrier, v) if prevent_cse and again.eqns else v for v in values[tangents:]]
        return evaluate(parts.linear, [*values[:tangents], *evaluate(again, known)])

    types = [*picked(graph.input_types, active), *[v.type for v in kept]]
    shown = remove_dead(Graph(forward.inputs, forward.eqns, [*forward.outputs[:count], *kept]))
    return LinearGraphs(shown, build(types, linear), len(kept), active, parts.active_outputs)


@JVP.of(checkpoint)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    if not recorded(tangents):
        return forward_mode(checkpoint, primals, tangents, params)
    count = len(params["graph"].outputs)
    parts = checkpointed(params["graph"], are_there(tangents), params["policy"], params["prevent_cse"])
    found = evaluate(parts.forward, primals)
    if not any(parts.active_outputs):
        return found[:count], [None] * count
    return found[:count], spread(_with(parts.linear, [*present(tangents), *found[count:]], params), parts.active_outputs)


def _with(graph: Graph, operands: Sequence[Value], params: dict[str, Any]) -> Sequence[Value]:
    return bind_all(checkpoint, *operands, **{**params, "graph": graph})


TRANSPOSE[checkpoint] = transpose_rule(_with)


@BATCH.of(checkpoint)
def _batch(size: int, args: Sequence[Value], flags: Sequence[bool], params: dict[str, Any]) -> Any:
    return _with(wholly_batched(params["graph"], size, flags), args, params)
