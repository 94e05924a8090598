"""Maps on a GPU: threads read and write 16 bytes at a time where shapes allow it, and nothing is left in memory behind them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning

from .assemble import assemble, assembler, loads, stores, wide_floats
from .engine import Order
from .running import run_on_gpu, stand_ins

LARGE = (512, 1024)


def f32(*shape: int) -> Any:
    return jitgrad.ShapeDtypeStruct(shape, np.float32)


MAPS: dict[str, tuple[Any, list[Any], dict[int, int], dict[int, int]]] = {
    "of three": (lambda x, y, z: (2 * x + y) * z - x, [f32(*LARGE)] * 3, {16: 3}, {16: 1}),
    "of a row": (lambda x, r: jnp.tanh(x + r), [f32(*LARGE), f32(1024)], {16: 2}, {16: 1}),
    "of a column": (lambda x, c: x * c[:, None], [f32(*LARGE), f32(512)], {16: 1, 4: 1}, {16: 1}),
    "of a number": (lambda x, n: x * n, [f32(*LARGE), f32()], {16: 1, 4: 1}, {16: 1}),
    "of odd rows": (lambda x: x[:, :1021] + 1, [f32(*LARGE)], {4: 1}, {4: 1}),
    "with many results": (lambda x: [x * k for k in range(2, 7)], [f32(*LARGE)], {8: 1}, {8: 5}),
    "of half precision": (lambda x: x * x, [jitgrad.ShapeDtypeStruct(LARGE, jnp.bfloat16)], {8: 1}, {8: 1}),
    "of integers made halves": (lambda x: x.astype(jnp.bfloat16), [jitgrad.ShapeDtypeStruct(LARGE, np.int32)], {16: 1}, {8: 1}),
    "of float64": (lambda x: x * x + 1, [jitgrad.ShapeDtypeStruct(LARGE, np.float64)], {16: 1}, {16: 1}),
}  # fmt: skip


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize("name", MAPS)
def test_threads_read_and_write_as_much_at_once_as_shapes_allow(name: str) -> None:
    function, args, read, written = MAPS[name]
    (module,) = compile_program(jitgrad.make_graph(function)(*args), device_tuning()).modules
    text = ptx(module.text, (9, 0))
    (kernel,) = assemble(text, "sm_90").kernels.values()
    assert (kernel.spill_loads, kernel.stack) == (0, 0) and kernel.registers <= 64
    tables = len(args) + len(written) + (4 if name == "with many results" else 0)
    found = loads(text)
    found[8] = found.get(8, 0) - tables  # the addresses of operands
    assert {size: n for size, n in found.items() if n} == read
    assert stores(text) == written
    assert bool(wide_floats(text)) == (name == "of float64")


MANY: dict[str, tuple[Any, int]] = {
    "results": (lambda x, y: [jnp.exp(x * k + y) for k in range(100)], 2),
    "arrays": (lambda *xs: functools.reduce(lambda total, x: jnp.where(x > total, x / total, total), xs), 100),
    "arrays in a sum": (lambda *xs: jnp.sum(functools.reduce(lambda total, x: jnp.where(x > total, x / total, total), xs)), 100),
}
"""Programs of one kernel, and how many operands they take."""


@pytest.mark.parametrize("name", MANY)
def test_kernels_of_very_many_arrays_do_not_run_short_of_registers(name: str) -> None:
    function, count = MANY[name]
    xs = [np.random.default_rng(n).normal(size=(7, 40)) for n in range(count)]
    graph = jitgrad.make_graph(function)(*xs)
    with stand_ins(order=Order("shuffled")):
        for got, want in zip(run_on_gpu(graph, xs), run_graph(graph, xs), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)
    if assembler() is not None:
        (module,) = compile_program(graph, device_tuning()).modules
        (kernel,) = assemble(ptx(module.text, (9, 0)), "sm_90").kernels.values()
        assert (kernel.spill_stores, kernel.stack) == (0, 0) and kernel.registers <= 64


def test_results_in_memory_of_operands_do_not_overwrite_what_others_read() -> None:
    x, y = (np.random.default_rng(n).normal(size=50) for n in range(2))
    with stand_ins():
        f = jitgrad.jit(lambda x, y: [y + k * x for k in range(40)], donate_argnums=(0, 1))
        for k, got in enumerate(f(jitgrad.device_put(x, "cuda"), jitgrad.device_put(y, "cuda"))):
            np.testing.assert_allclose(got, y + k * x, rtol=1e-12)


def test_a_program_that_runs_again_takes_no_new_memory() -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    with stand_ins() as (gpu,):
        f = jitgrad.jit(lambda x: (jnp.sum(jnp.sin(x) @ x.T), x.max(0)))
        y = jitgrad.device_put(x, "cuda")
        for _ in range(6):  # the memory of results takes turns, and so do the tables that say where it lies
            total, largest = f(y)
        alive, graphs = len(gpu.alive()), sum(c.name == "graph" for c in gpu.calls)
        for _ in range(6):
            total, largest = f(y)
        assert largest.tolist() == [8, 9, 10, 11] and abs(float(total) - float(np.sum(np.sin(x) @ x.T))) < 1e-4
        assert graphs <= 4 and sum(c.name == "graph" for c in gpu.calls) == graphs
        assert sum(c.name == "launch" for c in gpu.calls) == 12
        gpu.check_balanced(kept=alive)


TURNED = {
    "a matrix": lambda x: x.T + 1,
    "three axes": lambda x: jnp.exp(x.reshape(3, -1, x.shape[1]).transpose(0, 2, 1)),
    "beside one that lies right": lambda x: x.T * jnp.sum(x[:2]) + x.reshape(x.shape[1], -1),
    "a comparison": lambda x: (x > 0).T & (x.reshape(x.shape[1], -1) > 0),
    "both ways": lambda x: (x[:100, :100].T - x[:100, :100], x[:100, :100].T.astype("float64")),
}


@pytest.mark.parametrize("shape", [(96, 64), (102, 33), (216, 130)])
@pytest.mark.parametrize("name", TURNED)
def test_transposes_go_through_shared_memory(name: str, shape: tuple[int, int]) -> None:
    rows, columns = shape if name != "both ways" else (102, 100)
    x = np.random.default_rng(3).normal(size=(rows, columns)).astype(np.float32)
    graph = jitgrad.make_graph(TURNED[name])(x)
    with stand_ins(order=Order("shuffled")):
        for got, want in zip(run_on_gpu(graph, [x]), run_graph(graph, [x]), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-5)
    assert any(s.phase.shared_bytes for s in compile_program(graph, device_tuning()).steps)  # type: ignore[union-attr]
