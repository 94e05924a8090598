"""Layers that subtract a mean and divide by a standard deviation: over the batch (BatchNorm), or within each example.

Variances that are divided by are those of the numbers at hand (divided by n); epsilon is added to them inside the root.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import ArgumentError
from jitgrad.operands import real_arg, shape_arg, size_arg
from jitgrad.ranges import Amount, Count, Part, Real, Size

from .data_format import CHANNELS_LAST, along, channel_axis, check_format, images
from .module import Module
from .sizes import Sized
from .unbuilt import is_unbuilt


def _mean_along(axes: Sequence[int]) -> Callable[[Array], Array]:
    """Means along axes, which are kept."""
    return lambda x: jnp.mean(x, axis=tuple(axes), keepdims=True)


def _standardized(
    x: Array, mean_of: Callable[[Array], Array], eps: Amount, weight: Array | None = None, bias: Array | None = None
) -> tuple[Array, Array, Array]:
    """x less its mean, divided by its standard deviation, times weight, plus bias, which have as many axes as x; and mean and
    variance, the mean as a constant to derivatives.

    A constant that is taken from x first changes none of it. It is nearly the mean, so that squares stay small; what is left of the
    mean goes into the bias, and what rounding did to the constant with it. No factor of an element is inside a sum of the
    derivative then: the sums are of the cotangent, and of its product with what is left of x.
    """
    if not x.size:  # factors outside sums of nothing would be NaN, and with them the weight's gradient
        return _affine(x, weight, bias), mean_of(x), mean_of(jnp.square(x))
    centre = ops.op("stop_gradient", mean_of(x))
    shifted = x - centre
    left = mean_of(shifted)
    lost = jnp.square(left)  # next to nothing, and the variance is never negative without it: its derivatives alone count
    variance = mean_of(jnp.square(shifted)) - (lost - ops.op("stop_gradient", lost))
    scale = _scale(variance, eps, weight)
    out, shift = shifted * scale, left * scale
    return out - shift if bias is None else out + (bias - shift), centre, variance


def _scale(variance: Array, eps: Amount, weight: Array | None) -> Array:
    """What elements less their mean are multiplied by."""
    root = lax.rsqrt(variance + eps)
    return root if weight is None else root * weight


def _affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    out = x if weight is None else x * weight
    return out if bias is None else out + bias


class _ChannelNorm(Sized):
    """What layers have in common whose statistics and parameters are one number a channel: BatchNorm and InstanceNorm."""

    ranks: ClassVar[tuple[int, ...]] = ()
    """How many axes an input may have; any number where it is empty."""
    weight: Array | None
    bias: Array | None
    running_mean: Array
    running_var: Array
    num_batches_tracked: Array

    def __init__(
        self,
        num_features: Count | None,
        eps: Amount,
        momentum: Part | None,
        affine: bool,
        track_running_stats: bool,
        data_format: str,
        dtype: Any,
    ) -> None:
        self.eps, self.momentum, self.track_running_stats = eps, momentum, track_running_stats
        self.data_format = check_format(f"nn.{type(self).__name__}", data_format)
        self.start(num_features, None, affine, dtype)

    def create(self, size: Size, key: Any, *options: Any) -> None:
        affine, dtype = options
        self.num_features = size_arg(f"nn.{type(self).__name__}", size, "num_features must be an integer", 0)
        self.weight = jnp.ones(self.num_features, dtype) if affine else None
        self.bias = jnp.zeros(self.num_features, dtype) if affine else None
        if self.track_running_stats:
            self.register_buffer("running_mean", jnp.zeros(self.num_features, dtype))
            self.register_buffer("running_var", jnp.ones(self.num_features, dtype))
            if self.momentum is None:
                self.register_buffer("num_batches_tracked", jnp.zeros((), "int32"))

    def __call__(self, x: Any) -> Array:
        value = real_arg(f"nn.{type(self).__name__}", x)
        rank = value.ndim
        fits = rank in self.ranks if self.ranks else rank >= 2
        axis = channel_axis(self.data_format, rank)
        if fits:
            self.sized(value, axis)
        elif is_unbuilt(self):
            self.refuse_input(images("channels", self.data_format, self.ranks), value)
        if not fits or value.shape[axis] != self.num_features:
            self.refuse_input(images(self.num_features, self.data_format, self.ranks), value)
        axes = self.reduced(axis, rank)
        weight, bias = (None if p is None else along(p, axis, rank) for p in (self.weight, self.bias))
        if self.track_running_stats and not self.training:
            mean, variance = along(self.running_mean, axis, rank), along(self.running_var, axis, rank)
            return _affine(value - mean, _scale(variance, self.eps, weight), bias)
        count = math.prod(value.shape[a] for a in axes)
        if self.training and count < 2:
            self.refuse_input("of more than one number a channel in training, where its variance is taken", value)
        out, mean, variance = _standardized(value, _mean_along(axes), self.eps, weight, bias)
        if self.track_running_stats:
            self.keep(mean, variance, count, axis)
        return out

    def reduced(self, axis: int, rank: int) -> list[int]:
        """The axes that statistics are taken over."""
        raise NotImplementedError

    def keep(self, mean: Array, variance: Array, count: int, axis: int) -> None:
        """Let the running statistics follow those of a batch, which has `count` numbers a channel, by `momentum`; where
        that is None, as means of all.
        """
        factor: Any = self.momentum
        if factor is None:
            self.num_batches_tracked = self.num_batches_tracked + 1
            factor = 1 / self.num_batches_tracked.astype(self.running_mean.dtype)
        others = tuple(a for a in range(mean.ndim) if a != axis)
        for name, batch in (("running_mean", mean), ("running_var", variance * (count / (count - 1)))):
            running = getattr(self, name)
            seen = stop_gradient(jnp.mean(batch, axis=others))
            setattr(self, name, ((1 - factor) * running + factor * seen).astype(running.dtype))

    def extra_repr(self) -> str:
        options = [f"eps={self.eps}", f"momentum={self.momentum}"]
        options += ["affine=False"] if self.weight is None else []
        options += [] if self.track_running_stats else ["track_running_stats=False"]
        return ", ".join([str(self.num_features), *options, f"data_format={self.data_format!r}"])


class BatchNorm(_ChannelNorm):
    """Each channel less its mean, divided by its standard deviation, times weight, plus bias (Ioffe and Szegedy, 2015).

    Inputs are [batch, ..., num_features], or [batch, num_features, ...] with data_format="channels_first". In training (`nn.apply`)
    mean and variance are those of the batch, and the running ones follow: running = (1 - momentum) * running + momentum * batch's,
    the variance's divided by n - 1; with momentum=None they are means over all batches. In inference the running ones are used, or,
    with track_running_stats=False, the batch's. affine=False: without weight and bias. The running statistics are buffers.

    Raises ShapeError for other shapes, and in training for one number a channel.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> layer = BatchNorm(3)
    >>> y, layer = nn.apply(layer, jnp.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), train=True)
    >>> print(layer.running_mean, layer.running_var)
    [0.2 0.2 0.2] [1.1 0.9 1.1]
    """

    def __init__(
        self,
        num_features: Count | None,
        eps: Amount = 1e-5,
        momentum: Part | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        data_format: str = "channels_last",
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, data_format, dtype)

    def reduced(self, axis: int, rank: int) -> list[int]:
        return [a for a in range(rank) if a != axis]


class InstanceNorm(_ChannelNorm):
    """Each channel of each example less its mean, divided by its standard deviation (Ulyanov, Vedaldi and Lempitsky, 2016).

    Inputs are [batch, ..., num_features], or [batch, num_features, ...] with data_format="channels_first", with axes between.
    affine=True: times weight, plus bias. track_running_stats=True: as in BatchNorm, of means over the batch.

    >>> import jitgrad.numpy as jnp
    >>> print(InstanceNorm(1)(jnp.array([[[0.0], [2.0]]])).ravel())
    [-0.999995  0.999995]
    """

    def __init__(
        self,
        num_features: Count | None,
        eps: Amount = 1e-5,
        momentum: Part = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        data_format: str = "channels_last",
        dtype: Any = None,
    ) -> None:
        if momentum is None:
            raise ArgumentError(
                f"nn.{type(self).__name__}: momentum is the weight of a batch's statistics, 0.1 for example; got None."
            )
        super().__init__(num_features, eps, momentum, affine, track_running_stats, data_format, dtype)

    def reduced(self, axis: int, rank: int) -> list[int]:
        return [a for a in range(1, rank) if a != axis]


def _of_rank(base: type[_ChannelNorm], name: str, ranks: tuple[int, ...], what: str) -> Any:
    axes = " or ".join(map(str, ranks))
    doc = f"`nn.{base.__name__}` that takes {what} alone: inputs with {axes} axes, the batch's and the channels' included."
    return new_class(name, (base,), exec_body=lambda body: body.update(ranks=ranks, __doc__=doc, __module__=__name__))


BatchNorm1d = _of_rank(BatchNorm, "BatchNorm1d", (2, 3), "vectors and sequences")
BatchNorm2d = _of_rank(BatchNorm, "BatchNorm2d", (4,), "images")
BatchNorm3d = _of_rank(BatchNorm, "BatchNorm3d", (5,), "volumes")
InstanceNorm1d = _of_rank(InstanceNorm, "InstanceNorm1d", (3,), "sequences")
InstanceNorm2d = _of_rank(InstanceNorm, "InstanceNorm2d", (4,), "images")
InstanceNorm3d = _of_rank(InstanceNorm, "InstanceNorm3d", (5,), "volumes")


class LayerNorm(Sized):
    """The last axes of each example less their mean, divided by their standard deviation, times weight, plus bias (Ba, Kiros and
    Hinton, 2016).

    normalized_shape: the sizes of these axes, or of the one; None: the last one, of the size that the first input gives.
    elementwise_affine=False: without weight and bias; bias=False: without bias. Both have the shape normalized_shape. Raises
    ShapeError for inputs that do not end with it.

    >>> import jitgrad.numpy as jnp
    >>> print(LayerNorm(2)(jnp.array([[0.0, 2.0], [5.0, 3.0]])))
    [[-0.999995  0.999995]
     [ 0.999995 -0.999995]]
    """

    weight: Array | None
    bias: Array | None

    def __init__(
        self,
        normalized_shape: Count | Sequence[Count] | None,
        eps: Amount = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        self.eps = eps
        self.start(normalized_shape, None, elementwise_affine, bias, dtype)

    def create(self, size: Size, key: Any, *options: Any) -> None:
        elementwise_affine, bias, dtype = options
        self.normalized_shape = shape_arg("nn.LayerNorm", size)
        self.weight = jnp.ones(self.normalized_shape, dtype) if elementwise_affine else None
        self.bias = jnp.zeros(self.normalized_shape, dtype) if elementwise_affine and bias else None

    def __call__(self, x: Any) -> Array:
        value, axes = _trailing(self, x)
        out, _, _ = _standardized(value, _mean_along(axes), self.eps)
        return _affine(out, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class RMSNorm(Sized):
    """The last axes of each example divided by the root of their mean square, times weight (Zhang and Sennrich, 2019).

    normalized_shape: the sizes of these axes, or of the one; None: the last one, of the size that the first input gives. eps: added
    to the mean square; by default the smallest number that the input's type can add to 1. elementwise_affine=False: without weight.
    Raises ShapeError for inputs of another shape.

    >>> import jitgrad.numpy as jnp
    >>> print(RMSNorm(2)(jnp.array([3.0, 3.0])))
    [1. 1.]
    """

    weight: Array | None

    def __init__(
        self,
        normalized_shape: Count | Sequence[Count] | None,
        eps: Amount | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        self.eps = eps
        self.start(normalized_shape, None, elementwise_affine, dtype)

    def create(self, size: Size, key: Any, *options: Any) -> None:
        elementwise_affine, dtype = options
        self.normalized_shape = shape_arg("nn.RMSNorm", size)
        self.weight = jnp.ones(self.normalized_shape, dtype) if elementwise_affine else None

    def __call__(self, x: Any) -> Array:
        value, axes = _trailing(self, x)
        eps = float(jnp.finfo(value.dtype).eps) if self.eps is None else self.eps
        out = value * lax.rsqrt(jnp.mean(jnp.square(value), axis=axes, keepdims=True) + eps)
        return out if self.weight is None else out * self.weight

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


def _trailing(module: LayerNorm | RMSNorm, x: Any) -> tuple[Array, tuple[int, ...]]:
    """An input that ends with the layer's shape, and the axes that have it."""
    value = module.sized(real_arg(f"nn.{type(module).__name__}", x))
    shape = module.normalized_shape
    if value.shape[value.ndim - len(shape) :] != shape or value.ndim < len(shape):
        module.refuse_input(f"[..., {', '.join(map(str, shape))}] (normalized_shape={shape})", value)
    return value, tuple(range(value.ndim - len(shape), value.ndim))


