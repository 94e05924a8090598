"""Elementary functions as IR: what kernels call as `e.vector_math.exp(x)`. One file a family, which says how it computes.

Every function takes and returns float32 or float64 registers of any width, is within 2 ulp for all inputs (ndtri of
float64 within 6), keeps denormals, and has the special values of C99's Annex F. Where the module's features name AVX-512, single
instructions replace sequences, and the bits stay the same. Reading order: `formats.py`, `scaling.py`, then any family.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
    from ..emitter import Emitter
    from ..llvm_text import Reg


class VectorMath:
    """The functions, written into the function that an emitter writes; where one is asked for again and again, calls of it."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._calls: dict[str, int] = {}

    def _write(self, function: Callable[..., Reg], *args: Reg) -> Reg:
        e, module = self._emitter, self._emitter.module
        args = tuple(e.same(*args))
        type, width = args[0].type, args[0].width
        constants = [f"{n}_{a.text}" for n, a in enumerate(args) if a.constant is not None]
        name = re.sub(r"\W", "", "_".join([f"math_{function.__name__}_{type}x{width}", *constants]))
        here = self._calls[name] = self._calls.get(name, 0) + 1
        everywhere = module.math_calls[name] = module.math_calls.get(name, 0) + 1
        tuning, number = module.tuning, int(width == 1)
        if here <= tuning.math_in_function[number] and everywhere <= tuning.math_in_kernel[number]:
            return function(e, *args)
        given = [a for a in args if a.constant is None]
        if module.first_use(name):
            body = e.function(name, [(f"x{n}", type, width) for n in range(len(given))], type, "noinline nounwind", width)
            inside = iter(body.args)
            body.finish(function(body, *[next(inside) if a.constant is None else a for a in args]))
        found = e.call(name, type, *given, width=width)
        assert found is not None
        return found

    def exp(self, x: Reg) -> Reg:
        return self._write(exponential.exp, x)

    def exp2(self, x: Reg) -> Reg:
        """2**x."""
        return self._write(exponential.exp2, x)

    def expm1(self, x: Reg) -> Reg:
        """exp(x) - 1, accurate near 0."""
        return self._write(exponential.expm1, x)

    def logistic(self, x: Reg) -> Reg:
        """1 / (1 + exp(-x))."""
        return self._write(exponential.logistic, x)

    def log(self, x: Reg) -> Reg:
        return self._write(logarithmic.log, x)

    def log2(self, x: Reg) -> Reg:
        return self._write(logarithmic.log2, x)

    def log10(self, x: Reg) -> Reg:
        return self._write(logarithmic.log10, x)

    def log1p(self, x: Reg) -> Reg:
        """log(1 + x), accurate near 0."""
        return self._write(logarithmic.log1p, x)

    def sin(self, x: Reg) -> Reg:
        return self._write(trigonometric.sin, x)

    def cos(self, x: Reg) -> Reg:
        return self._write(trigonometric.cos, x)

    def tan(self, x: Reg) -> Reg:
        return self._write(trigonometric.tan, x)

    def asin(self, x: Reg) -> Reg:
        return self._write(inverse_trigonometric.asin, x)

    def acos(self, x: Reg) -> Reg:
        return self._write(inverse_trigonometric.acos, x)

    def atan(self, x: Reg) -> Reg:
        return self._write(inverse_trigonometric.atan, x)

    def sinh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.sinh, x)

    def cosh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.cosh, x)

    def tanh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.tanh, x)

    def asinh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.asinh, x)

    def acosh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.acosh, x)

    def atanh(self, x: Reg) -> Reg:
        return self._write(hyperbolic.atanh, x)

    def erf(self, x: Reg) -> Reg:
        """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
        return self._write(error_function.erf, x)

    def erfc(self, x: Reg) -> Reg:
        """1 - erf(x), accurate where that is small."""
        return self._write(error_function.erfc, x)

    def erf_inv(self, x: Reg) -> Reg:
        """The inverse of erf; infinite at -1 and 1, NaN beyond."""
        return self._write(error_function.erf_inv, x)

    def ndtri(self, x: Reg) -> Reg:
        """The inverse of the normal distribution function; infinite at 0 and 1, NaN beyond."""
        return normal_quantile.ndtri(self._emitter, x)

    def cbrt(self, x: Reg) -> Reg:
        """The cube root, of negative numbers too."""
        return self._write(power.cbrt, x)

    def rsqrt(self, x: Reg) -> Reg:
        """1 / sqrt(x)."""
        return self._write(power.rsqrt, x)

    def pow(self, x: Reg, y: Reg) -> Reg:
        """x**y."""
        return self._write(power.pow, x, y)

    def hypot(self, x: Reg, y: Reg) -> Reg:
        """sqrt(x**2 + y**2) without overflow or underflow on the way."""
        return self._write(power.hypot, x, y)

    def atan2(self, y: Reg, x: Reg) -> Reg:
        """The angle of the point (x, y), in radians."""
        return self._write(inverse_trigonometric.atan2, y, x)

    def logaddexp(self, x: Reg, y: Reg) -> Reg:
        """log(exp(x) + exp(y)), also where that nearly cancels."""
        return self._write(logaddexp.logaddexp, x, y)
