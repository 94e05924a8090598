"""Layers of every model: Dense, Embedding, activations, dropout, and those that give their input another shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import new_class
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import nn, random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn import activations
from jitgrad.nn.linear import keys_for
from jitgrad.nn.named import activation_arg, initializer_arg
from jitgrad.nn.unbuilt import is_unbuilt
from jitgrad.normalization import softmax
from jitgrad.ranges import Amount, Count, Part, Real, Size

from ..activations import relu
from .base import Layer, format_of


class InputLayer(Layer):
    """The shape of an example, of what a model begins with; x as it is.

    >>> InputLayer((28, 28)).input_shape
    (28, 28)
    """

    def __init__(self, shape: Sequence[Count | None] | None = None, batch_size: Size | None = None, **options: Any) -> None:
        given = options if shape is None else {**options, "input_shape": shape}
        self.take(given)
        if self.input_shape is None:
            raise ArgumentError(f"{self.where}: give the shape of an example: InputLayer(shape=(28, 28, 1))")

    def call(self, inputs: Any) -> Any:
        return inputs


class Dense(Layer, nn.Dense):
    """activation(x @ weight + bias) along the last axis, [..., features] to [..., units].

    >>> from jitgrad import nn
    >>> nn.build(Dense(10, activation="relu"), (1, 4)).weight.shape
    (4, 10)
    """

    def __init__(
        self,
        units: Count,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, kernel_regularizer="weight", bias_regularizer="bias")
        nn.Dense.__init__(self, units, activation, use_bias, kernel_initializer, bias_initializer, key=key, dtype=dtype)

    @property
    def kernel(self) -> Array:
        """Keras' name of the weight."""
        return self.weight