class GroupNorm(Sized):
    """The channels of each example in num_groups groups, each less its mean, divided by its standard deviation; times weight, plus
    bias, a number a channel (Wu and He, 2018).

    Inputs are [batch, ..., num_channels], or [batch, num_channels, ...] with data_format="channels_first". affine=False: without
    weight and bias. Raises ArgumentError where the channels can't be divided into equal groups, ShapeError for other shapes.

    >>> import jitgrad.numpy as jnp
    >>> print(GroupNorm(2, 4)(jnp.array([[0.0, 2.0, 5.0, 3.0]])))
    [[-0.999995  0.999995  0.999995 -0.999995]]
    """

    weight: Array | None
    bias: Array | None

    def __init__(
        self,
        num_groups: Size,
        num_channels: Count | None,
        eps: Amount = 1e-5,
        affine: bool = True,
        *,
        data_format: str = "channels_last",
        dtype: Any = None,
    ) -> None:
        self.num_groups = size_arg("nn.GroupNorm", num_groups, "num_groups must be an integer")
        self.eps, self.data_format = eps, check_format("nn.GroupNorm", data_format)
        self.start(num_channels, None, affine, dtype)

    def create(self, size: Size, key: Any, *options: Any) -> None:
        affine, dtype = options
        self.num_channels = size_arg("nn.GroupNorm", size, "num_channels must be an integer", 0)
        if self.num_groups < 1 or self.num_channels % self.num_groups:
            raise ArgumentError(f"nn.GroupNorm: {self.num_channels} channels can't be divided into {self.num_groups} equal groups.")
        self.weight = jnp.ones(self.num_channels, dtype) if affine else None
        self.bias = jnp.zeros(self.num_channels, dtype) if affine else None

    def __call__(self, x: Any) -> Array:
        value = real_arg("nn.GroupNorm", x)
        rank = value.ndim
        axis = channel_axis(self.data_format, rank)
        if rank >= 2:
            self.sized(value, axis)
        elif is_unbuilt(self):
            self.refuse_input(images("channels", self.data_format), value)
        if rank < 2 or value.shape[axis] != self.num_channels:
            self.refuse_input(images(self.num_channels, self.data_format), value)
        weight, bias = (None if p is None else along(p, axis, rank) for p in (self.weight, self.bias))
        along_places = _mean_along([a for a in range(1, rank) if a != axis])
        return _standardized(value, lambda x: self.over_groups(along_places(x)), self.eps, weight, bias)[0]

    def over_groups(self, means: Array) -> Array:
        """Of one number a channel the mean of its group, for each channel of it."""
        groups = means.reshape((means.shape[0], self.num_groups, self.num_channels // self.num_groups))
        return jnp.broadcast_to(jnp.mean(groups, axis=-1, keepdims=True), groups.shape).reshape(means.shape)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"


class LocalResponseNorm(Module):
    """x / (k + alpha * the mean of squares in `size` neighbouring channels)**beta (Krizhevsky, Sutskever and Hinton, 2012). As in
    PyTorch, what is beyond the first and the last channel counts as zeros, and for an even size more channels before than behind.

    Inputs are [batch, ..., channels], or [batch, channels, ...] with data_format="channels_first".

    >>> import jitgrad.numpy as jnp
    >>> print(LocalResponseNorm(1, alpha=1.0, beta=1.0)(jnp.array([[1.0, 3.0]])))
    [[0.5 0.3]]
    """

    def __init__(
        self, size: Size, alpha: Real = 1e-4, beta: Real = 0.75, k: Real = 1.0, *, data_format: str = CHANNELS_LAST
    ) -> None:
        self.size = size_arg("nn.LocalResponseNorm", size, "size must be an integer")
        if self.size < 1:
            raise ArgumentError(f"nn.LocalResponseNorm: size must be 1 or more, got {size}")
        self.alpha, self.beta, self.k = alpha, beta, k
        self.data_format = check_format("nn.LocalResponseNorm", data_format)

    def __call__(self, x: Any) -> Array:
        value = real_arg("nn.LocalResponseNorm", x)
        if value.ndim < 2:
            self.refuse_input(images(0, self.data_format).replace("0", "channels"), value)
        axis = channel_axis(self.data_format, value.ndim)
        one = (1,) * value.ndim
        window = (*one[:axis], self.size, *one[axis + 1 :])
        around = [(0, 0)] * value.ndim
        around[axis] = (self.size // 2, (self.size - 1) // 2)
        squares = lax.reduce_window(jnp.square(value), 0, lax.add, window, one, around) / self.size
        return value / (self.k + self.alpha * squares) ** self.beta

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}, data_format={self.data_format!r}"
