"""Floats taken apart into exponent and significand, and put together again; one instruction each where AVX-512 is at hand.

Exponents are carried as floats. Both ways of doing each step give the same bits (NaN payloads aside), so that results depend
neither on the width nor on the machine. Next on the path: the families of functions, first `exponential.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...ir.types import I32
from .formats import FORMATS

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

INFINITY = float("inf")
NAN = float("nan")
_CURRENT_ROUNDING = "4"  # of the operand of AVX-512 intrinsics that could name a rounding mode


def has_avx512(e: Emitter, x: Reg) -> bool:
    """Whether 512-bit instructions serve a value of this width; scalars take the portable way, as CUDA does."""
    return x.width > 1 and "avx512f" in e.module.features


def horner(e: Emitter, x: Reg, coefficients: tuple[float, ...]) -> Reg:
    """The polynomial with these coefficients, lowest power first, one FMA each."""
    result = e.const(coefficients[-1], x.type, x.width)
    for coefficient in reversed(coefficients[:-1]):
        result = e.fma(result, x, coefficient)
    return result


def maximum(e: Emitter, bound: float, x: Reg) -> Reg:
    """The larger of a constant and x, and NaN where x is NaN: one instruction on x86, whose max hands on its second operand."""
    return e.select(e.compare("lt", x, bound), e.const(bound, x.type, x.width), x)


def minimum(e: Emitter, bound: float, x: Reg) -> Reg:
    """The smaller of a constant and x, and NaN where x is NaN."""
    return e.select(e.compare("gt", x, bound), e.const(bound, x.type, x.width), x)


def avx512(e: Emitter, call: Callable[[Emitter, list[Reg]], Reg], *operands: Reg) -> Reg:
    """`call` on operands of exactly 512 bits: wider ones in parts, narrower ones padded."""
    full = 512 // operands[0].type.bits
    width = operands[0].width
    if width == full:
        return call(e, list(operands))
    if width < full:
        padded = [e.shuffle(x, x, [min(i, width - 1) for i in range(full)]) for x in operands]
        result = call(e, padded)
        return e.shuffle(result, result, range(width))
    half = width // 2
    low = avx512(e, call, *[e.shuffle(x, x, range(half)) for x in operands])
    high = avx512(e, call, *[e.shuffle(x, x, range(half, width)) for x in operands])
    return e.shuffle(low, high, range(width))


def _masked_call(e: Emitter, name: str, *arguments: Reg | int) -> Reg:
    """An AVX-512 intrinsic that takes registers and immediates, then what masked lanes hold, mask and rounding."""
    x = next(a for a in arguments if not isinstance(a, int))
    full = f"llvm.x86.avx512.mask.{name}.{'ps' if x.type == 'f32' else 'pd'}.512"
    operands = [(I32, str(a)) if isinstance(a, int) else (a.llvm, a.text) for a in arguments]
    operands += [(x.llvm, "zeroinitializer"), (f"i{x.width}", "-1"), ("i32", _CURRENT_ROUNDING)]
    e.module.declare(full, x.llvm, [type for type, _ in operands])
    return e.op(f"call {x.llvm} @{full}({', '.join(f'{type} {text}' for type, text in operands)})", x.type, x.width)


def scale(e: Emitter, a: Reg, n: Reg) -> Reg:
    """a * 2**n for a whole n of at most two times the type's bias; rounded once where |a| is not far from 1."""
    if has_avx512(e, a):
        return avx512(e, lambda e, r: _masked_call(e, "scalef", *r), a, n)
    f = FORMATS[a.type]
    # The biased exponents of the two factors lie below the sum of n, twice the bias and a number with clean low bits.
    both = e.bitcast(e.add(n, f.magic + 2 * f.bias), f.unsigned)
    half = e.shr(both, 1)
    first = e.bitcast(e.shl(half, f.fraction_bits), a.type)
    second = e.bitcast(e.shl(e.sub(both, half), f.fraction_bits), a.type)
    return e.mul(e.mul(a, first), second)


def nearest(e: Emitter, x: Reg, factor: float) -> tuple[Reg, Reg]:
    """x * factor rounded to a whole number, for products far below 2**fraction_bits.

    Once as a float, and once as an unsigned integer of which the low bits alone have a meaning.
    """
    f = FORMATS[x.type]
    shifted = e.fma(x, factor, f.magic)
    return e.sub(shifted, f.magic), e.bitcast(shifted, f.unsigned)


def split(e: Emitter, x: Reg) -> tuple[Reg, Reg]:
    """(k, m) with x = 2**k * m and 3/4 <= m < 3/2.

    At the edges one of the two makes the logarithm right: k is -inf for zeros and inf for inf, and k + m is NaN for NaN and
    negative numbers.
    """
    if has_avx512(e, x):
        return _split_avx512(e, x)
    f = FORMATS[x.type]
    lift = float(f.fraction_bits + 1)
    tiny = e.compare("lt", x, f.smallest_normal)
    bits = e.bitcast(e.select(tiny, e.mul(x, 2.0**lift), x), f.signed)
    threshold = (f.bias << f.fraction_bits) - (1 << (f.fraction_bits - 1))  # the bits of 3/4
    exponent = e.shr(e.sub(bits, threshold), f.fraction_bits)
    m = e.bitcast(e.sub(bits, e.shl(exponent, f.fraction_bits)), x.type)
    magic_bits = ((f.bias + f.fraction_bits) << f.fraction_bits) + (1 << (f.fraction_bits - 1))
    k = e.sub(e.bitcast(e.add(exponent, magic_bits), x.type), f.magic)
    k = e.select(tiny, e.sub(k, lift), k)
    k = e.select(e.compare("lt", x, INFINITY), k, x)
    edge = e.select(e.compare("eq", x, 0), e.const(-INFINITY, x.type, x.width), NAN)
    return e.select(e.compare("gt", x, 0), k, edge), m


def _split_avx512(e: Emitter, x: Reg) -> tuple[Reg, Reg]:
    interval, negatives_are_nan = 3, 3 << 2  # [3/4, 3/2)
    k = avx512(e, lambda e, r: _masked_call(e, "getexp", *r), x)
    m = avx512(e, lambda e, r: _masked_call(e, "getmant", *r, interval | negatives_are_nan), x)
    return e.select(e.compare("lt", m, 1.0), e.add(k, 1.0), k), m
