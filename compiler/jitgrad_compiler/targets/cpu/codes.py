"""Kernels as code: each is compiled once, and then shared by all that equal it, in whichever program and thread.

A kernel's code knows nothing of the program around it, nor of the process. Its table has the addresses of its operands
(structure.operands), of its scratch memory and of the run's state, the sites of its calls of Python (structure.host_calls), and the
plans of the blocks inside it. Next on the path: program.py, which gathers codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.graph import Eqn, Var
from ...ir.types import BOOL, I64
from ...kernels.kernel import Kernel
from ...kernels.program import KernelProgram
from ...kernels.structure import HostCall, host_calls, operands
from ..emitter import Emitter
from ..llvm_text import PTR, Reg
from .machine.driver import RUN
from .machine.native import NativeModule
from .phases import Phase


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


def sites(kernel: Kernel) -> tuple[HostCall, ...]:
    """The calls of Python that stand in a kernel's table: those of its own code, not of the blocks inside it."""
    return () if kernel.programs else host_calls(kernel)


class KernelTable:
    """What a kernel that is emitted asks of its own table."""

    def __init__(self, kernel: Kernel) -> None:
        self.programs = kernel.programs
        known = operands(kernel)
        self.slots = {v: n for n, v in enumerate(known)}
        self.calls = {call: n for n, call in enumerate(sites(kernel))}
        self.asks_state = False

    def pointers(self, e: Emitter, args: Reg, wanted: Sequence[Var]) -> dict[Var, Reg]:
        return {v: self._at(e, args, self.slots[v]) for v in dict.fromkeys(wanted)}

    def scratch(self, e: Emitter, args: Reg) -> Reg:
        return self._at(e, args, len(self.slots))

    def state(self, e: Emitter, args: Reg) -> Reg:
        self.asks_state = True
        return self._at(e, args, len(self.slots) + 1)

    def site(self, e: Emitter, args: Reg, eqn: Eqn) -> Reg:
        """The number of the site where an equation calls Python."""
        call = HostCall.of(eqn)
        if call is None:
            raise KeyError(f"callback: this process has no function of the token {eqn.params['callee']}")
        return e.get(e.offset(args, len(self.slots) + 2 + self.calls[call], I64), I64)

    def nested(self, number: int) -> Nested:
        """One of the kernel's programs."""
        return Nested(self, self.programs[number], len(self.slots) + 2 + len(self.calls) + number)

    def _at(self, e: Emitter, args: Reg, slot: int) -> Reg:
        return e.get(e.offset(args, slot, PTR), PTR)


class Nested:
    """A program as the kernel around it sees it: the kernel makes its table and has the driver run it."""

    def __init__(self, table: KernelTable, program: KernelProgram, slot: int) -> None:
        self.table, self.slot = table, slot
        self.arena_bytes, self.in_place = program.memory.arena_bytes, program.in_place
        self.inputs = len(program.graph.inputs)
        self.arena_slot = arena_slot(program)

    def frame(self, e: Emitter, arena: Reg, state: Reg) -> Reg:
        """The program's table, in the frame of the function that runs it."""
        frame = e.alloca(PTR, 1, self.arena_slot + 2)
        e.set(frame, self.table._at(e, e.args[0], self.slot))
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
