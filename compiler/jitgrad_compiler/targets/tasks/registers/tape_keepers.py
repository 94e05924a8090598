"""What a while_loop keeps while it runs: values that every step saves, or the states that Checkpoints in ops/control.py chooses.

All tapes of a loop have one capacity, looked at once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ir.types import BOOL, I64
from ....ops.control import Checkpoints
from ...emitter import Emitter
from ...llvm_text import Reg
from ...memory_operations import copy_bytes
from .in_memory import Tape


class Saved:
    """Tapes that get one entry each in every step."""

    def __init__(self, e: Emitter, tapes: Sequence[Tape]) -> None:
        self.e, self.tapes, self.room = e, tapes, e.alloca(I64)
        e.set(self.room, e.get(tapes[0].field(e, "capacity"), I64) if tapes else e.const(0, I64))

    def make_room(self, count: Reg) -> None:
        """For entry number `count`, the next one."""
        e = self.e
        if not self.tapes:
            return
        room = e.get(self.room, I64)
        with e.when(e.compare("ge", count, room), unlikely=True):
            more = e.add(e.mul(room, 2), e.module.tuning.control.first_entries)
            for tape in self.tapes:
                tape.reserve(e, more)
            e.set(self.room, more)

    def finish_at(self, count: Reg) -> None:
        for tape in self.tapes:
            self.e.set(tape.field(self.e, "count"), count)


class States(Saved):
    """Tapes of the carries before every stride-th step. The stride doubles whenever there is no more room."""

    def __init__(self, e: Emitter, tapes: Sequence[Tape], most: int) -> None:
        super().__init__(e, tapes)
        self.grows = most == 0
        self.stride, self.kept, self.most = e.alloca(I64), e.alloca(I64), e.alloca(I64)
        for slot, number in ((self.stride, 1), (self.kept, 0), (self.most, most or Checkpoints.FIRST)):
            e.set(slot, e.const(number, I64))

    def visit(self, step: Reg, put: Callable[[Reg], None]) -> None:
        """Before step `step`: where its state is to be kept, `put` it at the entry it is given."""
        e = self.e
        with e.when(self._due(step)):
            with e.when(e.compare("eq", e.get(self.kept, I64), e.get(self.most, I64)), unlikely=True):
                self._thin_out()
            with e.when(self._due(step)):
                kept = e.get(self.kept, I64)
                self.make_room(kept)
                put(kept)
                e.set(self.kept, e.add(kept, 1))

    def copy_in(self, kept: Reg, pointers: Sequence[Reg]) -> None:
        for tape, pointer in zip(self.tapes, pointers, strict=True):
            copy_bytes(self.e, tape.entry_pointer(self.e, kept), pointer, tape.entry_bytes)

    def _due(self, step: Reg) -> Reg:
        return self.e.compare("eq", self.e.rem(step, self.e.get(self.stride, I64)), 0)

    def _thin_out(self) -> None:
        e = self.e
        stride, most = e.get(self.stride, I64), e.get(self.most, I64)
        widen = e.compare("gt", stride, most) if self.grows else e.const(False, BOOL)
        with e.when(widen):
            e.set(self.most, e.mul(most, 2))
        with e.when(e.not_(widen)):
            half = e.div(e.add(most, 1), 2)
            with e.loop(1, half) as k:
                for tape in self.tapes:
                    copy_bytes(e, tape.entry_pointer(e, k), tape.entry_pointer(e, e.mul(k, 2)), tape.entry_bytes)
            e.set(self.kept, half)
            e.set(self.stride, e.mul(stride, 2))

    def finish(self) -> Reg:
        """The counts of the tapes are set; the stride is returned."""
        self.finish_at(self.e.get(self.kept, I64))
        return self.e.get(self.stride, I64)
