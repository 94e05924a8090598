"""Settings, assignable at any time: `jitgrad.config.num_threads = 4`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Config:
    """num_threads: how many threads run a program (1 or more, also above the cores; results do not depend on it).
    default_float: "float32" or "float64", the type of floats made without a type.
    disable_jit: run jitted functions eagerly, equation by equation, for debugging.
    """

    def __init__(self) -> None:
        self._threads = _threads_from_environment()
        self._float = "float32"
        self._no_jit = False
        self._thread_listeners: list[Callable[[int], None]] = []

    def on_threads(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of threads, now and whenever it changes."""
        self._thread_listeners.append(listener)
        listener(self._threads)

    @property
    def num_threads(self) -> int:
        return self._threads

    @num_threads.setter
    def num_threads(self, n: int) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"config.num_threads must be an integer of at least 1, got {n!r}")
        self._threads = n
        for listener in self._thread_listeners:
            listener(n)

    @property
    def default_float(self) -> str:
        return self._float

    @default_float.setter
    def default_float(self, name: Any) -> None:
        name = getattr(name, "__name__", str(name))
        if name not in ("float32", "float64"):
            raise ValueError(f"config.default_float must be 'float32' or 'float64', got {name!r}")
        self._float = name

    @property
    def disable_jit(self) -> bool:
        return self._no_jit

    @disable_jit.setter
    def disable_jit(self, value: bool) -> None:
        self._no_jit = bool(value)


def _threads_from_environment() -> int:
    given = os.environ.get("JITGRAD_NUM_THREADS", "")
    if given:
        if not given.isdigit() or int(given) < 1:
            raise ValueError(f"JITGRAD_NUM_THREADS must be an integer of at least 1, got {given!r}")
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


config = Config()


@contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Inside this block jitted functions run eagerly, so that print, pdb and Python's `if` see concrete numbers.

    >>> import jitgrad
    >>> with jitgrad.disable_jit():
    ...     print(jitgrad.jit(lambda x: x * 2 if x > 0 else x)(3.0))
    6.0
    """
    before, config.disable_jit = config.disable_jit, disable
    try:
        yield
    finally:
        config.disable_jit = before
