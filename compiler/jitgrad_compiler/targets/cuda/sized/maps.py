"""Elementwise operations on vectors of any length: threads have a few elements side by side each, the last ones one by one.

A complex number is its two parts: the program is of real vectors (passes/complex_parts), whose elements are read and written in
pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ....ir.graph import Graph, Var
from ....kernels.expression import Load, Node, walk
from ....kernels.kernel import Kernel
from ....kernels.tuning import Tuning
from ....passes.complex_parts.split import split
from ...llvm_text import Reg
from ..expressions import ALIGNED, ThreadExpressions
from .kernel import SizedKernel, Writer, loads, lowered

MOST = 8
"""Elements that a thread takes at most."""


def emit_map(name: str, graph: Graph, words: Collection[int], contracts: bool, tuning: Tuning) -> SizedKernel | None:
    """The kernel of a graph of vectors of `MANY` elements and of single numbers; None where it is none of elements alone. Its
    arguments are the inputs, as pointers or, of the numbers in `words`, as words, a complex one as two; the outputs; and how many
    elements there are.
    """
    parts = split(graph, (False,) * len(graph.inputs), (False,) * len(graph.outputs)) if graph.has_complex else graph
    program = lowered(parts, contracts, tuning)
    if program is None or not all(_side_by_side(k, program.graph) for k in program.kernels):
        return None
    return _Map(name, graph, program.graph, program.kernels, words, contracts, tuning).emit()


def _side_by_side(k: Kernel, graph: Graph) -> bool:
    """Whether all elements are the graph's operands', and lie where the loop is or are single numbers."""
    reads = [n for n in walk(k.roots()) if isinstance(n, Load)]
    if k.reductions or not all(n.source in graph.inputs for n in reads) or not all(st.offset.axes for st in k.stores):
        return False
    offsets: list[Any] = [*[n.offset for n in reads], *[st.offset for st in k.stores]]
    return all(o.constant == 0 and list(o.terms.values()) in ([], [1]) for o in offsets)


class _Map:
    """`whole` has the operands and results as they lie, `graph` those that the kernel knows: of a complex one the two parts."""

    def __init__(
        self,
        name: str,
        whole: Graph,
        graph: Graph,
        kernels: Sequence[Kernel],
        words: Collection[int],
        contracts: bool,
        tuning: Tuning,
    ) -> None:
        self.kernels = kernels
        parts = iter([v for v in (*graph.inputs, *graph.outputs) if isinstance(v, Var)])
        self.arrays: dict[str, tuple[Var, ...]] = {}
        self.numbers: dict[str, Var] = {}
        for n, v in enumerate((*whole.inputs, *whole.outputs)):
            of = tuple([next(parts) for _ in range(1 + v.type.dtype.is_complex)])
            if n in words:
                self.numbers |= {f"word{n}_{m}": part for m, part in enumerate(of)}
            else:
                self.arrays[f"array{n}"] = of
        self.w = Writer(name, list(self.arrays), [*self.numbers, "count"], contracts, tuning)
        widest = max(v.type.dtype.nbytes for v in (*whole.inputs, *whole.outputs))
        self.lanes = max(min(ALIGNED // widest, MOST), 1)

    def emit(self) -> SizedKernel:
        w, e, count = self.w, self.w.e, self.w.word("count")
        pointers = {name: w.pointer(name) for name in self.arrays}
        numbers = {v: w.number(name) for name, v in self.numbers.items()}
        first = e.mul(w.thread(), self.lanes)
        behind = e.add(first, self.lanes)
        inside = e.compare("le", behind, count)
        with e.when(inside):
            self._elements(pointers, numbers, first, self.lanes)
        with e.when(e.not_(inside)), e.loop(first, count) as number:
            self._elements(pointers, numbers, number, 1)
        return w.finish(self.lanes)

    def _elements(self, pointers: dict[str, Reg], numbers: dict[Var, Reg], place: Reg, lanes: int) -> None:
        e = self.w.e
        e.width = lanes
        single = {**numbers, **{of[0]: pointers[name] for name, of in self.arrays.items() if len(of) == 1}}
        pairs = {pointers[name]: of for name, of in self.arrays.items() if len(of) == 2}
        found: dict[Var, Reg] = {}
        for k in self.kernels:
            x = ThreadExpressions(e, lanes)
            x.pointers = single
            (axis,) = {a for st in k.stores for a in st.offset.axes}
            x.axis_values[axis], x.vector_axis = place, axis if lanes > 1 else None
            for pointer, pair in pairs.items():
                self._read_pairs(x, k.roots(), pointer, pair, place, lanes)
            values = [x.emit(st.node) for st in k.stores]
            for st, value in zip(k.stores, values, strict=True):
                if st.target in single:
                    x.store(single[st.target], st.offset, value)
                else:
                    found[st.target] = value
        for pointer, of in pairs.items():
            if of[0] in found:
                self._write_pairs(pointer, [found[v] for v in of], place, lanes)

    def _read_pairs(
        self, x: ThreadExpressions, roots: Sequence[Node], pointer: Reg, pair: tuple[Var, ...], place: Reg, lanes: int
    ) -> None:
        """Say what the parts of a complex operand are here, if any is read."""
        e, dtype = self.w.e, pair[0].type.dtype
        nodes = [(part, n) for part, v in enumerate(pair) for n in loads(roots, v)]
        if not nodes:
            return
        spread = bool(nodes[0][1].offset.axes)  # else it is a number
        count, at = (lanes, e.mul(place, 2)) if spread else (1, e.const(0, place.type))
        both = e.load(e.offset(pointer, at, dtype), dtype, 2 * count, align=2 * count * dtype.nbytes)
        for part, node in nodes:
            value = e.poison(dtype, count)
            for lane in range(count):
                value = e.insert(value, e.extract(both, 2 * lane + part), lane)
            x.bind(node, value)

    def _write_pairs(self, pointer: Reg, parts: Sequence[Reg], place: Reg, lanes: int) -> None:
        e, dtype = self.w.e, parts[0].type
        both = e.poison(dtype, 2 * lanes)
        for part, values in enumerate(parts):
            values = e.splat(values, lanes)
            for lane in range(lanes):
                both = e.insert(both, e.extract(values, lane), 2 * lane + part)
        e.store(e.offset(pointer, e.mul(place, 2), dtype), both, align=2 * lanes * dtype.nbytes)
