"""Functions in sixteen pieces: a polynomial each, whose coefficients are looked up.

With AVX-512 a lookup is one permutation of a register; elsewhere a load from a table of 64 or 128 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .formats import FORMATS
from .pairs import Pair, ordered_sum
from .scaling import avx512, has_avx512, nearest

if TYPE_CHECKING:
    from ..emitter import Emitter, Reg

Pieces = tuple[float, tuple[tuple[float, ...], ...]]


def lookup(e: Emitter, name: str, values: tuple[float, ...], index: Reg, like: Reg) -> Reg:
    """`values` at the lowest four bits of the index; `like` gives type and width, `name` names the table."""
    if has_avx512(e, like):
        # A float of the type stands first, so that its width is the one that is made to fit.
        return avx512(e, lambda e, r: _permute(e, values, e.bitcast(r[0], index.type), r[0]), e.bitcast(index, like.type))
    table = e.module.table(f"vector_math_{name}_{like.type}", values, like.type)
    return e.gather(table, e.convert(e.and_(index, 15), "i64"), like.type)


def _permute(e: Emitter, values: tuple[float, ...], index: Reg, like: Reg) -> Reg:
    if like.type == "f32":
        name, halves, integers = "llvm.x86.avx512.permvar.sf.512", [e.lanes(values, "f32")], "<16 x i32>"
        order = [halves[0], index]
    else:
        name, integers = "llvm.x86.avx512.vpermi2var.pd.512", "<8 x i64>"
        order = [e.lanes(values[:8], "f64"), index, e.lanes(values[8:], "f64")]
    e.module.declare(name, like.llvm, [integers if r is index else r.llvm for r in order])
    return e.op(f"call {like.llvm} @{name}({', '.join(r.typed for r in order)})", like.type, like.width)


def evaluate_odd(e: Emitter, name: str, pieces: Pieces, x: Reg) -> Reg:
    """An odd function with f(x) near x around 0, at 0 <= x <= 15.49 steps.

    In float32 the first piece is x + x * polynomial. In float64, where the rounding of the constant term would weigh too much, all
    are t + constant + t * polynomial, with the constant and the first sum in two parts.
    """
    step, (constants, *rows) = pieces
    n, index = nearest(e, x, 1 / step)
    t = e.fma(n, -step, x)
    constant = lookup(e, f"{name}0", constants, index, x)
    if x.type == "f32":
        slope = _slope(e, name, rows, index, t)
        return e.fma(slope, t, e.select(e.compare("eq", n, 0), t, constant))
    start = ordered_sum(e, constant, t)
    low = e.add(start.low, lookup(e, f"{name}0_low", rows[0], index, x))
    return e.add(start.high, e.fma(_slope(e, name, rows[1:], index, t), t, low))


def _slope(e: Emitter, name: str, rows: list[tuple[float, ...]], index: Reg, t: Reg) -> Reg:
    """The polynomial in t whose coefficients the rows give."""
    result = lookup(e, f"{name}{len(rows)}", rows[-1], index, t)
    for j in reversed(range(1, len(rows))):
        result = e.fma(result, t, lookup(e, f"{name}{j}", rows[j - 1], index, t))
    return result


def evaluate_octaves(e: Emitter, name: str, pieces: Pieces, x: Reg) -> Pair:
    """A function in pieces of a quarter of an octave of x + offset, for x >= 0, with a few digits behind its rounding."""
    offset, (centers, constants, constants_low, *rows) = pieces
    f = FORMATS[x.type]
    index = e.shr(e.bitcast(e.add(x, offset), f.unsigned), f.fraction_bits - 2)
    t = e.sub(x, lookup(e, f"{name}_center", centers, index, x))
    slope = _slope(e, name, rows, index, t)
    value = ordered_sum(e, lookup(e, f"{name}0", constants, index, x), e.mul(slope, t))
    return Pair(value.high, e.add(value.low, lookup(e, f"{name}0_low", constants_low, index, x)))
