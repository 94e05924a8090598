"""What tells attention where a token stands: sinusoidal encodings, rotations of queries and keys, and causal masks."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, inexact_arg, size_arg
from jitgrad.promotion import default_float, dtype_name
from jitgrad.ranges import Count, Steps

ArrayLike = Any


def causal_mask(queries: Count, keys: Count | None = None) -> Array:
    """Booleans [queries, keys], True where key s <= query t: what a token may see when the next one is to be guessed.

    With more keys than queries, the queries are the last ones: query t stands at keys - queries + t. keys is `queries` by default.

    >>> print(causal_mask(2, 3).astype(int))
    [[1 1 0]
     [1 1 1]]
    """
    rows = size_arg("nn.causal_mask", queries, "queries is an integer")
    columns = rows if keys is None else size_arg("nn.causal_mask", keys, "keys is an integer")
    return jnp.arange(columns) <= jnp.arange(columns - rows, columns)[:, None]


def _frequencies(features: Count, base: Steps) -> Array:
    """base ** (-2i / features) for i = 0 .. features / 2 - 1, in float64: positions are large, and their sines need all places."""
    return base ** (-jnp.arange(0, features, 2, dtype="float64") / features)


def sinusoidal_positions(length: Count, features: Count, *, base: Steps = 10000.0, dtype: Any = None) -> Array:
    """The encodings [length, features] of positions 0 to length - 1 (Vaswani et al., Attention is all you need, 2017, 3.5).

    Column 2i is sin(t / base**(2i / features)), column 2i + 1 its cosine. features must be even, else ArgumentError. dtype is
    config.default_float by default.

    >>> print(sinusoidal_positions(2, 4).round(3))
    [[0.    1.    0.    1.   ]
     [0.841 0.54  0.01  1.   ]]
    """
    where = "nn.sinusoidal_positions"
    rows = size_arg(where, length, "length is an integer")
    if size_arg(where, features, "features is an integer") % 2:
        raise ArgumentError(f"{where}: features must be even, a sine and a cosine each, got {features}")
    angles = jnp.arange(rows, dtype="float64")[:, None] * _frequencies(features, base)
    encoded = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(rows, features)
    return ops.convert(encoded, default_float() if dtype is None else dtype_name(dtype))


def rotary_embedding(
    x: ArrayLike, positions: ArrayLike | None = None, *, base: Steps = 10000.0, interleaved: bool = False
) -> Array:
    """Queries or keys [..., T, N, H], turned so that their products see distances of tokens alone (Su et al., RoFormer, 2021).

    Pair i of a token's features turns by its position times base**(-2i / H). A pair is features i and i + H / 2, as in GPT-NeoX and
    Llama, or, interleaved, 2i and 2i + 1, as in the paper. positions: numbers that broadcast to [..., T], by default 0 to T - 1.
    Raises ShapeError where H is odd or x has fewer than 3 axes.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.array([[[1.0, 0.0]], [[1.0, 0.0]]])
    >>> print(rotary_embedding(x).round(3))
    [[[1.    0.   ]]
     [[0.54  0.841]]]
    """
    where = "nn.rotary_embedding"
    value = inexact_arg(where, x)
    if value.ndim < 3 or value.shape[-1] % 2:
        raise ShapeError(
            f"{where}: x must be [..., time, heads, features] with an even number of features, got shape {value.shape}"
        )
    time, _, size = value.shape[-3:]
    at = jnp.arange(time) if positions is None else array_arg(where, positions)
    angles = at.astype("float64")[..., None, None] * _frequencies(size, base)
    wide = jnp.promote_types(value.dtype, "float32")
    cosine, sine = jnp.cos(angles).astype(wide), jnp.sin(angles).astype(wide)
    if interleaved:
        first, second = value[..., 0::2], value[..., 1::2]
    else:
        first, second = value[..., : size // 2], value[..., size // 2 :]
    turned = [first * cosine - second * sine, second * cosine + first * sine]
    joined = jnp.stack(turned, axis=-1).reshape(value.shape) if interleaved else jnp.concatenate(turned, axis=-1)
    return joined.astype(value.dtype)
