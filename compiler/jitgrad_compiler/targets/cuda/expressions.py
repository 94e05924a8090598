"""Expressions of a kernel as one thread computes them: one element, or a few that lie side by side in memory.

Indices are 32-bit numbers wherever their range allows it, as a GPU has twice the instructions to go through otherwise. Next on the
path: loops/kernel.py.
"""

from __future__ import annotations

from typing import Any

from ...ir.graph import Var
from ...ir.types import BOOL, U8, unsigned_integer
from ...kernels.affine import Affine, Axis, Div, Mod, Runtime, linear
from ...kernels.expression import Load, Node, Reduced
from ..expressions import Expressions, narrowest
from ..llvm_text import Reg

ALIGNED = 16
"""Bytes that every array begins at a multiple of, and that a thread reads at once."""


def lies_in_vectors(v: Var, width: int) -> bool:
    """Whether an array begins where vectors of its elements may be read: a step's, or a row's, begins at a multiple of its size."""
    return not v.type.size % width


class ThreadExpressions(Expressions):
    """`pointers` also has the results of reductions that earlier phases made."""

    aligned = True
    most_together = 2

    def _emit(self, node: Node) -> Reg:
        if isinstance(node, Reduced):
            r = node.reduction
            return self._load(Load(r.result, linear(r.index, r.result.type.shape), None))
        return super()._emit(node)

    # -- indices

    def scalar_index(self, index: Affine) -> Reg:
        found = self.known(("scalar", index))
        if found is not None:
            return found
        e, type, constant, total = self.e, narrowest(*index.range), index.constant, None
        for atom, factor in index.terms.items():
            value = self._scalar_atom(atom)
            if isinstance(value, int):
                constant += factor * value
                continue
            term = e.mul(e.convert(value, type), factor)
            total = term if total is None else e.add(total, term)
        total = e.const(constant, type) if total is None else e.add(total, constant)
        self.scopes[-1]["scalar", index] = total
        return total

    def _scalar_atom(self, atom: Any) -> Reg | int:
        if isinstance(atom, Axis):
            return self.axis_values[atom]
        if isinstance(atom, Runtime):
            return self.e.extract(self.emit(atom.node), 0)
        return self._whole_atom(atom)

    def _whole_atom(self, atom: Div | Mod) -> Reg:
        low, high = atom.of.range  # what is divided may need more bits than the quotient or the remainder
        inner = narrowest(low - atom.by if low < 0 else 0, max(high, atom.by))
        return self._divided(self.e.convert(self.scalar_index(atom.of), inner), atom)

    # -- loads and stores

    def _whole_vector(self, offset: Affine) -> bool:
        """Whether the lanes lie side by side, from a multiple of their number on."""
        axis = self.vector_axis
        return axis is not None and self._factor(offset) == 1 and offset.is_multiple(axis, self.width)

    def _bytes(self, node_bytes: int) -> int:
        return min(ALIGNED, self.width * node_bytes)

    def _load(self, node: Load) -> Reg:
        if not self.varies(node.axes):
            return super()._load(node)
        e, pointer, dtype = self.e, self.pointers[node.source], node.dtype
        guard = None if node.guard is None else self.emit(node.guard)
        if guard is not None and guard.constant is not None:
            if not guard.constant:
                return e.const(0, dtype)
            guard = None
        if guard is None and self._whole_vector(node.offset) and lies_in_vectors(node.source, self.width):
            place = e.offset(pointer, self.scalar_index(node.offset), dtype)
            return e.load(place, dtype, self.width, align=self._bytes(dtype.nbytes))
        if not self.varies(node.offset.axes):
            value = self._scalar_load(node, pointer, None if guard is None else e.any(guard))
            return value if guard is None else e.select(guard, value, e.const(0, dtype))
        base, index = self.places(pointer, node.offset, dtype)
        if guard is not None:
            base, index = pointer, e.select(guard, self.index(node.offset), 0)
        stored = U8 if dtype == BOOL else dtype
        value = e.poison(stored, self.width)
        for lane in range(self.width):
            one = e.load(e.offset(base, self._lane(index, lane), stored), stored)
            value = e.insert(value, one, lane)
        value = e.compare("ne", value, 0) if dtype == BOOL else value
        return value if guard is None else e.select(guard, value, e.const(0, dtype))

    def _lane(self, index: Reg, lane: int) -> Reg:
        return self.e.extract(index, lane)

    def store(self, pointer: Reg, offset: Affine, value: Reg) -> None:
        e = self.e
        if not self.varies(offset.axes):
            return super().store(pointer, offset, value)
        value = e.splat(value, self.width)
        if self._whole_vector(offset):
            place = e.offset(pointer, self.scalar_index(offset), value.type)
            e.store(place, value, align=self._bytes(value.type.nbytes))
            return None
        base, index = self.places(pointer, offset, value.type)
        for lane in range(self.width):
            e.store(e.offset(base, self._lane(index, lane), value.type), e.extract(value, lane))
        return None


def decomposed(x: Expressions, number: Reg, axes: tuple[Axis, ...] | list[Axis], lanes: int = 1) -> None:
    """Sets the axes from the number of a step through all of them, the last one counting fastest, by `lanes`."""
    e, total = x.e, 1
    for a in axes:
        total *= a.extent
    rest = e.convert(number, narrowest(0, max(total, 1)))
    for n, a in reversed(list(enumerate(axes))):
        extent, step = a.extent, 1
        if n == len(axes) - 1 and lanes > 1:
            extent, step = extent // lanes, lanes
        value = rest
        if n:
            value, rest = _remainder(x, rest, extent)
        x.axis_values[a] = e.mul(value, step)


def _remainder(x: Expressions, value: Reg, by: int) -> tuple[Reg, Reg]:
    """(remainder, quotient) of what is never negative."""
    e = x.e
    unsigned = e.bitcast(value, unsigned_integer(value.type.bits))
    quotient = e.div(unsigned, by)
    return e.bitcast(e.sub(unsigned, e.mul(quotient, by)), value.type), e.bitcast(quotient, value.type)
