"""Programs that the tests compile for the processor are compiled for a GPU, too, and their PTX is assembled where ptxas is found.

`pytest --assemble=1` does it for all of them; without it one in 256, by its text, is looked at. The architectures take turns.
Every op by itself is in cuda/test_ops.py, every width of loads in cuda/test_maps.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import C128, F64, I64, U64, ArrayType
from jitgrad_compiler.kernels.expression import Apply, walk
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.runtime import executable
from jitgrad_compiler.targets.cpu.program import Program, compile_program
from jitgrad_compiler.targets.cuda import program as cuda
from jitgrad_compiler.targets.cuda.nvptx import ptx

from .cuda.assemble import ARCHITECTURES, assemble, assembler, wide_floats

IN_FLOAT64 = {"ndtri"}
"""What is computed in float64 whatever its type, since cancellation leaves no accuracy of float32's."""


FOR_THE_PROCESSOR = {"tiled_convolve", "tiled_kernel"}
"""Ops that are written for the processor's sizes alone (passes/convolutions.py): no program of a GPU has them."""


class Assembling:
    every = 256
    """One program in so many."""


def _is_plain(k: Kernel) -> bool:
    """Whether a kernel is a map, or rows and sums: none that loops over steps, or does one task a thread."""
    return k.kind == "loops" and k.registers is None and not k.programs


def _is_wide(k: Kernel) -> bool:
    """Whether a kernel has 64-bit floats, or ops that are computed in them; as 64-bit integers become 8-bit floats by them."""
    types = [v.type for v in (*k.inputs, *k.outputs)]
    nodes = [n for n in walk(k.roots()) if isinstance(n, Apply)]
    ops = any(n.op.traits.scalar is not None or n.op.name in IN_FLOAT64 for n in nodes)
    ops |= any(n.dtype.is_storage and any(a.dtype in (I64, U64) for a in n.args) for n in nodes)
    return ops or any(isinstance(t, ArrayType) and t.dtype in (F64, C128) for t in types) or any(n.dtype == F64 for n in nodes)


def assemble_for_gpu(graph: Graph, donated: Sequence[int], contracts: bool) -> None:
    """Check what a GPU's code for a graph is: ptxas takes it; where it is maps and rows alone none is short of registers, and of
    narrower types none computes with 64-bit floats.
    """
    architecture = list(ARCHITECTURES)[zlib.crc32(graph.key.encode()) // Assembling.every % len(ARCHITECTURES)]
    capability = ARCHITECTURES[architecture]
    made = cuda.compile_program(graph, cuda.device_tuning(capability=capability), donated, contracts)
    plain = all(_is_plain(k) for k in made.lowered.kernels)
    narrow = plain and not any(_is_wide(k) for k in made.lowered.kernels)
    for module in made.modules:
        text = ptx(module.text, capability)
        if narrow:
            assert not wide_floats(text), f"64-bit floats in a program of narrower ones:\n{graph}\n{wide_floats(text)[:5]}"
        target = f"{architecture}a" if f".target {architecture}a" in text else architecture
        for kernel in assemble(text, target).kernels.values():
            assert not plain or not (kernel.spill_stores or kernel.spill_loads), f"{kernel}:\n{graph}"


def compile_for_both(
    graph: Graph, symbols: Mapping[str, int], donated: Sequence[int] = (), contracts: bool = True, tuning: Tuning | None = None
) -> Program:
    """The processor's program; of some graphs the GPU's is looked at."""
    looked_at = zlib.crc32(graph.key.encode()) % Assembling.every == 0
    if looked_at and not any(e.op.name in FOR_THE_PROCESSOR for e in graph.eqns):
        assemble_for_gpu(graph, donated, contracts)
    return compile_program(graph, symbols, donated, contracts, tuning)


def install(every: int) -> None:
    """Have it done from here on."""
    Assembling.every = every
    if assembler() is not None and every:
        executable.compile_program = compile_for_both  # type: ignore[assignment]
