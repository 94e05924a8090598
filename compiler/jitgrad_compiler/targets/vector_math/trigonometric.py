"""sin, cos and tan.

The argument less its nearest multiple of pi / 2, by three parts of pi / 2 with FMA (after Cody and Waite 1980), whose first
step is exact; then a polynomial. Huge arguments are reduced in `huge_angle.py`, in a branch that is rarely taken. Next on the
path: `inverse_trigonometric.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...ir.types import F32, F64
from .coefficients import COS, SIN, TAN
from .formats import FORMATS, RIGHT_ANGLE_PARTS
from .huge_angle import reduce_huge
from .pairs import ordered_sum
from .scaling import horner, nearest

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# From where on three parts are not enough, or the multiple that is found is not near enough to the nearest one.
HUGE = {F32: 2.0**17, F64: 2.0**30}


def reduce(e: Emitter, y: Reg) -> tuple[Reg, Reg, Reg]:
    """(n, r, r_low) with y = n * pi / 2 + r + r_low for y >= 0, |r| about pi / 4 at most and a small r_low.

    n is an unsigned integer of which the low bits alone have a meaning.
    """
    first, second, third = RIGHT_ANGLE_PARTS[y.type]
    multiple, n = nearest(e, y, 2 / math.pi)
    rest = e.fma(multiple, -first, y)
    product = e.mul(multiple, second)
    r = e.sub(rest, product)
    below = e.fma(multiple, -third, e.fma(multiple, -second, product))  # what the product's rounding took, and the third part
    r_low = e.add(e.sub(e.sub(rest, r), product), below)
    return reduce_huge(e, y, e.compare("ge", y, HUGE[y.type]), n, r, r_low)


def sine_of_quarter(e: Emitter, x: Reg, n: Reg, r: Reg, r_low: Reg) -> Reg:
    """sin(n * pi / 2 + r + r_low), but for the sign when n is 2 or 3 modulo 4."""
    square = e.mul(r, r)
    sine = e.add(r, e.fma(e.mul(r, square), horner(e, square, SIN[x.type]), r_low))
    cosine = horner(e, square, (1.0, -0.5, *COS[x.type]))
    return e.select(e.compare("ne", e.and_(n, 1), 0), cosine, sine)


def flip_sign(e: Emitter, x: Reg, bits: Reg) -> Reg:
    """x with its sign changed where the highest of the bits is set."""
    sign = e.and_(bits, 1 << (FORMATS[x.type].bits - 1))
    return e.bitcast(e.xor(e.bitcast(x, bits.type), sign), x.type)


def sin(e: Emitter, x: Reg) -> Reg:
    f = FORMATS[x.type]
    n, r, r_low = reduce(e, e.abs(x))
    return flip_sign(e, sine_of_quarter(e, x, n, r, r_low), e.xor(e.shl(n, f.bits - 2), e.bitcast(x, f.unsigned)))


def cos(e: Emitter, x: Reg) -> Reg:
    """sin(|x| + pi / 2)."""
    n, r, r_low = reduce(e, e.abs(x))
    n = e.add(n, 1)
    return flip_sign(e, sine_of_quarter(e, x, n, r, r_low), e.shl(n, FORMATS[x.type].bits - 2))


def tan(e: Emitter, x: Reg) -> Reg:
    """t = tan(r + r_low), where tan' = 1 + t**2 weighs r_low, and -1 / t an odd number of right angles away.

    There, with d for what t's rounding took, -1 / (t + d) = q + q**2 d for q = -1 / t.
    """
    n, r, r_low = reduce(e, e.abs(x))
    square = e.mul(r, r)
    tail = e.mul(e.mul(r, square), horner(e, square, TAN[x.type]))
    rough = e.add(r, tail)
    tangent = ordered_sum(e, r, e.add(tail, e.fma(r_low, e.mul(rough, rough), r_low)))
    quotient = e.div(-1.0, tangent.high)
    away = e.fma(e.mul(quotient, quotient), tangent.low, quotient)
    odd = e.compare("ne", e.and_(n, 1), 0)
    return flip_sign(e, e.select(odd, away, tangent.high), e.bitcast(x, FORMATS[x.type].unsigned))
