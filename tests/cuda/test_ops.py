"""Every op on a GPU: its programs run in the emulator against the reference, and their PTX is assembled for three architectures."""

from __future__ import annotations

import functools
import zlib

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, Graph
from jitgrad_compiler.ir.types import F32, DType
from jitgrad_compiler.runtime.cuda import devices
from jitgrad_compiler.runtime.cuda.executable import compile_for
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning
from tests.assembled import FOR_THE_PROCESSOR, IN_FLOAT64
from tests.compiler.op_agreement import (
    KERNELS,
    OTHERS,
    assert_examples_agree,
    assert_kernels_agree,
    elementwise_graph,
    elementwise_kernels,
    example_kernels,
    seeded,
)
from tests.compiler.op_examples import Example, elementwise_params

from .assemble import assemble, assembler, wide_floats
from .running import run_on_gpu, stand_ins

TARGETS = {"sm_80": (8, 0), "sm_90": (9, 0), "sm_100": (10, 0)}


@pytest.fixture(autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices


@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS}))
def test_an_elementwise_op_agrees_at_special_numbers_and_at_every_length_and_rank(name: str) -> None:
    assert_kernels_agree(OPS[name], elementwise_kernels(OPS[name]), run_on_gpu)


def together(name: str) -> list[list[tuple[Example, DType]]]:
    """An op's examples, some at a time, for one program: of three programs at most, one for each architecture."""
    found = example_kernels(name)
    return [found[n::3] for n in range(3)] if len(found) > 12 else [found]


@functools.lru_cache(maxsize=256)
def assembles(text: str, target: str) -> bool:
    """Whether ptxas takes a module's PTX. Programs share modules, which are asked about once."""
    return bool(assemble(ptx(text, TARGETS[target]), target).kernels)


@pytest.mark.parametrize("name", [n for n in OTHERS if n not in FOR_THE_PROCESSOR])
def test_an_op_agrees_with_the_interpreter_and_its_ptx_is_assembled(name: str) -> None:
    """The architectures take turns."""
    rng = seeded(name)
    for target, some in zip(TARGETS, together(name), strict=False):

        def run(graph: Graph, arrays: list[np.ndarray], target: str = target) -> list[np.ndarray]:
            if assembler() is not None:
                for module in compile_for(devices.device(0), graph).program.modules:
                    assert assembles(module.text, target)
            return run_on_gpu(graph, arrays)

        assert_examples_agree(name, some, rng, run)


def assembled(graphs: list[Graph], target: str) -> str:
    """The PTX of programs, whose kernels ptxas takes; none of them is short of registers."""
    whole = Graph(
        [v for g in graphs for v in g.inputs], [e for g in graphs for e in g.eqns], [a for g in graphs for a in g.outputs]
    )
    (module,) = compile_program(whole, device_tuning()).modules
    text = ptx(module.text, TARGETS[target])
    kernels = assemble(text, target).kernels
    assert kernels and not any(k.spill_stores or k.spill_loads for k in kernels.values())
    return text


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS}))
def test_the_ptx_of_an_elementwise_op_is_assembled(name: str) -> None:
    """Of float32 it computes with nothing wider, unless it is done in Python's numbers. The architectures take turns."""
    op, target = OPS[name], list(TARGETS)[zlib.crc32(name.encode()) % 3]
    graphs = {d: elementwise_graph(op, d, [(1 << 12,)], elementwise_params(op, d)[:1]) for n, d in KERNELS if n == name}
    if F32 in graphs and op.traits.scalar is None and name not in IN_FLOAT64:
        assert not wide_floats(assembled([graphs.pop(F32)], target))
    if graphs:
        assembled(list(graphs.values()), target)
