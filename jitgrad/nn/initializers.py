"""Initial values of parameters by jax.nn.initializers' names: functions of a random key, a shape and an element type.

Layers of weights [..., inputs, outputs] want the variance of their outputs kept: `variance_scaling` says how, and Glorot's, He's
and LeCun's schemes are rows of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, shown

Initializer = Callable[..., Array]
Axes = int | Sequence[int]

TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal number on condition that it lies between -2 and 2."""


def made(where: str, init: Initializer, key: Any, shape: Sequence[int], dtype: Any) -> Array:
    """What an initializer of a user's gives, which must be an array of the shape; `where` names the layer and the argument."""
    value = init(key, shape, dtype)
    if getattr(value, "shape", None) != tuple(shape):
        raise ArgumentError(f"{where} must give an array of shape {tuple(shape)}, got {shown(value)}")
    return jnp.asarray(value)


def zeros(key: Any, shape: Any, dtype: Any = None) -> Array:
    """All 0; the key is not used.

    >>> print(zeros(None, (2,)))
    [0. 0.]
    """
    return jnp.zeros(shape, dtype)


def ones(key: Any, shape: Any, dtype: Any = None) -> Array:
    """All 1; the key is not used."""
    return jnp.ones(shape, dtype)


def constant(value: Any, dtype: Any = None) -> Initializer:
    """An initializer that gives `value`, broadcast to the shape."""
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        return jnp.full(shape, value, dtype or chosen or float)

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer of normal draws of mean 0 and the given standard deviation.

    >>> import jitgrad
    >>> normal(0.1)(jitgrad.random.key(0), (3, 2)).shape
    (3, 2)
    """
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        return random.normal(key, shape, dtype or chosen) * stddev

    return init


def truncated_normal(stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0) -> Initializer:
    """An initializer of normal draws held between lower * stddev and upper * stddev."""
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        return random.truncated_normal(key, lower, upper, shape, dtype or chosen) * stddev

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer of uniform draws of [0, scale)."""
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        return random.uniform(key, shape, dtype or chosen) * scale

    return init


def _fans(shape: tuple[int, ...], in_axis: Axes, out_axis: Axes, batch_axis: Axes) -> tuple[float, float]:
    """How many inputs an output sums over, and how many outputs an input goes to."""

    def count(axes: Axes) -> int:
        return math.prod(shape[a] for a in ((axes,) if isinstance(axes, int) else axes))

    try:
        inputs, outputs, batch = count(in_axis), count(out_axis), count(batch_axis)
    except IndexError:
        raise ArgumentError(f"nn.initializers: shape {shape} has no axes {in_axis} and {out_axis}; biases start as zeros") from None
    field = math.prod(shape) / max(inputs * outputs * batch, 1)
    return inputs * field, outputs * field


FAN_AVERAGES: dict[str, Callable[[float, float], float]] = {
    "fan_in": lambda inputs, outputs: inputs,
    "fan_out": lambda inputs, outputs: outputs,
    "fan_avg": lambda inputs, outputs: (inputs + outputs) / 2,
    "fan_geo_avg": lambda inputs, outputs: math.sqrt(inputs * outputs),
}


