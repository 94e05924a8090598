"""Layers of transformers: attention and a network for each token, each with a residual connection and a layer norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Amount, Count, Part, Size

from .activations import gelu, relu
from .dropout_layers import Dropout
from .linear import Linear, keys_for
from .module import Module
from .multi_head import KeyValueCache, MultiHeadAttention
from .normalization_layers import LayerNorm
from .sizes import layer_count

Activation = Callable[[Array], Array]


def exact_gelu(x: Any) -> Array:
    """gelu by its definition, as in PyTorch, whose "gelu" it is."""
    return gelu(x, approximate=False)


ACTIVATIONS: dict[str, Activation] = {"relu": relu, "gelu": exact_gelu}


class _TransformerLayer(Module):
    """What encoder and decoder layers share: residual blocks, and the network for each token."""

    blocks: int

    def __init__(
        self,
        d_model: Count,
        nhead: Size,
        dim_feedforward: Count = 2048,
        dropout: Part = 0.1,
        activation: str | Activation = "relu",
        layer_norm_eps: Amount = 1e-5,
        norm_first: bool = False,
        bias: bool = True,
        *,
        num_kv_heads: int | None = None,
        rotary: bool = False,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        where = f"nn.{type(self).__name__}"
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ArgumentError(f'{where}: activation must be "relu", "gelu" or a function, got {activation!r}')
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        keys = keys_for(where, key, 4)
        options: dict[str, Any] = dict(bias=bias, dtype=dtype)
        heads: dict[str, Any] = dict(num_kv_heads=num_kv_heads, dropout=dropout, **options)
        self.self_attn = MultiHeadAttention(d_model, nhead, rotary=rotary, key=keys[0], **heads)
        if self.blocks == 3:
            self.multihead_attn = MultiHeadAttention(d_model, nhead, key=keys[1], **heads)
        self.linear1 = Linear(d_model, dim_feedforward, key=keys[2], **options)
        self.linear2 = Linear(dim_feedforward, d_model, key=keys[3], **options)
        for n in range(1, self.blocks + 1):
            setattr(self, f"norm{n}", LayerNorm(d_model, layer_norm_eps, **options))
        self.dropout, self.norm_first = Dropout(dropout), bool(norm_first)

    def residual(self, x: Array, norm: LayerNorm, block: Callable[[Array], Array]) -> Array:
        """x and what a block makes of it, normalised before the block or behind the sum."""
        if self.norm_first:
            return x + self.dropout(block(norm(x)))
        return norm(x + self.dropout(block(x)))

    def feed_forward(self, x: Array) -> Array:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention, then a network of one hidden layer for each token: layer(x), [batch, time, d_model] to the same shape.

    nhead: heads of the attention; dim_feedforward: the hidden layer's width; activation: "relu", "gelu" (exact) or a function;
    dropout: of attention weights, hidden units and each block's result, in training. norm_first: normalise before the blocks
    instead of behind them. num_kv_heads and rotary are MultiHeadAttention's, and so are mask, bias and is_causal of the call. As
    PyTorch's layer with batch_first=True (Vaswani et al., 2017), but that a mask is True where a pair takes part.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = TransformerEncoderLayer(8, 2, 16, key=jitgrad.random.key(0))
    >>> layer(jnp.ones((3, 5, 8)), is_causal=True).shape
    (3, 5, 8)
    """

    blocks = 2

    def __call__(self, x: Any, *, mask: Any = None, bias: Any = None, is_causal: bool = False) -> Array:
        attention = lambda h: self.self_attn(h, mask=mask, bias=bias, is_causal=is_causal)
        return self.residual(self.residual(jnp.asarray(x), self.norm1, attention), self.norm2, self.feed_forward)

    def extend(self, x: Any, cache: KeyValueCache) -> tuple[Array, KeyValueCache]:
        """The next tokens of a sequence, which see themselves and those in the cache; and the cache with them: see
        `MultiHeadAttention.extend`.
        """
        grown = cache

        def attention(h: Array) -> Array:
            nonlocal grown
            out, grown = self.self_attn.extend(h, cache)
            return out

        seen = self.residual(jnp.asarray(x), self.norm1, attention)
        return self.residual(seen, self.norm2, self.feed_forward), grown


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to an encoder's result, then a network for each token: layer(x, memory), x [batch, time, d_model]
    and memory [batch, keys, d_model] to x's shape.

    Arguments are TransformerEncoderLayer's. mask and is_causal are those of the self-attention, memory_mask that of the attention
    to memory; they broadcast to [batch, heads, time, time] and [batch, heads, time, keys], and are True where a pair takes part.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = TransformerDecoderLayer(8, 2, 16, key=jitgrad.random.key(0))
    >>> layer(jnp.ones((3, 5, 8)), jnp.ones((3, 7, 8)), is_causal=True).shape
    (3, 5, 8)
    """

    blocks = 3

    def __call__(self, x: Any, memory: Any, *, mask: Any = None, memory_mask: Any = None, is_causal: bool = False) -> Array:
        attention = lambda h: self.self_attn(h, mask=mask, is_causal=is_causal)
        crossed = lambda h: self.multihead_attn(h, memory, mask=memory_mask)
        own = self.residual(jnp.asarray(x), self.norm1, attention)
        return self.residual(self.residual(own, self.norm2, crossed), self.norm3, self.feed_forward)


class _Stack(Module):
    layers: tuple[Any, ...]
    norm: Any

    def __init__(self, layers: Sequence[Module], norm: Module | None = None) -> None:
        if not isinstance(layers, (list, tuple)):
            raise ArgumentError(
                f"nn.{type(self).__name__}: layers must be a list of layers, each with parameters of its own, "
                f"got {type(layers).__name__}. Write [nn.{type(self).__name__}Layer(...) for _ in range(n)]."
            )
        self.layers, self.norm = tuple(layers), norm

    def __call__(self, x: Any, *args: Any, **options: Any) -> Array:
        for layer in self.layers:
            x = layer(x, *args, **options)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """Encoder layers one after another, and a last norm where one is given; the call's options go to each layer.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> model = TransformerEncoder([nn.TransformerEncoderLayer(8, 2, 16) for _ in range(3)], norm=nn.LayerNorm(8))
    >>> model(jnp.ones((2, 5, 8))).shape
    (2, 5, 8)
    """

    def cache(self, batch: int, max_length: int) -> tuple[KeyValueCache, ...]:
        """Empty caches of all layers, for sequences of at most max_length tokens."""
        return tuple(layer.self_attn.cache(batch, max_length) for layer in self.layers)

    def extend(self, x: Any, caches: Sequence[KeyValueCache]) -> tuple[Array, tuple[KeyValueCache, ...]]:
        """The next tokens of a sequence, which see themselves and those in the caches; and the caches with them."""
        grown = []
        for layer, cache in zip(self.layers, caches, strict=True):
            x, after = layer.extend(x, cache)
            grown.append(after)
        return x if self.norm is None else self.norm(x), tuple(grown)


class TransformerDecoder(_Stack):
    """Decoder layers one after another, and a last norm where one is given; memory and the call's options go to each layer.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> model = TransformerDecoder([nn.TransformerDecoderLayer(8, 2, 16) for _ in range(3)])
    >>> model(jnp.ones((2, 5, 8)), jnp.ones((2, 7, 8)), is_causal=True).shape
    (2, 5, 8)
    """


class Transformer(Module):
    """An encoder of source sequences and a decoder that sees its result (Vaswani et al., Attention is all you need, 2017):
    model(src, tgt), src [batch, keys, d_model] and tgt [batch, time, d_model], to tgt's shape. Each ends with a layer norm.

    num_encoder_layers and num_decoder_layers: how many; other arguments are `nn.TransformerEncoderLayer`'s. In a call src_mask,
    tgt_mask and memory_mask are the masks of the encoder, of the decoder's own attention and of that to the encoder's result, True
    where a pair takes part; tgt_is_causal: targets see none behind them. Embeddings and positions are the caller's.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> model = Transformer(8, 2, 1, 1, 16, key=jitgrad.random.key(0))
    >>> model(jnp.ones((3, 7, 8)), jnp.ones((3, 5, 8)), tgt_is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: Count = 512,
        nhead: Size = 8,
        num_encoder_layers: Count = 6,
        num_decoder_layers: Count = 6,
        dim_feedforward: Count = 2048,
        dropout: Part = 0.1,
        activation: str | Activation = "relu",
        layer_norm_eps: Amount = 1e-5,
        norm_first: bool = False,
        bias: bool = True,
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias)
        numbers = {"num_encoder_layers": num_encoder_layers, "num_decoder_layers": num_decoder_layers}
        counts = [layer_count("nn.Transformer", name, n, 0) for name, n in numbers.items()]
        keys = iter(keys_for("nn.Transformer", key, sum(counts)))
        encoder = [TransformerEncoderLayer(*options, key=next(keys), dtype=dtype) for _ in range(counts[0])]
        decoder = [TransformerDecoderLayer(*options, key=next(keys), dtype=dtype) for _ in range(counts[1])]
        norms = [LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype) for _ in range(2)]
        self.encoder, self.decoder = TransformerEncoder(encoder, norms[0]), TransformerDecoder(decoder, norms[1])

    def __call__(
        self,
        src: Any,
        tgt: Any,
        *,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_is_causal: bool = False,
    ) -> Array:
        memory = self.encoder(src, mask=src_mask)
        return self.decoder(tgt, memory, mask=tgt_mask, memory_mask=memory_mask, is_causal=tgt_is_causal)
