"""Reading and writing at an index of arrays in memory, by NumPy's own indexing, where that is the same: what `indexing.py` does for
all others, traced ones for example, in many steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad.array_ops import in_memory
from jitgrad.operands import ArrayLike
from jitgrad_compiler.ir import builder, quiet
from jitgrad_compiler.ir.builder import state
from jitgrad_compiler.ir.types import DTYPES, U64, ArrayType
from jitgrad_compiler.ops.indexing import SCATTER_KINDS
from jitgrad_compiler.ops.summation import SHORT

from .index_plan import Index, signed

LARGE = 1 << 24
"""Ints below this one are exact in float32."""
_BY_ITSELF = frozenset((int, slice, type(None), type(Ellipsis)))
_NUMBERS = {dtype: ArrayType((), dtype) for dtype in DTYPES.values()}


def read_now(x: Array, index: Index) -> Array | None:
    """x[index] of an array in memory by NumPy's indexing, which is the same where nothing is outside; None where it may not be."""
    if type(x.ref) is not np.ndarray or x.owner is not None or state.staging is not None:
        if not in_memory(x):
            return None
    if x.weak:
        return None
    items = _index_for_numpy(index)
    if items is _TRACED:
        return None
    try:
        found = (x.ref if type(x.ref) is np.ndarray else x.data())[items]
    except (IndexError, ValueError, TypeError, OverflowError):
        return None
    if type(found) is np.ndarray:
        return Array(ArrayType(found.shape, x.type.dtype), None, found)
    return Array(_NUMBERS[x.type.dtype], None, np.asarray(found))


def written_now(x: Array, index: Index, y: ArrayLike, kind: str) -> Array | None:
    """A copy of an array in memory with a number, or an array of just the elements' shape, put, added, ... at an index; None where
    NumPy may not do the same, or an index is outside.
    """
    if builder.watched or not in_memory(x) or x.weak or type(x.ref) is not np.ndarray:
        return None
    dtype = x.type.dtype
    items = _index_for_numpy(index)
    if items is _TRACED or dtype.is_storage or dtype.numpy.kind not in _KINDS[kind]:
        return None
    if type(y) is Array:
        if y.type.dtype is not dtype or not in_memory(y):
            return None
        value = y.data()
    elif (type(y) is float and dtype.is_inexact) or (type(y) is int and -LARGE < y < LARGE and dtype.numpy.kind in "fc"):
        value = y
    else:
        return None
    if not dtype.is_complex and getattr(value, "dtype", dtype.numpy).kind == "c":
        return None
    token = quiet.state.set(quiet.QUIET)
    try:
        value = np.asarray(value, dtype.numpy)
        out = np.array(x.ref, order="C")
        elements = out[items]
        if value.ndim and value.shape != elements.shape:
            return None
        if kind == "set":
            out[items] = value
        elif type(elements) is not np.ndarray or elements.base is out:  # an element or a view: each is named once
            out[items] = SCATTER_KINDS[kind](elements, value)  # type: ignore[misc]
        elif elements.size <= SHORT:
            SCATTER_KINDS[kind].at(out, items, value)  # type: ignore[union-attr]
        else:
            return None
    except (IndexError, ValueError, TypeError, OverflowError):
        return None
    finally:
        quiet.state.reset(token)
    return Array(x.type, None, out)


_KINDS = {"set": "biufc", "add": "iufc", "mul": "iufc", "min": "", "max": ""}
"""The kinds of numbers that are written at once. Of the smaller and the larger one, signs of zeros follow from how it is done."""


_TRACED = object()


def _index_for_numpy(index: Index) -> Any:
    if type(index) is tuple:
        for item in index:
            if type(item) not in _BY_ITSELF:
                items = tuple([_for_numpy(i) for i in index])
                return _TRACED if any([i is _TRACED for i in items]) else items
        return index
    return index if type(index) in _BY_ITSELF else _for_numpy(index)


def _for_numpy(item: Any) -> Any:
    """An index as NumPy takes it with the same meaning, _TRACED for others."""
    if type(item) in _BY_ITSELF:
        return item
    if type(item) is Array and in_memory(item):
        kind = item.type.dtype.kind
        if item.type.dtype == U64:
            return signed(item.data())
        return item.data() if kind in ("signed", "unsigned") or kind == "bool" and item.type.shape else _TRACED
    if type(item) is np.ndarray and item.dtype.kind in "iub" and item.ndim:
        return signed(item) if item.dtype.kind == "u" else item
    return _TRACED
