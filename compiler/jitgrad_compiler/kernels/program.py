"""Lowering: a Graph becomes a KernelProgram, which says all that is decided before a target writes code: the kernels in order, what
of loops and branches lives in registers, the programs inside the others, and where values lie in memory.

A target reads these records and changes none. It is asked one thing, how much scratch memory a kernel needs. Next on the path:
targets/cpu/program.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..ir.graph import Atom, Eqn, Graph, Var, lazy
from ..ops.control import rowwise, scan, switch, tape_add, while_loop
from ..ops.effects import callback, io_callback, pure_callback
from ..passes.pipeline import prepare
from ..passes.register_fit import FEW, MANY, fits_registers
from ..passes.scales import join_scales
from .fuse import fuse
from .kernel import Kernel
from .memory import MemoryPlan, plan_memory, updates_in_place
from .recompute import recompute
from .structure import host_calls, operands, structure
from .tuning import Tuning

HandedOn = Sequence[tuple[int, int]]
"""Pairs of an output and the input that it becomes in the next step, whose memory it would best take."""


@dataclass(frozen=True, eq=False)
class KernelProgram:
    """The kernels of a Graph. Two are equal where their structure and their tuning are, whatever their values are called."""

    graph: Graph
    """As fusion met it."""
    kernels: tuple[Kernel, ...]
    memory: MemoryPlan
    same: Mapping[Var, Var]
    """Values that lie in an output's memory, where they become it."""
    in_place: frozenset[int]
    """The outputs that take the memory of the input they were paired with."""
    contracts: bool
    """Whether code in registers may round less often than it is written: passes/scales.py."""
    tuning: Tuning
    """The sizes by which it was cut, and its kernels' code is to be made."""

    @lazy
    def slots(self) -> dict[Var, int]:
        """The numbers of inputs and, behind them, of outputs."""
        return {v: n for n, v in enumerate((*self.graph.inputs, *self.graph.outputs)) if isinstance(v, Var)}

    def place(self, v: Var) -> tuple[int | None, int]:
        """Where a value lies: the number of an input or an output, and 0; or None, and the offset in the arena."""
        v = self.same.get(v, v)
        slot = self.slots.get(v)
        return (None, self.memory.values[v]) if slot is None else (slot, 0)

    def memory_of(self, v: Var) -> tuple[tuple[int | None, int, int], ...]:
        """The memory that a value lies in, or may: where, its first byte and the one behind its last. An output lies in that of the
        inputs which it may be written over, too.
        """
        v = self.same.get(v, v)
        given = self.memory.donated.get(v)
        over = (*self.memory.handed_on.get(v, ()), *(() if given is None else (given,)))
        return tuple((slot, offset, offset + v.type.nbytes) for slot, offset in map(self.place, (v, *over)))

    @lazy
    def structure(self) -> str:
        """All that a program's plan, and how it is run, depend on."""
        types, memory = (*self.graph.input_types, *self.graph.output_types), self.memory
        donated = sorted((self.slots[out], self.slots[given]) for out, given in memory.donated.items())
        lines = [f"program {len(self.graph.inputs)} {' '.join(map(str, types))}; contracts {self.contracts}"]
        lines += [f"arena {memory.arena_bytes}; donated {donated}; in place {sorted(self.in_place)}"]
        for n, k in enumerate(self.kernels):
            places = " ".join(str(self.place(v)) for v in operands(k))
            calls = " ".join(str(c.function) for c in host_calls(k))
            lines += [f"at {places}; scratch {memory.scratch.get(n)}; calls {calls}", structure(k)]
            lines += [p.structure for p in k.programs]
        return "\n".join(lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelProgram) and self.tuning == other.tuning and self.structure == other.structure

    def __hash__(self) -> int:
        return hash(self.structure)

    def __str__(self) -> str:
        return "\n".join(map(str, self.kernels))


