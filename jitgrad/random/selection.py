"""Draws that choose or order elements: categorical, permutation, choice."""

from __future__ import annotations

import math
from operator import index
from typing import Any

from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.lax import top_k
from jitgrad.numpy import ops
from jitgrad.numpy.promote import array_arg, axis_number, broadcast_shape, inexact_arg, shape_arg

from .bits import Shape, bits, open_uniform, randint
from .distributions import gumbel
from .keys import KeyLike


def categorical(key: KeyLike, logits: Any, axis: int = -1, shape: Shape | None = None, replace: bool = True) -> Array:
    """Indices along an axis of `logits`, each drawn with the probability softmax(logits) along it; int64.

    shape: of the result, in front of which any axes may stand, each position an independent draw; logits' shape without the axis by
    default. replace=False draws without replacement along the axes in front. The largest of logits plus Gumbel draws is found
    (Maddison, Tarlow and Minka, A* sampling, 2014).

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(categorical(jitgrad.random.key(0), jnp.array([-jnp.inf, 0.0]), shape=(3,)))
    [1 1 1]
    """
    weights = inexact_arg("random.categorical", logits)
    along = axis_number("random.categorical", axis, weights.type.rank)
    batch = weights.type.shape[:along] + weights.type.shape[along + 1 :]
    sizes = batch if shape is None else shape_arg("random.categorical", shape)
    if broadcast_shape("random.categorical", (sizes, batch)) != sizes:
        raise ArgumentError(f"random.categorical: shape {sizes} must end in logits' shape without the axis, {batch}")
    front = sizes[: len(sizes) - len(batch)]
    n, rank = weights.type.shape[along], weights.type.rank
    order = (*[i for i in range(rank) if i != along], along)
    last = ops.transpose(weights, order)
    if replace:
        every = ops.broadcast_right(last, (*sizes, n))
        noisy = ops.op("add", every, gumbel(key, every.type.shape, every.type.dtype))
        return ops.op("argmax", noisy, axis=len(sizes), dtype="i64")
    count = math.prod(front)
    if count > n:
        raise ArgumentError(f"random.categorical: {count} draws without replacement need as many categories, got {n}")
    every = ops.broadcast_right(last, (*sizes[len(front) :], n))
    _, places = top_k(ops.op("add", every, gumbel(key, every.type.shape, every.type.dtype)), count)
    rank = places.type.rank
    return ops.reshape(ops.transpose(ops.convert(places, "i64"), (rank - 1, *range(rank - 1))), sizes)


def _random_order(key: KeyLike, n: int) -> Array:
    """0 ... n - 1 in random order: sorted by 64 random bits each, two of which are equal with a chance of about n*n / 2**65."""
    return ops.op_all("sort", bits(key, (n,), "uint64"), ops.iota((n,), 0), axis=0)[1]


def _take(x: Array, places: Array, axis: int) -> Array:
    """Elements at places of any shape along an axis, which the places' axes stand for."""
    indices = ops.reshape(places, (*places.type.shape, 1))
    out = ops.op("gather", x, indices, axes=(axis,), batch=0, mode="clip")
    before = tuple(range(places.type.rank, places.type.rank + axis))
    return ops.transpose(out, (*before, *range(places.type.rank), *range(places.type.rank + axis, out.type.rank)))


def permutation(key: KeyLike, x: Any, axis: int = 0, independent: bool = False) -> Array:
    """x with its elements along an axis in random order; for an int x, 0 ... x - 1. independent: each line gets its own order.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jnp.sort(permutation(jitgrad.random.key(0), 5)))
    [0 1 2 3 4]
    """
    if isinstance(x, int):
        return _random_order(key, x)
    values = array_arg("random.permutation", x)
    if not values.type.shape:
        raise ArgumentError("random.permutation: x must be an int or an array with an axis, got a scalar array")
    along = axis_number("random.permutation", axis, values.type.rank)
    if independent or values.type.rank == 1:
        return ops.op_all("sort", bits(key, values.type.shape, "uint64"), values, axis=along)[1]
    return _take(values, _random_order(key, values.type.shape[along]), along)


def choice(key: KeyLike, a: Any, shape: Shape = (), replace: bool = True, p: Any = None, axis: int = 0) -> Array:
    """Elements of `a` along an axis (of 0 ... a - 1 for an int a), drawn with probabilities p, uniform by default.

    The result has `shape` in place of the axis. replace=False draws each element at most once. Raises ArgumentError where there are
    not enough elements for that, ShapeError for p of another size than the axis.

    >>> import jitgrad
    >>> sorted(choice(jitgrad.random.key(0), 3, (3,), replace=False).tolist())
    [0, 1, 2]
    """
    sizes = shape_arg("random.choice", shape)
    values = None if isinstance(a, int) else array_arg("random.choice", a)
    along = 0 if values is None else axis_number("random.choice", axis, values.type.rank)
    n = index(a) if values is None else values.type.shape[along]
    count = math.prod(sizes)
    if n < 1 and count:
        raise ArgumentError("random.choice: there is nothing to choose from")
    if not replace and count > n:
        raise ArgumentError(f"random.choice: {count} elements without replacement need as many to choose from, got {n}")
    if p is not None:
        chances = inexact_arg("random.choice", p)
        if chances.type.shape != (n,):
            raise ShapeError(f"random.choice: p must have the shape {(n,)} of the axis, got {chances.type.shape}")
        places = _weighted(key, chances, sizes) if replace else _weighted_order(key, chances, count, sizes)
    elif replace:
        places = randint(key, sizes, 0, n)
    else:
        places = ops.reshape(ops.slice_axis(_random_order(key, n), 0, 0, count), sizes)
    return places if values is None else _take(values, places, along)


def _weighted(key: KeyLike, chances: Array, shape: tuple[int, ...]) -> Array:
    """How many running sums of the chances lie below a uniform number of (0, total), by bisection in steps of powers of two."""
    n, dtype = chances.type.shape[0], chances.type.dtype
    sums = ops.op("cumsum", chances, axis=0, reverse=False)
    total = ops.reshape(ops.slice_axis(sums, 0, n - 1, n), ())
    target = ops.op("mul", open_uniform("choice", key, shape, dtype), ops.broadcast(total, shape, ()))
    found = ops.broadcast(ops.constant(0, "i64"), shape, ())
    for step in (1 << b for b in range(n.bit_length() - 1, -1, -1)):
        probe = ops.op("add", found, ops.constant(step, "i64"))
        below = ops.op("lt", _take(sums, ops.op("sub", probe, ops.constant(1, "i64")), 0), target)
        inside = ops.op("lt", probe, ops.constant(n, "i64"))
        found = ops.select(ops.op("and", below, inside), probe, found)
    return found


def _weighted_order(key: KeyLike, chances: Array, count: int, shape: tuple[int, ...]) -> Array:
    """`count` elements drawn one after another by the chances: those with the largest log p plus Gumbel draws."""
    keyed = ops.op("add", ops.op("log", chances), gumbel(key, chances.type.shape, chances.type.dtype))
    return ops.reshape(ops.convert(top_k(keyed, count)[1], "i64"), shape)
