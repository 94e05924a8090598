"""What the emulator's threads do in each primitive of targets/cuda/device.py, as LLVM text beside NVIDIA's there.

To add one: a row of `EMULATED`. Its arguments are `%0`, `%1` and so on; where threads meet, `%site` says where in the kernel, and
others' values come through `_exchange`. Next on the path: emulator.py.
"""

from __future__ import annotations

import re

from jitgrad_compiler.targets.cuda.device import PRIMITIVES

from .fibers import FIBER, SLOT_BYTES, STATE, Fault

_STATE = {name: f"getelementptr (i8, ptr @fibers_state, i64 {offset})" for name, offset in STATE.offsets.items()}


def _mine(field: str, type: str) -> str:
    """Lines that put a field of the current fiber into `%FIELD`."""
    return f"""\
  %fiber_{field} = load ptr, ptr @fibers_state
  %at_{field} = getelementptr i8, ptr %fiber_{field}, i64 {FIBER.offsets[field]}
  %{field} = load {type}, ptr %at_{field}
"""


def _field(field: str) -> str:
    return f"{_mine(field, 'i32')}  ret i32 %{field}"


def _meet(meeting: str) -> str:
    return f"{_mine(meeting, 'ptr')}  call void @fibers.wait(ptr %{meeting}, i32 %site)\n  ret void"


def _exchange(value: str) -> str:
    """Lines that hand a value to the other lanes of the warp; `%slots` is where all lanes' lie, `SLOT_BYTES` apart."""
    return f"""\
{_mine("thread", "i32")}{_mine("warp", "ptr")}  %here = and i32 %thread, 31
  %place = mul i32 %here, {SLOT_BYTES}
  %slots = call ptr @fibers.slots(ptr %warp)
  %slot = getelementptr i8, ptr %slots, i32 %place
  store {value}, ptr %slot
  call void @fibers.wait(ptr %warp, i32 %site)
"""


def _shuffle(source: str) -> str:
    """A lane's word, of the lane that `source` puts into `%lane`; the thread's own is `%here`, the argument `%n`."""
    return f"""\
{_exchange("i32 %0")}  %n = and i32 %1, 31
{source}
  %offset = mul i32 %lane, {SLOT_BYTES}
  %there = getelementptr i8, ptr %slots, i32 %offset
  %r = load i32, ptr %there
  ret i32 %r"""


_BALLOT = f"""\
  %word = zext i1 %0 to i32
{_exchange("i32 %word")}  br label %lanes
lanes:
  %lane = phi i32 [ 0, %entry ], [ %next, %lanes ]
  %bits = phi i32 [ 0, %entry ], [ %more, %lanes ]
  %offset = mul i32 %lane, {SLOT_BYTES}
  %there = getelementptr i8, ptr %slots, i32 %offset
  %one = load i32, ptr %there
  %bit = shl i32 %one, %lane
  %more = or i32 %bits, %bit
  %next = add i32 %lane, 1
  %over = icmp eq i32 %next, 32
  br i1 %over, label %done, label %lanes
done:
  ret i32 %more"""

_GRID_BARRIER = f"""\
  %cooperative = load i64, ptr {_STATE["cooperative"]}
  %blocks = load i64, ptr {_STATE["blocks"]}
  %alone = icmp ule i64 %blocks, 1
  %together = icmp ne i64 %cooperative, 0
  %fine = or i1 %alone, %together
  br i1 %fine, label %look, label %scattered
scattered:
  call void @fibers.fault(i64 {Fault.NO_GRID:d}, i64 0)
  unreachable
look:
  %count = load i32, ptr %0
  %low = and i32 %count, 2147483647
  %zero = icmp eq i32 %low, 0
  br i1 %zero, label %meet, label %used
used:
  %wide = zext i32 %count to i64
  call void @fibers.fault(i64 {Fault.COUNTER:d}, i64 %wide)
  unreachable
meet:
  %grid = load ptr, ptr {_STATE["grid"]}
  call void @fibers.wait(ptr %grid, i32 %site)
{_mine("thread", "i32")}{_mine("block", "i32")}  %number = or i32 %thread, %block
  %leads = icmp eq i32 %number, 0
  br i1 %leads, label %turn, label %done
turn:
  %now = load i32, ptr %0
  %turned = xor i32 %now, -2147483648
  store i32 %turned, ptr %0
  br label %done
done:
  ret void"""

