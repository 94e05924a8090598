"""New keys from a key: `split` and `fold_in`. Next on the path: `bits.py`."""

from __future__ import annotations

from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import DTypeError
from jitgrad.operands import shape_arg
from jitgrad_compiler.ir.types import U32, U64

from .keys import KeyArray, KeyLike, Stream, random_words, root_of, to_data
from .programs import draw_each


def _split(word: Array, shape: tuple[int, ...]) -> Array:
    return to_data(random_words(word, shape))


def split(key: KeyLike, num: int | tuple[int, ...] = 2) -> Any:
    """`num` new keys from one, which must not be used again: `split(key, n).shape == (n,)`. A raw key gives raw keys [n, 2].

    The keys are jax's, bit for bit.

    >>> import jitgrad
    >>> first, second = split(jitgrad.random.key(0))
    >>> split(first, 5).shape
    (5,)
    """
    data = draw_each("split", _split, key, (), (shape_arg("random.split", num),))
    return KeyArray(data) if isinstance(key, KeyArray) else data


def _fold_in(word: Array | Stream, number: Array, shape: tuple[int, ...]) -> Array:
    counter = ops.broadcast(ops.convert(ops.convert(number, U32), U64), shape, ())
    return to_data(ops.op("threefry2x32", ops.broadcast(root_of(word), shape, ()), counter))


def fold_in(key: KeyLike, data: Any) -> Any:
    """A new key from a key and an integer of 32 bits, such as the number of a step; different integers give independent keys.

    Of a wider integer the low 32 bits count. The keys are jax's, bit for bit.

    >>> import jitgrad
    >>> fold_in(jitgrad.random.key(0), 3).shape
    ()
    """
    number = as_value(data, "random.fold_in")
    if not number.type.dtype.is_integer or number.type.shape:
        raise DTypeError(f"random.fold_in: data must be a scalar integer, got {number.dtype}{list(number.type.shape)}")
    if isinstance(data, int) and not -(2**31) <= data < 2**32:
        raise DTypeError(f"random.fold_in: data must be an integer of 32 bits, got {data}; fold its parts in one after the other")
    new = draw_each("fold_in", _fold_in, key, (number,), ((),))
    return KeyArray(new) if isinstance(key, KeyArray) else new
