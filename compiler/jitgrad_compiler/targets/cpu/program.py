"""A whole program for the CPU: its kernels found or compiled, and the plan by which one native function runs them all.

The table holds the addresses of the plan, of inputs, outputs, the arena and the run's state. Everything else about memory is
decided here, before the first run. Next on the path: runtime/executable.py.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import itertools
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...ir.graph import Graph
from ...kernels.kernel import Kernel
from ...kernels.memory import MemoryPlan
from ...kernels.program import KernelProgram, lower
from ...kernels.structure import structure
from ...kernels.tuning import Tuning
from ..llvm_text import Module
from ..numba_scalar import link
from ..tasks.registers.kernel import emit_register_kernel
from .blocks import Block
from .codes import BlocksTable, Code
from .contract.kernel import emit_contraction
from .control.kernels import CONTROL
from .library.table import LIBRARY
from .loops.kernel import emit_loops
from .machine.blas_threads import blas_symbols
from .machine.driver import OBJECTS, PARALLEL
from .machine.native import NativeModule, Source, compile_sources, host_features, host_tuning

_Key = tuple[str, bool, Tuning, frozenset[str]]
"""A kernel's structure, or the name of a function that kernels share; whether its code may round less often than it is written, its
sizes, and what the machine can do.
"""
_codes: weakref.WeakValueDictionary[_Key, Code] = weakref.WeakValueDictionary()
"""All codes that a program still has."""
_PARALLEL_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)  # releases the GIL
_compiling = threading.RLock()
"""Held while kernels become code, so that what two threads ask for is compiled once."""
os.register_at_fork(before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release)


class _Codes:
    """The codes of one program: found, or emitted into modules of its own."""

    def __init__(self, contracts: bool, tuning: Tuning) -> None:
        self._how = (contracts, tuning, host_features())
        self.used: dict[Kernel, Code] = {}
        self._new: dict[_Key, Code] = {}
        self._modules: list[tuple[Module, list[Code]]] = []
        self._lent: dict[str, Code] = {}
        """The functions that kernels share (`Module.shares`), as codes without phases."""
        self._numbers = itertools.count()

    def of(self, kernel: Kernel) -> Code:
        """The code of a kernel, found the second time it is asked for."""
        if kernel not in self.used:
            self.used[kernel] = self._find(kernel)
        return self.used[kernel]

    def of_all(self, program: KernelProgram) -> None:
        """The codes of a program in the order in which `lower` asks for them, so that the text is the same."""
        for p in [p for k in program.kernels for p in k.programs]:
            self.of_all(p)
        for k in program.kernels:
            self.of(k)

    def _find(self, kernel: Kernel) -> Code:
        key = (hashlib.sha256(structure(kernel).encode()).hexdigest(), *self._how)
        code = self._new.get(key) or _codes.get(key)
        if code is None:
            code = self._new[key] = self._emit(kernel)
        return code

    def _lends(self, name: str) -> bool:
        """Whether a module before, of this program or another, has a function that kernels share."""
        if name not in self._lent and (found := _codes.get((name, *self._how))) is not None:
            self._lent[name] = found
        return name in self._lent

    def _module(self, k: Kernel) -> tuple[Module, list[Code]]:
        """The module for a kernel, and the codes in it."""
        contracts, tuning, features = self._how
        full = self._modules and self._modules[-1][0].size >= tuning.module_bytes
        small = k.kind == "loops" and sum(e.op.traits.cost for e in k.eqns) <= tuning.module_joined_cost
        if not self._modules or full and not small:
            module, beside = (Module(features, contracts, tuning, self._lends) for _ in range(2))
            module.beside = beside
            self._modules += [(beside, []), (module, [])]
        return self._modules[-1]

    def _emit(self, k: Kernel) -> Code:
        (module, codes), table, name = self._module(k), BlocksTable(k), f"kernel{next(self._numbers)}"
        beside, functions_beside = self._modules[-2]
        module.math_calls.clear()  # or the text would depend on the kernels before
        if k.registers is not None:
            emitted = emit_register_kernel(module, name, k, table, k.registers)
        elif k.eqns[0].op in CONTROL:
            emitted = CONTROL[k.eqns[0].op](module, name, k, table, table.scratch)
        else:
            emit = emit_loops if k.kind == "loops" else emit_contraction if k.kind == "contract" else LIBRARY[k.eqns[0].op]
            emitted = emit(module, name, k, table.pointers, table.scratch)
        for m, of_module in ((beside, functions_beside), (module, codes)):
            for shared in m.lends:
                if shared not in self._lent:
                    self._lent[shared] = self._new[shared, *self._how] = Code([], 0, False)
                    of_module.append(self._lent[shared])
        code = Code([p for p in emitted.phases if p.tasks], emitted.scratch_bytes, table.asks_state)
        codes.append(code)
        return code

    def compile(self, symbols: Mapping[str, int]) -> None:
        """Compile what is new."""
        if not self._new:
            return
        modules = [(m, codes) for m, codes in self._modules if m.functions]
        sources = [Source(link(m.text(), m.linked), m.borrows) for m, _ in modules]
        lenders = {name: code.native for name, code in self._lent.items() if code.native is not None}
        symbols = {**symbols, **blas_symbols(name for m, _ in modules for name in m.declarations)}
        parallel = _PARALLEL_TYPE(symbols[PARALLEL])
        made = compile_sources(sources, symbols, lenders, lambda args, tasks: parallel(symbols[OBJECTS], args, tasks))
        for native, (_, codes) in zip(made, modules, strict=True):
            for code in codes:
                code.native = native
        _codes.update(self._new)


@dataclass
class Program:
    """A compiled Graph: its kernels, its plan, and what memory one run needs."""

    block: Block
    plan: int
    """The address of the plan."""
    natives: tuple[NativeModule, ...]
    """The modules that have its kernels' code."""

    @property
    def graph(self) -> Graph:
        return self.block.program.graph

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return self.block.program.kernels

    @property
    def memory(self) -> MemoryPlan:
        return self.block.program.memory

    @property
    def interruptible(self) -> bool:
        """Whether a run needs a state: machine/interrupts.py."""
        return self.block.asks_state

    @property
    def ir(self) -> str:
        return "\n".join(m.source for m in self.natives)

    @property
    def assembly(self) -> str:
        return "\n".join(m.assembly() for m in self.natives)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Kernels are made of many objects that live on: looking through them for garbage again and again took a third of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def compile_program(
    graph: Graph, symbols: Mapping[str, int], donated: Sequence[int] = (), contracts: bool = True, tuning: Tuning | None = None
) -> Program:
    """Machine code for a Graph; `donated` are the numbers of inputs whose memory outputs may take, `contracts` and `tuning` are the
    Module's: without a tuning this machine's.
    """
    tuning = host_tuning() if tuning is None else tuning
    with _compiling, _collector_at_rest():
        codes = _Codes(contracts, tuning)
        return _compile(codes, lower(graph, tuning, lambda k: codes.of(k).scratch_bytes, contracts, donated), symbols)


def compile_lowered(program: KernelProgram, symbols: Mapping[str, int]) -> Program:
    """Machine code for what was lowered before, perhaps in another process."""
    with _compiling, _collector_at_rest():
        codes = _Codes(program.contracts, program.tuning)
        codes.of_all(program)
        return _compile(codes, program, symbols)


def _compile(codes: _Codes, lowered: KernelProgram, symbols: Mapping[str, int]) -> Program:
    block = Block(codes.of, lowered)
    codes.compile(symbols)
    natives = [code.native for code in codes.used.values() if code.native is not None]
    return Program(block, block.plan(symbols), tuple(dict.fromkeys(m for native in natives for m in (*native.lenders, native))))
