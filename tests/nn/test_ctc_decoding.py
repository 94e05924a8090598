"""What CTC scores spell, against all sequences of classes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import errors, jit, nn

from .test_ctc import batch_of, softmax


def collapsed(path, blank=0):
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def probabilities(logits, blank=0):
    """Of every label sequence that frames [time, classes] spell."""
    steps, classes = logits.shape
    chance, found = softmax(logits), {}
    for path in itertools.product(range(classes), repeat=steps):
        label = collapsed(path, blank)
        found[label] = found.get(label, 0) + np.prod(chance[range(steps), path])
    return found


def labels_of(row):
    row = np.asarray(row)
    length = int((row >= 0).sum())
    assert (row[length:] == -1).all()
    return tuple(row[:length].tolist())


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 4), st.data())
def test_a_wide_beam_finds_the_most_probable_labels_and_their_probability(seed, steps, classes, data):
    blank = data.draw(st.integers(0, classes - 1))
    logits, no_frame, _, _ = batch_of(seed, 3, steps, classes, 2)
    labels, scores = nn.ctc_beam_decode(logits, no_frame, 200, blank)
    assert labels.shape == (3, steps) and labels.dtype.kind == "i"
    for x, missing, row, score in zip(logits, no_frame, labels, scores, strict=True):
        chances = probabilities(x[~missing], blank)
        np.testing.assert_allclose(np.exp(score), max(chances.values()), rtol=1e-10)
        np.testing.assert_allclose(chances[labels_of(row)], max(chances.values()), rtol=1e-10)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_a_narrow_beam_never_says_more_than_its_labels_have(seed, width):
    logits, no_frame, _, _ = batch_of(seed, 2, 6, 3, 2)
    labels, scores = nn.ctc_beam_decode(logits, no_frame, width)
    for x, missing, row, score in zip(logits, no_frame, labels, scores, strict=True):
        assert np.exp(score) <= probabilities(x[~missing])[labels_of(row)] * (1 + 1e-10)


def test_certain_frames_are_read_whatever_the_beam():
    path = np.array([[1, 1, 0, 1, 2, 2, 0, 0, 3, 2]])
    logits = 50.0 * np.eye(4)[path]
    for width in (1, 2, 5, 50):
        labels, scores = jit(nn.ctc_beam_decode, static_argnums=2)(logits, None, width)
        assert labels_of(labels[0]) == (1, 1, 2, 3, 2)
        np.testing.assert_allclose(scores, 0, atol=1e-12)
    with np.errstate(divide="ignore"):
        impossible = np.log(np.eye(4)[path])  # all other classes have probability 0
    labels, scores = nn.ctc_beam_decode(impossible, None, 8)
    assert labels_of(labels[0]) == (1, 1, 2, 3, 2) and scores[0] == 0


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(0, 7), st.integers(0, 3))
def test_greedy_labels_are_the_best_path_collapsed(seed, steps, blank):
    logits, no_frame, _, _ = batch_of(seed, 3, max(steps, 1), 4, 2)
    logits, no_frame = logits[:, :steps], no_frame[:, :steps]
    for f in (nn.ctc_greedy_decode, jit(nn.ctc_greedy_decode, static_argnums=2)):
        labels = f(logits, no_frame, blank)
        assert labels.shape == (3, steps)
        for x, missing, row in zip(logits, no_frame, labels, strict=True):
            assert labels_of(row) == collapsed(x[~missing].argmax(-1), blank)


def test_no_frames_spell_nothing():
    labels, scores = nn.ctc_beam_decode(np.zeros((2, 0, 3)))
    assert labels.shape == (2, 0) and not np.asarray(scores).any()
    labels, scores = nn.ctc_beam_decode(np.zeros((2, 4, 3)), np.ones((2, 4)))
    assert (np.asarray(labels) == -1).all() and not np.asarray(scores).any()
    assert nn.ctc_greedy_decode(np.zeros((0, 4, 3))).shape == (0, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.ctc_greedy_decode(np.zeros((4, 3))), r"logits must be \[batch, time, classes\]"),
        (lambda: nn.ctc_greedy_decode(np.zeros((1, 4, 3)), np.zeros((1, 3))), r"logit_paddings must have shape \(1, 4\)"),
        (lambda: nn.ctc_beam_decode(np.zeros((1, 4, 3)), blank_id=3), "blank_id must be the number of one of the 3 classes"),
        (lambda: nn.ctc_beam_decode(np.zeros((1, 4, 3)), beam_width=0), "beam_width must be 1 or more"),
    ],
)
def test_wrong_arguments_say_what_was_expected(call, message):
    with pytest.raises((errors.ShapeError, errors.ArgumentError), match=message):
        call()
