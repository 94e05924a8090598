"""Elementary functions as IR: what kernels call as `e.vector_math.exp(x)`. One file a family, which says how it computes.

Every function takes and returns float32 or float64 registers of any width, is within 2 ulp for all inputs (ndtri of
float64 within 6), keeps denormals, and has the special values of C99's Annex F. Where the module's features name AVX-512, single
instructions replace sequences, and the bits stay the same. Reading order: `formats.py`, `scaling.py`, then any family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    error_function,
    exponential,
    hyperbolic,
    inverse_trigonometric,
    logaddexp,
    logarithmic,
    normal_quantile,
    power,
    trigonometric,
)

if TYPE_CHECKING:
    from ..emitter import Emitter, Reg


class VectorMath:
    """The functions, written into the function that an emitter writes."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def exp(self, x: Reg) -> Reg:
        return exponential.exp(self._emitter, x)

    def exp2(self, x: Reg) -> Reg:
        """2**x."""
        return exponential.exp2(self._emitter, x)

    def expm1(self, x: Reg) -> Reg:
        """exp(x) - 1, accurate near 0."""
        return exponential.expm1(self._emitter, x)

    def logistic(self, x: Reg) -> Reg:
        """1 / (1 + exp(-x))."""
        return exponential.logistic(self._emitter, x)

    def log(self, x: Reg) -> Reg:
        return logarithmic.log(self._emitter, x)

    def log2(self, x: Reg) -> Reg:
        return logarithmic.log2(self._emitter, x)

    def log10(self, x: Reg) -> Reg:
        return logarithmic.log10(self._emitter, x)

    def log1p(self, x: Reg) -> Reg:
        """log(1 + x), accurate near 0."""
        return logarithmic.log1p(self._emitter, x)

    def sin(self, x: Reg) -> Reg:
        return trigonometric.sin(self._emitter, x)

    def cos(self, x: Reg) -> Reg:
        return trigonometric.cos(self._emitter, x)

    def tan(self, x: Reg) -> Reg:
        return trigonometric.tan(self._emitter, x)

    def asin(self, x: Reg) -> Reg:
        return inverse_trigonometric.asin(self._emitter, x)

    def acos(self, x: Reg) -> Reg:
        return inverse_trigonometric.acos(self._emitter, x)

    def atan(self, x: Reg) -> Reg:
        return inverse_trigonometric.atan(self._emitter, x)

    def sinh(self, x: Reg) -> Reg:
        return hyperbolic.sinh(self._emitter, x)

    def cosh(self, x: Reg) -> Reg:
        return hyperbolic.cosh(self._emitter, x)

    def tanh(self, x: Reg) -> Reg:
        return hyperbolic.tanh(self._emitter, x)

    def asinh(self, x: Reg) -> Reg:
        return hyperbolic.asinh(self._emitter, x)

    def acosh(self, x: Reg) -> Reg:
        return hyperbolic.acosh(self._emitter, x)

    def atanh(self, x: Reg) -> Reg:
        return hyperbolic.atanh(self._emitter, x)

    def erf(self, x: Reg) -> Reg:
        """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
        return error_function.erf(self._emitter, x)

    def erfc(self, x: Reg) -> Reg:
        """1 - erf(x), accurate where that is small."""
        return error_function.erfc(self._emitter, x)

    def erf_inv(self, x: Reg) -> Reg:
        """The inverse of erf; infinite at -1 and 1, NaN beyond."""
        return error_function.erf_inv(self._emitter, x)

    def ndtri(self, x: Reg) -> Reg:
        """The inverse of the normal distribution function; infinite at 0 and 1, NaN beyond."""
        return normal_quantile.ndtri(self._emitter, x)

    def cbrt(self, x: Reg) -> Reg:
        """The cube root, of negative numbers too."""
        return power.cbrt(self._emitter, x)

    def rsqrt(self, x: Reg) -> Reg:
        """1 / sqrt(x)."""
        return power.rsqrt(self._emitter, x)

    def pow(self, x: Reg, y: Reg) -> Reg:
        """x**y."""
        return power.pow(self._emitter, x, y)

    def hypot(self, x: Reg, y: Reg) -> Reg:
        """sqrt(x**2 + y**2) without overflow or underflow on the way."""
        return power.hypot(self._emitter, x, y)

    def atan2(self, y: Reg, x: Reg) -> Reg:
        """The angle of the point (x, y), in radians."""
        return inverse_trigonometric.atan2(self._emitter, y, x)

    def logaddexp(self, x: Reg, y: Reg) -> Reg:
        """log(exp(x) + exp(y)), also where that nearly cancels."""
        return logaddexp.logaddexp(self._emitter, x, y)
