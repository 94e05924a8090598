"""map_coordinates: SciPy's values at any place, and gradients of both arguments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.scipy.ndimage import map_coordinates
from jitgrad.test_util import check_grads

NAMES_OF_SCIPY = {"constant": "grid-constant", "wrap": "grid-wrap", "nearest": "nearest", "mirror": "mirror", "reflect": "reflect"}


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.sampled_from(list(NAMES_OF_SCIPY)),
    st.integers(0, 1),
    st.integers(0, 99),
)
@settings(max_examples=40)
def test_values_are_those_of_scipy(sizes, mode, order, seed):
    rng = np.random.default_rng(seed)
    x, places = rng.standard_normal(sizes), rng.uniform(-12, 15, (len(sizes), 2, 5))
    want = scipy.ndimage.map_coordinates(x, places, order=order, mode=NAMES_OF_SCIPY[mode], cval=1.5)
    for f in (map_coordinates, jit(map_coordinates, static_argnums=(2, 3))):
        np.testing.assert_allclose(f(x, places, order, mode, 1.5), want, rtol=1e-12, atol=1e-12)


def test_halves_and_whole_numbers_are_those_of_jax():
    x = np.arange(5.0)
    places = [np.array([-0.5, 0.5, 1.5, 2.5, 0.49999999999999994, 4.5])]
    assert map_coordinates(x, places, 0, "nearest").tolist() == [0, 1, 2, 3, 0, 4]
    assert map_coordinates(x, places, 0, cval=-9.0).tolist() == [-9, 1, 2, 3, 0, -9]
    assert map_coordinates(x, [np.array([-1, 0, 4, 5])], 1, cval=-9.0).tolist() == [-9, 0, 4, -9]


def test_integers_are_rounded_and_keep_their_type():
    found = map_coordinates(np.array([0, 1, 3, -4], np.int16), [np.array([0.5, 1.4, 1.5, 2.9])], 1)
    assert found.dtype == np.int16 and found.tolist() == [1, 2, 2, -3]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", NAMES_OF_SCIPY)
def test_places_that_are_no_numbers_give_none_and_huge_ones_are_far_outside(mode, order):
    found = map_coordinates(np.arange(4.0), [np.array([np.nan, 1.0, 1e300, -np.inf])], order, mode, 7.0)
    assert np.isnan(found[0]) and found[1] == 1 and np.isfinite(found[2:]).all()
    if mode == "constant":
        assert found[2:].tolist() == [7, 7]


@pytest.mark.parametrize("mode", NAMES_OF_SCIPY)
def test_derivatives_and_vmap(mode):
    rng = np.random.default_rng(5)
    x, places = rng.standard_normal((3, 4)), rng.uniform(-4, 8, (2, 6))
    check_grads(lambda x, p: map_coordinates(x, p, 1, mode), (x, places), order=2, modes=("fwd", "rev"))
    assert not np.any(grad(lambda p: map_coordinates(x, p, 0, mode).sum())(places))
    several = np.stack([x, 2 * x])
    np.testing.assert_allclose(
        vmap(lambda x: map_coordinates(x, places, 1, mode))(several)[1], 2 * map_coordinates(x, places, 1, mode)
    )


def test_coordinates_broadcast_and_may_be_numbers():
    x = np.arange(12.0).reshape(3, 4)
    assert map_coordinates(x, [np.array([[0.5], [1.0]]), np.array([0.0, 1.5, 2.0])], 1).shape == (2, 3)
    assert map_coordinates(x, [1.0, 2.5], 1).item() == 6.5
    assert map_coordinates(x, [0.5, np.array([0.0, 1.0])], 1).tolist() == [2, 3]


WRONG = [
    (lambda: map_coordinates(np.ones(3), [np.ones(2)], 3), errors.ArgumentError, "order must be 0"),
    (lambda: map_coordinates(np.ones(3), [np.ones(2)], 1, "grid-wrap"), errors.ArgumentError, "mode must be one of 'constant'"),
    (lambda: map_coordinates(np.ones((3, 3)), [np.ones(2)], 1), errors.ShapeError, "each of input's 2 axes, got 1"),
    (lambda: map_coordinates(np.ones(3), [1j * np.ones(2)], 1), errors.DTypeError, "must be real"),
    (lambda: map_coordinates(np.ones((0, 2)), np.ones((2, 3)), 1), errors.ShapeError, "no elements"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("order", [0, 1])
def test_what_is_called_again_reads_other_places(mode, order):
    x = jnp.array(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    rows = [[0.5, 1.0, 2.0, -0.0], [-7.25, 9.5, 100.0, 1.75], [np.inf, -np.inf, 1e30, np.nan]]
    for first, second in itertools.product(rows, rows):
        places = [jnp.array(v, "float32") for v in (first, second)]
        found = map_coordinates(x, places, order=order, mode=mode)
        wanted = map_coordinates.__wrapped__(x, places, order=order, mode=mode)
        np.testing.assert_array_equal(found, wanted)
    corner = map_coordinates(x, [jnp.array(1.0), jnp.array(2.0)], order=order, mode=mode)
    assert corner.shape == () and float(corner) == 6.0
