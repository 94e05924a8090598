"""Nested loops and branches drawn at random: the same by lax as by Python's loops, with both modes of derivatives, and batched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import jitgrad.numpy as jnp
from jitgrad import grad, jit, jvp, lax, make_graph, vmap
from jitgrad_compiler.ir import parse, verify

from .loops_and_twins import Python
from .random_loops import WIDTH, programs, run

MODES = {"eager": (lambda f: f, 12), "jit": (jit, 6)}
modes = pytest.mark.parametrize("mode", MODES)


def total(p, block):
    """The program as a function of one array of all its values, and the sum of its results, each with a weight."""

    def f(x):
        state = run(block, [x[k] for k in range(WIDTH)], [], p)
        return sum((k + 1) * jnp.sum(v) for k, v in enumerate(state))

    return f


def start(shape, seed, rows=()):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (*rows, WIDTH, *shape)))


def agree(got, want, tolerance=1e-9):
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=tolerance, atol=tolerance)


def checked(mode, check):
    """Run `check(wrap, block, shape, seed)` on random programs."""
    wrap, examples = MODES[mode]

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(programs)
    def on_a_program(program):
        check(wrap, *program)

    on_a_program()


@modes
def test_values_and_first_derivatives_are_those_of_plain_loops(mode):
    def check(wrap, block, shape, seed):
        f, twin, x = total(lax, block), total(Python, block), start(shape, seed)
        direction = start(shape, seed + 1)
        want = jvp(twin, (x,), (direction,))
        got = wrap(lambda x, t: jvp(f, (x,), (t,)))(x, direction)
        agree(got[0], want[0], 1e-12)
        agree(got[1], want[1])
        gradient = grad(twin)(x)
        agree(wrap(grad(f))(x), gradient)
        agree(grad(wrap(f))(x), gradient)
        agree(np.sum(np.asarray(gradient) * np.asarray(direction)), want[1])

    checked(mode, check)


@modes
def test_second_derivatives_are_those_of_plain_loops(mode):
    def check(wrap, block, shape, seed):
        f, twin, x = total(lax, block), total(Python, block), start(shape, seed)
        direction = start(shape, seed + 1)

        def reverse_twice(f):
            return grad(lambda x: jnp.sum(grad(f)(x) * direction))

        def forward_over_reverse(f):
            return lambda x: jvp(grad(f), (x,), (direction,))[1]

        want = reverse_twice(twin)(x)
        agree(wrap(reverse_twice(f))(x), want, 1e-8)
        agree(wrap(forward_over_reverse(f))(x), want, 1e-8)

    checked(mode, check)


@modes
def test_a_batch_takes_each_example_its_own_way(mode):
    def check(wrap, block, shape, seed):
        f, twin, x = total(lax, block), total(Python, block), start(shape, seed, (3,))
        agree(wrap(vmap(f))(x), [twin(row) for row in x], 1e-12)
        gradients = [grad(twin)(row) for row in x]
        agree(wrap(vmap(grad(f)))(x), gradients)
        agree(wrap(grad(lambda x: jnp.sum(vmap(f)(x))))(x), gradients)

    checked(mode, check)


def test_programs_keep_the_rules_of_the_ir_and_read_back():
    def check(wrap, block, shape, seed):
        f, x = total(lax, block), start(shape, seed)
        for g, arg in [(f, x), (grad(f), x), (vmap(grad(f)), x[None])]:
            graph = verify(make_graph(g)(arg))
            assert parse(str(graph)) == graph

    checked("eager", check)
