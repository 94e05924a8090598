"""How programs run: one native function for all of them goes through a program's plan, which is data, and calls its kernels.

A plan is an array of 64-bit words:

    steps, steps with those of the end, place of the state in the table, most operands of a step
    for each step: address of a task function, its tasks, whether the run may have stopped in it, operands
                   for each operand: place in the table, offset in bytes

A program's table has the address of its plan, then those of its inputs, outputs, arena and the run's state. For each step the
driver makes the kernel's own table: what stands at a place of the table, plus the offset; at place -1 the offset alone. A step
without operands keeps the table of the one before. A run that is to stop leaves out what is left of the steps, and does those
of the end: what they free must be freed.

Steps that may run at once, as the updates of a model's parameters, are one step: the function is `jitgrad_together`, its tasks are
those of all of them, and its operands the program's table (place -2) and a record:

    members, most operands of a member
    for each member: the number of its first task, where its step stands in the record; behind the last, how many tasks there are
    for each member: its step, as in a plan

Next on the path: the thread pool in runtime/, which steps of several tasks go to.
"""

from __future__ import annotations

from ...emitter import Emitter
from ...llvm_text import PTR, Module
from ...tasks.phases import TASK_ARGUMENTS
from ...tasks.registers.in_memory import clear_record, free_record
from .float_state import FLOATS_ELSEWHERE, FLOATS_X86

PARALLEL = "jitgrad_parallel"
"""void (ptr function, ptr args, i64 tasks): the thread pool's."""
RUN = "jitgrad_run"
"""i1 (ptr table): whether the run is to stop."""
ENTRY = "jitgrad_entry"
"""void (ptr table): a run from Python, with the processor's float state made plain."""
CLEAR, FREE = "jitgrad_clear_record", "jitgrad_free_record"
"""Task functions: a tape's record made empty, and its memory given back."""
OBJECTS = "jitgrad_objects"
"""void (ptr args, i64 begin, i64 end): tasks that make the objects of modules out of their texts, each with a machine of its own.
A task takes the next module until there is none left. Its arguments: private_llvmlite.py.
"""
TOGETHER = "jitgrad_together"
"""A task function: the tasks of several steps."""
NOWHERE, TABLE = -1, -2
"""The places of an operand whose offset is an address, and of one that is the program's table itself."""

