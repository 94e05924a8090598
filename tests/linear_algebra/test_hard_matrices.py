"""Matrices with NaN, of very large and small numbers, or without an answer: eager and compiled give no wrong number."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import debug, errors, jit, lax
from jitgrad.scipy import linalg as sl

RUNS = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
OF_LU = {
    "inv": jnp.linalg.inv,
    "det": jnp.linalg.det,
    "slogdet": lambda a: jnp.stack(jnp.linalg.slogdet(a)),
    "solve": lambda a: jnp.linalg.solve(a, jnp.ones(a.shape[-1])),
    "solve turned": lambda a: sl.lu_solve(sl.lu_factor(a), jnp.ones(a.shape[-1]), trans=1),
    "lu": lambda a: lax.linalg.lu(a)[0],
}


def positive(n: int, dtype: type) -> np.ndarray:
    x = np.random.default_rng(n).standard_normal((n, n))
    return (x @ x.T / n + 2 * np.eye(n)).astype(dtype)


def places(n: int) -> list[tuple[int, int]]:
    return [(i, j) for i in (0, n // 2, n - 1) for j in (0, n // 2, n - 1)]


@RUNS
@TYPES
@pytest.mark.parametrize("n", [3, 20, 60])
def test_a_nan_of_the_triangle_makes_a_cholesky_factor_nan_at_any_size(run, dtype, n):
    f = run(lambda a: lax.linalg.cholesky(a, symmetrize_input=False))
    for i, j in places(n):
        a = positive(n, dtype)
        good = np.asarray(f(a))
        a[i, j] = np.nan
        found = np.asarray(f(np.stack([a, positive(n, dtype)])))
        if i >= j:
            assert np.isnan(found[0]).all()
        else:  # which is not read
            np.testing.assert_allclose(found[0], good, rtol=1e-5)
        np.testing.assert_allclose(found[1], good, rtol=1e-5, atol=1e-5)


@RUNS
def test_a_large_cholesky_factor_is_nan_where_a_number_is(run):
    a = positive(520, np.float64)
    a[400, 300] = a[300, 400] = np.nan
    assert np.isnan(np.asarray(run(jnp.linalg.cholesky)(a))).all()


@RUNS
@TYPES
@pytest.mark.parametrize("name", OF_LU)
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_goes_by_lu_is_nan_for_a_matrix_that_is_not_finite_and_for_it_alone(run, dtype, name, number):
    f = run(OF_LU[name])
    for n in (1, 2, 5):
        whole = positive(n, dtype)
        want = np.asarray(OF_LU[name](whole))
        for place in places(n):
            a = whole.copy()
            a[place] = number
            assert np.isnan(np.asarray(f(a))).all()
            both = np.asarray(run(lambda x: jnp.stack([OF_LU[name](x[0]), OF_LU[name](x[1])]))(np.stack([a, whole])))
            np.testing.assert_allclose(both[1], want, rtol=1e-4)


@RUNS
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("scaled", ["columns", "rows"])
def test_systems_whose_columns_differ_in_size_are_solved_as_numpy_solves_them(run, dtype, scaled):
    """Rows exchange places by their numbers within a column: how large a column is has no say."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 6, 6)).astype(dtype)
    a = a + 1j * rng.standard_normal(a.shape) if dtype is np.complex128 else a
    size = 10.0 ** np.array([-150, 140, 3, -20, 90, 0])
    a = a * size if scaled == "columns" else a * size[:, None]
    b = rng.standard_normal((2, 6, 3)).astype(dtype)
    np.testing.assert_allclose(run(jnp.linalg.solve)(a, b), np.linalg.solve(a, b), rtol=1e-9)
    np.testing.assert_allclose(run(jnp.linalg.inv)(a), np.linalg.inv(a), rtol=1e-9)
    np.testing.assert_allclose(run(jnp.linalg.det)(a), np.linalg.det(a), rtol=1e-9)
    for found, want in zip(run(jnp.linalg.slogdet)(a), np.linalg.slogdet(a), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-9)


