"""Ahead of time: what `jit(f).lower(...)` and `.compile()` return, with the program's text, costs and memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import TapeType
from jitgrad_compiler.ops.contraction import dot_general
from jitgrad_compiler.ops.control import switch

from . import tree
from .errors import ArgumentError, ConcretizationTypeError
from .tracebacks import boundary_methods
from .tracing import ARGUMENT, Traced, array_leaves


class Lowered:
    """A function traced for one signature."""

    def __init__(
        self, traced: Traced, in_tree: Any, name: str, donated: list[int], compiler: Callable[[Lowered], Compiled]
    ) -> None:
        self.traced, self.in_tree, self.name, self.donated, self._compiler = traced, in_tree, name, donated, compiler

    @property
    def graph(self) -> Graph:
        return self.traced.graph

    def as_text(self) -> str:
        """The IR's text."""
        return str(self.traced.graph)

    def cost_analysis(self) -> dict[str, float]:
        """As `Compiled.cost_analysis`, before kernels are known: bytes are those of arguments and results."""
        return graph_costs(self.traced.graph)

    def compile(self) -> Compiled:
        """The native program."""
        return self._compiler(self)


@dataclass(frozen=True)
class MemoryAnalysis:
    """Bytes of a compiled program: arguments, results, the arena of its intermediate values, results in donated memory, code; and
    what it takes for every step of loops whose length is known only when they run, in reverse mode, to be given back in the end.
    """

    argument_size_in_bytes: int
    output_size_in_bytes: int
    temp_size_in_bytes: int
    alias_size_in_bytes: int
    generated_code_size_in_bytes: int
    tape_size_in_bytes_per_step: int


class Compiled:
    """A native program for one signature. Call it with arguments of the shapes and types it was lowered for."""

    def __init__(self, lowered: Lowered, entry: Any) -> None:
        self._lowered, self._entry = lowered, entry

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values, in_tree = array_leaves(f"compiled {self._lowered.name}", (args, kwargs), ARGUMENT)
        if any(v.owner is not None for v in values):
            raise ConcretizationTypeError(
                f"compiled {self._lowered.name} needs concrete arrays, got traced ones: it is native code already. "
                "Inside jit, vmap and grad use the jitted function that it was lowered from."
            )
        graph = self._lowered.graph
        expected = list(graph.input_types[: len(values)])
        if in_tree != self._lowered.in_tree or [v.type for v in values] != expected:
            raise ArgumentError(
                f"compiled {self._lowered.name}: was compiled for {', '.join(map(str, expected))}, got "
                f"{', '.join(str(v.type) for v in values)}. Lower it again for these, or use jit, which does."
            )
        return self._entry.run(values)

    @property
    def _program(self) -> Any:
        program = getattr(self._entry.executable, "program", None)
        if program is None:
            raise ArgumentError(f"compiled {self._lowered.name}: a program with complex numbers is interpreted and has no kernels")
        return program

    @property
    def kernels(self) -> tuple[Any, ...]:
        """The kernels in the order they run; each prints as pseudo-code and has `fused`, `bytes_read`, `bytes_written`."""
        return self._program.kernels

    def as_text(self) -> str:
        """The kernels' pseudo-code."""
        return "\n".join(map(str, self.kernels))

    def llvm_ir(self) -> str:
        """The LLVM IR that was compiled."""
        return self._program.ir

    def assembly(self) -> str:
        """The machine code of this computer, as text."""
        return self._program.assembly

    def cost_analysis(self) -> dict[str, float]:
        """'flops' and 'transcendentals' of one run, and 'bytes accessed' by its kernels."""
        costs = graph_costs(self._program.graph)
        costs["bytes accessed"] = float(sum(k.bytes_read + k.bytes_written for k in self.kernels))
        return costs

    def memory_analysis(self) -> MemoryAnalysis:
        """What one run needs, in bytes."""
        program = self._program
        graph = program.graph
        return MemoryAnalysis(
            sum(v.type.nbytes for v in graph.inputs),
            sum(v.type.nbytes for v in graph.outputs),
            program.memory.arena_bytes,
            sum(v.type.nbytes for v in program.memory.donated),
            sum(len(m.object) for m in program.natives),
            tape_bytes(graph),
        )

    @property
    def out_tree(self) -> Any:
        return tree.structure(tree.unflatten(self._lowered.traced.out_tree, [0] * len(self._lowered.graph.outputs)))


def graph_costs(graph: Graph) -> dict[str, float]:
    """Operations on floating-point elements; a contraction counts a multiplication and an addition a term, a loop of unknown length
    one step, a branch the dearest one.
    """
    flops = transcendentals = 0.0
    for e in graph.eqns:
        if any(e.graphs):
            times = e.params.get("length") or e.params.get("size") or 1
            inner = [graph_costs(g) for g in e.graphs]
            combine = max if e.op is switch else sum
            flops += times * combine(i["flops"] for i in inner)
            transcendentals += times * combine(i["transcendentals"] for i in inner)
            continue
        if not e.outputs or isinstance(e.outputs[0].type, TapeType):
            continue
        out = e.outputs[0].type
        if e.op is dot_general:
            (contracted, _), _ = e.params["dims"]
            depth = 1
            for a in contracted:
                depth *= e.inputs[0].type.shape[a]
            flops += 2.0 * out.size * depth
        elif e.op.kind == "elementwise" and out.dtype.is_float:
            if e.op.traits.transcendental:
                transcendentals += out.size
            elif e.op.traits.computes:
                flops += out.size
        elif e.op.kind == "reduce":
            flops += e.inputs[0].type.size - out.size
    accessed = sum(v.type.nbytes for v in graph.inputs) + sum(a.type.nbytes for a in graph.outputs)
    return {"flops": flops, "transcendentals": transcendentals, "bytes accessed": float(accessed)}


def tape_bytes(graph: Graph) -> int:
    """What the tapes of a program take for one step of each loop that writes them."""
    total = 0
    for e in graph.eqns:
        total += sum(map(tape_bytes, e.graphs))
        total += sum(v.type.element.nbytes for v in e.outputs if isinstance(v.type, TapeType) and e.op is not switch)
    return total


for _class in (Lowered, Compiled):
    boundary_methods(_class, plain=("__init__",))
