"""`ravel_pytree`: a pytree of arrays as one vector, and back, for optimizers and solvers that know vectors alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import jitgrad.numpy as jnp

from . import tree
from .array import Array
from .errors import ShapeError
from .tracing import array_leaves


def ravel_pytree(pytree: Any) -> tuple[Array, Callable[[Any], Any]]:
    """A tree's leaves joined into one vector, and the function that takes such a vector apart into a tree again.

    The vector has the type that the leaves promote to; the function gives each leaf its own shape and type back, and raises
    ShapeError for a vector of another length. Both can be differentiated, vectorised and compiled.

    >>> flat, unravel = ravel_pytree({"a": jnp.array([1.0, 2.0]), "b": 3.0})
    >>> print(flat, unravel(flat * 2)["b"])
    [1. 2. 3.] 6.0
    """
    leaves, treedef = array_leaves("ravel_pytree", pytree, "the leaf")
    shapes, dtypes = [x.shape for x in leaves], [x.dtype for x in leaves]
    bounds = [0, *accumulate(x.size for x in leaves)]
    flat = jnp.concatenate([jnp.ravel(x) for x in _promoted(leaves)]) if leaves else jnp.zeros(0)

    def unravel(vector: Any) -> Any:
        given = jnp.asarray(vector)
        if given.shape != (bounds[-1],):
            raise ShapeError(f"ravel_pytree's unravel needs a vector of shape ({bounds[-1]},), got {given.shape}")
        parts = [given[start:end] for start, end in pairwise(bounds)]
        return tree.unflatten(treedef, [x.reshape(s).astype(t) for x, s, t in zip(parts, shapes, dtypes, strict=True)])

    return flat, unravel


def _promoted(leaves: list[Array]) -> list[Array]:
    common = jnp.result_type(*leaves)
    return [x.astype(common) for x in leaves]
