"""Products of matrices that are done one by one on a GPU, by kernels that are told their sizes."""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import backend, lax
from jitgrad_compiler.ir import OPS
from jitgrad_compiler.ir.types import BF16, F16, F32, F64
from jitgrad_compiler.targets.cuda.contract.kernel import Extents
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import device_tuning
from jitgrad_compiler.targets.cuda.sized.products import Lies, divided, emit_product, operand_types
from jitgrad_compiler.targets.cuda.sized.sums import WEIGHTED, Stage, emit_sum, stand_in, weights

from .assemble import ARCHITECTURES, assemble, assembler, loads
from .running import on_gpu, run_on_gpu, stand_ins


@pytest.fixture(autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


NEAR = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-20, "float64": 2**-48}
"""With what a result may differ by, of the largest."""
PRODUCTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Any]] = {
    "ragged": ((70, 90), (90, 65), (((1,), (0,)), ((), ()))),
    "in whole lines": ((64, 72), (72, 128), (((1,), (0,)), ((), ()))),
    "left transposed": ((90, 72), (90, 64), (((0,), (0,)), ((), ()))),
    "right transposed": ((70, 64), (50, 64), (((1,), (1,)), ((), ()))),
    "both transposed": ((66, 51), (49, 66), (((0,), (1,)), ((), ()))),
    "small": ((3, 5), (5, 2), (((1,), (0,)), ((), ()))),
    "batched": ((3, 5, 7), (3, 9, 7), (((2,), (2,)), ((0,), (0,)))),
    "a batch between the other axes": ((5, 3, 7), (7, 3, 9), (((2,), (0,)), ((1,), (1,)))),
    "two axes summed, in another order": ((5, 4, 3, 6), (3, 4, 8), (((1, 2), (1, 0)), ((), ()))),
    "two batch axes": ((2, 3, 4, 5), (2, 3, 5, 6), (((3,), (2,)), ((0, 1), (0, 1)))),
    "deep": ((60, 3000), (3000, 50), (((1,), (0,)), ((), ()))),
    "deep, of few": ((10, 2000), (2000, 5), (((1,), (0,)), ((), ()))),
    "an outer product": ((33, 1), (1, 20), (((1,), (0,)), ((), ()))),
}
VECTORS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Any]] = {
    "a matrix and a vector": ((40, 700), (700,), (((1,), (0,)), ((), ()))),
    "a matrix and a column": ((40, 70), (70, 1), (((1,), (0,)), ((), ()))),
    "a vector and a matrix": ((700,), (700, 30), (((0,), (0,)), ((), ()))),
    "two vectors": ((900,), (900,), (((0,), (0,)), ((), ()))),
    "long vectors": ((70_000,), (70_000,), (((0,), (0,)), ((), ()))),
    "vectors and matrices": ((3, 70), (3, 70, 20), (((1,), (1,)), ((0,), (0,)))),
    "matrices and vectors": ((3, 20, 70), (3, 70), (((2,), (1,)), ((0,), (0,)))),
    "a batch behind": ((20, 3, 70), (70, 3), (((2,), (0,)), ((1,), (1,)))),
    "a sum between the other axes": ((5, 40, 3), (40,), (((1,), (0,)), ((), ()))),
    "no depth": ((9, 0), (0, 4), (((1,), (0,)), ((), ()))),
    "no rows": ((0, 4), (4, 3), (((1,), (0,)), ((), ()))),
    "nothing": ((0,), (0,), (((0,), (0,)), ((), ()))),
}