_POINTER = f"""\
  %p = load ptr, ptr %0
  %n = ptrtoint ptr %p to i64
  %null = icmp eq i64 %n, 0
  %low = load i64, ptr {_STATE["low"]}
  %high = load i64, ptr {_STATE["high"]}
  %over = icmp uge i64 %n, %low
  %under = icmp ule i64 %n, %high
  %inside = and i1 %over, %under
  %fine = or i1 %null, %inside
  br i1 %fine, label %done, label %elsewhere
elsewhere:
  call void @fibers.fault(i64 {Fault.POINTER:d}, i64 %n)
  unreachable
done:
  ret ptr %p"""

EMULATED: dict[str, str] = {
    "gpu.thread": _field("thread"),
    "gpu.block": _field("block"),
    "gpu.blocks": f"  %n = load i64, ptr {_STATE['blocks']}\n  %r = trunc i64 %n to i32\n  ret i32 %r",
    "gpu.barrier": _meet("group"),
    "gpu.warp.barrier": _meet("warp"),
    "gpu.grid.barrier": _GRID_BARRIER,
    "gpu.shuffle.xor": _shuffle("  %lane = xor i32 %here, %n"),
    "gpu.shuffle.up": _shuffle(
        "  %below = sub i32 %here, %n\n  %outside = icmp slt i32 %below, 0\n  %lane = select i1 %outside, i32 %here, i32 %below"
    ),
    "gpu.shuffle.from": _shuffle("  %lane = add i32 %n, 0"),
    "gpu.ballot": _BALLOT,
    "gpu.shared": f"{_mine('shared', 'ptr')}  ret ptr %shared",
    "gpu.pointer": _POINTER,
}
"""By name, bodies of functions with the types that device.py says."""

_CALL = re.compile(r"(call [^@\n]*@(gpu\.[a-z0-9_.]+)\()(\)?)")
_ACCESS = re.compile(r"^  (?:%[^=]+= )?(?:load|store) .*\bptr (%[\w.$-]+)[^,]*, align (\d+)")
_DECLARED = re.compile(r"^(declare [^@\n]*@(gpu\.[a-z0-9_.]+)\()(\)?)", re.MULTILINE)


def definitions() -> str:
    """The primitives as functions; those that meet take the site of the call first."""
    functions = []
    for name, body in EMULATED.items():
        p = PRIMITIVES[name]
        arguments = ", ".join((["i32 %site"] if p.meets else []) + [f"{t} %{n}" for n, t in enumerate(p.arguments)])
        functions.append(f"define {p.result} @{name}({arguments}) nounwind {{\nentry:\n{body}\n}}\n")
    return "\n".join(functions)


def with_sites(text: str) -> tuple[str, list[str]]:
    """A module's text whose calls of primitives that meet say which one of the list they are."""
    sites: list[str] = []
    lines = text.splitlines()

    def numbered(line: str, found: re.Match) -> str:
        opening, name, empty = found.groups()
        if not PRIMITIVES[name].meets:
            return found.group()
        sites.append(line.strip())
        return f"{opening}i32 {len(sites) - 1}{')' if empty else ', '}"

    called = [_CALL.sub(lambda found, line=line: numbered(line, found), line) for line in lines]  # type: ignore[misc]
    declared = _DECLARED.sub(
        lambda d: f"{d[1]}i32{')' if d[3] else ', '}" if PRIMITIVES[d[2]].meets else d.group(), "\n".join(called)
    )
    return declared + "\n", sites


def with_alignment(text: str) -> str:
    """A module's text that looks at every address before it loads from it or stores to it: GPUs fault where it is not a multiple of
    what the text says, processors mostly do not.
    """
    lines = []
    for line in text.splitlines():
        if (found := _ACCESS.match(line)) and found[2] != "1":
            lines.append(f"  call void @fibers.aligned(ptr {found[1]}, i64 {int(found[2]) - 1})")
        lines.append(line)
    return "\n".join([*lines, "declare void @fibers.aligned(ptr, i64)"]) + "\n"
