"""jitgrad.elementwise: a user's scalar Python function as an op, in every transform and inside fused kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import elementwise, errors, grad, hessian, jacfwd, jit, jvp, value_and_grad, vmap
from jitgrad.testing import assert_close, check_grads

X = np.linspace(-1.7, 1.9, 20).reshape(4, 5)
both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


@elementwise
def wave(x):
    """A damped wave."""
    damped = math.exp(-0.5 * x * x)
    return damped * math.cos(3 * x) + x**3 / 7


def wave_numpy(x):
    return np.exp(-0.5 * x * x) * np.cos(3 * x) + x**3 / 7


@elementwise(partials=[lambda x, out: 2 * x * jnp.where(x < 0, -1, 1)])
def signed_square(x):
    if x < 0:
        return -x * x
    return x * x


@elementwise
def mixed(a, b):
    return a * math.sin(b) + math.hypot(a, b)


def steps_to_one(x):
    n = 0.0
    while x > 1.0 and n < 100.0:
        x = x / 2
        n += 1
    return n


@both
def test_a_plain_function_is_done_to_every_element(mode):
    assert_close(mode(wave)(X), wave_numpy(X), 1e-12)
    assert_close(mode(signed_square)(X), X * abs(X), 1e-12)
    single = X.astype(np.float32)
    found = mode(wave)(single)
    assert found.dtype == np.float32
    assert_close(found, wave_numpy(X).astype(np.float32), 2e-6, 1e-6)


@both
def test_operands_broadcast_and_promote(mode):
    a, b = X[:, :1], X[0] + 2
    assert_close(mode(mixed)(a, b), a * np.sin(b) + np.hypot(a, b), 1e-12)
    assert mode(mixed)(a.astype(np.float32), 2.0).dtype == np.float32
    assert mode(mixed)(a.astype(np.float32), b).dtype == np.float64
    assert_close(mode(mixed)(np.arange(3), 1.0), (np.arange(3) * np.sin(1) + np.hypot(np.arange(3), 1)).astype(np.float32), 1e-6)


@both
def test_branches_and_loops_of_python_are_compiled(mode):
    count = elementwise(steps_to_one)
    assert_close(mode(count)(np.array([0.5, 1.5, 9.0, 1e6])), np.array([0, 1, 4, 20.0]))


@both
def test_the_derivative_is_found_in_the_source(mode):
    slope = -np.exp(-0.5 * X * X) * (X * np.cos(3 * X) + 3 * np.sin(3 * X)) + 3 * X**2 / 7
    assert_close(mode(grad(lambda x: jnp.sum(wave(x))))(X), slope, 1e-11)
    a, b = X, X + 2.5
    da, db = mode(grad(lambda a, b: jnp.sum(mixed(a, b)), argnums=(0, 1)))(a, b)
    assert_close(da, np.sin(b) + a / np.hypot(a, b), 1e-11)
    assert_close(db, a * np.cos(b) + b / np.hypot(a, b), 1e-11)


@both
def test_given_partials_are_the_derivative(mode):
    assert_close(mode(grad(lambda x: jnp.sum(signed_square(x))))(X), 2 * abs(X), 1e-12)
    assert_close(mode(lambda x: jvp(signed_square, (x,), (jnp.ones_like(x),))[1])(X), 2 * abs(X), 1e-12)


@both
def test_second_and_third_derivatives_exist(mode):
    x = np.array(0.7)
    second = mode(grad(grad(wave)))(x)
    assert_close(second, np.array((wave_numpy(0.7 + 1e-4) - 2 * wave_numpy(0.7) + wave_numpy(0.7 - 1e-4)) / 1e-8), 1e-4)
    check_grads(grad(grad(wave)), (x,), order=1)
    check_grads(mode(mixed), (np.array(0.4), np.array(1.2)), order=2)
    assert_close(mode(hessian(lambda v: jnp.sum(signed_square(v))))(np.array([0.5, -0.5])), np.diag([2.0, -2.0]), 1e-12)


@both
def test_vmap_goes_through(mode):
    assert_close(mode(vmap(wave))(X), wave_numpy(X), 1e-12)
    assert_close(mode(vmap(mixed, in_axes=(0, None)))(X, X[0]), X * np.sin(X[0]) + np.hypot(X, X[0]), 1e-12)
    assert_close(mode(vmap(grad(lambda r: jnp.sum(wave(r)))))(X), grad(lambda x: jnp.sum(wave(x)))(X), 1e-12)
    assert_close(mode(jacfwd(wave))(X[0]), np.diag(np.asarray(vmap(grad(wave))(X[0]))), 1e-12)


def test_it_is_inlined_into_one_kernel_with_its_neighbours():
    compiled = jit(lambda x, y: jnp.sum(wave(x * 2) * jnp.sin(y))).lower(X, X).compile()
    (kernel,) = compiled.kernels
    assert {"sin", "reduce_sum"} <= set(kernel.fused)
    assert any(name.startswith("user_wave") for name in kernel.fused)
    assert_close(compiled(X, X), np.array(np.sum(wave_numpy(2 * X) * np.sin(X))), 1e-12)
    assert len(jit(value_and_grad(lambda x: jnp.sum(wave(x) ** 2))).lower(X).compile().kernels) == 1


def test_a_function_that_is_not_straight_line_says_what_stops_its_derivative():
    count = elementwise(steps_to_one)
    for mode in (lambda f: f, jit):
        with pytest.raises(errors.NonDifferentiableError, match=r"steps_to_one.*partials") as caught:
            mode(grad(count))(5.0)
        assert f"at {__file__}:" in str(caught.value)
        assert "while" in str(caught.value).lower()


def test_a_partial_of_none_means_that_no_derivative_flows():
    scale = elementwise(lambda x, n: x * n, partials=[lambda x, n, out: n, None])
    dx, dn = grad(lambda x, n: scale(x, n), argnums=(0, 1))(3.0, 4.0)
    assert (float(dx), float(dn)) == (4, 0)


def test_two_functions_of_one_name_are_two_ops():
    first, second = elementwise(lambda x: x + 1), elementwise(lambda x: x + 2)
    assert float(jit(lambda x: first(x) * 10 + second(x))(1.0)) == 23


def test_functions_that_differ_only_in_what_they_close_over_are_two_ops():
    def shifted(by):
        return elementwise(lambda x: x + by)

    one, two = shifted(1.0), shifted(2.0)
    assert float(jit(lambda x: one(x) * 10 + two(x))(1.0)) == 23
    assert float(one(1.0) * 10 + two(1.0)) == 23


@both
def test_out_of_its_domain_a_function_gives_nan_or_infinity_as_ieee_arithmetic_does(mode):
    inverse = elementwise(lambda x: 1 / x)
    assert_close(mode(inverse)(np.array([2.0, 0.0, -0.0])), np.array([0.5, np.inf, -np.inf]))
    root = elementwise(lambda x: math.sqrt(x))
    assert_close(mode(root)(np.array([4.0, -1.0])), np.array([2.0, np.nan]))
    assert_close(mode(elementwise(lambda x: math.log(x)))(np.array([1.0, 0.0])), np.array([0.0, -np.inf]))


def test_functions_of_any_number_of_arguments_or_wrong_partials_are_refused():
    with pytest.raises(errors.ArgumentError, match="fixed number of positional parameters"):
        elementwise(lambda *xs: xs[0])
    with pytest.raises(errors.ArgumentError, match="fixed number of positional parameters"):
        elementwise(lambda: 1.0)
    with pytest.raises(errors.ArgumentError, match="1 parameters, but 2 partials"):
        elementwise(lambda x: x, partials=[None, None])
    with pytest.raises(errors.ArgumentError, match="elementwise needs a Python function"):
        elementwise(3)
    with pytest.raises(errors.ArgumentError, match="wave takes 1 operands, got 2"):
        wave(1.0, 2.0)
    with pytest.raises(errors.ShapeError, match=r"mixed: shapes \(3,\) and \(4,\)"):
        mixed(np.ones(3), np.ones(4))


def test_functions_of_numbas_go_on_where_python_raises_and_device_functions_run_as_written():
    numba = pytest.importorskip("numba")
    cuda = pytest.importorskip("numba.cuda")

    def inverse(x):
        return 1 / x

    for f in (numba.njit(inverse), cuda.jit(inverse, device=True)):
        op = elementwise(f)
        for g in (op, jit(op)):
            np.testing.assert_array_equal(g(jnp.array([0.0, 2.0])), [np.inf, 0.5])
