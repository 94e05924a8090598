"""`Array`, the class of every value users hold, and how other things become one. Operators are in numpy/methods.py.

An Array is concrete (holds memory), traced (stands for a value inside jit or vmap) or a dual number (inside grad); `isinstance(x,
jitgrad.Array)` holds for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jitgrad_compiler.ir.builder import Builder, Value, install_value_class, leaked, literal, state
from jitgrad_compiler.ir.types import NAMES, NUMPY, ArrayType

from .errors import (
    ConcretizationTypeError,
    DonatedBufferError,
    DTypeError,
    JitgradError,
    NotAnArrayError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)
from .promotion import strong_dtype
from .suggestions import suggest

WEAK_SCALARS = {bool: "bool", int: "i64", float: "f64", complex: "c128"}
WEAK_NUMPY = {np.float64: "f64", np.int64: "i64", np.complex128: "c128", np.bool_: "bool"}


class _Donated:
    """Takes the place of memory that was given away."""

    __slots__ = ()

    @property
    def address(self) -> int:
        raise DonatedBufferError(
            "this array was donated to a jitted function (donate_argnums), which may have written over its memory. "
            "Use the function's result instead, or do not donate the argument."
        )

    def array(self, type: ArrayType) -> Any:
        return self.address


DONATED = _Donated()


class Array(Value):
    """An immutable n-dimensional array. Made by the functions of `jitgrad.numpy`; operators promote types as jax does."""

    __slots__ = ()
    __array_priority__ = 100

    if TYPE_CHECKING:  # attached by numpy/methods.py; declared here for type checkers

        def __add__(self, other: Any, /) -> Array: ...
        def __radd__(self, other: Any, /) -> Array: ...
        def __sub__(self, other: Any, /) -> Array: ...
        def __rsub__(self, other: Any, /) -> Array: ...
        def __mul__(self, other: Any, /) -> Array: ...
        def __rmul__(self, other: Any, /) -> Array: ...
        def __truediv__(self, other: Any, /) -> Array: ...
        def __rtruediv__(self, other: Any, /) -> Array: ...
        def __floordiv__(self, other: Any, /) -> Array: ...
        def __rfloordiv__(self, other: Any, /) -> Array: ...
        def __mod__(self, other: Any, /) -> Array: ...
        def __rmod__(self, other: Any, /) -> Array: ...
        def __pow__(self, other: Any, /) -> Array: ...
        def __rpow__(self, other: Any, /) -> Array: ...
        def __matmul__(self, other: Any, /) -> Array: ...
        def __rmatmul__(self, other: Any, /) -> Array: ...
        def __and__(self, other: Any, /) -> Array: ...
        def __rand__(self, other: Any, /) -> Array: ...
        def __or__(self, other: Any, /) -> Array: ...
        def __ror__(self, other: Any, /) -> Array: ...
        def __xor__(self, other: Any, /) -> Array: ...
        def __rxor__(self, other: Any, /) -> Array: ...
        def __lshift__(self, other: Any, /) -> Array: ...
        def __rshift__(self, other: Any, /) -> Array: ...
        def __lt__(self, other: Any, /) -> Array: ...
        def __le__(self, other: Any, /) -> Array: ...
        def __gt__(self, other: Any, /) -> Array: ...
        def __ge__(self, other: Any, /) -> Array: ...
        def __eq__(self, other: object, /) -> Array: ...  # type: ignore[override]
        def __ne__(self, other: object, /) -> Array: ...  # type: ignore[override]
        def __neg__(self) -> Array: ...
        def __pos__(self) -> Array: ...
        def __abs__(self) -> Array: ...
        def __invert__(self) -> Array: ...
        def __getitem__(self, index: Any, /) -> Array: ...
        def __getattr__(self, name: str, /) -> Any: ...

    def data(self) -> Any:
        ref = self.ref
        if type(ref) is np.ndarray or isinstance(ref, np.generic):
            return ref
        if self.trace is not None:
            raise TypeError("a traced value has no data")
        return ref.array(self.type)  # memory that a compiled program wrote or has read

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return NUMPY[strong_dtype(self.type.dtype, self.weak)]

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> int:
        return self.type.size

    @property
    def nbytes(self) -> int:
        return self.type.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def weak_type(self) -> bool:
        return self.weak

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        concrete = self.concrete()
        if concrete is None:
            raise self._not_concrete(TracerArrayConversionError, "numpy.asarray", "jitgrad.numpy's function of the same name")
        array = np.asarray(concrete.data())
        target = self.dtype if dtype is None else np.dtype(dtype)
        if array.dtype != target:
            if copy is False:
                raise ValueError("numpy.asarray: another type needs a copy, and copy=False was given")
            return array.astype(target)
        if copy:
            return array.copy()
        view = array.view()
        view.flags.writeable = False
        return view

    def concrete(self) -> Array | None:
        """The array itself where it is one, through any levels of differentiation; None for a traced value."""
        v: Any = self
        while v.trace is not None:
            if isinstance(v.trace, Builder):
                return None
            v = v.ref[0]
        return v

    def _not_concrete(self, error: type[JitgradError], what: str, instead: str) -> JitgradError:
        """The exception for a traced value where Python needs a number."""
        v: Any = self
        while not isinstance(v.trace, Builder):
            v = v.ref[0]
        if not v.trace.alive:
            return leaked(v)
        suggestion = suggest(self.shape, self.dtype)
        code = ""
        if suggestion is not None:
            what, instead = suggestion.what, suggestion.advice
            code = f"\n\n{suggestion.code}\n" if suggestion.code else ""
        return error(
            f"{what} needs a concrete number, got a traced value of type {self.dtype}{list(self.shape)}{v.trace.where}. Inside jit "
            f"and vmap values are not known yet. Use {instead}, or move this line out of the function.{code}"
        )

    def __bool__(self) -> bool:
        concrete = self.concrete()
        if concrete is None:
            raise self._not_concrete(
                TracerBoolConversionError, "`if`, `while`, `and`, `or` or `not`", "jitgrad.numpy.where(condition, a, b)"
            )
        if self.size != 1:
            raise ValueError(f"the truth of an array of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(np.asarray(concrete.data()).reshape(()))

    def _scalar(self, what: str) -> Any:
        concrete = self.concrete()
        if concrete is None:
            error = TracerIntegerConversionError if what in ("int()", "an index or a size") else ConcretizationTypeError
            raise self._not_concrete(error, what, "the array itself with jitgrad.numpy's functions, make the argument static")
        if self.size != 1:
            raise TypeError(f"{what} needs an array of one element, got shape {self.shape}")
        return np.asarray(self).reshape(())[()]

    def __float__(self) -> float:
        return float(self._scalar("float()"))

    def __int__(self) -> int:
        return int(self._scalar("int()"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex()"))

    def __index__(self) -> int:
        value = self._scalar("an index or a size")
        if self.type.dtype[0] not in "iu":
            raise TypeError(f"only integer arrays can be indices, got {self.dtype}")
        return int(value)

    def __len__(self) -> int:
        if not self.type.shape:
            raise TypeError("len() of an array without axes")
        return self.type.shape[0]

    def __iter__(self) -> Any:
        if not self.type.shape:
            raise TypeError("iteration over an array without axes")
        return (self[i] for i in range(self.type.shape[0]))

    def __repr__(self) -> str:
        concrete = self.concrete()
        if concrete is None:
            return f"Traced<{self.dtype}{list(self.shape)}>"
        text = np.array2string(np.asarray(self), separator=", ", prefix="Array(")
        shown = f"Array({text}, dtype={self.dtype})"
        return shown if self.trace is None else f"Dual<{shown}>"

    def __str__(self) -> str:
        concrete = self.concrete()
        return repr(self) if concrete is None else str(np.asarray(self))

    def __format__(self, spec: str) -> str:
        if self.type.shape or self.concrete() is None:
            return format(str(self), spec)
        return format(self._scalar("format()").item(), spec)

    def __hash__(self) -> int:
        raise TypeError("arrays are not hashable; use numpy.asarray(x).tobytes() as a key, or id(x)")

    def item(self, *index: int) -> Any:
        """The one element, or the one at `index`, as a Python number."""
        return np.asarray(self).item(*index)

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return np.asarray(self).tolist()

    def block_until_ready(self) -> Array:
        """This array; results are always complete, so nothing is waited for."""
        return self

    def __getstate__(self) -> Any:
        return np.array(self)

    def __reduce__(self) -> Any:
        return (from_numpy, (np.array(self),))

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: Any) -> Array:
        return self

    def __dlpack__(self, *, max_version: tuple[int, int] | None = None, **kwargs: Any) -> Any:
        """The memory for another library, which must not write to it; one that cannot be told so gets a copy."""
        array = np.asarray(self)
        if max_version is None or max_version < (1, 0):
            return array.copy().__dlpack__(**kwargs)
        return array.__dlpack__(max_version=max_version, **kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


install_value_class(Array)


def from_numpy(array: np.ndarray | np.generic) -> Array:
    """An Array of a NumPy array's memory, which must not change any more."""
    if array.dtype not in NAMES:
        if array.dtype.kind in "iufcb" and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        else:
            raise DTypeError(
                f"an array of type {array.dtype} cannot become a jitgrad array; there are {', '.join(map(str, NAMES))}"
            )
    return Array(ArrayType(array.shape, NAMES[array.dtype]), None, array)


