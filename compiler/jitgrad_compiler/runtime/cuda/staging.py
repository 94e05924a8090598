"""Large transfers, through pinned memory of the host that the device reads and writes by itself: while one piece is on its way, the
processor copies the next.
"""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bindings import NvidiaDriver

STAGED = 1 << 20
"""Bytes from which on it is worth while; the driver itself is as fast with less."""
PIECE = 4 << 20
PIECES = 3


class _Piece:
    """Pinned memory, and the event behind its last use."""

    def __init__(self, driver: NvidiaDriver, address: int) -> None:
        self._driver, self.address, self._event = driver, address, driver.record()
        self._marked = True

    def wait(self) -> None:
        """Return when the device has done with it."""
        if self._marked:
            self._driver.wait_for(self._event)
        else:
            self._driver.synchronize()  # Ctrl-C came between a copy and its event

    def move(self, what: str, f: Any, to: int, source: int, nbytes: int) -> None:
        """Let the device copy from or to it."""
        self._marked = False
        self._driver._ask(what, f, to, source, nbytes, self._driver._stream)
        self._driver.record(self._event)
        self._marked = True


class Staging:
    """The pinned memory of one device, taken when it is first needed; for each direction some of its own."""

    def __init__(self, driver: NvidiaDriver) -> None:
        self._driver = driver
        self._locks = threading.Lock(), threading.Lock()
        self._taken: tuple[list[_Piece], list[_Piece]] = [], []

    def _pieces(self, direction: int) -> list[_Piece]:
        pieces, driver = self._taken[direction], self._driver
        while len(pieces) < PIECES:
            cuda = driver._cuda
            pinned = driver._ask("pinned memory of the host", cuda.cuMemHostAlloc, PIECE, cuda.CU_MEMHOSTALLOC_PORTABLE)
            pieces.append(_Piece(driver, int(pinned)))
        return pieces

    def upload(self, address: int, host: int, nbytes: int) -> None:
        with self._locks[0]:
            pieces, driver = self._pieces(0), self._driver
            for turn, start in enumerate(range(0, nbytes, PIECE)):
                piece, size = pieces[turn % PIECES], min(PIECE, nbytes - start)
                piece.wait()
                ctypes.memmove(piece.address, host + start, size)
                piece.move("copying to it", driver._cuda.cuMemcpyHtoDAsync, address + start, piece.address, size)

    def download(self, host: int, address: int, nbytes: int) -> None:
        with self._locks[1]:
            pieces, driver = self._pieces(1), self._driver
            starts = range(0, nbytes, PIECE)

            def begin(turn: int) -> None:
                piece, start = pieces[turn % PIECES], starts[turn]
                size = min(PIECE, nbytes - start)
                piece.move("copying from it", driver._cuda.cuMemcpyDtoHAsync, piece.address, address + start, size)

            for turn in range(min(PIECES, len(starts))):
                begin(turn)
            for turn, start in enumerate(starts):
                piece = pieces[turn % PIECES]
                piece.wait()
                ctypes.memmove(host + start, piece.address, min(PIECE, nbytes - start))
                if turn + PIECES < len(starts):
                    begin(turn + PIECES)
