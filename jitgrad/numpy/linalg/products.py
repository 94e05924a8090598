"""Products, powers and parts of matrices, as the Array API's linalg has them: of the last axes, where numpy takes the first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.linear_algebra import systems
from jitgrad.matrix_operands import one_type
from jitgrad.operands import ArrayLike, axis_number, size_arg


def cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Array:
    """The vector product of vectors of size 3 along an axis; the other axes broadcast. Raises ShapeError for other sizes.

    >>> import jitgrad.numpy as jnp
    >>> print(cross(jnp.array([1, 0, 0]), jnp.array([0, 1, 0])))
    [0 0 1]
    """
    x, y = jnp.asarray(x1), jnp.asarray(x2)
    for value in (x, y):
        if value.ndim == 0 or not -value.ndim <= axis < value.ndim or value.shape[axis] != 3:
            raise ShapeError(f"linalg.cross: needs 3 elements along axis {axis} of both, got shapes {x.shape} and {y.shape}")
    return jnp.cross(x, y, axis=axis)


def outer(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Every element of a vector times every one of another: [m, n]. Raises ShapeError for what is no vector.

    >>> import jitgrad.numpy as jnp
    >>> print(outer(jnp.array([1, 2]), jnp.array([3, 4])))
    [[3 4]
     [6 8]]
    """
    x, y = jnp.asarray(x1), jnp.asarray(x2)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(f"linalg.outer: takes two vectors, got shapes {x.shape} and {y.shape}; jnp.outer flattens first")
    return jnp.outer(x, y)


