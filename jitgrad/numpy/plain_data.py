"""Arrays of numbers of Python's, of nested lists of them and of NumPy arrays, where making one is a call of NumPy's and no more.

creation.py asks here first. None is the answer for whatever has to be looked at: other types, ragged lists, numbers out of range.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad.config import config
from jitgrad.promotion import default_float, dtype_name
from jitgrad_compiler.ir.builder import state as builder
from jitgrad_compiler.ir.quiet import QUIET, state
from jitgrad_compiler.ir.types import BOOL, C64, C128, F32, F64, I64, NAMES, ArrayType, complex_of

_NUMBERS = frozenset((float, int, bool, complex))
_TAKE = {F32: "fib", F64: "fib", C64: "cfib", C128: "cfib"}
"""Kinds of NumPy's types whose numbers become a type's without a look at them."""


def of_plain(data: Any, dtype: Any = None) -> Array | None:
    """Data as an Array of a type, or of the one that they give; None for what is not that plain."""
    if not config.jax_enable_x64:
        return None
    kind = type(data)
    if kind is np.ndarray:
        known = NAMES.get(data.dtype)
        if known is None or (dtype is not None and dtype_name(dtype) != known):
            return None
        return Array(ArrayType(data.shape, known), None, np.array(data, order="C"))
    kinds, level = {kind}, data
    while kinds == {list}:
        kinds = {*map(type, level)}
        if kinds == {list}:
            level = [*chain.from_iterable(level)]
    if kinds == {Array} and level is data and kind is list:
        return _stacked(data, dtype)
    if not kinds or not kinds <= _NUMBERS:
        return None
    wanted: Any = None if dtype is None else dtype_name(dtype)
    whole = wanted is not None and wanted.is_integer and kinds == {int}
    try:
        made = np.array(data, wanted.numpy if whole else None)
    except (ValueError, OverflowError):
        return None
    found = NAMES.get(made.dtype)
    if found not in (wanted if whole else I64, F64, C128, BOOL) or (found is F64 and float not in kinds):
        return None  # NumPy has no integers for these
    if wanted is None:
        wanted = default_float() if found is F64 else complex_of(default_float()) if found is C128 else found
    if found is not wanted:
        if made.dtype.kind not in _TAKE.get(wanted, ""):
            return None
        token = state.set(QUIET)
        made = made.astype(wanted.numpy)
        state.reset(token)
    return Array(ArrayType(made.shape, wanted), None, made)


def _stacked(arrays: list[Array], dtype: Any) -> Array | None:
    """Arrays of one type in a list as one Array."""
    first = arrays[0].type
    plain = dtype is None and builder.staging is None
    if not plain or not all([type(x.ref) is np.ndarray and x.type == first and not x.weak for x in arrays]):
        return None
    return Array(ArrayType((len(arrays), *first.shape), first.dtype), None, np.array([x.ref for x in arrays]))
