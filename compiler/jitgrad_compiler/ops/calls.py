"""Ops about programs: `call` of a nested Graph, and `stop_gradient`."""

from __future__ import annotations

import numpy as np

from ..ir.graph import Graph, Op
from ..ir.interpreter import interpret
from ..ir.types import ArrayType
from .define import elementwise, in_front


def _call_type(*types: ArrayType, graph: Graph, name: str) -> tuple[ArrayType, ...]:
    if types != graph.input_types:
        raise TypeError(f"call of {name}: takes {', '.join(map(str, graph.input_types))}, got {', '.join(map(str, types))}")
    return graph.output_types


call = Op(
    "call", _call_type, lambda *arrays, graph, name: interpret(graph, *map(np.asarray, arrays)), kind="call", computes=False,
    hoists=in_front, sparse_cotangents=True,
    doc="A nested program, compiled for itself where it is called on concrete arrays. Its rules are in passes/calls.py.",
)  # fmt: skip

stop_gradient = elementwise(
    "stop_gradient", lambda x: np.asarray(x), lambda e, x: x, accepts="any", computes=False, doc="x, a constant to derivatives."
)
