"""Convolutions and pools give PyTorch's results and gradients; their arguments, inputs and errors."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, random, tree, vmap

from .torch_cases import digest, our_numbers, their_numbers
from .window_cases import CASES, NUMBERS

STORED = json.loads(NUMBERS.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_the_stored_numbers_of_torch(name):
    found = our_numbers(CASES[name], STORED[name]["parameters"])
    np.testing.assert_allclose([digest(x) for x in found], STORED[name]["numbers"], rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_what_torch_gives(name, dtype):
    torch = pytest.importorskip("torch")
    want, shapes = their_numbers(torch, CASES[name], dtype)
    found = our_numbers(CASES[name], shapes, dtype)
    assert len(found) == len(want)
    for a, b in zip(found, want, strict=True):
        assert a.shape == b.shape and a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=(1e-9 if dtype == "float64" else 1e-4) * max(np.abs(b).max(), 1e-3))
    if dtype == "float64":
        np.testing.assert_allclose([digest(x) for x in want], STORED[name]["numbers"], rtol=1e-9, atol=1e-9)


KEY = random.key(0)
LAYERS = {
    "Conv2d": lambda: nn.Conv2d(3, 4, 3, padding="same", key=KEY), "ConvTranspose2d": lambda: nn.ConvTranspose2d(3, 4, 3, key=KEY),
    "MaxPool2d": lambda: nn.MaxPool2d(2), "AvgPool2d": lambda: nn.AvgPool2d(2),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d(3), "AdaptiveMaxPool2d": lambda: nn.AdaptiveMaxPool2d(3),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_one_example_alone_gives_what_it_gives_in_a_batch_under_jit_and_vmap(name):
    layer = LAYERS[name]()
    x = np.random.default_rng(1).standard_normal((2, 7, 8, 3)).astype("float32")
    out = layer(x)
    for f in (lambda x: jnp.stack([layer(a) for a in x]), jit(layer), vmap(layer)):
        np.testing.assert_allclose(f(x), out, rtol=1e-5, atol=1e-6)


def test_same_padding_gives_as_many_places_as_there_are_strides():
    assert nn.Conv2d(1, 1, 4, stride=3, padding="same")(np.ones((1, 7, 8, 1), "float32")).shape == (1, 3, 3, 1)
    assert nn.MaxPool2d(3, 2, "same")(np.ones((1, 7, 8, 1), "float32")).shape == (1, 4, 4, 1)
    assert nn.Conv1d(1, 1, 4, padding=[(3, 0)])(np.ones((1, 7, 1), "float32")).shape == (1, 7, 1)


def test_weights_start_uniform_and_keys_decide_them():
    layer = nn.Conv2d(8, 32, 3, groups=2, key=KEY)
    assert layer.weight.shape == (3, 3, 4, 32) and layer.bias.shape == (32,)
    bound = 1 / 6
    assert 0.9 * bound < float(jnp.max(jnp.abs(layer.weight))) <= bound
    np.testing.assert_array_equal(layer.weight, nn.Conv2d(8, 32, 3, groups=2, key=KEY).weight)
    turned = nn.ConvTranspose2d(8, 32, 3, groups=2, key=KEY, bias=False)
    assert turned.weight.shape == (3, 3, 16, 8) and turned.bias is None
    zeros = nn.Conv1d(2, 3, 3, weight_init=nn.initializers.zeros, bias_init=nn.initializers.ones)
    np.testing.assert_array_equal(zeros(np.ones((1, 3, 2), "float32")), np.ones((1, 1, 3)))


def test_an_ensemble_of_convolutions_is_a_vmap_over_keys():
    layers = vmap(lambda key: nn.Conv1d(2, 3, 3, key=key))(random.split(KEY, 4))
    x = np.ones((5, 6, 2), "float32")
    out = vmap(lambda layer: layer(x))(layers)
    one = tree.map(lambda a: a[2], layers)
    np.testing.assert_allclose(out[2], one(x), rtol=1e-5)


def test_global_pools_reduce_all_of_space():
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    np.testing.assert_allclose(nn.GlobalAvgPool()(x), x.mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(nn.GlobalMaxPool(keepdims=True)(x), x.max((1, 2), keepdims=True))
    np.testing.assert_allclose(nn.GlobalMaxPool(data_format="channels_first")(x), x.max((2, 3)))


def test_pools_of_integers_and_infinities():
    np.testing.assert_array_equal(nn.MaxPool1d(2, padding=1)(np.array([[[-5], [-3], [-4]]])), [[[-5], [-3]]])
    assert nn.AvgPool1d(2)(np.array([[[1], [2]]])).dtype == np.float32
    np.testing.assert_array_equal(nn.AdaptiveAvgPool1d(2)(np.array([[[np.inf], [1.0], [1.0]]])), [[[np.inf], [1.0]]])


def test_the_gradient_of_a_convolution_of_a_batch_without_examples_is_zero():
    layer = nn.Conv2d(2, 3, 3, key=KEY)
    found = grad(lambda layer: jnp.sum(layer(jnp.zeros((0, 5, 5, 2)))))(layer)
    assert not np.any(found.weight) and not np.any(found.bias)


WRONG = [
    (lambda: nn.Conv2d(3, 4, 3)(np.ones((2, 8, 8, 5))), errors.ShapeError, r"\[batch, height, width, 3\] \(channels_last\)"),
    (
        lambda: nn.Conv2d(3, 4, 3, data_format="channels_first")(np.ones((2, 8, 8, 3))), errors.ShapeError,
        r"\[batch, 3, height, width\]",
    ),
    (lambda: nn.Conv1d(3, 4, 3)(np.ones((2, 8, 8, 3))), errors.ShapeError, r"\[batch, length, 3\]"),
    (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3))(np.ones((2, 8, 8, 3))), errors.ShapeError, r"layers\[1\]"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), errors.ArgumentError, "groups must divide in_channels and out_channels"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), errors.ArgumentError, "kernel_size must be an integer or 2 of them"),
    (lambda: nn.Conv2d(3, 4, 3, stride=0), errors.ArgumentError, "stride must be 1 or more"),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), errors.ArgumentError, "padding must be 'same', 'valid'"),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), errors.ArgumentError, "padding must be 0 or more"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), errors.ArgumentError, "padding_mode must be 'zeros'"),
    (lambda: nn.Conv2d(3, 4, 3, data_format="NCHW"), errors.ArgumentError, "data_format must be 'channels_last'"),
    (lambda: nn.Conv2d(3.5, 4, 3), errors.ParametersError, "in_channels must be an integer"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=2), errors.ArgumentError, "output_padding must be smaller"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), errors.ArgumentError, "padding must be numbers"),
    (lambda: nn.MaxPool2d(2, padding=2), errors.ArgumentError, "padding must be at most half of kernel_size"),
    (lambda: nn.MaxPool2d(2)(np.ones((3, 3))), errors.ShapeError, "batch, height, width, channels"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), errors.ArgumentError, "divisor_override must not be 0"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), errors.ArgumentError, "output_size must be an integer or None"),
    (lambda: nn.AdaptiveAvgPool2d(2)(np.ones((1, 0, 3, 2))), errors.ShapeError, "at least one element"),
    (lambda: nn.GlobalAvgPool()(np.ones((2, 3))), errors.ShapeError, "at least 3 axes"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("layer", "shape", "least"),
    [
        (nn.Conv1d(2, 3, 5, dilation=2, padding=1), (4, 6, 2), "sequences of 7 elements"),
        (nn.Conv2d(2, 3, (3, 5), data_format="channels_first"), (4, 2, 3, 4), "images of 3 x 5 elements"),
        (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (4, 0, 3, 2), "images of 1 x 1 elements"),
        (nn.ConvTranspose2d(2, 3, 2, stride=2, padding=3), (4, 3, 2, 2), "images of 4 x 4 elements"),
        (nn.MaxPool2d(2), (4, 1, 5, 2), "images of 2 x 2 elements"),
        (nn.MaxPool2d(3, 2, ceil_mode=True, dilation=2), (4, 6, 3, 2), "images of 4 x 4 elements"),
        (nn.AvgPool3d((1, 2, 3)), (1, 2, 2, 2), "volumes of 1 x 2 x 3 elements"),
    ],
)
def test_an_input_without_room_for_a_window_is_refused(layer, shape, least):
    name = re.escape(f"Sequential.layers[1] ({type(layer).__name__}): the input must be {least} or more (")
    with pytest.raises(errors.ShapeError, match=f"{name}.*, got {re.escape(f'float32{list(shape)}')}"):
        nn.Sequential([nn.Identity(), layer])(jnp.zeros(shape))
    enough = [int(n) for n in least.split() if n.isdigit()]
    batch = tuple(shape[:1]) if len(shape) == layer.rank + 2 else ()
    first = layer.data_format == "channels_first"
    space = layer(jnp.zeros((*batch, 2, *enough) if first else (*batch, *enough, 2))).shape
    assert 0 not in space and layer(jnp.zeros((0, 2, *enough) if first else (0, *enough, 2))).shape[0] == 0


@pytest.mark.parametrize("pool", [nn.GlobalAvgPool(), nn.GlobalMaxPool(data_format="channels_first")])
def test_pools_of_all_of_space_refuse_space_without_elements(pool):
    with pytest.raises(errors.ShapeError, match=r"layers\[0\] \(Global.*: the input must be at least one element along each axis"):
        nn.Sequential([pool])(jnp.zeros((2, 3, 0, 4)))
