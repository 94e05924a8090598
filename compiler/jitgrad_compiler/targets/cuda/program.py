"""A whole program for a GPU: its kernels as code, and the steps that run them, each with a table of where its operands lie.

Kernels know nothing of the program around them, so that equal ones are one piece of code, as on the CPU. The tables' addresses are
sums of a base (an input, an output, the arena) and an offset; the runtime fills them in. Next on the path:
runtime/cuda/executable.py.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ...ir.graph import Eqn, Graph, Var
from ...ir.types import TapeType
from ...kernels.kernel import Kernel
from ...kernels.program import KernelProgram, lower
from ...kernels.structure import host_calls, operands, structure
from ...kernels.tuning import Tuning
from ...ops.column_routines import LIBRARY_OPS
from ..emitter import Emitter
from ..llvm_text import PTR, Module, Reg
from ..numba_scalar import link
from ..tasks.kernel_table import KernelTable
from ..tasks.polling import POLL
from .contract.warpgroups import emit_contraction
from .control import emit_control
from .device import Threads
from .library.table import LIBRARY
from .loops.kernel import emit_loops
from .nvptx import OLDEST, WITH_WGMMA
from .phases import Emitted, Phase, Pointers, Scratch, emit_entry
from .tasks import emit_tasks

NOWHERE = -1
"""In place of a base, of a word that is what it is."""


_POLL = f"""\
define internal i1 @{POLL}(ptr %state) alwaysinline {{
entry:
  %clock = call i32 @gpu.clock()
  %part = and i32 %clock, 1032192
  %due = icmp eq i32 %part, 0
  br i1 %due, label %look, label %on
look:
  %place = load ptr, ptr %state
  %word = load volatile i64, ptr %place
  %stop = icmp ne i64 %word, 0
  br label %on
on:
  %found = phi i1 [ false, %entry ], [ %stop, %look ]
  ret i1 %found
}}"""
"""Whether the host asks the program to stop: it writes so into memory of its own, which takes a microsecond to read. So it is read
in one of 64 parts of the time alone, each of 16 thousand cycles.
"""


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
    on_host: bool = False
    """Whether no device does it: it calls Python or a library, or keeps tapes."""
    by_library: bool = False
    """Whether a library of the device's does it."""
    module: ModuleText = field(default_factory=lambda: ModuleText(""))


def _of_the_host(function: str) -> bool:
    """Whether a declared function is none that a device has."""
    return not function.startswith(("llvm.", "gpu.")) and function != POLL


def _library_rule(k: Kernel) -> Callable[[Module, str, Kernel, Pointers, Scratch], Emitted] | None:
    return LIBRARY.get(k.eqns[0].op) if k.registers is None and k.eqns else None


def _is_librarys(k: Kernel) -> bool:
    """Whether a kernel is what a library for linear algebra does."""
    return len(k.eqns) == 1 and k.eqns[0].params.get("of", k.eqns[0].op.name) in LIBRARY_OPS


_Key = tuple[str, bool, Tuning]
_codes: weakref.WeakValueDictionary[_Key, Code] = weakref.WeakValueDictionary()
_compiling = threading.RLock()
_serial = itertools.count()


class _DeviceTable(KernelTable):
    """The kernel's table, whose pointers are to global memory."""

    def word(self, e: Emitter, args: Reg, slot: int) -> Reg:
        return Threads(e).pointer(e.offset(args, slot, PTR))


class _Codes:
    """The codes of one program: found, or emitted into a module of its own. Kernels inside loops and branches are parts of these,
    so their functions are always in that module; what is launched by itself has an entry, and may be found by other programs.
    """

    def __init__(self, contracts: bool, tuning: Tuning) -> None:
        self._how = (contracts, tuning)
        self.used: dict[Kernel, Code] = {}
        self._new: dict[_Key, Code] = {}
        self._entered: dict[_Key, Code] = {}
        self._module = self._fresh_module()

    def _fresh_module(self) -> Module:
        return Module(frozenset(), *self._how, lanes=1, lookups=False)

    def _key(self, kernel: Kernel) -> _Key:
        return hashlib.sha256(structure(kernel).encode()).hexdigest(), *self._how

    def of(self, kernel: Kernel) -> Code:
        """The code of a kernel, as it may be asked for while the program is lowered."""
        if kernel not in self.used:
            key = self._key(kernel)
            self.used[kernel] = self._new.get(key) or _codes.get(key) or self._emitted(key, kernel)
        return self.used[kernel]

    def inside(self, kernel: Kernel) -> Code:
        """The same, with its functions in this module."""
        key = self._key(kernel)
        return self._new.get(key) or self._emitted(key, kernel)

    def entered(self, kernel: Kernel) -> Code:
        """The code of a kernel that is launched by itself."""
        code, key = self.of(kernel), self._key(kernel)
        if self._new.get(key) is code and key not in self._entered:
            self._entered[key] = code
            for phase in code.phases:
                emit_entry(self._module, phase)
        return code

    def _emitted(self, key: _Key, kernel: Kernel) -> Code:
        code = self._new[key] = self._emit(kernel)
        return code

    def _emit(self, k: Kernel) -> Code:
        if self._how[1].gpu.solver and _is_librarys(k):
            return Code([], 0, False, by_library=True)
        if self._is_hosts(k):
            return Code([], 0, False, on_host=True)
        table, name, module = _DeviceTable(k), f"kernel{next(_serial)}", self._module
        module.math_calls.clear()
        if k.programs:
            emitted = emit_control(module, name, k, table, table.scratch, self.inside)
        elif k.kind in ("loops", "contract"):
            emit = emit_loops if k.kind == "loops" else emit_contraction
            emitted = emit(module, name, k, table.pointers, table.scratch)
        elif (emit_library := _library_rule(k)) is not None:
            emitted = emit_library(module, name, k, table.pointers, table.scratch)
        else:
            emitted = emit_tasks(module, name, k, table)
        return Code(emitted.phases, emitted.scratch_bytes, table.asks_state)

    def _is_hosts(self, k: Kernel) -> bool:
        """Whether the processor does a kernel: it calls Python or a library, or keeps tapes."""
        types = [v.type for v in operands(k)]
        if host_calls(k) or any(isinstance(t, TapeType) for t in types):
            return True
        if k.programs:
            inner = [self.inside(n) for p in k.programs for n in p.kernels]
            return any(code.on_host or code.by_library for code in inner)
        if k.kind in ("loops", "contract") or _library_rule(k) is not None:
            return False
        trial = self._fresh_module()
        emit_tasks(trial, "trial", k, _DeviceTable(k))
        return any(_of_the_host(f) for f in trial.declarations.keys() - trial.linked.keys())

    def finish(self) -> None:
        """The text of what is new."""
        if not self._entered:
            return
        if POLL in self._module.declarations:
            del self._module.declarations[POLL]
            self._module.declare("gpu.clock", "i32", [])
            self._module.functions.append(_POLL)
        module = ModuleText(link(self._module.text(), self._module.linked))
        for code in self._entered.values():
            code.module = module
        _codes.update(self._entered)


