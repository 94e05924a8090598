"""Layers: what no other library says of them, arguments, errors, dropout's draws, and the table of a model. Numbers: PyTorch's."""

from __future__ import annotations

import io

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, random

KEY = random.key(3)


def test_a_linear_layer_starts_as_torchs_does():
    layer = nn.Linear(100, 400, key=KEY)
    for parameter in (layer.weight, layer.bias):
        assert (abs(parameter) <= 0.1).all()
        np.testing.assert_allclose(np.std(parameter), 0.1 / np.sqrt(3), rtol=0.05)
    assert nn.Linear(3, 2, bias=False, key=KEY).bias is None
    assert nn.Linear(3, 2, key=KEY, dtype="float64")(np.ones(3)).dtype == np.float64
    started = nn.Linear(3, 2, key=KEY, weight_init=nn.initializers.ones, bias_init=nn.initializers.zeros)
    np.testing.assert_array_equal(started(jnp.ones(3)), [3.0, 3.0])


def test_tied_weights_go_through_attend():
    table = nn.Embedding(5, 3, key=KEY)
    x = table(jnp.array([1, 4]))
    np.testing.assert_allclose(table.attend(x), x @ table.weight.T, rtol=1e-6)
    gradient = grad(lambda t: jnp.sum(t.attend(t(jnp.array([1, 4])))))(table)
    assert gradient.weight.shape == (5, 3)


def test_sequential_takes_functions_lists_and_slices():
    layers = [nn.Linear(3, 4, key=KEY), jnp.tanh, nn.Linear(4, 2, key=random.key(4))]
    model = nn.Sequential(layers)
    assert len(model) == 3
    assert list(model) == layers
    np.testing.assert_array_equal(model[:2](jnp.ones(3)), jnp.tanh(layers[0](jnp.ones(3))))
    with pytest.raises(errors.ArgumentError, match=r"layer 1 is the class ReLU: make a layer of it, ReLU\(...\)"):
        nn.Sequential(layers[0], nn.ReLU)


def test_residual_adds_and_takes_a_shortcut():
    x = jnp.ones((2, 3))
    layer = nn.Linear(3, 4, key=KEY)
    with pytest.raises(errors.ShapeError, match="or have a shortcut"):
        nn.Residual(layer)(x)
    shortcut = nn.Linear(3, 4, key=random.key(4))
    np.testing.assert_allclose(nn.Residual(layer, shortcut)(x), layer(x) + shortcut(x), rtol=1e-6)


def test_dropout_drops_with_its_probability_and_keeps_the_mean():
    x = jnp.ones((200, 500))
    y, _ = nn.apply(nn.Dropout(0.3), x, train=True, key=KEY)
    np.testing.assert_allclose(np.mean(y == 0), 0.3, atol=0.005)
    assert set(np.unique(y).tolist()) == {0.0, float(np.float32(1) / np.float32(0.7))}
    np.testing.assert_array_equal(nn.Dropout(0.3)(x), x)
    np.testing.assert_array_equal(nn.apply(nn.Dropout(1.0), x, train=True, key=KEY)[0], 0)
    np.testing.assert_array_equal(nn.apply(nn.Dropout(0.0), x, train=True)[0], x)


def test_the_gradient_of_dropout_is_its_mask_and_compiled_code_draws_the_same():
    x = jnp.ones((4, 5))

    def f(x):
        return jnp.sum(nn.apply(nn.Dropout(0.5), x, train=True, key=KEY)[0])

    np.testing.assert_array_equal(grad(f)(x), nn.apply(nn.Dropout(0.5), x, train=True, key=KEY)[0])
    np.testing.assert_array_equal(jit(grad(f))(x), grad(f)(x))
    gone = grad(lambda x: jnp.sum(nn.apply(nn.Dropout(1.0), x, train=True, key=KEY)[0]))(x)
    np.testing.assert_array_equal(gone, 0)


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.Dropout1d, (8, 5, 6)), (nn.Dropout2d, (8, 3, 4, 6)), (nn.Dropout3d, (8, 2, 2, 3, 6))]
)
def test_dropout_of_channels_drops_them_whole(layer, shape):
    y = np.asarray(nn.apply(layer(0.5), jnp.ones(shape), train=True, key=KEY)[0])
    first = np.asarray(nn.apply(layer(0.5, data_format="channels_first"), jnp.ones(shape), train=True, key=KEY)[0])
    assert (y.reshape(8, -1, shape[-1]).std(1) == 0).all()
    assert (first.reshape(8, shape[1], -1).std(2) == 0).all()
    assert 0 < (y == 0).mean() < 1
    with pytest.raises(errors.ShapeError, match=f"with {len(shape)} axes"):
        layer()(jnp.ones((2, 2)))


def test_batch_statistics_are_constants_to_no_gradient_but_running_ones_are():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    layer = nn.BatchNorm(3, dtype="float64")
    gradient = grad(lambda x: jnp.sum(nn.apply(layer, x, train=True)[1].running_mean))(x)
    np.testing.assert_array_equal(gradient, 0)
    through = grad(lambda x: jnp.sum(nn.apply(layer, x, train=True)[0] ** 3))(x)
    np.testing.assert_allclose(np.sum(through, 0), 0, atol=1e-9)


