"""What kernels of one large matrix share, which go block after block: phases of many tasks, and their scratch memory.

Blocks and tasks follow from shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....kernels.kernel import Kernel
from ...llvm_text import Module, Reg
from ..partition import partition
from ..phases import Emitted, Phase, Pointers, Scratch
from .matrices import Matrices


class Blocked:
    """The phases of a kernel; `lend` says how many numbers each part of its scratch memory has."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        self._parts = (module, kernel, pointers, scratch)
        self.name, self.phases = name, list[Phase]()
        self.most = module.tuning.most_tasks
        self.whole = self._matrices("")
        self.places, self.nbytes = list[int](), 0

    def lend(self, sizes: Sequence[int]) -> None:
        for size in sizes:
            self.places.append(self.nbytes)
            self.nbytes += -(-self.whole.nbytes(size) // 64) * 64

    def _matrices(self, suffix: str) -> Matrices:
        module, kernel, pointers, scratch = self._parts
        return Matrices(module, self.name + suffix, kernel, pointers, scratch)

    def phase(self, count: int, body: Callable[[Matrices, Reg, Reg], None], tasks: int | None = None, multiple: int = 8) -> None:
        """`body(m, first, behind the last)` of runs of `count` units, by many tasks, each a multiple of so many units."""
        if count <= 0:
            return
        m = self._matrices(f"_{len(self.phases)}")
        m.parts = partition(count, self.most if tasks is None else tasks, multiple)
        with m.each_run() as (low, high):
            body(m, low, high)
        self.phases.append(Phase(m.name, m.parts.tasks))

    def place(self, m: Matrices, number: int, at: Reg | int = 0) -> Reg:
        """Where an element of a part of the scratch memory lies."""
        start = m.lent(self.places[number])
        return m.at(start, at if isinstance(at, Reg) else m.e.const(at, m.e.args[1].type))

    def emitted(self) -> Emitted:
        return Emitted(self.phases, self.nbytes)
