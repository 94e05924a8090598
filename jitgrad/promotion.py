"""Element types: which one results when two meet, as in jax with 64-bit types enabled.

A weak value came from a scalar, PYTHON's or one of NUMPY_64 (np.float64, np.int64, np.complex128, np.bool_, which NumPy's own
functions hand back). It is carried in 64 bits and takes the type of what stands beside it where kinds allow. Where it turns into an
array by itself, a Python float becomes `config.default_float`; a NumPy scalar keeps its 64 bits, as does what both together give. A
loop carries a Python float in the default type, weak as it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Weak
from jitgrad_compiler.ir.types import COMPLEX, COMPLEX_OF, FLOATS, NAMES, NUMPY, SIZES, UNSIGNED

from .config import config
from .errors import DTypeError

DTypeLike = Any
PYTHON, NUMPY_64 = "python", "numpy"
"""What `Array.weak` says, where it is not False."""
WEAK = {
    bool: ("bool", PYTHON), int: ("i64", PYTHON), float: ("f64", PYTHON), complex: ("c128", PYTHON),
    np.bool_: ("bool", NUMPY_64), np.int64: ("i64", NUMPY_64), np.float64: ("f64", NUMPY_64), np.complex128: ("c128", NUMPY_64),
}  # fmt: skip
"""The classes of weak scalars: element type and kind of weakness."""
NARROW = {"f64": "f32", "i64": "i32", "u64": "u32", "c128": "c64"}
"""What 64-bit types become while config.jax_enable_x64 is False."""
KINDS = {"bool": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def narrowed(dtype: str) -> str:
    """The element type that arrays have for one that is asked for or comes in."""
    return dtype if config.jax_enable_x64 else NARROW.get(dtype, dtype)


def dtype_name(dtype: DTypeLike) -> str:
    """jitgrad's short name of anything that NumPy takes for an element type; Python's float, int and complex mean the defaults."""
    return narrowed(exact_dtype_name(dtype))


def exact_dtype_name(dtype: DTypeLike) -> str:
    """As `dtype_name`, but 64-bit types stay what they are while arrays have none."""
    if dtype is float:
        return default_float()
    if dtype is int:
        return "i64"
    if dtype is complex:
        return COMPLEX_OF[default_float()]
    if isinstance(dtype, str) and dtype in NUMPY:
        return dtype
    if isinstance(dtype, (int, np.integer)):
        raise DTypeError(f"{dtype!r} is no element type. A shape is one tuple: zeros((3, 4)) has 3 rows of 4 columns.")
    try:
        return NAMES[np.dtype(dtype)]
    except (KeyError, TypeError):
        raise DTypeError(f"{dtype!r} is not an element type of jitgrad; there are {', '.join(str(d) for d in NAMES)}") from None


def default_float() -> str:
    return "f64" if config.default_float == "float64" and config.jax_enable_x64 else "f32"


def strong_dtype(dtype: str, weak: Weak) -> str:
    """The type that a value shows, and takes by itself: the default for a float or complex number of Python's."""
    if not weak:
        return dtype
    if weak != PYTHON or dtype not in ("f64", "c128"):
        return narrowed(dtype)
    return default_float() if dtype == "f64" else COMPLEX_OF[default_float()]


def kind(dtype: str) -> int:
    return KINDS["bool" if dtype == "bool" else dtype[0]]


@lru_cache(maxsize=4096)
def promote(a: str, weak_a: Weak, b: str, weak_b: Weak, default: str) -> tuple[str, Weak]:
    """The element type of an operation between types a and b, and its weakness."""
    if weak_a and weak_b:
        numpy = NUMPY_64 in (weak_a, weak_b)
        if not numpy and {a, b} in ({"f32", "f64"}, {"c64", "c128"}):
            return min(a, b, key=lambda t: SIZES[t]), PYTHON
        low, high = sorted((a, b), key=lambda t: (kind(t), SIZES[t], t))
        return ({"f32": "f64", "c64": "c128"}.get(high, high), NUMPY_64) if numpy else (high, PYTHON)
    if weak_a or weak_b:
        weak, strong = (a, b) if weak_a else (b, a)
        if kind(weak) <= kind(strong):
            return strong, False
        if kind(weak) == 1:  # a Python int beside bools
            return "i64", weak_a or weak_b
        if kind(weak) == 2:  # a Python float beside integers
            return default, False
        return COMPLEX_OF["f64" if strong == "f64" else "f32" if strong == "f32" else default], False
    return strong_promote(a, b, default), False


def strong_promote(a: str, b: str, default: str) -> str:
    low, high = sorted((a, b), key=lambda t: (kind(t), SIZES[t]))
    if low == high or kind(low) == 0:
        return high
    if kind(high) == 3:
        wide = low in ("f64", "c128") or high == "c128"
        return "c128" if wide else "c64"
    if kind(high) == 2:
        return high
    unsigned = [t for t in (low, high) if t in UNSIGNED]
    if len(unsigned) != 1:
        return high  # integers of one signedness: the wider one
    signed = low if high in UNSIGNED else high
    if SIZES[signed] > SIZES[unsigned[0]]:
        return signed
    if unsigned[0] == "u64":
        return default  # no integer type holds both
    return narrowed(f"i{SIZES[unsigned[0]] * 16}")


def inexact(dtype: str, default: str) -> str:
    """The float or complex type that a function of analysis gives for this element type."""
    return dtype if dtype in FLOATS or dtype in COMPLEX else default


config.listen("jax_enable_x64", lambda _: promote.cache_clear())
