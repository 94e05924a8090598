"""The kernel of sort: operands ordered along an axis by the first one, stable, NaNs last, -0.0 equal to 0.0; and of top_k,
which is the beginning of a row sorted in decreasing order. Next: pairs.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import BOOL, U32, U64
from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ...tasks.sort_rows import Rows
from ..phases import BlockFunction, Emitted, Pointers, Scratch
from .pairs import PLACE_BITS, PairSort


def emit_sort(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The functions of sort or top_k. Elements become keys as on the CPU."""
    if not kernel.eqns[0].outputs[0].type.size:
        return Emitted([])
    rows = Rows(module, name, kernel, pointers, scratch)
    bits = 8 * rows.dtype.nbytes
    key = U32 if bits <= PLACE_BITS else U64

    def keys(f: BlockFunction) -> Callable[[Reg, Reg], Reg]:
        e, memory = f.e, pointers(f.e, f.table, [rows.operands[0]])
        return lambda row, i: e.convert(rows.load_key(e, memory, rows.at(e, rows.base(e, row), i)), key)

    def take(f: BlockFunction) -> Callable[[Reg, Reg, Reg, Reg], None]:
        e, memory = f.e, pointers(f.e, f.table, [*rows.operands, *rows.outputs])

        def move(row: Reg, number: Reg, key: Reg, place: Reg) -> None:
            with e.when(e.compare("lt", number, rows.kept) if rows.kept < rows.n else e.const(True, BOOL)):
                rows.taker(e, memory, row)(e.bitcast(e.convert(place, U64), number.type), number)

        return move

    pairs = PairSort(module, name, rows.count, rows.n, bits, keys, take, lambda f: scratch(f.e, f.table))
    phases = pairs.emit()
    return Emitted(phases, pairs.scratch_bytes)
