"""Running values of reductions: where they start, how values join them, how lanes become one number, always in the same order."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir.types import I64
from ..kernels.kernel import Reduction
from .combining import beats, filled, first_best, folded, identity, joined, joined_pairwise
from .emitter import Emitter
from .llvm_text import Reg
from .long_sums import Total


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
        return e.convert(first_best(e, r.combine, value, e.get(self.positions[0], I64, self.width)), r.dtype)
