"""The end of the process, for the threads that are still at work then.

Python ends a daemon thread where it next asks for the interpreter's lock: up to 3.13 by unwinding its stack (pthread_exit), which
ends the whole process ("terminate called without an active exception") where C++ that takes the lock in a destructor stands on it,
as optree's does. Code that asks for the lock when the interpreter is gone crashes, and so does LLVM when its own data are gone.

So from the moment when the process ends, which is when atexit's functions run, other threads end where they come to such code, in
silence, as by `sys.exit()`; and the process waits for those inside.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_WAIT = 10.0
"""Seconds that the end of the process waits for threads inside: a module of machine code takes less."""

_ender: int | None = None
"""The thread that ends the process."""
_inside: list[None] = []
"""One entry for each thread inside; `append` and `pop` of a list are atomic."""
_listeners: list[Callable[[], None]] = []
os.register_at_fork(after_in_child=_inside.clear)  # the other threads do not exist there


def whole(f: Callable[P, R]) -> Callable[P, R]:
    """f, which no thread is taken out of: once the process ends, other threads do not come in, and it waits for those inside."""

    @functools.wraps(f)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        _inside.append(None)
        try:
            if _ender is not None and threading.get_ident() != _ender:
                leave()
            return f(*args, **kwargs)
        finally:
            _inside.pop()

    return run


def leave() -> NoReturn:
    """End this thread, as the process ends."""
    raise SystemExit("jitgrad: the process ends, and this thread with it")


def at_end(f: Callable[[], None]) -> None:
    """Call f when the process ends, in the thread that ends it, before it waits."""
    _listeners.append(f)


def _end() -> None:
    global _ender
    _ender = threading.get_ident()
    for f in _listeners:
        f()
    deadline = time.monotonic() + LONGEST_WAIT
    while _inside and time.monotonic() < deadline:
        time.sleep(0.001)


atexit.register(_end)
