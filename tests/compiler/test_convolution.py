"""Convolutions as contractions that read their windows in place: right in runs of any length, on any number of threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, ArrayType, Graph, interpret
from jitgrad_compiler.ir.builder import bind, staging
from jitgrad_compiler.ir.types import F32, F64, DType
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.linearize import linearize
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.executable import compile_graph, run_graph
from jitgrad_compiler.targets.cpu.contract.blocking import ContractSpec, block_of_runs, split_depth
from jitgrad_compiler.targets.cpu.contract.layout import lie_in_place

SHAPES = {  # batch, height, width, features, results, window, stride, padding, dilation
    "runs of whole vectors": (2, 16, 16, 32, 64, 3, 1, 1, 1),
    "runs of ragged columns and depth": (3, 12, 12, 20, 50, 5, 1, 0, 1),
    "strides": (2, 9, 7, 5, 7, 3, 2, 1, 1),
    "strides without a window": (2, 17, 16, 64, 48, 1, 2, 0, 1),
    "gaps": (2, 20, 21, 32, 33, 3, 1, 2, 2),
    "few features": (1, 30, 30, 3, 64, 7, 2, 3, 1),
    "many features of small images": (4, 7, 7, 128, 160, 3, 1, 1, 1),
    "short rows": (8, 4, 4, 64, 96, 3, 1, 1, 1),
    "one row": (1, 1, 100, 17, 40, 1, 1, 0, 1),
    "a long depth of the kernel's gradient": (4, 100, 100, 8, 4, 3, 1, 1, 1),
    "one image": (1, 33, 20, 48, 16, 3, 1, 1, 1),
    "rows of windows far apart": (3, 28, 28, 64, 128, 3, 2, 1, 1),
    "no windows, and few results": (4, 14, 14, 256, 64, 1, 1, 0, 1),
}


def convolution(n: int, h: int, w: int, c: int, o: int, size: int, s: int, p: int, d: int, dtype: DType) -> Graph:
    """The result, and the gradients of the sum of its squares."""
    params = dict(strides=(s, s), padding=((p, p), (p, p)), x_dilation=(1, 1), w_dilation=(d, d))
    with staging() as builder:
        inputs = [builder.input(ArrayType(shape, dtype)) for shape in ((1, n, h, w, c), (1, size, size, c, o))]
        lin = linearize(lambda values: [bind(OPS["convolve"], *values, **params)], inputs, [True, True])
        gradients = lin.transpose(lin.outputs)
        graph, _ = builder.finish([*lin.outputs, *gradients])
    return graph


def operands(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal(v.type.shape).astype(v.type.dtype.numpy) for v in graph.inputs]


@pytest.fixture
def any_number_of_threads() -> Iterator[None]:
    before = pool.num_threads()
    yield
    pool.set_num_threads(before)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_convolution_and_its_gradients_agree_with_the_interpreter(shape: Any, dtype: DType) -> None:
    graph = convolution(*shape, dtype)
    arrays = operands(graph)
    wide = convolution(*shape, F64)
    wanted = interpret(wide, *[a.astype(np.float64) for a in arrays])
    for got, want in zip(run_graph(graph, arrays), wanted, strict=True):
        scale = np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=scale * (1e-13 if dtype == F64 else 2e-5))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_convolutions_are_equal_to_the_bit_on_any_number_of_threads(shape: Any, any_number_of_threads: None) -> None:
    graph = convolution(*shape, F32)
    arrays, found = operands(graph), []
    for threads in (1, 2, 3, 5):
        pool.set_num_threads(threads)
        found.append([a.tobytes() for a in run_graph(graph, arrays)])
    assert all(f == found[0] for f in found)


def contractions(shape: Any) -> list[Kernel]:
    kernels = fuse(prepare(convolution(*shape, F32)), Tuning())
    return [k for k in kernels if k.contraction is not None]


def in_place(kernel: Kernel, along: tuple[str, str]) -> Any:
    c = kernel.contraction
    assert c is not None
    spec = ContractSpec(c.batch.extent, c.row.extent, c.column.extent, c.depth.extent, c.dtype, *along)
    return lie_in_place(c, spec, Tuning().contraction, c.left.offset, c.right.offset, None)  # type: ignore[attr-defined]


def test_windows_are_read_in_place_in_runs_of_rows_and_of_depth() -> None:
    forward, *_ = contractions((16, 56, 56, 48, 64, 3, 1, 1, 1))
    found = in_place(forward, ("k", "n"))
    assert found.left and found.right
    assert (found.spec.row_run, found.spec.depth_run, found.spec.depth_runs) == (56, 144, 3)
    assert [tuple(d) for d in found.left.rows] == [(16, 58 * 58 * 48), (56, 58 * 48), (56, 48)]
    assert [tuple(d) for d in found.left.columns] == [(3, 58 * 48), (144, 1)]


def test_the_gradient_of_a_kernel_reads_windows_in_place_in_runs_of_columns() -> None:
    gradients = [
        k for k in contractions((16, 56, 56, 48, 64, 3, 1, 1, 1)) if k.contraction and k.contraction.depth.extent == 16 * 56 * 56
    ]
    found = in_place(gradients[0], ("m", "n"))
    assert found.left and found.right
    assert (found.spec.column_run, found.spec.depth_run, found.spec.depth_runs) == (144, 56, 56)


def test_the_array_is_padded_once_for_a_convolution_and_its_kernels_gradient() -> None:
    kernels = fuse(prepare(convolution(2, 16, 16, 32, 64, 3, 1, 1, 1, F32)), Tuning())
    padded = [k for k in kernels if "in_memory" in k.fused]
    assert len(padded) == 2  # the array's and the cotangent's


def test_padding_that_no_window_sees_is_left_out_so_that_the_array_is_padded_once() -> None:
    kernels = fuse(prepare(convolution(2, 16, 16, 24, 64, 3, 2, 1, 1, F32)), Tuning())
    padded = [k.stores[0].target.type.shape for k in kernels if "in_memory" in k.fused]
    assert padded.count((2, 17, 17, 24)) == 1 and (2, 18, 18, 24) not in padded


@pytest.mark.parametrize(
    ("run", "runs", "block"), [(192, 3, 192), (56, 56, 224), (1536, 3, 384), (9, 3, 27), (384, 5, 384), (100, 5, 100), (1009, 7, 1)]
)
def test_blocks_of_depth_are_parts_of_a_run_or_whole_runs(run: int, runs: int, block: int) -> None:
    assert block_of_runs(run, runs, 384) == block
    assert run % block == 0 or block % run == 0 and runs % (block // run) == 0


def test_chunks_of_a_split_depth_are_whole_blocks() -> None:
    spec = ContractSpec(1, 16, 16, 40 * 56 * 56, depth_run=56, depth_runs=56)
    chunks, length, block = split_depth(spec)
    assert chunks > 1
    assert length % block == 0
    assert math.ceil(spec.k / length) == chunks


def test_runs_that_are_no_parts_of_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="runs are no parts of the whole"):
        ContractSpec(1, 10, 4, 8, row_run=3)


DILATED = {  # array, kernel, padding, dilation of the array: the result's lengths are and are no multiples of the dilation
    "one axis": ((1, 2, 9, 7, 5), (1, 3, 3, 5, 6), ((1, 1), (1, 1)), (2, 1)),
    "both axes": ((1, 2, 9, 7, 5), (1, 3, 2, 5, 6), ((1, 2), (0, 1)), (2, 3)),
    "a kernel that misses phases": ((1, 2, 8, 8, 17), (1, 1, 1, 17, 4), ((0, 1), (0, 1)), (2, 2)),
    "what is cut off": ((1, 1, 6, 6, 3), (1, 3, 3, 3, 2), ((-3, 2), (3, -2)), (3, 2)),
    "groups": ((3, 2, 6, 5, 2), (3, 3, 3, 2, 4), ((2, 2), (2, 1)), (2, 2)),
}


@pytest.mark.parametrize(("x", "w", "padding", "dilation"), DILATED.values(), ids=DILATED)
def test_a_dilated_array_is_convolved_phase_by_phase(x: Any, w: Any, padding: Any, dilation: Any) -> None:
    params = dict(strides=(1, 1), padding=padding, x_dilation=dilation, w_dilation=(1, 1))
    with staging() as builder:
        inputs = [builder.input(ArrayType(shape, F64)) for shape in (x, w)]
        graph, _ = builder.finish([bind(OPS["convolve"], *inputs, **params)])
    arrays = operands(graph)
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


GROUPED = {  # of every group: array [batch, *space, features], kernel [*window, features, results], strides, padding, dilation
    "depthwise": ((3, 9, 10, 1), (3, 3, 1, 1), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "strides": ((2, 9, 10, 1), (3, 3, 1, 1), (2, 2), ((1, 1), (0, 1)), (1, 1)),
    "gaps": ((2, 11, 10, 1), (3, 2, 1, 1), (1, 2), ((2, 2), (1, 0)), (2, 3)),
    "a multiplier": ((2, 8, 9, 1), (3, 3, 1, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "two features": ((2, 8, 9, 2), (3, 3, 2, 1), (2, 1), ((0, 0), (1, 1)), (1, 1)),
    "a large window": ((2, 12, 12, 1), (7, 7, 1, 1), (1, 1), ((3, 3), (3, 3)), (1, 1)),
    "one axis": ((4, 33, 1), (5, 1, 1), (1,), ((2, 2),), (1,)),
    "an array cut off": ((2, 9, 9, 1), (3, 3, 1, 1), (1, 1), ((-2, 1), (1, -3)), (1, 1)),
}


def grouped(x: Any, w: Any, strides: Any, padding: Any, dilation: Any, groups: int, features_last: bool, dtype: DType) -> Graph:
    """A convolution of groups, of an array whose features are its last axis in memory, or its second, with its gradients."""
    rank, results = len(strides), w[-1]
    params = dict(strides=strides, padding=padding, x_dilation=(1,) * rank, w_dilation=dilation)
    batch, *space, features = x
    shape = (batch, *space, groups, features) if features_last else (batch, groups, features, *space)
    order = (rank + 1, 0, *range(1, rank + 1), rank + 2) if features_last else (1, 0, *range(3, rank + 3), 2)

    def convolved(values: Any) -> Any:
        x, w = values
        turned = bind(OPS["transpose"], x, permutation=order)
        kernel = bind(OPS["transpose"], w, permutation=(rank + 1, *range(rank + 1), rank + 2))
        out = bind(OPS["convolve"], turned, kernel, **params)
        return [bind(OPS["transpose"], out, permutation=tuple(order.index(a) for a in range(rank + 3)))]

    with staging() as builder:
        inputs = [builder.input(ArrayType(s, dtype)) for s in (shape, (*w[:-1], groups, results))]
        lin = linearize(convolved, inputs, [True, True])
        graph, _ = builder.finish([*lin.outputs, *lin.transpose(lin.outputs)])
    return graph


@pytest.mark.parametrize("features_last", [False, True])
@pytest.mark.parametrize("of", GROUPED.values(), ids=GROUPED)
def test_convolutions_of_many_groups_and_their_gradients_agree_with_the_interpreter(of: Any, features_last: bool) -> None:
    graph = grouped(*of, 20, features_last, F64)
    arrays = operands(graph)
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize("features_last", [False, True])
def test_a_depthwise_convolution_and_its_gradients_are_written_in_the_order_of_memory(features_last: bool) -> None:
    graph = prepare(grouped(*GROUPED["depthwise"], 64, features_last, F32))
    assert not [e for e in graph.eqns if e.op.name in ("dot_general", "windows")]
    for kernel in fuse(graph, Tuning()):
        inmost = [a for a in kernel.axes if a.extent > 1][-1]
        assert all(s.offset.factor(inmost, 1) == 1 for s in kernel.stores if s.target.type.size > 64 * 9)


def test_the_cotangent_of_a_strided_convolution_is_padded_once_for_all_phases() -> None:
    for n, h, w, c, o, size, stride in ((2, 16, 16, 24, 64, 3, 2), (2, 17, 13, 24, 64, 5, 3), (1, 12, 12, 8, 48, 4, 2)):
        kernels = fuse(prepare(convolution(n, h, w, c, o, size, stride, 1, 1, F32)), Tuning())
        padded = [k.stores[0].target.type.shape for k in kernels if "in_memory" in k.fused]
        assert sum(shape[-1] == o for shape in padded) == 1, padded


def test_windows_that_are_packed_are_not_all_in_memory_at_once() -> None:
    graph = convolution(16, 56, 56, 64, 128, 3, 2, 1, 1, F32)
    program = compile_graph(graph).program
    assert max(program.memory.scratch.values()) < 4 * 9 * 64 * 16 * 28 * 28


def test_a_part_of_an_array_is_copied_so_that_the_whole_need_not_be_kept() -> None:
    params = dict(strides=(1, 1), padding=((-1, -2), (0, -3)), x_dilation=(1, 1), w_dilation=(1, 1))
    with staging() as builder:
        inputs = [builder.input(ArrayType(shape, F32)) for shape in ((1, 2, 16, 16, 32), (1, 3, 3, 32, 24))]
        graph, _ = builder.finish([bind(OPS["convolve"], *inputs, **params)])
    copied = [k.stores[0].target.type.shape for k in fuse(prepare(graph), Tuning()) if "in_memory" in k.fused]
    assert copied == [(2, 13, 13, 32)]


def test_phases_with_few_results_are_one_contraction() -> None:
    params = dict(strides=(1, 1), padding=((3, 4), (3, 4)), x_dilation=(2, 2), w_dilation=(1, 1))
    for results, count in ((3, 1), (5, 2), (9, 4)):
        with staging() as builder:
            inputs = [builder.input(ArrayType(shape, F32)) for shape in ((1, 2, 16, 16, 32), (1, 7, 7, 32, results))]
            graph, _ = builder.finish([bind(OPS["convolve"], *inputs, **params)])
        assert [e.op.name for e in prepare(graph).eqns].count("dot_general") == count
