"""Taking numbers apart and putting them together: ldexp, frexp, modf; common divisors and multiples of integers."""

from __future__ import annotations

import math

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import constant, convert, in_memory, limits, op, select
from jitgrad.errors import DTypeError
from jitgrad.operands import ArrayLike, broadcast_together, check_accepts, no_out, operands
from jitgrad.promotion import strong_dtype
from jitgrad_compiler.ir.types import BOOL, F32, F64, I32, I64, DType, unsigned_integer

FORMATS = {F32: (I32, 23, 0xFF, 127), F64: (I64, 52, 0x7FF, 1023)}
"""The integer type that holds a float's bits; the fraction's bits, the exponent's mask and bias."""


def ldexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 * 2**x2, rounded once; x2 are integers of any size.

    Raises DTypeError where x2 are no integers, or x1 complex.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ldexp(jnp.array([1.0, 1.5]), jnp.array([3, 1])))
    [8. 3.]
    """
    exponent = as_value(x2, "ldexp")
    if not exponent.type.dtype.is_integer and exponent.type.dtype != BOOL:
        raise DTypeError(f"ldexp: the exponent must be integers, got {exponent.dtype}")
    (x, _), weak = operands("ldexp", x1, x2, inexact=True)
    check_accepts("ldexp", "trunc", x)
    if x.type.dtype.is_storage:
        out = convert(ldexp(convert(x, x.type.dtype.computed), exponent), x.type.dtype)
        out.weak = weak
        return out
    bits, _, _, bias = FORMATS[x.type.dtype]
    if exponent.type.dtype != BOOL and exponent.type.dtype.nbytes >= 4:  # more than 3 bias is as good as 3 bias
        exponent = op("min", exponent, constant(3 * bias, exponent.type.dtype))
        if exponent.type.dtype.is_signed:
            exponent = op("max", exponent, constant(-3 * bias, exponent.type.dtype))
    x, exponent = broadcast_together("ldexp", [x, convert(exponent, bits)])
    out = _times_power_of_two(x, exponent)
    out.weak = weak
    return out


def _times_power_of_two(x: Array, n: Array) -> Array:
    """x * 2**n by three factors that are powers of two themselves.

    The ones that go down leave at least a fraction's bits to the last one, so that only that one can round.
    """
    bits, width, _, bias = FORMATS[x.type.dtype]
    low, high = 1 - bias, bias

    def power(k: Array) -> Array:
        return op("bitcast_convert_type", (k + bias) << width, dtype=x.type.dtype)

    for _ in range(2):
        step = op("min", op("max", n, constant(low + width + 1, bits)), constant(high, bits))
        step = select(op("or", n < low, n > high), step, constant(0, bits))
        x, n = x * power(step), n - step
    return x * power(op("min", op("max", n, constant(low, bits)), constant(high, bits)))


def modf(x: ArrayLike, /, out: None = None) -> tuple[Array, Array]:
    """The fraction and the whole part, both with x's sign, as floats. The fraction's derivative is 1.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.modf(-1.5))
    -0.5 -1.0
    """
    no_out("modf", out)
    (value,), weak = operands("modf", x, inexact=True)
    check_accepts("modf", "trunc", value)
    one = constant(1, value.type.dtype)
    endless = abs(value) == math.inf
    fraction = select(endless, op("copysign", constant(0, value.type.dtype), value), op("rem", select(endless, one, value), one))
    whole = op("trunc", value)
    fraction.weak = whole.weak = weak
    return fraction, whole


def frexp(x: ArrayLike, /) -> tuple[Array, Array]:
    """(m, e) with x == m * 2**e, 0.5 <= |m| < 1 and e int32; 0, infinities and nan as they are, with e = 0.

    The derivative of m is 2**-e.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.frexp(10.0))
    0.625 4
    """
    (value,), weak = operands("frexp", x, inexact=True)
    check_accepts("frexp", "trunc", value)
    dtype = strong_dtype(value.type.dtype, weak)
    value = convert(value, dtype)
    if in_memory(value) and not dtype.is_storage:
        mantissa, exponents = (np.asarray(part) for part in np.frexp(value.data()))
        outside = ~np.isfinite(value.data())  # what C leaves open
        return from_numpy(mantissa), from_numpy(np.asarray(np.where(outside, np.int32(0), exponents)))
    if dtype.is_storage:
        fraction, power = frexp(convert(value, dtype.computed))
        return convert(fraction, dtype), power
    bits, width, mask, bias = FORMATS[dtype]
    tiny = abs(value) < float(limits(dtype).tiny)
    scaled = select(tiny, value * 2.0**54, value)  # denormals, whose exponent field is 0
    field = (op("bitcast_convert_type", scaled, dtype=bits) >> width) & mask
    special = op("or", value == 0, op("not", op("is_finite", value)))
    exponent = select(special, field * 0, select(tiny, field - (bias + 53), field - (bias - 1)))
    return _times_power_of_two(value, -exponent), convert(exponent, I32)


def nextafter(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The next number of the element type after x in the direction of y. Python numbers are of default_float.

    Raises ShapeError where the operands do not broadcast, DTypeError for complex numbers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nextafter(1.0, 2.0))
    1.0000001
    """
    values, weak = operands("nextafter", x, y, inexact=True)
    check_accepts("nextafter", "nextafter", values[0])
    return op("nextafter", *[convert(v, strong_dtype(v.type.dtype, weak)) for v in values])


