"""The Rewriter of windows and convolutions, which knows what made a value and how that lies in memory, and what they are made of.

Next on the path: windowed.py and convolutions.py, whose rules WRITTEN has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ir.graph import Atom, Eqn, Graph, Literal, Rules, Var
from .rewrite import Rewriter

MOST_WRITTEN_OUT = 32
"""Elements of a window that are compared, or multiplied, one by one, as slices of the array."""


class Writer(Rewriter):
    """A Rewriter that knows what made a value."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.made_by: dict[Var, Eqn] = {}
        self.source: Any = None
        self.tiled = True
        """Whether convolutions may go tile by tile."""
        self.halves = False
        """Whether arrays of 16 bits lie in memory as such."""

    def emit(self, op: str, inputs: Sequence[Atom], params: Mapping[str, Any], source: Any) -> Var:
        out = super().emit(op, inputs, params, source)
        self.made_by[out] = self.eqns[-1]
        return out

    def keep(self, e: Eqn, inputs: Sequence[Atom]) -> None:
        super().keep(e, inputs)
        self.made_by.update((v, self.eqns[-1]) for v in e.outputs)

    def op(self, name: str, *inputs: Atom, **params: Any) -> Var:
        return self.emit(name, inputs, params, self.source)

    def transposed(self, x: Atom, order: Sequence[int]) -> Atom:
        return x if list(order) == list(range(len(order))) else self.op("transpose", x, permutation=tuple(order))

    def reshaped(self, x: Atom, shape: tuple[int, ...]) -> Atom:
        return x if x.type.shape == shape else self.op("reshape", x, shape=shape)

    def strides(self, x: Atom) -> tuple[int, ...]:
        """How far apart in memory the elements along each axis are; of axes of one element 0."""
        e = self.made_by.get(x) if isinstance(x, Var) else None
        if e is not None and e.op.name == "transpose":
            inner = self.strides(e.inputs[0])
            return tuple(inner[p] for p in e.params["permutation"])
        if e is not None and e.op.name == "reshape":
            found = _reshaped_strides(e.inputs[0].type.shape, self.strides(e.inputs[0]), x.type.shape)
            if found is not None:
                return found
        if e is not None and e.op.name == "slice" and set(e.params["strides"]) == {1}:
            return tuple(0 if n == 1 else s for n, s in zip(x.type.shape, self.strides(e.inputs[0]), strict=True))
        return row_major(x.type.shape)


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(0 if n == 1 else step)
        step *= n
    return tuple(reversed(steps))


def _reshaped_strides(shape: tuple[int, ...], strides: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...] | None:
    """Strides after a reshape that cuts axes into several, or adds and removes axes of one element; None where it joins axes."""
    out: list[int] = []
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    rest = list(target)
    for n, s in axes:
        group: list[int] = []
        while math.prod(group) != n:
            if not rest or math.prod(group) > n:
                return None
            group.append(rest.pop(0))
        steps = [s * math.prod(group[i + 1 :]) for i in range(len(group))]
        out += [0 if m == 1 else step for m, step in zip(group, steps, strict=True)]
    return (*out, *[0] * len(rest)) if math.prod(rest) == 1 else None


def every(r: Writer, x: Atom, axis: int, first: int, step: int) -> Atom:
    """Every step-th element along an axis."""
    start, strides, limit = [0] * x.type.rank, [1] * x.type.rank, list(x.type.shape)
    start[axis], strides[axis] = min(first, limit[axis]), step
    return r.op("slice", x, start=tuple(start), limit=tuple(limit), strides=tuple(strides))


def part(r: Writer, x: Atom, axis: int, first: int, size: int) -> Atom:
    """So many elements along an axis."""
    start, limit = [0] * x.type.rank, list(x.type.shape)
    start[axis], limit[axis] = first, first + size
    return r.op("slice", x, start=tuple(start), limit=tuple(limit), strides=(1,) * x.type.rank)


def cut(r: Writer, x: Atom, axis: int, size: int) -> Atom:
    return part(r, x, axis, 0, size)


def shrunk(r: Writer, x: Atom, padding: Sequence[tuple[int, int, int]]) -> Atom:
    """What is left of an array whose padding is negative."""
    if all(p == (0, 0, 0) for p in padding):
        return x
    start = tuple(-low for low, _, _ in padding)
    limit = tuple(n + high for n, (_, high, _) in zip(x.type.shape, padding, strict=True))
    return r.op("slice", x, start=start, limit=limit, strides=(1,) * x.type.rank)


def padded(r: Writer, x: Atom, number: int, padding: Sequence[tuple[int, int, int]]) -> Atom:
    if all(p == (0, 0, 0) for p in padding):
        return x
    return r.op("pad", x, like(x, number), padding=tuple(padding))


def like(x: Atom, value: int) -> Literal:
    return Literal(x.type.dtype.numpy.type(value), x.type.dtype)


def joined(r: Writer, combine: str, terms: list[Atom]) -> Atom:
    """By a tree, so that a sum is as accurate as others."""
    while len(terms) > 1:
        terms = [r.op(combine, *terms[n : n + 2]) if n + 1 < len(terms) else terms[n] for n in range(0, len(terms), 2)]
    return terms[0]


Rule = Callable[..., Atom]

WRITTEN: Rules[Rule] = Rules("writing out windows")
