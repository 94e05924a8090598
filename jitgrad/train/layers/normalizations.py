"""Normalisations by Keras' names and defaults, and `Normalization`, which learns mean and variance of data before training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import nn
from jitgrad.array import Array
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import ArgumentError
from jitgrad.nn.linear import keys_for
from jitgrad.nn.named import initializer_arg
from jitgrad.nn.unbuilt import is_unbuilt
from jitgrad.ranges import Amount, Part

from .base import Layer


def _started(layer: Any, key: Any, shape: tuple[int, ...], dtype: Any, center: bool, scale: bool, gamma: Any, beta: Any) -> None:
    """Give a layer its weight and bias, of these initializers."""
    scale_key, shift_key = keys_for(layer.where, key, 2)
    layer.weight = initializer_arg(layer.where, "gamma_initializer", gamma)(scale_key, shape, dtype) if scale else None
    layer.bias = initializer_arg(layer.where, "beta_initializer", beta)(shift_key, shape, dtype) if center else None


class BatchNormalization(Layer, nn.BatchNorm):
    """Each channel less its mean, divided by its standard deviation, times weight (scale), plus bias (center).

    In training mean and variance are those of the batch, and the running ones follow: running = momentum * running + (1 - momentum)
    * batch's, variances divided by n: as Keras', where momentum is what stays. axis: -1, or 1 for channels first.

    >>> from jitgrad import nn
    >>> layer = nn.build(BatchNormalization(), (1, 2))
    >>> _, layer = nn.apply(layer, jnp.array([[0.0, 1.0], [2.0, 5.0]]), train=True)
    >>> print(layer.running_mean, layer.running_var)
    [0.01 0.03] [1.   1.03]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: Part = 0.99,
        epsilon: Amount = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, beta_regularizer="bias", gamma_regularizer="weight")
        if axis not in (-1, 1, 3, 4):
            raise ArgumentError(f"{self.where}: axis must be -1, the last, or 1, channels first, got {axis}")
        if (moving_mean_initializer, moving_variance_initializer) != ("zeros", "ones"):
            raise ArgumentError(f"{self.where}: running means start at 0 and variances at 1; assign layer.running_mean otherwise.")
        self.eps, self.momentum, self.track_running_stats = epsilon, momentum, True
        self.data_format = "channels_first" if axis == 1 else "channels_last"
        self.start(None, key, center, scale, gamma_initializer, beta_initializer, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        center, scale, gamma, beta, dtype = options
        self.num_features = size
        _started(self, key, (size,), dtype, center, scale, gamma, beta)
        self.register_buffer("running_mean", jnp.zeros(size, dtype))
        self.register_buffer("running_var", jnp.ones(size, dtype))

    momentum: Part

    def call(self, inputs: Any) -> Any:
        if self.training and self.starts_frozen:  # as Keras: trainable = False is inference
            return self(inputs, training=False)
        return super().call(inputs)

    def keep(self, mean: Array, variance: Array, count: int, axis: int) -> None:
        others = tuple(a for a in range(mean.ndim) if a != axis)
        for name, batch in (("running_mean", mean), ("running_var", variance)):
            running, seen = getattr(self, name), stop_gradient(jnp.mean(batch, axis=others))
            setattr(self, name, (self.momentum * running + (1 - self.momentum) * seen).astype(running.dtype))


class LayerNormalization(Layer, nn.LayerNorm):
    """The last axis of each example, or the last ones, less their mean, divided by their standard deviation, times weight (scale),
    plus bias (center). axis: -1, or the numbers of the last axes; rms_scaling is nn.RMSNorm.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: Amount = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, beta_regularizer="bias", gamma_regularizer="weight")
        axes = (axis,) if isinstance(axis, int) else tuple(axis)
        last = tuple(range(-len(axes), 0))
        if axes != last and not (min(axes) > 0 and axes == tuple(range(axes[0], axes[0] + len(axes)))):
            raise ArgumentError(f"{self.where}: axis must be the last axes in their order, got {axis}")
        self.axes, self.eps = axes, epsilon
        self.start(None, key, center, scale, gamma_initializer, beta_initializer, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        center, scale, gamma, beta, dtype = options
        self.normalized_shape = (size,) if isinstance(size, int) else tuple(size)
        _started(self, key, self.normalized_shape, dtype, center, scale, gamma, beta)

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        if {a % max(x.ndim, 1) for a in self.axes} != set(range(x.ndim - len(self.axes), x.ndim)):
            self.refuse_input(f"an array whose last axes are {self.axes}", x)
        if len(self.axes) > 1 and is_unbuilt(self):
            self.found(x.shape[-len(self.axes) :])
        found: Array = nn.LayerNorm.__call__(self, x)
        return found


class GroupNormalization(Layer, nn.GroupNorm):
    """The channels of each example in groups, each less its mean, divided by its standard deviation; times weight, plus bias.

    groups: 32 by default, or -1 for one a channel. axis: -1, or 1 for channels first.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: Amount = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, beta_regularizer="bias", gamma_regularizer="weight")
        if axis not in (-1, 1, 3, 4):
            raise ArgumentError(f"{self.where}: axis must be -1, the last, or 1, channels first, got {axis}")
        self.num_groups, self.eps = groups, epsilon
        self.data_format = "channels_first" if axis == 1 else "channels_last"
        self.start(None, key, center, scale, gamma_initializer, beta_initializer, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        center, scale, gamma, beta, dtype = options
        self.num_channels = size
        self.num_groups = size if self.num_groups == -1 else self.num_groups
        if self.num_groups < 1 or size % self.num_groups:
            raise ArgumentError(f"{self.where}: {size} channels can't be divided into {self.num_groups} equal groups.")
        _started(self, key, (size,), dtype, center, scale, gamma, beta)


class UnitNormalization(Layer):
    """x divided by its Euclidean norm along an axis."""

    def __init__(self, axis: int = -1, **options: Any) -> None:
        self.take(options)
        self.axis = axis

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        return x / jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=self.axis, keepdims=True), 1e-12))


