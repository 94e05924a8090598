"""detrend is SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from jitgrad import errors, jit, vmap
from jitgrad.scipy.signal import detrend
from jitgrad.test_util import check_grads


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("options", [{}, {"type": "constant"}, {"bp": 3}, {"bp": [1, 4]}, {"bp": np.array([4, 0, 3])}], ids=str)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_what_is_left_is_what_scipy_leaves(axis, options, kind):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((5, 6)) * 3 + np.arange(6)).astype(kind)
    for f in (lambda x: detrend(x, axis, **options), jit(lambda x: detrend(x, axis, **options))):
        np.testing.assert_allclose(f(x), scipy.signal.detrend(x, axis, **options), atol=1e-12)


def test_short_pieces_and_integers():
    assert detrend(np.array([7])).tolist() == [0] and detrend(np.array([1.0, 5.0])).tolist() == [0, 0]
    assert detrend(np.arange(4)).dtype == np.float32


def test_derivatives_and_vmap():
    x = np.random.default_rng(1).standard_normal((3, 6))
    check_grads(lambda x: detrend(x, bp=2), (x,), order=2)
    np.testing.assert_allclose(vmap(lambda x: detrend(x, bp=2))(x), detrend(x, bp=2), atol=1e-12)


WRONG = [
    (lambda: detrend(np.ones(3), type="quadratic"), errors.ArgumentError, "type must be 'linear' or 'constant'"),
    (lambda: detrend(np.ones(3), bp=4), errors.ArgumentError, "places from 0 to 3"),
    (lambda: detrend(np.ones((3, 0))), errors.ShapeError, "nothing along axis -1"),
    (lambda: detrend(np.ones(3), overwrite_data=True), errors.ArgumentError, "immutable"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
