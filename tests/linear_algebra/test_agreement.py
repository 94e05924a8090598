"""Functions of linear algebra: eager, compiled and reference agree, derivatives are those of finite differences, vmap a loop."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import jit, tree, vmap
from jitgrad.testing import check_grads

from .cases import CASES, Case

SIZES = st.tuples(st.sampled_from([(), (2,), (0,), (2, 1)]), st.integers(0, 5), st.integers(0, 4))
TYPES = st.sampled_from([np.float32, np.float64, np.complex64, np.complex128])
EACH = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)


def operands(case: Case, sizes: Any, dtype: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    return [make(rng, sizes, dtype) for make in case.makers]


def agree(case: Case, got: Any, want: Any, dtype: Any, context: object) -> None:
    got, want = tree.leaves(got), [np.asarray(w) for w in (want if isinstance(want, tuple) else (want,))]
    assert len(got) == len(want)
    single = np.finfo(dtype).bits == 32
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape, context
        assert np.asarray(g).dtype.kind == w.dtype.kind
        np.testing.assert_allclose(
            g, w, rtol=case.loose * (2e-4 if single else 1e-10), atol=case.loose * (1e-4 if single else 1e-11), err_msg=str(context)
        )


@EACH
@settings(max_examples=8, deadline=None)
@given(SIZES, TYPES)
def test_eager_compiled_and_reference_agree(case: Case, sizes: Any, dtype: Any) -> None:
    if np.dtype(dtype).kind == "c" and not case.complex:
        dtype = np.float64
    batch, n, m = sizes
    sizes = (batch if case.batched else (), max(n, case.minimal), max(m, case.minimal))
    given_ones = operands(case, sizes, dtype)
    wanted = case.reference(*given_ones)
    agree(case, case.f(*given_ones), wanted, dtype, f"eager, {sizes}, {dtype}")
    agree(case, jit(case.f)(*given_ones), wanted, dtype, f"compiled, {sizes}, {dtype}")


@pytest.mark.parametrize("case", [c for c in CASES if c.differentiable], ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_derivatives_are_those_of_finite_differences(case: Case, dtype: Any) -> None:
    if dtype is np.complex128 and not case.complex:
        pytest.skip("takes real numbers")
    for sizes in [((), 3, 3), ((2,), 3, 2)] if case.batched else [((), 3, 3)]:
        check_grads(case.f, operands(case, sizes, dtype), order=case.order, modes=["fwd", "rev"], atol=1e-5, rtol=1e-5)


@EACH
def test_vmap_is_a_loop(case: Case) -> None:
    given_ones = [np.stack([a, a * 1.25, a * 0.75]) for a in operands(case, ((), 3, 2), np.float64)]
    for run in (lambda f: f, jit):
        batched = run(vmap(case.f))(*given_ones)
        one_by_one = [case.f(*[a[i] for a in given_ones]) for i in range(3)]
        for got, *want in zip(tree.leaves(batched), *[tree.leaves(o) for o in one_by_one], strict=True):
            np.testing.assert_allclose(got, np.stack([np.asarray(w) for w in want]), rtol=1e-9, atol=1e-10)
    if len(given_ones) == 2:
        shared = vmap(case.f, in_axes=(None, 0))(given_ones[0][0], given_ones[1])
        for got, want in zip(tree.leaves(shared), tree.leaves([case.f(given_ones[0][0], b) for b in given_ones[1]]), strict=False):
            np.testing.assert_allclose(got[0], want, rtol=1e-9, atol=1e-10)
