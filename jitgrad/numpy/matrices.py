"""Matrices of a form: identity, triangles, diagonals, Vandermonde."""

from __future__ import annotations

from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import Shape, broadcast, convert, fill, iota, op, reshape, select
from jitgrad.errors import ArgumentError, ParametersError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, shape_arg, size_arg
from jitgrad.transfers import beside, placed
from jitgrad_compiler.ir.types import BOOL, I64, DType

from .creation import float_or
from .elementwise import named


def eye(N: int, M: int | None = None, k: ArrayLike = 0, dtype: Any = None, *, device: Any = None) -> Array:
    """An N by M matrix (M is N by default) with ones on the k-th diagonal, counted upwards, and zeros elsewhere; k may be traced.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.eye(2, 3, k=1))
    [[0. 1. 0.]
     [0. 0. 1.]]
    """
    return placed("eye", _mask(_rows_and_columns("eye", N, M), k, float_or(dtype), "eq"), device)


def identity(n: int, dtype: Any = None) -> Array:
    """The n by n identity matrix.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.identity(2))
    [[1. 0.]
     [0. 1.]]
    """
    if isinstance(n, (tuple, list)):
        raise ParametersError(f"identity: a square matrix has one size: identity({n[0] if n else 'n'}), got {n}.")
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: ArrayLike = 0, dtype: Any = None) -> Array:
    """An N by M matrix with ones on and below the k-th diagonal, zeros above.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.tri(2, 3))
    [[1. 0. 0.]
     [1. 1. 0.]]
    """
    return _mask(_rows_and_columns("tri", N, M), k, float_or(dtype), "ge")


def _rows_and_columns(where: str, rows: Any, columns: Any) -> Shape:
    if isinstance(rows, (tuple, list)):
        sizes = ", ".join(map(str, rows))
        raise ParametersError(f"{where}: rows and columns are arguments of their own: {where}({sizes}), not {where}(({sizes})).")
    return shape_arg(where, (rows, rows if columns is None else columns))


def _mask(shape: Shape, k: ArrayLike, dtype: DType, comparison: str) -> Array:
    """Where row + k compares so with the column, as numbers."""
    return convert(below_diagonal(shape, k, comparison), dtype)


def below_diagonal(shape: Shape, k: ArrayLike, comparison: str = "ge") -> Array:
    """The bool matrices whose element in row i and column j says whether i + k >= j; the last two axes are rows and columns."""
    rank = len(shape)
    row, column = iota(shape, rank - 2), iota(shape, rank - 1)
    if isinstance(k, int) and not k:
        return op(comparison, row, column)
    by = as_value(k)
    if by.type.dtype.is_inexact or by.type.shape:
        raise ParametersError(f"k must be an integer, got {k!r}")
    return op(comparison, row + convert(by, I64), column)


def _triangle(name: str, lower: bool, word: str, sample: str) -> Any:
    def function(m: ArrayLike, k: ArrayLike = 0) -> Array:
        value = array_arg(name, m)
        if value.type.rank < 2:
            raise ShapeError(f"{name}: needs an array with at least 2 axes, got shape {value.type.shape}")
        zero = convert(as_value(0), value.type.dtype)
        mask = below_diagonal(value.type.shape, k if lower else k - 1)
        return select(mask, value, zero) if lower else select(mask, zero, value)

    return named(
        function, name,
        f"""The matrix with zeros {word} its k-th diagonal; matrices of a stack each for itself (the last two axes).

    Raises ShapeError for an array with fewer than 2 axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.ones((2, 2))))
    {sample}
    """,
    )  # fmt: skip


tril = _triangle("tril", True, "above", "[[1. 0.]\n     [1. 1.]]")
triu = _triangle("triu", False, "below", "[[1. 1.]\n     [0. 1.]]")


def diag(v: ArrayLike, k: int = 0) -> Array:
    """A matrix with the vector v on its k-th diagonal; of a matrix that diagonal.

    Raises ShapeError for arrays with another number of axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.diag(jnp.array([1, 2])))
    [[1 0]
     [0 2]]
    """
    value = array_arg("diag", v)
    if value.type.rank == 2:
        return diagonal(value, k)
    if value.type.rank != 1:
        raise ShapeError(f"diag: needs a vector or a matrix, got shape {value.type.shape}")
    n = value.type.shape[0] + abs(k)
    zero = convert(as_value(0), value.type.dtype)
    if k:
        value = op("pad", value, zero, padding=((max(k, 0), max(-k, 0), 0),))
    return select(below_diagonal((n, n), k, "eq"), broadcast(value, (n, n), (1,)), zero)


def diagflat(v: ArrayLike, k: int = 0) -> Array:
    """A matrix with the elements of v, flattened, on its k-th diagonal.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.diagflat(jnp.array([[1], [2]])))
    [[1 0]
     [0 2]]
    """
    value = array_arg("diagflat", v)
    return diag(reshape(value, (value.type.size,)), k)


def diagonal(a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonal of the matrices along axis1 and axis2, as the last axis; offset counts upwards.

    Raises ShapeError for an array with fewer than 2 axes, ArgumentError where the axes are one.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.diagonal(jnp.array([[1, 2], [3, 4]])))
    [1 4]
    """
    value = array_arg("diagonal", a)
    rank = value.type.rank
    if rank < 2:
        raise ShapeError(f"diagonal: needs an array with at least 2 axes, got shape {value.type.shape}")
    one, other = axis_number("diagonal", axis1, rank), axis_number("diagonal", axis2, rank)
    if one == other:
        raise ArgumentError(f"diagonal: axis1 and axis2 must differ, got {axis1} and {axis2}")
    rest = tuple(i for i in range(rank) if i not in (one, other))
    offset = size_arg("diagonal", offset, "offset must be an integer")
    matrices = op("transpose", value, permutation=(*rest, one, other)) if (*rest, one, other) != tuple(range(rank)) else value
    rows, columns = matrices.type.shape[-2:]
    start_row, start_column = max(-offset, 0), max(offset, 0)
    n = max(0, min(rows - start_row, columns - start_column))
    # a diagonal is every (columns + 1)-th element of the flattened matrix
    outer = matrices.type.shape[:-2]
    flattened = reshape(matrices, (*outer, rows * columns))
    start = start_row * columns + start_column if n else 0
    limit = start + (n - 1) * (columns + 1) + 1 if n else 0
    starts, limits = (0,) * len(outer), outer
    return op("slice", flattened, start=(*starts, start), limit=(*limits, limit), strides=(*(1,) * len(outer), columns + 1))


def vander(x: ArrayLike, N: int | None = None, increasing: bool = False) -> Array:
    """The Vandermonde matrix: powers of the vector x as columns, N of them, decreasing unless `increasing`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.vander(jnp.array([2, 3]), 3))
    [[4 2 1]
     [9 3 1]]
    """
    value = array_arg("vander", x)
    if value.type.rank != 1:
        raise ShapeError(f"vander: needs a vector, got shape {value.type.shape}")
    n = value.type.shape[0] if N is None else size_arg("vander", N, "N is an integer")
    if n < 0:
        raise ArgumentError(f"vander: N must be 0 or more, got {N}")
    kind = I64 if value.type.dtype == BOOL else value.type.dtype
    powers = beside(fill((value.type.size, min(n, 1)), 1, kind), value)
    if n > 1:
        products = op("cumprod", broadcast(convert(value, kind), (value.type.size, n - 1), (0,)), axis=1, reverse=False)
        powers = op("concatenate", powers, products, axis=1)
    return powers if increasing else op("reverse", powers, axes=(1,))
