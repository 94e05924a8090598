"""Element types: which one results when two meet, as in jax with 64-bit types enabled.

A weak value came from a scalar, PYTHON's (and np.bool_) or one of NUMPY_64 (np.float64, np.int64, np.complex128, which NumPy's own
functions hand back). It is carried in 64 bits and takes the type of what stands beside it where kinds allow. Where it turns into an
array by itself, a Python float becomes `config.default_float`; a NumPy scalar keeps its 64 bits, as does what both together give. A
loop carries a Python float in the default type, weak as it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Weak
from jitgrad_compiler.ir.types import (
    BOOL,
    C64,
    C128,
    DTYPES,
    F8_E4M3,
    F32,
    F64,
    I32,
    I64,
    NAMES,
    U32,
    U64,
    DType,
    complex_of,
    signed_integer,
)

from .config import config
from .errors import DTypeError

DTypeLike = Any
PYTHON, NUMPY_64 = "python", "numpy"
"""What `Array.weak` says, where it is not False."""
WEAK = {
    bool: (BOOL, PYTHON), int: (I64, PYTHON), float: (F64, PYTHON), complex: (C128, PYTHON),
    np.bool_: (BOOL, PYTHON), np.int64: (I64, NUMPY_64), np.float64: (F64, NUMPY_64), np.complex128: (C128, NUMPY_64),
}  # fmt: skip
"""The classes of weak scalars: element type and kind of weakness."""
NARROW = {F64: F32, I64: I32, U64: U32, C128: C64}
"""What 64-bit types become while config.jax_enable_x64 is False."""
KINDS = {"bool": 0, "signed": 1, "unsigned": 1, "float": 2, "complex": 3}


def narrowed(dtype: DType) -> DType:
    """The element type that arrays have for one that is asked for or comes in."""
    return dtype if config.jax_enable_x64 else NARROW.get(dtype, dtype)


def dtype_name(dtype: DTypeLike) -> DType:
    """jitgrad's short name of anything that NumPy takes for an element type; Python's float, int and complex mean the defaults."""
    return narrowed(exact_dtype_name(dtype))


def exact_dtype_name(dtype: DTypeLike) -> DType:
    """As `dtype_name`, but 64-bit types stay what they are while arrays have none."""
    if dtype is float:
        return default_float()
    if dtype is int:
        return I64
    if dtype is complex:
        return complex_of(default_float())
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    if isinstance(dtype, (int, np.integer)):
        raise DTypeError(f"{dtype!r} is no element type. A shape is one tuple: zeros((3, 4)) has 3 rows of 4 columns.")
    try:
        return NAMES[np.dtype(dtype)]
    except (KeyError, TypeError, ValueError):
        raise DTypeError(f"{dtype!r} is not an element type of jitgrad; there are {', '.join(str(d) for d in NAMES)}") from None


def default_float() -> DType:
    return F64 if config.default_float == "float64" and config.jax_enable_x64 else F32


def strong_dtype(dtype: DType, weak: Weak) -> DType:
    """The type that a value shows, and takes by itself: the default for a float or complex number of Python's."""
    if not weak:
        return dtype
    if weak != PYTHON or dtype not in (F64, C128):
        return narrowed(dtype)
    return default_float() if dtype == F64 else complex_of(default_float())


def kind(dtype: DType) -> int:
    return KINDS[dtype.kind]


@lru_cache(maxsize=4096)
def promote(a: DType, weak_a: Weak, b: DType, weak_b: Weak, default: DType) -> tuple[DType, Weak]:
    """The element type of an operation between types a and b, and its weakness."""
    if weak_a and weak_b:
        numpy = NUMPY_64 in (weak_a, weak_b)
        if not numpy and {a, b} in ({F32, F64}, {C64, C128}):
            return min(a, b, key=lambda t: t.nbytes), PYTHON
        low, high = sorted((a, b), key=lambda t: (kind(t), t.nbytes, t))
        return ({F32: F64, C64: C128}.get(high, high), NUMPY_64) if numpy else (high, PYTHON)
    if weak_a or weak_b:
        weak, strong = (a, b) if weak_a else (b, a)
        if kind(weak) <= kind(strong):
            return strong, False
        if kind(weak) == 1:  # a Python int beside bools
            return I64, weak_a or weak_b
        if kind(weak) == 2:  # a Python float beside integers
            return default, False
        return complex_of(F64 if strong == F64 else F32 if strong.is_float else default), False
    return strong_promote(a, b, default), False


def strong_promote(a: DType, b: DType, default: DType) -> DType:
    low, high = sorted((a, b), key=lambda t: (kind(t), t.nbytes))
    if low == high or kind(low) == 0:
        return high
    if kind(high) == 3:
        if low == F8_E4M3:
            return _wider_float(low, high)
        wide = low in (F64, C128) or high == C128
        return C128 if wide else C64
    if kind(high) == 2:
        return _wider_float(low, high) if low.is_float else high
    unsigned = [t for t in (low, high) if t.is_unsigned]
    if len(unsigned) != 1:
        return high  # integers of one signedness: the wider one
    signed = low if high.is_unsigned else high
    if signed.nbytes > unsigned[0].nbytes:
        return signed
    if unsigned[0] == U64:
        return default  # no integer type holds both
    return narrowed(signed_integer(unsigned[0].bits * 2))


def _wider_float(low: DType, high: DType) -> DType:
    """Of two floats the one that holds both, float32 for float16 and bfloat16. No type is taken to hold a float8 and others."""
    if F8_E4M3 in (low, high):
        raise DTypeError(f"{low.numpy} and {high.numpy} have no element type in common. Convert one of them with .astype.")
    return F32 if low.bits == high.bits else high


config.listen("jax_enable_x64", lambda _: promote.cache_clear())
