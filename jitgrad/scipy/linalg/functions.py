"""Functions of matrices: exponential, square root, logarithm and others; Sylvester's equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.differentiation import jvp
from jitgrad.errors import ArgumentError
from jitgrad.linear_algebra import functions
from jitgrad.matrix_operands import one_type
from jitgrad.operands import ArrayLike, one_of, real_number_arg


def expm(A: ArrayLike, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponentials of square matrices; NaN where one is so large that more than max_squarings squarings are needed.

    upper_triangular: A is, which is faster.

    >>> import jitgrad.numpy as jnp
    >>> print(expm(jnp.array([[0.0, 1.0], [0.0, 0.0]])))
    [[1. 1.]
     [0. 1.]]
    """
    return functions.expm("scipy.linalg.expm", A, upper_triangular, max_squarings)


def expm_frechet(A: ArrayLike, E: ArrayLike, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """(expm(A), its derivative at A in the direction E), or the derivative alone. method: taken for jax's sake.

    >>> import jitgrad.numpy as jnp
    >>> print(expm_frechet(jnp.zeros((2, 2)), jnp.eye(2), compute_expm=False))
    [[1. 0.]
     [0. 1.]]
    """
    one_of("scipy.linalg.expm_frechet", "method", method, (None, "SPS", "blockEnlarge"))
    matrix, direction = one_type("scipy.linalg.expm_frechet", A, E)
    found, moved = jvp(expm, (matrix,), (direction,))
    return (found, moved) if compute_expm else moved


def sqrtm(A: ArrayLike, blocksize: int = 1) -> Array:
    """The principal square roots of square matrices, complex. blocksize: 1.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(sqrtm(jnp.array([[4.0, 0.0], [0.0, 9.0]])).real, 4))
    [[2. 0.]
     [0. 3.]]
    """
    if blocksize > 1:
        raise ArgumentError(f"scipy.linalg.sqrtm: blocksize must be 1, got {blocksize}")
    return functions.sqrtm("scipy.linalg.sqrtm", A)


def logm(A: ArrayLike) -> Array:
    """The principal logarithms of square matrices that have no eigenvalue 0 or below, complex.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(logm(jnp.array([[1.0, 1.0], [0.0, 1.0]])).real, 4))
    [[0. 1.]
     [0. 0.]]
    """
    return functions.logm("scipy.linalg.logm", A)


def funm(A: ArrayLike, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """func of square matrices, complex, given as a function of an array of complex numbers; it has no derivative.

    A's eigenvalues must differ: the nearer they are, the less accurate it is. disp=False: (the result, 0), for SciPy's sake.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(funm(jnp.array([[1.0, 2.0], [0.0, 2.0]]), lambda x: x * x).real, 4))
    [[1. 6.]
     [0. 4.]]
    """
    if not callable(func):
        raise ArgumentError(f"scipy.linalg.funm: func must be a function of an array, got {type(func).__name__}")
    found = functions.funm("scipy.linalg.funm", A, func)
    return found if disp else (found, jnp.zeros(()))


def solve_sylvester(A: ArrayLike, B: ArrayLike, C: ArrayLike, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """X with A X + X B = C, for A [..., m, m], B [..., n, n] and C [..., m, n]. method: "schur", or "eigen", which is taken, too,
    as is tol.

    >>> import jitgrad.numpy as jnp
    >>> print(solve_sylvester(jnp.eye(1), 2 * jnp.eye(1), jnp.array([[6.0]])))
    [[2.]]
    """
    if method not in ("schur", "eigen"):
        raise ArgumentError(f"scipy.linalg.solve_sylvester: method must be 'schur' or 'eigen', got {method!r}")
    real_number_arg("scipy.linalg.solve_sylvester", "tol", tol)
    return functions.solve_sylvester("scipy.linalg.solve_sylvester", A, B, C)


__all__ = ["expm", "expm_frechet", "funm", "logm", "solve_sylvester", "sqrtm"]
