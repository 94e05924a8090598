"""What every kernel of the CPU target becomes: task functions, run phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...ir.graph import Var
from ..emitter import Emitter, Reg

TASK_ARGUMENTS = (("args", "ptr"), ("begin", "i64"), ("end", "i64"))
"""Of a task function: the program's table, and the tasks from `begin` to below `end`."""


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


Pointers = Callable[[Emitter, Reg, Sequence[Var]], dict[Var, Reg]]
"""Reads the pointers of variables from the program's table."""
