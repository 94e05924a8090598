"""The reduction of huge angles with as many bits of 1 / pi as it takes (Payne and Hanek 1983), in integers of 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, F64, I64, U32, U64, DType
from .coefficients import INVERSE_PI
from .formats import FORMATS, RIGHT_ANGLE_PARTS
from .scaling import INFINITY, NAN

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

_LOW_WORD = 0xFFFFFFFF
# Words of 32 bits of y / pi that are computed: the significand's width of them is lost to truncation, about 32 or 64 are lost
# where y lies close to a multiple of pi, and what is left has to fill a significand.
_WORDS = {F32: 3, F64: 6}


def reduce_huge(e: Emitter, y: Reg, huge: Reg, n: Reg, r: Reg, r_low: Reg) -> tuple[Reg, Reg, Reg]:
    """The parts of `trigonometric.reduce`, recomputed where `huge` holds; infinity gives NaN."""
    n_slot, r_slot, low_slot = e.alloca(n.type, n.width), e.alloca(r.type, r.width), e.alloca(r.type, r.width)
    e.set(n_slot, n)
    e.set(r_slot, r)
    e.set(low_slot, r_low)
    with e.when(e.any(huge), unlikely=True):
        high, low = _half_turns(e, y)
        exact_n, exact_r, exact_low = _nearest_multiple(e, high, low, y.type)
        e.set(n_slot, e.select(huge, e.convert(exact_n, n.type), n))
        e.set(r_slot, e.select(huge, e.select(e.compare("lt", y, INFINITY), exact_r, NAN), r))
        e.set(low_slot, e.select(huge, exact_low, r_low))
    return e.get(n_slot, n.type, n.width), e.get(r_slot, r.type, r.width), e.get(low_slot, r.type, r.width)


def _half_turns(e: Emitter, y: Reg) -> tuple[Reg, Reg]:
    """y / pi modulo 2, divided by 2, as the first 128 bits behind the point."""
    f, words = FORMATS[y.type], _WORDS[y.type]
    bits = e.convert(e.bitcast(y, f.unsigned), U64)
    significand = e.or_(e.and_(bits, (1 << f.fraction_bits) - 1), 1 << f.fraction_bits)
    exponent = e.sub(e.bitcast(e.shr(bits, f.fraction_bits), I64), f.bias + f.fraction_bits)  # y = significand * 2**exponent
    # Bits of 1 / pi whose product with the significand is a multiple of 2 are not looked at. The table begins 32 bits early.
    start = e.add(exponent, 32)
    start = e.select(e.compare("lt", start, 0), e.const(0, I64, y.width), start)
    index, shift = e.shr(start, 5), e.bitcast(e.sub(32, e.and_(start, 31)), U64)
    table = e.module.table("vector_math_inverse_pi", INVERSE_PI, U32)
    loaded = [e.convert(e.gather(table, e.add(index, i), U32), U64) for i in range(words + 1)]
    window = [e.and_(e.shr(e.or_(e.shl(a, 32), b), shift), _LOW_WORD) for a, b in zip(loaded, loaded[1:], strict=False)]
    product = _product(e, window, [e.and_(significand, _LOW_WORD)] + ([e.shr(significand, 32)] if y.type == F64 else []))
    zero = e.const(0, U64, y.width)
    product = [*product, zero]
    return e.or_(e.shl(product[0], 32), product[1]), e.or_(e.shl(product[2], 32), product[3])


def _product(e: Emitter, a: list[Reg], b: list[Reg]) -> list[Reg]:
    """The low words of a product, as many as `a` has: a with its highest word first, b with its lowest."""
    result: list[Reg] = []
    carry: Reg | int = 0
    partial = [[e.mul(word, factor) for factor in b] for word in a]
    for position in reversed(range(len(a))):
        terms: list[Reg] = []
        for i in range(len(b)):
            if position + i < len(a):
                terms.append(e.and_(partial[position + i][i], _LOW_WORD))
            if position + i + 1 < len(a):
                terms.append(e.shr(partial[position + i + 1][i], 32))
        total = e.add(terms[0], carry)
        for term in terms[1:]:
            total = e.add(total, term)
        result.insert(0, e.and_(total, _LOW_WORD))
        carry = e.shr(total, 32)
    return result


def _nearest_multiple(e: Emitter, high: Reg, low: Reg, type: DType) -> tuple[Reg, Reg, Reg]:
    """(n, r, r_low) from the bits of half turns: n in u64, r in the type."""
    quarters = e.shr(high, 62)
    high, low = e.or_(e.shl(high, 2), e.shr(low, 62)), e.shl(low, 2)
    negative = e.compare("lt", e.bitcast(high, I64), 0)  # a fraction of 1/2 or more belongs to the multiple above
    high, low = e.select(negative, e.not_(high), high), e.select(negative, e.not_(low), low)
    held = FORMATS[type].fraction_bits + 1
    rest = 64 - held
    first = e.mul(e.convert(e.bitcast(e.and_(high, -1 << rest), I64), type), 2.0**-64)
    tail = e.or_(e.shl(e.and_(high, (1 << rest) - 1), held - 1), e.shr(low, rest + 1))  # 63 bits: converted as signed
    second = e.mul(e.convert(e.bitcast(tail, I64), type), 2.0 ** (1 - 64 - held))
    fraction = e.add(first, second)
    rounding = e.add(e.sub(first, fraction), second)
    right_angle, right_angle_low, _ = RIGHT_ANGLE_PARTS[type]
    r = e.mul(fraction, right_angle)
    r_low = e.fma(fraction, right_angle_low, e.fma(rounding, right_angle, e.fma(fraction, right_angle, e.neg(r))))
    sharp = e.add(r, r_low)
    r_low = e.add(e.sub(r, sharp), r_low)
    r, r_low = e.select(negative, e.neg(sharp), sharp), e.select(negative, e.neg(r_low), r_low)
    return e.add(quarters, e.convert(negative, U64)), r, r_low
