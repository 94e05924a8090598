"""Control flow around kernels: loops, branches and rows whose work is too large for registers. Each is a function that fills
the tables of the blocks it runs.

Carries of a loop lie in memory, where a window of a large state is updated in place: ../../carries.py. Next on the path: blocks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....ir.graph import Rules, Var
from ....ir.types import BOOL, I64, U8, ArrayType
from ....kernels.kernel import Kernel
from ....kernels.memory import aligned
from ...carries import Carries
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ...memory_operations import copy_bytes
from ...tasks.callbacks import call_python
from ...tasks.partition import partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Scratch
from ...tasks.polling import poll
from ...tasks.registers.in_memory import Tape
from ...tasks.registers.tape_keepers import Saved, States
from ..codes import BlocksTable, Nested


class _Control:
    """What the kernels of control flow share."""

    def __init__(self, module: Module, name: str, kernel: Kernel, table: BlocksTable, scratch: Scratch) -> None:
        self.module, self.name, self.table, self.scratch = module, name, table, scratch
        self.eqn = kernel.eqns[0]
        self.kernel = kernel
        self.params = self.eqn.params
        self.bytes = 0

    def reserve(self, size: int) -> int:
        """Room in the scratch memory; its offset."""
        place = self.bytes
        self.bytes += aligned(size)
        return place

    def start(self) -> None:
        self.e = e = Emitter(self.module, self.name, TASK_ARGUMENTS)
        found = self.table.pointers(e, e.args[0], [*self.kernel.inputs, *self.kernel.outputs])
        self.operands = [self._operand(a, found) for a in self.eqn.inputs]
        self.results = [found[v] for v in self.eqn.outputs]
        self.run_state = self.table.state(e, e.args[0])
        self.room = self.scratch(e, e.args[0]) if self.bytes else Reg("null", PTR)
        self.quit = e.fresh("quit")

    def _operand(self, a: Any, found: dict[Var, Reg]) -> Reg:
        """Where an operand lies; a constant is put into the function's frame."""
        if isinstance(a, Var):
            return found[a]
        e = self.e
        slot = e.alloca(U8 if a.type.dtype == BOOL else a.type.dtype)
        e.store(slot, e.const(a.value.item(), a.type.dtype))
        return slot

    def at(self, place: int) -> Reg:
        return self.e.offset(self.room, place, U8)

    def finish(self, tasks: int = 1, ended: bool = False) -> Emitted:
        """The end of the function, which an interrupted one jumps to; `ended`: every way to here has jumped already."""
        if not ended:
            self.e.branch(self.quit)
        self.e.label(self.quit)
        self.e.finish()
        return Emitted([Phase(self.name, tasks)], self.bytes)

    def poll(self) -> None:
        going = self.e.fresh("going")
        self.e.branch_if(poll(self.e, self.run_state), self.quit, going)
        self.e.label(going)

    def number(self, pointer: Reg, type: ArrayType) -> Reg:
        return self.e.convert(self.e.load(pointer, type.dtype), I64)


class _Carries(Carries):
    """The carries of a body that is given their places in its frame."""

    def __init__(self, c: _Control, body: Nested, types: Sequence[ArrayType]) -> None:
        super().__init__(c, body.in_place, types, lambda target, source, nbytes: copy_bytes(c.e, target, source, nbytes))
        self.body = body

    def fill(self, frame: Reg, first: int) -> None:
        """Tell the body where this step's carries are, and where to write the new ones."""
        for n, (held, new) in enumerate(zip(self.now(), self.new(), strict=True)):
            self.body.set_input(self.loop.e, frame, first + n, held)
            self.body.set_output(self.loop.e, frame, n, new)


