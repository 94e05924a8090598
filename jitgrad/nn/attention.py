"""Attention by jax.nn's name: softmax(query @ key.T) @ value, for each head.

Few scores are one array. Many never are: blocks of examples, heads and queries are done one after another, each by the same formula
on a tile of scores that stays in the cache, and derivatives compute the tiles again (`checkpoint`). Which way is taken depends on
shapes alone. The idea is that of Rabe and Staats, Self-attention does not need O(n^2) memory, 2021, and of Dao et al.,
FlashAttention, 2022; as a tile has all keys of its queries, its softmax needs no second pass.

In a traced program, and where arrays lie on a GPU, the formula is the program of one equation (jitgrad_compiler/ops/attention.py),
in whose place a target may do what its kernels can.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax, tree
from jitgrad.array import Array, memory_device
from jitgrad.array_ops import op_all
from jitgrad.checkpointing import checkpoint
from jitgrad.config import config
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.normalization import softmax
from jitgrad.operands import array_arg, broadcasts_to, inexact_arg
from jitgrad_compiler.ir.builder import staging, state
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import BOOL

ArrayLike = Any

PLAIN_SCORES = 2**22
"""So many scores are one array; more are done in tiles. Below it a tile's second computation costs more than memory does."""

TILE_SCORES = 2**20
"""Scores of a tile: 4 MiB of float32, which stay in the cache while a row kernel and two products read them."""

LEAST_ROWS = 16
"""Queries of a tile at least, however many keys there are."""

CAUSAL_PIECES = 4
"""Into so many pieces queries are cut that see a part of the keys each, which is all that their scores are computed for."""

MASKED = -0.7 * 3.4028234663852886e38
"""The score of a pair that takes no part. It is finite, so a query whose keys are all masked sees all of them alike, as in jax."""


@dataclass(frozen=True)
class _Band:
    """Which keys a query may see by its position: from `left` before it to `right` behind it; None is no bound."""

    left: int | None
    right: int | None

    def keys(self, first: int, last: int, keys: int) -> tuple[int, int]:
        """The range of keys that queries first..last - 1 see."""
        low = 0 if self.left is None else max(0, first - self.left)
        high = keys if self.right is None else min(keys, last + self.right)
        return low, high

    def allows(self, rows: Array, columns: Array) -> Array | None:
        """A mask [rows, columns], None where everything is seen."""
        mask = None
        if self.right is not None:
            mask = columns <= rows[:, None] + self.right
        if self.left is not None:
            within = columns >= rows[:, None] - self.left
            mask = within if mask is None else jnp.logical_and(mask, within)
        return mask


@dataclass(frozen=True)
class _Attention:
    """One call's formula, on a block of its operands: `operands` are [B, K, G, T, H], keys and values [B, K, 1, S, H], bias,
    mask and kept [B, K, G, T, S] or 1 in place of any axis, lengths [B, 1, 1, 1, 1], and the queries' positions [1, 1, 1, T, 1].
    With `residual` each query's largest score and sum of exp(score less that one) come, too, both constants to derivatives.
    """

    scale: float
    band: _Band
    residual: bool
    keep_rate: float

    def __call__(self, operands: dict[str, Array], first_key: int = 0) -> tuple[Array, ...]:
        query, key, value = operands["query"], operands["key"][:, :, 0], operands["value"][:, :, 0]
        wide = jnp.promote_types(query.dtype, jnp.float32)
        scores = jnp.einsum("bkgth,bksh->bkgts", query.astype(wide), key.astype(wide)) * self.scale
        if "bias" in operands:
            scores = (scores + operands["bias"]).astype(wide)
        columns = jnp.arange(first_key, first_key + key.shape[2])
        masks = [self.band.allows(operands["position"].reshape(-1), columns), operands.get("mask")]
        if "length" in operands:
            masks.append(columns < operands["length"])
        if masks := [m for m in masks if m is not None]:
            scores = jnp.where(functools.reduce(jnp.logical_and, masks), scores, MASKED)
        weights = softmax(scores)
        if "kept" in operands:
            weights = jnp.where(operands["kept"], weights / self.keep_rate, 0) if self.keep_rate else jnp.zeros_like(weights)
        out = jnp.einsum("bkgts,bksh->bkgth", weights.astype(value.dtype), value)
        return (out, *_softmax_parts(stop_gradient(scores))) if self.residual else (out,)


def _softmax_parts(scores: Array) -> tuple[Array, Array]:
    """The largest of each row, 0 where that is infinite, and the sum of exp(score less that one)."""
    largest = jnp.max(scores, axis=-1, keepdims=True, initial=None if scores.size else -math.inf)
    largest = jnp.where(jnp.isfinite(largest), largest, 0.0)
    return largest[..., 0], jnp.sum(jnp.exp(scores - largest), axis=-1)


