"""Arrays that are brought to a GPU while its kernels run: on a stream of their own, into memory that no kernel uses any more.

    main stream     ... kernels of batch 1 | behind 2's upload | kernels of batch 2 | ...
    uploads            batch 2, behind the last reader of its memory | batch 3 ...

memory.py's blocks are free in the order of the main stream, behind all that was asked there. So uploads have their own, each with
an event: behind the last use that was asked of the block, then behind its upload, which the main stream waits for.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DriverError
from ..buffers import block_size
from ..executable import address_of
from .memory import ALIGNMENT, Block, Buffer, DeviceMemory

if TYPE_CHECKING:
    from .devices import Device

KEPT = 8
"""Blocks that wait for their next upload."""


class _Place(NamedTuple):
    """A block, and its event."""

    block: Block
    event: Any


class Uploads:
    """The uploads of one device. Several threads may use it at once."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lock = threading.RLock()  # reentrant: the collector may end a block's use while it is held
        self._free: list[_Place] = []
        device.memory.spare.append(self._clear)

    def send(self, array: Any) -> DeviceMemory:
        """A copy of a NumPy array's elements, row-major, which `land` has to be told of before anything is done with it.

        Raises:
            OutOfDeviceMemory: the device has not so much left.
        """
        address, kept = address_of(array)
        driver, place = self._device.driver, self._taken(kept.nbytes)
        made = Landing(self, self._device, place)
        driver.behind(place.event, aside=True)
        try:
            driver.upload_aside(made.pointer, address, kept.nbytes)
        finally:  # where Ctrl-C came, a part may be on its way
            driver.mark(place.event, aside=True)
        return DeviceMemory(self._device, made.pointer, kept.nbytes, made)

    def _taken(self, nbytes: int) -> _Place:
        size = block_size(max(nbytes, ALIGNMENT))
        with self._lock:
            for n, place in enumerate(self._free):  # the one longest unused
                if place.block.size == size:
                    return self._free.pop(n)
        return _Place(self._device.memory.fresh(nbytes, size), self._device.driver.mark())

    def back(self, place: _Place) -> None:
        """A block whose event is behind its last use."""
        with self._lock:
            self._free.append(place)
            surplus = self._free[:-KEPT]
            del self._free[:-KEPT]
        self._give(surplus)

    def _clear(self) -> None:
        """Give all free blocks back to the driver."""
        with self._lock:
            surplus, self._free = self._free, []
        self._give(surplus)

    def _give(self, places: list[_Place]) -> None:
        for place in places:
            self._device.memory.give(place.block)
            self._device.driver.forget(place.event)


class Landing(Buffer):
    """A block that is written beside the main stream."""

    __slots__ = ("_landed", "_place", "_uploads")

    def __init__(self, uploads: Uploads, device: Device, place: _Place) -> None:
        super().__init__(device.memory, place.block, [])
        self._uploads, self._place, self._landed = uploads, place, False

    def land(self) -> None:
        """Let what is asked from here on run behind the upload."""
        if not self._landed:
            self._pool.driver.behind(self._place.event)
            self._landed = True

    def __del__(self) -> None:
        try:
            if self._lent is not None:
                self._lent()
            self.land()  # the block may go to the main stream's memory
            self._pool.driver.mark(self._place.event)
            self._uploads.back(self._place)
        except DriverError:
            pass  # a device that failed has no use for it
