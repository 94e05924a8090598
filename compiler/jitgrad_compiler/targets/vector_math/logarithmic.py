"""log, log2, log10 and log1p.

x = 2**k m with m in [3/4, 3/2), so that k is 0 around 1 and nothing cancels there; then a polynomial in r = m - 1 in float32,
and in float64, where that would be long, one in s = r / (2 + r) (Tang 1990). Next on the path: `logaddexp.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...ir.types import F32, F64, DType
from .coefficients import ATANH, LOG1P
from .formats import FORMATS
from .pairs import Pair
from .scaling import INFINITY, NAN, horner, scale, split

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# 1 / log(base) and log(2) / log(base), each in two parts; the last of one sign, for an infinite factor.
_LOG2_E = {F32: ("0x1.715476p+0", "0x1.4ae0cp-26"), F64: ("0x1.71547652b82fep+0", "0x1.777d0ffda0d24p-56")}
_LOG10_E = {F32: ("0x1.bcb7b2p-2", "-0x1.5b235ep-27"), F64: ("0x1.bcb7b1526e50ep-2", "0x1.95355baaafad3p-57")}
_LOG10_2 = {F32: ("0x1.344134p-2", "0x1.09f7ap-26"), F64: ("0x1.34413509f79fep-2", "0x1.e623e2566b02ep-55")}


def log_tail(e: Emitter, r: Reg) -> Reg:
    """log(1 + r) - r for -1/4 <= r <= 1/2."""
    square = e.mul(r, r)
    if r.type == F32:
        return e.mul(square, horner(e, r, LOG1P[F32]))
    s = e.div(r, e.add(r, 2.0))
    z = e.mul(s, s)
    half_square = e.mul(square, 0.5)
    return e.fma(s, e.fma(z, horner(e, z, ATANH[F64]), half_square), e.neg(half_square))


def log_reduced(e: Emitter, k: Reg, r: Reg) -> Reg:
    """k log(2) + log(1 + r) for -1/4 <= r <= 1/2."""
    if r.type == F32:
        tail = e.fma(e.mul(r, r), horner(e, r, LOG1P[F32]), r)
        return e.fma(k, math.log(2), tail)  # log(2) is near enough to a float32 to need no second part
    high, low = FORMATS[r.type].ln2
    return e.fma(k, high, e.add(r, e.fma(k, low, log_tail(e, r))))


def log(e: Emitter, x: Reg) -> Reg:
    k, m = split(e, x)
    return log_reduced(e, k, e.sub(m, 1.0))


def _log_to_base(e: Emitter, x: Reg, inverse: dict[DType, tuple[str, str]]) -> tuple[Reg, Reg]:
    """(k, log(m) / log(base)) for x = 2**k m."""
    high, low = map(float.fromhex, inverse[x.type])
    k, m = split(e, x)
    r = e.sub(m, 1.0)
    return k, e.fma(r, high, e.fma(log_tail(e, r), high, e.mul(r, low)))


def log2(e: Emitter, x: Reg) -> Reg:
    k, fraction = _log_to_base(e, x, _LOG2_E)
    return e.add(k, fraction)


def log10(e: Emitter, x: Reg) -> Reg:
    k, fraction = _log_to_base(e, x, _LOG10_E)
    high, low = map(float.fromhex, _LOG10_2[x.type])
    return e.fma(k, high, e.fma(k, low, fraction))


def log_edges(e: Emitter, result: Reg, u: Reg) -> Reg:
    """The result for finite u > 0, and what a logarithm is at zero, below, at infinity and for NaN."""
    below = e.select(e.compare("eq", u, 0), e.const(-INFINITY, u.type, u.width), NAN)
    inside = e.select(e.compare("gt", u, 0), result, below)
    return e.select(e.compare("eq", u, INFINITY), u, inside)


def log1p_of_pair(e: Emitter, x: Pair, doublings: Reg | None = None) -> Reg:
    """log(1 + high + low), and `doublings` times log(2) more.

    It is log(2**k (1 + r)) with k from the rounded sum u = 1 + high, but r from the pair itself.
    """
    u = e.add(x.high, 1.0)
    k, _ = split(e, u)
    inverse = scale(e, e.const(1.0, u.type, u.width), e.neg(k))
    r = e.fma(inverse, x.low, e.fma(inverse, x.high, e.sub(inverse, 1.0)))
    return log_edges(e, log_reduced(e, k if doublings is None else e.add(k, doublings), r), u)


def log1p(e: Emitter, x: Reg) -> Reg:
    u = e.add(x, 1.0)
    k, _ = split(e, u)
    inverse = scale(e, e.const(1.0, x.type, x.width), e.neg(k))
    r = e.fma(inverse, x, e.sub(inverse, 1.0))
    return e.copysign(log_edges(e, log_reduced(e, k, r), u), x)
