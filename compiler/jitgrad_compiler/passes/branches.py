"""Derivatives of switch: those of its branches, which agree on what has a tangent and what is kept.

In reverse mode a switch also gives what the linear parts of its branches need: the residuals of the branch that was taken,
zeros for those of the others. Branches with loops inside, whose tapes have no zeros, compute theirs again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind_all
from ..ir.graph import JVP, TRANSPOSE, Graph, remembered
from ..ir.interpreter import evaluate
from ..ops.control import switch
from ..ops.define import Operand, Tangents, zeros
from .jvp import recorded
from .nested_programs import (
    Flags,
    are_there,
    build,
    filled,
    keepable,
    moved,
    picked,
    present,
    spread,
    transposed,
    turned,
    wholly_batched,
)


@JVP.of(switch)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    branches, (index, *operands) = params["branches"], primals
    active, given = are_there(tangents[1:]), present(tangents[1:])
    count = len(branches[0].outputs)
    if not recorded(tangents):
        graphs, out_active = _joint(branches, active)
        found = bind_all(switch, index, *operands, *given, branches=graphs)
        return found[:count], spread(found[count:], out_active)
    forward, linear, out_active = _split(branches, active)
    found = bind_all(switch, index, *operands, branches=forward)
    if not any(out_active):
        return found[:count], [None] * count
    results = bind_all(switch, index, *given, *found[count:], branches=linear)
    return found[:count], spread(results, out_active)


def _shared_activity(flags: Sequence[Flags]) -> Flags:
    return tuple(any(column) for column in zip(*flags, strict=True))


@remembered
def _joint(branches: tuple[Graph, ...], active: Flags) -> tuple[tuple[Graph, ...], Flags]:
    made = [moved(b, active) for b in branches]
    out_active = _shared_activity([flags for _, flags in made])
    count = len(branches[0].outputs)

    def fill(graph: Graph, flags: Flags) -> Graph:
        def run(*values: Value) -> Sequence[Value]:
            found = evaluate(graph, values)
            moving = spread(found[count:], flags)
            return [*found[:count], *[filled(t, o.type) for t, o, a in zip(moving, found, out_active, strict=False) if a]]

        return build(graph.input_types, run)

    return tuple(fill(g, flags) for g, flags in made), out_active


@remembered
def _split(branches: tuple[Graph, ...], active: Flags) -> tuple[tuple[Graph, ...], tuple[Graph, ...], Flags]:
    """(branches that also give everybody's residuals, branches from tangents and those to tangents, which results have
    tangents).
    """
    parts = [keepable(b, active) for b in branches]
    count, tangents = len(branches[0].outputs), sum(active)
    out_active = _shared_activity([p.active_outputs for p in parts])
    places, types = _places([p.forward.output_types[count:] for p in parts])

    def forward(n: int) -> Graph:
        def run(*values: Value) -> Sequence[Value]:
            found = evaluate(parts[n].forward, values)
            mine = dict(zip(places[n], found[count:], strict=True))
            return [*found[:count], *[mine[k] if k in mine else zeros(t) for k, t in enumerate(types)]]

        return build(branches[n].input_types, run)

    def linear(n: int) -> Graph:
        def run(*values: Value) -> Sequence[Value]:
            kept = values[tangents:]
            moving = spread(evaluate(parts[n].linear, [*values[:tangents], *[kept[k] for k in places[n]]]), parts[n].active_outputs)
            return [filled(t, o) for t, o, a in zip(moving, branches[n].output_types, out_active, strict=True) if a]

        return build([*picked(branches[n].input_types, active), *types], run)

    numbers = range(len(branches))
    return tuple(map(forward, numbers)), tuple(map(linear, numbers)), out_active


def _places(kept: Sequence[Sequence[Any]]) -> tuple[list[list[int]], list[Any]]:
    """Places for every branch's residuals; branches share those of one type."""
    types: list[Any] = []
    places = []
    for residuals in kept:
        free = list(range(len(types)))
        mine = []
        for t in residuals:
            found = next((k for k in free if types[k] == t), None)
            if found is None:
                found = len(types)
                types.append(t)
            else:
                free.remove(found)
            mine.append(found)
        places.append(mine)
    return places, types


@TRANSPOSE.of(switch)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    linear, given, values = turned(cts, operands[1:])
    branches = tuple(transposed(b, linear, given) for b in params["branches"])
    return [None, *spread(bind_all(switch, operands[0], *values, branches=branches), linear)]  # type: ignore[arg-type]


def batch_branches(size: int, args: Sequence[Value], flags: Sequence[bool], params: dict[str, Any]) -> Sequence[Value]:
    """A switch of batched branches, for an index that all examples share."""
    return bind_all(switch, *args, branches=tuple(wholly_batched(b, size, flags[1:]) for b in params["branches"]))