WRONG = {
    "Linear": (lambda: nn.Linear(3, 2), (2, 4), r"\[..., 3\] \(in_features=3\), got float32\[2, 4\]"),
    "Embedding": (lambda: nn.Embedding(3, 2), (2,), r"array of integers"),
    "BatchNorm": (lambda: nn.BatchNorm(3), (2, 4), r"\[batch, ..., 3\] \(channels_last\), got float32\[2, 4\]"),
    "BatchNorm2d": (
        lambda: nn.BatchNorm2d(3, data_format="channels_first"), (2, 4, 4, 3), r"\[batch, 3, ...\] with 4 axes \(channels_first\)",
    ),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), (2, 2, 2, 3), r"with 2 or 3 axes"),
    "LayerNorm": (lambda: nn.LayerNorm((2, 3)), (3,), r"\[..., 2, 3\] \(normalized_shape=\(2, 3\)\), got float32\[3\]"),
    "RMSNorm": (lambda: nn.RMSNorm(3), (2,), r"\[..., 3\]"),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (4,), r"\[batch, ..., 4\]"),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(3), (2, 3), r"with 3 axes"),
    "Flatten": (lambda: nn.Flatten(2), (2, 3), r"has the axes 2 to -1"),
    "PReLU": (lambda: nn.PReLU(3), (2,), r"\[..., 3\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_layer_says_what_it_takes_and_where_it_is(name):
    make, shape, text = WRONG[name]
    with pytest.raises(errors.ShapeError, match=rf"^Sequential.layers\[1\] \({name}\): the input must be .*{text}"):
        nn.Sequential(nn.Identity(), make())(jnp.ones(shape))


def test_arguments_that_mean_nothing_are_refused():
    for make, text in [
        (lambda: nn.Linear(3, 2.5), "out_features must be an integer"),
        (lambda: nn.Linear(-1, 3), "in_features must be an integer of 0 or more, got -1"),
        (lambda: nn.Conv2d(3, -4, 3), "out_channels must be an integer of 0 or more, got -4"),
        (lambda: nn.LSTM(3, -1), "hidden_size must be an integer of 0 or more, got -1"),
        (lambda: nn.BatchNorm1d(-1), "num_features must be an integer of 0 or more, got -1"),
        (lambda: nn.MultiHeadAttention(8, -2), "num_heads must be an integer of 1 or more, got -2"),
        (lambda: nn.BatchNorm(3, data_format="NCHW"), "data_format must be 'channels_last'"),
        (lambda: nn.GroupNorm(3, 4), "4 channels can't be divided into 3 equal groups"),
        (lambda: nn.Dropout(1.5), "p is a probability"),
        (lambda: nn.InstanceNorm(3, momentum=None), "momentum"),
    ]:
        with pytest.raises(errors.ArgumentError, match=text):
            make()


def test_one_number_a_channel_has_no_variance_to_train_on():
    with pytest.raises(errors.ShapeError, match="more than one number a channel in training"):
        nn.apply(nn.BatchNorm(3), jnp.ones((1, 3)), train=True)
    assert nn.BatchNorm(3)(jnp.ones((1, 3))).shape == (1, 3)


def test_a_summary_lists_layers_shapes_and_parameters():
    model = nn.Sequential(nn.Linear(4, 8), nn.freeze(nn.BatchNorm(8)), nn.Residual(nn.Linear(8, 8)), nn.Linear(8, 2))
    out = io.StringIO()
    nn.summary(model, (5, 4), file=out)
    assert out.getvalue() == (
        "Layer                            Output   Parameters\n"
        "----------------------------------------------------\n"
        "Sequential                       (5, 2)          146\n"
        "  layers[0]  Linear              (5, 8)           40\n"
        "  layers[1]  BatchNorm           (5, 8)           16\n"
        "  layers[2]  Residual            (5, 8)           72\n"
        "    layers[2].layer  Linear      (5, 8)           72\n"
        "  layers[3]  Linear              (5, 2)           18\n"
        "----------------------------------------------------\n"
        "146 parameters, 130 of them trained; 16 numbers in buffers; 648 bytes\n"
    )
    with pytest.raises(errors.ArgumentError, match=r"give \(1, 4\), got 4"):
        nn.summary(model, 4)
    with pytest.raises(errors.ShapeError, match=r"Sequential.layers\[0\] \(Linear\)"):
        nn.summary(model, (5, 3))


NORMS = [
    nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4), nn.BatchNorm(4), nn.InstanceNorm2d(4), nn.LocalResponseNorm(2),
    nn.normalize, lambda x: nn.cosine_similarity(x, x),
]  # fmt: skip


@pytest.mark.parametrize("norm", NORMS)
def test_norms_refuse_complex_numbers_whose_squares_are_no_sizes(norm):
    with pytest.raises(errors.DTypeError, match="takes real numbers, got complex128"):
        norm(np.ones((2, 3, 3, 4)) * 1j)
