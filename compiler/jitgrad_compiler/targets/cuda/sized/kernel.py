"""A kernel whose sizes are arguments, so that an operation on arrays of a new shape compiles nothing.

Its expressions are those of a program that was lowered at a size that stands for all (`MANY`). Where in memory an element lies is
what the kernel works out from its arguments, and says to the expressions in place of the program's own indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....ir.graph import Graph, Var
from ....ir.types import I64, ArrayType, DType, TapeType
from ....kernels.expression import Apply, Const, Contracted, Load, Node, walk
from ....kernels.program import KernelProgram, lower
from ....kernels.structure import host_calls
from ....kernels.tuning import Tuning
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ...numba_scalar import link
from ..device import THREADS, Threads
from ..expressions import ThreadExpressions
from ..program import ModuleText

MANY = 1 << 36
"""An extent that stands for all: so long that every size is below it, and a multiple of what threads take at once."""


@dataclass(frozen=True)
class SizedKernel:
    """A kernel's code, and how many elements each of its threads does."""

    module: ModuleText
    function: str
    each: int = 1
    shared_bytes: int = 0
    result_bytes: int = 0
    """Of an element that it writes, where that is not known of old."""


class Writer:
    """A kernel in the making, whose arguments are pointers and 64-bit words by name."""

    def __init__(self, name: str, pointers: Sequence[str], words: Sequence[str], contracts: bool, tuning: Tuning) -> None:
        self.name, self.module = name, Module(frozenset(), contracts, tuning, lanes=1)
        arguments = [*[(p, PTR) for p in pointers], *[(w, I64) for w in words]]
        self.e = e = Emitter(self.module, name, arguments, "ptx_kernel void")
        self.threads = Threads(e)
        self.arguments = dict(zip([a for a, _ in arguments], e.args, strict=True))
        self.shared_bytes = 0

    def word(self, name: str) -> Reg:
        return self.arguments[name]

    def pointer(self, name: str) -> Reg:
        """A pointer, which is known to be to global memory."""
        slot = self.e.alloca(PTR)
        self.e.set(slot, self.arguments[name])
        return self.threads.pointer(slot)

    def number(self, name: str) -> Reg:
        """Where a number lies that came as a word."""
        slot = self.e.alloca(I64)
        self.e.set(slot, self.arguments[name])
        return slot

    def thread(self) -> Reg:
        """The number of the thread among all."""
        t = self.threads
        return self.e.add(self.e.mul(t.block(), THREADS), t.thread())

    def finish(self, each: int = 1, result_bytes: int = 0) -> SizedKernel:
        self.e.finish()
        return SizedKernel(
            ModuleText(link(self.module.text(), self.module.linked)), self.name, each, self.shared_bytes, result_bytes
        )


def lowered(graph: Graph, contracts: bool, tuning: Tuning, kind: str = "loops") -> KernelProgram | None:
    """A graph of numbers as kernels, if they are of one kind that a device does, and write every output once."""
    if any(isinstance(v.type, TapeType) or v.type.dtype.is_complex for v in (*graph.inputs, *graph.outputs)):
        return None
    program = lower(graph, tuning, lambda k: 0, contracts)
    written = [v for k in program.kernels for v in k.outputs]
    if not all(k.kind == kind and not host_calls(k) and _plain(k.roots()) for k in program.kernels):
        return None
    outputs = program.graph.outputs
    return program if all(outputs.count(v) == 1 and v in written for v in outputs) else None


def _plain(roots: Sequence[Node]) -> bool:
    """Whether values depend on elements alone, not on where they are."""
    return all(isinstance(n, (Const, Apply, Contracted)) or isinstance(n, Load) and n.guard is None for n in walk(roots))


def placed(x: ThreadExpressions, node: Load, place: Reg) -> None:
    """Say where the element lies that a node reads here."""
    x.scopes[-1]["scalar", node.offset] = place


def loads(roots: Sequence[Node], source: Var) -> list[Load]:
    return [n for n in walk(roots) if isinstance(n, Load) and n.source is source]


def spread(type: Any) -> ArrayType:
    """An operand's type as that of a vector of `MANY` elements; a number's as it is."""
    return ArrayType((MANY,) if type.shape else (), type.dtype)


def bits(number: Any, dtype: DType) -> list[int]:
    """A number as a word, a complex one as two."""
    parts = (number.real, number.imag) if dtype.is_complex else (number,)
    return [int.from_bytes((dtype.real if dtype.is_complex else dtype).numpy.type(p).tobytes(), "little") for p in parts]
