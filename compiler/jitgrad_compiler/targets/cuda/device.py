"""What a GPU's threads can do beyond arithmetic: know their place, meet at barriers, exchange values, share memory.

Kernels call these *primitives* as functions, `@gpu.barrier` for one, so that their text is LLVM's for any machine. `for_nvptx` has
them as the instructions of NVIDIA's GPUs; another set, of functions that switch from thread to thread, runs the same text on a CPU.

A kernel's threads are blocks of `THREADS`, of `WARP` that run in step. Next on the path: program.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...ir.types import BOOL, F32, I32, I64, U32, DType, unsigned_integer
from ..emitter import Emitter
from ..llvm_text import PTR, Reg
from .warpgroups import products

THREADS = 256
"""Of every block, so that kernels can follow each other within one launch."""
WARP = 32
WARPS = THREADS // WARP
SHARED_BYTES = 48 << 10
"""Of shared memory that every GPU lends a block without being asked specially."""


@dataclass(frozen=True)
class Primitive:
    """A function that kernels may call: its types, and its body as LLVM text for NVPTX; `%0`, `%1` are its arguments."""

    result: str
    arguments: tuple[str, ...]
    body: str
    meets: bool = False
    """Whether threads wait in it for others."""


def _register(name: str) -> Primitive:
    return Primitive("i32", (), f"  %r = call i32 @llvm.nvvm.read.ptx.sreg.{name}()\n  ret i32 %r")


def _shuffle(kind: str, clamp: int) -> Primitive:
    call = f"  %r = call i32 @llvm.nvvm.shfl.sync.{kind}.i32(i32 -1, i32 %0, i32 %1, i32 {clamp})\n  ret i32 %r"
    return Primitive("i32", ("i32", "i32"), call, meets=True)


def _multiply(shape: str, type: str) -> Primitive:
    """mma.sync with float32 sums: of `%0` the lane's four words of the left tile, of `%1` its two of the right one."""
    words = [f"  %w{n} = extractelement <4 x i32> %0, i32 {n}" for n in range(4)]
    words += [f"  %w{n + 4} = extractelement <2 x i32> %1, i32 {n}" for n in range(2)]
    before = [f"  %c{n} = extractelement <4 x float> %2, i32 {n}" for n in range(4)]
    fragments = "{$0,$1,$2,$3}, {$4,$5,$6,$7}, {$8,$9}, {$10,$11,$12,$13}"
    asm = f"mma.sync.aligned.{shape}.row.col.f32.{type}.{type}.f32 {fragments};"
    operands = ", ".join([*(f"i32 %w{n}" for n in range(6)), *(f"float %c{n}" for n in range(4))])
    call = f'  %s = call {{ float, float, float, float }} asm "{asm}", "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f"({operands}) convergent'
    body = "\n".join([*words, *before, call, _gathered("float", 4)])
    return Primitive("<4 x float>", ("<4 x i32>", "<2 x i32>", "<4 x float>"), body, meets=True)


def _pair(type: str) -> Primitive:
    """Two numbers of 16 bits in a word, each the nearest one; the second is the upper half."""
    line = f'  %r = call i32 asm "cvt.rn.{type}x2.f32 $0, $1, $2;", "=r,f,f"(float %1, float %0)'
    return Primitive("i32", ("float", "float"), f"{line}\n  ret i32 %r")


_EXP2 = """\
  %r = call float asm "ex2.approx.ftz.f32 $0, $1;", "=f,f"(float %0)
  ret float %r"""


def _gathered(type: str, count: int) -> str:
    """Lines that return the members of the structure `%s` as a vector."""
    structure, vector, lines, so_far = "{ " + ", ".join([type] * count) + " }", f"<{count} x {type}>", [], "poison"
    for n in range(count):
        lines.append(f"  %m{n} = extractvalue {structure} %s, {n}")
        lines.append(f"  %v{n} = insertelement {vector} {so_far}, {type} %m{n}, i32 {n}")
        so_far = f"%v{n}"
    return "\n".join([*lines, f"  ret {vector} {so_far}"])


def _matrices(how: str) -> Primitive:
    """ldmatrix: four matrices of 8 x 8 words of 16 bits, whose rows' addresses the lanes have."""
    asm = f"ldmatrix.sync.aligned.m8n8.x4{how}.shared.b16 {{$0,$1,$2,$3}}, [$4];"
    lines = [
        "  %a = addrspacecast ptr %0 to ptr addrspace(3)", "  %n = ptrtoint ptr addrspace(3) %a to i32",
        f'  %s = call {{ i32, i32, i32, i32 }} asm sideeffect "{asm}", "=r,=r,=r,=r,r,~{{memory}}"(i32 %n) convergent',
    ]  # fmt: skip
    return Primitive("<4 x i32>", ("ptr",), "\n".join([*lines, _gathered("i32", 4)]), meets=True)


