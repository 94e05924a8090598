"""What the emulator's threads do in each primitive of targets/cuda/device.py, as LLVM text beside NVIDIA's there.

To add one: a row of `EMULATED`. Its arguments are `%0`, `%1` and so on; where threads meet, `%site` says where in the kernel, and
others' values come through `_exchange`. Next on the path: emulator.py.
"""

from __future__ import annotations

import re

from jitgrad_compiler.targets.cuda.device import PRIMITIVES

from . import late, wgmma
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


def _exchange(value: str, align: str = "") -> str:
    """Lines that hand a value to the other lanes of the warp; `%slots` is where all lanes' lie, `SLOT_BYTES` apart."""
    return f"""\
{_mine("thread", "i32")}{_mine("warp", "ptr")}  %here = and i32 %thread, 31
  %place = mul i32 %here, {SLOT_BYTES}
  %slots = call ptr @fibers.slots(ptr %warp)
  %slot = getelementptr i8, ptr %slots, i32 %place
  store {value}, ptr %slot{align}
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


def _lane_word(name: str, lane: str, word: int) -> list[str]:
    """Lines that put a word of what a lane handed over into a register."""
    return [
        f"  %{name}_o = mul i32 {lane}, {SLOT_BYTES}", f"  %{name}_s = getelementptr i8, ptr %slots, i32 %{name}_o",
        f"  %{name}_p = getelementptr i32, ptr %{name}_s, i32 {word}", f"  %{name} = load i32, ptr %{name}_p",
    ]  # fmt: skip


_NUMBERS = {
    "f16": lambda n, w, at: [
        f"  %{n}_h = lshr i32 {w}, {16 * at}", f"  %{n}_t = trunc i32 %{n}_h to i16", f"  %{n}_f = bitcast i16 %{n}_t to half",
        f"  %{n} = fpext half %{n}_f to double",
    ],
    "bf16": lambda n, w, at: [
        f"  %{n}_h = {f'and i32 {w}, -65536' if at else f'shl i32 {w}, 16'}", f"  %{n}_f = bitcast i32 %{n}_h to float",
        f"  %{n} = fpext float %{n}_f to double",
    ],
    "tf32": lambda n, w, at: [
        f"  %{n}_h = and i32 {w}, -8192", f"  %{n}_f = bitcast i32 %{n}_h to float", f"  %{n} = fpext float %{n}_f to double",
    ],
}  # fmt: skip
"""Lines that make a float64 of the part `at` of a word; of tf32 the last 13 bits are not looked at."""


def _multiply(type: str) -> str:
    """mma.sync. The depth goes in two halves; of each, the products, which are exact, and the sum so far are cut off at the bits of
    the largest one's float32 and added exactly, and the sum is cut off at float32's bits: toward zero, as tensor cores do.
    """
    parts = 1 if type == "tf32" else 2
    lines = [
        "  %all = shufflevector <4 x i32> %0, <4 x i32> poison, <6 x i32> <i32 0, i32 1, i32 2, i32 3, i32 poison, i32 poison>",
        "  %b0 = extractelement <2 x i32> %1, i32 0", "  %b1 = extractelement <2 x i32> %1, i32 1",
        "  %with = insertelement <6 x i32> %all, i32 %b0, i32 4", "  %words = insertelement <6 x i32> %with, i32 %b1, i32 5",
        _exchange("<6 x i32> %words", ", align 4").rstrip(), "  %group = lshr i32 %here, 2", "  %inside = and i32 %here, 3",
        "  %row = mul i32 %group, 4",
    ]  # fmt: skip
    for column in (0, 1):
        lines += [f"  %column{column}_2 = mul i32 %inside, 8", f"  %column{column} = add i32 %column{column}_2, {4 * column}"]
    for half in (0, 1):
        for u in range(4):
            for r in (0, 1):
                which = f"{half}{u}{r}"
                lines += [f"  %al{which} = add i32 %row, {u}", *_lane_word(f"aw{which}", f"%al{which}", r + 2 * half)]
                lines += [f"  %bl{which} = add i32 %column{r}, {u}", *_lane_word(f"bw{which}", f"%bl{which}", 4 + half)]
                for at in range(parts):
                    lines += _NUMBERS[type](f"a{which}{at}", f"%aw{which}", at)
                    lines += _NUMBERS[type](f"b{which}{at}", f"%bw{which}", at)
    so_far = "poison"
    for n in range(4):
        r, column = n // 2, n % 2
        lines += [f"  %c{n} = extractelement <4 x float> %2, i32 {n}", f"  %sum{n}_0 = fpext float %c{n} to double"]
        for half in (0, 1):
            terms = [f"%sum{n}_{half}"]
            for u in range(4):
                for at in range(parts):
                    terms.append(f"%p{n}{half}{u}{at}")
                    lines.append(f"  {terms[-1]} = fmul double %a{half}{u}{r}{at}, %b{half}{u}{column}{at}")
            arguments = ", ".join(f"double {t}" for t in terms + ["0.0"] * (9 - len(terms)))
            lines.append(f"  %sum{n}_{half + 1} = call double @tensor_cores.sum({arguments})")
        lines.append(f"  %f{n} = fptrunc double %sum{n}_2 to float")
        lines.append(f"  %r{n} = insertelement <4 x float> {so_far}, float %f{n}, i32 {n}")
        so_far = f"%r{n}"
    return "\n".join([*lines, f"  ret <4 x float> {so_far}"])


def _sum_of_tensor_cores() -> str:
    """The function that adds nine numbers as they do."""
    lines, most = [], "%m0"
    for n in range(9):
        lines.append(f"  %m{n} = call double @llvm.fabs.f64(double %{n})")
    for n in range(1, 9):
        lines += [f"  %g{n} = fcmp ugt double %m{n}, {most}", f"  %x{n} = select i1 %g{n}, double %m{n}, double {most}"]
        most = f"%x{n}"
    lines += [
        f"  %bits = bitcast double {most} to i64", "  %exponent = lshr i64 %bits, 52",  # 1023 + e
        "  %special = icmp eq i64 %exponent, 2047", "  %small = icmp ult i64 %exponent, 100", "  %plain = or i1 %special, %small",
        "  %ub = sub i64 %exponent, 23", "  %us = shl i64 %ub, 52", "  %unit = bitcast i64 %us to double",  # of its bits
        "  %ib = sub i64 2069, %exponent", "  %is = shl i64 %ib, 52", "  %inverse = bitcast i64 %is to double",
    ]  # fmt: skip
    whole, cut = "%0", "0.0"
    for n in range(9):
        lines += [
            f"  %s{n} = fmul double %{n}, %inverse", f"  %t{n} = call double @llvm.trunc.f64(double %s{n})",
            f"  %c{n} = fadd double {cut}, %t{n}",
        ]  # fmt: skip
        cut = f"%c{n}"
        if n:
            lines.append(f"  %w{n} = fadd double {whole}, %{n}")
            whole = f"%w{n}"
    lines += [
        f"  %scaled = fmul double {cut}, %unit", "  %sb = bitcast double %scaled to i64", "  %kept = and i64 %sb, -536870912",
        "  %short = bitcast i64 %kept to double", f"  %r = select i1 %plain, double {whole}, double %short", "  ret double %r",
    ]  # fmt: skip
    arguments = ", ".join(f"double %{n}" for n in range(9))
    head = "declare float @llvm.exp2.f32(float)\ndeclare float @llvm.fabs.f32(float)\n"
    head += "declare double @llvm.fabs.f64(double)\ndeclare double @llvm.trunc.f64(double)\n"
    body = "\n".join(lines)
    return f"{head}define internal double @tensor_cores.sum({arguments}) nounwind {{\nentry:\n{body}\n}}\n"


def _matrices(transposed: bool) -> str:
    """ldmatrix: the lanes' addresses are handed over; each lane reads its halves at those of the rows that they are in."""
    lines = [_exchange("ptr %0").rstrip(), "  %group = lshr i32 %here, 2", "  %inside = and i32 %here, 3"]
    lines.append("  %two = mul i32 %inside, 2")
    so_far = "poison"
    for n in range(4):
        for h in (0, 1):
            name = f"{n}_{h}"
            row, column = ("%two", "%group") if transposed else ("%group", "%two")
            lines += [
                f"  %row{name} = add i32 {row}, {8 * n + (h if transposed else 0)}",
                f"  %column{name} = add i32 {column}, {0 if transposed else h}",
                f"  %o{name} = mul i32 %row{name}, {SLOT_BYTES}", f"  %s{name} = getelementptr i8, ptr %slots, i32 %o{name}",
                f"  %p{name} = load ptr, ptr %s{name}", f"  %q{name} = getelementptr i16, ptr %p{name}, i32 %column{name}",
                f"  %h{name} = load i16, ptr %q{name}", f"  %w{name} = zext i16 %h{name} to i32",
            ]  # fmt: skip
        lines += [f"  %u{n} = shl i32 %w{n}_1, 16", f"  %z{n} = or i32 %w{n}_0, %u{n}"]
        lines.append(f"  %r{n} = insertelement <4 x i32> {so_far}, i32 %z{n}, i32 {n}")
        so_far = f"%r{n}"
    # Nobody writes where others still read: the lanes go on together, as the instruction's end makes them.
    aligned = "  call void @fibers.aligned(ptr %0, i64 15)"
    return "\n".join([aligned, *lines, "  call void @fibers.wait(ptr %warp, i32 %site)", f"  ret <4 x i32> {so_far}"])


