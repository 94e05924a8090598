"""From what users pass to matrices: of one float or complex type, square where they must be, and batches of one shape.

The matrices are the last two axes. Next on the path: linear_algebra/.
"""

from __future__ import annotations

from collections.abc import Sequence

import jitgrad.numpy as jnp
from jitgrad.array import Array, as_value
from jitgrad.checks import is_checked, require
from jitgrad.errors import ShapeError, SingularMatrixError
from jitgrad.promotion import strong_dtype

from .array_ops import broadcast_right, convert, reshape
from .operands import ArrayLike, as_inexact, broadcast_shape, common_dtype, inexact_arg


def matrix_arg(where: str, x: ArrayLike, name: str = "a") -> Array:
    """Matrices [..., m, n] of floats or complex numbers."""
    value = inexact_arg(where, x)
    if value.ndim < 2:
        raise ShapeError(f"{where}: {name} must be a matrix or a batch of them, of 2 axes or more, got shape {value.shape}")
    return value


def square_arg(where: str, x: ArrayLike, name: str = "a") -> Array:
    """Matrices [..., n, n]."""
    value = matrix_arg(where, x, name)
    if value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"{where}: {name} must be square, of shape [..., n, n], got shape {value.shape}")
    return value


def one_type(where: str, *xs: ArrayLike) -> list[Array]:
    """Operands converted to the float or complex type that they promote to; none is weak."""
    values = [as_value(x, where) for x in xs]
    dtype = strong_dtype(*as_inexact(*common_dtype(values)))
    return [convert(v, dtype) for v in values]


def system_args(where: str, a: ArrayLike, b: ArrayLike) -> tuple[Array, Array, bool]:
    """(a [..., n, n], b [..., n, m], whether b was a vector), both batches of one shape."""
    matrix, given = one_type(where, a, b)
    matrix = square_arg(where, matrix)
    n, is_vector = matrix.shape[-1], given.ndim == 1
    if given.ndim == 0 or given.shape[-1 if is_vector else -2] != n:
        raise ShapeError(
            f"{where}: b must have shape [{n}] or [..., {n}, m] beside a of shape {matrix.shape}, got shape {given.shape}"
        )
    if is_vector:
        given = reshape(given, (n, 1))
    matrix, given = one_batch(where, matrix, given)
    return matrix, given, is_vector


def one_batch(where: str, *matrices: Array) -> Sequence[Array]:
    """Matrices whose leading axes are broadcast to one shape."""
    leads = tuple(m.shape[:-2] for m in matrices)
    if len(set(leads)) == 1:
        return matrices
    lead = broadcast_shape(where, leads)
    return [broadcast_right(m, (*lead, *m.shape[-2:])) for m in matrices]


def check_results(where: str, results: Sequence[Array], operands: Sequence[Array], what: str = "a matrix is singular") -> None:
    """Inside debug.checked("linalg"): raise where numbers that are finite have given others that are not."""
    if is_checked("linalg"):
        fine = _all_finite(results)
        require(fine | ~_all_finite(operands) if operands else fine, SingularMatrixError, f"{where}: {what}")


def _all_finite(values: Sequence[Array]) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in values]))
