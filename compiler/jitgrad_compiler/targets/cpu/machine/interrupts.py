"""How a running loop learns that it is to stop. Its back-edges call `jitgrad_poll`, which looks at the clock and, every 50 ms, has
Python handle signals; an exception that comes of it (Ctrl-C's) is kept in the run's state, and the loops of the program end.

The state is an array of words: whether to stop, then the exception's type, value and traceback. runtime/interruption.py makes it.
"""

from __future__ import annotations

from ....ir.types import BOOL, I64
from ...emitter import Emitter, Reg

POLL = "jitgrad_poll"
STATE_WORDS = 4


def poll(e: Emitter, state: Reg) -> Reg:
    """Whether the program is to stop."""
    e.module.declare(POLL, "i1", ["ptr"])
    result = e.call(POLL, BOOL, state)
    assert result is not None
    return result


def stopped(e: Emitter, state: Reg) -> Reg:
    """Whether somebody has found that the program is to stop."""
    word = e.op(f"load atomic i64, ptr {state.text} monotonic, align 8", I64)
    return e.compare("ne", word, 0)


POLL_TEXT = """
@looked = internal global i64 0
declare i32 @clock_gettime(i32, ptr)
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()
declare void @PyErr_Fetch(ptr, ptr, ptr)

define i1 @jitgrad_poll(ptr %state) {
entry:
  %time = alloca [2 x i64]
  %word = load atomic i64, ptr %state monotonic, align 8
  %stopped = icmp ne i64 %word, 0
  br i1 %stopped, label %stop, label %look
look:
  %failed = call i32 @clock_gettime(i32 CLOCK, ptr %time)
  %seconds = load i64, ptr %time
  %rest = getelementptr i64, ptr %time, i64 1
  %nanoseconds = load i64, ptr %rest
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %nanoseconds
  %before = load atomic i64, ptr @looked monotonic, align 8
  %passed = sub i64 %now, %before
  %due = icmp ugt i64 %passed, 50000000
  br i1 %due, label %ask, label %go
ask:
  store atomic i64 %now, ptr @looked monotonic, align 8
  %lock = call i32 @PyGILState_Ensure()
  %found = call i32 @PyErr_CheckSignals()
  %raised = icmp ne i32 %found, 0
  br i1 %raised, label %keep, label %release
keep:
  %type = getelementptr i64, ptr %state, i64 1
  %value = getelementptr i64, ptr %state, i64 2
  %traceback = getelementptr i64, ptr %state, i64 3
  call void @PyErr_Fetch(ptr %type, ptr %value, ptr %traceback)
  store atomic i64 1, ptr %state monotonic, align 8
  br label %release
release:
  call void @PyGILState_Release(i32 %lock)
  br i1 %raised, label %stop, label %go
stop:
  ret i1 true
go:
  ret i1 false
}
"""
