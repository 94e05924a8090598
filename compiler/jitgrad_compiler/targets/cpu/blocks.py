"""Blocks: a KernelProgram with its kernels' code; the whole program is one, and so is the body of a loop that is too large for
registers. A block becomes a plan, which machine/driver.py follows.

A block's table has the addresses of its plan, its inputs, its outputs, its arena and the state of the run (machine/interrupts.py),
in that order. Inside a kernel that is control flow are blocks of its own (control/kernels.py), whose tables it fills. Next on the
path: program.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

from ...ir.graph import Var
from ...ir.types import TapeType
from ...kernels.kernel import Kernel
from ...kernels.program import KernelProgram
from ...kernels.structure import operands
from ..tasks.kernel_table import sites
from .codes import Code, arena_slot
from .machine.driver import CLEAR, FREE, NOWHERE, TABLE, TOGETHER
from .together import together


class Block:
    """A program's kernels with their code, and where in its table values are found."""

    def __init__(self, code_of: Callable[[Kernel], Code], program: KernelProgram) -> None:
        self.program = program
        self.arena_slot = arena_slot(program)
        self.nested = [[Block(code_of, p) for p in k.programs] for k in program.kernels]
        self.codes = [code_of(k) for k in program.kernels]
        self.asks_state = any(c.asks_state for c in self.codes)
        self._plan: ctypes.Array[ctypes.c_int64] | None = None
        self._records: list[ctypes.Array[ctypes.c_int64]] = []

    def plan(self, symbols: Mapping[str, int]) -> int:
        """The address of the plan, once the kernels are compiled; it is there as long as this block."""
        if self._plan is None:
            words = self._words(symbols)
            self._plan = (ctypes.c_int64 * len(words))(*words)
        return ctypes.addressof(self._plan)

    def _words(self, symbols: Mapping[str, int]) -> list[int]:
        kernels = self.program.kernels
        tapes = [v for k in kernels for v in k.outputs if isinstance(v.type, TapeType)]
        begin = [[symbols[CLEAR], 1, 0, 1, *self._place(v)] for v in tapes]
        end = [[symbols[FREE], 1, 0, 1, *self._place(v)] for v in tapes if v not in self.program.slots]
        steps = [*begin]
        for numbers in together(self.program, self.codes):
            some = [step for number in numbers for step in self._steps(number, symbols)]
            steps += some if len(numbers) == 1 else [self._as_one(some, symbols)]
        most = max([1, *[step[3] for step in (*steps, *end)]])
        state = self.arena_slot + 1 if self.asks_state else 0  # a run that asks for none has none
        return [len(steps), len(steps) + len(end), state, most, *[word for step in (*steps, *end) for word in step]]

    def _steps(self, number: int, symbols: Mapping[str, int]) -> list[list[int]]:
        """The phases of a kernel; those behind the first keep its table."""
        code = self.codes[number]
        table = self._table(number, self.program.kernels[number], code, symbols)
        return [
            [code.address(p), p.tasks, int(code.asks_state), len(table) // 2 if n == 0 else 0, *(table if n == 0 else [])]
            for n, p in enumerate(code.phases)
        ]

    def _as_one(self, steps: list[list[int]], symbols: Mapping[str, int]) -> list[int]:
        """Several steps that may run at once as one, of all their tasks."""
        words: list[int] = []
        index: list[int] = []
        tasks = 0
        for step in steps:
            index += [tasks, 2 + 2 * len(steps) + 1 + len(words)]
            words += step
            tasks += step[1]
        record = [len(steps), max(step[3] for step in steps), *index, tasks, *words]
        self._records.append((ctypes.c_int64 * len(record))(*record))
        return [symbols[TOGETHER], tasks, 0, 2, TABLE, 0, NOWHERE, ctypes.addressof(self._records[-1])]

    def _table(self, number: int, kernel: Kernel, code: Code, symbols: Mapping[str, int]) -> list[int]:
        """The operands of a step: where each lies."""
        places = [self._place(v) for v in operands(kernel)]
        scratch = self.program.memory.scratch.get(number)
        places.append((NOWHERE, 0) if scratch is None else (self.arena_slot, scratch))
        places.append((self.arena_slot + 1, 0) if code.asks_state else (NOWHERE, 0))
        places += [(NOWHERE, call.function.site(call.types, call.results)) for call in sites(kernel)]
        places += [(NOWHERE, block.plan(symbols)) for block in self.nested[number]]
        return [word for place in places for word in place]

    def _place(self, v: Var) -> tuple[int, int]:
        """Where a value lies: a place of the table, and an offset from there."""
        slot, offset = self.program.place(v)
        return (self.arena_slot if slot is None else 1 + slot), offset
