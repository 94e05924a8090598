"""QR, singular values, eigenvalues, and what is made of them: pseudo-inverses, ranks."""

from __future__ import annotations

from functools import partial
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.array_ops import op_all
from jitgrad.custom_derivatives import custom_jvp
from jitgrad.errors import ArgumentError
from jitgrad.matrix_operands import check_results, matrix_arg, square_arg
from jitgrad.operands import ArrayLike, real_arg, real_number_arg, size_arg
from jitgrad_compiler.ir.types import float_info

from .systems import adjoint, symmetrized


def epsilon(x: Array) -> float:
    """Of the real numbers in x."""
    return float(float_info(x.type.dtype.real.numpy).eps)


def qr(where: str, a: ArrayLike, full: bool, pivoting: bool = False) -> list[Array]:
    return op_all("qr_pivoted" if pivoting else "qr", matrix_arg(where, a), full=full)


def svd(where: str, a: ArrayLike, full: bool, vectors: bool) -> list[Array]:
    value = matrix_arg(where, a)
    found = op_all("svd", value, full=full and vectors, vectors=vectors)
    check_results(where, found, [value], "singular values were not found")
    return found


def polar(where: str, a: ArrayLike, eps: float | None, max_iterations: int | None) -> list[Array]:
    """The singular values and vectors that make a polar decomposition, without jax's iterations, whose bounds are checked."""
    if eps is not None:
        real_number_arg(where, "eps", eps)
    if max_iterations is not None:
        size_arg(where, max_iterations, "max_iterations must be an integer", 0)
    return svd(where, a, False, True)


def hermitian_svd(where: str, a: ArrayLike, vectors: bool) -> list[Array]:
    """Of Hermitian matrices: by eigenvalues."""
    w, *found = eigh(where, a, True, True, vectors)
    order = jnp.argsort(-jnp.abs(w), axis=-1)
    signs = jnp.take_along_axis(jnp.sign(w), order, axis=-1)
    s = jnp.take_along_axis(jnp.abs(w), order, axis=-1)
    if not vectors:
        return [s]
    u = jnp.take_along_axis(found[0], order[..., None, :], axis=-1)
    return [u, s, adjoint(u * signs[..., None, :].astype(u.dtype))]


def eigh(where: str, a: ArrayLike, lower: bool, symmetrize_input: bool, vectors: bool) -> list[Array]:
    value = square_arg(where, a)
    if symmetrize_input:
        value = symmetrized(value)
    elif not lower:
        value = adjoint(value)
    found = op_all("eigh", value, vectors=vectors)
    check_results(where, found, [value], "eigenvalues were not found")
    return found


def eig(where: str, a: ArrayLike, left: bool = False, right: bool = True) -> list[Array]:
    value = square_arg(where, a)
    found = op_all("eig", value, left=left, right=right)
    check_results(where, found, [value], "eigenvalues were not found")
    return found


def pinv(where: str, a: ArrayLike, rtol: ArrayLike | None, hermitian: bool) -> Array:
    """The pseudo-inverse: singular values up to rtol times the largest count as 0."""
    value = symmetrized(square_arg(where, a)) if hermitian else matrix_arg(where, a)
    if rtol is None:
        rtol = 10.0 * max(value.shape[-2:]) * epsilon(value)
    return _pinv(hermitian, value, real_arg(where, rtol).astype(jnp.real(value).dtype))


@partial(custom_jvp, nondiff_argnums=(0,))
def _pinv(hermitian: bool, a: Array, rtol: Array) -> Array:
    if not a.size:
        return adjoint(a)
    u, s, vh = hermitian_svd("pinv", a, True) if hermitian else svd("pinv", a, False, True)
    least = rtol[..., None] * jnp.max(s, axis=-1, keepdims=True)
    inverse = jnp.where(s > least, 1 / jnp.where(s > least, s, 1), 0).astype(a.dtype)
    return jnp.matmul(adjoint(vh) * inverse[..., None, :], adjoint(u))


@_pinv.defjvp
def _pinv_jvp(hermitian: bool, primals: Any, tangents: Any) -> Any:
    """Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems" (1973)."""
    a, rtol = primals
    t = tangents[0]
    p = _pinv(hermitian, a, rtol)
    m, n = a.shape[-2:]
    back = adjoint(t)
    moved = -jnp.matmul(p, jnp.matmul(t, p))
    outside = jnp.eye(m, dtype=a.dtype) - jnp.matmul(a, p)
    moved = moved + jnp.matmul(jnp.matmul(p, adjoint(p)), jnp.matmul(back, outside))
    outside = jnp.eye(n, dtype=a.dtype) - jnp.matmul(p, a)
    return p, moved + jnp.matmul(jnp.matmul(outside, back), jnp.matmul(adjoint(p), p))


def rank(where: str, a: ArrayLike, rtol: ArrayLike | None, tol: ArrayLike | None, hermitian: bool) -> Array:
    """How many singular values are larger than a tolerance."""
    if rtol is not None and tol is not None:
        raise ArgumentError(f"{where}: takes rtol= or tol=, got both")
    for tolerance in (rtol, tol):
        if tolerance is not None:
            real_arg(where, tolerance)
    if jnp.ndim(a) < 2:
        return jnp.any(jnp.asarray(a) != 0).astype(int)
    value = square_arg(where, a) if hermitian else matrix_arg(where, a)
    if not value.size:
        return jnp.zeros(value.shape[:-2], int)
    (s,) = hermitian_svd(where, value, False) if hermitian else svd(where, value, False, False)
    if tol is not None:
        least = jnp.asarray(tol)[..., None]
    else:
        relative = jnp.asarray(max(value.shape[-2:]) * epsilon(value) if rtol is None else rtol)
        least = relative[..., None] * jnp.max(s, axis=-1, keepdims=True)
    return jnp.sum(s > least, axis=-1)
