"""Vectorising: a Graph done to every element of a batch at once, by each op's batching rule."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.builder import Value, bind_all, source_of, staging
from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Var
from ..ir.interpreter import evaluate, literal_value
from ..ir.types import ArrayType, TapeType
from ..ops.define import broadcast_batch


def batch(graph: Graph, size: int, values: Sequence[Value], batched: Sequence[bool]) -> tuple[list[Value], list[bool]]:
    """The graph's outputs for inputs of which some have the batch axis in front, and which outputs have it."""
    env: dict[Var, tuple[Value, bool]] = {}
    for var, value, b in zip(graph.inputs, values, batched, strict=True):
        env[var] = (value, b)

    def read(a: Atom) -> tuple[Value, bool]:
        return (literal_value(a), False) if isinstance(a, Literal) else env[a]

    for e in joined_by_tapes(graph.eqns, graph.outputs):
        args, flags = zip(*map(read, e.inputs), strict=True) if e.inputs else ((), ())
        with source_of(e.source):
            if not any(flags):
                again = e.op is OPS["together"]  # made for a batch that does not get here
                outs, out_batched = evaluate(e.params["graph"], args) if again else bind_all(e.op, *args, **e.params), False
            else:
                if e.op.batch is None:
                    raise TypeError(f"vmap: {e.op.name} has no batching rule")
                outs, out_batched = e.op.batch(size, args, flags, dict(e.params)), True
        for v, out in zip(e.outputs, outs, strict=True):
            env[v] = (out, out_batched)
    pairs = [read(a) for a in graph.outputs]
    return [v for v, _ in pairs], [b for _, b in pairs]


def joined_by_tapes(eqns: Sequence[Eqn], outputs: Sequence[Atom]) -> list[Eqn]:
    """The equations, where all from the maker of a tape to its last reader are one, `together`, which is batched row by row.

    A tape is of one row: rows have loops of different lengths.
    """
    made: dict[Var, int] = {}
    ends: dict[int, int] = {}
    for n, e in enumerate(eqns):
        for a in e.inputs:
            if isinstance(a, Var) and a in made:
                ends[made[a]] = n
        made.update((v, n) for v in e.outputs if isinstance(v.type, TapeType))
    if not made:
        return list(eqns)
    joined: list[Eqn] = []
    n = 0
    while n < len(eqns):
        stop = n
        while (further := max(ends.get(k, k) for k in range(n, stop + 1))) > stop:
            stop = further
        later = {*[a for e in eqns[stop + 1 :] for a in e.inputs], *outputs}
        alone = stop == n and not any(isinstance(v.type, TapeType) for v in eqns[n].outputs)
        joined.append(eqns[n] if alone else _as_one(eqns[n : stop + 1], later))
        n = stop + 1
    return joined


def _as_one(eqns: Sequence[Eqn], later: set[Atom]) -> Eqn:
    defined = [v for e in eqns for v in e.outputs]
    made = set(defined)
    read = list(dict.fromkeys(a for e in eqns for a in e.inputs if isinstance(a, Var) and a not in made))
    outputs = [v for v in defined if v in later]
    return Eqn(OPS["together"], read, {"graph": Graph(read, eqns, outputs)}, outputs)


def vmap_graph(graph: Graph, size: int, batched: Sequence[bool]) -> Graph:
    """The pass: a Graph whose batched inputs, and all outputs, have a new axis of the given size in front."""
    with staging() as builder:
        inputs = [
            builder.input(ArrayType((size, *t.shape), t.dtype) if b else t) for t, b in zip(graph.input_types, batched, strict=True)
        ]
        outs, flags = batch(graph, size, inputs, batched)
        return builder.finish([broadcast_batch(o, size, b) for o, b in zip(outs, flags, strict=True)])[0]
