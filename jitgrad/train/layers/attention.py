"""Attention by Keras' names: MultiHeadAttention, whose heads have a width of their own, and attention without weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import nn, random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn.attention import attend
from jitgrad.nn.linear import keys_for
from jitgrad.nn.named import initializer_arg
from jitgrad.nn.unbuilt import is_unbuilt
from jitgrad.operands import shape_arg
from jitgrad.ranges import Part, Size

from .base import Layer


class MultiHeadAttention(Layer):
    """Attention of num_heads heads of width key_dim between linear maps: layer(query, value, key=value).

    query is [batch, time, features], value and key [batch, keys, ...]; the result is [batch, time, features], or has output_shape,
    a size or several, behind batch and time.
    value_dim: the width of values, key_dim by default. dropout: of the weights, in training. attention_mask: bools [batch, time,
    keys], True where a pair takes part. use_causal_mask: step t sees steps 0 to t.

    >>> from jitgrad import nn
    >>> layer = nn.build(MultiHeadAttention(num_heads=2, key_dim=3), (1, 5, 8), (1, 5, 8))
    >>> layer(jnp.ones((4, 5, 8)), jnp.ones((4, 5, 8))).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        num_heads: Size,
        key_dim: Size,
        value_dim: Size | None = None,
        dropout: Part = 0.0,
        use_bias: bool = True,
        output_shape: Size | Sequence[Size] | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options)
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"{self.where}: dropout must be a probability, got {dropout}")
        self.num_heads, self.key_dim = num_heads, key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.dropout = float(dropout)
        self.outputs = () if output_shape is None else shape_arg(self.where, output_shape)
        made = {
            "bias": use_bias,
            "dtype": dtype,
            "weight_init": initializer_arg(self.where, "kernel_initializer", kernel_initializer),
            "bias_init": initializer_arg(self.where, "bias_initializer", bias_initializer),
        }
        self.start(None, key, made)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        ((features, keys_features, value_features), (made,)) = size, options
        keys = keys_for(self.where, key, 4)
        of_keys, of_values = self.num_heads * self.key_dim, self.num_heads * self.value_dim
        self.query = nn.Linear(features, of_keys, key=keys[0], **made)
        self.key = nn.Linear(keys_features, of_keys, key=keys[1], **made)
        self.value = nn.Linear(value_features, of_values, key=keys[2], **made)
        self.outputs = self.outputs or (features,)
        self.out = nn.Linear(of_values, math.prod(self.outputs), key=keys[3], **made)

    def call(self, query: Any, value: Any, key: Any = None, attention_mask: Any = None, use_causal_mask: bool = False) -> Array:
        q, v = jnp.asarray(query), jnp.asarray(value)
        k = v if key is None else jnp.asarray(key)
        for x in (q, v, k):
            if x.ndim != 3:
                self.refuse_input("[batch, time, features]", x)
        if is_unbuilt(self):
            self.found((q.shape[-1], k.shape[-1], v.shape[-1]))
        queries, keys, values = (
            layer(x).reshape(*x.shape[:2], self.num_heads, -1) for layer, x in ((self.query, q), (self.key, k), (self.value, v))
        )
        kept = None
        if self.training and self.dropout:
            shape = (q.shape[0], self.num_heads, q.shape[1], k.shape[1])
            kept = random.bernoulli(self.next_key(), jnp.float32(1 - self.dropout), shape)
        mask = None
        if attention_mask is not None:
            mask = jnp.asarray(attention_mask).astype(bool)
            mask = mask[:, None] if mask.ndim == 3 else mask
        width = max(self.key_dim, self.value_dim)  # zeros beside features change neither scores nor values
        queries, keys, values = (
            x if x.shape[-1] == width else jnp.pad(x, [(0, 0)] * 3 + [(0, width - x.shape[-1])]) for x in (queries, keys, values)
        )
        out = attend(
            self.where, queries, keys, values, mask=mask, scale=self.key_dim**-0.5, is_causal=use_causal_mask, kept=kept,
            keep_rate=1 - self.dropout,
        )  # fmt: skip
        mapped = self.out(out[..., : self.value_dim].reshape(*out.shape[:2], -1))
        return mapped.reshape(*mapped.shape[:2], *self.outputs)


class Attention(Layer):
    """softmax(query @ key.T) @ value of the list [query, value] or [query, value, key], each [batch, time, features].

    use_scale is refused; nn.dot_product_attention divides by the root of the features' number.
    """

    def __init__(self, use_scale: bool = False, score_mode: str = "dot", dropout: Part = 0.0, **options: Any) -> None:
        self.take(options)
        if use_scale or score_mode != "dot" or dropout:
            raise ArgumentError(f"{self.where}: use_scale, score_mode and dropout are not there; MultiHeadAttention has weights.")

    def call(self, inputs: Any, use_causal_mask: bool = False) -> Array:
        query, value = (jnp.asarray(x) for x in inputs[:2])
        key = value if len(inputs) == 2 else jnp.asarray(inputs[2])
        heads = (x[:, :, None] for x in (query, key, value))
        found: Array = attend(self.where, *heads, scale=1.0, is_causal=use_causal_mask)
        return found[:, :, 0]
