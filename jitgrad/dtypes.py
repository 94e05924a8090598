"""Element types by jax.dtypes' names. There are no float16, bfloat16 and 8-bit floats: arrays have NumPy's other types.

>>> from jitgrad import dtypes
>>> dtypes.issubdtype("float32", dtypes.np.floating)
True
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad_compiler.ir.types import NAMES

from .errors import DTypeError
from .numpy.dtypes import finfo, iinfo, issubdtype, result_type
from .promotion import dtype_name
from .tracing import FLOAT0

float0 = FLOAT0
"""The type of tangents and cotangents of integers and bools, which have none."""


class extended(np.generic):
    """What element types are of that NumPy does not have: those of random keys."""


class prng_key(extended):
    """The element type of random keys."""


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> np.dtype[Any]:
    """The element type that an array asked for in `dtype` has. Raises DTypeError for a type that arrays do not have.

    >>> print(canonicalize_dtype("float64"), canonicalize_dtype(int))
    float64 int64
    """
    if allow_extended_dtype and isinstance(dtype, type) and issubclass(dtype, extended):
        return dtype  # type: ignore[return-value]
    return dtype_name(dtype).numpy


def scalar_type_of(x: Any) -> type:
    """The Python type of an array's or a type's elements: bool, int, float or complex.

    >>> scalar_type_of(np.float32(1))
    <class 'float'>
    """
    known = NAMES.get(np.dtype(getattr(x, "dtype", x if isinstance(x, (type, str, np.dtype)) else type(x))))
    kinds: dict[str, type] = {"bool": bool, "signed": int, "unsigned": int, "float": float, "complex": complex}
    found = None if known is None else kinds[known.kind]
    if found is None:
        raise DTypeError(f"dtypes.scalar_type_of: {x!r} has no numbers for elements")
    return found


def itemsize_bits(dtype: Any) -> int:
    """The size of an element in bits; 1 for a bool.

    >>> itemsize_bits("float32"), itemsize_bits(bool)
    (32, 1)
    """
    found = dtype_name(dtype).numpy
    return 1 if found == np.bool_ else 8 * found.itemsize


__all__ = [
    "canonicalize_dtype", "extended", "finfo", "float0", "iinfo", "issubdtype", "itemsize_bits", "prng_key", "result_type",
    "scalar_type_of",
]  # fmt: skip
