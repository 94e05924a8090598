"""models.SpeechRecognizer: its size, what it says of paddings, and that it learns. Beside PyTorch's: nn/test_torch_cases.py."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, models, nn, optim, random, tree

KEY = random.key(0)
SOUNDS = np.random.default_rng(0).standard_normal((3, 21, 5)).astype("float32")
LENGTHS = np.array([21, 8, 13])
LABELS = np.array([[1, 2, 2], [3, -1, -1], [2, 1, -1]])


def small(**options):
    return models.SpeechRecognizer(4, 5, hidden=8, layers=2, key=KEY, **options)


def test_it_has_as_many_parameters_as_its_layers():
    shapes = jitgrad.eval_shape(lambda key: models.SpeechRecognizer(key=key), KEY)
    convolutions, norms = 11 * 256 * (80 + 256) + 2 * 256, 4 * 256
    recurrent = sum(2 * 3 * 256 * (inputs + 256 + 2) for inputs in (256, 512, 512))
    assert sum(x.size for x in tree.leaves(shapes)) == convolutions + norms + recurrent + 29 * 513 == 4_117_533


def test_what_is_behind_the_end_of_an_utterance_changes_nothing():
    model = small()
    logits, paddings = model(SOUNDS, LENGTHS)
    assert logits.shape == (3, 11, 4)
    np.testing.assert_array_equal(paddings, np.arange(11) >= np.array([[11], [4], [7]]))
    for row, length, out in zip(SOUNDS, LENGTHS, logits, strict=True):
        alone, none = model(row[None, :length])
        assert not np.asarray(none).any()
        np.testing.assert_allclose(alone[0], out[: alone.shape[1]], rtol=1e-5, atol=1e-5)
    other = np.where(np.arange(21)[:, None] < LENGTHS[:, None, None], SOUNDS, 1e6)
    np.testing.assert_array_equal(model(other, LENGTHS)[0], logits)


def test_it_learns_what_was_said():
    optimizer = optim.adam(0.01)

    def loss(model):
        (logits, paddings), _ = nn.apply(model, SOUNDS, LENGTHS, train=True, key=KEY)
        return jnp.mean(nn.ctc_loss(logits, paddings, LABELS, LABELS < 0))

    @jit
    def step(model, state):
        value, gradient = jitgrad.value_and_grad(loss)(model)
        updates, state = optimizer.update(gradient, state)
        return optim.apply_updates(model, updates), state, value, gradient

    model = small(dropout=0.1)
    state = optimizer.init(model)
    for _ in range(80):
        model, state, value, gradient = step(model, state)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in tree.leaves(gradient)) and value < 0.1
    greedy, (searched, _) = nn.ctc_greedy_decode(*model(SOUNDS, LENGTHS)), nn.ctc_beam_decode(*model(SOUNDS, LENGTHS))
    np.testing.assert_array_equal(greedy[:, :3], LABELS)
    np.testing.assert_array_equal(searched, greedy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: small()(SOUNDS[0]), r"SpeechRecognizer: the input must be \[batch, time, 5\]"),
        (lambda: small()(SOUNDS[..., :4]), r"SpeechRecognizer: the input must be \[batch, time, 5\]"),
        (lambda: small()(SOUNDS, LENGTHS[:2]), r"lengths must be integers of shape \[batch\] = \(3,\)"),
        (lambda: small()(SOUNDS, LENGTHS * 1.0), "lengths must be integers"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(errors.ShapeError, match=message):
        call()
