"""Running a Graph equation by equation: on Values (which inlines it into whatever trace they belong to) or on NumPy arrays.

On arrays this is the oracle that every compiled program is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .builder import Value, as_typed, bind_all, make_value, source_of
from .graph import Atom, Graph, Literal, Var
from .storage import reference
from .types import ArrayType


def literal_value(a: Literal) -> Value:
    return make_value(a.type, None, a.value)


def evaluate(graph: Graph, values: Sequence[Value]) -> list[Value]:
    """The graph's outputs for these inputs, every equation done by `bind`."""
    env: dict[Var, Value] = dict(zip(graph.inputs, values, strict=True))

    def read(a: Atom) -> Value:
        return literal_value(a) if isinstance(a, Literal) else env[a]

    for e in graph.eqns:
        with source_of(e.source):
            env.update(zip(e.outputs, bind_all(e.op, *map(read, e.inputs), **e.params), strict=True))
    return [read(a) for a in graph.outputs]


def interpret(graph: Graph, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The graph's outputs by NumPy alone, one equation after the other."""
    env: dict[Var, np.ndarray] = {}
    for var, array in zip(graph.inputs, arrays, strict=True):
        if isinstance(var.type, ArrayType) and np.shape(array) != var.type.shape:
            raise TypeError(f"interpret: an input of type {var.type} was given an array of shape {np.shape(array)}")
        env[var] = as_typed(array, var.type)

    def read(a: Atom) -> np.ndarray | np.generic:
        return a.value if isinstance(a, Literal) else env[a]

    with np.errstate(all="ignore"):
        for e in graph.eqns:
            operands = [*map(read, e.inputs)]
            stored = any(a.type.dtype.is_storage for a in e.inputs)
            outs = reference(e.op, e.op.numpy, operands, e.params) if stored else e.op.numpy(*operands, **e.params)
            outs = outs if isinstance(outs, (tuple, list)) else (outs,)
            for v, out in zip(e.outputs, outs, strict=True):
                env[v] = as_typed(out, v.type)
    return tuple(as_typed(read(a), a.type) for a in graph.outputs)
