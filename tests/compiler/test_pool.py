"""The thread pool: every task runs once, whatever number of threads there is, who calls, and when."""

from __future__ import annotations

import ctypes
import os
import pathlib
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from jitgrad_compiler.runtime import pool
from jitgrad_compiler.targets.cpu.machine.native import NativeModule, compile_ir

REPEAT = """
define void @repeat(ptr %task, ptr %args, i64 %tasks, i64 %count) {
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %body, label %done
body:
  call void @jitgrad_parallel(ptr %task, ptr %args, i64 %tasks)
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}
declare void @jitgrad_parallel(ptr, ptr, i64)
"""

# Each of these handles one task; EACH turns it into a range of tasks.
COUNT = """
define internal void @one(ptr %out, i64 %i) {
  %place = getelementptr i64, ptr %out, i64 %i
  %old = load i64, ptr %place
  %new = add i64 %old, 1
  store i64 %new, ptr %place
  ret void
}
"""
WHO = """
declare i64 @pthread_self()
define internal void @one(ptr %out, i64 %i) {
  %place = getelementptr i64, ptr %out, i64 %i
  %self = call i64 @pthread_self()
  store i64 %self, ptr %place
  ret void
}
"""
# Task i waits until out[0] tasks have arrived, which needs that many threads, and then says in out[i + 2] on which it runs.
MEET = """
declare i64 @pthread_self()
declare i32 @sched_yield()
define internal void @one(ptr %out, i64 %i) {
entry:
  %arrived = getelementptr i64, ptr %out, i64 1
  %all = load i64, ptr %out
  %before = atomicrmw add ptr %arrived, i64 1 seq_cst
  br label %wait
wait:
  %yielded = call i32 @sched_yield()
  %now = load atomic i64, ptr %arrived seq_cst, align 8
  %met = icmp sge i64 %now, %all
  br i1 %met, label %go, label %wait
go:
  %index = add i64 %i, 2
  %place = getelementptr i64, ptr %out, i64 %index
  %self = call i64 @pthread_self()
  store i64 %self, ptr %place
  ret void
}
"""
# Task i opens a region of four tasks over out[4 i ... 4 i + 3].
NEST = """
define internal void @one(ptr %out, i64 %i) {
  %index = mul i64 %i, 4
  %place = getelementptr i64, ptr %out, i64 %index
  call void @jitgrad_parallel(ptr @inner, ptr %place, i64 4)
  ret void
}
define internal void @inner(ptr %out, i64 %begin, i64 %end) {
entry:
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %done
body:
  %place = getelementptr i64, ptr %out, i64 %i
  %old = load i64, ptr %place
  %new = add i64 %old, 1
  store i64 %new, ptr %place
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}
"""
EACH = """
define void @task(ptr %args, i64 %begin, i64 %end) {
entry:
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %done
body:
  call void @one(ptr %args, i64 %i)
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}
"""
Repeat = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


class Tasks:
    """A native task and what calls it in regions."""

    def __init__(self, one: str) -> None:
        self.module: NativeModule = compile_ir(REPEAT + one + EACH, {pool.SYMBOL: pool.address()})
        self.task = self.module.address("task")
        self._repeat = Repeat(self.module.address("repeat"))

    def region(self, out: np.ndarray, tasks: int) -> None:
        pool.run(self.task, out.ctypes.data, tasks)

    def repeat(self, out: np.ndarray, tasks: int, count: int) -> None:
        self._repeat(self.task, out.ctypes.data, tasks, count)


