"""What no GPU does is the processor's, between kernels: libraries, callbacks, large loops."""

from __future__ import annotations

import pytest

from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.targets.cuda.program import HostStep, compile_program, device_tuning
from tests.compiler.op_examples import examples


@pytest.mark.parametrize("name", ["pure_callback", "qr", "tape_region"])
def test_a_program_that_needs_the_processor_has_steps_of_its(name: str) -> None:
    program = compile_program(examples(name)[0].graph(F64), device_tuning())
    assert any(isinstance(step, HostStep) for step in program.steps)


@pytest.mark.parametrize("name", ["sort", "scatter", "scan", "convolve", "reduce_sum", "dot_general"])
def test_other_programs_have_kernels_alone(name: str) -> None:
    program = compile_program(examples(name)[0].graph(F64), device_tuning())
    assert program.steps and not any(isinstance(step, HostStep) for step in program.steps)
