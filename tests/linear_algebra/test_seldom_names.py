"""Functions of linear algebra that few programs call: jax.lax.linalg's updates and products, and SciPy's for special forms."""

from __future__ import annotations

import numpy as np
import scipy.linalg

import jitgrad.numpy as jnp
from jitgrad import jit, lax, vmap
from jitgrad.scipy import linalg
from jitgrad.testing import check_grads

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4))
SPD = A @ A.T + 4 * np.eye(4)


def test_an_updated_cholesky_factor_is_that_of_the_updated_matrix() -> None:
    upper, w = np.linalg.cholesky(SPD).T, RNG.normal(size=4)
    for f in (lax.linalg.cholesky_update, jit(lax.linalg.cholesky_update)):
        found = np.asarray(f(upper, w))
        np.testing.assert_allclose(found.T @ found, SPD + np.outer(w, w), rtol=1e-10)
        np.testing.assert_allclose(found, np.triu(found), atol=1e-14)


def test_pivots_become_the_permutation_of_rows() -> None:
    lu, pivots = scipy.linalg.lu_factor(A)
    for f in (lax.linalg.lu_pivots_to_permutation, jit(lax.linalg.lu_pivots_to_permutation, static_argnums=1)):
        permutation = np.asarray(f(jnp.array(pivots.astype(np.int32)), 4))
        np.testing.assert_allclose(A[permutation], (np.tril(lu, -1) + np.eye(4)) @ np.triu(lu), rtol=1e-12)


def test_products_with_the_q_of_reflectors_are_those_with_the_matrix() -> None:
    reflectors, taus = (np.asarray(x) for x in scipy.linalg.qr(A, mode="raw")[0])
    q, c = scipy.linalg.qr(A)[0], RNG.normal(size=(4, 4))
    for left, transpose, want in ((True, False, q @ c), (True, True, q.T @ c), (False, False, c @ q), (False, True, c @ q.T)):
        f = lambda a, t, c, left=left, turned=transpose: lax.linalg.ormqr(a, t, c, left=left, transpose=turned)  # noqa: E731
        for g in (f, jit(f)):
            np.testing.assert_allclose(g(reflectors, taus, c), want, rtol=1e-10, atol=1e-12)


def test_the_polar_decomposition_by_qdwh_is_scipys() -> None:
    u, h = lax.linalg.qdwh(A)[:2]
    unitary, positive = scipy.linalg.polar(A)
    np.testing.assert_allclose(u, unitary, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(h, positive, rtol=1e-10, atol=1e-12)


def test_a_symmetric_product_adds_to_a_matrix() -> None:
    def f(a, c):
        return lax.linalg.symmetric_product(a, c, alpha=2.0, beta=0.5, symmetrize_output=True)

    for g in (f, jit(f)):
        np.testing.assert_allclose(g(A, SPD), 2 * A @ A.T + 0.5 * SPD, rtol=1e-12)
    check_grads(f, (A, SPD), order=2, atol=1e-4, rtol=1e-4)


def test_eigenvalues_of_tridiagonal_matrices_are_scipys() -> None:
    d, e = RNG.normal(size=5), RNG.normal(size=4)
    f = lambda d, e: linalg.eigh_tridiagonal(d, e, eigvals_only=True)  # noqa: E731
    want = scipy.linalg.eigh_tridiagonal(d, e, eigvals_only=True)
    for g in (f, jit(f)):
        np.testing.assert_allclose(g(d, e), want, rtol=1e-10)
    np.testing.assert_allclose(vmap(f)(d[None], e[None])[0], want, rtol=1e-10)


def test_the_derivative_of_an_exponential_is_scipys() -> None:
    direction = RNG.normal(size=(4, 4))
    want = scipy.linalg.expm_frechet(A, direction)
    for f in (linalg.expm_frechet, jit(linalg.expm_frechet)):
        for found, one in zip(f(A, direction), want, strict=True):
            np.testing.assert_allclose(found, one, rtol=1e-9)


def test_a_product_with_q_needs_no_q() -> None:
    c = RNG.normal(size=(3, 4))
    for mode in ("left", "right"):
        operand = c if mode == "right" else c.T
        for found, one in zip(linalg.qr_multiply(A, operand, mode=mode), scipy.linalg.qr_multiply(A, operand, mode), strict=True):
            np.testing.assert_allclose(np.abs(found), np.abs(one), rtol=1e-9)


def test_a_real_schur_form_becomes_the_complex_one() -> None:
    t, z = scipy.linalg.schur(A)
    found, vectors = (np.asarray(x) for x in linalg.rsf2csf(t, z))
    np.testing.assert_allclose(vectors @ found @ vectors.conj().T, A, atol=1e-10)
    np.testing.assert_allclose(found, np.triu(found), atol=1e-10)
