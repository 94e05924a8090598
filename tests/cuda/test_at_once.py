"""Operations done one by one on a GPU: kernels that are told their sizes, one launch each."""

from __future__ import annotations

import itertools
import re
import zlib

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import backend, lax
from jitgrad_compiler.ir import OPS, Graph
from jitgrad_compiler.ir.types import BF16, BOOL, C64, C128, F16, F32, F64, I8, I32, I64, U32, U64, ArrayType
from jitgrad_compiler.runtime.cuda import at_once, devices
from jitgrad_compiler.runtime.cuda.memory import from_host
from jitgrad_compiler.runtime.cuda.moving import MOVES
from jitgrad_compiler.targets.cuda.device import THREADS, WARP
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import device_tuning
from jitgrad_compiler.targets.cuda.sized.cumulative import CHUNKS, TOTALS, WHOLE, Run, emit_running
from jitgrad_compiler.targets.cuda.sized.kernel import spread
from jitgrad_compiler.targets.cuda.sized.maps import emit_map
from jitgrad_compiler.targets.cuda.sized.places import Way, emit_numbers, emit_places
from jitgrad_compiler.targets.cuda.sized.sums import Stage, emit_sum, stand_in
from tests.compiler.op_agreement import (
    KERNELS,
    assert_examples_agree,
    assert_kernels_agree,
    elementwise_graph,
    example_kernels,
    seeded,
)
from tests.compiler.op_examples import elementwise_params, special_operands

from .assemble import ARCHITECTURES, assemble, assembler
from .running import Asked, on_gpu, run_on_gpu, stand_ins


