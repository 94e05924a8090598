"""Arrays from nothing: iota, and the counter-based random bits of threefry2x32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.graph import JVP, Op
from ..ir.types import U32, U64, ArrayType, DType
from .define import elementwise, zero_jvp


def _iota_type(shape: tuple[int, ...], axis: int, dtype: DType) -> ArrayType:
    if not 0 <= axis < len(shape):
        raise ShapeError(f"iota: axis {axis} is not an axis of shape {shape}")
    return ArrayType(shape, dtype)


def _iota(shape: tuple[int, ...], axis: int, dtype: DType) -> Any:
    column = np.arange(shape[axis]).astype(dtype.numpy)
    if len(shape) == 1:
        return column
    return np.broadcast_to(column.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


iota = Op(
    "iota", _iota_type, _iota, kind="layout", computes=False, free=True, in_registers=True,
    doc="Each element's index along an axis.",
)  # fmt: skip
JVP[iota] = zero_jvp(iota)

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _threefry(key: Any, counter: Any) -> Any:
    """Threefry-2x32 with 20 rounds (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; SC11)."""
    key, counter = np.asarray(key), np.asarray(counter)
    k0, k1 = (key >> np.uint64(32)).astype(np.uint32), key.astype(np.uint32)
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(_PARITY))
    x = (counter >> np.uint64(32)).astype(np.uint32) + k0
    y = counter.astype(np.uint32) + k1
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << np.uint32(r)) | (y >> np.uint32(32 - r))) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return (x.astype(np.uint64) << np.uint64(32)) | y.astype(np.uint64)


def _emit_threefry(e: Any, key: Any, counter: Any) -> Any:

    def word(v: Any, high: bool) -> Any:
        return e.convert(e.shr(v, 32) if high else v, U32)

    k0, k1 = word(key, True), word(key, False)
    schedule = (k0, k1, e.xor(e.xor(k0, k1), e.const(_PARITY, U32)))
    x, y = e.add(word(counter, True), k0), e.add(word(counter, False), k1)
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x = e.add(x, y)
            y = e.xor(e.or_(e.shl(y, r), e.shr(y, 32 - r)), x)
        x = e.add(x, schedule[(group + 1) % 3])
        y = e.add(e.add(y, schedule[(group + 2) % 3]), group + 1)
    return e.or_(e.shl(e.convert(x, U64), 32), e.convert(y, U64))


threefry2x32 = elementwise(
    "threefry2x32", _threefry, _emit_threefry, arity=2, accepts=U64, transcendental=True, cost=100.0,
    doc="64 random bits of a key and a counter, each two 32-bit words in one, the first one high.",
)  # fmt: skip
