"""Eager mode: concrete numbers inside grad, so that Python's own control flow and print work, and no compiler is loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import grad, hessian, jit, jvp, lax, value_and_grad, vjp
from jitgrad.testing import assert_close


def absolute(x):
    return x if x > 0 else -x


def newton_root(x, target):
    """The square root of `target` by Newton's method from x, with as many steps as it takes."""
    steps = 0
    while abs(x * x - target) > 1e-12 * target:
        x = (x + target / x) / 2
        steps += 1
        assert steps < 100
    return x


def collatz_like(x):
    """A product whose length depends on the value."""
    total = 1.0
    while x > 1:
        total = total * x
        x = x / 2 if x > 3 else x - 1.5
    return total


def test_if_takes_the_branch_of_the_value_that_is_differentiated():
    assert float(grad(absolute)(3.0)) == 1
    assert float(grad(absolute)(-3.0)) == -1
    assert float(grad(grad(lambda x: x**3 if x > 0 else x**2))(2.0)) == 12
    assert float(grad(grad(lambda x: x**3 if x > 0 else x**2))(-2.0)) == 2


def test_while_runs_as_long_as_the_value_asks():
    target = jnp.array(7.0, "float64")
    root = grad(newton_root, argnums=1)(jnp.array(1.0, "float64"), target)
    assert_close(root, np.array(0.5 / np.sqrt(7.0)), 1e-9)
    assert_close(jvp(lambda t: newton_root(1.0, t), (target,), (jnp.ones((), "float64"),))[1], np.array(0.5 / np.sqrt(7.0)), 1e-9)


def test_a_loop_whose_length_depends_on_the_value_is_differentiated_along_its_path():
    x = jnp.array(10.0, "float64")
    # 10 * 5 * 2.5 for x = 10: x, x/2, x/4, then 2.5 - 1.5 ends it
    assert_close(grad(collatz_like)(x), np.array(3 * 100.0 / 8), 1e-12)
    assert_close(hessian(collatz_like)(x), np.array(6 * 10.0 / 8), 1e-12)
    assert_close(vjp(collatz_like, x)[1](jnp.ones((), "float64"))[0], np.array(3 * 100.0 / 8), 1e-12)


def test_nested_gradients_branch_on_values_of_every_level():
    def f(x):
        def inner(y):
            return x * y * y if y > x else x * x * y

        slope = grad(inner)(2.0)
        return slope * x if slope > 3 else slope

    # x = 1: y = 2 > 1, slope 4 x, f = 4 x^2; x = 3: slope x^2 = 9 > 3, f = x^3
    assert float(grad(f)(1.0)) == 8
    assert float(grad(f)(3.0)) == 27
    assert float(grad(f)(jnp.array(1.0))) == 8


def test_python_numbers_and_prints_come_out_of_a_function_that_is_differentiated(capsys):
    seen = []

    def f(x):
        print("x is", x, f"{x[0]:.2f}")
        known = lax.stop_gradient(x)
        seen.append((float(known[0]), int(x[1]), np.asarray(known).tolist(), known[2].item(), bool(x[0] > 1)))
        for row in x:
            assert row > 0
        return jnp.sum(x[: int(x[1])])

    assert_close(grad(f)(jnp.array([1.5, 2.0, 3.0])), np.array([1, 1, 0], np.float32))
    assert capsys.readouterr().out == "x is [1.5 2.  3. ] 1.50\n"
    assert seen == [(1.5, 2, [1.5, 2.0, 3.0], 3.0, True)]


def test_lists_sorts_and_recursion_of_python_work_on_values():
    def f(xs):
        largest, second = sorted(xs, reverse=True)[:2]
        return largest * second

    assert_close(grad(lambda x: f([x[0], x[1], x[2]]))(jnp.array([2.0, 5.0, 3.0])), np.array([0, 3, 5], np.float32))

    def power(x, n):
        return 1.0 if n == 0 else x * power(x, n - 1)

    assert float(grad(power)(2.0, 5)) == 80


def test_boolean_masks_and_nonzero_have_the_values_of_the_moment():
    def f(x):
        return jnp.sum(x[x > 1] ** 2) + jnp.sum(x[jnp.nonzero(x > 2)[0]])

    assert_close(grad(f)(jnp.array([0.5, 1.5, 3.0])), np.array([0, 3, 7], np.float32))


def test_a_jitted_function_inside_eager_control_flow_is_compiled_and_differentiated():
    step = jit(lambda x: jnp.sin(x) * 2)

    def f(x):
        n = 0
        while x < 1.5:
            x = step(x)
            n += 1
        return x * n

    x, slope, n = 0.3, 1.0, 0
    while x < 1.5:
        x, slope, n = 2 * np.sin(x), slope * 2 * np.cos(x), n + 1
    value, gradient = value_and_grad(f)(jnp.array(0.3, "float64"))
    assert_close(value, np.array(x * n), 1e-12)
    assert_close(gradient, np.array(slope * n), 1e-12)


def test_an_exception_inside_grad_is_the_users_own_and_leaves_nothing_behind():
    def f(x):
        if x > 1:
            raise KeyError("too large")
        return x

    with pytest.raises(KeyError, match="too large"):
        grad(f)(2.0)
    assert float(grad(f)(0.5)) == 1


def test_eager_use_imports_no_compiler():
    script = """
import sys
import jitgrad, jitgrad.numpy as jnp
from jitgrad import grad, vmap, jvp, hessian, nn, optim
x = jnp.linspace(0.0, 1.0, 12).reshape(3, 4)
grad(lambda x: jnp.sum(nn.softmax(jnp.tanh(x @ x.T)) ** 2))(x)
vmap(lambda r: jnp.sort(r).cumsum())(x)
hessian(lambda v: jnp.sum(v**3))(x[0])
optimizer = optim.adam(0.1)
optimizer.update(x, optimizer.init(x), x)
loaded = sorted(m for m in sys.modules if m.split(".")[0] in ("numba", "llvmlite"))
print(loaded[:3])
jitgrad.jit(jnp.sin)(x)
print("llvmlite" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


def test_importing_jitgrad_loads_neither_a_compiler_nor_scipy():
    script = "import sys, jitgrad; print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'llvmlite', 'scipy'}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
