"""What a contraction reads and writes: hooks, or matrices that lie in memory as they are. Next on the path: `contraction.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ....ir.types import I64, DType
from ...emitter import Emitter
from ...llvm_text import Reg


class Load(Protocol):
    """Reads an operand: (batch, i, k) for A, (batch, k, j) for B, all i64.

    The result has `width` elements, consecutive along `along` ('m', 'k' or 'n'); lanes masked off are outside of the operand.
    """

    def __call__(self, e: Emitter, batch: Reg, row: Reg, column: Reg, width: int, along: str, mask: Reg | None, /) -> Reg: ...


class Store(Protocol):
    """Takes finished results at (batch, i, j), (batch, i, j + 1), ...; called for each element once."""

    def __call__(self, e: Emitter, batch: Reg, i: Reg, j: Reg, value: Reg, mask: Reg | None, /) -> None: ...


class Ahead(Protocol):
    """Asks for what a store at (batch, i, j), (batch, i, j + 1), ... will read and write, before its results are there."""

    def __call__(self, e: Emitter, batch: Reg, i: Reg, j: Reg, /) -> None: ...


class Digit(NamedTuple):
    """One of the axes that an index was joined from: its extent, and how far apart in memory its elements are."""

    extent: int
    stride: int


Digits = tuple[Digit, ...]
"""An index of a matrix, the last digit counting fastest. With several its elements lie in runs, evenly spaced within each."""


@dataclass(frozen=True)
class PlainMatrix:
    """A matrix in memory: from `pointer(e, b)` the element at a row and a column of batch b is as far as their digits say."""

    pointer: Callable[[Emitter, Reg], Reg]
    rows: Digits
    columns: Digits

    @property
    def row(self) -> int:
        """The stride of rows within a run."""
        return self.rows[-1].stride

    @property
    def column(self) -> int:
        """The stride of columns within a run."""
        return self.columns[-1].stride

    def element(self, e: Emitter, batch: Reg, row: Reg, column: Reg, dtype: DType) -> Reg:
        """The address of an element."""
        at = e.add(_steps(e, row, self.rows), _steps(e, column, self.columns))
        return e.offset(self.pointer(e, batch), at, dtype)

    def load(self, e: Emitter, batch: Reg, row: Reg, column: Reg, dtype: DType, lanes: int, mask: Reg | None) -> Reg:
        """A vector along the index whose stride is 1."""
        if 1 not in (self.row, self.column):
            raise ValueError("contract: a plain operand that has to be packed has no index of stride 1; give it a hook")
        return e.load(self.element(e, batch, row, column, dtype), dtype, lanes, mask)


def _steps(e: Emitter, index: Reg, digits: Digits) -> Reg:
    """How far an index goes."""
    places = split_number(e, index, tuple(d.extent for d in digits))
    return functools.reduce(e.add, [e.mul(place, d.stride) for place, d in zip(places, digits, strict=True)])


def split_number(e: Emitter, number: Reg, bases: tuple[int, ...]) -> list[Reg]:
    """The digits of a number, the last base counting fastest."""
    digits: list[Reg] = []
    none = e.const(0, I64)
    for n in range(len(bases) - 1, 0, -1):
        last = all(base == 1 for base in bases[:n])
        digit, number = (
            (none, number) if bases[n] == 1 else (number, none) if last else (e.rem(number, bases[n]), e.div(number, bases[n]))
        )
        digits.append(digit)
    return [number, *reversed(digits)]
