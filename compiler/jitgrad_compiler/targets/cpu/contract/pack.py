"""Packing: copies of blocks of A and panels of B, laid out as the micro-kernel reads them.

In: a hook that loads vectors of an operand along one of its indices, with whatever is fused into it. Out: loops in the
current function that fill scratch memory. Next on the path: the micro-kernel in `tile.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ....ir.types import I64, DType
from ...emitter import Emitter, Reg

Load = Callable[[Reg, Reg, "Reg | None"], Reg]
"""(row, column, mask) -> a vector of the operand from that element on, along the index it is read fastest."""

Address = Callable[[Reg, Reg], Reg]
"""(row, column) -> where that element lies."""


def transpose(e: Emitter, rows: Sequence[Reg]) -> list[Reg]:
    """A square of 64-byte vectors transposed in registers, in shuffles that are one instruction each on x86.

    Squares within the 128-bit lanes first, by unpacking pairs; then the four lanes of four vectors are exchanged whole.
    """
    width, type = rows[0].width, rows[0].type
    small = 128 // type.bits

    def pick(a: Reg, b: Reg, within: Sequence[int]) -> Reg:
        """The same choice in every 128-bit lane; positions from `small` on are b's."""
        return e.shuffle(a, b, [lane + p % small + (width if p >= small else 0) for lane in range(0, width, small) for p in within])

    def exchange(a: Reg, b: Reg, lanes: Sequence[int]) -> Reg:
        """Whole 128-bit lanes; from 4 on b's."""
        return e.shuffle(a, b, [lane * small + p for lane in lanes for p in range(small)])

    groups: list[list[Reg]] = []
    for first in range(0, width, small):
        r = rows[first : first + small]
        if small == 2:
            groups.append([pick(r[0], r[1], (0, 2)), pick(r[0], r[1], (1, 3))])
            continue
        low01, high01 = pick(r[0], r[1], (0, 4, 1, 5)), pick(r[0], r[1], (2, 6, 3, 7))
        low23, high23 = pick(r[2], r[3], (0, 4, 1, 5)), pick(r[2], r[3], (2, 6, 3, 7))
        groups.append([pick(a, b, half) for a, b in ((low01, low23), (high01, high23)) for half in ((0, 1, 4, 5), (2, 3, 6, 7))])

    columns: list[list[Reg]] = [[], [], [], []]
    for t in range(small):
        for half, lanes in enumerate(((0, 1, 4, 5), (2, 3, 6, 7))):
            upper, lower = exchange(groups[0][t], groups[1][t], lanes), exchange(groups[2][t], groups[3][t], lanes)
            columns[2 * half].append(exchange(upper, lower, (0, 2, 4, 6)))
            columns[2 * half + 1].append(exchange(upper, lower, (1, 3, 5, 7)))
    return [column for lane in columns for column in lane]


def below(e: Emitter, first: Reg, lanes: int, stop: Reg | int) -> Reg:
    """The mask of those of `lanes` consecutive indices that are below `stop`."""
    return e.compare("lt", e.add(e.lane_ids(I64, lanes), first), stop)


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


def pack_transposed(e: Emitter, load: Load, target: Reg, block: Block, width: int, ragged: bool, fused: bool) -> None:
    """A panel of B that is read along k, `width` columns wide: squares go through registers.

    Columns from `stop` on repeat the last one; the panel's rows are filled up to a multiple of the lanes. A hook with something
    `fused` into it is emitted once and fills a square on the stack, a plain one is called for every row of the square.
    """
    k, lanes, dtype = block.k, block.lanes, block.dtype
    square = e.alloca(dtype, lanes, lanes) if fused else None
    with e.loop(k[0], k[1], lanes) as at, e.loop(0, width, lanes) as across:
        mask = below(e, at, lanes, k[1]) if ragged else None
        column = e.add(block.first, across)

        def row(offset: Reg | int) -> Reg:
            j = e.add(column, offset)
            inside = j if block.stop % width == 0 else e.select(e.compare("lt", j, block.stop), j, block.stop - 1)
            return load(at, inside, mask)

        if square is None:
            rows = [row(r) for r in range(lanes)]
        else:
            with e.loop(0, lanes) as index:
                e.store(e.offset(square, e.mul(index, lanes), dtype), row(index))
            rows = [e.load(e.offset(square, r * lanes, dtype), dtype, lanes) for r in range(lanes)]
        out = e.offset(target, e.add(e.mul(e.sub(at, k[0]), width), across), dtype)
        for r, vector in enumerate(transpose(e, rows)):
            e.store(e.offset(out, r * width, dtype), vector)
