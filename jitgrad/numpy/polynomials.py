"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import broadcast_right, constant, convert, fill, limits, op, reshape, slice_axis
from jitgrad.at_once import done_at_once
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, inexact_arg, size_arg
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import complex_of

from . import reductions
from .calculus import convolve
from .elementwise import sqrt
from .manipulation import concatenate, promoted, ravel
from .matrices import eye, vander
from .rearrangement import trim_zeros


def polyval(p: ArrayLike, x: ArrayLike, *, unroll: int = 16) -> Array:
    """The polynomial with coefficients p, the highest power first, at x; by Horner's rule. Coefficients may have more axes.

    unroll: an integer, taken for jax's sake; all steps are written out.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polyval(jnp.array([1, 0, 2]), 3))
    11
    """
    size_arg("polyval", unroll, "unroll must be an integer", 1)
    coefficients, at = promoted("polyval", [p, x])
    if not coefficients.type.rank:
        raise ShapeError("polyval: p must be a vector of coefficients, got a number")
    rest = coefficients.type.shape[1:]
    out: Array = beside(fill(at.type.shape, 0, at.type.dtype), at, coefficients)
    for k in range(coefficients.type.shape[0]):
        c = reshape(slice_axis(coefficients, 0, k, k + 1), rest)
        out = c + at * 0 if k == 0 else out * at + c
    return out


def polyadd(a1: ArrayLike, a2: ArrayLike) -> Array:
    """The sum of two polynomials, given by coefficients with the highest power first.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polyadd(jnp.array([1, 2]), jnp.array([5])))
    [1 7]
    """
    return _term_by_term("polyadd", "add", a1, a2)


def polysub(a1: ArrayLike, a2: ArrayLike) -> Array:
    """The difference of two polynomials, given by coefficients with the highest power first.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polysub(jnp.array([1, 2]), jnp.array([5])))
    [ 1 -3]
    """
    return _term_by_term("polysub", "sub", a1, a2)


def _term_by_term(name: str, operation: str, a1: ArrayLike, a2: ArrayLike) -> Array:
    x, y = (ravel(v) if not v.type.rank else v for v in promoted(name, [a1, a2]))
    if x.type.rank != 1 or y.type.rank != 1:
        raise ShapeError(f"{name}: coefficients must be vectors, got shapes {x.type.shape} and {y.type.shape}")
    n = max(x.type.shape[0], y.type.shape[0])
    grown = [
        op("pad", v, constant(0, v.type.dtype), padding=((n - v.type.shape[0], 0, 0),)) if v.type.shape[0] < n else v
        for v in (x, y)
    ]
    return op(operation, *grown)


def polymul(a1: ArrayLike, a2: ArrayLike, *, trim_leading_zeros: bool = False) -> Array:
    """The product of two polynomials, given by coefficients with the highest power first; as floats.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polymul(jnp.array([1, 1]), jnp.array([1, -1])))
    [ 1.  0. -1.]
    """
    return convolve(a1, a2)


def polyder(p: ArrayLike, m: int = 1) -> Array:
    """The m-th derivative of a polynomial, given by coefficients with the highest power first; of integers int64.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polyder(jnp.array([3, 2, 1])))
    [6 2]
    """
    c = _coefficients("polyder", array_arg("polyder", p))
    m = size_arg("polyder", m, "m must be an integer", 0)
    for _ in range(min(m, c.type.size)):
        n = c.type.shape[0]
        c = slice_axis(c, 0, 0, max(n - 1, 0)) * from_numpy(np.arange(n - 1, 0, -1))
    return c


def _coefficients(where: str, p: Array) -> Array:
    """A vector, of a number alone too."""
    if p.type.rank > 1:
        raise ShapeError(f"{where}: p must be a vector of coefficients, got shape {p.type.shape}")
    return p if p.type.rank else ravel(p)


MOST_INTEGRALS = 1000
"""How many times a polynomial is integrated at once: each time takes operations of its own."""


