"""A contract kernel of a program: its expressions as the hooks of `contraction.py`, which packs, blocks and multiplies."""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph import Var
from ....kernels.affine import Affine, Axis
from ....kernels.expression import Contracted, Load, Node, walk
from ....kernels.kernel import Kernel
from ...emitter import Emitter, Module, Reg
from ...expressions import Expressions
from ..phases import Emitted, Phase, Pointers
from .contraction import ContractSpec, PlainMatrix, emit_contract


class _Hooks:
    """The fused expressions of one contraction, emitted where `contraction.py` asks for them."""

    def __init__(self, kernel: Kernel, pointers: Pointers) -> None:
        assert kernel.contraction is not None
        self.kernel, self.c, self.pointers = kernel, kernel.contraction, pointers
        self.x: Expressions | None = None

    def prepare(self, e: Emitter, args: Reg) -> None:
        self.x = Expressions(e, 1)
        self.x.pointers = self.pointers(e, args, [*self.kernel.inputs, *self.kernel.outputs])

    def _value(self, node: Node, places: dict[Axis, Reg], vector_axis: Axis, width: int, mask: Reg | None) -> Reg:
        x = self.x
        assert x is not None
        with x.scope():
            x.axis_values.update(places)
            x.vector_axis, x.width, x.mask = vector_axis, width, mask
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
            x.vector_axis, x.width, x.mask = c.column, value.width, mask
            for n in walk(self.kernel.roots()):
                if isinstance(n, Contracted):
                    x.bind(n, value)
            for s in self.kernel.stores:
                x.store(x.pointers[s.target], s.offset, x.emit(s.node))
            x.vector_axis, x.mask = None, None

    def plain(self, source: Var, offset: Affine, row: Axis, column: Axis) -> PlainMatrix | None:
        """The operand as a matrix in memory, where its rows and columns have constant strides."""
        steps = [offset.factor(a) if a.extent != 1 else 0 for a in (row, column)]
        if steps[0] is None or steps[1] is None:
            return None
        rest = Affine(offset.constant, {a: f for a, f in offset.terms.items() if a is not row and a is not column})

        def pointer(e: Emitter, batch: Reg) -> Reg:
            x = self.x
            assert x is not None
            with x.scope():
                x.axis_values[self.c.batch] = batch
                return e.offset(x.pointers[source], x.scalar_index(rest), source.type.dtype)

        return PlainMatrix(pointer, steps[0], steps[1])


def _contiguous(node: Node, first: Axis, first_name: str, second: Axis, second_name: str) -> str:
    """Along which index most loads of an operand are consecutive."""
    votes = {first_name: 0, second_name: 0}
    for n in walk([node]):
        if isinstance(n, Load):
            for axis, name in ((first, first_name), (second, second_name)):
                votes[name] += n.source.type.size if n.offset.factor(axis) == 1 else 0
    return second_name if votes[second_name] >= votes[first_name] else first_name


def emit_contraction(
    module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]
) -> Emitted:
    """The task functions of a contract kernel."""
    c = kernel.contraction
    assert c is not None
    hooks = _Hooks(kernel, pointers)
    a = b = out = None
    if isinstance(c.left, Load) and c.left.guard is None and not c.left.args:
        a = hooks.plain(c.left.source, c.left.offset, c.row, c.depth)
    if isinstance(c.right, Load) and c.right.guard is None and not c.right.args:
        b = hooks.plain(c.right.source, c.right.offset, c.depth, c.column)
    if len(kernel.stores) == 1 and isinstance(kernel.stores[0].node, Contracted):
        out = hooks.plain(kernel.stores[0].target, kernel.stores[0].offset, c.row, c.column)
        if out is not None and out.column != 1:
            out = None
    along_a, along_b = _contiguous(c.left, c.row, "m", c.depth, "k"), _contiguous(c.right, c.depth, "k", c.column, "n")
    if a is not None and (a.row if along_a == "m" else a.column) != 1:
        a = None
    if b is not None and (b.row if along_b == "k" else b.column) != 1:
        b = None
    spec = ContractSpec(c.batch.extent, c.row.extent, c.column.extent, c.depth.extent, c.dtype, along_a, along_b)
    plan = emit_contract(
        module, name, spec, None if a else hooks.load_left, None if b else hooks.load_right, None if out else hooks.store,
        prepare=hooks.prepare, scratch=lambda e: scratch(e, e.args[0]), a_plain=a, b_plain=b, c_plain=out,
    )  # fmt: skip
    return Emitted([Phase(function, tasks) for function, tasks in plan.phases], plan.scratch_bytes)
