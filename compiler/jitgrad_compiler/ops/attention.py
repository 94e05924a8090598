"""attention: softmax(scale * query @ key.T + bias) @ value for each head, as a program of ordinary ops that a target may replace.

attention [graph, scale, left, right, names, lead] gives the result, and of each query the largest score and the sum of exp(score
less that one), which are constants to derivatives. `graph` says how it is done where the target has no kernel for it; behind these
three it may give what its linear part keeps. `names` are those of the operands: query [batch, queries, heads, features], key and
value [batch, keys, shared heads, features], and as it may be bias and mask [batch, heads, queries, keys], where an axis of 1 stands
for all, and length [batch]. `left` and `right` bound the keys that a query sees by its position, None is no bound. `lead` are axes
in front that vmap put there: of some operands, and of all results.

attention_linear [graph, formula, active, backward, ...] is its linear part: operands are tangents of those operands that are
`active`, what `graph` keeps, the operands and the three results. With `backward` it is the transpose, whose last operand is the
cotangent. `formula` is the program that it is the derivative of.

attention_forward, which has the three results alone, and attention_gradient, the transpose from the operands, these and the
cotangent, are what targets have kernels for: passes/scores_on_chip.py makes them. What is left is done as its graph says.
"""

from __future__ import annotations

from typing import Any

from ..ir.graph import EVALUATE, Graph, Op
from .control import expect
from .custom import run_eagerly, run_nested

RESULTS = 3
"""The result, the largest scores and the sums."""
RANKS = {"query": 4, "key": 4, "value": 4, "bias": 4, "mask": 4, "length": 1}
"""Axes of the operands, without those in front."""


def _type(*types: Any, graph: Graph, **params: Any) -> tuple[Any, ...]:
    expect("attention", "the graph's inputs", graph.input_types, types)
    return graph.output_types


attention = Op(
    "attention", _type, run_nested, kind="call", computes=False, sparse_cotangents=True,
    doc="Attention of queries to keys and values, head by head.",
)  # fmt: skip
attention_linear = Op(
    "attention_linear", _type, run_nested, kind="call", computes=False, sparse_cotangents=True,
    doc="The linear part of attention, or its transpose.",
)  # fmt: skip
_MADE = "programs are differentiated before it comes into them"
attention_forward = Op(
    "attention_forward", _type, run_nested, kind="call", computes=False, no_derivative=_MADE,
    doc="Attention whose scores a target keeps on chip.",
)  # fmt: skip
attention_gradient = Op(
    "attention_gradient", _type, run_nested, kind="call", computes=False, no_derivative=_MADE,
    doc="The cotangents of attention's query, key and value, as far as they are asked for, with scores computed again.",
)  # fmt: skip
for _op in (attention, attention_linear, attention_forward, attention_gradient):
    EVALUATE[_op] = run_eagerly
