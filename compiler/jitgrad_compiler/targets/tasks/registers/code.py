"""Register code: a Graph of small values emitted element by element, its loops and branches as native ones, carries in registers.

An array is a NumPy array of registers, so layout ops are NumPy's own, done to numbers of elements. At width 1 a program runs as
scalar code. At more, every register is a chunk of rows (or one number that they share): a loop goes on while a row of the chunk
does, under a mask; a branch is jumped over where no row takes it. control.py has the loops; next on the path: kernel.py.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ....ir.graph import OPS, Atom, Eqn, Graph, Literal, Rules, Var
from ....ir.types import BOOL, I64, U8, ArrayType, DType
from ....ops.contraction import dot_general
from ...combining import beats, joined
from ...emitter import Emitter
from ...llvm_text import Reg
from ...numba_scalar import call_scalar, scalar_function
from ..kernel_table import KernelTable
from ..polling import poll, stopped
from .in_memory import Stored, Tape, filled, free_record, new_record
from .products import Products

Held = Any
"""A value of register code: a NumPy array of registers, a Stored or a Tape."""


class Slot(NamedTuple):
    """A register that changes from step to step."""

    pointer: Reg
    type: DType
    width: int


class Registers:
    """Emits graphs into one function of the kernel whose table this is. `mask` says which lanes are at work; None means all."""

    def __init__(self, e: Emitter, width: int, table: KernelTable) -> None:
        self.e, self.width, self.table, self.state = e, width, table, table.state(e, e.args[0])
        self.mask: Reg | None = None
        self.quit = e.fresh("quit")
        self.places: dict[Any, Stored | Tape] = {}
        """Where stacked results go that are the kernel's own."""
        self.products = Products() if e.module.contracts else None
        self._records: list[Reg] = []

    def site(self, eqn: Eqn) -> Reg:
        """Where an equation calls Python."""
        return self.table.site(self.e, self.e.args[0], eqn)

    def finish(self) -> None:
        """The end of the function, where an interrupted loop jumps to."""
        self.e.branch(self.quit)
        self.e.label(self.quit)
        for r in self._records:
            free_record(self.e, r)
        self.e.finish()

    def poll(self) -> None:
        """Look whether the program is to stop, and leave the function if so."""
        self._leave_if(poll(self.e, self.state))

    def leave_if_stopped(self) -> None:
        self._leave_if(stopped(self.e, self.state))

    def _leave_if(self, stop: Reg) -> None:
        go = self.e.fresh("go")
        self.e.branch_if(stop, self.quit, go)
        self.e.label(go)

    def record(self) -> Reg:
        """The record of a tape that lives as long as the function runs."""
        self._records.append(new_record(self.e))
        return self._records[-1]

    # -- equations

    def run(self, graph: Graph, values: Sequence[Held]) -> list[Held]:
        env: dict[Var, Held] = dict(zip(graph.inputs, values, strict=True))
        uses = Counter([*[a for e in graph.eqns for a in e.inputs], *graph.outputs])

        def read(a: Atom) -> Held:
            return self.constant(a) if isinstance(a, Literal) else env[a]

        for e in graph.eqns:
            env.update(zip(e.outputs, self.equation(e, [read(a) for a in e.inputs], uses), strict=True))
        return [read(a) for a in graph.outputs]

    def constant(self, a: Literal) -> Any:
        return self.one(self.e.const(a.value.item(), a.type.dtype))

    def one(self, r: Reg) -> Any:
        """A scalar."""
        return filled((), [r])

    def constant_number(self, number: int) -> Any:
        return self.one(self.e.const(number, I64))

    def equation(self, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
        if e.op.kind == "elementwise":
            return self.elementwise(e, args, uses)
        rule = REGISTER_RULES.get(e.op)
        if rule is not None:
            made = rule(self, e, args, uses)
            if self.products is not None and (e.op.kind == "reduce" or e.op is dot_general):
                read = [r for a in args for r in self.regs(a).flat]
                for r in made[0].flat:
                    self.products.note(e, r, read, False)
            return made
        return [self._layout(e, args)]

    def elementwise(self, e: Eqn, args: list[Held], uses: Mapping[Atom, int]) -> Sequence[Held]:
        out = e.outputs[0].type
        held = [self.regs(a) for a in args]
        spread = [(a if a.shape == out.shape else np.broadcast_to(a, out.shape)).reshape(-1) for a in held]
        alone = uses[e.outputs[0]] == 1
        return [filled(out.shape, [self._operation(e, out.dtype, [a[k] for a in spread], alone) for k in range(out.size)])]

    def _operation(self, e: Eqn, dtype: DType, args: list[Reg], alone: bool) -> Reg:
        """One element; `alone` says whether one equation reads it, once."""
        scalar, name, products = e.op.traits.scalar, e.op.name, self.products
        if scalar is not None:
            types = tuple(a.type for a in args)
            return call_scalar(self.e, scalar_function(scalar, types, dtype, e.op.traits.computed_in), *args)
        fused = None
        if products is not None and name in ("add", "sub") and dtype.is_float:
            fused = products.fused(self.e, name, *args)
        if fused is not None:
            return fused
        made: Reg = e.op.emit(self.e, *args, **e.params)  # type: ignore[misc]
        if products is not None:
            products.note(e, made, args, alone)
        return made

    def _layout(self, e: Eqn, args: list[Held]) -> Any:
        """An op that only moves elements, done to their numbers."""
        return self.moved([self.regs(a) for a in args], lambda *numbers: e.op.numpy(*numbers, **e.params), e.outputs[0].type)

    def moved(self, arrays: Sequence[Any], move: Callable[..., Any], type: ArrayType) -> Any:
        flat = [r for a in arrays for r in a.flat]
        starts = itertools.accumulate([0, *[a.size for a in arrays]])
        numbers = [np.arange(s, s + a.size).reshape(a.shape) for s, a in zip(starts, arrays, strict=False)]
        return filled(type.shape, [flat[n] for n in np.broadcast_to(move(*numbers), type.shape).flat])

    # -- values

    def regs(self, value: Held) -> Any:
        """A value as registers."""
        return value.elements(self.e) if isinstance(value, Stored) else value

    def spilled(self, value: Held, dtype: DType) -> Stored:
        """A value as memory, to be read at computed places."""
        if isinstance(value, Stored):
            return value
        wide = any(r.width > 1 for r in value.flat)
        width = self.width if wide else 1
        room = self.e.alloca(U8 if dtype == BOOL else dtype, width, max(value.size, 1))
        held = Stored(room, ArrayType(value.shape, dtype), width, 1 if wide else 0, width)
        held.write(self.e, value)
        return held

    def slots(self, value: Any, dtype: DType, wide: bool) -> Any:
        """Slots that hold a value at first."""
        width = self.width if wide else 1
        made = filled(value.shape, [Slot(self.e.alloca(dtype, width), dtype, width) for _ in range(value.size)])
        self.assign(made, value)
        return made

    def fresh_slots(self, type: ArrayType, wide: bool) -> Any:
        width = self.width if wide else 1
        return filled(type.shape, [Slot(self.e.alloca(type.dtype, width), type.dtype, width) for _ in range(type.size)])

    def assign(self, slots: Any, value: Any, mask: Reg | None = None) -> None:
        """New contents; under a mask only its lanes change."""
        e = self.e
        for slot, r in zip(slots.flat, value.flat, strict=True):
            new = e.splat(r, slot.width)
            if mask is not None and slot.width > 1:
                new = e.select(mask, new, e.get(slot.pointer, slot.type, slot.width))
            e.set(slot.pointer, new)

    def contents(self, slots: Any) -> Any:
        return filled(slots.shape, [self.e.get(*slot) for slot in slots.flat])

    def inside(self, mask: Reg | None) -> Reg | None:
        """The lanes at work that are also in another mask."""
        return self.mask if mask is None else mask if self.mask is None else self.e.and_(self.mask, mask)


# -- rules of the ops that are no control flow


def _reduce(x: Registers, e: Eqn, args: list[Held]) -> Any:
    """Combined one element after another."""
    value, axes, out = x.regs(args[0]), e.params["axes"], e.outputs[0].type
    kept = [a for a in range(value.ndim) if a not in axes]
    columns = value.transpose([*kept, *axes]).reshape(out.size, -1)
    made = []
    for column in columns:
        total = column[0]
        for r in column[1:]:
            total = joined(x.e, e.op.traits.combine, total, r)
        made.append(total)
    return filled(out.shape, made)


def _argreduce(x: Registers, e: Eqn, args: list[Held]) -> Any:
    value, out = x.regs(args[0]), e.outputs[0].type
    columns = np.moveaxis(value, e.params["axis"], -1).reshape(out.size, -1)
    made = []
    for column in columns:
        best, place = column[0], x.e.const(0, out.dtype)
        for n, r in enumerate(column[1:], 1):
            better = beats(x.e, e.op.name, r, best)
            best, place = x.e.select(better, r, best), x.e.select(better, x.e.const(n, out.dtype), place)
        made.append(place)
    return filled(out.shape, made)


def _contract(x: Registers, e: Eqn, args: list[Held]) -> Any:
    (cx, cy), (bx, by) = e.params["dims"]
    left, right = map(x.regs, args)
    fx = [a for a in range(left.ndim) if a not in cx and a not in bx]
    fy = [a for a in range(right.ndim) if a not in cy and a not in by]
    batch, depth = [left.shape[a] for a in bx], int(np.prod([left.shape[a] for a in cx], dtype=int))
    b = int(np.prod(batch, dtype=int))
    left = left.transpose([*bx, *fx, *cx]).reshape(b, -1, depth)
    right = right.transpose([*by, *fy, *cy]).reshape(b, -1, depth)
    out = e.outputs[0].type
    made = [_dot(x.e, rows, columns, out.dtype) for n in range(b) for rows in left[n] for columns in right[n]]
    return filled(out.shape, made)


def _dot(e: Emitter, a: Any, b: Any, dtype: DType) -> Reg:
    if not len(a):
        return e.const(0, dtype)
    total = e.mul(a[0], b[0])
    for p, q in zip(a[1:], b[1:], strict=True):
        total = e.fma(p, q, total) if dtype.is_float else e.add(total, e.mul(p, q))
    return total


def _start(e: Emitter, start: Reg, high: int) -> Reg:
    return e.within(e.convert(start, I64), high)


def _dynamic_slice(x: Registers, e: Eqn, args: list[Held]) -> Any:
    source, sizes = e.inputs[0].type, e.params["sizes"]
    memory = x.spilled(args[0], source.dtype)
    first, strides = x.e.const(0, I64), _strides(source.shape)
    for s, n, m, stride in zip(args[1:], source.shape, sizes, strides, strict=True):
        first = x.e.add(first, x.e.mul(_start(x.e, s.flat[0], n - m), stride))
    offsets = [sum(i * s for i, s in zip(at, strides, strict=True)) for at in np.ndindex(*sizes)]
    return filled(sizes, [memory.load(x.e, x.e.add(first, offset)) for offset in offsets])


def _strides(shape: tuple[int, ...]) -> list[int]:
    strides, total = [], 1
    for n in reversed(shape):
        strides.append(total)
        total *= n
    return strides[::-1]


def _dynamic_update_slice(x: Registers, e: Eqn, args: list[Held]) -> Any:
    """Every place the window may have, chosen by where it is."""
    value, update = x.regs(args[0]), x.regs(args[1])
    starts = [_start(x.e, s.flat[0], n - m) for s, n, m in zip(args[2:], value.shape, update.shape, strict=True)]
    out = value
    for place in np.ndindex(*[n - m + 1 for n, m in zip(value.shape, update.shape, strict=True)]):
        here = x.e.const(True, BOOL)
        for s, p in zip(starts, place, strict=True):
            here = x.e.and_(x.e.compare("eq", s, p), here)
        moved = x.moved([value, update], lambda v, u, p=place: e.op.numpy(v, u, *p), e.outputs[0].type)
        out = filled(out.shape, [
            was if new is old else x.e.select(here, new, was)
            for new, old, was in zip(moved.flat, value.flat, out.flat, strict=True)
        ])  # fmt: skip
    return out


def _gather(x: Registers, e: Eqn, args: list[Held]) -> Any:
    source, indices = e.inputs[0].type, x.regs(args[1])
    axes, batch = e.params["axes"], e.params["batch"]
    memory, strides = x.spilled(args[0], source.dtype), _strides(source.shape)
    whole = [a for a in range(batch, source.rank) if a not in axes]
    outer = indices.ndim - 1
    em = x.e
    made = []
    for at in np.ndindex(*e.outputs[0].type.shape):
        constant = sum(at[a] * strides[a] for a in range(batch))
        constant += sum(at[outer + k] * strides[a] for k, a in enumerate(whole))
        place, fits = em.const(constant, I64), None
        for k, a in enumerate(axes):
            raw = em.convert(indices[(*at[:outer], k)], I64)
            place = em.add(place, em.mul(_start(em, raw, source.shape[a] - 1), strides[a]))
            if e.params["mode"] == "fill":
                test = em.and_(em.compare("ge", raw, 0), em.compare("lt", raw, source.shape[a]))
                fits = test if fits is None else em.and_(fits, test)
        found = memory.load(em, place)
        made.append(found if fits is None else em.select(fits, found, em.const(0, source.dtype)))
    return filled(e.outputs[0].type.shape, made)


Rule = Callable[[Registers, Eqn, list[Held], Mapping[Atom, int]], Sequence[Held]]


def _one(rule: Callable[[Registers, Eqn, list[Held]], Any]) -> Rule:
    return lambda x, e, args, uses: [rule(x, e, args)]


REGISTER_RULES: Rules[Rule] = Rules(
    "register code",
    {
        "argmax": _one(_argreduce), "argmin": _one(_argreduce), "dot_general": _one(_contract), "gather": _one(_gather),
        "dynamic_slice": _one(_dynamic_slice), "dynamic_update_slice": _one(_dynamic_update_slice),
        "iota": lambda x, e, args, uses: [
            filled(e.outputs[0].type.shape, [x.e.const(n.item(), e.params["dtype"]) for n in e.op.numpy(**e.params).flat])
        ],
    },
)  # fmt: skip
"""How ops are emitted; control.py adds loops and branches. Elementwise ops are done to each element; every other op that can be in
registers only moves them.
"""
REGISTER_RULES.of(*(op for op in OPS.values() if op.kind == "reduce"))(_one(_reduce))
