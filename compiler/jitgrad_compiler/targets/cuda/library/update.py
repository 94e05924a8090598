"""The kernel of a dynamic_update_slice whose result takes its operand's place: the window is written, an element a thread, behind a
copy of the operand where the two are not one memory after all.
"""

from __future__ import annotations

import math

from ....ir.graph import Literal
from ....ir.types import BOOL, I64, U8
from ....kernels.kernel import Kernel
from ...llvm_text import Module
from ..device import THREADS
from ..phases import BlockFunction, Emitted, Pointers, Scratch
from .copying import emit_copy


def emit_update(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The functions: the copy and the window."""
    x, update, *starts = kernel.eqns[0].inputs
    (out,) = kernel.eqns[0].outputs
    if not out.type.size:
        return Emitted([])
    copy = emit_copy(module, f"{name}_copy", x, out, pointers)
    shape, window, count = out.type.shape, update.type.shape, update.type.size
    if not count:
        return Emitted([copy])
    f = BlockFunction(module, f"{name}_window")
    e = f.e
    found = pointers(e, f.table, [*kernel.inputs, out])
    number = e.add(e.mul(f.block, THREADS), f.threads.thread())
    with e.when(e.compare("lt", number, count)):
        place, rest = e.const(0, I64), number
        for axis in reversed(range(len(shape))):
            n, m, start = shape[axis], window[axis], starts[axis]
            index, rest = (e.rem(rest, m) if m > 1 else e.const(0, I64)), e.div(rest, m)
            if n > m:
                if isinstance(start, Literal):
                    at = e.const(int(start.value), I64)
                else:
                    at = e.convert(e.load(found[start], start.type.dtype), I64)
                index = e.add(index, e.within(at, n - m))
            place = e.add(place, e.mul(index, math.prod(shape[axis + 1 :])))
        dtype = U8 if out.type.dtype == BOOL else out.type.dtype
        if isinstance(update, Literal):
            value = e.const(update.value.item(), dtype)
        else:
            value = e.load(e.offset(found[update], number, dtype), dtype)
        e.store(e.offset(found[out], place, dtype), value)
    return Emitted([copy, f.finish(-(-count // THREADS))])
