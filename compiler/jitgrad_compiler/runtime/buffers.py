"""Memory for what programs compute: aligned blocks that are used again. What holds a `Buffer` is an array of the front end.

    allocate(nbytes) -> Buffer      64-byte aligned, from the free blocks where one fits
    view(buffer, shape, dtype)      a read-only NumPy array over it that keeps it alive

A block goes back to the free ones when its Buffer dies, so a loop that runs the same program takes no new memory after its
first turns: a fresh block of 16 MiB costs 0.8 ms in page faults, and 4.7 ms without huge pages.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from .private_numpy import borrow

ALIGNMENT = 64  # a cache line, and the widest vector
HUGE_PAGE = 2 << 20


class _Block(NamedTuple):
    """A piece of memory that is handed out whole, time and again."""

    address: int
    size: int
    owner: object
    """What frees the memory when nothing refers to it."""


class _FreeBlocks:
    """Free blocks by size, of `cap` bytes at most.

    Taking a block and giving it back, on the path of every call of a program, hold no lock: `pop` and `append` of a list are
    atomic. So `held` may lose an update between threads; `shrink` and every fresh allocation count anew.
    """

    def __init__(self, cap: int) -> None:
        self.lock = threading.RLock()  # reentrant: the collector may end a Buffer's life while it is held
        self.cap = cap
        self.held = 0
        self.by_size: OrderedDict[int, list[_Block]] = OrderedDict()
        self.by_request: dict[int, list[_Block]] = {}
        """The same lists by the exact number of bytes asked for, which programs repeat."""

    def list_for(self, nbytes: int, size: int) -> list[_Block]:
        with self.lock:
            blocks = self.by_size.setdefault(size, [])
            if len(self.by_request) >= 10_000:
                self.by_request.clear()
            self.by_request[nbytes] = blocks
            return blocks

    def count(self) -> int:
        with self.lock:
            return sum(size * len(blocks) for size, blocks in self.by_size.items())

    def shrink(self, limit: int) -> None:
        """Free blocks until `limit` bytes are left. Sizes take turns: those that nobody asks for any more drain away, while
        those in use come back at the next turn of the program's loop.
        """
        with self.lock:
            while self.count() > limit:
                size = next(iter(self.by_size))
                self.by_size.move_to_end(size)
                del self.by_size[size][:1]  # the one longest unused
            self.held = self.count()


def _default_cap() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8


_free = _FreeBlocks(_default_cap())
os.register_at_fork(before=_free.lock.acquire, after_in_parent=_free.lock.release, after_in_child=_free.lock.release)


class Buffer:
    """A block in use. The memory lives as long as this object, which every array over it refers to."""

    __slots__ = ("__weakref__", "_block", "_home", "address", "nbytes")

    def __init__(self, block: _Block, nbytes: int, home: list[_Block]) -> None:
        self._block = block
        self._home = home
        self.address = block[0]
        self.nbytes = nbytes

    # `_free` is bound here because at the interpreter's end this module's names may be gone before the last Buffer.
    def __del__(self, free: _FreeBlocks = _free) -> None:
        block = self._block
        self._home.append(block)
        free.held += block[1]
        if free.held > free.cap:
            free.shrink(free.cap)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """The bytes, read-only, by NumPy's array interface protocol: the array made from it has this object as its base."""
        return {"version": 3, "shape": (self.nbytes,), "typestr": "|u1", "data": (self.address, True)}

    def __repr__(self) -> str:
        return f"Buffer({self.nbytes} bytes at {self.address:#x})"


def allocate(nbytes: int) -> Buffer:
    """Memory of at least `nbytes` bytes with undefined contents, aligned to 64.

    Raises:
        MemoryError: the system has no more memory, even after all free blocks were given back to it.
    """
    free = _free
    try:
        home = free.by_request[nbytes]
        block = home.pop()
    except LookupError:
        return _allocate_fresh(nbytes)
    free.held -= block[1]
    return Buffer(block, nbytes, home)


def _allocate_fresh(nbytes: int) -> Buffer:
    size = block_size(nbytes)
    home = _free.list_for(nbytes, size)
    try:
        block = home.pop()  # of another number of bytes
    except IndexError:
        block = _fresh(size)
    _free.held = _free.count()
    return Buffer(block, nbytes, home)


def block_size(nbytes: int) -> int:
    """The size of the block that holds so many bytes: rounded up to eight steps an octave, so that requests of near sizes
    share blocks, at a loss of less than an eighth.
    """
    if nbytes < 0:
        raise ValueError(f"allocate: a number of bytes cannot be negative, got {nbytes}")
    step = max(ALIGNMENT, 1 << max(0, (nbytes - 1).bit_length() - 4))
    return max(1, -(-nbytes // step)) * step


def view(buffer: Buffer, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int = 0) -> np.ndarray[Any, np.dtype[Any]]:
    """A read-only array over the buffer's bytes from `offset` on, in row-major order. It keeps the buffer alive.

    Raises:
        TypeError: the buffer ends before the array does.
    """
    return np.ndarray(shape, dtype, np.asarray(buffer), offset)


def free_bytes() -> int:
    """How much memory lies in free blocks."""
    return _free.held


def free_bytes_cap() -> int:
    """How much memory may lie in free blocks: an eighth of the machine's at first."""
    return _free.cap


def set_free_bytes_cap(nbytes: int) -> None:
    """Let at most `nbytes` lie in free blocks, and give the rest back to the system at once; 0 keeps none."""
    if nbytes < 0:
        raise ValueError(f"set_free_bytes_cap: a number of bytes cannot be negative, got {nbytes}")
    _free.cap = nbytes
    _free.shrink(nbytes)


def _fresh(size: int) -> _Block:
    try:
        return _map(size) if size >= HUGE_PAGE else _carve(size)
    except (OSError, MemoryError, OverflowError):
        _free.shrink(0)
    try:
        return _map(size) if size >= HUGE_PAGE else _carve(size)
    except (OSError, MemoryError, OverflowError) as error:
        raise MemoryError(f"allocate: the system has no {size} bytes left") from error


def _carve(size: int) -> _Block:
    owner = np.empty(size + ALIGNMENT, np.uint8)
    return _Block(borrow(owner) + ALIGNMENT - 1 & -ALIGNMENT, size, owner)


def _map(size: int) -> _Block:
    """Pages of the system's own, huge ones where it has them: fewer faults, and fewer misses of the TLB."""
    # The excess is address space alone: a page that nobody touches takes no memory.
    pages = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    owner = np.frombuffer(pages, np.uint8)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return _Block(borrow(owner) + HUGE_PAGE - 1 & -HUGE_PAGE, size, owner)
