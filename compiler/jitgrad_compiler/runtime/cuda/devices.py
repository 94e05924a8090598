"""The GPUs of this process, by number. Each is opened when it is first asked for; nothing here touches CUDA before.

    device(0).driver        what driver.py promises
    device(0).memory        its blocks, memory.py

Tests install another driver by `open_with`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ...once import once
from .api import count_devices
from .bindings import NvidiaDriver
from .driver import DeviceInfo, Driver
from .libraries import opened
from .memory import Pool
from .solver import Solver
from .uploads import Uploads


class Device:
    """A GPU in use."""

    def __init__(self, number: int, driver: Driver) -> None:
        self.number, self.driver = number, driver
        self.name = f"cuda:{number} ({driver.info.name})"
        self.memory = Pool(driver, self.name)
        self.sized: dict[Any, Any] = {}
        """Kernels for operations that are done one by one: at_once.py."""

    @property
    def info(self) -> DeviceInfo:
        return self.driver.info

    @cached_property
    def uploads(self) -> Uploads:
        """What is brought to the device while its kernels run."""
        return Uploads(self)

    @cached_property
    def solver(self) -> Solver | None:
        """Linear algebra on the device, where the libraries for it are installed; they are loaded when this is first asked."""
        libraries = opened(self)
        return None if libraries is None else Solver(self, libraries)

    def __repr__(self) -> str:
        return self.name


_devices: dict[int, Device] = {}
_factory: Callable[[int], Driver] = NvidiaDriver
_count: Callable[[], int] = count_devices


def device(number: int = 0) -> Device:
    """The device of a number, opened once.

    Raises:
        DriverError: there is none, or no driver; the message says what to do.
    """
    found = _devices.get(number)
    return once(("cuda device", number), lambda: _devices.get(number), lambda: _opened(number)) if found is None else found


def _opened(number: int) -> Device:
    made = _devices[number] = Device(number, _factory(number))
    return made


def count() -> int:
    """How many devices there are.

    Raises:
        DriverError: there are none, or no driver.
    """
    return _count()


def open_with(factory: Callable[[int], Driver] | None, count: int = 1) -> None:
    """Open devices by another function of their number from here on, of which there are `count`; None: by NVIDIA's driver, as ever.
    Devices that were open are forgotten; what lies on them lives on.
    """
    global _factory, _count
    _devices.clear()
    _factory = NvidiaDriver if factory is None else factory
    _count = count_devices if factory is None else lambda: count
