"""scipy.sparse.linalg: solutions, their derivatives, pytrees, preconditioners, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.scipy.sparse.linalg import bicgstab, cg, gmres
from jitgrad.testing import check_grads

RNG = np.random.default_rng(0)
SQUARE = RNG.standard_normal((8, 8)) + 8 * np.eye(8)
POSITIVE = SQUARE @ SQUARE.T
COMPLEX = SQUARE + 1j * RNG.standard_normal((8, 8))
B = RNG.standard_normal(8)
SOLVERS = pytest.mark.parametrize(("solver", "matrix"), [(cg, POSITIVE), (bicgstab, SQUARE), (gmres, SQUARE)])


@SOLVERS
@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_solutions_are_those_of_solve(solver, matrix, run):
    wanted = np.linalg.solve(matrix, B)
    np.testing.assert_allclose(run(lambda a, b: solver(a, b, tol=1e-12)[0])(matrix, B), wanted, rtol=1e-8)
    started = run(lambda a, b: solver(lambda x: a @ x, b, x0=b, tol=1e-12, M=lambda x: x / jnp.diagonal(a))[0])(matrix, B)
    np.testing.assert_allclose(started, wanted, rtol=1e-8)


@SOLVERS
def test_complex_systems_and_batches_are_solved(solver, matrix):
    a = COMPLEX @ COMPLEX.conj().T if solver is cg else COMPLEX
    np.testing.assert_allclose(solver(a, B + 1j, tol=1e-12)[0], np.linalg.solve(a, B + 1j), rtol=1e-8)
    many = RNG.standard_normal((3, 8))
    found = vmap(lambda b: solver(matrix, b, tol=1e-12)[0])(many)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, many.T).T, rtol=1e-8)


@SOLVERS
def test_derivatives_are_those_of_the_solution(solver, matrix):
    symmetric = solver is cg

    def f(a, b):
        a = (a + a.T) / 2 if symmetric else a
        return solver(a, b, tol=1e-13)[0]

    check_grads(f, (matrix, B), order=2, modes=["fwd", "rev"], atol=1e-5, rtol=1e-5)


def test_a_restarted_gmres_goes_on():
    found, info = gmres(SQUARE, B, restart=3, tol=1e-11)
    assert info is None
    np.testing.assert_allclose(found, np.linalg.solve(SQUARE, B), rtol=1e-8)


def test_unknowns_may_be_pytrees():
    b = {"x": jnp.ones(3), "y": (jnp.ones((2, 2)),)}
    found, _ = cg(lambda t: {"x": 2 * t["x"], "y": (4 * t["y"][0],)}, b)
    np.testing.assert_allclose(found["x"], 0.5)
    np.testing.assert_allclose(found["y"][0], 0.25)
    assert grad(lambda s: cg(lambda x: s * x, jnp.ones(2))[0].sum())(2.0) == pytest.approx(-0.5)


def test_a_right_hand_side_of_zeros_has_the_solution_zero():
    for solver in (cg, bicgstab, gmres):
        np.testing.assert_array_equal(solver(POSITIVE, np.zeros(8))[0], 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(errors.ShapeError, match=r"scipy\.sparse\.linalg\.cg: A must be a function, or a matrix"):
        cg(np.ones((3, 2)), np.ones(3))
    with pytest.raises(errors.TreeStructureError, match=r"x0 must have the shapes of b"):
        gmres(POSITIVE, B, x0=np.ones(3))
    with pytest.raises(errors.ArgumentError, match=r"restart must be 1 or more, got 0"):
        gmres(POSITIVE, B, restart=0)


@pytest.mark.parametrize("solver", [cg, bicgstab, gmres])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tol": 1j}, "tol must be a real number, got 1j"),
        ({"tol": True}, "tol must be a real number, got True"),
        ({"tol": np.ones(2)}, "tol must be a real number, got"),
        ({"tol": "small"}, "the string 'small'.* That is the argument tol"),
        ({"atol": 1j}, "atol must be a real number, got 1j"),
        ({"atol": None}, "None.* That is the argument atol"),
        ({"maxiter": 1.5}, "maxiter must be an integer, got float: '1.5'"),
        ({"maxiter": "3"}, "maxiter must be an integer, got str: '3'"),
        ({"maxiter": -1}, "maxiter must be an integer of 0 or more, got -1"),
    ],
)
def test_a_tolerance_is_a_real_number_and_a_count_an_integer(solver, given, words):
    for run in (lambda b: solver(SQUARE, b, **given), jit(lambda b: solver(SQUARE, b, **given))):
        with pytest.raises(errors.JitgradError, match=f"scipy.sparse.linalg.{solver.__name__}.*{words}"):
            run(B)
    solver(SQUARE, B, tol=jnp.float32(0.1), atol=1, maxiter=np.int32(2))
