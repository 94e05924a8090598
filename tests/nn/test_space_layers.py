"""Layers that move, add or pick elements of space give PyTorch's results and gradients; their arguments, inputs and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, random, vmap

from .space_cases import CASES, NUMBERS
from .torch_cases import digest, our_numbers, their_numbers

STORED = json.loads(NUMBERS.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_the_stored_numbers_of_torch(name):
    found = our_numbers(CASES[name], STORED[name]["parameters"])
    np.testing.assert_allclose([digest(x) for x in found], STORED[name]["numbers"], rtol=1e-9, atol=1e-9)


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


RANDOM = np.random.default_rng(0)
LAYERS = {
    "ZeroPad2d": nn.ZeroPad2d((1, 2, 3, 4)), "ReflectionPad2d": nn.ReflectionPad2d(2), "PixelShuffle": nn.PixelShuffle(2),
    "PixelUnshuffle": nn.PixelUnshuffle(2), "Unfold": nn.Unfold(3), "Fold": nn.Fold((5, 6), 2), "MaxUnpool2d": None,
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_one_example_alone_gives_what_it_gives_in_a_batch_under_jit_and_vmap(name):
    layer = LAYERS[name] or (lambda x: nn.MaxUnpool2d(2)(*nn.MaxPool2d(2, return_indices=True)(x)))
    x = RANDOM.standard_normal((2, 20, 16) if name == "Fold" else (2, 6, 8, 4))
    out = layer(x)
    for f in (lambda x: jnp.stack([layer(a) for a in x]), jit(layer), vmap(layer)):
        np.testing.assert_allclose(f(x), out, rtol=1e-12)


def test_paddings_are_numbers_or_pairs_in_the_order_of_axes():
    x = RANDOM.standard_normal((2, 5, 6, 3))
    np.testing.assert_array_equal(nn.ZeroPad2d((1, 2, 3, 4))(x), nn.ZeroPad2d(((3, 4), (1, 2)))(x))
    np.testing.assert_array_equal(nn.ZeroPad2d(1)(x), np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]))
    np.testing.assert_array_equal(nn.ConstantPad1d((1, 0), 7)(np.array([[[1], [2]]])), [[[7], [1], [2]]])


def test_what_is_folded_is_the_transpose_of_what_is_unfolded():
    x, y = RANDOM.standard_normal((2, 6, 7, 3)), RANDOM.standard_normal((2, 12, 18))
    options = dict(dilation=(1, 2), padding=1, stride=2)
    unfold, fold = nn.Unfold((3, 2), **options), nn.Fold((6, 7), (3, 2), **options)
    assert unfold(x).shape == y.shape
    np.testing.assert_allclose(jnp.sum(unfold(x) * y), jnp.sum(x * fold(y)), rtol=1e-12)
    np.testing.assert_allclose(grad(lambda y: jnp.sum(fold(y) * x))(y), unfold(x), rtol=1e-12)


def test_pixels_are_shuffled_back():
    x = RANDOM.standard_normal((2, 6, 8, 3))
    np.testing.assert_array_equal(nn.PixelShuffle(2)(nn.PixelUnshuffle(2)(x)), x)
    np.testing.assert_array_equal(nn.ChannelShuffle(3)(nn.ChannelShuffle(2)(x.repeat(2, -1))), x.repeat(2, -1))


def largest_places(x, kernel, stride, pad):
    """Of one image [height, width]: where each window's first largest element is, by looking at all."""
    height, width = x.shape
    out = []
    for top in range(-pad, height + pad - kernel + 1, stride):
        for left in range(-pad, width + pad - kernel + 1, stride):
            inside = [
                (i, j)
                for i in range(top, top + kernel) for j in range(left, left + kernel) if 0 <= i < height and 0 <= j < width
            ]  # fmt: skip
            odd = [p for p in inside if np.isnan(x[p])]
            out.append(odd[0] if odd else max(inside, key=lambda p: x[p]))
    return np.array([i * width + j for i, j in out])


