"""Reductions over what is not NaN, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

CASES = [
    "nansum(n)",
    "nanprod(n)",
    "nancumsum(n)",
    "nancumprod(n)",
    "nanmax(n)",
    "nanmin(n)",
    "nanargmax(n)",
    "nanargmin(n)",
    "nanmean(n[:3])",
    "nanvar(n[:3])",
    "nanstd(n[:3])",
    "nansum(x, axis=0)",
    "nanmean(where(b, x, nan), axis=0)",
    "nanvar(where(b, x, nan), axis=1, ddof=0)",
    "nanmax(where(b, x, nan), axis=0)",
    "nanmax(where(x > 10, x, nan), axis=0) :: np.full(4, np.nan)",
    "nanmax(i)",
    "nansum(i, axis=0)",
    "nanprod(array([1.7, nan, 2.9]), dtype=int8) :: np.int8(2)",
    "nansum(array([1.7, nan, 2.9]), dtype=int8) :: np.int8(3)",
]


@pytest.mark.parametrize("case", CASES)
def test_nan_reductions_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


VAR_SLOPES = np.array([-10, 2, 0, 8]) / 9
STD_SLOPES = VAR_SLOPES / (2 * (14 / 9) ** 0.5)


@pytest.mark.parametrize(
    ("f", "wanted"),
    [
        (jnp.nanvar, VAR_SLOPES),
        (jnp.nanstd, STD_SLOPES),
        (lambda x: jnp.var(x, where=~jnp.isnan(x)), VAR_SLOPES),
        (lambda x: jnp.std(x, where=~jnp.isnan(x)), STD_SLOPES),
        (lambda x: jnp.mean(x, where=~jnp.isnan(x)), np.array([1, 1, 0, 1]) / 3),
        (jnp.nanmean, np.array([1, 1, 0, 1]) / 3),
        (jnp.nansum, np.array([1, 1, 0, 1])),
        (jnp.nanprod, np.array([12, 4, 0, 3])),
        (jnp.nanmax, np.array([0, 0, 0, 1])),
    ],
)
def test_what_is_left_out_has_a_derivative_of_zero_and_spoils_no_other(f: Callable[..., Any], wanted: np.ndarray) -> None:
    x = jnp.array([1.0, 3.0, np.nan, 4.0])
    for run in (jitgrad.grad(f), jitgrad.jit(jitgrad.grad(f))):
        np.testing.assert_allclose(run(x), wanted, rtol=1e-5)
