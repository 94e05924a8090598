"""The one gate to what is private in NumPy: where an array keeps the address of its elements."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ..errors import incompatible

# An ndarray begins with the fields of every object, then the pointer to its data. That is part of NumPy's ABI: PyArray_DATA
# is compiled into extension modules. Seen as one array of words the process's memory can be read at an index, which takes a
# quarter of the time of `array.ctypes.data` or of `array.__array_interface__`.
_WORDS = (ctypes.c_uint64 * (1 << 59)).from_address(0)
_DATA_FIELD = object.__basicsize__


def borrow(array: np.ndarray[Any, Any]) -> int:
    """The address of an array's first element. Whoever asks keeps the array alive and minds its strides."""
    return _WORDS[id(array) + _DATA_FIELD >> 3]


def check_layout() -> None:
    """Raise PackageVersionError unless arrays are laid out as `borrow` reads them."""
    for array in (np.zeros(3), np.zeros((2, 3), np.int8)[1:, ::2], np.frombuffer(b"bytes", np.uint8)):
        if np.ndarray.__basicsize__ < _DATA_FIELD + 8 or borrow(array) != array.__array_interface__["data"][0]:
            raise incompatible("numpy", f"an array does not keep the address of its elements at byte {_DATA_FIELD} of the object")


check_layout()
