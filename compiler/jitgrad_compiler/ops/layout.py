"""Ops that only move elements: broadcast, reshape, transpose, slice, pad, concatenate, reverse. In kernels they are index maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, bind, literal
from ..ir.graph import JVP, Op
from ..ir.types import BOOL, ArrayType
from .arithmetic import op
from .define import (
    Operand,
    broadcast_batch,
    check_dtypes,
    is_linear,
    linear_jvp,
    reduce_sum,
    reshape,
    type_of_operand,
)


def _move(name: str, infer: Any, numpy: Any, transpose: Any, batch: Any, doc: str) -> Op:
    """An op that is its operand with other indices."""

    def batch_rule(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [bind(made, args[0], **batch(size, args[0].type.shape, **params))]

    def transpose_rule(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
        return [transpose(cts[0], type_of_operand(operands[0]).shape, **params)]

    made = Op(
        name, infer, numpy, kind="layout", computes=False, batch=batch_rule, transpose=transpose_rule, doc=doc, free=True,
        in_registers=True,
    )  # fmt: skip
    JVP[made] = linear_jvp(made)
    return made


# -- broadcast


def _broadcast_type(x: ArrayType, shape: tuple[int, ...], dims: tuple[int, ...]) -> ArrayType:
    fits = len(dims) == x.rank and all(0 <= d < len(shape) and s in (1, shape[d]) for s, d in zip(x.shape, dims, strict=False))
    if not fits or list(dims) != sorted(set(dims)):
        raise ShapeError(f"broadcast: {x} with its axes at {dims} does not fit in shape {shape}")
    return ArrayType(shape, x.dtype)


def _broadcast(x: Any, shape: tuple[int, ...], dims: tuple[int, ...]) -> Any:
    """numpy.broadcast_to's read-only view, for operands in row-major order made in a tenth of its time."""
    x = np.asarray(x)
    inner, steps = [1] * len(shape), [0] * len(shape)
    for d, n, step in zip(dims, x.shape, x.strides, strict=True):
        if n != 1:
            inner[d], steps[d] = n, step
    if not x.flags.c_contiguous:
        return np.broadcast_to(x.reshape(inner), shape)
    out: Any = np.ndarray(shape, x.dtype, x, 0, steps)
    out.flags.writeable = False
    return out


def _broadcast_transpose(ct: Value, old: tuple[int, ...], shape: tuple[int, ...], dims: tuple[int, ...]) -> Value:
    grown = tuple(i for i in range(len(shape)) if i not in dims or (old[dims.index(i)] == 1 and shape[i] != 1))
    return reshape(reduce_sum(ct, grown), old)


broadcast_op = _move(
    "broadcast", _broadcast_type, _broadcast, _broadcast_transpose,
    lambda size, old, shape, dims: dict(shape=(size, *shape), dims=(0, *[d + 1 for d in dims])),
    "The operand's axes put at `dims` of a larger shape, repeated along the others and along its own of size 1.",
)  # fmt: skip

# -- reshape, transpose, reverse


def _reshape_type(x: ArrayType, shape: tuple[int, ...]) -> ArrayType:
    if math.prod(shape) != x.size:
        raise ShapeError(f"reshape: {x} has {x.size} elements, shape {shape} has {math.prod(shape)}")
    return ArrayType(shape, x.dtype)


reshape_op = _move(
    "reshape", _reshape_type, lambda x, shape: np.asarray(x).reshape(shape), lambda ct, old, shape: reshape(ct, old),
    lambda size, old, shape: dict(shape=(size, *shape)), "The same elements, in row-major order, in another shape.",
)  # fmt: skip


def _transpose_type(x: ArrayType, permutation: tuple[int, ...]) -> ArrayType:
    if sorted(permutation) != list(range(x.rank)):
        raise ShapeError(f"transpose: {permutation} is no permutation of the axes of {x}")
    return ArrayType(tuple(x.shape[p] for p in permutation), x.dtype)


transpose_op = _move(
    "transpose", _transpose_type, lambda x, permutation: np.asarray(x).transpose(permutation),
    lambda ct, old, permutation: op("transpose", ct, permutation=tuple(permutation.index(i) for i in range(len(old)))),
    lambda size, old, permutation: dict(permutation=(0, *[p + 1 for p in permutation])),
    "Axes in another order: axis i of the result is axis permutation[i] of the operand.",
)  # fmt: skip


