"""Contractions on a GPU, by multiply-adds: a block computes a tile of the result, a thread some of its rows and columns.

Both operands' expressions are computed once an element and step of depth, on their way into shared memory: whatever fused into them
costs no memory of its own. While a step is multiplied the next one's elements are on their way into registers. What is fused behind
the product is computed from the registers that hold it. Deep sums go in blocks of depth, whose sums are added by themselves; where
tiles are few, several blocks share one's depth, and a second phase adds their shares in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....ir.graph import Var
from ....ir.types import BOOL, U8
from ....kernels.affine import Axis
from ....kernels.expression import Contracted, Load, Node, walk
from ....kernels.kernel import Kernel
from ....kernels.memory import aligned
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


@dataclass
class Place:
    """What a block computes: a tile of a batch from its first row and column on, over steps of depth from `low` to `high`."""

    x: ThreadExpressions
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
        c, t = self.c, module.tuning.gpu
        self.batch, self.rows, self.columns, self.depth = (a.extent for a in (c.batch, c.row, c.column, c.depth))
        self.dtype = c.dtype
        self.tile_rows, self.tile_columns = self._tile()
        self.tall, self.wide = self.tile_rows // SIDE, self.tile_columns // SIDE
        self.tiles = self._tiles(self.tile_rows, self.tile_columns)
        steps = -(-self.depth // self.steps)
        wanted = min(-(-t.enough_blocks // 2 // max(self.tiles, 1)), self.depth // t.thread_share, 64)
        self.shares = max(1, wanted)
        self.share = -(-steps // self.shares) * self.steps
        self.shares = max(1, -(-self.depth // max(self.share, 1)))
        self.outputs = self.batch * self.rows * self.columns

    def _tile(self) -> tuple[int, int]:
        """Rows and columns of the result that a block computes."""
        return SIDE * self._per_thread(self.rows), SIDE * self._per_thread(self.columns)

    def _tiles(self, rows: int, columns: int) -> int:
        return self.batch * -(-self.rows // rows) * -(-self.columns // columns)

    def _per_thread(self, extent: int) -> int:
        return 2 * TOGETHER if extent >= 2 * SIDE * 2 * TOGETHER and self.dtype.nbytes <= 4 else TOGETHER

    def emit(self) -> Emitted:
        if not self.outputs:
            return Emitted([])
        if self.shares == 1:
            return Emitted([self._product()])
        nbytes = aligned(self.shares * self.outputs * self.dtype.nbytes)
        return Emitted([self._product(), self._add_shares()], nbytes)

    def _start(self, f: BlockFunction, roots: Sequence[Node]) -> ThreadExpressions:
        x = ThreadExpressions(f.e, 1)
        x.pointers = self.pointers(f.e, f.table, [n.source for n in walk(roots) if isinstance(n, Load)])
        return x

    # -- tiles

    def _begin(self, f: BlockFunction) -> Place:
        c, kernel, e = self.c, self.kernel, f.e
        stores = [] if self.shares > 1 else [s.node for s in kernel.stores]
        x = self._start(f, [c.left, c.right, *stores])
        targets = self.pointers(e, f.table, [s.target for s in kernel.stores]) if self.shares == 1 else {}
        across, down = -(-self.columns // self.tile_columns), -(-self.rows // self.tile_rows)
        tile, column_tile = e.div(f.block, across), e.rem(f.block, across)
        tile, row_tile = e.div(tile, down), e.rem(tile, down)
        share, batch = e.div(tile, self.batch), e.rem(tile, self.batch)
        first_row, first_column = e.mul(row_tile, self.tile_rows), e.mul(column_tile, self.tile_columns)
        x.axis_values[c.batch] = batch
        low = e.mul(share, self.share)
        high = e.least(e.add(low, self.share), self.depth)
        return Place(x, targets, batch, share, first_row, first_column, low, high, f.threads.thread())

    def _product(self) -> Phase:
        c = self.c
        f = BlockFunction(self.module, f"{self.name}_0")
        e, t, p = f.e, f.threads, self._begin(f)
        x, low, high = p.x, p.low, p.high
        left = Operand(self, p, c.left, c.row, 0)
        right = Operand(self, p, c.right, c.column, left.bytes)
        deep = min(self.share, self.depth) > DEEP and self.dtype.is_float
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
                with e.when(self._inside(f, row, self.rows, self.tile_rows)), x.scope():
                    self._write_row(f, p, totals[group * TOGETHER + i], row, z)
        blocks = self.tiles * self.shares
        return f.finish(blocks, left.bytes + right.bytes)

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

    def _inside(self, f: BlockFunction, place: Reg, extent: int, tile: int) -> Reg:
        return f.e.const(True, BOOL) if extent % tile == 0 else f.e.compare("lt", place, extent)

    def _write_row(self, f: BlockFunction, p: Place, slots: list[Reg], row: Reg, z: Reg) -> None:
        e, lanes = f.e, self._store_lanes()
        for group in range(self.wide // TOGETHER):
            for j in range(0, TOGETHER, lanes):
                column = e.add(p.first_column, e.add(e.mul(z, TOGETHER), group * SIDE * TOGETHER + j))
                value = e.poison(self.dtype, lanes)
                for lane in range(lanes):
                    value = e.insert(value, e.get(slots[group * TOGETHER + j + lane], self.dtype), lane)
                with e.when(self._inside(f, column, self.columns, self.tile_columns)), p.x.scope():
                    self._write(f, p, value, row, column)

    def _write(self, f: BlockFunction, p: Place, value: Reg, row: Reg, column: Reg) -> None:
        """Finish elements that lie side by side, or leave them in the scratch memory as a share's."""
        e, c, x, lanes = f.e, self.c, p.x, value.width
        if self.shares > 1:
            room = self.scratch(e, f.table)
            place = e.add(e.mul(e.add(e.mul(e.add(e.mul(p.share, self.batch), p.batch), self.rows), row), self.columns), column)
            e.store(e.offset(room, place, self.dtype), value, align=lanes * self.dtype.nbytes)
            return
        x.axis_values[c.row], x.axis_values[c.column] = row, column
        x.width, x.vector_axis = lanes, c.column if lanes > 1 else None
        self._epilogue(x, value, p.targets)
        x.vector_axis, x.width = None, 1

    def _store_lanes(self) -> int:
        """Columns that are stored at once."""
        if self.shares > 1:
            return TOGETHER if self.columns % TOGETHER == 0 and self.dtype.nbytes == 4 else 1
        stores = self.kernel.stores
        widest = max(s.target.type.dtype.nbytes for s in stores)
        whole = all(s.offset.factor(self.c.column) == 1 for s in stores)
        lanes = min(TOGETHER, ALIGNED // max(widest, self.dtype.nbytes)) if whole else 1
        return lanes if self.columns % lanes == 0 and all(lies_in_vectors(s.target, lanes) for s in stores) else 1

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
        f = BlockFunction(self.module, f"{self.name}_1")
        e = f.e
        x = self._start(f, [s.node for s in kernel.stores])
        targets = self.pointers(e, f.table, [s.target for s in kernel.stores])
        number = e.add(e.mul(f.block, THREADS), f.threads.thread())
        room = self.scratch(e, f.table)
        with e.when(self._inside(f, number, self.outputs, THREADS)), x.scope():
            decomposed(x, number, [c.batch, c.row, c.column])
            total = e.load(e.offset(room, number, self.dtype), self.dtype)
            for share in range(1, self.shares):
                place = e.add(number, share * self.outputs)
                total = e.add(total, e.load(e.offset(room, place, self.dtype), self.dtype))
            self._epilogue(x, total, targets)
        return f.finish(-(-self.outputs // THREADS))


class Operand:
    """One side of the product: how its elements come into shared memory, `side` of them to each step of depth."""

    together = TOGETHER
    """Elements that a thread fetches at once, where they lie side by side."""

    def __init__(self, kernel: ContractKernel, p: Place, node: Node, axis: Axis, place: int) -> None:
        self.kernel, self.x, self.node, self.axis, self.thread, self.place = kernel, p.x, node, axis, p.thread, place
        self.dtype, self.extent, self.steps = node.dtype, axis.extent, kernel.steps
        if axis is kernel.c.row:
            self.first, self.side = p.first_row, kernel.tile_rows
        else:
            self.first, self.side = p.first_column, kernel.tile_columns
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

    def _loads(self) -> list[Load]:
        return [n for n in walk([self.node]) if isinstance(n, Load)]

    def _contiguous(self, axis: Axis) -> int:
        return sum(n.offset.factor(axis) == 1 for n in self._loads())

    def _lanes(self, along: Axis) -> int:
        loads, most = self._loads(), self.together
        whole = all(n.offset.factor(along) in (0, 1) and n.offset.is_multiple(along, most) for n in loads)
        whole = whole and all(lies_in_vectors(n.source, most) for n in loads if n.offset.factor(along) == 1)
        lanes = self.together if whole and along.extent % self.together == 0 and self.dtype.nbytes <= 4 else 1
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
        for number in range(self.count):
            side, step = self._at(number)
            where, depth = e.add(self.first, side), e.add(k, step)
            inside = e.compare("lt", depth, high)
            if self.extent % self.side:
                inside = e.and_(inside, e.compare("lt", where, self.extent))
            last, last_depth = self.extent - 1, self.kernel.depth - 1
            if self.along_depth:
                last_depth = self.kernel.depth - self.lanes
            else:
                last = self.extent - self.lanes
            with x.scope():
                x.axis_values[self.axis] = e.least(where, last) if self.extent % self.side else where
                x.axis_values[c.depth] = e.least(depth, last_depth)
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
