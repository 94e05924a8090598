"""The kernel of scatter: x copied to the result, then the updates, whose results are the same bits however threads run.

    at once    each update is one thread's, where their order does not matter: integers by atomic operations, bools and constants
               because all write the same
    by owners  each column of the result is one thread's, which goes through all updates in order, where these are few
    sorted     index rows are sorted by their places first (pairs.py), stably; then a thread for each place and column takes the
               updates there in order. Of additions, and of what has no order, it takes some, and another phase joins these parts

Next on the path: segments.py, which has the last.
"""

from __future__ import annotations

from ....ir.types import U8
from ....kernels.kernel import Kernel
from ...combining import joined
from ...llvm_text import Module
from ..device import THREADS
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch
from .copying import emit_copy
from .segments import Segments
from .updates import Updates


def emit_scatter(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The functions of scatter."""
    eqn = kernel.eqns[0]
    x, indices, _ = eqn.inputs
    (out,) = eqn.outputs
    if not out.type.size:
        return Emitted([])
    copy = emit_copy(module, f"{name}_copy", x, out, pointers)
    if indices.type.shape[-1] and not indices.type.size:
        return Emitted([copy])
    updates = Updates(kernel, pointers)
    if not updates.total:
        return Emitted([copy])
    if updates.unordered:
        return Emitted([copy, _at_once(module, f"{name}_updates", updates)])
    if updates.g.count <= module.tuning.gpu.few_updates:
        return Emitted([copy, _by_owners(module, f"{name}_updates", updates)])
    segments = Segments(module, name, updates, scratch)
    phases = segments.emit()
    return Emitted([copy, *phases], segments.scratch_bytes)


def _at_once(module: Module, name: str, u: Updates) -> Phase:
    f = BlockFunction(module, name)
    e, t = f.e, f.threads
    memory = u.memory(f)
    number = e.add(e.mul(f.block, THREADS), t.thread())
    with e.when(e.compare("lt", number, u.total)):
        batch, row, column = u.parts(e, number, u.g.count)
        inside, _, offset = u.place(e, memory, batch, row)
        with e.when(inside):
            target = u.target(e, memory, batch, offset, column)
            value = u.update(e, memory, batch, row, column)
            if u.kind == "set":
                e.store(target, value)
            elif u.is_bool:
                decides = 1 if u.kind == "or" else 0
                with e.when(e.compare("eq", value, decides)):
                    e.store(target, e.const(decides, U8))
            else:
                kind = u.kind if u.kind == "add" or u.dtype.is_signed else f"u{u.kind}"
                t.atomic(kind, target, value)
    return f.finish(-(-u.total // THREADS))


def _by_owners(module: Module, name: str, u: Updates) -> Phase:
    f = BlockFunction(module, name)
    e = f.e
    memory = u.memory(f)
    number = e.add(e.mul(f.block, THREADS), f.threads.thread())
    count = u.g.batch * u.columns
    with e.when(e.compare("lt", number, count)):
        batch, _, column = u.parts(e, number, 1)
        with e.loop(0, u.g.count) as row:
            inside, _, offset = u.place(e, memory, batch, row)
            with e.when(inside):
                target = u.target(e, memory, batch, offset, column)
                value = u.update(e, memory, batch, row, column)
                if u.kind != "set":
                    value = joined(e, u.kind, e.load(target, u.dtype), value)
                e.store(target, value)
    return f.finish(-(-count // THREADS))