_COPY = """\
  %a = addrspacecast ptr %0 to ptr addrspace(3)
  %n = ptrtoint ptr addrspace(3) %a to i32
  %g = addrspacecast ptr %1 to ptr addrspace(1)
  call void asm sideeffect "cp.async.cg.shared.global [$0], [$1], 16, $2;", "r,l,r,~{memory}"(i32 %n, ptr addrspace(1) %g, i32 %2)
  ret void"""

# The move is there for LLVM, not for the GPU: of a pointer that the kernel stored before LLVM sees where it came from. It drops
# a cast there and back, so that what is read is not known to be in global memory; and where it is loaded as a global pointer, of
# the bits of one that was cast to a generic one, LLVM's NVPTX back end ends the process.
_POINTER = """\
  %p = load ptr, ptr %0
  %g = call ptr addrspace(1) asm "mov.b64 $0, $1;", "=l,l"(ptr %p)
  %r = addrspacecast ptr addrspace(1) %g to ptr
  ret ptr %r"""

_PLACE = """\
  %a = addrspacecast ptr %0 to ptr addrspace(3)
  %n = ptrtoint ptr addrspace(3) %a to i32
  ret i32 %n"""


def _asm(text: str) -> str:
    return f'  call void asm sideeffect "{text}", "~{{memory}}"() convergent\n  ret void'


_GRID_BARRIER = """\
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = icmp eq i32 %thread, 0
  br i1 %first, label %arrive, label %done
arrive:
  %count = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %leader = icmp eq i32 %block, 0
  %others = sub i32 1, %count
  %leading = add i32 %others, -2147483648
  %step = select i1 %leader, i32 %leading, i32 1
  fence syncscope("device") seq_cst
  %before = atomicrmw add ptr %0, i32 %step syncscope("device") seq_cst
  br label %wait
wait:
  %now = load atomic i32, ptr %0 syncscope("device") acquire, align 4
  %changed = xor i32 %now, %before
  %over = icmp slt i32 %changed, 0
  br i1 %over, label %met, label %wait
met:
  fence syncscope("device") seq_cst
  br label %done
done:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void"""
"""The leader adds what makes the sum of all turn the counter's highest bit over, once everybody has come."""

