"""Draws that choose or order elements: categorical, permutation, choice. The indices are jax's."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.at_once import done_at_once
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.jit import jit
from jitgrad.lax import top_k
from jitgrad.operands import ArrayLike, array_arg, axis_number, inexact_arg, shape_arg, size_arg
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import U32, U64, DType

from .bits import randint, random_bits, unit_floats
from .distributions import gumbel_mode, gumbels
from .keys import KeyLike, Stream, Word, split_word
from .pieces import padded
from .programs import Shape, check_shape, draw, draw_together, each

Sizes = tuple[int, ...]


def categorical(
    key: KeyLike, logits: ArrayLike, axis: int = -1, shape: Shape | None = None, replace: bool = True, mode: str | None = None
) -> Array:
    """Indices along an axis of `logits`, each drawn with the probability softmax(logits) along it: int64.

    shape: of the result, in front of which any axes may stand, each position an independent draw; logits' shape without the axis by
    default. replace=False draws without replacement along the axes in front, int32. The largest of logits plus Gumbel draws is
    found (Maddison, Tarlow and Minka, A* sampling, 2014); mode is `gumbel`'s.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(categorical(jitgrad.random.key(0), jnp.array([-jnp.inf, 0.0]), shape=(3,)))
    [1 1 1]
    """
    weights = inexact_arg("random.categorical", logits)
    along = axis_number("random.categorical", axis, weights.type.rank)
    batch = weights.type.shape[:along] + weights.type.shape[along + 1 :]
    sizes = batch if shape is None else shape_arg("random.categorical", shape)
    check_shape("categorical", sizes, batch)
    front, n = sizes[: len(sizes) - len(batch)], weights.type.shape[along]
    mode = gumbel_mode("categorical", mode)
    if replace:
        rest = (*sizes[len(front) : len(front) + along], n, *sizes[len(front) + along :])
        static = (len(front) + along, (*front, *rest), weights.type.dtype, mode)
        return draw("categorical", _categorical, key, (weights,), static, math.prod(sizes) * n)
    if math.prod(front) > n:
        raise ArgumentError(f"random.categorical: {math.prod(front)} draws without replacement need as many categories, got {n}")
    return draw("categorical", _categorical_order, key, (weights,), (along, front, sizes, mode), _comparisons(weights.type.size, n))


def _noisy(word: Word, weights: Array, shape: Sizes, dtype: DType, mode: str) -> Array:
    return gumbels(word, shape, dtype, mode) + ops.broadcast_right(weights, shape)


def _categorical(key: Array, weights: Array, axis: int, shape: Sizes, dtype: DType, mode: str) -> Array:
    return jnp.argmax(each("categorical", _noisy, key, [weights], (shape, dtype, mode)), axis=axis)


def _categorical_order(key: Array, weights: Array, axis: int, front: Sizes, sizes: Sizes, mode: str) -> Array:
    noisy = each("categorical", _noisy, key, [weights], (weights.type.shape, weights.type.dtype, mode))
    _, places = top_k(jnp.moveaxis(noisy, axis, -1), math.prod(front))
    return jnp.moveaxis(places, -1, 0).reshape(sizes)


def _comparisons(count: int, n: int) -> int:
    """How many it takes to find a place among n for each of `count` elements."""
    return count * n.bit_length()


@lru_cache(maxsize=256)
def _rounds(size: int) -> int:
    """How often lines are sorted by random bits, until two with equal bits in all of the rounds are unlikely."""
    return math.ceil(3 * math.log(max(2, size)) / math.log(2**32 - 1))


def _bits_of_round(word: Word, shape: Sizes, number: int) -> Array:
    """32 random bits an element; every round splits the key that the one before left."""
    now = word
    for _ in range(number + 1):
        word, now = split_word(word)
    return random_bits(now, shape, U32)


def _shuffled_lines(key: Array, x: Array, axis: int) -> Array:
    """x with each line along an axis in an order of its own."""
    for number in range(_rounds(x.type.size)):
        drawn = each("permutation", _bits_of_round, key, [], (x.type.shape, number))
        x = ops.op_all("sort", drawn, x, axis=axis)[1]
    return x


def _shuffled(word: Word, x: Array, shape: Sizes, rounds: int) -> Array:
    """A vector in random order; what is made behind its elements stays there."""
    for number in range(rounds):
        drawn = _bits_of_round(word, shape, number)
        if isinstance(word, Stream):
            drawn = jnp.where(ops.iota(shape, 0, U64) < word.total, drawn, np.uint32(2**32 - 1))
        x = ops.op_all("sort", drawn, x, axis=0)[1]
    return x


def _order(word: Word, shape: Sizes, dtype: DType, rounds: int) -> Array:
    """0 ... n - 1 in random order."""
    return _shuffled(word, ops.iota(shape, 0, dtype), shape, rounds)


def _order_of(where: str, key: KeyLike, n: int) -> Array:
    return draw_together(where, _order, key, (), ((n,), dtype_name(int), _rounds(n)))


def permutation(key: KeyLike, x: ArrayLike, axis: int = 0, independent: bool = False) -> Array:
    """x with its elements along an axis in random order; for an int x, 0 ... x - 1, nothing for a negative one.

    independent: each line gets its own order.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jnp.sort(permutation(jitgrad.random.key(0), 5)))
    [0 1 2 3 4]
    """
    values = array_arg("random.permutation", x)
    if not values.type.shape:
        axis_number("random.permutation", axis, 1)
        return _order_of("permutation", key, max(_count("permutation", "x", x, values), 0))
    along = axis_number("random.permutation", axis, values.type.rank)
    if independent and values.type.rank > 1:
        work = _comparisons(values.type.size, values.type.shape[along])
        return draw("permutation", _shuffled_lines, key, (values,), (along,), work, real=False)
    n = values.type.shape[along]
    if values.type.rank == 1:
        return draw_together("permutation", _shuffled, key, (values,), ((n,), _rounds(n)), real=False)
    return _taken(values, _order_of("permutation", key, n), along)


@done_at_once
def _taken(x: Array, places: Array, axis: int) -> Array:
    """Elements at places of any shape along an axis, which the places' axes stand for."""
    indices = ops.reshape(places, (*places.type.shape, 1))
    out = ops.op("gather", x, indices, axes=(axis,), batch=0, mode="clip")
    before = tuple(range(places.type.rank, places.type.rank + axis))
    return ops.transpose(out, (*before, *range(places.type.rank), *range(places.type.rank + axis, out.type.rank)))


