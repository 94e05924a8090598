"""How a running loop learns that it is to stop. Its back-edges call `jitgrad_poll`, which looks at the clock and, every 50 ms, has
Python handle signals; an exception that comes of it (Ctrl-C's) is kept in the run's state, and the loops of the program end.

The state is an array of words: whether to stop, then the exception's type, value and traceback. runtime/interruption.py makes it.

When the process ends (`jitgrad_end`), programs on other threads stop where they would ask Python, which may be gone by then: at a
poll and at a callback (callbacks.py).
"""

from __future__ import annotations

import time

from ...tasks.callbacks import CALL_PYTHON, CALLBACK
from ...tasks.polling import POLL

END = "jitgrad_end"
STATE_WORDS = 4
ENDED = 2
"""What the first word is where a program stopped because the process ends."""


TEXT = f"""
@looked = internal global i64 0
@ender = internal global i64 0                     ; the thread that ends the process, 0 before
declare i64 @pthread_self()
declare i32 @clock_gettime(i32, ptr)
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()
declare void @PyErr_Fetch(ptr, ptr, ptr)

declare void @{CALL_PYTHON}(i64, ptr, ptr)

define void @{END}() {{
  %me = call i64 @pthread_self()
  store atomic i64 %me, ptr @ender seq_cst, align 8
  ret void
}}

; Whether this thread is to end with the process; its program stops then.
define internal i1 @ends(ptr %state) {{
entry:
  %ender = load atomic i64, ptr @ender monotonic, align 8
  %ending = icmp ne i64 %ender, 0
  br i1 %ending, label %whose, label %no
whose:
  %me = call i64 @pthread_self()
  %mine = icmp eq i64 %me, %ender
  br i1 %mine, label %no, label %yes
yes:
  store atomic i64 {ENDED}, ptr %state monotonic, align 8
  ret i1 true
no:
  ret i1 false
}}

define void @{CALLBACK}(i64 %site, ptr %table, ptr %state) {{
entry:
  %ends = call i1 @ends(ptr %state)
  br i1 %ends, label %over, label %go
go:
  call void @{CALL_PYTHON}(i64 %site, ptr %table, ptr %state)
  br label %over
over:
  ret void
}}

define i1 @{POLL}(ptr %state) {{
entry:
  %time = alloca [2 x i64]
  %word = load atomic i64, ptr %state monotonic, align 8
  %stopped = icmp ne i64 %word, 0
  br i1 %stopped, label %stop, label %look
look:
  %ends = call i1 @ends(ptr %state)
  br i1 %ends, label %stop, label %clock
clock:
  %failed = call i32 @clock_gettime(i32 {time.CLOCK_MONOTONIC}, ptr %time)
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
}}
"""
