"""What no GPU runs is refused while it is compiled, by an error that says why; nothing of it reaches a driver."""

from __future__ import annotations

import pytest

from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.targets.cuda.program import NotOnThisDevice, compile_program, device_tuning
from tests.compiler.op_examples import examples


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pure_callback", "a program that calls Python runs on the CPU alone"),
        ("cholesky", "cholesky calls .*scipy.lapack.dpotrf, which the host alone has"),
        ("tape_region", "a loop of unknown length that keeps every step runs on the CPU alone"),
    ],
)
def test_a_program_that_needs_the_host_is_refused(name: str, message: str) -> None:
    graph = examples(name)[0].graph(F64)
    with pytest.raises(NotOnThisDevice, match=message):
        compile_program(graph, device_tuning())
