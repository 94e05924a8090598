"""Kernels as code: each is compiled once, and then shared by all that equal it, in whichever program and thread.

A kernel's code knows nothing of the program around it, nor of the process. Its table has the addresses of its operands
(structure.operands), of its scratch memory and of the run's state, the sites of its calls of Python (structure.host_calls), and the
plans of the blocks inside it. Next on the path: program.py, which gathers codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.types import BOOL
from ...kernels.kernel import Kernel
from ...kernels.program import KernelProgram
from ..emitter import Emitter
from ..llvm_text import PTR, Reg
from ..tasks.kernel_table import KernelTable
from ..tasks.phases import Phase
from .machine.driver import RUN
from .machine.native import NativeModule


@dataclass(eq=False)
class Code:
    """The code of a kernel: its phases that have tasks, and what it must be lent beside the operands."""

    phases: list[Phase]
    scratch_bytes: int
    asks_state: bool
    native: NativeModule | None = None
    """The module that it is in, once that is compiled."""

    def address(self, phase: Phase) -> int:
        """Where a phase's task function starts."""
        assert self.native is not None
        return self.native.address(phase.function)


def arena_slot(program: KernelProgram) -> int:
    """The place of the arena in a program's table: behind its plan, its inputs and its outputs. Behind it is the state's."""
    return 1 + len(program.graph.inputs) + len(program.graph.outputs)


class BlocksTable(KernelTable):
    """A kernel's table on the CPU: behind the sites are the plans of the blocks inside it."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.programs = kernel.programs

    def nested(self, number: int) -> Nested:
        """One of the kernel's programs."""
        return Nested(self, self.programs[number], len(self.slots) + 2 + len(self.calls) + number)


class Nested:
    """A program as the kernel around it sees it: the kernel makes its table and has the driver run it."""

    def __init__(self, table: BlocksTable, program: KernelProgram, slot: int) -> None:
        self.table, self.slot = table, slot
        self.arena_bytes, self.in_place = program.memory.arena_bytes, program.in_place
        self.inputs = len(program.graph.inputs)
        self.arena_slot = arena_slot(program)

    def frame(self, e: Emitter, arena: Reg, state: Reg) -> Reg:
        """The program's table, in the frame of the function that runs it."""
        frame = e.alloca(PTR, 1, self.arena_slot + 2)
        e.set(frame, self.table.word(e, e.args[0], self.slot))
        e.set(e.offset(frame, self.arena_slot, PTR), arena)
        e.set(e.offset(frame, self.arena_slot + 1, PTR), state)
        return frame

    def set_input(self, e: Emitter, frame: Reg, number: int, pointer: Reg) -> None:
        e.set(e.offset(frame, 1 + number, PTR), pointer)

    def set_output(self, e: Emitter, frame: Reg, number: int, pointer: Reg) -> None:
        e.set(e.offset(frame, 1 + self.inputs + number, PTR), pointer)

    def run(self, e: Emitter, frame: Reg, quit: str) -> None:
        """All kernels, in order; where the program is to stop, on to `quit`."""
        e.module.declare(RUN, "i1", ["ptr"])
        stop = e.call(RUN, BOOL, frame)
        assert stop is not None
        going = e.fresh("going")
        e.branch_if(stop, quit, going)
        e.label(going)
