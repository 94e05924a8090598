"""The one native function that runs programs, compiled when the first of them is: targets/cpu/machine/driver.py."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache

from ..targets.cpu.machine.driver import CLEAR, ENTRY, FREE, OBJECTS, RUN, TOGETHER, driver_text
from ..targets.cpu.machine.native import NativeModule, compile_ir, host_features
from . import interruption, pool

_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_ENTRY_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_char_p)  # releases the GIL while the program runs


@cache
def _load() -> tuple[NativeModule, Callable[[bytes], None]]:
    module = compile_ir(driver_text(host_features()), {pool.SYMBOL: pool.address()})
    return module, _ENTRY_TYPE(module.address(ENTRY))


def entry() -> Callable[[bytes], None]:
    """Runs a program, given its table."""
    with _lock:  # plans keep addresses of the module, so there must be one alone, however many threads ask first
        return _load()[1]


def symbols() -> dict[str, int]:
    """The addresses of all that kernels and plans call, and that compiling them does."""
    with _lock:
        module = _load()[0]
    ours = {name: module.address(name) for name in (RUN, CLEAR, FREE, OBJECTS, TOGETHER)}
    return {pool.SYMBOL: pool.address(), **interruption.symbols(), **ours}
