"""From keys to random bits, integers and uniform floats, which every distribution starts from. Next: `distributions.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.numpy import ops
from jitgrad.numpy.promote import broadcast_shape, shape_arg
from jitgrad.promotion import default_float, dtype_name
from jitgrad_compiler.ir.types import FLOATS, INTEGERS, NUMPY, SIZES, UNSIGNED

from .keys import KeyLike, as_word, blocks, counters, single_key

Shape = Any
MANTISSA = {"f32": 23, "f64": 52}
ONE_BITS = {"f32": 0x3F800000, "f64": 0x3FF0000000000000}


def float_dtype(where: str, dtype: Any) -> str:
    """The short name of a float type, default_float for None."""
    name = default_float() if dtype is None else dtype_name(dtype)
    if name not in FLOATS:
        raise DTypeError(f"random.{where}: dtype must be a float type, got {NUMPY[name]}")
    return name


def bits(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """Uniform random bits, as unsigned integers (uint32 by default).

    >>> import jitgrad
    >>> bits(jitgrad.random.key(0), (2,), "uint8").dtype
    dtype('uint8')
    """
    name = "u32" if dtype is None else dtype_name(dtype)
    if name not in UNSIGNED:
        raise DTypeError(f"random.bits: dtype must be an unsigned integer type, got {NUMPY[name]}")
    return _bits("bits", key, shape_arg("random.bits", shape), name)


def _bits(where: str, key: KeyLike, shape: tuple[int, ...], dtype: str) -> Array:
    """One 64-bit block an element; narrower types take both halves, combined."""
    words = blocks(single_key(where, key), counters(shape))
    if dtype == "u64":
        return words
    return ops.convert(ops.op("xor", words, ops.op("shift_right_logical", words, ops.constant(32, "u64"))), dtype)


def _above_one(where: str, key: KeyLike, shape: tuple[int, ...], dtype: str) -> Array:
    """Uniform floats of [1, 2): random mantissas under the exponent of 1."""
    integer = f"u{SIZES[dtype] * 8}"
    shift = SIZES[dtype] * 8 - MANTISSA[dtype]
    mantissa = ops.op("shift_right_logical", _bits(where, key, shape, integer), ops.constant(shift, integer))
    return ops.op("bitcast_convert_type", ops.op("or", mantissa, ops.constant(ONE_BITS[dtype], integer)), dtype=dtype)


def open_uniform(where: str, key: KeyLike, shape: Shape, dtype: Any) -> Array:
    """Uniform floats (k + 1/2) / 2**m for all mantissas k of m bits: never 0 nor 1, and symmetric about 1/2, without rounding."""
    name = float_dtype(where, dtype)
    closed = _above_one(where, key, shape_arg(f"random.{where}", shape), name)
    return ops.op("sub", closed, ops.constant(1 - 2.0 ** -(MANTISSA[name] + 1), name))


def uniform(key: KeyLike, shape: Shape = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0) -> Array:
    """Uniform floats of [minval, maxval), with all bits of the mantissa random. The bounds broadcast to `shape`.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = uniform(jitgrad.random.key(0), (1000,), minval=2.0, maxval=3.0)
    >>> bool(jnp.all((2 <= draws) & (draws < 3)))
    True
    """
    name = float_dtype("uniform", dtype)
    sizes = shape_arg("random.uniform", shape)
    unit = ops.op("sub", _above_one("uniform", key, sizes, name), ops.constant(1.0, name))
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)) and (minval, maxval) == (0, 1):
        return unit
    low, high = (parameter("uniform", v, sizes, name) for v in (minval, maxval))
    scaled = ops.op("add", ops.op("mul", unit, ops.op("sub", high, low)), low)
    return ops.op("min", ops.op("max", scaled, low), ops.op("nextafter", high, low))  # rounding may have reached `high`


def parameter(where: str, value: Any, shape: tuple[int, ...], dtype: str) -> Array:
    """A parameter of a distribution in the type of the draws, broadcast to their shape."""
    array = ops.convert(as_value(value, f"random.{where}"), dtype)
    if broadcast_shape(f"random.{where}", (array.type.shape, shape)) != shape:
        raise ArgumentError(f"random.{where}: a parameter of shape {array.type.shape} does not broadcast to shape {shape}")
    return ops.broadcast_right(array, shape)


def parameter_shape(where: str, shape: Shape, *values: Any) -> tuple[int, ...]:
    """The shape that was asked for, or for None that of the parameters together."""
    if shape is not None:
        return shape_arg(f"random.{where}", shape)
    return broadcast_shape(f"random.{where}", tuple(as_value(v, f"random.{where}").type.shape for v in values))


def randint(key: KeyLike, shape: Shape, minval: Any, maxval: Any, dtype: Any = None) -> Array:
    """Uniform integers of [minval, maxval), int64 by default; `minval` where the range is empty. The bounds broadcast to `shape`.

    A range of n numbers is drawn by a multiplication with 64 random bits (Lemire, Fast random integer generation in an interval,
    2019; without its rejections), 128 where n may exceed 2**32: no probability is off by more than one part in 2**32.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = randint(jitgrad.random.key(0), (1000,), 1, 7)
    >>> print(jnp.min(draws), jnp.max(draws))
    1 6
    """
    name = "i64" if dtype is None else dtype_name(dtype)
    if name not in INTEGERS:
        raise DTypeError(f"random.randint: dtype must be an integer type, got {NUMPY[name]}")
    sizes = shape_arg("random.randint", shape)
    if isinstance(minval, int) and isinstance(maxval, int):
        least, most = np.iinfo(NUMPY[name].name).min, np.iinfo(NUMPY[name].name).max
        low_number, high_number = max(least, min(minval, most)), min(max(maxval, least), most + 1)
        count = max(high_number - low_number, 1)
        low, narrow = ops.constant(low_number % 2**64, "u64"), count <= 2**32
        if count == 2**64:
            return ops.convert(ops.op("add", _bits("randint", key, sizes, "u64"), low), name)
        span = ops.broadcast(ops.constant(count, "u64"), sizes, ())
    else:
        first, behind = (ops.convert(as_value(v, "random.randint"), name) for v in (minval, maxval))
        first, behind = (ops.broadcast_right(v, sizes) for v in (first, behind))
        low, narrow = as_word(first), SIZES[name] <= 4
        wide = ops.op("sub", as_word(behind), low)
        span = ops.select(ops.op("lt", first, behind), wide, ops.constant(1, "u64"))
    offset = _scaled_narrow(key, sizes, span) if narrow else _scaled_wide(key, sizes, span)
    return ops.convert(ops.op("add", offset, low), name)


def _halves(x: Array) -> tuple[Array, Array]:
    mask, half = ops.constant(2**32 - 1, "u64"), ops.constant(32, "u64")
    return ops.op("shift_right_logical", x, half), ops.op("and", x, mask)


def _scaled_narrow(key: KeyLike, shape: tuple[int, ...], span: Array) -> Array:
    """floor(word * span / 2**64) for spans up to 2**32."""
    high, low = _halves(_bits("randint", key, shape, "u64"))
    carried, _ = _halves(ops.op("mul", low, span))
    return _halves(ops.op("add", ops.op("mul", high, span), carried))[0]


def _multiply_high(x: Array, y: Array) -> Array:
    """The high 64 bits of a product, from four products of halves."""
    (x1, x0), (y1, y0) = _halves(x), _halves(y)
    cross, other = ops.op("mul", x1, y0), ops.op("mul", x0, y1)
    lowest, _ = _halves(ops.op("mul", x0, y0))
    (c1, c0), (o1, o0) = _halves(cross), _halves(other)
    middle, _ = _halves(ops.op("add", ops.op("add", c0, o0), lowest))
    return ops.op("add", ops.op("add", ops.op("mul", x1, y1), middle), ops.op("add", c1, o1))


def _scaled_wide(key: KeyLike, shape: tuple[int, ...], span: Array) -> Array:
    """floor(word * span / 2**128) for a word of two blocks."""
    pair = _bits("randint", key, (2, *shape), "u64")
    high, low = (ops.reshape(ops.slice_axis(pair, 0, i, i + 1), shape) for i in (0, 1))
    below = ops.op("mul", high, span)
    total = ops.op("add", below, _multiply_high(low, span))
    carry = ops.convert(ops.op("lt", total, below), "u64")
    return ops.op("add", _multiply_high(high, span), carry)
