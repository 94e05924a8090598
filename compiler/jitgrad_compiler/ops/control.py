"""Control flow: scan, while_loop, switch and rowwise, whose bodies are Graphs among their params; and addition of tapes.

scan [body, consts, carry, length, reverse, unroll]: operands are consts, carries and xs; body maps (consts, carries, one slice
of each xs) to (new carries, one slice of each ys); results are the last carries and the ys. Where length is None the number of
steps is the first operand, an i64, and xs and ys are tapes.
while_loop [cond, body, consts, saved, states, checkpoint]: operands are consts and carries; results are the last carries, the
number of steps, and tapes of what body gives behind the carries (`saved` many). With `states` the results are instead the last
carries, the number of steps, a stride, and tapes of each carry as it was before every stride-th step, at most `checkpoint` many
(0: about as many as there are steps between two).
switch [branches]: operands are an integer, held inside, and what the branch of that number takes.
rowwise [graph, mapped, size]: the graph done to every row of the mapped operands by itself; each row takes its own path.

Their derivatives and batching are in passes/: scan_derivatives.py, while_derivatives.py, loop_batching.py, branches.py, rowwise.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.graph import Graph, Op
from ..ir.interpreter import interpret
from ..ir.types import BOOL, I64, ArrayType, TapeType, Type
from .define import as_consts

COUNT = ArrayType((), I64)


def _listed(types: Sequence[Any]) -> str:
    return ", ".join(map(str, types)) or "nothing"


def expect(name: str, what: str, expected: Sequence[Any], got: Sequence[Any]) -> None:
    if tuple(expected) != tuple(got):
        raise TypeError(f"{name}: {what} must be {_listed(expected)}, got {_listed(got)}")


# -- scan


def _scan_type(
    *types: Any, body: Graph, consts: int, carry: int, length: int | None, reverse: bool, unroll: int
) -> tuple[Type, ...]:
    if length is None:
        expect("scan", "the number of steps", [COUNT], types[:1])
        types = types[1:]
    outer, elements = types[: consts + carry], []
    for t in types[consts + carry :]:
        if length is None:
            if not isinstance(t, TapeType):
                raise TypeError(f"scan: without a length xs must be tapes, got {t}")
            elements.append(t.element)
        else:
            if not t.shape or t.shape[0] != length:
                raise ShapeError(f"scan: xs must have {length} elements along their first axis, got {t}")
            elements.append(ArrayType(t.shape[1:], t.dtype))
    expect("scan", "the body's inputs", [*outer, *elements], body.input_types)
    expect("scan", "the body's new carries", outer[consts:], body.output_types[:carry])
    ys = body.output_types[carry:]
    stacked = [TapeType(t) if length is None else ArrayType((length, *t.shape), t.dtype) for t in ys]
    return (*outer[consts:], *stacked)


def stack(slices: Sequence[Any], element: ArrayType) -> Any:
    return np.stack(slices) if slices else np.zeros((0, *element.shape), element.dtype.numpy)


def _scan(*arrays: Any, body: Graph, consts: int, carry: int, length: int | None, reverse: bool, unroll: int) -> list[Any]:
    count = length
    if length is None:
        count, arrays = int(arrays[0]), arrays[1:]
    assert count is not None
    fixed, held, xs = arrays[:consts], list(arrays[consts : consts + carry]), arrays[consts + carry :]
    rows: list[Any] = [None] * count
    for i in reversed(range(count)) if reverse else range(count):
        out = interpret(body, *fixed, *held, *[x[i] for x in xs])
        held, rows[i] = list(out[:carry]), out[carry:]
    ys = body.output_types[carry:]
    return [*held, *[stack([row[k] for row in rows], t) for k, t in enumerate(ys)]]


scan = Op(
    "scan", _scan_type, _scan, computes=False, in_registers=True, sparse_cotangents=True,
    hoists=lambda params, count: (0 if params["length"] is not None else 1, {"consts": params["consts"] + count}),
    doc="A body done for each slice of xs, one after another, with carries handed on from step to step.",
)  # fmt: skip

# -- while_loop


def _while_type(
    *types: Any, cond: Graph, body: Graph, consts: int, saved: int, states: bool, checkpoint: int | None
) -> tuple[Type, ...]:
    carries = types[consts:]
    expect("while_loop", "the condition's inputs", types, cond.input_types)
    expect("while_loop", "the condition's result", [ArrayType((), BOOL)], cond.output_types)
    expect("while_loop", "the body's inputs", types, body.input_types)
    expect("while_loop", "the body's new carries", carries, body.output_types[: len(carries)])
    if len(body.outputs) != len(carries) + saved:
        raise TypeError(f"while_loop: the body must give {saved} values to save, got {len(body.outputs) - len(carries)}")
    if states:
        return (*carries, COUNT, COUNT, *map(TapeType, carries))
    return (*carries, COUNT, *map(TapeType, body.output_types[len(carries) :]))


class Checkpoints:
    """Which steps' states are kept: every stride-th, where the stride doubles each time that there is no more room.

    `most` is the number of states to keep; 0 lets that number grow along with the stride.
    """

    FIRST = 16

    def __init__(self, most: int) -> None:
        self.stride, self.grows, self.room = 1, most == 0, most or self.FIRST
        self.kept: list[Any] = []

    def visit(self, step: int, state: Any) -> None:
        if step % self.stride:
            return
        if len(self.kept) == self.room:
            if self.grows and self.stride > self.room:
                self.room *= 2
            else:
                self.kept = self.kept[::2]
                self.stride *= 2
        if step % self.stride == 0:
            self.kept.append(state)


def _while(
    *arrays: Any, cond: Graph, body: Graph, consts: int, saved: int, states: bool, checkpoint: int | None, most: int | None = None
) -> list[Any] | None:
    """With `most`, None where the loop has more steps than that."""
    fixed, held = arrays[:consts], list(arrays[consts:])
    rows: list[Any] = []
    kept = Checkpoints(checkpoint or 0)
    count = 0
    while interpret(cond, *fixed, *held)[0]:
        if count == most:
            return None
        if states:
            kept.visit(count, list(held))
        out = interpret(body, *fixed, *held)
        held = list(out[: len(held)])
        rows.append(out[len(held) :])
        count += 1
    if states:
        types = body.output_types[: len(held)]
        return [*held, count, kept.stride, *[stack([s[k] for s in kept.kept], t) for k, t in enumerate(types)]]
    return [*held, count, *[stack([row[k] for row in rows], t) for k, t in enumerate(body.output_types[len(held) :])]]


while_loop = Op(
    "while_loop", _while_type, _while, computes=False, in_registers=True, sparse_cotangents=True, hoists=as_consts,
    doc="A body done as long as a condition on the carries holds.",
)  # fmt: skip

# -- switch


def _switch_type(index: ArrayType, *types: Any, branches: tuple[Graph, ...]) -> tuple[Type, ...]:
    if index.shape or not index.dtype.is_integer:
        raise TypeError(f"switch: the index must be an integer scalar, got {index}")
    for b in branches:
        expect("switch", "a branch's inputs", types, b.input_types)
        expect("switch", "a branch's results", branches[0].output_types, b.output_types)
    return branches[0].output_types


def _switch(index: Any, *arrays: Any, branches: tuple[Graph, ...]) -> Any:
    return list(interpret(branches[min(max(int(index), 0), len(branches) - 1)], *arrays))


switch = Op(
    "switch", _switch_type, _switch, computes=False, in_registers=True, sparse_cotangents=True,
    hoists=lambda params, count: (1, {}),
    doc="The branch whose number the index is; an index outside means the nearest branch.",
)  # fmt: skip

# -- rowwise


def _rowwise_type(*types: Any, graph: Graph, mapped: tuple[bool, ...], size: int) -> tuple[ArrayType, ...]:
    rows = []
    for t, m in zip(types, mapped, strict=True):
        if m and (isinstance(t, TapeType) or not t.shape or t.shape[0] != size):
            raise ShapeError(f"rowwise: a mapped operand must have {size} rows, got {t}")
        rows.append(ArrayType(t.shape[1:], t.dtype) if m else t)
    expect("rowwise", "the graph's inputs", rows, graph.input_types)
    return tuple(ArrayType((size, *t.shape), t.dtype) for t in graph.output_types)


def _rowwise(*arrays: Any, graph: Graph, mapped: tuple[bool, ...], size: int) -> list[Any]:
    rows = [interpret(graph, *[a[i] if m else a for a, m in zip(arrays, mapped, strict=True)]) for i in range(size)]
    return [stack([row[k] for row in rows], t) for k, t in enumerate(graph.output_types)]


rowwise = Op(
    "rowwise", _rowwise_type, _rowwise, computes=False, sparse_cotangents=True,
    hoists=lambda params, count: (0, {"mapped": (*[False] * count, *params["mapped"])}),
    doc="A graph done to every row of its mapped operands by itself.",
)  # fmt: skip

# -- tapes


def _tape_add_type(a: Any, b: Any) -> TapeType:
    expect("tape_add", "the second tape", [a], [b])
    return a  # type: ignore[no-any-return]


tape_add = Op("tape_add", _tape_add_type, np.add, computes=False, doc="Two tapes of one length added element by element.")


def _region_type(*types: Any, graph: Graph) -> tuple[Any, ...]:
    expect("tape_region", "the graph's inputs", graph.input_types, types)
    return graph.output_types


tape_region = Op(
    "tape_region", _region_type, lambda *arrays, graph: list(interpret(graph, *arrays)), kind="call", computes=False,
    no_derivative="it is made where a program is batched, and batched at once",
    doc="A nested program that is batched row by row; passes/vmap.py makes it of what hangs together by tapes.",
)  # fmt: skip
