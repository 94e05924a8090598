"""A device's primary context, which other libraries of the process have too: how it is opened, what is asked of NVIDIA's driver in
it, and what errors say. What another library has made current in a thread is so again when a call returns.

api.py has the module that is asked, and what its answers mean. Next on the path: bindings.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ...ending import whole
from ...errors import DeviceFault, DriverError, OutOfDeviceMemory
from . import api
from .api import FAULTS, OLDEST_DEVICE, OUT_OF_MEMORY, described, dotted
from .driver import DeviceInfo, in_units


class Context:
    """That of a device by its number. Several threads may ask in it at once.

    Raises:
        DriverError: there is no such device, no driver, or either is too old.
    """

    def __init__(self, number: int, cuda: Any = None) -> None:
        self.name, self._context = f"cuda:{number}", 0
        self._last: tuple[str, ...] = ()
        """The kernels that were asked for last."""
        self._unusable: Callable[[], DriverError] | None = None
        self._cuda, self._version = api.start(cuda)
        cuda = self._cuda
        api.drivers.add(self)
        count = self._ask("counting devices", cuda.cuDeviceGetCount)
        if not 0 <= number < count:
            numbers = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
            raise DriverError(f"there is no device {self.name}: the driver has {count}, {numbers}. {_visible()}")
        device = self._ask("opening it", cuda.cuDeviceGet, number)
        attributes = cuda.CUdevice_attribute
        major, minor, processors, lent = (
            self._ask("reading its properties", cuda.cuDeviceGetAttribute, getattr(attributes, f"CU_DEVICE_ATTRIBUTE_{a}"), device)
            for a in (
                "COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT", "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
            )
        )  # fmt: skip
        self._lent_at_most = lent
        title = self._ask("reading its name", cuda.cuDeviceGetName, 256, device).split(b"\0")[0].decode()
        total = self._ask("reading its size", cuda.cuDeviceTotalMem, device)
        self.info = DeviceInfo(title, (major, minor), self._version, processors, total)
        self.name = f"cuda:{number} ({title})"
        if (major, minor) < OLDEST_DEVICE:
            raise DriverError(
                f"{self.name} has compute capability {major}.{minor}; programs are written for {dotted(OLDEST_DEVICE)} (A100, RTX "
                "30 and newer). Use another GPU, or the device 'cpu'."
            )
        self._primary = self._ask("taking its context", cuda.cuDevicePrimaryCtxRetain, device)
        self._context = int(self._primary)

    @whole
    def _ask(self, what: str, f: Any, *args: Any) -> Any:
        """What a function of the driver's gives: nothing, a value, or several."""
        answer = self._answer(f, *args)
        if answer[0]:
            raise self._error(what, answer[0])
        return answer[1] if len(answer) == 2 else answer[1:]

    def _answer(self, f: Any, *args: Any) -> Any:
        if self._unusable is not None:
            raise self._unusable()
        away = self._enter()
        try:
            return f(*args)
        except RuntimeError as error:  # cuda.bindings does not find the function in the library
            raise DriverError(
                f"{self.name}: the driver (CUDA {dotted(self._version)}) has not what is asked of it: {error}. Install a "
                "newer driver, or the cuda-bindings of its major version."
            ) from error
        finally:
            if away:
                self._cuda.cuCtxPopCurrent()

    def _enter(self) -> bool:
        """Make our context this thread's; whether another one was, which is to be so again."""
        if not self._context:
            return False
        current = int(self._cuda.cuCtxGetCurrent()[1])
        if current == self._context:
            return False
        if current:
            self._cuda.cuCtxPushCurrent(self._primary)
        else:
            self._cuda.cuCtxSetCurrent(self._primary)
        return current != 0

    def _error(self, what: str, code: Any) -> DriverError:
        said = described(self._cuda, code)
        if code in FAULTS:
            message = (
                f"{self.name}: a kernel failed, as the driver says when asked for {what}: {said}. {self._suspect()} Nothing on "
                "this device can be used by this process any more: start it anew. What failed is found by running the program "
                "under compute-sanitizer, or on the device 'cpu'."
            )
            self.refuse(lambda: DeviceFault(message))
            return DeviceFault(message)
        if code == OUT_OF_MEMORY:
            return OutOfDeviceMemory(
                f"{self.name}: no memory for {what}: {said}. {self._memory_said()}. Make arrays or batches smaller, delete what is "
                "no longer needed, or end other processes that use this GPU (nvidia-smi lists them)."
            )
        return DriverError(f"{self.name}: {what} was refused: {said}.")

    def _suspect(self) -> str:
        last = self._last
        if not last:
            return "No program of this library was launched before."
        names = ", ".join(last[:8]) + (f" and {len(last) - 8} more" if len(last) > 8 else "")
        return f"The program launched last has the kernels {names}."

    def _memory_said(self) -> str:
        code, free, total = self._answer(self._cuda.cuMemGetInfo)
        return "How much is free is not known" if code else f"{in_units(free)} of {in_units(total)} are free"

    def refuse(self, error: Callable[[], DriverError]) -> None:
        """Answer everything with an error from now on."""
        self._unusable = error

    def _gone(self) -> bool:
        """Whether there is nothing to give back to: the process ends, was forked, or the device failed."""
        return self._unusable is not None or api.ended()

    def _quietly(self, what: str, f: Any, *args: Any) -> None:
        """Ask for what may come when an object dies, where nobody could catch an error; a fault is told by the next call."""
        try:
            self._ask(what, f, *args)
        except DriverError:
            pass


def _visible() -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "jitgrad.devices('cuda') lists them." if visible is None else f"CUDA_VISIBLE_DEVICES is {visible!r}."
