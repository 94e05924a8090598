"""Functions of numbers that users write, with Numba's decorators or without, as ops on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numba.cuda
import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import Step, compile_program, device_tuning

from .assemble import assemble, assembler
from .running import stand_ins


def damped(x):
    return math.exp(-x) * math.sin(x) + math.tanh(x) / (1 + x * x)


def power(x, y):
    return math.pow(x, y) + math.hypot(x, y) - math.atan2(y, x)


def halvings(x):
    n = 0
    while x > 1 and n < 50:
        x = x * 0.5
        n += 1
    return n


def branches(x, y):
    if x > y:
        return math.sqrt(x - y)
    return math.floor(y) - y % 0.7


inner = numba.njit(damped)


def of_another(x):
    return 2 * inner(x) + math.log1p(x)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "plain": (damped, 1),
    "plain, of two": (power, 2),
    "a loop": (numba.njit(halvings), 1),
    "branches": (branches, 2),
    "of another": (numba.njit(of_another), 1),
    "a device function of Numba's": (numba.cuda.jit(damped, device=True), 1),
}
X = np.abs(np.random.default_rng(5).normal(size=(2, 90))).astype("f4") * 3 + np.float32(0.1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_users_function_of_numbers_is_an_op_on_the_gpu(name):
    f, count = FUNCTIONS[name]
    op, plain = jitgrad.elementwise(f), getattr(f, "py_func", f)
    want = [plain(*map(float, numbers)) for numbers in zip(*X[:count], strict=True)]
    with stand_ins():
        operands = [jitgrad.device_put(x, "cuda") for x in X[:count]]
        for found in (op(*operands), jitgrad.jit(op)(*operands), jitgrad.vmap(op)(*operands), op(*map(jnp.array, X[:count]))):
            np.testing.assert_allclose(found, want, rtol=3e-6, atol=3e-6)
        assert str(op(*operands).device) == str(jitgrad.jit(op)(*operands).device) == "cuda:0"


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_users_function_is_part_of_the_kernel_around_it(name):
    f, count = FUNCTIONS[name]
    op = jitgrad.elementwise(f)
    program = compile_program(jitgrad.make_graph(lambda *xs: op(*[x + 1 for x in xs]) * 2)(*X[:count]), device_tuning())
    assert len(program.steps) == 1 and isinstance(program.steps[0], Step)
    (module,) = program.modules
    (kernel,) = assemble(ptx(module.text, (9, 0)), "sm_90").kernels.values()
    assert not kernel.spill_stores


def test_a_users_function_has_derivatives_on_the_gpu():
    op = jitgrad.elementwise(damped)
    known = jitgrad.elementwise(numba.njit(halvings), partials=[lambda x, out: 3 * x])
    with stand_ins():
        x = jitgrad.device_put(X[0], "cuda")
        for f in (lambda a: op(a).sum(), jitgrad.jit(lambda a: op(a).sum())):
            step = 1e-6
            slope = [(damped(float(a) + step) - damped(float(a) - step)) / (2 * step) for a in X[0]]
            np.testing.assert_allclose(jitgrad.grad(f)(x), slope, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(jitgrad.grad(lambda a: known(a).sum())(x), 3 * X[0])
