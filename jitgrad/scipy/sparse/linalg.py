"""Solvers of linear systems that ask for products alone, by scipy.sparse.linalg's and jax.scipy.sparse.linalg's names.

Derivatives are one more solution, with the transpose where that is asked for; the solvers' steps are not differentiated.

>>> import jitgrad.numpy as jnp
>>> x, _ = cg(lambda x: 2 * x, jnp.array([2.0, 4.0]))
>>> print(x)
[1. 2.]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError, TreeStructureError
from jitgrad.flatten_util import ravel_pytree
from jitgrad.lax.implicit import custom_linear_solve
from jitgrad.lax.loops import fori_loop, while_loop
from jitgrad.operands import inexact_arg, real_number_arg, size_arg
from jitgrad.publishing import public as _public

Operator = Callable[[Array], Array]


def _dot(x: Array, y: Array) -> Array:
    return jnp.vdot(x, y)


def _square(x: Array) -> Array:
    """|x|^2."""
    return jnp.real(jnp.vdot(x, x))


def _conjugate_gradients(a: Operator, m: Operator, b: Array, x0: Array, least: Array, most: int) -> Array:
    """Golub and Van Loan, Matrix Computations, 11.5."""
    r0 = b - a(x0)
    z0 = m(r0)

    def goes_on(state: Any) -> Array:
        _, r, _, _, k = state
        return (_square(r) > least) & (k < most)

    def step(state: Any) -> Any:
        x, r, gamma, p, k = state
        ap = a(p)
        alpha = gamma / _dot(p, ap)
        x, r = x + alpha * p, r - alpha * ap
        z = m(r)
        following = _dot(r, z)
        return x, r, following, z + following / gamma * p, k + 1

    return while_loop(goes_on, step, (x0, r0, _dot(r0, z0), z0, 0))[0]


def _stabilized(a: Operator, m: Operator, b: Array, x0: Array, least: Array, most: int) -> Array:
    """van der Vorst, "Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG for the solution of nonsymmetric linear systems"
    (1992).
    """
    r0 = b - a(x0)
    one = jnp.ones((), b.dtype)

    def goes_on(state: Any) -> Array:
        r, k, broken = state[1], state[-2], state[-1]
        return (_square(r) > least) & (k < most) & ~broken

    def step(state: Any) -> Any:
        x, r, alpha, omega, rho, p, q, k, _ = state
        following = _dot(r0, r)
        p = r + following / rho * (alpha / omega) * (p - omega * q)
        towards = m(p)
        q = a(towards)
        alpha = following / _dot(r0, q)
        s = r - alpha * q
        early = _square(s) <= least
        beside = m(s)
        t = a(beside)
        omega = jnp.where(early, one, _dot(t, s) / jnp.where(early, one, _dot(t, t)))
        x = x + alpha * towards + jnp.where(early, 0, omega) * beside
        r = jnp.where(early, s, s - omega * t)
        broken = (omega == 0) | (alpha == 0) | (following == 0)
        return x, r, alpha, omega, following, p, q, k + 1, broken

    zero = jnp.zeros_like(b)
    return while_loop(goes_on, step, (x0, r0, one, one, one, zero, zero, 0, jnp.zeros((), bool)))[0]


def _least_residual(restart: int) -> Callable[..., Array]:
    """Saad and Schultz, "GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems" (1986), started
    again after `restart` products; vectors are made orthogonal twice.
    """

    def solver(a: Operator, m: Operator, b: Array, x0: Array, least: Array, most: int) -> Array:
        size = min(restart, b.shape[0])
        scale = jnp.sqrt(_square(m(b)))
        given = jnp.sqrt(_square(b))
        enough = jnp.where(given > 0, jnp.sqrt(least) * scale / jnp.where(given > 0, given, 1), jnp.sqrt(least))

        def residual(x: Array) -> Array:
            return m(b - a(x))

        def product(j: Array, state: Any) -> Any:
            basis, h = state
            w = m(a(basis[j]))
            before = jnp.sqrt(_square(w))
            along = jnp.matmul(jnp.conj(basis), w)
            w = w - jnp.matmul(along, basis)
            again = jnp.matmul(jnp.conj(basis), w)
            w = w - jnp.matmul(again, basis)
            rest = jnp.sqrt(_square(w))
            fresh = rest > before * 10 * float(jnp.finfo(w.dtype).eps)
            unit = jnp.where(fresh, w / jnp.where(fresh, rest, 1).astype(w.dtype), 0)
            rows = jnp.arange(size + 1)
            column = along + again + jnp.where((rows == j + 1) & fresh, rest, 0).astype(w.dtype)
            return jnp.where(rows[:, None] == j + 1, unit, basis), h.at[:, j].set(column)

        def cycle(state: Any) -> Any:
            x, r, k = state
            length = jnp.sqrt(_square(r))
            first = r / jnp.where(length > 0, length, 1).astype(r.dtype)
            basis = jnp.zeros((size + 1, b.shape[0]), b.dtype).at[0].set(first)
            basis, h = fori_loop(0, size, product, (basis, jnp.zeros((size + 1, size), b.dtype)))
            target = jnp.zeros(size + 1, b.dtype).at[0].set(length.astype(b.dtype))
            y = jnp.linalg.lstsq(h, target)[0]
            x = x + jnp.matmul(y, basis[:-1])
            return x, residual(x), k + 1

        def goes_on(state: Any) -> Array:
            return (jnp.sqrt(_square(state[1])) > enough) & (state[2] < most)

        return while_loop(goes_on, cycle, (x0, residual(x0), 0))[0]

    return solver


def _solve(
    where: str, solver: Callable[..., Array], A: Any, b: Any, x0: Any, tol: float, atol: float, maxiter: int | None, M: Any,
    symmetric: bool = False,
) -> Any:  # fmt: skip
    leaves, structure = tree.flatten(b)
    given = tree.unflatten(structure, [inexact_arg(where, x) for x in leaves])
    rhs, back = ravel_pytree(given)
    if x0 is None:
        start = jnp.zeros_like(rhs)
    else:
        if tree.structure(x0) != structure or [jnp.shape(x) for x in tree.leaves(x0)] != [jnp.shape(x) for x in leaves]:
            raise TreeStructureError(f"{where}: x0 must have the shapes of b, {structure}, got {tree.structure(x0)}")
        start = ravel_pytree(x0)[0].astype(rhs.dtype)

    def operator(name: str, f: Any) -> Operator:
        if f is None:
            return lambda v: v
        if not callable(f):
            matrix = inexact_arg(where, f)
            if matrix.ndim != 2 or matrix.shape != (rhs.shape[0],) * 2 or len(leaves) != 1 or jnp.ndim(leaves[0]) != 1:
                raise ShapeError(
                    f"{where}: {name} must be a function, or a matrix [n, n] beside b [n], got shape {matrix.shape} and b "
                    f"of shapes {[jnp.shape(x) for x in leaves]}"
                )
            return lambda v: jnp.matmul(matrix, v)

        def run(v: Array) -> Array:
            out = f(back(v))
            if tree.structure(out) != structure:
                raise TreeStructureError(f"{where}: {name}'s result must have b's structure {structure}, got {tree.structure(out)}")
            return ravel_pytree(out)[0].astype(rhs.dtype)

        return run

    matvec, preconditioner = operator("A", A), operator("M", M)
    most = 10 * rhs.shape[0] if maxiter is None else size_arg(where, maxiter, "maxiter must be an integer", 0)
    relative, absolute = real_number_arg(where, "tol", tol), real_number_arg(where, "atol", atol)

    def solved(product: Operator, target: Array) -> Array:
        square = _square(target)
        least = jnp.maximum(relative.astype(square.dtype) ** 2 * square, absolute.astype(square.dtype) ** 2)
        return solver(product, preconditioner, target, start, least, most)

    transpose = None if symmetric else solved
    return back(custom_linear_solve(matvec, rhs, solved, transpose_solve=transpose, symmetric=symmetric)), None


def cg(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """(x, None) with A(x) = b by conjugate gradients, for a Hermitian positive definite A.

    A: a linear function from a pytree like b to one like it, or a matrix [n, n] beside b [n]; M: the same, near A's inverse. It
    ends when |b - A x| is at most max(tol |b|, atol), or after maxiter steps, ten for each element of b by default. x0: its start.

    Raises TreeStructureError and ShapeError where A's results or x0 are not like b.

    >>> import jitgrad.numpy as jnp
    >>> x, _ = cg(jnp.array([[4.0, 2.0], [2.0, 5.0]]), jnp.array([6.0, 7.0]))
    >>> print(jnp.round(x, 4))
    [1. 1.]
    """
    return _solve("scipy.sparse.linalg.cg", _conjugate_gradients, A, b, x0, tol, atol, maxiter, M, symmetric=True)


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None, M: Any = None
) -> tuple[Any, None]:
    """(x, None) with A(x) = b by the stabilised biconjugate gradients, for any A; arguments as of `cg`.

    >>> import jitgrad.numpy as jnp
    >>> x, _ = bicgstab(jnp.array([[4.0, 1.0], [2.0, 5.0]]), jnp.array([5.0, 7.0]))
    >>> print(jnp.round(x, 4))
    [1. 1.]
    """
    return _solve("scipy.sparse.linalg.bicgstab", _stabilized, A, b, x0, tol, atol, maxiter, M)


def gmres(
    A: Any, b: Any, x0: Any = None, *, tol: float = 1e-5, atol: float = 0.0, restart: int = 20, maxiter: int | None = None,
    M: Any = None, solve_method: str = "batched",
) -> tuple[Any, None]:  # fmt: skip
    """(x, None) with A(x) = b by generalised minimal residuals, for any A; arguments as of `cg`.

    restart: after how many products the basis is made anew; maxiter: how often. solve_method: "batched" or "incremental", one
    method serves both.

    >>> import jitgrad.numpy as jnp
    >>> x, _ = gmres(jnp.array([[4.0, 1.0], [2.0, 5.0]]), jnp.array([5.0, 7.0]))
    >>> print(jnp.round(x, 4))
    [1. 1.]
    """
    where = "scipy.sparse.linalg.gmres"
    if solve_method not in ("batched", "incremental"):
        raise ArgumentError(f"{where}: solve_method must be 'batched' or 'incremental', got {solve_method!r}")
    if size_arg(where, restart, "restart is an integer") < 1:
        raise ArgumentError(f"{where}: restart must be 1 or more, got {restart}")
    return _solve(where, _least_residual(restart), A, b, x0, tol, atol, maxiter, M)


__all__ = ["bicgstab", "cg", "gmres"]


_public(__name__)