def _in_blocks(f: Callable[[dict[str, Array]], Any], operands: dict[str, Array], axis: int, size: int) -> Any:
    """f's results for blocks of `size` along an axis of the operands, joined along it. Operands of size 1 there are one for all."""
    total = operands["query"].shape[axis]
    if total <= size:
        return f(operands)
    split = {name for name, x in operands.items() if name not in KEYED and x.shape[axis] > 1 or axis < 2 and x.shape[axis] > 1}
    count = total // size

    def stacked(x: Array) -> Array:
        blocks = lax.slice_in_dim(x, 0, count * size, axis=axis)
        return jnp.moveaxis(blocks.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :]), axis, 0)

    def joined(y: Array) -> Array:
        y = jnp.moveaxis(y, 0, axis)
        return y.reshape(*y.shape[:axis], count * size, *y.shape[axis + 2 :])

    _, found = lax.scan(lambda _, block: (None, f({**operands, **block})), None, {n: stacked(operands[n]) for n in split})
    out = tree.map(joined, found)
    if count * size == total:
        return out
    rest = f({n: lax.slice_in_dim(x, count * size, total, axis=axis) if n in split else x for n, x in operands.items()})
    return tree.map(lambda a, b: jnp.concatenate([a, b], axis=axis), out, rest)


KEYED = ("key", "value")
"""Operands whose axis 3 counts keys, not queries."""


def _heads_as_examples(operands: dict[str, Array]) -> dict[str, Array]:
    """Operands with one axis for examples and heads, which makes one loop of two, where no large mask is one for either alone."""
    batch, heads = operands["query"].shape[:2]
    merged = {}
    for name, x in operands.items():
        if x.shape[:2] not in ((batch, heads), (1, 1)):
            if x.shape[3] > 1:
                return operands
            x = jnp.broadcast_to(x, (batch, heads, *x.shape[2:]))
        merged[name] = x.reshape(-1, 1, *x.shape[2:])
    return merged


