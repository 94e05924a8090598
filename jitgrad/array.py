"""`Array`, the class of every value users hold, and how other things become one. Operators are in numpy/methods.py.

An Array is concrete (holds memory), traced (stands for a value inside jit or vmap) or a dual number (inside grad); `isinstance(x,
jitgrad.Array)` holds for all of them. How one becomes a Python number or a NumPy array: to_python.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jitgrad_compiler.ir.builder import install_value_class, literal, state
from jitgrad_compiler.ir.types import I64, NAMES, U64, ArrayType

from .config import config
from .devices import CPU, Device, SingleDeviceSharding, as_device, default, gpu
from .errors import DonatedBufferError, DTypeError, NotAnArrayError, NumberRangeError
from .promotion import NARROW, PYTHON, WEAK, strong_dtype
from .to_python import ToPython


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


CUDA, CUDA_MANAGED = 2, 13
"""DLPack's numbers of NVIDIA's GPUs, and of memory that they and the processor share."""


def memory_device(ref: Any) -> Device | None:
    """The GPU that an Array's payload lies on; None for what lies elsewhere."""
    return None if getattr(ref, "pointer", None) is None else gpu(ref.device.number)


class Array(ToPython):
    """An immutable n-dimensional array. Made by the functions of `jitgrad.numpy`; operators promote types as jax does."""

    __slots__ = ()
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

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
        if self.owner is not None:
            raise TypeError("a traced value has no data")
        return ref.array(self.type)  # memory that a compiled program wrote or has read

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return strong_dtype(self.type.dtype, self.weak).numpy

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
        return bool(self.weak)

    @property
    def device(self) -> Device:
        """What this array lies on, through any levels of differentiation; of a traced value the default device."""
        found = self if self.owner is None else self.concrete()
        return default() if found is None else memory_device(found.ref) or CPU

    def devices(self) -> set[Device]:
        """The device that this array lies on, in a set."""
        return {self.device}

    @property
    def sharding(self) -> SingleDeviceSharding:
        return SingleDeviceSharding(self.device)

    def to_device(self, device: Any, *, stream: Any = None) -> Array:
        """This array on a device, "cpu", "cuda" or another: itself where it lies there, else a copy. Raises ArgumentError for what
        is no device, DriverError for one that is not there.
        """
        from .placement import moved

        return moved("Array.to_device", self, as_device("Array.to_device", device))

    def __len__(self) -> int:
        if not self.type.shape:
            raise TypeError("len() of an array without axes: it is one number. x.size is 1, and x[None] has an axis")
        return self.type.shape[0]

    def __iter__(self) -> Any:
        if not self.type.shape:
            raise TypeError("iteration over an array without axes: it is one number. x[None] has an axis, x.item() is the number")
        ref = self.ref
        if type(ref) is np.ndarray and self.owner is None and not self.weak and state.staging is None:
            part = ArrayType(self.type.shape[1:], self.type.dtype)
            return map(lambda i: Array(part, None, ref[i, ...]), range(self.type.shape[0]))
        return map(self.__getitem__, range(self.type.shape[0]))

    def block_until_ready(self) -> Array:
        """This array, once its elements are there: on the processor they always are, on a GPU its kernels are waited for."""
        if memory_device(self.ref) is not None:
            self.ref.device.driver.synchronize()
        return self

    def __getstate__(self) -> Any:
        return np.array(self)

    def __reduce__(self) -> Any:
        return (_restored, (np.array(self),))

    def copy(self) -> Array:
        """The same elements in memory of their own, which outlives a donation of this array. A traced value is its own copy."""
        if self.owner is not None or isinstance(self.ref, np.generic):
            return self
        if memory_device(self.ref) is not None:
            return Array(self.type, None, self.ref.copied(), self.weak)
        return Array(self.type, None, np.array(self.data()), self.weak)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The elements for another library: on the processor a copy, as not all heed that memory is read-only, and arrays never
        change. On a GPU the memory itself, which must not be written to; work on `stream` comes behind what was asked for here.

        Raises BufferError for copy=False on the processor. numpy.asarray(x) is a read-only view without a copy.
        """
        device = memory_device(self.ref)
        if device is not None and dl_device in (None, (CUDA, device.id)):
            from .sharing import capsule

            return capsule(self, stream, max_version, dl_device, copy)
        if copy is False:
            raise BufferError("DLPack: arrays are immutable, so other libraries get a copy, but copy=False was given")
        return np.array(self).__dlpack__(stream=stream if device is None else None, max_version=max_version, dl_device=dl_device)

    def __dlpack_device__(self) -> tuple[int, int]:
        device = memory_device(self.ref)
        return (1, 0) if device is None else (CUDA, device.id)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The memory of an array on a GPU for CuPy, Numba and others, which must not write to it."""
        if memory_device(self.ref) is None:
            raise AttributeError(
                "__cuda_array_interface__: the array does not lie on a GPU; jitgrad.device_put(x, 'cuda') does that"
            )
        from .sharing import cuda_array_interface

        return cuda_array_interface(self)


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