PRIMITIVES: dict[str, Primitive] = {
    "gpu.thread": _register("tid.x"),
    "gpu.block": _register("ctaid.x"),
    "gpu.blocks": _register("nctaid.x"),
    "gpu.clock": _register("clock"),
    "gpu.barrier": Primitive("void", (), "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n  ret void", meets=True),
    "gpu.warp.barrier": Primitive("void", (), "  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n  ret void", meets=True),
    "gpu.grid.barrier": Primitive("void", ("ptr",), _GRID_BARRIER, meets=True),
    "gpu.shuffle.xor": _shuffle("bfly", 31),
    "gpu.shuffle.up": _shuffle("up", 0),
    "gpu.shuffle.from": _shuffle("idx", 31),
    "gpu.ballot": Primitive("i32", ("i1",), "  %r = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %0)\n  ret i32 %r", meets=True),
    "gpu.mma.f16": _multiply("m16n8k16", "f16"),
    "gpu.mma.bf16": _multiply("m16n8k16", "bf16"),
    "gpu.mma.tf32": _multiply("m16n8k8", "tf32"),
    "gpu.pair.f16": _pair("f16"),
    "gpu.pair.bf16": _pair("bf16"),
    "gpu.exp2": Primitive("float", ("float",), _EXP2),
    "gpu.matrices": _matrices(""),
    "gpu.matrices.transposed": _matrices(".trans"),
    "gpu.copy": Primitive("void", ("ptr", "ptr", "i32"), _COPY),
    "gpu.copies.end": Primitive("void", (), '  call void asm sideeffect "cp.async.commit_group;", "~{memory}"()\n  ret void'),
    "gpu.copies.wait": Primitive("void", (), '  call void asm sideeffect "cp.async.wait_group 1;", "~{memory}"()\n  ret void'),
    "gpu.wgmma.begin": Primitive("void", (), _asm("wgmma.fence.sync.aligned;"), meets=True),
    "gpu.wgmma.end": Primitive("void", (), _asm("wgmma.commit_group.sync.aligned;"), meets=True),
    "gpu.wgmma.wait": Primitive("void", (), _asm("wgmma.wait_group.sync.aligned 1;"), meets=True),
    **{name: Primitive("void", arguments, body, meets=True) for name, (arguments, body) in products().items()},
    "gpu.copies.publish": Primitive("void", (), _asm("fence.proxy.async.shared::cta;")),
    "gpu.shared.place": Primitive("i32", ("ptr",), _PLACE),
    "gpu.shared": Primitive("ptr", (), "  ret ptr addrspacecast (ptr addrspace(3) @gpu_shared_memory to ptr)"),
    "gpu.pointer": Primitive("ptr", ("ptr",), _POINTER),
}
"""By name. `gpu.shuffle.xor(value, mask)`: the value of the lane whose number differs in the mask's bits; `.up(value, n)`: of the
lane n below, in the lowest n their own; `.from(value, lane)`. `gpu.shared()`: the block's shared memory, which begins undefined.
`gpu.pointer(place)`: the pointer that lies there, which is known to be to global memory. `gpu.grid.barrier(counter)`: all blocks of
a launch whose blocks run at once; the counter is a zeroed i32 of their own. `gpu.mma.TYPE(left, right, sums)`: sums of a tile of
16 x 8, to which the warp adds a product over a depth of 16 (of tf32: 8), with the fragments of PTX's mma.sync.
`gpu.pair.TYPE(low, high)`: two numbers rounded to 16 bits, in one word. `gpu.exp2(x)`: 2^x but for 2^-22 of it, 0 below 2^-126.
`gpu.matrices(row)`: four matrices of 8 x 8 halves from shared memory; of matrix n the rows begin, at multiples of 16 bytes, where
lanes 8 n to 8 n + 7 say, and lane l gets the word at row l / 4, column 2 (l % 4); transposed, column and row. `gpu.copy(to, from,
bytes)`: 16 bytes of shared memory from global memory, or zeros where `bytes` is 0, while the thread goes on; `gpu.copies.end()`: a
group of the thread's copies ends; `gpu.copies.wait()`: for all its groups but the last. `gpu.wgmma` and what begins so:
warpgroups.py. Its products see what threads wrote or copied, where each of these then calls `gpu.copies.publish()` and meets the
others; `gpu.shared.place(pointer)` is the address of a place in shared memory, as descriptors have it.
"""
_USED = re.compile(r"@(gpu\.[a-z0-9.]+)\(")
_DECLARED = re.compile(r"@(llvm\.[a-z0-9_.]+)\(")
_DECLARATION = re.compile(r"^declare .*@gpu\..*\n", re.MULTILINE)
_INTRINSICS = {
    "llvm.nvvm.barrier.cta.sync.aligned.all": "void (i32)",
    "llvm.nvvm.bar.warp.sync": "void (i32)",
    "llvm.nvvm.vote.ballot.sync": "i32 (i32, i1)",
}


def primitives_in(text: str) -> set[str]:
    """The names of the primitives that a module's text calls."""
    return set(_USED.findall(text))


def without_declarations(text: str) -> str:
    """A module's text, for the primitives' definitions to be joined to."""
    return _DECLARATION.sub("", text)


def for_nvptx(text: str) -> str:
    """A module's text with the primitives that it calls as NVIDIA's instructions."""
    used = sorted(primitives_in(text))
    functions = []
    for name in used:
        p = PRIMITIVES[name]
        arguments = ", ".join(f"{t} %{n}" for n, t in enumerate(p.arguments))
        functions.append(
            f"define internal {p.result} @{name}({arguments}) alwaysinline convergent nounwind {{\nentry:\n{p.body}\n}}"
        )
    lines = ["@gpu_shared_memory = external addrspace(3) global [0 x i8], align 1024"] if "gpu.shared" in used else []
    for intrinsic in sorted({found for f in functions for found in _DECLARED.findall(f)}):
        lines.append(f"declare {_signature(intrinsic)}")
    return "\n".join([without_declarations(text), *lines, *functions]) + "\n"


def _signature(intrinsic: str) -> str:
    if intrinsic.startswith("llvm.nvvm.read."):
        return f"i32 @{intrinsic}()"
    if intrinsic.startswith("llvm.nvvm.shfl."):
        return f"i32 @{intrinsic}(i32, i32, i32, i32)"
    result, arguments = _INTRINSICS[intrinsic].split(" ", 1)
    return f"{result} @{intrinsic}{arguments}"


