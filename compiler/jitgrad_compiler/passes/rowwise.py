"""Derivatives and batching of rowwise: those of its graph, row by row.

A row keeps nothing for its derivative: the linear part is computed from the row's operands again, so that tapes live only as
long as their row is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NonDifferentiableError
from ..ir.builder import Value, bind_all
from ..ir.graph import BATCH, JVP, TRANSPOSE, Graph, remembered
from ..ir.interpreter import evaluate
from ..ir.types import TapeType
from ..ops.control import rowwise
from ..ops.define import Operand, Tangents, broadcast, broadcast_batch, reduce_sum, reshape
from .jvp import recorded
from .nested_programs import (
    Flags,
    are_there,
    forward_mode,
    linearized,
    parted,
    picked,
    present,
    recomputed,
    spread,
    transposed,
    turned,
)
from .vmap import batch, vmap_graph


@JVP.of(rowwise)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    graph, mapped, size = params["graph"], params["mapped"], params["size"]
    active, given = are_there(tangents), present(tangents)
    given_mapped = tuple(picked(mapped, active))
    count = len(graph.outputs)
    if not recorded(tangents):
        return forward_mode(rowwise, primals, tangents, {**params, "mapped": (*mapped, *given_mapped)})
    if any(a and isinstance(p.type, TapeType) for p, a in zip(primals, active, strict=True)):
        parts = linearized(without_rows(graph, mapped, size), active)
        outs, residuals = parted(evaluate(parts.forward, primals), count)
        return outs, spread(evaluate(parts.linear, [*given, *residuals]), parts.active_outputs)
    outs = list(bind_all(rowwise, *primals, **params))
    parts = recomputed(graph, active)
    if not any(parts.active_outputs):
        return outs, [None] * count
    found = bind_all(rowwise, *given, *primals, graph=parts.linear, mapped=(*given_mapped, *mapped), size=size)
    return outs, spread(found, parts.active_outputs)


@remembered
def without_rows(graph: Graph, mapped: Flags, size: int) -> Graph:
    """What a rowwise does with a tape that serves all rows, by loops of batched bodies: the tape's cotangent is a sum over rows,
    which those make step by step.
    """
    wide = vmap_graph(graph, size, mapped, whole=True)
    if any(e.op is rowwise and any(isinstance(a.type, TapeType) for a in e.inputs) for e in wide.eqns):
        raise NonDifferentiableError(
            "reverse mode through a batch whose loops have different numbers of steps, with respect to what another loop has kept "
            "for its own derivative. Use jacfwd or jvp for one of the derivatives."
        )
    return wide


@TRANSPOSE.of(rowwise)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    mapped, size = params["mapped"], params["size"]
    linear, given, values = turned(cts, operands)
    backward = transposed(params["graph"], linear, given)
    flags = (*[m for m, x in zip(mapped, linear, strict=True) if not x], *[True] * sum(given))
    found = bind_all(rowwise, *values, graph=backward, mapped=flags, size=size)
    whole = [ct if m else reduce_sum(ct, (0,)) for ct, m in zip(found, picked(mapped, linear), strict=True)]
    return spread(whole, linear)


@BATCH.of(rowwise)
def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    """Rows of rows are rows: the two axes are made one."""
    mapped, inner = params["mapped"], params["size"]
    if any(b and isinstance(x.type, TapeType) for x, b in zip(args, batched, strict=True)):
        found, found_batched = batch(without_rows(params["graph"], mapped, inner), size, args, batched)
        return [broadcast_batch(o, size, b) for o, b in zip(found, found_batched, strict=True)]
    flat = []
    for x, b, m in zip(args, batched, mapped, strict=True):
        if b and not m:
            x = broadcast(x, (size, inner, *x.type.shape[1:]), (0, *range(2, x.type.rank + 1)))
        elif m and not b:
            x = broadcast(x, (size, *x.type.shape), tuple(range(1, x.type.rank + 1)))
        flat.append(reshape(x, (size * inner, *x.type.shape[2:])) if b or m else x)
    flags = tuple(b or m for b, m in zip(batched, mapped, strict=True))
    outs = bind_all(rowwise, *flat, graph=params["graph"], mapped=flags, size=size * inner)
    return [reshape(o, (size, inner, *o.type.shape[1:])) for o in outs]
