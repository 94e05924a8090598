"""Values behind convolutions keep the order of axes in which these make them: transposes move down to where they are needed."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, ArrayType, Graph, interpret
from jitgrad_compiler.ir.builder import Value, bind, staging
from jitgrad_compiler.ir.types import F32
from jitgrad_compiler.ops.define import broadcast
from jitgrad_compiler.passes.memory_order import keep_order_in_memory
from jitgrad_compiler.passes.simplify import simplify
from jitgrad_compiler.runtime.executable import run_graph

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def op(name: str, *args: Value, **params: object) -> Value:
    return bind(OPS[name], *args, **params)


def features_first(x: Value, w: Value) -> Value:
    """A convolution of [batch, features, height, width]."""
    turned = op("transpose", x, permutation=TO_LAST)
    out = op(
        "convolve", op("reshape", turned, shape=(1, *turned.type.shape)), op("reshape", w, shape=(1, *w.type.shape)),
        strides=(1, 1), padding=((1, 1), (1, 1)), x_dilation=(1, 1), w_dilation=(1, 1),
    )  # fmt: skip
    return op("transpose", op("reshape", out, shape=out.type.shape[1:]), permutation=TO_FIRST)


def normalised(x: Value) -> Value:
    mean = op("reduce_sum", x, axes=(0, 2, 3))
    return x - broadcast(mean, x.type.shape, (1,))


def pooled(x: Value) -> Value:
    of = dict(sizes=(1, 1, 2, 2), strides=(1, 1, 2, 2), dilation=(1, 1, 1, 1))
    place = op("window_place", x, largest=True, **of)
    return op("window_put", op("reduce_window_max", x, **of), place, shape=x.type.shape, **of)


def cut(x: Value) -> Value:
    padded = op("pad", x, op("reduce_max", x, axes=(0, 1, 2, 3)), padding=((0, 0, 0), (0, 0, 0), (1, 2, 0), (0, 1, 1)))
    return op("slice", padded, start=(0, 0, 1, 0), limit=(2, 4, 7, 6), strides=(1, 1, 1, 1))


BETWEEN = {
    "elementwise work": lambda x: op("tanh", x) * x + 2.0,
    "statistics of each feature": normalised,
    "largest elements": pooled,
    "pads and slices": cut,
    "sums that leave several axes": lambda x: x - broadcast(op("reduce_sum", x, axes=(3,)), x.type.shape, (0, 1, 2)),
    "another order of axes": lambda x: op("transpose", op("transpose", x, permutation=(2, 3, 0, 1)), permutation=(2, 3, 0, 1)),
}


def program(name: str) -> Graph:
    with staging() as builder:
        x, w, v = (builder.input(ArrayType(shape, F32)) for shape in ((2, 3, 6, 6), (3, 3, 3, 4), (3, 3, 4, 5)))
        graph, _ = builder.finish([features_first(BETWEEN[name](features_first(x, w)), v)])
    return graph


@pytest.mark.parametrize("name", BETWEEN)
def test_no_array_is_transposed_between_two_convolutions(name: str) -> None:
    turned = simplify(keep_order_in_memory(simplify(program(name))))
    made_by = {v: e for e in turned.eqns for v in e.outputs}
    first, last = [n for n, e in enumerate(turned.eqns) if e.op.name == "convolve"]
    between = [e for e in turned.eqns[first + 1 : last] if e.op.name == "transpose" and e.outputs[0].type.rank == 4]
    loaded = [e for e in between if made_by.get(e.inputs[0]) is not None and made_by[e.inputs[0]].op.name != "broadcast"]
    assert not loaded, turned


@pytest.mark.parametrize("name", BETWEEN)
def test_programs_compute_what_they_did(name: str) -> None:
    graph = program(name)
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(v.shape).astype(np.float32) for v in graph.input_types]
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


def test_programs_without_convolutions_are_left_alone() -> None:
    with staging() as builder:
        x = builder.input(ArrayType((2, 3), F32))
        graph, _ = builder.finish([op("tanh", op("transpose", x, permutation=(1, 0)))])
    assert keep_order_in_memory(graph) is graph
