"""The one gate to what is private in llvmlite: the lock that it holds in every call, and a switch of its LLVM."""

from __future__ import annotations

import threading
from collections.abc import Iterator
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


check_switch()
_lock = lock()
