"""Packing: copies of blocks of A and panels of B, laid out as the micro-kernel reads them.

In: a hook that loads vectors of an operand along one of its indices, with whatever is fused into it. Out: loops in the
current function that fill scratch memory. Next on the path: the micro-kernel in `tile.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ....ir.types import I64, DType
from ...emitter import Emitter
from ...llvm_text import Reg
from ..transpose import emit_transpose

Load = Callable[[Reg, Reg, "Reg | None"], Reg]
"""(row, column, mask) -> a vector of the operand from that element on, along the index it is read fastest."""

Address = Callable[[Reg, Reg], Reg]
"""(row, column) -> where that element lies."""


def below(e: Emitter, first: Reg, lanes: int, stop: Reg | int) -> Reg:
    """The mask of those of `lanes` consecutive indices that are below `stop`."""
    return e.lanes_below(e.sub(stop, first), lanes)


class Block(NamedTuple):
    """What is packed: from k[0] to k[1] by indices from `first` on, of an operand that ends at `stop`."""

    k: tuple[Reg, Reg]
    first: Reg
    stop: int
    dtype: DType
    lanes: int


def pack_rows(e: Emitter, load: Load, target: Reg, block: Block, last: Reg, row_stride: int, ragged: bool) -> None:
    """Rows of A from `first` to `last` that are read along k: side by side, `row_stride` apart.

    `ragged` where K is no multiple of the lanes, so that the end is masked.
    """
    k, lanes, dtype = block.k, block.lanes, block.dtype
    with e.loop(block.first, last) as i:
        row = e.offset(target, e.mul(e.sub(i, block.first), row_stride), dtype)
        with e.loop(k[0], k[1], lanes) as at:
            mask = below(e, at, lanes, k[1]) if ragged else None
            e.store(e.offset(row, e.sub(at, k[0]), dtype), load(i, at, mask))


def pack_strips(e: Emitter, load: Load, target: Reg, block: Block, width: int, ragged: bool, address: Address | None) -> None:
    """`width` elements for each k: a strip of A that is read along m, or a panel of B that is read along n.

    `ragged` where it may reach beyond the operand, so that the end is masked. Rows are far apart in memory, which no hardware
    foresees: where their `address` is known they are asked for in time.
    """
    k, lanes, dtype = block.k, block.lanes, block.dtype
    offsets = [e.add(block.first, v * lanes) for v in range(width // lanes)]
    masks = [below(e, o, lanes, block.stop) if ragged else None for o in offsets]
    with e.loop(k[0], k[1]) as at:
        row = e.offset(target, e.mul(e.sub(at, k[0]), width), dtype)
        for v, (index, mask) in enumerate(zip(offsets, masks, strict=True)):
            if address:
                e.prefetch(address(e.add(at, e.module.tuning.contraction.rows_ahead), index))
            e.store(e.offset(row, v * lanes, dtype), load(at, index, mask))


def pack_transposed(
    e: Emitter, load: Load, target: Reg, block: Block, width: int, ragged: bool, lies: tuple[Address, int] | None
) -> None:
    """A panel of B that is read along k, `width` columns wide: squares go through registers.

    Columns from `stop` on repeat the last one; the panel's rows are filled up to a multiple of the lanes. `lies` says where
    elements are, and how far apart columns, if they lie evenly in memory: whole squares are read there, others filled on the stack.
    """
    k, lanes, dtype = block.k, block.lanes, block.dtype
    transpose = emit_transpose(e.module, dtype, lanes)
    in_place = lies if not ragged and block.stop % width == 0 else None
    square = None if in_place else e.alloca(dtype, lanes, lanes)
    with e.loop(k[0], k[1], lanes) as at, e.loop(0, width, lanes) as across:
        column = e.add(block.first, across)
        if in_place:
            address, apart = in_place
            rows = address(at, column)
        else:
            assert square is not None
            rows, apart = square, lanes
            mask = below(e, at, lanes, k[1]) if ragged else None
            with e.loop(0, lanes) as index:
                j = e.add(column, index)
                inside = j if block.stop % width == 0 else e.select(e.compare("lt", j, block.stop), j, block.stop - 1)
                e.store(e.offset(square, e.mul(index, lanes), dtype), load(at, inside, mask))
        out = e.offset(target, e.add(e.mul(e.sub(at, k[0]), width), across), dtype)
        e.call(transpose, None, rows, e.const(apart, I64), out, e.const(width, I64))
