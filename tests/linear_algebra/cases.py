"""The functions of linear algebra, each with its reference and what it takes: the table that test_agreement.py is driven by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.scipy import linalg as sl

Sizes = tuple[tuple[int, ...], int, int]
"""The batch, n and m."""
Maker = Callable[[Any, Sizes], np.ndarray]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    x = rng.uniform(-1, 1, shape)
    return (x + 1j * rng.uniform(-1, 1, shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def square(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    """Well conditioned."""
    batch, n, _ = sizes
    return (numbers(rng, (*batch, n, n), dtype) / max(n, 1) + np.diag(1 + np.arange(n) / 2)).astype(dtype)


def hermitian(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    x = square(rng, sizes, dtype)
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def wide(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    batch, n, m = sizes
    return (numbers(rng, (*batch, n, m), dtype) / max(n, m, 1) + np.eye(n, m) * (1 + np.arange(m) / 2)).astype(dtype)


def vectors(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    batch, n, m = sizes
    return numbers(rng, (*batch, n, m), dtype)


def vector(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    return numbers(rng, (sizes[1],), dtype)


@dataclass(frozen=True)
class Case:
    """f(*operands) beside reference(*operands); `shown` makes of f's results what does not depend on signs and the like."""

    name: str
    f: Callable[..., Any]
    reference: Callable[..., Any]
    makers: tuple[Any, ...] = (square,)
    batched: bool = True
    """Whether the reference takes batches."""
    differentiable: bool = True
    complex: bool = True
    order: int = 2
    loose: float = 1.0
    """By how much its tolerance is larger."""


def _adjoint(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


TURNED = {"N": lambda x: x, "T": lambda x: np.swapaxes(x, -1, -2), "C": _adjoint}


def _lu(a: Any) -> Any:
    """SciPy's, whose permutation of an empty matrix is none, and of a complex number complex."""
    if a.size:
        order, *triangles = scipy.linalg.lu(a)
        return order.real, *triangles
    *batch, m, n = a.shape
    unit = np.broadcast_to(np.eye(m, dtype=a.real.dtype), (*batch, m, m))
    return unit, np.broadcast_to(np.eye(m, min(m, n), dtype=a.dtype), (*batch, m, min(m, n))), a[..., : min(m, n), :]


def _lu_permuted(a: Any) -> Any:
    order, lower, upper = _lu(a)
    return order @ lower, upper


def _solved_triangular(trans: str, lower: bool) -> Callable[..., Any]:
    def solved(a: Any, b: Any) -> Any:
        triangle = np.tril(a) if lower else np.triu(a)
        return np.linalg.solve(TURNED[trans](triangle), b)

    return solved


SYSTEMS = [
    Case("cholesky", jnp.linalg.cholesky, np.linalg.cholesky, (hermitian,)),
    Case("cholesky upper", lambda a: jnp.linalg.cholesky(a, upper=True), lambda a: _adjoint(np.linalg.cholesky(a)), (hermitian,)),
    Case("scipy cholesky", sl.cholesky, lambda a: _adjoint(np.linalg.cholesky(a)), (hermitian,)),
    Case("inv", jnp.linalg.inv, np.linalg.inv),
    Case("det", jnp.linalg.det, np.linalg.det),
    Case("slogdet", jnp.linalg.slogdet, np.linalg.slogdet),
    Case("solve", jnp.linalg.solve, np.linalg.solve, (square, vectors)),
    Case("solve of a vector", jnp.linalg.solve, np.linalg.solve, (square, vector)),
    Case("scipy solve", lambda a, b: sl.solve(a, b, assume_a="pos"), np.linalg.solve, (hermitian, vectors), order=1),
    Case("cho_solve", lambda a, b: sl.cho_solve(sl.cho_factor(a), b), np.linalg.solve, (hermitian, vectors)),
    Case("cho_solve lower", lambda a, b: sl.cho_solve(sl.cho_factor(a, lower=True), b), np.linalg.solve, (hermitian, vectors)),
    *[
        Case(f"lu_solve {trans}", lambda a, b, t=trans: sl.lu_solve(sl.lu_factor(a), b, t),
             lambda a, b, t=trans: np.linalg.solve(TURNED[t](a), b), (square, vectors))
        for trans in "NTC"
    ],
    *[
        Case(f"solve_triangular {trans} {lower}", lambda a, b, t=trans, w=lower: sl.solve_triangular(a, b, t, w),
             _solved_triangular(trans, lower), (square, vectors))
        for trans in "NTC" for lower in (False, True)
    ],
    Case("lu", sl.lu, _lu, (wide,)),
    Case("lu permuted", lambda a: sl.lu(a, permute_l=True), _lu_permuted, (wide,)),
    Case("triangular_solve from the right", lambda a, b: lax.linalg.triangular_solve(a, jnp.matrix_transpose(b), lower=True),
         lambda a, b: np.swapaxes(np.linalg.solve(np.swapaxes(np.tril(a), -1, -2), b), -1, -2), (square, vectors)),
]  # fmt: skip
CASES = SYSTEMS