@pytest.fixture(scope="module")
def counting() -> Tasks:
    return Tasks(COUNT)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = pool.num_threads()
    yield
    pool.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_every_task_runs_once(counting: Tasks, threads: int) -> None:
    pool.set_num_threads(threads)
    for tasks in [0, 1, 2, 3, 4, 5, 7, 8, 31, 1000, 100_003]:
        out = np.zeros(tasks + 8, np.int64)
        counting.region(out, tasks)
        assert (out[:tasks] == 1).all()
        assert (out[tasks:] == 0).all()


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_regions_back_to_back_run_every_task_once_each(counting: Tasks, threads: int) -> None:
    pool.set_num_threads(threads)
    out = np.zeros(7, np.int64)
    counting.repeat(out, 7, 20_000)
    np.testing.assert_array_equal(out, 20_000)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_a_region_runs_on_as_many_threads_as_were_asked_for(threads: int) -> None:
    pool.set_num_threads(threads)
    tasks = Tasks(MEET)
    for _ in range(20):
        out = np.zeros(threads + 2, np.int64)
        out[0] = threads
        tasks.region(out, threads)
        assert len(set(out[2:])) == threads
        assert threading.get_ident() in out[2:]


@pytest.mark.parametrize(("threads", "tasks"), [(1, 100), (4, 1)])
def test_one_thread_or_one_task_stays_on_the_caller(threads: int, tasks: int) -> None:
    pool.set_num_threads(threads)
    out = np.zeros(tasks, np.int64)
    Tasks(WHO).region(out, tasks)
    assert set(out) == {threading.get_ident()}


def test_a_region_inside_a_task_runs() -> None:
    pool.set_num_threads(3)
    tasks = Tasks(NEST)
    out = np.zeros(400, np.int64)
    tasks.repeat(out, 100, 100)
    np.testing.assert_array_equal(out, 100)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_four_callers_at_once_get_their_results(counting: Tasks, threads: int) -> None:
    pool.set_num_threads(threads)
    outs = [np.zeros(9, np.int64) for _ in range(4)]
    callers = [threading.Thread(target=counting.repeat, args=(out, 9, 10_000)) for out in outs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    np.testing.assert_array_equal(outs, 10_000)


def test_the_number_of_threads_may_change_while_regions_run(counting: Tasks) -> None:
    outs = [np.zeros(50, np.int64) for _ in range(2)]
    callers = [threading.Thread(target=counting.repeat, args=(out, 50, 10_000)) for out in outs]
    for caller in callers:
        caller.start()
    for turn in range(500):
        pool.set_num_threads(1 + turn % 4)
    for caller in callers:
        caller.join()
    np.testing.assert_array_equal(outs, 10_000)


def test_tasks_written_in_python_run() -> None:
    pool.set_num_threads(2)
    seen: list[int] = []
    task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
        lambda args, begin, end: seen.extend(range(begin, end))
    )
    pool.run(ctypes.cast(task, ctypes.c_void_p).value or 0, 0, 1000)
    assert sorted(seen) == list(range(1000))


def test_the_number_of_threads_reads_back() -> None:
    pool.set_num_threads(7)
    assert pool.num_threads() == 7
    with pytest.raises(ValueError, match="at least one thread, got 0"):
        pool.set_num_threads(0)
    assert pool.num_threads() == 7


def test_workers_have_stacks_of_eight_mebibytes() -> None:
    pool.set_num_threads(2)
    deep = (
        "define internal void @deep(ptr %out) noinline {\n"
        " %room = alloca [8000000 x i8]\n store volatile i8 1, ptr %room\n ret void\n}\n"
    )
    # The caller's own stack is the user's affair: the task goes deep on other threads alone.
    one = (
        MEET.replace("ret void", "%owner.place = getelementptr i64, ptr %out, i64 4\n %owner = load i64, ptr %owner.place\n"
                     " %mine = icmp eq i64 %owner, %self\n br i1 %mine, label %done, label %down\n"
                     "down:\n call void @deep(ptr %out)\n br label %done\ndone:\n ret void")
    )  # fmt: skip
    out = np.array([2, 0, 0, 0, threading.get_ident()], np.int64)
    Tasks(one + deep).region(out, 2)
    assert out[1] == 2


