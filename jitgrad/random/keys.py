"""Random keys: what they are, and how they are made. Next on the path: `programs.py`.

A key is 64 bits, which name one stream of random bits. The bits are those of the counter-based generator Threefry-2x32 (Salmon et
al., Parallel random numbers: as easy as 1, 2, 3; SC11): block number i of a stream is one function of the key and of i, so that
every element of an array is drawn by itself. Element i of an array is made of block i, and so is key i of a `split`: a key serves
one use. All of this is as in jax (whose name for it is jax_threefry_partitionable), so that equal seeds give equal numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array, as_value, from_numpy
from jitgrad.dtypes import prng_key
from jitgrad.errors import ArgumentError, DTypeError, NotAnArrayError, NumberRangeError, ShapeError
from jitgrad.operands import array_arg, shape_arg
from jitgrad.promotion import dtype_name, narrowed
from jitgrad_compiler.ir.types import BOOL, U32, U64, ArrayType

IMPL = "threefry2x32"
ONE_KEY = ArrayType((2,), U32)
ADVICE = "Make a key with jitgrad.random.key(seed)."


@tree.register_pytree_node_class
class KeyArray:
    """One random key, shape (), or an array of them. A pytree with one leaf, the uint32 array [*shape, 2] that `key_data` gives.

    Made by `key`, `split` and `fold_in`. Indexing, iteration and `reshape` act on `shape`; `vmap` maps over it.
    """

    __slots__ = ("_data",)
    leaf_beside_leaves = True
    """Asked by tree.map."""

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
    def dtype(self) -> type:
        """The element type of keys, of which `dtypes.issubdtype(key.dtype, dtypes.prng_key)` tells."""
        return prng_key

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


def key(seed: Any, *, impl: str | None = None, dtype: Any = None) -> KeyArray:
    """A key from a seed, a scalar integer. Equal seeds give equal keys, on every machine, and jax's.

    impl, or dtype: the generator, of which there is one. Raises DTypeError for a seed that is no scalar integer.

    >>> import jitgrad
    >>> print(jitgrad.random.uniform(jitgrad.random.key(0)).shape)
    ()
    """
    return KeyArray(PRNGKey(seed, impl=_implementation("key", impl, dtype)))


def PRNGKey(seed: Any, *, impl: str | None = None) -> Array:
    """As `key`, but a plain uint32 array [2], which every function here takes as well.

    >>> print(PRNGKey(7))
    [0 7]
    """
    _check_impl("key", impl)
    if isinstance(seed, int):
        return _key_of_number(seed, dtype_name("int64").nbytes)
    value = as_value(seed, "random.key")
    if not value.type.dtype.is_integer or value.type.shape:
        raise DTypeError(f"random.key: the seed must be a scalar integer, got {value.dtype}{list(value.type.shape)}")
    size = narrowed(value.type.dtype).nbytes
    if value.owner is None:
        return _key_of_number(int(value.data()), size)
    return to_data(ops.convert(value if size == 8 else ops.convert(value, U32), U64))


def _key_of_number(seed: int, size: int) -> Array:
    """The raw key of a seed of so many bytes: its low 64 bits, of which those of a narrower seed are 32."""
    if not -(2**63) <= seed < 2**64:
        raise NumberRangeError(f"random.key: seed must be an integer of 64 bits, got {seed}")
    word = seed % (2**64 if size == 8 else 2**32)
    if ops.in_memory():
        return from_numpy(np.array([word >> 32, word & 0xFFFFFFFF], np.uint32))
    return to_data(ops.constant(word, U64))


def key_dtype(impl_spec: Any = None) -> type:
    """The element type of keys of a generator, by its name; the type itself is taken, too.

    >>> key_dtype("threefry2x32") is key(0).dtype
    True
    """
    _check_impl("key_dtype", _implementation("key_dtype", None, impl_spec))
    return prng_key


def _implementation(where: str, impl: str | None, dtype: Any) -> Any:
    if impl is not None and dtype is not None:
        raise ArgumentError(f"random.{where}: give impl or dtype, not both")
    return impl if dtype is None else IMPL if dtype is prng_key else dtype


def _check_impl(where: str, impl: Any) -> None:
    if impl not in (None, IMPL):
        raise ArgumentError(f"random.{where}: the only implementation is {IMPL!r}, got impl={impl!r}")


def to_data(words: Array) -> Array:
    """64-bit words [...] as pairs of 32-bit ones [..., 2], the high one first."""
    high = ops.op("shift_right_logical", words, ops.constant(32, U64))
    low = ops.op("and", words, ops.constant(2**32 - 1, U64))
    halves = [ops.reshape(ops.convert(w, U32), (*words.type.shape, 1)) for w in (high, low)]
    return ops.concatenate(halves, words.type.rank)


def raw(where: str, keys: Any) -> Array:
    """The uint32 array [..., 2] of keys, typed or raw."""
    if isinstance(keys, KeyArray):
        keys = keys._data
    elif isinstance(keys, int) or not (isinstance(keys, Array) or hasattr(keys, "__array__")):
        raise NotAnArrayError(f"random.{where}: the first argument must be a random key, got {type(keys).__name__}. {ADVICE}")
    data = array_arg(f"random.{where}", keys)
    if data.type.dtype != U32 or data.type.shape[-1:] != (2,):
        raise DTypeError(f"random.{where}: a raw key is a uint32 array [..., 2], got {data.dtype}{list(data.type.shape)}. {ADVICE}")
    return data


def to_words(data: Array) -> Array:
    """Raw keys as 64-bit words."""
    last = data.type.rank - 1
    high, low = (ops.convert(ops.reshape(ops.slice_axis(data, last, i, i + 1), data.type.shape[:-1]), U64) for i in (0, 1))
    return ops.op("or", ops.op("shift_left", high, ops.constant(32, U64)), low)


def key_argument(where: str, keys: Any) -> Array:
    """The uint32 array [2] of the one key that a function was given.

    Raises an error that says what a key is for anything else, ShapeError for an array of keys.
    """
    if type(keys) is KeyArray and type(keys._data) is Array and keys._data.type == ONE_KEY:
        return keys._data
    data = raw(where, keys)
    if data.type.rank != 1:
        raise ShapeError(
            f"random.{where}: takes one key, got keys of shape {data.type.shape[:-1]}. "
            f"Use jitgrad.vmap(lambda key: random.{where}(key, ...))(keys) to draw with each."
        )
    return data


class Stream(NamedTuple):
    """A key's 64-bit word where, of `total` elements, those from the number `first` on are drawn with it, so many `rows`, of which
    the last may be more than there are: pieces.py.
    """

    word: Array
    first: Array
    total: Array
    rows: int


Word = TypeVar("Word", Array, Stream)


def asked_for(word: Array | Stream, shape: tuple[int, ...]) -> Array:
    """Which elements are any of the draw's: those behind, which fill up a program's size, need not be made."""
    if not isinstance(word, Stream):
        return ops.fill(shape, True, BOOL)
    rows = ops.op("add", ops.iota(shape, 0, U64), ops.broadcast(word.first, shape, ()))
    return ops.op("lt", rows, ops.broadcast(word.total, shape, ()))


def root_of(word: Array | Stream) -> Array:
    """The key's word, whatever is drawn with it."""
    return word.word if isinstance(word, Stream) else word


