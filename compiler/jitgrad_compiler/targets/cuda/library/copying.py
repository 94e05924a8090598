"""An array copied to a result's memory, or a number written all over it, 16 bytes a thread where its size allows."""

from __future__ import annotations

from ....ir.graph import Atom, Var
from ....ir.types import BOOL, U8, U16, U32, U64
from ...llvm_text import Module
from ..device import THREADS
from ..expressions import ALIGNED
from ..phases import BlockFunction, Phase, Pointers


def emit_copy(module: Module, name: str, x: Atom, out: Var, pointers: Pointers) -> Phase:
    """Of an array nothing is done where it already lies there."""
    f = BlockFunction(module, name)
    e, nbytes = f.e, out.type.nbytes
    number = e.add(e.mul(f.block, THREADS), f.threads.thread())
    if isinstance(x, Var):
        found = pointers(e, f.table, [x, out])
        dtype = U32 if nbytes % ALIGNED == 0 else next(t for t in (U64, U32, U16, U8) if nbytes % t.nbytes == 0)
        needed = e.op(f"icmp ne ptr {found[x].text}, {found[out].text}", BOOL)
    else:
        found = pointers(e, f.table, [out])
        dtype, needed = U8 if out.type.dtype == BOOL else out.type.dtype, e.const(True, BOOL)
    lanes = ALIGNED // dtype.nbytes if nbytes % ALIGNED == 0 else 1
    unit = lanes * dtype.nbytes
    count = nbytes // unit
    with e.when(e.and_(needed, e.compare("lt", number, count))):
        at = e.mul(number, lanes)
        if isinstance(x, Var):
            value = e.load(e.offset(found[x], at, dtype), dtype, lanes, align=unit)
        else:
            value = e.const(x.value.item(), dtype, lanes)
        e.store(e.offset(found[out], at, dtype), value, align=unit)
    return f.finish(-(-count // THREADS))
