"""A whole program for the CPU: kernels emitted into one module behind one native entry `void jitgrad_entry(ptr table)`.

The table holds the addresses of inputs, outputs and the arena. Everything else about memory is decided here, before the first run.
Next on the path: runtime/executable.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...ir.graph import Graph, Var
from ...ir.types import COMPLEX
from ...kernels.fuse import fuse
from ...kernels.kernel import Kernel
from ...kernels.memory import MemoryPlan, plan_memory
from ...passes.pipeline import prepare
from ..emitter import Emitter, Module, Reg
from ..numba_scalar import link
from .contract_kernel import emit_contraction
from .float_state import FLOATS_ELSEWHERE, FLOATS_X86
from .library import LIBRARY
from .loops import emit_loops
from .native import NativeModule, compile_ir, host_features
from .phases import Emitted, Phase

ENTRY = "jitgrad_entry"
PARALLEL = "jitgrad_parallel"


@dataclass
class Program:
    """A compiled Graph: its native module, and what memory one run needs."""

    graph: Graph
    kernels: tuple[Kernel, ...]
    ir: str
    native: NativeModule
    memory: MemoryPlan


class _Arena:
    """Offsets in the arena that are known only after all kernels are emitted: named constants that the module's text gets last."""

    def __init__(self) -> None:
        self.names: dict[Var | int, str] = {}

    def offset(self, key: Var | int) -> str:
        return self.names.setdefault(key, f"@offset{len(self.names)}@")


def compile_program(graph: Graph, symbols: dict[str, int], donated: Sequence[int] = ()) -> Program:
    """Machine code for a Graph; `donated` are the numbers of inputs whose memory outputs may take."""
    lowered = prepare(graph)
    kernels = fuse(lowered)
    return emit_program(lowered, kernels, symbols, [lowered.inputs[i] for i in donated])


def needs_interpreter(graph: Graph) -> bool:
    """Whether a program has complex values, which the CPU target does not emit."""
    types = [v.type for v in graph.inputs] + [v.type for e in graph.eqns for v in e.outputs]
    inner = [p for e in graph.eqns for p in e.params.values() if isinstance(p, Graph)]
    return any(t.dtype in COMPLEX for t in types) or any(map(needs_interpreter, inner))


def emit_program(graph: Graph, kernels: Sequence[Kernel], symbols: dict[str, int], donated: Sequence[Var]) -> Program:
    module, arena = Module(host_features()), _Arena()
    slots = {v: n for n, v in enumerate([*graph.inputs, *graph.outputs])}
    arena_slot = len(slots)

    def pointers(e: Emitter, args: Reg, wanted: Sequence[Var]) -> dict[Var, Reg]:
        found: dict[Var, Reg] = {}
        base: Reg | None = None
        for v in dict.fromkeys(wanted):
            if v in slots:
                found[v] = e.get(e.offset(args, slots[v], "ptr"), "ptr")
            else:
                base = base or e.get(e.offset(args, arena_slot, "ptr"), "ptr")
                found[v] = e.op(f"getelementptr i8, ptr {base.text}, i64 {arena.offset(v)}", "ptr")
        return found

    def scratch_of(number: int) -> Callable[[Emitter, Reg], Reg]:
        def scratch(e: Emitter, args: Reg) -> Reg:
            base = e.get(e.offset(args, arena_slot, "ptr"), "ptr")
            return e.op(f"getelementptr i8, ptr {base.text}, i64 {arena.offset(number)}", "ptr")

        return scratch

    emitted = []
    for n, k in enumerate(kernels):
        emit = emit_loops if k.kind == "loops" else emit_contraction if k.kind == "contract" else LIBRARY[k.kind]
        emitted.append(emit(module, f"kernel{n}", k, pointers, scratch_of(n)))
    _entry(module, emitted)
    outputs = [v for v in graph.outputs if isinstance(v, Var)]
    memory = plan_memory(kernels, [x.scratch_bytes for x in emitted], graph.inputs, outputs, donated)
    text = module.text()
    for key, name in arena.names.items():
        text = text.replace(name, str(memory.values[key] if isinstance(key, Var) else memory.scratch[key]))
    text = link(text, module.linked)
    return Program(graph, tuple(kernels), text, compile_ir(text, symbols), memory)


def _entry(module: Module, kernels: Sequence[Emitted]) -> None:
    """Runs all phases in order: on the caller where there is one task, else by the thread pool."""
    module.functions.append(FLOATS_X86 if "sse" in module.features else FLOATS_ELSEWHERE)
    e = Emitter(module, ENTRY, [("table", "ptr")])
    (table,) = e.args
    state = e.call("plain_floats", "i32")
    assert state is not None
    for k in kernels:
        for phase in k.phases:
            _run(e, phase, table)
    e.call("restore_floats", "void", state)
    e.finish()


def _run(e: Emitter, phase: Phase, table: Reg) -> None:
    if phase.tasks == 1:
        e.call(phase.function, "void", table, e.const(0, "i64"), e.const(1, "i64"))
    elif phase.tasks > 1:
        e.module.declare(PARALLEL, "void", ["ptr", "ptr", "i64"])
        e.call(PARALLEL, "void", Reg(f"@{phase.function}", "ptr"), table, e.const(phase.tasks, "i64"))
