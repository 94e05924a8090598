"""Reductions, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

CASES = [
    "sum(x)",
    "sum(x, axis=0)",
    "sum(t, axis=(0, -1))",
    "sum(t, axis=(0, 2), keepdims=True)",
    "sum(i)",
    "sum(u, 1) :: sum(u, 1, dtype=np.uint64)",
    "sum(b)",
    "sum(b, axis=1)",
    "sum(x, where=b)",
    "sum(x, axis=0, initial=2.0)",
    "sum(f, dtype=float64)",
    "sum(c)",
    "sum(x, where=x > 0, axis=1, keepdims=True)",
    "prod(x)",
    "prod(i, axis=0)",
    "prod(x, axis=1, where=b)",
    "max(x)",
    "max(x, axis=1)",
    "max(i, axis=0, keepdims=True)",
    "max(n)",
    "max(b, axis=0)",
    "max(x, where=b, initial=-1.0, axis=0)",
    "min(x, where=b, initial=1.0, axis=0)",
    "max(x[:0], initial=3.0, axis=0)",
    "max(x, initial=10.0)",
    "min(x)",
    "amax(x, 0)",
    "amin(x, 0)",
    "min(i, axis=(0, 1))",
    "mean(x)",
    "mean(x, axis=0)",
    "mean(i, axis=1)",
    "mean(b)",
    "mean(c)",
    "mean(x, axis=(0, 1), keepdims=True)",
    "mean(x, where=b, axis=1)",
    "mean(f, dtype=float64)",
    "var(x)",
    "var(x, axis=0, ddof=1)",
    "var(c)",
    "var(i)",
    "var(x, where=b)",
    "var(x, axis=1, keepdims=True)",
    "std(x)",
    "std(i, axis=0)",
    "std(t, axis=(0, 1))",
    "std(c, axis=0)",
    "any(i)",
    "any(b, axis=0)",
    "all(b)",
    "all(i, axis=1)",
    "all(x, keepdims=True)",
    "any(b, axis=1, where=i > 0)",
    "argmax(x)",
    "argmax(x, axis=0)",
    "argmax(x, axis=1, keepdims=True)",
    "argmin(x)",
    "argmin(t, axis=-2)",
    "argmax(n)",
    "argmax(b, 1)",
    "argmax(x, keepdims=True)",
    "count_nonzero(i)",
    "count_nonzero(i, axis=0)",
    "count_nonzero(b, axis=1, keepdims=True)",
    "cumsum(x)",
    "cumsum(x, axis=1)",
    "cumsum(b, axis=0)",
    "cumsum(i)",
    "cumprod(x, axis=0)",
    "cumprod(i)",
    "cumsum(f, dtype=float64)",
    "cumulative_sum(v)",
    "cumulative_sum(x, axis=1, include_initial=True)",
    "cumulative_prod(v, include_initial=True)",
    "cumulative_sum(b[0], dtype=bool) :: np.logical_or.accumulate(b[0])",
    "cumulative_prod(b[0], dtype=bool) :: np.logical_and.accumulate(b[0])",
]


@pytest.mark.parametrize("case", CASES)
def test_reductions_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "float16"])
@pytest.mark.parametrize("shape", [(65, 0), (3, 65, 0), (0, 65, 3), (65, 0, 65)])
def test_sums_of_many_nothings_are_zeros(dtype: str, shape: tuple[int, ...]) -> None:
    for axis in [*range(len(shape)), *[(a, b) for a in range(len(shape)) for b in range(a)]]:
        np.testing.assert_array_equal(jnp.sum(jnp.ones(shape, dtype), axis), np.sum(np.ones(shape, dtype), axis))


@pytest.mark.parametrize("reverse", [False, True])
def test_running_products_of_infinite_complex_numbers_begin_with_the_first_as_it_is(reverse: bool) -> None:
    ends = [0.0, -0.0, 1.5, np.inf, -np.inf, np.nan]
    x = np.random.default_rng(0).choice([complex(a, b) for a in ends for b in ends], (200, 3))
    x = x[:, ::-1] if reverse else x
    with np.errstate(invalid="ignore"):
        for n in (0, 1, 3):
            wanted = np.cumprod(x[:, :n], 1)
            np.testing.assert_array_equal(jnp.cumprod(jnp.array(x[:, :n]), 1), wanted)
            np.testing.assert_array_equal(jitgrad.jit(lambda x: jnp.cumprod(x, 1))(x[:, :n]), wanted)
