"""The threads of a GPU as fibers of one thread of the CPU: the part of the emulator that is machine code.

A fiber is a stack and a saved stack pointer. It runs until it waits in a meeting (of its warp, its block or all blocks); the last
of a meeting's members to come makes all of them ready, and whoever is ready next goes on. When nobody is ready while some have not
finished, they wait for each other forever. `text` is the module; Python lays out its structures. Next on the path: primitives.py.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np

from jitgrad_compiler.ir.types import I32, I64, U8, U64, DType
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import PTR, Module, Reg

WARP = 32
QUEUES, MOST_WORKS = 2, 64
"""Of each thread, and of each queue."""
SLOT_BYTES = 64
"""Of each lane, for what it hands to the others of its warp."""


class Status(IntEnum):
    """What a fiber does."""

    READY = 1
    WAITS = 2
    FINISHED = 3


class Fault(IntEnum):
    """Why a launch ended early."""

    DEADLOCK = 1
    DIVERGED = 2
    SIGNAL = 3
    SHARED = 4
    NO_GRID = 5
    COUNTER = 6
    POINTER = 7
    ALIGNMENT = 8
    UNFINISHED = 9
    CHANGED = 10
    TOO_MUCH = 11


class Layout:
    """A structure in memory: fields with their types, one behind another, each aligned to its size."""

    def __init__(self, /, **fields: DType | int) -> None:
        self.offsets: dict[str, int] = {}
        self.types: dict[str, DType] = {}
        at = 0
        for name, kind in fields.items():
            size = kind if isinstance(kind, int) else kind.bits // 8
            at = -(-at // min(size, 8)) * min(size, 8)
            self.offsets[name] = at
            if not isinstance(kind, int):
                self.types[name] = kind
            at += size
        self.size = -(-at // 64) * 64

    @property
    def numpy(self) -> np.dtype:
        formats = [np.uint64 if t == PTR else t.numpy for t in self.types.values()]
        offsets = [self.offsets[name] for name in self.types]
        return np.dtype({"names": list(self.types), "formats": formats, "offsets": offsets, "itemsize": self.size})

    def place(self, e: Emitter, base: Reg, name: str) -> Reg:
        return e.offset(base, self.offsets[name], U8)

    def get(self, e: Emitter, base: Reg, name: str) -> Reg:
        return e.load(self.place(e, base, name), self.types[name])

    def set(self, e: Emitter, base: Reg, name: str, value: Reg | int) -> None:
        kind = self.types[name]
        e.store(self.place(e, base, name), value if isinstance(value, Reg) else e.const(value, kind))


MEETING = Layout(arrived=I32, members=I32, first=PTR, turn=I64)
"""`first` of the fibers that meet, which lie side by side; `turn` is 0 and 1 by turns."""
WARP_MEETING = Layout(meeting=MEETING.size, slots=2 * WARP * SLOT_BYTES)
"""Lanes write into the slots of this turn and read them when all have come; who is a turn ahead writes into the others."""
WORK = Layout(does=PTR, looks=PTR, to=PTR, first=I64, second=I64, how=I64, group=I64, seen=I64)
QUEUE = Layout(begun=I64, done=I64, ended=I64, works=MOST_WORKS * WORK.size)
"""What a thread has not waited for (late.py): how many pieces of work were begun and done, how many groups ended; the pieces."""
FIBER = Layout(stack=PTR, thread=I32, block=I32, site=I32, status=I32, warp=PTR, group=PTR, shared=PTR, meeting=PTR, queues=PTR)
STATE = Layout(
    current=PTR, main=PTR, ring=PTR, mask=I64, head=I64, ready=I64, unfinished=I64, seed=U64, backwards=I64, ahead=I64,
    run=PTR, words=PTR, entry=PTR, rounds=I64, resident=I64, threads=I64, starts=I64, blocks=I64, block_order=PTR, thread_order=PTR,
    fibers=PTR, groups=PTR, warps=PTR, grid=PTR, queues=PTR, stacks=PTR, stack_bytes=I64,
    shared=PTR, shared_stride=I64, shared_bytes=I64, canary_bytes=I64,
    low=U64, high=U64, cooperative=I64, fault=I64, detail=U64, signal=I64, owner=U64,
)  # fmt: skip
"""`rounds` times, `resident` blocks run at once, numbered by `block_order`; of each, `starts` fibers are made, which begin in
`entry`. `canary_bytes` behind each block's shared memory must stay as they are; `low` and `high` are where device memory is.
"""

POISON = 0xFF
"""In every byte of memory that nobody wrote: a NaN in every type of floats."""
_SWITCHES = {
    "x86_64": """\
pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
movq %rsp, (%rdi); movq %rsi, %rsp
popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; retq""",
    "aarch64": """\
sub sp, sp, #160
stp x19, x20, [sp, #0]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]; stp x25, x26, [sp, #48]; stp x27, x28, [sp, #64]
stp x29, x30, [sp, #80]; stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]
mov x9, sp; str x9, [x0]; mov sp, x1
ldp x19, x20, [sp, #0]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]; ldp x25, x26, [sp, #48]; ldp x27, x28, [sp, #64]
ldp x29, x30, [sp, #80]; ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]; ldp d14, d15, [sp, #144]
add sp, sp, #160; ret""",
}
"""The registers that functions must keep go to the stack, its pointer to the first argument; the second is another's."""
_FRAMES = {"x86_64": (64, 48), "aarch64": (160, 88)}
"""Bytes that a fresh stack begins with, and where in them the address to return to lies. (x86-64 enters functions 8 off 16.)"""


def switch(machine: str) -> str:
    """The function that goes from one stack to another."""
    body = "\\0A".join(line.strip() for line in _SWITCHES[machine].replace(";", "\n").splitlines())
    return (
        "define void @fibers.switch(ptr %from, ptr %to) naked noinline nounwind {\n"
        f'  call void asm sideeffect "{body}", ""()\n  unreachable\n}}'
    )


class _Function:
    """One function in the making; `state` is the emulator's."""

    def __init__(
        self, module: Module, name: str, args: list[tuple[str, DType]], result: str = "void", inline: bool = False
    ) -> None:
        self.e = Emitter(module, name, args, result, attributes="alwaysinline" if inline else "noinline nounwind")
        self.state = Reg("@fibers_state", PTR)
        self.args = self.e.args

    def get(self, name: str) -> Reg:
        return STATE.get(self.e, self.state, name)

    def set(self, name: str, value: Reg | int) -> None:
        STATE.set(self.e, self.state, name, value)

    @contextmanager
    def when(self, predicate: str, a: Reg, b: Reg | int) -> Iterator[None]:
        with self.e.when(self.e.compare(predicate, a, b)):
            yield

    def fault(self, kind: Fault, detail: Reg) -> None:
        self.e.call("fibers.fault", None, self.e.const(kind, I64), detail)


def text(primitives: str) -> str:
    """The module, with the primitives' definitions."""
    module = Module()
    module.declare("memset", "ptr", ("ptr", "i32", "i64"))
    module.declare("pthread_self", "i64", ())
    module.declare("pthread_kill", "i32", ("i64", "i32"))
    module.declare("signal", "ptr", ("i32", "ptr"))
    for write in (_push, _next, _fault, _wait, _open, _slots, _aligned, _thread, _threads, _signal, _launch, _state):
        write(module)
    state = f"@fibers_state = internal global [{STATE.size} x i8] zeroinitializer, align 64\n"
    return state + module.text() + switch(platform.machine()) + "\n" + primitives


def _state(module: Module) -> None:
    f = _Function(module, "fibers.state", [], "ptr")
    f.e.finish(f.state)


def _push(module: Module) -> None:
    """Make a fiber ready, behind those that are."""
    f = _Function(module, "fibers.push", [("fiber", PTR)], inline=True)
    e, (fiber,) = f.e, f.args
    FIBER.set(e, fiber, "status", Status.READY)
    ready = f.get("ready")
    at = e.and_(e.add(f.get("head"), ready), f.get("mask"))
    e.store(e.offset(f.get("ring"), at, PTR), fiber)
    f.set("ready", e.add(ready, 1))
    e.finish()


def _next(module: Module) -> None:
    """Go on with whoever is ready, or back to `launch` when nobody is; it returns when somebody goes on with who called.

    The processor guesses where a function returns to by who called last, and after a switch that is wrong. So the last thing that
    is done on the way to a switch is a jump: of a wait, `switch` alone returns, to who called `wait`.
    """
    f = _Function(module, "fibers.next", [])
    e = f.e
    ready = f.get("ready")
    old = f.get("current")
    stack = FIBER.place(e, old, "stack")
    with f.when("eq", ready, 0):
        e.call("fibers.switch", None, stack, f.get("main"))
    ring, head, mask = f.get("ring"), f.get("head"), f.get("mask")
    seed = f.get("seed")
    with f.when("ne", seed, 0):  # any of them takes the first one's place; Marsaglia's xorshift64
        x = e.xor(seed, e.shl(seed, 13))
        x = e.xor(x, e.shr(x, 7))
        x = e.xor(x, e.shl(x, 17))
        f.set("seed", x)
        first = e.offset(ring, head, PTR)
        other = e.offset(ring, e.and_(e.add(head, e.convert(e.rem(x, e.convert(ready, U64)), I64)), mask), PTR)
        a, b = e.load(first, PTR), e.load(other, PTR)
        e.store(first, b)
        e.store(other, a)
    ahead = e.compare("ne", f.get("ahead"), 0)  # who became ready last
    number = e.add(head, e.select(ahead, e.sub(ready, 1), 0))
    fiber = e.load(e.offset(ring, e.and_(number, mask), PTR), PTR)
    f.set("head", e.and_(e.add(head, e.select(ahead, 0, e.const(1, I64))), mask))
    f.set("ready", e.sub(ready, 1))
    f.set("current", fiber)
    e.branch_if(e.compare("eq", fiber, old), "same", "other")
    e.label("same")
    e.line("ret void")
    e.label("other")
    e.line(f"tail call void @fibers.switch({stack.typed}, {FIBER.get(e, fiber, 'stack').typed})")
    e.finish()


def _fault(module: Module) -> None:
    """End the launch; it does not return."""
    f = _Function(module, "fibers.fault", [("kind", I64), ("detail", U64)])
    e, (kind, detail) = f.e, f.args
    f.set("fault", kind)
    f.set("detail", detail)
    e.call("fibers.switch", None, FIBER.place(e, f.get("current"), "stack"), f.get("main"))
    e.finish()


def _wait(module: Module) -> None:
    """Wait in a meeting until all its members have come; `site` is where in the kernel."""
    f = _Function(module, "fibers.wait", [("meeting", PTR), ("site", I32)])
    e, (meeting, site) = f.e, f.args
    fiber = f.get("current")
    FIBER.set(e, fiber, "site", site)
    FIBER.set(e, fiber, "status", Status.WAITS)
    FIBER.set(e, fiber, "meeting", meeting)
    arrived = e.add(MEETING.get(e, meeting, "arrived"), 1)
    members = MEETING.get(e, meeting, "members")
    MEETING.set(e, meeting, "arrived", arrived)
    with f.when("eq", arrived, members):
        e.call("fibers.open", None, meeting)
    e.line("tail call void @fibers.next()")
    e.finish()


def _open(module: Module) -> None:
    """All members of a meeting have come: they are ready. Those of a warp must have come from the same place."""
    f = _Function(module, "fibers.open", [("meeting", PTR)])
    e, (meeting,) = f.e, f.args
    MEETING.set(e, meeting, "arrived", 0)
    MEETING.set(e, meeting, "turn", e.xor(MEETING.get(e, meeting, "turn"), 1))
    first, count = MEETING.get(e, meeting, "first"), e.convert(MEETING.get(e, meeting, "members"), I64)
    backwards, last = e.compare("ne", f.get("backwards"), 0), e.sub(count, 1)

    def member(n: Reg) -> Reg:
        return e.offset(first, e.mul(n, FIBER.size), U8)

    with e.loop(0, count) as n:
        site, of_lane_0 = (FIBER.get(e, member(m), "site") for m in (n, e.and_(n, -WARP)))
        with f.when("ne", site, of_lane_0):
            f.fault(Fault.DIVERGED, e.op(f"ptrtoint {member(n).typed} to i64", U64))
        e.call("fibers.push", None, member(e.select(backwards, e.sub(last, n), n)))
    e.finish()


def _slots(module: Module) -> None:
    """Where a warp's lanes put what they hand to each other: they wait for each other, and may read until they do so again."""
    f = _Function(module, "fibers.slots", [("warp", PTR)], "ptr", inline=True)
    e, (warp,) = f.e, f.args
    offset = e.mul(MEETING.get(e, warp, "turn"), WARP * SLOT_BYTES)
    e.finish(e.offset(WARP_MEETING.place(e, warp, "slots"), offset, U8))


def _aligned(module: Module) -> None:
    """Hold an address against the bits that must be zero in it."""
    f = _Function(module, "fibers.aligned", [("place", PTR), ("mask", U64)])
    e, (place, mask) = f.e, f.args
    address = e.op(f"ptrtoint {place.typed} to i64", U64)
    with f.when("ne", e.and_(address, mask), 0):
        f.fault(Fault.ALIGNMENT, address)
    e.finish()


def _thread(module: Module) -> None:
    """A fiber that is one thread begins here."""
    f = _Function(module, "fibers.thread", [])
    e = f.e
    e.line(f"call void {f.get('run').text}(ptr {f.get('words').text})")
    e.call("late.over", None)
    FIBER.set(e, f.get("current"), "status", Status.FINISHED)
    f.set("unfinished", e.sub(f.get("unfinished"), 1))
    e.call("fibers.next", None)
    e.finish()


def _threads(module: Module) -> None:
    """A fiber that is all threads of a block, one after another, begins here."""
    f = _Function(module, "fibers.threads", [])
    e = f.e
    fiber, run, words, order = f.get("current"), f.get("run"), f.get("words"), f.get("thread_order")
    with e.loop(0, f.get("threads")) as n:
        FIBER.set(e, fiber, "thread", e.load(e.offset(order, n, I32), I32))
        e.line(f"call void {run.text}(ptr {words.text})")
        e.call("late.over", None)
    FIBER.set(e, fiber, "status", Status.FINISHED)
    f.set("unfinished", e.sub(f.get("unfinished"), 1))
    e.call("fibers.next", None)
    e.finish()


def _signal(module: Module) -> None:
    """The handler of signals that kernels cause: the launch ends. One that another thread caused kills, as if we were not there."""
    f = _Function(module, "fibers.signal", [("number", I32), ("info", PTR), ("context", PTR)])
    e, (number, info, _) = f.e, f.args
    me = e.call("pthread_self", U64)
    owner = f.get("owner")
    with f.when("eq", me, owner):
        address = e.load(e.offset(info, 16, U8), U64)
        f.set("signal", e.convert(number, I64))
        f.fault(Fault.SIGNAL, address)
    with f.when("eq", number, int(Signal.TIME)):
        e.call("pthread_kill", I32, owner, number)
    with f.when("ne", number, int(Signal.TIME)):
        e.call("signal", PTR, number, Reg("null", PTR))
    e.finish()


class Signal(IntEnum):
    """Linux's numbers on x86-64 and aarch64."""

    INSTRUCTION = 4
    BUS = 7
    ARITHMETIC = 8
    MEMORY = 11
    TIME = 26


def _launch(module: Module) -> None:
    """Run a kernel as STATE says."""
    f = _Function(module, "fibers.launch", [])
    e = f.e
    resident, threads, starts = f.get("resident"), f.get("threads"), f.get("starts")
    warps_per_block = e.div(threads, WARP)
    with e.loop(0, f.get("rounds")) as round_, f.when("eq", f.get("fault"), 0):
        f.set("ready", 0)
        f.set("head", 0)
        with e.loop(0, resident) as b:
            block = e.load(e.offset(f.get("block_order"), e.add(e.mul(round_, resident), b), I32), I32)
            group = e.offset(f.get("groups"), e.mul(b, MEETING.size), U8)
            MEETING.set(e, group, "arrived", 0)
            shared = e.offset(f.get("shared"), e.mul(b, f.get("shared_stride")), U8)
            filled = e.add(f.get("shared_bytes"), f.get("canary_bytes"))
            e.call("memset", PTR, shared, e.const(POISON, I32), filled)
            first_warp = e.mul(b, warps_per_block)
            with e.loop(0, warps_per_block) as w:
                MEETING.set(e, e.offset(f.get("warps"), e.mul(e.add(first_warp, w), WARP_MEETING.size), U8), "arrived", 0)
            with e.loop(0, starts) as n:
                thread = e.load(e.offset(f.get("thread_order"), n, I32), I32)
                place = e.convert(thread, I64)
                number = e.add(e.mul(b, threads), place)
                fiber = e.offset(f.get("fibers"), e.mul(number, FIBER.size), U8)
                FIBER.set(e, fiber, "thread", thread)
                FIBER.set(e, fiber, "block", block)
                FIBER.set(e, fiber, "group", group)
                FIBER.set(e, fiber, "shared", shared)
                queues = e.offset(f.get("queues"), e.mul(number, QUEUES * QUEUE.size), U8)
                FIBER.set(e, fiber, "queues", queues)
                e.call("late.begin", None, queues)
                warp = e.add(first_warp, e.div(place, WARP))
                FIBER.set(e, fiber, "warp", e.offset(f.get("warps"), e.mul(warp, WARP_MEETING.size), U8))
                # Stacks end apart by more than a multiple of pages, so that caches keep all their ends.
                apart = e.mul(e.and_(number, 31), 128)
                frame, returns = _FRAMES[platform.machine()]
                end = e.sub(e.mul(e.add(number, 1), f.get("stack_bytes")), e.add(apart, frame))
                stack = e.offset(f.get("stacks"), end, U8)
                e.store(e.offset(stack, returns, U8), f.get("entry"))
                FIBER.set(e, fiber, "stack", stack)
                e.call("fibers.push", None, fiber)
        MEETING.set(e, f.get("grid"), "arrived", 0)
        f.set("unfinished", e.mul(resident, starts))
        ring, head = f.get("ring"), f.get("head")
        fiber = e.load(e.offset(ring, head, PTR), PTR)
        f.set("head", e.and_(e.add(head, 1), f.get("mask")))
        f.set("ready", e.sub(f.get("ready"), 1))
        f.set("current", fiber)
        e.call("fibers.switch", None, STATE.place(e, f.state, "main"), FIBER.get(e, fiber, "stack"))
        with f.when("eq", f.get("fault"), 0), f.when("ne", f.get("unfinished"), 0):
            f.set("fault", Fault.DEADLOCK)
        with e.loop(0, resident) as b:
            shared = e.offset(f.get("shared"), e.mul(b, f.get("shared_stride")), U8)
            with e.loop(0, f.get("canary_bytes")) as n:
                at = e.add(f.get("shared_bytes"), n)
                with f.when("ne", e.load(e.offset(shared, at, U8), U8), POISON), f.when("eq", f.get("fault"), 0):
                    f.set("fault", Fault.SHARED)
                    f.set("detail", e.bitcast(n, U64))
                    place = e.add(e.mul(round_, resident), b)
                    FIBER.set(e, f.get("current"), "block", e.load(e.offset(f.get("block_order"), place, I32), I32))
    e.finish()
