"""What kernels become that are done as tasks: task functions, run phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...ir.graph import Var
from ...ir.types import I64
from ..emitter import Emitter
from ..llvm_text import PTR, Module, Reg

TASK_ARGUMENTS = (("args", PTR), ("begin", I64), ("end", I64))
"""Of a task function: the kernel's table, and the tasks from `begin` to below `end`."""


@contextmanager
def each_task(e: Emitter, tasks: int) -> Iterator[Reg]:
    """The body runs for the tasks that a task function is called for; one task is no loop."""
    _, begin, end = e.args
    if tasks == 1:
        yield e.const(0, I64)
        return
    with e.loop(begin, end) as task:
        yield task


@dataclass
class Phase:
    """A task function of a program and how many tasks it has; phases of a kernel run one after another."""

    function: str
    tasks: int


@dataclass
class Emitted:
    """What a kernel became: its phases, and how much scratch memory the program must lend it."""

    phases: list[Phase]
    scratch_bytes: int = 0


def all_of(module: Module, name: str, phases: Sequence[Phase], serial: bool) -> Phase:
    """One phase that has the tasks of several, whose order does not matter; `serial`: one task that does all of them."""
    e = Emitter(module, name, TASK_ARGUMENTS)
    args, begin, end = e.args
    first = 0
    for phase in phases:
        if serial:
            e.call(phase.function, None, args, e.const(0, I64), e.const(phase.tasks, I64))
            continue
        low, high = e.sub(begin, first), e.least(e.sub(end, first), phase.tasks)
        low = e.select(e.compare("lt", low, 0), 0, low)
        with e.when(e.compare("lt", low, high)):
            e.call(phase.function, None, args, low, high)
        first += phase.tasks
    e.finish()
    return Phase(name, 1 if serial else first)


Pointers = Callable[[Emitter, Reg, Sequence[Var]], dict[Var, Reg]]
"""Reads the pointers of variables from the kernel's table."""
Scratch = Callable[[Emitter, Reg], Reg]
"""Reads the pointer of the scratch memory."""
