"""What a contraction reads and writes: hooks, or matrices that lie in memory as they are. Next on the path: `contraction.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ....ir.types import DType
from ...emitter import Emitter, Reg


class Load(Protocol):
    """Reads an operand: (batch, i, k) for A, (batch, k, j) for B, all i64.

    The result has `width` elements, consecutive along `along` ('m', 'k' or 'n'); lanes masked off are outside of the operand.
    """

    def __call__(self, e: Emitter, batch: Reg, row: Reg, column: Reg, width: int, along: str, mask: Reg | None, /) -> Reg: ...


class Store(Protocol):
    """Takes finished results at (batch, i, j), (batch, i, j + 1), ...; called for each element once."""

    def __call__(self, e: Emitter, batch: Reg, i: Reg, j: Reg, value: Reg, mask: Reg | None, /) -> None: ...


@dataclass(frozen=True)
class PlainMatrix:
    """A matrix in memory: (r, c) of batch b lies at `pointer(e, b)[r * row + c * column]`, of the contraction's element type."""

    pointer: Callable[[Emitter, Reg], Reg]
    row: int
    column: int

    def element(self, e: Emitter, batch: Reg, row: Reg, column: Reg, dtype: DType) -> Reg:
        """The address of an element."""
        at = e.add(e.mul(row, self.row), e.mul(column, self.column))
        return e.offset(self.pointer(e, batch), at, dtype)

    def load(self, e: Emitter, batch: Reg, row: Reg, column: Reg, dtype: DType, lanes: int, mask: Reg | None) -> Reg:
        """A vector along the index whose stride is 1."""
        if 1 not in (self.row, self.column):
            raise ValueError("contract: a plain operand that has to be packed has no index of stride 1; give it a hook")
        return e.load(self.element(e, batch, row, column, dtype), dtype, lanes, mask)
