"""The kernel of linear_recurrence. Arrays are seen as [outer, n, inner]; y stays in a register all along n.

inner > 1    a vector of columns side by side
inner = 1    some rows side by side, which hides the latency of one step after the other
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...order import lanes_for
from ...tasks.partition import partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers


def emit_recurrence(
    module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
) -> Emitted:
    """The task function."""
    eqn = kernel.eqns[0]
    (out,), axis = eqn.outputs, eqn.params["axis"]
    shape, dtype = out.type.shape, out.type.dtype
    if not out.type.size:
        return Emitted([])
    outer, n, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    width = lanes_for(dtype.nbytes) if inner > 1 else 1
    blocks = -(-inner // width)
    # A unit is a block of columns, or one row; lanes of the columns' last block that are no columns are masked.
    rows = module.tuning.recurrence.interleaved
    most = module.tuning.most_tasks if out.type.size >= module.tuning.recurrence.serial_elements else 1
    parts = partition(outer * blocks, most, 1 if inner > 1 else rows)
    e = Emitter(module, name, TASK_ARGUMENTS, width=width)
    args, begin, end = e.args
    a, b = eqn.inputs
    found = pointers(e, args, list(dict.fromkeys([a, b, out])))  # type: ignore[list-item]

    def run(starts: list[Reg], mask: Reg | None) -> None:
        """From the first elements of runs that go on together, to their ends."""
        slots = [e.alloca(dtype, width) for _ in starts]
        for slot in slots:
            e.set(slot, e.const(0.0, dtype, width))
        with e.loop(0, n) as step:
            row = e.mul(e.sub(n - 1, step) if eqn.params["reverse"] else step, inner)
            for start, slot in zip(starts, slots, strict=True):
                at = e.add(start, row)
                factor, term = (e.load(e.offset(found[x], at, dtype), dtype, width, mask) for x in (a, b))  # type: ignore[index]
                value = e.add(e.mul(factor, e.get(slot, dtype, width)), term)
                e.set(slot, value)
                e.store(e.offset(found[out], at, dtype), value, mask)

    with e.loop(begin, end) as task:
        low, high = parts.bounds(e, task)
        if inner > 1:
            with e.loop(low, high) as unit:
                column = e.mul(e.rem(unit, blocks), width)
                start = e.add(e.mul(e.div(unit, blocks), n * inner), column)
                run([start], None if inner % width == 0 else e.lanes_below(e.sub(inner, column), width))
        else:
            together = e.add(low, e.mul(e.div(e.sub(high, low), rows), rows))
            if outer >= rows:
                with e.loop(low, together, rows) as row:
                    run([e.mul(e.add(row, k), n) for k in range(rows)], None)
            with e.loop(together if outer >= rows else low, high) as row:
                run([e.mul(row, n)], None)
    e.finish()
    return Emitted([Phase(name, parts.tasks)])
