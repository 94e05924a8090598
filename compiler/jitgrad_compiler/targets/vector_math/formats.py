"""What the vector math knows of its two floating-point types: widths of fields, bounds and constants split into parts."""

from __future__ import annotations

from typing import NamedTuple

from ...ir.types import F32, F64, I32, I64, U32, U64, DType


class Format(NamedTuple):
    """A binary floating-point type and the constants that depend on it."""

    bits: int
    fraction_bits: int
    bias: int
    signed: DType  # the integer types of the same width
    unsigned: DType
    magic: float  # x + magic has x, rounded to an integer, in its lowest bits, for |x| below a quarter of 2**fraction_bits
    ln2: tuple[float, float]  # high part with enough trailing zeros that its product with an exponent is exact
    ln2_parts: tuple[float, float]  # log(2) rounded, and what the rounding took
    exp_range: tuple[float, float]  # where exp is neither 0 nor infinite, with a little around it
    smallest_normal: float
    largest: float


FORMATS = {
    F32: Format(
        bits=32, fraction_bits=23, bias=127, signed=I32, unsigned=U32, magic=1.5 * 2.0**23,
        ln2=(0.693359375, -2.12194440054690583e-4), ln2_parts=(float.fromhex("0x1.62e43p-1"), float.fromhex("-0x1.05c61p-29")),
        exp_range=(-104.5, 89.0),
        smallest_normal=2.0**-126, largest=(2.0 - 2.0**-23) * 2.0**127,
    ),
    F64: Format(
        bits=64, fraction_bits=52, bias=1023, signed=I64, unsigned=U64, magic=1.5 * 2.0**52,
        ln2=(float.fromhex("0x1.62e42fefa3800p-1"), float.fromhex("0x1.ef35793c76730p-45")),
        ln2_parts=(float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")),
        exp_range=(-746.0, 710.0),
        smallest_normal=2.0**-1022, largest=(2.0 - 2.0**-52) * 2.0**1023,
    ),
}  # fmt: skip

# pi / 2 in three parts, each all that its type holds of what the parts before left.
RIGHT_ANGLE_PARTS = {
    F32: tuple(map(float.fromhex, ("0x1.921fb6p+0", "-0x1.777a5cp-25", "-0x1.ee59dap-50"))),
    F64: tuple(map(float.fromhex, ("0x1.921fb54442d18p+0", "0x1.1a62633145c07p-54", "-0x1.f1976b7ed8fbcp-110"))),
}
