"""Which values of a graph differ from row to row, given which of its inputs do. What all rows share is one number in register
code.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import Atom, Eqn, Graph, Literal, Var
from ....ops.control import scan, switch, while_loop

Flags = list[bool]


def varying(graph: Graph, flags: Sequence[bool]) -> Flags:
    """Whether each output varies."""
    env: dict[Var, bool] = dict(zip(graph.inputs, flags, strict=True))

    def read(a: Atom) -> bool:
        return False if isinstance(a, Literal) else env[a]

    for e in graph.eqns:
        env.update(zip(e.outputs, _outputs(e, [read(a) for a in e.inputs]), strict=True))
    return [read(a) for a in graph.outputs]


def varying_carries(body: Graph, consts: Sequence[bool], carries: Sequence[bool], xs: Sequence[bool]) -> tuple[Flags, Flags]:
    """Which carries vary in some step, and which of the body's other results do."""
    found = list(carries)
    while True:
        out = varying(body, [*consts, *found, *xs])
        grown = [a or b for a, b in zip(found, out, strict=False)]
        if grown == found:
            return found, out[len(found) :]
        found = grown


def _outputs(e: Eqn, flags: Flags) -> Flags:
    n = len(e.outputs)
    if e.op is scan:
        consts, carry = e.params["consts"], e.params["carry"]
        head = 0 if e.params["length"] is not None else 1
        if any(flags[:head]):
            return [True] * n
        rest = flags[head:]
        carries, ys = varying_carries(e.params["body"], rest[:consts], rest[consts : consts + carry], rest[consts + carry :])
        return [*carries, *ys]
    if e.op is while_loop:
        consts = e.params["consts"]
        carries, saved = varying_carries(e.params["body"], flags[:consts], flags[consts:], [])
        if varying(e.params["cond"], [*flags[:consts], *carries])[0]:
            return [True] * n
        steps = [False, False] if e.params["states"] else [False]
        return [*carries, *steps, *(carries if e.params["states"] else saved)]
    if e.op is switch:
        if flags[0]:
            return [True] * n
        return [any(column) for column in zip(*[varying(b, flags[1:]) for b in e.params["branches"]], strict=True)]
    return [any(flags)] * n
