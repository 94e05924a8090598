"""What wgmma does, for the emulator: each thread computes its sums from shared memory, where descriptors say the tiles lie.

Layouts are those of the PTX ISA (asynchronous warpgroup-level matrix instructions: register fragments, canonical layouts with 128
bytes of swizzling). The product is there at once: that a kernel waits for it is not seen. Next on the path: primitives.py.
"""

from __future__ import annotations

from jitgrad_compiler.ir.types import BF16, F16, F32, F64, I32, I64, U32, DType
from jitgrad_compiler.targets.cuda.warpgroups import STEPS
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import PTR, Module, Reg

TYPES = {"f16": F16, "bf16": BF16, "tf32": F32}
PARTS = 8
"""Steps of depth whose products are added before the sum is cut off."""


def functions() -> str:
    """`wgmma.TYPE(sums, shared memory, thread, left, right, columns, whether left's lines are of rows, right's of columns)`."""
    module = Module()
    for name, type in TYPES.items():
        _number(module, name, type)
        _product(module, name)
    return "\n".join(module.functions)


def body(type: str, columns: int, majors: str) -> str:
    """Lines of a primitive that calls it, with `%shared` and `%thread` known."""
    turned = ", ".join(f"i64 {int(m == 'm')}" for m in majors)
    return f"  call void @wgmma.{type}(ptr %0, ptr %shared, i32 %thread, i64 %1, i64 %2, i64 {columns}, {turned})\n  ret void"


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


def _product(module: Module, name: str) -> None:
    arguments = [
        ("sums", PTR), ("shared", PTR), ("thread", I32), ("left", I64), ("right", I64), ("columns", I64), ("left_turned", I64),
        ("right_turned", I64),
    ]  # fmt: skip
    e = Emitter(module, f"wgmma.{name}", arguments, internal=True)
    sums, shared, thread, left, right, columns, left_turned, right_turned = e.args
    number = e.convert(thread, I64)
    row = e.add(e.mul(e.and_(e.shr(number, 5), 3), 16), e.shr(e.and_(number, 31), 2))
    column = e.mul(e.and_(number, 3), 2)

    def at(tile: Reg, turned: Reg, line: Reg, step: int) -> Reg:
        found = e.call(f"wgmma.at.{name}", F64, shared, tile, turned, line, e.const(step, I64))
        assert found is not None
        return found

    steps = STEPS[name]
    a = [[at(left, left_turned, e.add(row, 8 * h), step) for step in range(steps)] for h in (0, 1)]
    with e.loop(0, e.div(columns, 8)) as block:
        for p in (0, 1):
            b = [at(right, right_turned, _sum(e, e.mul(block, 8), column, e.const(p, I64)), step) for step in range(steps)]
            for h in (0, 1):
                place = e.offset(sums, e.add(e.mul(block, 4), 2 * h + p), F32)
                total = e.convert(e.load(place, F32), F64)
                for first in range(0, steps, PARTS):
                    terms = [total, *[e.mul(a[h][n], b[n]) for n in range(first, first + PARTS)]]
                    found = e.call("tensor_cores.sum", F64, *terms)
                    assert found is not None
                    total = found
                e.store(place, e.convert(total, F32))
    e.finish()
