"""Values of a row that are dear to compute and read in several stages: the first of these keeps them, the others read them.

Rows lie in slots, which several values share that are not needed together. Slots are on the stack, where the next row finds them in
the cache, as far as a thread's stack should be used; the others in each task's part of the scratch memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ....ir.types import BOOL, U8
from ....kernels.affine import Affine, axis_index, linear
from ....kernels.expression import Apply, Node
from ....kernels.tuning import Loops
from ...emitter import Emitter
from ...llvm_text import Reg
from .schedule import Schedule


@dataclass
class _Kept:
    node: Node
    first: int
    last: int
    slot: int = 0


class KeptRows:
    """Which values of a kernel's rows are kept, and where. `roots` are what its stages compute along a row."""

    def __init__(self, s: Schedule, roots: Sequence[Node], tuning: Loops) -> None:
        self.s, self.tuning = s, tuning
        self.size = math.prod(a.extent for a in s.inner) + s.width
        self.kept = self._found(roots)
        self.slots: list[int] = []
        self._share_slots()
        on_stack = 0
        self.stacked: list[bool] = []
        for size in self.slots:
            self.stacked.append(on_stack + size <= tuning.stack_bytes)
            on_stack += size if self.stacked[-1] else 0
        self.task_bytes = sum(size for size, stacked in zip(self.slots, self.stacked, strict=True) if not stacked)

    @property
    def scratch_bytes(self) -> int:
        return self.s.tasks * self.task_bytes

    def _found(self, roots: Sequence[Node]) -> dict[int, _Kept]:
        """Values that are read by a later stage than the one that computes them. What is below a kept one is not done again."""
        made: dict[int, _Kept] = {}
        for stage in sorted({r.stage for r in roots}):
            stack, seen = [r for r in roots if r.stage == stage], set()
            while stack:
                n = stack.pop()
                if id(n) in seen:
                    continue
                seen.add(id(n))
                if self._dear(n):
                    k = made.setdefault(id(n), _Kept(n, stage, stage))
                    k.last = stage
                    if k.first < stage:
                        continue
                stack += n.args
        return {key: k for key, k in made.items() if k.last > k.first}

    def _dear(self, n: Node) -> bool:
        fits = self.size * n.dtype.nbytes <= self.tuning.kept_row_bytes
        dear = isinstance(n, Apply) and n.op.traits.cost >= self.tuning.dear and n.dtype != BOOL
        return dear and fits and n.axes >= frozenset(self.s.inner)

    def _share_slots(self) -> None:
        free_from: list[int] = []
        for k in sorted(self.kept.values(), key=lambda k: k.first):
            size = -(-self.size * k.node.dtype.nbytes // 64) * 64
            free = [n for n, stage in enumerate(free_from) if stage < k.first]
            k.slot = min(free, key=lambda n: abs(self.slots[n] - size), default=len(self.slots))
            if k.slot == len(self.slots):
                self.slots.append(size)
                free_from.append(k.last)
            self.slots[k.slot], free_from[k.slot] = max(size, self.slots[k.slot]), k.last

    def places(self, e: Emitter, memory: Reg | None, task: Reg) -> dict[int, tuple[Reg, Affine, int]]:
        """For each node kept the memory of its row, the place of an element in it, and the stage that writes it."""
        pointers, at = [], 0
        for size, stacked in zip(self.slots, self.stacked, strict=True):
            if stacked:
                pointers.append(e.alloca(U8, 1, size))
                continue
            assert memory is not None
            pointers.append(e.offset(e.offset(memory, e.mul(task, self.task_bytes), U8), at, U8))
            at += size
        place = linear([axis_index(a) for a in self.s.inner], [a.extent for a in self.s.inner])
        return {key: (pointers[k.slot], place, k.first) for key, k in self.kept.items()}
