"""Bits in bytes: packbits and unpackbits."""

from __future__ import annotations

import numpy as np

from jitgrad.array import Array, from_numpy
from jitgrad.array_ops import constant, convert, flat, op, pad_axis, reshape, slice_axis
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, size_arg
from jitgrad_compiler.ir.types import BOOL, U8


def _in_front(where: str, a: ArrayLike, axis: int | None, bitorder: str) -> tuple[Array, int]:
    """The array and the axis that its bits lie along, which is the last one of a flattened array."""
    if bitorder not in ("big", "little"):
        raise ArgumentError(f"{where}: bitorder must be 'big' or 'little', got {bitorder!r}")
    x = array_arg(where, a)
    return (flat(x), 0) if axis is None else (x, axis_number(where, axis, x.type.rank))


def _weights(bitorder: str) -> Array:
    places = np.arange(8, dtype=np.uint8)
    return from_numpy(places[::-1].copy() if bitorder == "big" else places)


def packbits(a: ArrayLike, axis: int | None = None, bitorder: str = "big") -> Array:
    """Bools or integers (not 0 is 1) as the bits of uint8s, eight elements along an axis a byte, the last one filled up with zeros.

    bitorder: "big": the first element is the highest bit; "little": the lowest. Raises DTypeError for other element types.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.packbits(jnp.array([1, 0, 1, 0, 0, 0, 0, 0, 1])))
    [160 128]
    """
    x, at = _in_front("packbits", a, axis, bitorder)
    if x.type.dtype != BOOL and not x.type.dtype.is_integer:
        raise DTypeError(f"packbits: takes bools or integers, got {x.dtype}")
    x = convert(x if x.type.dtype == BOOL else op("ne", x, constant(0, x.type.dtype)), U8)
    x = pad_axis(x, at, 0, -x.type.shape[at] % 8, constant(0, U8))
    shape = x.type.shape
    grouped = reshape(x, (*shape[:at], shape[at] // 8, 8, *shape[at + 1 :]))
    places = op("broadcast", _weights(bitorder), shape=grouped.type.shape, dims=(at + 1,))
    return op("reduce_or", op("shift_left", grouped, places), axes=(at + 1,))


def unpackbits(a: ArrayLike, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of uint8s along an axis, as uint8s of 0 and 1: the first `count` ones, or all but the last -count.

    A count beyond the bits there are adds zeros. Raises DTypeError for other element types.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.unpackbits(jnp.array([160], "uint8")))
    [1 0 1 0 0 0 0 0]
    """
    x, at = _in_front("unpackbits", a, axis, bitorder)
    if x.type.dtype != U8:
        raise DTypeError(f"unpackbits: takes uint8, got {x.dtype}. Convert with .astype.")
    shape = x.type.shape
    full = (*shape[: at + 1], 8, *shape[at + 1 :])
    spread = op("broadcast", x, shape=full, dims=tuple(i for i in range(len(full)) if i != at + 1))
    places = op("broadcast", _weights(bitorder), shape=full, dims=(at + 1,))
    one = op("broadcast", constant(1, U8), shape=full, dims=())
    count = None if count is None else size_arg("unpackbits", count, "count must be an integer")
    n = shape[at] * 8
    bits = reshape(op("and", op("shift_right_logical", spread, places), one), (*shape[:at], n, *shape[at + 1 :]))
    if count is not None and count < -n:
        raise ArgumentError(f"unpackbits: count must be {-n} or more, got {count}")
    wanted = n if count is None else max(0, n + count) if count < 0 else count
    return pad_axis(slice_axis(bits, at, 0, min(wanted, n)), at, 0, max(0, wanted - n), constant(0, U8))