class _Scan(_Control):
    def emit(self) -> Emitted:
        p = self.params
        body, consts, carry, length = p["body"], p["consts"], p["carry"], p["length"]
        nested = self.table.nested(0)
        arena = self.reserve(nested.arena_bytes)
        carries = _Carries(self, nested, body.input_types[consts : consts + carry])
        self.start()
        e = self.e
        operands = self.operands if length is not None else self.operands[1:]
        total = e.const(length, I64) if length is not None else self.number(self.operands[0], ArrayType((), I64))
        frame = nested.frame(e, self.at(arena), self.run_state)
        for n in range(consts):
            nested.set_input(e, frame, n, operands[n])
        slices = [self._base(r, t) for r, t in zip(operands[consts + carry :], body.input_types[consts + carry :], strict=True)]
        stacks = [self._stack(r, t, total) for r, t in zip(self.results[carry:], body.output_types[carry:], strict=True)]
        carries.begin(operands[consts : consts + carry], length is not None and length % 2 == 1)
        with e.loop(0, total) as number:
            self.poll()
            index = e.sub(e.sub(total, 1), number) if p["reverse"] else number
            for n, (base, t) in enumerate(zip(slices, body.input_types[consts + carry :], strict=True)):
                nested.set_input(e, frame, consts + carry + n, e.offset(base, e.mul(index, t.nbytes), U8))
            for n, (base, t) in enumerate(zip(stacks, body.output_types[carry:], strict=True)):
                nested.set_output(e, frame, carry + n, e.offset(base, e.mul(index, t.nbytes), U8))
            carries.fill(frame, consts)
            nested.run(e, frame, self.quit)
            carries.advance()
        carries.end()
        return self.finish()

    def _base(self, pointer: Reg, element: ArrayType) -> Reg:
        """The first slice of an operand: a tape's first entry, or the array's beginning."""
        return pointer if self.params["length"] is not None else self.e.get(pointer, PTR)

    def _stack(self, pointer: Reg, element: ArrayType, total: Reg) -> Reg:
        if self.params["length"] is not None:
            return pointer
        tape = Tape(pointer, element)
        tape.reserve(self.e, total)
        self.e.set(tape.field(self.e, "count"), total)
        return self.e.get(pointer, PTR)


class _While(_Control):
    def emit(self) -> Emitted:
        p = self.params
        consts, body = p["consts"], p["body"]
        types = body.input_types[consts:]
        n = len(types)
        nested = self.table.nested(0)
        test = self.table.nested(1)
        arena, test_arena = self.reserve(nested.arena_bytes), self.reserve(test.arena_bytes)
        carries = _Carries(self, nested, types)
        self.start()
        e = self.e
        frame, test_frame = nested.frame(e, self.at(arena), self.run_state), test.frame(e, self.at(test_arena), self.run_state)
        holds, count = e.alloca(U8), e.alloca(I64)
        test.set_output(e, test_frame, 0, holds)
        for k in range(consts):
            nested.set_input(e, frame, k, self.operands[k])
            test.set_input(e, test_frame, k, self.operands[k])
        carries.begin(self.operands[consts:], True)
        e.set(count, e.const(0, I64))
        tapes = self.results[n + 2 :] if p["states"] else self.results[n + 1 :]
        elements = types if p["states"] else body.output_types[n:]
        made = [Tape(r, t) for r, t in zip(tapes, elements, strict=True)]
        keeper = States(e, made, p["checkpoint"] or 0) if p["states"] else Saved(e, made)
        head, again, done = e.fresh("head"), e.fresh("again"), e.fresh("done")
        e.branch(head)
        e.label(head)
        for k, pointer in enumerate(carries.now()):
            test.set_input(e, test_frame, consts + k, pointer)
        test.run(e, test_frame, self.quit)
        e.branch_if(e.load(holds, BOOL), again, done)
        e.label(again)
        self.poll()
        step = e.get(count, I64)
        carries.fill(frame, consts)
        if isinstance(keeper, States):
            keeper.visit(step, lambda kept: keeper.copy_in(kept, carries.now()))
        else:
            keeper.make_room(step)
            for k, tape in enumerate(made):
                nested.set_output(e, frame, n + k, tape.entry_pointer(e, step))
        nested.run(e, frame, self.quit)
        carries.advance()
        e.set(count, e.add(step, 1))
        e.branch(head)
        e.label(done)
        carries.end()
        steps = e.get(count, I64)
        e.store(self.results[n], steps)
        if isinstance(keeper, States):
            e.store(self.results[n + 1], keeper.finish())
        else:
            keeper.finish_at(steps)
        return self.finish()


