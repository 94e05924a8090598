"""The primitives of Hopper's tensor cores, wgmma: 128 threads, a warpgroup, multiply what lies in shared memory while they go on.

Tiles lie in lines of 128 bytes, along the depth or along the side, eight of which are a block of 1024 that begins at a multiple of
that; of line n in its block the 16 bytes number c stand at c XOR n (PTX ISA, "Shared Memory Matrix Layout", 128B swizzling). A
descriptor says where a tile begins, and how far apart its blocks are. Next on the path: contract/warpgroups.py.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ...ir.types import F32, I32, I64, U8
from ..llvm_text import PTR, Reg

if TYPE_CHECKING:
    from ..emitter import Emitter
    from .device import Threads

WIDTHS = (128, 256)
"""Columns that are multiplied at once."""
ROWS, STEPS = 64, {"f16": 16, "bf16": 16, "tf32": 8}
"""Rows, and steps of depth by type."""
LINE, BLOCK = 128, 1024
"""Bytes of a line, and of eight."""
MAJORS = ("k", "m")
"""What lies side by side: steps of depth, or rows or columns of the side, which those of TF32 never do."""


def products() -> dict[str, tuple[tuple[str, ...], str]]:
    """Arguments and bodies, by name. `gpu.wgmma.TYPE.COLUMNS.MAJORS(sums, left, right)` adds the product of two tiles to sums of 64
    rows, of which a thread has half as many as columns, and goes on; `gpu.wgmma.wait.COLUMNS(sums)` waits until they are there.
    """
    made: dict[str, tuple[tuple[str, ...], str]] = {}
    for n in WIDTHS:
        made[f"gpu.wgmma.wait.{n}"] = ("ptr",), _on_sums("wgmma.wait_group.sync.aligned 0;", n // 2, ())
        sums = ", ".join(f"${i}" for i in range(n // 2))
        for type, steps in STEPS.items():
            for left, right in itertools.product("k" if type == "tf32" else MAJORS, repeat=2):
                turned = "" if type == "tf32" else f", {int(left == 'm')}, {int(right == 'm')}"
                shape = f"m64n{n}k{steps}.f32.{type}.{type}"
                asm = f"wgmma.mma_async.sync.aligned.{shape} {{{sums}}}, ${n // 2}, ${n // 2 + 1}, 1, 1, 1{turned};"
                body = _on_sums(asm, n // 2, ("i64 %1", "i64 %2"))
                made[f"gpu.wgmma.{type}.{n}.{left}{right}"] = ("ptr", "i64", "i64"), body
    return made


def _on_sums(asm: str, count: int, operands: tuple[str, ...]) -> str:
    """Lines that let an instruction change the numbers that lie at `%0`, each in a register, with operands between."""
    lines = [f"  %p{n} = getelementptr float, ptr %0, i64 {n}" for n in range(count)]
    lines += [f"  %c{n} = load float, ptr %p{n}" for n in range(count)]
    structure = "{ " + ", ".join(["float"] * count) + " }"
    constraints = ",".join(["=f"] * count + ["l"] * len(operands) + [str(n) for n in range(count)])
    values = ", ".join([*operands, *[f"float %c{n}" for n in range(count)]])
    lines.append(f'  %s = call {structure} asm sideeffect "{asm}", "{constraints}"({values}) convergent')
    for n in range(count):
        lines += [f"  %r{n} = extractvalue {structure} %s, {n}", f"  store float %r{n}, ptr %p{n}"]
    return "\n".join([*lines, "  ret void"])


class Warpgroup:
    """A warpgroup's sums of a tile of 64 x `columns`, written into a function. `type`: f16, bf16 or tf32."""

    def __init__(self, e: Emitter, threads: Threads, type: str, columns: int) -> None:
        self.e, self.threads, self.type, self.columns, self.count = e, threads, type, columns, columns // 2
        self.sums = Reg(f"%{e.fresh('sums')}", PTR)
        e.entry.append(f"  {self.sums.text} = alloca [{self.count} x float], align 16")
        for n in range(self.count):
            e.set(self._place(n), e.const(0, F32))

    def _place(self, n: int) -> Reg:
        return self.e.offset(self.sums, n, F32)

    def sum(self, n: int) -> Reg:
        """The thread's number n; 4 j + 2 h + p lies in row `lane / 4 + 8 h` of its warp's 16, column `8 j + 2 (lane % 4) + p`."""
        return self.e.get(self._place(n), F32)

    def begin(self) -> None:
        """Before products: what this thread has written into shared memory, by whatever way, and all barriers before, is seen."""
        self.threads.call("gpu.wgmma.begin")

    def multiply(self, left: Reg, right: Reg, majors: str) -> None:
        """Add the product of two tiles, of `STEPS` of depth, by their descriptors; it is not there yet."""
        self.threads.call(f"gpu.wgmma.{self.type}.{self.columns}.{majors}", self.sums, left, right)

    def end(self) -> None:
        """The products since the last end are a group."""
        self.threads.call("gpu.wgmma.end")

    def wait_for_others(self) -> None:
        """For all groups but the last."""
        self.threads.call("gpu.wgmma.wait")

    def wait(self) -> None:
        """For all, so that the sums may be read."""
        self.threads.call(f"gpu.wgmma.wait.{self.columns}", self.sums)


def descriptor(e: Emitter, place: Reg, major: str, apart: int) -> Reg:
    """Of a tile that begins at a place of shared memory, an i32. `apart`: of one whose lines are along the side, the bytes from 64
    of the side to the next 64.
    """
    start = e.convert(e.and_(e.shr(place, 4), 0x3FFF), I64)
    leading = apart >> 4 if major == "m" else 1
    return e.or_(start, leading << 16 | (BLOCK >> 4) << 32 | 1 << 62)


def advance(major: str) -> int:
    """What a descriptor of the next `STEPS` of depth has more: they are 32 bytes of a line, or 16 lines."""
    return (16 * LINE if major == "m" else 32) >> 4


def shared_place(threads: Threads, pointer: Reg, offset: Reg | int) -> Reg:
    """Where in shared memory something lies, an i32."""
    e = threads.e
    return threads.call("gpu.shared.place", e.offset(pointer, offset, U8), result=I32)  # type: ignore[return-value]
