"""The one gate to what is private in llvmlite: the lock that it holds in every call, its function that makes objects, and a switch
of its LLVM.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm

from ..errors import incompatible

# Loop strength reduction is off: a quarter to a third of code generation went into it, and it gains nothing, as addresses are
# written here as the machine takes them, a base and one index.
STRENGTH_REDUCTION = "disable-lsr"
LLVM_VERSIONS = (22,)
"""Those known to have the switch: LLVM ends the process where it is given an unknown one."""


def lock() -> Any:
    """The lock that llvmlite holds in every call, which has no public name: a context manager, which a thread may enter again.

    Raises PackageVersionError where it is not as expected.
    """
    library: Any = getattr(llvm.ffi, "lib", None)
    found = getattr(library, "_lock", None)
    if found is None:
        raise incompatible("llvmlite", "its lock, llvmlite.binding.ffi.lib._lock, is missing")
    if not hasattr(found, "__enter__") or not isinstance(getattr(found, "_lock", None), type(threading.RLock())):
        raise incompatible("llvmlite", "its lock, llvmlite.binding.ffi.lib._lock, is no context manager over an RLock any more")
    if getattr(library.LLVMPY_GetVersionInfo, "_lock", None) is not found:
        raise incompatible("llvmlite", "its functions are not called under llvmlite.binding.ffi.lib._lock any more")
    return found


def check_switch() -> None:
    """Raise PackageVersionError unless LLVM is known to have the switch."""
    if llvm.llvm_version_info[0] not in LLVM_VERSIONS:
        version, known = ".".join(map(str, llvm.llvm_version_info)), " or ".join(map(str, LLVM_VERSIONS))
        raise incompatible("llvmlite", f"of its LLVM {version} the switch -{STRENGTH_REDUCTION} is not known, as of LLVM {known}")


@contextmanager
def without_strength_reduction() -> Iterator[None]:
    """LLVM's switches are the process's: Numba's code, compiled with the lock free, keeps its own."""
    with _lock:
        llvm.set_option("jitgrad", f"-{STRENGTH_REDUCTION}=true")
        try:
            yield
        finally:
            llvm.set_option("jitgrad", f"-{STRENGTH_REDUCTION}=false")


class _Objects(ctypes.Structure):
    """What `jitgrad_objects` is given (cpu/machine/driver.py): which module is next, how many there are, llvmlite's function, and
    for each task a machine, for each module itself, its object, and where an error's text goes.
    """

    _fields_ = [
        ("next", ctypes.c_int64), ("count", ctypes.c_int64), ("emit", ctypes.c_void_p), ("machines", ctypes.c_void_p),
        ("modules", ctypes.c_void_p), ("objects", ctypes.c_void_p), ("errors", ctypes.c_void_p),
    ]  # fmt: skip


def emit_objects(
    machines: Sequence[llvm.TargetMachine], modules: Sequence[llvm.ModuleRef], run: Callable[[int, int], None]
) -> list[bytes]:
    """The modules' relocatable objects, made by several threads at once, which llvmlite's lock would keep from it.

    LLVM allows it where threads share neither context nor machine. `run(args, tasks)` runs `jitgrad_objects` with so many tasks.
    """
    library: Any = llvm.ffi.lib
    count = len(modules)
    pointers = ctypes.c_void_p * count
    objects, errors = pointers(), pointers()
    given = [
        (ctypes.c_void_p * len(refs))(*[ctypes.cast(r._ptr, ctypes.c_void_p).value for r in refs]) for refs in (machines, modules)
    ]
    emit = ctypes.cast(library.LLVMPY_TargetMachineEmitToMemory._cfn, ctypes.c_void_p)
    places = [ctypes.addressof(a) for a in (*given, objects, errors)]
    args = _Objects(0, count, emit.value, *places)
    with _lock:
        run(ctypes.addressof(args), len(machines))
        found = []
        for buffer, error in zip(objects, errors, strict=True):
            if buffer is None:
                raise RuntimeError(ctypes.string_at(error).decode() if error else "LLVM made no object")
            buffer = ctypes.cast(buffer, library.LLVMPY_TargetMachineEmitToMemory.restype)
            found.append(ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer)))
            library.LLVMPY_DisposeMemoryBuffer(buffer)
    return found


check_switch()
_lock = lock()