@RUNS
@TYPES
@pytest.mark.parametrize("power", [-1, 1])
def test_very_large_and_small_matrices_have_the_scaled_eigenvalues(run, dtype, power):
    scale = (1e30 if np.finfo(dtype).bits == 32 else 1e290) ** power
    near = 1e-4 if np.finfo(dtype).bits == 32 else 1e-11
    a = np.random.default_rng(1).standard_normal((3, 4, 4)).astype(dtype)
    x = (a * scale).astype(dtype)
    want = np.exp(np.linalg.eigvals(a)).sum(axis=-1)  # in whatever order they come
    np.testing.assert_allclose(np.exp(np.asarray(run(jnp.linalg.eigvals)(x)) / scale).sum(axis=-1), want, rtol=near)
    w, left, right = (np.asarray(y) for y in run(lax.linalg.eig)(x))
    np.testing.assert_allclose(a @ right, right * (w / scale)[:, None, :], rtol=near, atol=near)
    np.testing.assert_allclose(left.conj().swapaxes(1, 2) @ a, (w / scale)[:, :, None] * left.conj().swapaxes(1, 2), atol=near)


@RUNS
@pytest.mark.parametrize("n", [1, 2, 5])
def test_singular_tridiagonal_systems_have_no_answer(run, n):
    d = np.stack([np.ones(n), np.zeros(n)])
    off = np.stack([np.zeros(n), np.ones(n)])  # the identity, and the path's adjacency, of which an odd one is singular
    if n == 2:
        d[1] = 1
    x = np.asarray(run(lax.linalg.tridiagonal_solve)(off, d, off, np.ones((2, n, 2))))
    np.testing.assert_array_equal(x[0], 1)
    assert np.isnan(x[1]).all()


@RUNS
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_sylvesters_equation_has_no_answer_where_eigenvalues_cancel_or_numbers_are_nan(run, dtype):
    a = np.stack([np.diag([1.0, 2.0]), np.diag([1.0, -1.0]), np.full((2, 2), np.nan)]).astype(dtype)
    c = np.ones((3, 2, 2), dtype)
    x = np.asarray(run(sl.solve_sylvester)(a, a, c))
    np.testing.assert_allclose(x[0], [[1 / 2, 1 / 3], [1 / 3, 1 / 4]])
    assert np.isnan(x[1:]).all()
    small = np.asarray(run(sl.solve_sylvester)(a * 1e-200, a * 1e-200, c * 1e-200))
    np.testing.assert_allclose(small[0], x[0])


@RUNS
def test_a_nilpotent_matrix_has_no_square_root(run):
    assert np.isnan(np.asarray(run(sl.sqrtm)(np.eye(3, k=1)))).all()
    np.testing.assert_allclose(np.asarray(run(sl.sqrtm)(np.diag([4.0, 0.0]))), np.diag([2.0, 0.0]), atol=1e-12)


def test_errors_of_checked_programs_name_the_function():
    with debug.checked("linalg"):
        for f, x in ((jnp.linalg.solve, (np.ones((2, 2)), np.ones(2))), (sl.solve_sylvester, (np.diag([1.0, -1.0]),) * 3)):
            with pytest.raises(errors.SingularMatrixError, match=r"linalg\.solve"):
                f(*x)


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_determinant_is_there_where_parts_of_its_product_overflow(run) -> None:
    det = run(jnp.linalg.det)
    assert det(np.diag([1e30, 1e30, 1e-30, 1e-30]).astype(np.float32)) == 1
    assert det(np.diag([1e30, 1e-30j, 1e30, -1e-30j]).astype(np.complex64)) == 1
    endless = det((np.eye(4) * 1e10 * (1 + 1j)).astype(np.complex64))
    assert np.real(endless) == -np.inf and np.imag(endless) == 0


@RUNS
@TYPES
@pytest.mark.parametrize("n", [2, 3, 40])
def test_eigenvalues_near_the_largest_number_are_found(run, dtype, n):
    scale = np.finfo(dtype).max / 2
    turns = np.random.default_rng(n).standard_normal((n, n))
    q = np.linalg.qr(turns + (1j * turns.T if np.dtype(dtype).kind == "c" else 0))[0]
    wanted = np.linspace(-1.9, 1.9, n)
    a = ((q * wanted) @ q.conj().T).astype(dtype) * np.dtype(dtype).type(scale)
    np.testing.assert_allclose(np.asarray(run(jnp.linalg.eigvalsh)(a)) / scale, wanted, atol=n * 4 * np.finfo(dtype).eps)
    assert np.isfinite(run(jnp.linalg.cholesky)(np.eye(n, dtype=dtype) * np.dtype(dtype).type(scale))).all()
