"""Batching of scan and while_loop.

Where all examples take the same path (a scan; a while_loop whose condition is one for all) and the state is large, the body is batched.
Where they do not, or where the state of one example fits registers, the loop is done rowwise: each row until it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..ir.builder import Value, bind_all, staging
from ..ir.graph import Eqn, Graph, Op, Var
from ..ir.types import ArrayType, TapeType
from ..ops.control import rowwise, scan, switch, together, while_loop
from ..ops.define import transpose_axes, with_batch_axis
from .branches import batch_branches
from .loop_derivatives import Flags, Loop
from .vmap import batch

SMALL_ELEMENTS = 16
"""Elements of one value up to which a loop's state may live in registers."""
SMALL_OPERATIONS = 2000
"""Operations of one step, counted element by element, up to which its code may be written out."""


def is_small(graph: Graph) -> bool:
    """Whether a step is small enough to be done in registers: every value in it, and what it does to them."""
    return _operations(graph) <= SMALL_OPERATIONS


def _operations(graph: Graph) -> float:
    total = 0.0
    for e in graph.eqns:
        if e.op.kind in ("sort", "scatter", "cumulative", "callback"):
            return float("inf")
        total += sum(map(_operations, e.graphs))
        for v in e.outputs:
            if isinstance(v.type, TapeType):
                continue
            if v.type.size > SMALL_ELEMENTS:
                return float("inf")
            total += v.type.size * (e.inputs[0].type.size if e.op.kind in ("contract", "reduce") else 1)
    return total


def by_rows(op: Op, size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Sequence[Value]:
    """The op as the only equation of a rowwise."""
    types = [ArrayType(a.type.shape[1:], a.type.dtype) if b else a.type for a, b in zip(args, batched, strict=True)]
    inputs = [Var(t) for t in types]
    outputs = [Var(t) for t in op.types(types, params)]
    graph = Graph(inputs, [Eqn(op, inputs, params, outputs)], outputs)
    return bind_all(rowwise, *args, graph=graph, mapped=tuple(batched), size=size)


@lru_cache(maxsize=512)
def _batched_body(graph: Graph, size: int, fixed: Flags, carry: Flags, rest: Flags) -> tuple[Graph, Flags, Flags]:
    """The batched body, and which of its carries, then which of its other results, have the batch axis."""
    while True:
        with staging() as builder:
            flags = (*fixed, *carry, *rest)
            inputs = [
                builder.input(ArrayType((size, *t.shape), t.dtype) if b else t)
                for t, b in zip(graph.input_types, flags, strict=True)
            ]
            outs, out_flags = batch(graph, size, inputs, flags)
            n = len(carry)
            grown = tuple(a or b for a, b in zip(carry, out_flags, strict=False))
            if grown == carry:
                outs = [with_batch_axis(o, size, b) if c else o for o, b, c in zip(outs[:n], out_flags, carry, strict=False)] + outs[n:]
                return builder.finish(outs)[0], carry, tuple(out_flags[n:])
            carry = grown


def _scan_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    body = params["body"]
    if params["length"] is None or is_small(body):
        return by_rows(scan, size, args, batched, params)
    loop = Loop(params["consts"], params["carry"], len(body.inputs) - params["consts"] - params["carry"])
    (consts, carries, xs), flags = loop.split(args), [tuple(f) for f in loop.split(batched)]
    made, carry, ys = _batched_body(body, size, flags[0], flags[1], flags[2])
    start = [with_batch_axis(c, size, was) if now else c for c, was, now in zip(carries, flags[1], carry, strict=True)]
    turned = [transpose_axes(x, (1, 0, *range(2, x.type.rank))) if b else x for x, b in zip(xs, flags[2], strict=True)]
    found = bind_all(scan, *consts, *start, *turned, **{**params, "body": made})
    last = [with_batch_axis(c, size, b) for c, b in zip(found[: loop.carry], carry, strict=True)]
    steps = found[loop.carry :]
    return [
        *last,
        *[transpose_axes(y, (1, 0, *range(2, y.type.rank))) if b else with_batch_axis(y, size, False)
          for y, b in zip(steps, ys, strict=True)],
    ]  # fmt: skip


def _while_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    if params["saved"] or params["states"]:
        raise TypeError("while_loop: a loop that keeps tapes is batched together with those who read them")
    body, cond, consts = params["body"], params["cond"], params["consts"]
    fixed, start = tuple(batched[:consts]), tuple(batched[consts:])
    made, carry, _ = _batched_body(body, size, fixed, start, ())
    test, _, holds = _batched_body(cond, size, (*fixed, *carry), (), ())
    if holds[0] or is_small(body):
        return by_rows(while_loop, size, args, batched, params)
    wide = [with_batch_axis(c, size, was) if now else c for c, was, now in zip(args[consts:], start, carry, strict=True)]
    found = bind_all(while_loop, *args[:consts], *wide, **{**params, "body": made, "cond": test})
    return [with_batch_axis(v, size, b) for v, b in zip(found, (*carry, False), strict=True)]


def _together_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(rowwise, *args, graph=params["graph"], mapped=tuple(batched), size=size)


def _switch_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    if batched[0]:
        return by_rows(switch, size, args, batched, params)
    return batch_branches(size, args, batched, params)


scan.batch, while_loop.batch, switch.batch, together.batch = _scan_batch, _while_batch, _switch_batch, _together_batch
