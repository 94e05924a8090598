"""Pull: the expression of one element of a value. Layout ops only change the index on the way down; nothing is copied.

A `Puller` belongs to one kernel under construction. What it may look through is decided by `member(var)` (computed in this kernel)
and `inlined` eqns (done again wherever they are used); everything else is loaded from memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ..ir.graph import OPS, Atom, Eqn, Literal, Op, Rules, Var
from ..ir.types import BOOL, I64, DType
from .affine import Affine, Runtime, linear, split
from .expression import Apply, Const, Index, Inside, Load, Node

LayoutIndex = tuple[Affine, ...]


class Unfusable(Exception):
    """This value cannot be computed inside the kernel that asked for it."""


class Puller:
    """Makes nodes; the same node twice is the same object."""

    def __init__(self, definition: Callable[[Var], Eqn | None], resolve: Callable[[Puller, Var, LayoutIndex], Node | None]) -> None:
        self.definition, self.resolve = definition, resolve
        self.nodes: dict[Any, Node] = {}
        self.memo: dict[Any, Node] = {}

    # -- making nodes

    def const(self, value: Any, dtype: DType) -> Node:
        return self._one(("const", dtype.numpy.type(value).tobytes(), dtype), lambda: Const(dtype.numpy.type(value), dtype))

    def _one(self, key: Any, make: Callable[[], Node]) -> Node:
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = make()
        return node

    def apply(self, op_name: str, *args: Node, dtype: DType | None = None, params: Mapping[str, Any] | None = None) -> Node:
        dtype, params = dtype or args[-1].dtype, params or {}
        key = ("apply", op_name, tuple(map(id, args)), dtype, *sorted(params.items()))
        return self._one(key, lambda: Apply(OPS[op_name], params, args, dtype))

    def load(self, var: Var, index: LayoutIndex, guard: Node | None) -> Node:
        offset = linear(index, var.type.shape)
        return self._one(("load", var, offset, id(guard)), lambda: Load(var, offset, guard))

    def index(self, index: Affine, dtype: DType) -> Node:
        return self._one(("index", index, dtype), lambda: Index(index, dtype))

    def inside(self, index: Affine, low: int, high: int, step: int = 1) -> Node | None:
        """Whether low <= index < high (and step divides index - low); None where that always holds."""
        least, most = index.range
        lo, hi = (None if least >= low else low), (None if most < high else high)
        if lo is None and hi is None and step == 1:
            return None
        return self._one(("inside", index, lo, hi, step), lambda: Inside(index, lo, hi, step))

    def both(self, a: Node | None, b: Node | None) -> Node | None:
        return b if a is None else a if b is None or a is b else self.apply("and", a, b, dtype=BOOL)

    # -- pulling

    def pull(self, atom: Atom, index: LayoutIndex, guard: Node | None = None) -> Node:
        """The element of a value at an index. Where `guard` does not hold any result will do, but memory must not be touched."""
        if isinstance(atom, Literal):
            return self.const(atom.value, atom.type.dtype)
        key = (atom, index, id(guard))
        node = self.memo.get(key)
        if node is None:
            node = self.resolve(self, atom, index)
            if node is None:
                eqn = self.definition(atom)
                node = self.load(atom, index, guard) if eqn is None else self.expand(eqn, index, guard)
            self.memo[key] = node
        return node

    def expand(self, eqn: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
        """An equation's element in terms of its operands' elements."""
        if eqn.op.traits.barrier:
            return self.pull(eqn.inputs[0], index, guard)
        if eqn.op.kind == "elementwise":
            args = [self.pull(a, () if isinstance(a, Literal) else index, guard) for a in eqn.inputs]
            return self.apply(eqn.op.name, *args, dtype=eqn.outputs[0].type.dtype, params=eqn.params)
        rule = PULL.get(eqn.op)
        if rule is None:
            raise Unfusable(eqn.op.name)
        return rule(self, eqn, index, guard)


def _broadcast(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, dims = e.inputs[0], e.params["dims"]
    return p.pull(x, tuple(index[d] if n != 1 else Affine(0) for d, n in zip(dims, x.type.shape, strict=True)), guard)


def _reshape(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    shape = e.inputs[0].type.shape
    return p.pull(e.inputs[0], reshaped_index(index, e.params["shape"], shape), guard)


def reshaped_index(index: LayoutIndex, shape: tuple[int, ...], source: tuple[int, ...]) -> LayoutIndex:
    """The index into `source` of the element at `index` of `shape`; axes of size 1 come and go without arithmetic."""
    kept = [(i, n) for i, n in zip(index, shape, strict=True) if n != 1]
    if [n for _, n in kept] == [n for n in source if n != 1]:
        found = iter(i for i, _ in kept)
        return tuple(Affine(0) if n == 1 else next(found) for n in source)
    return split(linear(index, shape), source)


def _transpose(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    order = e.params["permutation"]
    return p.pull(e.inputs[0], tuple(index[order.index(i)] for i in range(len(order))), guard)


def _reverse(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, axes = e.inputs[0], e.params["axes"]
    turned = tuple(i * -1 + (n - 1) if k in axes else i for k, (i, n) in enumerate(zip(index, x.type.shape, strict=True)))
    return p.pull(x, turned, guard)


def _slice(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    start, strides = e.params["start"], e.params["strides"]
    return p.pull(e.inputs[0], tuple(i * s + a for i, s, a in zip(index, strides, start, strict=True)), guard)


def _windows(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    places, inside = index[: e.inputs[0].type.rank], index[e.inputs[0].type.rank :]
    strides, dilation = e.params["strides"], e.params["dilation"]
    found = tuple(i * s + k * d for i, k, s, d in zip(places, inside, strides, dilation, strict=True))
    return p.pull(e.inputs[0], found, guard)


def _pad(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    (x, value), source, inside = e.inputs, [], None
    for i, n, (low, _, interior) in zip(index, x.type.shape, e.params["padding"], strict=True):
        step, at = interior + 1, i + -low
        inside = p.both(inside, p.inside(at, 0, (n - 1) * step + 1 if n else 0, step))
        source.append(at // step)
    if 0 in x.type.shape:
        return p.pull(value, (), guard)
    inner = p.pull(x, tuple(source), p.both(guard, inside))
    return inner if inside is None else p.apply("select", inside, inner, p.pull(value, (), guard))


def _concatenate(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    axis = e.params["axis"]
    low, high = index[axis].range
    out, start = None, 0
    pieces = []
    for x in e.inputs:
        n = x.type.shape[axis]
        if n and start <= high and start + n > low:
            pieces.append((x, start, n))
        start += n
    for x, start, n in pieces:
        shifted = index[axis] + -start
        inside = p.inside(shifted, 0, n)
        inner = p.pull(x, (*index[:axis], shifted, *index[axis + 1 :]), p.both(guard, inside))
        out = inner if out is None or inside is None else p.apply("select", inside, inner, out)
    if out is None:  # asked for at places outside alone, where a pad around it puts its own value
        return p.const(0, e.outputs[0].type.dtype)
    return out


def _iota(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    return p.index(index[e.params["axis"]], e.params["dtype"])


def _convert_index(p: Puller, node: Node) -> Node:
    if node.dtype == I64:
        return node
    return p.apply("convert_element_type", node, params={"dtype": I64}, dtype=I64)


def held_index(p: Puller, atom: Atom, index: LayoutIndex, high: int, guard: Node | None) -> Affine:
    """An index that the program computes, held between 0 and `high`."""
    if isinstance(atom, Literal):
        return Affine(min(max(int(atom.value), 0), high))
    node = _convert_index(p, p.pull(atom, index, guard))
    held = p.apply("min", p.apply("max", node, p.const(0, I64)), p.const(high, I64))
    return Affine(0, {Runtime(held, 0, high): 1})


def _dynamic_slice(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, *starts = e.inputs
    sizes = e.params["sizes"]
    moved = tuple(i + held_index(p, s, (), n - m, guard) for i, s, n, m in zip(index, starts, x.type.shape, sizes, strict=True))
    return p.pull(x, moved, guard)


def _dynamic_update_slice(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, update, *starts = e.inputs
    inside, moved = None, []
    if 0 in update.type.shape:
        return p.pull(x, index, guard)
    for i, s, n, m in zip(index, starts, x.type.shape, update.type.shape, strict=True):
        at = i + held_index(p, s, (), n - m, guard) * -1
        least, most = at.range
        if most < 0 or least >= m:
            return p.pull(x, index, guard)
        inside = p.both(inside, p.inside(at, 0, m))
        moved.append(at)
    new = p.pull(update, tuple(moved), p.both(guard, inside))
    return new if inside is None else p.apply("select", inside, new, p.pull(x, index, guard))


def _gather(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, indices = e.inputs
    axes, batch = e.params["axes"], e.params["batch"]
    outer = indices.type.rank - 1
    whole = iter(index[outer:])
    inside = None
    source: list[Affine] = list(index[:batch])
    for i in range(batch, x.type.rank):
        if i not in axes:
            source.append(next(whole))
            continue
        place = (*index[:outer], Affine(axes.index(i)))
        n = x.type.shape[i]
        if e.params["mode"] == "fill":
            raw = _convert_index(p, p.pull(indices, place, guard))
            zero, top = p.const(0, I64), p.const(n, I64)
            fits = p.apply("and", p.apply("ge", raw, zero, dtype=BOOL), p.apply("lt", raw, top, dtype=BOOL), dtype=BOOL)
            inside = p.both(inside, fits)
        source.append(held_index(p, indices, place, max(n - 1, 0), guard))
    if 0 in x.type.shape:
        return p.const(0, x.type.dtype)
    found = p.pull(x, tuple(source), guard)
    return found if inside is None else p.apply("select", inside, found, p.const(0, x.type.dtype))


SMALL_REDUCTION = 8
"""A reduction over at most this many elements is written out where it is used."""


def is_small_reduction(e: Eqn) -> bool:
    if e.op.kind != "reduce":
        return False
    count = 1
    for a in e.params["axes"]:
        count *= e.inputs[0].type.shape[a]
    return 0 < count <= SMALL_REDUCTION


def small_reduction(p: Puller, e: Eqn, index: LayoutIndex, guard: Node | None) -> Node:
    x, axes = e.inputs[0], e.params["axes"]
    combine = e.op.traits.combine
    total: Node | None = None
    for place in itertools.product(*[range(x.type.shape[a]) for a in axes]):
        fixed = dict(zip(axes, place, strict=True))
        rest = iter(index)
        at = tuple(Affine(fixed[i]) if i in fixed else next(rest) for i in range(x.type.rank))
        term = p.pull(x, at, guard)
        total = term if total is None else p.apply(combine, total, term)
    assert total is not None
    return total


PULL: Rules[Callable[[Puller, Eqn, LayoutIndex, Node | None], Node]] = Rules(
    "pulling",
    {
        "broadcast": _broadcast, "reshape": _reshape, "transpose": _transpose, "reverse": _reverse, "slice": _slice,
        "windows": _windows, "pad": _pad,
        "concatenate": _concatenate, "iota": _iota, "dynamic_slice": _dynamic_slice,
        "dynamic_update_slice": _dynamic_update_slice, "gather": _gather,
    },
)  # fmt: skip
"""What an element of an op's result is; of elementwise ops it is the op of the operands' elements."""
PULL.of(*(op for op in OPS.values() if op.kind == "reduce"))(small_reduction)


def is_pulled(op: Op) -> bool:
    """Whether an element of the result can be said in terms of elements of the operands."""
    return op.kind == "elementwise" or op in PULL
