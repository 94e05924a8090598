"""Recurrent layers beside loops of their cells; lengths, dropout, errors; parameters from PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, nn, random, tree, vmap

KINDS = ["RNN", "LSTM", "GRU"]
KEY = random.key(0)


def layer(kind, *args, **options):
    return getattr(nn, kind)(*args, key=KEY, dtype="float64", **options)


def sequences(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def h(state):
    return state[0] if isinstance(state, tuple) else state


@settings(max_examples=10)
@given(st.sampled_from(KINDS), st.integers(1, 4), st.integers(0, 6), st.integers(1, 3), st.integers(1, 5))
def test_a_layer_is_a_loop_of_its_cell(kind, batch, steps, features, hidden):
    model, x = layer(kind, features, hidden), sequences(batch, steps, features)
    out, last = model(x)
    assert out.shape == (batch, steps, hidden)
    state = tree.map(lambda s: s[0], tree.map(jnp.zeros_like, last))
    for t in range(steps):
        state = model.cells[0][0](x[:, t], state)
        np.testing.assert_allclose(out[:, t], h(state), rtol=1e-12)
    for got, want in zip(tree.leaves(last), tree.leaves(state), strict=True):
        np.testing.assert_allclose(got[0], want, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_behind_its_length_a_sequence_is_as_if_it_ended(kind):
    model, x = layer(kind, 3, 4, num_layers=2, bidirectional=True), sequences(2, 6, 3)
    out, last = model(x, lengths=np.array([6, 2]))
    short, end = model(x[1:, :2])
    np.testing.assert_allclose(out[1, :2], short[0], rtol=1e-12)
    assert not np.asarray(out[1, 2:]).any()
    np.testing.assert_allclose(h(last)[:, 1], h(end)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(out[0], model(x[:1])[0][0], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_needs_no_batch_axis(kind):
    model, x = layer(kind, 3, 4, num_layers=2), sequences(2, 5, 3)
    out, last = model(x)
    one, end = model(x[0])
    np.testing.assert_allclose(one, out[0], rtol=1e-12)
    np.testing.assert_allclose(h(end), h(last)[:, 0], rtol=1e-12)
    again, _ = model(x[0], tree.map(lambda s: s[:, 0], last))
    np.testing.assert_allclose(again, model(x, last)[0][0], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_go_through_jit_and_vmap(kind):
    model, x = layer(kind, 3, 4, bidirectional=True), sequences(2, 5, 3)
    np.testing.assert_allclose(jit(lambda m, x: m(x)[0])(model, x), model(x)[0], rtol=1e-12)
    np.testing.assert_allclose(vmap(lambda x: model(x)[0])(x), model(x)[0], rtol=1e-12)
    assert layer(kind, 3, 4)(x.astype(np.float32))[0].dtype == np.float64
    assert getattr(nn, kind)(3, 4)(x.astype(np.float32))[0].dtype == np.float32


def test_dropout_is_between_layers_in_training_alone():
    model, x = layer("LSTM", 3, 64, num_layers=2, dropout=0.5), sequences(2, 5, 3)
    plain, _ = model(x)
    (trained, _), _ = nn.apply(model, x, train=True, key=KEY)
    assert np.abs(np.asarray(plain - trained)).max() > 1e-3
    (one, _), _ = nn.apply(layer("LSTM", 3, 4, dropout=0.5), x, train=True, key=KEY)
    np.testing.assert_array_equal(one, layer("LSTM", 3, 4)(x)[0])
    (gone, _), _ = nn.apply(layer("LSTM", 3, 4, num_layers=2, dropout=1.0), x, train=True, key=KEY)
    np.testing.assert_allclose(gone, np.broadcast_to(gone[:1], gone.shape))
    with pytest.raises(errors.ArgumentError, match="needs a key"):
        nn.apply(model, x, train=True)


def test_a_layer_learns():
    model, x = nn.GRU(2, 8, key=KEY), sequences(4, 6, 2).astype(np.float32)

    @jit
    def step(model):
        value, grads = jitgrad.value_and_grad(lambda m: jnp.mean((m(x)[0][..., 0] - x[..., 0]) ** 2))(model)
        return value, tree.map(lambda p, g: p - 0.5 * g, model, grads)

    first, model = step(model)
    for _ in range(100):
        last, model = step(model)
    assert last < first / 4


X = np.zeros((2, 5, 3))
REFUSED = {
    "input must be [batch, time, 3] or [time, 3]": lambda: layer("LSTM", 3, 4)(X[..., :2]),
    "the pair (h, c) of arrays [num_layers * directions, batch, hidden_size] = (1, 2, 4), got ndarray": (
        lambda: layer("LSTM", 3, 4)(X, np.zeros((1, 2, 4)))
    ),
    "an array [num_layers * directions, batch, hidden_size] = (1, 2, 4), got [(2, 4)]": lambda: layer("GRU", 3, 4)(
        X, np.zeros((2, 4))
    ),
    "lengths must be integers of shape [batch] = (2,), got int64 of shape (3,)": (
        lambda: layer("GRU", 3, 4)(X, lengths=np.array([1, 2, 3]))
    ),
    "num_layers must be at least 1, got 0": lambda: layer("RNN", 3, 4, num_layers=0),
    "dropout must be a probability, got 1.5": lambda: layer("RNN", 3, 4, dropout=1.5),
    'nonlinearity must be "tanh" or "relu", got \'gelu\'': lambda: layer("RNN", 3, 4, nonlinearity="gelu"),
    "sequences are [batch, time, features]": lambda: layer("RNN", 3, 4, batch_first=False),
    "with a state [..., 4] (hidden_size=4)": lambda: layer("GRUCell", 3, 4)(X[0], np.zeros((5, 3))),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((errors.ShapeError, errors.ArgumentError)) as error:
        REFUSED[message]()
    assert message in str(error.value)


def test_parameters_of_another_architecture_are_refused():
    state = {"weight": np.ones((2, 3)), "bias": np.zeros(2)}
    with pytest.raises(errors.ArgumentError, match="has no 'bias'"):
        nn.load_torch(nn.Linear(3, 2), {"weight": np.ones((2, 3))})
    with pytest.raises(errors.ArgumentError, match="no place for 'more'"):
        nn.load_torch(nn.Linear(3, 2), {**state, "more": np.ones(1)})
    nn.load_torch(nn.Linear(3, 2), {**state, "more": np.ones(1)}, strict=False)
    with pytest.raises(errors.ShapeError, match=r"'weight' must have shape \(2, 2\), but the state's has \(2, 3\)"):
        nn.load_torch(nn.Linear(2, 2), state)
    model = nn.Sequential(nn.Linear(3, 2), jnp.tanh)
    loaded = nn.load_torch(model, {f"0.{n}": x for n, x in state.items()})
    assert loaded.layers[0].weight.dtype == np.float32
    np.testing.assert_allclose(loaded(np.ones(3)), np.tanh([3.0, 3.0]), rtol=1e-6)
