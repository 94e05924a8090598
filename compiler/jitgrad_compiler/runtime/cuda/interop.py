"""A GPU's memory shared with other libraries, without a copy: by `__cuda_array_interface__` and by DLPack, out and in.

Streams are respected both ways: what others read is ordered behind what was asked before, and a block that was lent is used again
behind what they have asked for. What was borrowed is given back when everything that was asked here has run.

https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html (version 3), https://dmlc.github.io/dlpack/latest/c_api.html
(1.1), whose capsules are in dlpack_capsules.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DriverError, DTypeError, ShapeError
from ...ir.types import NAMES, ArrayType
from .devices import Device, device
from .dlpack_capsules import CODES, CUDA, CUDA_MANAGED, VERSION, Borrowed, capsule
from .memory import DEFAULT_STREAM, Buffer, DeviceMemory


def cuda_array_interface(memory: DeviceMemory, type: ArrayType) -> dict[str, Any]:
    """What `__cuda_array_interface__` is to be. Whoever takes it keeps the array, and must not write into it.

    Raises:
        AttributeError: a type that the protocol has no name for.
    """
    if type.dtype.numpy.kind not in "biufc":
        raise AttributeError(f"__cuda_array_interface__ has no name for {type.dtype}; DLPack has: use the library's from_dlpack")
    _lend(memory, DEFAULT_STREAM, whoever=True)
    return {
        "shape": type.shape,
        "typestr": type.dtype.numpy.str,
        "data": (memory.pointer if memory.nbytes else 0, False),  # PyTorch takes nothing that says it is read-only
        "strides": None,
        "stream": memory.device.driver.stream,
        "version": 3,
    }


def dlpack_device(memory: DeviceMemory) -> tuple[int, int]:
    """What `__dlpack_device__()` is to give."""
    return CUDA, memory.device.number


def dlpack(
    memory: DeviceMemory,
    type: ArrayType,
    *,
    stream: int | None = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """What `__dlpack__` is to give. stream: where the other library will read; None: on the default one; -1: it sees to order.

    Raises:
        BufferError: a type that DLPack has no code for, or another device.
    """
    if dl_device is not None and tuple(dl_device) != dlpack_device(memory):
        raise BufferError(
            f"DLPack: the array lies on {memory.device.name}, not on the device {tuple(dl_device)}: move it there first"
        )
    if type.dtype not in CODES:
        raise BufferError(f"DLPack has no code for the type {type.dtype}")
    if stream == 0:
        raise BufferError("DLPack: stream 0 is ambiguous; give 1 (the default stream) or 2 (the thread's)")
    memory = memory.copied() if copy else memory
    reading = DEFAULT_STREAM if stream is None else stream
    if reading != -1 and reading != memory.device.driver.stream:
        _lend(memory, reading)
    elif reading == -1:
        _lend(memory, DEFAULT_STREAM, whoever=True)
    versioned = max_version is not None and max_version[0] >= VERSION[0]
    return capsule(memory, type, versioned, bool(copy))


def _lend(memory: DeviceMemory, stream: int, whoever: bool = False) -> None:
    """Let a stream read what was asked for so far, and the block rest until it has. whoever: other streams, too."""
    memory.device.driver.lead(stream)
    if isinstance(memory.buffer, Buffer):
        memory.buffer.lend(stream == DEFAULT_STREAM and not whoever)


def is_on_gpu(x: Any) -> bool:
    """Whether an object of another library's says that its elements are on a GPU."""
    if hasattr(x, "__dlpack_device__"):
        return x.__dlpack_device__()[0] in (CUDA, CUDA_MANAGED)
    return hasattr(x, "__cuda_array_interface__")


def borrow(x: Any) -> tuple[DeviceMemory, ArrayType]:
    """The memory of another library's array on a GPU, which must not be written into as long as what is given here lives.

    Raises:
        ShapeError: the elements do not lie one behind the other, row-major.
        DTypeError: a type that arrays here don't have.
        DriverError: the device can't be used.
    """
    if hasattr(x, "__dlpack__"):
        kind, number = x.__dlpack_device__()
        if kind not in (CUDA, CUDA_MANAGED):
            raise DriverError(f"DLPack: the array is on a device of kind {kind}, not on an NVIDIA GPU ({CUDA})")
        return _from_dlpack(x, device(number))
    return _from_interface(x, x.__cuda_array_interface__)


def _from_dlpack(x: Any, on: Device) -> tuple[DeviceMemory, ArrayType]:
    stream = on.driver.stream
    try:
        found = Borrowed(x.__dlpack__(stream=stream, max_version=VERSION), on.driver)
    except TypeError:  # of before DLPack 1.0
        found = Borrowed(x.__dlpack__(stream=stream), on.driver)
    if found.dtype is None:
        raise DTypeError(f"DLPack: arrays here have no type of code {found.code}, {found.bits} bits")
    type = _type(found.shape, found.dtype, found.strides)
    return DeviceMemory(on, found.pointer, type.nbytes, found), type


def _from_interface(x: Any, interface: dict[str, Any]) -> tuple[DeviceMemory, ArrayType]:
    dtype = NAMES.get(np.dtype(interface["typestr"]))
    if dtype is None:
        raise DTypeError(f"__cuda_array_interface__: arrays here have no type {interface['typestr']}")
    if interface.get("mask") is not None:
        raise DTypeError("__cuda_array_interface__: masked arrays are not taken")
    shape = tuple(interface["shape"])
    strides = interface.get("strides")
    type = _type(shape, dtype, None if strides is None else tuple(s // dtype.nbytes for s in strides))
    pointer = interface["data"][0] or 0
    number = device(0).driver.number_of(pointer) if pointer else 0
    on = device(number)
    stream = interface.get("stream", DEFAULT_STREAM)  # version 2 had none
    if stream is not None:
        on.driver.follow(stream)
    return DeviceMemory(on, pointer, type.nbytes, _Kept(x, on)), type


class _Kept:
    """An object of another library's that owns memory, kept until what was asked here has run."""

    def __init__(self, owner: Any, on: Device) -> None:
        self._owner, self._driver = owner, on.driver

    def __del__(self) -> None:
        self._driver.release([self._owner].clear)


def _type(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None) -> ArrayType:
    if strides is not None and 0 not in shape:
        expected = 1
        for size, stride in zip(reversed(shape), reversed(strides), strict=True):
            if size != 1 and stride != expected:
                raise ShapeError(
                    f"an array of shape {shape} and strides {strides} does not lie row-major in one piece: make it so first "
                    "(x.contiguous() in PyTorch, cupy.ascontiguousarray(x))"
                )
            expected *= size
    return ArrayType(shape, dtype)
