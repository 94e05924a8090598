"""The memory of the stand-in's devices: allocations between pages that nobody may touch, at addresses that do not come again soon.

standin.py gives it out and asks what lies outside.
"""

from __future__ import annotations

import bisect
import ctypes
import functools
from dataclasses import dataclass
from operator import attrgetter

from .fibers import POISON
from .guarded import PAGE, pages, put, reserve, take

ALIGNMENT = 256
_SPACE = 64 << 30
_GAP = 1 << 20
"""Between allocations, so that an index that is wrong by some thousands meets nobody else's memory."""


@dataclass(frozen=True)
class Allocation:
    """Memory of a device: whole pages from `page` on, the last bytes of which are the `nbytes` at `address` and up to 255 more."""

    address: int
    nbytes: int
    page: int
    device: int

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.nbytes

    @functools.cached_property
    def outside(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Addresses and lengths of what may be touched by mistake: before it and behind it."""
        last = self.page + pages(self.nbytes)
        return (self.page, self.address - self.page), (self.end, last - self.end)


_ADDRESS = attrgetter("address")


class Space:
    """The addresses of all devices' memory, given out one behind another; one a process."""

    def __init__(self) -> None:
        self.low = reserve(_SPACE)
        self.high = self.low + _SPACE
        self.cursor = self.low + PAGE
        self.live: list[Allocation] = []

    def allocate(self, nbytes: int, device: int) -> Allocation:
        room = pages(nbytes)
        page = self._gap(room)
        put(page, room)
        ctypes.memset(page, POISON, room)
        address = page + room - -(-nbytes // ALIGNMENT) * ALIGNMENT
        made = Allocation(address, nbytes, page, device)
        bisect.insort(self.live, made, key=_ADDRESS)
        self.cursor = page + room + _GAP // PAGE * PAGE
        return made

    def _gap(self, room: int) -> int:
        """Pages that are free, from the cursor on, then from the start."""
        for at in (self.cursor, self.low + PAGE):
            for n in range(max(self._after(at) - 1, 0), len(self.live)):
                a = self.live[n]
                if a.page >= at + room + PAGE:
                    break
                at = max(at, a.page + pages(a.nbytes) + PAGE)
            if at + room + PAGE <= self.high:
                return at
        raise MemoryError(f"the stand-in has no {room} bytes of addresses left")

    def free(self, a: Allocation) -> None:
        take(a.page, pages(a.nbytes))
        del self.live[self._after(a.address) - 1]

    def around(self, address: int) -> Allocation | None:
        """The allocation that starts at or before an address."""
        at = self._after(address)
        return self.live[at - 1] if at else None

    def _after(self, address: int) -> int:
        """Which of the live allocations is the first that starts behind an address."""
        return bisect.bisect_right(self.live, address, key=_ADDRESS)


@functools.cache
def space() -> Space:
    return Space()