class Normalization(Layer):
    """(x - mean) / sqrt(variance), of constants: `adapt(data)` takes them from data, or they are given.

    axis: the axes that have a mean and a variance for each index, the last by default; None for one of all numbers. invert: the
    other way round. Mean and variance are buffers. Raises ArgumentError where it is called without them.

    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> print(layer(np.array([[2.0, 20.0]], dtype=np.float32)))
    [[1. 0.]]
    """

    def __init__(
        self, axis: int | Sequence[int] | None = -1, mean: Any = None, variance: Any = None, invert: bool = False, **options: Any
    ) -> None:
        self.take(options)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.invert, self.adapted = bool(invert), False
        if (mean is None) != (variance is None):
            raise ArgumentError(f"{self.where}: give mean and variance, or neither and call adapt(data)")
        self._keep(0.0 if mean is None else mean, 1.0 if variance is None else variance, mean is not None)

    def _keep(self, mean: Any, variance: Any, adapted: bool) -> None:
        self.register_buffer("mean", jnp.asarray(mean, float))
        self.register_buffer("variance", jnp.asarray(variance, float))
        self.adapted = adapted

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take mean and variance from data: an array, or batches one after another. Before the model has begun to train."""
        batches = [data] if hasattr(data, "shape") or isinstance(data, (list, tuple)) else data
        count, mean, spread = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            x = np.asarray(batch, np.float64)
            if not x.size:
                continue
            kept = () if self.axis is None else tuple(a % x.ndim for a in self.axis)
            axes = tuple(a for a in range(x.ndim) if a not in kept)
            size = math.prod(x.shape[a] for a in axes)
            own = x.mean(axes, keepdims=True)
            apart, total = own - mean, count + size
            # Means and squared distances of two parts joined: Chan, Golub and LeVeque, 1979.
            spread = spread + ((x - own) ** 2).sum(axes, keepdims=True) + apart**2 * (count * size / total)
            mean, count = mean + apart * (size / total), total
        if not count:
            raise ArgumentError(f"{self.where}.adapt: the data are empty")
        self._keep(mean[0] if np.ndim(mean) else mean, (spread / count)[0] if np.ndim(spread) else spread / count, True)

    def call(self, inputs: Any) -> Array:
        if not self.adapted:
            raise ArgumentError(
                f"{self.where}: has no mean and variance yet. Call layer.adapt(data) before, or give mean=, variance=."
            )
        x = jnp.asarray(inputs)
        x = x if x.dtype.kind == "f" else x.astype(float)
        deviation = jnp.maximum(jnp.sqrt(self.variance), 1e-7).astype(x.dtype)
        mean = self.mean.astype(x.dtype)
        return mean + x * deviation if self.invert else (x - mean) / deviation
