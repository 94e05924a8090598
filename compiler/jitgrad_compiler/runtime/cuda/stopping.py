"""How Ctrl-C ends kernels that loop: they look at a word of the host's memory now and then, and leave where it is not zero.

What such kernels write, and what is made of that, is remembered while it may be unfinished. When a wait is interrupted, the word is
set until all is over; what was remembered is void then, and says so where it is used.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

WORD_BYTES = 64
"""Of the memory that the word is the first of."""


class Stopping:
    """`host` is where the processor finds the word, `device` where kernels do."""

    def __init__(self, host: int, device: int) -> None:
        self.device = device
        self._word = ctypes.c_int64.from_address(host)
        self._word.value = 0
        self.unfinished: weakref.WeakSet[Any] = weakref.WeakSet()
        """Memory that kernels may be writing that can be stopped, or others of what these write."""

    def wait(self, wait: Callable[[], None]) -> None:
        """Wait for all that was asked; if that is interrupted, have kernels end that can be stopped."""
        before = list(self.unfinished)
        self.heard(wait, wait)
        self.unfinished.difference_update(before)

    def heard(self, wait: Callable[[], None], all_over: Callable[[], None]) -> None:
        """Wait for something; the same if that is interrupted. `all_over` waits for all that was asked."""
        try:
            wait()
        except KeyboardInterrupt:
            if self.unfinished:
                self._stop(all_over)
            raise

    def _stop(self, all_over: Callable[[], None]) -> None:
        self._word.value = 1
        try:
            all_over()
        finally:
            self._word.value = 0
            for memory in list(self.unfinished):  # with what other threads have asked for meanwhile
                self.unfinished.discard(memory)
                memory.void()
