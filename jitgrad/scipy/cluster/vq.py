"""Vector quantisation, by jax.scipy.cluster.vq's name."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.numpy.manipulation import promoted
from jitgrad.operands import real_arg

ArrayLike = Any


def vq(obs: ArrayLike, code_book: ArrayLike, check_finite: bool = True) -> tuple[Array, Array]:
    """(code [m], distance [m]): which row of code_book [k, n] is closest to each row of obs [m, n], and how far.

    Vectors are columns of one number. The first of rows at one distance is taken. check_finite is accepted for likeness with SciPy:
    nothing is checked. The distance is differentiable, with the gradient 0 at a row of the book. Raises ShapeError for other
    shapes and for an empty book.

    >>> import jitgrad.numpy as jnp
    >>> code, distance = vq(jnp.array([[1.0, 2.0], [4.0, 4.0]]), jnp.array([[1.0, 1.0], [4.0, 0.0], [4.0, 5.0]]))
    >>> print(code, distance)
    [0 2] [1. 1.]
    """
    where = "scipy.cluster.vq.vq"
    rows, book = promoted(where, [real_arg(where, obs), real_arg(where, code_book)])
    shapes = f"got shapes {rows.shape} and {book.shape}"
    if rows.ndim != book.ndim or rows.ndim not in (1, 2) or rows.shape[1:] != book.shape[1:]:
        raise ShapeError(f"{where}: takes obs [m, n] and code_book [k, n], or vectors [m] and [k], {shapes}")
    if not book.shape[0]:
        raise ShapeError(f"{where}: code_book has no rows, {shapes}")
    if rows.ndim == 1:
        rows, book = rows[:, None], book[:, None]
    code = jnp.argmin(jnp.sum(jnp.square(rows[:, None] - book[None]), axis=-1), axis=-1)
    square = jnp.sum(jnp.square(rows - book[code]), axis=-1)
    apart = square != 0
    return code, jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0)


__all__ = ["vq"]