def as_value(x: Any, where: str = "", borrow: bool = False) -> Array:
    """Anything that can stand for an array, as an Array: Arrays themselves, Python and NumPy scalars, NumPy arrays.

    A NumPy array is copied, because results and what a derivative keeps may be views of it, and its owner may write to it; `borrow`
    is for who only reads its type, or its elements before the call returns.
    """
    if isinstance(x, Array):
        return x
    dtype = WEAK_SCALARS.get(type(x)) or WEAK_NUMPY.get(type(x))
    if dtype is not None:
        try:
            value = literal(x, dtype)
        except OverflowError:
            raise DTypeError(f"{where or 'array'}: the Python int {x} does not fit in 64 bits") from None
        value.weak = True
        return value  # type: ignore[return-value]
    if isinstance(x, (np.ndarray, np.generic)):
        if hasattr(x, "mask"):
            raise NotAnArrayError(f"{where or 'this function'} needs an array, got a masked one; give x.filled(value) or x.data")
        if borrow or isinstance(x, np.generic):
            return from_numpy(x if isinstance(x, np.generic) else np.asarray(x))
        return _owned(x)
    if hasattr(x, "__jitgrad_array__"):
        return as_value(x.__jitgrad_array__(), where)
    if hasattr(x, "__array__") and not isinstance(x, type):
        return from_numpy(np.array(x))
    raise NotAnArrayError(
        f"{where or 'this function'} needs an array or a number, got {type(x).__name__}: {str(x)[:60]!r}. "
        "Lists become arrays with jitgrad.numpy.array."
    )


def _owned(x: np.ndarray) -> Array:
    """A copy of a NumPy array as it is now; a body that is being traced copies one array once."""
    builder = state.staging
    if builder is None:
        return from_numpy(np.array(x))
    found = builder.copies.get(id(x))
    if found is None:
        found = builder.copies[id(x)] = (x, from_numpy(np.array(x)))
    return found[1]
