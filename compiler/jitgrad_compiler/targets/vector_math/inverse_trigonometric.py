"""asin, acos, atan and atan2. Next on the path: `hyperbolic.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, F64
from .coefficients import ASIN, ATAN
from .formats import FORMATS, RIGHT_ANGLE_PARTS
from .pieces import evaluate_odd
from .scaling import horner

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# Below which atan2 multiplies its arguments, and by what, so that the remainder of their quotient does not underflow.
_LIFT = {F32: (2.0**-40, 2.0**80), F64: (2.0**-400, 2.0**600)}


def _asin_core(e: Emitter, y: Reg) -> tuple[Reg, Reg, Reg]:
    """(upper, s, tail): s + tail = p is asin(y) for 0 <= y <= 1/2, and for larger y, where `upper` holds, asin(sqrt((1 - y) / 2)).

    asin(y) is pi / 2 - 2 p and acos(y) is 2 p there.
    """
    upper = e.compare("gt", y, 0.5)
    square = e.select(upper, e.fma(y, -0.5, 0.5), e.mul(y, y))
    s = e.select(upper, e.sqrt(square), y)
    return upper, s, e.mul(e.mul(s, square), horner(e, square, ASIN[y.type]))


def asin(e: Emitter, x: Reg) -> Reg:
    upper, s, tail = _asin_core(e, e.abs(x))
    high, low, _ = RIGHT_ANGLE_PARTS[x.type]
    rest = e.fma(s, -2.0, high)
    rounding = e.fma(s, -2.0, e.sub(high, rest))
    complement = e.add(rest, e.fma(tail, -2.0, e.add(rounding, low)))
    return e.copysign(e.select(upper, complement, e.add(s, tail)), x)


def acos(e: Emitter, x: Reg) -> Reg:
    """Of the form base + factor * p, the base being 0, pi / 2 or pi."""
    upper, s, tail = _asin_core(e, e.abs(x))
    high, low, _ = RIGHT_ANGLE_PARTS[x.type]
    negative = e.compare("lt", x, 0)
    rights = e.select(upper, e.select(negative, e.const(2.0, x.type, x.width), 0.0), 1.0)
    factor = e.select(upper, e.const(2.0, x.type, x.width), 1.0)
    factor = e.select(e.compare("eq", negative, upper), e.neg(factor), factor)  # pi / 2 - asin(|x|) and pi - 2 p
    return e.fma(rights, high, e.fma(factor, e.add(s, tail), e.mul(rights, low)))


def atan(e: Emitter, x: Reg) -> Reg:
    """atan(y) and, for y > 1, pi / 2 - atan(1 / y)."""
    y, one = e.abs(x), e.const(1.0, x.type, x.width)
    steep = e.compare("gt", y, 1.0)
    p = evaluate_odd(e, "atan", ATAN[x.type], e.div(e.select(steep, one, y), e.select(steep, y, one)))
    high, low, _ = RIGHT_ANGLE_PARTS[x.type]
    return e.copysign(e.select(steep, e.add(e.sub(high, p), low), p), x)


def atan2(e: Emitter, y: Reg, x: Reg) -> Reg:
    """The angle between the positive x axis and (x, y); around 0 and infinity that of the signs, as in C99 F.9.1.4.

    atan(q + d) = atan(q) + d / (1 + q**2) for the quotient q of the smaller by the larger magnitude and what its rounding took;
    1 - q**2 / 2 is near enough to 1 / (1 + q**2).
    """
    a, b = e.abs(x), e.abs(y)
    steep = e.compare("gt", b, a)
    small, large = e.select(steep, a, b), e.select(steep, b, a)
    limit, lift = _LIFT[x.type]
    factor = e.select(e.compare("lt", large, limit), e.const(lift, x.type, x.width), 1.0)
    small, large = e.mul(small, factor), e.mul(large, factor)
    same = e.compare("eq", small, large)  # which 0 / 0 and inf / inf are
    q = e.select(same, e.select(e.compare("eq", large, 0), small, 1.0), e.div(small, large))
    d = e.div(e.fma(e.neg(q), large, small), large)
    d = e.select(e.compare("lt", e.abs(d), 1.0), d, 0.0)  # NaN at infinity
    p_low = e.mul(d, e.fma(e.mul(q, q), -0.5, 1.0))
    p = evaluate_odd(e, "atan", ATAN[x.type], q)
    high, low, _ = RIGHT_ANGLE_PARTS[x.type]
    behind = e.compare("lt", e.bitcast(x, FORMATS[x.type].signed), 0)
    rights = e.select(steep, e.const(1.0, x.type, x.width), e.select(behind, e.const(2.0, x.type, x.width), 0.0))
    sign = e.select(e.compare("ne", steep, behind), e.const(-1.0, x.type, x.width), 1.0)
    return e.copysign(e.fma(rights, high, e.fma(sign, p, e.fma(rights, low, e.mul(sign, p_low)))), y)
