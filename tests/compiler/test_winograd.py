"""Convolutions with windows of 3 x 3 in tiles: their numbers, which convolutions are, and that they agree with all products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jitgrad_compiler.ir import interpret
from jitgrad_compiler.ir.types import F32, F64, DType
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.ops.winograd import MATRICES, SEEN, TILE, WINDOW
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.executable import run_graph
from tests.compiler.test_convolution import any_number_of_threads, convolution, operands  # noqa: F401

SHAPES = {  # batch, height, width, features, results, window, stride, padding, dilation
    "whole tiles": (4, 20, 24, 32, 64, 3, 1, 1, 1),
    "tiles over two edges": (6, 22, 19, 64, 32, 3, 1, 1, 1),
    "no padding": (3, 26, 26, 32, 32, 3, 1, 0, 1),
    "a wide padding": (3, 21, 21, 32, 32, 3, 1, 3, 1),
    "one image, and two chunks of tiles": (1, 124, 128, 32, 32, 3, 1, 1, 1),
    "many features of many small images": (97, 4, 4, 160, 192, 3, 1, 1, 1),
}


def ops(shape: Any, dtype: DType = F32) -> list[str]:
    return [e.op.name for e in prepare(convolution(*shape, dtype)).eqns]


def test_products_of_transforms_are_a_convolution() -> None:
    rng = np.random.default_rng(0)
    d, g = rng.standard_normal(SEEN), rng.standard_normal(WINDOW)
    a, b, matrix = (MATRICES[name] for name in ("A", "B", "G"))
    np.testing.assert_allclose(a.T @ ((matrix @ g) * (b.T @ d)), np.correlate(d, g), rtol=1e-13, atol=1e-13)


def test_the_transforms_of_arrays_are_float32_numbers() -> None:
    for name in ("A", "B"):
        np.testing.assert_array_equal(MATRICES[name], MATRICES[name].astype(np.float32))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_convolution_in_tiles_and_its_gradients_agree_with_all_products(shape: Any) -> None:
    assert ops(shape).count("tiled_convolve") == 2 and ops(shape).count("tiled_kernel") == 1
    graph = convolution(*shape, F32)
    arrays = operands(graph)
    wanted = interpret(convolution(*shape, F64), *[a.astype(np.float64) for a in arrays])
    for got, want in zip(run_graph(graph, arrays), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * np.abs(want).max())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_convolutions_in_tiles_are_equal_to_the_bit_on_any_number_of_threads(
    shape: Any,
    any_number_of_threads: None,  # noqa: F811
) -> None:
    graph = convolution(*shape, F32)
    arrays, found = operands(graph), []
    for threads in (1, 2, 3):
        pool.set_num_threads(threads)
        found.append([a.tobytes() for a in run_graph(graph, arrays)])
    assert all(f == found[0] for f in found)


def test_blocks_and_registers_change_no_bit_of_a_convolution_in_tiles() -> None:
    graph = convolution(*SHAPES["tiles over two edges"], F32)
    arrays, found = operands(graph), []
    for registers, tiled_bytes in ((32, 5 << 16), (8, 5 << 16), (32, 1 << 22)):
        sizes = replace(Tuning().contraction, registers=registers, tiled_bytes=tiled_bytes, most_tiled_tasks=3)
        found.append([a.tobytes() for a in run_graph(graph, arrays, tuning=replace(Tuning(), contraction=sizes))])
    assert all(f == found[0] for f in found)


@pytest.mark.parametrize(
    "shape",
    [
        (4, 20, 24, 32, 64, 3, 2, 1, 1), (4, 20, 24, 32, 64, 3, 1, 2, 2), (4, 20, 24, 32, 64, 5, 1, 2, 1),
        (4, 20, 24, 24, 64, 3, 1, 1, 1), (4, 20, 24, 32, 48, 3, 1, 1, 1), (1, 20, 20, 32, 64, 3, 1, 1, 1),
        (40, 5, 5, 32, 64, 3, 1, 1, 1),
    ],
    ids=["strides", "gaps", "a larger window", "features that are no panels", "results that are none", "few tiles", "ragged tiles"],
)  # fmt: skip
def test_other_convolutions_are_not_cut_into_tiles(shape: Any) -> None:
    assert not [name for name in ops(shape) if name.startswith("tiled")]


def test_only_float32_is_convolved_in_tiles() -> None:
    assert not [name for name in ops(SHAPES["whole tiles"], F64) if name.startswith("tiled")]


def test_an_array_is_padded_once_for_a_convolution_in_tiles_and_its_kernels_gradient() -> None:
    kernels = fuse(prepare(convolution(*SHAPES["tiles over two edges"], F32)), Tuning())
    padded = [k for k in kernels if "in_memory" in k.fused]
    assert len(padded) == 2  # the array's and the cotangent's


def test_the_tile_is_what_the_matrices_are_for() -> None:
    assert {name: m.shape for name, m in MATRICES.items()} == {"A": (SEEN, TILE), "B": (SEEN, SEEN), "G": (SEEN, WINDOW)}