_COPY = late.body(
    late.COPIES,
    "  call void @fibers.aligned(ptr %0, i64 15)\n  call void @fibers.aligned(ptr %1, i64 15)",
    late.EMPTY,
    "  %source = ptrtoint ptr %1 to i64\n  %bytes = zext i32 %2 to i64",
    "  call void @late.ask(ptr %queue, ptr @late.copy, ptr @late.copied, ptr %0, i64 %source, i64 0, i64 %bytes)\n  ret void",
)


_HALF = """\
  %{0}_h = fptrunc float %{1} to half
  %{0}_i = bitcast half %{0}_h to i16
  %{0} = zext i16 %{0}_i to i32
"""
_BRAIN = """\
  %{0}_b = bitcast float %{1} to i32
  %{0}_s = lshr i32 %{0}_b, 16
  %{0}_l = and i32 %{0}_s, 1
  %{0}_a = add i32 %{0}_b, 32767
  %{0}_c = add i32 %{0}_a, %{0}_l
  %{0}_n = fcmp uno float %{1}, 0.0
  %{0}_q = select i1 %{0}_n, i32 2147418112, i32 %{0}_c
  %{0} = lshr i32 %{0}_q, 16
"""
"""The nearest numbers of 16 bits, as they lie in a word's lower half."""


