"""What the derivatives of scan and while_loop share: a loop's operands by what they are, its body of primals and tangents, and its
body split in two for reverse mode.

The known part also gives what the linear part needs (residuals), which the loop stacks: into arrays where the number of steps is
known, onto tapes where it is not. A second scan over the residuals is the linear part. A residual that does not change from step to
step stays outside. Next on the path: scan_derivatives.py, while_derivatives.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ir.builder import Value
from ..ir.graph import Eqn, Graph, Var, remembered
from ..ir.interpreter import evaluate
from ..ops.define import Tangents
from .jvp import recorded
from .linearize import LinearGraphs
from .nested_programs import Flags, are_there, build, filled, keepable, moved, parted, picked, present, spread


@dataclass(frozen=True)
class Loop:
    """A scan's or while_loop's operands, and its body's inputs, by what they are."""

    consts: int
    carry: int
    xs: int = 0

    @staticmethod
    def of_scan(params: Mapping[str, Any]) -> Loop:
        consts, carry = params["consts"], params["carry"]
        return Loop(consts, carry, len(params["body"].inputs) - consts - carry)

    def split(self, items: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        consts, carries, xs = parted(items, self.consts, self.carry)
        return consts, carries, xs


@dataclass(frozen=True)
class Motion:
    """A loop that moves: which of its body's inputs have tangents in some step, the tangents of its operands, and what the body is
    made into: its split for reverse mode, or a Graph of primals and tangents and which results have one.
    """

    active: Flags
    carries: Flags
    tangents: list[Value | None]
    made: Any


def motion(loop: Loop, body: Graph, operands: Sequence[Value], tangents: Tangents) -> Motion:
    rule = keepable if recorded(tangents) else moved
    consts, carry, xs = map(tuple, loop.split(are_there(tangents)))
    while True:
        active = (*consts, *carry, *xs)
        made = rule(body, active)
        results = made.active_outputs if isinstance(made, LinearGraphs) else made[1]
        grown = tuple(a or b for a, b in zip(carry, results, strict=False))
        if grown == carry:
            moves = [filled(t, p.type) if a else None for t, p, a in zip(tangents, operands, active, strict=True)]
            return Motion(active, carry, moves, made)
        carry = grown


# -- forward mode


def joint_operands(loop: Loop, operands: Sequence[Value], tangents: Tangents) -> list[list[Value]]:
    """Consts, carries and xs, each with its tangents behind."""
    return [[*p, *present(t)] for p, t in zip(loop.split(operands), loop.split(tangents), strict=True)]


def joint_body(m: Motion, loop: Loop, body: Graph) -> tuple[Graph, Flags]:
    """The body of primals and tangents, each kind of results with its tangents behind; and which ys have one."""
    graph, out_active = m.made
    types = loop.split(body.input_types)
    groups = [picked(ts, flags) for ts, flags in zip(types, loop.split(m.active), strict=True)]

    def run(*values: Value) -> Sequence[Value]:
        primals: list[Value] = []
        tangents: list[Value] = []
        rest = list(values)
        for ts, moving in zip(types, groups, strict=True):
            p, t, rest = parted(rest, len(ts), len(moving))
            primals += p
            tangents += t
        outs, found = parted(evaluate(graph, [*primals, *tangents]), len(body.outputs))
        tangents_of = spread(found, out_active)
        new = [filled(t, o.type) for t, o, a in zip(tangents_of, outs, m.carries, strict=False) if a]
        return [*outs[: loop.carry], *new, *outs[loop.carry :], *present(tangents_of[loop.carry :])]

    return build([t for ts, moving in zip(types, groups, strict=True) for t in [*ts, *moving]], run), out_active[loop.carry :]


def joint_results(found: Sequence[Value], loop: Loop, ys: int, carries: Flags, ys_active: Flags) -> Any:
    """(results, tangents) from the results of a joint loop."""
    outs, moving, kept, kept_moving = parted(found, loop.carry, sum(carries), ys)
    return [*outs, *kept], [*spread(moving, carries), *spread(kept_moving, ys_active)]


# -- reverse mode


@dataclass(frozen=True)
class Residuals:
    """The split body of a loop. `forward` maps the body's inputs to its results and what is to be stacked; `linear` maps
    (tangents of active inputs, residuals) to tangents of active results. Each residual is an input of the body by its number,
    or one of `outside` (invariant ones, which `invariant` computes from the consts), or one of the stacked ones, in that order
    of `sources`.
    """

    forward: Graph
    linear: Graph
    invariant: Graph
    sources: tuple[tuple[str, int], ...]
    active_outputs: Flags


@remembered
def residuals_of(parts: LinearGraphs, body: Graph, consts: int, stacked_inputs: Flags) -> Residuals:
    """Where each residual comes from. `stacked_inputs` says which inputs of the body are already there for every step."""
    graph = parts.forward
    fixed = set(graph.inputs[:consts])
    numbers = {v: n for n, v in enumerate(graph.inputs)}
    invariant_eqns: list[Eqn] = []
    for e in graph.eqns:
        if not e.has_effect and all(a in fixed for a in e.inputs if isinstance(a, Var)):
            invariant_eqns.append(e)
            fixed.update(e.outputs)
    outside: list[Any] = []
    stacked: list[Any] = []
    sources = []
    for a in graph.outputs[len(body.outputs) :]:
        number = numbers.get(a)  # type: ignore[arg-type]
        if number is not None and (number < consts or stacked_inputs[number]):
            sources.append(("input", number))
            continue
        kind, places = ("outside", outside) if a in fixed else ("stacked", stacked)
        if a not in places:
            places.append(a)
        sources.append((kind, places.index(a)))
    forward = Graph(graph.inputs, graph.eqns, [*graph.outputs[: len(body.outputs)], *stacked])
    invariant = Graph(graph.inputs[:consts], invariant_eqns, outside)
    return Residuals(forward, parts.linear, invariant, tuple(sources), parts.active_outputs)


def linear_scan(
    r: Residuals, loop: Loop, m: Motion, body: Graph, operands: Sequence[Value], stacked: Sequence[Value]
) -> tuple[list[Value], dict[str, Any]]:
    """The operands and params of the scan that is the linear part."""
    places = {"input": operands, "outside": evaluate(r.invariant, operands[: loop.consts]), "stacked": stacked}
    residuals = [places[kind][number] for kind, number in r.sources]
    fixed = [_is_fixed(source, loop) for source in r.sources]
    consts, carries, xs = map(present, loop.split(m.tangents))
    consts += picked(residuals, fixed)
    xs += picked(residuals, [not f for f in fixed])
    params = {"body": _linear_body(r, loop, m, body.input_types, fixed), "consts": len(consts), "carry": len(carries)}
    return [*consts, *carries, *xs], params


def _is_fixed(source: tuple[str, int], loop: Loop) -> bool:
    """Whether a residual is one for all steps, rather than one for each."""
    kind, number = source
    return kind == "outside" or kind == "input" and number < loop.consts


def _linear_body(r: Residuals, loop: Loop, m: Motion, types: Sequence[Any], fixed: Sequence[bool]) -> Graph:
    """The linear part as a scan's body: (tangents of consts, residuals from outside; tangents of carries; tangents of xs, residuals
    of every step) to (tangents of carries, of ys).
    """
    consts, carries, xs = (picked(ts, flags) for ts, flags in zip(loop.split(types), loop.split(m.active), strict=True))
    residual_types = r.linear.input_types[sum(m.active) :]
    groups = [consts, picked(residual_types, fixed), carries, xs, picked(residual_types, [not f for f in fixed])]

    def run(*values: Value) -> Sequence[Value]:
        t_consts, outside, t_carries, t_xs, step, _ = parted(values, *map(len, groups))
        from_outside, from_step = iter(outside), iter(step)
        found = [next(from_outside) if f else next(from_step) for f in fixed]
        tangents = spread(evaluate(r.linear, [*t_consts, *t_carries, *t_xs, *found]), r.active_outputs)
        new = [filled(t, v.type) for t, v in zip(picked(tangents[: loop.carry], m.carries), t_carries, strict=True)]
        return [*new, *present(tangents[loop.carry :])]

    return build([t for g in groups for t in g], run)
