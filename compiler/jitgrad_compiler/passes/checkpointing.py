"""Derivatives and batching of checkpoint: what the policy does not keep is computed from the operands again, when it is needed.

The forward program gives the outputs, and the operands and kept values from which the linear part computes its other residuals. The
barriers at its start keep the second computation apart from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind, bind_all
from ..ir.graph import BATCH, JVP, OPS, TRANSPOSE, Eqn, Graph, Var, remembered
from ..ir.interpreter import evaluate
from ..ops.calls import call
from ..ops.checkpointing import NOTHING, barrier, checkpoint
from ..ops.contraction import dot_general
from ..ops.define import Operand, Tangents, is_linear
from .inline import inline
from .jvp import recorded
from .linearize import LinearGraphs
from .loop_derivatives import Flags, build, linearized, moved, picked, spread, transposed
from .simplify import remove_dead
from .vmap import vmap_graph


def keeps(policy: tuple[Any, ...], e: Eqn) -> bool:
    """Whether a policy keeps what an equation computes. Policies are those of jitgrad/checkpoint_policies.py, as tuples."""
    kind, *details = policy
    named = e.op is OPS["name"]
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


@remembered
def checkpointed(graph: Graph, active: Flags, policy: tuple[Any, ...], prevent_cse: bool) -> LinearGraphs:
    """The split of a Graph in which the residuals are inputs and values that the policy keeps."""
    if policy != NOTHING:
        graph = inline(graph, call)
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
    graph = params["graph"]
    active = tuple(t is not None for t in tangents)
    given = [t for t in tangents if t is not None]
    count = len(graph.outputs)
    if not recorded(tangents):
        both, active_outputs = moved(graph, active)
        found = bind_all(checkpoint, *primals, *given, **{**params, "graph": both})
        return found[:count], spread(found[count:], active_outputs)
    parts = checkpointed(graph, active, params["policy"], params["prevent_cse"])
    found = evaluate(parts.forward, primals)
    if not any(parts.active_outputs):
        return found[:count], [None] * count
    moving = bind_all(checkpoint, *given, *found[count:], **{**params, "graph": parts.linear})
    return found[:count], spread(moving, parts.active_outputs)


@TRANSPOSE.of(checkpoint)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    linear = tuple(map(is_linear, operands))
    backward = transposed(params["graph"], linear, tuple(ct is not None for ct in cts))
    known = [x for x in operands if isinstance(x, Value)]
    found = bind_all(checkpoint, *known, *[ct for ct in cts if ct is not None], **{**params, "graph": backward})
    return spread(found, linear)


@BATCH.of(checkpoint)
def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(checkpoint, *args, **{**params, "graph": _batched(params["graph"], size, tuple(batched))})


@remembered
def _batched(graph: Graph, size: int, batched: Flags) -> Graph:
    return vmap_graph(graph, size, batched)
