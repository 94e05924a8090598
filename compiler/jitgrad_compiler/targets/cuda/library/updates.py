"""What the kernels of scatter share: where updates lie, and where they go. Arrays are seen as [batch, count, columns]."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....ir.graph import Literal, Var
from ....ir.types import BOOL, I64, U8, U64
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Reg
from ...scatter_geometry import BOOL_KINDS, geometry_of
from ..phases import BlockFunction, Pointers


@dataclass
class Memory:
    """The pointers of a scatter in a function; those of a constant's updates are not there."""

    indices: Reg
    updates: Reg | None
    out: Reg


class Updates:
    """The updates of a scatter. A column is a place behind the addressed axes and between them: `g.lead` times `g.run`."""

    def __init__(self, kernel: Kernel, pointers: Pointers) -> None:
        eqn = kernel.eqns[0]
        _, self.indices, self.updates = eqn.inputs
        (self.out,) = eqn.outputs
        self.pointers, self.g = pointers, geometry_of(kernel)
        self.dtype, self.kind = self.out.type.dtype, eqn.params["kind"]
        self.is_bool = self.dtype == BOOL
        if self.is_bool:  # a byte of 0 or 1, of which a sum is "or"
            self.dtype, self.kind = U8, BOOL_KINDS.get(self.kind, self.kind)
        self.columns = self.g.lead * self.g.run
        self.places = math.prod(n for n, _ in self.g.places)
        self.total = self.g.batch * self.g.count * self.columns

    @property
    def unordered(self) -> bool:
        """Whether each update may be done by itself."""
        if self.kind == "set":
            return isinstance(self.updates, Literal)
        atomic = self.dtype.is_integer and self.dtype.bits >= 32 and self.kind in ("add", "max", "min")
        return atomic or self.is_bool

    def memory(self, f: BlockFunction) -> Memory:
        wanted = [a for a in (self.indices, self.updates, self.out) if isinstance(a, Var)]
        found = self.pointers(f.e, f.table, wanted)
        assert isinstance(self.indices, Var)
        updates = found[self.updates] if isinstance(self.updates, Var) else None
        return Memory(found[self.indices], updates, found[self.out])

    def parts(self, e: Emitter, number: Reg, count: int) -> tuple[Reg, Reg, Reg]:
        """Batch, row and column of a number, of [batch, count, columns]."""
        rest = e.div(number, self.columns)
        row = e.rem(rest, count) if count > 1 else e.const(0, I64)
        return e.div(rest, count), row, e.rem(number, self.columns) if self.columns > 1 else e.const(0, I64)

    def place(self, e: Emitter, memory: Memory, batch: Reg, row: Reg) -> tuple[Reg, Reg, Reg]:
        """Whether an index row points inside, the number of the place among all, and its offset in the batch's elements."""
        dtype, rank = self.indices.type.dtype, len(self.g.places)
        inside, number, offset = e.const(True, BOOL), e.const(0, I64), e.const(0, I64)
        first = e.mul(e.add(e.mul(batch, self.g.count), row), rank)
        for k, (extent, stride) in enumerate(self.g.places):
            index = e.convert(e.load(e.offset(memory.indices, e.add(first, k), dtype), dtype), I64)
            inside = e.and_(e.compare("lt", e.bitcast(index, U64), extent), inside)  # a negative one is huge without its sign
            number = e.add(e.mul(number, extent), index)
            offset = e.add(e.mul(index, stride), offset)
        return inside, number, offset

    def offset_of(self, e: Emitter, number: Reg) -> Reg:
        """The offset of the place of a number."""
        offset, rest = e.const(0, I64), number
        for extent, stride in reversed(self.g.places):
            offset = e.add(e.mul(e.rem(rest, extent), stride), offset)
            rest = e.div(rest, extent)
        return offset

    def target(self, e: Emitter, memory: Memory, batch: Reg, offset: Reg, column: Reg) -> Reg:
        """Where the element of a place's column lies."""
        at, rest = e.add(e.mul(batch, self.g.batch_stride), offset), e.div(column, self.g.run)
        at = e.add(at, e.rem(column, self.g.run) if self.g.run > 1 else 0)
        for extent, stride in reversed(self.g.leads):
            at = e.add(at, e.mul(e.rem(rest, extent), stride))
            rest = e.div(rest, extent)
        return e.offset(memory.out, at, self.dtype)

    def update(self, e: Emitter, memory: Memory, batch: Reg, row: Reg, column: Reg) -> Reg:
        if memory.updates is None:
            assert isinstance(self.updates, Literal)
            return e.const(self.updates.value.item(), self.dtype)
        at = e.add(e.mul(e.add(e.mul(batch, self.g.count), row), self.columns), column)
        return e.load(e.offset(memory.updates, at, self.dtype), self.dtype)
