"""NVIDIA's driver as a module of Python, `cuda.bindings.driver`, and what its answers mean.

The package cuda-bindings is asked for here alone, when a GPU is first used. Next on the path: bindings.py, which asks it.

cuda.core, which is built on it, has no graphs of kernels by themselves and takes several times as long a call, so it is not used.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import weakref
from typing import Any

from ...ending import at_end
from ...errors import DriverError

OLDEST_DRIVER = (12, 3)
"""The first CUDA whose driver knows PTX 8.3, which programs are written in."""
OLDEST_DEVICE = (8, 0)

OUT_OF_MEMORY, NOT_INITIALIZED, DEINITIALIZED, STUB, NO_DEVICE, NOT_READY = 2, 3, 4, 34, 100, 600
INVALID_PTX, NO_BINARY, UNSUPPORTED_PTX, NO_JIT_COMPILER = 218, 209, 222, 221
FAULTS = frozenset({214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 911})
"""Memory that failed, and all that ends a kernel: a bad address, an illegal instruction, an assertion, a time limit. Behind them
the context answers every call with the same (https://docs.nvidia.com/cuda/cuda-driver-api/, CUresult).
"""
_STARTS = {
    STUB: "libcuda.so is a stub to link against, not the driver. Take the folder 'stubs' out of LD_LIBRARY_PATH",
    803: "the driver's library and its kernel module are of different versions, as after an update. Restart the machine",
    804: "the library of CUDA's compatibility package does not go with this GPU. Take it out of LD_LIBRARY_PATH",
    999: "the driver can't start. In a container, see that it was started with its GPUs; else `nvidia-smi` may say more",
}


drivers: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those in use, which `refuse` everything in the child of a fork."""
_used = False
"""Whether this process, or the one it was forked from, has asked NVIDIA's driver for anything."""
_forked = False
"""Whether the process that it was forked from had."""
_ended = False
_FORKED = (
    "a GPU was asked for, but this process was forked from one that had used it, and CUDA does not work in the child. Start "
    "processes with multiprocessing.get_context('spawn'), or fork before the first use of a GPU."
)


def ended() -> bool:
    """Whether the process ends, so that nothing needs to be given back any more."""
    return _ended


def _in_child() -> None:
    global _forked
    _forked = _used
    for driver in drivers:
        driver.refuse(lambda: DriverError(_FORKED))


def _at_end() -> None:
    global _ended
    _ended = True


os.register_at_fork(after_in_child=_in_child)
at_end(_at_end)


def _bindings() -> Any:
    try:
        return importlib.import_module("cuda.bindings.driver")
    except ImportError as error:
        raise DriverError(
            "a GPU was asked for, and the package that speaks to its driver is missing (cuda-bindings). "
            f"Install it: pip install 'jitgrad[cuda]'. Python says: {error}"
        ) from error


def start(cuda: Any = None) -> tuple[Any, tuple[int, int]]:
    """NVIDIA's driver, started, and the CUDA that it knows. cuda: a stand-in for cuda.bindings.driver.

    Raises:
        DriverError: the package or the driver is missing, there is no GPU, or it is older than what programs are written for.
    """
    global _used
    if _forked:
        raise DriverError(_FORKED)
    cuda = _bindings() if cuda is None else cuda
    _used = True
    try:
        code = cuda.cuInit(0)[0]
        answer = cuda.cuDriverGetVersion() if not code else (0, 0)
    except RuntimeError as error:  # libcuda.so.1 is looked for at the first call
        raise DriverError(
            "a GPU was asked for, and this machine has no NVIDIA driver (libcuda.so.1). Install one, or use the processor: "
            f"device 'cpu'. cuda.bindings says: {error}"
        ) from error
    if code == NO_DEVICE:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise DriverError(
            "a GPU was asked for, and the driver finds none"
            + (f": CUDA_VISIBLE_DEVICES is {visible!r}. Unset it, or use" if visible is not None else ". Use")
            + " the processor: device 'cpu'."
        )
    if code:
        why = _STARTS.get(int(code))
        raise DriverError(f"NVIDIA's driver did not start: {why or described(cuda, code)}. Device 'cpu' works without it.")
    version = answer[1] // 1000, answer[1] % 1000 // 10
    if version < OLDEST_DRIVER:
        raise DriverError(
            f"NVIDIA's driver on this machine knows CUDA {dotted(version)}; programs are written for {dotted(OLDEST_DRIVER)} (PTX "
            "8.3) or newer. Install a driver of version 545 or newer, from 580 on the current ones, or use the device 'cpu'."
        )
    return cuda, version


def count_devices(cuda: Any = None) -> int:
    """How many devices NVIDIA's driver has for this process; raises as `start` does."""
    cuda, _ = start(cuda)
    return int(cuda.cuDeviceGetCount()[1])


def library(name: str) -> Any:
    """One of NVIDIA's libraries beside the driver, installed with pip, conda or the toolkit; None where it is not."""
    try:
        finder: Any = importlib.import_module("cuda.pathfinder")  # cuda-bindings needs it
        return ctypes.CDLL(finder.load_nvidia_dynamic_lib(name).abs_path)
    except (ImportError, AttributeError, RuntimeError, OSError):
        return None


def described(cuda: Any, code: Any) -> str:
    """An answer of the driver's, in its words."""
    try:
        name, text = cuda.cuGetErrorName(code)[1], cuda.cuGetErrorString(code)[1]
        return f"{name.decode()} ({text.decode()})"
    except (RuntimeError, AttributeError):
        return f"error {int(code)}"


def dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