FLUSH_TO_ZERO = 0x9FC0
FLIP_X86 = f"""
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define i32 @flipped(ptr %task, ptr %out, i64 %tasks) {{
  %before = alloca i32
  %flip = alloca i32
  %after = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %before)
  store i32 {FLUSH_TO_ZERO}, ptr %flip
  call void @llvm.x86.sse.ldmxcsr(ptr %flip)
  call void @jitgrad_parallel(ptr %task, ptr %out, i64 %tasks)
  call void @llvm.x86.sse.stmxcsr(ptr %after)
  call void @llvm.x86.sse.ldmxcsr(ptr %before)
  %state = load i32, ptr %after
  ret i32 %state
}}
"""
FLIP_ELSEWHERE = f"""
define i32 @flipped(ptr %task, ptr %out, i64 %tasks) {{
  call void @jitgrad_parallel(ptr %task, ptr %out, i64 %tasks)
  ret i32 {FLUSH_TO_ZERO}
}}
"""
HALVE = """
define internal void @one(ptr %out, i64 %i) {
  %place = getelementptr double, ptr %out, i64 %i
  %old = load double, ptr %place
  %new = fmul double %old, 5.0e-1
  store double %new, ptr %place
  ret void
}
"""


@pytest.mark.parametrize("tasks", [1, 10_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_are_kept_when_a_library_flushes_them(threads: int, tasks: int) -> None:
    pool.set_num_threads(threads)
    flip = FLIP_X86 if platform.machine() in ("x86_64", "AMD64") else FLIP_ELSEWHERE
    module = compile_ir(REPEAT + HALVE + EACH + flip, {pool.SYMBOL: pool.address()})
    out = np.full(tasks, 1e-310)
    flipped = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(module.address("flipped"))
    after = flipped(module.address("task"), out.ctypes.data, tasks)
    np.testing.assert_array_equal(out, 5e-311)
    assert after & ~0x3F == FLUSH_TO_ZERO


def exit_code_of_child(counting: Tasks) -> int:
    """Fork; in the child, run regions that need its own workers."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pool.set_num_threads(3)
            out = np.zeros(50, np.int64)
            counting.repeat(out, 50, 100)
            workers = sum(thread.name.startswith("jitgrad worker") for thread in threading.enumerate())
            code = 0 if (out == 100).all() and workers == 2 else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_starts_workers_of_its_own(counting: Tasks) -> None:
    pool.set_num_threads(2)
    counting.region(np.zeros(50, np.int64), 50)
    assert exit_code_of_child(counting) == 0
    out = np.zeros(50, np.int64)
    counting.region(out, 50)
    assert (out == 1).all()


def test_a_child_forked_in_the_middle_of_a_region_runs_regions(counting: Tasks) -> None:
    pool.set_num_threads(2)
    out = np.zeros(50, np.int64)
    caller = threading.Thread(target=counting.repeat, args=(out, 50, 100_000))
    caller.start()
    codes = [exit_code_of_child(counting) for _ in range(5)]
    caller.join()
    assert codes == [0] * 5
    assert (out == 100_000).all()


PROGRAM = f"""
import ctypes, sys, threading, time
import numpy as np
from jitgrad_compiler.runtime import pool, pool_ir
system, pause = sys.argv[1], float(sys.argv[2])
pool.pool_text = lambda: pool_ir.pool_text(system)
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
module = compile_ir({REPEAT + COUNT + EACH!r}, {{pool.SYMBOL: pool.address()}})
repeat = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(module.address("repeat"))
for threads in 1, 2, 3, 5:
    pool.set_num_threads(threads)
    out = np.zeros(20, np.int64)
    for _ in range(5):
        repeat(module.address("task"), out.ctypes.data, 20, 100)
        time.sleep(pause)
    assert (out == 500).all()
if pause == 0:
    threading.Thread(target=repeat, args=(module.address("task"), out.ctypes.data, 20, 1 << 40), daemon=True).start()
print("done")
"""


@pytest.mark.parametrize("pause", [0.0, 0.01], ids=["at work", "parked"])
@pytest.mark.parametrize("system", ["linux", "darwin"], ids=["futex", "condition variable"])
def test_an_interpreter_ends_cleanly_with_workers(tmp_path: pathlib.Path, system: str, pause: float) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    (tmp_path / "program.py").write_text(PROGRAM)
    result = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), system, str(pause)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")