@pytest.mark.parametrize("kind", ["random", "ties", "infinite", "nan", "integers"])
def test_indices_are_those_of_the_first_largest_elements(kind):
    x = RANDOM.standard_normal((6, 7))
    x = {
        "random": x, "ties": np.round(x), "infinite": np.full((6, 7), -np.inf), "nan": np.where(x > 1, np.nan, x),
        "integers": np.round(3 * x).astype(int),
    }[kind]  # fmt: skip
    for kernel, stride, pad in ((2, 2, 0), (3, 2, 1), (3, 1, 1)):
        pool = nn.MaxPool2d(kernel, stride, pad, return_indices=True)
        for f in (pool, jit(pool)):
            out, places = f(x[None, :, :, None])
            np.testing.assert_array_equal(places.ravel(), largest_places(x, kernel, stride, pad))
            np.testing.assert_array_equal(out, nn.MaxPool2d(kernel, stride, pad)(x[None, :, :, None]))
            assert out.shape == places.shape


def test_pools_as_functions_are_the_layers():
    x = RANDOM.standard_normal((2, 6, 8, 4))
    np.testing.assert_array_equal(nn.max_pool2d(x, 3, 2, padding=1), nn.MaxPool2d(3, 2, padding=1)(x))
    np.testing.assert_array_equal(nn.avg_pool2d(x, 2), nn.AvgPool2d(2)(x))
    np.testing.assert_array_equal(nn.adaptive_avg_pool2d(x, 1), nn.AdaptiveAvgPool2d(1)(x))
    np.testing.assert_array_equal(nn.adaptive_max_pool1d(x[0], 3), nn.AdaptiveMaxPool1d(3)(x[0]))
    first = np.moveaxis(x, -1, 1)
    np.testing.assert_array_equal(
        jit(lambda x: nn.max_pool2d(x, 2, data_format="channels_first"))(first)[:, 1], nn.max_pool2d(x, 2)[..., 1]
    )


def test_pools_as_flax_has_them():
    x = RANDOM.standard_normal((2, 6, 8, 4))
    np.testing.assert_allclose(nn.max_pool(x, (2, 2), (2, 2)), nn.MaxPool2d(2)(x))
    np.testing.assert_allclose(nn.max_pool(x, (3, 3), (2, 2), "SAME"), nn.MaxPool2d(3, 2, "same")(x))
    np.testing.assert_allclose(nn.max_pool(x, (3, 2)), nn.MaxPool2d((3, 2), 1)(x))
    np.testing.assert_allclose(nn.min_pool(x, (2, 2), (1, 2)), -nn.max_pool(-x, (2, 2), (1, 2)))
    np.testing.assert_allclose(nn.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))), nn.AvgPool2d(3, 2, 1)(x), rtol=1e-12)
    near = nn.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=False)
    np.testing.assert_allclose(near, nn.AvgPool2d(3, 2, 1, count_include_pad=False)(x), rtol=1e-12)
    np.testing.assert_allclose(nn.max_pool(x[0], (2, 2)), nn.max_pool(x, (2, 2))[0])
    assert nn.max_pool(x[None], (2,)).shape == (1, 2, 6, 7, 4)


def test_dropout_of_selus_keeps_mean_and_variance():
    x = random.normal(random.key(0), (40_000,), "float64")
    for p in (0.1, 0.5):
        y, _ = nn.apply(nn.AlphaDropout(p), x, train=True, key=random.key(1))
        assert abs(float(jnp.mean(y))) < 0.02 and abs(float(jnp.var(y)) - 1) < 0.03
        ones, _ = nn.apply(nn.AlphaDropout(p), jnp.ones_like(x), train=True, key=random.key(1))
        assert float(jnp.mean(ones == jnp.min(ones))) == pytest.approx(p, abs=0.01)
    np.testing.assert_array_equal(nn.AlphaDropout(0.5)(x), x)