_RUN_TEXT = """
declare void @jitgrad_parallel(ptr, ptr, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)

define internal void @fill(ptr %own, ptr %table, ptr %operands, i64 %count) {
entry:
  br label %fill
fill:
  %n = phi i64 [ 0, %entry ], [ %n_next, %put ]
  %filling = icmp slt i64 %n, %count
  br i1 %filling, label %operand, label %filled
operand:
  %twice = shl i64 %n, 1
  %place_at = getelementptr i64, ptr %operands, i64 %twice
  %place = load i64, ptr %place_at
  %offset_at = getelementptr i64, ptr %place_at, i64 1
  %offset = load i64, ptr %offset_at
  %somewhere = icmp sge i64 %place, 0
  br i1 %somewhere, label %look_up, label %elsewhere
look_up:
  %base_at = getelementptr ptr, ptr %table, i64 %place
  %base = load ptr, ptr %base_at
  br label %put
elsewhere:
  %itself = icmp eq i64 %place, -2
  %table_or_none = select i1 %itself, ptr %table, ptr null
  br label %put
put:
  %from = phi ptr [ %table_or_none, %elsewhere ], [ %base, %look_up ]
  %address = getelementptr i8, ptr %from, i64 %offset
  %own_at = getelementptr ptr, ptr %own, i64 %n
  store ptr %address, ptr %own_at
  %n_next = add i64 %n, 1
  br label %fill
filled:
  ret void
}

define void @jitgrad_together(ptr %args, i64 %begin, i64 %end) {
entry:
  %table = load ptr, ptr %args
  %record_at = getelementptr ptr, ptr %args, i64 1
  %record = load ptr, ptr %record_at
  %members = load i64, ptr %record
  %most_at = getelementptr i64, ptr %record, i64 1
  %most = load i64, ptr %most_at
  %own = alloca ptr, i64 %most, align 16
  %index = getelementptr i64, ptr %record, i64 2
  br label %find
find:
  %behind = phi i64 [ 1, %entry ], [ %behind_next, %find ]
  %behind_twice = shl i64 %behind, 1
  %stop_at = getelementptr i64, ptr %index, i64 %behind_twice
  %stop = load i64, ptr %stop_at
  %earlier = icmp sle i64 %stop, %begin
  %behind_next = add i64 %behind, 1
  %at = sub i64 %behind, 1
  br i1 %earlier, label %find, label %look
look:
  %member = phi i64 [ %at, %find ], [ %member_next, %work ]
  %member_twice = shl i64 %member, 1
  %first_at = getelementptr i64, ptr %index, i64 %member_twice
  %first = load i64, ptr %first_at
  %there = icmp slt i64 %member, %members
  %before_end = icmp slt i64 %first, %end
  %more = and i1 %there, %before_end
  br i1 %more, label %work, label %done
work:
  %place_at = getelementptr i64, ptr %first_at, i64 1
  %place = load i64, ptr %place_at
  %step = getelementptr i64, ptr %record, i64 %place
  %function = load ptr, ptr %step
  %tasks_at = getelementptr i64, ptr %step, i64 1
  %tasks = load i64, ptr %tasks_at
  %count_at = getelementptr i64, ptr %step, i64 3
  %count = load i64, ptr %count_at
  %operands = getelementptr i64, ptr %step, i64 4
  call void @fill(ptr %own, ptr %table, ptr %operands, i64 %count)
  %since = sub i64 %begin, %first
  %from = call i64 @llvm.smax.i64(i64 %since, i64 0)
  %until = sub i64 %end, %first
  %to = call i64 @llvm.smin.i64(i64 %until, i64 %tasks)
  call void %function(ptr %own, i64 %from, i64 %to)
  %member_next = add i64 %member, 1
  br label %look
done:
  ret void
}

define i1 @jitgrad_run(ptr %table) {
entry:
  %plan = load ptr, ptr %table
  %steps = load i64, ptr %plan
  %total_at = getelementptr i64, ptr %plan, i64 1
  %total = load i64, ptr %total_at
  %state_place_at = getelementptr i64, ptr %plan, i64 2
  %state_place = load i64, ptr %state_place_at
  %state_at = getelementptr ptr, ptr %table, i64 %state_place
  %state = load ptr, ptr %state_at
  %most_at = getelementptr i64, ptr %plan, i64 3
  %most = load i64, ptr %most_at
  %own = alloca ptr, i64 %most, align 16
  %first = getelementptr i64, ptr %plan, i64 4
  br label %head
head:
  %number = phi i64 [ 0, %entry ], [ %number_next, %next ]
  %step = phi ptr [ %first, %entry ], [ %step_next, %next ]
  %stop = phi i1 [ false, %entry ], [ %stop_next, %next ]
  %more = icmp slt i64 %number, %total
  br i1 %more, label %look, label %done
look:
  %count_at = getelementptr i64, ptr %step, i64 3
  %count = load i64, ptr %count_at
  %operands = getelementptr i64, ptr %step, i64 4
  %words = shl i64 %count, 1
  %step_next = getelementptr i64, ptr %operands, i64 %words
  %in_steps = icmp slt i64 %number, %steps
  %left_out = and i1 %stop, %in_steps
  br i1 %left_out, label %next, label %call
call:
  call void @fill(ptr %own, ptr %table, ptr %operands, i64 %count)
  %function = load ptr, ptr %step
  %tasks_at = getelementptr i64, ptr %step, i64 1
  %tasks = load i64, ptr %tasks_at
  %alone = icmp eq i64 %tasks, 1
  br i1 %alone, label %here, label %together
here:
  call void %function(ptr %own, i64 0, i64 1)
  br label %called
together:
  call void @jitgrad_parallel(ptr %function, ptr %own, i64 %tasks)
  br label %called
called:
  %checks_at = getelementptr i64, ptr %step, i64 2
  %checks = load i64, ptr %checks_at
  %may_stop = icmp ne i64 %checks, 0
  br i1 %may_stop, label %ask, label %next
ask:
  %word = load atomic i64, ptr %state monotonic, align 8
  %stopped = icmp ne i64 %word, 0
  br label %next
next:
  %stop_next = phi i1 [ %stop, %look ], [ %stop, %called ], [ %stopped, %ask ]
  %number_next = add i64 %number, 1
  br label %head
done:
  ret i1 %stop
}

define void @jitgrad_entry(ptr %table) {
entry:
  %state = call i32 @plain_floats()
  %stop = call i1 @jitgrad_run(ptr %table)
  call void @restore_floats(i32 %state)
  ret void
}
"""


