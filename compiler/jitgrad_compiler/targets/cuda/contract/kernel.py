"""Contractions on a GPU, by multiply-adds: a block computes a tile of the result, a thread some of its rows and columns.

Both operands' expressions are computed once an element and step of depth, on their way into shared memory: whatever fused into them
costs no memory of its own. While a step is multiplied the next one's elements are on their way into registers. What is fused behind
the product is computed from the registers that hold it. Deep sums go in blocks of depth, whose sums are added by themselves; where
tiles are few, several blocks share one's depth, and a second phase adds their shares in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ....ir.graph import Var
from ....ir.types import BOOL, I64, U8
from ....kernels.affine import Axis
from ....kernels.expression import Contracted, Load, Node, walk
from ....kernels.kernel import Kernel
from ....kernels.memory import aligned
from ....kernels.tuning import Gpu
from ...llvm_text import Module, Reg
from ..device import THREADS
from ..expressions import ALIGNED, ThreadExpressions, decomposed, lies_in_vectors
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch

SIDE = 16
"""Threads along either side of a tile."""
TOGETHER = 4
"""Rows, or columns, of a thread that lie side by side."""
STEPS = 16
"""Of depth that lie in shared memory."""
PAD = 4
"""Elements between rows in shared memory, so that columns lie in other banks."""
DEEP = 512
"""Steps of depth that one running value adds."""


class Extents(NamedTuple):
    """The sizes of a product."""

    batch: int
    rows: int
    columns: int
    depth: int

    def tiles(self, rows: int, columns: int) -> int:
        """How many blocks of so many rows and columns the results are."""
        return self.batch * -(-self.rows // rows) * -(-self.columns // columns)


class Cut(NamedTuple):
    """How a product is divided: the rows and columns of a block's tile, and the shares of the depth, of so many steps each."""

    rows: int
    columns: int
    shares: int
    share: int