def _pair(half: str) -> str:
    return f"{half.format('low', '0')}{half.format('high', '1')}  %u = shl i32 %high, 16\n  %r = or i32 %low, %u\n  ret i32 %r"


_EXP2 = """\
  %r = call float @llvm.exp2.f32(float %0)
  %m = call float @llvm.fabs.f32(float %r)
  %small = fcmp olt float %m, 0x3810000000000000
  %f = select i1 %small, float 0.0, float %r
  ret float %f"""


def _warpgroup(name: str) -> str:
    """wgmma: its warps must run in step. Who has waited goes on where all the warp's products are there."""
    kind = name.split(".")[2:]
    met = f"{_mine('warp', 'ptr')}  call void @fibers.wait(ptr %warp, i32 %site)"
    if kind[0] == "begin":
        return f"{met}\n  ret void"
    if kind[0] == "end":
        return late.body(late.PRODUCTS, met, "  call void @late.end(ptr %queue)\n  ret void")
    if kind[0] == "wait":
        others = int(len(kind) == 1)
        return late.body(late.PRODUCTS, f"  call void @late.wait(ptr %queue, i64 {others})", met, "  ret void")
    return late.body(late.PRODUCTS, met, wgmma.asked(kind[0], int(kind[1]), kind[2]), "  ret void")


EMULATED: dict[str, str] = {
    "gpu.thread": _field("thread"),
    "gpu.block": _field("block"),
    "gpu.clock": "  ret i32 0",
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
    **{f"gpu.mma.{type}": _multiply(type) for type in _NUMBERS},
    "gpu.pair.f16": _pair(_HALF),
    "gpu.pair.bf16": _pair(_BRAIN),
    "gpu.exp2": _EXP2,
    "gpu.matrices": _matrices(transposed=False),
    "gpu.matrices.transposed": _matrices(transposed=True),
    "gpu.copy": _COPY,
    "gpu.copies.end": late.body(late.COPIES, "  call void @late.end(ptr %queue)\n  ret void"),
    "gpu.copies.wait": late.body(late.COPIES, "  call void @late.wait(ptr %queue, i64 1)\n  ret void"),
    "gpu.copies.publish": "  ret void",
    **{name: _warpgroup(name) for name in PRIMITIVES if name.startswith("gpu.wgmma.")},
    "gpu.shared.place": f"""\
{_mine("shared", "ptr")}  %to = ptrtoint ptr %0 to i64
  %from = ptrtoint ptr %shared to i64
  %far = sub i64 %to, %from
  %place = trunc i64 %far to i32
  ret i32 %place""",
    "gpu.shared": f"{_mine('shared', 'ptr')}  ret ptr %shared",
    "gpu.pointer": _POINTER,
}
"""By name, bodies of functions with the types that device.py says."""

_CALL = re.compile(r"(call [^@\n]*@(gpu\.[a-z0-9_.]+)\()(\)?)")
_ACCESS = re.compile(r"^  (?:%[^=]+= )?(?:load|store) .*\bptr (%[\w.$-]+)[^,]*, align (\d+)")
_DECLARED = re.compile(r"^(declare [^@\n]*@(gpu\.[a-z0-9_.]+)\()(\)?)", re.MULTILINE)


def definitions() -> str:
    """The primitives as functions; those that meet take the site of the call first."""
    functions = [_sum_of_tensor_cores(), late.functions(), wgmma.functions()]
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
