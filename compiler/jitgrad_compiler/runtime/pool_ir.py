"""The native part of the thread pool, as LLVM text. Next on the path: `pool.py`, which compiles it and starts the threads.

One region runs at a time. Its owner holds `@busy`, fills in the task, and opens `@gate` with as many slots as it wants
helpers. A worker that takes a slot has joined: it claims ranges of tasks from `@next` until none is left, then counts itself
in `@left`. The owner works too; when no task is left it shuts the gate, and so learns how many joined, and waits for those
alone. A worker that wakes too late finds the gate shut and has lost nothing, so a short region never waits for a sleeper.

Whoever finds `@busy` taken (a second thread of the program, or a task that opens a region inside a region) runs its tasks
itself. Tasks are cut by shape and write their own places, so that changes no result.

Workers look at the gate for a bounded number of pauses and then sleep on its address until a waker finds `@sleepers` above
zero. The order of the four steps (open the gate, read sleepers; count as sleeper, compare the gate) is what
`seq_cst` fixes: at least one of the two sides sees the other.

Ranges shrink with what is left (guided self-scheduling, Polychronopoulos and Kuck 1987): long at first, so that a counter is
seldom touched, single tasks in the end, so that threads finish together.
"""

from __future__ import annotations

import platform
import sys

from ..targets.cpu.machine.float_state import FLOATS_ELSEWHERE, FLOATS_X86

_STATE = """
@threads = internal global i32 1, align 128        ; how many threads a region may have, its owner included
@workers = internal global i32 0                   ; how many workers there are
@patience = internal global i64 0                  ; pauses the owner spins before it sleeps
@busy = internal global i32 0, align 128
@gate = internal global i32 0, align 128           ; free slots of the open region; workers sleep on it
@sleepers = internal global i32 0, align 128
@task = internal global ptr null, align 128
@args = internal global ptr null
@tasks = internal global i64 0
@shift = internal global i64 0                     ; a range is what is left >> shift: about 1/(2 threads) of it
@next = internal global i64 0, align 128
@left = internal global i32 0, align 128           ; helpers that are done; the owner sleeps on it
@waiting = internal global i32 0                   ; whether it does
"""

