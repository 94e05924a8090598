"""Kernels of scatter, sort, top_k and the cumulative ops against the interpreter: the same bits at every number of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from jitgrad_compiler.ir.graph import OPS, Eqn, Graph, Literal, Var
from jitgrad_compiler.ir.interpreter import interpret
from jitgrad_compiler.ir.types import BOOL, DTYPES, F8_E4M3, F32, F64, I8, I16, I32, I64, U8, U32, U64, DType, type_of
from jitgrad_compiler.ops.indexing import SCATTER_KINDS, gathered_shape
from jitgrad_compiler.runtime import driver, pool
from jitgrad_compiler.targets.cpu.program import Program, compile_program

ELEMENTS = [t for t in DTYPES.values() if not t.is_complex and t is not F8_E4M3]  # of whose NaNs nothing says the sign
THREADS = (1, 2, 3, 5)
Arrays = Sequence[np.ndarray]


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = pool.num_threads()
    yield
    pool.set_num_threads(before)


def one_equation(name: str, arrays: Arrays, params: dict[str, Any]) -> Graph:
    types = [type_of(a) for a in arrays]
    inputs = [Var(t) for t in types]
    outputs = [Var(t) for t in OPS[name].types(types, params)]
    return Graph(inputs, [Eqn(OPS[name], inputs, params, outputs)], outputs)


def run(program: Program, arrays: Arrays) -> list[np.ndarray]:
    memory = np.full(program.memory.arena_bytes + 64, 0xA5, np.uint8)  # what a kernel reads it must have written
    arena = -(-memory.ctypes.data // 64) * 64
    outputs = [np.empty(v.type.shape, v.type.dtype.numpy) for v in program.graph.outputs]
    for out in outputs:
        out.view(np.uint8).fill(0xA5) if out.ndim and out.size else None
    table = np.array([program.plan, *[a.ctypes.data for a in (*arrays, *outputs)], arena, 0], np.uint64)
    driver.entry()(table.tobytes())
    return outputs


def results(name: str, arrays: Arrays, **params: Any) -> tuple[list[list[np.ndarray]], tuple[np.ndarray, ...]]:
    """What the kernel gives at each number of threads, and what the interpreter gives."""
    graph = one_equation(name, arrays, params)
    program = compile_program(graph, driver.symbols())
    found = []
    for threads in THREADS:
        pool.set_num_threads(threads)
        found.append(run(program, arrays))
    return found, interpret(graph, *arrays)


def bits(a: np.ndarray) -> np.ndarray:
    """An array's bits, with one pattern for all NaNs."""
    a = np.where(np.isnan(a), np.array(np.nan, a.dtype), a) if a.dtype.kind == "f" else a
    return np.atleast_1d(a).view(f"u{a.dtype.itemsize}")


def check(name: str, arrays: Arrays, **params: Any) -> None:
    found, expected = results(name, arrays, **params)
    for outputs in found:
        for out, reference in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(bits(out), bits(reference), f"{name} {[str(type_of(a)) for a in arrays]} {params}")


def check_sums(name: str, arrays: Arrays, **params: Any) -> None:
    """As `check`; sums of floats, which the interpreter adds in another order, to a few units in the last place of the largest."""
    adds = name == "cumsum" or params.get("kind") == "add"
    if not adds or arrays[0].dtype.kind != "f":
        check(name, arrays, **params)
        return
    found, (expected,) = results(name, arrays, **params)
    largest = np.max(np.abs(expected), where=np.isfinite(expected), initial=0)
    for (out,) in found:
        np.testing.assert_array_equal(bits(out), bits(found[0][0]))
        np.testing.assert_allclose(out, expected, rtol=0, atol=4 * np.finfo(expected.dtype).eps * largest)


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType, signed_zeros: bool = True) -> np.ndarray:
    """Few different numbers, so that many are equal; of floats also NaN, infinity and zeros of both signs."""
    if dtype == BOOL:
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if not dtype.is_float:
        info = np.iinfo(dtype.numpy)
        near = np.asarray(rng.integers(0 if dtype.is_unsigned else -9, 10, shape)).astype(dtype.numpy)
        return np.where(rng.random(shape) < 0.1, rng.choice(np.array([info.min, info.max], dtype.numpy), shape), near).astype(
            dtype.numpy
        )
    x = rng.standard_normal(shape) * rng.choice([0.0, 1.0, -1.0, 1e3], shape)
    x = np.where(rng.random(shape) < 0.02, rng.choice([np.nan, np.inf, -np.inf], shape), x)
    return np.asarray(x if signed_zeros else x + 0.0).astype(dtype.numpy)


