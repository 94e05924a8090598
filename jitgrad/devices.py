"""Where arrays are: in the memory of this computer, beside its processor, or in a GPU's. What moves them: placement.py."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

from .config import config, during
from .errors import ArgumentError


@dataclass(frozen=True)
class Device:
    """What an array lies beside and programs run on."""

    id: int = 0
    platform: str = "cpu"
    device_kind: str = "cpu"
    process_index: int = 0

    def __repr__(self) -> str:
        return f"{'Cpu' if self.platform == 'cpu' else 'Cuda'}Device(id={self.id})"

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


@cache
def gpu(number: int) -> Device:
    """The GPU of a number."""
    return Device(number, "cuda", "gpu")


GPU_NAMES = ("cuda", "gpu")


@cache
def gpus() -> Any:
    """The module jitgrad_compiler.runtime.cuda.devices, which is imported where a GPU is asked for."""
    return importlib.import_module("jitgrad_compiler.runtime.cuda.devices")


def as_device(where: str, device: Any) -> Device:
    """The device that an argument of a user's names: a Device, a sharding on one, "cpu", "cuda" or "cuda:1", or (None) the default.

    Raises ArgumentError, which names the function `where`, for anything else. Whether a GPU is there shows when it is used.
    """
    if device is None:
        return default()
    if isinstance(device, Device):
        return device
    if isinstance(device, SingleDeviceSharding):
        return device.device
    if isinstance(device, str):
        platform, _, number = device.partition(":")
        if platform == "cpu" and number in ("", "0"):
            return CPU
        if platform in GPU_NAMES and (number.isdigit() or not number):
            return gpu(int(number or 0))
    raise ArgumentError(f"{where}: a device is 'cpu', 'cuda', 'cuda:1' or one of jitgrad.devices(), got {device!r}")


def default() -> Device:
    """Where arrays are made and programs run that are not told where."""
    return CPU if config.default_device is None else config.default_device


def default_device(device: Any) -> AbstractContextManager[None]:
    """Inside this block arrays are made on a device, and programs run there whose arrays lie nowhere else.

    device: "cpu", "cuda", "cuda:1" or a Device. `jitgrad.config.default_device = "cuda"` is for the rest of the process.

    >>> import jitgrad
    >>> with jitgrad.default_device("cpu"):
    ...     jitgrad.numpy.ones(3).device
    CpuDevice(id=0)
    """
    return during("default_device", device)


def devices(backend: str | None = None) -> list[Device]:
    """The devices of a backend, "cpu" or "cuda"; of none, those of the default device's.

    Raises:
        ArgumentError: another backend.
        DriverError: a GPU's driver that is missing or too old.

    >>> devices("cpu")
    [CpuDevice(id=0)]
    """
    named = as_device("devices", backend)
    if named.platform == "cpu":
        return [CPU]
    return [gpu(n) for n in range(gpus().count())]


def local_devices(process_index: int | None = None, backend: str | None = None, host_id: int | None = None) -> list[Device]:
    """As `devices`."""
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """How many devices a backend has. Of the processor, whose threads are `jitgrad.config.num_threads`, there is one."""
    return len(devices(backend))


local_device_count = device_count


def default_backend() -> str:
    """The platform of the default device: "cpu" or "cuda"."""
    return default().platform


def process_index(backend: str | None = None) -> int:
    """The number of this process among those that work together: 0."""
    as_device("process_index", backend)
    return 0


def process_count(backend: str | None = None) -> int:
    """How many processes work together: one."""
    as_device("process_count", backend)
    return 1