@dataclass(frozen=True)
class Step:
    """A phase to run, with the table that begins at this word."""

    code: Code
    phase: Phase
    table: int


@dataclass(frozen=True, eq=False)
class HostStep:
    """What the processor does between kernels: a program of the kernel's equations, whose operands and results lie where the words
    from `table` on say; tapes are kept by the processor.
    """

    graph: Graph
    table: int


@dataclass(frozen=True, eq=False)
class LibraryStep:
    """What a library of the device's does between kernels: an equation, and which words say where operands and results lie."""

    eqn: Eqn
    words: tuple[int, ...]


AnyStep = Step | HostStep | LibraryStep


@dataclass(eq=False)
class Program:
    """A Graph for a GPU: what runs, and where the tables' words point."""

    lowered: KernelProgram
    steps: list[AnyStep]
    bases: list[int]
    """Of each word of the tables the number of an input, of an output behind those, of the arena or of the state behind these."""
    offsets: list[int]
    asks_state: bool

    @property
    def graph(self) -> Graph:
        return self.lowered.graph

    @property
    def modules(self) -> list[ModuleText]:
        return list(dict.fromkeys(s.code.module for s in self.steps if isinstance(s, Step)))


def compile_program(graph: Graph, tuning: Tuning, donated: Sequence[int] = (), contracts: bool = True) -> Program:
    """The code of a Graph; `donated` are the numbers of inputs whose memory outputs may take."""
    with _compiling:
        codes = _Codes(contracts, tuning)
        lowered = lower(graph, tuning, lambda k: codes.of(k).scratch_bytes, contracts, donated)
        steps, bases, offsets = _steps(codes, lowered)
        codes.finish()
        return Program(lowered, steps, bases, offsets, any(isinstance(s, Step) and s.code.asks_state for s in steps))


def _steps(codes: _Codes, lowered: KernelProgram) -> tuple[list[AnyStep], list[int], list[int]]:
    steps: list[AnyStep] = []
    words: list[tuple[int, int]] = []
    arena = len(lowered.graph.inputs) + len(lowered.graph.outputs)

    def place(v: Var) -> tuple[int, int]:
        slot, offset = lowered.place(v)
        return (arena if slot is None else slot), offset

    for number, kernel in enumerate(lowered.kernels):
        code = codes.entered(kernel)
        scratch = lowered.memory.scratch.get(number)
        if code.on_host:
            steps.append(HostStep(Graph(kernel.inputs, kernel.eqns, kernel.outputs), len(words)))
        if code.by_library:
            eqn, places = kernel.eqns[0], dict(zip(operands(kernel), itertools.count(len(words))))
            steps.append(LibraryStep(eqn, tuple(places[v] for v in (*eqn.inputs, *eqn.outputs))))  # type: ignore[index]
        steps += [Step(code, phase, len(words)) for phase in code.phases]
        words += [place(v) for v in operands(kernel)]
        words.append((NOWHERE, 0) if scratch is None else (arena, scratch))
        words.append((arena + 1, 0) if code.asks_state else (NOWHERE, 0))
    return steps, [b for b, _ in words], [o for _, o in words]


@functools.cache
def device_tuning(solver: bool = False, capability: tuple[int, int] = OLDEST) -> Tuning:
    """The sizes that kernels of a GPU are made by: many tasks, as each is a thread's. solver: whether a library with LAPACK's
    routines is at hand. capability: of the device, (9, 0) for sm_90.
    """
    many = 1 << 30
    base = Tuning()
    control, matrices = replace(base.control, most_tasks=many, serial_work=0), replace(base.matrices, serial_work=0)
    gpu = replace(base.gpu, solver=solver, warpgroups=capability == WITH_WGMMA, attention=True)
    return replace(base, most_tasks=many, tiled=False, halves=True, control=control, matrices=matrices, gpu=gpu)
