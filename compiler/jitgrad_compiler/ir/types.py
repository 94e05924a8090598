"""Types of the IR: the element types, each a record, and shapes. Everything else in the compiler builds on these.

What there is to know of an element type stands in its `DType`; how a target spells it is the target's (targets/emitter.py).
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import ml_dtypes
import numpy as np

Kind = Literal["bool", "signed", "unsigned", "float", "complex", "pointer"]


def float_info(numpy: Any) -> Any:
    """The limits of a float type: numpy.finfo's, which knows of NumPy's own types, or the same of others."""
    return np.finfo(numpy) if np.dtype(numpy).kind in "fc" else ml_dtypes.finfo(numpy)  # type: ignore[no-untyped-call]


class DType(str):
    """An element type: its name, with all facts about it. There is one of each, so that comparing and hashing are those of a name.

    It is a string because graphs, kernels and their keys are text that names it. `DTYPES` looks a name up.

    kind: what sort of number it is. bits: of a value in a register; nbytes: of one in memory. numpy: NumPy's type, None for what no
    array holds. computed: the type that arithmetic is done in, rounded to this one behind each op. accumulated: the type of running
    sums. real: of a complex number's parts, else itself. complex: of a number with two parts of this type. fraction_bits: of a
    float, behind the leading one. is_storage: whether it is computed in another type: ir/storage.py.
    """

    __slots__ = (
        "accumulated", "bits", "complex", "computed", "fraction_bits", "is_complex", "is_float", "is_inexact", "is_integer",
        "is_signed", "is_storage", "is_unsigned", "kind", "nbytes", "numpy", "real",
    )  # fmt: skip
    kind: Kind
    bits: int
    nbytes: int
    numpy: Any
    computed: DType
    accumulated: DType
    real: DType
    complex: DType | None
    fraction_bits: int
    is_float: bool
    is_complex: bool
    is_inexact: bool
    is_integer: bool
    is_signed: bool
    is_storage: bool
    is_unsigned: bool

    def __new__(
        cls, name: str, kind: Kind, bits: int, numpy: Any = None, real: DType | None = None, computed: DType | None = None
    ) -> DType:
        self = super().__new__(cls, name)
        facts: dict[str, Any] = {
            "kind": kind, "bits": bits, "nbytes": max(bits // 8, 1), "numpy": None if numpy is None else np.dtype(numpy),
            "computed": computed or self, "accumulated": computed or self, "real": real or self, "complex": None,
            "fraction_bits": float_info(numpy).nmant if kind == "float" else 0, "is_storage": computed is not None,
            "is_float": kind == "float", "is_complex": kind == "complex", "is_inexact": kind in ("float", "complex"),
            "is_integer": kind in ("signed", "unsigned"), "is_signed": kind == "signed", "is_unsigned": kind == "unsigned",
        }  # fmt: skip
        for fact, value in facts.items():
            object.__setattr__(self, fact, value)
        if real is not None:
            object.__setattr__(real, "complex", self)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self}: an element type's facts do not change")

    def __reduce__(self) -> Any:
        return (named, (str(self),))


BOOL = DType("bool", "bool", 1, np.bool_)
I8, I16, I32, I64 = (DType(f"i{bits}", "signed", bits, f"int{bits}") for bits in (8, 16, 32, 64))
U8, U16, U32, U64 = (DType(f"u{bits}", "unsigned", bits, f"uint{bits}") for bits in (8, 16, 32, 64))
F32, F64 = (DType(f"f{bits}", "float", bits, f"float{bits}") for bits in (32, 64))
F16 = DType("f16", "float", 16, np.float16, computed=F32)
BF16 = DType("bf16", "float", 16, ml_dtypes.bfloat16, computed=F32)
F8_E4M3 = DType("f8_e4m3", "float", 8, ml_dtypes.float8_e4m3fn, computed=F32)
C64, C128 = (DType(f"c{real.bits * 2}", "complex", real.bits * 2, f"complex{real.bits * 2}", real) for real in (F32, F64))

DTYPES: dict[str, DType] = {d: d for d in (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F8_E4M3, BF16, F16, F32, F64, C64, C128)}
"""Every element type of arrays, by its name."""
NAMES: dict[Any, DType] = {d.numpy: d for d in DTYPES.values()}
"""The same by NumPy's type."""
SIGNED = tuple(d for d in DTYPES.values() if d.is_signed)
UNSIGNED = tuple(d for d in DTYPES.values() if d.is_unsigned)
INTEGERS = SIGNED + UNSIGNED
FLOATS = tuple(d for d in DTYPES.values() if d.is_float)
COMPLEX = tuple(d for d in DTYPES.values() if d.is_complex)
INEXACT = FLOATS + COMPLEX


def named(name: str) -> DType:
    """The element type of a name: what a pickled one comes back as."""
    return DTYPES[name]


def signed_integer(bits: int) -> DType:
    """The signed integer of so many bits."""
    return DTYPES[f"i{bits}"]


def unsigned_integer(bits: int) -> DType:
    """The unsigned integer of so many bits."""
    return DTYPES[f"u{bits}"]


def complex_of(dtype: DType) -> DType:
    """The complex number whose parts have this type."""
    if dtype.complex is None:
        raise TypeError(f"there are no complex numbers with parts of type {dtype}")
    return dtype.complex


Shape = tuple[int, ...]


class ArrayType(NamedTuple):
    """Shape and element type of an array: `f32[3,4]`."""

    shape: Shape
    dtype: DType

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.nbytes

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
    def dtype(self) -> DType:
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
