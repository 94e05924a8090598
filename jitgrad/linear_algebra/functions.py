"""Functions of matrices: exponential, square root, logarithm, any by Parlett's recurrence; Sylvester's equation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.array_ops import in_memory, op, op_all
from jitgrad.at_once import done_at_once
from jitgrad.errors import ShapeError
from jitgrad.lax.loops import fori_loop
from jitgrad.matrix_operands import check_results, one_batch, one_type, square_arg
from jitgrad.operands import ArrayLike, size_arg
from jitgrad_compiler.ir.types import F32
from jitgrad_compiler.ops.factorization import complex_type

from .systems import adjoint

_PADE = {
    7: (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0),
    13: (
        64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0,
        670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
    ),
}  # fmt: skip
_LARGEST = {7: 3.925724783138660, 13: 5.371920351148152}
"""The 1-norms up to which an approximation has all digits of float32 and of float64."""


def expm(where: str, a: ArrayLike, upper_triangular: bool, max_squarings: int) -> Array:
    """Scaling and squaring (Higham, "The scaling and squaring method for the matrix exponential revisited", 2005); NaN where more
    than max_squarings are needed.
    """
    value = square_arg(where, a)
    size_arg(where, max_squarings, "max_squarings must be an integer", 0)
    if not value.size:
        return value
    squarings, power = _root(value, upper_triangular, max_squarings)
    count = jnp.minimum(squarings, max_squarings)

    def squared(i: Array, power: Array) -> Array:
        return jnp.where((i < count)[..., None, None], jnp.matmul(power, power), power)

    if in_memory(count) and not count.ndim:
        for _ in range(int(count)):
            power = jnp.matmul(power, power)
    else:
        power = fori_loop(0, jnp.max(count), squared, power)
    return _unless_too_large(squarings, max_squarings, power)


@done_at_once
def _root(value: Array, upper_triangular: bool, max_squarings: int) -> tuple[Array, Array]:
    """How often to square, and what: the exponential of a matrix scaled down."""
    order = 7 if value.type.dtype.real.computed == F32 else 13
    size = jnp.max(jnp.sum(jnp.abs(value), axis=-2), axis=-1)
    needed = jnp.ceil(jnp.log2(jnp.where(size > 0, size, 1) / _LARGEST[order]))
    squarings = jnp.nan_to_num(jnp.maximum(needed, 0), nan=0, posinf=max_squarings + 1).astype(int)
    count = jnp.minimum(squarings, max_squarings)
    unit = jnp.eye(value.shape[-1], dtype=value.dtype)
    scaled = value * jnp.exp2(-count.astype(jnp.real(value).dtype))[..., None, None].astype(value.dtype)
    odd, even = _pade(scaled, unit, _PADE[order])
    if upper_triangular:
        return squarings, op(
            "triangular_solve", even - odd, even + odd, left=True, lower=False, transpose=False, unit_diagonal=False
        )
    return squarings, op("solve", even - odd, even + odd, transpose=False)


@done_at_once
def _unless_too_large(squarings: Array, most: int, power: Array) -> Array:
    return jnp.where((squarings > most)[..., None, None], jnp.nan, power)


def _pade(x: Array, unit: Array, b: tuple[float, ...]) -> tuple[Array, Array]:
    """The odd and the even part of the numerator."""
    x2 = jnp.matmul(x, x)
    x4 = jnp.matmul(x2, x2)
    x6 = jnp.matmul(x4, x2)
    odd = b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * unit
    even = b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * unit
    if len(b) > 8:
        odd = odd + jnp.matmul(x6, b[13] * x6 + b[11] * x4 + b[9] * x2)
        even = even + jnp.matmul(x6, b[12] * x6 + b[10] * x4 + b[8] * x2)
    return jnp.matmul(x, odd), even


def as_complex(x: Array) -> Array:
    return x.astype(complex_type(x.type.dtype).numpy)


def sqrtm(where: str, a: ArrayLike) -> Array:
    value = as_complex(square_arg(where, a))
    x = op("sqrtm", value)
    check_results(where, [x], [value], "a matrix has no square root")
    return x


ROOTS = 10
"""Square roots that are taken before a logarithm: of eigenvalues up to e^256 it is a quarter at most then."""


def logm(where: str, a: ArrayLike) -> Array:
    """Inverse scaling and squaring: a Pade approximation of log(1 + x) by Gauss and Legendre's quadrature (Higham, "Functions of
    Matrices", 2008, 11.4), of a root so high that x is small; computed in complex128.
    """
    value = as_complex(square_arg(where, a))
    root = value.astype(np.complex128)
    for _ in range(ROOTS):
        root = op("sqrtm", root)
    unit = jnp.eye(value.shape[-1], dtype=root.dtype)
    x = root - unit
    nodes, weights = np.polynomial.legendre.leggauss(8)
    found = jnp.zeros_like(x)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        found = found + weight * op("solve", unit + node * x, x, transpose=False)
    singular = jnp.linalg.det(root) == 0  # all other eigenvalues of such a root are about 1
    found = jnp.where(singular[..., None, None], np.nan, (found * 2**ROOTS).astype(value.dtype))
    check_results(where, [found], [value], "a matrix has no logarithm")
    return found


def funm(where: str, a: ArrayLike, f: Callable[[Array], Array]) -> Array:
    """Parlett's recurrence along the diagonals of Schur's form (Golub and Van Loan, Matrix Computations, 9.1)."""
    value = as_complex(square_arg(where, a))
    n = value.shape[-1]
    t, z = op_all("schur", value, vectors=True)
    diagonal = jnp.diagonal(t, axis1=-2, axis2=-1)
    found = jnp.asarray(f(diagonal)).astype(value.dtype)[..., None, :] * jnp.eye(n, dtype=value.dtype)
    for p in range(1, n):
        rest = jnp.matmul(t, found) - jnp.matmul(found, t)
        gaps = diagonal[..., None, :] - diagonal[..., :, None]
        here = jnp.eye(n, k=p, dtype=bool)
        # of t f - f t the p-th diagonal has t_ij (f_j - f_i) and the sums between, as f's is still 0
        found = found + jnp.where(here, rest, 0) / jnp.where(here, gaps, 1)
    return jnp.matmul(jnp.matmul(z, found), adjoint(z))


def solve_sylvester(where: str, a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Array:
    first, second, given = one_type(where, a, b, c)
    first, second = square_arg(where, first), square_arg(where, second, "b")
    if given.ndim < 2 or given.shape[-2:] != (first.shape[-1], second.shape[-1]):
        raise ShapeError(f"{where}: q must have shape [..., {first.shape[-1]}, {second.shape[-1]}], got {given.shape}")
    first, second, given = one_batch(where, first, second, given)
    x = op("sylvester", first, second, given)
    check_results(where, [x], [first, second, given], "a and -b have an eigenvalue in common")
    return x
