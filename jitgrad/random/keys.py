"""Random keys: what they are, how they are made, and how new ones come from old ones. Next on the path: `bits.py`.

A key is 64 bits, which name one stream of random bits. The bits are those of the counter-based generator Threefry-2x32 (Salmon et
al., Parallel random numbers: as easy as 1, 2, 3; SC11): block number i of a stream is one function of the key and of i, so that
every element of an array is drawn by itself. Counters of three ranges serve draws, `split` and `fold_in`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, NotAnArrayError, ShapeError
from jitgrad.numpy import ops
from jitgrad.numpy.promote import array_arg, shape_arg
from jitgrad_compiler.ir.types import INTEGERS

SPLIT = 1 << 63
FOLD_IN = 1 << 62
"""Counters from here on belong to `split` and to `fold_in`; draws count from 0."""


@tree.register_pytree_node_class
class KeyArray:
    """One random key, shape (), or an array of them. A pytree with one leaf, the uint32 array [*shape, 2] that `key_data` gives.

    Made by `key`, `split` and `fold_in`. Indexing, iteration and `reshape` act on `shape`; `vmap` maps over it.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Any) -> None:
        self._data = data

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        return (self._data,), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: Any) -> KeyArray:
        return cls(*children)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._data.shape[:-1])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reshape(self, *shape: Any) -> KeyArray:
        """The same keys in another shape."""
        sizes = shape_arg("reshape of keys", shape[0] if len(shape) == 1 else shape)
        return KeyArray(ops.reshape(self._data, (*sizes, 2)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a single random key")
        return self.shape[0]

    def __iter__(self) -> Iterator[KeyArray]:
        for i in range(len(self)):
            yield KeyArray(ops.reshape(ops.slice_axis(self._data, 0, i, i + 1), self._data.shape[1:]))

    def __getitem__(self, where: Any) -> KeyArray:
        places = where if isinstance(where, tuple) else (where,)
        taken = sum(1 for p in places if p is not None and p is not Ellipsis)
        if taken > self.ndim:
            raise IndexError(f"{taken} indices for keys of shape {self.shape}")
        whole = () if any(p is Ellipsis for p in places) else (Ellipsis,)
        return KeyArray(self._data[(*places, *whole, slice(None))])

    def __repr__(self) -> str:
        return f"KeyArray(shape={self.shape}, data={self._data!r})"


KeyLike = KeyArray | Array | np.ndarray


def key(seed: Any, *, impl: str | None = None) -> KeyArray:
    """A key from a seed, a scalar integer. Equal seeds give equal keys, on every machine.

    Raises DTypeError for a seed that is no scalar integer.

    >>> import jitgrad
    >>> print(jitgrad.random.uniform(jitgrad.random.key(0)).shape)
    ()
    """
    return KeyArray(PRNGKey(seed, impl=impl))


def PRNGKey(seed: Any, *, impl: str | None = None) -> Array:
    """As `key`, but a plain uint32 array [2], which every function here takes as well.

    >>> print(PRNGKey(7))
    [0 7]
    """
    if impl not in (None, "threefry2x32"):
        raise ArgumentError(f"random.key: the only implementation is 'threefry2x32', got impl={impl!r}")
    if isinstance(seed, int):
        return to_data(_low_bits(seed))
    value = as_value(seed, "random.key")
    if value.type.dtype not in INTEGERS or value.type.shape:
        raise DTypeError(f"random.key: the seed must be a scalar integer, got {value.dtype}{list(value.type.shape)}")
    return to_data(as_word(value))


def _low_bits(number: int) -> Array:
    return ops.constant(number % 2**64, "u64")


def as_word(x: Array) -> Array:
    """Integers as 64 bits, negative ones in two's complement; a known scalar is converted as a Python int, which has no range."""
    return _low_bits(int(x.data())) if x.trace is None and not x.type.shape else ops.convert(x, "u64")


def to_data(words: Array) -> Array:
    """64-bit words [...] as pairs of 32-bit ones [..., 2], the high one first."""
    high = ops.op("shift_right_logical", words, ops.constant(32, "u64"))
    low = ops.op("and", words, ops.constant(2**32 - 1, "u64"))
    halves = [ops.reshape(ops.convert(w, "u32"), (*words.type.shape, 1)) for w in (high, low)]
    return ops.concatenate(halves, words.type.rank)


def to_words(where: str, keys: Any) -> Array:
    """Keys as 64-bit words.

    Raises an error that says what a key is for anything else.
    """
    advice = "Make a key with jitgrad.random.key(seed)."
    if isinstance(keys, KeyArray):
        keys = keys._data
    elif isinstance(keys, int) or not (isinstance(keys, Array) or hasattr(keys, "__array__")):
        raise NotAnArrayError(f"random.{where}: the first argument must be a random key, got {type(keys).__name__}. {advice}")
    data = array_arg(f"random.{where}", keys)
    if data.type.dtype != "u32" or data.type.shape[-1:] != (2,):
        raise DTypeError(f"random.{where}: a raw key is a uint32 array [..., 2], got {data.dtype}{list(data.type.shape)}. {advice}")
    last = data.type.rank - 1
    high, low = (ops.convert(ops.reshape(ops.slice_axis(data, last, i, i + 1), data.type.shape[:-1]), "u64") for i in (0, 1))
    return ops.op("or", ops.op("shift_left", high, _constant_like(32, high)), low)


def _constant_like(number: int, x: Array) -> Array:
    return ops.constant(number, x.type.dtype)


def single_key(where: str, keys: Any) -> Array:
    """The word of one key.

    Raises ShapeError for an array of keys.
    """
    word = to_words(where, keys)
    if word.type.shape:
        raise ShapeError(
            f"random.{where}: takes one key, got keys of shape {word.type.shape}. "
            f"Use jitgrad.vmap(lambda key: random.{where}(key, ...))(keys) to draw with each."
        )
    return word


def blocks(word: Array, counters: Array) -> Array:
    """The 64-bit blocks of one key's stream at counters of any shape."""
    return ops.op("threefry2x32", ops.broadcast(word, counters.type.shape, ()), counters)


def counters(shape: tuple[int, ...], first: int = 0) -> Array:
    """first, first + 1, ... in row-major order."""
    count = ops.reshape(ops.iota((math.prod(shape),), 0, "u64"), shape)
    return ops.op("add", count, ops.constant(first, "u64")) if first else count


def split(key: KeyLike, num: int | tuple[int, ...] = 2) -> Any:
    """`num` new keys from one, which must not be used again: `split(key, n).shape == (n,)`. A raw key gives raw keys [n, 2].

    >>> import jitgrad
    >>> first, second = split(jitgrad.random.key(0))
    >>> split(first, 5).shape
    (5,)
    """
    word = single_key("split", key)
    data = to_data(blocks(word, counters(shape_arg("random.split", num), SPLIT)))
    return KeyArray(data) if isinstance(key, KeyArray) else data


def fold_in(key: KeyLike, data: Any) -> Any:
    """A new key from a key and an integer, such as the number of a step; different integers give independent keys.

    >>> import jitgrad
    >>> fold_in(jitgrad.random.key(0), 3).shape
    ()
    """
    word = single_key("fold_in", key)
    number = as_value(data, "random.fold_in")
    if number.type.dtype not in INTEGERS or number.type.shape:
        raise DTypeError(f"random.fold_in: data must be a scalar integer, got {number.dtype}{list(number.type.shape)}")
    low = ops.op("and", as_word(number), ops.constant(FOLD_IN - 1, "u64"))
    new = to_data(blocks(word, ops.op("or", low, ops.constant(FOLD_IN, "u64"))))
    return KeyArray(new) if isinstance(key, KeyArray) else new


def key_data(keys: KeyLike) -> Array:
    """The uint32 array [..., 2] of keys.

    >>> import jitgrad
    >>> print(key_data(jitgrad.random.key(5)))
    [0 5]
    """
    return array_arg("random.key_data", keys._data if isinstance(keys, KeyArray) else keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> KeyArray:
    """Keys from a uint32 array [..., 2], as `key_data` gave it.

    >>> import jitgrad
    >>> wrap_key_data(key_data(jitgrad.random.key(5))).shape
    ()
    """
    data = array_arg("random.wrap_key_data", key_bits_array)
    to_words("wrap_key_data", data)
    return KeyArray(data)
