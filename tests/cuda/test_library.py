"""Kernels of the ops that are no loop nests on a GPU, at sizes and tunings that meet every path, against NumPy and the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir import OPS, Eqn, Graph, Var
from jitgrad_compiler.ir.types import DTYPES, ArrayType
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning

from .assemble import assemble, assembler, loads
from .engine import Order
from .running import run_on_gpu, stand_ins


def tuned(**gpu: int) -> Tuning:
    usual = device_tuning()
    return replace(usual, gpu=replace(usual.gpu, **gpu))


TUNINGS = {
    "as usual": device_tuning(),
    "wide, shared by many": tuned(wide_from=1, share=256, thread_share=8, shared_sort=256, few_updates=2),
    "a block a row": tuned(wide_from=1, warp_row=32, short_row=1),
}
ORDERS = [Order("backwards"), Order("shuffled", 1), Order("ahead")]


def assembles(graph: Any) -> str:
    """The PTX of a program, which spills no registers."""
    (module,) = compile_program(graph, TUNINGS["wide, shared by many"]).modules
    text = ptx(module.text, (9, 0))
    if assembler() is not None:
        kernels = assemble(text, "sm_90").kernels
        assert kernels and not any(k.spill_loads or k.spill_stores for k in kernels.values())
    return text


def on_gpu(f: Callable[..., Any], arrays: Sequence[np.ndarray], tuning: Tuning) -> list[np.ndarray]:
    """The results of a function."""
    return results(jitgrad.make_graph(f)(*arrays), arrays, tuning)


def results(graph: Graph, arrays: Sequence[np.ndarray], tuning: Tuning) -> list[np.ndarray]:
    """The results of a graph, which are the same bits in any order of the threads."""
    with stand_ins() as (device,):
        found = run_on_gpu(graph, arrays, tuning)
        for device.order in ORDERS:
            for first, again in zip(found, run_on_gpu(graph, arrays, tuning), strict=True):
                assert first.tobytes() == again.tobytes()
    return found


TYPES = ("f4", "f8", "i4", "u8", "i1", "?")


# -- cumulative

LINES = [
    ((1,), 0), ((7, 5), 1), ((3, 300), 1), ((2, 1500), 1), ((2, 5001), 1), ((9, 1024), 1), ((4096,), 0),
    ((900, 3), 0), ((2, 40, 33), 1), ((3, 700, 1, 2), 1), ((5, 3), 1), ((0, 3), 1), ((2, 0), 1),
]  # fmt: skip
RUNNING = {
    "cumsum": (lax.cumsum, np.add), "cumprod": (lax.cumprod, np.multiply),
    "cummax": (lax.cummax, np.maximum), "cummin": (lax.cummin, np.minimum),
}  # fmt: skip


def values(name: str, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> np.ndarray:
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 100, shape).astype(dtype)
    x = rng.normal(size=shape) if name != "cumprod" else np.exp(rng.normal(size=shape) / 50)
    return x.astype(dtype)


DIRECTIONS = [("f4", False), ("f4", True), ("i4", True), ("f8", False), ("i8", False), ("u1", False)]
"""An element type, and whether from the end."""


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize(("shape", "axis"), LINES)
def test_running_values_agree_with_numpys(name: str, shape: tuple[int, ...], axis: int) -> None:
    f, ufunc = RUNNING[name]
    rng = np.random.default_rng(len(shape))
    arrays = [values(name, shape, dtype, rng) for dtype, _ in DIRECTIONS]

    def all_of_them(*arrays: Any) -> list[Any]:
        return [f(x, axis=axis, reverse=reverse) for x, (_, reverse) in zip(arrays, DIRECTIONS, strict=True)]

    found = [on_gpu(all_of_them, arrays, tuning) for tuning in TUNINGS.values()]
    for n, (x, (dtype, reverse)) in enumerate(zip(arrays, DIRECTIONS, strict=True)):
        wide = x if x.dtype.kind in "iu" else x.astype("f8")
        turned = np.flip(wide, axis) if reverse else wide
        want = ufunc.accumulate(turned, axis, dtype=wide.dtype)
        want = np.flip(want, axis) if reverse else want
        for got in [results[n] for results in found]:
            assert got.dtype == x.dtype
            if dtype[0] == "f" and name in ("cumsum", "cumprod"):
                most = np.abs(want).max(initial=1)
                np.testing.assert_allclose(got, want, rtol=2e-6 if name == "cumsum" else 1e-4, atol=1e-6 * most)
            else:
                np.testing.assert_array_equal(got, want.astype(dtype))


@pytest.mark.parametrize("shape", [(300_001,), (20_000, 3)])
def test_a_long_running_sum_of_like_terms_is_accurate(shape: tuple[int, ...]) -> None:
    x = np.full(shape, np.float32(0.1))
    want = np.cumsum(x, 0, dtype="f8")
    (got,) = on_gpu(lambda x: lax.cumsum(x, axis=0), [x], TUNINGS["as usual"])
    assert np.max(np.abs(got / want - 1)) < 1e-6


@pytest.mark.parametrize("name", RUNNING)
def test_running_values_go_on_behind_a_nan_and_keep_the_sign_of_a_zero(name: str) -> None:
    f, ufunc = RUNNING[name]
    x = np.full((2, 700), -0.0, "f4")
    x[1, 300], x[1, 400] = np.inf, np.nan
    for tuning in TUNINGS.values():
        (got,) = on_gpu(lambda x: f(x, axis=1), [x], tuning)
        with np.errstate(invalid="ignore"):
            want = ufunc.accumulate(x, 1)
        np.testing.assert_array_equal(got, want)
        assert np.signbit(got[:, :1]).all()
        if name != "cumprod":
            assert np.signbit(got[0]).all()


def test_a_running_sum_is_read_and_written_16_bytes_at_once() -> None:
    x = np.zeros((64, 4096), "f4")
    text = assembles(jitgrad.make_graph(lambda x: lax.cumsum(x, axis=1))(x))
    if assembler() is not None:
        assert loads(text)[16] == 2


# -- sort

ROWS = [((1,), 0), ((50, 7), 1), ((3, 300), 1), ((4096,), 0), ((5001,), 0), ((2, 9000), 1), ((300, 3), 0), ((0, 3), 1), ((2, 0), 1)]


@pytest.mark.parametrize(("shape", "axis"), ROWS)
def test_rows_are_sorted_with_their_operands_stably(shape: tuple[int, ...], axis: int) -> None:
    pairs = []
    for dtype in TYPES:
        rng = np.random.default_rng(len(shape))
        x = rng.integers(0, 2 if dtype == "?" else 100, shape).astype(dtype)
        if x.dtype.kind == "f":
            x = np.where(x > 90, np.nan, np.where(x < 5, -np.inf, x - 50)).astype(dtype)
            x = np.where((x == 0) & (rng.random(shape) < 0.5), -x, x)
        pairs.append((x, rng.integers(0, 1 << 30, shape).astype("i4")))

    def all_of_them(*arrays: Any) -> list[Any]:
        return [lax.sort(pair, dimension=axis) for pair in zip(arrays[::2], arrays[1::2], strict=True)]

    for tuning in (TUNINGS["as usual"], TUNINGS["wide, shared by many"]):
        found = iter(on_gpu(all_of_them, [a for pair in pairs for a in pair], tuning))
        for pair in pairs:
            order = np.argsort(pair[0], axis, kind="stable")
            for operand in pair:
                got, want = next(found), np.take_along_axis(operand, order, axis)
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got, want)
                if operand.dtype.kind == "f":
                    np.testing.assert_array_equal(np.signbit(got) | np.isnan(got), np.signbit(want) | np.isnan(want))


@pytest.mark.parametrize(
    ("shape", "axis", "k"), [((50, 7), 1, 3), ((3, 300), 1, 300), ((5001,), 0, 20), ((300, 3), 0, 7), ((4, 3), 1, 0)]
)
def test_the_largest_of_rows_are_those_of_the_processor(shape: tuple[int, ...], axis: int, k: int) -> None:
    x = np.random.default_rng(k).integers(0, 100, shape).astype("f4")
    x = np.where(x > 95, np.nan, x).astype("f4")
    for tuning in (TUNINGS["as usual"], TUNINGS["wide, shared by many"]):
        for found, want in zip(on_gpu(lambda x: lax.top_k(x, k, axis=axis), [x], tuning), lax.top_k(x, k, axis=axis), strict=True):
            np.testing.assert_array_equal(found, want)


def test_the_kernels_of_sorts_keep_to_their_registers() -> None:
    for shape in ((30, 200), (100_000,)):
        for dtype in ("f4", "i8"):
            assembles(jitgrad.make_graph(lambda x: lax.sort((x, x)))(np.zeros(shape, dtype)))


# -- scatter

PLACES: dict[str, tuple[tuple[int, ...], Callable[..., Any], tuple[int, ...]]] = {
    "few rows": ((9, 5), lambda r: (r.integers(-20, 9, 7),), (7, 5)),
    "many at few places": ((4,), lambda r: (r.integers(0, 4, 3000),), (3000,)),
    "wide rows": ((30, 33), lambda r: (r.integers(0, 30, 100),), (100, 33)),
    "pairs of indices": ((6, 7, 3), lambda r: (r.integers(0, 6, 90), r.integers(0, 7, 90)), (90, 3)),
    "all at one place": ((3, 2), lambda r: (np.full(700, 1),), (700, 2)),
    "none": ((3, 2), lambda r: (np.zeros(0, int),), (0, 2)),
}  # fmt: skip
KINDS = {"set": None, "add": np.add, "multiply": np.multiply, "max": np.maximum, "min": np.minimum}
NEAR = {"f4": 2e-6, "f8": 1e-12}


def updated(x: np.ndarray, index: tuple[np.ndarray, ...], updates: np.ndarray, ufunc: np.ufunc | None) -> np.ndarray:
    """What one update after the other makes of x, which is as wide as can be."""
    if ufunc is not None:
        with np.errstate(all="ignore"):
            ufunc.at(x, index, updates)
        return x
    for *i, u in zip(*index, updates, strict=True):
        x[tuple(i)] = u
    return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("places", PLACES)
def test_updates_are_done_as_if_one_after_the_other(places: str, kind: str) -> None:
    shape, indices_of, updates_shape = PLACES[places]
    rng = np.random.default_rng(len(places))
    at, ufunc = indices_of(rng), KINDS[kind]
    inside = np.all([i >= -n for i, n in zip(at, shape, strict=False)], axis=0)  # those outside are dropped
    arrays, wanted = [], []
    for dtype in TYPES:
        x, updates = rng.integers(0, 3, shape).astype(dtype), rng.integers(0, 3, updates_shape).astype(dtype)
        if dtype in NEAR:
            updates = (updates + 1) / 2 if kind == "multiply" else rng.normal(size=updates_shape)
            if kind == "max" and updates.size:
                updates.flat[-1] = np.nan
            updates = updates.astype(dtype)
        wide = x.astype("f8") if dtype == "f4" else x.copy()
        wanted.append(updated(wide, tuple(i[inside] for i in at), updates[inside], ufunc).astype(dtype))
        arrays += [x, updates]

    def all_of_them(*arrays: Any) -> list[Any]:
        of_types, index = arrays[: 2 * len(TYPES)], arrays[2 * len(TYPES) :]
        return [getattr(x.at[index], kind)(u) for x, u in zip(of_types[::2], of_types[1::2], strict=True)]

    for tuning in (TUNINGS["as usual"], TUNINGS["wide, shared by many"]):
        for got, want, dtype in zip(on_gpu(all_of_them, [*arrays, *at], tuning), wanted, TYPES, strict=True):
            near = NEAR.get(dtype, 0)
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=near, atol=near)


def test_a_long_sum_at_one_place_is_accurate() -> None:
    u, i = np.full(50_000, np.float32(0.1)), np.zeros(50_000, "i4")
    (got,) = on_gpu(lambda u, i: jnp.zeros(2, "f4").at[i].add(u), [u, i], TUNINGS["as usual"])
    assert abs(float(got[0]) / (50_000 * float(np.float32(0.1))) - 1) < 2e-7 and got[1] == 0


def test_updates_of_many_batches_keep_to_their_own() -> None:
    rng = np.random.default_rng(0)
    x, i, u = rng.normal(size=(40, 6)).astype("f4"), rng.integers(0, 6, (40, 50)), rng.normal(size=(40, 50)).astype("f4")
    want = np.stack([updated(x[row].astype("f8"), (i[row],), u[row], np.add) for row in range(40)])
    for tuning in TUNINGS.values():
        (got,) = on_gpu(jitgrad.vmap(lambda x, i, u: x.at[i].add(u)), [x, i, u], tuning)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_the_kernels_of_scatters_keep_to_their_registers() -> None:
    for kind in ("set", "add"):
        for dtype in ("f4", "i4"):
            x, i = np.zeros((3000, 20), dtype), np.zeros(3000, "i4")
            assembles(jitgrad.make_graph(lambda x, i, kind=kind: getattr(x.at[i], kind)(x))(x, i))


# -- recurrences, windows


@pytest.mark.parametrize(("shape", "axis"), LINES)
def test_recurrences_have_the_bits_of_one_step_after_the_other(shape: tuple[int, ...], axis: int) -> None:
    rng = np.random.default_rng(0)
    for dtype, reverse in (("f4", False), ("f8", True)):
        a, b = (rng.normal(size=shape).astype(dtype) for _ in range(2))
        inputs = [Var(ArrayType(shape, DTYPES["f32" if dtype == "f4" else "f64"])) for _ in range(2)]
        out = Var(inputs[0].type)
        graph = Graph(inputs, [Eqn(OPS["linear_recurrence"], inputs, {"axis": axis, "reverse": reverse}, [out])], [out])
        (want,) = run_graph(graph, [a, b])
        (got,) = results(graph, [a, b], TUNINGS["as usual"])
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 5), (1, 1), (4096,), (3, 2, 40)])
def test_windows_are_written_where_indices_say_within_the_array(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for dtype in ("f4", "?", "i1", "f8"):
        x = rng.integers(0, 2, (5, *shape)).astype(dtype)
        window = rng.integers(0, 2, tuple(max(n // 2, 1) for n in shape)).astype(dtype)
        starts = [np.int32(rng.integers(-2, n + 2)) for n in shape]

        def written(x: Any, w: Any, *starts: Any) -> Any:
            """In a loop, whose state it is."""
            return lax.fori_loop(0, 5, lambda i, x: lax.dynamic_update_slice(x, w[None], (i, *starts)), x)

        want = x.copy()
        begin = [min(max(int(s) + n * (s < 0), 0), n - m) for s, n, m in zip(starts, shape, window.shape, strict=True)]
        want[(slice(None), *[slice(s, s + m) for s, m in zip(begin, window.shape, strict=True)])] = window
        (got,) = on_gpu(written, [x, window, *starts], TUNINGS["as usual"])
        np.testing.assert_array_equal(got, want)


# -- inside loops, which are one launch


def test_all_of_them_run_inside_loops() -> None:
    rng = np.random.default_rng(0)
    x, i = rng.normal(size=(3, 700)).astype("f4"), rng.integers(0, 700, (4, 500))

    def step(x: Any, i: Any) -> Any:
        ordered, places = lax.sort((x, jnp.broadcast_to(jnp.arange(700), x.shape)), dimension=1)
        sums = lax.cumsum(ordered, axis=1) / 700 + jnp.sin(places)
        return x.at[:, i].add(sums[:, :500]), (lax.cummax(x, axis=0)[1], jnp.zeros(700, "i4").at[i].add(1))

    def f(x: Any, i: Any) -> Any:
        return lax.scan(step, x, i)

    graph = jitgrad.make_graph(f)(x, i)
    want = run_graph(graph, [x, i])
    for tuning in TUNINGS.values():
        for got, expected in zip(results(graph, [x, i], tuning), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