class Threads:
    """The primitives, written into a function."""

    def __init__(self, e: Emitter) -> None:
        self.e = e

    def _call(self, name: str, result: DType | None, *args: Reg, width: int = 1) -> Reg:
        p = PRIMITIVES[name]
        self.e.module.declare(name, p.result, p.arguments)
        found = self.e.call(name, result, *args, width=width)
        return found  # type: ignore[return-value]

    def call(self, name: str, *args: Reg, result: DType | None = None) -> Reg | None:
        """A primitive by its name."""
        p = PRIMITIVES[name]
        self.e.module.declare(name, p.result, p.arguments)
        return self.e.call(name, result, *args)

    def thread(self) -> Reg:
        """The thread's number in its block, an i64."""
        return self.e.convert(self._call("gpu.thread", I32), I64)

    def block(self) -> Reg:
        return self.e.convert(self._call("gpu.block", I32), I64)

    def blocks(self) -> Reg:
        return self.e.convert(self._call("gpu.blocks", I32), I64)

    def barrier(self) -> None:
        """Wait for all threads of the block; what they wrote before is seen behind."""
        self._call("gpu.barrier", None)

    def warp_barrier(self) -> None:
        self._call("gpu.warp.barrier", None)

    def grid_barrier(self, counter: Reg) -> None:
        self._call("gpu.grid.barrier", None, counter)

    def shared(self) -> Reg:
        """The block's shared memory."""
        return self._call("gpu.shared", PTR)

    def pointer(self, place: Reg) -> Reg:
        """The pointer that lies at a place; it is known to be to global memory, so that loads need not find out."""
        return self._call("gpu.pointer", PTR, place)

    def multiplied(self, type: str, left: Reg, right: Reg, sums: Reg) -> Reg:
        """The sums of a tile of 16 x 8, with the warp's product of fragments of f16, bf16 or tf32 added."""
        return self._call(f"gpu.mma.{type}", F32, left, right, sums, width=4)

    def pair(self, type: str, low: Reg, high: Reg) -> Reg:
        """Two float32 numbers as f16 or bf16, in one word."""
        return self._call(f"gpu.pair.{type}", U32, low, high)

    def exp2(self, x: Reg) -> Reg:
        """2^x of a float32 number, within 2^-22 of it."""
        return self._call("gpu.exp2", F32, x)

    def matrices(self, row: Reg, transposed: bool = False) -> Reg:
        """The lane's words of four matrices of 8 x 8 halves; its address is of one of their rows."""
        return self._call("gpu.matrices.transposed" if transposed else "gpu.matrices", U32, row, width=4)

    def copy(self, to: Reg, source: Reg, holds: Reg) -> None:
        """16 bytes into shared memory, zeros where the condition does not hold, while the thread goes on."""
        self._call("gpu.copy", None, to, source, self.e.select(holds, self.e.const(16, I32), self.e.const(0, I32)))

    def end_copies(self) -> None:
        """The copies since the last end are a group."""
        self._call("gpu.copies.end", None)

    def wait_for_copies(self) -> None:
        """For all groups of this thread's copies but the last."""
        self._call("gpu.copies.wait", None)

    def publish(self) -> None:
        """What this thread has written into shared memory or copied there, and waited for, may be multiplied behind a barrier."""
        self._call("gpu.copies.publish", None)

    def ballot(self, condition: Reg) -> Reg:
        """The lanes of the warp where the condition holds, as bits."""
        return self._call("gpu.ballot", I32, condition)

    def atomic(self, kind: str, pointer: Reg, value: Reg) -> None:
        """Memory combined with an integer at once, whoever else does the same: 'add', 'max', 'min' and what LLVM has besides."""
        self.e.op(f'atomicrmw {kind} ptr {pointer.text}, {value.typed} syncscope("device") monotonic', value.type)

    def from_lane(self, value: Reg, mask: int) -> Reg:
        """The value of the lane whose number differs in the bits of `mask`."""
        return self._exchanged("gpu.shuffle.xor", value, self.e.const(mask, I32))

    def from_below(self, value: Reg, lanes: int) -> Reg:
        """The value of the lane so many below; the lowest ones have their own."""
        return self._exchanged("gpu.shuffle.up", value, self.e.const(lanes, I32))

    def of_lane(self, value: Reg, lane: Reg) -> Reg:
        """The value of one lane, whose number is an i32."""
        return self._exchanged("gpu.shuffle.from", value, lane)

    def _exchanged(self, name: str, value: Reg, lane: Reg) -> Reg:
        e, type, bits = self.e, value.type, value.type.bits
        if type == BOOL:
            return e.compare("ne", self._exchanged(name, e.convert(value, I32), lane), 0)
        plain = unsigned_integer(bits)
        word = e.bitcast(value, plain)
        if bits == 64:
            low, high = e.convert(word, I32), e.convert(e.shr(word, 32), I32)
            low, high = (
                e.convert(e.bitcast(self._call(name, I32, part, lane), unsigned_integer(32)), plain) for part in (low, high)
            )
            return e.bitcast(e.or_(low, e.shl(high, 32)), type)
        found = self._call(name, I32, e.convert(word, I32), lane)
        return e.bitcast(e.convert(found, plain), type)
