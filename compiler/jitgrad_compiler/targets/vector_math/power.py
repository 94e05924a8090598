"""pow, cbrt, hypot and the reciprocal square root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, F64
from .coefficients import EXP2, INVERSE_CBRT, LOG2_TAIL
from .formats import FORMATS
from .pairs import Pair, add_to_constant, exact_product, ordered_sum, product, times
from .scaling import INFINITY, NAN, horner, maximum, minimum, nearest, scale, split

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# log2(m) = 2/log(2) s + 2/(3 log(2)) s**3 + ... with s = (m - 1) / (m + 1): the first two coefficients as pairs.
_LOG2_LEADING = {
    F32: (
        (float.fromhex("0x1.715476p+1"), float.fromhex("0x1.4ae0cp-25")),
        (float.fromhex("0x1.ec709ep-1"), float.fromhex("-0x1.e2fe02p-28")),
    ),
    F64: (
        (float.fromhex("0x1.71547652b82fep+1"), float.fromhex("0x1.777d0ffda0d24p-55")),
        (float.fromhex("0x1.ec709dc3a03fdp-1"), float.fromhex("0x1.d27f05548af0cp-55")),
    ),
}


def log2_pair(e: Emitter, x: Reg) -> Pair:
    """log2(x) for x >= 0 to half as many digits again as the type has; a high part of -inf or inf has no meaningful low one."""
    k, m = split(e, x)
    first, second = _LOG2_LEADING[x.type]
    difference, total = e.sub(m, 1.0), e.add(m, 1.0)
    total_low = e.sub(m, e.sub(total, 1.0))
    inverse = e.div(1.0, total)
    s = e.mul(difference, inverse)
    remainder = e.fma(e.neg(s), total_low, e.fma(e.neg(s), total, difference))
    ratio = Pair(s, e.mul(remainder, inverse))
    square = product(e, ratio, ratio)
    tail = e.mul(square.high, horner(e, square.high, LOG2_TAIL[x.type]))
    slope = add_to_constant(e, second, Pair(tail, e.const(0.0, x.type, x.width)))
    series = product(e, ratio, add_to_constant(e, first, product(e, square, slope)))
    whole = ordered_sum(e, k, series.high)
    return Pair(whole.high, e.add(whole.low, series.low))


def pow(e: Emitter, x: Reg, y: Reg) -> Reg:
    """2**(y log2|x|), then the special values of C99 F.9.4.4."""
    f = FORMATS[x.type]
    y_finite = minimum(e, f.largest, maximum(e, -f.largest, y))  # so that 0 * y is 0: pow(-1, inf) is 1
    exponent = times(e, log2_pair(e, e.abs(x)), y_finite)
    limit = f.bias + f.fraction_bits + 2.0
    low = e.select(e.compare("lt", e.abs(exponent.high), limit), exponent.low, 0.0)
    high = minimum(e, limit, maximum(e, -limit, exponent.high))
    n, _ = nearest(e, high, 1.0)
    magnitude = scale(e, horner(e, e.add(e.sub(high, n), low), (1.0, *EXP2[x.type])), n)

    whole = e.compare("eq", e.trunc(y), y)
    half = e.mul(y, 0.5)
    odd = e.and_(whole, e.compare("ne", e.trunc(half), half))
    signed = e.select(odd, e.copysign(magnitude, x), magnitude)
    undefined = e.and_(e.and_(e.compare("lt", x, 0), e.compare("gt", x, -INFINITY)), e.not_(whole))
    result = e.select(undefined, e.const(NAN, x.type, x.width), signed)
    one = e.or_(e.compare("eq", y, 0), e.compare("eq", x, 1.0))
    return e.select(one, e.const(1.0, x.type, x.width), result)


def cbrt(e: Emitter, x: Reg) -> Reg:
    """m**(-1/3) by Newton's method from a polynomial, and from it the root, corrected by its remainder."""
    y = e.abs(x)
    k, m = split(e, y)
    third, _ = nearest(e, k, 1 / 3)
    m = scale(e, m, e.fma(third, -3.0, k))
    r = horner(e, m, INVERSE_CBRT[x.type])
    for _ in range({F32: 2, F64: 3}[x.type]):
        cube = e.mul(e.mul(r, r), r)
        r = e.fma(e.mul(r, 1 / 3), e.fma(e.neg(m), cube, 1.0), r)
    square = e.mul(r, r)
    root = e.mul(m, square)
    root_square = exact_product(e, root, root)
    remainder = e.fma(e.neg(root_square.low), root, e.fma(e.neg(root_square.high), root, m))
    root = e.fma(e.mul(remainder, 1 / 3), square, root)
    inside = e.and_(e.compare("gt", y, 0), e.compare("lt", y, INFINITY))
    return e.copysign(e.select(inside, scale(e, root, third), y), x)


def hypot(e: Emitter, x: Reg, y: Reg) -> Reg:
    """sqrt(x**2 + y**2), both divided by the power of two next to the larger; infinite where one is, even beside NaN."""
    x, y = e.abs(x), e.abs(y)
    swapped = e.compare("gt", y, x)
    large, small = e.select(swapped, y, x), e.select(swapped, x, y)
    k, m = split(e, large)
    other = scale(e, small, e.neg(k))
    result = scale(e, e.sqrt(e.fma(m, m, e.mul(other, other))), k)
    result = e.select(e.compare("gt", large, 0), result, e.add(large, small))  # 0 or NaN
    infinite = e.or_(e.compare("eq", x, INFINITY), e.compare("eq", y, INFINITY))
    return e.select(infinite, e.const(INFINITY, x.type, x.width), result)


def rsqrt(e: Emitter, x: Reg) -> Reg:
    return e.div(1.0, e.sqrt(x))
