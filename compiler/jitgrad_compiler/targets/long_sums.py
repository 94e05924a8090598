"""Sums whose error does not grow with their length: runs of few additions, whose sums are added with the rounding errors kept.

Additions of like terms to one running value round in one direction for as long as it keeps its exponent, so its error grows with
their number: 16 of them err by up to 2.7e-7 of the sum in float32, 300,000 by 3e-3. So a loop that adds more often goes in runs. A
run's sum joins a total by TwoSum (D. Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B), which gives what the
addition lost as well; that joins with the next run. Where the cuts are follows from the shape alone. Shorter sums are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from ..ir.types import I64, DType
from .emitter import Emitter
from .llvm_text import Reg

RUN = 16
"""Additions of a run, under any tuning."""
LONGEST = 24
"""Additions to one running value that are not cut."""


def rounds(combine: str, dtype: DType) -> bool:
    """Whether a reduction is a sum whose error grows with its length."""
    return combine == "add" and dtype.is_float


class Cut(NamedTuple):
    """Which of nested loops is cut into runs, and how many of its steps are one."""

    loop: int
    steps: int


def cut(trips: Sequence[int], additions: float = 1) -> Cut | None:
    """Where loops of so many steps, outermost first, are cut: the innermost one that makes a running value too long.

    `additions` is how many the innermost step makes to each running value: less than one where several take turns.
    """
    for loop in reversed(range(len(trips))):
        if additions * trips[loop] > LONGEST:
            return Cut(loop, max(int(RUN / additions), 1))
        additions *= trips[loop]
    return None


@contextmanager
def pieces(
    e: Emitter, start: Reg | int, stop: Reg | int, length: int | None, close: Callable[[], None]
) -> Iterator[tuple[Reg | int, Reg | int]]:
    """The ends of one run after the other, from `start` to below `stop`; after each, `close` is called. None: of all in one."""
    if length is None:
        yield start, stop
        return
    last = stop if isinstance(stop, Reg) else e.const(stop, I64)
    with e.loop(start, last, length) as first:
        behind = e.add(first, length)
        yield first, e.least(behind, last)
        close()


@contextmanager
def runs(e: Emitter, start: Reg | int, stop: Reg | int, step: int, steps: int | None, close: Callable[[], None]) -> Iterator[Reg]:
    """The loop from `start` to below `stop`, in runs of so many steps, after each of which `close` is called; None: in one."""
    length = None if steps is None else step * steps
    with pieces(e, start, stop, length, close) as (first, behind), e.loop(first, behind, step) as i:
        yield i


def two_sum(e: Emitter, a: Reg, b: Reg) -> tuple[Reg, Reg]:
    """a + b, and what rounding took from it; that is a NaN where the sum is infinite."""
    total = e.add(a, b)
    part = e.sub(total, a)
    return total, e.add(e.sub(a, e.sub(total, part)), e.sub(b, part))


def whole(e: Emitter, total: Reg, lost: Reg) -> Reg:
    """A total with what it lost; as it is where that is nothing, which keeps the sign of a zero, and where it is infinite."""
    return e.select(e.compare("gt", e.abs(lost), 0.0), e.add(total, lost), total)


def join(e: Emitter, total: Reg, lost: Reg, value: Reg) -> tuple[Reg, Reg]:
    """A total and what it lost, after a value joined it. What was lost joins first, and so stays small."""
    return two_sum(e, total, whole(e, value, lost))


def join_in_memory(e: Emitter, total: Reg, lost: Reg, value: Reg, mask: Reg | None = None) -> None:
    """As `join`, with the total at one pointer and what it lost at another."""
    held, error = (e.load(p, value.type, value.width, mask) for p in (total, lost))
    for pointer, result in zip((total, lost), join(e, held, error, value), strict=True):
        e.store(pointer, result, mask)


@dataclass
class Total:
    """A running total and what it lost, in registers."""

    sum: Reg
    lost: Reg
    dtype: DType
    width: int

    @staticmethod
    def start(e: Emitter, dtype: DType, width: int, number: float = 0.0) -> Total:
        total = Total(e.alloca(dtype, width), e.alloca(dtype, width), dtype, width)
        total.set(e, number)
        return total

    def set(self, e: Emitter, number: float) -> None:
        e.set(self.sum, e.const(number, self.dtype, self.width))
        e.set(self.lost, e.const(0, self.dtype, self.width))

    def add(self, e: Emitter, value: Reg) -> None:
        held, error = (e.get(slot, self.dtype, self.width) for slot in (self.sum, self.lost))
        for slot, result in zip((self.sum, self.lost), join(e, held, error, value), strict=True):
            e.set(slot, result)

    def value(self, e: Emitter) -> Reg:
        return whole(e, e.get(self.sum, self.dtype, self.width), e.get(self.lost, self.dtype, self.width))
