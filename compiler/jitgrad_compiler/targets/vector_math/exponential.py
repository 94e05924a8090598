"""exp, exp2, expm1 and the logistic function.

x = n log(2) + r with a whole n and |r| <= log(2) / 2 (reduction by two parts of log(2) after Cody and Waite 1980), a polynomial
in r, and a multiplication by 2**n that rounds once, so that denormal results are right. Next on the path: `logarithmic.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .coefficients import EXP2, EXPM1
from .formats import FORMATS
from .pairs import ordered_sum
from .scaling import horner, maximum, minimum, nearest, scale

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg


def reduce(e: Emitter, x: Reg) -> tuple[Reg, Reg]:
    """(n, r) with x = n log(2) + r, n whole."""
    high, low = FORMATS[x.type].ln2
    n, _ = nearest(e, x, 1 / math.log(2))
    return n, e.fma(n, -low, e.fma(n, -high, x))


def exp_parts(e: Emitter, x: Reg) -> tuple[Reg, Reg]:
    """(n, p) with exp(x) = 2**n * p, p near 1, for an x within `exp_range`."""
    n, r = reduce(e, x)
    return n, horner(e, r, (1.0, 1.0, *EXPM1[x.type]))


def expm1_tail(e: Emitter, r: Reg) -> Reg:
    """expm1(r) - r for |r| <= log(2) / 2."""
    return e.mul(e.mul(r, r), horner(e, r, EXPM1[r.type]))


def exp(e: Emitter, x: Reg) -> Reg:
    low, high = FORMATS[x.type].exp_range
    n, p = exp_parts(e, minimum(e, high, maximum(e, low, x)))
    return scale(e, p, n)


def exp2(e: Emitter, x: Reg) -> Reg:
    f = FORMATS[x.type]
    x = minimum(e, f.bias + 1.0, maximum(e, -f.bias - f.fraction_bits - 1.0, x))
    n, _ = nearest(e, x, 1.0)
    return scale(e, horner(e, e.sub(x, n), (1.0, *EXP2[x.type])), n)


def expm1(e: Emitter, x: Reg) -> Reg:
    """2**n * (expm1(r) + (1 - 2**-n)): exact in its scaling, and only r, which is exact, cancels."""
    f = FORMATS[x.type]
    lowest = -math.log(2) * (f.fraction_bits + 2)  # -1 from here on
    n, r = reduce(e, minimum(e, f.exp_range[1], maximum(e, lowest, x)))
    inverse = scale(e, e.const(1.0, x.type, x.width), e.neg(n))
    start = ordered_sum(e, e.sub(1.0, inverse), r)
    return e.copysign(scale(e, e.add(start.high, e.add(expm1_tail(e, r), start.low)), n), x)


def logistic(e: Emitter, x: Reg) -> Reg:
    """1 / (1 + t) = 1 - t / (1 + t) with t = exp(-|x|), and for negative x t / (1 + t) = t - t * t / (1 + t).

    Written so, the rounding of 1 + t and of the quotient weighs at most half.
    """
    n, p = exp_parts(e, maximum(e, FORMATS[x.type].exp_range[0], e.neg(e.abs(x))))
    t = scale(e, p, n)
    quotient = e.div(t, e.add(t, 1.0))
    factor = e.select(e.compare("lt", x, 0), t, 1.0)
    return e.fma(e.neg(factor), quotient, factor)
