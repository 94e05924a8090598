"""cuSOLVER and cuBLAS, where they are installed: their functions by name, with the types that their headers give them.

Both are of C, with a handle that belongs to a device and a stream. Next on the path: solver.py, which knows what to ask.
"""

from __future__ import annotations

import ctypes
import warnings
from typing import TYPE_CHECKING, Any

from ...errors import DriverError, OutOfDeviceMemory

if TYPE_CHECKING:
    from .devices import Device

_TYPES: dict[str, Any] = {
    "p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_int64, "z": ctypes.c_size_t, "c": ctypes.c_byte,
}  # fmt: skip
SIGNATURES = {
    "cusolverDnCreate": "p", "cusolverDnSetStream": "pp", "cusolverDnCreateParams": "p", "cusolverDnCreateGesvdjInfo": "p",
    "cusolverDn{t}potrf": "piipipip", "cusolverDn{t}potrf_bufferSize": "piipip", "cusolverDn{t}potrfBatched": "piipipi",
    "cusolverDn{t}getrf": "piipippp", "cusolverDn{t}getrf_bufferSize": "piipip", "cusolverDn{t}getrs": "piiipippip",
    "cusolverDn{t}geqrf": "piipippip", "cusolverDn{t}geqrf_bufferSize": "piipip",
    "cusolverDn{t}{or}gqr": "piiipippip", "cusolverDn{t}{or}gqr_bufferSize": "piiipipp",
    "cusolverDn{t}{sy}evd": "piiipippip", "cusolverDn{t}{sy}evd_bufferSize": "piiipipp",
    "cusolverDnXsyevBatched": "ppiiliplipipzpzpl", "cusolverDnXsyevBatched_bufferSize": "ppiiliplipippl",
    "cusolverDn{t}gesvd": "pcciipippipipipp", "cusolverDn{t}gesvd_bufferSize": "piip",
    "cusolverDn{t}gesvdjBatched": "piiipippipipippi", "cusolverDn{t}gesvdjBatched_bufferSize": "piiipippipippi",
    "cublasCreate_v2": "p", "cublasSetStream_v2": "pp",
    "cublas{t}trsm_v2": "piiiiiippipi", "cublas{t}trsmBatched": "piiiiiippipii",
    "cublas{t}getrfBatched": "pipippi", "cublas{t}getrsBatched": "piiipippipi",
}  # fmt: skip
"""The parameters of functions, as cusolverDn.h and cublas_api.h of CUDA 12 and 13 have them: pointers (to the host or the device,
and handles), int and enumerations, int64_t, size_t, signed char. Each gives a status.
"""
_NO_MEMORY = {"cusolver": 2, "cublas": 3}
_WORDS = {
    "cusolver": {1: "it could not start", 3: "a value that it does not take", 4: "it does not know this GPU", 6: "a kernel failed"},
    "cublas": {1: "it could not start", 7: "a value that it does not take", 8: "it does not know this GPU", 13: "a kernel failed"},
}


def spelled(function: str, letter: str) -> str:
    """The name of a function for the element type of a letter, S, D, C or Z."""
    complex = letter in "CZ"
    return function.replace("{t}", letter).replace("{or}", "un" if complex else "or").replace("{sy}", "he" if complex else "sy")


class Libraries:
    """Both libraries on one device, with handles whose work goes to its stream."""

    def __init__(self, device: Device, cusolver: Any, cublas: Any) -> None:
        self._device, self._loaded = device, {"cusolver": cusolver, "cublas": cublas}
        self._functions: dict[str, Any] = {}
        self.solver, self.blas = self._made("cusolverDnCreate"), self._made("cublasCreate_v2")
        self.ask("cusolverDnSetStream", self.solver, device.driver.stream)
        self.ask("cublasSetStream_v2", self.blas, device.driver.stream)
        self.parameters = self._made("cusolverDnCreateParams")
        self.jacobi = self._made("cusolverDnCreateGesvdjInfo")

    def _made(self, function: str) -> int:
        handle = ctypes.c_void_p()
        self.ask(function, ctypes.addressof(handle))
        return handle.value or 0

    def has(self, function: str) -> bool:
        """Whether the version that is installed has a function."""
        return hasattr(self._loaded[_library_of(function)], function)

    def ask(self, function: str, *arguments: int, letter: str = "") -> None:
        """Call a function by its name in SIGNATURES.

        Raises:
            OutOfDeviceMemory: it has no memory for what it keeps.
            DriverError: it refuses.
        """
        name = spelled(function, letter)
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = self._found(function, name)
        status = self._device.driver.inside(found, *arguments)
        if status:
            raise self._error(name, status)

    def _found(self, function: str, name: str) -> Any:
        found = getattr(self._loaded[_library_of(name)], name)
        if isinstance(found, ctypes._CFuncPtr):  # type: ignore[attr-defined]
            found.argtypes, found.restype = [_TYPES[c] for c in SIGNATURES[function]], ctypes.c_int
        return found

    def _error(self, name: str, status: int) -> DriverError:
        library = _library_of(name)
        if status == _NO_MEMORY[library]:
            return OutOfDeviceMemory(
                f"{self._device.name}: no memory for {name}. Make arrays smaller, or delete what is not needed."
            )
        word = _WORDS[library].get(status, "its header says what that is")
        return DriverError(f"{self._device.name}: {name} gave status {status}: {word}.")


def _library_of(function: str) -> str:
    return "cublas" if function.startswith("cublas") else "cusolver"


def opened(device: Device) -> Libraries | None:
    """The libraries on a device; None where one is not installed, or none that goes with the driver: then a warning says so."""
    found = [device.driver.library(name) for name in ("cusolver", "cublas")]
    if None in found:
        return None
    try:
        return Libraries(device, *found)
    except (DriverError, AttributeError) as error:
        warnings.warn(f"linear algebra is done by the processor, as cuSOLVER can't be used: {error}", RuntimeWarning, stacklevel=2)
        return None
