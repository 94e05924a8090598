"""Kernels whose work is done in registers: a small loop or branch as scalar code, rows of small work a chunk of vectors at a
time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ....ir.graph import Graph, Literal, Var
from ....ir.types import BOOL, ArrayType, DType, TapeType
from ....kernels.kernel import Kernel
from ....ops.control import rowwise, scan, while_loop
from ....passes.register_fit import FEW, MANY, is_large
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...order import lanes_for
from ..kernel_table import KernelTable
from ..partition import partition
from ..phases import TASK_ARGUMENTS, Emitted, Phase
from .code import Held, Registers
from .control import work
from .in_memory import Stored, Tape


def emit_register_kernel(module: Module, name: str, kernel: Kernel, table: KernelTable, graph: Graph) -> Emitted:
    return (_Rows if kernel.eqns[0].op is rowwise else _Alone)(module, name, kernel, table, graph).emit()


class _RegisterKernel:
    def __init__(self, module: Module, name: str, kernel: Kernel, table: KernelTable, graph: Graph) -> None:
        self.module, self.name, self.kernel, self.table, self.graph = module, name, kernel, table, graph
        self.eqn = kernel.eqns[0]

    def start(self, width: int) -> None:
        self.e = Emitter(self.module, self.name, TASK_ARGUMENTS, width=width)
        self.found = self.table.pointers(self.e, self.e.args[0], [*self.kernel.inputs, *self.kernel.outputs])
        self.x = Registers(self.e, width, self.table)

    def operand(self, a: Var | Literal, most: int) -> Held:
        """An operand as it is, in registers where it has so few elements."""
        if isinstance(a, Literal):
            return self.x.constant(a)
        if isinstance(a.type, TapeType):
            return Tape(self.found[a], a.type.element)
        value = Stored(self.found[a], a.type)
        return value if is_large(a, most) else value.elements(self.e)

    def copy(self, source: Stored, target: Stored) -> None:
        """A large result that was made elsewhere."""
        with self.e.loop(0, source.type.size) as k:
            value = source.load(self.e, k)
            Stored(
                self.e.offset(target.pointer, self.e.mul(k, target.step), target.type.dtype), ArrayType((), target.type.dtype), 1,
                target.lane, target.width, target.mask,
            ).store(self.e, 0, value)  # fmt: skip


class _Alone(_RegisterKernel):
    """A loop or a branch by itself."""

    def emit(self) -> Emitted:
        self.start(1)
        e, x = self.e, self.x
        values = [self.operand(a, FEW) for a in self.eqn.inputs]
        results = list(zip(self.graph.outputs, self.eqn.outputs, strict=True))
        for n, (inner, v) in enumerate(results):
            if isinstance(v.type, TapeType):
                x.places[inner] = Tape(self.found[v], v.type.element)
            elif self.eqn.op is scan and n >= self.eqn.params["carry"]:
                x.places[inner] = Stored(self.found[v], v.type)
        for (inner, v), out in zip(results, x.run(self.graph, values), strict=True):
            if inner not in x.places:
                Stored(self.found[v], v.type).write(e, x.regs(out))
        x.finish()
        return Emitted([Phase(self.name, 1)])


class _Rows(_RegisterKernel):
    """Every row of a rowwise, one to a lane."""

    def emit(self) -> Emitted:
        size, mapped = self.eqn.params["size"], self.eqn.params["mapped"]
        width = self.module.lanes or lanes_of(self.graph)
        self.start(width)
        e, x = self.e, self.x
        shared = [None if m else self.operand(a, MANY) for a, m in zip(self.eqn.inputs, mapped, strict=True)]
        chunks = -(-size // width)
        tuning = self.module.tuning.control
        serial = chunks * _work(self.graph, tuning.unknown_steps) < tuning.serial_work
        parts = partition(chunks, 1 if serial else tuning.most_tasks)
        with parts.units(e) as chunk:
            first = e.mul(chunk, width)
            mask = None
            if size % width:
                mask = e.lanes_below(e.sub(size, first), width)
            x.mask = mask
            values = [s if s is not None else self._mapped(a, first, mask) for s, a in zip(shared, self.eqn.inputs, strict=True)]
            places = [self._row(self.found[v], v.type, first, mask) for v in self.eqn.outputs]
            x.places = {}
            for v, place in zip(self.graph.outputs, places, strict=True):
                if isinstance(v, Var) and is_large(v, 0):
                    x.places.setdefault(v, place)
            for inner, place, out in zip(self.graph.outputs, places, x.run(self.graph, values), strict=True):
                if not isinstance(out, Stored):
                    place.write(e, out)
                elif x.places.get(inner) is not place or out.pointer != place.pointer:
                    self.copy(out, place)
        x.finish()
        return Emitted([Phase(self.name, parts.tasks)])

    def _row(self, pointer: Reg, type: ArrayType, first: Reg, mask: Reg | None) -> Stored:
        row = ArrayType(type.shape[1:], type.dtype)
        at = self.e.offset(pointer, self.e.mul(first, row.size), type.dtype)
        return Stored(at, row, 1, max(row.size, 1), self.x.width, mask)

    def _mapped(self, a: Var | Literal, first: Reg, mask: Reg | None) -> Held:
        assert isinstance(a, Var)
        row = self._row(self.found[a], a.type, first, mask)
        return row if row.type.size > MANY else row.elements(self.e)


def _types(graph: Graph) -> Iterator[Any]:
    yield from graph.input_types
    for e in graph.eqns:
        yield from (v.type for v in e.outputs)
        for g in e.graphs:
            yield from _types(g)


def lanes_of(graph: Graph) -> int:
    """Rows of a chunk: a vector of the widest floats in it."""
    dtypes: set[DType] = {t.dtype for t in _types(graph)}
    sizes = [d.nbytes for d in dtypes if d.is_float] or [d.nbytes for d in dtypes if d != BOOL] or [4]
    return lanes_for(max(sizes))


def _work(graph: Graph, unknown_steps: int) -> float:
    """Operations of a row; a while_loop is taken to do so many steps."""
    known = work(graph)
    if math.isfinite(known) and not any(e.op is while_loop for e in graph.eqns):
        return known
    return unknown_steps * (1.0 + len(graph.eqns))
