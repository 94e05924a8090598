"""Memory of a GPU for what programs compute: blocks that are used again, and what of it an array holds. ../buffers.py is its like
for the processor; devices.py has each device's pool.

A device does everything in one order, so a block goes to its next user as soon as Python lets go of it, while kernels that were
asked for before may still read it.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import DriverError, InterruptedProgramError, OutOfDeviceMemory
from ...ir.types import ArrayType
from ...targets.cuda.expressions import ALIGNED
from ..buffers import block_size
from ..executable import address_of
from .driver import Driver, in_units

if TYPE_CHECKING:
    from .devices import Device

DEFAULT_STREAM = 1
"""The handle of the stream that waits for most others, and they for it."""
ALIGNMENT = 256
"""Of every block: drivers give no finer ones."""


_lock = threading.RLock()  # reentrant: the collector may end a block's use while it is held
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Block(NamedTuple):
    """Memory that the driver gave."""

    address: int
    size: int


class Pool:
    """The memory of one device. Several threads may use it at once.

    Taking a block and giving it back hold no lock where one of that size is free: `pop` and `append` of a list are atomic. So
    `held` may lose an update between threads; `shrink` and every fresh block count anew.
    """

    def __init__(self, driver: Driver, name: str) -> None:
        self.driver, self.name = driver, name
        self.cap = driver.info.memory_bytes // 2
        """Bytes that may lie in free blocks."""
        self.held = 0
        """Bytes that do."""
        self.taken = 0
        """Bytes that the driver has given: in free blocks, and in those that are used."""
        self.spare: list[Callable[[], None]] = []
        """What gives back memory that others keep, where there is none left."""
        self._by_size: OrderedDict[int, list[Block]] = OrderedDict()
        self._by_request: dict[int, list[Block]] = {}
        """The same lists by the exact number of bytes asked for, which programs repeat."""

    def allocate(self, nbytes: int) -> Buffer:
        """Memory of at least `nbytes` bytes with undefined contents, aligned to 256.

        Raises:
            OutOfDeviceMemory: the device has not so much left, even after all free blocks were given back.
        """
        try:
            home = self._by_request[nbytes]
            block = home.pop()
        except LookupError:
            return self._allocate_fresh(nbytes)
        self.held -= block[1]
        return Buffer(self, block, home)

    def _allocate_fresh(self, nbytes: int) -> Buffer:
        size = block_size(max(nbytes, ALIGNMENT))
        with _lock:
            home = self._by_size.setdefault(size, [])
            if len(self._by_request) >= 10_000:
                self._by_request.clear()
            self._by_request[nbytes] = home
        try:
            block = home.pop()  # of another number of bytes
        except IndexError:
            block = self.fresh(nbytes, size)
        else:
            self.held -= size
        return Buffer(self, block, home)

    def fresh(self, nbytes: int, size: int) -> Block:
        """A block of the driver's, free behind what was asked so far, of this size, for so many bytes."""
        with _lock:
            self.held = self._count()
        try:
            address = self.driver.allocate(size)
        except OutOfDeviceMemory:
            self.shrink(0)
            for give_back in self.spare:
                give_back()
            address = self._last_try(nbytes, size)
        with _lock:
            self.taken += size
        return Block(address, size)

    def _last_try(self, nbytes: int, size: int) -> int:
        self.driver.synchronize()  # what was given back is free once the work before has run
        try:
            return self.driver.allocate(size)
        except OutOfDeviceMemory:
            pass
        free, total = self.driver.memory()
        others = max(0, total - free - self.taken)
        raise OutOfDeviceMemory(
            f"{self.name}: {nbytes} bytes ({in_units(nbytes)}) were asked for, and {in_units(free)} of {in_units(total)} are free. "
            f"{in_units(self.used())} are in arrays of this process and running programs, {in_units(others)} are held by other "
            "libraries and processes (nvidia-smi lists them). Make arrays or batches smaller, delete what is no longer needed, "
            "donate arguments (jit's donate_argnums), or wrap parts of the model in jitgrad.checkpoint. All arrays that were made "
            "before can still be used."
        )

    def give(self, block: Block) -> None:
        """A block back to the driver, behind what was asked so far."""
        with _lock:
            self.taken -= block.size
        self.driver.free(block.address)

    def _count(self) -> int:
        return sum(size * len(blocks) for size, blocks in self._by_size.items())

    def shrink(self, limit: int) -> None:
        """Give free blocks back to the driver until `limit` bytes are left. Sizes take turns, as in ../buffers.py."""
        with _lock:
            while self._count() > limit:
                size = next(iter(self._by_size))
                self._by_size.move_to_end(size)
                try:
                    block = self._by_size[size].pop(0)  # the one longest unused
                except IndexError:
                    continue
                self.taken -= size
                self.driver.free(block.address)
            self.held = self._count()

    def used(self) -> int:
        """Bytes in blocks that are used."""
        with _lock:
            return self.taken - self._count()