# -- scatter

SCATTERS = [  # shape of x, of the indices, axes, batch
    ((5,), (9, 1), (0,), 0),
    ((6, 40), (30, 1), (0,), 0),
    ((6, 40), (7, 5, 1), (1,), 0),
    ((3, 5, 7), (3, 4, 2), (1, 2), 1),
    ((3, 5, 7, 2), (3, 5, 6, 1), (2,), 2),
    ((3, 5, 7, 2), (11, 2), (1, 3), 0),
    ((30, 4, 3, 10, 8), (15, 2), (0, 3), 0),
    ((2, 50, 129), (2, 90, 1), (1,), 1),
    ((40, 60, 3), (40, 150, 1), (1,), 1),
    ((9, 300), (200, 1), (0,), 0),
    ((500, 9), (60, 1), (1,), 0),
    ((4, 3), (2, 0), (), 0),
    ((), (0, 0), (), 0),
]


@pytest.mark.parametrize("kind", SCATTER_KINDS)
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_scatter_does_the_updates_in_row_major_order_and_drops_those_outside(dtype: DType, kind: str) -> None:
    rng = np.random.default_rng([ELEMENTS.index(dtype), len(kind)])
    for shape, index_shape, axes, batch in [SCATTERS[i] for i in rng.choice(len(SCATTERS), 4, replace=False)]:
        signed_zeros = kind not in ("min", "max")  # NumPy leaves open which zero is the larger
        x = numbers(rng, shape, dtype, signed_zeros)
        index_type = DTYPES[str(rng.choice([I8, I16, U8, I32, U64, I64]))]
        extent = max([shape[a] for a in axes], default=1)
        indices = rng.integers(0 if index_type.is_unsigned else -3, min(extent + 3, 127), index_shape).astype(index_type.numpy)
        updates = numbers(rng, gathered_shape(shape, index_shape, axes, batch), dtype, signed_zeros)
        check_sums("scatter", [x, indices, updates], axes=axes, batch=batch, kind=kind)


@pytest.mark.parametrize("case", SCATTERS)
def test_scatter_adds_floats_at_every_arrangement_of_axes(case: tuple[Any, ...]) -> None:
    shape, index_shape, axes, batch = case
    rng = np.random.default_rng(SCATTERS.index(case))
    indices = rng.integers(-1, max([shape[a] for a in axes], default=1) + 1, index_shape)
    updates = numbers(rng, gathered_shape(shape, index_shape, axes, batch), F32)
    check_sums("scatter", [numbers(rng, shape, F32), indices, updates], axes=axes, batch=batch, kind="add")


def test_scatter_without_updates_copies() -> None:
    rng = np.random.default_rng(0)
    for shape, index_shape in [((4, 5), (0, 1)), ((0, 5), (3, 1)), ((4, 0), (3, 1))]:
        updates = numbers(rng, gathered_shape(shape, index_shape, (0,), 0), F32)
        check("scatter", [numbers(rng, shape, F32), np.zeros(index_shape, np.int64), updates], axes=(0,), batch=0, kind="set")


def test_scatter_reads_no_index_as_another_by_wrapping() -> None:
    x, updates = np.zeros(4, np.float32), np.ones(4, np.float32)
    for wild in (np.array([2**63 + 1, 2**64 - 1, 2**32 + 1, 1], np.uint64), np.array([-(2**63), -1, 2**32 + 1, 1], np.int64)):
        check("scatter", [x, wild.reshape(4, 1), updates], axes=(0,), batch=0, kind="add")


