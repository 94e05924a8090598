"""Draws of vectors and matrices: multivariate normal and orthogonal ones."""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.at_once import done_at_once
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, broadcast_shape, shape_arg, size_arg
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import DType

from .distributions import normals
from .keys import KeyLike
from .programs import Shape, check_shape, draw, each, float_dtype

Sizes = tuple[int, ...]


METHODS = ("cholesky", "eigh", "svd")


def _factor(cov: Array, method: str) -> Array:
    """A matrix F with cov = F F^T: triangular, or with columns that are orthogonal."""
    if method == "cholesky":
        factor: Array = jnp.linalg.cholesky(cov)
        return factor
    if method == "eigh":
        squares, vectors = jnp.linalg.eigh(cov)
        signed = squares
    else:
        vectors, squares, others = jnp.linalg.svd(cov)
        signed = squares * (2 * jnp.einsum("...ij,...ji->...j", vectors, others) - 1)  # below 0 where the vectors differ
    rounding = 50 * cov.shape[-1] * float(jnp.finfo(cov.dtype).eps) * jnp.max(jnp.abs(squares), -1, keepdims=True, initial=0)
    deviations = jnp.sqrt(jnp.where(signed < -rounding, math.nan, jnp.maximum(squares, 0)))
    return vectors * deviations[..., None, :]


@done_at_once
def _spread(z: Array, mean: Array, cov: Array, method: str) -> Array:
    return mean + jnp.einsum("...ij,...j->...i", _factor(cov, method), z)


def _multivariate_normal(key: Array, mean: Array, cov: Array, shape: Sizes, dtype: DType, method: str) -> Array:
    z = each("multivariate_normal", normals, key, [], (shape, dtype))
    found: Array = _spread(z, ops.convert(mean, dtype), ops.convert(cov, dtype), method)
    return found


def multivariate_normal(
    key: KeyLike, mean: ArrayLike, cov: ArrayLike, shape: Shape | None = None, dtype: Any = None, method: str = "cholesky"
) -> Array:
    """Normal vectors [*shape, n] of mean [..., n] and positive definite covariance [..., n, n].

    The front axes broadcast to `shape`. Floats of the parameters' type by default. method: how cov is factored, "cholesky", or
    "eigh" or "svd", with which it may be singular. Where cov is no covariance, the draws are NaN. jax's numbers up to the rounding
    of the factorisation, and with "eigh" and "svd" up to the signs of its vectors.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> multivariate_normal(jitgrad.random.key(0), jnp.zeros(2), jnp.eye(2), (3,)).shape
    (3, 2)
    """
    where = "random.multivariate_normal"
    if method not in METHODS:
        raise ArgumentError(f"{where}: method must be 'cholesky', 'eigh' or 'svd', got {method!r}")
    mean, cov = jnp.asarray(mean), jnp.asarray(cov)
    if not mean.shape or cov.shape[-2:] != (mean.shape[-1], mean.shape[-1]):
        raise ShapeError(f"{where}: takes mean [..., n] and cov [..., n, n], got shapes {mean.shape} and {cov.shape}")
    fronts = (mean.shape[:-1], cov.shape[:-2])
    sizes = broadcast_shape(where, fronts) if shape is None else shape_arg(where, shape)
    check_shape("multivariate_normal", sizes, *fronts)
    name = float_dtype("multivariate_normal", jnp.result_type(mean, cov, 1.0) if dtype is None else dtype)
    whole = (*sizes, mean.shape[-1])
    work = math.prod(sizes) * mean.shape[-1] ** 2 + cov.size * mean.shape[-1]
    return draw("multivariate_normal", _multivariate_normal, key, (mean, cov), (whole, name, method), work)


@done_at_once
def _uniform_factor(x: Array) -> Array:
    """Q of x = QR, where the diagonal of R is positive."""
    q, r = jnp.linalg.qr(x)
    return q * jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1))[..., None, :]


def _orthogonal(key: Array, rows: int, columns: int, shape: Sizes, dtype: DType) -> Array:
    tall = each("orthogonal", normals, key, [], ((*shape, max(rows, columns), min(rows, columns)), dtype))
    q: Array = _uniform_factor(tall)
    return jnp.swapaxes(q, -1, -2) if rows < columns else q


MOST_COLUMNS = 1 << 16
"""How many columns are made orthogonal to one another at most."""


def orthogonal(key: KeyLike, n: int, shape: Shape = (), dtype: Any = None, m: int | None = None) -> Array:
    """Uniform orthogonal matrices [*shape, n, n]; with m [*shape, n, m], whose columns (rows where n < m) are orthonormal.

    Floats, float32 by default; jax's numbers up to the rounding of the factorisation. With a complex dtype unitary matrices.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> q = orthogonal(jitgrad.random.key(0), 3)
    >>> bool(jnp.allclose(q @ q.T, jnp.eye(3), atol=1e-6))
    True
    """
    name = dtype_name(float if dtype is None else dtype)
    name = name if name.is_complex else float_dtype("orthogonal", dtype)
    rows = size_arg("random.orthogonal", n, "n must be an integer", 0)
    columns = rows if m is None else size_arg("random.orthogonal", m, "m must be an integer", 0)
    static = (rows, columns, shape_arg("random.orthogonal", shape), name)
    whole = shape_arg("random.orthogonal", (*static[2], rows, columns))
    if min(rows, columns) > MOST_COLUMNS:
        raise ArgumentError(f"random.orthogonal: n and m may not both be above {MOST_COLUMNS}, got {rows} and {columns}")
    return draw("orthogonal", _orthogonal, key, (), static, math.prod(whole) * min(rows, columns))
