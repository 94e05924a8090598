"""Vectorising: a Graph done to every element of a batch at once, by each op's batching rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.builder import Builder, Value, bind_all, source_of, staging
from ..ir.graph import BATCH, BATCHED_OUTPUTS, BY_ROWS, OPS, Atom, Eqn, Graph, Literal, Op, Var
from ..ir.interpreter import literal_value
from ..ir.types import ArrayType, TapeType
from ..ops.calls import call
from ..ops.define import broadcast_batch
from .inline import inline


def batch(
    graph: Graph, size: int, values: Sequence[Value], batched: Sequence[bool], whole: bool = False
) -> tuple[list[Value], list[bool]]:
    """The graph's outputs for inputs of which some have the batch axis in front, and which outputs have it.

    A tape has it in front of each element. `whole`: loops are done row by row only where rows have different numbers of steps.
    """
    if any(e.op is call and _has_tapes(e) for e in graph.eqns):
        graph = inline(graph, call)  # its tapes are batched together with those who read them
    env: dict[Var, tuple[Value, bool]] = {}
    for var, value, b in zip(graph.inputs, values, batched, strict=True):
        env[var] = (value, b)

    def read(a: Atom) -> tuple[Value, bool]:
        return (literal_value(a), False) if isinstance(a, Literal) else env[a]

    for e in joined_by_tapes(graph, size, batched, whole):
        args, flags = zip(*map(read, e.inputs), strict=True) if e.inputs else ((), ())
        with source_of(e.source):
            if not any(flags):
                outs = bind_all(e.op, *args, **e.params)
            elif _by_rows(e, size, flags, whole):
                outs = by_rows(e.op, size, args, flags, e.params)
            else:
                outs = BATCH[e.op](size, args, flags, dict(e.params))
        for v, out, b in zip(e.outputs, outs, _batched_outputs(e, size, flags, whole), strict=True):
            env[v] = (out, b)
    pairs = [read(a) for a in graph.outputs]
    return [v for v, _ in pairs], [b for _, b in pairs]


def by_rows(op: Op, size: int, args: Sequence[Value], batched: Sequence[bool], params: Mapping[str, Any]) -> Sequence[Value]:
    """The op as the only equation of a rowwise."""
    types = [ArrayType(a.type.shape[1:], a.type.dtype) if b else a.type for a, b in zip(args, batched, strict=True)]
    inputs = [Var(t) for t in types]
    outputs = [Var(t) for t in op.types(types, params)]
    graph = Graph(inputs, [Eqn(op, inputs, params, outputs)], outputs)
    return bind_all(OPS["rowwise"], *args, graph=graph, mapped=tuple(batched), size=size)


def _by_rows(e: Eqn, size: int, flags: Sequence[bool], whole: bool) -> bool:
    """Whether a loop is done for each row by itself, as the op's own rule says."""
    rule = BY_ROWS.get(e.op)
    if rule is None or not any(flags) or any(g.has_collective for g in e.graphs):
        return False
    return rule(size, e.params, tuple(flags), whole)


def _batched_outputs(e: Eqn, size: int, flags: Sequence[bool], whole: bool) -> Sequence[bool]:
    """Which results of an equation have the batch axis: all of one that is batched, unless the op's own rule says which."""
    rule = BATCHED_OUTPUTS.get(e.op)
    if rule is None or not any(flags) or _by_rows(e, size, flags, whole):
        return [any(flags)] * len(e.outputs)
    return rule(size, e.params, tuple(flags))


def batched_type(type: Any, size: int) -> Any:
    """The type with the batch axis in front, of a tape in front of its elements."""
    if isinstance(type, TapeType):
        return TapeType(batched_type(type.element, size))
    return ArrayType((size, *type.shape), type.dtype)


def batched_inputs(builder: Builder, graph: Graph, size: int, batched: Sequence[bool]) -> list[Value]:
    """Inputs of a Graph that is being made, for those of another: those that are batched have the batch axis."""
    return [builder.input(batched_type(t, size) if b else t) for t, b in zip(graph.input_types, batched, strict=True)]


def _has_tapes(e: Eqn) -> bool:
    return any(isinstance(a.type, TapeType) for a in (*e.inputs, *e.outputs))


def joined_by_tapes(graph: Graph, size: int, batched: Sequence[bool], whole: bool) -> list[Eqn]:
    """The equations, where all from the maker of tapes of one row to the last reader are one, a `tape_region`, which is batched row
    by row: rows have loops of different lengths, and so tapes of their own.
    """
    eqns = list(graph.eqns)
    if not any(isinstance(v.type, TapeType) for e in eqns for v in e.outputs):
        return eqns
    known: dict[Var, bool] = dict(zip(graph.inputs, batched, strict=True))
    makers: dict[Var, int] = {}
    readers: dict[Var, int] = {}
    seeds = []
    for n, e in enumerate(eqns):
        flags = [isinstance(a, Var) and known[a] for a in e.inputs]
        known.update(zip(e.outputs, _batched_outputs(e, size, flags, whole), strict=True))
        for a in e.inputs:
            if isinstance(a, Var) and a in makers:
                readers[a] = n
        makers.update((v, n) for v in e.outputs if isinstance(v.type, TapeType))
        if any(isinstance(v.type, TapeType) for v in e.outputs) and _by_rows(e, size, flags, whole):
            seeds.append((n, n))
    joined: list[Eqn] = []
    n = 0
    for first, last in _grown(seeds, eqns, makers, readers, known):
        joined += eqns[n:first]
        later = {*[a for e in eqns[last + 1 :] for a in e.inputs], *graph.outputs}
        joined.append(_as_one(eqns[first : last + 1], later))
        n = last + 1
    return joined + eqns[n:]


def _grown(
    regions: Sequence[tuple[int, int]], eqns: Sequence[Eqn], makers: Mapping[Var, int], readers: Mapping[Var, int],
    batched: Mapping[Var, bool],
) -> list[tuple[int, int]]:  # fmt: skip
    """Ranges of equations, grown until no tape goes out of one, and no batched one into it; those that meet are one."""
    while True:
        grown = []
        for first, last in regions:
            inside = eqns[first : last + 1]
            ends = [readers.get(v, last) for e in inside for v in e.outputs]
            starts = [makers[a] for e in inside for a in e.inputs if isinstance(a, Var) and a in makers and batched[a]]
            grown.append((min([first, *starts]), max([last, *ends])))
        merged: list[tuple[int, int]] = []
        for first, last in sorted(grown):
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        if merged == regions:
            return merged
        regions = merged


def _as_one(eqns: Sequence[Eqn], later: set[Atom]) -> Eqn:
    defined = [v for e in eqns for v in e.outputs]
    made = set(defined)
    read = list(dict.fromkeys(a for e in eqns for a in e.inputs if isinstance(a, Var) and a not in made))
    outputs = [v for v in defined if v in later]
    return Eqn(OPS["tape_region"], read, {"graph": Graph(read, eqns, outputs)}, outputs)


def vmap_graph(graph: Graph, size: int, batched: Sequence[bool], whole: bool = False) -> Graph:
    """The pass: a Graph whose batched inputs, and all outputs, have a new axis of the given size in front. `whole` is `batch`'s."""
    with staging() as builder:
        outs, flags = batch(graph, size, batched_inputs(builder, graph, size, batched), batched, whole)
        return builder.finish([broadcast_batch(o, size, b) for o, b in zip(outs, flags, strict=True)])[0]
