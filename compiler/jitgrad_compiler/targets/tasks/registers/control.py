"""Loops and branches of register code. Carries live in slots, which LLVM turns into registers.

Rows of a chunk go through a loop together. A while_loop's rows that have ended keep their values under the mask; what all rows
share stays one number as long as the loop runs. Importing this module gives code.REGISTER_RULES its loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....ir.graph import Atom, Eqn, Graph
from ....ir.types import BOOL, I64, ArrayType, TapeType
from ....ops.control import scan, switch, while_loop
from ....ops.effects import callback
from ....passes.register_fit import MOST_OPERATIONS
from ....passes.row_dependence import varying, varying_carries
from ...llvm_text import Reg
from ..callbacks import call_python
from .code import REGISTER_RULES, Held, Registers
from .in_memory import Stored, Tape
from .tape_keepers import Saved, States


def _varies(value: Held) -> bool:
    if isinstance(value, Stored):
        return value.varies
    if isinstance(value, Tape):
        return value.width > 1
    return any(r.width > 1 for r in value.flat)


def work(graph: Graph) -> float:
    """Operations of one run, where it is known how often loops turn; infinite for those that look at the clock themselves."""
    total = 0.0
    for e in graph.eqns:
        if e.op is scan:
            length = e.params["length"]
            total += float("inf") if length is None else length * (1 + work(e.params["body"]))
        else:
            total += 1 + max(map(work, e.graphs), default=0) + sum(getattr(v.type, "size", 1) for v in e.outputs)
    return total


# -- scan


@REGISTER_RULES.of(scan)
def _scan(x: Registers, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
    p, em = e.params, x.e
    body, consts, carry, length = p["body"], p["consts"], p["carry"], p["length"]
    counts = None
    if length is None:
        counts, args = args[0].flat[0], args[1:]
    fixed, start, xs = args[:consts], args[consts : consts + carry], args[consts + carry :]
    lanes, total = None, em.const(0, I64)
    if counts is None:
        total = em.const(length, I64)
    elif counts.width == 1:
        total = counts
    else:
        lanes = counts if x.mask is None else em.select(x.mask, counts, 0)
        total = em.fold(lambda a, b: em.select(em.compare("lt", a, b), b, a), lanes)
    flags, varied = varying_carries(body, [*map(_varies, fixed)], [*map(_varies, start)], [*map(_varies, xs)])
    wide = [f or lanes is not None for f in flags]
    slots = [x.slots(x.regs(v), t.dtype, w) for v, t, w in zip(start, body.output_types, wide, strict=False)]
    elements = body.input_types[consts + carry :]
    rows = [v.entries(em) if isinstance(v, Tape) else x.spilled(v, t.dtype) for v, t in zip(xs, elements, strict=True)]
    ys = zip(e.outputs[carry:], body.output_types[carry:], varied, strict=True)
    stacks = [_stack(x, v, t, total, f or lanes is not None) for v, t, f in ys]
    targets = [s.entries(em) if isinstance(s, Tape) else s for s in stacks]

    def step(number: Reg) -> None:
        index = em.sub(em.sub(total, 1), number) if p["reverse"] else number
        mask, before = (em.compare("lt", em.splat(index, x.width), lanes) if lanes is not None else None), x.mask
        x.mask = x.inside(mask)
        slices = [r.part(em, index, t.shape) for r, t in zip(rows, elements, strict=True)]
        outs = x.run(body, [*fixed, *[x.contents(s) for s in slots], *[s.elements(em) for s in slices]])
        new = [x.regs(o) for o in outs]
        for s, o in zip(slots, new, strict=False):
            x.assign(s, o, mask)
        for t, y, o in zip(targets, body.output_types[carry:], new[carry:], strict=True):
            t.part(em, index, y.shape).write(em, o)
        x.mask = before

    each = work(body) + 1
    _steps(x, total, length, each, max(1, min(p["unroll"], int(MOST_OPERATIONS / each))), step)
    return [*[x.contents(s) for s in slots], *stacks]


def _steps(x: Registers, total: Reg, length: int | None, each: float, unroll: int, step: Callable[[Reg], None]) -> None:
    """The loop over steps, `unroll` of them at a time; between blocks of them it looks at the clock."""
    em = x.e
    block = max(int(em.module.tuning.control.uninterrupted / each), unroll)
    block -= block % unroll

    def run(first: Reg | int, last: Reg | int) -> None:
        if unroll > 1:
            count = em.sub(last, first) if isinstance(last, Reg) else em.const(last, I64)
            whole = em.sub(count, em.rem(count, unroll))
            stop = em.add(whole, first) if isinstance(first, Reg) else whole
            with em.loop(first, stop, unroll) as i:
                for n in range(unroll):
                    step(em.add(i, n) if n else i)
            first = stop
        with em.loop(first, last) as i:
            step(i)

    if length is not None and length <= block:
        run(0, total)
        return
    with em.loop(0, total, block) as first:
        x.poll()
        end = em.add(first, block)
        run(first, em.least(end, total))


def _stack(x: Registers, v: Any, element: ArrayType, total: Reg, wide: bool) -> Stored | Tape:
    """Where the slices of a stacked result go: to the kernel's own result, or to memory of this function."""
    em = x.e
    if v in x.places:
        place = x.places[v]
        if isinstance(place, Stored):
            return place
        tape = place
    else:
        tape = Tape(x.record(), element, x.width if wide else 1)
    capacity = em.select(em.compare("lt", total, 1), em.const(1, I64), total)
    with em.when(em.compare("lt", em.get(tape.field(em, "capacity"), I64), capacity)):
        tape.reserve(em, capacity)
    em.set(tape.field(em, "count"), total)
    if isinstance(v.type, TapeType):
        return tape
    entries = tape.entries(em)
    return Stored(entries.pointer, v.type, entries.step, entries.lane, entries.width)


