"""jitgrad.data for arrays: parts for training and tests, features of mean 0 and deviation 1, labels as vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, errors

# train_test_split


@settings(max_examples=80)
@given(count=st.integers(2, 60), test_size=st.one_of(st.none(), st.floats(0.05, 0.95), st.integers(1, 20)), shuffle=st.booleans())
def test_each_example_is_in_one_part(count, test_size, shuffle):
    x, y = np.arange(2 * count).reshape(count, 2), np.arange(count)
    expected = math.ceil(count * (0.25 if test_size is None else test_size)) if not isinstance(test_size, int) else test_size
    if expected >= count:
        with pytest.raises(errors.ArgumentError, match="each part needs one"):
            data.train_test_split(x, y, test_size=test_size, seed=0)
        return
    x_train, x_test, y_train, y_test = data.train_test_split(x, y, test_size=test_size, seed=0, shuffle=shuffle)
    assert len(y_test) == expected and sorted([*y_train, *y_test]) == list(range(count))
    np.testing.assert_array_equal(x_train[:, 0], 2 * y_train)
    np.testing.assert_array_equal(x_test[:, 0], 2 * y_test)
    if not shuffle:
        assert y_test.tolist() == list(range(count - expected, count))


@settings(max_examples=60)
@given(members=st.lists(st.integers(2, 30), min_size=2, max_size=5), test_size=st.floats(0.2, 0.8), seed=st.integers(0, 9))
def test_stratified_parts_have_their_share_of_each_label(members, test_size, seed):
    labels = np.repeat([f"label {i}" for i in range(len(members))], members)
    test = math.ceil(test_size * len(labels))
    if min(test, len(labels) - test) < len(members):
        return
    rows = np.arange(len(labels))
    train_rows, test_rows = data.train_test_split(rows, test_size=test_size, seed=seed, stratify=labels)
    assert len(test_rows) == test and sorted([*train_rows, *test_rows]) == rows.tolist()
    for i, n in enumerate(members):
        assert abs((labels[test_rows] == f"label {i}").sum() - n * test / len(labels)) < 1


def test_equal_seeds_split_equally_and_train_size_may_be_given():
    x = np.arange(100)
    a, b, c = (data.train_test_split(x, train_size=0.2, test_size=0.3, seed=s) for s in (1, 1, 2))
    assert [len(p) for p in a] == [20, 30] and not set(a[0]) & set(a[1])
    np.testing.assert_array_equal(a[0], b[0])
    assert (a[0] != c[0]).any()
    assert [len(p) for p in data.train_test_split(x, train_size=0.2, seed=0)] == [20, 80]
    assert [len(p) for p in data.train_test_split(x, x, train_size=30, test_size=5, seed=0, stratify=x % 2)] == [30, 5] * 2


def test_datasets_are_split_by_their_numbers():
    train, test = data.train_test_split(data.from_arrays(np.arange(10), np.arange(10)), test_size=0.3, seed=0)
    assert (len(train), len(test)) == (7, 3)
    x, _ = train.to_arrays()
    assert sorted([*x, *test.to_arrays()[0]]) == list(range(10))
    assert [len(b[0]) for b in train.shuffle(seed=0).batch(4)] == [4, 3]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"test_size": 1.0}, errors.ArgumentError, "a fraction between 0 and 1 or a number"),
        ({"test_size": 0}, errors.ArgumentError, "a fraction"),
        ({"test_size": "half"}, errors.ArgumentError, "a fraction"),
        ({"test_size": 8, "train_size": 3}, errors.ArgumentError, "of 10 examples 3"),
        ({"stratify": [0] * 9 + [1]}, errors.ArgumentError, "has one example"),
        ({"stratify": [0, 1] * 5, "test_size": 1}, errors.ArgumentError, "2 labels need"),
        ({"stratify": [0, 1]}, errors.ParametersError, "one label for each"),
        ({"stratify": [0, 1] * 5, "shuffle": False}, errors.ArgumentError, "shuffle=True"),
        ({"seed": "x"}, errors.ArgumentError, "seed"),
    ],
)  # fmt: skip
def test_splits_that_make_no_sense_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        data.train_test_split(np.arange(10), **{"seed": 0, **arguments})


def test_arrays_of_unequal_length_are_not_split():
    with pytest.raises(errors.ShapeError, match=r"10 at \[0\] and 9 at \[1\]"):
        data.train_test_split(np.arange(10), np.arange(9))


# Standardizer


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("axis", [0, (0, 1, 2)])
def test_features_are_standardised_and_come_back(kind, axis):
    x = (np.random.default_rng(0).random((500, 6, 5, 3)) * 200 + np.array([1, 20, 50])).astype(kind)
    standard = data.Standardizer.fit(x, axis)
    z = standard(x)
    tolerance = 1e-12 if kind is np.float64 else 1e-5
    np.testing.assert_allclose(z.mean(axis, np.float64), 0, atol=tolerance)
    np.testing.assert_allclose(z.std(axis, np.float64), 1, rtol=tolerance)
    assert z.dtype == (np.float32 if kind is np.uint8 else kind)
    np.testing.assert_allclose(standard.inverse(z), x, rtol=tolerance, atol=tolerance * 100)
    np.testing.assert_allclose(standard(x[:3]), z[:3])


def test_means_and_deviations_of_large_numbers_are_accurate():
    x = np.random.default_rng(0).normal(1e6, 1, (300_000, 2)).astype(np.float32)
    standard = data.Standardizer.fit(x)
    np.testing.assert_allclose(standard.mean, x.mean(0, np.float64), rtol=1e-7)
    np.testing.assert_allclose(standard.scale, x.std(0, np.float64), rtol=1e-6)


def test_one_row_of_numbers_is_standardised_as_a_whole():
    x = np.array([1.0, 3.0, 5.0])
    standard = data.Standardizer.fit(x)
    np.testing.assert_allclose(standard(x), (x - 3) / np.std(x))
    np.testing.assert_allclose(standard.inverse(standard(x)), x)
    assert data.Standardizer.fit([2, 2]).scale == 1


def test_a_constant_feature_has_scale_one():
    x = np.full((7, 2), 0.1)
    x[:, 1] = np.arange(7)
    standard = data.Standardizer.fit(x)
    assert standard.scale[0] == 1 and abs(standard(x)[:, 0]).max() < 1e-15


def test_a_standardizer_works_on_arrays_of_jitgrad_in_jit():
    x = np.random.default_rng(0).random((9, 4), dtype=np.float32)
    standard = data.Standardizer.fit(x)
    out = jitgrad.jit(standard)(jnp.asarray(x))
    assert isinstance(out, jitgrad.Array) and out.dtype == "float32"
    np.testing.assert_allclose(out, standard(x), rtol=1e-5, atol=1e-6)


def test_what_can_not_be_standardised_is_refused():
    x = np.ones((4, 3))
    x[2, 1] = np.nan
    with pytest.raises(errors.ArgumentError, match="the feature at 1 has NaNs"):
        data.Standardizer.fit(x)
    with pytest.raises(errors.ArgumentError, match="empty"):
        data.Standardizer.fit(x[:0])
    with pytest.raises(errors.DTypeError, match="real numbers"):
        data.Standardizer.fit(np.array(["a"]))
    with pytest.raises(errors.ArgumentError, match="axis"):
        data.Standardizer.fit(x, 1)
    with pytest.raises(errors.ShapeError, match=r"rows of shape \(3,\), got an array of shape \(3,\)"):
        data.Standardizer.fit(x[:2])(x[0])
    with pytest.raises(errors.ShapeError, match="rows of shape"):
        data.Standardizer.fit(x[:2]).inverse(x[:, :2])


# one_hot


def test_labels_become_vectors_of_any_shape():
    labels = np.array([[0, 2], [1, 2]], np.uint8)
    np.testing.assert_array_equal(data.one_hot(labels), np.eye(3, dtype=np.float32)[labels])
    assert data.one_hot(labels, 5).shape == (2, 2, 5) and data.one_hot([True, False]).tolist() == [[0, 1], [1, 0]]
    assert data.one_hot([1.0, 0.0], dtype=bool).tolist() == [[False, True], [True, False]]
    np.testing.assert_array_equal(data.to_categorical(labels[:, :1], 3), np.eye(3)[[0, 1]])


@pytest.mark.parametrize(
    ("labels", "classes", "error", "words"),
    [
        ([0, 1, 3], 3, errors.ArgumentError, "0 to 2, got 3 at index 2"),
        ([[0, -1]], None, errors.ArgumentError, "got -1 at index 0, 1"),
        ([0.5], None, errors.DTypeError, "integers"),
        ([np.nan], None, errors.DTypeError, "integers"),
        (["cat"], None, errors.DTypeError, "numpy.unique"),
        ([], None, errors.ArgumentError, "num_classes"),
        (np.array([2**63], np.uint64), 3, errors.ArgumentError, "got 9223372036854775808 at"),
        ([0], 0, errors.ArgumentError, "1 or more"),
    ],
)  # fmt: skip
def test_labels_out_of_range_are_refused(labels, classes, error, words):
    for make in (data.one_hot, data.to_categorical):
        with pytest.raises(error, match=words):
            make(np.array(labels), classes)
