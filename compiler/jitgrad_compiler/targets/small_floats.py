"""float16, bfloat16 and float8_e4m3 in registers: integers of their bits, which become float32 to be computed with, and come back.

float16 has instructions on every machine we write vectors for; the others are shifted, and rounded to nearest even by hand. A NaN
stays one, and numbers below the normal ones are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..ir.types import BF16, F8_E4M3, F16, F32, F64, I32, U8, U16, U32, DType

if TYPE_CHECKING:
    from .emitter import Emitter
    from .llvm_text import Reg


class _Format(NamedTuple):
    """A float without infinities: its bias, and the bits of its largest number."""

    bias: int
    largest: int


_FORMATS = {F8_E4M3: _Format(bias=7, largest=0x7E)}


def widen(e: Emitter, x: Reg) -> Reg:
    """The same number as a float32."""
    if x.constant is not None:
        return e.const(x.constant, F32, x.width)
    if x.type is BF16:
        bits = e.rounded.get(x.text)  # what a chain of ops hands on is never packed
        upper = e.shl(e.convert(e.bitcast(x, U16), U32), 16) if bits is None else e.and_(bits, 0xFFFF0000)
        wide = e.bitcast(upper, F32)
        e.plain_nans.add(wide.text)
        return wide
    if x.type is F16:
        half = "half" if x.width == 1 else f"<{x.width} x half>"
        bits = e.op(f"bitcast {x.typed} to {half}", U16, x.width)
        return e.op(f"fpext {half} {bits.text} to {e.const(0, F32, x.width).llvm}", F32, x.width)
    f, shift = _FORMATS[x.type], F32.fraction_bits - x.type.fraction_bits
    bits = e.convert(e.bitcast(x, U8), U32)
    magnitude = e.and_(bits, 0x7F)
    number = e.mul(e.bitcast(e.shl(magnitude, shift), F32), 2.0 ** (127 - f.bias))
    number = e.select(e.compare("gt", magnitude, f.largest), float("nan"), number)
    return e.bitcast(e.or_(e.bitcast(number, U32), e.shl(e.and_(bits, 0x80), 24)), F32)


def narrow(e: Emitter, x: Reg, type: DType) -> Reg:
    """A number of any type rounded once, to the nearest one of `type`, of two the even one."""
    if x.type is F64:
        x = _rounded_to_odd(e, x)
    elif x.type is not F32:
        x = _of_24_bits(e, x) if x.type in (I32, U32) else x
        return narrow(e, e.convert(x, F64 if x.type.bits > 32 else F32), type)
    if type is F16:
        half = "half" if x.width == 1 else f"<{x.width} x half>"
        rounded = e.op(f"fptrunc {x.typed} to {half}", U16, x.width)
        return e.op(f"bitcast {half} {rounded.text} to {e.const(0, U16, x.width).llvm}", F16, x.width)
    if type is BF16:
        bits = e.bitcast(x, U32)
        odd = e.compare("ne", e.and_(bits, 1 << 16), 0)  # under masks an instruction less than to shift that bit down
        rounded = e.select(odd, e.add(bits, 0x8000), e.add(bits, 0x7FFF))
        if x.text not in e.plain_nans:
            rounded = e.select(e.isnan(x), e.or_(bits, 1 << 22), rounded)
        result = e.bitcast(_upper_halves(e, rounded), BF16)
        e.rounded[result.text] = rounded
        return result
    return _without_infinities(e, x, type)


def _upper_halves(e: Emitter, bits: Reg) -> Reg:
    if bits.width != 16 or "avx512bw" not in e.module.features:
        return e.convert(e.shr(bits, 16), U16)
    # vpermw, where LLVM makes a shift and vpmovdw, two operations more
    permute, halves = "llvm.x86.avx512.permvar.hi.512", "<32 x i16>"
    e.module.declare(permute, halves, [halves, halves])
    words = e.op(f"bitcast {bits.typed} to {halves}", U16, 32)
    odd = e.lanes([2 * (lane % 16) + 1 for lane in range(32)], U16)
    picked = e.op(f"call {halves} @{permute}({words.typed}, {odd.typed})", U16, 32)
    return e.shuffle(picked, picked, range(16))


def _without_infinities(e: Emitter, x: Reg, type: DType) -> Reg:
    """Numbers past the largest become NaN."""
    f, shift = _FORMATS[type], F32.fraction_bits - type.fraction_bits
    magnitude = e.abs(x)
    bits = e.bitcast(magnitude, U32)
    rounded = e.add(bits, e.add(e.and_(e.shr(bits, shift), 1), (1 << (shift - 1)) - 1))
    normal = e.sub(e.shr(rounded, shift), (127 - f.bias) << type.fraction_bits)
    # Below the normal numbers the spacing is one: that of float32 at `aligned`, so that adding it rounds.
    aligned = 2.0 ** (1 - f.bias - type.fraction_bits + F32.fraction_bits)
    below = e.sub(e.bitcast(e.add(magnitude, aligned), U32), e.bitcast(e.const(aligned, F32, x.width), U32))
    found = e.select(e.compare("lt", magnitude, 2.0 ** (1 - f.bias)), below, normal)
    inside = e.compare("le", magnitude, 2.0**125)  # of larger ones, and NaN, the bits above say nothing
    found = e.select(e.and_(inside, e.compare("le", found, f.largest)), found, f.largest + 1)
    sign = e.and_(e.shr(e.bitcast(x, U32), 24), 0x80)
    return e.bitcast(e.convert(e.or_(found, sign), U8), type)


def _of_24_bits(e: Emitter, x: Reg) -> Reg:
    """A 32-bit integer that float32 holds, which rounds on as this one would: where it holds not all bits, the lowest eight are
    rounded to odd.
    """
    largest = 1 << (F32.fraction_bits + 1)
    large = e.compare("gt", x, largest)
    if x.type.is_signed:
        large = e.or_(large, e.compare("lt", x, -largest))
    lowest = e.and_(x, 0xFF)
    upper = e.sub(x, lowest)
    return e.select(large, e.select(e.compare("eq", lowest, 0), upper, e.or_(upper, 0x100)), x)


def _rounded_to_odd(e: Emitter, x: Reg) -> Reg:
    """A float64 as the float32 next to it, of two the one whose last bit is set: it rounds on as the float64 would.

    S. Boldo, G. Melquiond, Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd, 2008.
    """
    near = e.convert(x, F32)
    back, bits = e.convert(near, F64), e.bitcast(near, I32)
    away = e.compare("gt", e.abs(back), e.abs(x))
    moved = e.select(away, e.sub(bits, 1), e.add(bits, 1))
    even = e.compare("eq", e.and_(bits, 1), 0)
    inexact = e.or_(e.compare("lt", back, x), e.compare("gt", back, x))
    return e.bitcast(e.select(e.and_(even, inexact), moved, bits), F32)
