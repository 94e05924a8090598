"""Derivatives of scan and while_loop.

Forward mode makes one loop of primals and tangents, which keeps nothing. Reverse mode splits the body into a known and a linear
part: the loop also stacks what the linear part needs (residuals: into arrays where the number of steps is known, onto tapes
where it is not), a second scan over the residuals is the linear part, and its transpose is a scan that runs backwards. A
residual that does not change from step to step stays outside. Where a residual cannot be stacked, because it is the tape of a
loop inside the body, or where a while_loop keeps only some states, the linear part computes what it needs anew from the body's
inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..ir.builder import Value, bind, bind_all, literal, staging
from ..ir.graph import JVP, OPS, TRANSPOSE, Eqn, Graph, Var, remembered
from ..ir.interpreter import evaluate
from ..ir.types import I64, TapeType
from ..ops.control import COUNT, scan, tape_add, while_loop
from ..ops.define import Operand, Tangents, is_linear, zeros
from .effects import without_effects
from .jvp import jvp_active, recorded
from .linearize import LinearGraphs, linearize_graph, transpose_graph

Flags = tuple[bool, ...]


def build(types: Sequence[Any], function: Callable[..., Sequence[Value]]) -> Graph:
    """The Graph of a function of values of the given types, which closes over nothing."""
    with staging() as builder:
        return builder.finish(function(*map(builder.input, types)))[0]


def picked(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    return [x for x, flag in zip(items, flags, strict=True) if flag]


def spread(items: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The items at the places that are flagged, None elsewhere."""
    rest = iter(items)
    return [next(rest) if flag else None for flag in flags]


def filled(t: Value | None, type: Any) -> Value:
    return zeros(type) if t is None else t


@remembered
def linearized(graph: Graph, active: Flags) -> LinearGraphs:
    return linearize_graph(graph, active)


@remembered
def moved(graph: Graph, active: Flags) -> tuple[Graph, Flags]:
    return jvp_active(graph, active)


@remembered
def transposed(graph: Graph, linear: Flags, given: Flags) -> Graph:
    return transpose_graph(graph, linear, given)


def active_carries(body: Graph, consts: Flags, carry: Flags, xs: Flags, rule: Callable[[Graph, Flags], Any]) -> tuple[Flags, Any]:
    """Which carries have tangents in some step, and what `rule` makes of the body then; its last field says which results do."""
    while True:
        made = rule(body, (*consts, *carry, *xs))
        out = made.active_outputs if isinstance(made, LinearGraphs) else made[1]
        grown = tuple(a or b for a, b in zip(carry, out, strict=False))
        if grown == carry:
            return carry, made
        carry = grown


