"""minimize finds SciPy's minima, in jax's steps where jax succeeds, and what it returns belongs together."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jacfwd, jit, value_and_grad, vmap
from jitgrad.scipy.optimize import OptimizeResults, minimize

LBFGS = "l-bfgs-experimental-do-not-rely-on-this"
METHODS = ["BFGS", LBFGS]


def rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def himmelblau(p):
    return (p[0] ** 2 + p[1] - 11.0) ** 2 + (p[0] + p[1] ** 2 - 7.0) ** 2


def matyas(p):
    return 0.26 * (p[0] ** 2 + p[1] ** 2) - 0.48 * p[0] * p[1]


def eggholder(p):
    x, y = p
    return -(y + 47) * jnp.sin(jnp.sqrt(jnp.abs(x / 2 + y + 47.0))) - x * jnp.sin(jnp.sqrt(jnp.abs(x - (y + 47.0))))


JAX = [
    (matyas, [1.0, 1.0], "BFGS", 3, 6),
    (eggholder, [100.0, 100.0], "BFGS", 10, 12),
    (himmelblau, [0.0, 0.0], LBFGS, 8, 13),
    (eggholder, [100.0, 100.0], LBFGS, 7, 8),
]
"""Function, start, method, and jax's counts of iterations and of evaluations."""


@pytest.mark.parametrize(("function", "start", "method", "iterations", "evaluations"), JAX)
def test_steps_are_those_of_jax(function, start, method, iterations, evaluations):
    found = jit(lambda x: minimize(function, x, method=method))(np.array(start))
    assert found.success and found.status == 0
    assert (found.nit, found.nfev, found.njev) == (iterations, evaluations, evaluations)
    want = scipy.optimize.minimize(lambda x: float(function(jnp.array(x))), start)
    np.testing.assert_allclose(found.fun, want.fun, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("function", "start"), [(rosenbrock, [-1.2, 1.0]), (rosenbrock, [0.0] * 12), (himmelblau, [0.0, 0.0])])
def test_minima_that_need_intervals_turned_round_are_found(function, start, method):
    found = minimize(function, np.array(start), method=method, options={"gtol": 1e-6} | ({"ftol": -1.0} if method == LBFGS else {}))
    assert found.success
    np.testing.assert_allclose(found.fun, 0, atol=1e-9)
    if function is rosenbrock:
        np.testing.assert_allclose(found.x, 1, atol=1e-5)


