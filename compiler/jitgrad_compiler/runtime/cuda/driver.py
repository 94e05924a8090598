"""What the runtime asks of a GPU's driver, all of it on one stream of one device.

`Driver` is the contract; bindings.py keeps it with NVIDIA's driver, and tests with a stand-in that records every call. Next on the
path: memory.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .stopping import Stopping


@dataclass(frozen=True)
class DeviceInfo:
    """What a device is."""

    name: str
    capability: tuple[int, int]
    """(9, 0) for sm_90."""
    driver_version: tuple[int, int]
    """The newest CUDA that the driver knows."""
    multiprocessors: int
    memory_bytes: int


class Launch(NamedTuple):
    """A kernel to run: blocks of threads, with 64-bit words as arguments."""

    function: Any
    """As `Driver.function` gave it."""
    blocks: int
    threads: int
    shared_bytes: int
    arguments: tuple[int, ...]
    cooperative: bool = False
    """Whether all blocks must run at once."""


class Driver(Protocol):
    """One device with a stream, and one aside for uploads. What is asked of one runs in the order in which it was asked; calls
    return at once but for `download` and `synchronize`, and for `allocate`, which may wait.

    All raise errors of `jitgrad_compiler.errors`: OutOfDeviceMemory, DeviceFault (a kernel that failed, reported by whichever call
    comes next), or DriverError, each saying what was asked and what to do.
    """

    info: DeviceInfo
    code: str
    """What `load` takes: "ptx"; or "llvm", text for any machine, where no GPU is."""
    stream: int
    """The stream's handle, for others to wait for."""
    stopping: Stopping
    """The word by which kernels learn that they are to end. Where a wait is interrupted, they do."""

    def allocate(self, nbytes: int) -> int:
        """The address of new memory, aligned to 256 bytes."""

    def free(self, address: int) -> None:
        """Give memory back, once what was asked before has run."""

    def memory(self) -> tuple[int, int]:
        """Bytes that are free, and all there are."""

    def upload(self, address: int, host: int, nbytes: int) -> None:
        """Host memory to the device; the host's may change when this returns."""

    def download(self, host: int, address: int, nbytes: int) -> None:
        """Device memory to the host's; it is there when this returns."""

    def copy(self, to: int, source: int, nbytes: int) -> None:
        """Within the device."""

    def load(self, code: str) -> Any:
        """A module of PTX."""

    def function(self, module: Any, name: str, shared_bytes: int) -> Any:
        """A kernel of a module, which may be lent so much shared memory."""

    def resident_blocks(self, function: Any, threads: int, shared_bytes: int) -> int:
        """How many blocks of a kernel run at once on the whole device."""

    def graph(self, launches: Sequence[Launch]) -> Any:
        """Kernels to run one after another, as one thing that is launched again and again."""

    def launch(self, graph: Any) -> None:
        """Run a graph, which no other thread does at this moment."""

    def start(self, launch: Launch) -> None:
        """Run one kernel, by itself."""

    def release(self, thing: Any) -> None:
        """Forget a module or a graph, or call a function, once what was asked before has run."""

    def synchronize(self) -> None:
        """Wait for all that was asked."""

    def follow(self, stream: int) -> None:
        """Let what is asked from here on run behind what was asked on another stream of the device."""

    def lead(self, stream: int) -> None:
        """Let what is asked on another stream of the device from here on run behind what was asked here."""

    def finish(self) -> None:
        """Wait for all streams of the device, others' too."""

    def upload_aside(self, address: int, host: int, nbytes: int) -> None:
        """As `upload`, but on the stream for uploads, which nothing else is asked of and which waits for nothing by itself."""

    def mark(self, event: Any = None, aside: bool = False) -> Any:
        """This event, or a new one, passes from here on when what was asked so far has run, of the stream or of that aside."""

    def behind(self, event: Any, aside: bool = False) -> None:
        """Let what is asked from here on, of the stream or of that aside, run behind an event as it was marked last."""

    def forget(self, event: Any) -> None:
        """An event is not needed any more."""

    def library(self, name: str) -> Any:
        """NVIDIA's "cusolver" or "cublas", with functions of C; None where it is not installed."""

    def inside(self, f: Any, *arguments: int) -> int:
        """What a function of such a library's gives, which is asked with this device as the thread's."""

    def number_of(self, address: int) -> int:
        """The number of the device that an address lies on."""


def in_units(nbytes: int) -> str:
    """A number of bytes to read."""
    size = float(nbytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
