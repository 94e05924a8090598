"""Where arrays are: in the memory of this computer, beside its processor, which is the one device there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ArgumentError


@dataclass(frozen=True)
class Device:
    """What an array lies beside and programs run on."""

    id: int = 0
    platform: str = "cpu"
    device_kind: str = "cpu"
    process_index: int = 0

    def __repr__(self) -> str:
        return f"CpuDevice(id={self.id})"

    def __str__(self) -> str:
        return f"{self.platform}:{self.id}"


CPU = Device()


class Sharding:
    """How an array lies on devices."""


@dataclass(frozen=True)
class SingleDeviceSharding(Sharding):
    """How an array lies on devices: whole, on one."""

    device: Device = CPU

    @property
    def device_set(self) -> set[Device]:
        return {self.device}

    @property
    def is_fully_replicated(self) -> bool:
        return True


def as_device(where: str, device: Any) -> Device:
    """The device that an argument of a user's names: a Device, a sharding on one, "cpu" or "cpu:0", or (None) the default.

    Raises ArgumentError, which names the function `where`, for anything else.
    """
    if device is None or (isinstance(device, str) and device in ("cpu", "cpu:0")):
        return CPU
    if isinstance(device, Device):
        return device
    if isinstance(device, SingleDeviceSharding):
        return device.device
    raise ArgumentError(f"{where}: the only device is the processor, 'cpu' or jitgrad.devices()[0], got {device!r}")


def devices(backend: str | None = None) -> list[Device]:
    """The devices, of which there is one: the processor. Raises ArgumentError for a backend that is not "cpu".

    >>> devices()
    [CpuDevice(id=0)]
    """
    as_device("devices", backend)
    return [CPU]


def local_devices(process_index: int | None = None, backend: str | None = None, host_id: int | None = None) -> list[Device]:
    """As `devices`."""
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """How many devices there are: one. Threads, of which there may be more, are `jitgrad.config.num_threads`."""
    return len(devices(backend))


local_device_count = device_count


def default_backend() -> str:
    """The platform of the device: "cpu"."""
    return CPU.platform


def process_index(backend: str | None = None) -> int:
    """The number of this process among those that work together: 0."""
    as_device("process_index", backend)
    return 0


def process_count(backend: str | None = None) -> int:
    """How many processes work together: one."""
    as_device("process_count", backend)
    return 1
