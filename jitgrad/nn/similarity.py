"""How near vectors are, and vectors of length 1: functions, and two of them as layers."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.normalization import Axis
from jitgrad.operands import real_arg
from jitgrad.ranges import Amount

from .module import Module

ArrayLike = Any


def _length(x: Array, p: float, axis: Axis, eps: Amount, keepdims: bool = False) -> Array:
    """The p-norm along an axis, at least eps, which is held above what the type takes for 0; below, its derivative is 0."""
    least = float(jnp.finfo(x.dtype).smallest_subnormal)
    if p == 2:
        return jnp.sqrt(jnp.maximum(jnp.sum(x * x, axis=axis, keepdims=keepdims), max(eps * eps, least) if eps else 0.0))
    eps = max(eps, least) if eps else 0.0
    return jnp.maximum(jnp.linalg.norm(x, ord=p, axis=axis, keepdims=keepdims), eps)


def normalize(x: ArrayLike, p: float = 2.0, axis: Axis = -1, eps: Amount = 1e-12) -> Array:
    """x divided by its p-norm along an axis, or by eps where that is less.

    >>> import jitgrad.numpy as jnp
    >>> print(normalize(jnp.array([3.0, 4.0])))
    [0.6 0.8]
    """
    value = real_arg("nn.normalize", x)
    return value / _length(value, p, axis, eps, keepdims=True)


def cosine_similarity(x: ArrayLike, y: ArrayLike, axis: Axis = -1, eps: Amount = 1e-8) -> Array:
    """The cosine of the angle between vectors along an axis: their product by their lengths, each at least eps. Shapes broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(cosine_similarity(jnp.array([1.0, 0.0]), jnp.array([[2.0, 0.0], [0.0, 3.0]])))
    [1. 0.]
    """
    first, second = (real_arg("nn.cosine_similarity", v) for v in (x, y))
    return jnp.sum(normalize(first, 2.0, axis, eps) * normalize(second, 2.0, axis, eps), axis=axis)


def pairwise_distance(x: ArrayLike, y: ArrayLike, p: float = 2.0, eps: Amount = 1e-6, keepdims: bool = False) -> Array:
    """The p-norm of x - y + eps along the last axis; eps keeps derivatives finite where x is y. Shapes broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(pairwise_distance(jnp.array([3.0, 4.0]), jnp.zeros(2)).round(4))
    5.0
    """
    first, second = (real_arg("nn.pairwise_distance", v) for v in (x, y))
    return jnp.linalg.norm(first - second + eps, ord=p, axis=-1, keepdims=keepdims)


class CosineSimilarity(Module):
    """`nn.cosine_similarity` of two inputs, as a layer.

    >>> import jitgrad.numpy as jnp
    >>> print(CosineSimilarity()(jnp.array([1.0, 0.0]), jnp.array([2.0, 0.0])))
    1.0
    """

    def __init__(self, axis: Axis = -1, eps: Amount = 1e-8) -> None:
        self.axis, self.eps = axis, eps

    def __call__(self, x: Any, y: Any) -> Array:
        return cosine_similarity(x, y, self.axis, self.eps)


class PairwiseDistance(Module):
    """`nn.pairwise_distance` of two inputs, as a layer.

    >>> import jitgrad.numpy as jnp
    >>> print(PairwiseDistance(p=1)(jnp.array([3.0, 4.0]), jnp.zeros(2)).round(4))
    7.0
    """

    def __init__(self, p: float = 2.0, eps: Amount = 1e-6, keepdims: bool = False) -> None:
        if not p > 0:
            raise ArgumentError(f"nn.PairwiseDistance: p must be positive, got {p}")
        self.p, self.eps, self.keepdims = p, eps, keepdims

    def __call__(self, x: Any, y: Any) -> Array:
        return pairwise_distance(x, y, self.p, self.eps, self.keepdims)
