"""The compiler's ops as functions of Arrays: one element type and one shape go in, and nothing is done where nothing is to do.

numpy, lax, nn, random and scipy are written with these. Next on the path: `operands.py`, which brings users' operands here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitgrad.array import Array, memory_device
from jitgrad.config import config
from jitgrad.devices import CPU
from jitgrad.errors import NumberRangeError
from jitgrad.transfers import home, placed
from jitgrad_compiler.ir.builder import bind, bind_all, state
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import I64, U64, ArrayType, DType, float_info

Shape = tuple[int, ...]


def op(name: str, *args: Array, **params: Any) -> Array:
    """The output of an op."""
    return bind(OPS[name], *args, **params)  # type: ignore[return-value]


def in_memory(*xs: Array) -> bool:
    """Whether all are plain arrays in this computer's memory, and what is done with them is done at once, by NumPy."""
    if state.staging is not None or config.default_device is not None:
        return False
    return all([x.owner is None and memory_device(x.ref) is None for x in xs])


def op_all(name: str, *args: Array, **params: Any) -> list[Array]:
    """All outputs of an op."""
    return list(bind_all(OPS[name], *args, **params))  # type: ignore[arg-type]


def is_number(x: Array) -> bool:
    """Whether x is a scalar constant, which elementwise ops broadcast by themselves."""
    return x.owner is None and isinstance(x.ref, np.generic)


def limits(dtype: DType) -> Any:
    """min, max and the like of a type, as numpy.iinfo or numpy.finfo."""
    info: Any = np.iinfo if dtype.is_integer else float_info
    return info(dtype.numpy)


def constant(number: Any, dtype: DType) -> Array:
    """A Python number as a scalar constant. An int that the type cannot hold is an error, a float that is too large is infinite."""
    if dtype.is_integer and isinstance(number, (int, np.integer)):
        info = limits(dtype)
        if not info.min <= number <= info.max:
            raise NumberRangeError(
                f"the number {number} does not fit in {dtype.numpy}, the type that is asked for, or of the array beside it. Ask "
                "for a wider type, or convert the array with .astype first."
            )
        return Array(ArrayType((), dtype), None, dtype.numpy.type(number))
    return _converted(number, dtype)


def _converted(number: Any, dtype: DType) -> Array:
    with np.errstate(all="ignore"):
        return Array(ArrayType((), dtype), None, OPS["convert_element_type"].numpy(number, dtype=dtype)[()])


def convert(x: Array, dtype: DType) -> Array:
    """x in an element type, and not weak any more."""
    if x.type.dtype == dtype:
        return Array(x.type, x.owner, x.ref) if x.weak else x
    if x.owner is None and not x.type.shape and (isinstance(x.ref, np.generic) or x.weak and memory_device(x.ref) is None):
        number = x.data()[()]
        return constant(number, dtype) if x.weak else _converted(number, dtype)
    return op("convert_element_type", x, dtype=dtype)


def signed_places(x: Array) -> Array:
    """Integers that say where something is, as signed ones. Those of 2**63 and more, which are nowhere, become the largest."""
    if x.type.dtype == U64:
        x = op("min", convert(x, U64), constant(int(limits(I64).max), U64))
    return convert(x, I64)


def reshape(x: Array, shape: Shape) -> Array:
    return x if x.type.shape == shape else op("reshape", x, shape=shape)


def transpose(x: Array, order: Shape) -> Array:
    return x if order == tuple(range(len(order))) else op("transpose", x, permutation=order)


def broadcast(x: Array, shape: Shape, dims: Shape) -> Array:
    """x with its axes at `dims` of a new array."""
    if x.type.shape == shape and not is_number(x):
        return x
    return op("broadcast", x, shape=shape, dims=dims)


def broadcast_right(x: Array, shape: Shape) -> Array:
    """x broadcast by NumPy's rule, its axes aligned with the last ones of the shape."""
    return broadcast(x, shape, tuple(range(len(shape) - x.type.rank, len(shape))))


WORD = 8
"""Bytes of the largest elements that a GPU spreads by a kernel for all shapes."""


def fill(shape: Shape, number: Any, dtype: DType, *others: Any) -> Array:
    """An array of one number: memory of its own outside traced code, where what is computed of others would lie, a broadcast
    constant inside.
    """
    value = constant(number, dtype)
    if state.staging is not None:
        return op("broadcast", value, shape=shape, dims=())
    there = home(*others) if others else None
    if dtype.nbytes <= WORD and (there or config.default_device or CPU) != CPU:
        return op("broadcast", placed("", Array(value.type, None, np.asarray(value.ref)), there), shape=shape, dims=())
    made = Array(ArrayType(shape, dtype), None, np.full(shape, value.ref, dtype.numpy))
    return made if there is None and config.default_device is None else placed("", made, there)


def fill_like(x: Array, number: Any, dtype: DType) -> Array:
    """The same, of x's shape and where x lies."""
    return fill(x.type.shape, number, dtype, x)


def iota(shape: Shape, axis: int, dtype: DType = I64) -> Array:
    """Each element's index along an axis."""
    return op("iota", shape=shape, axis=axis, dtype=dtype)


def slice_axis(x: Array, axis: int, start: int, limit: int, stride: int = 1) -> Array:
    """Elements from start up to limit along one axis."""
    if (start, limit, stride) == (0, x.type.shape[axis], 1):
        return x
    rank = x.type.rank
    starts, limits, strides = [0] * rank, list(x.type.shape), [1] * rank
    starts[axis], limits[axis], strides[axis] = start, max(start, limit), stride
    return op("slice", x, start=tuple(starts), limit=tuple(limits), strides=tuple(strides))


def pad_axis(x: Array, axis: int, low: int, high: int, value: Array) -> Array:
    """A scalar before and behind the elements along one axis."""
    padding = [(0, 0, 0)] * x.type.rank
    padding[axis] = (low, high, 0)
    return x if low == high == 0 else op("pad", x, value, padding=tuple(padding))


def concatenate(parts: list[Array], axis: int) -> Array:
    return parts[0] if len(parts) == 1 else op("concatenate", *parts, axis=axis)


def select(condition: Array, x: Array, y: Array) -> Array:
    return op("select", condition, x, y)


def reduce_sum(x: Array, axes: Shape) -> Array:
    return op("reduce_sum", x, axes=axes) if axes else x


def spread(x: Array, shape: Shape, axes: Shape) -> Array:
    """A value reduced over `axes` of the shape, broadcast back over them."""
    return broadcast(x, shape, tuple(i for i in range(len(shape)) if i not in axes))


def flat(x: Array) -> Array:
    return reshape(x, (math.prod(x.type.shape),))
