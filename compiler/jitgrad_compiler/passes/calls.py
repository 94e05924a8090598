"""The rules of `call`: a nested program is differentiated and vectorised as a whole, and stays one equation.

So the gradient of a jitted function, taken outside jit, is two compiled programs: one forward with residuals, one backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.builder import Value, bind_all, staging
from ..ir.graph import BATCH, BATCHED_OUTPUTS, JVP, TRANSPOSE, Graph, Var, remembered
from ..ops.calls import call
from ..ops.define import Operand, Tangents, is_linear
from .jvp import jvp_active, recorded
from .linearize import LinearGraphs, linearize_graph, transpose_graph
from .vmap import batch, batched_type


@remembered
def _linearized(graph: Graph, active: tuple[bool, ...]) -> LinearGraphs:
    return linearize_graph(graph, active)


@remembered
def _moved(graph: Graph, active: tuple[bool, ...]) -> tuple[Graph, tuple[bool, ...]]:
    return jvp_active(graph, active)


@remembered
def _transposed(graph: Graph, linear: tuple[bool, ...], given: tuple[bool, ...]) -> Graph:
    return transpose_graph(graph, linear, given)


@remembered
def _batched(graph: Graph, size: int, batched: tuple[bool, ...]) -> tuple[Graph, tuple[bool, ...]]:
    """The batched Graph, and which of its outputs have the batch axis."""
    with staging() as builder:
        inputs = [builder.input(batched_type(t, size) if b else t) for t, b in zip(graph.input_types, batched, strict=True)]
        outs, flags = batch(graph, size, inputs, batched)
        return builder.finish(outs)[0], tuple(flags)


@remembered
def _kept(forward: Graph, count: int) -> tuple[Graph, tuple[tuple[bool, int], ...]]:
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
    graph, name = params["graph"], params["name"]
    active = tuple(t is not None for t in tangents)
    given = [t for t in tangents if t is not None]
    count = len(graph.outputs)
    if not recorded(tangents):
        both, active_outputs = _moved(graph, active)
        found = bind_all(call, *primals, *given, graph=both, name=name)
        moved = iter(found[count:])
        return found[:count], [next(moved) if a else None for a in active_outputs]
    parts = _linearized(graph, active)
    forward, sources = _kept(parts.forward, count)
    found = bind_all(call, *primals, graph=forward, name=name)
    outs, residuals = found[:count], [primals[n] if given else found[n] for given, n in sources]
    if not any(parts.active_outputs):
        return outs, [None] * count
    moved = iter(bind_all(call, *given, *residuals, graph=parts.linear, name=name))
    return outs, [next(moved) if a else None for a in parts.active_outputs]


@TRANSPOSE.of(call)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    linear = tuple(map(is_linear, operands))
    backward = _transposed(params["graph"], linear, tuple(ct is not None for ct in cts))
    known = [x for x in operands if isinstance(x, Value)]
    found = iter(bind_all(call, *known, *[ct for ct in cts if ct is not None], graph=backward, name=params["name"]))
    return [next(found) if a else None for a in linear]


@BATCH.of(call)
def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    graph, _ = _batched(params["graph"], size, tuple(batched))
    return bind_all(call, *args, graph=graph, name=params["name"])


@BATCHED_OUTPUTS.of(call)
def _batched_outputs(size: int, params: Mapping[str, Any], batched: Sequence[bool]) -> Sequence[bool]:
    return _batched(params["graph"], size, tuple(batched))[1]
