"""Multi-head attention and layers of transformers: grouped queries, caches, dropout, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, nn, random, tree, vmap
from jitgrad.nn import attention

KEY = random.key(0)


def normal(*shape):
    return np.random.default_rng(2).standard_normal(shape)


def heads(*args, **options):
    return nn.MultiHeadAttention(*args, key=KEY, dtype="float64", **options)


def test_grouped_queries_share_heads_of_keys():
    grouped, x = heads(12, 6, num_kv_heads=2), normal(2, 5, 12)
    assert grouped.key.weight.shape == (12, 4)
    whole = heads(12, 6)
    whole.query, whole.out = grouped.query, grouped.out
    for name in ("key", "value"):
        linear = nn.Linear(12, 12, dtype="float64")
        linear.weight = jnp.repeat(getattr(grouped, name).weight.reshape(12, 2, 2), 3, axis=1).reshape(12, 12)
        linear.bias = jnp.zeros(12, "float64")
        setattr(whole, name, linear)
    np.testing.assert_allclose(grouped(x), whole(x), rtol=1e-10, atol=1e-12)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.booleans(), st.integers(1, 2))
def test_tokens_given_in_parts_see_what_they_see_together(parts, rotary, groups):
    layer, total = heads(8, 2, num_kv_heads=groups, rotary=rotary), sum(parts)
    x = normal(2, total, 8)
    cache, found, at = layer.cache(2, total + 1), [], 0
    step = jit(lambda layer, x, cache: layer.extend(x, cache))
    for n in parts:
        out, cache = step(layer, x[:, at : at + n], cache)
        found.append(out)
        at += n
    assert cache.length == total
    np.testing.assert_allclose(jnp.concatenate(found, axis=1), layer(x, is_causal=True), rtol=1e-10, atol=1e-12)


def test_a_cache_that_is_too_short_gives_nan():
    layer, x = heads(8, 2), normal(1, 3, 8)
    _, cache = layer.extend(x, layer.cache(1, 4))
    assert np.isnan(layer.extend(x[:, :2], cache)[0]).all()
    assert np.isfinite(layer.extend(x[:, :1], cache)[0]).all()
    with pytest.raises(errors.ShapeError, match="at most 2 tokens"):
        layer.extend(x, layer.cache(1, 2))


@pytest.mark.parametrize("tiled", [False, True])
def test_dropout_of_weights_keeps_their_mean(tiled, monkeypatch):
    if tiled:
        monkeypatch.setattr(attention, "PLAIN_SCORES", 0)
        monkeypatch.setattr(attention, "TILE_SCORES", 500)
    layer, x = heads(8, 2, dropout=0.4), normal(1, 40, 8)
    keys = random.split(KEY, 400)
    outs = vmap(lambda key: nn.apply(layer, x, is_causal=True, train=True, key=key)[0])(keys)
    np.testing.assert_allclose(jnp.mean(outs, axis=0), layer(x, is_causal=True), atol=0.12)
    assert float(jnp.max(jnp.std(outs, axis=0))) > 0.05
    gone, _ = nn.apply(heads(8, 2, dropout=1.0), x, train=True, key=KEY)
    np.testing.assert_array_equal(gone, jnp.broadcast_to(layer.out.bias, x.shape))


def test_dropped_weights_are_the_same_in_tiles(monkeypatch):
    layer, x = heads(8, 2, dropout=0.4), normal(2, 70, 8)
    loss = lambda layer, x: jnp.sum(nn.apply(layer, x, is_causal=True, train=True, key=KEY)[0] ** 2)
    whole = jit(jitgrad.grad(loss, argnums=(0, 1)))(layer, x)
    monkeypatch.setattr(attention, "PLAIN_SCORES", 0)
    monkeypatch.setattr(attention, "TILE_SCORES", 600)
    tiles = jit(lambda *args: jitgrad.grad(loss, argnums=(0, 1))(*args))(layer, x)
    for a, b in zip(tree.leaves(whole), tree.leaves(tiles), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_rotary_attention_sees_distances():
    layer, x = heads(8, 2, rotary=True), normal(1, 6, 8)
    plain = heads(8, 2)
    assert np.abs(np.asarray(layer(x) - plain(x))).max() > 1e-3
    np.testing.assert_allclose(layer(x[:, :1]), plain(x[:, :1]), rtol=1e-12)


def test_layers_train_with_dropout_and_infer_without():
    model = nn.TransformerEncoder([nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5) for _ in range(2)], nn.LayerNorm(8))
    x = normal(2, 5, 8).astype(np.float32)
    np.testing.assert_array_equal(model(x), model(x))
    one, _ = nn.apply(model, x, train=True, key=KEY)
    two, _ = nn.apply(model, x, train=True, key=random.key(1))
    assert np.abs(np.asarray(one - two)).max() > 1e-2
    grads = jit(jitgrad.grad(lambda m: jnp.sum(nn.apply(m, x, train=True, key=KEY)[0] ** 2)))(model)
    assert all(np.isfinite(g).all() for g in tree.leaves(grads))
    assert nn.parameter_count(model) == 2 * (4 * (64 + 8) + 2 * 8 * 16 + 16 + 8 + 4 * 8) + 16


def test_models_made_alike_have_one_structure():
    make = lambda: nn.TransformerDecoderLayer(8, 2, 16, activation="gelu")
    assert tree.structure(make()) == tree.structure(make())


X = np.zeros((2, 5, 8), np.float32)
REFUSED = {
    "embed_dim must be a multiple of num_heads, got 8 and 3": lambda: heads(8, 3),
    "num_heads must be a multiple of num_kv_heads, got 4 and 3": lambda: heads(8, 4, num_kv_heads=3),
    "dropout is a probability, from 0 to 1, got 2": lambda: heads(8, 2, dropout=2),
    "MultiHeadAttention.key (Linear): the input must be [..., 8] (in_features=8)": lambda: heads(8, 2)(X, X[..., :4]),
    "MultiHeadAttention: the input must be [batch, time, 8] or [time, 8]": lambda: heads(8, 2)(X[0, 0]),
    "mask must be booleans": lambda: heads(8, 2)(X, mask=np.zeros((5, 5))),
    'activation must be "relu", "gelu" or a function, got \'tanh\'': lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"),
    "layers must be a list of layers": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((errors.ShapeError, errors.ArgumentError, errors.DTypeError)) as error:
        REFUSED[message]()
    assert message in str(error.value)
