"""Loops, branches and rows of kernels on a GPU, each one launch: all blocks that fit on the device at once go through the steps
together, and do the blocks of every kernel among themselves.

Every thread follows the same control flow, with the same pointers; between kernels all wait for each other. What of a body lies in
memory is as on the CPU (cpu/control/kernels.py, and carries.py for both). Next on the path: program.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...ir.graph import Literal, Var
from ...ir.types import BOOL, I64, U8, U32, U64, ArrayType
from ...kernels.kernel import Kernel
from ...kernels.memory import aligned
from ...kernels.program import KernelProgram
from ...kernels.structure import operands
from ..carries import Carries
from ..emitter import Emitter
from ..llvm_text import PTR, Module, Reg
from ..tasks.kernel_table import KernelTable
from ..tasks.polling import poll
from .device import THREADS, Threads
from .phases import BLOCK, CONTROL, Emitted, Parts, Phase, Scratch

COUNTER = 8
"""Where behind the run's state the counter lies by which blocks wait for each other."""


def emit_control(
    module: Module, name: str, kernel: Kernel, table: KernelTable, scratch: Scratch, parts_of: Callable[[Kernel], Parts]
) -> Emitted:
    """The kernel of an op with programs inside; `parts_of` has the functions of theirs, which this module holds."""
    kinds: dict[str, type[_Control]] = {"scan": _Scan, "while_loop": _While, "switch": _Switch, "rowwise": _Rowwise}
    return kinds[kernel.eqns[0].op.name](module, name, kernel, table, scratch, parts_of).emit()


