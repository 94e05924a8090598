"""What can't be done to a matrix is NaN, and an error inside debug.checked("linalg"); wrong shapes and arguments are errors."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import config, debug, errors, grad, jit, lax, vmap
from jitgrad.scipy import linalg as sl
from jitgrad.scipy import ndimage

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
NOT_FINITE = np.array([[1.0, np.nan], [np.inf, 1.0]])
EAGER_AND_JIT = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])


@EAGER_AND_JIT
@pytest.mark.parametrize(
    ("f", "matrix", "message"),
    [
        (jnp.linalg.cholesky, -np.eye(2), "linalg.cholesky: a matrix is not positive definite"),
        (jnp.linalg.inv, np.zeros((2, 2)), "linalg.inv: a matrix is singular"),
        (lambda a: jnp.linalg.solve(a, np.ones(2)), np.zeros((2, 2)), "linalg.solve: a matrix is singular"),
        (lambda a: sl.solve_triangular(a, np.ones(2)), np.zeros((2, 2)), "solve_triangular: a triangular matrix has a zero"),
        (lambda a: sl.solve(a, np.ones(2), assume_a="pos"), -np.eye(2), "scipy.linalg.solve: a matrix is not positive definite"),
    ],
)
def test_failures_are_not_finite_and_errors_inside_checked(run, f, matrix, message):
    good = np.eye(2)
    assert not np.isfinite(np.asarray(run(f)(matrix))).all()
    both = run(vmap(f))(np.stack([good, matrix]))
    np.testing.assert_allclose(both[0], f(good))
    with debug.checked("linalg"):
        run(f)(good)
        with pytest.raises(np.linalg.LinAlgError, match=message):
            run(f)(matrix)
        with pytest.raises(errors.SingularMatrixError):
            run(vmap(f))(np.stack([good, matrix]))


@EAGER_AND_JIT
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_numbers_that_are_not_finite_give_nan_for_their_matrix_alone(run, dtype):
    both = np.stack([np.eye(2), NOT_FINITE]).astype(dtype)
    for f in (jnp.linalg.eigvalsh, jnp.linalg.svdvals, lambda a: jnp.linalg.eig(a)[1], lambda a: jnp.linalg.eigh(a)[1], sl.sqrtm,
              lambda a: sl.schur(a)[0]):  # fmt: skip
        found = np.asarray(run(f)(both))
        assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


@EAGER_AND_JIT
def test_the_determinant_of_a_singular_matrix_has_a_derivative(run):
    for n in (2, 3, 4, 5):
        a = np.diag([*np.arange(1.0, n), 0.0])
        a[0, -1] = 2.0
        cofactors = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
        assert run(jnp.linalg.det)(a) == 0
        np.testing.assert_allclose(run(grad(jnp.linalg.det))(a), cofactors, atol=1e-12)


def test_equal_eigenvalues_have_derivatives_and_their_vectors_none():
    np.testing.assert_allclose(grad(lambda a: jnp.sum(jnp.linalg.eigvalsh(a)))(np.eye(3)), np.eye(3))
    assert np.isnan(np.asarray(grad(lambda a: jnp.sum(jnp.linalg.eigh(a)[1]))(np.eye(3)))).any()


@EAGER_AND_JIT
@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, int])
def test_storage_types_keep_their_type_and_integers_become_floats(run, dtype):
    a = jnp.array([[4, 2], [2, 5]], dtype)
    wanted = jnp.float32 if dtype is int else dtype
    for f in (jnp.linalg.cholesky, jnp.linalg.inv, jnp.linalg.eigvalsh, jnp.linalg.svdvals, jnp.linalg.det):
        found = run(f)(a)
        assert found.dtype == wanted
        np.testing.assert_allclose(np.asarray(found, np.float64), f(a.astype(jnp.float64)), rtol=2e-2, atol=2e-2)


def test_results_are_equal_to_the_bit_at_any_number_of_threads():
    rng = np.random.default_rng(0)
    many, large = rng.standard_normal((40, 24, 24)), rng.standard_normal((200, 200))
    functions = (
        jnp.linalg.inv,
        jnp.linalg.svd,
        jnp.linalg.eigh,
        jnp.linalg.qr,
        lambda a: jnp.linalg.cholesky(a @ jnp.matrix_transpose(a)),
    )
    before = config.num_threads
    try:
        found = []
        for threads in (1, 2, 5):
            config.num_threads = threads
            found.append([np.asarray(x).tobytes() for f in functions for a in (many, large) for x in _leaves(jit(f)(a))])
    finally:
        config.num_threads = before
    assert found[0] == found[1] == found[2]


def _leaves(x):
    return x if isinstance(x, tuple) else (x,)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda: jnp.linalg.inv(np.ones((2, 3))), r"linalg\.inv: a must be square, of shape \[\.\.\., n, n\], got shape \(2, 3\)"),
        (lambda: jnp.linalg.det(np.ones(3)), r"linalg\.det: a must be a matrix"),
        (lambda: jnp.linalg.solve(np.eye(2), np.ones(3)), r"linalg\.solve: b must have shape \[2\]"),
        (lambda: jnp.linalg.qr(np.eye(2), "all"), r"linalg\.qr: mode must be 'reduced', 'complete', 'r' or 'raw', got 'all'"),
        (lambda: jnp.linalg.matrix_power(np.eye(2), 1.5), r"linalg\.matrix_power: n is an integer, got float"),
        (lambda: jnp.linalg.multi_dot([np.eye(2)]), r"linalg\.multi_dot: takes two arrays or more"),
        (lambda: jnp.linalg.cross(np.ones(2), np.ones(2)), r"linalg\.cross: needs 3 elements along axis -1"),
        (lambda: lax.linalg.schur(np.eye(2), sort_eig_vals=True), r"lax\.linalg\.schur: eigenvalues are not sorted"),
        (lambda: sl.lu_solve((np.eye(2), np.zeros(3, int)), np.ones(2)), r"scipy\.linalg\.lu_solve: pivots must have shape"),
        (lambda: grad(lambda a: jnp.linalg.svd(a)[0].sum())(np.ones((3, 2))), r"svd has no derivative with all vectors of a 3 x 2"),
    ],
)
def test_arguments_that_do_not_fit_are_errors_that_name_the_function(f, message):
    with pytest.raises(errors.JitgradError, match=message):
        f()


def test_the_array_apis_names_are_there():
    names = """cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer pinv
    qr slogdet solve svd svdvals tensordot trace vecdot vector_norm eig eigvals""".split()
    assert all(callable(getattr(jnp.linalg, name)) for name in names)
    assert jnp.linalg.slogdet(np.eye(2)).logabsdet == 0 and jnp.linalg.svd(np.eye(2)).Vh.shape == (2, 2)
    assert jnp.linalg.eigh(np.eye(2)).eigenvectors.shape == (2, 2) and jnp.linalg.qr(np.eye(2)).R.shape == (2, 2)
    np.testing.assert_array_equal(jnp.linalg.tensorsolve(2 * np.eye(4).reshape(2, 2, 4), np.ones((2, 2))), np.full(4, 0.5))
    np.testing.assert_array_equal(jnp.linalg.tensorinv(2 * np.eye(4).reshape(2, 2, 4)), np.eye(4).reshape(4, 2, 2) / 2)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda: sl.cho_solve(np.eye(2), np.ones(2)), r"cho_solve: c_and_lower must be \(factor, lower\).* got ndarray"),
        (lambda: sl.cho_solve((np.eye(2), np.eye(2)), np.ones(2)), r"cho_solve: lower must be True or False, got ndarray"),
        (lambda: sl.lu_solve((np.eye(2),), np.ones(2)), r"lu_solve: lu_and_piv must be \(factors, pivots\).* got tuple of 1"),
        (lambda: sl.funm(np.eye(2), np.eye(2)), r"scipy\.linalg\.funm: func must be a function of an array, got ndarray"),
        (lambda: jnp.linalg.multi_dot(3.0), r"linalg\.multi_dot: arrays must be a list of arrays, got float"),
        (lambda: jnp.tensordot(np.eye(2), np.eye(2), (1,)), r"tensordot: axes must be an integer or a pair.* got \(1,\)"),
        (
            lambda: ndimage.map_coordinates(np.eye(2), np.ones((2, 3)), np.ones(2)),
            r"map_coordinates: order must be 0 .* ndarray",
        ),
    ],
)
def test_arguments_of_another_kind_are_errors_that_say_which_and_what_was_got(f, message):
    with pytest.raises(errors.ArgumentError, match=message):
        f()