class Embedding(Layer, nn.Embedding):
    """Rows of a table [input_dim, output_dim] by their numbers: [...] to [..., output_dim].

    Numbers may be floats, as those of a table of data are. mask_zero=True is refused: give recurrent layers the lengths instead.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        *,
        mask_zero: bool = False,
        input_length: Size | None = None,
        key: Any = None,
        **options: Any,
    ) -> None:
        if mask_zero:
            raise ArgumentError(
                f"{self.where}: mask_zero=True is not there: no layer behind it would know of the mask. nn.LSTM, nn.GRU and nn.RNN "
                "take lengths=, of sequences whose end is padded."
            )
        dtype = self.take(options, embeddings_regularizer="weight")
        init = initializer_arg(self.where, "embeddings_initializer", embeddings_initializer)
        nn.Embedding.__init__(self, input_dim, output_dim, key=key, dtype=dtype, weight_init=init)

    def call(self, inputs: Any) -> Array:
        numbers = jnp.asarray(inputs)
        return nn.Embedding.__call__(self, numbers.astype("int32") if numbers.dtype.kind == "f" else numbers)


class Activation(Layer):
    """A function of each element, or a name of one.

    >>> print(Activation("relu")(jnp.array([-1.0, 2.0])))
    [0. 2.]
    """

    def __init__(self, activation: Any, **options: Any) -> None:
        self.take(options)
        self.activation = activation_arg(self.where, activation)

    def call(self, inputs: Any) -> Any:
        return inputs if self.activation is None else self.activation(inputs)


class ReLU(Layer):
    """max(x, 0), of x above the threshold, at most max_value; below the threshold negative_slope * (x - threshold)."""

    def __init__(self, max_value: float | None = None, negative_slope: Real = 0.0, threshold: float = 0.0, **options: Any) -> None:
        self.take(options)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        return relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """x where it is positive, else negative_slope * x."""

    def __init__(self, negative_slope: Real = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        self.take(options)
        self.negative_slope = float(negative_slope)

    def call(self, inputs: Any) -> Array:
        return activations.leaky_relu(inputs, self.negative_slope)


class ELU(Layer):
    """x where it is positive, else alpha * (exp(x) - 1)."""

    def __init__(self, alpha: Real = 1.0, **options: Any) -> None:
        self.take(options)
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Array:
        return activations.elu(inputs, self.alpha)


class PReLU(Layer):
    """x where it is positive, else alpha * x with an alpha of each place, which is learned; shared along shared_axes."""

    def __init__(
        self, alpha_initializer: Any = "zeros", *, shared_axes: int | Sequence[int] | None = None, key: Any = None, **options: Any
    ) -> None:
        dtype = self.take(options, alpha_regularizer="alpha")
        shared = (shared_axes,) if isinstance(shared_axes, int) else tuple(shared_axes or ())
        self.start(None, key, initializer_arg(self.where, "alpha_initializer", alpha_initializer), shared, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        init, shared, dtype = options
        (own,) = keys_for(self.where, key, 1)
        self.alpha = init(own, tuple(1 if a + 1 in shared else n for a, n in enumerate(size)), dtype)

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        if is_unbuilt(self):
            self.found(x.shape[1:])
        return jnp.where(x > 0, x, self.alpha * x)


class Softmax(Layer):
    """exp(x) / sum(exp(x)) along an axis, or several."""

    def __init__(self, axis: int | Sequence[int] = -1, **options: Any) -> None:
        self.take(options)
        self.axis = axis if isinstance(axis, int) else tuple(axis)

    def call(self, inputs: Any) -> Array:
        return softmax(inputs, axis=self.axis)


class Dropout(Layer, nn.Dropout):
    """In training each element is 0 with this probability, else divided by 1 - rate. noise_shape: 1 for axes that share draws."""

    def __init__(
        self, rate: Part, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **options: Any
    ) -> None:
        self.take(options)
        nn.Dropout.__init__(self, rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def drawn(self, x: Array) -> tuple[int, ...]:
        if self.noise_shape is None:
            return x.shape
        return tuple(n if m is None else m for n, m in zip(x.shape, self.noise_shape, strict=True))


def _spatial(rank: int) -> type[Layer]:
    base: Any = getattr(nn, f"Dropout{rank}d")

    def __init__(self: Any, rate: Part, seed: int | None = None, data_format: str | None = None, **options: Any) -> None:
        self.take(options)
        base.__init__(self, rate, data_format=format_of(data_format))

    body = {"__init__": __init__, "__doc__": f"`nn.Dropout{rank}d`: in training whole channels become 0.", "__module__": __name__}
    made: type[Layer] = new_class(f"SpatialDropout{rank}D", (Layer, base), exec_body=lambda namespace: namespace.update(body))
    return made


SpatialDropout1D, SpatialDropout2D, SpatialDropout3D = map(_spatial, (1, 2, 3))


class GaussianNoise(Layer):
    """In training x plus normal draws of this standard deviation."""

    def __init__(self, stddev: Amount, seed: int | None = None, **options: Any) -> None:
        self.take(options)
        self.stddev = float(stddev)

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        return x + self.stddev * random.normal(self.next_key(), x.shape, x.dtype) if self.training else x


class Flatten(Layer):
    """All axes behind the batch's as one, channels varying fastest: data_format="channels_first" has them second before.

    >>> Flatten()(jnp.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        self.take(options)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ArgumentError(f"{self.where}: data_format must be 'channels_last' or 'channels_first', got {data_format!r}")
        self.channels_first = data_format == "channels_first"

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        if self.channels_first and x.ndim > 2:
            x = jnp.moveaxis(x, 1, -1)
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(Layer):
    """Each example in another shape, of which one size may be -1.

    >>> Reshape((2, -1))(jnp.ones((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape: Any, **options: Any) -> None:
        self.take(options)
        self.target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        size, fixed = math.prod(x.shape[1:]), math.prod(n for n in self.target_shape if n != -1)
        if size != fixed and not (-1 in self.target_shape and fixed and size % fixed == 0):
            self.refuse_input(f"of examples that have the shape {list(self.target_shape)}", x)
        return x.reshape(x.shape[0], *self.target_shape)


class Permute(Layer):
    """The axes of each example in another order, counted from 1."""

    def __init__(self, dims: Any, **options: Any) -> None:
        self.take(options)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(f"{self.where}: dims must be the numbers from 1 on in some order, got {dims}")

    def call(self, inputs: Any) -> Array:
        return jnp.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Each vector n times: [batch, features] to [batch, n, features]."""

    def __init__(self, n: Size, **options: Any) -> None:
        self.take(options)
        self.n = n

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        if x.ndim != 2:
            self.refuse_input("[batch, features]", x)
        return jnp.broadcast_to(x[:, None], (x.shape[0], self.n, x.shape[1]))


class Lambda(Layer):
    """A function as a layer. Arrays that it closes over are constants."""

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None, arguments: Any = None, **options: Any
    ) -> None:
        self.take(options)
        self.function, self.arguments = function, dict(arguments or {})

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, **self.arguments)


class Identity(Layer):
    """x as it is."""

    def call(self, inputs: Any) -> Any:
        return inputs


class Rescaling(Layer):
    """x * scale + offset, of numbers of any type.

    >>> print(Rescaling(1 / 255)(jnp.array([0, 255], dtype="uint8")))
    [0. 1.]
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        self.take(options)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        x = x if x.dtype.kind == "f" else x.astype(float)
        return x * self.scale + self.offset