def _reverse_type(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
    if any(not 0 <= a < x.rank for a in axes):
        raise ShapeError(f"reverse: axes {axes} are not all axes of {x}")
    return x


reverse_op = _move(
    "reverse", _reverse_type, lambda x, axes: np.flip(x, axes), lambda ct, old, axes: op("reverse", ct, axes=axes),
    lambda size, old, axes: dict(axes=tuple(a + 1 for a in axes)), "Elements along the axes in opposite order.",
)  # fmt: skip

# -- slice


def _slice_type(x: ArrayType, start: tuple[int, ...], limit: tuple[int, ...], strides: tuple[int, ...]) -> ArrayType:
    if not len(start) == len(limit) == len(strides) == x.rank or any(
        not (0 <= a <= b <= n and s > 0) for a, b, s, n in zip(start, limit, strides, x.shape, strict=True)
    ):
        raise ShapeError(f"slice: {start} to {limit} by {strides} is not inside {x}")
    return ArrayType(tuple(-(-(b - a) // s) for a, b, s in zip(start, limit, strides, strict=True)), x.dtype)


def _slice(x: Any, start: Any, limit: Any, strides: Any) -> Any:
    return x[tuple(map(slice, start, limit, strides))]


def _slice_transpose(ct: Value, old: tuple[int, ...], start: Any, limit: Any, strides: Any) -> Value:
    """Zeros around and between the elements that were taken."""
    taken = [0 if not n else (n - 1) * s + 1 for n, s in zip(ct.type.shape, strides, strict=True)]
    padding = tuple((a, n - a - t, s - 1) for a, n, t, s in zip(start, old, taken, strides, strict=True))
    return op("pad", ct, literal(0, ct.type.dtype), padding=padding)


slice_op = _move(
    "slice", _slice_type, _slice, _slice_transpose,
    lambda size, old, start, limit, strides: dict(start=(0, *start), limit=(size, *limit), strides=(1, *strides)),
    "Elements from `start` up to `limit` by `strides` along each axis.",
)  # fmt: skip

# -- pad: (low, high, interior) for each axis; negative low and high cut off


def padded_size(n: int, low: int, high: int, interior: int) -> int:
    return low + high + n + max(n - 1, 0) * interior


def _pad_type(x: ArrayType, value: ArrayType, padding: tuple[tuple[int, int, int], ...]) -> ArrayType:
    check_dtypes("pad", "any", [x, value])
    shape = tuple(padded_size(n, *p) for n, p in zip(x.shape, padding, strict=False))
    if value.shape or len(padding) != x.rank or any(i < 0 for _, _, i in padding) or any(n < 0 for n in shape):
        raise ShapeError(f"pad: padding {padding} does not fit {x} (a scalar value, and low, high, interior for each axis)")
    return ArrayType(shape, x.dtype)


def pad_numpy(x: Any, value: Any, padding: Any) -> Any:
    x = np.asarray(x)
    if not any(map(any, padding)):
        return x.copy()
    shape = [padded_size(n, *p) for n, p in zip(x.shape, padding, strict=True)]
    out = np.empty(shape, x.dtype)
    out.fill(value)
    source, target = [], []
    for n, m, (low, _, interior) in zip(x.shape, shape, padding, strict=True):
        step = interior + 1
        first = max(0, -(low // step))  # of the elements that are not cut off, which go to low, low + step, ...
        last = max(first, min(n, -((low - m) // step)))
        source.append(slice(first, last))
        target.append(slice(low + first * step, low + last * step, step))
    out[tuple(target)] = x[tuple(source)]
    return out


def unpad(ct: Value, old: tuple[int, ...], padding: Any) -> Value:
    """The elements of a padded array that came from the operand; zero for those that were cut off."""
    grown = op("pad", ct, literal(0, ct.type.dtype), padding=tuple((max(-lo, 0), max(-hi, 0), 0) for lo, hi, _ in padding))
    start = tuple(max(lo, 0) for lo, _, _ in padding)
    limit = tuple(a + (0 if not n else (n - 1) * (i + 1) + 1) for a, n, (_, _, i) in zip(start, old, padding, strict=True))
    return op("slice", grown, start=start, limit=limit, strides=tuple(i + 1 for _, _, i in padding))


def _pad_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, value), padding = cts, operands, params["padding"]
    inner = unpad(ct, type_of_operand(x).shape, padding)
    every = tuple(range(ct.type.rank))
    outside = reduce_sum(ct, every) - reduce_sum(inner, every) if is_linear(value) else None
    return [inner if is_linear(x) else None, outside]


def _pad_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, value = args
    padding = ((0, 0, 0), *params["padding"])
    if not batched[1]:
        return [op("pad", x, value, padding=padding)]
    x = broadcast_batch(x, size, batched[0])
    ones = op("pad", op("eq", x, x), literal(False, BOOL), padding=padding)
    inside = op("or", ones, op("pad", op("ne", x, x), literal(False, BOOL), padding=padding))
    grown = op("pad", x, literal(0, x.type.dtype), padding=padding)
    return [op("select", inside, grown, op("broadcast", value, shape=grown.type.shape, dims=(0,)))]


pad = Op(
    "pad", _pad_type, pad_numpy, kind="layout", computes=False, in_registers=True, batch=_pad_batch, transpose=_pad_transpose,
    doc="A scalar put around and between the elements: low, high and interior counts an axis; negative ones cut off.",
)  # fmt: skip
JVP[pad] = linear_jvp(pad)

# -- concatenate


def _concatenate_type(*types: ArrayType, axis: int) -> ArrayType:
    if not types:
        raise ShapeError("concatenate: needs at least one operand")
    check_dtypes("concatenate", "any", types)
    first = types[0]
    if not 0 <= axis < first.rank or any(
        t.rank != first.rank or any(a != b for i, (a, b) in enumerate(zip(t.shape, first.shape, strict=True)) if i != axis)
        for t in types
    ):
        raise ShapeError(f"concatenate: shapes must be equal but for axis {axis}, got {', '.join(map(str, types))}")
    return ArrayType((*first.shape[:axis], sum(t.shape[axis] for t in types), *first.shape[axis + 1 :]), first.dtype)


def _concatenate_transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), axis, at, out = cts, params["axis"], 0, []
    for x in operands:
        n = type_of_operand(x).shape[axis]
        start, limit = [0] * ct.type.rank, list(ct.type.shape)
        start[axis], limit[axis] = at, at + n
        at += n
        taken = dict(start=tuple(start), limit=tuple(limit), strides=(1,) * ct.type.rank)
        out.append(op("slice", ct, **taken) if is_linear(x) else None)
    return out


def _concatenate_batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    return [op("concatenate", *[broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True)], axis=params["axis"] + 1)]


concatenate = Op(
    "concatenate", _concatenate_type, lambda *xs, axis: np.concatenate(xs, axis), kind="layout", computes=False, in_registers=True,
    batch=_concatenate_batch, transpose=_concatenate_transpose, doc="Arrays one behind the other along an axis.",
)  # fmt: skip
JVP[concatenate] = linear_jvp(concatenate)
