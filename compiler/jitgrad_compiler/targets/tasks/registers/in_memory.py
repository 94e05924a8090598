"""Values of register code that lie in memory: large operands, what scans stack, and tapes.

Element k of lane l of such a value is `step` * k + `lane` * l elements behind its pointer. Operands of a program have step 1
and, where each row has its own, the row's size as `lane`; what a chunk of rows keeps for itself lies vector beside vector. Next
on the path: code.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....ir.types import I64, U8, ArrayType
from ...emitter import Emitter
from ...llvm_text import PTR, Reg

RECORD = ("address", "count", "capacity")


@dataclass(frozen=True)
class Stored:
    """An array in memory. `mask` says which lanes have memory at all."""

    pointer: Reg
    type: ArrayType
    step: int = 1
    lane: int = 0
    width: int = 1
    mask: Reg | None = None

    @property
    def varies(self) -> bool:
        return self.lane != 0

    def part(self, e: Emitter, index: Reg | int, shape: tuple[int, ...]) -> Stored:
        """Slice `index` along the first axis, whose shape is given."""
        size = int(np.prod(shape, dtype=np.int64)) * self.step
        at = index * size if isinstance(index, int) else e.mul(index, size)
        return replace(self, pointer=e.offset(self.pointer, at, self.type.dtype), type=ArrayType(shape, self.type.dtype))

    def load(self, e: Emitter, element: Reg | int) -> Reg:
        """One element of every lane; `element` may differ from lane to lane."""
        dtype = self.type.dtype
        if isinstance(element, Reg) and element.width > 1:
            lanes = e.mul(e.lane_ids(I64, element.width), self.lane)
            return e.gather(self.pointer, e.add(e.mul(element, self.step), lanes), dtype, self.mask)
        at = e.mul(element, self.step) if isinstance(element, Reg) else element * self.step
        pointer = e.offset(self.pointer, at, dtype)
        if self.lane == 0:
            return e.load(pointer, dtype)
        if self.lane == 1:
            return e.load(pointer, dtype, self.width, self.mask)
        return e.gather(pointer, e.mul(e.lane_ids(I64, self.width), self.lane), dtype, self.mask)

    def store(self, e: Emitter, element: int, value: Reg, mask: Reg | None = None) -> None:
        dtype = self.type.dtype
        pointer = e.offset(self.pointer, element * self.step, dtype)
        mask = self.mask if mask is None else mask if self.mask is None else e.and_(mask, self.mask)
        if self.lane == 0:
            e.store(pointer, value)
        elif self.lane == 1:
            e.store(pointer, e.splat(value, self.width), mask)
        else:
            e.scatter(pointer, e.mul(e.lane_ids(I64, self.width), self.lane), e.splat(value, self.width), mask)

    def elements(self, e: Emitter) -> Any:
        """All elements as an array of registers."""
        return filled(self.type.shape, [self.load(e, k) for k in range(self.type.size)])

    def write(self, e: Emitter, regs: Any, mask: Reg | None = None) -> None:
        for k, r in enumerate(regs.flat):
            self.store(e, k, r, mask)


def filled(shape: tuple[int, ...], regs: Sequence[Any]) -> Any:
    """An object array of registers, or of slots of them."""
    out = np.empty(len(regs), object)
    for k, r in enumerate(regs):
        out[k] = r
    return out.reshape(shape)


@dataclass(frozen=True)
class Tape:
    """A tape: `record` points to its address, count and capacity. Entries of a chunk of rows are vectors."""

    record: Reg
    element: ArrayType
    width: int = 1

    @property
    def entry(self) -> int:
        """Elements of an entry."""
        return self.element.size * self.width

    @property
    def entry_bytes(self) -> int:
        return self.entry * self.element.dtype.nbytes

    def entry_pointer(self, e: Emitter, index: Reg) -> Reg:
        return e.offset(e.get(self.record, PTR), e.mul(index, self.entry_bytes), U8)

    def field(self, e: Emitter, name: str) -> Reg:
        return e.offset(self.record, RECORD.index(name), I64)

    def entries(self, e: Emitter) -> Stored:
        """The entries as one array, to be taken apart by `part`."""
        pointer = e.get(self.record, PTR)
        lane = 1 if self.width > 1 else 0
        return Stored(pointer, ArrayType((0, *self.element.shape), self.element.dtype), self.width, lane, self.width)

    def reserve(self, e: Emitter, capacity: Reg) -> None:
        """Room for so many entries; those there stay."""
        e.module.declare("realloc", "ptr", ["ptr", "i64"])
        # one byte more: of no bytes realloc makes no memory, and frees what was there
        size = e.add(e.mul(capacity, self.entry_bytes), 1)
        moved = e.call("realloc", PTR, e.get(self.record, PTR), size)
        assert moved is not None
        e.set(self.record, moved)
        e.set(self.field(e, "capacity"), capacity)


def new_record(e: Emitter) -> Reg:
    """An empty record, in this function's frame."""
    record = e.alloca(I64, 1, len(RECORD))
    e.entry.append(f"  call void @llvm.memset.p0.i64(ptr {record.text}, i8 0, i64 {8 * len(RECORD)}, i1 false)")
    e.module.declare("llvm.memset.p0.i64", "void", ["ptr", "i8", "i64", "i1"])
    return record


def clear_record(e: Emitter, record: Reg) -> None:
    for n in range(len(RECORD)):
        e.set(e.offset(record, n, I64), e.const(0, I64))


def free_record(e: Emitter, record: Reg) -> None:
    """Give a tape's memory back, and leave an empty record."""
    e.module.declare("free", "void", ["ptr"])
    e.call("free", None, e.get(record, PTR))
    clear_record(e, record)