def polyint(p: ArrayLike, m: int = 1, k: ArrayLike | None = None) -> Array:
    """The m-th integral of a polynomial, with the constant k (0 by default), as floats; m is at most 1,000.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polyint(jnp.array([6.0, 2.0])))
    [3. 2. 0.]
    """
    c = _coefficients("polyint", inexact_arg("polyint", p))
    m = size_arg("polyint", m, "m must be an integer", 0)
    if m > MOST_INTEGRALS:
        raise ArgumentError(f"polyint: m is at most {MOST_INTEGRALS}, got {m}: every integral divides all coefficients once more")
    constants = broadcast_right(convert(as_value(0 if k is None else k, "polyint"), c.type.dtype), (m,)) if m else c
    for i in range(m):
        n = c.type.shape[0]
        powers = from_numpy(np.arange(n, 0, -1).astype(c.dtype))
        c = concatenate([c / powers, slice_axis(constants, 0, i, i + 1)])
    return c


@cache
def _linalg() -> Any:
    """The module jitgrad.numpy.linalg, which is written with this package."""
    return importlib.import_module("jitgrad.numpy.linalg")


def poly(seq_of_zeros: ArrayLike) -> Array:
    """The coefficients, the first one 1, of the polynomial with these zeros; of a square matrix, its characteristic polynomial.

    Raises ShapeError for what is neither a vector nor a square matrix.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.poly(jnp.array([1.0, 2.0])))
    [ 1. -3.  2.]
    """
    zeros = inexact_arg("poly", seq_of_zeros)
    if zeros.type.rank == 2 and zeros.type.shape[0] == zeros.type.shape[1] and zeros.type.shape[0]:
        zeros = _linalg().eigvals(zeros)
    elif zeros.type.rank != 1:
        raise ShapeError(f"poly: needs a vector of zeros or a square matrix, got shape {zeros.type.shape}")
    if not zeros.type.shape[0]:
        return beside(fill((), 1, zeros.type.dtype), zeros)  # a number: NumPy has no vector of one coefficient here
    out, zero = fill((1,), 1, zeros.type.dtype), fill((1,), 0, zeros.type.dtype)
    for k in range(zeros.type.shape[0]):  # times (x - the k-th zero)
        products = out * broadcast_right(reshape(slice_axis(zeros, 0, k, k + 1), ()), out.type.shape)
        out = op("concatenate", out, zero, axis=0) - op("concatenate", zero, products, axis=0)
    return out


def polydiv(u: ArrayLike, v: ArrayLike, *, trim_leading_zeros: bool = False) -> tuple[Array, Array]:
    """(quotient, remainder) of the division of two polynomials: u = quotient * v + remainder.

    The remainder has as many coefficients as u; with `trim_leading_zeros`, which needs concrete numbers, no zeros in front.
    Raises ShapeError for what is no vector of at least one coefficient.

    >>> import jitgrad.numpy as jnp
    >>> quotient, remainder = jnp.polydiv(jnp.array([3.0, 5.0, 2.0]), jnp.array([2.0, 1.0]))
    >>> print(quotient, remainder)
    [1.5  1.75] [0.   0.   0.25]
    """
    a, b = _vectors("polydiv", u, v)
    n, m = a.type.shape[0], b.type.shape[0]
    if n < m:
        return beside(fill((1,), 0, a.type.dtype), a, b), a
    lead = reshape(slice_axis(b, 0, 0, 1), ())
    quotient = []
    for k in range(n - m + 1):
        digit = reshape(slice_axis(a, 0, k, k + 1), ()) / lead
        quotient.append(reshape(digit, (1,)))
        a = a.at[k : k + m].add(-digit * b)
    return concatenate(quotient, 0), trim_zeros(a, "f") if trim_leading_zeros else a


def _vectors(where: str, *xs: ArrayLike) -> list[Array]:
    """Vectors of one inexact element type."""
    values = promoted(where, [inexact_arg(where, x) for x in xs])
    for v in values:
        if v.type.rank != 1 or not v.type.shape[0]:
            raise ShapeError(f"{where}: needs vectors of coefficients, got shape {v.type.shape}")
    return values


