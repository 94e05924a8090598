"""Contractions by warpgroups, where there is wgmma: tensor cores that read shared memory themselves.

They multiply 16-bit numbers, and float32 that may be rounded to TF32. A block has a tile of 128 rows and as many columns, or twice
as many; either of its warpgroups has half of the rows. Operands that lie in memory as in a tile are copied there, in four stages:
one is multiplied, one may still be read by the products before, and two are on their way. Others come through registers, in three
stages. Sums stay in registers until all depth is done, then leave through shared memory, side by side. Blocks go through bands of
tiles, so that those that run at once read few different rows and columns.
"""

from __future__ import annotations

from ....ir.types import F32, I32, U8, DType
from ....kernels.affine import Axis
from ....kernels.expression import Load, Node
from ....kernels.kernel import Contraction, Kernel
from ....kernels.tuning import Gpu
from ...llvm_text import Module, Reg
from ..device import THREADS, WARP, Threads
from ..expressions import ALIGNED
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch
from ..warpgroups import LINE, ROWS, STEPS, WIDTHS, Warpgroup, advance, descriptor, shared_place
from .kernel import ContractKernel, Cut, Extents, Place, in_shares, lie_together
from .tensor_cores import NAMES, PAD, Halves, TensorCoreKernel, narrow, rounded_to_tf32, suits

STAGES = {True: 4, False: 3}
"""Tiles of an operand in shared memory, by whether they are copied."""
BAND = 16
"""Tiles of rows that blocks go through before they turn to the next tile of columns."""
TILE = 2 * ROWS


