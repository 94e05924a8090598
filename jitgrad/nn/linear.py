"""Layers that multiply by a matrix of weights, or pick its rows: Linear, Dense, Bilinear, Embedding, EmbeddingBag.

Weights are [inputs, outputs], as `jitgrad.nn.initializers` makes them: PyTorch's, which are [outputs, inputs], transposed.
"""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.operands import size_arg
from jitgrad.random.generator import next_key
from jitgrad.ranges import Count

from .initializers import Initializer, made
from .module import Module
from .named import activation_arg, initializer_arg
from .sizes import Sized
from .torch_weights import Layout, plain, turned


def keys_for(where: str, key: Any, count: int) -> Any:
    """The keys of a layer's initial values: split from the one that it was given, or from one of the generator of `random.seed`."""
    return random.split(next_key(where) if key is None else key, count)


def fan_in_uniform(key: Any, shape: Any, dtype: Any, inputs: int) -> Array:
    """Uniform in +-1 / sqrt(inputs): what PyTorch's Linear and convolutions start from, weights and biases alike."""
    bound = 1 / math.sqrt(inputs) if inputs else 0.0
    return random.uniform(key, shape, dtype, -bound, bound)


class Linear(Sized):
    """x @ weight + bias, along the last axis of x: [..., in_features] to [..., out_features].

    in_features may be None: then the first input gives it (`nn.build`). weight is [in_features, out_features], bias [out_features]
    or None. Both start uniform in +-1 / sqrt(in_features), as PyTorch's; weight_init and bias_init are other initializers
    (`nn.initializers`). key: what the initial values are drawn from, by default a key of the generator that `random.seed` sets.
    dtype: of the parameters, `config.default_float` by default.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = Linear(3, 2, key=jitgrad.random.key(0))
    >>> layer(jnp.ones((5, 3))).shape
    (5, 2)
    """

    weight: Array
    bias: Array | None

    def __init__(
        self,
        in_features: Count | None,
        out_features: Count,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        self.out_features = size_arg("nn.Linear", out_features, "out_features must be an integer", 0)
        self.start(in_features, key, bias, dtype, weight_init, bias_init)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype, weight_init, bias_init = options
        self.in_features = size_arg("nn.Linear", size, "in_features must be an integer", 0)
        weight_key, bias_key = keys_for("nn.Linear", key, 2)
        shape = (self.in_features, self.out_features)
        if weight_init is None:
            self.weight = fan_in_uniform(weight_key, shape, dtype, self.in_features)
        else:
            self.weight = made("nn.Linear: weight_init", weight_init, weight_key, shape, dtype)
        if not bias:
            self.bias = None
        elif bias_init is None:
            self.bias = fan_in_uniform(bias_key, shape[1:], dtype, self.in_features)
        else:
            self.bias = made("nn.Linear: bias_init", bias_init, bias_key, shape[1:], dtype)

    def __call__(self, x: Any) -> Array:
        value = self.sized(x)
        if not value.ndim or value.shape[-1] != self.in_features:
            advice = "; of one number an example, x[:, None]" if self.in_features == 1 and value.ndim < 2 else ""
            self.refuse_input(f"[..., {self.in_features}] (in_features={self.in_features}{advice})", value)
        out = value @ self.weight
        return out if self.bias is None else out + self.bias

    def torch_layout(self) -> Layout:
        return {"weight": turned(self.weight), "bias": plain(self.bias)}

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Dense(Linear):
    """Keras' fully connected layer: activation(x @ weight + bias), [..., features] to [..., units]. The first input gives it its
    size: `nn.build`, `nn.apply` or `jitgrad.train`. `nn.Linear` is the layer whose two sizes are given.

    activation: a name of Keras', such as "relu", or a function. kernel_initializer, bias_initializer: names of Keras' or functions
    of `nn.initializers`. key and dtype: as `nn.Linear`'s. Raises ArgumentError for a name that is not known.

    >>> import jitgrad
    >>> from jitgrad import nn
    >>> nn.build(Dense(10, activation="relu"), (1, 4), key=jitgrad.random.key(0)).weight.shape
    (4, 10)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(activation, int):
            raise ArgumentError(
                f"nn.Dense: takes the number of units and an activation, got {units} and {activation}. The layer that takes both "
                f"sizes is nn.Linear({units}, {activation}); nn.Dense({activation}) finds the first in its input."
            )
        self.activation = activation_arg("nn.Dense", activation)
        weight_init = initializer_arg("nn.Dense", "kernel_initializer", kernel_initializer)
        bias_init = initializer_arg("nn.Dense", "bias_initializer", bias_initializer)
        super().__init__(None, units, use_bias, key=key, dtype=dtype, weight_init=weight_init, bias_init=bias_init)

    def __call__(self, x: Any) -> Any:
        out = super().__call__(x)
        return out if self.activation is None else self.activation(out)


class Bilinear(Module):
    """For each output the sum of products of two inputs' features, by a matrix of weights, plus bias: [..., in1_features] and
    [..., in2_features] to [..., out_features].

    weight is [out_features, in1_features, in2_features], as PyTorch's, bias [out_features] or None; both start uniform in
    +-1 / sqrt(in1_features). key and dtype: as `nn.Linear`'s. Raises ShapeError for inputs of other shapes.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = Bilinear(3, 4, 2, key=jitgrad.random.key(0))
    >>> layer(jnp.ones((5, 3)), jnp.ones((5, 4))).shape
    (5, 2)
    """

    weight: Array
    bias: Array | None

    def __init__(
        self,
        in1_features: Count,
        in2_features: Count,
        out_features: Count,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        where = "nn.Bilinear"
        self.in1_features = size_arg(where, in1_features, "in1_features must be an integer", 0)
        self.in2_features = size_arg(where, in2_features, "in2_features must be an integer", 0)
        self.out_features = size_arg(where, out_features, "out_features must be an integer", 0)
        weight_key, bias_key = keys_for(where, key, 2)
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = fan_in_uniform(weight_key, shape, dtype, self.in1_features)
        self.bias = fan_in_uniform(bias_key, shape[:1], dtype, self.in1_features) if bias else None

    def __call__(self, x: Any, y: Any) -> Array:
        first, second = jnp.asarray(x), jnp.asarray(y)
        for value, size, name in ((first, self.in1_features, "in1_features"), (second, self.in2_features, "in2_features")):
            if not value.ndim or value.shape[-1] != size or value.shape[:-1] != first.shape[:-1]:
                self.refuse_input(f"[..., {size}] ({name}={size}), both with the same axes before the last", value)
        out = jnp.einsum("...i,oij,...j->...o", first, self.weight, second)
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """Rows of a table by their numbers: integers [...] to vectors [..., embedding_dim].

    weight is [num_embeddings, embedding_dim]; it starts normal, of variance 1, as PyTorch's, or by weight_init. A number outside
    gives NaNs, as `jnp.take` does. `attend` multiplies by the table's transpose: the output of a language model with tied weights.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> table = Embedding(10, 4, key=jitgrad.random.key(0))
    >>> vectors = table(jnp.array([[1, 2, 3]]))
    >>> vectors.shape, table.attend(vectors).shape
    ((1, 3, 4), (1, 3, 10))
    """

    weight: Array

    def __init__(
        self,
        num_embeddings: Count,
        embedding_dim: Count,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
    ) -> None:
        self.num_embeddings = size_arg("nn.Embedding", num_embeddings, "num_embeddings must be an integer", 0)
        self.embedding_dim = size_arg("nn.Embedding", embedding_dim, "embedding_dim must be an integer", 0)
        (weight_key,) = keys_for("nn.Embedding", key, 1)
        shape = (self.num_embeddings, self.embedding_dim)
        if weight_init is None:
            self.weight = random.normal(weight_key, shape, dtype)
        else:
            self.weight = made("nn.Embedding: weight_init", weight_init, weight_key, shape, dtype)

    def __call__(self, indices: Any) -> Array:
        value = jnp.asarray(indices)
        if value.dtype.kind not in "iu":
            self.refuse_input("an array of integers, the rows' numbers", value)
        return jnp.take(self.weight, value, axis=0)

    def attend(self, x: Any) -> Array:
        """x [..., embedding_dim] by each row of the table: [..., num_embeddings]."""
        value = jnp.asarray(x)
        if not value.ndim or value.shape[-1] != self.embedding_dim:
            self.refuse_input(f"[..., {self.embedding_dim}] (embedding_dim={self.embedding_dim})", value)
        return value @ self.weight.T

    def extra_repr(self) -> str:
        return f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}"


class EmbeddingBag(Embedding):
    """The sums, means or maxima of rows of a table: numbers of rows [batch, count] to [batch, embedding_dim].

    mode: "mean", "sum" or "max". padding_idx: the number that stands for no row; of none, the result is 0. In a call, weights
    [batch, count] are what rows are multiplied by, with mode "sum". The rest is `nn.Embedding`'s. Raises ShapeError for inputs of
    another shape, ArgumentError for other modes.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> bag = EmbeddingBag(10, 4, mode="sum", padding_idx=0, key=jitgrad.random.key(0))
    >>> print(jnp.allclose(bag(jnp.array([[3, 5, 0]]))[0], bag.weight[3] + bag.weight[5]))
    True
    """

    def __init__(
        self,
        num_embeddings: Count,
        embedding_dim: Count,
        mode: str = "mean",
        padding_idx: int | None = None,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
    ) -> None:
        if mode not in ("mean", "sum", "max"):
            raise ArgumentError(f"nn.EmbeddingBag: mode must be 'mean', 'sum' or 'max', got {mode!r}")
        super().__init__(num_embeddings, embedding_dim, key=key, dtype=dtype, weight_init=weight_init)
        self.mode, self.padding_idx = mode, padding_idx

    def __call__(self, indices: Any, weights: Any = None) -> Array:
        value = jnp.asarray(indices)
        if value.ndim != 2:
            self.refuse_input("[batch, count], the rows' numbers", value)
        if weights is not None and (self.mode != "sum" or jnp.shape(weights) != value.shape):
            raise ArgumentError(
                f"nn.EmbeddingBag: weights are for mode='sum', of the shape {value.shape} of the indices, got {jnp.shape(weights)} "
                f"with mode={self.mode!r}"
            )
        rows = super().__call__(value)
        there = jnp.ones(value.shape, bool) if self.padding_idx is None else value != self.padding_idx
        if self.mode == "max":
            largest = jnp.max(jnp.where(there[..., None], rows, -jnp.inf), axis=1, initial=-jnp.inf)
            return jnp.where(jnp.any(there, axis=1, keepdims=True), largest, 0)
        rows = rows if weights is None else rows * jnp.asarray(weights)[..., None]
        total = jnp.sum(jnp.where(there[..., None], rows, 0), axis=1)
        return total if self.mode == "sum" else total / jnp.maximum(jnp.sum(there, axis=1, keepdims=True), 1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, mode={self.mode!r}, padding_idx={self.padding_idx}"