WRONG = [
    (lambda: nn.ZeroPad2d((1, 2, 3)), errors.ParametersError, "padding must be an integer, 4 of them"),
    (lambda: nn.ZeroPad2d(1.5), errors.ParametersError, "padding must be an integer"),
    (lambda: nn.ReflectionPad1d(-1), errors.ArgumentError, "padding must be 0 or more"),
    (lambda: nn.ReflectionPad1d(3)(np.ones((1, 3, 2))), errors.ShapeError, "of 4 or more elements along an axis"),
    (lambda: nn.CircularPad1d(4)(np.ones((1, 3, 2))), errors.ShapeError, "of 4 or more elements along an axis"),
    (lambda: nn.ZeroPad1d(-2)(np.ones((1, 3, 2))), errors.ShapeError, "at least as large as what padding"),
    (lambda: nn.ZeroPad2d(1)(np.ones((3, 3))), errors.ShapeError, "batch, height, width, channels"),
    (lambda: nn.PixelShuffle(2)(np.ones((1, 3, 3, 6))), errors.ShapeError, "a number of channels that 4 divides"),
    (lambda: nn.PixelUnshuffle(2)(np.ones((1, 3, 4, 6))), errors.ShapeError, "a height and a width that 2 divides"),
    (lambda: nn.PixelShuffle(0), errors.ArgumentError, "upscale_factor must be 1 or more"),
    (lambda: nn.ChannelShuffle(4)(np.ones((1, 3, 4, 6))), errors.ShapeError, "a number of channels that 4 divides"),
    (lambda: nn.Unfold(5)(np.ones((1, 3, 4, 6))), errors.ShapeError, "at least as large as one window"),
    (lambda: nn.Fold((4, 4), 2)(np.ones((1, 8, 4))), errors.ShapeError, r"\[batch, 9, channels \* 4\]"),
    (lambda: nn.Unflatten(1, (-1, -1)), errors.ArgumentError, "one of which may be -1"),
    (lambda: nn.Unflatten(1, (5, -1))(np.ones((2, 12))), errors.ShapeError, "a size along axis 1 that becomes"),
    (lambda: nn.MaxUnpool2d(2)(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2, 1))), errors.ShapeError, "the indices, integers"),
    (lambda: nn.interpolate(np.ones((1, 4, 4, 1)), 3, mode="cubic"), errors.ArgumentError, "mode must be one of 'nearest'"),
    (lambda: nn.interpolate(np.ones((1, 4, 4, 1)), 3, mode="linear"), errors.ShapeError, "1 axes of space for mode 'linear'"),
    (lambda: nn.interpolate(np.ones((1, 4, 4, 1))), errors.ArgumentError, "give either size or scale_factor"),
    (lambda: nn.interpolate(np.ones((1, 4, 1)), 3, align_corners=True), errors.ArgumentError, "align_corners is for linear"),
    (lambda: nn.interpolate(np.ones((1, 4, 1)), scale_factor=0.1), errors.ArgumentError, "nothing is left of"),
    (lambda: nn.interpolate(np.ones((1, 4, 1)), scale_factor=-1.0), errors.ArgumentError, "scale_factor must be a positive number"),
    (lambda: nn.max_pool(np.ones((1, 4, 4, 1)), 2), errors.ArgumentError, "window_shape must have a size for each axis"),
    (lambda: nn.max_pool(np.ones((4, 1)), (2, 2)), errors.ShapeError, "with 2 axes of space"),
    (lambda: nn.EmbeddingBag(3, 2, "median"), errors.ArgumentError, "mode must be 'mean', 'sum' or 'max'"),
    (lambda: nn.EmbeddingBag(3, 2)(np.ones(3, int)), errors.ShapeError, "batch, count"),
    (lambda: nn.EmbeddingBag(3, 2)(np.ones((1, 3), int), np.ones((1, 3))), errors.ArgumentError, "weights are for mode='sum'"),
    (lambda: nn.Bilinear(3, 4, 2)(np.ones((5, 3)), np.ones((6, 4))), errors.ShapeError, "both with the same axes before the last"),
    (lambda: nn.LocalResponseNorm(0), errors.ArgumentError, "size must be 1 or more"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
