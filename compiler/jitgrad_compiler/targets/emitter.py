"""The emitter: Python calls in, the text of LLVM functions out.

Kernels and the vector math are written against this class alone, at any width: 16 or 8 lanes on a CPU, 1 on CUDA. A register
knows its element type (jitgrad's name for it, so signedness is known) and its width. Next on the path: `cpu/program.py`.

IR is written as text because that is five to ten times faster to make than the objects of llvmlite.ir and prints splats as
`splat (float 2.0)`; llvmlite's parser and LLVM's verifier read every line of it before it runs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..ir.graph import lazy
from ..ir.types import BOOL, F64, I64, U8, U64, DType
from . import small_floats
from .llvm_text import LLVM_TYPES, PTR, Module, Number, Reg, in_type, llvm_type, mangled, spell
from .vector_math import VectorMath

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
_COMPARE_FLOAT = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "unordered": "uno"}
_FOLDS: dict[str, Callable[[Any, Any], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul,
    "sdiv": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1), "udiv": operator.floordiv,
    "srem": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1), "urem": operator.mod,
}  # fmt: skip
_UNCHANGED = {("add", 0), ("sub", 0), ("mul", 1), ("sdiv", 1), ("udiv", 1)}


def _trips(first: Reg, last: Reg, step: int) -> int | None:
    """How often a loop runs; None where that is not known."""
    if first.constant is None or last.constant is None:
        return None
    return len(range(int(first.constant), int(last.constant), step))


class Emitter:
    """Writes one LLVM function. Operands are `Reg` or Python numbers; a scalar beside a vector is splatted."""

    def __init__(
        self,
        module: Module,
        name: str,
        args: Sequence[tuple[str, DType] | tuple[str, DType, int]],
        result: str = "void",
        width: int = 1,
        attributes: str = "",
        internal: bool = False,
    ) -> None:
        self.module, self.name, self.result, self.width = module, name, result, width
        self.attributes, self.internal = attributes, internal
        self.args = [Reg(f"%{name}", *kind) for name, *kind in args]
        self.entry: list[str] = []  # allocas, which LLVM promotes to registers only where they stand first
        self.lines: list[str] = []
        self.rounded: dict[str, Reg] = {}
        """Registers of bfloat16, by their text: the bits they are the upper half of."""
        self.plain_nans: set[str] = set()
        """Registers of float32, by their text, whose NaNs have a lower half of zeros, so that adding there leaves them NaNs:
        numbers that were bfloat16, and what machines make of these by arithmetic, where a NaN is an operand's or their own.
        """
        self._count = 0
        self.block = "entry"

    # -- writing lines

    def fresh(self, hint: str = "") -> str:
        self._count += 1
        return f"{hint}{self._count}" if hint else f"v{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, text: str, type: DType, width: int = 1) -> Reg:
        """Append an instruction that has a result, and return that."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return Reg(name, type, width)

    def finish(self, value: Reg | None = None) -> None:
        """Return from the function and hand its text to the module."""
        self.line(f"ret {value.typed}" if value else "ret void")
        self.close()

    def close(self) -> None:
        """Hand the text of the function, which has returned, to the module."""
        args = ", ".join(a.typed for a in self.args)
        body = "\n".join(["entry:", *self.entry, *self.lines])
        linkage = "internal " if self.internal else ""
        self.module.functions.append(f"define {linkage}{self.result} @{self.name}({args}) {self.attributes} {{\n{body}\n}}")

    def function(
        self,
        name: str,
        args: Sequence[tuple[str, DType] | tuple[str, DType, int]],
        result: DType,
        attributes: str = "",
        width: int = 1,
    ) -> Emitter:
        """Another function of this module, for this module alone; `result` is of `width` lanes."""
        return Emitter(self.module, name, args, llvm_type(result, width), width, attributes, internal=True)

    # -- operands

    @lazy
    def vector_math(self) -> VectorMath:
        """exp, log, sin and their kin, written into this function."""
        return VectorMath(self)

    def const(self, value: Number, type: DType, width: int = 1) -> Reg:
        value = in_type(value, type)
        text = spell(value, type)
        return Reg(text if width == 1 else f"splat ({LLVM_TYPES[type]} {text})", type, width, value)

    def lanes(self, values: Sequence[Number], type: DType) -> Reg:
        """A vector constant that differs from lane to lane."""
        if len(values) == 1:
            return self.const(values[0], type)
        body = ", ".join(f"{LLVM_TYPES[type]} {spell(in_type(v, type), type)}" for v in values)
        return Reg(f"<{body}>", type, len(values))

    def splat(self, x: Reg, width: int) -> Reg:
        if x.width == width:
            return x
        if x.constant is not None:
            return self.const(x.constant, x.type, width)
        vector = llvm_type(x.type, width)
        one = self.op(f"insertelement {vector} poison, {x.typed}, i64 0", x.type, width)
        return self.op(f"shufflevector {one.typed}, {vector} poison, <{width} x i32> zeroinitializer", x.type, width)

    def same(self, *operands: Reg | Number) -> list[Reg]:
        """Operands at one width and, where they are Python numbers, of the registers' type."""
        regs = [x for x in operands if isinstance(x, Reg)]
        width = max(r.width for r in regs)
        type = regs[0].type
        return [self.splat(x, width) if isinstance(x, Reg) else self.const(x, type, width) for x in operands]

    # -- arithmetic

    def _binary(self, float_op: str, int_op: str, a: Reg | Number, b: Reg | Number) -> Reg:
        x, y = self.same(a, b) if isinstance(a, Reg) else reversed(self.same(b, a))
        opcode = float_op if x.type.is_float else int_op
        if x.type.is_integer and (known := self._folded(opcode, x, y)) is not None:
            return known
        result = self.op(f"{opcode} {x.typed}, {y.text}", x.type, x.width)
        if float_op and self.plain_nans and all(r.text in self.plain_nans or r.constant is not None for r in (x, y)):
            self.plain_nans.add(result.text)
        return result

    def _folded(self, opcode: str, x: Reg, y: Reg) -> Reg | None:
        """What is known of integers without an instruction: loops that run once and strides of 1 give much of that."""
        a, b = x.constant, y.constant
        if a is not None and b is not None and opcode in _FOLDS:
            return None if b == 0 and opcode[1:] in ("div", "rem") else self.const(_FOLDS[opcode](a, b), x.type, x.width)
        if b is not None and (opcode, b) in _UNCHANGED:
            return x
        if a is not None and (opcode, a) in _UNCHANGED and opcode in ("add", "mul"):
            return y
        return self.const(0, x.type, x.width) if opcode == "mul" and 0 in (a, b) else None

    def add(self, a: Reg | Number, b: Reg | Number) -> Reg:
        return self._binary("fadd", "add", a, b)

    def sub(self, a: Reg | Number, b: Reg | Number) -> Reg:
        return self._binary("fsub", "sub", a, b)

    def mul(self, a: Reg | Number, b: Reg | Number) -> Reg:
        return self._binary("fmul", "mul", a, b)

    def div(self, a: Reg | Number, b: Reg | Number) -> Reg:
        """Quotient; of integers truncated, and undefined for a zero divisor or the least integer over -1."""
        signed = (a if isinstance(a, Reg) else b).type.is_signed  # type: ignore[union-attr]
        return self._binary("fdiv", "sdiv" if signed else "udiv", a, b)

    def rem(self, a: Reg | Number, b: Reg | Number) -> Reg:
        """Remainder with the dividend's sign (C's)."""
        signed = (a if isinstance(a, Reg) else b).type.is_signed  # type: ignore[union-attr]
        return self._binary("frem", "srem" if signed else "urem", a, b)

    def and_(self, a: Reg | Number, b: Reg | Number) -> Reg:
        x, y = self.same(a, b) if isinstance(a, Reg) else reversed(self.same(b, a))
        if x.type == BOOL and x.constant is not None:
            return y if x.constant else x
        if y.type == BOOL and y.constant is not None:
            return x if y.constant else y
        return self._binary("", "and", x, y)

    def or_(self, a: Reg | Number, b: Reg | Number) -> Reg:
        return self._binary("", "or", a, b)

    def xor(self, a: Reg | Number, b: Reg | Number) -> Reg:
        return self._binary("", "xor", a, b)

    def not_(self, a: Reg) -> Reg:
        if a.constant is not None and a.type == BOOL:
            return self.const(not a.constant, BOOL, a.width)
        return self.xor(a, -1 if a.type != BOOL else True)

    def shl(self, a: Reg, b: Reg | Number) -> Reg:
        """Shift left; undefined for a count of the type's bits or more."""
        return self._binary("", "shl", a, b)

    def shr(self, a: Reg, b: Reg | Number) -> Reg:
        """Shift right, with the sign for signed types; undefined for a count of the type's bits or more."""
        return self._binary("", "ashr" if a.type.is_signed else "lshr", a, b)

    def neg(self, a: Reg) -> Reg:
        return self.op(f"fneg {a.typed}", a.type, a.width) if a.type.is_float else self.sub(0, a)

    def intrinsic(self, name: str, *operands: Reg | Number) -> Reg:
        """`llvm.NAME` overloaded on the operands' one type, with a result of that type."""
        regs = self.same(*operands)
        full = f"llvm.{name}.{mangled(regs[0].type, regs[0].width)}"
        self.module.declare(full, regs[0].llvm, [r.llvm for r in regs])
        return self.op(f"call {regs[0].llvm} @{full}({', '.join(r.typed for r in regs)})", regs[0].type, regs[0].width)

    def fma(self, a: Reg, b: Reg | Number, c: Reg | Number) -> Reg:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def sqrt(self, a: Reg) -> Reg:
        return self.intrinsic("sqrt", a)

    def floor(self, a: Reg) -> Reg:
        return self.intrinsic("floor", a)

    def ceil(self, a: Reg) -> Reg:
        return self.intrinsic("ceil", a)

    def trunc(self, a: Reg) -> Reg:
        return self.intrinsic("trunc", a)

    def round_even(self, a: Reg) -> Reg:
        return self.intrinsic("roundeven", a)

    def copysign(self, a: Reg, sign: Reg | Number) -> Reg:
        return self.intrinsic("copysign", a, sign)

    def abs(self, a: Reg) -> Reg:
        if a.type.is_float:
            return self.intrinsic("fabs", a)
        return self.select(self.compare("lt", a, 0), self.neg(a), a) if a.type.is_signed else a

    # -- comparison, selection, conversion

    def compare(self, predicate: str, a: Reg | Number, b: Reg | Number) -> Reg:
        """eq, ne, lt, le, gt, ge, unordered; a NaN is unequal to everything and in no order."""
        x, y = self.same(a, b) if isinstance(a, Reg) else reversed(self.same(b, a))
        if x.type.is_storage:
            x, y = small_floats.widen(self, x), small_floats.widen(self, y)
        if x.type.is_integer and x.constant is not None and y.constant is not None:
            return self.const(_COMPARE[predicate](x.constant, y.constant), BOOL, x.width)
        if x.type.is_float:
            return self.op(f"fcmp {_COMPARE_FLOAT[predicate]} {x.typed}, {y.text}", BOOL, x.width)
        order = predicate if predicate in ("eq", "ne") else ("s" if x.type.is_signed else "u") + predicate
        return self.op(f"icmp {order} {x.typed}, {y.text}", BOOL, x.width)

    def isnan(self, a: Reg) -> Reg:
        return self.compare("unordered", a, a)

    def select(self, condition: Reg, a: Reg | Number, b: Reg | Number) -> Reg:
        x, y = self.same(a, b) if isinstance(a, Reg) else reversed(self.same(b, a))
        width = max(condition.width, x.width)
        if condition.constant is not None:
            return self.splat(x if condition.constant else y, width)
        condition, x, y = self.splat(condition, width), self.splat(x, width), self.splat(y, width)
        return self.op(f"select {condition.typed}, {x.typed}, {y.typed}", x.type, width)

    def least(self, a: Reg | Number, b: Reg | Number) -> Reg:
        """The smaller of two numbers, none of them NaN."""
        x, y = self.same(a, b) if isinstance(a, Reg) else reversed(self.same(b, a))
        return self.select(self.compare("lt", x, y), x, y)

    def within(self, a: Reg, last: int) -> Reg:
        """An integer held between 0 and `last`."""
        a = self.select(self.compare("lt", a, 0), self.const(0, a.type), a)
        return self.select(self.compare("gt", a, last), self.const(last, a.type), a)

    def bitcast(self, a: Reg, type: DType) -> Reg:
        if LLVM_TYPES[type] == LLVM_TYPES[a.type]:
            return self._read_as(a, type)
        return self.op(f"bitcast {a.typed} to {llvm_type(type, a.width)}", type, a.width)

    def _read_as(self, a: Reg, type: DType) -> Reg:
        """The register as of another type that LLVM has one name for: with a sign or without."""
        if a.constant is None:
            return Reg(a.text, type, a.width)
        stored = a.type.is_storage or type.is_storage
        return self.const(np.array(a.constant, a.type.numpy).view(type.numpy).item() if stored else a.constant, type, a.width)

    def convert(self, a: Reg, type: DType) -> Reg:
        """The value in another type. Floats to integers truncate and saturate, NaN gives 0; integers wrap; bool is nonzero."""
        if type == a.type:
            return a
        if a.type.is_storage:
            return self.convert(small_floats.widen(self, a), type)
        if type.is_storage:
            return small_floats.narrow(self, a, type)
        target, source = llvm_type(type, a.width), a.type
        if type == BOOL:
            return self.compare("ne", a, 0)
        if source.is_float and type.is_float:
            return self.op(f"{'fpext' if type == F64 else 'fptrunc'} {a.typed} to {target}", type, a.width)
        if source.is_float:
            name = f"llvm.fpto{'s' if type.is_signed else 'u'}i.sat.{mangled(type, a.width)}.{mangled(source, a.width)}"
            self.module.declare(name, target, [a.llvm])
            return self.op(f"call {target} @{name}({a.typed})", type, a.width)
        if type.is_float:
            return self.op(f"{'sitofp' if source.is_signed else 'uitofp'} {a.typed} to {target}", type, a.width)
        if type.bits == source.bits:
            return self._read_as(a, type)
        if source.is_integer and a.constant is not None:
            return self.const(a.constant, type, a.width)
        opcode = "trunc" if type.bits < source.bits else "sext" if source.is_signed else "zext"
        return self.op(f"{opcode} {a.typed} to {target}", type, a.width)

    # -- lanes

    def lane_ids(self, type: DType, width: int) -> Reg:
        return self.lanes(range(width), type)

    def lanes_below(self, count: Reg, width: int) -> Reg:
        """The mask of the first `count` lanes."""
        if count.constant is not None:
            return self.lanes([lane < count.constant for lane in range(width)], BOOL)
        return self.compare("lt", self.lane_ids(count.type, width), count)

    def extract(self, a: Reg, lane: int) -> Reg:
        return a if a.width == 1 else self.op(f"extractelement {a.typed}, i64 {lane}", a.type)

    def insert(self, a: Reg, x: Reg, lane: int) -> Reg:
        return x if a.width == 1 else self.op(f"insertelement {a.typed}, {x.typed}, i64 {lane}", a.type, a.width)

    def poison(self, type: DType, width: int) -> Reg:
        return Reg("poison", type, width)

    def shuffle(self, a: Reg, b: Reg, lanes: Sequence[int]) -> Reg:
        """Lanes of a and b, those of b counted on from a's width."""
        picks = ", ".join(f"i32 {i}" for i in lanes)
        if len(lanes) == 1:
            return self.extract(a, lanes[0])
        return self.op(f"shufflevector {a.typed}, {b.typed}, <{len(lanes)} x i32> <{picks}>", a.type, len(lanes))

    def fold(self, combine: Callable[[Reg, Reg], Reg], a: Reg) -> Reg:
        """The lanes combined by a fixed tree: upper half onto lower half, until one is left."""
        while a.width > 1:
            half = a.width // 2
            low = self.shuffle(a, a, range(half))
            high = self.shuffle(a, a, range(half, a.width))
            a = combine(low, high)
        return a

    def any(self, mask: Reg) -> Reg:
        """Whether a lane of a bool vector holds."""
        if mask.width == 1:
            return mask
        return self.op(f"icmp ne i{mask.width} {self._mask_bits(mask)}, 0", BOOL)

    def bits(self, mask: Reg) -> Reg:
        """The lanes of a bool, of 64 at most, as bits of a number."""
        text = mask.text if mask.width == 1 else self._mask_bits(mask)
        return Reg(text, U64) if mask.width == U64.bits else self.op(f"zext i{mask.width} {text} to i64", U64)

    def _mask_bits(self, mask: Reg) -> str:
        self._count += 1
        self.line(f"%v{self._count} = bitcast {mask.typed} to i{mask.width}")
        return f"%v{self._count}"

    # -- memory. Bools are bytes in memory, i1 in registers.

    def offset(self, pointer: Reg, index: Reg | int, type: DType) -> Reg:
        """The address `index` elements of `type` behind `pointer`."""
        if (index.constant if isinstance(index, Reg) else index) == 0:
            return pointer
        element = "i8" if type == BOOL else LLVM_TYPES[type]
        text = index.typed if isinstance(index, Reg) else f"i64 {index}"
        return self.op(f"getelementptr {element}, ptr {pointer.text}, {text}", PTR)

    def alloca(self, type: DType, width: int = 1, count: int = 1) -> Reg:
        name = f"%{self.fresh('slot')}"
        size = f", i64 {count}" if count != 1 else ""
        self.entry.append(f"  {name} = alloca {llvm_type(type, width)}{size}, align 64")
        return Reg(name, PTR)

    def get(self, slot: Reg, type: DType, width: int = 1) -> Reg:
        """What an alloca holds."""
        return self.op(f"load {llvm_type(type, width)}, ptr {slot.text}", type, width)

    def set(self, slot: Reg, value: Reg) -> None:
        self.line(f"store {value.typed}, ptr {slot.text}")

    def load(self, pointer: Reg, type: DType, width: int = 1, mask: Reg | None = None, align: int = 0) -> Reg:
        """`width` elements that lie side by side; masked-off lanes are not touched and read as zero. `align` is of how many bytes
        the address is known to be a multiple: 0, of an element's.
        """
        if type == BOOL:
            return self.compare("ne", self.load(pointer, U8, width, mask, align), 0)
        llvm, align = llvm_type(type, width), align or type.bits // 8
        if mask is None:
            return self.op(f"load {llvm}, ptr {pointer.text}, align {align}", type, width)
        if width == 1:
            return self._guarded_load(pointer, type, mask)
        name = f"llvm.masked.load.{mangled(type, width)}.p0"
        self.module.declare(name, llvm, ["ptr", "i32", f"<{width} x i1>", llvm])
        return self.op(f"call {llvm} @{name}({pointer.typed}, i32 {align}, {mask.typed}, {llvm} zeroinitializer)", type, width)

    def _guarded_load(self, pointer: Reg, type: DType, mask: Reg) -> Reg:
        slot = self.alloca(type)
        self.set(slot, self.const(0, type))
        with self.when(mask):
            self.set(slot, self.load(pointer, type))
        return self.get(slot, type)

    def store(self, pointer: Reg, value: Reg, mask: Reg | None = None, align: int = 0) -> None:
        if value.type == BOOL:
            value = self.convert(value, U8)
        align = align or value.type.bits // 8
        if mask is None:
            self.line(f"store {value.typed}, ptr {pointer.text}, align {align}")
        elif value.width == 1:
            with self.when(mask):
                self.line(f"store {value.typed}, ptr {pointer.text}, align {align}")
        elif mask == self.lanes([lane == 0 for lane in range(mask.width)], BOOL):
            # LLVM 22 makes of a truncation, stored under a constant mask of one lane, a store of the number before the truncation.
            self.store(pointer, self.extract(value, 0))
        else:
            name = f"llvm.masked.store.{mangled(value.type, value.width)}.p0"
            self.module.declare(name, "void", [value.llvm, "ptr", "i32", f"<{value.width} x i1>"])
            self.line(f"call void @{name}({value.typed}, {pointer.typed}, i32 {align}, {mask.typed})")

    def prefetch(self, pointer: Reg, write: bool = False, level: int = 3) -> None:
        """Ask for the cache line at `pointer`; level 3 is the nearest cache. No address is a wrong one."""
        self.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
        self.line(f"call void @llvm.prefetch.p0({pointer.typed}, i32 {int(write)}, i32 {level}, i32 1)")

    def gather(self, pointer: Reg, index: Reg, type: DType, mask: Reg | None = None) -> Reg:
        """Elements of `type` at `pointer[index]`, lane by lane; masked-off lanes are not touched and read as zero."""
        if type == BOOL:
            return self.compare("ne", self.gather(pointer, index, U8, mask), 0)
        if index.width == 1:
            return self.load(self.offset(pointer, index, type), type, 1, mask)
        width, llvm = index.width, llvm_type(type, index.width)
        pointers = self.op(f"getelementptr {LLVM_TYPES[type]}, ptr {pointer.text}, {index.typed}", PTR, width)
        mask = mask or self.const(True, BOOL, width)
        name = f"llvm.masked.gather.{mangled(type, width)}.v{width}p0"
        self.module.declare(name, llvm, [f"<{width} x ptr>", "i32", f"<{width} x i1>", llvm])
        return self.op(
            f"call {llvm} @{name}({pointers.typed}, i32 {type.bits // 8}, {mask.typed}, {llvm} zeroinitializer)", type, width
        )

    def scatter(self, pointer: Reg, index: Reg, value: Reg, mask: Reg | None = None) -> None:
        """Store lane by lane at `pointer[index]`; where indices are equal the highest lane's value stays."""
        if value.type == BOOL:
            value = self.convert(value, U8)
        if index.width == 1:
            self.store(self.offset(pointer, index, value.type), value, mask)
            return
        width = index.width
        pointers = self.op(f"getelementptr {LLVM_TYPES[value.type]}, ptr {pointer.text}, {index.typed}", PTR, width)
        mask = mask or self.const(True, BOOL, width)
        name = f"llvm.masked.scatter.{mangled(value.type, width)}.v{width}p0"
        self.module.declare(name, "void", [value.llvm, f"<{width} x ptr>", "i32", f"<{width} x i1>"])
        self.line(f"call void @{name}({value.typed}, {pointers.typed}, i32 {value.type.bits // 8}, {mask.typed})")

    # -- control flow

    def label(self, name: str) -> None:
        """Start a block; the one before must have branched."""
        self.lines.append(f"{name}:")
        self.block = name

    def branch(self, target: str) -> None:
        self.line(f"br label %{target}")

    def branch_if(self, condition: Reg, yes: str, no: str) -> None:
        self.line(f"br i1 {condition.text}, label %{yes}, label %{no}")

    def switch(self, number: Reg, targets: Sequence[str]) -> None:
        """To the block of this number, the last one for any other."""
        cases = " ".join(f"i64 {n}, label %{name}" for n, name in enumerate(targets[:-1]))
        self.line(f"switch i64 {number.text}, label %{targets[-1]} [ {cases} ]")

    @contextmanager
    def when(self, condition: Reg, unlikely: bool = False) -> Iterator[None]:
        """The body runs where a scalar bool holds. Values leave it through `alloca`, `set` and `get`."""
        if condition.constant:
            yield
            return
        yes, done = self.fresh("then"), self.fresh("done")
        weights = ', !prof !{!"branch_weights", i32 1, i32 2000}' if unlikely else ""
        self.line(f"br i1 {condition.text}, label %{yes}, label %{done}{weights}")
        self.label(yes)
        yield
        self.branch(done)
        self.label(done)

    @contextmanager
    def loop(self, start: Reg | int, stop: Reg | int, step: int = 1) -> Iterator[Reg]:
        """for i in range(start, stop, step), i an i64. Values are carried in allocas."""
        first = start if isinstance(start, Reg) else self.const(start, I64)
        last = stop if isinstance(stop, Reg) else self.const(stop, I64)
        if _trips(first, last, step) == 1:
            yield first
            return
        head, body, done = self.fresh("head"), self.fresh("body"), self.fresh("exit")
        before, index, following = self.block, f"%{self.fresh('i')}", f"%{self.fresh('next')}"
        self.branch(head)
        self.label(head)
        phi_at = len(self.lines)
        self.lines.append("")
        going = self.op(f"icmp slt i64 {index}, {last.text}", BOOL)
        self.branch_if(going, body, done)
        self.label(body)
        yield Reg(index, I64)
        self.line(f"{following} = add nsw i64 {index}, {step}")
        self.lines[phi_at] = f"  {index} = phi i64 [ {first.text}, %{before} ], [ {following}, %{self.block} ]"
        self.branch(head)
        self.label(done)

    def call(self, name: str, result: DType | None, *args: Reg, width: int = 1) -> Reg | None:
        """Call a function of this module or, when declared, of another; `result` is the type, of `width` lanes, if it has one."""
        text = f"@{name}({', '.join(a.typed for a in args)})"
        if result is None:
            self.line(f"call void {text}")
            return None
        return self.op(f"call {llvm_type(result, width)} {text}", result, width)
