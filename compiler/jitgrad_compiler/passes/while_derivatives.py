"""Derivatives of while_loop. Forward mode makes one loop of primals and tangents, which keeps nothing. In reverse mode every
step's residuals go onto tapes, over which the linear part is a scan. A loop that keeps only some states (`checkpoint`) does the
steps between them again when the linear part runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind, bind_all, literal
from ..ir.graph import JVP, OPS, TRANSPOSE, Graph, remembered
from ..ir.interpreter import evaluate
from ..ir.types import I64
from ..ops.control import COUNT, scan, tape_add, while_loop
from ..ops.define import Operand, Tangents, is_linear
from .effects import without_effects
from .jvp import recorded
from .loop_parts import Loop, Motion, joint_body, joint_operands, joint_results, linear_scan, motion, residuals_of
from .nested_programs import build, filled, keepable, parted, picked, present, spread

UPWARDS: dict[str, Any] = {"length": None, "reverse": False, "unroll": 1}
"""A scan over as many steps as its first operand says, from the first one on."""


@JVP.of(while_loop)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    loop = Loop(params["consts"], len(primals) - params["consts"])
    m = motion(loop, params["body"], primals, tangents)
    if not any(m.active):
        outs = bind_all(while_loop, *primals, **params)
        return outs, [None] * len(outs)
    if not recorded(tangents):
        return _forward(primals, loop, m, params)
    if params["checkpoint"] is not None and not params["saved"]:
        return _checkpointed(primals, loop, m, params)
    return _taped(primals, loop, m, params)


def _taped(primals: Sequence[Value], loop: Loop, m: Motion, params: dict[str, Any]) -> Any:
    """Every step's residuals go onto tapes; the linear part is a scan over them."""
    body, saved = params["body"], params["saved"]
    r = residuals_of(m.made, body, loop.consts, (False,) * len(primals))
    fresh = len(r.forward.outputs) - len(body.outputs)
    found = bind_all(while_loop, *primals, **{**params, "body": r.forward, "saved": saved + fresh})
    outs, stacked = parted(found, len(found) - fresh)
    operands, linear = linear_scan(r, loop, m, body, primals, stacked)
    results = bind_all(scan, outs[loop.carry], *operands, **{**UPWARDS, **linear})
    moving, kept = parted(spread(results, [*m.carries, *r.active_outputs[loop.carry :]]), loop.carry)
    return outs, [*moving, None, *kept]


def _forward(primals: Sequence[Value], loop: Loop, m: Motion, params: dict[str, Any]) -> Any:
    """Primals and tangents in one while_loop."""
    both, saved_active = joint_body(m, loop, params["body"])
    consts, carries, _ = joint_operands(loop, primals, m.tangents)
    cond = params["cond"]

    def holds(*values: Value) -> Sequence[Value]:
        return evaluate(cond, [*values[: loop.consts], *values[len(consts) : len(consts) + loop.carry]])

    joint = {
        **params, "body": both, "consts": len(consts), "saved": params["saved"] + sum(saved_active),
        "cond": build([v.type for v in [*consts, *carries]], holds),
    }  # fmt: skip
    found = bind_all(while_loop, *consts, *carries, **joint)
    state, steps, tapes = parted(found, len(carries), 2 if params["states"] else 1)
    kept, kept_active = (loop.carry, m.carries) if params["states"] else (params["saved"], saved_active)
    results, tangents = joint_results([*state, *tapes], loop, kept, m.carries, kept_active)
    outs, outs_kept = parted(results, loop.carry)
    moving, moving_kept = parted(tangents, loop.carry)
    return [*outs, *steps, *outs_kept], [*moving, *[None] * len(steps), *moving_kept]


def _checkpointed(primals: Sequence[Value], loop: Loop, m: Motion, params: dict[str, Any]) -> Any:
    """Some states are kept. The linear part is a scan over them, whose body does the steps from one to the next again, with
    tapes.
    """
    body, consts = params["body"], primals[: loop.consts]
    outs, (count, stride), states = parted(bind_all(while_loop, *primals, **{**params, "states": True}), loop.carry, 2)
    segments = bind(OPS["div"], count + stride - 1, stride)
    step, again = _counted(body, loop)
    inner = Loop(loop.consts + 1, loop.carry + 1)
    active = (False, *m.active[: loop.consts], False, *m.carries)
    made = keepable(again["body"], active)
    tangent_consts, tangent_carries, _ = map(present, loop.split(m.tangents))
    fixed = [*tangent_consts, count, stride, *consts]

    def segment(*values: Value) -> Sequence[Value]:
        t_consts, (total, every), known, t_carries, (first, *state) = parted(
            values, len(tangent_consts), 2, loop.consts, len(tangent_carries)
        )
        last = bind(OPS["min"], first + every, total)
        inner_motion = Motion(active, (False, *m.carries), spread([*t_consts, *t_carries], active), made)
        _, moving = _taped([last, *known, first, *state], inner, inner_motion, again)
        new = [filled(t, c.type) for t, c in zip(picked(moving[1 : inner.carry], m.carries), t_carries, strict=True)]
        return [*new, *t_carries] if params["states"] else new

    types = [*[v.type for v in [*fixed, *tangent_carries]], COUNT, *body.input_types[loop.consts :]]
    first_steps = bind_all(scan, segments, stride, literal(0, I64), body=step, consts=1, carry=1, **UPWARDS)[1]
    linear = {**UPWARDS, "body": build(types, segment), "consts": len(fixed), "carry": len(tangent_carries)}
    results = bind_all(scan, segments, *fixed, *tangent_carries, first_steps, *states, **linear)
    ends, starts = parted(results, len(tangent_carries))
    moving = spread(ends, m.carries)
    if not params["states"]:
        return [*outs, count], [*moving, None]
    return [*outs, count, stride, *states], [*moving, None, None, *spread(starts, m.carries)]


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