def cut_for_warpgroups(n: Extents, dtype: DType, copied: bool, t: Gpu) -> Cut:
    """How a product is divided. A block fills a multiprocessor, so fewer are enough."""
    narrow, wide = WIDTHS
    enough = t.enough_blocks // 4
    columns = wide if copied and n.columns > narrow and n.tiles(TILE, wide) >= enough else narrow
    return in_shares(n, TILE, columns, LINE // dtype.nbytes, enough, t)


def large(rows: int, columns: int, depth: int, t: Gpu) -> bool:
    """Whether a product is large enough for warpgroups."""
    return t.warpgroups and min(rows, columns) >= t.warpgroup_side and depth >= t.tensor_depth


def _multiply(c: Contraction, t: Gpu) -> bool:
    """Whether warpgroups do."""
    halves = narrow(c.left).dtype == narrow(c.right).dtype and narrow(c.left).dtype in NAMES
    return (halves or c.reduced and c.dtype == F32) and large(c.row.extent, c.column.extent, c.depth.extent, t)


def _lies(node: Node, side: Axis, c: Contraction) -> bool:
    """Whether an operand is 16-bit numbers that lie in memory as in a tile."""
    read = narrow(node)
    if not isinstance(read, Load) or read.guard is not None or read.dtype not in NAMES:
        return False
    count = ALIGNED // read.dtype.nbytes
    along = c.depth if read.offset.factor(c.depth, count) == 1 else side
    return read.offset.factor(along, count) == 1 and lie_together([read], along, count)


class WarpgroupKernel(TensorCoreKernel):
    """Emits one kernel."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        assert kernel.contraction is not None
        self.copied = self._copied(kernel.contraction)
        super().__init__(module, name, kernel, pointers, scratch)
        self.steps = LINE // self.operands[0].dtype.nbytes

    def _copied(self, c: Contraction) -> bool:
        """Whether both operands can be copied."""
        return _lies(c.left, c.row, c) and _lies(c.right, c.column, c)

    def _cut(self, t: Gpu) -> Cut:
        return cut_for_warpgroups(self.extents, self.operands[0].dtype, self.copied, t)

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
        type, stages, stage = NAMES.get(left.dtype, "tf32"), STAGES[self.copied], left.bytes + right.bytes
        products = Warpgroup(e, t, type, self.cut.columns)
        shared = t.shared()
        rows = e.convert(e.mul(e.shr(p.thread, 7), ROWS * LINE), I32)

        def room(k: Reg) -> Reg:
            """Bytes before the tiles that begin at a step."""
            return e.mul(e.rem(e.div(e.sub(k, p.low), self.steps), stages), stage)

        def multiply(k: Reg) -> None:
            t.publish()
            t.barrier()
            products.begin()
            here = shared_place(t, shared, room(k))
            a = descriptor(e, e.add(here, rows), left.major, self.steps * LINE)
            b = descriptor(e, e.add(here, left.bytes), right.major, self.steps * LINE)
            for n in range(self.steps // STEPS[type]):
                near, far = e.add(a, n * advance(left.major)), e.add(b, n * advance(right.major))
                products.multiply(near, far, left.major + right.major)
            products.end()

        def copy(k: Reg) -> None:
            for operand in (left, right):
                operand.copy(e.offset(shared, room(k), U8), k, p.high, t)
            t.end_copies()

        def deposit(k: Reg) -> None:
            for operand in (left, right):
                operand.put(e.offset(shared, room(k), U8))

        for n in range(stages - 2):
            k = e.add(p.low, n * self.steps)
            if self.copied:
                copy(k)
            else:
                left.fetch(k, p.high)
                right.fetch(k, p.high)
                deposit(k)
        with e.loop(p.low, p.high, self.steps) as k, p.x.scope():
            if self.copied:
                t.wait_for_copies()
                multiply(k)
                copy(e.add(k, (stages - 2) * self.steps))
                products.wait_for_others()
            else:
                multiply(k)
                following = e.add(k, self.steps)
                left.fetch(following, p.high)
                right.fetch(following, p.high)
                products.wait_for_others()
                deposit(following)
        products.wait()
        if self.copied:
            t.end_copies()  # of none, so that all others are waited for
            t.wait_for_copies()
        t.barrier()
        self._finish(f, p, products)
        nbytes = max(stages * stage, TILE * (self.cut.columns + PAD) * 4)
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

    def __init__(self, kernel: WarpgroupKernel, p: Place, node: Node, axis: Axis, place: int) -> None:
        self.together = ALIGNED // node.dtype.nbytes
        super().__init__(kernel, p, node, axis, place, p.thread, p.thread)
        e = self.x.e
        self.bytes = self.side * LINE
        self.major = "k" if self.along_depth or node.dtype == F32 else "m"
        self.per = (self.steps if self.along_depth else self.side) // self.lanes
        """Threads whose elements are of one line of memory."""
        self.line, self.piece = e.div(p.thread, self.per), e.rem(p.thread, self.per)

    def _at(self, number: int) -> tuple[Reg, Reg]:
        e, lanes = self.x.e, self.lanes
        if self.major == "k" and not self.along_depth and lanes > 1:  # in other banks of shared memory, where lines are turned
            lane, warp = e.and_(self.thread, WARP - 1), e.shr(self.thread, 5)
            place = e.add(e.mul(warp, 4), e.shr(lane, 3))
            return e.mul(place, lanes), e.add(e.and_(lane, 7), 8 * number)
        line, piece = e.add(self.line, number * (THREADS // self.per)), e.mul(self.piece, lanes)
        return (line, piece) if self.along_depth else (piece, line)

    def _byte(self, side: Reg, step: Reg) -> Reg:
        """Where an element lies in the tile."""
        e, size = self.x.e, self.dtype.nbytes
        if self.major == "k":
            line, place, first = side, e.mul(step, size), e.mul(side, LINE)
        else:
            line, place = step, e.mul(e.and_(side, 63), size)
            first = e.add(e.mul(e.shr(side, 6), self.steps * LINE), e.mul(step, LINE))
        return e.add(first, e.xor(place, e.mul(e.and_(line, 7), ALIGNED)))

    def copy(self, room: Reg, k: Reg, high: Reg, threads: Threads) -> None:
        """This thread's elements of the steps from k on, on their way into shared memory."""
        e, x, node = self.x.e, self.x, self.node
        assert isinstance(node, Load)
        own = e.offset(self.base(room), self._byte(*self._at(0)), U8)
        for number, inside in self._units(k, high):
            source = e.offset(x.pointers[node.source], x.scalar_index(node.offset), self.dtype)
            threads.copy(e.offset(own, number * (THREADS // self.per) * LINE, U8), source, inside)

    def put(self, room: Reg) -> None:  # type: ignore[override]
        """What was fetched, into shared memory, of float32 rounded to TF32."""
        e, base = self.x.e, self.base(room)
        for number, slot in enumerate(self.slots):
            value = e.get(slot, self.dtype, self.lanes)
            value = rounded_to_tf32(e, value) if self.dtype == F32 else value
            side, step = self._at(number)
            if (self.major == "k") == self.along_depth:
                e.store(e.offset(base, self._byte(side, step), U8), value, align=self.lanes * self.dtype.nbytes)
                continue
            for n in range(self.lanes):
                e.store(e.offset(base, self._byte(e.add(side, n), step), U8), e.extract(value, n))


def emit_contraction(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """A contraction, by what suits it."""
    c, t = kernel.contraction, module.tuning.gpu
    assert c is not None
    kind = WarpgroupKernel if _multiply(c, t) else TensorCoreKernel if suits(c, t) else ContractKernel
    return kind(module, name, kernel, pointers, scratch).emit()
