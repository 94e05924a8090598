"""Loop kernels on a GPU. Rows of several stages are done by warps or blocks that keep them in registers (rows.py). Of other kernels
each reduction is a phase, stage by stage, and so are the maps that store what is left.

    map:     each thread has one element of the stores' axes, or a few side by side
    columns: each thread sums one result, whose neighbours in memory are its neighbours' (sums.py)
    rows:    a warp or a block sums one result together
    shares:  where results are few and long, several sum parts of one; another phase adds these

Results of reductions that no output keeps lie in scratch memory between the phases. Next on the path: sums.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ....ir.graph import Var
from ....ir.types import BOOL, U8
from ....kernels.affine import Affine, Axis
from ....kernels.expression import Load, Node, Reduced, walk
from ....kernels.kernel import Kernel, Reduction, Store
from ....kernels.memory import aligned
from ....kernels.merged_axes import indices_of, merge, renamed
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..device import THREADS
from ..expressions import ALIGNED, ThreadExpressions, decomposed, lies_in_vectors
from ..phases import BlockFunction, Emitted, Phase, Pointers, Scratch
from .rows import rows_of
from .sums import Sum
from .transposes import transpose_of

MOST_HELD = 32
"""Addresses that a kernel keeps in registers, two each of a thread's 255, from its beginning on."""


class _ReadWhereUsed(dict[Var, Reg]):
    """Addresses of a kernel that has too many to keep them: each is read again wherever it is asked for."""

    def __init__(self, read: Callable[[Var], Reg]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, v: Var) -> Reg:
        return self.read(v)


class LoopKernel:
    """Emits one kernel."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        self.module, self.name = module, name
        self.slots, self.scratch = pointers, scratch
        self.tuning = module.tuning.gpu
        self.kernel = _merged(kernel)
        self.axes = [a for a in self.kernel.axes if a.extent != 1]
        self.scratch_bytes = 0
        self.kept: dict[Var, int] = {}
        """Where in the scratch memory results of reductions are that no output keeps."""

    def room(self, nbytes: int) -> int:
        """So many bytes of scratch memory."""
        place, self.scratch_bytes = self.scratch_bytes, self.scratch_bytes + aligned(nbytes)
        return place

    def emit(self) -> Emitted:
        rows = rows_of(self)
        phases = self._one_by_one() if rows is None else rows.emit()
        return Emitted([p for p in phases if p.blocks], self.scratch_bytes)

    def _one_by_one(self) -> list[Phase]:
        """A phase a reduction and a map."""
        phases: list[Phase] = []
        for r in self.kernel.reductions:
            if not r.stored:
                self.kept[r.result] = self.room(r.result.type.nbytes)
        for r in sorted(self.kernel.reductions, key=lambda r: r.operand.stage):
            phases += Sum(self, r, f"{self.name}_{len(phases)}").emit()
        groups: dict[frozenset[Axis], list[Store]] = {}
        for st in self.kernel.stores:
            groups.setdefault((st.node.axes | st.offset.axes) & frozenset(self.axes), []).append(st)
        for axes, stores in groups.items():
            phases.append(self._map([a for a in self.axes if a in axes], stores, f"{self.name}_{len(phases)}"))
        return phases

    def start(self, f: BlockFunction, lanes: int, roots: Sequence[Node]) -> ThreadExpressions:
        """The expressions of a function that computes these."""
        e = f.e
        x = ThreadExpressions(e, lanes)
        nodes = walk(roots)
        read = [n.source for n in nodes if isinstance(n, Load)]
        results = [n.reduction for n in nodes if isinstance(n, Reduced)]
        x.pointers = self.pointers(e, f.table, [*read, *[r.result for r in results if r.stored or r.result in self.kept]])
        return x

    def pointers(self, e: Emitter, table: Reg, wanted: Sequence[Var]) -> dict[Var, Reg]:
        """Where arrays and results of reductions lie."""

        def read(v: Var) -> Reg:
            return self.in_scratch(e, table, self.kept[v]) if v in self.kept else self.slots(e, table, [v])[v]

        if len({*self.kernel.inputs, *self.kernel.outputs}) > MOST_HELD:
            return _ReadWhereUsed(read)
        return {v: read(v) for v in dict.fromkeys(wanted)}

    def in_scratch(self, e: Emitter, table: Reg, place: int) -> Reg:
        return e.offset(self.scratch(e, table), place, U8)

    def result(self, e: Emitter, table: Reg, r: Reduction) -> Reg:
        """Where a reduction's result goes."""
        return self.pointers(e, table, [r.result])[r.result]

    def lanes(self, axis: Axis | None, places: Sequence[tuple[Affine, Var]], elements: int, most: int = 4) -> int:
        """How many elements along an axis a thread takes at once; `places` are read and written, of these arrays."""
        if axis is None:
            return 1
        widest = max([v.type.dtype.nbytes for offset, v in places if offset.factor(axis) == 1], default=0)
        if not widest:
            return 1
        count = min(most, max(ALIGNED // widest, 1))
        while count > 1 and (
            axis.extent % count
            or elements // count < self.tuning.wide_from
            or not all(lies_in_vectors(v, count) for offset, v in places if offset.factor(axis, count) == 1)
        ):
            count //= 2
        return count

    def _map(self, axes: list[Axis], stores: Sequence[Store], name: str) -> Phase:
        turned = transpose_of(self, axes, stores)
        if turned is not None:
            return turned.emit(name)
        elements = math.prod(a.extent for a in axes)
        roots = [st.node for st in stores]
        last = axes[-1] if axes else None
        reads: list[Node] = [n for n in walk(roots) if isinstance(n, (Load, Reduced))]
        places = [(n.offset, n.source) for n in reads if isinstance(n, Load)]
        places += [(st.offset, st.target) for st in stores]
        lanes = self.lanes(last, places, elements, 4 if len(stores) < 4 else 2)
        count = elements // lanes
        f = BlockFunction(self.module, name, lanes)
        e = f.e
        x = self.start(f, lanes, roots)
        targets = self.pointers(e, f.table, [st.target for st in stores])
        number = e.add(e.mul(f.block, THREADS), f.threads.thread())
        inside = e.const(True, BOOL) if count % THREADS == 0 else e.compare("lt", number, count)
        with e.when(inside), x.scope():
            decomposed(x, number, axes, lanes)
            x.vector_axis = last if lanes > 1 else None
            for node in reads if len(reads) < len(stores) else roots:  # before a store writes over what another value reads
                x.emit(node)
            for st in stores:
                x.store(targets[st.target], st.offset, x.emit(st.node))
        return f.finish(-(-count // THREADS))


def emit_loops(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    return LoopKernel(module, name, kernel, pointers, scratch).emit()


def _merged(kernel: Kernel) -> Kernel:
    """The kernel with neighbouring axes made one that play the same part everywhere."""
    wide = [a for a in kernel.axes if a.extent != 1]
    if not all(a.extent for a in wide):
        return kernel
    places = indices_of(kernel)

    def part(a: Axis) -> tuple[bool, ...]:
        sums = [membership for r in kernel.reductions for membership in (a in r.axes, any(a in i.axes for i in r.index))]
        return (*sums, *[a in st.node.axes | st.offset.axes for st in kernel.stores], a in kernel.inner)

    apart = {a for r in kernel.reductions if r.position is not None for a in r.axes}
    merged: dict[Axis, Affine] = {}
    group: list[Axis] = []
    for n, a in enumerate(wide):
        group.append(a)
        if n + 1 == len(wide) or part(wide[n + 1]) != part(a):
            merge(group, places, merged, apart)
            group = []
    return renamed(kernel, merged) if merged else kernel
