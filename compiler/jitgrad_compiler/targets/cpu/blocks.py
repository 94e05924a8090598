"""Blocks: the kernels of one Graph, emitted and run one after another; a program is one, and so is the body of a loop that is too
large for registers.

A block's table has the addresses of its inputs, its outputs, its arena and the state of the run (machine/interrupts.py), in that
order. A kernel that is control flow holds blocks of its own (control/kernels.py), whose tables it fills. Next on the path:
program.py.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from ...ir.graph import Graph, Var
from ...ir.types import I64, TapeType
from ...kernels.fuse import fuse
from ...kernels.kernel import Kernel
from ...kernels.memory import MemoryPlan, plan_memory, updates_in_place
from ...passes.pipeline import prepare
from ..emitter import PTR, Emitter, Module, Reg
from .contract.kernel import emit_contraction
from .control.kernels import CONTROL
from .library.table import LIBRARY
from .loops.kernel import emit_loops
from .machine.interrupts import stopped
from .phases import Emitted, Phase
from .registers.in_memory import clear_record, free_record
from .registers.kernel import emit_register_kernel, register_graph

PARALLEL = "jitgrad_parallel"


class Offsets:
    """Offsets in arenas that are known only after all kernels of a block are emitted: names that the module's text gets last."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self._numbers = itertools.count()

    def name(self) -> str:
        return f"@offset{next(self._numbers)}@"

    def put_into(self, text: str) -> str:
        return re.sub(r"@offset\d+@", lambda m: str(self.values[m[0]]), text)


class Block:
    """Emits the kernels of a prepared Graph into a module."""

    def __init__(
        self,
        module: Module,
        offsets: Offsets,
        graph: Graph,
        name: str,
        donated: Sequence[Var] = (),
        handed_on: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.module, self.offsets, self.graph, self.name = module, offsets, graph, name
        pairs = [(graph.outputs[out], graph.inputs[given]) for out, given in handed_on]
        updates = updates_in_place(graph, pairs)
        self._same = {e.outputs[0]: out for out, chain in updates.items() for e in chain[:-1]}
        """Values that lie in an output's memory, where they become it."""
        self.kernels = tuple(fuse(graph, [e for chain in updates.values() for e in chain]))
        self.slots: dict[Var, int] = {v: n for n, v in enumerate([*graph.inputs, *graph.outputs])}  # type: ignore[misc]
        self.arena_slot = len(graph.inputs) + len(graph.outputs)
        self._names: dict[Var | int, str] = {}
        self.emitted = [self._emit(n, k) for n, k in enumerate(self.kernels)]
        outputs = [v for v in graph.outputs if isinstance(v, Var)]
        scratch = [x.scratch_bytes for x in self.emitted]
        self.memory: MemoryPlan = plan_memory(
            self.kernels,
            scratch,
            graph.inputs,
            outputs,
            donated,
            pairs,
            self._same,
        )
        for key, placeholder in self._names.items():
            offsets.values[placeholder] = self.memory.values[key] if isinstance(key, Var) else self.memory.scratch[key]
        self.arena_bytes = self.memory.arena_bytes
        self.in_place = frozenset(out for out, given in handed_on if graph.outputs[out] in self.memory.handed_on)
        self.tapes = [v for k in self.kernels for v in k.outputs if isinstance(v.type, TapeType)]

    def _emit(self, number: int, k: Kernel) -> Emitted:
        name = f"{self.name}{number}"
        if k.eqns[0].op in CONTROL:
            graph = register_graph(k, self.module.contracts)
            if graph is not None:
                return emit_register_kernel(self.module, name, k, self, graph)
            return CONTROL[k.eqns[0].op](self.module, name, k, self, self._scratch(number))
        emit = emit_loops if k.kind == "loops" else emit_contraction if k.kind == "contract" else LIBRARY[k.eqns[0].op]
        return emit(self.module, name, k, self.pointers, self._scratch(number))

    # -- what kernels ask

    def _arena(self, e: Emitter, args: Reg, key: Var | int, base: Reg | None = None) -> Reg:
        base = base or e.get(e.offset(args, self.arena_slot, PTR), PTR)
        if key not in self._names:
            self._names[key] = self.offsets.name()
        return e.op(f"getelementptr i8, ptr {base.text}, i64 {self._names[key]}", PTR)

    def pointers(self, e: Emitter, args: Reg, wanted: Sequence[Var]) -> dict[Var, Reg]:
        """The addresses of variables, read from the table."""
        found: dict[Var, Reg] = {}
        base: Reg | None = None
        for v in dict.fromkeys(wanted):
            place = self._same.get(v, v)
            if place in self.slots:
                found[v] = e.get(e.offset(args, self.slots[place], PTR), PTR)
            else:
                base = base or e.get(e.offset(args, self.arena_slot, PTR), PTR)
                found[v] = self._arena(e, args, v, base)
        return found

    def state(self, e: Emitter, args: Reg) -> Reg:
        """The address of the run's state."""
        self.module.interruptible = True
        return e.get(e.offset(args, self.arena_slot + 1, PTR), PTR)

    def _scratch(self, number: int) -> Callable[[Emitter, Reg], Reg]:
        return lambda e, args: self._arena(e, args, number)

    def nested(self, graph: Graph, name: str, handed_on: Sequence[tuple[int, int]] = ()) -> Block:
        """A block of the same program; `handed_on` pairs outputs with the inputs whose memory they would best take."""
        return Block(self.module, self.offsets, prepare(graph), f"{name}_", handed_on=handed_on)

    # -- running

    def frame(self, e: Emitter, arena: Reg, state: Reg) -> Reg:
        """A table in the frame of the function that runs this block."""
        table = e.alloca(PTR, 1, self.arena_slot + 2)
        e.set(e.offset(table, self.arena_slot, PTR), arena)
        e.set(e.offset(table, self.arena_slot + 1, PTR), state)
        return table

    def set_input(self, e: Emitter, frame: Reg, number: int, pointer: Reg) -> None:
        e.set(e.offset(frame, number, PTR), pointer)

    def set_output(self, e: Emitter, frame: Reg, number: int, pointer: Reg) -> None:
        e.set(e.offset(frame, len(self.graph.inputs) + number, PTR), pointer)

    def run(self, e: Emitter, frame: Reg, quit: str) -> None:
        """All kernels, in order; where the program is to stop, on to `quit`."""
        records = self.pointers(e, frame, self.tapes)
        for r in records.values():
            clear_record(e, r)
        skip = e.fresh("skip")
        may_stop = False
        for k, x in zip(self.kernels, self.emitted, strict=True):
            for phase in x.phases:
                _run(e, phase, frame)
            if k.eqns[0].op in CONTROL:
                may_stop = True
                going = e.fresh("going")
                e.branch_if(stopped(e, self.state(e, frame)), skip, going)
                e.label(going)
        e.branch(skip)
        e.label(skip)
        for v, r in records.items():
            if v not in self.slots:
                free_record(e, r)
        if may_stop:
            going = e.fresh("going")
            e.branch_if(stopped(e, self.state(e, frame)), quit, going)
            e.label(going)


def _run(e: Emitter, phase: Phase, table: Reg) -> None:
    """One phase: on the caller where there is one task, else by the thread pool."""
    if phase.tasks == 1:
        e.call(phase.function, None, table, e.const(0, I64), e.const(1, I64))
    elif phase.tasks > 1:
        e.module.declare(PARALLEL, "void", ["ptr", "ptr", "i64"])
        e.call(PARALLEL, None, Reg(f"@{phase.function}", PTR), table, e.const(phase.tasks, I64))
