"""How each function of numpy.linalg, scipy.linalg and lax.linalg on matrices is called, and what it is to agree with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as theirs

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.scipy import linalg as sl
from tests.numpy.drawn_calls import Call, Draw
from tests.numpy.function_table import Row

from .drawn_matrices import adjoint, each, hermitian, of, put_together, rectangular, restored, spectrum, square, system, well

ours, nl, ll = jnp.linalg, np.linalg, lax.linalg
TURNED = {0: lambda x: x, 1: lambda x: x.swapaxes(-1, -2), 2: adjoint}


def row(name: str, draw: Any, f: Any, reference: Any, smooth: bool = True, types: str = "iwc", **more: Any) -> Row:
    """Of a function that is differentiable at complex matrices where it is at real ones."""
    settings = dict(floats=True, edges="", zeros=False, loose=10.0) | more
    return Row(name, draw, types, smooth, holomorphic=smooth, ours=f, reference=reference, **settings)


def one_of(*choices: Any) -> Callable[[Draw], Any]:
    return lambda d: d.one_of(*choices)


def flag(d: Draw) -> bool:
    return d.flag()


def normed(d: Draw) -> Call:
    """Over two axes, in any order, of more."""
    a = rectangular(d, 1)
    axes = d.one_of((-2, -1), (-1, -2), (a.ndim - 2, -1))
    ord = d.one_of(None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    return Call([a], keywords={"ord": ord, "axis": axes, "keepdims": d.flag()})


def least_squares(d: Draw) -> Call:
    m, n = d.number(1, 4), d.number(1, 4)
    a = well(d, (m, n), d.dtype())
    return Call([a, d.array(d.one_of((m,), (m, 2)), -2, 2, a.dtype)], keywords={"rcond": d.one_of(None, 1e-3)})


def chained(d: Draw) -> Call:
    sizes = [d.number(0, 4) for _ in range(d.number(3, 5))]
    dtype = d.dtype()
    arrays = [d.array(shape, -1, 1, dtype) for shape in zip(sizes, sizes[1:], strict=False)]
    if d.flag():
        arrays[0] = arrays[0][0] if sizes[0] else arrays[0]
    return Call(arrays, listed=True)


def triangular(d: Draw) -> Call:
    """With numbers in the other triangle, which are not read."""
    keywords = {"trans": d.one_of(0, 1, 2, "N", "T", "C"), "lower": d.flag(), "unit_diagonal": d.flag()}
    return Call(system()(d).operands, keywords=keywords)


def triangle(a: Any, lower: bool, unit: bool) -> Any:
    """The matrix that a triangular solution is of."""
    part = np.tril(a) if lower else np.triu(a)
    return part - part * np.eye(a.shape[-1]) + np.eye(a.shape[-1]) if unit else part


def solved_triangular(a: Any, b: Any, trans: Any, lower: bool, unit_diagonal: bool) -> Any:
    return nl.solve(TURNED["NTC".find(trans) if isinstance(trans, str) else trans](triangle(a, lower, unit_diagonal)), b)


def from_either_side(d: Draw) -> Call:
    a = square(d)
    n, front, k = a.shape[-1], a.shape[:-2], d.number(0, 3)
    left = d.flag()
    b = d.array((*front, *((n, k) if left else (k, n))), -2, 2, a.dtype)
    flags = {name: d.flag() for name in ("lower", "transpose_a", "conjugate_a", "unit_diagonal")}
    return Call([a, b], keywords={"left_side": left, **flags})


def solved_from_either_side(
    a: Any, b: Any, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool, unit_diagonal: bool
) -> Any:
    a = triangle(a, lower, unit_diagonal)
    a = a.swapaxes(-1, -2) if transpose_a else a
    a = a.conj() if conjugate_a else a
    return nl.solve(a, b) if left_side else nl.solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)


def factored(name: str, solution: str, **keywords: Any) -> Callable[..., Any]:
    """b solved for by what factorises a."""
    factorise, solve = getattr(sl, name), getattr(sl, solution)
    return lambda a, b, lower=False, trans=0: solve(factorise(a, **({"lower": lower} if name == "cho_factor" else {})), b,
                                                    **({} if name == "cho_factor" else {"trans": trans}))  # fmt: skip


def pair_of_matrices(d: Draw) -> Call:
    a = hermitian(d, 1)
    b = well(d, (*a.shape[:-2], a.shape[-1], a.shape[-1]), a.dtype)
    whole = b + adjoint(b)
    keywords = {"lower": d.flag(), "eigvals_only": True, "type": d.number(1, 3)}
    return Call([a, whole], keywords=keywords)


def values_of_pair(a: Any, b: Any, lower: bool, eigvals_only: bool, type: int) -> Any:
    return np.sort(nl.eigvals(nl.solve(b, a) if type == 1 else a @ b).real, axis=-1)


def polar(a: Any, side: str = "right") -> Any:
    u, s, vh = nl.svd(a, full_matrices=False)
    return u @ vh, adjoint(vh) * s[..., None, :] @ vh if side == "right" else u * s[..., None, :] @ adjoint(u)


def spread(d: Draw, least: int = 0) -> np.ndarray:
    """Eigenvalues that are far from each other."""
    a = square(d, least)
    return a + 4 * np.diag(np.arange(a.shape[-1])).astype(a.dtype)


def tridiagonal_system(d: Draw) -> Call:
    dtype, n, k = d.dtype(), d.number(0, 5), d.number(0, 3)
    front = d.one_of((), (2,), (0,))
    dl, du = (d.array((*front, n), -1, 1, dtype) for _ in range(2))
    return Call([dl, d.array((*front, n), 3, 5, dtype), du, d.array((*front, n, k), -2, 2, dtype)])


def solved_tridiagonal(dl: Any, d: Any, du: Any, b: Any) -> Any:
    n = d.shape[-1]
    whole = d[..., None] * np.eye(n) + dl[..., None] * np.eye(n, k=-1) + du[..., None] * np.eye(n, k=1)
    return nl.solve(whole, b)


def sylvester(d: Draw) -> Call:
    a = square(d)
    m, front, n = a.shape[-1], a.shape[:-2], d.number(0, 3)
    return Call([a, well(d, (*front, n, n), a.dtype), d.array((*front, m, n), -2, 2, a.dtype)])


def solved_sylvester(a: Any, b: Any, c: Any) -> Any:
    """By its system of m n equations."""
    m, n = c.shape[-2:]
    whole = np.einsum("...ik,jl->...ijkl", a, np.eye(n)) + np.einsum("ik,...lj->...ijkl", np.eye(m), b)
    front = c.shape[:-2]
    return nl.solve(whole.reshape(*front, m * n, m * n), c.reshape(*front, m * n, 1)).reshape(c.shape)


def with_vector(d: Draw) -> Call:
    n = d.number(0, 4)
    r = np.triu(well(d, (n, n), d.dtype()))
    return Call([r, d.array((n,), -2, 2, r.dtype)])


def eig_restored(f: Callable[..., Any], inverse: Callable[..., Any]) -> Callable[..., Any]:
    def run(a: Any) -> Any:
        w, v = f(a)
        return (v * w[..., None, :]) @ inverse(v), w.sum(-1), abs(v * v.conj()).sum(-2)

    return run


def sided(a: Any) -> Any:
    """What left and right eigenvectors fulfil."""
    w, left, right = ll.eig(a)
    return adjoint(left) @ a - w[..., :, None] * adjoint(left), a @ right - right * w[..., None, :]


def _lu_of(a: Any, permute_l: bool = False) -> Any:
    """SciPy's, whose permutations have the matrix's type."""
    if not a.size:
        *front, m, n = a.shape
        lower = np.broadcast_to(np.eye(m, min(m, n)), (*front, m, min(m, n)))
        unit = () if permute_l else (np.broadcast_to(np.eye(m), (*front, m, m)),)
        return *unit, lower.astype(np.result_type(a, np.float32)), a[..., : min(m, n), :]
    parts = theirs.lu(a, permute_l=permute_l)
    return parts if permute_l else (parts[0].real, *parts[1:])


def pieces(f: Callable[..., Any]) -> Callable[..., Any]:
    """Of what needs a matrix that is no batch."""

    def run(a: Any, **keywords: Any) -> Any:
        q, r, *order = f(a, **keywords)
        return q @ r, abs(r), *order

    return run


def alone(least: int = 1, **given: Any) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        a = well(d, (d.number(least, 4), d.number(least, 4)), d.dtype())
        return Call([a], keywords={name: option(d) for name, option in given.items()})

    return draw


def multiplied(d: Draw) -> Call:
    a = well(d, (d.number(1, 4), d.number(1, 3)), d.dtype())
    mode = d.one_of("left", "right")
    few = min(a.shape)
    c = d.array((few, 2) if mode == "left" else (2, a.shape[0]), -1, 1, a.dtype)
    return Call([a, c], keywords={"mode": mode, "conjugate": d.flag()})


def multiplied_back(f: Callable[..., Any]) -> Callable[..., Any]:
    """R is unique but for phases: sizes."""
    return lambda a, c, **keywords: [abs(x) for x in f(a, c, **keywords)]


def from_reflections(a: Any) -> Any:
    """Q of raw reflections times R."""
    h, taus = ours.qr(a, "raw")
    packed = h.swapaxes(-1, -2)
    k = taus.shape[-1]
    return ll.householder_product(packed[..., :, :k], taus) @ jnp.triu(packed[..., :k, :])


def by_ormqr(a: Any) -> Any:
    h, taus = ours.qr(a, "raw")
    packed = h.swapaxes(-1, -2)
    unit = jnp.broadcast_to(jnp.eye(a.shape[-2], dtype=packed.dtype), (*a.shape[:-2], a.shape[-2], a.shape[-2]))
    q = ll.ormqr(packed[..., :, : taus.shape[-1]], taus, unit)
    return q @ jnp.triu(packed)


def of_tridiagonal(a: Any, lower: bool = True) -> Any:
    """Its eigenvalues are the matrix's."""
    _, diagonal, beside, _ = ll.tridiagonal(a, lower=lower)
    n = diagonal.shape[-1]
    low = jnp.zeros((*beside.shape[:-1], n, n), beside.dtype).at[..., jnp.arange(1, n), jnp.arange(n - 1)].set(beside)
    return ours.eigvalsh(diagonal[..., None] * jnp.eye(n) + low + low.swapaxes(-1, -2))


