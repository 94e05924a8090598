"""Attention for a target that has kernels of it: which equations these do, and all other calls inlined.

Gradients come first: one that computes scores again reads no residuals, so loops need not stack them, and attention of which nobody
reads any has a kernel, too. Which shapes have one is said here, by types alone. Next on the path: targets/cuda/attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.graph import Eqn, Graph, Var, map_graphs, remembered
from ..ir.types import BF16, BOOL, F16, F32, ArrayType
from ..ops.attention import RANKS, RESULTS, attention, attention_forward, attention_gradient, attention_linear
from .inline import inline
from .loop_pruning import prune_loops, restricted
from .nested_programs import Flags, recomputed, transposed, wholly_batched
from .simplify import simplify

FLOATS = (F16, BF16, F32)
STEP, LARGEST = 16, 128
"""Features of a head are a multiple of that, and at most so many."""
BESIDE = (4, 3, 3, 4)
"""Axes of the results and of the cotangent, without those in front."""


@remembered
def keep_scores_on_chip(graph: Graph) -> Graph:
    """The graph with equations of attention that kernels do, and no other calls."""
    graph = inline(graph, None, (attention, attention_linear, attention_forward, attention_gradient))
    if not _has_attention(graph):
        return graph
    graph = inline(_rewritten(graph, attention_linear), attention_linear)
    graph = prune_loops(simplify(graph))
    return inline(_rewritten(graph, attention), attention)


def _has_attention(graph: Graph) -> bool:
    return any(e.op in (attention, attention_linear) or any(map(_has_attention, e.graphs)) for e in graph.eqns)


def _rewritten(graph: Graph, op: Any) -> Graph:
    """The graph with what kernels do of an op, in nested programs too."""
    read = {a for e in graph.eqns for a in e.inputs} | set(graph.outputs)
    eqns = []
    for e in graph.eqns:
        if e.op is op:
            e = (_gradient(e) if op is attention_linear else _forward(e, read)) or e
        elif e.op.kind != "call" and any(e.graphs):
            e = Eqn(e.op, e.inputs, map_graphs(e.params, lambda g: _rewritten(g, op)), e.outputs, e.source)
        eqns.append(e)
    return Graph(graph.inputs, eqns, graph.outputs)


def _suits(params: Mapping[str, Any], types: Sequence[ArrayType]) -> bool:
    """Whether there are kernels for operands of these types; for their cotangents, with those of the results and of theirs."""
    names, lead = params["names"], len(params["lead"])
    ranks = [*[RANKS[n] for n in names], *BESIDE]
    query, key, value = types[:3]
    features = query.shape[-1]
    return (
        query.dtype in FLOATS and key.dtype == value.dtype == query.dtype
        and features % STEP == 0 and features <= LARGEST and all(t.size for t in types)
        and all(t.rank - rank in (0, lead) for rank, t in zip(ranks, types, strict=False))
        and all(t.dtype in FLOATS if n == "bias" else t.dtype == BOOL if n == "mask" else True
                for n, t in zip(names, types, strict=False))
    )  # fmt: skip


def _forward(e: Eqn, read: set[Any]) -> Eqn | None:
    """The equation of the three results, where nobody reads others."""
    graph = e.params["graph"]
    if graph.has_effect or any(v in read for v in e.outputs[RESULTS:]) or not _suits(e.params, [a.type for a in e.inputs]):
        return None
    small, _ = restricted(graph, graph.outputs[:RESULTS])
    return Eqn(attention_forward, e.inputs, {**e.params, "graph": small}, e.outputs[:RESULTS], e.source)


def _gradient(e: Eqn) -> Eqn | None:
    """The equation without residuals, of a transpose by the query, the key or the value."""
    p = dict(e.params)
    formula, active, backward = p.pop("formula"), p["active"], p.pop("backward")
    count = len(p["names"])
    beside = e.inputs[-(count + RESULTS + 1) :]
    types = [a.type for a in beside]
    if not backward or any(active[3:]) or formula.has_effect or not _suits(p, types):
        return None
    graph, rank = _again(formula, active, p["lead"], types), RANKS["query"] + len(p["lead"])
    if graph is None or graph.output_types != tuple(v.type for v in e.outputs) or any(v.type.rank != rank for v in e.outputs):
        return None  # what all examples of an axis in front share has the sum of their cotangents
    return Eqn(attention_gradient, beside, {**p, "graph": graph}, e.outputs, e.source)


def _again(formula: Graph, active: Flags, lead: tuple[int, ...], types: Sequence[ArrayType]) -> Graph | None:
    """The transpose that takes the formula's operands, its results and the cotangent, with the axes in front that came since."""
    moving, count = sum(active), len(formula.inputs)
    parts = recomputed(formula, active)
    if parts.active_outputs != (True, *(False,) * (RESULTS - 1)):
        return None
    back = transposed(parts.linear, (True,) * moving + (False,) * count, (True,))
    results = [Var(t) for t in formula.output_types[:RESULTS]]
    graph = Graph([*back.inputs[:count], *results, *back.inputs[count:]], back.eqns, back.outputs)
    since = lead[: len(lead) - (formula.output_types[0].rank - RANKS["query"])]
    flags = [t.rank - v.type.rank for t, v in zip(types, graph.inputs, strict=True)]
    if any(n not in (0, len(since)) for n in flags):
        return None
    for size in reversed(since):
        graph = wholly_batched(graph, size, tuple(n > 0 for n in flags))
    return graph if graph.input_types == tuple(types) else None
