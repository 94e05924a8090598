"""Cholesky's factorisation, systems of equations, inverses and determinants."""

from __future__ import annotations

from typing import Any, NamedTuple

from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.linear_algebra import systems
from jitgrad.operands import ArrayLike


class SlogdetResult(NamedTuple):
    """What slogdet gives."""

    sign: Array
    logabsdet: Array


def cholesky(a: ArrayLike, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The lower triangular L with L L^H = a, for Hermitian positive definite matrices; NaN where one is not.

    upper: its conjugate transpose. symmetrize_input: factorise (a + a^H) / 2, so that derivatives are symmetric, too; else the
    lower triangle alone is read. Raises ShapeError for matrices that are not square.

    >>> import jitgrad.numpy as jnp
    >>> print(cholesky(jnp.array([[4.0, 2.0], [2.0, 5.0]])))
    [[2. 0.]
     [1. 2.]]
    """
    factor = systems.cholesky("linalg.cholesky", a, symmetrize_input)
    return systems.adjoint(factor) if upper else factor


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """x with a x = b, for a [..., n, n] and b [n] or [..., n, m]; infinite or NaN where a is singular. Leading axes broadcast.

    Raises ShapeError for other shapes.

    >>> import jitgrad.numpy as jnp
    >>> print(solve(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.array([2.0, 3.0])))
    [1. 2.]
    """
    return systems.solve("linalg.solve", a, b)


def inv(a: ArrayLike) -> Array:
    """The inverses of square matrices; infinite or NaN where one is singular. Raises ShapeError for others.

    `solve` is faster and more accurate than a product with an inverse.

    >>> import jitgrad.numpy as jnp
    >>> print(inv(jnp.array([[2.0, 0.0], [0.0, 4.0]])))
    [[0.5  0.  ]
     [0.   0.25]]
    """
    return systems.inv("linalg.inv", a)


def det(a: ArrayLike) -> Array:
    """The determinants of square matrices [..., n, n]; 1 of one without rows. Derivatives hold where one is singular, too.

    >>> import jitgrad.numpy as jnp
    >>> print(det(jnp.array([[1.0, 2.0], [3.0, 4.0]])))
    -2.0
    """
    return systems.det("linalg.det", a)


def slogdet(a: ArrayLike, *, method: Any = None) -> SlogdetResult:
    """(sign, logabsdet) of determinants, which are sign * exp(logabsdet): 0 and -inf of singular matrices.

    The sign of a complex matrix is a number of size 1. method: None or "lu", which it is done by.

    >>> import jitgrad.numpy as jnp
    >>> sign, logabsdet = slogdet(jnp.array([[0.0, 2.0], [2.0, 0.0]]))
    >>> print(sign, jnp.exp(logabsdet))
    -1.0 4.0
    """
    if method not in (None, "lu"):
        raise ArgumentError(f"linalg.slogdet: method must be None or 'lu', got {method!r}")
    return SlogdetResult(*systems.slogdet("linalg.slogdet", a))


__all__ = ["cholesky", "det", "inv", "slogdet", "solve"]
