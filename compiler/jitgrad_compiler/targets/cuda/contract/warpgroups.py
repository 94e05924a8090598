"""Contractions of 16-bit numbers by warpgroups, where there is wgmma: tensor cores that read shared memory themselves.

A block has a tile of 128 rows and as many columns, or twice as many; either of its warpgroups has half of the rows. Of both
operands' tiles four stages lie in shared memory, in the order of the operand's own memory: one is multiplied, one may still be read
by the products before, and two are on their way. Sums stay in registers until all depth is done, then leave through shared memory,
side by side. Blocks go through bands of tiles, so that those that run at once read few different rows and columns.
"""

from __future__ import annotations

from ....ir.types import F32, I32, U8
from ....kernels.affine import Axis
from ....kernels.expression import Load, Node
from ....kernels.kernel import Contraction, Kernel
from ....kernels.tuning import Gpu
from ...llvm_text import Module, Reg
from ..device import THREADS, WARP, Threads
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch
from ..warpgroups import LINE, ROWS, STEPS, WIDTHS, Warpgroup, advance, descriptor, shared_place
from .kernel import ContractKernel, Cut, Extents, Place, in_shares, lie_together
from .tensor_cores import NAMES, PAD, Halves, TensorCoreKernel, narrow, suits

TOGETHER = 8
"""Elements that are copied at once: 16 bytes."""
DEPTH = 64
"""Steps of depth in a tile: a line, of an operand that lies along it."""
STAGES = 4
"""Tiles of an operand in shared memory."""
BAND = 16
"""Tiles of rows that blocks go through before they turn to the next tile of columns."""
TILE = 2 * ROWS


def cut_for_warpgroups(n: Extents, t: Gpu) -> Cut:
    """How a product is divided. A block fills a multiprocessor, so fewer are enough."""
    narrow, wide = WIDTHS
    enough = t.enough_blocks // 4
    columns = wide if n.columns > narrow and n.tiles(TILE, wide) >= enough else narrow
    return in_shares(n, TILE, columns, DEPTH, enough, t)


def large(rows: int, columns: int, depth: int, t: Gpu) -> bool:
    """Whether a product is large enough for warpgroups."""
    return t.warpgroups and min(rows, columns) >= t.warpgroup_side and depth >= t.tensor_depth


def copied(c: Contraction) -> bool:
    """Whether both operands are 16-bit numbers that lie in memory as in a tile."""
    return narrow(c.left).dtype == narrow(c.right).dtype and _lies(c.left, c.row, c) and _lies(c.right, c.column, c)


def _lies(node: Node, side: Axis, c: Contraction) -> bool:
    read = narrow(node)
    if not isinstance(read, Load) or read.guard is not None or read.dtype not in NAMES:
        return False
    along = c.depth if read.offset.factor(c.depth) == 1 else side
    return read.offset.factor(along) == 1 and lie_together([read], along, TOGETHER)


