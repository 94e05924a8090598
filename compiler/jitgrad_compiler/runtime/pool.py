"""The one thread pool: Python threads parked inside native code. `pool_ir.py` explains how a region runs.

Programs call `jitgrad_parallel(ptr task, ptr args, i64 tasks)`, whose address `address()` gives, with a task of type
`void (ptr args, i64 begin, i64 end)`. Threads start when the first region asks for them, in this process or a forked child.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time

from ..ending import at_end
from ..targets.cpu.machine.driver import PARALLEL
from ..targets.cpu.machine.native import compile_ir
from .pool_ir import pool_text

SYMBOL = PARALLEL
STACK_BYTES = 16 << 20  # a kernel's scratch rows lie on its thread's stack
SPIN_SECONDS = 50e-6  # longer than the gap between the regions of one program and between the calls of a tight Python loop


def num_threads() -> int:
    """How many threads a region may run on, the calling one included. At first: the cores this process may use."""
    return _settings.threads


def set_num_threads(count: int) -> None:
    """Let regions that start from now on run on up to `count` threads; more than there are cores is allowed.

    Raises:
        ValueError: `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"set_num_threads: there must be at least one thread, got {count}")
    with _lock:
        _settings.threads = count
        if _instance is not None:
            _instance.configure()


def address() -> int:
    """Where `jitgrad_parallel` starts, for the symbols of a program."""
    return _native().address


def run(task: int, args: int, tasks: int) -> None:
    """Run the native `task` (its address) over [0, tasks), as programs do, and return when all are done.

    The GIL is released meanwhile.
    """
    _native().parallel(task, args, tasks)


class _Settings:
    """What a process asks of its pool before, and whether or not, it has one."""

    def __init__(self) -> None:
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = self.cores


class _Native:
    """The compiled pool and its Python threads. There is one, and it is never unloaded: threads stand in it for good."""

    def __init__(self) -> None:
        self.workers = 0
        self.grow_callback = ctypes.CFUNCTYPE(None)(self.grow)
        grow = ctypes.cast(self.grow_callback, ctypes.c_void_p).value or 0
        # At level 0: the pool costs 2 ms of a program's first call instead of 9, and a region no measurable time more.
        self.module = compile_ir(pool_text(), {"jitgrad_grow": grow}, codegen_level=0)
        self.address = self.module.address(SYMBOL)
        # Types made by CFUNCTYPE release the GIL while the function runs.
        self.parallel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self.address)
        self.worker = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self.module.address("jitgrad_worker"))
        self.pause = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self.module.address("jitgrad_pause"))
        self.set_limits = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int64)(self.module.address("jitgrad_configure"))
        self.employ = ctypes.CFUNCTYPE(None, ctypes.c_int32)(self.module.address("jitgrad_employ"))
        self.reset = ctypes.CFUNCTYPE(None)(self.module.address("jitgrad_reset"))
        self.reset()
        self.patience = self.pauses_in(SPIN_SECONDS)
        self.configure()
        os.register_at_fork(after_in_child=self.forget_workers)
        at_end(lambda: self.set_limits(1, 0))  # no region asks Python for threads any more
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))  # outlives even the teardown of modules at exit

    def pauses_in(self, seconds: float) -> int:
        """How many pauses take that long: between 10 and 140 cycles each, by the make of the processor."""
        count, best = 500, float("inf")
        for _ in range(3):  # the shortest, as another process may get in between
            start = time.perf_counter()
            self.pause(count)
            best = min(best, time.perf_counter() - start)
        return max(1, int(count * seconds / best))

    def configure(self) -> None:
        # With more threads than cores the one awaited may need the core of the one that spins.
        self.set_limits(_settings.threads, self.patience if _settings.threads <= _settings.cores else 0)

    def grow(self) -> None:
        """Start the workers that are lacking. Called from native code by the owner of a region, so by one thread at a time."""
        stack = threading.stack_size(STACK_BYTES)
        try:
            while self.workers < _settings.threads - 1:
                # Those beyond the cores never spin: they would take turns with threads that have work.
                patience = self.patience if self.workers < _settings.cores - 1 else 0
                name = f"jitgrad worker {self.workers + 1}"
                threading.Thread(target=self.worker, args=(patience,), name=name, daemon=True).start()
                self.workers += 1
        except RuntimeError:  # no more threads to be had, or the interpreter is at its end: go on with those there are
            self.set_limits(self.workers + 1, self.patience)
        finally:
            threading.stack_size(stack)
        self.employ(self.workers)

    def forget_workers(self) -> None:
        """In a forked child, where the caller of fork alone lives on."""
        self.workers = 0
        self.reset()


_settings = _Settings()
_instance: _Native | None = None
_lock = threading.Lock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def _native() -> _Native:
    global _instance
    if _instance is None:
        with _lock:
            if _instance is None:
                _instance = _Native()
    return _instance
