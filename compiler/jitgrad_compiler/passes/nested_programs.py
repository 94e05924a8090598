"""Programs inside equations: what they become when the equation is differentiated, transposed or batched, each made once.

Ops that do one program, their `graph`, to their operands share the rules at the end (calls.py, checkpointing.py, rowwise.py). Loops
and branches have programs that must agree with each other: loop_parts.py, branches.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.builder import Value, bind_all, staging
from ..ir.graph import Graph, Op, remembered
from ..ir.interpreter import evaluate
from ..ir.types import TapeType
from ..ops.define import Operand, Tangents, broadcast_batch, is_linear, zeros
from .effects import without_effects
from .jvp import jvp_active
from .linearize import LinearGraphs, linearize_graph, transpose_graph
from .vmap import batch, batched_inputs

Flags = tuple[bool, ...]


def build(types: Sequence[Any], function: Callable[..., Sequence[Value]]) -> Graph:
    """The Graph of a function of values of the given types, which closes over nothing."""
    with staging() as builder:
        return builder.finish(function(*map(builder.input, types)))[0]


def picked(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    return [x for x, flag in zip(items, flags, strict=True) if flag]


def spread(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The items at the places that are flagged, None elsewhere."""
    rest = iter(items)
    return [next(rest) if flag else None for flag in flags]


def present(items: Sequence[Any]) -> list[Any]:
    """Those that are not None, the way back from `spread`."""
    return [x for x in items if x is not None]


def parted(items: Sequence[Any], *sizes: int) -> list[list[Any]]:
    """Runs of these lengths, one behind the other; and what is left."""
    rest, runs = list(items), []
    for n in sizes:
        runs.append(rest[:n])
        rest = rest[n:]
    return [*runs, rest]


def filled(t: Value | None, type: Any) -> Value:
    return zeros(type) if t is None else t


def are_there(items: Sequence[Any]) -> Flags:
    """Which tangents or cotangents are not zero."""
    return tuple(x is not None for x in items)


# -- what programs become


@remembered
def linearized(graph: Graph, active: Flags) -> LinearGraphs:
    return linearize_graph(graph, active)


@remembered
def moved(graph: Graph, active: Flags) -> tuple[Graph, Flags]:
    """Primals and tangents in one program, and which outputs have a tangent."""
    return jvp_active(graph, active)


@remembered
def transposed(graph: Graph, linear: Flags, given: Flags) -> Graph:
    return transpose_graph(graph, linear, given)


@remembered
def batched_program(graph: Graph, size: int, flags: Flags, whole: int) -> tuple[Graph, Flags]:
    """The batched Graph, whose first `whole` outputs all have the batch axis, and which of the others do."""
    with staging() as builder:
        outs, out_flags = batch(graph, size, batched_inputs(builder, graph, size, flags), flags)
        first = [broadcast_batch(o, size, b) for o, b in zip(outs[:whole], out_flags, strict=False)]
        return builder.finish([*first, *outs[whole:]])[0], tuple(out_flags[whole:])


def wholly_batched(graph: Graph, size: int, flags: Sequence[bool]) -> Graph:
    """The batched Graph, all of whose outputs have the batch axis."""
    return batched_program(graph, size, tuple(flags), len(graph.outputs))[0]


@remembered
def recomputed(graph: Graph, active: Flags) -> LinearGraphs:
    """The split with the inputs themselves as residuals: the linear part computes the others from them again."""
    parts = linearized(graph, active)
    count, tangents = len(graph.outputs), sum(active)

    def linear(*values: Value) -> Sequence[Value]:
        given, inputs = values[:tangents], values[tangents:]
        return evaluate(parts.linear, [*given, *evaluate(without_effects(parts.forward), inputs)[count:]])

    types = [*picked(graph.input_types, active), *graph.input_types]
    forward = Graph(graph.inputs, graph.eqns, [*graph.outputs, *graph.inputs])
    return LinearGraphs(forward, build(types, linear), len(graph.inputs), active, parts.active_outputs)


def keepable(graph: Graph, active: Flags) -> LinearGraphs:
    """The split with residuals that a loop can stack and a branch leave out, which tapes are not."""
    parts = linearized(graph, active)
    kept = parts.forward.output_types[len(graph.outputs) :]
    return recomputed(graph, active) if any(isinstance(t, TapeType) for t in kept) else parts


# -- rules of ops that do one program


def forward_mode(op: Op, primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    """Primals and tangents by one equation."""
    graph = params["graph"]
    both, out_active = moved(graph, are_there(tangents))
    found = bind_all(op, *primals, *present(tangents), **{**params, "graph": both})
    count = len(graph.outputs)
    return found[:count], spread(found[count:], out_active)


def turned(cts: Sequence[Value | None], operands: Sequence[Operand]) -> tuple[Flags, Flags, list[Value]]:
    """Of an equation that is transposed: which operands are linear, which results have cotangents, and what the transposed program
    takes: the operands that are known, then those cotangents.
    """
    known = [x for x in operands if isinstance(x, Value)]
    return tuple(map(is_linear, operands)), are_there(cts), [*known, *present(cts)]


def transpose_rule(do: Callable[[Graph, list[Value], dict[str, Any]], Sequence[Value]]) -> Callable[..., Any]:
    """The rule of an op whose transpose is its program's, which `do` does: (the program, its operands, params)."""

    def rule(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
        linear, given, values = turned(cts, operands)
        return spread(do(transposed(params["graph"], linear, given), values, params), linear)

    return rule