def polyfit(
    x: ArrayLike,
    y: ArrayLike,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: ArrayLike | None = None,
    cov: bool | str = False,
) -> Any:
    """The coefficients of the polynomial of degree `deg` that is nearest to points (x, y) by the sum of squares.

    x: [n]. y: [n], or [n, k] for k polynomials side by side. w: [n], weights of the differences, not of squares. rcond:
    singular values below so many times the largest one count as 0; by default n times the type's precision. full: (coefficients,
    residuals, rank, singular values, rcond). cov: (coefficients, their covariance), scaled by the residuals unless it is
    "unscaled".
    Raises ShapeError for points that do not go together, ArgumentError for a negative degree and where cov needs more points.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.polyfit(jnp.array([0.0, 1.0, 2.0]), jnp.array([1.0, 3.0, 5.0]), 1).round(4))
    [2. 1.]
    """
    at, values = promoted("polyfit", [inexact_arg("polyfit", v) for v in (x, y)])
    terms = size_arg("polyfit", deg, "deg is an integer") + 1
    n = at.type.size
    if at.type.rank != 1 or not n or values.type.rank not in (1, 2) or values.type.shape[0] != n:
        raise ShapeError(f"polyfit: needs x [n] and y [n] or [n, k], got shapes {at.type.shape} and {values.type.shape}")
    if terms < 1:
        raise ArgumentError(f"polyfit: deg must be 0 or more, got {deg}")
    if not isinstance(cov, (bool, np.bool_)) and cov != "unscaled":
        raise ArgumentError(f"polyfit: cov must be True, False or 'unscaled', got {cov!r}")
    rows = vander(at, terms)
    if w is not None:
        weights = convert(as_value(w, "polyfit"), at.type.dtype)
        if weights.type.shape != (n,):
            raise ShapeError(f"polyfit: w must have the shape ({n},) of x, got {weights.type.shape}")
        rows, values = rows * weights[:, None], values * (weights if values.type.rank == 1 else weights[:, None])
    if rcond is None:
        rcond = n * float(limits(at.type.dtype.real).eps)
    scale = sqrt(reductions.sum(rows * rows, axis=0))
    rows = rows / scale
    found, residuals, rank, singular = _linalg().lstsq(rows, values, rcond)
    found = found / (scale if values.type.rank == 1 else scale[:, None])
    if full:
        return found, residuals, rank, singular, rcond
    if not cov:
        return found
    spread = _linalg().inv(rows.T @ rows) / (scale[:, None] * scale)
    if values.type.rank == 2:
        spread = spread[:, :, None]
    if cov != "unscaled":
        if n <= terms:
            raise ArgumentError(f"polyfit: the covariance needs more than {terms} points, or cov='unscaled'; got {n}")
        spread = spread * residuals / (n - terms)
    return found, spread


def roots(p: ArrayLike, *, strip_zeros: bool = True) -> Array:
    """The zeros of a polynomial, complex numbers: the eigenvalues of its companion matrix.

    strip_zeros: coefficients in front that are 0 are left out, and for each behind there is a zero 0; that needs concrete
    coefficients. False, for programs: all are taken, and one in front that is 0 gives NaNs. Raises ShapeError for no vector.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.sort(jnp.roots(jnp.array([1.0, -3.0, 2.0])).real).round(4))
    [1. 2.]
    """
    coefficients = inexact_arg("roots", p)
    coefficients = convert(coefficients, coefficients.type.dtype.accumulated)
    if coefficients.type.rank != 1:
        raise ShapeError(f"roots: needs a vector of coefficients, got shape {coefficients.type.shape}")
    behind = 0
    if strip_zeros:
        nonzero = np.flatnonzero(coefficients.elements("jnp.roots with strip_zeros=True", "strip_zeros=False", constant=True))
        first, last = (int(nonzero[0]), int(nonzero[-1])) if len(nonzero) else (0, -1)
        behind = coefficients.type.size - 1 - last if len(nonzero) else 0
        coefficients = slice_axis(coefficients, 0, first, last + 1)
    return _roots(coefficients, behind)


@done_at_once
def _roots(coefficients: Array, behind: int) -> Array:
    """The zeros of a polynomial whose first coefficient is not 0, and as many 0 behind them."""
    n = coefficients.type.size
    dtype = complex_of(coefficients.type.dtype.real)
    zeros = beside(fill((behind,), 0, dtype), coefficients)
    if n < 2:
        return zeros
    below = eye(n - 1, k=-1, dtype=coefficients.type.dtype.numpy)
    companion = below.at[0].set(-coefficients[1:] / coefficients[0])
    found = convert(_linalg().eigvals(companion), dtype)
    return concatenate([found, zeros], 0) if behind else found
