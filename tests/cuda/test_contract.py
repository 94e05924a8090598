"""Products on a GPU's tensor cores, whose emulation cuts off bits as they do, against the CPU's and against float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning

from .assemble import ARCHITECTURES, assemble, assembler, loads
from .engine import ORDERS
from .running import run_on_gpu, stand_ins

NEVER = 1 << 40


def tuned(**gpu: int) -> Tuning:
    usual = device_tuning()
    return replace(usual, gpu=replace(usual.gpu, **gpu))


TUNINGS = {"as usual": device_tuning(), "large tiles, whole sums": tuned(enough_blocks=1)}
BY_FMA = tuned(enough_blocks=1, tensor_side=NEVER)
DTYPES = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-21}
"""With what a result may differ by, of the sum of its terms' sizes."""

PRODUCTS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "plain": (lambda x, y: x @ y, "mk", "kn"),
    "left transposed": (lambda x, y: x.T @ y, "km", "kn"),
    "right transposed": (lambda x, y: x @ y.T, "mk", "nk"),
    "both transposed": (lambda x, y: x.T @ y.T, "km", "nk"),
    "batched": (lambda x, y: jnp.einsum("bmk,bnk->bmn", x, y), "bmk", "bnk"),
    "bias and GELU": (lambda x, y: jitgrad.nn.gelu(x @ y * 0.1 + y[0]), "mk", "kn"),
    "an operand computed on its way": (lambda x, y: jnp.tanh(x) @ (y * 0.5), "mk", "kn"),
    "two results": (lambda x, y: (lambda z: (z, z > 0))(x @ y), "mk", "kn"),
}
SIZES = [{"b": 2, "m": 130, "n": 136, "k": 72}, {"b": 3, "m": 61, "n": 67, "k": 75}, {"b": 1, "m": 64, "n": 48, "k": 264}]


def drawn(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(len(shapes[0]))
    return [np.asarray(jnp.asarray(rng.normal(size=s).astype(np.float32)).astype(dtype)) for s in shapes]


def products_in(graph: Any, tuning: Tuning, target: tuple[int, int] = (8, 0)) -> str:
    """The PTX of a graph's kernels, which multiply on tensor cores."""
    text = "\n".join(ptx(m.text, target) for m in compile_program(prepare(graph), tuning).modules)
    assert "mma.sync" in text
    return text


def assert_agree(graph: Any, arrays: list[np.ndarray], near: float, tuning: Tuning) -> None:
    products_in(graph, tuning)
    want = run_graph(graph, arrays)
    with stand_ins():
        got = run_on_gpu(graph, arrays, tuning)
    for g, w in zip(got, want, strict=True):
        if w.dtype == bool:
            assert np.mean(g != w) < 1e-2
            continue
        g, w = g.astype(np.float64), w.astype(np.float64)
        np.testing.assert_allclose(g, w, rtol=near, atol=near * max(1.0, np.abs(w).max()))


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_agrees_with_the_processor(name: str, dtype: str, tuning: str) -> None:
    function, left, right = PRODUCTS[name]
    for sizes in SIZES:
        arrays = drawn(dtype, *[tuple(sizes[s] for s in spelt) for spelt in (left, right)])
        assert_agree(jitgrad.make_graph(function)(*arrays), arrays, DTYPES[dtype], TUNINGS[tuning])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "an operand computed on its way"])
