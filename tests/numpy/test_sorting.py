"""Sorting and searching, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

CASES = [
    "digitize(x, s)",
    "digitize(x, s, right=True)",
    "digitize(x, s[::-1])",
    "searchsorted(s, x)",
    'searchsorted(s, x, side="right")',
    "searchsorted(s, 0.5)",
    'searchsorted(sort(n), array([nan, 2.0, inf]), side="right") :: np.array([4, 2, 3])',
    "searchsorted(sort(n), array([nan, 2.0, inf])) :: np.array([3, 2, 2])",
    "searchsorted(array([1, 2, 2, 5]), 2)",
    "sort(x)",
    "sort(x, axis=0)",
    "sort(x, axis=None)",
    "sort(n)",
    "sort(x, descending=True) :: -sort(-x)",
    "argsort(x)",
    "argsort(x, axis=0)",
    'argsort(i, axis=1) :: argsort(i, axis=1, kind="stable")',
    'argsort(i, axis=1, descending=True) :: argsort(-i, axis=1, kind="stable")',
    "argsort(x, axis=None)",
    "lexsort((q, q % 2))",
    "lexsort((x, i), axis=0)",
    "partition(x, 1) :: sort(x)",
    "argpartition(v, 1) :: argsort(v)",
    "nonzero(k, size=5, fill_value=-1) :: (np.array([0, 2, 3, -1, -1]),)",
    "nonzero(b, size=2) :: tuple(p[:2] for p in nonzero(b))",
    "argwhere(b, size=3) :: argwhere(b)[:3]",
    "sort_complex(c.ravel())",
    "digitize(x, array([1.0, 0.5, -0.5]))",
    "digitize(i, array([3, 1, 1, -2]), right=True)",
    "digitize(i, array([3, 1, 1, -2]))",
    "searchsorted(s, x)",
    "searchsorted(s, 0.3)",
]

CONCRETE_CASES = [
    "nonzero(i)",
    "nonzero(b)",
    "flatnonzero(i)",
    "argwhere(i)",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_sorting_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


def test_searchsorted_takes_arrays_that_a_program_has_read() -> None:
    for f, arguments in (
        (jnp.searchsorted, ([1.0, 2.0, 3.0], [0.5, 1.5, 9.0])),
        (jnp.digitize, ([0.5, 1.5, 9.0], [1.0, 2.0, 3.0])),
        (lambda x, a, b: jnp.interp(x, a, b), ([0.5, 1.5], [0.0, 1.0, 2.0], [0.0, 10.0, 20.0])),
    ):
        arrays = [jnp.array(a) for a in arguments]
        wanted = np.asarray(f(*arrays))
        jitgrad.jit(f)(*arrays)
        np.testing.assert_array_equal(f(*arrays), wanted)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_tells_uint64_and_int64_apart(side: str) -> None:
    unsigned = np.arange(2**62, 2**62 + 50, dtype=np.uint64)
    signed = np.array([-5, 2**62 + 3, 2**62 + 49, 2**63 - 1])
    for run in (jnp.searchsorted, jitgrad.jit(jnp.searchsorted, static_argnums=2)):
        found = run(jnp.array(unsigned), jnp.array(signed), side)
        np.testing.assert_array_equal(found, [0, *np.searchsorted(unsigned, signed[1:].astype(np.uint64), side)])
        found = run(jnp.array(signed), jnp.array(np.array([0, 2**62 + 3, 2**64 - 1], np.uint64)), side)
        np.testing.assert_array_equal(found, [1, 1 if side == "left" else 2, 4])
