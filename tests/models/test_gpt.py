"""models.GPT: its size, a step of training beside PyTorch's, and what it writes. Logits and gradients: nn/test_torch_cases.py."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, models, nn, random, tree

KEY = random.key(0)
TOKENS = jnp.array([[3, 1, 4], [1, 5, 9]])


def small(**options):
    return models.GPT(vocab_size=20, context=12, width=16, layers=2, heads=4, key=KEY, **options)


def test_gpt2_small_has_its_published_number_of_parameters():
    shapes = jitgrad.eval_shape(lambda key: models.GPT(key=key), KEY)
    assert sum(x.size for x in tree.leaves(shapes)) == 124_439_808
    assert nn.parameter_count(small()) == sum(x.size for x in tree.leaves(small()))


def test_initial_values_are_those_of_gpt2():
    model = models.GPT(vocab_size=200, context=64, width=64, layers=8, heads=4, key=KEY)
    block = model.blocks.layers[3]
    for weight in (model.wte.weight, model.wpe.weight, block.self_attn.key.weight, block.linear1.weight):
        assert float(jnp.std(weight)) == pytest.approx(0.02, rel=0.1)
    for weight in (block.self_attn.out.weight, block.linear2.weight):
        assert float(jnp.std(weight)) == pytest.approx(0.005, rel=0.1)
    assert not any(np.asarray(x).any() for p, x in tree.leaves_with_path(model) if tree.path_text(p).endswith(".bias"))


def test_it_learns_a_text():
    text = jnp.array([[1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4]])

    def loss(model):
        logits = nn.log_softmax(model(text[:, :-1]))
        return -jnp.mean(jnp.take_along_axis(logits, text[:, 1:, None], axis=2))

    @jit
    def step(model):
        value, grads = jitgrad.value_and_grad(loss)(model)
        return value, tree.map(lambda p, g: p - 0.3 * g, model, grads)

    model = small()
    first, model = step(model)
    for _ in range(150):
        last, model = step(model)
    assert float(first) == pytest.approx(np.log(20), rel=0.05) and last < 0.1
    np.testing.assert_array_equal(model.generate(text[:, :4], 8), text)


def test_it_writes_what_it_holds_most_probable():
    model = small()
    written = model.generate(TOKENS, 9)
    assert written.shape == (2, 12)
    np.testing.assert_array_equal(written[:, 3:], jnp.argmax(model(written), axis=-1)[:, 2:-1])
    np.testing.assert_array_equal(model.generate(TOKENS, 9, key=KEY, top_k=1), written)
    np.testing.assert_array_equal(model.generate(TOKENS, 0), TOKENS)
    np.testing.assert_array_equal(model.generate(TOKENS, 1), written[:, :4])


@pytest.mark.parametrize("context", [1, 5, 12])
def test_where_the_context_ends_it_goes_on_from_the_last_half(context):
    model = models.GPT(vocab_size=20, context=context, width=16, layers=2, heads=4, key=KEY)
    tokens = TOKENS[:, :1]
    written = np.asarray(model.generate(tokens, 30))
    np.testing.assert_array_equal(model.generate(tokens, 30, key=KEY, top_k=1), written)
    start, end = 0, context + 1  # what is seen first, and where its last guess ends
    for at in range(1, 31):
        if at == end:
            start, end = at - max(context // 2, 1), at - max(context // 2, 1) + context + 1
        np.testing.assert_array_equal(jnp.argmax(model(written[:, start:at])[:, -1], axis=-1), written[:, at])
    drawn = model.generate(tokens, 30, key=KEY)
    assert drawn.shape == (2, 31) and len(set(np.asarray(drawn)[0, -12:].tolist())) > 3
    np.testing.assert_array_equal(drawn, model.generate(tokens, 30, key=KEY))


def test_it_draws_by_probability():
    model = small()
    many = model.generate(jnp.tile(TOKENS[:1], (4000, 1)), 1, key=KEY, temperature=0.05)[:, 3]
    want = nn.softmax(model(TOKENS[:1])[0, -1] / 0.05)
    np.testing.assert_allclose(jnp.bincount(many, length=20) / 4000, want, atol=0.04)
    few = model.generate(jnp.tile(TOKENS[:1], (400, 1)), 1, key=KEY, top_k=3)[:, 3]
    assert set(few.tolist()) == set(jnp.argsort(model(TOKENS[:1])[0, -1])[-3:].tolist())


def test_dropout_is_in_training_alone():
    model = small(dropout=0.5)
    np.testing.assert_array_equal(model(TOKENS), model(TOKENS))
    trained, _ = nn.apply(model, TOKENS, train=True, key=KEY)
    assert np.abs(np.asarray(trained - model(TOKENS))).max() > 1e-3


REFUSED = {
    "GPT: the input must be [batch, time], of at most 12 tokens (context=12)": lambda m: m(jnp.zeros((1, 13), int)),
    "wte (Embedding): the input must be an array of integers": lambda m: m(jnp.zeros((1, 3))),
    "tokens must be [batch, time], of 1 to 12 tokens (context=12)": lambda m: m.generate(jnp.zeros((1, 13), int), 1),
    "got shape (3,)": lambda m: m.generate(TOKENS[0], 1),
    "temperature must be positive": lambda m: m.generate(TOKENS, 2, key=KEY, temperature=0.0),
    "top_k must be from 1 to vocab_size=20": lambda m: m.generate(TOKENS, 2, key=KEY, top_k=21),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((errors.ShapeError, errors.ArgumentError)) as error:
        REFUSED[message](small())
    assert message in str(error.value)
