"""Reductions over segments, by jax.ops' names: elements of `data` along its first axis that have one number in `segment_ids`.

>>> import jitgrad.numpy as jnp
>>> print(segment_sum(jnp.array([5.0, 1.0, 2.0]), jnp.array([0, 1, 0]), 3))
[7. 1. 0.]
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from jitgrad_compiler.ir.types import BOOL, DType

from . import array_ops as ops
from .array import Array
from .errors import ArgumentError, DTypeError, ShapeError
from .operands import array_arg


def _segments(where: str, ids: Array, count: int | None) -> int:
    if count is not None:
        if index(count) < 0:
            raise ArgumentError(f"{where}: num_segments must not be negative, got {count}")
        return index(count)
    if ids.concrete() is None:
        raise ArgumentError(f"{where}: inside jit and vmap num_segments must be given; it is the size of the result")
    return int(ops.op("reduce_max", ids, axes=(0,))) + 1 if ids.type.size else 0


def _start(kind: str, dtype: DType) -> Any:
    """What a segment without elements has."""
    if kind in ("add", "mul"):
        return kind == "mul"
    if dtype.is_float:
        return float("-inf" if kind == "max" else "inf")
    if dtype == BOOL:
        return kind == "min"
    info = ops.limits(dtype)
    return info.min if kind == "max" else info.max


def _segment_reduction(name: str, kind: str, what: str, empty: str, sample: str) -> Callable[..., Array]:
    where = f"ops.{name}"

    def reduction(
        data: Any,
        segment_ids: Any,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode: Any = None,
    ) -> Array:
        x, ids = array_arg(where, data), array_arg(where, segment_ids)
        if not ids.type.dtype.is_integer:
            raise DTypeError(f"{where}: segment_ids must be integers, got {ids.dtype}")
        if ids.type.rank != 1 or x.type.shape[:1] != ids.type.shape:
            raise ShapeError(
                f"{where}: segment_ids must have one number for each element along data's first axis, got shapes "
                f"{list(ids.type.shape)} and {list(x.type.shape)}"
            )
        shape = (_segments(where, ids, num_segments), *x.type.shape[1:])
        start = ops.fill(shape, x.type.dtype.numpy.type(_start(kind, x.type.dtype)), x.type.dtype)
        return ops.op("scatter", start, ops.reshape(ids, (ids.type.size, 1)), x, axes=(0,), batch=0, kind=kind)

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"""The {what} of each segment, {empty} where one has no element: an array [num_segments, *data.shape[1:]].

    Elements whose number is negative or not below num_segments, by default the largest number plus one, are left out. num_segments
    must be given inside jit and vmap. indices_are_sorted, unique_indices, bucket_size and mode are taken for jax's sake. Raises
    ShapeError unless there is one number an element.

    >>> import jitgrad.numpy as jnp
    >>> print({name}(jnp.array([5, 1, 2]), jnp.array([0, 1, 0])))
    {sample}
    """
    return reduction


segment_sum = _segment_reduction("segment_sum", "add", "sum", "0", "[7 1]")
segment_prod = _segment_reduction("segment_prod", "mul", "product", "1", "[10  1]")
segment_max = _segment_reduction("segment_max", "max", "maximum", "-inf or the type's lowest number", "[5 1]")
segment_min = _segment_reduction("segment_min", "min", "minimum", "inf or the type's highest number", "[2 1]")

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]