class _Switch(_Control):
    def emit(self) -> Emitted:
        branches = self.params["branches"]
        nested = [self.table.nested(n) for n in range(len(branches))]
        arena = self.reserve(max(b.arena_bytes for b in nested))
        self.start()
        e = self.e
        index = e.within(self.number(self.operands[0], self.eqn.inputs[0].type), len(branches) - 1)
        labels = [e.fresh("branch") for _ in branches]
        frames = [b.frame(e, self.at(arena), self.run_state) for b in nested]
        e.switch(index, labels)
        for label, b, frame in zip(labels, nested, frames, strict=True):
            e.label(label)
            for n, pointer in enumerate(self.operands[1:]):
                b.set_input(e, frame, n, pointer)
            for n, pointer in enumerate(self.results):
                b.set_output(e, frame, n, pointer)
            b.run(e, frame, self.quit)
            e.branch(self.quit)
        return self.finish(ended=True)


class _Rowwise(_Control):
    """Rows one after another, tasks of them side by side, each with an arena of its own."""

    def emit(self) -> Emitted:
        p = self.params
        graph, mapped, size = p["graph"], p["mapped"], p["size"]
        nested = self.table.nested(0)
        parts = partition(size, 1 if graph.has_effect else self.module.tuning.control.most_row_tasks)
        each = aligned(nested.arena_bytes)
        self.reserve(each * parts.tasks)
        self.start()
        e = self.e
        _, begin, end = e.args
        frame = nested.frame(e, self.room, self.run_state)
        for n, (pointer, m) in enumerate(zip(self.operands, mapped, strict=True)):
            if not m:
                nested.set_input(e, frame, n, pointer)
        with e.loop(begin, end) as task:
            e.set(e.offset(frame, nested.arena_slot, PTR), e.offset(self.room, e.mul(task, each), U8))
            low, high = parts.bounds(e, task)
            with e.loop(low, high) as row:
                self.poll()
                for n, (pointer, m, t) in enumerate(zip(self.operands, mapped, graph.input_types, strict=True)):
                    if m:
                        nested.set_input(e, frame, n, e.offset(pointer, e.mul(row, t.nbytes), U8))
                for n, (pointer, t) in enumerate(zip(self.results, graph.output_types, strict=True)):
                    nested.set_output(e, frame, n, e.offset(pointer, e.mul(row, t.nbytes), U8))
                nested.run(e, frame, self.quit)
        return self.finish(parts.tasks)


class _TapeAdd(_Control):
    def emit(self) -> Emitted:
        self.start()
        e = self.e
        element = self.eqn.outputs[0].type.element
        a, b, out = (Tape(r, element) for r in (*self.operands, *self.results))
        count = e.get(a.field(e, "count"), I64)
        out.reserve(e, count)
        e.set(out.field(e, "count"), count)
        pointers = [e.get(t.record, PTR) for t in (a, b, out)]
        with e.loop(0, e.mul(count, element.size)) as k:
            x, y = (e.load(e.offset(p, k, element.dtype), element.dtype) for p in pointers[:2])
            e.store(e.offset(pointers[2], k, element.dtype), e.add(x, y))
        return self.finish()


class _Callback(_Control):
    def emit(self) -> Emitted:
        self.start()
        e = self.e
        call_python(e, self.table.site(e, e.args[0], self.eqn), self.operands, self.run_state, self.results)
        return self.finish()


def _emitter(kind: type[Any]) -> Callable[[Module, str, Kernel, BlocksTable, Scratch], Emitted]:
    return lambda module, name, kernel, table, scratch: kind(module, name, kernel, table, scratch).emit()


CONTROL: Rules[Callable[[Module, str, Kernel, BlocksTable, Scratch], Emitted]] = Rules(
    "a kernel of control flow",
    {
        "scan": _emitter(_Scan), "while_loop": _emitter(_While), "switch": _emitter(_Switch), "rowwise": _emitter(_Rowwise),
        "tape_add": _emitter(_TapeAdd), **dict.fromkeys(("callback", "io_callback", "pure_callback"), _emitter(_Callback)),
    },
)  # fmt: skip