_REGION = """
declare void @jitgrad_grow()
declare i32 @llvm.smin.i32(i32, i32)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i32 @llvm.ctlz.i32(i32, i1)

define void @jitgrad_parallel(ptr %task, ptr %args, i64 %tasks) {
entry:
  %several = icmp sgt i64 %tasks, 1
  %threads = load atomic i32, ptr @threads monotonic, align 4
  %threaded = icmp sgt i32 %threads, 1
  %worthwhile = and i1 %several, %threaded
  br i1 %worthwhile, label %enter, label %alone
enter:
  %taken = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %taken, 1
  br i1 %mine, label %owner, label %alone
owner:
  %wanted = add i32 %threads, -1
  %present = load atomic i32, ptr @workers monotonic, align 4
  %short = icmp slt i32 %present, %wanted
  br i1 %short, label %grow, label %staffed
grow:
  call void @jitgrad_grow()
  %grown = load atomic i32, ptr @workers monotonic, align 4
  br label %staffed
staffed:
  %workers = phi i32 [ %present, %owner ], [ %grown, %grow ]
  %most = call i32 @llvm.smin.i32(i32 %workers, i32 %wanted)
  %most.wide = sext i32 %most to i64
  %others = add i64 %tasks, -1
  %helpers.wide = call i64 @llvm.smin.i64(i64 %most.wide, i64 %others)
  %helpers = trunc i64 %helpers.wide to i32
  %helped = icmp sgt i32 %helpers, 0
  br i1 %helped, label %open, label %unhelped
unhelped:
  store atomic i32 0, ptr @busy release, align 4
  br label %alone
open:
  %zeros = call i32 @llvm.ctlz.i32(i32 %helpers, i1 true)
  %bits = sub i32 33, %zeros
  %shift = zext i32 %bits to i64
  store ptr %task, ptr @task
  store ptr %args, ptr @args
  store i64 %tasks, ptr @tasks
  store i64 %shift, ptr @shift
  store atomic i64 0, ptr @next monotonic, align 8
  store atomic i32 0, ptr @left monotonic, align 4
  store atomic i32 0, ptr @waiting monotonic, align 4
  store atomic i32 %helpers, ptr @gate seq_cst, align 4
  %sleepers = load atomic i32, ptr @sleepers seq_cst, align 4
  %awake = sub i32 %workers, %sleepers
  %lacking = sub i32 %helpers, %awake
  %lacks = icmp sgt i32 %lacking, 0
  br i1 %lacks, label %rouse, label %work
rouse:
  call void @wake(ptr @gate, i32 %lacking)
  br label %work
work:
  call void @take_part()
  %unused = atomicrmw xchg ptr @gate, i32 0 acq_rel
  %joined = sub i32 %helpers, %unused
  %patience = load i64, ptr @patience
  br label %watch
watch:
  %spins = phi i64 [ %patience, %work ], [ %fewer, %again ]
  %left = load atomic i32, ptr @left acquire, align 4
  %all = icmp eq i32 %left, %joined
  br i1 %all, label %over, label %still
still:
  %tired = icmp sle i64 %spins, 0
  br i1 %tired, label %doze, label %again
again:
  call void @relax()
  %fewer = add i64 %spins, -1
  br label %watch
doze:
  store atomic i32 1, ptr @waiting seq_cst, align 4
  %seen = load atomic i32, ptr @left seq_cst, align 4
  %last = icmp eq i32 %seen, %joined
  br i1 %last, label %over, label %dream
dream:
  call void @sleep(ptr @left, i32 %seen)
  br label %doze
over:
  store atomic i32 0, ptr @busy release, align 4
  ret void
alone:
  %state = call i32 @plain_floats()
  call void %task(ptr %args, i64 0, i64 %tasks)
  call void @restore_floats(i32 %state)
  ret void
}

; Claim and run ranges of the open region until none is left.
define internal void @take_part() {
entry:
  %task = load ptr, ptr @task
  %args = load ptr, ptr @args
  %tasks = load i64, ptr @tasks
  %shift = load i64, ptr @shift
  %state = call i32 @plain_floats()
  br label %look
look:
  %begin = load atomic i64, ptr @next monotonic, align 8
  br label %claim
claim:
  %first = phi i64 [ %begin, %look ], [ %moved, %lost ]
  %remaining = sub i64 %tasks, %first
  %some = icmp sgt i64 %remaining, 0
  br i1 %some, label %cut, label %done
cut:
  %part = lshr i64 %remaining, %shift
  %length = call i64 @llvm.umax.i64(i64 %part, i64 1)
  %end = add i64 %first, %length
  %pair = cmpxchg weak ptr @next, i64 %first, i64 %end monotonic monotonic
  %won = extractvalue { i64, i1 } %pair, 1
  br i1 %won, label %run, label %lost
lost:
  %moved = extractvalue { i64, i1 } %pair, 0
  br label %claim
run:
  call void %task(ptr %args, i64 %first, i64 %end)
  br label %look
done:
  call void @restore_floats(i32 %state)
  ret void
}

; What a worker's thread does for all its life.
define void @jitgrad_worker(i64 %patience) {
entry:
  br label %rest
rest:
  br label %watch
watch:
  %spins = phi i64 [ %patience, %rest ], [ %fewer, %again ]
  %slots = load atomic i32, ptr @gate monotonic, align 4
  %shut = icmp eq i32 %slots, 0
  br i1 %shut, label %still, label %join
still:
  %tired = icmp sle i64 %spins, 0
  br i1 %tired, label %doze, label %again
again:
  call void @relax()
  %fewer = add i64 %spins, -1
  br label %watch
doze:
  %asleep = atomicrmw add ptr @sleepers, i32 1 seq_cst
  call void @sleep(ptr @gate, i32 0)
  %awake = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  br label %rest
join:
  %rest.slots = add i32 %slots, -1
  %pair = cmpxchg ptr @gate, i32 %slots, i32 %rest.slots acq_rel monotonic
  %joined = extractvalue { i32, i1 } %pair, 1
  br i1 %joined, label %work, label %rest
work:
  call void @take_part()
  %before = atomicrmw add ptr @left, i32 1 seq_cst
  %waiting = load atomic i32, ptr @waiting seq_cst, align 4
  %sleeps = icmp ne i32 %waiting, 0
  br i1 %sleeps, label %rouse, label %rest
rouse:
  call void @wake(ptr @left, i32 1)
  br label %rest
}

define void @jitgrad_configure(i32 %threads, i64 %patience) {
  store i64 %patience, ptr @patience
  store atomic i32 %threads, ptr @threads monotonic, align 4
  ret void
}

define void @jitgrad_employ(i32 %workers) {
  store atomic i32 %workers, ptr @workers monotonic, align 4
  ret void
}

; A new process, or a forked child, in which no worker lives.
define void @jitgrad_reset() {
  store i32 0, ptr @workers
  store i32 0, ptr @busy
  store i32 0, ptr @gate
  store i32 0, ptr @sleepers
  call void @prepare_sleep()
  ret void
}

; Pause so many times, for Python to learn how long that takes.
define void @jitgrad_pause(i64 %count) {
entry:
  br label %head
head:
  %spins = phi i64 [ %count, %entry ], [ %fewer, %body ]
  %over = icmp sle i64 %spins, 0
  br i1 %over, label %done, label %body
body:
  call void @relax()
  %fewer = add i64 %spins, -1
  br label %head
done:
  ret void
}
"""

