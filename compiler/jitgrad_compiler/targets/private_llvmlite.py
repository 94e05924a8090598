"""The one gate to what is private in llvmlite: the lock that it holds in every call, its function that makes objects, and a switch
of its LLVM.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

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


class Task(NamedTuple):
    """What one thread compiles with, and no other at the same time."""

    machine: llvm.TargetMachine
    passes: llvm.ModulePassManager


class _Objects(ctypes.Structure):
    """What `jitgrad_objects` is given (cpu/machine/driver.py): which module is next, how many there are, llvmlite's functions in
    the order in which a module goes through them, what some of them take, what each task has of its own, and each
    module's slots: its context and text, and what comes of it: the module, its object, and where the texts of errors go.
    """

    _fields_ = [
        ("next", ctypes.c_int64), ("count", ctypes.c_int64), ("functions", ctypes.c_void_p * 8), ("triple", ctypes.c_char_p),
        ("layout", ctypes.c_char_p), ("tuning", ctypes.c_void_p), ("tasks", ctypes.c_void_p), ("modules", ctypes.c_void_p),
    ]  # fmt: skip


_FUNCTIONS = (
    "ParseAssembly", "SetTarget", "SetDataLayout", "VerifyModule", "CreatePassBuilder", "RunNewModulePassManager",
    "DisposePassBuilder", "TargetMachineEmitToMemory",
)  # fmt: skip
_TASK, _SLOTS = ctypes.c_void_p * 2, ctypes.c_void_p * 6


def emit_objects(
    texts: Sequence[str],
    tasks: Sequence[Task],
    triple: str,
    layout: str,
    tuning: llvm.PipelineTuningOptions,
    run: Callable[[int, int], None],
) -> list[bytes]:
    """The relocatable objects of modules, read, verified, optimised and compiled by several threads at once, which llvmlite's lock
    would keep from it.

    LLVM allows it where threads share neither context nor machine. `run(args, tasks)` runs `jitgrad_objects` with so many tasks.
    Raises RuntimeError with LLVM's message.
    """
    library: Any = llvm.ffi.lib
    contexts, encoded = [llvm.create_context() for _ in texts], [text.encode() for text in texts]
    slots = (_SLOTS * len(texts))()
    for own, context, text in zip(slots, contexts, encoded, strict=True):
        own[0], own[1] = _address(context), ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value
    given = (_TASK * len(tasks))(*(_TASK(*map(_address, task)) for task in tasks))
    functions = [ctypes.cast(getattr(library, f"LLVMPY_{name}")._cfn, ctypes.c_void_p).value for name in _FUNCTIONS]
    args = _Objects(
        0, len(texts), (ctypes.c_void_p * 8)(*functions), triple.encode(), layout.encode(), _address(tuning),
        ctypes.addressof(given), ctypes.addressof(slots),
    )  # fmt: skip
    with _lock:
        run(ctypes.addressof(args), len(tasks))
        made = [_taken(library, own, context) for own, context in zip(slots, contexts, strict=True)]
    for data, message in made:
        if data is None:
            raise RuntimeError(message)
    return [data for data, _ in made if data is not None]


def _address(reference: Any) -> int | None:
    return ctypes.cast(reference._ptr, ctypes.c_void_p).value


def _taken(library: Any, slots: Any, context: llvm.context.ContextRef) -> tuple[bytes | None, str]:
    """What came of a module, its object and LLVM's message, with all that LLVM holds of it given back."""
    _, _, module, buffer, *messages = slots
    data = None
    if buffer is not None:
        buffer = ctypes.cast(buffer, library.LLVMPY_TargetMachineEmitToMemory.restype)
        data = ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer))
        library.LLVMPY_DisposeMemoryBuffer(buffer)
    if module is not None:
        library.LLVMPY_DisposeModule(ctypes.cast(module, llvm.ffi.LLVMModuleRef))
    context.close()
    said = [ctypes.string_at(message).decode() for message in messages if message is not None]
    for message in messages:
        if message is not None:
            library.LLVMPY_DisposeString(ctypes.c_void_p(message))
    return data, " ".join(filter(None, said)) or "LLVM made no object"


check_switch()
_lock = lock()
