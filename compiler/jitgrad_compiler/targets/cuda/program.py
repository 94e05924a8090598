"""A whole program for a GPU: its kernels as code, and the steps that run them, each with a table of where its operands lie.

Kernels know nothing of the program around them, so that equal ones are one piece of code, as on the CPU. The tables' addresses are
sums of a base (an input, an output, the arena) and an offset; the runtime fills them in. Next on the path:
runtime/cuda/executable.py.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...errors import JitgradError
from ...ir.graph import Graph, Var
from ...ir.types import TapeType
from ...kernels.kernel import Kernel
from ...kernels.program import KernelProgram, lower
from ...kernels.structure import host_calls, operands, structure
from ...kernels.tuning import Tuning
from ..cpu.codes import KernelTable
from ..cpu.machine.interrupts import POLL
from ..emitter import Emitter
from ..llvm_text import PTR, Module, Reg
from ..numba_scalar import link
from .contract.kernel import emit_contraction
from .device import Threads
from .loops.kernel import emit_loops
from .phases import Emitted, Phase
from .tasks import emit_tasks

NOWHERE = -1
"""In place of a base, of a word that is what it is."""


_POLL = f"""\
define internal i1 @{POLL}(ptr %state) alwaysinline {{
  %word = load volatile i64, ptr %state
  %stop = icmp ne i64 %word, 0
  ret i1 %stop
}}"""
"""Whether the host asks the program to stop: it writes so into memory that the device sees."""


_MOVE = "device_put(x, 'cpu') moves its arrays there"


class NotOnThisDevice(JitgradError, NotImplementedError):
    """A program holds something that runs on the CPU alone."""


@dataclass(eq=False)
class ModuleText:
    """LLVM text that kernels were written into."""

    text: str


@dataclass(eq=False)
class Code:
    """The code of a kernel: its phases, what it must be lent, and the module that it is in."""

    phases: list[Phase]
    scratch_bytes: int
    asks_state: bool
    module: ModuleText = field(default_factory=lambda: ModuleText(""))


_Key = tuple[str, bool, Tuning]
_codes: weakref.WeakValueDictionary[_Key, Code] = weakref.WeakValueDictionary()
_compiling = threading.RLock()
_serial = itertools.count()


class _DeviceTable(KernelTable):
    """The kernel's table, whose pointers are to global memory."""

    def _at(self, e: Emitter, args: Reg, slot: int) -> Reg:
        return Threads(e).pointer(e.offset(args, slot, PTR))


class _Codes:
    """The codes of one program: found, or emitted into a module of its own."""

    def __init__(self, contracts: bool, tuning: Tuning) -> None:
        self._how = (contracts, tuning)
        self.used: dict[Kernel, Code] = {}
        self._new: dict[_Key, Code] = {}
        self._module = Module(frozenset(), contracts, tuning, lanes=1)

    def of(self, kernel: Kernel) -> Code:
        if kernel not in self.used:
            key = (hashlib.sha256(structure(kernel).encode()).hexdigest(), *self._how)
            code = self._new.get(key) or _codes.get(key)
            if code is None:
                code = self._new[key] = self._emit(kernel)
            self.used[kernel] = code
        return self.used[kernel]

    def _emit(self, k: Kernel) -> Code:
        table, name, module = _DeviceTable(k), f"kernel{next(_serial)}", self._module
        module.math_calls.clear()
        if host_calls(k):
            raise NotOnThisDevice(f"a program that calls Python runs on the CPU alone: {_MOVE}")
        if any(isinstance(v.type, TapeType) for v in operands(k)):
            raise NotOnThisDevice(f"a loop of unknown length that keeps every step runs on the CPU alone so far: {_MOVE}")
        if k.programs:
            raise NotOnThisDevice(f"a {k.eqns[0].op.name} whose state is too large for registers runs on the CPU alone so far")
        emitted: Emitted
        if k.kind in ("loops", "contract"):
            emit = emit_loops if k.kind == "loops" else emit_contraction
            emitted = emit(module, name, k, table.pointers, table.scratch)
        else:
            emitted = emit_tasks(module, name, k, table)
        own = {POLL, *module.linked}
        if of_the_host := [n for n in module.declarations if not n.startswith(("llvm.", "gpu.")) and n not in own]:
            called = ", ".join(of_the_host)
            raise NotOnThisDevice(f"{k.eqns[0].op.name} calls {called}, which the host alone has: it runs there so far; {_MOVE}")
        return Code(emitted.phases, emitted.scratch_bytes, table.asks_state)

    def finish(self) -> None:
        """The text of what is new."""
        if not self._new:
            return
        if POLL in self._module.declarations:
            del self._module.declarations[POLL]
            self._module.functions.append(_POLL)
        module = ModuleText(link(self._module.text(), self._module.linked))
        for code in self._new.values():
            code.module = module
        _codes.update(self._new)


@dataclass(frozen=True)
class Step:
    """A phase to run, with the table that begins at this word."""

    code: Code
    phase: Phase
    table: int


@dataclass(eq=False)
class Program:
    """A Graph for a GPU: what runs, and where the tables' words point."""

    lowered: KernelProgram
    steps: list[Step]
    bases: list[int]
    """Of each word of the tables the number of an input, of an output behind those, of the arena or of the state behind these."""
    offsets: list[int]
    asks_state: bool

    @property
    def graph(self) -> Graph:
        return self.lowered.graph

    @property
    def modules(self) -> list[ModuleText]:
        return list(dict.fromkeys(s.code.module for s in self.steps))


def compile_program(graph: Graph, tuning: Tuning, donated: Sequence[int] = (), contracts: bool = True) -> Program:
    """The code of a Graph; `donated` are the numbers of inputs whose memory outputs may take."""
    with _compiling:
        codes = _Codes(contracts, tuning)
        lowered = lower(graph, tuning, lambda k: codes.of(k).scratch_bytes, contracts, donated)
        steps, bases, offsets = _steps(codes, lowered)
        codes.finish()
        return Program(lowered, steps, bases, offsets, any(s.code.asks_state for s in steps))


def _steps(codes: _Codes, lowered: KernelProgram) -> tuple[list[Step], list[int], list[int]]:
    steps: list[Step] = []
    words: list[tuple[int, int]] = []
    arena = len(lowered.graph.inputs) + len(lowered.graph.outputs)

    def place(v: Var) -> tuple[int, int]:
        slot, offset = lowered.place(v)
        return (arena if slot is None else slot), offset

    for number, kernel in enumerate(lowered.kernels):
        code = codes.of(kernel)
        scratch = lowered.memory.scratch.get(number)
        steps += [Step(code, phase, len(words)) for phase in code.phases]
        words += [place(v) for v in operands(kernel)]
        words.append((NOWHERE, 0) if scratch is None else (arena, scratch))
        words.append((arena + 1, 0) if code.asks_state else (NOWHERE, 0))
    return steps, [b for b, _ in words], [o for _, o in words]


def device_tuning() -> Tuning:
    """The sizes that kernels of a GPU are made by: many tasks, as each is a thread's."""
    many = 1 << 30
    base = Tuning()
    return replace(base, most_tasks=many, control=replace(base.control, most_tasks=many, serial_work=0))
