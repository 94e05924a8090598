"""erf, erfc and the inverse of erf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, F64
from .coefficients import ERF, ERF_INV, ERFCX
from .exponential import expm1_tail, reduce
from .logarithmic import log
from .pairs import exact_product
from .pieces import evaluate_octaves, evaluate_odd
from .scaling import INFINITY, minimum, scale

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# From where on erfc rounds to 0.
ERFC_END = {F32: 10.1, F64: 27.3}


def erf(e: Emitter, x: Reg) -> Reg:
    """Sixteen polynomials up to where erf rounds to 1."""
    step, _ = ERF[x.type]
    return e.copysign(evaluate_odd(e, "erf", ERF[x.type], minimum(e, 15.49 * step, e.abs(x))), x)


def erfc(e: Emitter, x: Reg) -> Reg:
    """exp(-y**2) * erfcx(y) for y = |x|, with all digits of y**2; for negative x that from 2."""
    y = minimum(e, ERFC_END[x.type], e.abs(x))
    square = exact_product(e, y, y)
    n, r = reduce(e, e.neg(square.high))
    scaled = evaluate_octaves(e, "erfcx", ERFCX[x.type], y)
    r = e.sub(r, square.low)
    growth = e.add(r, expm1_tail(e, r))
    result = scale(e, e.add(scaled.high, e.fma(scaled.high, growth, scaled.low)), n)
    return e.select(e.compare("lt", x, 0), e.sub(2.0, result), result)


def erf_inv(e: Emitter, x: Reg) -> Reg:
    """x times a function of w = -log(1 - x**2), which is smooth and grows slowly (the variable is that of Giles 2010)."""
    y = e.abs(x)
    w = e.neg(log(e, e.fma(e.neg(y), y, 1.0)))
    ratio = evaluate_octaves(e, "erf_inv", ERF_INV[x.type], w)
    result = e.fma(y, ratio.high, e.mul(y, ratio.low))
    return e.copysign(e.select(e.compare("eq", y, 1.0), e.const(INFINITY, x.type, x.width), result), x)