# -- while_loop


@REGISTER_RULES.of(while_loop)
def _while(x: Registers, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
    p, em = e.params, x.e
    body, cond, consts = p["body"], p["cond"], p["consts"]
    fixed, start = args[:consts], args[consts:]
    n = len(start)
    flags, varied = varying_carries(body, [*map(_varies, fixed)], [*map(_varies, start)])
    apart = varying(cond, [*map(_varies, fixed), *flags])[0]  # rows end at different steps
    types = body.output_types[:n]
    slots = [x.slots(x.regs(v), t.dtype, f) for v, t, f in zip(start, types, flags, strict=True)]
    last: dict[int, Any] = {}
    """Of what all rows share while they run: each row's value when it ended."""
    for k in range(n):
        if apart and not flags[k] and uses[e.outputs[k]]:
            last[k] = x.slots(x.regs(start[k]), types[k].dtype, True)
    counter = em.alloca(I64)
    em.set(counter, em.const(0, I64))
    counted = x.fresh_slots(ArrayType((), I64), apart)
    x.assign(counted, x.constant_number(0))
    active = em.alloca(BOOL, x.width) if apart else None
    if active is not None:
        em.set(active, x.mask if x.mask is not None else em.const(True, BOOL, x.width))
    outputs, elements = (e.outputs[n + 2 :], types) if p["states"] else (e.outputs[n + 1 :], body.output_types[n:])
    widths = [x.width if apart or f else 1 for f in (flags if p["states"] else varied)]
    tapes: list[Any] = [x.places.get(v) or Tape(x.record(), t, w) for v, t, w in zip(outputs, elements, widths, strict=True)]
    keeper = States(em, tapes, p["checkpoint"] or 0) if p["states"] else Saved(em, tapes)
    head, again, done = em.fresh("head"), em.fresh("again"), em.fresh("done")
    before = x.mask
    em.branch(head)
    em.label(head)
    held = [x.contents(s) for s in slots]
    (test,) = x.run(cond, [*fixed, *held])
    going = x.regs(test).flat[0]
    if active is not None:
        going = em.and_(em.get(active, BOOL, x.width), em.splat(going, x.width))
        em.set(active, going)
        x.mask = going
    em.branch_if(em.any(going) if active is not None else going, again, done)
    em.label(again)
    step = em.get(counter, I64)
    last_before = em.module.tuning.control.steps_between - 1
    with em.when(em.compare("eq", em.and_(step, last_before), last_before), unlikely=True):
        x.poll()
    if isinstance(keeper, States):
        keeper.visit(step, lambda kept: _put(x, tapes, kept, held))
    new = [x.regs(o) for o in x.run(body, [*fixed, *held])]
    if not isinstance(keeper, States):
        keeper.make_room(step)
        _put(x, tapes, step, new[n:])
    for k in range(n):
        x.assign(slots[k], new[k], x.mask if apart else None)
        if k in last:
            x.assign(last[k], new[k], x.mask)
    following = em.add(step, 1)
    em.set(counter, following)
    x.assign(counted, x.one(following), x.mask if apart else None)
    em.branch(head)
    em.label(done)
    x.mask = before
    outs = [x.contents(last.get(k, s)) for k, s in enumerate(slots)]
    if isinstance(keeper, States):
        return [*outs, x.contents(counted), x.one(keeper.finish()), *tapes]
    keeper.finish_at(em.get(counter, I64))
    return [*outs, x.contents(counted), *tapes]


def _put(x: Registers, tapes: Sequence[Any], number: Reg, values: Sequence[Any]) -> None:
    for tape, value in zip(tapes, values, strict=True):
        tape.entries(x.e).part(x.e, number, tape.element.shape).write(x.e, value)


# -- switch


@REGISTER_RULES.of(switch)
def _switch(x: Registers, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
    em, branches = x.e, e.params["branches"]
    index, operands = em.within(em.convert(x.regs(args[0]).flat[0], I64), len(branches) - 1), args[1:]
    flags = [any(c) for c in zip(*[varying(b, [*map(_varies, operands)]) for b in branches], strict=True)]
    wide = [index.width > 1 or f for f in flags]
    slots = [x.fresh_slots(v.type, w) for v, w in zip(e.outputs, wide, strict=True)]
    before = x.mask
    if index.width > 1:
        for number, b in enumerate(branches):
            mask = x.inside(em.compare("eq", index, number))
            assert mask is not None
            with em.when(em.any(mask)):
                x.mask = mask
                for s, o in zip(slots, x.run(b, operands), strict=True):
                    x.assign(s, x.regs(o), mask)
                x.mask = before
        return [x.contents(s) for s in slots]
    labels, done = [em.fresh("branch") for _ in branches], em.fresh("joined")
    em.switch(index, labels)
    for name, b in zip(labels, branches, strict=True):
        em.label(name)
        for s, o in zip(slots, x.run(b, operands), strict=True):
            x.assign(s, x.regs(o))
        em.branch(done)
    em.label(done)
    return [x.contents(s) for s in slots]


@REGISTER_RULES.of(callback)
def _callback(x: Registers, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
    operands = [x.spilled(a, v.type.dtype).pointer for a, v in zip(args, e.inputs, strict=True)]
    call_python(x.e, x.site(e), operands, x.state)
    x.leave_if_stopped()
    return []
