"""Quotients and remainders: as C's (`div`, `rem`, towards zero) and as Python's (`floor_div`, `mod`, towards minus infinity).

Floats follow NumPy: a zero remainder has the divisor's sign in `mod`, and x // inf is 0 or -1. Integers have a value for every
pair: x / 0 is -1, so that x // 0 is -1 or -2, x mod 0 is 0, and the least integer over -1 is itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.builder import Value, bind
from ..ir.graph import OPS
from .define import Tangents, add_tangents, elementwise, known


def _is_whole(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "iu"


def _defined(x: Any, y: Any) -> bool:
    """Whether NumPy's function is the reference: of floats, and of integers where none of the divisors is 0."""
    return not _is_whole(x) or (bool(y) if np.ndim(y) == 0 else np.count_nonzero(y) == np.size(y))


def _quotient(x: Any, y: Any) -> Any:
    if not _is_whole(x):
        return np.divide(x, y)
    x, y = np.broadcast_arrays(x, y)
    safe = np.where(y == 0, 1, y)
    floor = x // safe  # the least integer over -1 wraps to itself
    truncated = floor + ((x % safe != 0) & ((x < 0) != (safe < 0)))
    return np.where(y == 0, np.array(-1).astype(x.dtype), truncated).astype(x.dtype)


def _remainder(x: Any, y: Any) -> Any:
    if _defined(x, y):
        return np.fmod(x, y)
    zero = np.equal(y, 0)
    return np.where(zero, x, np.fmod(x, np.where(zero, 1, y))).astype(np.asarray(x).dtype)


def _floor_quotient(x: Any, y: Any) -> Any:
    if _defined(x, y):
        return np.floor_divide(x, y)
    zero = np.equal(y, 0)
    floor = np.floor_divide(x, np.where(zero, 1, y).astype(y.dtype))
    return np.where(zero, np.where(np.less(x, 0), -2, -1).astype(floor.dtype), floor)


def _floor_remainder(x: Any, y: Any) -> Any:
    if _defined(x, y):
        return np.remainder(x, y)
    zero = np.equal(y, 0)
    return np.where(zero, 0, np.remainder(x, np.where(zero, 1, y))).astype(np.asarray(x).dtype)


def _guard(e: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The divisor with 0, and -1 below the least integer, replaced by 1; and where it was 0."""
    zero = e.compare("eq", y, 0)
    unsafe = zero
    if x.type.is_signed:
        least = -(1 << (x.type.nbytes * 8 - 1))
        unsafe = e.or_(zero, e.and_(e.compare("eq", y, -1), e.compare("eq", x, least)))
    return e.select(unsafe, e.const(1, y.type), y), zero


def _emit_div(e: Any, x: Any, y: Any) -> Any:
    if x.type.is_float:
        return e.div(x, y)
    safe, zero = _guard(e, x, y)
    return e.select(zero, e.const(-1, x.type), e.div(x, safe))


def _emit_rem(e: Any, x: Any, y: Any) -> Any:
    if x.type.is_float:
        return e.rem(x, y)
    zero = e.compare("eq", y, 0)
    safe, _ = _guard(e, x, y)
    rest = e.rem(x, safe)
    return e.select(zero, x, e.select(e.compare("eq", y, -1), e.const(0, x.type), rest) if x.type.is_signed else rest)


def _other_side(e: Any, rest: Any, y: Any) -> Any:
    """Where a remainder with the dividend's sign has not the divisor's."""
    return e.and_(e.compare("ne", rest, 0), e.xor(e.compare("lt", rest, 0), e.compare("lt", y, 0)))


def _emit_floor_div(e: Any, x: Any, y: Any) -> Any:
    if x.type.is_float:
        return _emit_float_floor_div(e, x, y)
    if not x.type.is_signed:
        return _emit_div(e, x, y)
    quotient = _emit_div(e, x, y)
    return e.select(_other_side(e, _emit_rem(e, x, y), y), e.sub(quotient, 1), quotient)


def _emit_float_floor_div(e: Any, x: Any, y: Any) -> Any:
    """From the exact remainder, as NumPy does it: (x - rest) / y is a whole number but for rounding, which is then undone."""
    rest = e.rem(x, y)
    quotient = e.div(e.sub(x, rest), y)
    quotient = e.select(_other_side(e, rest, y), e.sub(quotient, 1.0), quotient)
    floor = e.floor(quotient)
    floor = e.select(e.compare("gt", e.sub(quotient, floor), 0.5), e.add(floor, 1.0), floor)
    exact = e.div(x, y)
    floor = e.select(e.compare("eq", quotient, 0.0), e.copysign(e.const(0.0, x.type), exact), floor)
    return e.select(e.compare("eq", y, 0.0), exact, floor)


def _emit_mod(e: Any, x: Any, y: Any) -> Any:
    if x.type.is_float:
        rest = e.rem(x, y)
        adjusted = e.select(_other_side(e, rest, y), e.add(rest, y), rest)
        return e.select(e.compare("eq", rest, 0.0), e.copysign(e.const(0.0, x.type), y), adjusted)
    rest = _emit_rem(e, x, y)
    if x.type.is_signed:
        rest = e.select(_other_side(e, rest, y), e.add(rest, y), rest)
    return e.select(e.compare("eq", y, 0), e.const(0, x.type), rest)


def _div_jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
    (x, y), (tx, ty) = primals, tangents
    out = x / y
    left = None if tx is None else tx / y
    right = None if ty is None else ty * (-out / y)
    return [out], [add_tangents(left, right)]


div = elementwise(
    "div", _quotient, _emit_div, accepts="numeric", arity=2, cost=5, jvp=_div_jvp,
    transpose=lambda cts, operands, params: [cts[0] / known("div", operands[1]), None],
    doc="x / y; of integers truncated, with -1 for a zero divisor.",
)  # fmt: skip
rem = elementwise(
    "rem", _remainder, _emit_rem, accepts="real", cost=20,
    partials=[lambda x, y, out: 1, lambda x, y, out: -bind(OPS["trunc"], x / y)],
    doc="Remainder of x / y with x's sign; of integers, x for a zero divisor.",
)  # fmt: skip
floor_div = elementwise(
    "floor_div", _floor_quotient, _emit_floor_div, accepts="real", arity=2, cost=25,
    doc="floor(x / y); of integers rounded down, with -1 or -2 for a zero divisor.",
)  # fmt: skip
mod = elementwise(
    "mod", _floor_remainder, _emit_mod, accepts="real", cost=20,
    partials=[lambda x, y, out: 1, lambda x, y, out: -bind(OPS["floor_div"], x, y)],
    doc="Remainder of x / y with y's sign, that of a zero too; of integers, 0 for a zero divisor.",
)  # fmt: skip
