"""From keys to random bits, integers and uniform floats, which every distribution starts from. Next: `distributions.py`.

Functions of words (`random_bits`, `unit_floats`, `floats_between`) are for samplers; those of keys are for users.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import DTypeError
from jitgrad.operands import ArrayLike, shape_arg, stored
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import I32, U8, U64, DType, unsigned_integer

from .keys import KeyLike, Word, random_words, split_word
from .programs import Shape, check_shape, draw_each, float_dtype, integer_dtype, kept, parameter, shape_with


def random_bits(word: Word, shape: tuple[int, ...], dtype: DType, second: bool = False) -> Array:
    return _bits_of(random_words(word, shape, second), dtype)


def _bits_of(words: Array, dtype: DType) -> Array:
    """One 64-bit block an element; narrower types take both halves, combined."""
    if dtype == U64:
        return words
    return ops.convert(ops.op("xor", words, ops.op("shift_right_logical", words, ops.constant(32, U64))), dtype)


def bits(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """Uniform random bits, as unsigned integers (uint64 by default): jax's.

    >>> import jitgrad
    >>> bits(jitgrad.random.key(0), (2,), "uint8").dtype
    dtype('uint8')
    """
    name = dtype_name("uint64" if dtype is None else dtype)
    if not name.is_unsigned:
        raise DTypeError(f"random.bits: dtype must be an unsigned integer type, got {name.numpy}")
    return draw_each("bits", random_bits, key, (), (shape_arg("random.bits", shape), name))


def unit_floats(word: Word, shape: tuple[int, ...], dtype: DType, second: bool = False) -> Array:
    return unit_floats_of(random_words(word, shape, second), dtype)


def unit_floats_of(words: Array, dtype: DType) -> Array:
    """Uniform multiples of the distance of floats above 1, in [0, 1): random mantissas under the exponent of 1, less 1."""
    integer = unsigned_integer(dtype.bits)
    drawn = U8 if dtype.fraction_bits < 8 else integer  # jax's bits for short mantissas
    shift, one = drawn.bits - dtype.fraction_bits, int(dtype.numpy.type(1).view(integer.numpy))
    mantissa = ops.op("shift_right_logical", _bits_of(words, drawn), ops.constant(shift, drawn))
    one_up = ops.op("or", ops.convert(mantissa, integer), ops.constant(one, integer))
    one_up = ops.op("bitcast_convert_type", one_up, dtype=dtype)
    return ops.op("sub", one_up, ops.constant(1.0, dtype))


def scaled(u: Array, span: Array, low: Array) -> Array:
    """u * span + low, rounded together as XLA does, but each by itself in the types that it computes in float32."""
    return u * span + low if u.type.dtype.is_storage else ops.op("fma", u, span, low)


def floats_between(word: Array, shape: tuple[int, ...], dtype: DType, low: Any, high: Any) -> Array:
    """Uniform floats u * (high - low) + low, for numbers whose difference is finite."""
    number: Any = dtype.numpy.type
    span = number(high) - number(low)
    u = unit_floats(word, shape, dtype)
    return ops.op("max", scaled(u, ops.constant(span, dtype), ops.constant(low, dtype)), ops.constant(low, dtype))


def _uniform(word: Array, low: Array, high: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    u = unit_floats(word, shape, dtype)
    low, high = parameter(low, shape, dtype), parameter(high, shape, dtype)
    span, half = ops.op("sub", high, low), ops.constant(0.5, dtype)
    low_half = ops.op("mul", low, half)
    wide = scaled(u, ops.op("sub", ops.op("mul", high, half), low_half), low_half)
    fits = ops.op("le", ops.op("abs", span), ops.constant(ops.limits(dtype).max, dtype))
    between = ops.select(fits, scaled(u, span, low), ops.op("add", wide, wide))
    return ops.op("max", ops.op("min", between, ops.op("nextafter", high, low)), low)  # rounding may have reached `high`


def uniform(key: KeyLike, shape: Shape = (), dtype: Any = None, minval: ArrayLike = 0.0, maxval: ArrayLike = 1.0) -> Array:
    """Uniform floats of [minval, maxval), float32 by default (`config.default_float`). The bounds broadcast to `shape`.

    The numbers are jax's to the bit, but that `maxval` is never reached by rounding, and that a range wider than the largest float
    is filled.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = uniform(jitgrad.random.key(0), (1000,), minval=2.0, maxval=3.0)
    >>> bool(jnp.all((2 <= draws) & (draws < 3)))
    True
    """
    sizes, name = shape_arg("random.uniform", shape), float_dtype("uniform", dtype)
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)) and (minval, maxval) == (0, 1):
        return draw_each("uniform", unit_floats, key, (), (sizes, name))
    static = (shape_with("uniform", sizes, minval, maxval), name)
    return draw_each("uniform", _uniform, key, (minval, maxval), static)


def _offsets(word: Array, span: Array, shape: tuple[int, ...]) -> Array:
    """Random integers of [0, span), of all bits where span is 0 for that many numbers.

    The remainder of twice as many bits as the type has, (2**n * high + low) % span, is put together from remainders of the halves.
    """
    dtype = span.type.dtype
    first, second = split_word(word)
    high, low = random_bits(first, shape, dtype), random_bits(second, shape, dtype)
    root = ops.op("rem", ops.constant(2 ** (dtype.nbytes * 4), dtype), span)
    power = ops.op("rem", ops.op("mul", root, root), span)
    span, power = ops.broadcast_right(span, shape), ops.broadcast_right(power, shape)
    total = ops.op("add", ops.op("mul", ops.op("rem", high, span), power), ops.op("rem", low, span))
    return ops.op("rem", total, span)


def _randint(word: Array, low: Array, span: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    offsets = ops.convert(_offsets(word, span, shape), low.type.dtype)
    return ops.convert(ops.op("add", ops.broadcast_right(low, shape), offsets), dtype)


def _randint_of_arrays(word: Array, low: Array, high: Array, shape: tuple[int, ...], dtype: DType, within: DType) -> Array:
    limits, unsigned = ops.limits(dtype), unsigned_integer(within.bits)
    too_high = ops.op("gt", high, _held(int(ops.limits(within).max), high)) if within == dtype else None
    last = int(limits.max) + (within != dtype)
    low = ops.broadcast_right(_clipped(low, int(limits.min), int(limits.max), within), shape)
    high = ops.broadcast_right(_clipped(high, int(limits.min), last, within), shape)
    span = ops.convert(ops.op("sub", high, low), unsigned)
    one, some = ops.constant(1, unsigned), ops.op("gt", high, low)
    span = ops.select(some, span, ops.broadcast(one, shape, ()))
    if too_high is not None:
        more = ops.convert(ops.op("and", ops.broadcast_right(too_high, shape), some), unsigned)
        span = ops.op("add", span, more)
    return _randint(word, low, span, shape, dtype)


def _held(number: int, x: Array) -> Array:
    """A number in x's type, the nearest one where the type cannot hold it."""
    limits = ops.limits(x.type.dtype)
    return ops.constant(min(max(number, int(limits.min)), int(limits.max)), x.type.dtype)


