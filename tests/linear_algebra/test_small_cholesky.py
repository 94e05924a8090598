"""Cholesky's factors of small matrices, which LAPACK is not called for."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad import config, jit, lax


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 33, 48, 49])
def test_factors_are_numpys_and_nan_where_there_are_none_at_any_number_of_threads(dtype, n):
    x = np.random.default_rng(n).standard_normal((70, n, n))
    a = (x @ x.swapaxes(1, 2) / n + np.eye(n)).astype(dtype)
    wanted = np.linalg.cholesky(a.astype(np.float64))
    a += np.triu(np.full((n, n), np.nan, dtype), 1)  # which half is read
    a[3, n // 2, n // 2], a[5, -1, -1] = -1, np.nan
    fine = [i for i in range(len(a)) if i not in (3, 5)]
    before = config.num_threads
    try:
        found = []
        for threads in (1, 2, 3):
            config.num_threads = threads
            found.append(np.asarray(jit(lambda a: lax.linalg.cholesky(a, symmetrize_input=False))(a)))
    finally:
        config.num_threads = before
    assert all(f.tobytes() == found[0].tobytes() for f in found)
    np.testing.assert_allclose(found[0][fine], wanted[fine], atol=10 * np.finfo(dtype).eps)
    assert np.isnan(found[0][3]).all()
    assert np.isnan(found[0][5, -1, -1])
