"""Elementwise operations on vectors of any length: threads have a few elements side by side each, the last ones one by one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ....ir.graph import Graph, Var
from ....kernels.expression import Load, walk
from ....kernels.kernel import Kernel
from ....kernels.tuning import Tuning
from ...llvm_text import Reg
from ..expressions import ALIGNED, ThreadExpressions
from .kernel import SizedKernel, Writer, lowered

MOST = 8
"""Elements that a thread takes at most."""


def emit_map(name: str, graph: Graph, words: Collection[int], contracts: bool, tuning: Tuning) -> SizedKernel | None:
    """The kernel of a graph of vectors of `MANY` elements and of single numbers; None where it is none of elements alone. Its
    arguments are the inputs, as pointers or, of the numbers in `words`, as words; the outputs; and how many elements there are.
    """
    program = lowered(graph, contracts, tuning)
    if program is None or len(program.kernels) != 1 or program.kernels[0].reductions or not _side_by_side(program.kernels[0]):
        return None
    return _Map(name, program.graph, program.kernels[0], words, contracts, tuning).emit()


def _side_by_side(k: Kernel) -> bool:
    """Whether all elements lie where the loop is, or are single numbers."""
    offsets: list[Any] = [n.offset for n in walk(k.roots()) if isinstance(n, Load)]
    whole = all(st.offset.axes for st in k.stores)
    return whole and all(o.constant == 0 and list(o.terms.values()) in ([], [1]) for o in [*offsets, *[s.offset for s in k.stores]])


class _Map:
    def __init__(self, name: str, graph: Graph, k: Kernel, words: Collection[int], contracts: bool, tuning: Tuning) -> None:
        self.graph, self.kernel = graph, k
        self.names = {v: f"{'word' if n in words else 'in'}{n}" for n, v in enumerate(graph.inputs)}
        self.names |= {v: f"out{n}" for n, v in enumerate(graph.outputs) if isinstance(v, Var)}
        arguments = [self.names[v] for v in dict.fromkeys([*graph.inputs, *graph.outputs]) if isinstance(v, Var)]
        numbers = [a for a in arguments if a.startswith("word")]
        self.w = Writer(name, [a for a in arguments if a not in numbers], [*numbers, "count"], contracts, tuning)
        widest = max(v.type.dtype.nbytes for v in (*graph.inputs, *graph.outputs))
        self.lanes = max(min(ALIGNED // widest, MOST), 1)

    def emit(self) -> SizedKernel:
        w, e, count = self.w, self.w.e, self.w.word("count")
        read = {n.source for n in walk(self.kernel.roots()) if isinstance(n, Load)}
        pointers = {v: self._pointer(name) for v, name in self.names.items() if v in read or name.startswith("out")}
        first = e.mul(w.thread(), self.lanes)
        behind = e.add(first, self.lanes)
        inside = e.compare("le", behind, count)
        with e.when(inside):
            self._elements(pointers, first, self.lanes)
        with e.when(e.not_(inside)), e.loop(first, count) as number:
            self._elements(pointers, number, 1)
        return w.finish(self.lanes)

    def _pointer(self, name: str) -> Reg:
        return self.w.number(name) if name.startswith("word") else self.w.pointer(name)

    def _elements(self, pointers: dict[Var, Reg], place: Reg, lanes: int) -> None:
        k, e = self.kernel, self.w.e
        e.width = lanes
        x = ThreadExpressions(e, lanes)
        x.pointers = pointers
        (axis,) = {a for st in k.stores for a in st.offset.axes}
        x.axis_values[axis], x.vector_axis = place, axis if lanes > 1 else None
        values = [x.emit(st.node) for st in k.stores]
        for st, value in zip(k.stores, values, strict=True):
            x.store(pointers[st.target], st.offset, value)
