"""Types of the IR: an element type's short name and a shape. Everything else in the compiler builds on these."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

NUMPY = {
    "bool": np.dtype(np.bool_), "i8": np.dtype(np.int8), "i16": np.dtype(np.int16), "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64), "u8": np.dtype(np.uint8), "u16": np.dtype(np.uint16), "u32": np.dtype(np.uint32),
    "u64": np.dtype(np.uint64), "f32": np.dtype(np.float32), "f64": np.dtype(np.float64),
    "c64": np.dtype(np.complex64), "c128": np.dtype(np.complex128),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in NUMPY.items()}
SIZES = {name: dtype.itemsize for name, dtype in NUMPY.items()}
INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("u8", "u16", "u32", "u64")
FLOATS = ("f32", "f64")
COMPLEX = ("c64", "c128")
INEXACT = FLOATS + COMPLEX
REAL_OF = {"c64": "f32", "c128": "f64"}
COMPLEX_OF = {"f32": "c64", "f64": "c128"}

Shape = tuple[int, ...]


class ArrayType(NamedTuple):
    """Shape and element type of an array: `f32[3,4]`."""

    shape: Shape
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * SIZES[self.dtype]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


class TapeType(NamedTuple):
    """Arrays of one type, one for each step of a loop whose length is known only when it has run: `tape[f32[3]]`.

    In NumPy a tape is an array whose first axis counts the steps.
    """

    element: ArrayType

    @property
    def dtype(self) -> str:
        return self.element.dtype

    @property
    def shape(self) -> Shape:
        raise TypeError(f"{self} has as many elements as its loop had steps, and so no shape")

    @property
    def size(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        """Of the record that says where the elements are, and how many: address, count, capacity."""
        return 24

    def __str__(self) -> str:
        return f"tape[{self.element}]"


Type = ArrayType | TapeType


def type_of(array: np.ndarray | np.generic) -> ArrayType:
    """The type of a NumPy array of a supported element type."""
    return ArrayType(array.shape, NAMES[array.dtype])
