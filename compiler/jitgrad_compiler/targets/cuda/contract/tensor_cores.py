"""Contractions on a GPU's tensor cores, and the choice between them and kernel.py, from which tiles, staging and epilogue are.

Operands that are float16 or bfloat16 values in float32 are multiplied as what they were: the products are exact either way. float32
ones go as three products of TF32: x is a high part, rounded to 11 bits, and what that leaves; high times high, high times low and
low times high together are within 2^-23 or so of the product. As tensor cores cut off bits where float32 rounds, a sum leaves them
after each 8 steps of depth, for an addition that rounds. Where a number of those a block has in shared memory is not finite, or so
small or large that its parts have not all their bits, these are multiplied by FMA there, from both parts' sum, which is the number.
Where a program allows it (`Contraction.reduced`), float32 operands are rounded to TF32 instead, and multiplied once.

Tiles lie in shared memory in the order of the operand's own memory, and one is multiplied while the next comes: copied, where both
operands are 16 bits as they are in memory, else by way of registers. The warps of a block are 2 x 4 over its tile. The result goes
through shared memory, so that it leaves side by side.
"""

from __future__ import annotations

from ....ir.types import BF16, F16, F32, I32, I64, U8, U32
from ....kernels.affine import Axis
from ....kernels.expression import Apply, Load, Node
from ....kernels.kernel import Contraction, Kernel
from ....kernels.tuning import Gpu
from ....ops.arithmetic import convert_element_type
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..device import THREADS, WARP, Threads
from ..phases import BlockFunction, Phase, Pointers, Scratch
from .kernel import DEEP, ContractKernel, Cut, Extents, Operand, Place, in_shares

DOWN, ACROSS = 2, 4
"""Warps along a tile's rows and columns."""
FRAGMENT = {"row": 16, "column": 8}
"""Rows and columns of what a warp multiplies at once."""
PAD = 8
"""Elements between rows in shared memory, so that what a warp reads at once lies in other banks."""
STAGES = 3
"""Tiles of an operand that is copied: one is multiplied while two are on their way."""
KEPT = 13
"""The bits of float32's fraction that TF32 lacks."""
SMALLEST, LARGEST = 27 << 23, 0x7F7FF000
"""The bits of 2^-100, and of what rounds to infinity: between them both parts of a float32 number are normal TF32 numbers."""
INFINITY, QUIET = 0x7F800000, 0x400000
"""The bits of infinity, and one that makes what has more than these a NaN whose last bits may be cut off."""
NAMES = {F16: "f16", BF16: "bf16"}


def narrow(node: Node) -> Node:
    """The operand before it was made float32, where that is a number of 16 bits."""
    before = node.args[0] if isinstance(node, Apply) and node.op is convert_element_type else node
    return before if before.dtype in NAMES and node.dtype == F32 else node


def steps_of(in_parts: bool) -> int:
    """How many steps of depth a tile has: fewer where it is of two parts, and needs more registers."""
    return 16 if in_parts else 32


def many(rows: int, columns: int, depth: int, t: Gpu) -> bool:
    """Whether a product is large enough for tensor cores."""
    return min(rows, columns) >= t.tensor_side and depth >= t.tensor_depth


def suits(c: Contraction, t: Gpu) -> bool:
    """Whether tensor cores multiply: by shape alone, and by the type."""
    return c.dtype == F32 and many(c.row.extent, c.column.extent, c.depth.extent, t)