@given(st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=10)
def test_quadratic_functions_have_known_minima_and_hessians(n, seed):
    rng = np.random.default_rng(seed)
    root, centre = rng.standard_normal((n, n + 2)), rng.standard_normal(n)
    matrix = root @ root.T / n + np.eye(n)
    f = lambda x, a, c: 0.5 * (x - c) @ a @ (x - c)
    for method in METHODS:
        options = {"gtol": 1e-7} | ({"ftol": -1.0} if method == LBFGS else {})
        found = minimize(f, np.zeros(n), (matrix, centre), method=method, options=options)
        assert found.success
        np.testing.assert_allclose(found.x, centre, atol=1e-6)
        np.testing.assert_allclose(found.fun, 0.0, atol=1e-10)
        assert found.hess_inv is None if method == LBFGS else found.hess_inv.shape == (n, n)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_of_the_start_type_and_belong_together(dtype, method):
    for limit in (1, 3, 200):
        found = minimize(rosenbrock, np.array([-1.2, 1.0, 0.3], dtype), method=method, options={"maxiter": limit})
        assert isinstance(found, OptimizeResults) and {found.x.dtype, found.fun.dtype, found.jac.dtype} == {np.dtype(dtype)}
        value, gradient = value_and_grad(rosenbrock)(found.x)
        tolerance = 1e-3 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(found.fun, value, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(found.jac, gradient, rtol=tolerance, atol=10 * tolerance)
        assert limit == 200 or (found.status == 1 and not found.success)


def test_what_is_not_finite_is_too_far():
    f = lambda x: jnp.sum(x - 2 * jnp.log(x - 3.0))  # NaN below 3, where a first step of the gradient's length leads
    found = minimize(f, np.array([3.1, 40.0]), method="BFGS")
    assert found.success
    np.testing.assert_allclose(found.x, 5.0, atol=1e-4)


def test_a_search_that_fails_keeps_its_best_point():
    found = minimize(lambda x: -jnp.sum(x), np.array([1.0, 2.0]), method="BFGS")  # unbounded
    assert not found.success and found.status == 5
    np.testing.assert_allclose(found.fun, -found.x.sum())
    assert found.fun < -3


def test_each_row_of_vmap_goes_its_own_way():
    starts = np.random.default_rng(3).standard_normal((6, 2)) * 3
    for method in METHODS:
        one = lambda x, m=method: minimize(himmelblau, x, method=m)
        rows = jit(vmap(one))(starts)
        for n in range(6):
            np.testing.assert_allclose(rows.x[n], one(starts[n]).x, rtol=1e-6)
            assert rows.nit[n] == one(starts[n]).nit


def test_complex_variables_by_lbfgs():
    centre = np.array([1 + 2j, -3j, 0.5])
    f = lambda z: jnp.sum(jnp.abs(z - centre) ** 2 * np.array([1.0, 3.0, 0.2])) + jnp.abs(z[0] * z[1]) ** 2 / 10
    found = minimize(f, np.zeros(3, complex), method=LBFGS, options={"gtol": 1e-7, "ftol": -1.0})
    assert found.success
    split = scipy.optimize.minimize(lambda v: float(f(jnp.array(v[:3] + 1j * v[3:]))), np.zeros(6), tol=1e-9)
    np.testing.assert_allclose(found.x, split.x[:3] + 1j * split.x[3:], atol=1e-5)


def test_minima_have_derivatives_by_their_parameters():
    best = lambda a: minimize(lambda x: jnp.sum((x - a) ** 2 + (x - a[::-1]) ** 4), np.zeros(2), method="BFGS", tol=1e-10).x
    a = np.array([0.5, 1.5])
    step = lambda n: np.eye(2)[n] * 1e-5
    differences = np.stack([(best(a + step(n)) - best(a - step(n))) / 2e-5 for n in range(2)], axis=1)
    np.testing.assert_allclose(jacfwd(best)(a), differences, atol=1e-4)
    np.testing.assert_allclose(jit(grad(lambda a: best(a)[0]))(a), differences[0], atol=1e-4)


def test_tol_is_the_size_of_the_gradient_and_norms_can_be_chosen():
    start = np.array([-1.2, 1.0])
    rough, exact = (minimize(rosenbrock, start, method="BFGS", tol=t) for t in (1.0, 1e-9))
    assert rough.nit < exact.nit and np.abs(exact.jac).max() < 1e-9
    assert np.linalg.norm(minimize(rosenbrock, start, method="BFGS", options={"norm": 2, "gtol": 1e-3}).jac) < 1e-3


WRONG = [
    (lambda: minimize(rosenbrock, np.ones(2), method="Nelder-Mead"), errors.ArgumentError, "method must be 'BFGS' or"),
    (lambda: minimize(rosenbrock, np.ones(2), 3.0, method="BFGS"), errors.ArgumentError, r"args must be a tuple, got float"),
    (lambda: minimize(rosenbrock, np.ones((2, 2)), method="BFGS"), errors.ShapeError, "x0 must have one axis"),
    (lambda: minimize(rosenbrock, np.ones(0), method="BFGS"), errors.ShapeError, "x0 has no elements"),
    (
        lambda: minimize(rosenbrock, np.ones(2), method="BFGS", options={"maxit": 3}),
        errors.ArgumentError,
        "no option maxit; .* maxiter",
    ),
    (lambda: minimize(lambda z: jnp.abs(z[0]), np.ones(2, complex), method="BFGS"), errors.DTypeError, "BFGS takes real x0"),
    (lambda: minimize(lambda x: x, np.ones(2), method="BFGS"), errors.JitgradError, "scalar"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
