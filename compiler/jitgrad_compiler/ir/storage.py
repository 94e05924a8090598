"""Storage types: floats that arrays hold and no op computes in. An op is done in float32 and its results rounded, once each.

Ops that only move elements, or hand them to nested programs, take a storage type as it is. What this means for NumPy's references
is here; passes/storage_types.py writes the same into programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .graph import Op
from .types import NAMES, ArrayType, DType

SMALL_BYTES = 1 << 19
"""Of a value as float32, up to which it is kept as that inside a program: more than fits the second-level cache beside others."""


def small(type: ArrayType) -> bool:
    return type.size * type.dtype.computed.nbytes <= SMALL_BYTES


def computes(op: Op, params: Mapping[str, Any]) -> bool:
    """Whether an op does more with its operands' elements than to move them."""
    return op.traits.computes and not op.traits.by_bits and params.get("kind") != "set"


def reference(op: Op, function: Callable[..., Any], arrays: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """A NumPy reference's results where an operand has a storage type."""
    if not computes(op, params):
        return function(*arrays, **params)
    kinds = [NAMES[a.dtype] for a in arrays]
    wide = [np.asarray(a, kind.computed.numpy) if kind.is_storage else a for a, kind in zip(arrays, kinds, strict=True)]
    results = function(*wide, **params)
    if any(a.dtype == np.float64 for a in arrays):
        return results
    results = results if isinstance(results, (tuple, list)) else (results,)
    return tuple(np.asarray(out, np.float32) if np.asarray(out).dtype == np.float64 else out for out in results)


def rounded(array: np.ndarray | np.generic, dtype: DType) -> Any:
    """Numbers of any type rounded once to a storage type. NumPy's casts of float64 go through float32, and round there, too."""
    x = np.asarray(array)
    if x.dtype.kind in "iu":
        x = x.astype(np.float64)
    if x.dtype == np.float64:
        near = x.astype(np.float32)
        bits = near.view(np.int32)
        away = np.abs(near.astype(np.float64)) > np.abs(x)
        moved = np.where(away, bits - 1, bits + 1).astype(np.int32).view(np.float32)
        inexact = np.isfinite(x) & (near.astype(np.float64) != x)
        x = np.where(inexact & (bits % 2 == 0), moved, near)
    return x.astype(dtype.numpy)
