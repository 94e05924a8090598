"""nn.ctc_loss against sums over all alignments, PyTorch's numbers, and differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, nn, vmap
from jitgrad.testing import check_grads


def softmax(x):
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def by_alignments(logits, label, blank=0):
    """-log of the sum of the probabilities of every sequence of classes that spells the label."""
    steps, classes = logits.shape
    probabilities = softmax(logits)
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        if [c for c, _ in itertools.groupby(path) if c != blank] == list(label):
            total += np.prod(probabilities[range(steps), path])
    with np.errstate(divide="ignore"):
        return -np.log(total)


def batch_of(seed, batch, steps, classes, length, dtype=np.float64):
    random = np.random.default_rng(seed)
    logits = (2 * random.standard_normal((batch, steps, classes))).astype(dtype)
    labels = random.integers(1, classes, (batch, length))
    frames, spelt = random.integers(steps // 2, steps + 1, batch), random.integers(0, length + 1, batch)
    return logits, np.arange(steps) >= frames[:, None], labels, np.arange(length) >= spelt[:, None]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(0, 5), st.integers(2, 4), st.integers(0, 3), st.data())
def test_the_loss_is_a_sum_over_all_alignments(seed, steps, classes, length, data):
    blank = data.draw(st.integers(0, classes - 1))
    logits, no_frame, labels, no_label = batch_of(seed, 3, steps, classes, length)
    labels = (labels + blank) % classes
    got = nn.ctc_loss(logits, no_frame, labels, no_label, blank)
    want = [by_alignments(x[~f], y[~n], blank) for x, f, y, n in zip(logits, no_frame, labels, no_label, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        jit(lambda x: nn.ctc_loss(x, no_frame, labels, no_label, blank))(logits), want, rtol=1e-10, atol=1e-12
    )


def test_the_loss_has_first_and_second_derivatives():
    logits, no_frame, labels, no_label = batch_of(0, 2, 7, 4, 3)
    check_grads(lambda x: nn.ctc_loss(x, no_frame, labels, no_label), (logits,), order=2, atol=1e-4, rtol=1e-4)


def test_a_label_that_does_not_fit_has_an_infinite_loss_and_no_gradient():
    logits = np.zeros((3, 3, 4))
    labels, padding = np.array([[1, 1], [1, 2], [1, 1]]), np.zeros((3, 2))
    frames = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 1]])
    loss = nn.ctc_loss(logits, frames, labels, padding)
    assert np.isfinite(loss[:2]).all() and loss[2] == np.inf
    grads = jitgrad.grad(lambda x: jnp.sum(nn.ctc_loss(x, frames, labels, padding)))(logits)
    assert np.isfinite(grads).all() and np.asarray(grads[:2]).any() and not np.asarray(grads[2]).any()


def test_padding_may_hold_anything():
    logits, no_frame, labels, no_label = batch_of(3, 4, 12, 5, 4)
    want = nn.ctc_loss(logits, no_frame, labels, no_label)
    other = np.where(no_frame[..., None], 1e9, logits), no_frame, np.where(no_label, -7, labels), no_label.astype(np.float32)
    np.testing.assert_array_equal(nn.ctc_loss(*other), want)


@pytest.mark.parametrize("label", [0, 5, -1])
def test_a_label_that_is_none_makes_the_loss_nan(label):
    loss = nn.ctc_loss(np.zeros((2, 4, 5)), np.zeros((2, 4)), np.array([[1], [label]]), np.zeros((2, 1)))
    assert np.isfinite(loss[0]) and np.isnan(loss[1])


def test_long_sequences_keep_their_digits():
    wide = batch_of(4, 2, 1500, 12, 90)
    narrow = wide[0].astype(np.float32), *wide[1:]
    loss = jit(jitgrad.value_and_grad(lambda x: jnp.sum(nn.ctc_loss(x, *wide[1:]))))
    (a, da), (b, db) = loss(wide[0]), loss(narrow[0])
    assert b.dtype == np.float32
    np.testing.assert_allclose(b, a, rtol=5e-7)
    np.testing.assert_allclose(db, da, atol=1e-4)


def test_the_loss_under_vmap_is_that_of_each_batch():
    args = [np.stack(xs) for xs in zip(batch_of(5, 2, 9, 4, 3), batch_of(6, 2, 9, 4, 3), strict=True)]
    np.testing.assert_allclose(vmap(nn.ctc_loss)(*args)[1], nn.ctc_loss(*[x[1] for x in args]), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_loss_and_gradient_are_those_of_torch(dtype):
    torch = pytest.importorskip("torch")
    for seed, shape in enumerate([(4, 12, 5, 5), (3, 300, 20, 40), (5, 30, 3, 1)]):
        logits, no_frame, labels, no_label = batch_of(seed, *shape, dtype)
        x = torch.tensor(logits, requires_grad=True)
        lengths = torch.tensor((~no_frame).sum(1)), torch.tensor((~no_label).sum(1))
        want = torch.nn.functional.ctc_loss(
            x.log_softmax(-1).transpose(0, 1), torch.tensor(labels), *lengths, reduction="none", zero_infinity=True
        )
        want.sum().backward()

        def loss(x, no_frame=no_frame, labels=labels, no_label=no_label):
            out = nn.ctc_loss(x, no_frame, labels, no_label)
            return jnp.sum(out), out

        grads, got = jitgrad.grad(loss, has_aux=True)(logits)
        rtol, atol = (1e-9, 1e-9) if dtype == "float64" else (1e-5, 2e-3)
        np.testing.assert_allclose(np.where(np.isfinite(got), got, 0), want.detach().numpy(), rtol=rtol)
        np.testing.assert_allclose(grads, x.grad.numpy(), rtol=rtol, atol=atol)


ARGS = np.zeros((2, 5, 4)), np.zeros((2, 5)), np.ones((2, 3), int), np.zeros((2, 3))
REFUSED = {
    "labels [batch, length] of one batch, got shapes (2, 5, 4) and (3,)": {2: np.ones(3, int)},
    "logit_paddings must have shape (2, 5)": {1: np.zeros((2, 4))},
    "label_paddings must have shape (2, 3)": {3: np.zeros((2, 5))},
    "labels must be integers, got float64": {2: np.ones((2, 3))},
    "blank_id must be the number of one of the 4 classes, got 4": {4: 4},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    args = [*ARGS, 0]
    for place, value in REFUSED[message].items():
        args[place] = value
    with pytest.raises((errors.ShapeError, errors.DTypeError, errors.ArgumentError)) as error:
        nn.ctc_loss(*args)
    assert message in str(error.value)
