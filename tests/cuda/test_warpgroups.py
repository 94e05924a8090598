"""Products by wgmma, emulated from the layouts of its manual, against NumPy and the processor; and as sm_90a assembles them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir import Graph
from jitgrad_compiler.ir.types import F32, U8
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.device import Threads
from jitgrad_compiler.targets.cuda.nvptx import WITH_WGMMA, ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning
from jitgrad_compiler.targets.cuda.warpgroups import MAJORS, WIDTHS, Warpgroup, advance, descriptor, shared_place
from jitgrad_compiler.targets.emitter import Emitter

from . import emulator
from .assemble import assemble, assembler
from .engine import ORDERS
from .kernels import kernel
from .running import run_on_gpu, stand_ins
from .test_contract import DTYPES, PRODUCTS, drawn, tf32, tuned

USUAL = device_tuning(capability=WITH_WGMMA)
TUNINGS = {"as usual": USUAL, "wide tiles, whole sums": tuned(enough_blocks=1, warpgroups=True)}
HALVES = ["float16", "bfloat16"]
NEAR = {**DTYPES, "float32": 2**-19}
"""With what a result may differ by, of the largest; of float32, from that of operands rounded to TF32."""
SIZES = [{"b": 2, "m": 136, "n": 264, "k": 200}, {"b": 3, "m": 101, "n": 97, "k": 75}]


def graph_of(name: str, arrays: list[Any]) -> Graph:
    """A product's, which may be TF32's."""
    with jitgrad.default_matmul_precision("tensorfloat32"):
        return jitgrad.make_graph(PRODUCTS[name][0])(*arrays)


def text_of(graph: Any, tuning: Tuning) -> str:
    return "\n".join(m.text for m in compile_program(prepare(graph), tuning).modules)


def in_memory(tile: np.ndarray, major: str) -> np.ndarray:
    """A tile of [side, 64 steps] of halves as it lies in shared memory: the manual's canonical layout with 128 bytes of swizzling.

    A line is 64 halves, a row's steps or a step's rows; eight lines are a block of 1024 bytes; pieces of 16 bytes stand at their
    number XOR the line's.
    """
    if major == "k":
        lines = tile
    else:  # 64 of the side to a line, step after step, then the next 64
        lines = tile.reshape(-1, 64, 64).swapaxes(1, 2).reshape(-1, 64)
    pieces = lines.reshape(-1, 8, 8)
    number = np.arange(len(pieces))[:, None] % 8
    return np.take_along_axis(pieces, (np.arange(8)[None] ^ number)[:, :, None], 1).reshape(-1)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("left", MAJORS)
@pytest.mark.parametrize("right", MAJORS)
def test_the_emulated_instruction_multiplies_tiles_that_lie_as_the_manual_says(left: str, right: str, columns: int) -> None:
    """Of 64 x 64 and 64 x columns, at steps 16 on, by the first of two warpgroups; its sums lie as fragments of the manual."""
    rng = np.random.default_rng(columns)
    a, b = (rng.integers(-4, 5, (n, 64)).astype(np.float16) for n in (64, columns))
    tiles = np.concatenate([in_memory(a, left), in_memory(b, right)])
    out = np.zeros((128, columns // 2), np.float32)

    def body(e: Emitter, t: Threads, at: Any) -> None:
        thread, shared = t.thread(), t.shared()
        with e.when(e.compare("eq", thread, 0)), e.loop(0, tiles.nbytes) as n:
            e.store(e.offset(shared, n, U8), e.load(e.offset(at(0), n, U8), U8))
        t.publish()
        t.barrier()
        products = Warpgroup(e, t, "f16", columns)
        products.begin()
        tile = [descriptor(e, shared_place(t, shared, n), m, 64 * 128) for n, m in ((0, left), (a.nbytes, right))]
        products.multiply(*[e.add(d, advance(m)) for d, m in zip(tile, (left, right), strict=True)], left + right)
        products.end()
        products.wait()
        for n in range(products.count):
            e.store(e.offset(at(1), e.add(e.mul(thread, products.count), n), F32), products.sum(n))

    table = np.array([tiles.ctypes.data, out.ctypes.data], np.int64)
    module = emulator.load(kernel(body))
    emulator.launch(module, "kernel", 1, [table.ctypes.data], threads=128, shared_bytes=tiles.nbytes)
    want = a[:, 16:32].astype("f4") @ b[:, 16:32].astype("f4").T
    for thread in range(128):
        warp, lane = divmod(thread, 32)
        fragment = out[thread].reshape(-1, 2, 2)  # [8 columns, 8 rows further down, neighbours]
        for h in (0, 1):
            row = 16 * warp + lane // 4 + 8 * h
            np.testing.assert_array_equal(fragment[:, h], want[row].reshape(-1, 8)[:, 2 * (lane % 4) :][:, :2])


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_agrees_with_the_processor(name: str, dtype: str, tuning: str) -> None:
    for sizes in SIZES:
        arrays = drawn(dtype, *[tuple(sizes[s] for s in spelt) for spelt in PRODUCTS[name][1:]])
        if dtype == "float32" and "computed" not in name:
            arrays = [tf32(a) for a in arrays]
        graph = graph_of(name, arrays)
        # what small programs compute in 16 bits lies in memory as float32
        assert "@gpu.wgmma" in text_of(graph, TUNINGS[tuning]) or "computed" in name and dtype in HALVES
        near = NEAR[dtype] if "computed" not in name else 2**-7
        with stand_ins():
            got = run_on_gpu(graph, arrays, TUNINGS[tuning])
        for g, w in zip(got, run_graph(graph, arrays), strict=True):
            if w.dtype == bool:
                assert np.mean(g != w) < 1e-2
                continue
            g, w = g.astype(np.float64), w.astype(np.float64)
            np.testing.assert_allclose(g, w, rtol=near, atol=near * max(1.0, np.abs(w).max()))


def test_tf32_rounds_to_the_nearest_and_keeps_nans_and_infinities() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(96, 128)).astype(np.float32), rng.normal(size=(128, 96)).astype(np.float32)
    y[:, -1] = 1
    x[0, 1], x[1, 5], x[2] = np.nan, np.inf, 2
    x[2, 0] = np.finfo(np.float32).max
    with stand_ins():
        (got,) = run_on_gpu(graph_of("plain", [x, y]), [x, y], USUAL)
    assert np.isnan(got[0]).all() and not np.isfinite(got[1]).any() and np.isfinite(got[2, -1])
    want = tf32(x[3:]).astype("f8") @ tf32(y).astype("f8")
    np.testing.assert_allclose(got[3:], want, rtol=0, atol=2**-19 * np.abs(want).max())


def test_bands_of_tiles_cover_every_tile_once() -> None:
    """Of 18 tiles of rows the second band has two; no tile of results is left out, and none written by two blocks."""
    (x, y) = (np.ones(s, np.float16) for s in ((18 * 128 - 8, 64), (64, 264)))
    x *= np.arange(len(x))[:, None] % 7
    graph = jitgrad.make_graph(lambda x, y: x @ y)(x, y)
    with stand_ins():
        (got,) = run_on_gpu(graph, [x, y], TUNINGS["wide tiles, whole sums"])
    np.testing.assert_array_equal(got, x @ y)


def test_small_products_and_float32_in_full_are_left_to_the_other_kernels() -> None:
    def product(*shapes: tuple[int, int], dtype: str = "float16") -> str:
        specs = [jitgrad.ShapeDtypeStruct(s, dtype) for s in shapes]
        return text_of(jitgrad.make_graph(lambda x, y: x @ y)(*specs), USUAL)

    assert "@gpu.wgmma" in product((128, 128), (128, 128))
    for shapes in (((64, 128), (128, 128)), ((128, 128), (128, 64)), ((128, 32), (32, 128))):
        assert "@gpu.wgmma" not in product(*shapes)
    assert "@gpu.wgmma" not in product((128, 128), (128, 128), dtype="float32")


@pytest.mark.parametrize("dtype", HALVES)
def test_products_inside_a_cooperative_loop_agree(dtype: str) -> None:
    x, w = drawn(dtype, (136, 104), (104, 104))
    arrays = [x, w / x.dtype.type(8)]
    graph = jitgrad.make_graph(lambda x, w: lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h @ w + x), x))(*arrays)
    program = compile_program(graph, USUAL)
    assert not any(v.type.dtype == F32 for k in program.lowered.kernels for p in k.programs for n in p.kernels for v in n.inputs)
    assert any("@gpu.wgmma" in m.text for m in program.modules)
    with stand_ins():
        (got,) = run_on_gpu(graph, arrays, USUAL)
    (want,) = run_graph(graph, arrays)
    np.testing.assert_allclose(got.astype("f8"), want.astype("f8"), rtol=4 * DTYPES[dtype], atol=4 * DTYPES[dtype])


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("sizes", SIZES)
def test_products_done_one_by_one_are_equal_to_a_programs(sizes: dict[str, int], dtype: str) -> None:
    with stand_ins(), jitgrad.default_matmul_precision("high"):
        for spelt in ("mk,kn->mn", "km,kn->mn", "mk,nk->mn", "bkm,bnk->bmn"):
            x, y = drawn(dtype, *[tuple(sizes[s] for s in term) for term in spelt.split("->")[0].split(",")])
            got = jnp.einsum(spelt, jitgrad.device_put(x, "cuda"), jitgrad.device_put(y, "cuda"))
            graph = jitgrad.make_graph(lambda x, y, spelt=spelt: jnp.einsum(spelt, x, y))(x, y)
            assert "@gpu.wgmma" in text_of(graph, USUAL)
            np.testing.assert_array_equal(np.asarray(got), run_on_gpu(graph, [x, y])[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_results_do_not_depend_on_the_order_of_threads_and_blocks(dtype: str) -> None:
    """Operands that are copied, and those that come through registers."""
    arrays = drawn(dtype, (136, 200), (200, 264))
    graph, found = graph_of("plain", arrays), []
    assert "@gpu.wgmma" in text_of(graph, USUAL)
    for order in ORDERS:
        with stand_ins(order=order):
            found += run_on_gpu(graph, arrays, USUAL)
    assert all(f.tobytes() == found[0].tobytes() for f in found)


def convolved(x: Any, w: Any) -> Any:
    return jitgrad.nn.relu(lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))


def gradients(x: Any, w: Any) -> Any:
    return jitgrad.grad(lambda x, w: jnp.sum(convolved(x, w).astype(jnp.float32) ** 2), argnums=(0, 1))(x, w)


@pytest.mark.parametrize("function", [convolved, gradients])
@pytest.mark.parametrize("dtype", HALVES)
def test_convolutions_of_16_bits_are_copied_and_multiplied_as_such(dtype: str, function: Any) -> None:
    x, w = drawn(dtype, (2, 9, 7, 96), (3, 3, 96, 104))
    w = w / w.dtype.type(32)
    graph = jitgrad.make_graph(function)(x, w)
    program = compile_program(graph, USUAL)
    for k in program.lowered.kernels:
        reads = [v.type.dtype for v in k.inputs if v.type.size > 1]
        assert k.kind != "contract" or F32 not in reads, k
    text = "\n".join(m.text for m in program.modules)
    assert "@gpu.wgmma" in text and "@gpu.mma" not in text and "@gpu.copy(" in text
    with stand_ins():
        got = run_on_gpu(graph, [x, w], USUAL)
    for g, v in zip(got, run_graph(graph, [x, w]), strict=True):
        g, v = g.astype("f8"), v.astype("f8")
        np.testing.assert_allclose(g, v, rtol=0, atol=4 * DTYPES[dtype] * np.abs(v).max())


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_assembled_without_spills_and_run_on_while_they_multiply(name: str, dtype: str) -> None:
    for size in (4096, 1021 if name == "plain" else 1024):
        spec = [jitgrad.ShapeDtypeStruct(tuple(size if s != "b" else 4 for s in spelt), dtype) for spelt in PRODUCTS[name][1:]]
        program = compile_program(prepare(graph_of(name, spec)), USUAL)
        text = "\n".join(ptx(m.text, WITH_WGMMA) for m in program.modules)
        assert text.count("wgmma.mma_async") == 4 and ".target sm_90a" in text
        made = assemble(text, "sm_90a")
        assert "serialized" not in made.said  # what ptxas says where it cannot let wgmma run on
        for one in made.kernels.values():
            assert not one.spill_stores and not one.spill_loads and not one.stack, one


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_a_loop_of_products_runs_on_while_it_multiplies() -> None:
    x, w = (jitgrad.ShapeDtypeStruct(s, "float16") for s in ((1024, 1024), (3, 1024, 1024)))
    graph = jitgrad.make_graph(lambda x, w: lax.scan(lambda h, w: (h @ w, None), x, w)[0])(x, w)
    text = "\n".join(ptx(m.text, WITH_WGMMA) for m in compile_program(prepare(graph), USUAL).modules)
    assert "wgmma.mma_async" in text and "serialized" not in assemble(text, "sm_90a").said
