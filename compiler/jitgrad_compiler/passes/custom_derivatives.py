"""The rules of custom_jvp and custom_vjp.

A custom_jvp becomes its rule, whose equations part into known and linear ones by themselves. A custom_vjp becomes its forward
program and one linear equation, custom_linear, whose transpose is its backward program. Where one is applied to what is linear
already, it is what its function is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import NonDifferentiableError, UnexpectedTracerError
from ..ir.builder import Value, bind_all, source_of
from ..ir.graph import BATCH, JVP, TRANSPOSE, Graph, Op, remembered
from ..ir.interpreter import evaluate
from ..ops.calls import call
from ..ops.custom import FORWARD_MODE, Backward, BatchRule, Programs, Rule, custom_jvp, custom_linear, custom_vjp, custom_vmap
from ..ops.define import Operand, Tangents, broadcast_batch, reduce_sum
from .custom_rules import closes_over
from .jvp import recorded
from .nested_programs import (
    Flags,
    are_there,
    batched_program,
    build,
    filled,
    picked,
    present,
    spread,
    transpose_rule,
    wholly_batched,
)

CLOSED_OVER = (
    "{}: a value that the function or its rules close over is being differentiated, but the rules say how to differentiate with "
    "respect to the arguments alone. Pass the value as an argument, or use stop_gradient on it."
)


def closed_over(what: str) -> UnexpectedTracerError:
    return UnexpectedTracerError(CLOSED_OVER.format(what))


def _is_untouched(tangents: Tangents, params: dict[str, Any]) -> bool:
    """Whether what moves is closed over by the rule alone, which is not asked then: the function does not depend on it."""
    consts = params["consts"]
    return all(t is None for t in tangents[consts:]) and not closes_over(params["graph"], tangents[:consts])


def _programs(what: str, tangents: Tangents, params: dict[str, Any]) -> tuple[Graph, ...]:
    """The graphs of a rule, which passes/custom_rules.py has put into the equation."""
    rule, moving = params["rule"], tangents[: params["consts"]]
    graphs = rule if isinstance(rule, tuple) else ()
    if any(closes_over(g, moving) for g in (params["graph"], *graphs)):
        raise closed_over(what)
    if not graphs:
        raise NonDifferentiableError(
            f"{what}: its rule is no part of this program, which was made to be run or was read from text. Differentiate the "
            "function that the program was traced from."
        )
    return graphs


@JVP.of(custom_jvp)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    if _is_untouched(tangents, params):
        return bind_all(custom_jvp, *primals, **params), [None] * len(params["graph"].outputs)
    (rule,) = _programs(f"custom_jvp function {params['name']}", tangents, params)
    given = [filled(t, p.type) for t, p in zip(tangents, primals, strict=True)]
    found = evaluate(rule, [*primals, *[t for t in given[params["consts"] :] if t.type.dtype.is_inexact]])
    outs = found[: len(params["graph"].outputs)]
    return outs, spread(found[len(outs) :], [o.type.dtype.is_inexact for o in outs])


@JVP.of(custom_vjp)
def _vjp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    if _is_untouched(tangents, params):
        return bind_all(custom_vjp, *primals, **params), [None] * len(params["graph"].outputs)
    consts, name = params["consts"], params["name"]
    if not recorded(tangents) and not closes_over(params["graph"], tangents[:consts]):
        raise NonDifferentiableError(FORWARD_MODE.format(name=name))
    forward, backward = _programs(f"custom_vjp function {name}", tangents, params)
    found = evaluate(forward, primals)
    count = len(params["graph"].outputs)
    outs, known = found[:count], [*primals[:consts], *found[count:]]
    moves = picked(tangents, params["moving"])
    active = are_there(moves)
    floats = [o.type.dtype.is_inexact for o in outs]
    if not any(active) or not any(floats):
        return outs, [None] * count
    moved = bind_all(custom_linear, *known, *present(moves), backward=backward, known=len(known), active=active, name=name)
    return outs, spread(moved, floats)


@TRANSPOSE.of(custom_linear)
def _linear_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    known = [x for x in operands[: params["known"]] if isinstance(x, Value)]
    if len(known) < params["known"]:
        raise closed_over(f"custom_vjp function {params['name']}")
    backward = params["backward"]
    if isinstance(backward, Backward):
        with source_of(None):
            found = backward.run(known, cts)
    else:
        found = picked(evaluate(backward, [*known, *cts]), params["active"])
    return [*[None] * len(known), *found]


TRANSPOSE.of(custom_jvp, custom_vjp, custom_vmap)(transpose_rule(lambda graph, values, _: evaluate(graph, values)))


# -- batching


@remembered
def _batched_backward(graph: Graph, size: int, flags: Flags, wanted: Flags) -> Graph:
    """The batched backward program; the cotangent of what serves every example is the sum of theirs."""
    made = wholly_batched(graph, size, flags)

    def run(*values: Value) -> Sequence[Value]:
        return [o if w else reduce_sum(o, (0,)) for o, w in zip(evaluate(made, values), wanted, strict=True)]

    return build(made.input_types, run)


def _batched_rule(
    size: int, flags: Flags, params: dict[str, Any], make: Callable[[int, Flags, int, dict[str, Any], Programs], tuple[Graph, ...]]
) -> Any:
    """The rule of a batched equation: of a rule that is not traced yet, one that is not traced yet either."""
    rule, consts = params["rule"], params["consts"]
    if not rule:
        return rule
    if not isinstance(rule, Rule):
        return make(size, flags, consts, params, Programs(rule, [], params.get("moving", ())[consts:]))

    def trace() -> Programs:
        programs = rule.programs()
        hidden = len(programs.captured)
        graphs = make(size, (*[False] * hidden, *flags), hidden + consts, params, programs)
        return Programs(graphs, programs.captured, programs.moving)

    return Rule(params["name"], trace)


def _batched_jvp_rule(size: int, flags: Flags, consts: int, params: dict[str, Any], programs: Programs) -> tuple[Graph, ...]:
    (rule,) = programs.graphs
    moving = [b for b, t in zip(flags[consts:], rule.input_types[consts:], strict=False) if t.dtype.is_inexact]
    return (wholly_batched(rule, size, (*flags, *moving)),)


def _batched_vjp_rule(size: int, flags: Flags, consts: int, params: dict[str, Any], programs: Programs) -> tuple[Graph, ...]:
    forward, backward = programs.graphs
    outputs = params["graph"].output_types
    made, kept = batched_program(forward, size, flags, len(outputs))
    cotangents = [True] * sum(t.dtype.is_inexact for t in outputs)
    wanted = tuple(picked(flags[consts:], programs.moving))
    return made, _batched_backward(backward, size, (*flags[:consts], *kept, *cotangents), wanted)


def _batch(op: Op, make: Any) -> Callable[..., Any]:
    def rule(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        made, rule = wholly_batched(params["graph"], size, batched), _batched_rule(size, tuple(batched), params, make)
        return bind_all(op, *args, **{**params, "graph": made, "rule": rule})

    return rule


@BATCH.of(custom_linear)
def _batch_linear(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    known, active, backward = params["known"], params["active"], params["backward"]
    flags = (*batched[:known], *[True] * (len(backward.inputs) - known))
    made = wholly_batched(backward, size, flags)
    whole = [broadcast_batch(t, size, b) for t, b in zip(args[known:], batched[known:], strict=True)]
    return bind_all(custom_linear, *args[:known], *whole, **{**params, "backward": made, "active": active})


@BATCH.of(custom_vmap)
def _batch_by_rule(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    """The user's rule; what the function closes over is no business of the rule's, so where that is batched, the graph is."""
    consts, rule = params["consts"], params["batching"]
    if isinstance(rule, BatchRule) and not any(batched[:consts]):
        return rule.run(size, args[consts:], batched[consts:])
    return evaluate(wholly_batched(params["graph"], size, batched), args)


@JVP.of(custom_vmap)
def _jvp_of_graph(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    return JVP[call](primals, tangents, {"graph": params["graph"], "name": params["name"]})


BATCH[custom_jvp] = _batch(custom_jvp, _batched_jvp_rule)
BATCH[custom_vjp] = _batch(custom_vjp, _batched_vjp_rule)