def test_scatter_copies_a_large_operand_by_several_tasks() -> None:
    rng = np.random.default_rng(1)
    x, updates = rng.standard_normal((3001, 301)), rng.standard_normal((200, 301))
    check("scatter", [x, rng.integers(0, 40, (200, 1)), updates], axes=(0,), batch=0, kind="add")


@pytest.mark.parametrize("case", [((50, 9), 20_000), ((7,), 100_000), ((3000,), 70_001), ((2, 33), 9000)])
def test_many_updates_of_few_places_are_summed_in_parts_that_threads_do_not_change(case: tuple[Any, ...]) -> None:
    shape, count = case
    rng = np.random.default_rng(count)
    indices = rng.integers(-1, shape[0] + 1, (count, 1))
    updates = rng.standard_normal((count, *shape[1:])).astype(np.float32)
    check_sums("scatter", [rng.standard_normal(shape).astype(np.float32), indices, updates], axes=(0,), batch=0, kind="add")
    zeros = np.full(shape, -0.0, np.float32)
    check_sums("scatter", [zeros, indices, np.full_like(updates, -0.0)], axes=(0,), batch=0, kind="add")


@pytest.mark.parametrize("start", [0.0, -0.0, 2.5])
def test_scatter_into_a_constant_fills_the_result_with_it_first(start: float) -> None:
    rng = np.random.default_rng(6)
    indices, updates = rng.integers(-5, 1100, (300, 1)), rng.standard_normal((300, 70))
    x = np.full((1000, 70), start)
    model = one_equation("scatter", [x, indices, updates], {"axes": (0,), "batch": 0, "kind": "add"})
    (eqn,) = model.eqns
    constant = Eqn(eqn.op, [Literal(np.float64(start), F64), *eqn.inputs[1:]], eqn.params, eqn.outputs)
    graph = Graph(model.inputs[1:], [constant], model.outputs)
    program = compile_program(graph, driver.symbols())
    (expected,) = interpret(model, x, indices, updates)
    np.testing.assert_array_equal(bits(run(program, [indices, updates])[0]), bits(expected))


# -- cumulative


def cumulative_ops(dtype: DType) -> list[str]:
    return ["cummax", "cummin"] if dtype == BOOL else ["cumsum", "cumprod", "cummax", "cummin"]


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_running_values_are_those_of_numpy_along_every_axis(dtype: DType) -> None:
    rng = np.random.default_rng(ELEMENTS.index(dtype))
    shapes = [((5,), 0), ((7, 33, 2), 1), ((21, 120), 1), ((300, 5), 0), ((5, 9, 700), 1), ((64, 1, 3), 0)]
    for name in cumulative_ops(dtype):
        shape, axis = shapes[rng.integers(len(shapes))]
        x = numbers(rng, shape, dtype, signed_zeros=name in ("cumsum", "cumprod"))
        check_sums(name, [x], axis=axis, reverse=bool(rng.integers(2)))


@pytest.mark.parametrize("reverse", [False, True])
def test_every_arrangement_of_axes_has_its_running_sums(reverse: bool) -> None:
    rng = np.random.default_rng(2)
    for shape, axis in [
        ((5,), 0),
        ((0, 3), 0),
        ((3, 0), 0),
        ((7, 33, 2), 1),
        ((21, 120), 1),
        ((9, 4000), 0),
        ((9, 4000), 1),
        ((90, 500), 0),
    ]:
        check_sums("cumsum", [numbers(rng, shape, F32)], axis=axis, reverse=reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [BOOL, U8, I16, I64, F32, F64])
def test_long_rows_have_exact_results_where_order_does_not_matter(dtype: DType, reverse: bool) -> None:
    rng = np.random.default_rng(3)
    names = [n for n in cumulative_ops(dtype) if not dtype.is_float or n in ("cummax", "cummin")]
    for name, shape in zip([*names, *names], [(70003,), (3, 40003), (17, 5001)] * 3, strict=False):
        check(name, [numbers(rng, shape, dtype, signed_zeros=False)], axis=len(shape) - 1, reverse=reverse)