_OBJECTS_TEXT = """
define internal ptr @argument(ptr %args, i64 %number) {
entry:
  %at = getelementptr ptr, ptr %args, i64 %number
  %found = load ptr, ptr %at
  ret ptr %found
}

define void @jitgrad_objects(ptr %args, i64 %begin, i64 %end) {
entry:
  %count_at = getelementptr i64, ptr %args, i64 1
  %count = load i64, ptr %count_at
  %parse = call ptr @argument(ptr %args, i64 2)
  %set_triple = call ptr @argument(ptr %args, i64 3)
  %set_layout = call ptr @argument(ptr %args, i64 4)
  %verify = call ptr @argument(ptr %args, i64 5)
  %make_builder = call ptr @argument(ptr %args, i64 6)
  %optimise = call ptr @argument(ptr %args, i64 7)
  %drop_builder = call ptr @argument(ptr %args, i64 8)
  %emit = call ptr @argument(ptr %args, i64 9)
  %triple = call ptr @argument(ptr %args, i64 10)
  %layout = call ptr @argument(ptr %args, i64 11)
  %tuning = call ptr @argument(ptr %args, i64 12)
  %tasks = call ptr @argument(ptr %args, i64 13)
  %modules = call ptr @argument(ptr %args, i64 14)
  br label %task
task:
  %number = phi i64 [ %begin, %entry ], [ %number_next, %done ]
  %more = icmp slt i64 %number, %end
  br i1 %more, label %start, label %over
start:
  %own = getelementptr [2 x ptr], ptr %tasks, i64 %number
  %machine = call ptr @argument(ptr %own, i64 0)
  %passes = call ptr @argument(ptr %own, i64 1)
  %number_next = add i64 %number, 1
  br label %take
take:
  %n = atomicrmw add ptr %args, i64 1 monotonic, align 8
  %left = icmp slt i64 %n, %count
  br i1 %left, label %make, label %done
make:
  %slots = getelementptr [6 x ptr], ptr %modules, i64 %n
  %context = call ptr @argument(ptr %slots, i64 0)
  %text = call ptr @argument(ptr %slots, i64 1)
  %module_at = getelementptr ptr, ptr %slots, i64 2
  %object_at = getelementptr ptr, ptr %slots, i64 3
  %error_at = getelementptr ptr, ptr %slots, i64 4
  %fault_at = getelementptr ptr, ptr %slots, i64 5
  %module = call ptr %parse(ptr %context, ptr %text, ptr %error_at)
  store ptr %module, ptr %module_at
  %unread = icmp eq ptr %module, null
  br i1 %unread, label %take, label %check
check:
  call void %set_triple(ptr %module, ptr %triple)
  call void %set_layout(ptr %module, ptr %layout)
  %fault = call i32 %verify(ptr %module, ptr %fault_at)
  %faulty = icmp ne i32 %fault, 0
  br i1 %faulty, label %take, label %compile
compile:
  %builder = call ptr %make_builder(ptr %machine, ptr %tuning)
  call void %optimise(ptr %passes, ptr %module, ptr %builder)
  call void %drop_builder(ptr %builder)
  %object = call ptr %emit(ptr %machine, ptr %module, i32 1, ptr %error_at)
  store ptr %object, ptr %object_at
  br label %take
done:
  br label %task
over:
  ret void
}
"""


def driver_text(features: frozenset[str]) -> str:
    """The module of all that is named above; it calls `jitgrad_parallel`."""
    module = Module(features)
    for name, does in ((CLEAR, clear_record), (FREE, free_record)):
        e = Emitter(module, name, TASK_ARGUMENTS)
        does(e, e.get(e.args[0], PTR))
        e.finish()
    return "\n".join((FLOATS_X86 if "sse" in features else FLOATS_ELSEWHERE, _RUN_TEXT, _OBJECTS_TEXT, module.text()))
