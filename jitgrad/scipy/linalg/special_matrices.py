"""Matrices of known patterns: made of vectors, or of a size alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import ArrayLike, inexact_arg, size_arg
from jitgrad.promotion import dtype_name


def _vector(where: str, x: ArrayLike, name: str, least: int = 0) -> Array:
    value = jnp.atleast_1d(jnp.asarray(x))
    if value.ndim != 1 or value.shape[0] < least:
        raise ShapeError(f"{where}: {name} must be a vector of {least} elements or more, got shape {value.shape}")
    return value


def _size(where: str, n: Any, least: int = 0, most: int | None = None) -> int:
    """A size, where `most` is the largest one of a matrix whose elements float64 can hold."""
    size = size_arg(where, n, "n is an integer")
    if size < least:
        raise ArgumentError(f"{where}: n must be {least} or more, got {n}")
    if most is not None and size > most:
        raise ArgumentError(f"{where}: n must be {most} or less, because float64 does not hold the elements of more, got {n}")
    return size


def block_diag(*arrs: ArrayLike) -> Array:
    """Matrices along the diagonal of one, zeros elsewhere; vectors count as rows.

    >>> import jitgrad.numpy as jnp
    >>> print(block_diag(jnp.ones((1, 2), int), jnp.array([[5]])))
    [[1 1 0]
     [0 0 5]]
    """
    blocks = [jnp.atleast_2d(a) for a in arrs] if arrs else [jnp.zeros((1, 0))]
    if any(b.ndim != 2 for b in blocks):
        raise ShapeError(f"scipy.linalg.block_diag: takes matrices, got shapes {[b.shape for b in blocks]}")
    dtype = jnp.result_type(*blocks)
    columns = sum(b.shape[1] for b in blocks)
    rows, start = [], 0
    for b in blocks:
        rows.append(jnp.pad(b.astype(dtype), ((0, 0), (start, columns - start - b.shape[1]))))
        start += b.shape[1]
    return jnp.concatenate(rows)


def toeplitz(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """The matrix [m, n] whose diagonals are constant: c [m] is its first column, r [n] its first row, but for r[0].

    r is c's conjugate by default. Leading axes of c and r are a batch.

    >>> import jitgrad.numpy as jnp
    >>> print(toeplitz(jnp.array([1, 2, 3])))
    [[1 2 3]
     [2 1 2]
     [3 2 1]]
    """
    column = jnp.atleast_1d(jnp.asarray(c))
    row = jnp.conj(column) if r is None else jnp.atleast_1d(jnp.asarray(r))
    m, n = column.shape[-1], row.shape[-1]
    batch = np.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    column, row = jnp.broadcast_to(column, (*batch, m)), jnp.broadcast_to(row, (*batch, n))
    every = jnp.concatenate([jnp.flip(column, -1), row[..., 1:]], axis=-1)
    return every[..., np.arange(m - 1, -1, -1)[:, None] + np.arange(n)] if m and n else jnp.zeros((*batch, m, n), every.dtype)


def circulant(c: ArrayLike) -> Array:
    """The square matrix whose columns are c [..., n], each turned by one more.

    >>> import jitgrad.numpy as jnp
    >>> print(circulant(jnp.array([1, 2, 3])))
    [[1 3 2]
     [2 1 3]
     [3 2 1]]
    """
    value = jnp.atleast_1d(jnp.asarray(c))
    n = value.shape[-1]
    return value[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


def hankel(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """The matrix whose antidiagonals are constant: c its first column, r its last row, but for r[0]; zeros by default.

    >>> import jitgrad.numpy as jnp
    >>> print(hankel(jnp.array([1, 2, 3])))
    [[1 2 3]
     [2 3 0]
     [3 0 0]]
    """
    column = jnp.atleast_1d(jnp.asarray(c))
    row = jnp.zeros_like(column) if r is None else jnp.atleast_1d(jnp.asarray(r))
    m, n = column.shape[-1], row.shape[-1]
    batch = np.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    column, row = jnp.broadcast_to(column, (*batch, m)), jnp.broadcast_to(row, (*batch, n))
    every = jnp.concatenate([column, row[..., 1:]], axis=-1)
    return every[..., np.arange(m)[:, None] + np.arange(n)] if m and n else jnp.zeros((*batch, m, n), every.dtype)


def companion(a: ArrayLike) -> Array:
    """The matrix whose characteristic polynomial has the coefficients a [n], the highest first.

    >>> import jitgrad.numpy as jnp
    >>> print(companion(jnp.array([1.0, -3.0, 2.0])))
    [[ 3. -2.]
     [ 1.  0.]]
    """
    value = inexact_arg("scipy.linalg.companion", _vector("scipy.linalg.companion", a, "a", 2))
    first = -value[1:] / value[0]
    return jnp.concatenate([first[None], jnp.eye(len(first) - 1, len(first), dtype=first.dtype)])


def convolution_matrix(a: ArrayLike, n: int, mode: str = "full") -> Array:
    """The matrix that convolves a vector of n elements with a: convolution_matrix(a, n, mode) @ v is numpy.convolve(a, v, mode).

    >>> import jitgrad.numpy as jnp
    >>> print(convolution_matrix(jnp.array([1, 2]), 2))
    [[1 0]
     [2 1]
     [0 2]]
    """
    where = "scipy.linalg.convolution_matrix"
    value, size = _vector(where, a, "a", 1), _size(where, n, 1)
    if mode not in ("full", "valid", "same"):
        raise ArgumentError(f"{where}: mode must be 'full', 'valid' or 'same', got {mode!r}")
    m = value.shape[0]
    whole = toeplitz(jnp.pad(value, (0, size - 1)), jnp.pad(value[:1], (0, size - 1)))
    if mode == "full":
        return whole
    least, most = min(m, size), max(m, size)
    start, count = ((m + size - 1 - most) // 2, most) if mode == "same" else (least - 1, most - least + 1)
    return whole[start : start + count]


def fiedler(a: ArrayLike) -> Array:
    """|a_i - a_j| at i, j, for a [..., n].

    >>> import jitgrad.numpy as jnp
    >>> print(fiedler(jnp.array([1, 4])))
    [[0 3]
     [3 0]]
    """
    value = jnp.atleast_1d(jnp.asarray(a))
    return jnp.abs(value[..., :, None] - value[..., None, :])


def fiedler_companion(a: ArrayLike) -> Array:
    """A matrix of five diagonals whose characteristic polynomial has the coefficients a [n], the highest first (Fiedler, 2003).

    >>> import jitgrad.numpy as jnp
    >>> print(fiedler_companion(jnp.array([1.0, -3.0, 2.0])))
    [[ 3. -2.]
     [ 1.  0.]]
    """
    value = inexact_arg("scipy.linalg.fiedler_companion", _vector("scipy.linalg.fiedler_companion", a, "a", 1))
    n = value.shape[0] - 1
    if n == 0:
        return jnp.zeros((0, 0), value.dtype)
    b = -value[1:] / value[0]
    made = jnp.zeros((n, n), value.dtype).at[0, 0].set(b[0])
    for k in range(1, n):
        if k % 2:
            made = made.at[k, k - 1 if k < 2 else k - 2].set(1).at[k - 1, k].set(b[k])
            if k + 1 < n:
                made = made.at[k - 1, k + 1].set(1)
        else:
            made = made.at[k, k - 1].set(b[k])
    return made


def hadamard(n: int, dtype: Any = int) -> Array:
    """Sylvester's matrix [n, n] of 1 and -1 with orthogonal rows; n must be a power of 2.

    >>> print(hadamard(2))
    [[ 1  1]
     [ 1 -1]]
    """
    where = "scipy.linalg.hadamard"
    size = _size(where, n, 1)
    if size & (size - 1):
        raise ArgumentError(f"{where}: n must be a power of 2, got {n}")
    made, done = np.ones((size, size), np.int8), 1
    while done < size:
        corner, rest = slice(done), slice(done, 2 * done)
        made[corner, rest] = made[rest, corner] = made[corner, corner]
        made[rest, rest] = -made[corner, corner]
        done *= 2
    return jnp.asarray(made, dtype)


def hilbert(n: int) -> Array:
    """1 / (i + j + 1) at i, j.

    >>> print(hilbert(2) * 6)
    [[6. 3.]
     [3. 2.]]
    """
    i = jnp.arange(_size("scipy.linalg.hilbert", n), dtype=float)
    return 1 / (i[:, None] + i + 1)


def invhilbert(n: int) -> Array:
    """The inverse of hilbert(n), whose elements are whole numbers, rounded to float where they are large: n is 203 or less.

    >>> print(invhilbert(2))
    [[ 4. -6.]
     [-6. 12.]]
    """
    size = _size("scipy.linalg.invhilbert", n, most=203)
    choose = math.comb

    def element(i: int, j: int) -> float:
        sized = choose(size + i, size - j - 1) * choose(size + j, size - i - 1) * choose(i + j, i) ** 2
        return float((-1) ** (i + j) * (i + j + 1) * sized)

    numbers = [[element(i, j) for j in range(size)] for i in range(size)]
    return jnp.asarray(np.array(numbers, float).reshape(size, size), float)


def _kind(where: str, kind: str | None) -> str:
    if kind not in (None, "symmetric", "upper", "lower"):
        raise ArgumentError(f"{where}: kind must be 'symmetric', 'upper' or 'lower', got {kind!r}")
    return kind or "symmetric"


def pascal(n: int, kind: str | None = None) -> Array:
    """Pascal's triangle as a matrix [n, n]: binomial coefficients, "symmetric" (the default), "upper" or "lower".

    float64 holds those of n up to 515, and of triangular ones up to 1030; raises ArgumentError for more.

    >>> print(pascal(3))
    [[1. 1. 1.]
     [1. 2. 3.]
     [1. 3. 6.]]
    """
    where = "scipy.linalg.pascal"
    kind = _kind(where, kind)
    size = _size(where, n, most=515 if kind == "symmetric" else 1030)
    of = {"symmetric": lambda i, j: math.comb(i + j, i), "lower": math.comb, "upper": lambda i, j: math.comb(j, i)}[kind]
    return jnp.asarray(np.array([[float(of(i, j)) for j in range(size)] for i in range(size)]).reshape(size, size), float)


def invpascal(n: int, kind: str | None = None) -> Array:
    """The inverse of pascal(n, kind), whose elements float64 holds up to n = 517, of triangular ones up to 1030.

    >>> print(invpascal(2))
    [[ 2. -1.]
     [-1.  1.]]
    """
    where = "scipy.linalg.invpascal"
    kind = _kind(where, kind)
    size = _size(where, n, most=517 if kind == "symmetric" else 1030)
    signed = [[(-1) ** (i + j) * math.comb(i, j) for j in range(size)] for i in range(size)]  # the inverse of the lower one
    lower = np.array(signed, object).reshape(size, size)
    made = {"lower": lower, "upper": lower.T, "symmetric": lower.T @ lower if size else lower}[kind]
    return jnp.asarray(made.astype(float), float)


def helmert(n: int, full: bool = False) -> Array:
    """Helmert's matrix [n - 1, n] of orthonormal rows that sum to 0; with `full` one of equal elements in front.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(helmert(2), 4))
    [[ 0.7071 -0.7071]]
    """
    size = _size("scipy.linalg.helmert", n, 1)
    rows, columns = np.arange(size)[:, None], np.arange(size)
    made = np.where(columns < rows, 1.0, np.where(columns == rows, -rows, 0))
    made[0] = 1
    length = np.sqrt(np.where(rows == 0, size, rows * (rows + 1)))
    return jnp.asarray((made / length)[0 if full else 1 :], float)


def leslie(f: ArrayLike, s: ArrayLike) -> Array:
    """Leslie's matrix of a population: fertilities f [n] in the first row, survival rates s [n - 1] below the diagonal.

    >>> import jitgrad.numpy as jnp
    >>> print(leslie(jnp.array([1.0, 2.0]), jnp.array([0.5])))
    [[1.  2. ]
     [0.5 0. ]]
    """
    where = "scipy.linalg.leslie"
    first, rates = _vector(where, f, "f", 1), _vector(where, s, "s")
    if rates.shape[0] != first.shape[0] - 1:
        raise ShapeError(f"{where}: takes f [n] and s [n - 1], got shapes {first.shape} and {rates.shape}")
    dtype = jnp.result_type(first, rates)
    below = jnp.diag(rates.astype(dtype)) if rates.shape[0] else jnp.zeros((0, 0), dtype)
    return jnp.concatenate([first.astype(dtype)[None], jnp.pad(below, ((0, 0), (0, 1)))])


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix of the discrete Fourier transform, exp(-2 pi i j k / n) at j, k; scale "sqrtn" divides by sqrt(n), "n" by n.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(dft(2).real, 4))
    [[ 1.  1.]
     [ 1. -1.]]
    """
    where = "scipy.linalg.dft"
    if scale not in (None, "sqrtn", "n"):
        raise ArgumentError(f"{where}: scale must be None, 'sqrtn' or 'n', got {scale!r}")
    if dtype is not None and not dtype_name(dtype).is_complex:
        raise DTypeError(f"{where}: dtype must be a complex type, got {dtype_name(dtype).numpy}")
    size = _size(where, n, 1)
    k = np.arange(size)
    made = np.exp(-2j * np.pi * (k[:, None] * k % size) / size) / {None: 1, "sqrtn": math.sqrt(size), "n": size}[scale]
    return jnp.asarray(made, complex if dtype is None else dtype)


__all__ = [
    "block_diag", "circulant", "companion", "convolution_matrix", "dft", "fiedler", "fiedler_companion", "hadamard",
    "hankel", "helmert", "hilbert", "invhilbert", "invpascal", "leslie", "pascal", "toeplitz",
]  # fmt: skip
