"""Unevaluated sums of two floats, high + low, that hold twice the digits: for what must be known better than its type allows.

The sums and products are those of Dekker (1971), with the FMA for the error of a product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg


class Pair(NamedTuple):
    high: Reg
    low: Reg


def ordered_sum(e: Emitter, a: Reg, b: Reg) -> Pair:
    """a + b exactly, where |a| >= |b| or a is 0."""
    high = e.add(a, b)
    return Pair(high, e.add(e.sub(a, high), b))


def exact_sum(e: Emitter, a: Reg, b: Reg) -> Pair:
    """a + b exactly, in any order (Knuth)."""
    high = e.add(a, b)
    b_part = e.sub(high, a)
    return Pair(high, e.add(e.sub(a, e.sub(high, b_part)), e.sub(b, b_part)))


def exact_product(e: Emitter, a: Reg, b: Reg) -> Pair:
    """a * b exactly, but for underflow."""
    high = e.mul(a, b)
    return Pair(high, e.fma(a, b, e.neg(high)))


def product(e: Emitter, a: Pair, b: Pair) -> Pair:
    """a * b to almost twice the digits; the high part is the rounded product of the high parts."""
    high, low = exact_product(e, a.high, b.high)
    return Pair(high, e.fma(a.high, b.low, e.fma(a.low, b.high, low)))


def add_to_constant(e: Emitter, constant: tuple[float, float], b: Pair) -> Pair:
    """constant + b, for a constant that is larger than b."""
    high, low = constant
    total = ordered_sum(e, e.const(high, b.high.type, b.high.width), b.high)
    return Pair(total.high, e.add(total.low, e.add(b.low, low)))


def times(e: Emitter, a: Pair, b: Reg) -> Pair:
    """a * b to almost twice the digits."""
    high, low = exact_product(e, a.high, b)
    return Pair(high, e.fma(a.low, b, low))
