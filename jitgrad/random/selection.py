"""Draws that choose or order elements: categorical, permutation, choice. The indices are jax's."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.lax import top_k
from jitgrad.operands import array_arg, axis_number, inexact_arg, shape_arg
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import U32

from .bits import randint, random_bits, unit_floats
from .distributions import gumbel_mode, gumbels
from .keys import KeyLike, split_word
from .programs import Shape, check_shape, draw

Sizes = tuple[int, ...]


def categorical(
    key: KeyLike, logits: Any, axis: int = -1, shape: Shape | None = None, replace: bool = True, mode: str | None = None
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
    if not replace and math.prod(front) > n:
        raise ArgumentError(f"random.categorical: {math.prod(front)} draws without replacement need as many categories, got {n}")
    static = (along, front, sizes, gumbel_mode("categorical", mode))
    return draw("categorical", _categorical if replace else _categorical_order, key, (weights,), static)


def _categorical(word: Array, weights: Array, axis: int, front: Sizes, sizes: Sizes, mode: str) -> Array:
    rest = list(sizes[len(front) :])
    rest.insert(axis, weights.type.shape[axis])
    noise = gumbels(word, (*front, *rest), weights.type.dtype, mode)
    return jnp.argmax(noise + weights, axis=len(front) + axis)


def _categorical_order(word: Array, weights: Array, axis: int, front: Sizes, sizes: Sizes, mode: str) -> Array:
    noisy = gumbels(word, weights.type.shape, weights.type.dtype, mode) + weights
    _, places = top_k(jnp.moveaxis(noisy, axis, -1), math.prod(front))
    return jnp.moveaxis(places, -1, 0).reshape(sizes)


def _shuffled(word: Array, x: Array, axis: int) -> Array:
    """x with its lines along an axis sorted by 32 random bits an element, again and again, until two with equal bits in all of the
    rounds are unlikely.
    """
    rounds = math.ceil(3 * math.log(max(1, x.type.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        word, now = split_word(word)
        x = ops.op_all("sort", random_bits(now, x.type.shape, U32), x, axis=axis)[1]
    return x


def _order(word: Array, n: int) -> Array:
    """0 ... n - 1 in random order."""
    return _shuffled(word, ops.iota((n,), 0, dtype_name(int)), 0)


def _permutation(word: Array, x: Array, axis: int, independent: bool) -> Array:
    if independent or x.type.rank == 1:
        return _shuffled(word, x, axis)
    return _take(x, _order(word, x.type.shape[axis]), axis)


def _take(x: Array, places: Array, axis: int) -> Array:
    """Elements at places of any shape along an axis, which the places' axes stand for."""
    indices = ops.reshape(places, (*places.type.shape, 1))
    out = ops.op("gather", x, indices, axes=(axis,), batch=0, mode="clip")
    before = tuple(range(places.type.rank, places.type.rank + axis))
    return ops.transpose(out, (*before, *range(places.type.rank), *range(places.type.rank + axis, out.type.rank)))


def permutation(key: KeyLike, x: Any, axis: int = 0, independent: bool = False) -> Array:
    """x with its elements along an axis in random order; for an int x, 0 ... x - 1, nothing for a negative one.

    independent: each line gets its own order.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jnp.sort(permutation(jitgrad.random.key(0), 5)))
    [0 1 2 3 4]
    """
    values = array_arg("random.permutation", x)
    if not values.type.shape:
        axis_number("random.permutation", axis, 1)
        return draw("permutation", _order, key, (), (max(_count("permutation", "x", x, values), 0),))
    along = axis_number("random.permutation", axis, values.type.rank)
    return draw("permutation", _permutation, key, (values,), (along, independent), real=False)


def _count(where: str, name: str, x: Any, value: Array) -> int:
    """A number of elements, given as a Python int or a concrete scalar array of integers."""
    if not value.type.dtype.is_integer:
        raise ArgumentError(f"random.{where}: {name} must be an integer or an array with an axis, got {x!r}")
    return index(x)


def choice(
    key: KeyLike, a: Any, shape: Shape = (), replace: bool = True, p: Any = None, axis: int = 0, mode: str | None = None
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
        sampler = _weighted if replace else _weighted_order
        places = draw("choice", sampler, key, (chances,), (sizes, mode))
    elif replace:
        places = randint(key, sizes, 0, n)
    elif whole or values.type.rank == 1:
        mixed = permutation(key, n if whole else values)
        return jnp.reshape(mixed[:count], sizes)
    else:
        places = jnp.reshape(draw("choice", _order, key, (), (n,))[:count], sizes)
    return places if whole else _take(values, places, along)


def _weighted(word: Array, chances: Array, shape: Sizes, mode: str) -> Array:
    """How many running sums of the chances lie below a uniform number of (0, total]."""
    sums = jnp.cumsum(chances)
    target = sums[-1] * (1 - unit_floats(word, shape, chances.type.dtype))
    return jnp.searchsorted(sums, target).astype(int)


def _weighted_order(word: Array, chances: Array, shape: Sizes, mode: str) -> Array:
    """Elements drawn one after another by the chances: those with the largest log p plus Gumbel draws."""
    noisy = gumbels(word, chances.type.shape, chances.type.dtype, mode) + jnp.log(chances)
    return top_k(noisy, math.prod(shape))[1].astype(int).reshape(shape)