def spacing(x: ArrayLike, /) -> Array:
    """The distance from x to the next number of the element type that is further from 0, with x's sign; nan for infinities.

    Raises DTypeError for complex numbers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.spacing(jnp.array([1.0, -1.0])))
    [ 1.1920929e-07 -1.1920929e-07]
    """
    values, weak = operands("spacing", x, inexact=True)
    check_accepts("spacing", "nextafter", values[0])
    value = convert(values[0], strong_dtype(values[0].type.dtype, weak))
    beyond = op("copysign", constant(math.inf, value.type.dtype), value + 0.0)  # that of -0.0 is positive, as in NumPy
    return op("nextafter", value, beyond) - value


def gcd(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The greatest common divisor of integers; gcd(0, 0) is 0. It is positive, where the type has it: gcd(-128, 0) of int8 wraps.

    Euclid's algorithm for as many steps as the type's largest numbers can need (Fibonacci numbers are the worst case).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.gcd(jnp.array([12, 7, 0]), 18))
    [ 6  1 18]
    """
    (x, y), weak = operands("gcd", x1, x2, whole=True)
    out = _as(_divisor(_magnitude("gcd", x), _magnitude("gcd", y)), x.type.dtype)
    out.weak = weak
    return out


def lcm(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The least common multiple of integers, 0 where either is 0. One that the type cannot hold wraps.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.lcm(jnp.array([4, 0]), 6))
    [12  0]
    """
    (x, y), weak = operands("lcm", x1, x2, whole=True)
    a, b = _magnitude("lcm", x), _magnitude("lcm", y)
    divisor = _divisor(a, b)
    out = _as(op("div", a, select(divisor == 0, constant(1, divisor.type.dtype), divisor)) * b, x.type.dtype)
    out.weak = weak
    return out


def _magnitude(where: str, x: Array) -> Array:
    """|x| as an unsigned integer, which the least signed one needs."""
    if not x.type.dtype.is_integer:
        raise DTypeError(f"{where} takes integers, got {x.dtype}")
    return _as(abs(x), unsigned_integer(x.type.dtype.bits))


def _as(x: Array, dtype: DType) -> Array:
    """The same bits as an integer with or without a sign."""
    return x if x.type.dtype == dtype else op("bitcast_convert_type", x, dtype=dtype)


def _divisor(a: Array, b: Array) -> Array:
    if in_memory(a, b):
        return from_numpy(np.asarray(np.gcd(a.data(), b.data())))
    zero, one = constant(0, a.type.dtype), constant(1, a.type.dtype)
    for _ in range({1: 13, 2: 24, 4: 47, 8: 93}[a.type.dtype.nbytes]):
        stop = b == 0
        a, b = select(stop, a, b), select(stop, zero, op("rem", a, select(stop, one, b)))
    return a