def _tiled(formula: _Attention, operands: dict[str, Array]) -> Any:
    """The formula in tiles of TILE_SCORES."""
    operands = _heads_as_examples(operands)
    batch, heads, groups, queries, _ = operands["query"].shape
    keys = operands["key"].shape[3]
    rows = max(LEAST_ROWS, TILE_SCORES // (groups * keys))
    some_heads = max(1, TILE_SCORES // (groups * queries * keys))
    examples = max(1, TILE_SCORES // (heads * groups * queries * keys))

    def piece(block: dict[str, Array], first: int, last: int) -> Any:
        """Queries first..last - 1 with the keys that they see."""
        low, high = formula.band.keys(first, last, keys)
        held = {n: lax.slice_in_dim(x, low, high, axis=3) if n in KEYED else x for n, x in block.items()}
        for n, axis, start, end in (*[(n, 4, low, high) for n in PAIRED], *[(n, 3, first, last) for n in ROWED]):
            if n in held and held[n].shape[axis] > 1:
                held[n] = lax.slice_in_dim(held[n], start, end, axis=axis)
        return _in_blocks(
            checkpoint(lambda tile: formula(tile, low)), held, 3, max(LEAST_ROWS, TILE_SCORES // (groups * (high - low)))
        )

    def head(block: dict[str, Array]) -> Any:
        count = _pieces(formula.band, block, queries, keys)
        if count == 1:
            return _in_blocks(checkpoint(formula), block, 3, rows)
        ends = [queries * i // count for i in range(count + 1)]
        found = [piece(block, a, b) for a, b in zip(ends, ends[1:], strict=False)]
        return tree.map(lambda *parts: jnp.concatenate(parts, axis=3), *found)

    return _in_blocks(lambda block: _in_blocks(checkpoint(head), block, 1, some_heads), operands, 0, examples)


PAIRED = ("bias", "mask", "kept")
"""Operands whose axis 4 counts keys."""

ROWED = ("query", "position", *PAIRED)
"""Operands whose axis 3 counts queries."""


def _pieces(band: _Band, operands: dict[str, Array], queries: int, keys: int) -> int:
    """How many pieces of the queries leave out keys that they cannot see: 1 where that is not worth it, or where a query may have
    no key to see, and then, as in jax, sees all alike.
    """
    hidden = "mask" in operands or "length" in operands or band.left is not None and queries > keys + band.left
    if hidden or band == _Band(None, None) or queries < CAUSAL_PIECES * LEAST_ROWS:
        return 1
    return CAUSAL_PIECES


def dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: ArrayLike | None = None,
    key_value_seq_lengths: ArrayLike | None = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
) -> Any:
    """softmax(scale * query @ key.T + bias) @ value for each head (Vaswani et al., Attention is all you need, 2017).

    query [B, T, N, H]; key and value [B, S, K, H], where N is a multiple of K: query heads n * N / K to (n + 1) * N / K - 1 share
    head n of the keys (grouped queries). Without an example axis, [T, N, H] and [S, K, H] are taken, too. Returns query's shape and
    type; scores and softmax are float32's at least.

    bias: floats that broadcast to [B, N, T, S], added to the scores. mask: booleans that broadcast to it, True where a pair takes
    part. scale: 1 / sqrt(H) by default. is_causal: query t sees keys 0 to t. query_seq_lengths, key_value_seq_lengths:
    integers [B]; queries behind theirs give 0, keys behind theirs take no part. local_window_size: (left, right), query t sees keys
    t - left to t + right; one integer stands for both. A query that sees no key gives the mean of all values. return_residual:
    the pair of the result and the logarithm of each softmax's denominator [B, T, N], a constant to derivatives. implementation:
    None, "xla" or "cudnn", which are all the same.

    The scores are never in memory as a whole where they are many. Raises ShapeError, DTypeError and ArgumentError for what does not
    fit together. As jax.nn.dot_product_attention.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.array([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0]]).reshape(1, 3, 1, 2)
    >>> print(dot_product_attention(x, x, x, is_causal=True)[0, 0, 0])
    [1. 0.]
    """
    where = "nn.dot_product_attention"
    if implementation not in (None, "xla", "cudnn"):
        raise ArgumentError(f'{where}: implementation must be None, "xla" or "cudnn", got {implementation!r}')
    return attend(
        where, query, key, value, bias, mask, scale=scale, is_causal=is_causal, query_seq_lengths=query_seq_lengths,
        key_value_seq_lengths=key_value_seq_lengths, local_window_size=local_window_size, return_residual=return_residual,
    )  # fmt: skip


def attend(
    where: str,
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: ArrayLike | None = None,
    key_value_seq_lengths: ArrayLike | None = None,
    local_window_size: int | tuple[int, int] | None = None,
    return_residual: bool = False,
    kept: ArrayLike | None = None,
    keep_rate: float = 1.0,
) -> Any:
    """`dot_product_attention`, as the function `where`, and with dropout: kept says which weights [B, N, T, S] stay, divided
    by keep_rate.
    """
    q, k, v = inexact_arg(where, query), inexact_arg(where, key), inexact_arg(where, value)
    _check_operands(where, q, k, v)
    shape = q.shape
    q, k, v = (x if x.ndim == 4 else x[None] for x in (q, k, v))
    (batch, queries, heads, size), keys = q.shape, k.shape[1]
    operands = {"query": q, "key": k, "value": v}
    for name, given in (("bias", bias), ("mask", mask), ("kept", kept)):
        if given is not None:
            operands[name] = _of_pairs(where, name, given, (batch, heads, queries, keys))
    if key_value_seq_lengths is not None:
        operands["length"] = _lengths(where, "key_value_seq_lengths", key_value_seq_lengths, batch)
    formula = _Attention(
        1 / math.sqrt(size) if scale is None else scale,
        _band(where, is_causal, local_window_size),
        bool(return_residual),
        keep_rate,
    )
    out, *parts = _as_one(formula, operands) if _is_one(formula, operands) else _in_full(formula, operands)
    present = None
    if query_seq_lengths is not None:
        rows = _lengths(where, "query_seq_lengths", query_seq_lengths, batch)
        present = (jnp.arange(queries) < rows[:, None])[:, :, None]
        out = jnp.where(present[..., None], out, 0)
    if not return_residual:
        return out.reshape(shape)
    largest, total = parts
    residual = (jnp.log(total) + largest).astype(q.dtype)
    if present is not None:
        residual = jnp.where(present, residual, jnp.array(MASKED, residual.dtype))
    return out.reshape(shape), stop_gradient(residual).reshape(shape[:-1])


def _in_full(formula: _Attention, operands: dict[str, Array]) -> tuple[Array, ...]:
    """The formula on operands as they are given: [B, T, N, H] and [B, S, K, H], bias and mask [B, N, T, S], lengths [B]. It gives
    the result, and with `residual` largest scores and sums [B, T, N].
    """
    q, k, v = operands["query"], operands["key"], operands["value"]
    (batch, queries, heads, size), (_, keys, shared, _) = q.shape, k.shape
    groups = heads // shared
    arranged = {
        "query": jnp.transpose(q.reshape(batch, queries, shared, groups, size), (0, 2, 3, 1, 4)),
        "key": jnp.transpose(k, (0, 2, 1, 3))[:, :, None],
        "value": jnp.transpose(v, (0, 2, 1, 3))[:, :, None],
        "position": jnp.arange(queries).reshape(1, 1, 1, queries, 1),
    }
    arranged.update({n: _grouped(operands[n], groups) for n in PAIRED if n in operands})
    if "length" in operands:
        arranged["length"] = operands["length"].reshape(batch, 1, 1, 1, 1)
    large = batch * heads * queries * keys > PLAIN_SCORES
    found = _tiled(formula, arranged) if large else formula(arranged)
    return tuple(jnp.moveaxis(x.reshape(batch, heads, *x.shape[3:]), 1, 2) for x in found)


def _is_one(formula: _Attention, operands: dict[str, Array]) -> bool:
    """Whether attention is one equation: in programs, which may run on a GPU, and on one. Dropout and a traced scale are not."""
    if "kept" in operands or not isinstance(formula.scale, int | float):
        return False
    if state.staging is not None or config.default_device is not None:
        return True
    return any(memory_device(x.ref) is not None for x in operands.values())


def _as_one(formula: _Attention, operands: dict[str, Array]) -> tuple[Array, ...]:
    types = tuple((name, x.type) for name, x in operands.items())
    graph = _program(replace(formula, residual=True), types, (config.traced, PLAIN_SCORES, TILE_SCORES))
    return tuple(
        op_all(
            "attention", *operands.values(), graph=graph, scale=float(formula.scale), left=formula.band.left,
            right=formula.band.right, names=tuple(operands), lead=(),
        )
    )  # fmt: skip


@functools.lru_cache(maxsize=256)
def _program(formula: _Attention, types: tuple[tuple[str, Any], ...], settings: Any) -> Graph:
    """The Graph of a formula for operands of these types, which layers of one shape share."""
    with staging(" (attention)") as builder:
        inputs: dict[str, Any] = {name: builder.input(t) for name, t in types}
        graph, captured = builder.finish(_in_full(formula, inputs))
    assert not captured
    return graph


def _check_operands(where: str, q: Array, k: Array, v: Array) -> None:
    for name, x in (("query", q), ("key", k), ("value", v)):
        if x.ndim not in (3, 4) or x.ndim != q.ndim:
            raise ShapeError(
                f"{where}: query, key and value must all be [batch, time, heads, features], or all without batch, "
                f"got {name} of shape {x.shape}" + (f" beside query {q.shape}" if x is not q else "")
            )
        if jnp.iscomplexobj(x) or x.dtype != q.dtype:
            raise DTypeError(f"{where}: query, key and value must be floats of one type, got {name} of {x.dtype}, query {q.dtype}")
    if v.shape != k.shape:
        raise ShapeError(f"{where}: value must have key's shape {k.shape}, got {v.shape}")
    if q.ndim == 4 and q.shape[0] != k.shape[0] or q.shape[-1] != k.shape[-1]:
        raise ShapeError(
            f"{where}: query and key must have one batch size and one number of features, got shapes {q.shape} and {k.shape}"
        )
    if not k.shape[-2] or q.shape[-2] % k.shape[-2]:
        raise ShapeError(f"{where}: query's heads must be a multiple of key's, got {q.shape[-2]} and {k.shape[-2]}")


def _grouped(x: Array, groups: int) -> Array:
    """A bias or mask with five axes: heads are those of keys, then the queries' that share one."""
    batch, heads, queries, keys = x.shape
    return x.reshape(batch, *((1, 1) if heads == 1 else (heads // groups, groups)), queries, keys)


def _of_pairs(where: str, name: str, given: ArrayLike, target: tuple[int, ...]) -> Array:
    """A bias or mask with all four axes."""
    x = array_arg(where, given)
    if name == "mask" and x.type.dtype is not BOOL:
        raise DTypeError(f"{where}: mask must be booleans, True where a pair takes part, got {x.dtype}. Numbers to add are `bias`.")
    if not broadcasts_to(x.shape, target):
        raise ShapeError(f"{where}: {name} must broadcast to [batch, heads, queries, keys] = {target}, got {x.shape}")
    return x.reshape(*(1,) * (4 - x.ndim), *x.shape)


def _lengths(where: str, name: str, given: ArrayLike, batch: int) -> Array:
    x = array_arg(where, given)
    if not x.type.dtype.is_integer or x.shape != (batch,):
        raise ShapeError(f"{where}: {name} must be integers of shape [batch] = ({batch},), got {x.dtype} of shape {x.shape}")
    return x


def _band(where: str, is_causal: bool, window: Any) -> _Band:
    """The keys that causality and a window leave."""
    if window is None:
        return _Band(None, 0 if is_causal else None)
    pair = window if isinstance(window, (tuple, list)) else (window, window)
    if len(pair) != 2 or not all(isinstance(n, int) and n >= 0 for n in pair):
        raise ArgumentError(
            f"{where}: local_window_size must be an integer of at least 0, or a pair (left, right) of them, got {window!r}"
        )
    return _Band(pair[0], 0 if is_causal else pair[1])
