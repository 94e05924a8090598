"""tanh, sinh, cosh and their inverses. Next on the path: `error_function.py`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...ir.types import F32
from .coefficients import SINH, TANH, TANH_SMALL
from .exponential import exp_parts, expm1_tail, reduce
from .formats import FORMATS
from .logarithmic import log1p_of_pair
from .pairs import Pair, exact_sum, ordered_sum
from .pieces import evaluate_odd
from .scaling import NAN, horner, minimum, scale

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg


def tanh(e: Emitter, x: Reg) -> Reg:
    """Sixteen polynomials in float32, or one and a quotient of exponentials where they can't be looked up. They would be long in
    float64, so there it is h / (1 + h) with h = expm1(2|x|) / 2.

    What the roundings of h and of d = 1 + h took goes into q = h / d as (h_low - q d_low) / d, where 1 / d is 1 - q.
    """
    if x.type == F32 and not e.module.lookups:
        return _tanh_without_tables(e, x)
    if x.type == F32:
        step, _ = TANH[F32]
        return e.copysign(evaluate_odd(e, "tanh", TANH[F32], minimum(e, 15.49 * step, e.abs(x))), x)
    n, r = reduce(e, minimum(e, math.log(2) * (FORMATS[x.type].fraction_bits + 3), e.mul(e.abs(x), 2.0)))
    half_power = scale(e, e.const(0.5, x.type, x.width), n)
    start = ordered_sum(e, e.sub(half_power, 0.5), e.mul(half_power, r))
    h = ordered_sum(e, start.high, e.add(start.low, e.mul(half_power, expm1_tail(e, r))))
    d = exact_sum(e, e.const(1.0, x.type, x.width), h.high)
    q = e.div(h.high, d.high)
    missing = e.fma(e.neg(q), e.add(d.low, h.low), h.low)
    return e.copysign(e.fma(missing, e.sub(1.0, q), q), x)


def _tanh_without_tables(e: Emitter, x: Reg) -> Reg:
    """A polynomial up to 5/8, then 1 - 2 / (exp(2|x|) + 1), where what exp errs by is halved at least."""
    y = e.abs(x)
    square = e.mul(y, y)
    small = e.fma(e.mul(y, square), horner(e, square, TANH_SMALL), y)
    n, p = exp_parts(e, minimum(e, 20.0, e.mul(y, 2.0)))
    large = e.sub(1.0, e.div(2.0, e.add(scale(e, p, n), 1.0)))
    return e.copysign(e.select(e.compare("lt", y, 0.625), small, large), x)


def _half_exp(e: Emitter, y: Reg) -> Reg:
    """exp(y) / 2 for y >= 0, which overflows where cosh does."""
    n, p = exp_parts(e, minimum(e, FORMATS[y.type].exp_range[1] + 1, y))
    return scale(e, p, e.sub(n, 1.0))


def sinh(e: Emitter, x: Reg) -> Reg:
    """A polynomial up to 1, then exp(y) / 2 - 1 / (4 exp(y) / 2)."""
    y = e.abs(x)
    square = e.mul(y, y)
    small = e.fma(e.mul(y, square), horner(e, square, SINH[x.type]), y)
    half = _half_exp(e, y)
    return e.copysign(e.select(e.compare("lt", y, 1.0), small, e.sub(half, e.div(0.25, half))), x)


def cosh(e: Emitter, x: Reg) -> Reg:
    half = _half_exp(e, e.abs(x))
    return e.add(half, e.div(0.25, half))


def _is_large(e: Emitter, y: Reg) -> Reg:
    """Whether 1 is lost in y**2 and in y, which is far below where y**2 overflows."""
    return e.compare("gt", y, 2.0 ** (FORMATS[y.type].fraction_bits + 7))


def asinh(e: Emitter, x: Reg) -> Reg:
    """log1p(y + y**2 / (1 + sqrt(1 + y**2))), and log(2 y) for large y."""
    y = e.abs(x)
    large, square = _is_large(e, y), e.mul(y, y)
    correction = e.div(square, e.add(e.sqrt(e.add(square, 1.0)), 1.0))
    argument = ordered_sum(e, y, correction)
    high, low = e.select(large, y, argument.high), e.select(large, e.const(0.0, x.type, x.width), argument.low)
    doublings = e.select(large, e.const(1.0, x.type, x.width), 0.0)
    return e.copysign(log1p_of_pair(e, Pair(high, low), doublings), x)


def acosh(e: Emitter, x: Reg) -> Reg:
    """log1p(t + sqrt(t**2 + 2 t)) with t = x - 1, and log(2 x) for large x; the root with what its rounding took."""
    zero = e.const(0.0, x.type, x.width)
    large, t = _is_large(e, x), e.sub(x, 1.0)
    square = e.fma(t, t, e.mul(t, 2.0))
    root = e.sqrt(square)
    remainder = e.div(e.fma(e.neg(root), root, square), e.mul(root, 2.0))
    argument = ordered_sum(e, root, t)
    low = e.add(argument.low, e.select(e.compare("gt", square, 0), remainder, 0.0))
    pair = Pair(e.select(large, x, argument.high), e.select(large, zero, low))
    result = log1p_of_pair(e, pair, e.select(large, e.const(1.0, x.type, x.width), 0.0))
    return e.select(e.compare("lt", x, 1.0), e.const(NAN, x.type, x.width), result)


def atanh(e: Emitter, x: Reg) -> Reg:
    """log1p(2 y / (1 - y)) / 2, the quotient with what its rounding took."""
    y = e.abs(x)
    twice = e.mul(y, 2.0)
    below = ordered_sum(e, e.const(1.0, x.type, x.width), e.neg(y))
    quotient = e.div(twice, below.high)
    remainder = e.fma(e.neg(quotient), below.low, e.fma(e.neg(quotient), below.high, twice))
    return e.copysign(e.mul(log1p_of_pair(e, Pair(quotient, e.div(remainder, below.high))), 0.5), x)