def test_results_do_not_depend_on_the_order_of_threads_and_blocks(name: str, dtype: str) -> None:
    """Operands that are copied, and those that come through registers; sums leave through memory that these lay in."""
    arrays = drawn(dtype, (130, 264), (264, 136))
    graph, found = jitgrad.make_graph(PRODUCTS[name][0])(*arrays), []
    for order in ORDERS:
        with stand_ins(order=order):
            found += run_on_gpu(graph, arrays, TUNINGS["large tiles, whole sums"])
    assert all(f.tobytes() == found[0].tobytes() for f in found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_convolution_and_its_gradients_agree_with_the_processor(dtype: str) -> None:
    def convolved(x: Any, w: Any) -> Any:
        return jitgrad.nn.relu(lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))

    arrays = drawn(dtype, (2, 9, 7, 16), (3, 3, 16, 64))
    assert_agree(jitgrad.make_graph(convolved)(*arrays), arrays, DTYPES[dtype], device_tuning())
    gradients = jitgrad.make_graph(jitgrad.grad(lambda x, w: convolved(x, w).astype(jnp.float32).sum(), argnums=(0, 1)))(*arrays)
    assert_agree(gradients, arrays, 4 * DTYPES[dtype], device_tuning())


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_inside_a_cooperative_loop_agree(dtype: str) -> None:
    def repeated(x: Any, w: Any) -> Any:
        return lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h @ w * 0.1), x)

    arrays = drawn(dtype, (130, 72), (72, 72))
    graph = jitgrad.make_graph(repeated)(*arrays)
    assert compile_program(prepare(graph), device_tuning()).steps[-1].phase.cooperative  # type: ignore[union-attr]
    assert_agree(graph, arrays, 4 * DTYPES[dtype], device_tuning())


