"""Elements made ahead by a thread.

The thread and the consumer share a `Buffer` and nothing else, so that an iteration that is left, and then collected, is seen by the
thread: the generator's end closes the buffer. The thread is a daemon, which does not keep the process when an element takes long.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from .streams import closing_of


class Buffer:
    """Up to `size` elements between a thread that puts them in and one that takes them out."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.elements: deque[Any] = deque()
        self.changed = threading.Condition()
        self.ended = self.left = False
        self.error: BaseException | None = None

    def fill(self, make: Callable[[], Iterator[Any]]) -> None:
        """What the thread does: put elements in until they end, or nobody wants them."""
        try:
            source = make()
            with closing_of(source):
                for element in source:
                    with self.changed:
                        self.elements.append(element)
                        self.changed.notify()
                        self.changed.wait_for(lambda: self.left or len(self.elements) < self.size)
                        if self.left:
                            return
        except BaseException as error:  # raised where the element was to come
            self.error = error
        finally:
            with self.changed:
                self.ended = True
                self.changed.notify()

    def drain(self) -> Iterator[Any]:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.elements or self.ended)
                if not self.elements:
                    break
                element = self.elements.popleft()
                self.changed.notify()
            yield element
            del element
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # its traceback has this frame, and so this buffer

    def leave(self) -> None:
        with self.changed:
            self.left = True
            self.elements.clear()
            self.changed.notify()


def prefetched(make: Callable[[], Iterator[Any]], size: int) -> Iterator[Any]:
    """The elements of `make()`, which a thread of this iteration makes, up to `size` ahead."""
    buffer = Buffer(size)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(buffer.fill, make), name="jitgrad-prefetch", daemon=True)
    thread.start()
    try:
        yield from buffer.drain()
    finally:
        buffer.leave()
