"""Functions in sixteen pieces: a polynomial each, whose coefficients are looked up.

With AVX-512 a lookup is one permutation of a register; elsewhere a load from a table of 64 or 128 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, DType
from .formats import FORMATS
from .pairs import Pair, ordered_sum
from .scaling import avx512, has_avx512, nearest

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

Pieces = tuple[float, tuple[tuple[float, ...], ...]]


def lookup(e: Emitter, name: str, values: tuple[float, ...], index: Reg, type: DType) -> Reg:
    """Those of the sixteen values that the lowest four bits of the index pick; `name` names the table."""
    if has_avx512(e, index):
        return avx512(e, lambda e, operands: _permute(e, values, operands[0], type), index)
    table = e.module.table(f"vector_math_{name}_{type}", values, type)
    return e.gather(table, e.bitcast(e.and_(index, 15), FORMATS[type].signed), type)


def _permute(e: Emitter, values: tuple[float, ...], index: Reg, type: DType) -> Reg:
    """One instruction: VPERMPS, or VPERMI2PD with the values in two registers."""
    if type == F32:
        name, operands = "permvar.sf", [e.lanes(values, type), index]
    else:
        name, operands = "vpermi2var.pd", [e.lanes(values[:8], type), index, e.lanes(values[8:], type)]
    result = operands[0].llvm
    e.module.declare(f"llvm.x86.avx512.{name}.512", result, [r.llvm for r in operands])
    return e.op(f"call {result} @llvm.x86.avx512.{name}.512({', '.join(r.typed for r in operands)})", type, index.width)


def evaluate_odd(e: Emitter, name: str, pieces: Pieces, x: Reg) -> Reg:
    """An odd function with f(x) near x around 0, at 0 <= x <= 15.49 steps.

    In float32 the first piece is x + x * polynomial. In float64, where the rounding of the constant term would weigh too much, all
    are t + constant + t * polynomial, with the constant and the first sum in two parts.
    """
    step, (constants, *rows) = pieces
    n, index = nearest(e, x, 1 / step)
    t = e.fma(n, -step, x)
    constant = lookup(e, f"{name}0", constants, index, x.type)
    if x.type == F32:
        slope = _slope(e, name, rows, index, t)
        return e.fma(slope, t, e.select(e.compare("eq", n, 0), t, constant))
    start = ordered_sum(e, constant, t)
    low = e.add(start.low, lookup(e, f"{name}0_low", rows[0], index, x.type))
    return e.add(start.high, e.fma(_slope(e, name, rows[1:], index, t), t, low))


def _slope(e: Emitter, name: str, rows: list[tuple[float, ...]], index: Reg, t: Reg) -> Reg:
    """The polynomial in t whose coefficients the rows give."""
    result = lookup(e, f"{name}{len(rows)}", rows[-1], index, t.type)
    for j in reversed(range(1, len(rows))):
        result = e.fma(result, t, lookup(e, f"{name}{j}", rows[j - 1], index, t.type))
    return result


def evaluate_octaves(e: Emitter, name: str, pieces: Pieces, x: Reg) -> Pair:
    """A function in pieces of a quarter of an octave of x + offset, for x >= 0, with a few digits behind its rounding."""
    offset, (centers, constants, constants_low, *rows) = pieces
    f = FORMATS[x.type]
    index = e.shr(e.bitcast(e.add(x, offset), f.unsigned), f.fraction_bits - 2)
    t = e.sub(x, lookup(e, f"{name}_center", centers, index, x.type))
    slope = _slope(e, name, rows, index, t)
    value = ordered_sum(e, lookup(e, f"{name}0", constants, index, x.type), e.mul(slope, t))
    return Pair(value.high, e.add(value.low, lookup(e, f"{name}0_low", constants_low, index, x.type)))