def random_words(word: Array | Stream, shape: tuple[int, ...], second: bool = False) -> Array:
    """The first 64-bit blocks of a key's stream, in row-major order, or those of a `second` array of this shape behind them; as
    words they are new keys, too. Those of a Stream are of its rows, which are the first axis.
    """
    count = math.prod(shape)
    counters = ops.iota((count,), 0, U64)
    before = ops.constant(count if second else 0, U64)
    if isinstance(word, Stream):
        assert shape[0] == word.rows
        row = ops.op("add", word.first, word.total) if second else word.first
        before = ops.op("mul", row, ops.constant(count // word.rows, U64))
        word = word.word
    counters = ops.op("add", counters, ops.broadcast(before, (count,), ()))
    return ops.op("threefry2x32", ops.broadcast(word, shape, ()), ops.reshape(counters, shape))


def split_word(word: Word, count: int = 2) -> list[Word]:
    """The words of `count` new keys."""
    words = random_words(root_of(word), (count,))
    new = [ops.reshape(ops.slice_axis(words, 0, i, i + 1), ()) for i in range(count)]
    return [word._replace(word=w) for w in new] if isinstance(word, Stream) else new


def key_data(keys: KeyLike) -> Array:
    """The uint32 array [..., 2] of keys.

    >>> import jitgrad
    >>> print(key_data(jitgrad.random.key(5)))
    [0 5]
    """
    return raw("key_data", keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None, dtype: Any = None) -> KeyArray:
    """Keys from a uint32 array [..., 2], as `key_data` gave it; impl and dtype as of `key`.

    >>> import jitgrad
    >>> wrap_key_data(key_data(jitgrad.random.key(5))).shape
    ()
    """
    _check_impl("wrap_key_data", _implementation("wrap_key_data", impl, dtype))
    return KeyArray(raw("wrap_key_data", key_bits_array))


def key_impl(keys: KeyLike) -> str:
    """The name of the generator that keys are of, of which there is one.

    >>> key_impl(key(0))
    'threefry2x32'
    """
    raw("key_impl", keys)
    return IMPL


def clone(key: KeyLike) -> Any:
    """The same key as a new object, which may be used once more where `config.debug_key_reuse` is on.

    >>> key_data(clone(key(3))).tolist()
    [0, 3]
    """
    data = ops.op("or", raw("clone", key), ops.constant(0, U32))
    return KeyArray(data) if isinstance(key, KeyArray) else data
