"""Forward-mode derivatives: run a program on dual numbers, each a value with its tangent.

A tangent may be any Value. A concrete or traced one makes this forward mode; a variable of a Builder that records the linear part
makes it the first half of reverse mode (linearize.py): the same rules write both. Next on the path: `linearize.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..ir.builder import Builder, Value, make_value, new_level, staging, with_weak
from ..ir.graph import JVP, Graph, Op
from ..ir.interpreter import evaluate
from ..ops.custom import Rule
from ..ops.define import no_derivative, zeros
from .custom_rules import closes_over, has_rules, with_rules


class DualTrace:
    """The trace of dual numbers: `ref` of its Values is (primal, tangent)."""

    differentiates = 1

    def __init__(self, level: int, where: str = "") -> None:
        self.level, self.where, self.alive, self.refusal = level, where, True, ""

    def lift(self, primal: Value, tangent: Value | None) -> Value:
        if tangent is None:
            return primal
        return make_value(primal.type, self, (primal, tangent), primal.weak)

    def lower(self, v: Value) -> tuple[Value, Value | None]:
        return v.ref if v.owner is self else (v, None)

    def process(self, op: Op, args: Sequence[Value], params: dict[str, Any]) -> Sequence[Value]:
        primals, tangents = zip(*map(self.lower, args), strict=True)
        rule = JVP.get(op)
        if rule is None:
            raise no_derivative(op)
        if op.hoists is not None and has_rules(params) and not refused(op, params, tangents):
            place, captured, params = with_rules(op, params, [t is not None for t in tangents])
            primals, tangents = zip(*map(self.lower, [*args[:place], *captured, *args[place:]]), strict=True)
        outs, out_tangents = rule(primals, tangents, params)
        return [self.lift(out, t) for out, t in zip(outs, out_tangents, strict=True)]


def recorded(tangents: Sequence[Value | None]) -> bool:
    """Whether what is done to these tangents goes into a linear part that will be transposed.

    Loops and calls ask: forward mode does primals and tangents together and keeps nothing.
    """
    return any(t is not None and isinstance(t.owner, Builder) and t.owner.linear for t in tangents)


def refused(op: Op, params: Mapping[str, Any], tangents: Sequence[Value | None]) -> bool:
    """Whether the rule of a custom function will not be asked, but an error raised."""
    if not isinstance(params.get("rule"), Rule):
        return False
    return closes_over(params["graph"], tangents[: params["consts"]]) or op.traits.reverse_only and not recorded(tangents)


@contextmanager
def withheld(trace: DualTrace, refusal: str) -> Iterator[None]:
    """Inside, values that are being differentiated by this trace cannot be used: a rule is run, which gets primals and tangents."""
    trace.alive, trace.refusal = False, refusal
    try:
        yield
    finally:
        trace.alive, trace.refusal = True, ""


def jvp(
    function: Callable[[Sequence[Value]], Sequence[Value]], primals: Sequence[Value], tangents: Sequence[Value | None]
) -> tuple[list[Value], list[Value | None]]:
    """The function's outputs and their tangents; None is a zero tangent."""
    with new_level(DualTrace, f" ({function.__name__}, while it was being differentiated)") as trace:
        outs = function([trace.lift(p, t) for p, t in zip(primals, tangents, strict=True)])
        lowered = [trace.lower(out) for out in outs]
    return [with_weak(p, out.weak) for out, (p, _) in zip(outs, lowered, strict=True)], [t for _, t in lowered]


def jvp_active(graph: Graph, active: Sequence[bool]) -> tuple[Graph, tuple[bool, ...]]:
    """A Graph of the inputs and the tangents of the active ones, with the outputs and the tangents that are not zero; and which
    outputs have one.
    """
    with staging() as builder:
        primals = [builder.input(t) for t in graph.input_types]
        tangents = [builder.input(t) if a else None for t, a in zip(graph.input_types, active, strict=True)]
        outs, moved = jvp(lambda values: evaluate(graph, values), primals, tangents)
        graph, _ = builder.finish([*outs, *[t for t in moved if t is not None]])
    return graph, tuple(t is not None for t in moved)


def jvp_graph(graph: Graph, active: Sequence[bool]) -> Graph:
    """The pass: a Graph of the inputs and the tangents of the active ones, with the outputs and the tangents of all of them."""
    both, moving = jvp_active(graph, active)
    with staging() as builder:
        found = evaluate(both, [builder.input(t) for t in both.input_types])
        outs, tangents = found[: len(moving)], iter(found[len(moving) :])
        return builder.finish([*outs, *[next(tangents) if m else zeros(o.type) for o, m in zip(outs, moving, strict=True)]])[0]
