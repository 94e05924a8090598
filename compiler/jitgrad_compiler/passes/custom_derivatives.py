"""The rules of custom_jvp and custom_vjp.

A custom_jvp becomes its rule, whose equations part into known and linear ones by themselves. A custom_vjp becomes its forward
program and one linear equation, custom_linear, whose transpose is its backward program.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..errors import NonDifferentiableError, UnexpectedTracerError
from ..ir.builder import Value, bind_all, staging
from ..ir.graph import Graph
from ..ir.interpreter import evaluate
from ..ir.types import INEXACT, ArrayType
from ..ops.custom import FORWARD_MODE, custom_jvp, custom_linear, custom_vjp
from ..ops.define import Operand, Tangents, broadcast_batch, reduce_sum
from .linearize import recorded
from .loop_derivatives import Flags, filled, picked, spread
from .vmap import batch


def closed_over(what: str) -> UnexpectedTracerError:
    return UnexpectedTracerError(
        f"{what}: a value that the function or its rules close over is being differentiated, but the rules say how to "
        "differentiate with respect to the arguments alone. Pass the value as an argument, or use stop_gradient on it."
    )


def _not_traced(what: str) -> NonDifferentiableError:
    return NonDifferentiableError(
        f"{what}: its rules call the function itself, and derivatives of so high an order were not traced. "
        "Take the derivative inside the jitted function instead of outside, or state it with a custom rule of its own."
    )


def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    rule, consts = params["rule"], params["consts"]
    what = f"custom_jvp function {params['name']}"
    if any(t is not None for t in tangents[:consts]):
        raise closed_over(what)
    if rule is None:
        raise _not_traced(what)
    given = [filled(t, p.type) for t, p in zip(tangents, primals, strict=True)]
    found = evaluate(rule, [*primals, *[t for t in given[consts:] if t.type.dtype in INEXACT]])
    outs = found[: len(params["graph"].outputs)]
    return outs, spread(found[len(outs) :], [o.type.dtype in INEXACT for o in outs])


def _vjp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    forward, backward, consts, name = params["forward"], params["backward"], params["consts"], params["name"]
    what = f"custom_vjp function {name}"
    if any(t is not None for t in tangents[:consts]):
        raise closed_over(what)
    if not recorded(tangents):
        raise NonDifferentiableError(FORWARD_MODE.format(name=name))
    if forward is None:
        raise _not_traced(what)
    found = evaluate(forward, primals)
    count = len(params["graph"].outputs)
    outs, known = found[:count], [*primals[:consts], *found[count:]]
    moves = picked(tangents, params["moving"])
    active = tuple(t is not None for t in moves)
    floats = [o.type.dtype in INEXACT for o in outs]
    if not any(active) or not any(floats):
        return outs, [None] * count
    given = [t for t in moves if t is not None]
    moved = bind_all(custom_linear, *known, *given, backward=backward, known=len(known), active=active, name=name)
    return outs, spread(moved, floats)


def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    known = [x for x in operands[: params["known"]] if isinstance(x, Value)]
    if len(known) < params["known"]:
        raise closed_over(f"custom_vjp function {params['name']}")
    found = evaluate(params["backward"], [*known, *cts])
    return [*[None] * len(known), *picked(found, params["active"])]


# -- batching


@lru_cache(maxsize=512)
def batched_program(graph: Graph, size: int, flags: Flags, whole: int) -> tuple[Graph, Flags]:
    """The batched Graph, whose first `whole` outputs all have the batch axis, and which of the others do."""
    with staging() as builder:
        inputs = [
            builder.input(ArrayType((size, *t.shape), t.dtype) if b else t) for t, b in zip(graph.input_types, flags, strict=True)
        ]
        outs, out_flags = batch(graph, size, inputs, flags)
        first = [broadcast_batch(o, size, b) for o, b in zip(outs[:whole], out_flags, strict=False)]
        return builder.finish([*first, *outs[whole:]])[0], tuple(out_flags[whole:])


@lru_cache(maxsize=512)
def _batched_backward(graph: Graph, size: int, flags: Flags, wanted: Flags) -> Graph:
    """The batched backward program; the cotangent of what serves every example is the sum of theirs."""
    with staging() as builder:
        inputs = [
            builder.input(ArrayType((size, *t.shape), t.dtype) if b else t) for t, b in zip(graph.input_types, flags, strict=True)
        ]
        outs, out_flags = batch(graph, size, inputs, flags)
        whole = [broadcast_batch(o, size, b) for o, b in zip(outs, out_flags, strict=True)]
        return builder.finish([o if w else reduce_sum(o, (0,)) for o, w in zip(whole, wanted, strict=True)])[0]


def _batch_jvp(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    graph, rule, consts = params["graph"], params["rule"], params["consts"]
    flags = tuple(batched)
    made, _ = batched_program(graph, size, flags, len(graph.outputs))
    if rule is not None:
        moving = [b for b, t in zip(flags[consts:], graph.input_types[consts:], strict=True) if t.dtype in INEXACT]
        rule, _ = batched_program(rule, size, (*flags, *moving), len(rule.outputs))
    return bind_all(custom_jvp, *args, **{**params, "graph": made, "rule": rule})


def _batch_vjp(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    graph, forward, backward = params["graph"], params["forward"], params["backward"]
    flags, count = tuple(batched), len(graph.outputs)
    made, _ = batched_program(graph, size, flags, count)
    if forward is not None:
        forward, kept = batched_program(forward, size, flags, count)
        cotangents = [True] * sum(t.dtype in INEXACT for t in graph.output_types)
        given = (*flags[: params["consts"]], *kept, *cotangents)
        backward = _batched_backward(backward, size, given, tuple(picked(flags, params["moving"])))
    return bind_all(custom_vjp, *args, **{**params, "graph": made, "forward": forward, "backward": backward})


def _batch_linear(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    known, active, backward = params["known"], params["active"], params["backward"]
    flags = (*batched[:known], *[True] * (len(backward.inputs) - known))
    made, _ = batched_program(backward, size, flags, len(backward.outputs))
    whole = [broadcast_batch(t, size, b) for t, b in zip(args[known:], batched[known:], strict=True)]
    return bind_all(custom_linear, *args[:known], *whole, **{**params, "backward": made, "active": active})


custom_jvp.jvp, custom_jvp.batch = _jvp, _batch_jvp
custom_vjp.jvp, custom_vjp.batch = _vjp, _batch_vjp
custom_linear.transpose, custom_linear.batch = _transpose, _batch_linear
