"""Norms: their formula and its derivatives in both layouts, digits far from zero, and what their gradients read of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn
from jitgrad.train import layers

CHANNELS = 6
KINDS: dict[str, Callable[..., Any]] = {
    "batch norm": lambda **options: nn.BatchNorm(CHANNELS, track_running_stats=False, **options),
    "instance norm": lambda **options: nn.InstanceNorm(CHANNELS, **options),
    "group norm of one": lambda **options: nn.GroupNorm(1, CHANNELS, **options),
    "group norm of three": lambda **options: nn.GroupNorm(3, CHANNELS, **options),
    "group norm of all": lambda **options: nn.GroupNorm(CHANNELS, CHANNELS, **options),
}


def by_formula(kind: str, x: Any, weight: Any, bias: Any) -> Any:
    """Of channels first."""
    split, axes = {
        "batch norm": (CHANNELS, (0, 2, 3)), "instance norm": (CHANNELS, (2, 3)), "group norm of one": (1, (2, 3)),
        "group norm of three": (3, (2, 3)), "group norm of all": (CHANNELS, (2, 3)),
    }[kind]  # fmt: skip
    parts = x.reshape((x.shape[0], split, CHANNELS // split, int(np.prod(x.shape[2:]))))
    mean = jnp.mean(parts, axes, keepdims=True)
    out = (parts - mean) / jnp.sqrt(jnp.mean((parts - mean) ** 2, axes, keepdims=True) + 1e-5)
    out = out.reshape(x.shape)
    shape = (-1,) + (1,) * (x.ndim - 2)
    return out if weight is None else out * weight.reshape(shape) + bias.reshape(shape)


def of_layer(layer: Any, x: Any, weight: Any, bias: Any) -> Any:
    layer.weight, layer.bias = weight, bias
    last = layer.data_format == "channels_last"
    return jnp.moveaxis(layer(jnp.moveaxis(x, 1, -1)), -1, 1) if last else layer(x)


def normal(*shape: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng([int(mean), *shape]).normal(mean, size=shape)


def derivatives(f: Callable[..., Any], affine: bool) -> Callable[..., Any]:
    """Of a function of x, weight and bias: its value, gradients, and the gradients of a function of all of these."""
    given = (0, 1, 2) if affine else (0,)

    def gradients(*args: Any) -> Any:
        *values, cotangent = args
        return jitgrad.grad(lambda *v: jnp.sum(f(*v) * cotangent), given)(*values)

    def mixed(*args: Any) -> Any:
        return sum(jnp.sum(jnp.sin(g)) for g in gradients(*args))

    def all_of(x: Any, weight: Any, bias: Any, cotangent: Any) -> Any:
        args = (x, weight, bias, cotangent)
        tangent = jitgrad.jvp(lambda v: f(v, weight, bias), (x,), (cotangent,))[1]
        return f(x, weight, bias), tangent, gradients(*args), jitgrad.grad(mixed, (*given, 3))(*args)

    return all_of


@pytest.mark.parametrize("shape", [(3, CHANNELS, 5, 2), (2, CHANNELS, 1, 1), (2, CHANNELS, 0), (0, CHANNELS, 4)])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_norms_and_their_derivatives_of_two_orders_are_those_of_the_formula(kind, affine, data_format, shape):
    layer = KINDS[kind](affine=affine, data_format=data_format, dtype="float64")
    parameters = (normal(CHANNELS), normal(CHANNELS, mean=1.0)) if affine else (None, None)
    args = (normal(*shape), *parameters, normal(*shape, mean=1.0))
    args = tuple(None if a is None else jnp.asarray(a) for a in args)
    want = derivatives(lambda *v: by_formula(kind, *v), affine)(*args)
    of = derivatives(lambda *v: of_layer(layer, *v), affine)
    for got in (of(*args), jitgrad.jit(of)(*args)):
        jitgrad.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), got, want)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mean_of_a_thousand_deviations_costs_no_digits(kind, data_format):
    layer = KINDS[kind](data_format=data_format, affine=True)
    x = normal(4, CHANNELS, 40, 40, mean=1e3).astype(np.float32)
    args = [x, normal(CHANNELS).astype(np.float32), normal(CHANNELS).astype(np.float32), normal(*x.shape).astype(np.float32)]
    args[-1] += 0.5 * (x - 1e3)
    gradients = jitgrad.grad(lambda x, w, b, c: jnp.sum(of_layer(layer, x, w, b) * c), (0, 1, 2))
    exact = [jnp.asarray(a.astype(np.float64)) for a in args]
    value = lambda x, w, b, c: (of_layer(layer, x, w, b), *gradients(x, w, b, c))
    for got, want in zip(jitgrad.jit(value)(*map(jnp.asarray, args)), value(*exact), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * float(jnp.max(jnp.abs(want))))


@pytest.mark.parametrize("number", [0.0, 0.1, 1e9])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_numbers_are_zeros_whatever_they_are(kind, number):
    layer = KINDS[kind](affine=False)
    x = jnp.full((2, 7, 9, CHANNELS), number, "float32")
    for f in (layer, jitgrad.jit(layer)):
        assert float(jnp.max(jnp.abs(f(x)))) <= 1e-5
    slope = jitgrad.jit(jitgrad.grad(lambda v: jnp.sum(layer(v) * jnp.arange(v.size).reshape(v.shape))))(x)
    assert bool(jnp.all(jnp.isfinite(slope)))


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_a_group_norm_with_its_gradients_goes_over_images_five_times_and_divides_no_index(data_format):
    """For the mean; for the variance and the cotangent's product; for the value; for the cotangent's sum; for the slope."""
    layer = nn.GroupNorm(8, 64, data_format=data_format)
    shape = (4, 28, 28, 64) if data_format == "channels_last" else (4, 64, 28, 28)

    def step(x: Any, weight: Any, bias: Any, cotangent: Any) -> Any:
        layer.weight, layer.bias = weight, bias
        out, pull = jitgrad.vjp(
            lambda *v: setattr(layer, "weight", v[1]) or setattr(layer, "bias", v[2]) or layer(v[0]), x, weight, bias
        )
        return out, *pull(cotangent)

    image, channel = jnp.ones(shape), jnp.ones(64)
    kernels = [str(k) for k in jitgrad.jit(step).lower(image, channel, channel, image).compile().kernels]
    size = ",".join(map(str, shape))
    large = [k for k in kernels if f"f32[{size}]" in k]
    assert len(large) <= 5
    assert sum(k.split("\n")[0].count(size) for k in large) <= 9
    if data_format == "channels_last":
        assert not any("//" in k for k in large)


def test_keras_group_normalization_without_a_centre_has_its_scale():
    x = jnp.asarray(normal(2, 5, 4))
    layer = layers.GroupNormalization(2, center=False, gamma_initializer=lambda key, shape, dtype: jnp.full(shape, 3.0, dtype))
    plain = layers.GroupNormalization(2, center=False, scale=False)
    np.testing.assert_allclose(nn.build(layer, x.shape)(x), 3 * nn.build(plain, x.shape)(x), rtol=1e-6)
