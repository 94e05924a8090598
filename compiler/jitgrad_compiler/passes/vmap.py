"""Vectorising: a Graph done to every element of a batch at once, by each op's batching rule."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.builder import Value, bind_all, source_of, staging
from ..ir.graph import Atom, Graph, Literal, Var
from ..ir.interpreter import literal_value
from ..ir.types import ArrayType
from ..ops.define import broadcast_batch


def batch(graph: Graph, size: int, values: Sequence[Value], batched: Sequence[bool]) -> tuple[list[Value], list[bool]]:
    """The graph's outputs for inputs of which some have the batch axis in front, and which outputs have it."""
    env: dict[Var, tuple[Value, bool]] = {}
    for var, value, b in zip(graph.inputs, values, batched, strict=True):
        env[var] = (value, b)

    def read(a: Atom) -> tuple[Value, bool]:
        return (literal_value(a), False) if isinstance(a, Literal) else env[a]

    for e in graph.eqns:
        args, flags = zip(*map(read, e.inputs), strict=True) if e.inputs else ((), ())
        with source_of(e.source):
            if not any(flags):
                outs, out_batched = bind_all(e.op, *args, **e.params), False
            else:
                if e.op.batch is None:
                    raise TypeError(f"vmap: {e.op.name} has no batching rule")
                outs, out_batched = e.op.batch(size, args, flags, dict(e.params)), True
        for v, out in zip(e.outputs, outs, strict=True):
            env[v] = (out, out_batched)
    pairs = [read(a) for a in graph.outputs]
    return [v for v, _ in pairs], [b for _, b in pairs]


def vmap_graph(graph: Graph, size: int, batched: Sequence[bool]) -> Graph:
    """The pass: a Graph whose batched inputs, and all outputs, have a new axis of the given size in front."""
    with staging() as builder:
        inputs = [
            builder.input(ArrayType((size, *t.shape), t.dtype) if b else t) for t, b in zip(graph.input_types, batched, strict=True)
        ]
        outs, flags = batch(graph, size, inputs, batched)
        return builder.finish([broadcast_batch(o, size, b) for o, b in zip(outs, flags, strict=True)])[0]
