"""GPT-2: a transformer that guesses the next token, and writes text by it."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import jit, lax, nn, random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn import initializers
from jitgrad.nn.sizes import layer_count
from jitgrad.nn.torch_weights import Layout, as_numpy, plain
from jitgrad.operands import size_arg
from jitgrad.random.generator import next_key
from jitgrad.ranges import Part, Size

_MASK = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
"""Buffers of files of Hugging Face's, which say that attention is causal."""


class GPT(nn.Module):
    """GPT-2 (Radford et al., Language models are unsupervised multitask learners, 2019): tokens [batch, time], integers below
    vocab_size, to logits [batch, time, vocab_size] of the token behind each one.

    context: the most tokens that it sees; width: features of a token; layers, heads: how many. The embedding of tokens is the
    output's matrix, too. dropout: the probability by which, in training, embeddings, attention weights, hidden units and results of
    blocks become 0. GPT() is GPT-2 small, of 124,439,808 parameters; `io.load_torch(model, path)` takes published weights by their
    names ("wte.weight", "h.0.attn.c_attn.weight", ...). Weights start normal, of deviation 0.02, those at the end of residual
    blocks of 0.02 / sqrt(2 * layers), and biases 0.

    >>> import jitgrad
    >>> model = GPT(vocab_size=50, context=8, width=16, layers=2, heads=2, key=jitgrad.random.key(0))
    >>> model.generate(jitgrad.numpy.array([[3, 1, 4]]), 5).shape
    (1, 8)
    """

    def __init__(
        self,
        vocab_size: Size = 50257,
        context: Size = 1024,
        width: Size = 768,
        layers: Size = 12,
        heads: Size = 12,
        *,
        dropout: Part = 0.0,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        self.vocab_size, self.context = vocab_size, size_arg("models.GPT", context, "context must be an integer")
        root = next_key("models.GPT") if key is None else key
        normal = initializers.normal(0.02)
        layers = layer_count("models.GPT", "layers", layers)
        first, second, *rest = random.split(root, 2 + 5 * layers)
        self.wte = nn.Embedding(vocab_size, width, key=first, weight_init=normal, dtype=dtype)
        self.wpe = nn.Embedding(context, width, key=second, weight_init=normal, dtype=dtype)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.TransformerEncoder(
            [_block(width, heads, dropout, rest[5 * i : 5 * i + 5], layers, dtype) for i in range(layers)],
            nn.LayerNorm(width, dtype=dtype),
        )

    def __call__(self, tokens: Any) -> Array:
        x = self._embedded(tokens, 0)
        return self.wte.attend(self.blocks(x, is_causal=True))

    def _embedded(self, tokens: Any, start: Any) -> Array:
        """The vectors of tokens whose first one stands at `start`."""
        value = jnp.asarray(tokens)
        if value.ndim != 2 or value.shape[1] > self.context:
            self.refuse_input(f"[batch, time], of at most {self.context} tokens (context={self.context})", value)
        return self.dropout(self.wte(value) + self.wpe(start + jnp.arange(value.shape[1])))

    def generate(self, tokens: Any, count: int, *, key: Any = None, temperature: float = 1.0, top_k: int | None = None) -> Array:
        """tokens [batch, time], and `count` more behind them: [batch, time + count].

        Without a key each is the most probable one. With a key it is drawn from softmax(logits / temperature), of the top_k most
        probable ones where top_k is given. The model sees each token once (a cache has the keys and values of those before). Where
        these are more than the context, it goes on from the last half of a context. Raises ArgumentError for tokens that are none,
        or more than the context.
        """
        given = jnp.asarray(tokens)
        count = size_arg("GPT.generate", count, "count must be an integer")
        if given.ndim != 2 or not 1 <= given.shape[1] <= self.context:
            raise ArgumentError(
                f"GPT.generate: tokens must be [batch, time], of 1 to {self.context} tokens (context={self.context}), "
                f"got shape {given.shape}"
            )
        if not temperature > 0:
            raise ArgumentError(f"GPT.generate: temperature must be positive, got {temperature}. Leave key out for the best token.")
        if top_k is not None and not 1 <= top_k <= self.vocab_size:
            raise ArgumentError(f"GPT.generate: top_k must be from 1 to vocab_size={self.vocab_size}, got {top_k}")
        out, end = given, given.shape[1] + count
        while out.shape[1] < end:
            seen = out if out.shape[1] <= self.context else out[:, -max(self.context // 2, 1) :]
            more = min(end - out.shape[1], self.context + 1 - seen.shape[1])
            drawn = key if key is None or out is given else random.fold_in(key, out.shape[1])
            out = jnp.concatenate([out, _generate(self, seen, drawn, temperature, more, top_k)], axis=1)
        return out

    def next_logits(self, tokens: Array, caches: Any) -> tuple[Array, Any]:
        """The logits [batch, vocab_size] of what comes behind the next tokens, and the caches with these."""
        x, caches = self.blocks.extend(self._embedded(tokens, caches[0].length), caches)
        return self.wte.attend(x[:, -1]), caches

    def torch_layout(self) -> Layout:
        layout = {"wte.weight": plain(self.wte.weight), "wpe.weight": plain(self.wpe.weight)}
        for i, block in enumerate(self.blocks.layers):
            attention = block.self_attn
            projections = attention.query, attention.key, attention.value
            layout[f"h.{i}.attn.c_attn.weight"] = plain(*(p.weight for p in projections), axis=1)
            layout[f"h.{i}.attn.c_attn.bias"] = plain(*(p.bias for p in projections))
            for part, name in (
                (attention.out, "attn.c_proj"), (block.linear1, "mlp.c_fc"), (block.linear2, "mlp.c_proj"),
                (block.norm1, "ln_1"), (block.norm2, "ln_2"),
            ):  # fmt: skip
                layout |= {f"h.{i}.{name}.weight": plain(part.weight), f"h.{i}.{name}.bias": plain(part.bias)}
        norm = self.blocks.norm
        return layout | {"ln_f.weight": plain(norm.weight), "ln_f.bias": plain(norm.bias)}

    def torch_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Published weights, which may have "transformer." in front of names, masks, and the output's matrix a second time.

        Raises ArgumentError where that is another matrix than the embedding of tokens.
        """
        named = {name.removeprefix("transformer."): x for name, x in state.items()}
        named = {name: x for name, x in named.items() if not _MASK.fullmatch(name)}
        output = named.pop("lm_head.weight", None)
        table = named.setdefault("wte.weight", output) if output is not None else None
        if table is not output and not np.array_equal(as_numpy(table), as_numpy(output)):
            raise ArgumentError("models.GPT: lm_head.weight must be wte.weight, which gives the logits here, and has other numbers")
        return named


def _block(width: Size, heads: Size, dropout: Part, keys: Any, layers: Size, dtype: Any) -> nn.TransformerEncoderLayer:
    """A layer with GPT-2's initial values."""
    block = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, nn.gelu, norm_first=True, key=keys[0], dtype=dtype)
    plain, last = initializers.normal(0.02), initializers.normal(0.02 / (2 * layers) ** 0.5)
    attention = block.self_attn
    packed = jnp.split(plain(keys[1], (width, 3 * width), dtype), 3, axis=1)
    for linear, weight in zip((attention.query, attention.key, attention.value), packed, strict=True):
        linear.weight = weight
    attention.out.weight = last(keys[2], (width, width), dtype)
    block.linear1.weight, block.linear2.weight = plain(keys[3], (width, 4 * width), dtype), last(keys[4], (4 * width, width), dtype)
    for linear in (block.linear1, block.linear2):
        linear.bias = None if linear.bias is None else jnp.zeros_like(linear.bias)
    return block


def _sampled(logits: Array, key: Any, temperature: Any, top_k: int | None) -> Array:
    """A token of each row of logits; the most probable one without a key."""
    if key is None:
        return jnp.argmax(logits, axis=-1)
    if top_k is not None:
        least = lax.top_k(logits, top_k)[0][:, -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return random.categorical(key, logits / temperature)


@functools.partial(jit, static_argnames=("count", "top_k"))
def _generate(model: GPT, tokens: Array, key: Any, temperature: Any, count: int, top_k: int | None) -> Array:
    """The `count` tokens behind those given, in one program: these at once, then a loop of one token each."""
    caches = model.blocks.cache(tokens.shape[0], tokens.shape[1] + count)
    keys = None if key is None else random.split(key, count)

    def chosen(logits: Array, key: Any) -> Array:
        return _sampled(logits, key, temperature, top_k).astype(tokens.dtype)

    def step(carry: Any, key: Any) -> Any:
        token, caches = carry
        logits, caches = model.next_logits(token[:, None], caches)
        after = chosen(logits, key)
        return (after, caches), after

    logits, caches = model.next_logits(tokens, caches)
    first = chosen(logits, None if keys is None else keys[0])
    _, rest = lax.scan(step, (first, caches), None if keys is None else keys[1:], length=count - 1)
    return jnp.concatenate([first[:, None], rest.T], axis=1)
