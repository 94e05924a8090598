"""Batching of scan and while_loop.

Where all examples take the same path (a scan; a while_loop whose condition is one for all) and the state is large, the body is
batched. Where they do not, or where the state of one example fits registers, the loop is done rowwise: each row until it has
ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import NonDifferentiableError, ShapeError
from ..ir.builder import Value, bind, bind_all, staging
from ..ir.graph import BATCH, BATCHED_OUTPUTS, BY_ROWS, OPS, Graph, Op, remembered
from ..ir.interpreter import evaluate
from ..ir.types import TapeType
from ..ops.control import rowwise, scan, switch, tape_add, tape_region, while_loop
from ..ops.define import broadcast, broadcast_batch, full, reshape, transpose_axes
from ..ops.effects import callback, io_callback, pure_callback
from .branches import batch_branches
from .loop_parts import Loop
from .nested_programs import Flags, build
from .register_fit import MANY, fits_registers
from .vmap import batch, batched_inputs, by_rows, vmap_graph


@remembered
def _batched_body(graph: Graph, size: int, fixed: Flags, carry: Flags, rest: Flags) -> tuple[Graph, Flags, Flags]:
    """The batched body, and which of its carries, then which of its other results, have the batch axis."""
    while True:
        with staging() as builder:
            flags = (*fixed, *carry, *rest)
            outs, out_flags = batch(graph, size, batched_inputs(builder, graph, size, flags), flags)
            n = len(carry)
            grown = tuple(a or b for a, b in zip(carry, out_flags, strict=False))
            if grown == carry:
                outs = [
                    broadcast_batch(o, size, b) if c else o for o, b, c in zip(outs[:n], out_flags, carry, strict=False)
                ] + outs[n:]
                return builder.finish(outs)[0], carry, tuple(out_flags[n:])
            carry = grown


def _scan_parts(params: Mapping[str, Any], flags: Sequence[bool]) -> tuple[Loop, tuple[Flags, ...]]:
    """The operands' kinds, without the number of steps, and which of them are batched."""
    loop = Loop.of_scan(params)
    return loop, tuple(tuple(f) for f in loop.split(flags if params["length"] is not None else flags[1:]))


@BY_ROWS.of(scan)
def _scan_rows(size: int, params: Mapping[str, Any], batched: Sequence[bool], whole: bool) -> bool:
    """Whether each row is done by itself: where the state fits registers, or rows have numbers of steps of their own. Tapes of all
    rows, with the batch axis in their elements, are read and made by one loop.
    """
    body, loop = params["body"], _scan_parts(params, batched)[0]
    if params["length"] is not None:
        return not whole and fits_registers(body, MANY)
    tapes = len(body.outputs) > loop.carry or any(batched[1 + loop.consts + loop.carry :])
    return batched[0] or not (tapes or whole) and fits_registers(body, MANY)


@BATCHED_OUTPUTS.of(scan)
def _scan_flags(size: int, params: Mapping[str, Any], batched: Sequence[bool]) -> Sequence[bool]:
    _, carry, ys = _batched_body(params["body"], size, *_scan_parts(params, batched)[1])
    return (*carry, *ys)


@BATCH.of(scan)
def _scan_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    head = args[:1] if params["length"] is None else args[:0]
    if any(batched[: len(head)]):
        raise _out_of_step()
    loop, flags = _scan_parts(params, batched)
    consts, carries, xs = loop.split(args[len(head) :])
    made, carry, ys = _batched_body(params["body"], size, *flags)
    start = [broadcast_batch(c, size, was) if now else c for c, was, now in zip(carries, flags[1], carry, strict=True)]
    turned = [_swapped(x) if b else x for x, b in zip(xs, flags[2], strict=True)]
    found = bind_all(scan, *head, *consts, *start, *turned, **{**params, "body": made})
    return [*found[: loop.carry], *[_swapped(y) if b else y for y, b in zip(found[loop.carry :], ys, strict=True)]]


def _swapped(x: Value) -> Value:
    """The axes of steps and of the batch exchanged; a tape's elements have the batch in front as it is."""
    return x if isinstance(x.type, TapeType) else transpose_axes(x, (1, 0, *range(2, x.type.rank)))


@remembered
def _batched_while(
    cond: Graph, body: Graph, size: int, fixed: Flags, start: Flags, keeps: bool
) -> tuple[Graph, Flags, Flags, Graph, bool]:
    """The batched body, which carries and saved values have the batch axis; the batched condition, and whether it has it."""
    made, carry, saved = _batched_body(body, size, fixed, start, ())
    test, _, holds = _batched_body(cond, size, (*fixed, *carry), (), ())
    if holds[0] and (cond.has_collective or body.has_collective):
        if keeps:
            raise _out_of_step()
        carry = (True,) * len(start)
        made, test = _in_step(cond, body, size, fixed)
        return made, carry, (), test, False
    return made, carry, saved, test, holds[0]


