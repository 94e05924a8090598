"""Products of tiles, a warp's rows by all columns, whose results stay in registers: what kernels of attention multiply with.

A tile lies in shared memory row by row, `features` side by side. `Halves` go by tensor cores, 16 rows a warp; `Words`, of float32,
by multiply-adds, 8 rows a warp, with each thread's part of a result in the same places. Of 8 columns a lane has the two that begin
at twice lane mod 4, in row lane / 4, of halves in the row 8 below, too: a fragment is a vector of these numbers, row after row.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.types import BF16, F16, F32, U8, U32, DType
from ...emitter import Emitter
from ...llvm_text import Reg
from ..device import WARP, WARPS
from ..phases import BlockFunction

COLUMNS = 8
"""Of a fragment."""
NAMES = {F16: "f16", BF16: "bf16"}


class Fragments:
    """Writes the products into a function. `columns` are those of a streamed tile."""

    rows: int
    """Of a warp."""
    parts: int
    """Rows that a lane has numbers of."""

    def __init__(self, f: BlockFunction, dtype: DType, features: int, columns: int) -> None:
        self.f, self.e, self.t, self.dtype, self.features, self.columns = f, f.e, f.threads, dtype, features, columns
        self.stride = stride(dtype, features)
        thread = self.t.thread()
        self.warp, self.lane = self.e.shr(thread, 5), self.e.and_(thread, WARP - 1)
        self.line, self.first_column = self.e.shr(self.lane, 2), self.e.mul(self.e.and_(self.lane, 3), 2)

    @property
    def width(self) -> int:
        """Numbers of a fragment that a lane has."""
        return 2 * self.parts

    def zeros(self, columns: int) -> list[Reg]:
        """Fragments of so many columns, in registers."""
        slots = [self.e.alloca(F32, self.width) for _ in range(columns // COLUMNS)]
        for slot in slots:
            self.e.set(slot, self.e.const(0, F32, self.width))
        return slots

    def numbers(self, slot: Reg) -> list[Reg]:
        """A fragment's numbers; number n is of part n / 2 of the rows and column n % 2."""
        held = self.e.get(slot, F32, self.width)
        return [self.e.extract(held, n) for n in range(self.width)]

    def put(self, slot: Reg, numbers: Sequence[Reg]) -> None:
        held = self.e.poison(F32, self.width)
        for n, x in enumerate(numbers):
            held = self.e.insert(held, x, n)
        self.e.set(slot, held)

    def across(self, left: Reg, right: Reg) -> list[Reg]:
        """Fragments of left @ right.T, of the warp's rows of a tile and all rows of a streamed one."""
        raise NotImplementedError

    def add(self, sums: list[Reg], weights: list[Reg], right: Reg) -> None:
        """weights @ right, of fragments and a streamed tile, joins the sums."""
        raise NotImplementedError

    def over_row(self, value: Reg, mask_of: str) -> Reg:
        """The values of the lanes of a row, combined: 'add' or 'max'."""
        e = self.e
        for lane in (1, 2):
            other = self.t.from_lane(value, lane)
            value = e.add(value, other) if mask_of == "add" else larger(e, value, other)
        return value

    def _own(self, tile: Reg) -> Reg:
        """The warp's rows of a tile."""
        return self.e.offset(tile, self.e.mul(self.warp, self.rows * self.stride), self.dtype)


def larger(e: Emitter, a: Reg, b: Reg) -> Reg:
    """The larger of two numbers; a where either is NaN."""
    return e.select(e.compare("gt", b, a), b, a)


def stride(dtype: DType, features: int) -> int:
    """Elements from row to row, with what keeps rows that are read at once in other banks."""
    return features + 16 // dtype.nbytes