ROWS = [
    # numpy.linalg
    row("cholesky", of(hermitian, upper=flag), ours.cholesky, nl.cholesky),
    row("inv", of(square), ours.inv, nl.inv),
    row("det", of(square), ours.det, nl.det),
    row("slogdet", of(square), ours.slogdet, nl.slogdet),
    row("solve", system(), ours.solve, nl.solve),
    row("lstsq", least_squares, lambda a, b, rcond: ours.lstsq(a, b, rcond)[::2], lambda a, b, rcond: nl.lstsq(a, b, rcond)[::2]),
    row("qr", of(rectangular, mode=one_of("reduced")), restored(ours.qr), restored(nl.qr)),
    row("qr complete", of(rectangular), restored(lambda a: ours.qr(a, "complete")), restored(lambda a: nl.qr(a, "complete")),
        False),
    row("qr r", of(rectangular), lambda a: abs(ours.qr(a, "r")), lambda a: abs(nl.qr(a, "r"))),
    row("qr raw", of(rectangular), from_reflections, lambda a: a if min(a.shape[-2:]) else 0 * a, False),
    row("svd", of(rectangular, full_matrices=lambda d: False), restored(ours.svd), restored(nl.svd), False),
    row("svd of few", of(rectangular), restored(lambda a: ours.svd(a, full_matrices=False)),
        restored(lambda a: nl.svd(a, full_matrices=False)), loose=100.0),
    row("svd hermitian", of(hermitian), restored(lambda a: ours.svd(a, hermitian=True)), restored(nl.svd), loose=100.0),
    row("svdvals", of(rectangular), ours.svdvals, nl.svdvals),
    row("eigh", of(hermitian, 1, UPLO=one_of("L", "U")), spectrum(ours.eigh), spectrum(nl.eigh), loose=100.0),
    row("eigvalsh", of(square, UPLO=one_of("L", "U")), lambda a, UPLO="L": ours.eigvalsh(a, UPLO, symmetrize_input=False),
        nl.eigvalsh),
    row("eig", of(square), eig_restored(ours.eig, ours.inv), eig_restored(nl.eig, nl.inv), loose=1e3),
    row("eigvals", of(square), lambda a: jnp.exp(ours.eigvals(a)).sum(-1), lambda a: np.exp(nl.eigvals(a) + 0j).sum(-1), loose=1e3),
    row("pinv", of(rectangular, rtol=one_of(1e-3)), ours.pinv, nl.pinv),
    row("pinv hermitian", of(hermitian), lambda a: ours.pinv(a, hermitian=True), lambda a: nl.pinv(a, hermitian=True)),
    row("matrix_rank", of(rectangular, rtol=one_of(0.1, 0.4)), ours.matrix_rank, nl.matrix_rank, False),
    row("cond", of(square, 1, p=one_of(2, -2, 1, -1, np.inf, -np.inf, "fro")), ours.cond, nl.cond),
    row("norm", normed, ours.norm, nl.norm),
    row("matrix_power", of(square, n=lambda d: d.number(-3, 5)), lambda a, n=2: ours.matrix_power(a, n),
        lambda a, n=2: nl.matrix_power(a * 1.0, n), types="wc"),
    row("multi_dot", chained, ours.multi_dot, nl.multi_dot),
    # scipy.linalg
    row("scipy cholesky", of(hermitian, lower=flag), sl.cholesky,
        lambda a, lower=False: nl.cholesky(a) if lower else adjoint(nl.cholesky(a))),
    row("cho_solve", system(hermitian, lower=flag), factored("cho_factor", "cho_solve"), lambda a, b, lower=0: nl.solve(a, b)),
    row("lu_solve", system(trans=one_of(0, 1, 2)), factored("lu_factor", "lu_solve"),
        lambda a, b, trans=0: nl.solve(TURNED[trans](a), b)),
    row("lu", of(rectangular, permute_l=flag), sl.lu, _lu_of),
    row("scipy solve", system(hermitian, assume_a=one_of("gen", "sym", "her", "pos"), lower=flag), sl.solve,
        lambda a, b, **_: nl.solve(a, b)),
    row("solve_triangular", triangular, sl.solve_triangular, solved_triangular),
    row("scipy inv", of(square), sl.inv, nl.inv),
    row("scipy det", of(square), sl.det, nl.det),
    row("scipy qr", of(rectangular, mode=one_of("economic")), restored(sl.qr),
        restored(lambda a, mode="full": nl.qr(a, "complete" if mode == "full" else "reduced")), False),
    row("scipy svd", of(rectangular, 1), lambda a: sl.svd(a, compute_uv=False), nl.svdvals),
    row("qr_multiply", multiplied, multiplied_back(sl.qr_multiply), multiplied_back(theirs.qr_multiply), False),
    row("qr pivoting", alone(), pieces(lambda a: sl.qr(a, mode="economic", pivoting=True)),
        pieces(lambda a: theirs.qr(a, mode="economic", pivoting=True)), False),
    row("scipy eigh", of(hermitian, 1, lower=flag), spectrum(sl.eigh), spectrum(lambda a, lower=True: nl.eigh(a)), loose=100.0),
    row("eigh of a pair", pair_of_matrices, sl.eigh, values_of_pair, loose=100.0, types="wc"),
    row("expm", of(square), sl.expm, lambda a: theirs.expm(a * 1.0), types="wc", loose=100.0),
    row("expm of a large one", of(square), lambda a: sl.expm(6 * a), lambda a: theirs.expm(6.0 * a), False, types="wc", loose=1e3),
    row("expm_frechet", lambda d: Call([well(d, (3, 3), d.dtype())]), lambda a: sl.expm_frechet(a, a.T),
        lambda a: theirs.expm_frechet(a, a.T), types="w", loose=100.0),
    row("sqrtm", of(square), sl.sqrtm, each(lambda a: theirs.sqrtm(a).astype(complex), lambda m, n: (m, n))),
    row("logm", of(square), sl.logm, each(lambda a: theirs.logm(a * 1.0).astype(complex), lambda m, n: (m, n)), loose=100.0,
        types="wc"),
    row("funm", of(spread), lambda a: sl.funm(a, jnp.exp), lambda a: theirs.expm(a) + 0j, False, loose=1e3, types="wc"),
    row("solve_sylvester", sylvester, sl.solve_sylvester, solved_sylvester),
    row("polar", of(rectangular, 1, side=one_of("right", "left")), sl.polar, polar, types="wc"),
    row("schur", of(square, output=one_of("real", "complex")), put_together(sl.schur),
        lambda a, **k: (a + 0 * k.get("output", "").count("c"), np.broadcast_to(np.eye(a.shape[-1]), a.shape)), False),
    row("rsf2csf", of(square), put_together(lambda a: sl.rsf2csf(*sl.schur(a))),
        lambda a: (a + 0j, np.broadcast_to(np.eye(a.shape[-1]), a.shape)), False, types="w"),
    row("scipy hessenberg", of(square), put_together(lambda a: sl.hessenberg(a, calc_q=True)),
        lambda a: (a, np.broadcast_to(np.eye(a.shape[-1]), a.shape)), False),
    # lax.linalg
    row("lax cholesky", of(hermitian), ll.cholesky, nl.cholesky),
    row("cholesky_update", with_vector, lambda r, w: (lambda s: s.T @ s)(ll.cholesky_update(r, w)),
        lambda r, w: r.T @ r + np.outer(w, w), types="iw"),
    row("lax eig", of(square, 1), sided, lambda a: (0 * (a + 0j),) * 2, False, loose=100.0),
    row("lax eigh", of(hermitian, 1, lower=flag), spectrum(lambda a, **k: ll.eigh(a, symmetrize_input=False, **k)[::-1]),
        spectrum(lambda a, lower=True: nl.eigh(a)), loose=100.0),
    row("lax hessenberg", of(square, 1), lambda a: ours.eigvals(jnp.triu(ll.hessenberg(a)[0], -1)).sum(-1),
        lambda a: np.trace(a, axis1=-2, axis2=-1) + 0j, False),
    row("lax lu", of(rectangular), lambda a: (lambda f, p, o: (jnp.take_along_axis(a, o[..., None], -2) * 1.0, f)[0])(*ll.lu(a)),
        lambda a: (lambda p: p.swapaxes(-1, -2) @ a if a.size else a)(_lu_of(a)[0]), False),
    row("ormqr", of(rectangular), by_ormqr, lambda a: a, False, types="wc"),
    row("qdwh", alone(), lambda a: ll.qdwh(a)[:2], polar, types="wc"),
    row("lax qr", of(rectangular, full_matrices=lambda d: False), restored(ll.qr),
        restored(lambda a, full_matrices=True: nl.qr(a, "complete" if full_matrices else "reduced")), False),
    row("lax svd", of(rectangular), lambda a: ll.svd(a, compute_uv=False), nl.svdvals),
    row("lax schur", of(square), put_together(ll.schur), lambda a: (a, np.broadcast_to(np.eye(a.shape[-1]), a.shape)), False),
    row("symmetric_product", of(rectangular), lambda a: ll.symmetric_product(a, jnp.eye(a.shape[-2]), alpha=2.0, beta=0.5),
        lambda a: 2 * a @ a.swapaxes(-1, -2) + 0.5 * np.eye(a.shape[-2], dtype=a.dtype), types="w"),
    row("triangular_solve", from_either_side, ll.triangular_solve, solved_from_either_side),
    row("tridiagonal", of(hermitian, lower=flag), of_tridiagonal, lambda a, lower=True: nl.eigvalsh(a), False),
    row("tridiagonal_solve", tridiagonal_system, ll.tridiagonal_solve, solved_tridiagonal),
]  # fmt: skip
NAMES = {
    "numpy.linalg": ours, "scipy.linalg": sl, "lax.linalg": ll,
}  # fmt: skip
ELSEWHERE = {
    "names of algorithms: test_algorithms.py": "SvdAlgorithm EighImplementation EigImplementation",
    "matrices of vectors and sizes: test_special_matrices.py": (
        "block_diag circulant companion convolution_matrix dft fiedler fiedler_companion hadamard hankel helmert hilbert "
        "invhilbert invpascal leslie pascal toeplitz"
    ),
    "products and norms of tests/numpy/function_table.py": (
        "cross diagonal matmul matrix_norm matrix_transpose outer tensordot tensorinv tensorsolve trace vecdot vector_norm"
    ),
    "of one matrix, or no matrix: test_seldom_names.py": "eigh_tridiagonal lu_pivots_to_permutation",
    "in rows of others, as part of a solution or a product": "cho_factor lu_factor householder_product",
}
