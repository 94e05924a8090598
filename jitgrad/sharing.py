"""Arrays on GPUs that other libraries read, and theirs that become Arrays, without a copy."""

from __future__ import annotations

import importlib
from typing import Any

from .array import Array
from .devices import gpu
from .placement import opened


def _interop() -> Any:
    """The module jitgrad_compiler.runtime.cuda.interop."""
    return importlib.import_module("jitgrad_compiler.runtime.cuda.interop")


def capsule(x: Array, stream: Any, max_version: Any, dl_device: Any, copy: bool | None) -> Any:
    """What `__dlpack__` of an Array on a GPU gives."""
    return _interop().dlpack(x.ref, x.type, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def cuda_array_interface(x: Array) -> dict[str, Any]:
    """What `__cuda_array_interface__` of an Array on a GPU is."""
    found: dict[str, Any] = _interop().cuda_array_interface(x.ref, x.type)
    return found


def borrowed(x: Any, copy: bool | None) -> Array:
    """Another library's array on a GPU as an Array: of the same memory, which nobody may write to as long as the Array or what was
    computed without a copy of it lives; or of a copy on the device, also where kernels could not read the memory as it lies.

    Raises BufferError where that would be against copy=False.
    """
    memory, type = _interop().borrow(x)
    opened(gpu(memory.device.number))  # operations run where their arrays lie from here on
    if not memory.aligned and copy is False:
        raise BufferError(
            f"the array begins at the address {memory.pointer:#x}, and kernels read from multiples of 16: it must be copied, but "
            "copy=False was given"
        )
    return Array(type, None, memory.copied() if copy or not memory.aligned else memory)
