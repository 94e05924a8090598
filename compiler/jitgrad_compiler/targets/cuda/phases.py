"""What every kernel of the CUDA target becomes: functions of a block, run phase by phase.

A function of a block takes the kernel's table, as tasks do on the CPU, and the number of its block. Its entry, which is what the
driver launches, gives it the number of the block that runs; a program that runs whole in one launch gives it one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...ir.graph import Var
from ...ir.types import I64
from ..emitter import Emitter
from ..llvm_text import PTR, Module, Reg
from .device import Threads

BLOCK, CONTROL = ".block", ".control"
"""What follows an entry's name in those of the functions that do the work: of a block, and of all blocks together."""


@dataclass
class Phase:
    """A function of a block, by its entry's name, and how many blocks there are; phases of a kernel run one after another."""

    function: str
    blocks: int
    shared_bytes: int = 0
    cooperative: bool = False
    """Whether the function is one of all blocks together, as many of `blocks` as the device runs at once: control.py."""


@dataclass
class Emitted:
    """What a kernel became: its phases, and how much scratch memory the program must lend it."""

    phases: list[Phase]
    scratch_bytes: int = 0


Pointers = Callable[[Emitter, Reg, Sequence[Var]], dict[Var, Reg]]
"""Reads the pointers of variables from the kernel's table."""
Scratch = Callable[[Emitter, Reg], Reg]
"""Reads the pointer of the scratch memory."""


class Parts(Protocol):
    """A kernel's code as another kernel of the same module sees it."""

    phases: list[Phase]


def emit_entry(module: Module, phase: Phase) -> None:
    """What the driver launches for a phase."""
    entry = Emitter(module, phase.function, (("table", PTR),), "ptx_kernel void")
    if phase.cooperative:
        entry.call(f"{phase.function}{CONTROL}", None, entry.args[0])
    else:
        entry.call(f"{phase.function}{BLOCK}", None, entry.args[0], Threads(entry).block())
    entry.finish()


class BlockFunction:
    """A function of a block in the making: `e` writes it, `threads` are the primitives, `table` and `block` its arguments."""

    def __init__(self, module: Module, name: str, width: int = 1) -> None:
        self.name = name
        self.e = Emitter(
            module, f"{name}{BLOCK}", (("table", PTR), ("block", I64)), width=width, attributes="alwaysinline", internal=True
        )
        self.threads = Threads(self.e)
        self.table, self.block = self.e.args
        self.shared_bytes = 0
        """What has been asked for so far, from the beginning of shared memory on."""

    def finish(self, blocks: int, shared_bytes: int = 0) -> Phase:
        """Close it."""
        self.e.finish()
        return Phase(self.name, blocks, max(shared_bytes, self.shared_bytes))
