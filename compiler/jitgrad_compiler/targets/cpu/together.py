"""Which kernels of a program may run at once: neighbours, none of which touches memory that another writes.

The updates of a model's parameters are many small kernels. One after another, those too small for several tasks would run on one
thread, and each larger one would end with all threads waiting for the last; together they are one region of the thread pool. No
task changes, and so no result. Next on the path: blocks.py, which makes one step of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.types import TapeType
from ...kernels.program import KernelProgram
from ...kernels.structure import operands
from .codes import Code

MOST = 256
"""Kernels of one step."""


class _Touched:
    """Bytes by the memory that they lie in."""

    def __init__(self) -> None:
        self.spans: dict[int | None, list[tuple[int, int]]] = {}

    def overlaps(self, spans: Sequence[tuple[int | None, int, int]]) -> bool:
        return any(first < end and begin < last for slot, begin, end in spans for first, last in self.spans.get(slot, ()))

    def add(self, spans: Sequence[tuple[int | None, int, int]]) -> None:
        for slot, begin, end in spans:
            self.spans.setdefault(slot, []).append((begin, end))


def together(program: KernelProgram, codes: Sequence[Code]) -> list[list[int]]:
    """The numbers of all kernels in order, those that run at once in one list."""
    out: list[list[int]] = []
    group: list[int] = []
    reads, writes = _Touched(), _Touched()

    def close() -> None:
        nonlocal reads, writes
        moved = sum(program.kernels[n].bytes_read + program.kernels[n].bytes_written for n in group) // 4
        # waking another thread costs more than what is less work than that
        out.extend([list(group)] if moved >= program.tuning.loops.serial_work else [[n] for n in group])
        group.clear()
        reads, writes = _Touched(), _Touched()

    for number, (kernel, code) in enumerate(zip(program.kernels, codes, strict=True)):
        alone = kernel.kind != "loops" or len(code.phases) != 1 or code.asks_state or number in program.memory.scratch
        if alone or any(isinstance(v.type, TapeType) for v in operands(kernel)):
            close()
            out.append([number])
            continue
        read = [span for v in kernel.inputs for span in program.memory_of(v)[:1]]
        written = [span for v in kernel.outputs for span in program.memory_of(v)]
        if len(group) == MOST or writes.overlaps(read) or writes.overlaps(written) or reads.overlaps(written):
            close()
        group.append(number)
        reads.add(read)
        writes.add(written)
    close()
    return out
