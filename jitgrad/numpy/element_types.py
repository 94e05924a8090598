"""float32, int32 and their kin: element types that are named, compared and used as NumPy's are, and convert when they are called.

>>> import numpy as np
>>> print(float32([1, 2]), np.zeros(1, float32).dtype == float32, float32 in {np.float32})
[1. 2.] True True
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad_compiler.ir.types import BF16, F8_E4M3

from .creation import asarray


class ElementType(type):
    """The class of the element types. Each equals NumPy's class of the same name, hashes as it does, and has its instances."""

    dtype: np.dtype[Any]

    def __call__(cls, x: Any) -> Array:
        """x, a number, list or array, traced ones too, as an array of this type."""
        return asarray(x, cls.dtype)

    def __eq__(cls, other: object) -> bool:
        return cls is other or cls.dtype.type == other

    def __ne__(cls, other: object) -> bool:
        return not cls == other

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.dtype.type)

    def __subclasscheck__(cls, other: type) -> bool:
        return isinstance(other, ElementType) and other == cls or issubclass(other, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"<class 'jitgrad.numpy.{cls.__name__}'>"


def _element_type(scalar: Any) -> Any:
    dtype: np.dtype[Any] = np.dtype(scalar)
    name = scalar.__name__ if scalar is not np.bool_ else "bool_"
    doc = f"The element type {dtype}: as a type it is NumPy's, and called it converts."
    return ElementType(name, (), {"dtype": dtype, "__doc__": doc, "__module__": __package__, "__slots__": ()})


bool_ = _element_type(np.bool_)
int8, int16, int32, int64 = map(_element_type, (np.int8, np.int16, np.int32, np.int64))
uint8, uint16, uint32, uint64 = map(_element_type, (np.uint8, np.uint16, np.uint32, np.uint64))
float16, float32, float64 = map(_element_type, (np.float16, np.float32, np.float64))
bfloat16, float8_e4m3fn = (_element_type(t.numpy.type) for t in (BF16, F8_E4M3))
complex64, complex128 = map(_element_type, (np.complex64, np.complex128))
int_, uint, single, double, csingle, cdouble = int64, uint64, float32, float64, complex64, complex128