def variance_scaling(
    scale: Any, mode: str, distribution: str, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """An initializer of variance scale / n, where n is the number of inputs, outputs or their mean.

    mode: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg". distribution: "normal", "truncated_normal" (at two standard deviations)
    or "uniform". in_axis, out_axis, batch_axis: which axes of the shape count inputs, outputs and separate layers; all others are a
    convolution's window. Raises ArgumentError for another mode or distribution.

    >>> import jitgrad
    >>> variance_scaling(1.0, "fan_in", "normal")(jitgrad.random.key(0), (3, 2)).shape
    (3, 2)
    """
    if mode not in FAN_AVERAGES:
        raise ArgumentError(f"nn.initializers.variance_scaling: mode must be one of {', '.join(FAN_AVERAGES)}, got {mode!r}")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ArgumentError(f"nn.initializers.variance_scaling: no distribution {distribution!r}")
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        fan = FAN_AVERAGES[mode](*_fans(tuple(shape), in_axis, out_axis, batch_axis))
        deviation = math.sqrt(scale / max(fan, 1e-300))
        if distribution == "normal":
            return random.normal(key, shape, dtype or chosen) * deviation
        if distribution == "truncated_normal":
            return random.truncated_normal(key, -2.0, 2.0, shape, dtype or chosen) * (deviation / TRUNCATED_DEVIATION)
        bound = math.sqrt(3) * deviation
        return random.uniform(key, shape, dtype or chosen, -bound, bound)

    return init


def _scheme(name: str, scale: float, mode: str, distribution: str, doc: str) -> Callable[..., Initializer]:
    def make(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"variance_scaling({scale}, {mode!r}, {distribution!r}): {doc}"
    return make


_GLOROT = "for layers of tanh or sigmoid (Glorot and Bengio, 2010)."
_HE = "for layers of relu (He et al., 2015)."
_LECUN = "for layers of selu and linear ones (LeCun et al., 1998)."
glorot_uniform = _scheme("glorot_uniform", 1.0, "fan_avg", "uniform", _GLOROT)
glorot_normal = _scheme("glorot_normal", 1.0, "fan_avg", "truncated_normal", _GLOROT)
xavier_uniform = glorot_uniform
xavier_normal = glorot_normal
he_uniform = _scheme("he_uniform", 2.0, "fan_in", "uniform", _HE)
he_normal = _scheme("he_normal", 2.0, "fan_in", "truncated_normal", _HE)
kaiming_uniform = he_uniform
kaiming_normal = he_normal
lecun_uniform = _scheme("lecun_uniform", 1.0, "fan_in", "uniform", _LECUN)
lecun_normal = _scheme("lecun_normal", 1.0, "fan_in", "truncated_normal", _LECUN)


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of matrices with orthonormal columns, or rows where there are fewer of them, times scale (Saxe, McClelland and
    Ganguli, 2014). column_axis: the columns' axis; all others are the rows. Raises ArgumentError for shapes of less than two axes.

    >>> import jitgrad
    >>> weight = orthogonal()(jitgrad.random.key(0), (3, 2))
    >>> bool(jnp.allclose(weight.T @ weight, jnp.eye(2), atol=1e-6))
    True
    """
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        if len(shape) < 2:
            raise ArgumentError(f"nn.initializers.orthogonal: the shape must have two axes or more, got {tuple(shape)}")
        if not math.prod(shape):
            return jnp.zeros(shape, dtype or chosen)
        columns = shape[column_axis]
        drawn = random.orthogonal(key, math.prod(shape) // columns, (), dtype or chosen or float, columns)
        others = [n for a, n in enumerate(shape) if a != column_axis % len(shape)]
        return jnp.moveaxis(drawn.reshape((*others, columns)), -1, column_axis) * scale

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of convolutions' kernels [..., inputs, outputs] of 1 to 3 dimensions of space: at the middle an orthogonal
    matrix, elsewhere 0, so that a convolution keeps lengths (Xiao et al., 2018). Raises ArgumentError for other shapes, and for
    more inputs than outputs.

    >>> import jitgrad
    >>> kernel = delta_orthogonal()(jitgrad.random.key(0), (3, 2, 2))
    >>> bool(jnp.allclose(kernel[1] @ kernel[1].T, jnp.eye(2), atol=1e-6)), float(jnp.abs(kernel[0]).max())
    (True, 0.0)
    """
    chosen = dtype

    def init(key: Any, shape: Any, dtype: Any = None) -> Array:
        if len(shape) not in (3, 4, 5) or shape[-1] < shape[-2]:
            raise ArgumentError(
                "nn.initializers.delta_orthogonal: the shape must have 1 to 3 axes of space, inputs and at least as many outputs, "
                f"got {tuple(shape)}"
            )
        matrix = orthogonal(scale, column_axis, chosen)(key, tuple(shape[-2:]), dtype)
        return jnp.zeros(shape, matrix.dtype).at[tuple((n - 1) // 2 for n in shape[:-2])].set(matrix)

    return init
