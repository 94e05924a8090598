"""The rules of `call`: a nested program is differentiated and vectorised as a whole, and stays one equation.

So the gradient of a jitted function, taken outside jit, is two compiled programs: one forward with residuals, one backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..ir.builder import Value, bind_all
from ..ir.graph import Graph
from ..ops.calls import call
from ..ops.define import Operand, Tangents, is_linear
from .linearize import LinearGraphs, linearize_graph, transpose_graph
from .vmap import vmap_graph


@lru_cache(maxsize=512)
def _linearized(graph: Graph, active: tuple[bool, ...]) -> LinearGraphs:
    return linearize_graph(graph, active)


@lru_cache(maxsize=512)
def _transposed(linear: Graph, count: int) -> Graph:
    return transpose_graph(linear, count)


@lru_cache(maxsize=512)
def _batched(graph: Graph, size: int, batched: tuple[bool, ...]) -> Graph:
    return vmap_graph(graph, size, batched)


def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    graph, name = params["graph"], params["name"]
    parts = _linearized(graph, tuple(t is not None for t in tangents))
    found = bind_all(call, *primals, graph=parts.forward, name=name)
    count = len(graph.outputs)
    outs, residuals = found[:count], found[count:]
    given = [t for t in tangents if t is not None]
    if not any(parts.active_outputs):
        return outs, [None] * count
    moved = iter(bind_all(call, *given, *residuals, graph=parts.linear, name=name))
    return outs, [next(moved) if a else None for a in parts.active_outputs]


def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    linear = [is_linear(x) for x in operands]
    count = linear.index(False) if False in linear else len(linear)
    if any(linear[count:]):
        raise TypeError("call: linear operands must come first")
    known = [x for x in operands if isinstance(x, Value)]
    backward = _transposed(params["graph"], count)
    found = bind_all(call, *known, *cts, graph=backward, name=params["name"])
    return [*found, *[None] * len(known)]


def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    graph = _batched(params["graph"], size, tuple(batched))
    return bind_all(call, *args, graph=graph, name=params["name"])


call.jvp, call.transpose, call.batch = _jvp, _transpose, _batch
