"""Layers that multiply by a matrix of weights, or pick its rows: Linear, Dense, Embedding.

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

from .initializers import Initializer
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
        in_features: int | None,
        out_features: int,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
    ) -> None:
        self.out_features = size_arg("nn.Linear", out_features, "out_features must be an integer")
        self.start(in_features, key, bias, dtype, weight_init, bias_init)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype, weight_init, bias_init = options
        self.in_features = size_arg("nn.Linear", size, "in_features must be an integer")
        weight_key, bias_key = keys_for("nn.Linear", key, 2)
        shape = (self.in_features, self.out_features)
        if weight_init is None:
            self.weight = fan_in_uniform(weight_key, shape, dtype, self.in_features)
        else:
            self.weight = weight_init(weight_key, shape, dtype)
        if not bias:
            self.bias = None
        elif bias_init is None:
            self.bias = fan_in_uniform(bias_key, shape[1:], dtype, self.in_features)
        else:
            self.bias = bias_init(bias_key, shape[1:], dtype)

    def __call__(self, x: Any) -> Array:
        value = self.sized(x)
        if not value.ndim or value.shape[-1] != self.in_features:
            self.refuse_input(f"[..., {self.in_features}] (in_features={self.in_features})", value)
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
        num_embeddings: int,
        embedding_dim: int,
        *,
        key: Any = None,
        dtype: Any = None,
        weight_init: Initializer | None = None,
    ) -> None:
        self.num_embeddings = size_arg("nn.Embedding", num_embeddings, "num_embeddings must be an integer")
        self.embedding_dim = size_arg("nn.Embedding", embedding_dim, "embedding_dim must be an integer")
        (weight_key,) = keys_for("nn.Embedding", key, 1)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = random.normal(weight_key, shape, dtype) if weight_init is None else weight_init(weight_key, shape, dtype)

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