class Buffer:
    """A block in use. Its memory is this one's as long as the object lives."""

    __slots__ = ("__weakref__", "_block", "_home", "_lent", "_pool", "nbytes", "pointer")

    def __init__(self, pool: Pool, block: Block, home: list[Block]) -> None:
        self._pool, self._block, self._home = pool, block, home
        self.pointer, self.nbytes = block
        self._lent: Callable[[], None] | None = None

    def lend(self, on_default_stream: bool) -> None:
        """Another library reads the memory: on the default stream, or on one that is not known. Its next user comes behind."""
        driver = self._pool.driver
        if not on_default_stream:
            self._lent = driver.finish
        elif self._lent is None:
            self._lent = partial(driver.follow, DEFAULT_STREAM)

    def __del__(self) -> None:
        if self._lent is not None:
            try:
                self._lent()
            except DriverError:
                return  # it may still be read; a device that failed has no use for it
        self._home.append(self._block)
        pool = self._pool
        pool.held += self._block[1]
        if pool.held > pool.cap:
            pool.shrink(pool.cap)

    def __repr__(self) -> str:
        return f"Buffer({self.nbytes} bytes at {self.pointer:#x} of {self._pool.name})"


class DeviceMemory:
    """Memory of one array on a GPU: a part of a block, or what another library lends.

    `pointer` is the device's address, which the processor must never use.
    """

    __slots__ = ("__weakref__", "_host", "buffer", "device", "nbytes", "pointer")
    by_default = False
    """Whether it lies there only because that is the default device: then it goes where it meets arrays of another."""

    def __init__(self, device: Device, pointer: int, nbytes: int, buffer: object) -> None:
        self.device, self.pointer, self.nbytes = device, pointer, nbytes
        self.buffer = buffer
        """What keeps the memory."""
        self._host: np.ndarray[Any, Any] | None = None

    @property
    def owned(self) -> bool:
        """Whether the block is of the device's pool, and so may be written to; another library's never is."""
        return isinstance(self.buffer, Buffer)

    @property
    def aligned(self) -> bool:
        """Whether it begins where kernels may read several elements at once; that of another library's slice need not."""
        return self.pointer % ALIGNED == 0

    def array(self, type: ArrayType) -> np.ndarray[Any, Any]:
        """The memory as a read-only NumPy array: a copy, brought here once."""
        found = self._host
        if found is None or found.shape != type.shape or found.dtype != type.dtype.numpy:
            found = np.empty(type.shape, type.dtype.numpy)
            self.device.driver.download(address_of(found)[0], self.pointer, found.nbytes)
            found.flags.writeable = False
            self._host = found
        return found

    def copied(self) -> DeviceMemory:
        """A copy within the device."""
        made = empty(self.device, self.nbytes)
        self.device.driver.copy(made.pointer, self.pointer, self.nbytes)
        return made

    def lie_by_default(self) -> None:
        """Nobody has asked for this device."""
        if type(self) is DeviceMemory:
            self.__class__ = _ByDefault

    def void(self) -> None:
        """What was to be written here never will be."""
        self.__class__ = _Void

    def __repr__(self) -> str:
        return f"DeviceMemory({self.nbytes} bytes at {self.pointer:#x} of {self.device.name})"


class _ByDefault(DeviceMemory):
    """Memory that nobody has asked to be on its device."""

    __slots__ = ()
    by_default = True


class _Void(DeviceMemory):
    """Memory of an array whose program was interrupted."""

    __slots__ = ()

    @property
    def pointer(self) -> int:  # type: ignore[override]
        raise InterruptedProgramError(
            f"an array on {self.device.name} has no elements: Ctrl-C ended the program that was to compute it, or one that it was "
            "made from. Call the program again."
        )

    def void(self) -> None:
        pass

    def __repr__(self) -> str:
        return f"DeviceMemory({self.nbytes} bytes of {self.device.name}, never written)"


class HostTape(DeviceMemory):
    """What a loop noted in each of its steps, as long as that was many: the processor keeps it, beside what lies on the device."""

    __slots__ = ("entries",)

    def __init__(self, device: Device, entries: Any = None) -> None:
        super().__init__(device, 0, 0, None)
        self.entries = entries

    def array(self, type: Any) -> np.ndarray[Any, Any]:
        return self.entries  # type: ignore[no-any-return]

    def void(self) -> None:
        pass


def empty(device: Device, nbytes: int) -> DeviceMemory:
    """New memory with undefined contents."""
    buffer = device.memory.allocate(nbytes)
    return DeviceMemory(device, buffer.pointer, nbytes, buffer)


def from_host(device: Device, array: Any) -> DeviceMemory:
    """A copy of a NumPy array's elements, row-major."""
    address, kept = address_of(array)
    made = empty(device, kept.nbytes)
    device.driver.upload(made.pointer, address, kept.nbytes)
    return made


def to_device(device: Device, memory: DeviceMemory, type: ArrayType) -> DeviceMemory:
    """The same elements in the memory of a device; where they lie there already, they are not copied."""
    return memory if memory.device is device else from_host(device, memory.array(type))
