"""Indices of triangles, diagonals and grids, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad.numpy as jnp

CASES = [
    "tril_indices(3, 1, 4)",
    "triu_indices(3, -1)",
    "tril_indices_from(x)",
    "triu_indices_from(x, 1)",
    "diag_indices(3)",
    "diag_indices_from(x[:, :3])",
    "fill_diagonal(x, 5.0, inplace=False) :: np.where(np.eye(3, 4) > 0, 5.0, x)",
    "fill_diagonal(x, v[:2], inplace=False) :: np.where(np.eye(3, 4) > 0, v[[0, 1, 0]][:, None], x)",
    "x[ix_(array([2, 0]), array([1, 3]))]",
    "unravel_index(q, (2, 3))",
    "ravel_multi_index((q % 2, q), (2, 3), mode='clip')",
    "ravel_multi_index((q % 2, q), (2, 3), mode='wrap', order='F')",
    "compress(array([True, False, True]), x, axis=0)",
    "compress(v > 0, v, size=4) :: np.r_[v[v > 0], [0.0] * (v <= 0).sum()]",
    "block([[x, y], [y, x]])",
    "block([v, w])",
    "copy(x)",
]


@pytest.mark.parametrize("case", CASES)
def test_places_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


CONCRETE_CASES = ["extract(x > 0, x)", "compress(x[0] > 0, x, axis=1)", "ravel_multi_index((j % 2, j % 3), (2, 3))"]


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


def test_grids_of_slices_agree_with_numpy() -> None:
    np.testing.assert_array_equal(jnp.mgrid[0:3, 1:7:2], np.mgrid[0:3, 1:7:2])
    np.testing.assert_allclose(jnp.mgrid[0:1:5j], np.mgrid[0:1:5j])
    for got, want in zip(jnp.ogrid[0:3, 1:2:3j], np.ogrid[0:3, 1:2:3j], strict=True):
        np.testing.assert_allclose(got, want)
    assert jnp.s_[1:2, ...] == np.s_[1:2, ...]
    assert jnp.mgrid[()].shape == (0,) and jnp.ogrid[()] == []
