"""Derivatives of scan. Forward mode makes one loop of primals and tangents, which keeps nothing. In reverse mode the loop also
stacks residuals, a second scan over them is the linear part, and its transpose is a scan that runs backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.builder import Value, bind_all
from ..ir.graph import JVP, TRANSPOSE
from ..ir.interpreter import evaluate
from ..ops.control import scan
from ..ops.define import Operand, Tangents, is_linear, zeros
from .jvp import recorded
from .loop_parts import Loop, joint_body, joint_operands, joint_results, linear_scan, motion, residuals_of
from .nested_programs import are_there, build, filled, parted, picked, present, spread, transposed


@JVP.of(scan)
def _jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    body, loop = params["body"], Loop.of_scan(params)
    count = len(body.outputs)
    head, operands = parted(primals, 0 if params["length"] is not None else 1)
    m = motion(loop, body, operands, tangents[len(head) :])
    if not any(m.active):
        return bind_all(scan, *primals, **params), [None] * count
    if not recorded(tangents):
        both, ys_active = joint_body(m, loop, body)
        consts, carries, xs = joint_operands(loop, operands, m.tangents)
        joint = {**params, "body": both, "consts": len(consts), "carry": len(carries)}
        found = bind_all(scan, *head, *consts, *carries, *xs, **joint)
        return joint_results(found, loop, count - loop.carry, m.carries, ys_active)
    r = residuals_of(m.made, body, loop.consts, tuple(n >= loop.consts + loop.carry for n in range(len(operands))))
    outs, stacked = parted(bind_all(scan, *primals, **{**params, "body": r.forward}), count)
    linear_operands, linear = linear_scan(r, loop, m, body, operands, stacked)
    results = bind_all(scan, *head, *linear_operands, **{**params, **linear})
    return outs, spread(results, [*m.carries, *r.active_outputs[loop.carry :]])


@TRANSPOSE.of(scan)
def _transpose(cts: Sequence[Value | None], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    body, loop = params["body"], Loop.of_scan(params)
    head, operands = parted(operands, 0 if params["length"] is not None else 1)
    consts, carries, xs = loop.split(operands)
    linear_consts, linear_xs = tuple(map(is_linear, consts)), tuple(map(is_linear, xs))
    ct_carries, ct_ys = parted(cts, loop.carry)
    step = transposed(body, (*linear_consts, *[True] * loop.carry, *linear_xs), (*[True] * loop.carry, *are_there(ct_ys)))
    const_types, carry_types, element_types = loop.split(body.input_types)
    const_types = picked(const_types, linear_consts)
    known_consts, known_xs = [c for c in consts if isinstance(c, Value)], [x for x in xs if isinstance(x, Value)]
    y_types = picked(body.output_types[loop.carry :], are_there(ct_ys))

    def run(*values: Value) -> Sequence[Value]:
        fixed, sums, carried, ys, rest = parted(values, len(known_consts), len(const_types), loop.carry, len(y_types))
        shares, others = parted(evaluate(step, [*fixed, *rest, *carried, *ys]), len(sums))
        return [*[a + b for a, b in zip(sums, shares, strict=True)], *others]

    types = [*[c.type for c in known_consts], *const_types, *carry_types, *y_types]
    types += [t for t, a in zip(element_types, linear_xs, strict=True) if not a]
    back = {
        **params, "body": build(types, run), "consts": len(known_consts), "carry": len(const_types) + loop.carry,
        "reverse": not params["reverse"],
    }  # fmt: skip
    start = [*map(zeros, const_types), *[filled(ct, t) for ct, t in zip(ct_carries, carry_types, strict=True)]]
    found = bind_all(scan, *head, *known_consts, *start, *present(ct_ys), *known_xs, **back)
    for_consts, for_carries, for_xs = parted(found, len(const_types), loop.carry)
    shown = [ct if is_linear(c) else None for ct, c in zip(for_carries, carries, strict=True)]
    return [*[None] * len(head), *spread(for_consts, linear_consts), *shown, *spread(for_xs, linear_xs)]
