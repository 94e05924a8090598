"""The kernel of a dynamic_update_slice whose result takes its operand's place: a loop's large state, of which a step changes a
window.

Where the two are not one memory after all, the operand is copied first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.graph import Literal, Var
from ....ir.types import BOOL, I64, U8
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...memory_operations import copy_bytes
from ...tasks.partition import partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers


def copy_tasks(module: Module, nbytes: int) -> int:
    """How many tasks copy so many bytes."""
    return min(module.tuning.most_tasks, max(nbytes // module.tuning.copy_bytes, 1))


def emit_copy_unless_same(module: Module, name: str, x: Var, out: Var, pointers: Pointers) -> Phase:
    """x copied to its result's memory, if that is another one."""
    parts = partition(out.type.nbytes, copy_tasks(module, out.type.nbytes), 64)
    e = Emitter(module, name, TASK_ARGUMENTS)
    args, begin, end = e.args
    found = pointers(e, args, [x, out])
    with e.when(e.op(f"icmp ne ptr {found[x].text}, {found[out].text}", BOOL)), e.loop(begin, end) as task:
        low, high = parts.bounds(e, task)
        copy_bytes(e, e.offset(found[out], low, U8), e.offset(found[x], low, U8), e.sub(high, low))
    e.finish()
    return Phase(name, parts.tasks)


def emit_update(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]) -> Emitted:
    """The task functions: the copy, and the window written run by run."""
    x, update, *starts = kernel.eqns[0].inputs
    (out,) = kernel.eqns[0].outputs
    assert isinstance(x, Var)
    phases = [emit_copy_unless_same(module, f"{name}_copy", x, out, pointers)]
    shape, window = out.type.shape, update.type.shape
    if 0 in window:
        return Emitted(phases)
    whole = len(shape)
    while whole and shape[whole - 1] == window[whole - 1]:
        whole -= 1
    lead = max(whole - 1, 0)  # axes walked one by one; along the next one, and those behind it, the window lies in one piece
    run = math.prod(window[lead:])
    count = math.prod(window[:lead])
    parts = partition(count, copy_tasks(module, update.type.nbytes))
    e = Emitter(module, name, TASK_ARGUMENTS)
    args, begin, end = e.args
    found = pointers(e, args, list(kernel.inputs) + [out])
    first = e.const(0, I64)
    strides = [math.prod(shape[n + 1 :]) for n in range(len(shape))]
    for s, n, m, stride in zip(starts, shape, window, strides, strict=True):
        if n == m:
            continue
        at = e.const(int(s.value), I64) if isinstance(s, Literal) else e.convert(e.load(found[s], s.type.dtype), I64)
        first = e.add(first, e.mul(e.within(at, n - m), stride))
    dtype = out.type.dtype
    with parts.units(e) as row:
        place, rest = first, row
        for n in reversed(range(lead)):
            place = e.add(place, e.mul(e.rem(rest, window[n]), strides[n]))
            rest = e.div(rest, window[n])
        target = e.offset(found[out], place, dtype)
        if isinstance(update, Literal):
            with e.loop(0, run) as k:
                e.store(e.offset(target, k, dtype), e.const(update.value.item(), dtype))
        elif run == 1:
            e.store(target, e.load(e.offset(found[update], row, dtype), dtype))
        else:
            copy_bytes(e, target, e.offset(found[update], e.mul(row, run), dtype), run * dtype.nbytes)
    e.finish()
    return Emitted([*phases, Phase(name, parts.tasks)])