def _out_of_step() -> NonDifferentiableError:
    return NonDifferentiableError(
        "vmap of grad: a while_loop with a collective (psum and its kin), whose examples take different numbers of steps, has no "
        "reverse mode of one example. Take the gradient of the vmap instead, or jvp."
    )


@remembered
def _in_step(cond: Graph, body: Graph, size: int, fixed: Flags) -> tuple[Graph, Graph]:
    """(body, condition) of a loop whose examples have to do every step together: until the last one ends, those that have ended
    stay as they are.
    """
    test = vmap_graph(cond, size, (*fixed, *[True] * len(body.outputs)))
    step = vmap_graph(body, size, (*fixed, *[True] * len(body.outputs)))

    def held(*inputs: Value) -> Sequence[Value]:
        (goes_on,) = evaluate(test, inputs)
        return [chosen(goes_on, new, old) for new, old in zip(evaluate(step, inputs), inputs[len(fixed) :], strict=True)]

    def any_goes_on(*inputs: Value) -> Sequence[Value]:
        return [bind(OPS["reduce_or"], *evaluate(test, inputs), axes=(0,))]

    return build(step.input_types, held), build(step.input_types, any_goes_on)


def chosen(condition: Value, x: Value, y: Value) -> Value:
    """Rows of x or y, by a condition of one element a row."""
    return bind(OPS["select"], broadcast(condition, x.type.shape, (0,)), x, y)


def _while_parts(size: int, params: Mapping[str, Any], batched: Sequence[bool]) -> tuple[Graph, Flags, Flags, Graph, bool]:
    consts = params["consts"]
    keeps = bool(params["saved"] or params["states"])
    return _batched_while(params["cond"], params["body"], size, tuple(batched[:consts]), tuple(batched[consts:]), keeps)


@BY_ROWS.of(while_loop)
def _while_rows(size: int, params: Mapping[str, Any], batched: Sequence[bool], whole: bool) -> bool:
    return not whole and fits_registers(params["body"], MANY) or _while_parts(size, params, batched)[4]


@BATCHED_OUTPUTS.of(while_loop)
def _while_flags(size: int, params: Mapping[str, Any], batched: Sequence[bool]) -> Sequence[bool]:
    _, carry, saved, _, _ = _while_parts(size, params, batched)
    return (*carry, False, False, *carry) if params["states"] else (*carry, False, *saved)


@BATCH.of(while_loop)
def _while_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    made, carry, _, test, _ = _while_parts(size, params, batched)
    consts, start = params["consts"], batched[params["consts"] :]
    wide = [broadcast_batch(c, size, was) if now else c for c, was, now in zip(args[consts:], start, carry, strict=True)]
    return bind_all(while_loop, *args[:consts], *wide, **{**params, "body": made, "cond": test})


@BATCH.of(tape_add)
def _tape_add_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    if not all(batched):
        raise TypeError("tape_add: both tapes must be batched, or none")
    return bind_all(tape_add, *args)


@BATCH.of(tape_region)
def _tape_region_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return bind_all(rowwise, *args, graph=params["graph"], mapped=tuple(batched), size=size)


@BATCH.of(switch)
def _switch_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    if batched[0] and any(b.has_collective for b in params["branches"]):
        index, *operands = args
        taken, *others = (evaluate(vmap_graph(b, size, tuple(batched[1:])), operands) for b in params["branches"])
        for n, outs in enumerate(others, start=1):
            here = bind(OPS["ge"], index, full(index.type.shape, n, index.type.dtype))
            taken = [chosen(here, new, old) for new, old in zip(outs, taken, strict=True)]
        return taken
    if batched[0]:
        return by_rows(switch, size, args, batched, params)
    return batch_branches(size, args, batched, params)


def _each(op: Op) -> Callable[..., Any]:
    """A host function is called for each example."""
    return lambda size, args, batched, params: by_rows(op, size, args, batched, params)


BATCH[callback], BATCH[io_callback] = _each(callback), _each(io_callback)


@BATCH.of(pure_callback)
def _pure_callback_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    """As its method says: for each example, or once for all of them."""
    method = params["method"]
    if method in ("sequential", "sequential_unrolled"):
        return by_rows(pure_callback, size, args, batched, params)
    if method is None:
        raise ShapeError(
            "pure_callback: vmap needs to know what the function does with a batch. Give vmap_method: 'sequential' calls it for "
            "each example, 'expand_dims' and 'broadcast_all' once, with a leading axis in operands and results."
        )
    if method == "broadcast_all":
        given = [broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True)]
    else:
        given = [a if b else reshape(a, (1, *a.type.shape)) for a, b in zip(args, batched, strict=True)]
    results = tuple(((size, *shape), dtype) for shape, dtype in params["results"])
    return bind_all(pure_callback, *given, **{**params, "results": results})
