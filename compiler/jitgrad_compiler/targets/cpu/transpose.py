"""A square of elements transposed in registers, for contractions' operands (contract/pack.py) and maps (loops/squares.py)."""

from __future__ import annotations

from ...ir.types import I64, DType
from ..emitter import Emitter
from ..llvm_text import PTR, Module


def emit_transpose(module: Module, dtype: DType, lanes: int) -> str:
    """Emit `void name(ptr from, i64 apart, ptr to, i64 width)`, once for all kernels: a square of vectors that lie `apart`, in
    elements, goes transposed to rows that are `width` apart. All is read before any is written.

    Each step swaps a bit of the rows' numbers with one of the lanes'. Within 16 bytes it interleaves two rows' elements, from the
    highest bit down; then it puts 16 bytes of even number before those of odd number, from the lowest bit up: both are single
    instructions on x86. Each step is a block of its own: within one LLVM spends more time on looking for shuffles to join than on
    all else.
    """
    name, arguments = f"transpose_{dtype}x{lanes}", [("from", PTR), ("apart", I64), ("to", PTR), ("width", I64)]
    if not module.shares(name, arguments):
        return name
    e = Emitter(module, name, arguments, attributes="noinline nounwind")
    source, apart, target, width = e.args
    rows = []
    for _ in range(lanes):
        rows.append(e.load(source, dtype, lanes))
        source = e.offset(source, apart, dtype)
    small = min(128 // dtype.bits, lanes)
    mixed = [[b + n // 2 + n % 2 * lanes + half for b in range(0, lanes, small) for n in range(small)] for half in (0, small // 2)]
    parted = [[b + n for b in range(odd, 2 * lanes, 2 * small) for n in range(small)] for odd in (0, small)]
    bits = [1 << n for n in range(lanes.bit_length() - 1)]
    for bit in [*[b for b in reversed(bits) if b < small], *[b for b in bits if b >= small]]:
        block = e.fresh("step")
        e.branch(block)
        e.label(block)
        for n in range(lanes):
            if not n & bit:
                a, b = rows[n], rows[n + bit]
                rows[n], rows[n + bit] = (e.shuffle(a, b, order) for order in (mixed if bit < small else parted))
    for vector in rows:
        e.store(target, vector)
        target = e.offset(target, width, dtype)
    e.finish()
    return name