def in_shares(n: Extents, rows: int, columns: int, steps: int, blocks: int, t: Gpu) -> Cut:
    """Tiles of a size, and so many shares of the depth that blocks are enough."""
    wanted = min(-(-blocks // max(n.tiles(rows, columns), 1)), n.depth // t.thread_share, 64)
    turns = -(-n.depth // steps)
    share = -(-turns // max(1, wanted)) * steps
    return Cut(rows, columns, max(1, -(-n.depth // max(share, 1))), share)


def cut_for_fma(n: Extents, nbytes: int, t: Gpu) -> Cut:
    """How multiply-adds of numbers of so many bytes are divided."""

    def side(extent: int) -> int:
        return SIDE * (2 * TOGETHER if extent >= 2 * SIDE * 2 * TOGETHER and nbytes <= 4 else TOGETHER)

    return in_shares(n, side(n.rows), side(n.columns), STEPS, t.enough_blocks // 2, t)


def lie_together(reads: list[Load], along: Axis, count: int) -> bool:
    """Whether elements along an axis lie side by side in memory, so many from each multiple of their number on."""
    steps = [n.offset.factor(along, count) for n in reads]
    whole = all(s in (0, 1) and n.offset.is_multiple(along, count) for n, s in zip(reads, steps, strict=True))
    return (
        along.extent % count == 0
        and whole
        and all(not s or lies_in_vectors(n.source, count) for n, s in zip(reads, steps, strict=True))
    )


class Sizes(NamedTuple):
    """What a block is told of the product, or knows."""

    batch: Reg
    rows: Reg
    columns: Reg
    depth: Reg
    shares: Reg
    share: Reg


@dataclass
class Place:
    """What a block computes: a tile of a batch from its first row and column on, over steps of depth from `low` to `high`."""

    x: ThreadExpressions
    sizes: Sizes
    targets: dict[Var, Reg]
    batch: Reg
    share: Reg
    first_row: Reg
    first_column: Reg
    low: Reg
    high: Reg
    thread: Reg


class ContractKernel:
    """Emits one kernel."""

    steps = STEPS

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        assert kernel.contraction is not None
        self.module, self.name, self.kernel, self.c = module, name, kernel, kernel.contraction
        self.pointers, self.scratch = pointers, scratch
        c = self.c
        self.dtype, self.extents = c.dtype, Extents(c.batch.extent, c.row.extent, c.column.extent, c.depth.extent)
        self.cut = self._cut(module.tuning.gpu)
        self.tall, self.wide = self.cut.rows // SIDE, self.cut.columns // SIDE
        self.split = self.cut.shares > 1
        self.deep = min(self.cut.share, self.extents.depth) > DEEP and self.dtype.is_float
        self.outputs = self.extents.batch * self.extents.rows * self.extents.columns

    def _cut(self, t: Gpu) -> Cut:
        return cut_for_fma(self.extents, self.dtype.nbytes, t)

    # -- what is known of the sizes

    def _sizes(self, f: BlockFunction) -> Sizes:
        return Sizes(*[f.e.const(n, I64) for n in (*self.extents, self.cut.shares, self.cut.share)])

    def is_multiple(self, axis: Axis, by: int) -> bool:
        """Whether an axis is known to be as long as a multiple of something."""
        return axis.extent % by == 0

    def lies_together(self, operand: Operand, along: Axis, count: int) -> bool:
        """Whether an operand's elements lie so."""
        return lie_together(operand.loads(), along, count)

    def locate(self, p: Place, operand: Operand, side: Reg, depth: Reg) -> None:
        """Say where an operand's element lies, where its index doesn't."""

    def locate_result(self, x: ThreadExpressions, number: Reg) -> None:
        """The same of the result with a number."""

    def _blocks(self, rows: int, columns: int) -> int:
        return self.extents.tiles(rows, columns) * self.cut.shares

    def emit(self) -> Emitted:
        if not self.outputs:
            return Emitted([])
        if not self.split:
            return Emitted([self._product()])
        nbytes = aligned(self.cut.shares * self.outputs * self.dtype.nbytes)
        return Emitted([self._product(), self._add_shares()], nbytes)

    def _function(self, number: int) -> BlockFunction:
        return BlockFunction(self.module, f"{self.name}_{number}")

    def _start(self, f: BlockFunction, roots: Sequence[Node]) -> ThreadExpressions:
        x = ThreadExpressions(f.e, 1)
        x.pointers = self.pointers(f.e, f.table, [n.source for n in walk(roots) if isinstance(n, Load)])
        return x

    # -- tiles

    def _begin(self, f: BlockFunction) -> Place:
        c, kernel, e, n = self.c, self.kernel, f.e, self._sizes(f)
        stores = [] if self.split else [s.node for s in kernel.stores]
        x = self._start(f, [c.left, c.right, *stores])
        targets = {} if self.split else self.pointers(e, f.table, [s.target for s in kernel.stores])
        across, down = (
            e.div(e.add(extent, tile - 1), tile) for extent, tile in ((n.columns, self.cut.columns), (n.rows, self.cut.rows))
        )
        tile, row_tile, column_tile = self._walk(f, down, across)
        share, batch = e.div(tile, n.batch), e.rem(tile, n.batch)
        first_row, first_column = e.mul(row_tile, self.cut.rows), e.mul(column_tile, self.cut.columns)
        x.axis_values[c.batch] = batch
        low = e.mul(share, n.share)
        high = e.least(e.add(low, n.share), n.depth)
        return Place(x, n, targets, batch, share, first_row, first_column, low, high, f.threads.thread())

    def _walk(self, f: BlockFunction, down: Reg, across: Reg) -> tuple[Reg, Reg, Reg]:
        """(matrix, row and column of tiles) of the block's tile."""
        e = f.e
        rest, column = e.div(f.block, across), e.rem(f.block, across)
        return e.div(rest, down), e.rem(rest, down), column

    def _product(self) -> Phase:
        c = self.c
        f = self._function(0)
        e, t, p = f.e, f.threads, self._begin(f)
        x, low, high = p.x, p.low, p.high
        left = Operand(self, p, c.left, c.row, 0)
        right = Operand(self, p, c.right, c.column, left.bytes)
        deep = self.deep
        sums = self._zeros(f, self.tall, self.wide)
        totals = self._zeros(f, self.tall, self.wide) if deep else sums
        y, z = e.div(p.thread, SIDE), e.rem(p.thread, SIDE)
        left.fetch(low, high)
        right.fetch(low, high)
        with e.loop(low, high, STEPS) as k, x.scope():
            left.deposit(t.shared())
            right.deposit(t.shared())
            t.barrier()
            following = e.add(k, STEPS)
            left.fetch(following, high)
            right.fetch(following, high)
            with e.loop(0, STEPS) as step:
                a, b = left.read(t.shared(), step, y), right.read(t.shared(), step, z)
                for i, m in enumerate(a):
                    for j, n in enumerate(b):
                        slot = sums[i][j]
                        held = e.get(slot, self.dtype)
                        e.set(slot, e.fma(m, n, held) if self.dtype.is_float else e.add(held, e.mul(m, n)))
            t.barrier()
            if deep:
                self._close(f, sums, totals, e.compare("eq", e.rem(e.sub(following, low), DEEP), 0))
        if deep:
            self._close(f, sums, totals, e.const(True, BOOL))
        for group in range(self.tall // TOGETHER):
            for i in range(TOGETHER):
                row = e.add(p.first_row, e.add(e.mul(y, TOGETHER), group * SIDE * TOGETHER + i))
                with e.when(self._inside(f, row, p.sizes.rows, c.row, self.cut.rows)), x.scope():
                    self._write_row(f, p, totals[group * TOGETHER + i], row, z)
        return f.finish(self._blocks(self.cut.rows, self.cut.columns), left.bytes + right.bytes)

    def _zeros(self, f: BlockFunction, down: int, across: int, width: int = 1) -> list[list[Reg]]:
        """What a thread adds up: numbers, or vectors of `width`."""
        e = f.e
        slots = [[e.alloca(self.dtype, width) for _ in range(across)] for _ in range(down)]
        for row in slots:
            for slot in row:
                e.set(slot, e.const(0, self.dtype, width))
        return slots

    def _close(self, f: BlockFunction, sums: list[list[Reg]], totals: list[list[Reg]], ends: Reg) -> None:
        """The end of a block of depth: its sums join the totals."""
        e = f.e
        with e.when(ends):
            for some, all in zip(sums, totals, strict=True):
                for slot, total in zip(some, all, strict=True):
                    e.set(total, e.add(e.get(total, self.dtype), e.get(slot, self.dtype)))
                    e.set(slot, e.const(0, self.dtype))

    def _inside(self, f: BlockFunction, place: Reg, extent: Reg, axis: Axis, tile: int) -> Reg:
        return f.e.const(True, BOOL) if self.is_multiple(axis, tile) else f.e.compare("lt", place, extent)

    def _write_row(self, f: BlockFunction, p: Place, slots: list[Reg], row: Reg, z: Reg) -> None:
        e, lanes = f.e, self._store_lanes()
        for group in range(self.wide // TOGETHER):
            for j in range(0, TOGETHER, lanes):
                column = e.add(p.first_column, e.add(e.mul(z, TOGETHER), group * SIDE * TOGETHER + j))
                value = e.poison(self.dtype, lanes)
                for lane in range(lanes):
                    value = e.insert(value, e.get(slots[group * TOGETHER + j + lane], self.dtype), lane)
                with e.when(self._inside(f, column, p.sizes.columns, self.c.column, self.cut.columns)), p.x.scope():
                    self._write(f, p, value, row, column)

    def _write(self, f: BlockFunction, p: Place, value: Reg, row: Reg, column: Reg) -> None:
        """Finish elements that lie side by side, or leave them in the scratch memory as a share's."""
        e, c, x, n, lanes = f.e, self.c, p.x, p.sizes, value.width
        batch = e.add(e.mul(p.share, n.batch), p.batch) if self.split else p.batch
        number = e.add(e.mul(e.add(e.mul(batch, n.rows), row), n.columns), column)
        if self.split:
            e.store(e.offset(self.scratch(e, f.table), number, self.dtype), value, align=lanes * self.dtype.nbytes)
            return
        x.axis_values[c.row], x.axis_values[c.column] = row, column
        self.locate_result(x, number)
        x.width, x.vector_axis = lanes, c.column if lanes > 1 else None
        self._epilogue(x, value, p.targets)
        x.vector_axis, x.width = None, 1

    def _store_lanes(self) -> int:
        """Columns that are stored at once."""
        if self.split:
            return TOGETHER if self.is_multiple(self.c.column, TOGETHER) and self.dtype.nbytes == 4 else 1
        stores = self.kernel.stores
        widest = max(s.target.type.dtype.nbytes for s in stores)
        whole = all(s.offset.factor(self.c.column) == 1 for s in stores)
        lanes = min(TOGETHER, ALIGNED // max(widest, self.dtype.nbytes)) if whole else 1
        together = self.is_multiple(self.c.column, lanes) and all(lies_in_vectors(s.target, lanes) for s in stores)
        return lanes if together else 1

    def _epilogue(self, x: ThreadExpressions, value: Reg, targets: dict[Var, Reg]) -> None:
        stores = self.kernel.stores
        for node in walk([s.node for s in stores]):
            if isinstance(node, Contracted):
                x.bind(node, value)
        values = [x.emit(s.node) for s in stores]
        for s, made in zip(stores, values, strict=True):
            x.store(targets[s.target], s.offset, made)

    # -- shares of depth, made one

    def _add_shares(self) -> Phase:
        c, kernel = self.c, self.kernel
        f = self._function(1)
        e, n = f.e, self._sizes(f)
        x = self._start(f, [s.node for s in kernel.stores])
        targets = self.pointers(e, f.table, [s.target for s in kernel.stores])
        number = e.add(e.mul(f.block, THREADS), f.threads.thread())
        room, outputs = self.scratch(e, f.table), e.mul(e.mul(n.batch, n.rows), n.columns)
        with e.when(e.compare("lt", number, outputs)), x.scope():
            total = e.alloca(self.dtype)
            e.set(total, e.load(e.offset(room, number, self.dtype), self.dtype))
            with e.loop(1, n.shares) as share:
                place = e.add(number, e.mul(share, outputs))
                e.set(total, e.add(e.get(total, self.dtype), e.load(e.offset(room, place, self.dtype), self.dtype)))
            decomposed(x, number, [c.batch, c.row, c.column])
            self.locate_result(x, number)
            self._epilogue(x, e.get(total, self.dtype), targets)
        return f.finish(-(-self.outputs // THREADS))


class Operand:
    """One side of the product: how its elements come into shared memory, `side` of them to each step of depth."""

    together = TOGETHER
    """Elements that a thread fetches at once, where they lie side by side."""

    def __init__(self, kernel: ContractKernel, p: Place, node: Node, axis: Axis, place: int) -> None:
        self.kernel, self.p, self.x, self.node, self.axis, self.thread, self.place = kernel, p, p.x, node, axis, p.thread, place
        self.dtype, self.steps = node.dtype, kernel.steps
        self.is_left = axis is kernel.c.row
        if self.is_left:
            self.first, self.side, self.extent = p.first_row, kernel.cut.rows, p.sizes.rows
        else:
            self.first, self.side, self.extent = p.first_column, kernel.cut.columns, p.sizes.columns
        depth = kernel.c.depth
        self.along_depth = self._contiguous(depth) > self._contiguous(axis)
        self.lanes = self._lanes(depth if self.along_depth else axis)
        self.count = self.side * self.steps // (THREADS * self.lanes)
        self.stride = self._stride()
        self.bytes = -(-self._elements() * self.dtype.nbytes // 128) * 128
        self.slots = [p.x.e.alloca(self.dtype, self.lanes) for _ in range(self.count)]

    def _stride(self) -> int:
        """Elements from one step of depth to the next in shared memory."""
        return self.side + PAD

    def _elements(self) -> int:
        return self.steps * self.stride

    def loads(self) -> list[Load]:
        """What it reads of memory."""
        return [n for n in walk([self.node]) if isinstance(n, Load)]

    def _contiguous(self, axis: Axis) -> int:
        return sum(n.offset.factor(axis, self.together) == 1 for n in self.loads())

    def _lanes(self, along: Axis) -> int:
        whole = self.dtype.nbytes <= 4 and self.kernel.lies_together(self, along, self.together)
        lanes = self.together if whole else 1
        return lanes if self.side * self.steps >= THREADS * lanes else 1

    def _at(self, number: int) -> tuple[Reg, Reg]:
        """(place along the side, step of depth) of the first of this thread's elements of a number."""
        e = self.x.e
        unit = e.add(self.thread, number * THREADS)
        if self.along_depth:
            per = self.steps // self.lanes
            return e.div(unit, per), e.mul(e.rem(unit, per), self.lanes)
        per = self.side // self.lanes
        return e.mul(e.rem(unit, per), self.lanes), e.div(unit, per)

    def fetch(self, k: Reg, high: Reg) -> None:
        """This thread's elements of the steps from k on, into registers; what lies outside is zero."""
        e, x = self.x.e, self.x
        for number, inside in self._units(k, high):
            x.width = self.lanes
            x.vector_axis = None if self.lanes == 1 else self.kernel.c.depth if self.along_depth else self.axis
            value = e.splat(x.emit(self.node), self.lanes)
            x.vector_axis, x.width = None, 1
            e.set(self.slots[number], e.select(inside, value, 0))

    def _units(self, k: Reg, high: Reg) -> Iterator[tuple[int, Reg]]:
        """(number, whether it is inside) of what the thread fetches at once; the axes are at its first element, or at the last."""
        e, x, c = self.x.e, self.x, self.kernel.c
        whole = self.kernel.is_multiple(self.axis, self.side)
        last = e.sub(self.extent, 1 if self.along_depth else self.lanes)
        last_depth = e.sub(self.p.sizes.depth, self.lanes if self.along_depth else 1)
        for number in range(self.count):
            side, step = self._at(number)
            where, depth = e.add(self.first, side), e.add(k, step)
            inside = e.compare("lt", depth, high)
            if not whole:
                inside = e.and_(inside, e.compare("lt", where, self.extent))
                where = e.least(where, last)
            depth = e.least(depth, last_depth)
            with x.scope():
                x.axis_values[self.axis], x.axis_values[c.depth] = where, depth
                self.kernel.locate(self.p, self, where, depth)
                yield number, inside

    def deposit(self, shared: Reg) -> None:
        """What was fetched, into shared memory: `side` elements of a step lie side by side."""
        e = self.x.e
        base = e.offset(shared, self.place, U8)
        for number, slot in enumerate(self.slots):
            side, step = self._at(number)
            value = e.get(slot, self.dtype, self.lanes)
            if self.along_depth:
                for lane in range(self.lanes):
                    place = e.add(e.mul(e.add(step, lane), self.stride), side)
                    e.store(e.offset(base, place, self.dtype), e.extract(value, lane))
            else:
                place = e.add(e.mul(step, self.stride), side)
                e.store(e.offset(base, place, self.dtype), value, align=self.lanes * self.dtype.nbytes)

    def read(self, shared: Reg, step: Reg, thread: Reg) -> list[Reg]:
        """What a thread multiplies at a step: its groups of elements that lie side by side."""
        e, out = self.x.e, list[Reg]()
        base = e.offset(shared, self.place, U8)
        for group in range(self.side // (SIDE * TOGETHER)):
            place = e.add(e.mul(step, self.stride), e.add(e.mul(thread, TOGETHER), group * SIDE * TOGETHER))
            value = e.load(
                e.offset(base, place, self.dtype), self.dtype, TOGETHER, align=min(ALIGNED, TOGETHER * self.dtype.nbytes)
            )
            out += [e.extract(value, lane) for lane in range(TOGETHER)]
        return out
