"""Expressions of a kernel (kernels/expression.py) emitted as vectors: each node once, in the outermost loop that has its axes.

The loops around an expression are the target's business: it says what each axis' register is, which one is vectorised, and opens a
scope a loop. Next on the path: `cpu/loops/kernel.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..ir.graph import Var
from ..ir.types import BOOL, I32, I64, U8, DType, unsigned_integer
from ..kernels.affine import Affine, Axis, Div, Mod, Runtime, axes_of_atom
from ..kernels.expression import Apply, Const, Index, Inside, Load, Node, Reduced, walk
from ..ops.arithmetic import select
from .emitter import Emitter
from .llvm_text import Reg
from .numba_scalar import call_scalar, scalar_function


class Expressions:
    """Emits nodes at the current place in the code."""

    most_together = 4
    """Of so many elements side by side all are read, where each so manieth is asked for."""

    def __init__(self, e: Emitter, width: int) -> None:
        self.e, self.width = e, width
        self.axis_values: dict[Axis, Reg | int] = {}
        self.vector_axis: Axis | None = None
        self.aligned = False
        """Whether the vector axis is at a multiple of the width."""
        self.mask: Reg | None = None
        self.pointers: dict[Var, Reg] = {}
        self.scopes: list[dict[Any, Reg]] = [{}]
        self.cache: dict[int, tuple[Reg, Affine, int]] = {}
        """Nodes kept in a row's scratch memory: (memory, place in it, the stage that writes it)."""
        self.stage = 0
        self.turned: dict[int, tuple[Reg, Affine]] = {}
        """Loads that were read along another axis: (memory, place in it of what they are along the vector axis)."""

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is emitted inside is not seen outside."""
        self.scopes.append({})
        yield
        self.scopes.pop()

    def known(self, key: Any) -> Reg | None:
        for scope in self.scopes[::-1]:
            if key in scope:
                return scope[key]
        return None

    def bind(self, node: Node, value: Reg) -> None:
        """Say what a node's value is here."""
        self.scopes[-1][id(node)] = value

    def hoist(self, roots: Sequence[Node], changing: Iterable[Axis]) -> None:
        """Emit here what does not vary along the axes of the loop that is about to begin."""
        moving = frozenset(changing)
        stack, seen = list(roots), set()
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if not node.axes & moving and node.stage <= self.stage:
                self.emit(node)
            elif not (id(node) in self.cache and self.cache[id(node)][2] < self.stage):
                stack += node.args

    def varies(self, axes: frozenset[Axis]) -> bool:
        return self.vector_axis is not None and self.vector_axis in axes

    def emit(self, root: Node) -> Reg:
        """The node's value: a vector where it varies along the vector axis, else a scalar."""
        found = self.known(id(root))
        if found is not None:
            return found
        stack = [root]
        while stack:
            node = stack[-1]
            if self.known(id(node)) is not None:
                stack.pop()
                continue
            held = self.cache.get(id(node))
            if held is not None and held[2] < self.stage:
                self.bind(node, self._from_scratch(node, *held[:2]))
                continue
            missing = [a for a in self._needed(node) if self.known(id(a)) is None]
            if missing:
                stack += missing
                continue
            value = self._emit(node)
            self.bind(node, value)
            if held is not None and held[2] == self.stage:
                self.e.store(self.e.offset(held[0], self.scalar_index(held[1]), node.dtype), self.e.splat(value, self.width))
        return self.known(id(root))  # type: ignore[return-value]

    def _needed(self, node: Node) -> Sequence[Node]:
        """The operands to emit next: of a choice the condition, then both sides, or the one that is known to be chosen."""
        if not isinstance(node, Apply) or node.op is not select:
            return node.args
        condition = self.known(id(node.args[0]))
        if condition is None:
            return node.args[:1]
        return node.args if condition.constant is None else (node.args[1 if condition.constant else 2],)

    def _from_scratch(self, node: Node, memory: Reg, place: Affine) -> Reg:
        return self.e.load(self.e.offset(memory, self.scalar_index(place), node.dtype), node.dtype, self.width)

    def _emit(self, node: Node) -> Reg:
        e = self.e
        if isinstance(node, Const):
            return e.const(node.value.item(), node.dtype)
        if isinstance(node, Load):
            return self._load(node)
        if isinstance(node, Apply):
            if node.op is select and len(chosen := self._needed(node)) == 1:
                return self.emit(chosen[0])
            args = [self.emit(a) for a in node.args]
            scalar = node.op.traits.scalar
            if scalar is not None:
                types, computed_in = tuple(a.type for a in args), node.op.traits.computed_in
                return call_scalar(e, scalar_function(scalar, types, node.dtype, computed_in), *args)
            if node.op.emit is None:
                raise AssertionError(f"{node.op.name} has neither an emission nor a scalar function")
            return node.op.emit(e, *args, **node.params)  # type: ignore[no-any-return]
        if isinstance(node, Index):
            return e.convert(self.index(node.index), node.dtype)
        if isinstance(node, Inside):
            return self._inside(node)
        raise AssertionError(f"{type(node).__name__} has no value here")

    def _inside(self, node: Inside) -> Reg:
        e, holds = self.e, None
        index = self._settled(node.index)
        low, high = index.range
        if not index.terms:
            inside = (node.low is None or node.low <= low) and (node.high is None or low < node.high)
            return e.const(inside and low % node.step == 0, BOOL)
        if all(isinstance(a, Axis) and factor % node.step == 0 for a, factor in index.terms.items()):
            step = 1
            if index.constant % node.step:
                return e.const(False, BOOL)
        else:
            step = node.step
        tests = [("ge", node.low)] if node.low is not None and low < node.low else []
        tests += [("lt", node.high)] if node.high is not None and high >= node.high else []
        if not tests and step == 1:
            return e.const(True, BOOL)
        value = self.index(index) if step < 2**31 else e.convert(self.index(index), I64)
        for predicate, bound in tests:
            test = e.compare(predicate, value, bound)
            holds = test if holds is None else e.and_(holds, test)
        if step > 1:
            test = e.compare("eq", e.rem(value, step), 0)
            holds = test if holds is None else e.and_(holds, test)
        assert holds is not None
        return holds

    def _settled(self, index: Affine) -> Affine:
        """An index with numbers in place of the axes whose steps are written out."""
        steps = {a: Affine(n) for a, n in self.axis_values.items() if isinstance(n, int) and a is not self.vector_axis}
        return index.substitute(steps) if steps and not steps.keys().isdisjoint(index.axes) else index

    # -- indices

    def index(self, index: Affine) -> Reg:
        """An index expression: an i64; where it varies along the vector axis a vector of i32, or of i64 if those are too small."""
        if not self.varies(index.axes):
            return self.scalar_index(index)
        return self.vector_index(index, narrowest(*index.range))

    def scalar_index(self, index: Affine) -> Reg:
        """With the vector axis at its first lane."""
        found = self.known(("scalar", index))
        if found is not None:
            return found
        e, constant, total = self.e, index.constant, None
        for atom, factor in index.terms.items():
            value = self._scalar_atom(atom)
            if isinstance(value, int):
                constant += factor * value
                continue
            term = value if factor == 1 else e.mul(value, factor)
            total = term if total is None else e.add(total, term)
        total = e.const(constant, I64) if total is None else e.add(total, constant) if constant else total
        self.scopes[-1]["scalar", index] = total
        return total

    def _scalar_atom(self, atom: Any) -> Reg | int:
        if isinstance(atom, Axis):
            return self.axis_values[atom]
        if isinstance(atom, Runtime):
            return self.e.extract(self.emit(atom.node), 0)
        value = self.scalar_index(atom.of)
        return self._divided(value, atom)

    def _divided(self, value: Reg, atom: Div | Mod) -> Reg:
        """Floor division and remainder; of what is never negative they are the unsigned ones."""
        e, by = self.e, atom.by
        if atom.of.range[0] >= 0:
            unsigned = e.bitcast(value, unsigned_integer(value.type.bits))
            result = e.div(unsigned, by) if isinstance(atom, Div) else e.rem(unsigned, by)
            return e.bitcast(result, value.type)
        remainder = e.rem(value, by)
        remainder = e.select(e.compare("lt", remainder, 0), e.add(remainder, by), remainder)
        return remainder if isinstance(atom, Mod) else e.div(e.sub(value, remainder), by)

    def vector_index(self, index: Affine, type: DType) -> Reg:
        found = self.known(("vector", index, type))
        if found is not None:
            return found
        e, axis = self.e, self.vector_axis
        linear = Affine(index.constant, {a: f for a, f in index.terms.items() if a is axis or not self.varies(axes_of_atom(a))})
        total = e.splat(e.convert(self.scalar_index(linear), type), self.width)
        if axis in linear.terms:
            total = e.add(total, self._lanes_apart(linear.terms[axis], type))
        for atom, factor in index.terms.items():
            if not isinstance(atom, Axis) and atom not in linear.terms:
                value = self._vector_atom(atom, type)
                total = e.add(total, value if factor == 1 else e.mul(value, factor))
        self.scopes[-1]["vector", index, type] = total
        return total

    def _lanes_apart(self, stride: int, type: DType) -> Reg:
        return self.e.lanes([lane * stride for lane in range(self.width)], type)

    def _vector_atom(self, atom: Runtime | Div | Mod, type: DType) -> Reg:
        e = self.e
        if isinstance(atom, Runtime):
            return e.convert(self.emit(atom.node), type)
        low, high = atom.of.range  # what is divided may need more bits than the quotient or the remainder
        inner = narrowest(low - atom.by if low < 0 else 0, max(high, atom.by))
        return e.convert(self._divided(self.vector_index(atom.of, inner), atom), type)

    # -- loads and stores

    def _factor(self, offset: Affine) -> int | None:
        """How far apart the places of neighbouring lanes are; None where that varies."""
        assert self.vector_axis is not None
        return offset.factor(self.vector_axis, self.width if self.aligned else 1)

    def _load(self, node: Load) -> Reg:
        e, pointer = self.e, self.pointers[node.source]
        guard = None if node.guard is None else self.emit(node.guard)
        if guard is not None and guard.constant is not None:
            if not guard.constant:
                return e.const(0, node.dtype)
            guard = None
        if id(node) in self.turned:
            return self._from_scratch(node, *self.turned[id(node)])
        if not self.varies(node.axes):
            return self._scalar_load(node, pointer, guard)
        mask = self.mask if guard is None else guard if self.mask is None else e.and_(guard, self.mask)
        mask = None if mask is None else e.splat(mask, self.width)
        factor = self._factor(node.offset) if self.vector_axis is not None else 0
        if factor == 1:
            return e.load(e.offset(pointer, self.scalar_index(node.offset), node.dtype), node.dtype, self.width, mask)
        if factor == -1 and self.width > 1:
            last = e.offset(e.offset(pointer, self.scalar_index(node.offset), node.dtype), 1 - self.width, node.dtype)
            return self._backwards(e.load(last, node.dtype, self.width, None if mask is None else self._backwards(mask)))
        if factor == 0 and not self.varies(node.offset.axes):
            value = e.splat(self._scalar_load(node, pointer, None if guard is None else e.any(guard)), self.width)
            return value if guard is None else e.select(guard, value, e.const(0, node.dtype))
        if factor is not None and 2 <= factor <= self.most_together and node.dtype != BOOL:
            offset = node.offset.substitute({a: Affine(n) for a, n in self.axis_values.items() if isinstance(n, int)})
            if self._take_turns(node, offset, factor):
                return self._one_of_few(node, offset, factor, pointer, mask)
        return e.gather(*self.places(pointer, node.offset, node.dtype), node.dtype, mask)

    def _backwards(self, x: Reg) -> Reg:
        return self.e.shuffle(x, x, range(self.width - 1, -1, -1))

    def _take_turns(self, node: Load, offset: Affine, count: int) -> bool:
        """Whether a load of every second, third or fourth element may read all of them: it is one of so many side by side, the
        first of which is at a multiple of their number.
        """
        whole = all(isinstance(a, Axis) and f % count == 0 for a, f in offset.terms.items())
        return whole and node.source.type.size % count == 0

    def _one_of_few(self, node: Load, offset: Affine, count: int, pointer: Reg, mask: Reg | None) -> Reg:
        """Vectors read as they lie in memory, and every so manieth lane of all."""
        e, width, which = self.e, self.width, offset.constant % count
        base = offset + -which
        key = ("together", node.source, base, None if mask is None else mask.text)
        every = self.known(key)
        if every is None:
            mask = None if mask is None else e.shuffle(mask, mask, [lane // count for lane in range(count * width)])
            every = e.load(e.offset(pointer, self.scalar_index(base), node.dtype), node.dtype, count * width, mask)
            self.scopes[-1][key] = every
        return e.shuffle(every, every, [count * lane + which for lane in range(width)])

    def places(self, pointer: Reg, offset: Affine, dtype: DType) -> tuple[Reg, Reg]:
        """Where the lanes of a vector lie: an address, and indices from there. Of lanes equally far apart these are constants."""
        stride = None if self.vector_axis is None else self._factor(offset)
        if stride is None:
            return pointer, self.index(offset)
        first = self.e.offset(pointer, self.scalar_index(offset), dtype)
        return first, self._lanes_apart(stride, narrowest(*sorted((0, stride * (self.width - 1)))))

    def _scalar_load(self, node: Load, pointer: Reg, guard: Reg | None) -> Reg:
        """Where the guard does not hold, the first element is read in place of one that may not exist, and not used."""
        e, offset = self.e, self.scalar_index(node.offset)
        if guard is None:
            return e.load(e.offset(pointer, offset, node.dtype), node.dtype)
        value = e.load(e.offset(pointer, e.select(guard, offset, e.const(0, offset.type)), node.dtype), node.dtype)
        return e.select(guard, value, e.const(0, node.dtype))

    def store(self, pointer: Reg, offset: Affine, value: Reg) -> None:
        """One store of a finished vector (or scalar, where the place does not vary along the vector axis)."""
        e = self.e
        if not self.varies(offset.axes):
            e.store(e.offset(pointer, self.scalar_index(offset), value.type), e.extract(value, 0))
            return
        value = e.splat(value, self.width)
        if self.vector_axis is not None and self._factor(offset) == 1:
            e.store(e.offset(pointer, self.scalar_index(offset), value.type), value, self.mask)
        else:
            e.scatter(*self.places(pointer, offset, value.type), value, self.mask)

    def store_interleaved(self, pointer: Reg, offset: Affine, values: Sequence[Reg], masks: Sequence[Reg | None]) -> None:
        """Vectors whose lanes take turns in memory, from `offset` on, each under its mask."""
        e, width = self.e, self.width
        vectors = [e.splat(e.convert(v, U8) if v.type == BOOL else v, width) for v in values]
        mask = None
        if any(m is not None for m in masks):
            mask = _interleaved(e, [e.const(True, BOOL, width) if m is None else e.splat(m, width) for m in masks], width)
        e.store(e.offset(pointer, self.scalar_index(offset), vectors[0].type), _interleaved(e, vectors, width), mask)


def _interleaved(e: Emitter, vectors: Sequence[Reg], width: int) -> Reg:
    """One vector of the lanes of two to four: the first of each, the second of each, and so on."""
    count = len(vectors)
    first, second = vectors[0], vectors[1]
    if count > 2:
        first, second = (e.shuffle(a, b, range(2 * width)) for a, b in ((first, second), (vectors[2], vectors[-1])))
    return e.shuffle(first, second, [lane // count + width * (lane % count) for lane in range(count * width)])


def narrowest(low: int, high: int) -> DType:
    """The type that lanes of an index between two bounds have. Sums and products of terms that exceed it wrap, and wrap back."""
    return I32 if -(2**31) <= low and high < 2**31 else I64


def total_cost(roots: Sequence[Node]) -> float:
    """What one element costs, nodes that are shared counted once."""
    return sum((n.cost - sum(a.cost for a in n.args) for n in walk(roots)), 0.0)


def reduced_nodes(roots: Sequence[Node]) -> list[Reduced]:
    """The nodes that stand for results of the kernel's own reductions."""
    return [n for n in walk(roots) if isinstance(n, Reduced)]
