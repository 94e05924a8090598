"""Matrices of known patterns are SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from jitgrad import errors
from jitgrad.scipy import linalg

RNG = np.random.default_rng(0)
OF_VECTORS = ("toeplitz", "circulant", "hankel", "fiedler")


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7])
def test_matrices_of_vectors_are_those_of_scipy(n):
    x, y = RNG.standard_normal((2, n))
    for name in OF_VECTORS:
        np.testing.assert_array_equal(getattr(linalg, name)(x), getattr(scipy.linalg, name)(x))
    for name in ("toeplitz", "hankel"):
        np.testing.assert_array_equal(getattr(linalg, name)(x, y[:2]), getattr(scipy.linalg, name)(x, y[:2]))
    np.testing.assert_array_equal(linalg.toeplitz(x + 1j * y), scipy.linalg.toeplitz(x + 1j * y))
    for mode in ("full", "same", "valid"):
        for k in (1, 3, 5):
            np.testing.assert_array_equal(linalg.convolution_matrix(x, k, mode), scipy.linalg.convolution_matrix(x, k, mode))
    if n > 1:
        np.testing.assert_allclose(linalg.companion(x), scipy.linalg.companion(x))
        np.testing.assert_array_equal(linalg.leslie(x, y[1:]), scipy.linalg.leslie(x, y[1:]))
    if n > 2:
        np.testing.assert_allclose(linalg.fiedler_companion(x), scipy.linalg.fiedler_companion(x))
    blocks = [np.ones((2, 3)), x, y[:, None]]
    np.testing.assert_array_equal(linalg.block_diag(*blocks), scipy.linalg.block_diag(*blocks))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_matrices_of_a_size_are_those_of_scipy(n):
    for name in ("hilbert", "invhilbert", "dft"):
        np.testing.assert_allclose(getattr(linalg, name)(n), getattr(scipy.linalg, name)(n), rtol=1e-6, atol=1e-6)
    for kind in ("symmetric", "upper", "lower"):
        for name in ("pascal", "invpascal"):
            np.testing.assert_array_equal(getattr(linalg, name)(n, kind), getattr(scipy.linalg, name)(n, kind))
    for full in (False, True):
        np.testing.assert_allclose(linalg.helmert(n + 1, full), scipy.linalg.helmert(n + 1, full), rtol=1e-6)
    for scale in ("sqrtn", "n"):
        np.testing.assert_allclose(linalg.dft(n, scale), scipy.linalg.dft(n, scale), atol=1e-6)
    if n & (n - 1) == 0:
        np.testing.assert_array_equal(linalg.hadamard(n), scipy.linalg.hadamard(n))


def test_sizes_that_are_none_are_refused():
    with pytest.raises(errors.ArgumentError, match=r"scipy\.linalg\.hadamard: n must be a power of 2, got 3"):
        linalg.hadamard(3)
    with pytest.raises(errors.ShapeError, match=r"scipy\.linalg\.leslie: takes f \[n\] and s \[n - 1\]"):
        linalg.leslie(np.ones(3), np.ones(3))