@dataclass(frozen=True)
class Loop:
    """A scan's or while_loop's operands, and its body's inputs, by what they are."""

    consts: int
    carry: int
    xs: int

    def split(self, items: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        a, b = self.consts, self.consts + self.carry
        return list(items[:a]), list(items[a:b]), list(items[b:])


# -- residuals


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
    if any(isinstance(v.type, TapeType) for v in parts.forward.outputs[len(body.outputs) :]):
        parts = recomputed(parts, body)
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


def recomputed(parts: LinearGraphs, graph: Graph) -> LinearGraphs:
    """The same split with the inputs themselves as residuals: the linear part computes the others from them again."""
    count, tangents = len(graph.outputs), sum(parts.active_inputs)

    def linear(*values: Value) -> Sequence[Value]:
        given, inputs = values[:tangents], values[tangents:]
        return evaluate(parts.linear, [*given, *evaluate(without_effects(parts.forward), inputs)[count:]])

    types = [*picked(graph.input_types, parts.active_inputs), *graph.input_types]
    forward = Graph(graph.inputs, graph.eqns, [*graph.outputs, *graph.inputs])
    return LinearGraphs(forward, build(types, linear), len(graph.inputs), parts.active_inputs, parts.active_outputs)


def linear_body(r: Residuals, loop: Loop, active: Flags, carry_active: Flags, types: Sequence[Any]) -> Graph:
    """The linear part as a scan's body: (tangents of consts, residuals from outside; tangents of carries; tangents of xs, residuals
    of every step) to (tangents of carries, of ys).
    """
    tangent_types = loop.split(spread(picked(types, active), active))
    kinds = [_kind(source, loop) for source in r.sources]
    residual_types = r.linear.input_types[sum(active) :]
    groups = [
        [t for t in tangent_types[0] if t is not None],
        [t for t, k in zip(residual_types, kinds, strict=True) if k == "const"],
        [t for t in tangent_types[1] if t is not None],
        [t for t in tangent_types[2] if t is not None],
        [t for t, k in zip(residual_types, kinds, strict=True) if k == "step"],
    ]
    ends = [sum(map(len, groups[: n + 1])) for n in range(5)]

    def run(*values: Value) -> Sequence[Value]:
        consts, outside, carries, xs, step = (list(values[a:b]) for a, b in zip([0, *ends], ends, strict=False))
        from_outside, from_step = iter(outside), iter(step)
        found = [next(from_outside) if k == "const" else next(from_step) for k in kinds]
        out = iter(evaluate(r.linear, [*consts, *carries, *xs, *found]))
        tangents = [next(out) if a else None for a in r.active_outputs]
        new = [filled(t, v.type) for t, v in zip(picked(tangents[: loop.carry], carry_active), carries, strict=True)]
        return [*new, *[t for t in tangents[loop.carry :] if t is not None]]

    return build([t for g in groups for t in g], run)


def _kind(source: tuple[str, int], loop: Loop) -> str:
    """Whether a residual is one for all steps or one for each."""
    kind, number = source
    return "const" if kind == "outside" or kind == "input" and number < loop.consts else "step"


# -- scan


@JVP.of(scan)
def _scan_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    body, length = params["body"], params["length"]
    head = 0 if length is not None else 1
    loop = Loop(params["consts"], params["carry"], len(body.inputs) - params["consts"] - params["carry"])
    operands, moves = primals[head:], tangents[head:]
    flags = loop.split(tuple(t is not None for t in moves))
    rule = linearized if recorded(tangents) else moved
    carry_active, made = active_carries(body, tuple(flags[0]), tuple(flags[1]), tuple(flags[2]), rule)
    active = (*flags[0], *carry_active, *flags[2])
    moves = [filled(t, p.type) if a else None for t, p, a in zip(moves, operands, active, strict=True)]
    if not any(active):
        outs = bind_all(scan, *primals, **params)
        return outs, [None] * len(outs)
    if not recorded(tangents):
        return _scan_forward(primals[:head], operands, moves, loop, active, made, params)
    consts, _, _ = loop.split(operands)
    in_xs = tuple(n >= loop.consts + loop.carry for n in range(len(active)))
    r = residuals_of(made, body, loop.consts, in_xs)
    found = bind_all(scan, *primals, **{**params, "body": r.forward})
    count = len(body.outputs)
    outs, stacked = found[:count], found[count:]
    outside = evaluate(r.invariant, consts)
    places = {"input": operands, "outside": outside, "stacked": stacked}
    every = [(places[kind][number], _kind((kind, number), loop)) for kind, number in r.sources]
    tc, tk, tx = loop.split(moves)
    linear_operands = [
        *[t for t in tc if t is not None], *[v for v, k in every if k == "const"], *[t for t in tk if t is not None],
        *[t for t in tx if t is not None], *[v for v, k in every if k == "step"],
    ]  # fmt: skip
    consts_count = sum(t is not None for t in tc) + sum(k == "const" for _, k in every)
    linear = {
        **params, "body": linear_body(r, loop, active, carry_active, body.input_types), "consts": consts_count,
        "carry": sum(carry_active),
    }  # fmt: skip
    results = iter(bind_all(scan, *primals[:head], *linear_operands, **linear))
    out_active = [*carry_active, *r.active_outputs[loop.carry :]]
    return outs, [next(results) if a else None for a in out_active]


def _scan_forward(
    head: Sequence[Value], operands: Sequence[Value], moves: Sequence[Value | None], loop: Loop, active: Flags, made: Any,
    params: dict[str, Any],
) -> Any:  # fmt: skip
    """Primals and tangents in one scan."""
    both, carry_active, out_active = _joint_body(made, loop, active, params["body"])
    groups = [[*p, *[t for t in m if t is not None]] for p, m in zip(loop.split(operands), loop.split(moves), strict=True)]
    joint = {**params, "body": both, "consts": len(groups[0]), "carry": len(groups[1])}
    found = bind_all(scan, *head, *groups[0], *groups[1], *groups[2], **joint)
    return _parted(found, loop, len(params["body"].outputs) - loop.carry, carry_active, out_active)


def _joint_body(made: tuple[Graph, Flags], loop: Loop, active: Flags, body: Graph) -> tuple[Graph, Flags, Flags]:
    """The body of primals and tangents: consts, carries and xs, each with its tangents behind."""
    graph, out_active = made
    carry_active = tuple(loop.split(active)[1])
    types = loop.split(body.input_types)
    groups = [[*ts, *picked(ts, flags)] for ts, flags in zip(types, loop.split(active), strict=True)]

    def run(*values: Value) -> Sequence[Value]:
        primals: list[Value] = []
        tangents: list[Value] = []
        at = 0
        for ts, group in zip(types, groups, strict=True):
            primals += values[at : at + len(ts)]
            tangents += values[at + len(ts) : at + len(group)]
            at += len(group)
        found = evaluate(graph, [*primals, *tangents])
        outs, moving = found[: len(body.outputs)], spread(found[len(body.outputs) :], out_active)
        new = [filled(t, o.type) for t, o, a in zip(moving, outs, carry_active, strict=False) if a]
        ys = [t for t in moving[loop.carry :] if t is not None]
        return [*outs[: loop.carry], *new, *outs[loop.carry :], *ys]

    return build([t for g in groups for t in g], run), carry_active, tuple(out_active[loop.carry :])


def _parted(found: Sequence[Value], loop: Loop, ys: int, carry_active: Flags, ys_active: Flags) -> Any:
    """(results, tangents) from the results of a joint loop."""
    n, moving = loop.carry, sum(carry_active)
    outs = [*found[:n], *found[n + moving : n + moving + ys]]
    tangents = [*spread(found[n : n + moving], carry_active), *spread(found[n + moving + ys :], ys_active)]
    return outs, tangents


@TRANSPOSE.of(scan)
def _scan_transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    body, length = params["body"], params["length"]
    head = [] if length is not None else [operands[0]]
    loop = Loop(params["consts"], params["carry"], len(body.inputs) - params["consts"] - params["carry"])
    consts, carries, xs = loop.split(operands[len(head) :])
    linear_consts, linear_xs = tuple(map(is_linear, consts)), tuple(map(is_linear, xs))
    linear = (*linear_consts, *[True] * loop.carry, *linear_xs)
    given = (*[True] * loop.carry, *[ct is not None for ct in cts[loop.carry :]])
    step = transposed(body, linear, given)
    const_types = picked(body.input_types[: loop.consts], linear_consts)
    carry_types = list(body.input_types[loop.consts : loop.consts + loop.carry])
    known_consts, known_xs = [c for c in consts if isinstance(c, Value)], [x for x in xs if isinstance(x, Value)]
    element_types = loop.split(body.input_types)[2]
    y_types = picked(body.output_types[loop.carry :], given[loop.carry :])

    def run(*values: Value) -> Sequence[Value]:
        ends = [len(known_consts), len(const_types), loop.carry, len(y_types), len(known_xs)]
        ends = [sum(ends[: n + 1]) for n in range(5)]
        fixed, sums, ct_carry, ct_ys, rest = (values[a:b] for a, b in zip([0, *ends], ends, strict=False))
        found = evaluate(step, [*fixed, *rest, *ct_carry, *ct_ys])
        shares, others = found[: len(sums)], found[len(sums) :]
        return [*[a + b for a, b in zip(sums, shares, strict=True)], *others]

    types = [*[c.type for c in known_consts], *const_types, *carry_types, *y_types]
    types += [t for t, a in zip(element_types, linear_xs, strict=True) if not a]
    back = {
        **params, "body": build(types, run), "consts": len(known_consts), "carry": len(const_types) + loop.carry,
        "reverse": not params["reverse"],
    }  # fmt: skip
    start = [*map(zeros, const_types), *[filled(ct, t) for ct, t in zip(cts, carry_types, strict=False)]]
    given_ys = [ct for ct in cts[loop.carry :] if ct is not None]
    found = list(bind_all(scan, *head, *known_consts, *start, *given_ys, *known_xs, **back))  # type: ignore[arg-type]
    n = len(const_types)
    ct_consts, ct_carries, ct_xs = found[:n], found[n : n + loop.carry], found[n + loop.carry :]
    shown = [ct if is_linear(c) else None for ct, c in zip(ct_carries, carries, strict=True)]
    return [*[None] * len(head), *spread(ct_consts, linear_consts), *shown, *spread(ct_xs, linear_xs)]


# -- while_loop


@JVP.of(while_loop)
def _while_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    body, consts = params["body"], params["consts"]
    loop = Loop(consts, len(primals) - consts, 0)
    flags = loop.split(tuple(t is not None for t in tangents))
    rule = linearized if recorded(tangents) else moved
    carry_active, made = active_carries(body, tuple(flags[0]), tuple(flags[1]), (), rule)
    active = (*flags[0], *carry_active)
    moves = [filled(t, p.type) if a else None for t, p, a in zip(tangents, primals, active, strict=True)]
    if not any(active):
        outs = bind_all(while_loop, *primals, **params)
        return outs, [None] * len(outs)
    if not recorded(tangents):
        return _while_forward(primals, moves, loop, active, made, params)
    if params["checkpoint"] is not None and not params["saved"]:
        return _while_checkpointed(primals, moves, loop, active, params)
    return _while_taped(primals, moves, loop, active, made, params)


def _while_taped(
    primals: Sequence[Value], moves: Sequence[Value | None], loop: Loop, active: Flags, made: LinearGraphs, params: dict[str, Any]
) -> Any:
    """Every step's residuals go onto tapes; the linear part is a scan over them."""
    body, consts = params["body"], loop.consts
    carry_active = tuple(loop.split(active)[1])
    r = residuals_of(made, body, consts, (False,) * len(active))
    fresh = len(r.forward.outputs) - len(body.outputs)
    found = list(bind_all(while_loop, *primals, **{**params, "body": r.forward, "saved": params["saved"] + fresh}))
    count, tapes = found[loop.carry], found[loop.carry + 1 :]
    outs, stacked = found[: len(found) - fresh], tapes[params["saved"] :]
    outside = evaluate(r.invariant, primals[:consts])
    places = {"input": primals, "outside": outside, "stacked": stacked}
    every = [(places[kind][number], _kind((kind, number), loop)) for kind, number in r.sources]
    tc, tk, _ = loop.split(moves)
    ahead = [*[t for t in tc if t is not None], *[v for v, k in every if k == "const"]]
    carries = [t for t in tk if t is not None]
    results = bind_all(
        scan, count, *ahead, *carries, *[v for v, k in every if k == "step"],
        body=linear_body(r, loop, active, carry_active, body.input_types), consts=len(ahead), carry=len(carries), length=None,
        reverse=False, unroll=1,
    )  # fmt: skip
    moving = spread(results, [*carry_active, *r.active_outputs[loop.carry :]])
    return outs, [*moving[: loop.carry], None, *moving[loop.carry :]]


def _while_forward(
    primals: Sequence[Value], moves: Sequence[Value | None], loop: Loop, active: Flags, made: Any, params: dict[str, Any]
) -> Any:
    """Primals and tangents in one while_loop."""
    both, carry_active, saved_active = _joint_body(made, loop, active, params["body"])
    groups = [[*p, *[t for t in m if t is not None]] for p, m in zip(loop.split(primals), loop.split(moves), strict=True)]
    cond = params["cond"]

    def holds(*values: Value) -> Sequence[Value]:
        return evaluate(cond, [*values[: loop.consts], *values[len(groups[0]) : len(groups[0]) + loop.carry]])

    joint = {
        **params, "body": both, "consts": len(groups[0]), "saved": params["saved"] + sum(saved_active),
        "cond": build([v.type for g in groups for v in g], holds),
    }  # fmt: skip
    found = list(bind_all(while_loop, *groups[0], *groups[1], **joint))
    at, counts = loop.carry + sum(carry_active), 2 if params["states"] else 1
    steps = found[at : at + counts]
    del found[at : at + counts]
    tapes, tapes_active = (loop.carry, carry_active) if params["states"] else (params["saved"], saved_active)
    outs, tangents = _parted(found, loop, tapes, carry_active, tapes_active)
    n = loop.carry
    return [*outs[:n], *steps, *outs[n:]], [*tangents[:n], *[None] * counts, *tangents[n:]]


def _while_checkpointed(
    primals: Sequence[Value], moves: Sequence[Value | None], loop: Loop, active: Flags, params: dict[str, Any]
) -> Any:
    """Some states are kept. The linear part is a scan over them, whose body does the steps from one to the next again, with
    tapes.
    """
    body = params["body"]
    consts, carry_active = primals[: loop.consts], tuple(loop.split(active)[1])
    found = list(bind_all(while_loop, *primals, **{**params, "states": True}))
    outs, (count, stride), states = found[: loop.carry], found[loop.carry : loop.carry + 2], found[loop.carry + 2 :]
    segments = bind(OPS["div"], count + stride - 1, stride)
    step, again = _counted(body, loop)
    inner = Loop(loop.consts + 1, loop.carry + 1, 0)
    inner_active = (False, *active[: loop.consts], False, *carry_active)
    made = linearized(again["body"], inner_active)
    tc, tk, _ = loop.split(moves)
    tangent_consts, tangent_carries = [t for t in tc if t is not None], [t for t in tk if t is not None]
    groups = [tangent_consts, [count, stride, *consts], tangent_carries]
    ends = [sum(map(len, groups[: n + 1])) for n in range(3)]

    def segment(*values: Value) -> Sequence[Value]:
        t_consts, (total, every, *fixed), t_carries = (values[a:b] for a, b in zip([0, *ends], ends, strict=False))
        first, *state = values[ends[-1] :]
        last = bind(OPS["min"], first + every, total)
        tangents = [*spread(t_consts, inner_active[: inner.consts]), *spread(t_carries, inner_active[inner.consts :])]
        _, moving = _while_taped([last, *fixed, first, *state], tangents, inner, inner_active, made, again)
        new = [filled(t, c.type) for t, c in zip(picked(moving[1 : inner.carry], carry_active), t_carries, strict=True)]
        return [*new, *t_carries] if params["states"] else new

    types = [*[v.type for g in groups for v in g], COUNT, *body.input_types[loop.consts :]]
    first_steps = bind_all(
        scan, segments, stride, literal(0, I64), body=step, consts=1, carry=1, length=None, reverse=False, unroll=1
    )[1]
    results = bind_all(
        scan, segments, *groups[0], *groups[1], *groups[2], first_steps, *states,
        body=build(types, segment), consts=ends[1], carry=len(tangent_carries), length=None, reverse=False, unroll=1,
    )  # fmt: skip
    moving = spread(results[: len(groups[2])], carry_active)
    if not params["states"]:
        return [*outs, count], [*moving, None]
    return [*outs, count, stride, *states], [*moving, None, None, *spread(results[len(groups[2]) :], carry_active)]


@remembered
def _counted(body: Graph, loop: Loop) -> tuple[Graph, dict[str, Any]]:
    """A scan's body that gives the numbers 0, n, 2 n, ...; and the while_loop that does the body from step i to below a last one:
    consts are (last, consts), carries (i, carries).
    """
    consts, carries, _ = loop.split(body.input_types)

    def below(*values: Value) -> Sequence[Value]:
        return [bind(OPS["lt"], values[loop.consts + 1], values[0])]

    def once(*values: Value) -> Sequence[Value]:
        i, state = values[loop.consts + 1], values[loop.consts + 2 :]
        return [i + 1, *evaluate(without_effects(body), [*values[1 : loop.consts + 1], *state])]

    types = [COUNT, *consts, COUNT, *carries]
    again = dict(cond=build(types, below), body=build(types, once), consts=loop.consts + 1, saved=0, states=False, checkpoint=None)
    return build([COUNT, COUNT], lambda n, i: [i + n, i]), again


# -- tape_add


@JVP.of(tape_add)
def _tape_add_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    given = [t for t in tangents if t is not None]
    moving = bind(tape_add, *given) if len(given) == 2 else given[0] if given else None
    return [bind(tape_add, *primals)], [moving]


@TRANSPOSE.of(tape_add)
def _tape_add_transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    return [cts[0] if is_linear(x) else None for x in operands]
