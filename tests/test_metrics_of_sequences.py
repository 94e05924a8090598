"""The label error rate against edit distances that are counted one by one."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, jit, metrics

SEQUENCES = st.lists(st.integers(0, 3), max_size=6)


def distance(a, b):
    """By its definition, from the ends."""

    @functools.cache
    def of(n, m):
        if not n or not m:
            return n + m
        return min(of(n - 1, m) + 1, of(n, m - 1) + 1, of(n - 1, m - 1) + (a[n - 1] != b[m - 1]))

    return of(len(a), len(b))


def padded(rows, length, rng):
    """Rows with as many -1 between their labels as fit."""
    out = np.full((len(rows), length), -1)
    for row, labels in zip(out, rows, strict=True):
        row[np.sort(rng.permutation(length)[: len(labels)])] = labels
    return out


@given(st.lists(st.tuples(SEQUENCES, SEQUENCES), min_size=1, max_size=4), st.integers(0, 100))
def test_the_label_error_rate_is_edit_distances_by_labels(pairs, seed):
    rng = np.random.default_rng(seed)
    guessed, wanted = padded([p for p, _ in pairs], 8, rng), padded([t for _, t in pairs], 7, rng)
    labels = sum(len(t) for _, t in pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.float64(sum(distance(p, t) for p, t in pairs)) / labels
    np.testing.assert_allclose(metrics.label_error_rate(guessed, wanted), want)
    metric, state = metrics.LabelErrorRate(), metrics.LabelErrorRate().init()
    for n in range(len(pairs)):
        state = metric.update(state, guessed[n : n + 1], wanted[n : n + 1])
    np.testing.assert_allclose(metric.compute(state), want)


def test_sequences_count_by_weights_and_where_they_are_there():
    guessed, wanted = np.array([[1, 2, 3], [1, -1, -1], [4, 4, 4]]), np.array([[1, 2], [1, 2], [1, 2]])
    assert metrics.label_error_rate(guessed, wanted, weights=np.array([1.0, 3.0, 0.0])) == 0.5
    assert metrics.label_error_rate(guessed, wanted, where=np.array([True, False, False])) == 0.5
    assert metrics.label_error_rate(guessed, wanted) == jit(metrics.label_error_rate)(guessed, wanted) == 5 / 6
    assert metrics.label_error_rate(np.zeros((2, 0), int), np.ones((2, 3), int)) == 1
    assert np.isnan(metrics.label_error_rate(np.zeros((2, 0), int), np.zeros((2, 0), int)))
    assert jnp.isinf(metrics.label_error_rate(np.zeros((2, 1), int), np.ones((2, 0), int)))


@pytest.mark.parametrize(
    ("predictions", "targets", "error", "message"),
    [
        (np.zeros(3, int), np.zeros((1, 3), int), errors.ShapeError, r"must be \[batch, length\] of one batch"),
        (np.zeros((2, 3), int), np.zeros((1, 3), int), errors.ShapeError, r"must be \[batch, length\] of one batch"),
        (np.zeros((1, 3)), np.zeros((1, 3), int), errors.DTypeError, "labels must be integers, got float64 and int64"),
    ],
)
def test_wrong_sequences_are_refused(predictions, targets, error, message):
    with pytest.raises(error, match=message):
        metrics.label_error_rate(predictions, targets)
