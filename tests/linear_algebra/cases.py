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
    minimal: int = 0
    """The least n and m that it takes."""
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


def _restored_svd(a: Any) -> Any:
    """What the vectors have in common, however their phases are turned."""
    u, s, vh = jnp.linalg.svd(a, full_matrices=False)
    return u * s[..., None, :].astype(u.dtype) @ vh, s, u @ _turned(u), _turned(vh) @ vh


def _turned(x: Any) -> Any:
    return jnp.conj(jnp.matrix_transpose(x))


def _svd(a: Any) -> Any:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return a, s, u @ _adjoint(u), _adjoint(vh) @ vh


def _restored_eigh(a: Any) -> Any:
    w, v = jnp.linalg.eigh(a)
    return w, v * w[..., None, :].astype(v.dtype) @ _turned(v), v[..., :, :1] @ _turned(v[..., :, :1])


def _eigh(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    return w, a, v[..., :, :1] @ _adjoint(v[..., :, :1])


def _restored_eig(a: Any) -> Any:
    w, v = jnp.linalg.eig(a)
    return v * w[..., None, :] @ jnp.linalg.inv(v), jnp.sum(w, axis=-1)


def _eig(a: Any) -> Any:
    a = np.asarray(a).astype(np.result_type(a, np.complex64))
    return a, np.trace(a, axis1=-2, axis2=-1)


def _pivoted(a: Any) -> Any:
    q, r, order = sl.qr(a, mode="economic", pivoting=True)
    return q @ r, jnp.abs(jnp.diagonal(r)), order


def _scipy_pivoted(a: Any) -> Any:
    q, r, order = scipy.linalg.qr(a, mode="economic", pivoting=True)
    return q @ r, np.abs(np.diagonal(r)), order


def _pinv(a: Any) -> Any:
    return np.linalg.pinv(a) if a.size else _adjoint(a)


def _norm(ord: Any) -> Callable[..., Any]:
    return lambda a: np.linalg.norm(a, ord, (-2, -1))


SPECTRA = [
    Case("qr", jnp.linalg.qr, lambda a: tuple(np.linalg.qr(a)), (wide,)),
    Case("qr of a square", jnp.linalg.qr, lambda a: tuple(np.linalg.qr(a))),
    Case("qr complete", lambda a: jnp.linalg.qr(a, "complete"), lambda a: tuple(np.linalg.qr(a, "complete")), (wide,),
         differentiable=False),
    Case("qr r", lambda a: jnp.linalg.qr(a, "r"), lambda a: np.linalg.qr(a, "r"), (wide,)),
    Case("qr raw", lambda a: jnp.linalg.qr(a, "raw"), lambda a: tuple(np.linalg.qr(a, "raw")), (wide,), differentiable=False),
    Case("svd", _restored_svd, _svd, (wide,), loose=10),
    Case("svd of a square", _restored_svd, _svd, loose=10),
    Case("svdvals", jnp.linalg.svdvals, np.linalg.svdvals, (wide,)),
    Case("svd hermitian", lambda a: jnp.linalg.svd(a, compute_uv=False, hermitian=True), np.linalg.svdvals, (hermitian,)),
    Case("eigh", _restored_eigh, _eigh, (hermitian,), loose=10, minimal=1),
    Case("eigvalsh", jnp.linalg.eigvalsh, np.linalg.eigvalsh, (hermitian,)),
    Case("eigvalsh upper", lambda a: jnp.linalg.eigvalsh(a, "U", symmetrize_input=False), lambda a: np.linalg.eigvalsh(a, "U")),
    Case("eig", _restored_eig, _eig, loose=100),
    Case("eigvals", lambda a: jnp.sum(jnp.exp(jnp.linalg.eigvals(a)), axis=-1),
         lambda a: np.sum(np.exp(np.linalg.eigvals(a).astype(np.result_type(a, np.complex64))), axis=-1)),
    Case("pinv", jnp.linalg.pinv, _pinv, (wide,), loose=10),
    Case("pinv of a hermitian", lambda a: jnp.linalg.pinv(a, hermitian=True), _pinv, (hermitian,), loose=10),
    Case("lstsq", lambda a, b: jnp.linalg.lstsq(a, b)[0], lambda a, b: np.linalg.lstsq(a, b)[0], (square, vectors),
         batched=False, loose=10, minimal=1),
    Case("matrix_rank", jnp.linalg.matrix_rank, np.linalg.matrix_rank, (wide,), differentiable=False,
         minimal=1),
    Case("cond", jnp.linalg.cond, np.linalg.cond, minimal=1),
    Case("cond of 1", lambda a: jnp.linalg.cond(a, 1), lambda a: np.linalg.cond(a, 1), minimal=1, order=1),
    *[
        Case(f"norm {ord}", lambda a, o=ord: jnp.linalg.matrix_norm(a, ord=o), _norm(ord), (wide,), minimal=1, order=1)
        for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ],
    *[
        Case(f"matrix_power {n}", lambda a, k=n: jnp.linalg.matrix_power(a, k), lambda a, k=n: np.linalg.matrix_power(a, k))
        for n in (0, 1, 5, -3)
    ],
    Case("multi_dot", lambda a, b: jnp.linalg.multi_dot([a, b, jnp.matrix_transpose(b), a]),
         lambda a, b: a @ b @ np.swapaxes(b, -1, -2) @ a, (square, vectors), batched=False),
]  # fmt: skip


def _each(f: Callable[..., Any], complex_results: bool = False) -> Callable[..., Any]:
    """A function of one matrix done to each of a batch."""

    def run(*xs: Any) -> Any:
        *batch, m, n = xs[-1].shape
        kind = np.result_type(xs[0], np.complex64) if complex_results else xs[0].dtype
        made = [f(*[x.reshape(-1, *x.shape[-2:])[i] for x in xs]) for i in range(int(np.prod(batch)))] if xs[-1].size else []
        return np.array(made, kind).reshape(*batch, m, n)

    return run


def _hessenberg(a: Any) -> Any:
    """As LAPACK has it; SciPy returns matrices of two rows as they are, whose element below the diagonal may be complex."""
    (gehrd,) = scipy.linalg.get_lapack_funcs(("gehrd",), (a,))
    return np.triu(gehrd(a)[0], -1)


def _tridiagonal(dl: Any, d: Any, du: Any, b: Any) -> Any:
    n = d.shape[-1]
    a = d[..., None] * np.eye(n) + dl[..., None] * np.eye(n, k=-1) + du[..., None] * np.eye(n, k=1)
    return np.linalg.solve(a, b)


def _large(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    return _row(rng, sizes, dtype) + np.asarray(4, dtype)


def _row(rng: Any, sizes: Sizes, dtype: Any) -> np.ndarray:
    return vectors(rng, (sizes[0], sizes[1], 1), dtype)[..., 0]


FUNCTIONS = [
    Case("expm", sl.expm, scipy.linalg.expm),
    Case("expm of a large one", lambda a: sl.expm(8 * a), lambda a: scipy.linalg.expm(8 * a), loose=1000, order=1),
    Case("sqrtm", sl.sqrtm, _each(scipy.linalg.sqrtm, True), loose=10),
    Case("logm", sl.logm, _each(lambda a: scipy.linalg.logm(a.astype(complex)), True), loose=100, order=1),
    Case("funm", lambda a: sl.funm(a, lambda x: jnp.exp(x)), _each(scipy.linalg.expm, True), differentiable=False, loose=1000),
    Case("solve_sylvester", lambda a, b: sl.solve_sylvester(a, a, b @ jnp.matrix_transpose(b)),
         lambda a, b: _each(scipy.linalg.solve_sylvester)(a, a, b @ np.swapaxes(b, -1, -2)), (square, vectors), loose=10),
    Case("polar", lambda a: sl.polar(a)[1], _each(lambda a: scipy.linalg.polar(a)[1]), loose=10, order=1),
    Case("schur", lambda a: (lambda t, z: z @ t @ _turned(z))(*sl.schur(a)), lambda a: a, differentiable=False, loose=10),
    Case("hessenberg", lambda a: (lambda h, q: (h, q @ h @ _turned(q)))(*sl.hessenberg(a, calc_q=True)),
         lambda a: (_each(_hessenberg)(a), a), differentiable=False),
    Case("eigh of a pair", lambda a, b: sl.eigh(a, b @ _turned(b) + a, eigvals_only=True),
         lambda a, b: scipy.linalg.eigh(a, b @ _adjoint(b) + a, eigvals_only=True), (hermitian, vectors), batched=False, minimal=1),
    Case("qr pivoted", _pivoted, _scipy_pivoted, (wide,), batched=False, differentiable=False, minimal=1),
    Case("tridiagonal_solve", lax.linalg.tridiagonal_solve, _tridiagonal, (_row, _large, _row, vectors)),
]  # fmt: skip
CASES = [*SYSTEMS, *SPECTRA, *FUNCTIONS]
