"""Taking numbers apart and putting them together: ldexp, frexp, modf; common divisors and multiples of integers."""

from __future__ import annotations

import math

from jitgrad.array import Array, as_value
from jitgrad.errors import DTypeError
from jitgrad.promotion import strong_dtype
from jitgrad_compiler.ir.types import INTEGERS, SIZES

from .ops import constant, convert, limits, op, select
from .promote import ArrayLike, check_accepts, operands


def ldexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 * 2**x2, x2 being integers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ldexp(jnp.array([1.0, 1.5]), jnp.array([3, 1])))
    [8. 3.]
    """
    exponent = as_value(x2, "ldexp")
    if exponent.type.dtype not in INTEGERS and exponent.type.dtype != "bool":
        raise DTypeError(f"ldexp: the exponent must be integers, got {exponent.dtype}")
    (x, n), weak = operands("ldexp", x1, x2, inexact=True)
    half = op("trunc", n / 2)  # in two steps, so that neither factor overflows where the product does not
    out = x * op("exp2", half) * op("exp2", n - half)
    out.weak = weak
    return out


def modf(x: ArrayLike, /, out: None = None) -> tuple[Array, Array]:
    """The fraction and the whole part, both with x's sign, as floats.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.modf(-1.5))
    -0.5 -1.0
    """
    (value,), weak = operands("modf", x, inexact=True)
    check_accepts("modf", "trunc", value)
    whole = op("trunc", value)
    fraction = op("copysign", select(abs(value) == math.inf, constant(0, value.type.dtype), value - whole), value)
    fraction.weak = whole.weak = weak
    return fraction, whole


def frexp(x: ArrayLike, /) -> tuple[Array, Array]:
    """(m, e) with x == m * 2**e, 0.5 <= |m| < 1 and e int32; 0, infinities and nan as they are, with e = 0.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.frexp(10.0))
    0.625 4
    """
    (value,), weak = operands("frexp", x, inexact=True)
    check_accepts("frexp", "trunc", value)
    dtype = strong_dtype(value.type.dtype, weak)
    value = convert(value, dtype)
    bits, width, mask, bias = ("i32", 23, 0xFF, 126) if dtype == "f32" else ("i64", 52, 0x7FF, 1022)
    tiny = abs(value) < float(limits(dtype).tiny)
    scaled = select(tiny, value * 2.0**54, value)  # denormals, whose exponent field is 0
    pattern = op("bitcast_convert_type", scaled, dtype=bits)
    field = (pattern >> width) & mask
    mantissa = op("bitcast_convert_type", (pattern & ~(mask << width)) | (bias << width), dtype=dtype)
    special = op("or", value == 0, op("not", op("is_finite", value)))
    exponent = select(special, field * 0, select(tiny, field - (bias + 54), field - bias))
    return select(special, value, mantissa), convert(exponent, "i32")


def gcd(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The greatest common divisor of integers, never negative; gcd(0, 0) is 0.

    Euclid's algorithm for as many steps as the type's largest numbers can need (Fibonacci numbers are the worst case).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.gcd(jnp.array([12, 7, 0]), 18))
    [ 6  1 18]
    """
    (x, y), weak = operands("gcd", x1, x2, whole=True)
    if x.type.dtype not in INTEGERS:
        raise DTypeError(f"gcd takes integers, got {x.dtype}")
    a, b = abs(x), abs(y)
    zero, one = constant(0, x.type.dtype), constant(1, x.type.dtype)
    for _ in range({1: 13, 2: 24, 4: 47, 8: 93}[SIZES[x.type.dtype]]):
        stop = b == 0
        a, b = select(stop, a, b), select(stop, zero, op("rem", a, select(stop, one, b)))
    a.weak = weak
    return a


def lcm(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The least common multiple of integers, never negative; 0 where either is 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.lcm(jnp.array([4, 0]), 6))
    [12  0]
    """
    (x, y), weak = operands("lcm", x1, x2, whole=True)
    divisor = gcd(x, y)
    safe = select(divisor == 0, constant(1, divisor.type.dtype), divisor)
    out = abs(op("div", x, safe) * y)
    out.weak = weak
    return out
