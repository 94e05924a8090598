"""Parts that look at a whole array of params at once: norms of layers (LARS, LAMB) and Adafactor's means by rows and columns.
Next on the path: orthogonal.py, whose steps are orthogonal matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.ranges import Count, NotNegative, Number

from .leaves import needs_params, next_count, no_count, norm, square
from .transformation import GradientTransformation, PyTree, stateless


def scale_by_trust_ratio(
    min_norm: NotNegative = 0.0, trust_coefficient: NotNegative = 1.0, eps: NotNegative = 0.0
) -> GradientTransformation:
    """Updates u of each array times trust_coefficient * |p| / (|u| + eps), p being its params (You et al., LARS, 2017).

    min_norm: norms are at least that. Where either is 0 the update stays.
    """

    def scaled(u: Any, p: Any) -> Array:
        own, step = jnp.maximum(norm(p), min_norm), jnp.maximum(norm(u), min_norm)
        none = (own == 0) | (step == 0)
        return u * jnp.where(none, 1.0, trust_coefficient * own / jnp.where(none, 1.0, step + eps)).astype(jnp.asarray(u).dtype)

    def change(updates: PyTree, params: PyTree) -> PyTree:
        return tree.map(scaled, updates, needs_params("scale_by_trust_ratio", params))

    return stateless("scale_by_trust_ratio", change)


def _rms(x: Any) -> Array:
    return jnp.sqrt(jnp.mean(square(x)))


def clip_by_block_rms(threshold: NotNegative) -> GradientTransformation:
    """Updates of each array made smaller by one factor where their root mean square is larger than threshold."""
    return stateless(
        "clip_by_block_rms", lambda updates, params: tree.map(lambda u: u / jnp.maximum(1.0, _rms(u) / threshold), updates)
    )


def scale_by_param_block_rms(min_scale: NotNegative = 1e-3) -> GradientTransformation:
    """Updates of each array times the root mean square of its params, or min_scale if that is more."""

    def change(updates: PyTree, params: PyTree) -> PyTree:
        params = needs_params("scale_by_param_block_rms", params)
        return tree.map(lambda u, p: u * jnp.maximum(_rms(p), min_scale), updates, params)

    return stateless("scale_by_param_block_rms", change)


class FactoredState(NamedTuple):
    """count: how many updates there have been, int32. v_row, v_col: running means of squares over the two largest axes of arrays
    that have them; v: those of all elements, of the other arrays. What an array does not have is one 0.
    """

    count: Any
    v_row: PyTree
    v_col: PyTree
    v: PyTree


def _decay_by_power(step: Array, decay_rate: Any) -> Array:
    return 1.0 - (step + 1.0) ** -decay_rate


def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Number = 0.8,
    step_offset: Number = 0,
    min_dim_size_to_factor: Count = 128,
    epsilon: NotNegative = 1e-30,
    decay_rate_fn: Callable[[Any, Any], Any] = _decay_by_power,
) -> GradientTransformation:
    """Updates divided by the root of their running mean square, which for large matrices is kept as the product of the means of
    rows and of columns (Shazeer and Stern, Adafactor, 2018).

    factored: False keeps all means whole. decay_rate_fn(step, decay_rate): how much of the means stays, 1 - (step + 1)**-decay_rate
    by default. step_offset: the step that counts as 0. min_dim_size_to_factor: the least size of an array's second largest axis.
    epsilon: added to squares.
    """

    def axes(p: Any) -> tuple[int, int] | None:
        order = sorted(range(p.ndim), key=lambda a: p.shape[a])
        return (order[-2], order[-1]) if factored and p.ndim > 1 and p.shape[order[-2]] >= min_dim_size_to_factor else None

    def of_leaf(p: Any) -> tuple[Array, Array, Array]:
        p = jnp.asarray(p)
        none, chosen = jnp.zeros(1, p.dtype), axes(p)
        if chosen is None:
            return none, none, jnp.zeros_like(p)
        d1, d0 = chosen
        return jnp.zeros(_without(p.shape, d0), p.dtype), jnp.zeros(_without(p.shape, d1), p.dtype), none

    def init(params: PyTree) -> FactoredState:
        leaves, treedef = tree.flatten(params)
        columns = list(zip(*map(of_leaf, leaves), strict=True)) or [(), (), ()]
        return FactoredState(no_count(), *(tree.unflatten(treedef, c) for c in columns))

    def step(g: Any, v_row: Array, v_col: Array, v: Array, count: Array) -> tuple[Array, Array, Array, Array]:
        g = jnp.asarray(g)
        decay = decay_rate_fn(count.astype(g.dtype) - step_offset, decay_rate)
        squares, chosen = square(g) + epsilon, axes(g)
        if chosen is None:
            v = (decay * v + (1.0 - decay) * squares).astype(v.dtype)
            return g / jnp.sqrt(v), v_row, v_col, v
        d1, d0 = chosen
        v_row = (decay * v_row + (1.0 - decay) * jnp.mean(squares, axis=d0)).astype(v_row.dtype)
        v_col = (decay * v_col + (1.0 - decay) * jnp.mean(squares, axis=d1)).astype(v_col.dtype)
        mean = jnp.mean(v_row, axis=d1 - 1 if d1 > d0 else d1, keepdims=True)
        scaled = g * jnp.expand_dims(1 / jnp.sqrt(v_row / mean), d0) * jnp.expand_dims(1 / jnp.sqrt(v_col), d1)
        return scaled, v_row, v_col, v

    def update(updates: PyTree, state: FactoredState, params: PyTree = None) -> tuple[PyTree, FactoredState]:
        leaves, treedef = tree.flatten(updates)
        tree.check_same_structure("optim.adafactor", state.v, updates, "gradients")
        kept = [tree.leaves(x) for x in state[1:]]
        columns = list(zip(*map(step, leaves, *kept, [state.count] * len(leaves)), strict=True)) or [()] * 4
        scaled, *means = (tree.unflatten(treedef, c) for c in columns)
        return scaled, FactoredState(next_count(state.count), *means)

    return GradientTransformation(init, update)


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])