def lower(
    graph: Graph,
    tuning: Tuning,
    scratch: Callable[[Kernel], int],
    contracts: bool = True,
    donated: Iterable[int] = (),
    handed_on: HandedOn = (),
) -> KernelProgram:
    """A Graph as kernels.

    Args:
        graph: what is to be computed.
        tuning: the target's sizes.
        scratch: how many bytes of scratch memory the target lends a kernel while it runs.
        contracts: of the program.
        donated: numbers of inputs whose memory outputs may take.
        handed_on: of a loop's body, its carries.
    """
    graph = prepare(graph, tuning.tiled, tuning.gpu.solver, tuning.halves, tuning.gpu.attention)
    pairs = [(graph.outputs[out], graph.inputs[given]) for out, given in handed_on]
    given = [graph.inputs[i] for i in donated]
    graph, found, same = _cut(graph, tuning, pairs, frozenset((*given, *(v for _, v in pairs))))
    kernels = tuple(_with_bodies(k, tuning, scratch, contracts) for k in found)
    outputs = [v for v in graph.outputs if isinstance(v, Var)]
    memory = plan_memory(kernels, [scratch(k) for k in kernels], graph.inputs, outputs, given, pairs, same)
    in_place = frozenset(out for out, _ in handed_on if graph.outputs[out] in memory.handed_on)
    return KernelProgram(graph, kernels, memory, same, in_place, contracts, tuning)


def _cut(
    graph: Graph, tuning: Tuning, pairs: Sequence[tuple[Atom, Var]], given: frozenset[Var]
) -> tuple[Graph, list[Kernel], dict[Var, Var]]:
    """The Graph, with what is better computed again; its kernels; and which values lie in an output's memory."""

    def fused(graph: Graph, again: frozenset[Var] = frozenset()) -> tuple[Graph, list[Kernel], dict[Var, Var]]:
        updates = updates_in_place(graph, pairs)
        kernels = fuse(graph, tuning, [e for chain in updates.values() for e in chain], again, given)
        return graph, kernels, {e.outputs[0]: out for out, chain in updates.items() for e in chain[:-1]}

    best = fused(graph)
    found = recompute(*best[:2], tuning.fusion)
    return best if found is None else fused(*found)


def _with_bodies(kernel: Kernel, tuning: Tuning, scratch: Callable[[Kernel], int], contracts: bool) -> Kernel:
    """A kernel that is control flow with what it does in registers or, where that is too much, with the programs of its bodies."""
    if kernel.kind in ("loops", "contract"):
        return kernel
    bodies = _bodies(kernel.eqns[0])
    if bodies is None:
        return kernel
    registers = register_graph(kernel.eqns[0], contracts)
    if registers is not None:
        return replace(kernel, registers=registers)
    return replace(kernel, programs=tuple(lower(g, tuning, scratch, contracts, handed_on=pairs) for g, pairs in bodies))


def register_graph(e: Eqn, contracts: bool) -> Graph | None:
    """What an equation does in registers; None where its values are too large."""
    graph: Graph
    if e.op is rowwise:
        graph, most = e.params["graph"], MANY
    else:
        inputs = [a if isinstance(a, Var) else Var(a.type) for a in e.inputs]
        graph, most = Graph(inputs, [Eqn(e.op, inputs, e.params, e.outputs, e.source)], e.outputs), FEW
    if not fits_registers(graph, most):
        return None
    return join_scales(graph) if contracts else graph


def _bodies(e: Eqn) -> list[tuple[Graph, HandedOn]] | None:
    """The programs inside an equation, in the order in which its kernel asks for them; None where it is no control flow."""
    p = e.params
    if e.op is scan:
        return [(p["body"], [(n, p["consts"] + n) for n in range(p["carry"])])]
    if e.op is while_loop:
        carries = len(p["body"].inputs) - p["consts"]
        return [(p["body"], [(n, p["consts"] + n) for n in range(carries)]), (p["cond"], ())]
    if e.op is switch:
        return [(branch, ()) for branch in p["branches"]]
    if e.op is rowwise:
        return [(p["graph"], ())]
    return [] if e.op in (tape_add, callback, io_callback, pure_callback) else None