def drawn(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(len(shapes[0]))
    return [np.asarray(jnp.asarray(rng.normal(size=s)).astype(dtype)) for s in shapes]


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("name", [*PRODUCTS, *VECTORS])
def test_a_product_agrees_with_the_processor_and_a_program_and_needs_no_graph(gpu, name, dtype):
    left, right, dims = {**PRODUCTS, **VECTORS}[name]
    x, y = drawn(dtype, left, right)
    operands, before = (on_gpu(x), on_gpu(y)), gpu.counts.copy()
    got = lax.dot_general(*operands, dims)
    assert (gpu.counts - before)["graph"] == 0
    want = np.asarray(lax.dot_general(x, y, dims)).astype("f8")
    assert got.shape == want.shape and got.dtype == x.dtype
    np.testing.assert_allclose(np.asarray(got).astype("f8"), want, rtol=NEAR[dtype], atol=NEAR[dtype] * np.abs(want).max(initial=1))
    if name in PRODUCTS:
        (program,) = run_on_gpu(jitgrad.make_graph(lambda x, y: lax.dot_general(x, y, dims))(x, y), [x, y])
        np.testing.assert_array_equal(np.asarray(got), program)


def test_products_of_new_shapes_compile_nothing_after_the_first_of_each_kind(gpu):
    def multiplied(sizes):
        for rows, columns, depth in sizes:
            x, y = (np.random.default_rng(rows).integers(-3, 3, s).astype("f4") for s in ((rows, depth), (depth, columns)))
            a, b = on_gpu(x), on_gpu(y)
            np.testing.assert_array_equal(a @ b, x @ y)
            np.testing.assert_array_equal(jnp.einsum("ik,kj->ji", a, b), (x @ y).T)
            np.testing.assert_array_equal(jnp.dot(a, b[:, 0]), x @ y[:, 0])
            np.testing.assert_array_equal(jnp.matmul(b.T, a.T), (x @ y).T)

    multiplied([(5, 3, 7), (61, 50, 70), (64, 128, 80), (64, 64, 128)])
    before = gpu.counts.copy()
    multiplied([(9, 2, 3), (33, 7, 11), (63, 49, 99), (64, 64, 64), (72, 80, 136)])
    asked = gpu.counts - before
    assert asked["load"] == asked["graph"] == asked["launch"] == 0


def test_tf32_is_asked_for_as_in_a_program(gpu):
    x, y = drawn("float32", (70, 90), (90, 65))
    full = on_gpu(x) @ on_gpu(y)
    with jitgrad.default_matmul_precision("tensorfloat32"):
        got = on_gpu(x) @ on_gpu(y)
        (program,) = run_on_gpu(jitgrad.make_graph(lambda x, y: x @ y)(x, y), [x, y])
    np.testing.assert_array_equal(got, program)
    assert 0 < np.abs(np.asarray(got) - np.asarray(full)).max() < 3e-2
    np.testing.assert_array_equal(jnp.matmul(on_gpu(x), on_gpu(y), precision="high"), program)
    np.testing.assert_array_equal(jnp.matmul(on_gpu(x), on_gpu(y), precision="bfloat16_3x"), full)


def test_batches_are_broadcast():
    x, y = drawn("float32", (4, 1, 3, 5), (2, 5, 6))
    np.testing.assert_allclose(on_gpu(x) @ on_gpu(y), x @ y, rtol=2e-6, atol=1e-6)


KINDS = [
    (dtype, Extents(2, rows, columns, depth), Lies(a, whole), Lies(b, whole))
    for dtype, (rows, columns, depth), a, b, whole in itertools.product(
        (F32, F16, BF16, F64), ((20, 30, 40), (4096, 4088, 1024), (64, 64, 90_000)), (False, True), (False, True), (False, True)
    )
]


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_the_ptx_of_products_of_all_sizes_is_assembled_without_spills():
    tuning = device_tuning()
    for dtype, sizes, left, right in KINDS:
        name = f"{dtype} {sizes} {left} {right}"
        if zlib.crc32(name.encode()) % 4:
            continue
        kind, _ = divided(dtype, zlib.crc32(name.encode()) % 8 == 0, sizes, left, right, tuning.gpu)
        types, params = operand_types(kind)
        graph = backend.one_equation(OPS["dot_general"], types, params)
        target = list(ARCHITECTURES)[zlib.crc32(name.encode()) // 4 % 3]
        for of_sums in (False, True)[: 1 + kind.split]:
            kernel = emit_product("k", graph, kind, of_sums, True, tuning)
            text = ptx(kernel.module.text, ARCHITECTURES[target])
            (made,) = assemble(text, target).kernels.values()
            assert not made.spill_stores and not made.spill_loads, name
            if not of_sums and kind.way == "tensor cores":
                assert "mma.sync" in text
                assert not left.whole or ("cp.async" in text if dtype in (F16, BF16) else loads(text)[16]), name


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("dtype", [F32, F16])
def test_the_ptx_of_weighted_sums_is_assembled_without_spills(dtype):
    graph = backend.one_equation(OPS["dot_general"], [stand_in(dtype), weights(dtype)], WEIGHTED)
    for team in (1, 32, 256):
        kernel = emit_sum("k", graph, Stage(team, False, False), True, device_tuning())
        (made,) = assemble(ptx(kernel.module.text, (9, 0)), "sm_90").kernels.values()
        assert not made.spill_stores and not made.stack
