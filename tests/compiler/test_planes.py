"""Convolutions without a window of arrays in planes are products of matrices that move nothing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, ArrayType, Graph, interpret
from jitgrad_compiler.ir.builder import bind, staging
from jitgrad_compiler.ir.types import F32, F64, DType
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.linearize import linearize
from jitgrad_compiler.passes.memory_order import keep_order_in_memory
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.passes.simplify import simplify
from jitgrad_compiler.passes.windowed import write_out_windows
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.executable import run_graph

SHAPES = {  # images, space, features, results
    "fewer results": (3, (8, 8), 40, 24),
    "more results": (2, (9, 7, 2), 5, 37),
    "one image": (1, (100,), 17, 40),
    "one result": (2, (10, 10), 6, 1),
    "a long depth of the kernel's gradient": (5, (40, 40), 3, 4),
    "planes of ragged blocks": (6, (28, 28), 64, 48),
    "planes from memory": (4, (56, 56), 64, 96),
}


def pointwise(
    images: int, space: Any, features: int, results: int, dtype: DType, stride: int = 1, last: bool = False, gradients: bool = True
) -> Graph:
    """A convolution of [images, features, *space] and its transposes at a third input; `last`: the result's features are last."""
    rank = len(space)
    to_last, to_first = (0, *range(2, rank + 2), 1), (0, rank + 1, *range(1, rank + 1))
    params = dict(strides=(stride,) * rank, padding=((0, 0),) * rank, x_dilation=(1,) * rank, w_dilation=(1,) * rank)

    def convolved(values: Any) -> Any:
        x, w = values
        x = bind(OPS["transpose"], x, permutation=to_last)
        x = bind(OPS["reshape"], x, shape=(1, *x.type.shape))
        w = bind(OPS["reshape"], bind(OPS["transpose"], w, permutation=(1, 0)), shape=(1, *(1,) * rank, features, results))
        out = bind(OPS["convolve"], x, w, **params)
        out = bind(OPS["reshape"], out, shape=out.type.shape[1:])
        return [out if last else bind(OPS["transpose"], out, permutation=to_first)]

    with staging() as builder:
        inputs = [builder.input(ArrayType(s, dtype)) for s in ((images, features, *space), (results, features))]
        if not gradients:
            graph, _ = builder.finish(convolved(inputs))
            return graph
        lin = linearize(convolved, inputs, [True, True])
        graph, _ = builder.finish([*lin.outputs, *lin.transpose([builder.input(lin.outputs[0].type)])])
    return graph


def arrays_for(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal(v.type.shape).astype(v.type.dtype.numpy) for v in graph.inputs]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_convolution_of_planes_and_its_gradients_agree_with_the_interpreter(shape: Any, last: bool) -> None:
    graph = pointwise(*shape, F32, last=last)
    arrays = arrays_for(graph)
    wanted = interpret(pointwise(*shape, F64, last=last), *[a.astype(np.float64) for a in arrays])
    for got, want in zip(run_graph(graph, arrays), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_they_are_equal_to_the_bit_on_any_number_of_threads(shape: Any) -> None:
    graph = pointwise(*shape, F32)
    arrays, found, before = arrays_for(graph), [], pool.num_threads()
    try:
        for threads in (1, 2, 3, 5):
            pool.set_num_threads(threads)
            found.append([a.tobytes() for a in run_graph(graph, arrays)])
    finally:
        pool.set_num_threads(before)
    assert all(f == found[0] for f in found)


@pytest.mark.parametrize("shape", [(3, (8, 8), 40, 24), (2, (16, 16), 24, 40), (2, (96,), 24, 40), (2, (4, 4, 4), 24, 40)])
def test_nothing_but_contractions_goes_through_the_array_and_its_result(shape: Any) -> None:
    kernels = fuse(prepare(pointwise(*shape, F32)), Tuning())
    assert sum(k.contraction is not None for k in kernels) == 3
    assert all(v.type.shape == (shape[2], shape[3]) for k in kernels if k.contraction is None for v in k.inputs)


def products(graph: Graph) -> list[str]:
    written = simplify(write_out_windows(keep_order_in_memory(simplify(graph))))
    return [" ".join(str(a.type) for a in (*e.inputs, *e.outputs)) for e in written.eqns if e.op.name == "dot_general"]


def test_the_right_operand_of_a_kernels_gradient_is_the_smaller_one() -> None:
    assert products(pointwise(3, (8, 8), 40, 24, F32)) == [
        "f32[3,24,40] f32[3,40,8,8] f32[3,24,8,8]",
        "f32[3,40,8,8] f32[3,24,8,8] f32[40,24]",
        "f32[3,40,24] f32[3,24,8,8] f32[3,40,8,8]",
    ]
    assert products(pointwise(3, (8, 8), 24, 40, F32))[1] == "f32[3,40,8,8] f32[3,24,8,8] f32[40,24]"


def test_a_cotangent_that_lies_features_last_is_read_so() -> None:
    _, gradient, _ = products(pointwise(3, (8, 8), 40, 24, F32, last=True))
    assert gradient == "f32[3,40,8,8] f32[3,8,8,24] f32[40,24]"


@pytest.mark.parametrize(
    ("space", "stride", "kept"),
    [((8, 8), 1, True), ((7, 7), 1, False), ((9, 9), 1, False), ((10, 10), 1, True), ((4, 4), 1, False), ((16, 16), 2, False)],
    ids=["whole vectors", "much beyond a vector", "too much beyond", "little beyond vectors", "too small", "strides"],
)
def test_planes_are_kept_where_vectors_fill_them(space: Any, stride: int, kept: bool) -> None:
    shapes = products(pointwise(3, space, 40, 24, F32, stride, gradients=False))
    assert (f"f32[3,24,{space[0]},{space[1]}]" in shapes[0]) == kept


WRITTEN = """\
graph(a:f32[3,40,8,8], b:f32[24,40]) {
  c:f32[3,8,8,40] = transpose a [permutation=(0, 2, 3, 1)]
  d:f32[1,3,8,8,40] = reshape c [shape=(1, 3, 8, 8, 40)]
  e:f32[3,24,40] = broadcast b [dims=(1, 2), shape=(3, 24, 40)]
  f:f32[1,3,40,8,8] = transpose d [permutation=(0, 1, 4, 2, 3)]
  g:f32[3,40,8,8] = reshape f [shape=(3, 40, 8, 8)]
  h:f32[3,24,8,8] = dot_general e g [dims=(((2,), (1,)), ((0,), (0,)))]
  i:f32[1,3,24,8,8] = reshape h [shape=(1, 3, 24, 8, 8)]
  j:f32[1,3,8,8,24] = transpose i [permutation=(0, 1, 3, 4, 2)]
  k:f32[3,8,8,24] = reshape j [shape=(3, 8, 8, 24)]
  l:f32[3,24,8,8] = transpose k [permutation=(0, 3, 1, 2)]
  return l
}"""


def test_the_written_program_is_a_product_with_the_kernel_for_each_image() -> None:
    written = simplify(write_out_windows(keep_order_in_memory(simplify(pointwise(3, (8, 8), 40, 24, F32, gradients=False)))))
    assert re.sub(" +#.*", "", str(written)) == WRITTEN
