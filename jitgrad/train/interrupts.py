"""Ctrl-C during a native epoch: it is noted, the loop ends after a whole step, and then the handler that was there is called."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_noted() -> Iterator[Callable[[], bool]]:
    """Within, a first Ctrl-C is noted, and what this gives says whether there was one; a second one is handled at once.

    The first is handled when the block has ended. Python handles signals in its main thread alone; elsewhere nothing changes.
    """
    handler: Any = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield lambda: False
        return
    noted: list[tuple[int, Any]] = []

    def note(number: int, frame: Any) -> None:
        if noted:
            handler(number, frame)
        noted.append((number, frame))

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, handler)
    if noted:
        handler(*noted[0])
