"""The states of runs, and what `jitgrad_poll` is: how Ctrl-C ends a loop that runs in native code. Where
the code asks: targets/cpu/machine/interrupts.py.

Only programs with loops have a state. An exception that ended one is raised where the program was called.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache

from ..ending import at_end, leave
from ..targets.cpu.machine.interrupts import END, ENDED, STATE_WORDS, TEXT
from ..targets.cpu.machine.native import NativeModule, compile_ir
from ..targets.tasks.callbacks import CALLBACK
from ..targets.tasks.polling import POLL
from . import callbacks

State = ctypes.c_int64 * STATE_WORDS

_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@cache
def _load() -> NativeModule:
    names = ("PyGILState_Ensure", "PyGILState_Release", "PyErr_CheckSignals", "PyErr_Fetch")
    symbols = {n: ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value or 0 for n in names}
    module = compile_ir(TEXT, {**symbols, **callbacks.symbols()}, codegen_level=0)
    at_end(ctypes.CFUNCTYPE(None)(module.address(END)))
    return module


def symbols() -> dict[str, int]:
    """The addresses of what programs with loops and callbacks call."""
    with _lock:  # programs keep its address, so there must be one alone, however many threads ask first
        module = _load()
    return {name: module.address(name) for name in (POLL, CALLBACK)}


def raise_pending(state: ctypes.Array[ctypes.c_int64]) -> None:
    """Raise the exception that ended the run, if one did."""
    if state[0] == ENDED:
        leave()
    if state[0]:
        error = callbacks.taken(ctypes.addressof(state))
        if error is not None:
            try:
                raise error
            finally:
                del error  # which refers to this frame, and would keep all that its callers hold until the collector comes by
        restore = ctypes.pythonapi.PyErr_Restore
        restore.argtypes = [ctypes.c_void_p] * 3
        restore.restype = None
        restore(state[1] or None, state[2] or None, state[3] or None)  # ctypes raises what is pending when it returns