def _clipped(x: Array, least: int, most: int, dtype: DType) -> Array:
    return ops.convert(ops.op("min", ops.op("max", x, _held(least, x)), _held(most, x)), dtype)


def randint(key: KeyLike, shape: Shape, minval: ArrayLike, maxval: ArrayLike, dtype: Any = None) -> Array:
    """Uniform integers of [minval, maxval), int64 by default; `minval` where the range is empty. The bounds broadcast to `shape`.

    The numbers are jax's: remainders of 64 random bits, of 128 for types of 64 bits. Out of a range of n numbers none
    is likelier than another by more than n parts in 2**64 (2**32 where n is above 2**16, and 2**64 for 64 bits).

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = randint(jitgrad.random.key(0), (1000,), 1, 7)
    >>> print(jnp.min(draws), jnp.max(draws))
    1 6
    """
    name = integer_dtype("randint", dtype)
    sizes = shape_arg("random.randint", shape)
    within = name if name.nbytes >= 4 else I32
    if not (isinstance(minval, (int, np.integer)) and isinstance(maxval, (int, np.integer))):
        bounds = [as_value(v, "random.randint") for v in (minval, maxval)]
        check_shape("randint", sizes, *[b.type.shape for b in bounds])
        bounds = [b if b.type.dtype.is_integer else stored("random.randint", b, dtype_name(int)) for b in bounds]
        return draw_each("randint", _randint_of_arrays, key, tuple(bounds), (sizes, name, within))
    return draw_each("randint", _randint, key, _range(int(minval), int(maxval), name, within), (sizes, name))


@kept
def _range(low: int, high: int, dtype: DType, within: DType) -> tuple[Array, Array]:
    """The least integer that a type can hold of those from `low` up to `high`, and how many there are, 0 for all."""
    limits = ops.limits(dtype)
    low, high = min(max(low, int(limits.min)), int(limits.max)), min(max(high, int(limits.min)), int(limits.max) + 1)
    span = max(high - low, 1) % 2 ** (within.nbytes * 8)
    return ops.constant(low, within), ops.constant(span, unsigned_integer(within.bits))