class WarpgroupKernel(TensorCoreKernel):
    """Emits one kernel."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        super().__init__(module, name, kernel, pointers, scratch)
        self.steps = DEPTH

    def _cut(self, t: Gpu) -> Cut:
        return cut_for_warpgroups(self.extents, t)

    def _walk(self, f: BlockFunction, down: Reg, across: Reg) -> tuple[Reg, Reg, Reg]:
        e = f.e
        matrix = e.mul(down, across)
        rest, tile = e.div(f.block, matrix), e.rem(f.block, matrix)
        band = e.mul(across, BAND)
        first = e.mul(e.div(tile, band), BAND)
        high = e.least(e.sub(down, first), BAND)
        tile = e.rem(tile, band)
        return rest, e.add(first, e.rem(tile, high)), e.div(tile, high)

    def _product(self) -> Phase:
        f = self._function(0)
        e, t, p = f.e, f.threads, self._begin(f)
        left = _Swizzled(self, p, self.operands[0], self.c.row, 0)
        right = _Swizzled(self, p, self.operands[1], self.c.column, left.bytes)
        group, majors = e.shr(p.thread, 7), left.major + right.major
        products = Warpgroup(e, t, NAMES[left.dtype], self.cut.columns)
        shared, stage = t.shared(), left.bytes + right.bytes

        def room(k: Reg) -> Reg:
            """Bytes before the tiles that begin at a step."""
            return e.mul(e.rem(e.div(e.sub(k, p.low), self.steps), STAGES), stage)

        def copy(k: Reg) -> None:
            for operand in (left, right):
                operand.copy(e.offset(shared, room(k), U8), k, p.high, t)
            t.end_copies()

        for n in range(STAGES - 2):
            copy(e.add(p.low, n * self.steps))
        with e.loop(p.low, p.high, self.steps) as k, p.x.scope():
            t.wait_for_copies()
            t.publish()
            t.barrier()
            products.begin()
            here = shared_place(t, shared, room(k))
            rows = e.convert(e.mul(group, ROWS * LINE), I32)
            a = descriptor(e, e.add(here, rows), left.major, DEPTH * LINE)
            b = descriptor(e, e.add(here, left.bytes), right.major, DEPTH * LINE)
            for n in range(DEPTH // STEPS):
                products.multiply(e.add(a, n * advance(left.major)), e.add(b, n * advance(right.major)), majors)
            products.end()
            copy(e.add(k, (STAGES - 2) * self.steps))
            products.wait_for_others()
        products.wait()
        t.end_copies()  # of none, so that all others are waited for
        t.wait_for_copies()
        t.barrier()
        self._finish(f, p, products)
        nbytes = max(STAGES * stage, TILE * (self.cut.columns + PAD) * 4)
        return f.finish(self._blocks(self.cut.rows, self.cut.columns), nbytes)

    def _finish(self, f: BlockFunction, p: Place, products: Warpgroup) -> None:
        """The sums, through shared memory."""
        e, lanes, stride = f.e, self._store_lanes(), self.cut.columns + PAD
        shared = f.threads.shared()
        warp, lane = e.shr(p.thread, 5), e.and_(p.thread, WARP - 1)
        row, column = e.add(e.mul(warp, 16), e.shr(lane, 2)), e.mul(e.and_(lane, 3), 2)
        own = e.offset(shared, e.add(e.mul(row, stride), column), F32)
        for n in range(0, products.count, 2):
            both = e.poison(F32, 2)
            for odd in (0, 1):
                both = e.insert(both, products.sum(n + odd), odd)
            e.store(e.offset(own, n // 2 % 2 * 8 * stride + n // 4 * 8, F32), both, align=8)
        f.threads.barrier()
        per = self.cut.columns // lanes
        with e.loop(0, TILE * per, THREADS) as first, p.x.scope():
            number = e.add(first, p.thread)
            line, column = e.div(number, per), e.mul(e.rem(number, per), lanes)
            value = e.load(e.offset(shared, e.add(e.mul(line, stride), column), F32), F32, lanes, align=4 * lanes)
            where, column = e.add(p.first_row, line), e.add(p.first_column, column)
            inside = self._inside(f, where, p.sizes.rows, self.c.row, self.cut.rows)
            across = self._inside(f, column, p.sizes.columns, self.c.column, self.cut.columns)
            with e.when(e.and_(inside, across)), p.x.scope():
                self._write(f, p, value, where, column)


class _Swizzled(Halves):
    """An operand's tile in the order that wgmma reads: along depth a line each of the side, else 64 of the side to each step."""

    def __init__(self, kernel: TensorCoreKernel, p: Place, node: Node, axis: Axis, place: int) -> None:
        super().__init__(kernel, p, node, axis, place, p.thread, p.thread)
        assert self.direct
        e = self.x.e
        self.bytes = self.side * LINE
        self.major = "k" if self.along_depth else "m"
        self.per = (DEPTH if self.along_depth else self.side) // TOGETHER
        """Copies of 16 bytes that a row of threads makes at once."""
        line, piece = e.div(p.thread, self.per), e.rem(p.thread, self.per)
        swizzled = e.mul(e.xor(e.and_(piece, 7), e.and_(line, 7)), 16)
        self.own = e.add(e.add(e.mul(line, LINE), swizzled), e.mul(e.shr(piece, 3), DEPTH * LINE))
        self.line, self.piece = line, piece

    def _at(self, number: int) -> tuple[Reg, Reg]:
        e = self.x.e
        line, piece = e.add(self.line, number * (THREADS // self.per)), e.mul(self.piece, TOGETHER)
        return (line, piece) if self.along_depth else (piece, line)

    def copy(self, room: Reg, k: Reg, high: Reg, threads: Threads) -> None:
        """This thread's elements of the steps from k on, on their way into shared memory."""
        e, x, node = self.x.e, self.x, self.node
        assert isinstance(node, Load)
        own = e.offset(self.base(room), self.own, U8)
        for number, inside in self._units(k, high):
            source = e.offset(x.pointers[node.source], x.scalar_index(node.offset), self.dtype)
            threads.copy(e.offset(own, number * (THREADS // self.per) * LINE, U8), source, inside)


def emit_contraction(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """A contraction, by what suits it."""
    c, t = kernel.contraction, module.tuning.gpu
    assert c is not None
    kind: type[ContractKernel] = TensorCoreKernel if suits(c, t) else ContractKernel
    if large(c.row.extent, c.column.extent, c.depth.extent, t) and copied(c):
        kind = WarpgroupKernel
    return kind(module, name, kernel, pointers, scratch).emit()
