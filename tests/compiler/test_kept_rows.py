"""Rows that are kept from stage to stage: few slots, a bounded stack, and the values of the interpreter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import grad, jit, value_and_grad
from jitgrad_compiler.ir import OPS
from jitgrad_compiler.ir.builder import Value, bind, staging
from jitgrad_compiler.ir.types import F32, ArrayType
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.ops.define import broadcast
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.targets.cpu.loops.kept_rows import KeptRows
from jitgrad_compiler.targets.cpu.loops.schedule import schedule


def normalised(x: Any, times: int) -> Any:
    for _ in range(times):
        d = jnp.exp(x * 0.1)
        x = d / d.sum(1, keepdims=True)
    return x


def in_a_small_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    before = threading.stack_size(512 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    return found[0]


def kept_of(f: Callable[[Value], Value], shape: tuple[int, ...]) -> KeptRows:
    with staging() as builder:
        graph, _ = builder.finish([f(builder.input(ArrayType(shape, F32)))])
    (kernel,) = fuse(prepare(graph), Tuning())
    s = schedule(kernel, Tuning().loops)
    return KeptRows(s, s.kernel.roots(), Tuning().loops)


def op(name: str, *args: Value, **params: Any) -> Value:
    return bind(OPS[name], *args, **params)


def chain(x: Value, times: int) -> Value:
    for _ in range(times):
        d = op("exp", x)
        x = d / broadcast(op("reduce_sum", d, axes=(1,)), d.type.shape, (0,))
    return x


def test_a_chain_of_rows_needs_two_slots() -> None:
    kept = kept_of(lambda x: chain(x, 12), (64, 16000))
    assert len(kept.kept) == 12
    assert len(kept.slots) == 2
    assert kept.scratch_bytes == 0


def test_rows_that_the_stack_has_no_room_for_lie_in_scratch_memory() -> None:
    def f(x: Value) -> Value:
        parts = [op("exp", x * float(n)) for n in range(2, 9)]
        sums = [broadcast(op("reduce_sum", p, axes=(1,)), p.type.shape, (0,)) for p in parts]
        total = parts[0] / sums[0]
        for p, s in zip(parts[1:], sums[1:], strict=True):
            total = total + p / s
        return total

    kept = kept_of(f, (64, 16000))
    assert len(kept.slots) == 7
    assert sum(size for size, stacked in zip(kept.slots, kept.stacked, strict=True) if stacked) <= Tuning().loops.stack_bytes
    assert kept.scratch_bytes == kept.s.tasks * 4 * kept.slots[0]


def test_long_chains_of_row_operations_run_on_a_small_stack() -> None:
    x = np.random.default_rng(0).random((16, 16000), np.float32)
    found = in_a_small_thread(lambda: np.asarray(jit(lambda x: normalised(x, 20))(x)))
    np.testing.assert_allclose(found, normalised(jnp.asarray(x), 20), rtol=1e-5)


def test_gradients_of_chains_of_row_operations_run_on_a_small_stack() -> None:
    x = np.random.default_rng(0).random((16, 16000), np.float32)

    def loss(x: Any) -> Any:
        return jnp.sum(normalised(100 * x, 8) * x)

    value, slope = in_a_small_thread(lambda: jit(value_and_grad(loss))(x))
    np.testing.assert_allclose(value, loss(jnp.asarray(x)), rtol=1e-5)
    np.testing.assert_allclose(slope, grad(loss)(jnp.asarray(x)), rtol=1e-4, atol=1e-9)


def test_rows_in_scratch_memory_are_each_tasks_own() -> None:
    def f(x: Any) -> Any:
        parts = [jnp.exp(x * n) for n in range(2, 9)]
        return sum(p / p.sum(1, keepdims=True) for p in parts)

    x = np.random.default_rng(0).random((64, 16000), np.float32)
    np.testing.assert_allclose(jit(f)(x), f(jnp.asarray(x)), rtol=1e-5)
