"""A whole program for the CPU: kernels emitted into one module behind one native entry `void jitgrad_entry(ptr table)`.

The table holds the addresses of inputs, outputs and the arena. Everything else about memory is decided here, before the first run.
Next on the path: runtime/executable.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.graph import Graph, Var
from ...ir.types import I32
from ...kernels.kernel import Kernel
from ...kernels.memory import MemoryPlan
from ...passes.pipeline import prepare
from ..emitter import PTR, Emitter, Module
from ..numba_scalar import link
from .blocks import Block, Offsets
from .machine.float_state import FLOATS_ELSEWHERE, FLOATS_X86
from .machine.native import NativeModule, compile_ir, host_features

ENTRY = "jitgrad_entry"


@dataclass
class Program:
    """A compiled Graph: its native module, and what memory one run needs."""

    graph: Graph
    kernels: tuple[Kernel, ...]
    ir: str
    native: NativeModule
    memory: MemoryPlan
    interruptible: bool
    """Whether the table ends with the address of a state: machine/interrupts.py."""


def compile_program(graph: Graph, symbols: dict[str, int], donated: Sequence[int] = (), contracts: bool = True) -> Program:
    """Machine code for a Graph; `donated` are the numbers of inputs whose memory outputs may take, `contracts` is the Module's."""
    lowered = prepare(graph)
    return emit_program(lowered, symbols, [lowered.inputs[i] for i in donated], contracts)


def needs_interpreter(graph: Graph) -> bool:
    """Whether a program has complex values, constants among them, which the CPU target does not emit."""
    types = [v.type for v in (*graph.inputs, *graph.outputs)] + [v.type for e in graph.eqns for v in (*e.inputs, *e.outputs)]
    return any(t.dtype.is_complex for t in types) or any(needs_interpreter(g) for e in graph.eqns for g in e.graphs)


def emit_program(graph: Graph, symbols: dict[str, int], donated: Sequence[Var], contracts: bool = True) -> Program:
    module, offsets = Module(host_features(), contracts), Offsets()
    block = Block(module, offsets, graph, "kernel", donated)
    _entry(module, block)
    text = link(offsets.put_into(module.text()), module.linked)
    return Program(graph, block.kernels, text, compile_ir(text, symbols), block.memory, module.interruptible)


def _entry(module: Module, block: Block) -> None:
    module.functions.append(FLOATS_X86 if "sse" in module.features else FLOATS_ELSEWHERE)
    e = Emitter(module, ENTRY, [("table", PTR)])
    (table,) = e.args
    state = e.call("plain_floats", I32)
    assert state is not None
    end = e.fresh("end")
    block.run(e, table, end)
    e.branch(end)
    e.label(end)
    e.call("restore_floats", None, state)
    e.finish()
