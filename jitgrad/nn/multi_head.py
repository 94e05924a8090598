"""Multi-head attention as a layer, with a cache of keys and values for generation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import lax, random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.operands import inexact_arg, size_arg
from jitgrad.ranges import Count, Part, Size

from . import initializers
from .attention import attend
from .linear import Linear, keys_for
from .positions import rotary_embedding
from .sizes import Sized
from .torch_weights import Layout, plain, turned


class KeyValueCache(NamedTuple):
    """Keys and values [batch, max_length, heads, features] of the first `length` tokens of a sequence that is being generated."""

    key: Array
    value: Array
    length: Array


class MultiHeadAttention(Sized):
    """Attention of num_heads heads between linear maps (Vaswani et al., Attention is all you need, 2017): layer(query, key, value).

    query is [batch, time, embed_dim], key [batch, keys, kdim] and value [batch, keys, vdim], all without batch, too; the result has
    query's shape. By default key is query and value is key. Features are split into heads in order.

    num_kv_heads: so many heads of keys and values, which num_heads / num_kv_heads heads of queries share. rotary: turn queries and
    keys by their positions (`nn.rotary_embedding`), for attention of a sequence to itself. dropout: the probability by which, in
    training, a weight becomes 0. bias=False leaves biases out. kdim, vdim: embed_dim by default.

    mask: booleans that broadcast to [batch, heads, time, keys], True where a pair takes part (PyTorch's say the opposite). bias:
    numbers that are added to the scores, of that shape. is_causal: token t sees tokens 0 to t. Raises ShapeError for inputs that do
    not fit, ArgumentError where embed_dim or heads do not divide.

    Initial values are PyTorch's: Glorot's uniform ones, and biases 0. There is one matrix each for `query`, `key`, `value`, `out`.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = MultiHeadAttention(8, 2, key=jitgrad.random.key(0))
    >>> x = jnp.ones((3, 5, 8))
    >>> layer(x, is_causal=True).shape
    (3, 5, 8)
    >>> out, cache = layer.extend(x, layer.cache(3, max_length=10))
    >>> out.shape, int(cache.length)
    ((3, 5, 8), 5)
    """

    def __init__(
        self,
        embed_dim: Count | None,
        num_heads: Size,
        *,
        num_kv_heads: Size | None = None,
        dropout: Part = 0.0,
        bias: bool = True,
        rotary: bool = False,
        kdim: Count | None = None,
        vdim: Count | None = None,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        where = "nn.MultiHeadAttention"
        self.num_heads = size_arg(where, num_heads, "num_heads must be an integer", 1)
        shared = num_heads if num_kv_heads is None else num_kv_heads
        self.num_kv_heads = size_arg(where, shared, "num_kv_heads must be an integer", 1)
        if self.num_heads % self.num_kv_heads:
            raise ArgumentError(f"{where}: num_heads must be a multiple of num_kv_heads, got {num_heads} and {num_kv_heads}")
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"{where}: dropout is a probability, from 0 to 1, got {dropout}")
        self.dropout, self.rotary = float(dropout), bool(rotary)
        self.start(embed_dim, key, bias, kdim, vdim, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, kdim, vdim, dtype = options
        where = "nn.MultiHeadAttention"
        self.embed_dim = embed_dim = size_arg(where, size, "embed_dim must be an integer", 0)
        if embed_dim % self.num_heads:
            raise ArgumentError(f"{where}: embed_dim must be a multiple of num_heads, got {embed_dim} and {self.num_heads}")
        self.head_dim = embed_dim // self.num_heads
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        shared = self.num_kv_heads * self.head_dim
        keys = keys_for(where, key, 4)
        packed = initializers.variance_scaling(0.5, "fan_avg", "uniform")  # Glorot's, of the three matrices as one
        alone = initializers.glorot_uniform()
        entry = packed if kdim == vdim == embed_dim else alone
        shared_options = dict(bias=bias, dtype=dtype, bias_init=initializers.zeros)
        self.query = Linear(embed_dim, embed_dim, key=keys[0], weight_init=entry, **shared_options)
        self.key = Linear(kdim, shared, key=keys[1], weight_init=entry, **shared_options)
        self.value = Linear(vdim, shared, key=keys[2], weight_init=entry, **shared_options)
        self.out = Linear(embed_dim, embed_dim, key=keys[3], **shared_options)

    def __call__(
        self,
        query: Any,
        key: Any = None,
        value: Any = None,
        *,
        mask: Any = None,
        bias: Any = None,
        is_causal: bool = False,
    ) -> Array:
        key = query if key is None else key
        queries, keys, values = self._projected(query, key, key if value is None else value)
        if self.rotary:
            queries, keys = rotary_embedding(queries), rotary_embedding(keys)
        return self._attended(queries, keys, values, bias=bias, mask=mask, is_causal=is_causal)

    def cache(self, batch: int, max_length: int, dtype: Any = None) -> KeyValueCache:
        """An empty cache for sequences of at most max_length tokens, for `extend`."""
        shape = (batch, max_length, self.num_kv_heads, self.head_dim)
        kind = self.query.weight.dtype if dtype is None else dtype
        return KeyValueCache(jnp.zeros(shape, kind), jnp.zeros(shape, kind), jnp.array(0))

    def extend(self, x: Any, cache: KeyValueCache) -> tuple[Array, KeyValueCache]:
        """The causal attention of the next tokens [batch, time, embed_dim] of a sequence to themselves and those in the cache; and
        the cache with them. Results are NaN where the cache is too short for all of them.
        """
        queries, keys, values = self._projected(x, x, x)
        time, size = queries.shape[1], cache.key.shape[1]
        if queries.ndim != 4 or queries.shape[0] != cache.key.shape[0] or time > size:
            expected = f"[{cache.key.shape[0]}, time, {self.embed_dim}] of at most {size} tokens, as the cache is"
            self.refuse_input(expected, jnp.asarray(x))
        at = cache.length + jnp.arange(time)
        if self.rotary:
            queries, keys = rotary_embedding(queries, at), rotary_embedding(keys, at)
        held = lax.dynamic_update_slice_in_dim(cache.key, keys.astype(cache.key.dtype), cache.length, axis=1)
        seen = lax.dynamic_update_slice_in_dim(cache.value, values.astype(cache.value.dtype), cache.length, axis=1)
        end = cache.length + time
        out = self._attended(queries, held.astype(queries.dtype), seen.astype(queries.dtype), mask=jnp.arange(size) <= at[:, None])
        return jnp.where(end <= size, out, math.nan), KeyValueCache(held, seen, end)

    def _projected(self, query: Any, key: Any, value: Any) -> tuple[Array, Array, Array]:
        """Queries, keys and values by heads."""
        q, k, v = (inexact_arg("nn.MultiHeadAttention", x) for x in (query, key, value))
        self.sized(q)
        if q.ndim not in (2, 3):
            self.refuse_input(f"[batch, time, {self.embed_dim}] or [time, {self.embed_dim}]", q)
        parts = self.query(q), self.key(k), self.value(v)
        heads = self.num_heads, self.num_kv_heads, self.num_kv_heads
        split = [p.reshape(*p.shape[:-1], n, self.head_dim) for p, n in zip(parts, heads, strict=True)]
        return split[0], split[1], split[2]

    def _attended(self, queries: Array, keys: Array, values: Array, **options: Any) -> Array:
        kept = None
        if self.training and self.dropout:
            batch = queries.shape[:-3]
            shape = (*batch, self.num_heads, queries.shape[-3], keys.shape[-3])
            kept = random.bernoulli(self.next_key(), jnp.float32(1 - self.dropout), shape)
        out = attend("nn.MultiHeadAttention", queries, keys, values, kept=kept, keep_rate=1 - self.dropout, **options)
        return self.out(out.reshape(*out.shape[:-2], self.embed_dim))

    def torch_layout(self) -> Layout:
        layers = self.query, self.key, self.value
        packed = self.key.in_features == self.value.in_features == self.embed_dim
        weights = {f"{n}_proj_weight": turned(layer.weight) for n, layer in zip("qkv", layers, strict=True)}
        return {
            **({"in_proj_weight": turned(*(layer.weight for layer in layers))} if packed else weights),
            "in_proj_bias": plain(*(layer.bias for layer in layers)),
            **{f"out_proj.{name}": tensor for name, tensor in self.out.torch_layout().items()},
        }

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, num_kv_heads={self.num_kv_heads}, dropout={self.dropout}"
