"""What the sorts share: where the elements of a row lie, how they become keys, how sorted pairs become results. Next: radix.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ....ir.graph import Var
from ....ir.types import BOOL, U8, U64, unsigned_integer
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..phases import TASK_ARGUMENTS, Pointers
from .radix import Pairs

Scratch = Callable[[Emitter, Reg], Reg]


class Rows:
    """The rows of a sort: where their elements lie, and how the first operand's become keys."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        eqn = kernel.eqns[0]
        self.module, self.name, self.pointers, self.scratch = module, name, pointers, scratch
        self.operands: tuple[Var, ...] = tuple(a for a in eqn.inputs if isinstance(a, Var))
        self.outputs: Sequence[Var] = eqn.outputs
        shape, axis = self.outputs[0].type.shape, eqn.params["axis"]
        self.n, self.stride = shape[axis], math.prod(shape[axis + 1 :])
        self.count = math.prod(shape[:axis]) * self.stride
        self.dtype = self.outputs[0].type.dtype
        self.key = unsigned_integer(8 * self.dtype.nbytes)
        self.most_tasks = module.tuning.most_tasks if self.count * self.n >= module.tuning.sort.serial_elements else 1

    def function(self, suffix: str = "") -> Emitter:
        return Emitter(self.module, self.name + suffix, TASK_ARGUMENTS)

    def memory(self, e: Emitter) -> dict[Var, Reg]:
        return self.pointers(e, e.args[0], [*self.operands, *self.outputs])

    def base(self, e: Emitter, row: Reg) -> Reg:
        """Where a row's first element lies."""
        if self.stride == 1:
            return e.mul(row, self.n)
        return e.add(e.mul(e.div(row, self.stride), self.n * self.stride), e.rem(row, self.stride))

    def at(self, e: Emitter, base: Reg, number: Reg) -> Reg:
        return e.add(base, e.mul(number, self.stride))

    def load_key(self, e: Emitter, memory: dict[Var, Reg], at: Reg) -> Reg:
        """The element of the first operand as an unsigned integer in the same order.

        A float's bits are in order once those of negative numbers are flipped, and the sign of the others.
        """
        if self.dtype == BOOL:
            return e.load(e.offset(memory[self.operands[0]], at, U8), U8)
        x = e.load(e.offset(memory[self.operands[0]], at, self.dtype), self.dtype)
        sign = 1 << (8 * self.dtype.nbytes - 1)
        if self.dtype.is_float:
            bits = e.bitcast(e.select(e.compare("eq", x, 0.0), 0.0, x), self.key)
            ordered = e.select(e.compare("ge", bits, sign), e.not_(bits), e.or_(bits, sign))
            return e.select(e.isnan(x), 2 * sign - 1, ordered)
        return e.xor(e.bitcast(x, self.key), sign) if self.dtype.is_signed else x

    def move(self, e: Emitter, memory: dict[Var, Reg], source: Reg, target: Reg) -> None:
        """Every operand's element at `source` to its result at `target`."""
        for x, out in zip(self.operands, self.outputs, strict=True):
            dtype = U8 if x.type.dtype == BOOL else x.type.dtype
            e.store(e.offset(memory[out], target, dtype), e.load(e.offset(memory[x], source, dtype), dtype))


class Varying:
    """Which bits differ among keys: those in the "or" of all and not in the "and"."""

    def __init__(self, e: Emitter) -> None:
        self.e, self.some, self.all = e, e.alloca(U64), e.alloca(U64)

    def start(self) -> None:
        self.e.set(self.some, self.e.const(0, U64))
        self.e.set(self.all, self.e.const(-1, U64))

    def include(self, some: Reg, all: Reg) -> None:
        self.e.set(self.some, self.e.or_(self.e.get(self.some, U64), some))
        self.e.set(self.all, self.e.and_(self.e.get(self.all, U64), all))

    def digit(self, pairs: Pairs, shift: Reg) -> Reg:
        """Whether the keys' digits at bit `shift` differ."""
        bits = self.e.xor(self.e.get(self.some, U64), self.e.get(self.all, U64))
        return self.e.compare("ne", pairs.digit(self.e, bits, shift), 0)


def load_pairs(
    e: Emitter, rows: Rows, pairs: Pairs, memory: dict[Var, Reg], base: Reg, buffer: Reg, low: Reg, high: Reg, varying: Varying
) -> None:
    """The pairs of a row's elements from low to high."""
    varying.start()
    with e.loop(low, high) as i:
        pair = pairs.make(e, rows.load_key(e, memory, rows.at(e, base, i)), i)
        varying.include(pair[0], pair[0])
        pairs.store(e, buffer, i, pair)


def store_sorted(e: Emitter, rows: Rows, pairs: Pairs, memory: dict[Var, Reg], base: Reg, buffer: Reg, low: Reg, high: Reg) -> None:
    """The results from low to high of a row whose pairs are sorted."""
    with e.loop(low, high) as i:
        place = pairs.place(e, pairs.load(e, buffer, i))
        rows.move(e, memory, rows.at(e, base, place), rows.at(e, base, i))
