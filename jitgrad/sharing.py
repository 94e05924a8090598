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


def borrowed(x: Any, copy: bool) -> Array:
    """Another library's array on a GPU as an Array: of the same memory, which nobody may write to as long as the Array or what was
    computed without a copy of it lives; or of a copy on the device.
    """
    memory, type = _interop().borrow(x)
    opened(gpu(memory.device.number))  # operations run where their arrays lie from here on
    return Array(type, None, memory.copied() if copy else memory)
