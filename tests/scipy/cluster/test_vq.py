"""vq: SciPy's codes and distances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.cluster.vq
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import errors, grad, jit, vmap
from jitgrad.scipy.cluster.vq import vq
from jitgrad.test_util import check_grads


@given(st.integers(0, 6), st.integers(1, 7), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=20)
def test_codes_and_distances_are_those_of_scipy(m, k, n, seed):
    rng = np.random.default_rng(seed)
    obs, book = rng.standard_normal((m, n)), rng.standard_normal((k, n))
    for f in (vq, jit(vq)):
        code, distance = f(obs, book)
        if m:
            want_code, want_distance = scipy.cluster.vq.vq(obs, book)
            np.testing.assert_array_equal(code, want_code)
            np.testing.assert_allclose(distance, want_distance, rtol=1e-6, atol=1e-8)
        assert code.shape == distance.shape == (m,) and code.dtype == np.int64


def test_vectors_are_numbers_one_by_one_and_the_first_of_equals_is_taken():
    code, distance = vq(np.array([1.0, 2.5, 2.0]), np.array([1.0, 3.0]))
    assert code.tolist() == [0, 1, 0] and distance.tolist() == [0, 0.5, 1]


def test_derivatives_and_vmap():
    rng = np.random.default_rng(0)
    obs, book = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    check_grads(lambda o, b: vq(o, b)[1], (obs, book), order=2, modes=("fwd", "rev"))
    assert not np.any(grad(lambda o: vq(o, book)[1].sum())(book))
    rows = vmap(vq, (0, None))(np.stack([obs, obs[::-1]]), book)
    np.testing.assert_array_equal(rows[0][1], rows[0][0][::-1])


WRONG = [
    (lambda: vq(np.ones(3), np.ones((2, 3))), errors.ShapeError, r"takes obs \[m, n\] .* got shapes \(3,\) and \(2, 3\)"),
    (lambda: vq(np.ones((3, 2)), np.ones((2, 3))), errors.ShapeError, "takes obs"),
    (lambda: vq(np.ones((3, 2)), np.ones((0, 2))), errors.ShapeError, "code_book has no rows"),
    (lambda: vq(np.ones((3, 2)) * 1j, np.ones((1, 2))), errors.DTypeError, "takes real numbers"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
