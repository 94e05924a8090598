"""Exponential, sine, cosine and Fresnel integrals, the dilogarithm, Dawson's integral and erfcx as ops.

Their scalar functions are in `integral_functions.py`. Derivatives that are a difference of near numbers somewhere have a series
there, so that they and their own derivatives keep their digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.builder import Value
from ..ir.types import F64
from . import integral_functions as scalars
from .arithmetic import op, where
from .define import elementwise, full, no_derivative_by
from .scipy_special import mended, of_float64, ordinary, scipys, special


def _unary(name: str, reference: Any, partial: Callable[..., Any], domain: tuple[float, float], doc: str) -> None:
    elementwise(
        name, reference, partials=[partial], accepts="float", domain=domain, scalar=getattr(scalars, name), computed_in=F64,
        transcendental=True, doc=doc,
    )  # fmt: skip


def _below(x: Value, bound: float) -> Value:
    return op("lt", op("abs", x), full(x.type.shape, bound, x.type.dtype))


def _polynomial(z: Value, coefficients: Sequence[float]) -> Value:
    """The sum of coefficients[k] z^k."""
    total: Any = z * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total = (total + c) * z
    return total + coefficients[0]  # type: ignore[no-any-return]


def _near_zero(x: Value, bound: float, near: Callable[[Value], Value], far: Callable[[Value], Value]) -> Value:
    """near(x) where |x| < bound, far(x) elsewhere; each is done to numbers that it is made for, and so are its derivatives."""
    is_near = _below(x, bound)
    return where(is_near, near(where(is_near, x, 0)), far(where(is_near, bound, x)))


def _sine_ratio(x: Value) -> Value:
    """sin(x) / x."""
    coefficients = [(-1) ** k / math.factorial(2 * k + 1) for k in range(11)]
    return _near_zero(x, 1.0, lambda near: _polynomial(near * near, coefficients), lambda far: op("sin", far) / far)


def _logarithm_ratio(x: Value) -> Value:
    """log(x) / (1 - x), near 1 by the series of -log(1 + w) / w."""
    coefficients = [-((-1) ** k) / (k + 1) for k in range(19)]
    return _near_zero(x - 1, 0.1, lambda w: _polynomial(w, coefficients), lambda w: op("log", w + 1) / -w)


def _of_series(x: Value, far: float, series: Callable[[Value], Value], plain: Callable[[Value], Value]) -> Value:
    """series(1 / x^2) where |x| >= far, plain(x) elsewhere."""
    is_near = _below(x, far)
    large = where(is_near, far, x)
    return where(is_near, plain(where(is_near, x, 0)), series(1 / large / large))


def _double_factorials(sign: int) -> list[float]:
    """Those of 1 to 2 k - 1 over (sign 2)^k: terms of the asymptotic series of Dawson's integral and erfcx (NIST DLMF 7.12.1)."""
    terms, term = [], 1.0
    for k in range(1, 14):
        term *= sign * (2 * k - 1) / 2
        terms.append(term)
    return terms


def _dawsn_partial(x: Value, out: Value) -> Value:
    """1 - 2 x D(x)."""
    terms = _double_factorials(1)
    return _of_series(x, 10.0, lambda w: -w * _polynomial(w, terms), lambda near: 1 - 2 * near * op("dawsn", near))


def _erfcx_partial(x: Value, out: Value) -> Value:
    """2 x erfcx(x) - 2 / sqrt(pi)."""
    terms, constant = _double_factorials(-1), 2 / math.sqrt(math.pi)
    is_far = op("ge", x, full(x.type.shape, 10.0, x.type.dtype))
    large, near = where(is_far, x, 10.0), where(is_far, 0, x)
    w = 1 / large / large
    return where(is_far, w * constant * _polynomial(w, terms), 2 * near * op("erfcx", near) - constant)


