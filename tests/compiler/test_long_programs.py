"""Programs of thousands of equations: nothing recurses once an equation, and pieces that depend on each other are still right."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp


def additions(x):
    for _ in range(3000):
        x = x + 1.5
    return x


def layouts(x):
    """Layout ops alone, more than a reader would do again."""
    for _ in range(150):
        x = x[::-1].reshape(4, 6).T.reshape(-1)
    return x


def chain_beside_a_sum(x):
    """Each step reads one element of the last and the whole argument."""
    y = x
    for _ in range(300):
        y = y[1] * 0.5 + x
    return y


def updates(x):
    y = jnp.zeros(60).at[0].set(x[0])
    for i in range(1, 60):
        y = y.at[i].set(x[i % 24] + y[i - 1])
    return y


def two_chains_that_meet(x):
    """Two chains, each long for a kernel, of which every step reads both."""
    a, b = x, x * 2
    for _ in range(400):
        a, b = a * 0.5 + b, b * 0.5 - a * 0.25
    return a + b


def sines(x):
    """More calls of one function than are written out."""
    for _ in range(60):
        x = jnp.sin(x) * 1.01 + jnp.cos(x[0]) * 0.1
    return x


def pieces(x):
    """More pieces than one concatenation takes, of several lengths, some of them empty."""
    return jnp.concatenate([x[n % 7 : n % 24] * n for n in range(1100)]) + 1


PROGRAMS = [additions, layouts, chain_beside_a_sum, updates, two_chains_that_meet, sines, pieces]
X = np.linspace(0.1, 1.0, 24, dtype=np.float32)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_a_long_program_gives_compiled_what_it_gives_eagerly(f: Callable):
    np.testing.assert_allclose(np.asarray(jitgrad.jit(f)(X)), np.asarray(f(jnp.array(X))), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("f", [chain_beside_a_sum, updates, two_chains_that_meet, sines], ids=lambda f: f.__name__)
def test_so_does_its_gradient(f: Callable):
    g = jitgrad.grad(lambda x: jnp.sum(f(x) ** 2))
    np.testing.assert_allclose(np.asarray(jitgrad.jit(g)(X)), np.asarray(g(jnp.array(X))), rtol=2e-4, atol=1e-5)


def test_many_arguments_and_outputs():
    values = [np.float32(n) for n in range(1000)]
    total, *outs = jitgrad.jit(lambda *xs: (sum(xs), *[x + 1 for x in xs]))(*values)
    assert float(total) == 499500
    assert [float(v) for v in outs] == [n + 1 for n in range(1000)]


def test_a_thread_with_a_small_stack_compiles_a_long_program():
    found = []
    before = threading.stack_size(512 * 1024)
    thread = threading.Thread(target=lambda: found.append(float(jitgrad.jit(lambda x: additions(x) * 1.0)(0.0))))
    try:
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert found == [4500.0]
