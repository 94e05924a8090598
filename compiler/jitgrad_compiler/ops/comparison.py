"""Elementwise comparison, logic and bits: of numbers as of bits, so most have no derivative but zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.builder import Value, bind
from ..ir.graph import OPS
from ..ir.types import BOOL, signed_integer, unsigned_integer
from .arithmetic import has_zeros
from .define import elementwise, full

for _name, _numpy, _doc in (
    ("eq", np.equal, "x == y."), ("ne", np.not_equal, "x != y."), ("lt", np.less, "x < y."),
    ("le", np.less_equal, "x <= y."), ("gt", np.greater, "x > y."), ("ge", np.greater_equal, "x >= y."),
):  # fmt: skip
    elementwise(
        _name, _numpy, lambda e, x, y, _name=_name: e.compare(_name, x, y), arity=2, result=BOOL,
        accepts="any" if _name in ("eq", "ne") else "ordered", doc=f"{_doc} False where either is NaN, but for ne.",
    )  # fmt: skip

and_, or_, xor = (
    elementwise(_name, _bitwise, _emit, arity=2, accepts="bits", commutes=True, doc=_doc)
    for _name, _bitwise, _emit, _doc in (
        ("and", np.bitwise_and, lambda e, x, y: e.and_(x, y), "Bitwise and; of bools, logical."),
        ("or", np.bitwise_or, lambda e, x, y: e.or_(x, y), "Bitwise or; of bools, logical."),
        ("xor", np.bitwise_xor, lambda e, x, y: e.xor(x, y), "Bitwise exclusive or; of bools, logical."),
    )
)

not_ = elementwise("not", np.invert, lambda e, x: e.not_(x), accepts="bits", doc="Every bit flipped; of bools, logical.")


_BITS = {size: np.array(size * 8, np.uint64) for size in (1, 2, 4, 8)}


def _in_range(x: Any, count: Any) -> Any:
    """Which shift counts are below the type's bits."""
    return np.less(np.asarray(count).astype(np.uint64), _BITS[np.asarray(x).dtype.itemsize])


def _as_unsigned(x: Any) -> Any:
    x = np.asarray(x)
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "i" else x


def _as_signed(x: Any) -> Any:
    x = np.asarray(x)
    return x.view(f"i{x.dtype.itemsize}") if x.dtype.kind == "u" else x


def _shift_left(x: Any, n: Any) -> Any:
    ok = _in_range(x, n)
    if np.count_nonzero(ok) == ok.size:
        return np.left_shift(x, n)
    return np.where(ok, np.left_shift(x, np.where(ok, n, 0)), 0).astype(np.asarray(x).dtype)


def _shift_right_logical(x: Any, n: Any) -> Any:
    ok, bits = _in_range(x, n), _as_unsigned(x)
    if np.count_nonzero(ok) == ok.size:
        return np.right_shift(bits, _as_unsigned(n)).view(np.asarray(x).dtype)
    return np.where(ok, np.right_shift(bits, np.where(ok, n, 0).astype(bits.dtype)), 0).astype(bits.dtype).view(np.asarray(x).dtype)


def _shift_right_arithmetic(x: Any, n: Any) -> Any:
    bits = _as_signed(x)
    count = np.where(_in_range(x, n), n, np.asarray(x).dtype.itemsize * 8 - 1).astype(bits.dtype)
    return np.right_shift(bits, count).view(np.asarray(x).dtype)


def _emit_shift(kind: str) -> Any:
    def emit(e: Any, x: Any, n: Any) -> Any:
        bits = x.type.nbytes * 8
        unsigned = e.bitcast(n, unsigned_integer(bits))
        if kind == "arithmetic":
            count = e.select(e.compare("lt", unsigned, bits), unsigned, e.const(bits - 1, unsigned.type))
            return e.bitcast(e.shr(e.bitcast(x, signed_integer(bits)), e.bitcast(count, signed_integer(bits))), x.type)
        inside = e.compare("lt", unsigned, bits)
        count = e.select(inside, unsigned, e.const(0, unsigned.type))
        value = e.bitcast(x, unsigned_integer(bits))
        shifted = e.shl(value, count) if kind == "left" else e.shr(value, count)
        return e.bitcast(e.select(inside, shifted, e.const(0, value.type)), x.type)

    return emit