@pytest.mark.parametrize("shape", [(300001,), (3, 40003), (17, 5001)])
@pytest.mark.parametrize("reverse", [False, True])
def test_long_running_sums_of_floats_are_the_same_at_every_number_of_threads_and_round_little(
    shape: tuple[int, ...], reverse: bool
) -> None:
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    found, _ = results("cumsum", [x], axis=len(shape) - 1, reverse=reverse)
    exact = np.flip(np.cumsum(np.flip(x, -1), -1, np.float64), -1) if reverse else np.cumsum(x, -1, np.float64)
    for (out,) in found:
        np.testing.assert_array_equal(out, found[0][0])
        assert np.abs(out - exact).max() <= 4e-7 * np.abs(exact).max()


def test_a_long_sum_keeps_the_sign_of_zeros_and_hands_on_nan() -> None:
    x = np.full(40000, -0.0, np.float32)
    check("cumsum", [x], axis=0, reverse=False)
    x[17000] = np.nan
    check("cumsum", [x], axis=0, reverse=True)


# -- sort

ROWS = [((5,), 0), ((7, 33, 2), 1), ((4, 128), 1), ((200, 3), 0), ((40, 300), 1), ((2, 66000), 1), ((66000, 2), 0), ((1, 4), 0)]


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_sort_is_stable_with_nan_last_and_equal_zeros(dtype: DType) -> None:
    rng = np.random.default_rng(ELEMENTS.index(dtype))
    for i in (*rng.choice(5, 2, replace=False), rng.integers(5, len(ROWS))):
        shape, axis = ROWS[i]
        check("sort", [numbers(rng, shape, dtype)], axis=axis)


@pytest.mark.parametrize("case", ROWS)
def test_sort_orders_all_operands_by_the_first(case: tuple[Any, ...]) -> None:
    shape, axis = case
    rng = np.random.default_rng(ROWS.index(case))
    place = np.arange(np.prod(shape)).reshape(shape)
    for key in (F64, F32, I8):
        check("sort", [numbers(rng, shape, key), place, numbers(rng, shape, BOOL)], axis=axis)


def test_sort_orders_distinct_numbers_of_all_magnitudes() -> None:
    rng = np.random.default_rng(5)
    for n in (100, 1000, 70000):
        for dtype in (I64, U32, F32, F64):
            raw = rng.integers(0, 256, n * dtype.numpy.itemsize, np.uint8).view(dtype.numpy)
            check("sort", [raw], axis=0)


def test_sort_of_equal_numbers_and_of_nothing_changes_nothing() -> None:
    for shape in [(100,), (500,), (70000,), (0,), (3, 0), (0, 3)]:
        check("sort", [np.full(shape, 7.0), np.arange(np.prod(shape)).reshape(shape)], axis=0)


# -- top_k


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_the_largest_elements_come_in_order_nan_first_and_of_equal_ones_the_earlier(dtype: DType) -> None:
    rng = np.random.default_rng(ELEMENTS.index(dtype))
    for shape, axis, k in [
        ((9,), 0, 4), ((4, 128), 1, 128), ((200, 3), 0, 1), ((40, 300), 1, 64), ((40, 300), 1, 65), ((3, 300), 1, 200),
        ((2, 70001), 1, 9), ((70001, 2), 0, 300), ((70001,), 0, 40000),
    ]:  # fmt: skip
        check("top_k", [numbers(rng, shape, dtype)], axis=axis, k=k)


@pytest.mark.parametrize("k", [1, 8, 17, 64, 100, 2000])
def test_the_largest_of_rows_are_found_whatever_their_order(k: int) -> None:
    n = 70000
    rising = np.arange(n)
    for row in (rising, rising[::-1], np.zeros(n, int), rising % 7, np.where(rising < n - 3, -(1 << 63), rising)):
        for dtype in (F32, I64, I8):
            check("top_k", [row.astype(dtype.numpy)], axis=0, k=k)