def errors(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Of the product on tensor cores and by FMA, against float64: the root of the mean square, of the sums of the terms' sizes."""
    arrays = [x.astype(np.float32), y.astype(np.float32)]
    wide = [a.astype(np.float64) for a in arrays]
    exact, size = wide[0] @ wide[1], np.abs(wide[0]) @ np.abs(wide[1])
    graph = jitgrad.make_graph(lambda x, y: x @ y)(*arrays)
    products_in(graph, TUNINGS["large tiles, whole sums"])
    found = []
    with stand_ins():
        for tuning in (TUNINGS["large tiles, whole sums"], BY_FMA):
            (got,) = run_on_gpu(graph, arrays, tuning)
            found.append(float(np.sqrt(np.mean(((got - exact) / size) ** 2))))
    return found[0], found[1]


@pytest.mark.parametrize("depth", [64, 500, 3000])
@pytest.mark.parametrize("kind", ["normal", "positive", "rows and columns of other sizes", "denormal"])
def test_float32_on_tensor_cores_is_as_accurate_as_fma(kind: str, depth: int) -> None:
    rng = np.random.default_rng(depth)
    x, y = rng.normal(size=(64, depth)), rng.normal(size=(depth, 64))
    if kind == "positive":
        x, y = np.abs(x), np.abs(y)
    elif kind == "denormal":
        x, y = x * 1e-40, y * 1e10
    elif kind != "normal":
        x, y = x * 10.0 ** rng.uniform(-15, 15, (64, 1)), y * 10.0 ** rng.uniform(-15, 15, 64)
    on_tensor_cores, by_fma = errors(x, y)
    assert on_tensor_cores <= by_fma


def test_float32_sums_of_one_large_term_are_within_two_units_in_the_last_place() -> None:
    """The bits that three products lack show where the sum's rounding has no part: 2^-23 is one unit of a number near 1."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=s) * 10.0 ** rng.uniform(-8, 8, s) for s in ((64, 100), (100, 64)))
    assert errors(x, y)[0] < 2**-23


def test_infinities_and_nans_of_float32_are_where_the_processor_has_them() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(70, 80)).astype(np.float32), rng.normal(size=(80, 66)).astype(np.float32)
    x[3, 5], x[7, 40], x[9, 70], x[12, 3], x[12, 4] = np.inf, -np.inf, np.nan, np.inf, -np.inf
    x[20], x[21] = 0.0, 0.0
    x[20, 1], y[1] = np.finfo(np.float32).max, rng.uniform(-0.99, 0.99, 66)
    x[21, 7], y[11, 9], y[30, 2], y[5, 8] = 1e-44, np.inf, np.finfo(np.float32).max, 0.0
    graph = jitgrad.make_graph(lambda x, y: x @ y)(x, y)
    products_in(graph, device_tuning())
    with stand_ins():
        (got,) = run_on_gpu(graph, [x, y])
    with np.errstate(all="ignore"):
        want = x.astype(np.float64) @ y.astype(np.float64)
    finite = np.isfinite(want) & (np.abs(want) < 3e38)
    assert np.isnan(got[np.isnan(want)]).all() and not np.isfinite(got[np.isinf(want)]).any()
    assert (got[np.isinf(want)] == want[np.isinf(want)]).all()
    with np.errstate(all="ignore"):
        size = np.abs(x.astype(np.float64)) @ np.abs(y.astype(np.float64))
    assert (np.abs(got[finite] - want[finite]) <= 2**-21 * size[finite] + 2**-149).all()


def tf32(x: np.ndarray) -> np.ndarray:
    """The nearest numbers with 11 significant bits."""
    bits = x.view(np.uint32)
    return ((bits + (bits >> 13 & 1) + 0xFFF) & np.uint32(0xFFFFE000)).view(np.float32)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", ["plain", "left transposed", "right transposed", "both transposed", "batched"])
def test_a_product_that_allows_tf32_is_one_of_rounded_operands(name: str, sizes: dict[str, int]) -> None:
    function, left, right = PRODUCTS[name]
    x, y = drawn("float32", *[tuple(sizes[s] for s in spelt) for spelt in (left, right)])
    with jitgrad.default_matmul_precision("tensorfloat32"):
        graph = jitgrad.make_graph(function)(x, y)
    text, full = products_in(graph, device_tuning()), products_in(jitgrad.make_graph(function)(x, y), device_tuning())
    assert 0 < text.count("mma.sync") < full.count("mma.sync")
    with stand_ins():
        (got,) = run_on_gpu(graph, [x, y])
    want = np.asarray(function(jnp.asarray(tf32(x).astype("f8")), jnp.asarray(tf32(y).astype("f8"))))
    np.testing.assert_allclose(got, want, rtol=0, atol=2**-19 * np.abs(want).max())


def test_tf32_keeps_infinities_nans_and_the_largest_numbers() -> None:
    x, y = np.ones((64, 64), np.float32), np.eye(64, dtype=np.float32)
    x[0], x[1], x[2] = np.inf, np.array([0x7F800001], np.uint32).view(np.float32)[0], np.finfo(np.float32).max
    x[3], x[4] = -np.inf, 1e-40
    y[y == 0] = 1e-30
    with jitgrad.default_matmul_precision("high"):
        graph = jitgrad.make_graph(lambda x, y: x @ y)(x, y)
    products_in(graph, device_tuning())
    with stand_ins():
        (got,) = run_on_gpu(graph, [x, y])
    assert (got[0] == np.inf).all() and np.isnan(got[1]).all() and (got[3] == -np.inf).all()
    assert np.isfinite(got[2]).all() and (got[2] > 3.4e38).all()
    np.testing.assert_allclose(got[4].astype("f8"), 1e-40, rtol=2**-4)  # of whose bits TF32 has 4


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_assembled_without_spills_and_read_or_copy_16_bytes_at_once(dtype: str, architecture: str) -> None:
    for name, (function, left, right) in PRODUCTS.items():
        spec = [jitgrad.ShapeDtypeStruct(tuple(4096 if s != "b" else 4 for s in spelt), dtype) for spelt in (left, right)]
        text = products_in(jitgrad.make_graph(function)(*spec), device_tuning(), ARCHITECTURES[architecture])
        for kernel in assemble(text, architecture).kernels.values():
            assert not kernel.spill_stores and not kernel.spill_loads, (name, kernel)
        assert loads(text)[16] >= 8 if dtype == "float32" else text.count("cp.async.cg") >= 12


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_products_in_tf32_are_assembled_without_spills(architecture: str) -> None:
    for name, (function, left, right) in PRODUCTS.items():
        spec = [jitgrad.ShapeDtypeStruct(tuple(4096 if s != "b" else 4 for s in spelt), "float32") for spelt in (left, right)]
        with jitgrad.default_matmul_precision("tensorfloat32"):
            graph = jitgrad.make_graph(function)(*spec)
        text = products_in(graph, device_tuning(), ARCHITECTURES[architecture])
        for kernel in assemble(text, architecture).kernels.values():
            assert not kernel.spill_stores and not kernel.spill_loads, (name, kernel)
        assert loads(text)[16] >= 8