class _Control:
    """What they share."""

    def __init__(
        self, module: Module, name: str, kernel: Kernel, table: KernelTable, scratch: Scratch, parts_of: Callable[[Kernel], Parts]
    ) -> None:
        self.kernel, self.table, self.scratch, self.parts_of = kernel, table, scratch, parts_of
        self.eqn, self.params = kernel.eqns[0], kernel.eqns[0].params
        self.name, self.bytes, self.blocks, self.shared_bytes = name, 0, 1, 0
        self.e = Emitter(module, f"{name}{CONTROL}", (("table", PTR),), attributes="alwaysinline", internal=True)
        self.threads = Threads(self.e)
        self.programs = kernel.programs
        self.constants = {n: self.reserve(a.type.nbytes) for n, a in enumerate(self.eqn.inputs) if isinstance(a, Literal)}

    def emit(self) -> Emitted:
        raise NotImplementedError

    def reserve(self, nbytes: int) -> int:
        """Room in the scratch memory; its offset."""
        place, self.bytes = self.bytes, self.bytes + aligned(nbytes)
        return place

    def start(self) -> None:
        e, (table,) = self.e, self.e.args
        known = [a for a in self.eqn.inputs if isinstance(a, Var)]
        found = self.table.pointers(e, table, [*known, *self.eqn.outputs])
        self.room = self.scratch(e, table) if self.bytes else Reg("null", PTR)
        self.state = self.table.state(e, table)
        self.counter = e.offset(self.state, COUNTER, U8)
        self.operands = [found[a] if isinstance(a, Var) else self.at(self.constants[n]) for n, a in enumerate(self.eqn.inputs)]
        self.results = [found[v] for v in self.eqn.outputs]
        self.leads = e.and_(e.compare("eq", self.threads.block(), 0), e.compare("eq", self.threads.thread(), 0))
        with e.when(self.leads):
            for n, place in self.constants.items():
                a = self.eqn.inputs[n]
                assert isinstance(a, Literal)
                e.store(self.at(place), e.const(a.value.item(), a.type.dtype))
        self.meet()

    def at(self, place: int) -> Reg:
        return self.e.offset(self.room, place, U8)

    def meet(self) -> None:
        """All threads of all blocks have come; what they wrote is seen behind."""
        self.threads.grid_barrier(self.counter)

    def ask(self, place: Reg) -> None:
        """Write whether the program is to stop; behind the next barrier, all threads find the same there."""
        with self.e.when(self.leads):
            self.e.store(place, poll(self.e, self.state))

    @contextmanager
    def steps(self, count: int, stops: int) -> Iterator[Reg]:
        """The numbers of steps, as long as the program is not to stop, which is asked once a step; all meet within each. `stops`:
        where room for two bytes is.
        """
        e, left = self.e, self.e.fresh("left")
        with e.loop(0, count) as number:
            stop = self.at(stops) if count == 1 else e.offset(self.at(stops), e.and_(number, 1), BOOL)  # in turns
            self.ask(stop)
            yield number
            going = e.fresh("going")
            e.branch_if(e.load(stop, BOOL), left, going)
            e.label(going)
        e.branch(left)
        e.label(left)

    def finish(self) -> Emitted:
        self.meet()
        self.e.finish()
        return Emitted([Phase(self.name, self.blocks, self.shared_bytes, cooperative=True)], self.bytes)

    def number(self, pointer: Reg, type: ArrayType) -> Reg:
        return self.e.convert(self.e.load(pointer, type.dtype), I64)

    def copy(self, target: Reg, source: Reg, nbytes: int) -> None:
        """Bytes from one place to another, by all threads."""
        e, t = self.e, self.threads
        unit = next(d for d in (U64, U32, U8) if nbytes % d.nbytes == 0)
        count = nbytes // unit.nbytes
        self.blocks = max(self.blocks, -(-count // (4 * THREADS)))
        first = e.add(e.mul(t.block(), THREADS), t.thread())
        place = e.alloca(I64)
        e.set(place, first)
        head, body, done = e.fresh("head"), e.fresh("body"), e.fresh("done")
        e.branch(head)
        e.label(head)
        at = e.get(place, I64)
        e.branch_if(e.compare("lt", at, count), body, done)
        e.label(body)
        e.store(e.offset(target, at, unit), e.load(e.offset(source, at, unit), unit))
        e.set(place, e.add(at, e.mul(t.blocks(), THREADS)))
        e.branch(head)
        e.label(done)

    def run(self, program: KernelProgram, inputs: Sequence[Reg], outputs: Sequence[Reg], arena: Reg) -> None:
        """All kernels of a program, in order."""
        places = [*inputs, *outputs]
        e = self.e

        def pointer(v: Var) -> Reg:
            slot, offset = program.place(v)
            return e.offset(arena, offset, U8) if slot is None else places[slot]

        for number, kernel in enumerate(program.kernels):
            parts, room = self.parts_of(kernel), program.memory.scratch.get(number)
            words = [pointer(v) for v in operands(kernel)]
            words += [Reg("null", PTR) if room is None else e.offset(arena, room, U8), self.state]
            table = e.alloca(PTR, 1, len(words))
            for n, word in enumerate(words):
                e.set(e.offset(table, n, PTR), word)
            for phase in parts.phases:
                self.shared_bytes = max(self.shared_bytes, phase.shared_bytes)
                self.blocks = max(self.blocks, phase.blocks)
                if phase.cooperative:
                    e.call(f"{phase.function}{CONTROL}", None, table)
                    continue
                self._blocks_of(phase, table)
                self.meet()

    def _blocks_of(self, phase: Phase, table: Reg) -> None:
        """The blocks of a kernel, by those that there are."""
        e, t = self.e, self.threads
        place = e.alloca(I64)
        e.set(place, t.block())
        head, body, done = e.fresh("head"), e.fresh("body"), e.fresh("done")
        e.branch(head)
        e.label(head)
        block = e.get(place, I64)
        e.branch_if(e.compare("lt", block, phase.blocks), body, done)
        e.label(body)
        e.call(f"{phase.function}{BLOCK}", None, table, block)
        if phase.shared_bytes:
            t.barrier()
        e.set(place, e.add(block, t.blocks()))
        e.branch(head)
        e.label(done)


class _Scan(_Control):
    def emit(self) -> Emitted:
        p, (program,), e = self.params, self.programs, self.e
        body, consts, carry, length = p["body"], p["consts"], p["carry"], p["length"]
        arena, stops = self.reserve(program.memory.arena_bytes), self.reserve(2)
        carries = Carries(self, program.in_place, body.input_types[consts : consts + carry], self.copy)
        self.start()
        carries.begin(self.operands[consts : consts + carry], length % 2 == 1)
        self.meet()
        with self.steps(length, stops) as number:
            index = e.sub(length - 1, number) if p["reverse"] else number
            slices = self._at_step(self.operands[consts + carry :], body.input_types[consts + carry :], index)
            stacks = self._at_step(self.results[carry:], body.output_types[carry:], index)
            inputs = [*self.operands[:consts], *carries.now(), *slices]
            self.run(program, inputs, [*carries.new(), *stacks], self.at(arena))
            carries.advance()
            if not program.kernels:
                self.meet()
        carries.end()
        return self.finish()

    def _at_step(self, pointers: Sequence[Reg], types: Sequence[Any], index: Reg) -> list[Reg]:
        e = self.e
        return [e.offset(base, e.mul(index, t.nbytes), U8) for base, t in zip(pointers, types, strict=True)]


class _While(_Control):
    def emit(self) -> Emitted:
        p, (program, test), e = self.params, self.programs, self.e
        consts, body = p["consts"], p["body"]
        types = body.input_types[consts:]
        arena, test_arena = self.reserve(program.memory.arena_bytes), self.reserve(test.memory.arena_bytes)
        holds, stop = self.reserve(1), self.reserve(1)
        carries = Carries(self, program.in_place, types, self.copy)
        self.start()
        carries.begin(self.operands[consts:], True)
        self.meet()
        count = e.alloca(I64)
        e.set(count, e.const(0, I64))
        head, again, done = e.fresh("head"), e.fresh("again"), e.fresh("done")
        e.branch(head)
        e.label(head)
        self.ask(self.at(stop))
        self.run(test, [*self.operands[:consts], *carries.now()], [self.at(holds)], self.at(test_arena))
        if not test.kernels:
            self.meet()
        going = e.and_(e.load(self.at(holds), BOOL), e.not_(e.load(self.at(stop), BOOL)))
        self.meet()
        e.branch_if(going, again, done)
        e.label(again)
        self.run(program, [*self.operands[:consts], *carries.now()], carries.new(), self.at(arena))
        carries.advance()
        e.set(count, e.add(e.get(count, I64), 1))
        e.branch(head)
        e.label(done)
        carries.end()
        with e.when(self.leads):
            e.store(self.results[len(types)], e.get(count, I64))
        return self.finish()


class _Switch(_Control):
    def emit(self) -> Emitted:
        e = self.e
        arena = self.reserve(max(b.memory.arena_bytes for b in self.programs))
        self.start()
        index = e.within(self.number(self.operands[0], self.eqn.inputs[0].type), len(self.programs) - 1)
        labels, done = [e.fresh("branch") for _ in self.programs], e.fresh("done")
        e.switch(index, labels)
        for label, program in zip(labels, self.programs, strict=True):
            e.label(label)
            self.run(program, self.operands[1:], self.results, self.at(arena))
            e.branch(done)
        e.label(done)
        return self.finish()


class _Rowwise(_Control):
    """Rows one after another, each by the whole device."""

    def emit(self) -> Emitted:
        p, (program,), e = self.params, self.programs, self.e
        graph, mapped = p["graph"], p["mapped"]
        arena, stops = self.reserve(program.memory.arena_bytes), self.reserve(2)
        self.start()
        with self.steps(p["size"], stops) as row:

            def at_row(base: Reg, t: Any, row: Reg = row) -> Reg:
                return e.offset(base, e.mul(row, t.nbytes), U8)

            typed = zip(self.operands, graph.input_types, mapped, strict=True)
            inputs = [at_row(base, t) if m else base for base, t, m in typed]
            outputs = [at_row(base, t) for base, t in zip(self.results, graph.output_types, strict=True)]
            self.run(program, inputs, outputs, self.at(arena))
            if not program.kernels:
                self.meet()
        return self.finish()
