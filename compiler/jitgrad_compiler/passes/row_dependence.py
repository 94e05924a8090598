"""Which values of a graph differ from row to row, or from example to example of a batch, given which of its inputs do.

vmap asks it of what a named axis gives, and register code of a chunk of rows: what all rows share is one number there.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph import BATCHED_OUTPUTS, Atom, Eqn, Graph, Var
from ..ops.control import scan, switch, while_loop

Flags = list[bool]


def varying(graph: Graph, flags: Sequence[bool]) -> Flags:
    """Whether each output can differ; loops done row by row let all of theirs differ."""
    known: dict[Var, bool] = dict(zip(graph.inputs, flags, strict=True))

    def read(a: Atom) -> bool:
        return isinstance(a, Var) and known[a]

    for e in graph.eqns:
        known.update(zip(e.outputs, _outputs(e, [read(a) for a in e.inputs]), strict=True))
    return list(map(read, graph.outputs))


def varying_carries(
    body: Graph, consts: Sequence[bool], carries: Sequence[bool], xs: Sequence[bool] = ()
) -> tuple[Flags, Flags]:  # fmt: skip
    """Which carries of a loop vary in some step, and which of its body's other results do."""
    found = list(carries)
    while True:
        out = varying(body, [*consts, *found, *xs])
        grown = [a or b for a, b in zip(found, out, strict=False)]
        if grown == found:
            return found, out[len(found) :]
        found = grown


def _outputs(e: Eqn, flags: Flags) -> Sequence[bool]:
    params, every = e.params, [any(flags)] * len(e.outputs)
    if not any(flags):
        return every
    if e.op.kind == "collective":
        return BATCHED_OUTPUTS[e.op](0, params, flags)
    if e.op.kind == "call":
        return varying(params["graph"], flags)
    if e.op is switch and not flags[0]:
        return [any(column) for column in zip(*[varying(b, flags[1:]) for b in params["branches"]], strict=True)]
    if e.op is scan and (params["length"] is not None or not flags[0]):
        inner = flags if params["length"] is not None else flags[1:]
        first, last = params["consts"], params["consts"] + params["carry"]
        carries, ys = varying_carries(params["body"], inner[:first], inner[first:last], inner[last:])
        return [*carries, *ys]
    if e.op is while_loop:
        consts = params["consts"]
        carries, saved = varying_carries(params["body"], flags[:consts], flags[consts:])
        if not varying(params["cond"], [*flags[:consts], *carries])[0]:
            return [*carries, False, False, *carries] if params["states"] else [*carries, False, *saved]
    return every
