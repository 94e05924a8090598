"""put, place, putmask and bits in bytes: what NumPy's make of the same arguments, eagerly and in programs."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close, check_grads

RUNS = pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
X = np.arange(6.0).reshape(2, 3)


def after(change, *args, **kwargs):
    """What one of NumPy's functions that write leaves of X."""
    copied = X.copy()
    change(copied, *args, **kwargs)
    return copied


@RUNS
@pytest.mark.parametrize(
    ("places", "values", "mode"),
    [
        ([0, 2], [9.0, 8.0], None), ([0, 5, -1], [7.0], None), ([1, 1], [1.0, 2.0], None),
        (3, 5.0, None), ([0, 1, 2], [4.0, 5.0], None),
        ([7, -9], [1.0, 2.0], "clip"), ([7, -9], [1.0, 2.0], "wrap"),
        ([[0, 1], [2, 3]], [[1.0, 2.0], [3.0, 4.0]], None), ([0], [], None),
    ],
    ids=str,
)  # fmt: skip
def test_put_writes_at_places_of_the_flattened_array(run, places, values, mode):
    wanted = after(np.put, places, values, mode=mode or "raise")
    given = np.array(places)
    assert_close(run(lambda x, i: jnp.put(x, i, np.array(values), mode, inplace=False))(X, given), wanted)
    assert_close(run(lambda x: jnp.put(x, places, values, mode, inplace=False))(X), wanted)


def test_put_leaves_places_outside_alone():
    assert_close(jnp.put(X, [7, 1, -7], [1.0, 2.0, 3.0], inplace=False), after(np.put, 1, 2.0))
    with jitgrad.debug.checked("index"), pytest.raises(errors.IndexingError, match="put: index -7 is outside axis 0"):
        jnp.put(X, [1, -7], 2.0, inplace=False)


@RUNS
@pytest.mark.parametrize("values", [[7.0], [7.0, 8.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]], ids=len)
def test_masks_choose_what_is_replaced(run, values):
    v = np.array(values)
    assert_close(run(lambda x, v: jnp.place(x, x > 1, v, inplace=False))(X, v), after(np.place, X > 1, values))
    assert_close(run(lambda x, v: jnp.putmask(x, x > 1, v, inplace=False))(X, v), after(np.putmask, X > 1, values))
    assert_close(run(lambda x: jnp.place(x, x > 9, values, inplace=False))(X), X)


def test_replacements_have_derivatives():
    values = np.array([1.5, -2.0])
    check_grads(lambda x, v: jnp.put(x, [4, 0, 4], v, inplace=False), (X, values), order=1)
    check_grads(lambda x, v: jnp.place(x, X > 1, v, inplace=False), (X, values), order=1)
    check_grads(lambda x, v: jnp.putmask(x, X > 1, v, inplace=False), (X, values), order=1)


def test_what_cannot_be_replaced_is_told():
    for call in (lambda: jnp.put(X, 0, 1.0), lambda: jnp.place(X, X > 1, 1.0), lambda: jnp.putmask(X, X > 1, 1.0)):
        with pytest.raises(errors.ImmutableArrayError, match="inplace=False"):
            call()
    with pytest.raises(errors.ArgumentError, match="put: mode must be None, 'clip' or 'wrap'"):
        jnp.put(X, 0, 1.0, "raise", inplace=False)
    with pytest.raises(errors.DTypeError, match="put: places must be integers"):
        jnp.put(X, [0.5], 1.0, inplace=False)
    with pytest.raises(errors.ShapeError, match="place: the mask must have as many elements as the array, 6, got 2"):
        jnp.place(X, [True, False], 1.0, inplace=False)
    with pytest.raises(errors.ArgumentError, match="place: needs at least one value"):
        jnp.place(X, X > 1, [], inplace=False)


@RUNS
@pytest.mark.parametrize("bitorder", ["big", "little"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_bits_are_packed_and_unpacked(run, axis, bitorder):
    x = np.random.default_rng(0).integers(0, 256, (3, 11), dtype=np.uint8)
    for given in (x > 100, x, x[:, :0]):
        assert_close(run(lambda x: jnp.packbits(x, axis, bitorder))(given), np.packbits(given, axis, bitorder))
    for count in (None, 0, 3, -3, 100):
        assert_close(run(lambda x: jnp.unpackbits(x, axis, count, bitorder))(x), np.unpackbits(x, axis, count, bitorder))  # noqa: B023


def test_bits_are_those_of_bytes():
    with pytest.raises(errors.DTypeError, match="packbits: takes bools or integers, got float64"):
        jnp.packbits(X)
    with pytest.raises(errors.DTypeError, match="unpackbits: takes uint8, got int64"):
        jnp.unpackbits(jnp.arange(3))
    with pytest.raises(errors.ArgumentError, match="bitorder must be 'big' or 'little'"):
        jnp.packbits(jnp.arange(3), bitorder="middle")
