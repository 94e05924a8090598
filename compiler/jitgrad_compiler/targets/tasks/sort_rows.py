"""What the sorts share: where the elements of a row lie, how they become keys, where results go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...ir.graph import Var
from ...ir.types import BOOL, I32, I64, U8, unsigned_integer
from ...kernels.kernel import Kernel
from ...ops.sorting import top_k
from ..emitter import Emitter
from ..llvm_text import Module, Reg
from .phases import TASK_ARGUMENTS, Pointers, Scratch


def ordered(e: Emitter, x: Reg) -> Reg:
    """Elements as unsigned integers in the same order. A float's bits are in order once those of negative numbers are flipped, and
    the sign of the others; NaNs come last, and zeros are equal.
    """
    dtype = x.type
    key, sign = unsigned_integer(8 * dtype.nbytes), 1 << (8 * dtype.nbytes - 1)
    if dtype.is_float or dtype.is_storage:
        bits = e.select(e.compare("eq", x, 0.0), e.const(0, key), e.bitcast(x, key))
        turned = e.select(e.compare("ge", bits, sign), e.not_(bits), e.or_(bits, sign))
        return e.select(e.isnan(x), 2 * sign - 1, turned)
    return e.xor(e.bitcast(x, key), sign) if dtype.is_signed else x


class Rows:
    """The rows of a sort: where their elements lie, and how the first operand's become keys.

    Of top_k's rows, whose keys are in decreasing order, the first `kept` elements and their places are results.
    """

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        eqn = kernel.eqns[0]
        self.module, self.name, self.pointers, self.scratch = module, name, pointers, scratch
        self.operands: tuple[Var, ...] = tuple(a for a in eqn.inputs if isinstance(a, Var))
        self.outputs: Sequence[Var] = eqn.outputs
        shape, axis = self.operands[0].type.shape, eqn.params["axis"]
        self.n, self.stride = shape[axis], math.prod(shape[axis + 1 :])
        self.count = math.prod(shape[:axis]) * self.stride
        self.dtype = self.outputs[0].type.dtype
        self.decreasing = eqn.op is top_k
        self.kept: int = eqn.params["k"] if self.decreasing else self.n
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

    def load_key(self, e: Emitter, memory: dict[Var, Reg], at: Reg, width: int = 1, mask: Reg | None = None) -> Reg:
        """Elements of the first operand as unsigned integers in the same order, or in the other one."""
        dtype = U8 if self.dtype == BOOL else self.dtype
        key = ordered(e, e.load(e.offset(memory[self.operands[0]], at, dtype), dtype, width, mask))
        return e.not_(key) if self.decreasing else key

    def taker(self, e: Emitter, memory: dict[Var, Reg], row: Reg) -> Callable[[Reg, Reg], None]:
        """What puts a row's element at a place to its results, by its number in order, which is below `kept`."""
        base = self.base(e, row)
        if not self.decreasing:
            return lambda place, number: self.move(e, memory, self.at(e, base, place), self.at(e, base, number))
        first, rest = (row, e.const(0, I64)) if self.stride == 1 else (e.div(row, self.stride), e.rem(row, self.stride))
        results = e.add(e.mul(first, self.kept * self.stride), rest)
        values, places = self.outputs
        dtype = U8 if self.dtype == BOOL else self.dtype

        def take(place: Reg, number: Reg) -> None:
            target = self.at(e, results, number)
            value = e.load(e.offset(memory[self.operands[0]], self.at(e, base, place), dtype), dtype)
            e.store(e.offset(memory[values], target, dtype), value)
            e.store(e.offset(memory[places], target, I32), e.convert(place, I32))

        return take

    def move(self, e: Emitter, memory: dict[Var, Reg], source: Reg, target: Reg) -> None:
        """Every operand's element at `source` to its result at `target`."""
        for x, out in zip(self.operands, self.outputs, strict=True):
            dtype = U8 if x.type.dtype == BOOL else x.type.dtype
            e.store(e.offset(memory[out], target, dtype), e.load(e.offset(memory[x], source, dtype), dtype))
