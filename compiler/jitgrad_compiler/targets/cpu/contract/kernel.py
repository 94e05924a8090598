"""A contract kernel of a program: its expressions as the hooks of `contraction.py`, which packs, blocks and multiplies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ir.graph import Var
from ....kernels.affine import Affine, Axis
from ....kernels.expression import Contracted, Load, Node, walk
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...expressions import Expressions
from ...llvm_text import Module, Reg
from ...order import VECTOR_BYTES
from ...tasks.phases import Emitted, Phase, Pointers
from .blocking import split_depth
from .contraction import ContractSpec, PlainMatrix, emit_contract
from .layout import Layout, lie_in_place
from .operands import Ahead


class _Hooks:
    """The fused expressions of one contraction, emitted where `contraction.py` asks for them."""

    def __init__(self, kernel: Kernel, pointers: Pointers) -> None:
        assert kernel.contraction is not None
        self.kernel, self.c, self.pointers = kernel, kernel.contraction, pointers
        self.x: Expressions | None = None
        self.aligned: dict[Axis, bool] = {}
        """Along which index vectors begin at multiples of the width. Not along rows: tiles have any number of them."""

    def prepare(self, e: Emitter, args: Reg) -> None:
        self.x = Expressions(e, 1)
        self.x.pointers = self.pointers(e, args, [*self.kernel.inputs, *self.kernel.outputs])

    def _value(self, node: Node, places: dict[Axis, Reg], vector_axis: Axis, width: int, mask: Reg | None) -> Reg:
        x = self.x
        assert x is not None
        with x.scope():
            x.axis_values.update(places)
            x.vector_axis, x.width, x.mask, x.aligned = vector_axis, width, mask, self.aligned.get(vector_axis, False)
            value = x.e.splat(x.emit(node), width)
            x.vector_axis, x.mask = None, None
        return value

    def load_left(self, e: Emitter, batch: Reg, i: Reg, k: Reg, width: int, along: str, mask: Reg | None) -> Reg:
        c = self.c
        places: dict[Axis, Reg] = {c.batch: batch, c.row: i, c.depth: k}
        return self._value(c.left, places, c.row if along == "m" else c.depth, width, mask)

    def load_right(self, e: Emitter, batch: Reg, k: Reg, j: Reg, width: int, along: str, mask: Reg | None) -> Reg:
        c = self.c
        places: dict[Axis, Reg] = {c.batch: batch, c.column: j, c.depth: k}
        return self._value(c.right, places, c.column if along == "n" else c.depth, width, mask)

    def store(self, e: Emitter, batch: Reg, i: Reg, j: Reg, value: Reg, mask: Reg | None) -> None:
        c, x = self.c, self.x
        assert x is not None
        with x.scope():
            x.axis_values.update({c.batch: batch, c.row: i, c.column: j})
            x.vector_axis, x.width, x.mask, x.aligned = c.column, value.width, mask, self.aligned[c.column]
            for n in walk(self.kernel.roots()):
                if isinstance(n, Contracted):
                    x.bind(n, value)
            values = [x.emit(s.node) for s in self.kernel.stores]  # all before the first store, which may be over what they read
            for s, made in zip(self.kernel.stores, values, strict=True):
                x.store(x.pointers[s.target], s.offset, made)
            x.vector_axis, x.mask = None, None

    def far(self, least: int) -> list[tuple[Var, Affine]]:
        """What the epilogue reads and writes side by side along columns, in arrays of `least` bytes or more."""
        places = [(n.source, n.offset) for n in walk(self.kernel.roots()) if isinstance(n, Load) and not n.args]
        places += [(s.target, s.offset) for s in self.kernel.stores]
        row, column = self.c.row, self.c.column
        return [(v, at) for v, at in places if v.type.nbytes >= least and row in at.axes and at.factor(column) == 1]

    def ahead(self, far: Sequence[tuple[Var, Affine]]) -> Ahead:
        """The hook that asks for such places. The nearest cache is the tile's own: rows far apart would drive it out of there."""

        def ask(e: Emitter, batch: Reg, i: Reg, j: Reg) -> None:
            x = self.x
            assert x is not None
            with x.scope():
                x.axis_values.update({self.c.batch: batch, self.c.row: i, self.c.column: j})
                for v, at in far:
                    e.prefetch(e.offset(x.pointers[v], x.scalar_index(at), v.type.dtype), level=2)

        return ask

    def matrix(self, source: Var, layout: Layout) -> PlainMatrix:
        """An operand where it lies in memory."""

        def pointer(e: Emitter, batch: Reg) -> Reg:
            x = self.x
            assert x is not None
            with x.scope():
                x.axis_values[self.c.batch] = batch
                return e.offset(x.pointers[source], x.scalar_index(layout.first), source.type.dtype)

        return PlainMatrix(pointer, layout.rows, layout.columns)


def _contiguous(node: Node, first: Axis, first_name: str, second: Axis, second_name: str, lanes: int) -> str:
    """Along which index most loads of an operand are consecutive, in vectors of `lanes` elements."""
    votes = {first_name: 0, second_name: 0}
    for n in walk([node]):
        if isinstance(n, Load):
            for axis, name in ((first, first_name), (second, second_name)):
                votes[name] += n.source.type.size if n.offset.factor(axis, 1 if name == "m" else lanes) == 1 else 0
    return second_name if votes[second_name] >= votes[first_name] else first_name


def emit_contraction(
    module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
) -> Emitted:
    """The task functions of a contract kernel."""
    c = kernel.contraction
    assert c is not None
    hooks = _Hooks(kernel, pointers)
    lanes = VECTOR_BYTES // c.dtype.nbytes
    along_a = _contiguous(c.left, c.row, "m", c.depth, "k", lanes)
    along_b = _contiguous(c.right, c.depth, "k", c.column, "n", lanes)
    spec = ContractSpec(c.batch.extent, c.row.extent, c.column.extent, c.depth.extent, c.dtype, along_a, along_b)
    left, right = (n if isinstance(n, Load) and n.guard is None and not n.args else None for n in (c.left, c.right))
    result = kernel.stores[0] if len(kernel.stores) == 1 and isinstance(kernel.stores[0].node, Contracted) else None
    offsets = [n.offset if n else None for n in (left, right, result)]
    found = lie_in_place(c, spec, module.tuning.contraction, *offsets)
    hooks.aligned = {
        c.column: found.spec.columns % lanes == 0 or not found.spec.column_run,
        c.depth: split_depth(found.spec)[-1] % lanes == 0,
    }
    a = hooks.matrix(left.source, found.left) if left and found.left else None
    b = hooks.matrix(right.source, found.right) if right and found.right else None
    out = hooks.matrix(result.target, found.result) if result and found.result else None
    far = [] if out else hooks.far(module.tuning.contraction.cache_bytes)
    plan = emit_contract(
        module, name, found.spec, None if a else hooks.load_left, None if b else hooks.load_right, None if out else hooks.store,
        prepare=hooks.prepare, scratch=lambda e: scratch(e, e.args[0]), a_plain=a, b_plain=b, c_plain=out,
        ahead=hooks.ahead(far) if far else None,
    )  # fmt: skip
    return Emitted([Phase(function, tasks) for function, tasks in plan.phases], plan.scratch_bytes)
