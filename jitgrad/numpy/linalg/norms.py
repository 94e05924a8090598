"""Norms of vectors and matrices.

>>> import jitgrad.numpy as jnp
>>> print(jnp.linalg.norm(jnp.array([3.0, 4.0])))
5.0
"""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.linear_algebra import spectra
from jitgrad.operands import ArrayLike, axes_tuple, axis_number, inexact_arg, is_real_number


def vector_norm(x: ArrayLike, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """The norm of order `ord` (2, 1, inf, -inf, 0: how many are not 0, or any p) of the elements along axes, all by default.

    >>> import jitgrad.numpy as jnp
    >>> print(vector_norm(jnp.array([[3.0, -4.0], [0.0, 1.0]]), axis=1, ord=1))
    [7. 1.]
    """
    value = inexact_arg("linalg.vector_norm", x)
    axes = axes_tuple("linalg.vector_norm", axis, value.ndim)
    if not is_real_number(ord):
        raise ArgumentError(f"linalg.vector_norm: ord must be a real number, inf or -inf, got {ord!r}")
    if ord == 2:
        return jnp.sqrt(jnp.sum(jnp.real(value * jnp.conj(value)), axis=axes, keepdims=keepdims))
    size = jnp.abs(value)
    if ord in (math.inf, -math.inf):
        return (jnp.max if ord > 0 else jnp.min)(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return jnp.sum((size != 0).astype(size.dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return jnp.sum(size, axis=axes, keepdims=keepdims)
    return jnp.power(jnp.sum(jnp.power(size, ord), axis=axes, keepdims=keepdims), 1 / ord)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of matrices: "fro"; 1 or -1, the largest or smallest sum of a column; inf or -inf, of a row; 2 or -2, the largest or
    smallest singular value; "nuc", the sum of all of them.

    Raises ArgumentError for other orders.

    >>> import jitgrad.numpy as jnp
    >>> print(matrix_norm(jnp.array([[3.0, -4.0], [0.0, 1.0]]), ord=1))
    5.0
    """
    value = inexact_arg("linalg.matrix_norm", x)
    if value.ndim < 2:
        raise ShapeError(f"linalg.matrix_norm: needs two axes, got shape {value.shape}")
    if not (ord is None or isinstance(ord, str) or is_real_number(ord)):
        raise _wrong_order(ord)
    if ord in (None, "fro"):
        return vector_norm(value, axis=(-2, -1), keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        s = spectra.svd("linalg.matrix_norm", value, False, False)[0]
        out = (jnp.sum if ord == "nuc" else jnp.max if ord == 2 else jnp.min)(s, axis=-1)
        return out[..., None, None] if keepdims else out
    if ord not in (1, -1, math.inf, -math.inf):
        raise _wrong_order(ord)
    lines = jnp.sum(jnp.abs(value), axis=-2 if ord in (1, -1) else -1, keepdims=True)
    out = (jnp.max if ord > 0 else jnp.min)(lines, axis=(-2, -1), keepdims=True)
    return out if keepdims else out[..., 0, 0]


def _wrong_order(ord: Any) -> ArgumentError:
    return ArgumentError(f"linalg.matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")


def norm(x: ArrayLike, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """`vector_norm` along one axis, `matrix_norm` over two; without axis and ord that of all elements.

    >>> import jitgrad.numpy as jnp
    >>> print(norm(jnp.ones((2, 2))), norm(jnp.ones((2, 3)), axis=0))
    2.0 [1.4142135 1.4142135 1.4142135]
    """
    value = inexact_arg("linalg.norm", x)
    if axis is None and ord is None:
        return vector_norm(value, keepdims=keepdims)
    axes = tuple(range(value.ndim)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) == 1:
        return vector_norm(value, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ArgumentError(f"linalg.norm: axis must be one or two axes, got {axis!r} for shape {value.shape}")
    first, second = (axis_number("linalg.norm", a, value.ndim) for a in axes)
    if first == second:
        raise ArgumentError(f"linalg.norm: axis {axis} names an axis twice")
    order = (*[i for i in range(value.ndim) if i not in (first, second)], first, second)
    out = matrix_norm(value.transpose(order), ord=ord)
    return out.reshape([1 if i in (first, second) else n for i, n in enumerate(value.shape)]) if keepdims else out


__all__ = ["matrix_norm", "norm", "vector_norm"]