def cut_for_tensor_cores(n: Extents, steps: int, t: Gpu) -> Cut:
    """How a product is divided whose tiles have so many steps of depth."""
    rows, columns = (128 if extent > 64 else 64 for extent in (n.rows, n.columns))
    few = t.enough_blocks // 4
    if n.tiles(rows, columns) < few:
        columns = 64
    if n.tiles(rows, columns) < few:
        rows = 64
    return in_shares(n, rows, columns, steps, t.enough_blocks // 2, t)


class TensorCoreKernel(ContractKernel):
    """Emits one kernel."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        assert kernel.contraction is not None
        left, right = narrow(kernel.contraction.left), narrow(kernel.contraction.right)
        self.halves = left.dtype == right.dtype and left.dtype in NAMES
        self.operands = (left, right) if self.halves else (kernel.contraction.left, kernel.contraction.right)
        self.in_parts = not self.halves and not kernel.contraction.reduced
        self.steps = steps_of(self.in_parts)
        super().__init__(module, name, kernel, pointers, scratch)
        self.down, self.across = self.cut.rows // DOWN // FRAGMENT["row"], self.cut.columns // ACROSS // FRAGMENT["column"]

    def _cut(self, t: Gpu) -> Cut:
        return cut_for_tensor_cores(self.extents, self.steps, t)

    def _product(self) -> Phase:
        f = self._function(0)
        e, p = f.e, self._begin(f)
        kind = _Parts if self.in_parts else Halves if self.halves else _Rounded
        warp = e.shr(p.thread, 5)
        lane = e.and_(p.thread, WARP - 1)
        left = kind(self, p, self.operands[0], self.c.row, 0, lane, e.and_(warp, DOWN - 1))
        right = kind(self, p, self.operands[1], self.c.column, left.bytes, lane, e.shr(warp, 1))
        sums = self._zeros(f, self.down, self.across, 4)
        if isinstance(left, Halves) and isinstance(right, Halves) and left.direct and right.direct:
            nbytes = self._stream(f, p, left, right, sums)
        else:
            nbytes = self._fetch(f, p, left, right, sums, warp)
        self._leave(f, p, sums, warp, lane)
        nbytes = max(nbytes, DOWN * FRAGMENT["row"] * (self.cut.columns + PAD) * 4)
        return f.finish(self._blocks(self.cut.rows, self.cut.columns), nbytes)

    def _stream(self, f: BlockFunction, p: Place, left: Halves, right: Halves, sums: list[list[Reg]]) -> int:
        """The sums of operands that are copied as they are, two tiles ahead; how many bytes of shared memory that takes."""
        e, t, stage = f.e, f.threads, left.bytes + right.bytes
        shared = t.shared()

        def room(k: Reg) -> Reg:
            turn = e.rem(e.div(e.sub(k, p.low), self.steps), STAGES)
            return e.offset(shared, e.mul(turn, stage), U8)

        def copy(k: Reg) -> None:
            for operand in (left, right):
                operand.copy(room(k), k, p.high, t)
            t.end_copies()

        for n in range(STAGES - 1):
            copy(e.add(p.low, n * self.steps))
        with e.loop(p.low, p.high, self.steps) as k, p.x.scope():
            t.wait_for_copies()
            t.barrier()
            copy(e.add(k, (STAGES - 1) * self.steps))
            self._multiply_halves(f, room(k), left, right, sums)
        t.end_copies()  # of none, so that all others are waited for
        t.wait_for_copies()
        t.barrier()
        return STAGES * stage

    def _fetch(self, f: BlockFunction, p: Place, left: _Tile, right: _Tile, sums: list[list[Reg]], warp: Reg) -> int:
        """The sums of operands that are computed on their way; how many bytes of shared memory that takes."""
        e, t, stage = f.e, f.threads, left.bytes + right.bytes
        flags = 2 * stage
        totals = _Totals(f, [slot for row in sums for slot in row], warp) if self.deep and self.in_parts else None
        shared = t.shared()
        if self.in_parts:
            with e.when(e.compare("lt", p.thread, 2)):
                e.store(e.offset(e.offset(shared, flags, U8), p.thread, I32), e.const(-1, I32))
            t.barrier()

        def turn(k: Reg) -> tuple[Reg, Reg]:
            """Where the tiles lie that begin at a step, and where it is noted that some need FMA."""
            odd = e.and_(e.div(e.sub(k, p.low), self.steps), 1)
            return e.offset(shared, e.mul(odd, stage), U8), e.offset(e.offset(shared, flags, U8), odd, I32)

        def deposit(k: Reg, *operands: _Tile) -> None:
            room, flag = turn(k)
            for operand in operands:
                operand.put(room, flag, e.convert(k, I32))

        for operand in (left, right):
            operand.fetch(p.low, p.high)
        deposit(p.low, left, right)
        with e.loop(p.low, p.high, self.steps) as k, p.x.scope():
            t.barrier()
            following = e.add(k, self.steps)
            room, flag = turn(k)
            if not self.in_parts:
                left.fetch(following, p.high)
                right.fetch(following, p.high)
                multiply = self._multiply_halves if self.halves else self._multiply_rounded
                multiply(f, room, left, right, sums)
                deposit(following, left, right)
            else:
                awkward = e.compare("eq", e.load(flag, I32), e.convert(k, I32))
                for operand, step in ((left, 0), (right, 8)):  # one after the other: both would not leave registers enough
                    operand.fetch(following, p.high)
                    with e.when(awkward, unlikely=True):
                        self._multiply_plainly(f, room, left, right, sums, step)
                    with e.when(e.not_(awkward)):
                        self._multiply_parts(f, room, left, right, sums, step)
                    deposit(following, operand)
            if totals is not None:
                with e.when(e.compare("eq", e.rem(e.sub(following, p.low), DEEP), 0)):
                    totals.take()
        if totals is not None:
            totals.give()
        t.barrier()
        return flags + 8 * self.in_parts

    # -- products

    def _multiply_halves(self, f: BlockFunction, room: Reg, left: _Tile, right: _Tile, sums: list[list[Reg]]) -> None:
        e, t, name = f.e, f.threads, NAMES[left.dtype]
        assert isinstance(left, Halves) and isinstance(right, Halves)
        for step in range(0, self.steps, 16):
            a = [left.four(room, 16 * i, step) for i in range(self.down)]
            b = list[Reg]()
            for j in range(0, self.across, 2):
                both = right.four(room, 8 * j, step)
                b += [e.shuffle(both, both, [0, 1]), e.shuffle(both, both, [2, 3])]
            for row, x in zip(sums, a, strict=True):
                for slot, y in zip(row, b, strict=True):
                    e.set(slot, t.multiplied(name, x, y, e.get(slot, F32, 4)))

    def _multiply_parts(self, f: BlockFunction, room: Reg, left: _Tile, right: _Tile, sums: list[list[Reg]], step: int) -> None:
        e, t = f.e, f.threads
        assert isinstance(left, _Parts) and isinstance(right, _Parts)
        zero = e.const(0, F32, 4)
        b = [[right.words(room, 8 * j, step, part) for part in (0, 1)] for j in range(self.across)]
        for i, row in enumerate(sums):
            high, low = (left.words(room, 16 * i, step, part) for part in (0, 1))
            for slot, (high_b, low_b) in zip(row, b, strict=True):
                small = t.multiplied("tf32", high, low_b, t.multiplied("tf32", low, high_b, zero))
                some = e.add(t.multiplied("tf32", high, high_b, zero), small)
                e.set(slot, e.add(e.get(slot, F32, 4), some))

    def _multiply_rounded(self, f: BlockFunction, room: Reg, left: _Tile, right: _Tile, sums: list[list[Reg]]) -> None:
        e, t = f.e, f.threads
        assert isinstance(left, _Words) and isinstance(right, _Words)
        for step in range(0, self.steps, 8):
            b = [right.words(room, 8 * j, step) for j in range(self.across)]
            for i, row in enumerate(sums):
                a = left.words(room, 16 * i, step)
                for slot, y in zip(row, b, strict=True):
                    e.set(slot, t.multiplied("tf32", a, y, e.get(slot, F32, 4)))

    def _multiply_plainly(self, f: BlockFunction, room: Reg, left: _Tile, right: _Tile, sums: list[list[Reg]], first: int) -> None:
        """By FMA, into the sums where tensor cores have them."""
        e = f.e
        assert isinstance(left, _Parts) and isinstance(right, _Parts)
        with e.loop(first, first + 8) as step:
            b = [[right.whole(room, 8 * j + n, step) for n in (0, 1)] for j in range(self.across)]
            for i, row in enumerate(sums):
                a = [left.whole(room, 16 * i + 8 * n, step) for n in (0, 1)]
                for slot, columns in zip(row, b, strict=True):
                    held = e.get(slot, F32, 4)
                    for n in range(4):
                        held = e.insert(held, e.fma(a[n // 2], columns[n % 2], e.extract(held, n)), n)
                    e.set(slot, held)

    # -- the result

    def _leave(self, f: BlockFunction, p: Place, sums: list[list[Reg]], warp: Reg, lane: Reg) -> None:
        """The sums, some rows of each warp at a time, through shared memory."""
        e, t, lanes = f.e, f.threads, self._store_lanes()
        high, stride = FRAGMENT["row"], self.cut.columns + PAD
        own_row = e.add(e.mul(e.and_(warp, DOWN - 1), high), e.shr(lane, 2))
        own_column = e.add(e.mul(e.shr(warp, 1), self.cut.columns // ACROSS), e.mul(e.and_(lane, 3), 2))
        per, total = self.cut.columns // lanes, DOWN * high * self.cut.columns // lanes
        for i, row in enumerate(sums):
            shared = t.shared()
            own = e.offset(shared, e.add(e.mul(own_row, stride), own_column), F32)
            for j, slot in enumerate(row):
                value = e.get(slot, F32, 4)
                for n in (0, 1):
                    place = e.offset(own, 8 * n * stride + 8 * j, F32)
                    e.store(place, e.shuffle(value, value, [2 * n, 2 * n + 1]), align=8)
            t.barrier()
            with e.loop(0, total, THREADS) as first, p.x.scope():
                number = e.add(first, p.thread)
                line, column = e.div(number, per), e.mul(e.rem(number, per), lanes)
                value = e.load(e.offset(shared, e.add(e.mul(line, stride), column), F32), F32, lanes, align=4 * lanes)
                half = e.mul(e.div(line, high), self.cut.rows // DOWN)
                where = e.add(p.first_row, e.add(e.add(half, high * i), e.rem(line, high)))
                column = e.add(p.first_column, column)
                inside = self._inside(f, where, p.sizes.rows, self.c.row, self.cut.rows)
                across = self._inside(f, column, p.sizes.columns, self.c.column, self.cut.columns)
                with e.when(e.and_(inside, across)), p.x.scope():
                    self._write(f, p, value, where, column)
            if i < len(sums) - 1:
                t.barrier()


class _Totals:
    """Sums of blocks of depth, in the thread's own memory: they are needed so rarely that registers would be wasted on them.

    Their places are turned by the warp's number, as ptxas makes registers of memory whose places it knows.
    """

    def __init__(self, f: BlockFunction, sums: list[Reg], warp: Reg) -> None:
        self.e, self.sums, self.warp = f.e, sums, warp
        self.room = f.e.alloca(F32, 4, len(sums))
        for n in range(len(sums)):
            self._set(n, f.e.const(0, F32, 4))

    def _place(self, n: int) -> str:
        turned = self.e.and_(self.e.add(self.warp, n), len(self.sums) - 1)
        return f"ptr {self.e.offset(self.room, self.e.mul(turned, 4), F32).text}, align 16"

    def _set(self, n: int, value: Reg) -> None:
        self.e.line(f"store {value.typed}, {self._place(n)}")

    def _with(self, n: int) -> Reg:
        return self.e.add(self.e.op(f"load <4 x float>, {self._place(n)}", F32, 4), self.e.get(self.sums[n], F32, 4))

    def take(self) -> None:
        """Add the sums, which begin anew."""
        for n, slot in enumerate(self.sums):
            self._set(n, self._with(n))
            self.e.set(slot, self.e.const(0, F32, 4))

    def give(self) -> None:
        """Make the sums the whole ones."""
        for n, slot in enumerate(self.sums):
            self.e.set(slot, self._with(n))


class _Tile(Operand):
    """An operand's part in shared memory, in rows along depth or along the side, as it lies in global memory.

    `lane` is the thread's in its warp, `warp` the number of the warp along this side.
    """

    def __init__(
        self, kernel: TensorCoreKernel, p: Place, node: Node, axis: Axis, place: int, lane: Reg, warp: Reg
    ) -> None:  # fmt: skip
        super().__init__(kernel, p, node, axis, place)
        self.lane = lane
        self.start = self.x.e.mul(warp, self.side // (DOWN if self.is_left else ACROSS))

    def _stride(self) -> int:
        return self.steps + 16 // self.dtype.nbytes if self.along_depth else self.side + PAD

    def _elements(self) -> int:
        return self.stride * (self.side if self.along_depth else self.steps)

    def put(self, room: Reg, flag: Reg, k: Reg) -> None:
        """What was fetched, into shared memory."""
        raise NotImplementedError

    def at(self, side: Reg | int, step: Reg | int) -> Reg:
        """The number of an element."""
        e = self.x.e
        slow, fast = (side, step) if self.along_depth else (step, side)
        slow, fast = (n if isinstance(n, Reg) else e.const(n, I64) for n in (slow, fast))
        return e.add(e.mul(slow, self.stride), fast)

    def base(self, room: Reg) -> Reg:
        return self.x.e.offset(room, self.place, U8)


class Halves(_Tile):
    """Of 16 bits."""

    together = 8

    @property
    def direct(self) -> bool:
        """Whether it lies in memory as in the tile, so that it can be copied."""
        return isinstance(self.node, Load) and self.node.guard is None and self.lanes == self.together

    def copy(self, room: Reg, k: Reg, high: Reg, threads: Threads) -> None:
        """This thread's elements of the steps from k on, on their way into shared memory."""
        e, x, node = self.x.e, self.x, self.node
        assert isinstance(node, Load)
        for number, inside in self._units(k, high):
            source = e.offset(x.pointers[node.source], x.scalar_index(node.offset), self.dtype)
            threads.copy(e.offset(self.base(room), self.at(*self._at(number)), self.dtype), source, inside)

    def put(self, room: Reg, flag: Reg, k: Reg) -> None:
        """What was fetched, into shared memory."""
        e = self.x.e
        for number, slot in enumerate(self.slots):
            place = self.at(*self._at(number))
            value = e.get(slot, self.dtype, self.lanes)
            e.store(e.offset(self.base(room), place, self.dtype), value, align=self.lanes * self.dtype.nbytes)

    def four(self, room: Reg, side: int, step: int) -> Reg:
        """A fragment of 16 x 16 of the left, or two of 8 x 16 of the right, from a place of this warp on."""
        e = self.x.e
        number, line = e.shr(self.lane, 3), e.and_(self.lane, 7)
        odd, later = e.mul(e.and_(number, 1), 8), e.mul(e.shr(number, 1), 8)
        sides, steps = (odd, later) if self.is_left else (later, odd)
        sides = e.add(self.start, sides)
        if self.along_depth:
            sides = e.add(sides, line)
        else:
            steps = e.add(steps, line)
        row = e.offset(self.base(room), self.at(sides, steps), self.dtype)
        row = e.offset(row, self.at(side, step), self.dtype)
        return Threads(e).matrices(row, transposed=not self.along_depth)


class _Words(_Tile):
    """Of float32, in one tile or in several that follow each other."""

    def _own(self, room: Reg) -> Reg:
        e = self.x.e
        place = self.at(e.add(self.start, e.shr(self.lane, 2)), e.and_(self.lane, 3))
        return e.offset(self.base(room), place, F32)

    def words(self, room: Reg, side: int, step: int, part: int = 0) -> Reg:
        """The lane's words of a fragment, of one of the tiles."""
        e, own = self.x.e, self._own(room)
        places = [(8 * n, 4 * m) for m in (0, 1) for n in ((0, 1) if self.is_left else (0,))]
        out = e.poison(U32, len(places))
        for n, (down, on) in enumerate(places):
            place = e.add(self.at(side + down, step + on), part * _Tile._elements(self))
            out = e.insert(out, e.load(e.offset(own, place, F32), U32), n)
        return out


def nearest_tf32(e: Emitter, bits: Reg) -> Reg:
    """The nearest TF32 number, of the bits of a number that has one."""
    even = e.add(bits, e.add(e.and_(e.shr(bits, KEPT), 1), (1 << KEPT - 1) - 1))
    return e.and_(even, 0xFFFFFFFF << KEPT & 0xFFFFFFFF)


def rounded_to_tf32(e: Emitter, value: Reg) -> Reg:
    """The nearest TF32 number; NaNs stay such, and what would round to infinity is cut off."""
    bits = e.bitcast(value, U32)
    size = e.and_(bits, 0x7FFFFFFF)
    rounded = e.select(e.compare("ge", size, LARGEST), bits, nearest_tf32(e, bits))
    return e.bitcast(e.select(e.compare("gt", size, INFINITY), e.or_(bits, QUIET), rounded), F32)


class _Rounded(_Words):
    """Of float32, rounded to TF32."""

    def put(self, room: Reg, flag: Reg, k: Reg) -> None:
        """What was fetched, into shared memory."""
        e = self.x.e
        for number, slot in enumerate(self.slots):
            value = rounded_to_tf32(e, e.get(slot, F32, self.lanes))
            place = e.offset(self.base(room), self.at(*self._at(number)), F32)
            e.store(place, value, align=4 * self.lanes)


class _Parts(_Words):
    """Of float32, as two tiles: high parts and what they leave."""

    def _elements(self) -> int:
        return 2 * super()._elements()

    def put(self, room: Reg, flag: Reg, k: Reg) -> None:
        """The parts of what was fetched, into shared memory; where one needs FMA, `k` into the flag."""
        e, lanes = self.x.e, self.lanes
        awkward = None
        for number, slot in enumerate(self.slots):
            place = e.offset(self.base(room), self.at(*self._at(number)), F32)
            value = e.get(slot, F32, lanes)
            bits = e.bitcast(value, U32)
            size = e.and_(bits, 0x7FFFFFFF)
            outside = e.and_(e.compare("ge", e.sub(size, SMALLEST), LARGEST - SMALLEST), e.compare("ne", size, 0))
            high = e.bitcast(nearest_tf32(e, bits), F32)
            e.store(place, e.select(outside, value, high), align=4 * lanes)
            low = e.select(outside, 0.0, e.sub(value, high))
            e.store(e.offset(place, super()._elements(), F32), low, align=4 * lanes)
            some = e.any(outside)
            awkward = some if awkward is None else e.or_(awkward, some)
        assert awkward is not None
        with e.when(awkward, unlikely=True):
            e.store(flag, k)

    def whole(self, room: Reg, side: int, step: Reg) -> Reg:
        """The number itself that belongs to the lane's sums: its row, or one of its two columns."""
        e = self.x.e
        line = e.shr(self.lane, 2) if self.is_left else e.mul(e.and_(self.lane, 3), 2)
        place = e.offset(self.base(room), self.at(e.add(e.add(self.start, line), side), step), F32)
        return e.add(e.load(place, F32), e.load(e.offset(place, super()._elements(), F32), F32))
