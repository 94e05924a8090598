"""Elements made ahead by threads.

The threads and the consumer share an `Ahead` and nothing else, so that an iteration that is left, and then collected, is seen by
the threads: the end of the generator tells them. They are daemons, which do not keep the process when an element takes long.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

from jitgrad.arrivals import send
from jitgrad.devices import Device

Get = Callable[[int], Any]
"""Element number i; END behind the last."""

END: Any = object()


class Ahead:
    """The elements that are being made, by number, or are made and not yet taken: `number` at most."""

    def __init__(self, get: Get, number: int) -> None:
        self.get, self.number = get, number
        self.changed = threading.Condition()
        self.claimed = self.taken = 0
        self.made: dict[int, tuple[Any, BaseException | None]] = {}
        self.left = False

    def work(self, close: Callable[[], None]) -> None:
        """What a thread does: make the next element that no other makes, until there are none, one fails or nobody wants them."""
        try:
            while not self.left:
                with self.changed:
                    self.changed.wait_for(lambda: self.left or self.claimed < self.taken + self.number)
                    if self.left:
                        return
                    i = self.claimed
                    self.claimed += 1
                found, failed = None, None
                try:
                    found = self.get(i)
                except BaseException as error:  # raised where the element was to come
                    failed = error
                with self.changed:
                    self.made[i] = found, failed
                    self.changed.notify_all()
                if failed is not None or found is END:
                    return
                del found
        finally:
            close()

    def drain(self) -> Iterator[Any]:
        """The elements in the order of their numbers."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.taken in self.made)
                element, failed = self.made.pop(self.taken)
                self.taken += 1
                self.changed.notify_all()
            if element is END:
                return
            if failed is not None:
                try:
                    raise failed
                finally:
                    del failed  # its traceback has this frame
            yield element
            del element

    def leave(self) -> None:
        with self.changed:
            self.left = True
            self.made.clear()
            self.changed.notify_all()


def prefetched(
    get: Get, number: int, threads: int, device: Device | None = None, close: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """The elements of an iteration, up to `number` made ahead by threads of its own, which end with it; then `close` is called.
    With a device they are Arrays there, and the threads bring them.
    """
    ahead = Ahead(get if device is None else lambda i: _sent(get(i), device), number)
    for _ in range(threads):
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(ahead.work, close), name="jitgrad-prefetch", daemon=True).start()
    try:
        if device is None:
            yield from ahead.drain()
        else:
            for arrival in ahead.drain():
                yield arrival.taken()
    finally:
        ahead.leave()


def _sent(element: Any, device: Device) -> Any:
    return element if element is END else send("data: prefetch", element, device)


def prefetched_stream(elements: Iterator[Any], number: int, device: Device | None = None) -> Iterator[Any]:
    """The same of a stream, which one thread goes through and closes."""
    return prefetched(lambda i: next(elements, END), number, 1, device, getattr(elements, "close", lambda: None))
