"""Hypergeometric functions."""

from __future__ import annotations

from jitgrad import array_ops as ops
from jitgrad.array import Array

from .arguments import ArrayLike, float_arguments

__all__ = ["hyp1f1", "hyp2f1"]


def hyp1f1(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """Kummer's hypergeometric function 1F1(a; b; x) of real numbers (NIST DLMF 13.2.2), with derivatives by all arguments.

    Inf where b is 0, -1, -2, ... and the series no polynomial that ends before; 1 for a = b = 0, as in jax. What has not converged
    after 3,000 terms, or loses more than eight digits to cancellation, as with parameters and arguments of some hundreds, is NaN.
    Second derivatives are there where x is one of the two.

    >>> print(hyp1f1(1.0, 1.0, 1.0))
    2.7182817
    """
    return ops.op("hyp1f1", *float_arguments("hyp1f1", a, b, x))


def hyp2f1(a: ArrayLike, b: ArrayLike, c: ArrayLike, x: ArrayLike) -> Array:
    """Gauss' hypergeometric function 2F1(a, b; c; x) of real numbers (NIST DLMF 15.2.1), with derivatives by all arguments.

    Inf where c is 0, -1, -2, ... and the series no polynomial that ends before; NaN for x > 1, where the function is complex,
    unless it is a polynomial. What loses more than eight digits to cancellation, as it may with parameters of some tens, is NaN.
    Second derivatives are there where x is one of the two.

    >>> print(hyp2f1(1.0, 1.0, 1.0, 0.5))
    2.0
    """
    return ops.op("hyp2f1", *float_arguments("hyp2f1", a, b, c, x))
