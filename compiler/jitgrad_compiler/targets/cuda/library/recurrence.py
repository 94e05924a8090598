"""The kernel of linear_recurrence. Arrays are seen as [outer, n, inner]; every element is made by the same steps as on the CPU.

    columns: each thread goes along one, whose neighbours in memory are its neighbours'; short rows as well
    rows:    a warp reads a row 32 elements at once, the next ones while it goes through these: all its threads do each step, with
             what one of them has read

A scan in fewer steps would multiply factors with each other, which may overflow though no result does.
"""

from __future__ import annotations

import math

from ....ir.types import BOOL, I32, I64
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..device import THREADS, WARP
from ..phases import BlockFunction, Emitted, Pointers, Scratch


def emit_recurrence(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The function."""
    eqn = kernel.eqns[0]
    (out,), axis = eqn.outputs, eqn.params["axis"]
    shape, dtype = out.type.shape, out.type.dtype
    if not out.type.size:
        return Emitted([])
    outer, n, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    team = 1 if inner > 1 or n <= module.tuning.gpu.short_row else WARP
    units, per_block = outer * inner, THREADS // team
    f = BlockFunction(module, name)
    e, t = f.e, f.threads
    found = pointers(e, f.table, [*kernel.inputs, out])
    a, b = (found[x] for x in eqn.inputs)  # type: ignore[index]
    thread = t.thread()
    unit = e.add(e.mul(f.block, per_block), e.div(thread, team))
    lane = e.rem(thread, team) if team > 1 else e.const(0, I64)
    with e.when(e.const(True, BOOL) if units % per_block == 0 else e.compare("lt", unit, units)):
        base = e.mul(e.div(unit, inner), n * inner)
        base = e.add(base, e.rem(unit, inner)) if inner > 1 else base

        def at(step: Reg) -> Reg:
            return e.add(base, e.mul(e.sub(n - 1, step) if eqn.params["reverse"] else step, inner))

        def read(step: Reg) -> list[Reg]:
            place = at(e.least(step, n - 1))
            return [e.load(e.offset(x, place, dtype), dtype) for x in (a, b)]

        running, ahead = e.alloca(dtype), [e.alloca(dtype) for _ in range(2)]
        e.set(running, e.const(0.0, dtype))
        for slot, value in zip(ahead, read(lane), strict=True):
            e.set(slot, value)
        with e.loop(0, n, team) as first:
            step = e.add(first, lane)
            factor, term = (e.get(slot, dtype) for slot in ahead)
            for slot, value in zip(ahead, read(e.add(step, team)), strict=True):
                e.set(slot, value)
            y = mine = e.get(running, dtype)
            for k in range(team):
                source = e.const(k, I32)
                parts = (factor, term) if team == 1 else (t.of_lane(factor, source), t.of_lane(term, source))
                y = e.add(e.mul(parts[0], y), parts[1])
                mine = y if team == 1 else e.select(e.compare("eq", lane, k), y, mine)
            e.set(running, y)
            with e.when(e.compare("lt", step, n)):
                e.store(e.offset(found[out], at(step), dtype), mine)
    return Emitted([f.finish(-(-units // per_block))])
