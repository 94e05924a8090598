"""Computing again instead of keeping: checkpoint, the names that its policies speak of, and the barrier before the second time.

checkpoint [graph, policy, prevent_cse, name]: a nested program whose derivative keeps what its policy says and computes the rest
again; passes/checkpointing.py has the policies and the derivative. The value of a barrier is that of its operand, which has to be
in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.graph import EVALUATE, Graph, Op
from .control import expect
from .custom import run_eagerly, run_nested
from .define import elementwise, in_front

NOTHING: tuple[Any, ...] = ("nothing",)
"""The policy that keeps no intermediate value."""


def _checkpoint_type(*types: Any, graph: Graph, policy: tuple[Any, ...], prevent_cse: bool, name: str) -> tuple[Any, ...]:
    expect(f"checkpoint of {name}", "the graph's inputs", graph.input_types, types)
    return graph.output_types


checkpoint = Op(
    "checkpoint", _checkpoint_type, run_nested, kind="call", computes=False, sparse_cotangents=True, hoists=in_front,
    doc="A nested program that is done again for its derivative.",
)  # fmt: skip
EVALUATE[checkpoint] = run_eagerly

checkpoint_name = elementwise(
    "checkpoint_name", lambda x, name: np.asarray(x), lambda e, x, name: x, accepts="any", computes=False,
    partials=[lambda x, out, name: 1],
    transpose=lambda cts, operands, params: cts, doc="x, under a name that policies of checkpoint know.",
)  # fmt: skip
in_memory = elementwise(
    "in_memory", lambda x: np.asarray(x), lambda e, x: x, accepts="any", computes=False, partials=[lambda x, out: 1],
    in_memory=True,
    doc="The operand, written to memory once: passes put it where a value is read so often that it must not be computed again.",
)  # fmt: skip

barrier = elementwise(
    "barrier", lambda x: np.asarray(x), lambda e, x: x, accepts="any", computes=False, partials=[lambda x, out: 1], barrier=True,
    free=True,
    transpose=lambda cts, operands, params: cts, doc="x, read from memory: nothing behind it is shared or fused with what made x.",
)  # fmt: skip
