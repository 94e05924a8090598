"""One kernel's transforms: what is asked for, where it lies, and the passes over a buffer. Next on the path: kernel.py."""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.graph import Var
from ....ir.types import BOOL, I64
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..phases import TASK_ARGUMENTS, Pointers
from .butterflies import emit_pass, factors, lanes_of
from .roots import pass_table

Scratch = Callable[[Emitter, Reg], Reg]


class Transforms:
    """What is asked for: arrays are [outer, n, inner], of real numbers or of pairs of them."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        (eqn,) = kernel.eqns
        (x,), (out,) = eqn.inputs, eqn.outputs
        assert isinstance(x, Var)
        self.x, self.out, self.name, self.module, self.pointers, self.scratch = x, out, name, module, pointers, scratch
        p = eqn.params
        self.dtype, self.n = x.type.dtype, p["n"]
        self.scale: float = p["scale"]
        self.lanes = lanes_of(self.dtype)
        self.takes_real, self.makes_real = p["kind"] == "to_complex", p["kind"] == "to_real"
        self.real = self.takes_real or self.makes_real
        self.length = self.n // 2 if self.real else self.n
        """Of the complex transform that does it."""
        self.exchanged = int(p["inverse"])
        shape = x.type.shape if self.takes_real else x.type.shape[:-1]
        self.outer, self.inner = math.prod(shape[: p["axis"]]), math.prod(shape[p["axis"] + 1 :])
        whole = 2 * (self.n // 2 + 1) if self.real else 2 * self.n
        self.row_in, self.row_out = (self.n if self.takes_real else whole), (self.n if self.makes_real else whole)
        """Numbers of a row of the operand and of the result."""
        tuning = module.tuning.fourier
        self.most_tasks = tuning.most_tasks if self.outer * self.n * self.inner >= tuning.serial_elements else 1

    def function(self, part: str = "") -> Emitter:
        """A task function, which calls what computes: LLVM compiles it in half the time where it is not to optimise it."""
        return Emitter(self.module, f"{self.name}{part}", TASK_ARGUMENTS, attributes="noinline optnone nounwind")

    def memory(self, e: Emitter) -> tuple[Reg, Reg, Reg]:
        """Where the operand, the result and the scratch memory are."""
        found = self.pointers(e, e.args[0], [self.x, self.out])
        return found[self.x], found[self.out], self.scratch(e, e.args[0])

    def at(self, e: Emitter, pointer: Reg, index: Reg | int) -> Reg:
        return e.offset(pointer, index, self.dtype)

    def call(self, e: Emitter, name: str, *arguments: Reg | float) -> None:
        """Call a function; Python's ints are i64, its floats of the element type."""
        types = {bool: BOOL, int: I64, float: self.dtype}
        e.call(name, None, *(a if isinstance(a, Reg) else e.const(a, types[type(a)]) for a in arguments))

    def buffer(self, length: int) -> int:
        """Numbers of a buffer of so many elements, with room for what moves write behind them."""
        return (length + 1 + self.lanes) * 2 * self.lanes

    def passes(self, e: Emitter, length: int, a: Reg, b: Reg) -> tuple[Reg, Reg]:
        """The transform of what is in buffer a: (where it is, the other one)."""
        left, done = length, 1
        for radix in factors(length):
            roots = pass_table(self.module, left, radix, self.dtype) if left > radix else a  # the last pass uses none
            self.call(e, emit_pass(self.module, radix, self.dtype), a, b, left // radix, done, roots)
            a, b, left, done = b, a, left // radix, done * radix
        return a, b