def _count(where: str, name: str, x: Any, value: Array) -> int:
    """A number of elements, given as a Python int or a concrete scalar array of integers."""
    if not value.type.dtype.is_integer:
        raise ArgumentError(f"random.{where}: {name} must be an integer or an array with an axis, got {x!r}")
    return size_arg(f"random.{where}", x, f"{name} must be an integer")


def choice(
    key: KeyLike,
    a: ArrayLike,
    shape: Shape = (),
    replace: bool = True,
    p: ArrayLike | None = None,
    axis: int = 0,
    mode: str | None = None,
) -> Array:
    """Elements of `a` along an axis (of 0 ... a - 1 for an int a), drawn with probabilities p, uniform by default.

    The result has `shape` in place of the axis. replace=False draws each element at most once; with p the largest of log p plus
    Gumbel draws, of which mode is `gumbel`'s. Raises ArgumentError where there are not enough elements for that, ShapeError for
    p of another size than the axis.

    >>> import jitgrad
    >>> sorted(choice(jitgrad.random.key(0), 3, (3,), replace=False).tolist())
    [0, 1, 2]
    """
    mode = gumbel_mode("choice", mode)
    sizes = shape_arg("random.choice", shape)
    values = array_arg("random.choice", a)
    whole = not values.type.shape
    along = 0 if whole else axis_number("random.choice", axis, values.type.rank)
    n = _count("choice", "a", a, values) if whole else values.type.shape[along]
    count = math.prod(sizes)
    if not count:
        shape = values.type.shape
        return ops.fill((*shape[:along], *sizes, *shape[along + 1 :]), 0, values.type.dtype)
    if n < 1:
        raise ArgumentError("random.choice: there is nothing to choose from")
    if not replace and count > n:
        raise ArgumentError(f"random.choice: {count} elements without replacement need as many to choose from, got {n}")
    if p is not None:
        chances = inexact_arg("random.choice", p)
        if chances.type.shape != (n,):
            raise ShapeError(f"random.choice: p must have the shape {(n,)} of the axis, got {chances.type.shape}")
        steps = _weighted if replace else _weighted_order
        places = draw("choice", steps, key, (chances,), (sizes, mode), _comparisons(max(count, n), n))
    elif replace:
        places = randint(key, sizes, 0, n)
    else:
        places = jnp.reshape(_order_of("choice", key, n)[:count], sizes)
    return places if whole else _taken(values, places, along)


_running_sums = jit(jnp.cumsum)


def _target(word: Word, total: Array, shape: Sizes, dtype: DType) -> Array:
    return ops.broadcast_right(total, shape) * (1 - unit_floats(word, shape, dtype))


def _weighted(key: Array, chances: Array, shape: Sizes, mode: str) -> Array:
    """How many running sums of the chances lie below a uniform number of (0, total]. Nothing is added to the sums, up to a size for
    which there is a program.
    """
    n = chances.type.shape[0]
    sums = _running_sums(ops.pad_axis(chances, 0, 0, padded(n) - n, ops.constant(0, chances.type.dtype)))
    target = each("choice", _target, key, [sums[n - 1]], (shape, chances.type.dtype))
    return jnp.searchsorted(sums[:n], target).astype(int)


def _noisy_log(word: Word, chances: Array, shape: Sizes, dtype: DType, mode: str) -> Array:
    return gumbels(word, shape, dtype, mode) + jnp.log(chances)


def _weighted_order(key: Array, chances: Array, shape: Sizes, mode: str) -> Array:
    """Elements drawn one after another by the chances: those with the largest log p plus Gumbel draws."""
    noisy = each("choice", _noisy_log, key, [chances], (chances.type.shape, chances.type.dtype, mode))
    return top_k(noisy, math.prod(shape))[1].astype(int).reshape(shape)
