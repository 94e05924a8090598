"""What wgmma does, for the emulator: each thread computes its sums from shared memory, where descriptors say the tiles lie.

Layouts are those of the PTX ISA (asynchronous warpgroup-level matrix instructions: register fragments, canonical layouts with 128
bytes of swizzling). A thread's products are done when it waits for them (late.py). Next on the path: primitives.py.
"""

from __future__ import annotations

from jitgrad_compiler.ir.types import BF16, F16, F32, F64, I64, U32, DType
from jitgrad_compiler.targets.cuda.warpgroups import STEPS
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import PTR, Module, Reg

from .fibers import FIBER
from .late import WORDS

TYPES = {"f16": F16, "bf16": BF16, "tf32": F32}
PARTS = 8
"""Steps of depth whose products are added before the sum is cut off."""


LEFT_TURNED, RIGHT_TURNED = 16, 17
"""Bits of the last word: whether left's lines are of rows, right's of columns. Those below are how many columns there are."""


def functions() -> str:
    """`wgmma.TYPE(sums, left, right, how)` multiplies, `wgmma.seen.TYPE` looks at what that reads: works of late.py."""
    module = Module()
    for name, type in TYPES.items():
        _number(module, name, type)
        _product(module, name)
        _seen(module, name)
    return "\n".join(module.functions)


def asked(type: str, columns: int, majors: str) -> str:
    """Lines of a primitive that asks for a product, with `%queue` known."""
    how = columns | sum((m == "m") << bit for m, bit in zip(majors, (LEFT_TURNED, RIGHT_TURNED), strict=True))
    does = f"ptr @wgmma.{type}, ptr @wgmma.seen.{type}"
    return f"  call void @late.ask(ptr %queue, {does}, ptr %0, i64 %1, i64 %2, i64 {how})\n  ret void"


def _number(module: Module, name: str, type: DType) -> None:
    """The element of a tile at (line of the side, step of depth)."""
    arguments = [("shared", PTR), ("tile", I64), ("turned", I64), ("line", I64), ("step", I64)]
    e = Emitter(module, f"wgmma.at.{name}", arguments, "double", attributes="alwaysinline", internal=True)
    shared, tile, turned, line, step = e.args

    def field(first: int) -> Reg:
        return e.mul(e.and_(e.shr(tile, first), 0x3FFF), 16)

    start, leading, stride = field(0), field(16), field(32)
    along_depth = _sum(e, e.mul(e.div(line, 8), stride), e.mul(e.rem(line, 8), 128), e.mul(step, type.nbytes))
    blocks = e.add(e.mul(e.div(line, 64), leading), e.mul(e.rem(line, 64), 2))
    along_side = _sum(e, blocks, e.mul(e.div(step, 8), stride), e.mul(e.rem(step, 8), 128))
    place = e.add(start, e.select(e.compare("eq", turned, 0), along_depth, along_side))
    place = e.xor(place, e.mul(e.and_(e.shr(place, 7), 7), 16))
    pointer = e.op(f"getelementptr i8, ptr {shared.text}, {place.typed}", PTR)
    if type == F32:  # the last 13 bits of TF32 are not looked at
        value = e.bitcast(e.and_(e.load(pointer, U32), 0xFFFFE000), F32)
    else:
        value = e.convert(e.load(pointer, type), F32)
    e.finish(e.convert(value, F64))


def _sum(e: Emitter, *terms: Reg) -> Reg:
    total = terms[0]
    for t in terms[1:]:
        total = e.add(total, t)
    return total


class _Fragments:
    """What a thread's part of a product reads: two rows of the left tile, and of each eight columns of the right one, two."""

    def __init__(self, module: Module, prefix: str, name: str, result: str = "void") -> None:
        self.e, self.name, self.steps = Emitter(module, f"{prefix}.{name}", WORDS, result, internal=True), name, STEPS[name]
        e = self.e
        self.sums, self._left, self._right, self._how = e.args
        fiber = e.load(Reg("@fibers_state", PTR), PTR)
        self._shared = FIBER.get(e, fiber, "shared")
        thread = e.convert(FIBER.get(e, fiber, "thread"), I64)
        self._row = e.add(e.mul(e.and_(e.shr(thread, 5), 3), 16), e.shr(e.and_(thread, 31), 2))
        self._column = e.mul(e.and_(thread, 3), 2)
        self.blocks = e.div(e.and_(self._how, (1 << LEFT_TURNED) - 1), 8)

    def _line(self, tile: Reg, turned: int, line: Reg) -> list[Reg]:
        e = self.e
        found = []
        for step in range(self.steps):
            bit = e.and_(e.shr(self._how, turned), 1)
            found.append(e.call(f"wgmma.at.{self.name}", F64, self._shared, tile, bit, line, e.const(step, I64)))
        return found  # type: ignore[return-value]

    def row(self, h: int) -> list[Reg]:
        return self._line(self._left, LEFT_TURNED, self.e.add(self._row, 8 * h))

    def column(self, block: Reg, p: int) -> list[Reg]:
        return self._line(self._right, RIGHT_TURNED, _sum(self.e, self.e.mul(block, 8), self._column, self.e.const(p, I64)))


def _product(module: Module, name: str) -> None:
    x = _Fragments(module, "wgmma", name)
    e = x.e
    a = [x.row(h) for h in (0, 1)]
    with e.loop(0, x.blocks) as block:
        for p in (0, 1):
            b = x.column(block, p)
            for h in (0, 1):
                place = e.offset(x.sums, e.add(e.mul(block, 4), 2 * h + p), F32)
                total = e.convert(e.load(place, F32), F64)
                for first in range(0, x.steps, PARTS):
                    terms = [total, *[e.mul(a[h][n], b[n]) for n in range(first, first + PARTS)]]
                    found = e.call("tensor_cores.sum", F64, *terms)
                    assert found is not None
                    total = found
                e.store(place, e.convert(total, F32))
    e.finish()


def _seen(module: Module, name: str) -> None:
    """A number that is another one where an element that the thread reads is: its bits are in it, turned by where it stands."""
    x = _Fragments(module, "wgmma.seen", name, "i64")
    e = x.e
    seen = e.alloca(I64)
    e.set(seen, e.const(0, I64))

    def look(numbers: list[Reg]) -> None:
        total = e.get(seen, I64)
        for n in numbers:
            total = e.add(e.mul(total, 0x9E3779B1), e.shr(e.bitcast(n, I64), 29))
        e.set(seen, total)

    for h in (0, 1):
        look(x.row(h))
    with e.loop(0, x.blocks) as block:
        for p in (0, 1):
            look(x.column(block, p))
    e.finish(e.get(seen, I64))