class Halves(Fragments):
    """Of float16 or bfloat16, by tensor cores."""

    rows, parts = 16, 2

    def across(self, left: Reg, right: Reg) -> list[Reg]:
        e, t, sums = self.e, self.t, self.zeros(self.columns)
        line, odd, later = self._places()
        own = e.offset(self._own(left), e.add(e.mul(e.add(odd, line), self.stride), later), self.dtype)
        other = e.offset(right, e.add(e.mul(e.add(later, line), self.stride), odd), self.dtype)
        for step in range(0, self.features, 16):
            a = t.matrices(e.offset(own, step, self.dtype))
            for j in range(0, self.columns, 16):
                self._two(sums[j // 8 : j // 8 + 2], a, t.matrices(e.offset(other, j * self.stride + step, self.dtype)))
        return sums

    def add(self, sums: list[Reg], weights: list[Reg], right: Reg) -> None:
        e, t = self.e, self.t
        line, odd, later = self._places()
        other = e.offset(right, e.add(e.mul(e.add(odd, line), self.stride), later), self.dtype)
        for step in range(0, self.columns, 16):
            a = self._left(weights[step // 8 : step // 8 + 2])
            for j in range(0, self.features, 16):
                both = t.matrices(e.offset(other, step * self.stride + j, self.dtype), transposed=True)
                self._two(sums[j // 8 : j // 8 + 2], a, both)

    def _places(self) -> tuple[Reg, Reg, Reg]:
        """Of the row whose address a lane gives to `matrices`: its line, and where its matrix begins, of four that lie 2 by 2."""
        e = self.e
        number = e.shr(self.lane, 3)
        return e.and_(self.lane, 7), e.mul(e.and_(number, 1), 8), e.mul(e.shr(number, 1), 8)

    def _two(self, sums: list[Reg], a: Reg, both: Reg) -> None:
        e = self.e
        for n, slot in enumerate(sums):
            b = e.shuffle(both, both, [2 * n, 2 * n + 1])
            e.set(slot, self.t.multiplied(NAMES[self.dtype], a, b, e.get(slot, F32, 4)))

    def _left(self, two: list[Reg]) -> Reg:
        """Two fragments of a result as one of the left, in 16 bits."""
        e, out = self.e, self.e.poison(U32, 4)
        for n, slot in enumerate(two):
            x = self.numbers(slot)
            for part in (0, 1):
                out = e.insert(out, self.t.pair(NAMES[self.dtype], x[2 * part], x[2 * part + 1]), 2 * n + part)
        return out


class Words(Fragments):
    """Of float32, by multiply-adds. `room` is where warps exchange weights."""

    rows, parts = 8, 1

    def __init__(self, f: BlockFunction, dtype: DType, features: int, columns: int, room: int) -> None:
        super().__init__(f, dtype, features, columns)
        self.room = self.e.offset(self.t.shared(), room, U8)

    def across(self, left: Reg, right: Reg) -> list[Reg]:
        e, sums = self.e, self.zeros(self.columns)
        own = e.offset(self._own(left), e.mul(self.line, self.stride), F32)
        other = e.offset(right, e.mul(self.first_column, self.stride), F32)
        with e.loop(0, self.features, 4) as step:
            a = e.load(e.offset(own, step, F32), F32, 4, align=16)
            for j, slot in enumerate(sums):
                found = self.numbers(slot)
                for n in (0, 1):
                    place = e.add(step, (COLUMNS * j + n) * self.stride)
                    found[n] = self._dot(a, e.load(e.offset(other, place, F32), F32, 4, align=16), found[n])
                self.put(slot, found)
        return sums

    def _dot(self, a: Reg, b: Reg, total: Reg) -> Reg:
        e = self.e
        for n in range(4):
            total = e.fma(e.extract(a, n), e.extract(b, n), total)
        return total

    def add(self, sums: list[Reg], weights: list[Reg], right: Reg) -> None:
        e, width = self.e, exchange_stride(self.columns)
        own = e.offset(self.room, e.mul(e.add(e.mul(self.warp, self.rows), self.line), width), F32)
        for j, slot in enumerate(weights):
            place = e.add(self.first_column, COLUMNS * j)
            e.store(e.offset(own, place, F32), e.get(slot, F32, 2), align=8)
        self.t.warp_barrier()
        with e.loop(0, self.columns, 4) as step:
            a = e.load(e.offset(own, step, F32), F32, 4, align=16)
            for n in range(4):
                row = e.offset(right, e.add(e.mul(e.add(step, n), self.stride), self.first_column), F32)
                x = e.splat(e.extract(a, n), 2)
                for j, slot in enumerate(sums):
                    b = e.load(e.offset(row, COLUMNS * j, F32), F32, 2, align=8)
                    e.set(slot, e.fma(x, b, e.get(slot, F32, 2)))
        self.t.warp_barrier()


def exchange_stride(columns: int) -> int:
    return columns + 4


def exchange_bytes(columns: int) -> int:
    """Of shared memory through which all warps exchange weights."""
    return WARPS * Words.rows * exchange_stride(columns) * 4