@pytest.fixture(autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


DRAW = np.random.default_rng(0)


def test_a_hundred_shapes_of_an_elementwise_expression_compile_nothing_after_the_first(gpu):
    arrays = [DRAW.standard_normal(shape).astype("f4") for n in range(1, 34) for shape in ((n,), (n, 3), (2, n, 2))] + [
        np.ones((0, 2), "f4")
    ]
    pairs = [(on_gpu(a), on_gpu(a + 2)) for a in arrays]
    _ = pairs[0][0] * pairs[0][1] + 1
    with Asked(gpu) as asked:
        results = [x * y + 1 for x, y in pairs]
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["upload"] == 0
    assert asked.counts["start"] == 2 * 99 and asked.counts["launch"] == 0
    for a, result in zip(arrays, results, strict=True):
        np.testing.assert_array_equal(result, a * (a + 2) + 1)


def test_numbers_on_the_gpu_are_computed_by_the_kernels_of_vectors(gpu):
    x, y = on_gpu(np.arange(5, dtype="f4")), on_gpu(np.ones(5, "f4"))
    _ = jnp.sqrt(x), x * y, x * 2, x + (1 + 2j), jnp.where(x > y, x, y), x.astype("i4")
    a, b = x.max(), y.min()
    with Asked(gpu) as asked:
        found = jnp.sqrt(a), a * b, a * 2, a + (1 + 2j), jnp.where(a > b, a, b), a.astype("i4")
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0
    assert [n.tolist() for n in found] == [2, 4, 8, 5 + 2j, 4, 4] and {n.shape for n in found} == {()}


REDUCTIONS = {
    "sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all, "argmax": np.argmax,
    "argmin": np.argmin,
}  # fmt: skip
SHAPES = [(5, 7), (1, 300), (300, 1), (3, 4, 5), (2, 2000), (2000, 3), (40,), (1, 5000), (70, 9)]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_any_shape_compile_nothing_after_the_first_of_each_kind(gpu, name):
    def reduced(seed):
        draw = np.random.default_rng(seed)
        for shape in SHAPES:
            a = draw.integers(-3, 3, shape).astype("f4")
            for axis in [*range(len(shape)), *([] if name.startswith("arg") else [None])]:
                got = getattr(jnp, name)(on_gpu(a), axis=axis)
                np.testing.assert_array_equal(got, REDUCTIONS[name](a, axis=axis), err_msg=f"{shape} {axis}")

    reduced(0)
    with Asked(gpu) as asked:
        reduced(1)
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


@pytest.mark.parametrize("dtype", ["f2", "bfloat16", "f4", "f8", "i1", "i4", "u8", "bool"])
def test_sums_of_every_type_are_as_on_the_processor(dtype):
    for shape in SHAPES:
        a = jnp.asarray(DRAW.integers(0, 3, shape)).astype(dtype)
        for axis in range(len(shape)):
            np.testing.assert_array_equal(on_gpu(a).sum(axis), a.sum(axis))


CUMULATIVE = ("cumsum", "cumprod", "cummax", "cummin")
RUNNING = [
    *[(name, dtype) for name in CUMULATIVE for dtype in ("f4", "f8", "bfloat16", "i1", "u8")],
    ("cummax", "bool"), ("cummin", "bool"), ("cumsum", "c8"), ("cumsum", "c16"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dtype"), RUNNING)
def test_running_values_along_any_axis_compile_nothing_after_the_first_of_each_kind(gpu, name, dtype):
    def done(shapes):
        for shape in shapes:
            a = jnp.asarray(DRAW.integers(-1 if name == "cumprod" else 0, 2, shape)).astype(dtype)
            for axis in range(len(shape)):
                for reverse in (False, True):
                    want, got = (getattr(lax, name)(on(a), axis=axis, reverse=reverse) for on in (jnp.asarray, on_gpu))
                    assert got.device.platform == "cuda" and got.dtype == want.dtype
                    np.testing.assert_array_equal(got, want, err_msg=f"{shape} {axis} {reverse}")

    done([(5, 7), (1, 300), (2, 2000), (9000, 2), (1, 20000)])
    with Asked(gpu) as asked:
        done([(6, 3), (300, 1), (3, 4, 5), (2, 0), (1, 1500), (9100, 2), (1, 21000)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


def test_long_running_sums_keep_their_accuracy_and_what_is_not_a_number(gpu):
    a = DRAW.random((30_000, 2)).astype("f4")
    for array, axis in ((a, 0), (a.T.copy(), 1)):
        np.testing.assert_allclose(jnp.cumsum(on_gpu(array), axis), array.astype("f8").cumsum(axis), rtol=3e-7)
    a[20_000] = np.nan, np.inf
    for name in CUMULATIVE:
        for on in (a, a[:, 0].copy(), a[:, 1].copy()):
            want, got = (np.asarray(getattr(lax, name)(jnp.asarray(x), axis=0)) for x in (on, on_gpu(on)))
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-38)


COMPLEX = {
    "product": lambda x, y: x * y + 1,
    "with numbers": lambda x, y: (2 - 1j) * x / 3 - y,
    "with reals": lambda x, y: x * y.real + abs(y),
    "parts": lambda x, y: x.real * 2 + y.imag,
    "put together": lambda x, y: lax.complex(x.real, y.imag),
    "conjugate": lambda x, y: jitgrad.checkpoint_name(jnp.conj(x), "x") * y,
    "exponential": lambda x, y: jnp.exp(x) + jnp.sqrt(y),
    "compared": lambda x, y: (x == y) | (x != x),
    "chosen": lambda x, y: jnp.where(x.real > 3, x, y),
    "converted": lambda x, y: x.real.astype(x.dtype) + y,
    "sum": lambda x, y: (x * y).sum(0),
    "sum of all": lambda x, y: x.sum(),
    "mean": lambda x, y: x.mean(-1),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_numbers_of_any_shape_compile_nothing_after_the_first(gpu, name, dtype):
    def done(shapes):
        for shape in shapes:
            a, b = (DRAW.integers(1, 9, (*shape, 2)) @ np.array([1, 1j]) for _ in range(2))
            x, y = a.astype(dtype), b.astype(dtype)
            want, got = (COMPLEX[name](on(x), on(y)) for on in (jnp.asarray, on_gpu))
            assert got.device.platform == "cuda" and got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=2e-6 if dtype == "c8" else 1e-14, err_msg=str(shape))

    done([(5, 3), (30, 41)])  # the sum of all of these is of shares
    with Asked(gpu) as asked:
        done([(4, 6), (1, 7), (0, 3) if name != "mean" else (2, 2), (40, 41), (3, 1)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


def test_long_sums_are_of_shares_and_keep_their_accuracy(gpu):
    a = DRAW.random((100_000, 2)).astype("f4")
    for array, axis in ((a, 0), (a.T.copy(), 1), (a, None)):
        np.testing.assert_allclose(on_gpu(array).sum(axis), array.astype("f8").sum(axis), rtol=2e-7)
    assert on_gpu(np.ones((0, 3), "f4")).sum(0).tolist() == [0, 0, 0]


LAYOUTS = {
    "transpose": lambda x: x.T, "swapped": lambda x: x.swapaxes(0, 1), "column": lambda x: x[:, :1], "row": lambda x: x[1:2],
    "every second": lambda x: x[::2], "backwards": lambda x: x[::-1], "flat": lambda x: x.reshape(-1),
    "more axes": lambda x: x[None, :, None], "spread": lambda x: x + x[:1] * x[:, :1],
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "i1", "f8"])
def test_layouts_of_any_shape_compile_nothing_after_the_first(gpu, name, dtype):
    def laid(sizes):
        for rows in sizes:
            for shape in ((rows, 3), (rows, 2, 5), (rows, 6)):
                a = DRAW.integers(0, 9, shape).astype(dtype)
                np.testing.assert_array_equal(LAYOUTS[name](on_gpu(a)), LAYOUTS[name](a))

    laid([5])
    with Asked(gpu) as asked:
        laid([4, 7, 40])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


MOVED = {
    "together": lambda x, on: jnp.concatenate([x, x[1:], x[:0]]),
    "together along the last axis": lambda x, on: jnp.concatenate([x, x * 2], -1),
    "stacked": lambda x, on: jnp.stack([x, x, x], 1),
    "padded": lambda x, on: jnp.pad(x, 1),
    "padded and cut": lambda x, on: lax.pad(x, x[(0,) * x.ndim], [(2, -1, 1), *[(-1, 1, 0)] * (x.ndim - 1)]),
    "rolled": lambda x, on: jnp.roll(x, 2),
    "rows at indices": lambda x, on: x[on(np.arange(-2, 3) % len(x))],
    "points": lambda x, on: x[on(np.arange(4) % len(x)), on(np.array([0, -1, 1, 0]))],
    "indices outside": lambda x, on: jnp.take(x, on(np.array([0, 9999, -1])), 1, mode="fill", fill_value=7),
    "indices held inside": lambda x, on: jnp.take(x, on(np.array([[0, 9999], [-5, 1]], "i4")), 0, mode="clip"),
    "along an axis": lambda x, on: jnp.take_along_axis(x, on(np.arange(x.size).reshape(x.shape) % len(x)), 0),
    "a window": lambda x, on: lax.dynamic_slice(x, (1,) * x.ndim, (2,) * x.ndim),
    "a window at numbers there": lambda x, on: lax.dynamic_slice(x, [on(np.uint64(9 * n)) for n in range(x.ndim)], (2,) * x.ndim),
    "a window written": lambda x, on: lax.dynamic_update_slice(x, x[:2] * 2, [on(np.int8(3)), *[0] * (x.ndim - 1)]),
    "a part set": lambda x, on: x.at[1:].set(x[:-1] + 1),
    "an element set": lambda x, on: x.at[(-1,) * x.ndim].set(5),
    "a triangle": lambda x, on: jnp.tril(x),
    "a range": lambda x, on: x[0].astype("f4") + on(jnp.arange(x.shape[-1])),
    "windows' sums": lambda x, on: lax.reduce_window(x, 0, lax.add, (2,) * x.ndim, (2,) * x.ndim, "SAME"),
    "sums over axes apart": lambda x, on: (x.reshape(-1, 1, *x.shape[1:]) * jnp.ones((1, 3, *x.shape[1:]), x.dtype)).sum((0, -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVED)
@pytest.mark.parametrize("dtype", ["f4", "i1", "f8", "c8", "c16"])
def test_what_moves_elements_compiles_nothing_for_new_shapes(gpu, name, dtype):
    def done(shapes):
        for shape in shapes:
            a = DRAW.integers(0, 9, shape).astype(dtype)
            want = MOVED[name](jnp.asarray(a), jnp.asarray)
            got = MOVED[name](on_gpu(a), on_gpu)
            assert got.device.platform == "cuda"
            np.testing.assert_array_equal(got, want, err_msg=str(shape))

    done([(5, 3), (3, 4, 2)])
    with Asked(gpu) as asked:
        done([(4, 6), (7, 3), (3, 5, 2)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


@pytest.mark.parametrize("dtype", ["f4", "bfloat16", "i1"])
def test_pools_of_any_shape_compile_nothing_after_the_first(gpu, dtype):
    def done(shapes):
        for shape in shapes:
            a = jnp.asarray(DRAW.integers(-9, 9, shape)).astype(dtype)
            for reducer, start in ((lax.max, -99), (lax.min, 99)):
                want, got = (
                    lax.reduce_window(on(a), start, reducer, (1, 2, 3), (1, 2, 1), "VALID") for on in (jnp.asarray, on_gpu)
                )
                assert got.device.platform == "cuda" and got.dtype == want.dtype
                np.testing.assert_array_equal(got, want)

    done([(2, 5, 7)])
    with Asked(gpu) as asked:
        done([(3, 7, 9), (2, 5, 6), (2, 1, 4)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


@pytest.mark.parametrize("name", ["reduce_window_max", "reduce_window_min", "window_place"])
def test_what_is_found_in_windows_agrees_with_the_interpreter(name):
    assert_examples_agree(
        name, [(e, dtype) for e, dtype in example_kernels(name) if dtype in (F32, BOOL)], seeded(name), one_by_one
    )


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_elements_agrees_with_the_interpreter_in_every_example_of_the_op(name):
    assert_examples_agree(name, example_kernels(name), seeded(name), one_by_one)


RANGES = {
    "one bound": lambda n: jnp.arange(n),
    "two": lambda n: jnp.arange(-3, n),
    "steps": lambda n: jnp.arange(1, 4 * n, 3),
    "back": lambda n: jnp.arange(n, -n, -2, dtype="int8"),
    "floats": lambda n: jnp.arange(0.5, n, 0.1),
    "float64": lambda n: jnp.arange(0, n, 0.3, "float64"),
    "along an axis": lambda n: lax.broadcasted_iota("int32", (2, n, 3), 1),
    "identity": lambda n: jnp.eye(n, n + 1, k=1),
    "a triangle": lambda n: jnp.tri(n, k=-1),
    "evenly": lambda n: jnp.linspace(0, 1, n, dtype="float32"),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges_are_made_on_the_gpu_by_kernels_for_all_sizes(gpu, name):
    with jitgrad.default_device("cuda"):
        RANGES[name](9)
        before = len(gpu.calls)
        with Asked(gpu) as asked:
            found = [RANGES[name](n) for n in (1, 2, 30, 40)]
        sent = [call.arguments[2] for call in list(gpu.calls)[before:] if call.name == "upload"]
    assert asked.counts["load"] == 0 and (name == "evenly" or max(sent, default=0) <= 8)
    for got, n in zip(found, (1, 2, 30, 40), strict=True):
        want = RANGES[name](n)
        assert got.dtype == want.dtype and got.device.platform == "cuda"
        np.testing.assert_array_equal(got, want)


def one_by_one(graph: Graph, arrays):
    """A graph's equations by kernels that are told sizes."""
    device = devices.device(0)
    known = {v: from_host(device, a) for v, a in zip(graph.inputs, arrays, strict=True)}
    for e in graph.eqns:
        types, results = [v.type for v in e.inputs], [v.type for v in e.outputs]

        def program(types, op=e.op, params=e.params):
            return backend.one_equation(op, types, params)

        what = at_once.Operation(e.op, e.params, types, [known[v] for v in e.inputs], results, program, True)
        outs = at_once.run(device, what)
        if outs is None:
            return run_on_gpu(graph, arrays)
        known |= dict(zip(e.outputs, outs, strict=True))
    return [known[v].array(v.type) for v in graph.outputs]


@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS}))
def test_an_elementwise_op_agrees_at_special_numbers(name):
    op, kinds = OPS[name], [d for n, d in KERNELS if n == name]
    for dtype in {kinds[0], kinds[-1]} | {F32} & {*kinds}:
        operands = [a[: len(a) // 4 * 4 - 1] for a in special_operands(op, dtype)]
        graph = elementwise_graph(op, dtype, [operands[0].shape], elementwise_params(op, dtype)[:1])
        if graph.eqns:
            assert_kernels_agree(op, [(graph, operands)], one_by_one)


def numbers(dtype, *shape):
    return ArrayType(shape or (2,), dtype)


def program_of(name, types, **params):
    return backend.one_equation(OPS[name], types, params)


def every_kind():
    """A name, and a kernel for all sizes."""
    tuning = device_tuning()
    for dtype in (F32, F16, BF16, I32):
        vector = spread(numbers(dtype))
        yield f"mul {dtype}", emit_map("k", program_of("mul", [vector, vector]), {}, True, tuning)
        yield f"mul {dtype} by a number", emit_map("k", program_of("mul", [vector, ArrayType((), dtype)]), {1}, True, tuning)
        for stage in [Stage(team, False, False) for team in (1, WARP, THREADS)] + [Stage(1, True, False), Stage(1, False, True)]:
            yield f"sum {dtype} {stage}", emit_sum("k", program_of("reduce_sum", [stand_in(dtype)], axes=(1,)), stage, True, tuning)
    yield (
        "argmax",
        emit_sum("k", program_of("argmax", [stand_in(F64)], axis=1, dtype=I32), Stage(THREADS, False, False), True, tuning),
    )
    for dtype in (C64, C128):
        vector = spread(numbers(dtype))
        yield f"mul {dtype}", emit_map("k", program_of("mul", [vector, vector]), {}, True, tuning)
        yield f"exp {dtype}", emit_map("k", program_of("exp", [vector]), {}, True, tuning)
        yield f"mul {dtype} by a number", emit_map("k", program_of("mul", [vector, ArrayType((), dtype)]), {1}, True, tuning)
    for dtype, team in ((F32, 1), (F64, WARP), (F64, THREADS), (BF16, THREADS), (I8, WARP)):
        for part in (WHOLE, TOTALS, CHUNKS):
            yield f"running {dtype} {team} {part}", emit_running("k", Run("add", dtype, part != WHOLE, team, part), tuning)
    for axes in (1, 2, 6):
        yield f"{axes} axes", emit_places("k", Way(32, axes, U32), tuning)
    for keys in ((I32,), (I64, U64, I8)):
        yield f"at indices {keys}", emit_places("k", Way(32, 2, U32, keys=keys, fills=True), tuning)
        yield f"to indices {keys}", emit_places("k", Way(64, 2, I64, keys=keys, into=True), tuning)
    for dtype in (BOOL, I8, F32, F64):
        yield f"numbers of {dtype}", emit_numbers("k", dtype, U32, tuning)


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_the_ptx_of_kernels_for_all_sizes_is_assembled_and_reads_sixteen_bytes_at_once():
    for name, kernel in every_kind():
        target = list(ARCHITECTURES)[zlib.crc32(name.encode()) % 3]
        text = ptx(kernel.module.text, ARCHITECTURES[target])
        (made,) = assemble(text, target).kernels.values()
        assert not made.spill_stores and not made.stack, name
        if name.startswith("mul"):
            assert all(re.search(rf"{way}\.global\.(v4\.b32|v2\.b64)", text) for way in ("ld", "st")), name


@pytest.mark.parametrize("name", ["normal", "gamma"])
def test_draws_of_new_shapes_compile_nothing_and_are_the_processors(gpu, name):
    def draw(shape, scale):
        made = jitgrad.random.normal if name == "normal" else lambda key, s: jitgrad.random.gamma(key, scale, s)
        return made(jitgrad.device_put(jitgrad.random.key(5), "cuda"), shape), made(jitgrad.random.key(5), shape)

    def done(shapes):
        for shape in shapes:
            for scale in (jnp.float32(2.5), jnp.linspace(0.5, 3, int(np.prod(shape)), dtype="f4").reshape(shape)):
                got, want = draw(shape, scale)
                assert got.shape == shape and got.device.platform == "cuda"
                np.testing.assert_allclose(got, want, rtol=2e-6)

    done([(16,), (40,), (100,)])
    with Asked(gpu) as asked:
        done([(2, 5), (7, 11), (), (1,), (3, 1, 29)])
    assert asked.counts["load"] == 0


def test_orders_and_counts_of_new_sizes_compile_nothing_and_are_the_processors(gpu):
    draws = [jitgrad.random.permutation, lambda key, n: jitgrad.random.poisson(key, 9.5, (n,))]

    def done(sizes):
        for n, draw in itertools.product(sizes, draws):
            got = draw(jitgrad.device_put(jitgrad.random.key(5), "cuda"), n)
            assert got.device.platform == "cuda"
            np.testing.assert_array_equal(got, draw(jitgrad.random.key(5), n))

    done([16, 64])
    with Asked(gpu) as asked:
        done([5, 33, 2])
    assert asked.counts["load"] == 0
