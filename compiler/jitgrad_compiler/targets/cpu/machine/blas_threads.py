"""Keeping BLAS to one thread while tasks call it: they are many at once already, and its results would depend on its threads.

ENTER and LEAVE stand around the calls of a task. The first that enters, of all threads, notes how many threads BLAS had, and the
last that leaves gives them back. They are compiled when a program first calls BLAS.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterable
from functools import cache

from ...scipy_routines import addresses, thread_functions
from ...tasks.lapack.matrices import ENTER, LEAVE
from .native import NativeModule, compile_ir

_RESET = "jitgrad_blas_reset"
_GET, _SET = "blas_get_threads", "blas_set_threads"

_CHANGED = f"""
declare i32 @{_GET}()
declare void @{_SET}(i32)
@users = internal global i32 0
@before = internal global i32 0
@busy = internal global i32 0
define internal void @lock() {{
  br label %again
again:
  %taken = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %mine = extractvalue {{ i32, i1 }} %taken, 1
  br i1 %mine, label %done, label %again
done:
  ret void
}}
define void @{ENTER}() {{
  call void @lock()
  %others = load i32, ptr @users
  %all = add i32 %others, 1
  store i32 %all, ptr @users
  %first = icmp eq i32 %others, 0
  br i1 %first, label %set, label %done
set:
  %now = call i32 @{_GET}()
  store i32 %now, ptr @before
  call void @{_SET}(i32 1)
  br label %done
done:
  store atomic i32 0, ptr @busy release, align 4
  ret void
}}
define void @{LEAVE}() {{
  call void @lock()
  %all = load i32, ptr @users
  %others = sub i32 %all, 1
  store i32 %others, ptr @users
  %last = icmp eq i32 %others, 0
  br i1 %last, label %set, label %done
set:
  %then = load i32, ptr @before
  call void @{_SET}(i32 %then)
  br label %done
done:
  store atomic i32 0, ptr @busy release, align 4
  ret void
}}
define void @{_RESET}() {{
  store i32 0, ptr @users
  store atomic i32 0, ptr @busy release, align 4
  ret void
}}
"""
_UNCHANGED = "".join(f"define void @{name}() {{\n  ret void\n}}\n" for name in (ENTER, LEAVE, _RESET))

_lock = threading.Lock()


@cache
def _load() -> NativeModule:
    found = thread_functions()
    module = compile_ir(_CHANGED, dict(zip((_GET, _SET), found, strict=True))) if found else compile_ir(_UNCHANGED)
    # in a child the threads are gone that were inside when it was forked
    os.register_at_fork(after_in_child=ctypes.CFUNCTYPE(None)(module.address(_RESET)))
    return module


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def blas_symbols(declared: Iterable[str]) -> dict[str, int]:
    """The addresses of what a module declares of BLAS, LAPACK and the functions here."""
    names = set(declared)
    found = addresses(names)
    if ENTER in names:
        with _lock:
            module = _load()
        found |= {name: module.address(name) for name in (ENTER, LEAVE)}
    return found