def _part(name: str, scipys: str, place: int) -> Callable[..., Any]:
    """One of the results of a function of SciPy, which is NaN for huge numbers and forgets the sign of zero."""
    return mended(lambda x: getattr(special(), scipys)(x)[place], getattr(scalars, name), lambda x: (x != 0) & (abs(x) < 1e150))


_expi = mended(scipys("expi"), scalars.expi, lambda x: abs(x - 0.3725) >= 0.01)  # but beside its zero
_spence = mended(scipys("spence"), scalars.spence, lambda x: abs(x) < 1e300)
_unary("exp1", of_float64("exp1"), lambda x, out: -op("exp", -x) / x, (0.2, 6), "E_1(x), the integral of exp(-t) / t from x on.")
_unary("expi", _expi, lambda x, out: op("exp", x) / x, (0.2, 6),
       "Ei(x), the principal value of the integral of exp(t) / t up to x.")  # fmt: skip
_unary("sine_integral", _part("sine_integral", "sici", 0), lambda x, out: _sine_ratio(x), (-6, 6),
       "Si(x), the integral of sin(t) / t from 0 to x.")  # fmt: skip
_unary("cosine_integral", _part("cosine_integral", "sici", 1), lambda x, out: op("cos", x) / x, (0.2, 6),
       "Ci(|x|), the cosine integral.")  # fmt: skip
_unary("fresnel_sine", _part("fresnel_sine", "fresnel", 0), lambda x, out: op("fresnel_sine_slope", x), (-3, 3),
       "S(x), the integral of sin(pi t^2 / 2) from 0 to x.")  # fmt: skip
_unary("fresnel_cosine", _part("fresnel_cosine", "fresnel", 1), lambda x, out: op("fresnel_cosine_slope", x), (-3, 3),
       "C(x), the integral of cos(pi t^2 / 2) from 0 to x.")  # fmt: skip
_unary("spence", _spence, lambda x, out: _logarithm_ratio(x), (0.2, 6), "The dilogarithm of 1 - x.")
_unary("erfcx", of_float64("erfcx"), _erfcx_partial, (-3, 12), "exp(x^2) erfc(x).")
_unary("dawsn", of_float64("dawsn"), _dawsn_partial, (-12, 12), "Dawson's integral.")


def _half_square(whole: Callable[..., Any]) -> Callable[..., Any]:
    """The sine or cosine of pi x^2 / 2, with the digits of x^2 that float64 has no place for."""

    def formula(wide: Any) -> Any:
        head = (wide * 134217729.0) - (wide * 134217729.0 - wide)
        tail = wide - head
        square = wide * wide
        low = ((head * head - square) + 2 * head * tail) + tail * tail
        turns = np.where(np.abs(wide) > 1e8, wide - wide, np.fmod(square, 4.0) + low)
        return whole(0.5 * math.pi * turns)

    return formula


_unary("fresnel_sine_slope", mended(_half_square(np.sin), scalars.fresnel_sine_slope, ordinary),
       lambda x, out: math.pi * x * op("fresnel_cosine_slope", x), (-3, 3), "sin(pi x^2 / 2).")  # fmt: skip
_unary("fresnel_cosine_slope", mended(_half_square(np.cos), scalars.fresnel_cosine_slope, ordinary),
       lambda x, out: -math.pi * x * op("fresnel_sine_slope", x), (-3, 3), "cos(pi x^2 / 2).")  # fmt: skip

expn = elementwise(
    "expn", mended(scipys("expn"), scalars.expn, lambda n, x: ordinary(x) & (abs(n - 5e8) <= 5e8) & (n % 1 == 0)),
    partials=[lambda n, x, out: no_derivative_by("expn", "the order n"), lambda n, x, out: -op("expn", n - 1, x)],
    accepts="float", domain=(0.2, 6), integer_first=True, fixed=1, scalar=scalars.expn, computed_in=F64, transcendental=True,
    doc="E_n(x), the integral of exp(-x t) / t^n for t from 1 on, for whole n and x >= 0.",
)  # fmt: skip
