"""How library kernels cut work into tasks: by shape alone, so that results never depend on threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..emitter import Emitter
from ..llvm_text import Reg
from .phases import each_task


@dataclass(frozen=True)
class Partition:
    """`count` units cut into `tasks` runs of `step` units, the last one shorter."""

    count: int
    step: int

    @property
    def tasks(self) -> int:
        return -(-self.count // self.step)

    def bounds(self, e: Emitter, task: Reg) -> tuple[Reg, Reg]:
        """The first unit of a task and the one behind its last."""
        low = e.mul(task, self.step)
        high = e.add(low, self.step)
        if self.count % self.step:
            high = e.least(high, self.count)
        return low, high

    @contextmanager
    def units(self, e: Emitter) -> Iterator[Reg]:
        """The body runs for every unit of a task function's tasks."""
        with each_task(e, self.tasks) as task:
            low, high = self.bounds(e, task)
            with e.loop(low, high) as unit:
                yield unit


def partition(count: int, most: int, multiple: int = 1) -> Partition:
    """At most `most` tasks of equal runs, each a multiple of `multiple` units long."""
    step = -(-count // max(most, 1))
    return Partition(count, max(-(-step // multiple) * multiple, 1))
