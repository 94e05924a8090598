"""Rows of several stages and sums of every shape on a GPU, at sizes and tunings that meet warps, blocks, shares and wide loads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import compile_program, device_tuning

from .assemble import assemble, assembler, loads
from .running import run_on_gpu, stand_ins


def tuned(**gpu: int) -> Tuning:
    usual = device_tuning()
    return replace(usual, gpu=replace(usual.gpu, **gpu))


TUNINGS = {
    "as usual": device_tuning(),
    "wide, few blocks": tuned(wide_from=1, enough_blocks=4, share=64, thread_share=8, enough_threads=64),
    "a block a row": tuned(wide_from=1, enough_blocks=4, warp_row=32),
}


def cross_entropy(z: Any, y: Any) -> Any:
    """Of logits with one-hot labels."""
    return -jnp.sum(y * jitgrad.nn.log_softmax(z)) / len(z)


def normalised(x: Any, scale: Any, offset: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return jnp.sum(jnp.tanh(centred / jnp.sqrt(jnp.mean(centred * centred, -1, keepdims=True) + 1e-5) * scale + offset))


PROGRAMS = {
    "softmax": (jitgrad.nn.softmax, 1),
    "cross-entropy and its gradient": (jitgrad.value_and_grad(cross_entropy), 2),
    "gradients of a layer norm": (jitgrad.grad(normalised, argnums=(0, 1, 2)), 3),
    "sums along every axis": (lambda x: (x.sum(0), x.sum(1), jnp.sum(x * x), jnp.abs(x).max(1), x.min(0), (x > 0).any(1)), 1),
    "sums of rows by their own": (lambda x: jnp.sum(x / jnp.sum(x * x, 1, keepdims=True), 0), 1),
    "a largest difference": (lambda x: jnp.max(x - x.max(1, keepdims=True)), 1),
    "places": (lambda x: (x.argmax(1), x.argmin(0), x.argmax()), 1),
}


def graph_of(name: str, rows: int, columns: int) -> tuple[Any, list[np.ndarray]]:
    function, count = PROGRAMS[name]
    rng = np.random.default_rng(rows * columns)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    one_hot = np.eye(columns, dtype=np.float32)[rng.integers(0, columns, rows)]
    both = [rng.normal(size=columns).astype(np.float32) for _ in range(2)]
    arrays = [[x], [x, one_hot], [x, *both]][count - 1]
    return jitgrad.make_graph(function)(*arrays), arrays


SHAPES = [(1, 1), (5, 7), (37, 128), (70, 256), (2, 2000), (3, 9000), (300, 4)]
CASES = [(name, shape) for name in PROGRAMS for shape in SHAPES]
CASES += [(name, (0, 3)) for name in ("softmax", "gradients of a layer norm", "sums of rows by their own")]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_rows_agree_with_the_processor(name: str, shape: tuple[int, int]) -> None:
    graph, arrays = graph_of(name, *shape)
    want = run_graph(graph, arrays)
    with stand_ins():
        for tuning in TUNINGS.values():
            for got, expected in zip(run_on_gpu(graph, arrays, tuning), want, strict=True):
                near = 2e-6 * float(np.abs(expected).max(initial=0)) * max(1, expected.size == 1 and shape[0])
                np.testing.assert_allclose(got, expected, rtol=1e-5, atol=near)


def test_a_long_sum_of_like_terms_is_accurate() -> None:
    x = np.full(1_000_003, np.float32(0.1))
    graph = jitgrad.make_graph(jnp.sum)(x)
    with stand_ins():
        (got,) = run_on_gpu(graph, [x])
    assert abs(float(got) / (float(np.float32(0.1)) * len(x)) - 1) < 4e-7


@pytest.mark.parametrize("name", ["softmax", "cross-entropy and its gradient", "gradients of a layer norm"])
def test_rows_are_read_once_at_full_width(name: str) -> None:
    """Of a matrix that fits a warp's registers each thread reads 16 bytes at a time, each of them once; nothing is spilt."""
    graph, _ = graph_of(name, 128, 1024)
    program = compile_program(prepare(graph), tuned(wide_from=1))
    rows = [s.phase.function for s in program.steps if s.phase.blocks >= 128 // 8]  # type: ignore[union-attr]
    assert rows
    if assembler() is not None:
        (module,) = program.modules
        text = ptx(module.text, (9, 0))
        kernels = assemble(text, "sm_90").kernels
        assert not any(k.spill_loads or k.spill_stores for k in kernels.values())
        assert loads(text)[16] == 8 * {"softmax": 1, "cross-entropy and its gradient": 2, "gradients of a layer norm": 3}[name]
