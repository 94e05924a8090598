"""What the parts of optimizers do to every leaf: counts, running means and their correction, casts. Next on the path:
scaling.py.
"""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

PyTree = Any


def zeros_like(params: PyTree, dtype: Any = None) -> PyTree:
    return tree.map(lambda p: jnp.zeros_like(p, dtype), params)


def squares_like(params: PyTree, value: Any = 0.0) -> PyTree:
    """Leaves of `value` for running means of squares, which of complex numbers are real."""
    return tree.map(lambda p: jnp.full_like(jnp.real(jnp.asarray(p)), value), params)


def cast(x: PyTree, dtype: Any) -> PyTree:
    """Leaves in an element type; as they are for None."""
    return x if dtype is None else tree.map(lambda leaf: jnp.asarray(leaf).astype(dtype), x)


def cast_like(x: PyTree, like: PyTree) -> PyTree:
    """Leaves in the element types of another tree's."""
    return tree.map(lambda leaf, other: jnp.asarray(leaf).astype(jnp.asarray(other).dtype), x, like)


def no_count() -> Array:
    return jnp.zeros((), "int32")


def next_count(count: Any) -> Array:
    """One more, or the largest number of the count's type for ever."""
    count = jnp.asarray(count)
    most = jnp.iinfo(count.dtype).max
    return jnp.where(count < most, count, most - 1) + 1


def square(g: Any) -> Array:
    """|g|**2."""
    g = jnp.asarray(g)
    return g * g if not jnp.iscomplexobj(g) else jnp.real(g * jnp.conj(g))


def mean_of(updates: PyTree, means: PyTree, decay: Any) -> PyTree:
    """Running means, of which `decay` stays, with the updates taken in."""
    return tree.map(lambda g, m: (1 - decay) * g + decay * m, updates, means)


def mean_of_squares(updates: PyTree, means: PyTree, decay: Any) -> PyTree:
    return tree.map(lambda g, v: (1 - decay) * square(g) + decay * v, updates, means)


def one_minus_power(decay: Any, count: Array, dtype: Any) -> Array:
    """1 - decay**count, which is small at first and so comes from expm1."""
    rate = (math.log(decay) if decay else -math.inf) if isinstance(decay, (int, float)) else jnp.log(decay)
    return -jnp.expm1(count.astype(dtype) * rate)


def corrected(mean: Any, decay: Any, count: Array) -> Array:
    """A running mean that began at 0, as if it had begun at the first update: divided by 1 - decay**count."""
    mean = jnp.asarray(mean)
    return mean / one_minus_power(decay, count, jnp.real(mean).dtype)


def corrected_means(updates: PyTree, means: PyTree, decay: Any, count: Array, nesterov: bool) -> PyTree:
    """Corrected means, or Nesterov's look ahead at the next ones (Dozat, Incorporating Nesterov momentum into Adam, 2016)."""
    if not nesterov:
        return tree.map(lambda m: corrected(m, decay, count), means)
    after = next_count(count)
    return tree.map(lambda g, m: decay * corrected(m, decay, after) + (1 - decay) * corrected(g, decay, count), updates, means)


def norm(x: Any) -> Array:
    """The Euclidean norm of an array; its derivative at 0 is 0."""
    total = jnp.sum(square(x))
    return jnp.where(total == 0, 0.0, jnp.sqrt(jnp.where(total == 0, 1.0, total)))


def dot(a: PyTree, b: PyTree) -> Array:
    """The real part of the sum of conj(a) * b over all leaves."""
    return sum(jnp.sum(jnp.real(jnp.conj(x) * y)) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))  # type: ignore[return-value]


def choose(condition: Any, yes: PyTree, no: PyTree) -> PyTree:
    """One of two trees of one structure, by a bool that may be traced; the first one's element types."""
    return tree.map(lambda a, b: jnp.where(condition, a, b).astype(jnp.asarray(a).dtype), yes, no)


def needs_params(where: str, params: PyTree) -> PyTree:
    if params is None:
        raise ArgumentError(f"optim.{where}: update needs the params as its third argument: opt.update(gradients, state, params)")
    return params
