"""Running values of reductions: where they start, how values join them, how lanes become one number, always in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....ir.graph import OPS
from ....ir.types import BOOL, I64, DType
from ....kernels.kernel import Reduction
from ....ops.arithmetic import extreme
from ...emitter import Emitter
from ...llvm_text import Reg
from ..long_sums import Total

ORDERS = {"max": "gt", "min": "lt"}


def identity(combine: str, dtype: DType) -> Any:
    """The number that a combination starts from."""
    if combine in ("add", "or"):
        return 0
    if combine == "mul":
        return 1
    if combine == "and":
        return True if dtype == BOOL else -1
    greatest = combine in ("min", "argmin")
    if dtype.is_float:
        return np.inf if greatest else -np.inf
    if dtype == BOOL:
        return greatest
    info: Any = np.iinfo(dtype.numpy)
    return int(info.max if greatest else info.min)


def joined(e: Emitter, combine: str, a: Reg, b: Reg) -> Reg:
    """Two values, or vectors of them, combined. Of zeros with two signs max and min give any, which takes half the instructions."""
    if combine in ORDERS:
        result: Reg = extreme(e, ORDERS[combine], a, b)
        return result
    emit: Any = OPS[combine].emit
    result = emit(e, a, b)
    return result


def filled(e: Emitter, combine: str, value: Reg, mask: Reg | None) -> Reg:
    """The value, with what combines to nothing in the lanes that are masked off."""
    return value if mask is None else e.select(mask, value, e.const(identity(combine, value.type), value.type))


def joined_pairwise(e: Emitter, combine: str, parts: Sequence[Reg]) -> Reg:
    """Vectors combined by a fixed tree; their number is a power of two."""
    values = list(parts)
    while len(values) > 1:
        half = len(values) // 2
        values = [joined(e, combine, values[i], values[i + half]) for i in range(half)]
    return values[0]


def folded(e: Emitter, combine: str, value: Reg) -> Reg:
    """Lanes combined by a fixed tree."""
    return e.fold(lambda a, b: joined(e, combine, a, b), value)


@dataclass
class Accumulator:
    """The running value of one reduction: slots of `width` lanes, several to hide the latency of adding to one.

    Each copy of a loop's body has `turns` slots of its own, which take turns.

    `positions` are the places of the best values of argmax and argmin; `total` takes the sums of the runs of a long sum.
    """

    reduction: Reduction
    kind: str
    width: int = 1
    slots: list[Reg] = field(default_factory=list)
    positions: list[Reg] = field(default_factory=list)
    total: Total | None = None
    turns: int = 1
    open: bool = False
    """Whether something was added, in the order of the code, since the last run ended."""

    def start(self, e: Emitter, copies: int, long: bool = False, turns: int = 1) -> Accumulator:
        r, dtype = self.reduction, self.reduction.operand.dtype
        self.turns = turns
        for _ in range(copies * turns):
            slot = e.alloca(dtype, self.width)
            e.set(slot, e.const(identity(r.combine, dtype), dtype, self.width))
            self.slots.append(slot)
            if r.position is not None:
                place = e.alloca(I64, self.width)
                e.set(place, e.lane_ids(I64, self.width))
                self.positions.append(place)
        if long:
            self.total = Total.start(e, dtype, self.width)
        return self

    def add(self, e: Emitter, value: Reg, mask: Reg | None = None, copy: int = 0, here: Reg | None = None) -> None:
        """Take in one vector; `here` is its lanes' place along the reduced axis, where that is the result."""
        r, self.open = self.reduction, True
        value = filled(e, r.combine, e.splat(value, self.width), mask)
        first = copy * self.turns % len(self.slots)
        slot, *others = self.slots[first : first + self.turns]
        held = e.get(slot, value.type, self.width)
        if here is None:
            for other in others:
                e.set(slot, e.get(other, value.type, self.width))
                slot = other
            e.set(slot, joined(e, r.combine, held, value))
            return
        better = beats(e, r.combine, value, held)
        if mask is not None:
            better = e.and_(better, mask)
        e.set(slot, e.select(better, value, held))
        e.set(self.positions[0], e.select(better, here, e.get(self.positions[0], I64, self.width)))

    def close(self, e: Emitter) -> None:
        """The end of a run, where the sum is a long one."""
        if self.total is not None and self.open:
            self.total.add(e, self._held(e))
            self.open = False
            for slot in self.slots:
                e.set(slot, e.const(0, self.total.dtype, self.width))

    def value(self, e: Emitter) -> Reg:
        """The value of each lane."""
        if self.total is None:
            return self._held(e)
        if self.open:
            self.total.add(e, self._held(e))
        return self.total.value(e)

    def _held(self, e: Emitter) -> Reg:
        r = self.reduction
        return joined_pairwise(e, r.combine, [e.get(slot, r.operand.dtype, self.width) for slot in self.slots])

    def finish(self, e: Emitter) -> Reg:
        """The one value of all lanes."""
        r, value = self.reduction, self.value(e)
        if r.position is None:
            return folded(e, r.combine, value)
        return e.convert(_first_best(e, r.combine, value, e.get(self.positions[0], I64, self.width)), r.dtype)


def beats(e: Emitter, order: str, value: Reg, best: Reg) -> Reg:
    """Whether a value is better than the best so far; a NaN is better than any number."""
    if value.type == BOOL:
        return e.and_(value, e.not_(best)) if order == "argmax" else e.and_(e.not_(value), best)
    better = e.compare("gt" if order == "argmax" else "lt", value, best)
    if not value.type.is_float:
        return better
    return e.or_(better, e.and_(e.isnan(value), e.not_(e.isnan(best))))


def _first_best(e: Emitter, order: str, value: Reg, place: Reg) -> Reg:
    """The place of the best of all lanes; of equal ones the first."""
    while value.width > 1:
        low, high = range(value.width // 2), range(value.width // 2, value.width)
        v0, v1 = e.shuffle(value, value, low), e.shuffle(value, value, high)
        p0, p1 = e.shuffle(place, place, low), e.shuffle(place, place, high)
        wins, loses = beats(e, order, v1, v0), beats(e, order, v0, v1)
        second = e.or_(wins, e.and_(e.not_(loses), e.compare("lt", p1, p0)))
        value, place = e.select(second, v1, v0), e.select(second, p1, p0)
    return place
