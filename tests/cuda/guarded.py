"""Memory between pages that nobody may touch, for the emulator's stacks and shared memory, and for the stand-in's device."""

from __future__ import annotations

import ctypes
import mmap

PAGE = mmap.PAGESIZE
_PRIVATE, _ANONYMOUS, _FIXED, _NORESERVE = 0x02, 0x20, 0x10, 0x4000
_NONE, _READ_WRITE = 0, 3

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def pages(nbytes: int) -> int:
    """Bytes of whole pages."""
    return -(-nbytes // PAGE) * PAGE


def reserve(nbytes: int) -> int:
    """Addresses that nothing lies at."""
    found = _libc.mmap(None, nbytes, _NONE, _PRIVATE | _ANONYMOUS | _NORESERVE, -1, 0)
    if found in (None, ctypes.c_void_p(-1).value):
        raise MemoryError(f"no {nbytes} bytes of addresses are to be had: {ctypes.get_errno()}")
    return int(found)


def unreserve(address: int, nbytes: int) -> None:
    """Give reserved addresses back."""
    _libc.munmap(address, nbytes)


def put(address: int, nbytes: int) -> None:
    """Whole pages of memory at reserved addresses."""
    if _libc.mprotect(address, nbytes, _READ_WRITE):
        raise MemoryError(f"no {nbytes} bytes of memory are to be had: {ctypes.get_errno()}")


def take(address: int, nbytes: int) -> None:
    """Whole pages of memory away, so that touching them is a fault."""
    if nbytes:
        _libc.mmap(address, nbytes, _NONE, _PRIVATE | _ANONYMOUS | _NORESERVE | _FIXED, -1, 0)


class Region:
    """`count` pieces of memory of whole pages, each with a page before it that nobody may touch, and one behind all."""

    def __init__(self, count: int, nbytes: int) -> None:
        self.count, self.nbytes, self.stride = count, nbytes, nbytes + PAGE
        self.total = count * self.stride + PAGE
        self.base = reserve(self.total)
        for n in range(count if nbytes else 0):
            put(self.base + n * self.stride + PAGE, nbytes)

    def start(self, nbytes: int) -> int:
        """Where so many bytes at the end of the first piece start."""
        return self.base + self.stride - nbytes

    def __contains__(self, address: int) -> bool:
        return self.base <= address < self.base + self.total

    def __del__(self) -> None:
        unreserve(self.base, self.total)
