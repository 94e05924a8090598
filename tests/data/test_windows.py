"""jitgrad.data.windows: pieces of a row of tokens and what follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import data, errors


@settings(max_examples=60)
@given(count=st.integers(2, 40), length=st.integers(1, 12), step=st.integers(1, 15))
def test_windows_are_slices_and_no_whole_one_is_left_out(count, length, step):
    tokens = np.arange(100, 100 + count)
    if count <= length:
        with pytest.raises(errors.ArgumentError, match=f"need {length + 1}, got {count}"):
            data.windows(tokens, length, step=step)
        return
    expected = [tokens[i : i + length] for i in range(0, count - length, step)]
    dataset = data.windows(tokens, length, step=step)
    assert len(dataset) == len(expected)
    for (x, y), e in zip(dataset, expected, strict=True):
        np.testing.assert_array_equal(x, e)
        np.testing.assert_array_equal(y, e + 1)
    x, y = dataset.to_arrays()
    np.testing.assert_array_equal(x, expected)


def test_side_by_side_every_token_is_foretold_once():
    _, y = data.windows(np.arange(101), 10).to_arrays()
    assert sorted(y.ravel()) == list(range(1, 101))


def test_random_windows_are_anywhere_and_others_in_every_epoch():
    dataset = data.random_windows(np.arange(11), 4, 2000, seed=0)
    x, y = dataset.to_arrays()
    assert set(x[:, 0].tolist()) == set(range(7)) and (y == x + 1).all() and y.max() == 10
    again = data.random_windows(np.arange(11), 4, 2000, seed=0)
    first, second = (np.concatenate([x for x, _ in again.batch(300).epoch(n)]) for n in (0, 1))
    np.testing.assert_array_equal(first, x)
    assert (first != second).any()
    assert len(data.random_windows(np.arange(101), 10)) == 10


def test_x_and_y_are_arrays_of_their_own(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(50, dtype=np.uint16))
    x, y = next(iter(data.windows(np.load(tmp_path / "t.npy", mmap_mode="r"), 8).batch(3)))
    assert type(x) is np.ndarray and x.dtype == np.uint16 and x.flags.c_contiguous
    x[:] = 0
    assert y[0, 0] == 1


@pytest.mark.parametrize(
    ("tokens", "length", "error", "words"),
    [
        (np.ones((2, 3), int), 1, errors.ShapeError, "a row of integers"),
        (np.ones(9), 1, errors.DTypeError, "encode"),
        (np.ones(9, int), 0, errors.ArgumentError, "length"),
        (np.ones(9, int), 9, errors.ArgumentError, "need 10, got 9"),
    ],
)  # fmt: skip
def test_what_has_no_windows_is_refused(tokens, length, error, words):
    for make in (data.windows, data.random_windows):
        with pytest.raises(error, match=words):
            make(tokens, length)
