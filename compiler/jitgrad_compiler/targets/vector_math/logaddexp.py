"""logaddexp: the larger argument and log(1 + t), t the exponential of their difference, all of it in two parts.

The two terms may cancel. So t and its logarithm come from tables of sixteen values each and from short polynomials, whose terms
but the first two are far behind the last place: a result down to 2**-6 of the larger argument has its digits. A smaller one is
computed anew in `cancellation.py`, in a branch that is rarely taken. Next on the path: `cancellation.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .cancellation import log_of_sum_near_one
from .coefficients import EXP2_STEPS, EXPM1_STEP, LOG1P_STEP, LOG_STEPS
from .formats import FORMATS
from .pairs import Pair, exact_product, ordered_sum
from .pieces import lookup
from .scaling import horner, maximum, nearest, scale

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

_SMALL = 2.0**-6  # a result so much smaller than the larger argument is computed anew


def logaddexp(e: Emitter, x: Reg, y: Reg) -> Reg:
    """log(exp(x) + exp(y)), with a difference of 0 where both are the same infinity."""
    x, y = e.same(x, y)  # at one width, which is the slot's
    swapped = e.compare("gt", y, x)
    larger, smaller = e.select(swapped, y, x), e.select(swapped, x, y)
    distance = ordered_sum(e, smaller, e.neg(larger))  # in order where the larger is negative; elsewhere little hangs on it
    high = e.select(e.compare("eq", x, y), e.const(0.0, x.type, x.width), distance.high)
    least = FORMATS[x.type].exp_range[0]
    low = e.select(e.compare("ge", distance.high, least), distance.low, 0.0)
    logarithm = _log1p(e, _exp(e, Pair(maximum(e, least, high), low)))
    result = e.add(e.add(larger, logarithm.high), logarithm.low)  # the first sum is exact where it cancels

    if any(a.constant is not None and math.copysign(1, a.constant) > 0 for a in (x, y)):
        return result  # of softplus: with one term 1 or more nothing cancels, and the branch would never be taken
    slot = e.alloca(x.type, x.width)
    e.set(slot, result)
    with e.when(e.any(_is_small(e, result, larger)), unlikely=True):
        e.set(slot, _corrected(e, result, larger, smaller))
    return e.get(slot, x.type, x.width)


def _is_small(e: Emitter, result: Reg, larger: Reg) -> Reg:
    return e.compare("lt", e.mul(e.abs(result), 1 / _SMALL), e.abs(larger))


def _corrected(e: Emitter, result: Reg, larger: Reg, smaller: Reg) -> Reg:
    """The result, lane by lane computed anew where it is small."""
    type, width = result.type, result.width
    if width == 1:
        return log_of_sum_near_one(e, larger, smaller)
    slots = [e.alloca(type, width) for _ in range(3)]
    for slot, value in zip(slots, (result, larger, smaller), strict=True):
        e.set(slot, value)
    with e.loop(0, width) as lane:
        places = [e.offset(slot, lane, type) for slot in slots]
        one = [e.load(place, type) for place in places]
        with e.when(_is_small(e, one[0], one[1])):
            e.store(places[0], log_of_sum_near_one(e, one[1], one[2]))
    return e.get(slots[0], type, width)


def _exp(e: Emitter, x: Pair) -> Pair:
    """exp(x) for x <= 0: x = n log(2) / 16 + r, and 2**(n / 16) is a power of two times one of sixteen numbers (Tang 1989)."""
    type = x.high.type
    ln2, ln2_low = FORMATS[type].ln2_parts
    n, index = nearest(e, x.high, 16 / math.log(2))
    rest = e.fma(n, -ln2 / 16, x.high)  # exact
    r = e.fma(n, -ln2_low / 16, rest)
    r_low = e.add(e.fma(n, -ln2_low / 16, e.sub(rest, r)), x.low)
    tail = e.fma(e.mul(r, r), horner(e, r, EXPM1_STEP[type]), e.fma(r, r_low, r_low))
    step, step_low = (lookup(e, f"exp2_steps{i}", row, index, type) for i, row in enumerate(EXP2_STEPS[type]))
    q = ordered_sum(e, r, tail)
    p = e.fma(step, q.high, step)
    p_low = e.add(e.fma(step, q.high, e.sub(step, p)), e.fma(step, q.low, step_low))
    exponent = e.floor(e.mul(n, 1 / 16))
    return Pair(scale(e, p, exponent), scale(e, p_low, exponent))


def _log1p(e: Emitter, t: Pair) -> Pair:
    """log(1 + t) for 0 <= t <= 1: log(c) + log(1 + r) with 1 + t = c (1 + r), where 1 / c has so few bits that r is exact."""
    type = t.high.type
    _, index = nearest(e, t.high, 15.0)
    inverse, log_c, log_c_low = (lookup(e, f"log_steps{i}", row, index, type) for i, row in enumerate(LOG_STEPS[type]))
    product = exact_product(e, inverse, t.high)
    r = e.add(product.high, e.sub(inverse, 1.0))
    r_low = e.fma(inverse, t.low, product.low)
    half = e.mul(r, -0.5)
    q = e.fma(half, r, r)
    q_low = e.fma(half, r, e.sub(r, q))
    tail = e.fma(e.mul(e.mul(r, r), r), horner(e, r, LOG1P_STEP[type][1:]), e.fma(e.neg(r), r_low, r_low))
    start = ordered_sum(e, log_c, q)
    return Pair(start.high, e.add(e.add(start.low, log_c_low), e.add(q_low, tail)))