_LESS = "a count of the type's bits or more, or a negative one,"
elementwise(
    "shift_left", _shift_left, _emit_shift("left"), arity=2, accepts="integer", domain=(0, 7), doc=f"x << y; {_LESS} gives 0."
)
elementwise(
    "shift_right_logical", _shift_right_logical, _emit_shift("right"), arity=2, accepts="integer", domain=(0, 7),
    doc=f"x >> y with zeros coming in; {_LESS} gives 0.",
)  # fmt: skip
elementwise(
    "shift_right_arithmetic", _shift_right_arithmetic, _emit_shift("arithmetic"), arity=2, accepts="integer", domain=(0, 7),
    doc=f"x >> y with the sign coming in; {_LESS} gives the sign everywhere.",
)  # fmt: skip


def _clz(x: Any) -> Any:
    bits, width = _as_unsigned(x), np.asarray(x).dtype.itemsize * 8
    count = np.full(bits.shape, width, np.int64)
    for position in range(width):
        count = np.where((bits >> np.array(position, bits.dtype)) & np.array(1, bits.dtype) != 0, width - 1 - position, count)
    return count.astype(np.asarray(x).dtype)


def _emit_clz(e: Any, x: Any) -> Any:
    name = f"llvm.ctlz.{f'v{x.width}' if x.width > 1 else ''}i{x.type.nbytes * 8}"
    e.module.declare(name, x.llvm, [x.llvm, "i1"])
    return e.op(f"call {x.llvm} @{name}({x.typed}, i1 false)", x.type, x.width)


elementwise("clz", _clz, _emit_clz, accepts="integer", doc="Number of leading zero bits.")
elementwise(
    "population_count", lambda x: np.bitwise_count(_as_unsigned(x)).astype(np.asarray(x).dtype),
    lambda e, x: e.intrinsic("ctpop", x), accepts="integer", doc="Number of bits that are one.",
)  # fmt: skip


def _emit_below_infinity(e: Any, x: Any) -> Any:
    return e.compare("lt", e.abs(x), float("inf"))


elementwise("is_finite", np.isfinite, _emit_below_infinity, accepts="inexact", result=BOOL, doc="Neither infinite nor NaN.")
elementwise(
    "signbit", np.signbit, lambda e, x: e.compare("lt", e.bitcast(x, signed_integer(x.type.bits)), 0), accepts="float", result=BOOL,
    doc="Whether the sign bit is set; true of -0.",
)  # fmt: skip
elementwise(
    "copysign", np.copysign, lambda e, x, y: e.copysign(x, y), accepts="float",
    partials=[lambda x, y, out: _sign_ratio(x, y), None], doc="|x| with y's sign.",
)  # fmt: skip


def _sign_ratio(x: Value, y: Value) -> Value:
    """1 where x and y have one sign, else -1."""
    one = full(x.type.shape, 1, x.type.dtype)
    return copy_sign(one, x) * copy_sign(one, y)


def copy_sign(x: Value, y: Value) -> Value:
    return bind(OPS["copysign"], x, y)


def _nextafter(x: Any, y: Any) -> Any:
    """NumPy's, with the sign that IEEE 754 gives a zero: below the least number x's, and y's where both are zeros."""
    out = np.nextafter(x, y)
    return np.where(out == 0, np.copysign(out, np.where(np.asarray(x) != 0, x, y)), out) if has_zeros(out) else out


def _emit_nextafter(e: Any, x: Any, y: Any) -> Any:
    """One step on the integers that order floats: away from zero adds one to the bits, towards zero takes one away."""
    integer = signed_integer(x.type.bits)
    bits = e.bitcast(x, integer)
    away = e.xor(e.compare("lt", x, y), e.compare("lt", bits, 0))
    stepped = e.bitcast(e.add(bits, e.select(away, e.const(1, integer), e.const(-1, integer))), x.type)
    sign = e.and_(e.bitcast(y, integer), -(1 << (x.type.bits - 1)))
    least = e.bitcast(e.or_(sign, 1), x.type)
    moved = e.select(e.compare("eq", x, 0.0), least, stepped)
    moved = e.select(e.compare("eq", x, y), y, moved)
    return e.select(e.isnan(x), x, e.select(e.isnan(y), y, moved))


elementwise(
    "nextafter", _nextafter, _emit_nextafter, partials=[lambda x, y, out: 1, None], accepts="float", by_bits=True,
    doc="The next float after x towards y.",
)  # fmt: skip
