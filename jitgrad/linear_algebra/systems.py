"""Cholesky's and the LU factorisation, triangular and square systems, inverses and determinants."""

from __future__ import annotations

from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array, from_numpy
from jitgrad.array_ops import in_memory, op, op_all, reshape
from jitgrad.errors import ShapeError
from jitgrad.lax.loops import fori_loop
from jitgrad.matrix_operands import check_results, matrix_arg, one_batch, one_type, square_arg, system_args
from jitgrad.operands import ArrayLike, is_complex
from jitgrad_compiler.ops.linear_systems import taken_rows


def adjoint(x: Array) -> Array:
    """The conjugate transpose."""
    turned = jnp.matrix_transpose(x)
    return jnp.conj(turned) if is_complex(x) else turned


def conjugated(x: Array) -> Array:
    return jnp.conj(x) if is_complex(x) else x


def symmetrized(x: Array) -> Array:
    """(x + x^H) / 2."""
    return op("hermitian_part", x)


def without_column(x: Array, is_vector: bool) -> Array:
    """The vectors that were given as matrices of one column."""
    return reshape(x, x.type.shape[:-1]) if is_vector else x


def cholesky(where: str, a: ArrayLike, symmetrize_input: bool) -> Array:
    value = square_arg(where, a)
    factor = op("cholesky", symmetrized(value) if symmetrize_input else value)
    check_results(where, [factor], [], "a matrix is not positive definite")
    return factor


def lu(where: str, a: ArrayLike) -> list[Array]:
    """(L and U in one, pivots, order of rows)."""
    return op_all("lu", matrix_arg(where, a))


def triangles(factors: Array) -> tuple[Array, Array]:
    """L with its diagonal of ones, and U."""
    m, n = factors.shape[-2:]
    k = min(m, n)
    lower = jnp.tril(factors[..., :, :k], -1) + jnp.eye(m, k, dtype=factors.dtype)
    return lower, jnp.triu(factors[..., :k, :])


def triangular_solve(
    where: str,
    a: ArrayLike,
    b: ArrayLike,
    *,
    lower: bool,
    left: bool = True,
    transpose: bool = False,
    conjugate: bool = False,
    unit_diagonal: bool = False,
) -> Array:
    """The solution of op(a) x = b, or from the right of x op(a) = b, for b of matrices."""
    matrix, given = one_type(where, a, b)
    matrix = square_arg(where, matrix)
    n = matrix.shape[-1]
    if given.ndim < 2 or given.shape[-2 if left else -1] != n:
        wanted = f"[..., {n}, m]" if left else f"[..., m, {n}]"
        raise ShapeError(f"{where}: b must have shape {wanted} beside a of shape {matrix.shape}, got shape {given.shape}")
    matrix, given = one_batch(where, conjugated(matrix) if conjugate else matrix, given)
    x = op(
        "triangular_solve", matrix, given, left=left, lower=bool(lower), transpose=bool(transpose),
        unit_diagonal=bool(unit_diagonal),
    )  # fmt: skip
    check_results(where, [x], [matrix, given], "a triangular matrix has a zero on its diagonal")
    return x


def solve(where: str, a: ArrayLike, b: ArrayLike) -> Array:
    """The solution of a x = b for b of a vector or matrices."""
    matrix, given, is_vector = system_args(where, a, b)
    x = op("solve", matrix, given, transpose=False)
    check_results(where, [x], [matrix, given])
    return without_column(x, is_vector)


def cholesky_solve(where: str, factor: ArrayLike, b: ArrayLike, lower: bool) -> Array:
    """The solution of a x = b from a Cholesky factor of a, for b of a vector or matrices."""
    triangle, given, is_vector = system_args(where, factor, b)
    first = triangular_solve(where, triangle, given, lower=lower, transpose=not lower, conjugate=not lower)
    x = triangular_solve(where, triangle, first, lower=lower, transpose=lower, conjugate=lower)
    return without_column(x, is_vector)


def positive_solve(where: str, a: ArrayLike, b: ArrayLike, lower: bool) -> Array:
    """The solution for a positive definite a, of which one triangle is read."""
    matrix, given = one_type(where, a, b)
    matrix = square_arg(where, matrix)
    factor = op("cholesky", matrix if lower else adjoint(matrix))
    check_results(where, [factor], [], "a matrix is not positive definite")
    return cholesky_solve(where, factor, given, True)


def lu_solve(where: str, factors: ArrayLike, pivots: ArrayLike, b: ArrayLike, transpose: bool, conjugate: bool = False) -> Array:
    """The solution of op(a) x = b from lu's factors and pivots."""
    matrix, given, is_vector = system_args(where, factors, b)
    exchanges = jnp.asarray(pivots)
    n = matrix.shape[-1]
    if exchanges.shape[-1:] != (n,):
        raise ShapeError(
            f"{where}: pivots must have shape [..., {n}] beside factors of shape {matrix.shape}, got {exchanges.shape}"
        )
    order = pivots_to_order(where, jnp.broadcast_to(exchanges, (*matrix.shape[:-2], n)), n)
    if transpose:
        x = triangular_solve(where, matrix, given, lower=False, transpose=True, conjugate=conjugate)
        x = triangular_solve(where, matrix, x, lower=True, transpose=True, conjugate=conjugate, unit_diagonal=True)
        x = taken_rows(x, jnp.argsort(order, axis=-1))  # type: ignore[assignment]
    else:
        x = taken_rows(given, order)  # type: ignore[assignment]
        x = triangular_solve(where, matrix, x, lower=True, unit_diagonal=True)
        x = triangular_solve(where, matrix, x, lower=False)
    return without_column(x, is_vector)


def pivots_to_order(where: str, pivots: Array, size: int) -> Array:
    """The order of `size` rows that exchanges [..., k] bring about, one after the other."""
    count = pivots.shape[-1]
    start = jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32), (*pivots.shape[:-1], size))
    if count == 0 or start.size == 0:
        return start
    if in_memory(pivots) and count <= size and bool(jnp.all((pivots >= 0) & (pivots < size))):
        return from_numpy(_exchanged(pivots.data(), size))
    rows = jnp.arange(size)

    def step(i: Array, order: Array) -> Array:
        there = jnp.take(pivots, i, axis=-1)[..., None]
        mine, other = jnp.take(order, i, axis=-1)[..., None], jnp.take_along_axis(order, there, axis=-1)
        return jnp.where(rows == i, other, jnp.where(rows == there, mine, order))

    return fori_loop(0, count, step, start)


def _exchanged(pivots: Any, size: int) -> Any:
    order = np.tile(np.arange(size, dtype=np.int32), (*pivots.shape[:-1], 1))
    for i in range(pivots.shape[-1]):
        there, mine = pivots[..., i : i + 1], order[..., i : i + 1].copy()
        order[..., i : i + 1] = np.take_along_axis(order, there, -1)
        np.put_along_axis(order, there, mine, -1)
    return order


def inv(where: str, a: ArrayLike) -> Array:
    value = square_arg(where, a)
    x = op("inverse", value)
    check_results(where, [x], [value])
    return x


def det(where: str, a: ArrayLike) -> Array:
    return op("det", square_arg(where, a))


def slogdet(where: str, a: ArrayLike) -> list[Array]:
    return op_all("slogdet", square_arg(where, a))
