"""One large matrix, which is factorised by many tasks."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import config, jit


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(200, 200), (300, 200), (200, 333), (257, 257)])
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr_of_a_large_matrix_is_that_of_numpy(dtype, shape, mode):
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape).astype(dtype)
    if a.dtype.kind == "c":
        a += 1j * rng.standard_normal(shape)
    q, r = jit(lambda x: jnp.linalg.qr(x, mode))(a)
    wanted_q, wanted_r = np.linalg.qr(a, mode)
    eps = np.finfo(dtype).eps
    assert q.shape == wanted_q.shape and r.shape == wanted_r.shape
    np.testing.assert_allclose(r, wanted_r, atol=2e3 * eps)
    np.testing.assert_allclose(np.asarray(q) @ np.asarray(r), a, atol=1e3 * eps)
    np.testing.assert_allclose(np.conj(np.asarray(q)).T @ np.asarray(q), np.eye(q.shape[1]), atol=1e3 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("n", [192, 300, 513])
def test_cholesky_of_a_large_matrix_is_that_of_numpy_and_nan_where_there_is_none(dtype, n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if np.dtype(dtype).kind == "c" else 0)
    a = (x @ np.conj(x).T / n + np.eye(n)).astype(dtype)
    factor = np.asarray(jit(jnp.linalg.cholesky)(a))
    np.testing.assert_allclose(factor, np.linalg.cholesky(a), atol=1e3 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(np.triu(factor, 1), 0)
    a[-1, -1] = -1
    assert np.isnan(np.asarray(jit(jnp.linalg.cholesky)(a))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize(("n", "scale"), [(192, 1.0), (257, 1e-30), (257, 1e25), (193, 0.0)])
def test_eigenvectors_of_a_large_matrix_are_orthonormal_and_its_own_whatever_its_size(dtype, n, scale):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if np.dtype(dtype).kind == "c" else 0)
    a = (x + np.conj(x).T).astype(dtype)
    eps = np.finfo(dtype).eps
    w, v = (np.asarray(found) for found in jit(jnp.linalg.eigh)(a * a.real.dtype.type(scale)))
    size = a.real.dtype.type(scale or 1)
    np.testing.assert_allclose(w / size, np.linalg.eigvalsh(a) if scale else 0, atol=1e4 * eps)
    np.testing.assert_allclose(np.conj(v).T @ v, np.eye(n), atol=1e2 * eps)
    if scale:
        np.testing.assert_allclose(a @ v, v * (w / size), atol=1e4 * eps)


def test_a_large_matrix_with_a_nan_has_nan_for_eigenvalues_and_eigenvectors():
    a = np.eye(200)
    a[7, 90] = np.nan
    for found in jit(jnp.linalg.eigh)(a):
        assert np.isnan(np.asarray(found)).all()


def _links(n, rng):
    x = rng.standard_normal((n, n))
    apart = np.zeros((n, n))
    apart[: n // 2, : n // 2], apart[n // 2 :, n // 2 :] = (x + x.T)[: n // 2, : n // 2], np.eye(n - n // 2)
    single = np.diag(np.r_[np.ones(n // 2), np.full(n - n // 2, 2.0)])
    single[n // 2 - 1, n // 2] = single[n // 2, n // 2 - 1] = 0.5
    turned = np.linalg.qr(x)[0]
    few = (turned * np.resize([1.0, 2, 3, -5], n)) @ turned.T
    return {
        "no two eigenvalues alike": x + x.T, "one eigenvalue": np.eye(n), "ones": np.ones((n, n)), "rank of 3": x[:3].T @ x[:3],
        "four eigenvalues": (few + few.T) / 2, "halves apart": apart, "one link": single, "diagonal": np.diag(x[0]),
        "second differences": 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1),
        "smooth": np.exp(-np.subtract.outer(np.arange(n), np.arange(n)) ** 2 / 300),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("n", [192, 321])
@pytest.mark.parametrize("kind", list(_links(4, np.random.default_rng(0))))
def test_eigenvectors_are_found_however_many_eigenvalues_are_alike_and_to_the_bit_at_any_number_of_threads(
    kind, n, dtype, monkeypatch
):
    a = _links(n, np.random.default_rng(0))[kind].astype(dtype)
    if a.dtype.kind == "c":
        turns = np.exp(1j * np.arange(n))
        a = (turns[:, None] * a * np.conj(turns)).astype(dtype)
        a = (a + np.conj(a).T) / 2
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(config, "num_threads", threads)
        found.append([np.asarray(part) for part in jit(jnp.linalg.eigh)(a)])
    (w, v), again = found
    np.testing.assert_array_equal(w, again[0])
    np.testing.assert_array_equal(v, again[1])
    assert np.all(np.diff(w) >= 0)
    eps, size = np.finfo(dtype).eps, np.abs(w).max()
    np.testing.assert_allclose(w, np.linalg.eigvalsh(a), atol=1e2 * eps * size)
    np.testing.assert_allclose(np.conj(v).T @ v, np.eye(n), atol=1e2 * eps)
    np.testing.assert_allclose(a @ v, v * w, atol=1e2 * eps * size)
