"""Operators and methods, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

CASES = [
    "x + 1",
    "1 - x",
    "x / 2",
    "2 / x",
    "x // 2",
    "x % 2",
    "x ** 2",
    "2 ** x",
    "i ** 2",
    "2 ** j",
    "-x",
    "+x",
    "~i",
    "i & 3",
    "3 | i",
    "i ^ j",
    "i << 1",
    "i >> 1",
    "x @ v",
    "x @ m",
    "x == y",
    "x != 0",
    "x < v",
    "x.T",
    "x.sum(0)",
    "x.mean(axis=1, keepdims=True)",
    "x.reshape(4, 3)",
    "x.reshape((2, -1))",
    "x.transpose(1, 0)",
    "t.transpose((2, 0, 1))",
    "x.astype(int)",
    "x.max()",
    "x.argmax(1)",
    "x.std(ddof=1)",
    "x.ravel()",
    "x.flatten()",
    "x.clip(-1, 1)",
    "x.round(1)",
    "x.dot(v)",
    "x.cumsum(1)",
    "x.swapaxes(0, 1)",
    "x.repeat(2, 0)",
    "x.take(k, 1)",
    "x.sort() :: sort(x)",
    "x.argsort(0)",
    "x.diagonal()",
    "t.mT",
    "c.real",
    "c.imag",
    "c.conj()",
    "x.ptp(0) :: ptp(x, 0)",
]


@pytest.mark.parametrize("case", CASES)
def test_methods_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


def test_an_array_has_its_trace() -> None:
    x = jnp.arange(12.0).reshape(3, 4)
    assert float(x.trace()) == 15.0 and float(x.trace(offset=1)) == 18.0
    np.testing.assert_array_equal(jitgrad.jit(lambda v: v.trace(axis1=1, axis2=0))(x), 15.0)
    np.testing.assert_array_equal(jitgrad.grad(lambda v: v.trace())(x), np.eye(3, 4))