_RELAX_X86 = """
declare void @llvm.x86.sse2.pause()
define internal void @relax() alwaysinline {
  call void @llvm.x86.sse2.pause()
  ret void
}
"""

_RELAX_ARM = """
define internal void @relax() alwaysinline {
  call void asm sideeffect "isb", "~{memory}"()  ; yield is a no-op on most cores, isb waits about as long as x86's pause
  ret void
}
"""

_RELAX_ELSEWHERE = """
define internal void @relax() alwaysinline {
  call void asm sideeffect "", "~{memory}"()
  ret void
}
"""

# futex(2): FUTEX_WAIT_PRIVATE is 128, FUTEX_WAKE_PRIVATE 129. A return for whatever reason is fine, callers look again.
_FUTEX = """
declare i64 @syscall(i64, ...)
define internal void @sleep(ptr %word, i32 %seen) {
  %result = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 128, i32 %seen, ptr null, ptr null, i32 0)
  ret void
}
define internal void @wake(ptr %word, i32 %count) {
  %result = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 129, i32 %count, ptr null, ptr null, i32 0)
  ret void
}
define internal void @prepare_sleep() {
  ret void
}
"""
_FUTEX_NUMBERS = {"x86_64": 202, "aarch64": 98, "riscv64": 98}

# Both words share one condition variable: a wake reaches everybody, and who is not meant sleeps again. 128 bytes hold the
# mutex or the condition variable of any system we know (64 and 48 on macOS, 40 and 48 with glibc).
_CONDITION = """
@mutex = internal global [128 x i8] zeroinitializer, align 64
@condition = internal global [128 x i8] zeroinitializer, align 64
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
define internal void @sleep(ptr %word, i32 %seen) {
entry:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %now = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %wait, label %done
wait:
  %woken = call i32 @pthread_cond_wait(ptr @condition, ptr @mutex)
  br label %done
done:
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}
define internal void @wake(ptr %word, i32 %count) {
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %woken = call i32 @pthread_cond_broadcast(ptr @condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}
define internal void @prepare_sleep() {
  %mutex = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %condition = call i32 @pthread_cond_init(ptr @condition, ptr null)
  ret void
}
"""


def pool_text(system: str = sys.platform, machine: str = platform.machine()) -> str:
    """The pool for an operating system (as `sys.platform` names it) and a processor (as `platform.machine()` does)."""
    x86, arm = machine in ("x86_64", "AMD64"), machine in ("aarch64", "arm64")
    relax = _RELAX_X86 if x86 else _RELAX_ARM if arm else _RELAX_ELSEWHERE
    floats = FLOATS_X86 if x86 else FLOATS_ELSEWHERE
    number = _FUTEX_NUMBERS.get(machine) if system == "linux" else None
    sleep = _CONDITION if number is None else _FUTEX.replace("FUTEX", str(number))
    return _STATE + _REGION + relax + floats + sleep
