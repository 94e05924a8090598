"""numpy.linalg, scipy.linalg and lax.linalg: norms, Cholesky's factorisation, triangular systems."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import jitgrad.numpy as jnp
from jitgrad import debug, errors, grad, jit, lax
from jitgrad.scipy import linalg
from jitgrad.testing import check_grads

RNG = np.random.default_rng(0)
SQUARE = RNG.standard_normal((3, 4, 4))
POSITIVE = SQUARE @ SQUARE.swapaxes(1, 2) + np.eye(4)


@pytest.mark.parametrize("ord", [None, 2, 1, np.inf, -np.inf, 0, 3, 0.5])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_of_vectors_are_those_of_numpy(ord, axis, keepdims):
    given = SQUARE[0]
    wanted = np.linalg.norm(given, ord, axis, keepdims)
    np.testing.assert_allclose(jnp.linalg.norm(given, ord, axis, keepdims), wanted, rtol=1e-12)


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_of_matrices_are_those_of_numpy(ord, axis, keepdims):
    wanted = np.linalg.norm(SQUARE, ord, axis, keepdims)
    np.testing.assert_allclose(jnp.linalg.norm(SQUARE, ord, axis, keepdims), wanted, rtol=1e-12)


def test_the_norm_of_everything_is_that_of_all_elements():
    np.testing.assert_allclose(jnp.linalg.norm(SQUARE), np.linalg.norm(SQUARE), rtol=1e-12)
    with pytest.raises(errors.ArgumentError, match="ord"):
        jnp.linalg.norm(SQUARE[0], 3, (0, 1))


def test_cholesky_is_that_of_numpy_for_one_matrix_and_for_many():
    np.testing.assert_allclose(jnp.linalg.cholesky(POSITIVE), np.linalg.cholesky(POSITIVE), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(jit(lax.linalg.cholesky)(POSITIVE[0]), np.linalg.cholesky(POSITIVE[0]), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(linalg.cholesky(POSITIVE[0]), scipy.linalg.cholesky(POSITIVE[0]), rtol=1e-10, atol=1e-12)


def test_cholesky_of_what_is_not_positive_definite_is_nan():
    assert np.isnan(np.asarray(jnp.linalg.cholesky(-np.eye(2)))).any()
    with pytest.raises(errors.ShapeError, match="square"):
        jnp.linalg.cholesky(np.ones((2, 3)))


def test_the_derivative_of_log_det_by_cholesky_is_the_inverse():
    log_det = lambda a: 2 * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(a))))
    np.testing.assert_allclose(grad(log_det)(POSITIVE[0]), np.linalg.inv(POSITIVE[0]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, "N", "T"])
@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_triangular_systems_are_solved_as_by_scipy(lower, trans, unit_diagonal, shape):
    b = RNG.standard_normal(shape)
    wanted = scipy.linalg.solve_triangular(POSITIVE[0], b, trans, lower, unit_diagonal)
    np.testing.assert_allclose(linalg.solve_triangular(POSITIVE[0], b, trans, lower, unit_diagonal), wanted, rtol=1e-9)


def test_triangular_systems_are_differentiated():
    check_grads(lambda a, b: linalg.solve_triangular(a, b, lower=True), (POSITIVE[0], SQUARE[0]), order=1, modes=["fwd", "rev"])


def test_cond_takes_an_operand_for_each_branch():
    both = lambda p: lax.cond(p, (1.0, 2.0), lambda x: x[0] + x[1], np.float64(5.0), lambda y: y * 2)
    assert [float(both(p)) for p in (True, False)] == [3.0, 10.0]


def test_the_logarithm_of_a_singular_matrix_is_nan() -> None:
    singular, fine = np.diag([1.0, 0.0]), np.diag([1.0, 1e-300])
    found = np.asarray(linalg.logm(np.stack([singular, fine])))
    assert np.isnan(found[0].real).all() and np.isclose(found[1, 1, 1], np.log(1e-300))
    with pytest.raises(errors.SingularMatrixError, match="logm: a matrix has no logarithm"), debug.checked("linalg"):
        linalg.logm(singular)
