"""What no GPU does is the processor's, between kernels: libraries, callbacks, large loops."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.targets.cuda.program import HostStep, compile_program, device_tuning
from tests.compiler.op_examples import examples

from .running import stand_ins


@pytest.mark.parametrize("name", ["pure_callback", "qr", "tape_region"])
def test_a_program_that_needs_the_processor_has_steps_of_its(name: str) -> None:
    program = compile_program(examples(name)[0].graph(F64), device_tuning())
    assert any(isinstance(step, HostStep) for step in program.steps)


@pytest.mark.parametrize("name", ["sort", "scatter", "scan", "convolve", "reduce_sum", "dot_general"])
def test_other_programs_have_kernels_alone(name: str) -> None:
    program = compile_program(examples(name)[0].graph(F64), device_tuning())
    assert program.steps and not any(isinstance(step, HostStep) for step in program.steps)


def root(a):
    return lax.while_loop(lambda x: abs(x * x - a) > 1e-6, lambda x: (x + a / x) / 2, a)


DERIVATIVES = {
    "done at once": jitgrad.grad(root),
    "of a program": jitgrad.grad(jitgrad.jit(root)),
    "in a program": jitgrad.jit(jitgrad.grad(root)),
    "forward, of a program": jitgrad.jacfwd(jitgrad.jit(root)),
    "second, of a program": jitgrad.hessian(jitgrad.jit(root)),
    "of rows": lambda x: jitgrad.vmap(jitgrad.grad(root))(jnp.stack([x, 2 * x])),
    "of rows of directions": lambda x: jitgrad.vmap(jitgrad.vjp(root, x)[1])(jnp.stack([x, 2 * x])),
    "closed over by a program": lambda x: jitgrad.jit(jitgrad.vjp(root, x)[1])(x),
    "given to a program": lambda x: jitgrad.jit(lambda back, y: back(y))(jitgrad.vjp(root, x)[1], x),
    "returned by a program": lambda x: jitgrad.jit(lambda y: jitgrad.vjp(root, y)[1])(x)(x),
    "linearized": lambda x: jitgrad.linearize(root, x)[1](x),
}


@pytest.mark.parametrize("how", DERIVATIVES)
def test_derivatives_of_a_loop_that_ends_when_it_may_lie_where_its_operands_do(how):
    want = jitgrad.tree.leaves(DERIVATIVES[how](jnp.float32(2)))
    with stand_ins() as (driver,):
        got = jitgrad.tree.leaves(DERIVATIVES[how](jitgrad.device_put(np.float32(2), "cuda")))
        assert {str(a.device) for a in got} == {"cuda:0"}
        np.testing.assert_array_equal(np.array(got), np.array(want))
        assert not driver.misuses
