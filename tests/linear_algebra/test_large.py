"""One large matrix, which is factorised by many tasks."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import jit


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
