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

    def __init__(self, driver: NvidiaDriver, stream: Any, address: int) -> None:
        self._driver, self._stream, self.address, self._event = driver, stream, address, driver.record(None, stream)
        self._marked = True

    def wait(self) -> None:
        """Return when the device has done with it."""
        if self._marked:
            self._driver.wait_for(self._event)
        else:
            self._driver.drain(self._stream)  # Ctrl-C came between a copy and its event

    def move(self, what: str, f: Any, to: int, source: int, nbytes: int) -> None:
        """Let the device copy from or to it."""
        self._marked = False
        self._driver._ask(what, f, to, source, nbytes, self._stream)
        self._driver.record(self._event, self._stream)
        self._marked = True


class Staging:
    """The pinned memory of one stream, taken when it is first needed; for each direction some of its own."""

    def __init__(self, driver: NvidiaDriver, stream: Any) -> None:
        self._driver, self.stream = driver, stream
        self._locks = threading.Lock(), threading.Lock()
        self._taken: tuple[list[_Piece], list[_Piece]] = [], []

    def _pieces(self, direction: int) -> list[_Piece]:
        pieces, driver = self._taken[direction], self._driver
        while len(pieces) < PIECES:
            cuda = driver._cuda
            pinned = driver._ask("pinned memory of the host", cuda.cuMemHostAlloc, PIECE, cuda.CU_MEMHOSTALLOC_PORTABLE)
            pieces.append(_Piece(driver, self.stream, int(pinned)))
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