def diagonal(x: ArrayLike, /, *, offset: int = 0) -> Array:
    """The diagonals of matrices, the last two axes; offset counts above the main one.

    >>> import jitgrad.numpy as jnp
    >>> print(diagonal(jnp.array([[1, 2], [3, 4]]), offset=1))
    [2]
    """
    return jnp.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of matrices, the last two axes.

    >>> import jitgrad.numpy as jnp
    >>> print(trace(jnp.array([[1, 2], [3, 4]])))
    5
    """
    return jnp.trace(x, offset=offset, axis1=-2, axis2=-1, dtype=dtype)


def matrix_power(a: ArrayLike, n: int) -> Array:
    """a multiplied by itself n times, for square matrices of any type; of a negative n the inverse.

    >>> import jitgrad.numpy as jnp
    >>> print(matrix_power(jnp.array([[1, 1], [0, 1]]), 3))
    [[1 3]
     [0 1]]
    """
    where = "linalg.matrix_power"
    value, times = jnp.asarray(a), size_arg(where, n, "n is an integer")
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"{where}: a must be square, of shape [..., n, n], got shape {value.shape}")
    if times == 0:
        return jnp.broadcast_to(jnp.eye(value.shape[-1], dtype=value.dtype), value.shape)
    if times < 0:
        value, times = systems.inv(where, value), -times
    made = None
    while times:
        if times & 1:
            made = value if made is None else jnp.matmul(made, value)
        times >>= 1
        if times:
            value = jnp.matmul(value, value)
    assert made is not None
    return made


def multi_dot(arrays: Sequence[ArrayLike], *, precision: Any = None) -> Array:
    """The product of matrices in the order that takes the fewest multiplications; the first and the last may be vectors.

    >>> import jitgrad.numpy as jnp
    >>> print(multi_dot([jnp.ones(2), jnp.ones((2, 3)), jnp.ones(3)]))
    6.0
    """
    where = "linalg.multi_dot"
    if not isinstance(arrays, (tuple, list, np.ndarray, Array)):
        raise ArgumentError(f"{where}: arrays must be a list of arrays, got {type(arrays).__name__}")
    values = [jnp.asarray(a) for a in arrays]
    if len(values) < 2:
        raise ArgumentError(f"{where}: takes two arrays or more, got {len(values)}")
    ranks = [v.ndim for v in values]
    if any(r != 2 for r in ranks[1:-1]) or ranks[0] not in (1, 2) or ranks[-1] not in (1, 2):
        raise ShapeError(f"{where}: takes matrices, and vectors at the ends, got shapes {[v.shape for v in values]}")
    if any(a.shape[-1] != b.shape[0] for a, b in zip(values, values[1:], strict=False)):
        raise ShapeError(f"{where}: columns of one must be as many as rows of the next, got shapes {[v.shape for v in values]}")
    first, last = ranks[0] == 1, ranks[-1] == 1
    values[0] = values[0][None] if first else values[0]
    values[-1] = values[-1][:, None] if last else values[-1]
    order = _best_order(tuple([v.shape[0] for v in values] + [values[-1].shape[1]]))
    out = _multiplied(values, order, precision)
    return out.reshape(() if first and last else out.shape[1:] if first else out.shape[:-1] if last else out.shape)


@lru_cache(maxsize=256)
def _best_order(sizes: tuple[int, ...]) -> Any:
    """Nested pairs of the numbers of matrices (Cormen et al., Introduction to Algorithms, 15.2)."""
    best: dict[tuple[int, int], tuple[int, Any]] = {(i, i): (0, i) for i in range(len(sizes) - 1)}
    for length in range(1, len(sizes) - 1):
        for i in range(len(sizes) - 1 - length):
            j = i + length
            costs = [(best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost, k = min(costs)
            best[i, j] = (cost, (best[i, k][1], best[k + 1, j][1]))
    return best[0, len(sizes) - 2][1]


def _multiplied(values: Sequence[Array], order: Any, precision: Any) -> Array:
    if isinstance(order, int):
        return values[order]
    one, other = order
    return jnp.matmul(_multiplied(values, one, precision), _multiplied(values, other, precision), precision=precision)


def tensorinv(a: ArrayLike, ind: int = 2) -> Array:
    """The inverse of a as a map from the axes behind the first `ind` to those: jnp.tensordot(tensorinv(a), a, ind) is the identity.

    >>> import jitgrad.numpy as jnp
    >>> print(tensorinv(2 * jnp.eye(4).reshape(2, 2, 4)).shape)
    (4, 2, 2)
    """
    where = "linalg.tensorinv"
    value, first = jnp.asarray(a), size_arg(where, ind, "ind is an integer")
    if first < 1:
        raise ArgumentError(f"{where}: ind must be 1 or more, got {ind}")
    rows, columns = value.shape[:first], value.shape[first:]
    size = 1
    for n in columns:
        size *= n
    if value.size != size * size:
        raise ShapeError(f"{where}: the first {first} axes must have as many elements as the others, got shape {value.shape}")
    return systems.inv(where, value.reshape(size, size)).reshape(*columns, *rows)


def tensorsolve(a: ArrayLike, b: ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """x with jnp.tensordot(a, x, x.ndim) = b; axes: those of a to be moved behind the others first.

    >>> import jitgrad.numpy as jnp
    >>> print(tensorsolve(2 * jnp.eye(4).reshape(2, 2, 4), jnp.ones((2, 2))))
    [0.5 0.5 0.5 0.5]
    """
    where = "linalg.tensorsolve"
    matrix, given = one_type(where, a, b)
    if axes is not None:
        moved = [axis_number(where, i, matrix.ndim) for i in axes]
        matrix = matrix.transpose([i for i in range(matrix.ndim) if i not in moved] + moved)
    columns = matrix.shape[given.ndim :]
    if matrix.size != given.size**2 or matrix.shape[: given.ndim] != given.shape:
        raise ShapeError(
            f"{where}: a's first axes must be b's, the others have as many elements, got {matrix.shape} and {given.shape}"
        )
    return systems.solve(where, matrix.reshape(given.size, given.size), given.ravel()).reshape(columns)


__all__ = [
    "cross", "diagonal", "matrix_power", "multi_dot", "outer", "tensorinv", "tensorsolve", "trace",
]  # fmt: skip
