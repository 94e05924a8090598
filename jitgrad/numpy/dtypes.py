"""Constants and element types: pi, float32, finfo, promote_types, result_type, issubdtype, ..."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError
from jitgrad.operands import ArrayLike, axes_tuple, promote_all
from jitgrad.promotion import WEAK, default_float, dtype_name, exact_dtype_name, strong_dtype
from jitgrad_compiler.ir.builder import Weak
from jitgrad_compiler.ir.types import DTYPES, NAMES, DType, float_info

pi, e, euler_gamma = np.pi, np.e, np.euler_gamma
inf, nan = np.inf, np.nan
newaxis = None

generic, number, integer, signedinteger = np.generic, np.number, np.integer, np.signedinteger
unsignedinteger, inexact, floating, complexfloating = np.unsignedinteger, np.inexact, np.floating, np.complexfloating
flexible, character, object_ = np.flexible, np.character, np.object_  # of other libraries' arrays: there are no such elements here
ComplexWarning = np.exceptions.ComplexWarning
dtype, ndarray = np.dtype, Array


def finfo(dtype: Any) -> Any:
    """Limits of a float type: eps, max, min, tiny, bits, ...; of an array its type's.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.finfo("float32").eps)
    1.1920929e-07
    """
    return float_info(_kind(dtype).numpy)


def iinfo(dtype: Any) -> np.iinfo[Any]:
    """Limits of an integer type: min, max, bits; of an array its type's.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.iinfo("int8").max)
    127
    """
    return np.iinfo(_kind(dtype).numpy)


def _kind(x: Any) -> DType:
    return (
        strong_dtype(x.type.dtype, x.weak)
        if isinstance(x, Array)
        else exact_dtype_name(getattr(x, "dtype", x) if isinstance(x, np.ndarray) else x)
    )


def promote_types(a: Any, b: Any) -> np.dtype[Any]:
    """The element type of an operation between arrays of two types.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.promote_types("int64", "float32"), jnp.promote_types("uint8", "int8"))
    float32 int16
    """
    kinds = tuple((dtype_name(t), False) for t in (a, b))
    return promote_all(kinds, default_float())[0].numpy


def result_type(*args: Any) -> np.dtype[Any]:
    """The element type of an operation between arrays, numbers and types; Python's numbers, int, float and complex are weak.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.result_type(jnp.float32(1), 2.0, "int16"))
    float32
    """
    if not args:
        raise ArgumentError("result_type: needs at least one array or type")
    kinds = tuple(_weakly(x) for x in args)
    return strong_dtype(*promote_all(kinds, default_float())).numpy


def _weakly(x: Any) -> tuple[DType, Weak]:
    if isinstance(x, type) and x in (bool, int, float, complex):
        return WEAK[x]
    if isinstance(x, (type, str, np.dtype)):
        return dtype_name(x), False
    value = as_value(x, "result_type", borrow=True)
    return value.type.dtype, value.weak


def issubdtype(arg1: Any, arg2: Any) -> bool:
    """Whether a type is of a kind: issubdtype(x.dtype, jnp.floating).

    >>> import jitgrad.numpy as jnp
    >>> jnp.issubdtype(jnp.float32, jnp.floating)
    True
    """
    abstract = isinstance(arg2, type) and arg2 in (np.generic, np.number, np.inexact, np.floating)
    if abstract and _is_foreign_float(arg1):
        return True
    return bool(np.issubdtype(arg1, arg2))


def _is_foreign_float(x: Any) -> bool:
    """Whether a type is a float of ours that NumPy has no class of numbers for, bfloat16 for example."""
    if isinstance(x, type) and x.__module__ == "numpy":
        return False
    try:
        found = NAMES.get(np.dtype(x))
    except TypeError:
        return False
    return found is not None and found.is_float and found.numpy.kind == "V"


_KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f", "complex floating": "c",
    "numeric": "iufc",
}  # fmt: skip
_KIND_LETTERS = {"bool": "b", "signed": "i", "unsigned": "u", "float": "f", "complex": "c"}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a type is a type, of a kind ("bool", "integral", "real floating", "numeric", ...), or one of a tuple of them.

    Raises ArgumentError for an unknown kind.

    >>> import jitgrad.numpy as jnp
    >>> jnp.isdtype(jnp.float32, "real floating")
    True
    """
    found = exact_dtype_name(dtype).numpy
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return (_KIND_LETTERS[exact_dtype_name(dtype).kind]) in _KINDS[kind]
    if isinstance(kind, str) and kind not in DTYPES and not hasattr(np, kind):
        raise ArgumentError(f"isdtype: {kind!r} is no kind; there are {', '.join(_KINDS)}")
    return found == exact_dtype_name(kind).numpy


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Whether NumPy's rules let one type be cast to another.

    >>> import jitgrad.numpy as jnp
    >>> jnp.can_cast("int32", "float64")
    True
    """
    return bool(np.can_cast(_kind(from_).numpy, exact_dtype_name(to).numpy, casting=casting))  # type: ignore[arg-type]


def isscalar(element: Any) -> bool:
    """Whether something is a number or an array without axes.

    >>> import jitgrad.numpy as jnp
    >>> jnp.isscalar(3.0)
    True
    """
    return bool(np.isscalar(element)) or (isinstance(element, (Array, np.ndarray)) and not element.shape)


def iscomplexobj(x: ArrayLike) -> bool:
    """Whether an array's element type is complex.

    >>> import jitgrad.numpy as jnp
    >>> jnp.iscomplexobj(1j)
    True
    """
    return as_value(x, "iscomplexobj", borrow=True).type.dtype.is_complex


def isrealobj(x: ArrayLike) -> bool:
    """Whether an array's element type is not complex.

    >>> import jitgrad.numpy as jnp
    >>> jnp.isrealobj(1.0)
    True
    """
    return not iscomplexobj(x)


def shape(a: ArrayLike) -> tuple[int, ...]:
    """The sizes of an array's axes.

    >>> import jitgrad.numpy as jnp
    >>> jnp.shape(jnp.ones((2, 3)))
    (2, 3)
    """
    return as_value(a, "shape", borrow=True).type.shape


def ndim(a: ArrayLike) -> int:
    """How many axes an array has.

    >>> import jitgrad.numpy as jnp
    >>> jnp.ndim(jnp.ones((2, 3)))
    2
    """
    return as_value(a, "ndim", borrow=True).type.rank


def size(a: ArrayLike, axis: int | tuple[int, ...] | None = None) -> int:
    """How many elements an array has, in all or along axes.

    >>> import jitgrad.numpy as jnp
    >>> jnp.size(jnp.ones((2, 3)), 1)
    3
    """
    sizes = as_value(a, "size", borrow=True).type.shape
    if axis is None:
        return math.prod(sizes)
    return math.prod([sizes[i] for i in axes_tuple("size", axis, len(sizes))])