def narrow(array: Any) -> Any:
    """A NumPy array or scalar in the element type that arrays have for its own."""
    if config.jax_enable_x64 or NAMES.get(array.dtype) not in NARROW:
        return array
    return array.astype(NARROW[NAMES[array.dtype]].numpy)


def as_value(x: Any, where: str = "", borrow: bool = False) -> Array:
    """Anything that can stand for an array, as an Array: Arrays themselves, Python and NumPy scalars, NumPy arrays.

    A NumPy array is copied, because results and what a derivative keeps may be views of it, and its owner may write to it; `borrow`
    is for who only reads its type, or its elements before the call returns.
    """
    if isinstance(x, Array):
        return x
    scalar = WEAK.get(type(x))
    if scalar is not None:
        dtype, weak = scalar
        if dtype == I64 and not -(2**31) <= x < 2**31:
            bits = 64 if config.jax_enable_x64 or weak != PYTHON else 32
            if not -(2 ** (bits - 1)) <= x < 2**bits:
                raise NumberRangeError(f"{where or 'array'}: the Python int {x} does not fit in {bits} bits")
            dtype = I64 if x < 2**63 else U64
        value = literal(x, dtype)
        value.weak = weak
        return value  # type: ignore[return-value]
    if isinstance(x, (np.ndarray, np.generic)):
        if hasattr(x, "mask"):
            raise NotAnArrayError(f"{where or 'this function'} needs an array, got a masked one; give x.filled(value) or x.data")
        try:
            if borrow or isinstance(x, np.generic):
                return from_numpy(narrow(x if isinstance(x, np.generic) else np.asarray(x)))
            return _owned(x)
        except DTypeError as error:
            raise DTypeError(f"{where}: {error.message}" if where else error.message) from None
    if isinstance(x, (int, float, complex)):  # of a class of their own, an IntEnum for example
        return as_value(int(x) if isinstance(x, int) else float(x) if isinstance(x, float) else complex(x), where)
    if hasattr(x, "__jitgrad_array__"):
        return as_value(x.__jitgrad_array__(), where)
    if isinstance(x, type):
        raise NotAnArrayError(f"{where or 'this function'} needs an array or a number, got {described(x)}")
    if hasattr(x, "__cuda_array_interface__"):
        from .sharing import borrowed

        return borrowed(x, copy=True)
    if hasattr(x, "__array__"):
        return _brought(from_numpy(narrow(np.array(x))))
    raise NotAnArrayError(f"{where or 'this function'} needs an array or a number, got {described(x)}")


def described(x: Any) -> str:
    """What stands where an array should, and what to do about it."""
    if x is None:
        return "None, which is no number. For a value that is missing give a number that says so, jitgrad.numpy.nan for example."
    if isinstance(x, (str, bytes)):
        return f"the string {x[:60]!r}, which is no number. Convert it with float(), or pass it as a static argument."
    got = f"{type(x).__name__}: {str(x)[:60]!r}"
    if type(x).__module__ == "builtins":
        return f"{got}. Lists become arrays with jitgrad.numpy.array."
    return f"{got}. A class becomes a container of arrays with jitgrad.tree_util.register_dataclass or register_pytree_node."


_bring: Callable[[Array], Array] | None = None


def bring_by(bring: Callable[[Array], Array]) -> None:
    """`bring` is asked from now on where a new Array of the processor's is to lie: on the default device. placement.py has it."""
    global _bring
    _bring = bring


def _brought(x: Array) -> Array:
    return x if _bring is None else _bring(x)


def _restored(array: np.ndarray) -> Array:
    """What was pickled, on the default device."""
    return _brought(from_numpy(array))


def _owned(x: np.ndarray) -> Array:
    """A copy of a NumPy array as it is now; a body that is being traced copies one array once."""
    builder = state.staging
    if builder is None:
        return _brought(from_numpy(narrow(np.array(x))))
    found = builder.copies.get(id(x))
    if found is None:
        found = builder.copies[id(x)] = (x, from_numpy(narrow(np.array(x))))
    return found[1]
