"""Whether a loop's body, or one row's work, is small enough to be done in registers, element by element.

Every value must have few elements. Large ones may only be read: as the slices of a scan, at computed places, or by a loop
inside; or be what a scan stacks. vmap asks, to choose between rows and a batched body, and the targets, to choose how a loop is
emitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..ir.graph import Eqn, Graph, Var, remembered
from ..ir.types import TapeType
from ..ops.contraction import dot_general
from ..ops.control import scan, switch, while_loop
from ..ops.effects import callback
from ..ops.indexing import dynamic_update_slice

FEW = 16
"""Elements of a value that may be in registers."""
MANY = 64
"""The same where each element is a vector of rows."""
MOST_OPERATIONS = 3000
"""Operations, counted element by element, up to which a body is written out."""


@remembered
def fits_registers(graph: Graph, elements: int = FEW) -> bool:
    """Whether the graph can be emitted element by element; its inputs may be of any size."""
    large = frozenset(v for v in graph.inputs if is_large(v, elements))
    return _operations(graph, large, elements) <= MOST_OPERATIONS


def is_large(v: Var, elements: int) -> bool:
    return isinstance(v.type, TapeType) or bool(v.type.size > elements)


def _operations(graph: Graph, large: frozenset[Var], elements: int) -> float:
    total, known = 0.0, set(large)
    for e in graph.eqns:
        total += _one(e, known, elements)
        if not math.isfinite(total):
            return total
        for n, v in enumerate(e.outputs):
            if is_large(v, elements):
                if not _stacks(e, n):
                    return math.inf
                known.add(v)
    made = {v for e in graph.eqns for v in e.outputs}
    if any(isinstance(a, Var) and a in known and a not in made for a in graph.outputs):
        return math.inf  # a large input handed on is a copy, which is no work for registers
    return total


def _inner(graph: Graph, read: Sequence[bool], elements: int) -> float:
    """Of a graph inside, of whose first inputs some are large."""
    return _operations(graph, frozenset(v for v, r in zip(graph.inputs, read, strict=False) if r), elements)


def _stacks(e: Eqn, output: int) -> bool:
    if e.op is scan:
        return bool(output >= e.params["carry"])
    return e.op is while_loop and isinstance(e.outputs[output].type, TapeType)


def _one(e: Eqn, large: set[Var], elements: int) -> float:
    if not e.op.traits.in_registers or e.op is callback and elements > FEW:
        return math.inf
    read = [isinstance(a, Var) and a in large for a in e.inputs]
    if e.op is scan:
        head = 0 if e.params["length"] is not None else 1
        first, last = head + e.params["consts"], head + e.params["consts"] + e.params["carry"]
        if any(read[first:last]):
            return math.inf
        body = e.params["body"]
        if any(is_large(v, elements) for v in body.inputs[e.params["consts"] :]):
            return math.inf
        return _inner(body, read[head:first], elements)
    if e.op is while_loop:
        if e.params["states"] and elements > FEW:
            return math.inf  # which states a row keeps depends on its own number of steps
        if any(read[e.params["consts"] :]):
            return math.inf
        return _inner(e.params["cond"], read, elements) + _inner(e.params["body"], read, elements)
    if e.op is switch:
        return sum(_inner(g, read[1:], elements) for g in e.params["branches"])
    if e.op is callback:
        return float(10 + sum(a.type.size for a in e.inputs))
    if any(read[1:]) or read[:1] == [True] and not e.op.traits.reads_places:
        return math.inf
    size: int = sum(v.type.size for v in e.outputs)
    each = 1
    if e.op.kind in ("reduce", "argreduce"):
        size = e.inputs[0].type.size
    elif e.op is dot_general:
        each = math.prod(e.inputs[0].type.shape[a] for a in e.params["dims"][0][0])
    elif e.op.traits.reads_places or e.op is dynamic_update_slice:
        each = 1 if read[0] else e.inputs[0].type.size
    elif e.op.traits.transcendental:
        each = 20
    return float(size * each)
