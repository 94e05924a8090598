"""Arrays of more than 2^31 elements: the blocks at both ends and in the middle of each kernel find their places. The memory is set
aside and never touched but there.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.targets.cuda.device import THREADS
from jitgrad_compiler.targets.cuda.program import NOWHERE, Step, compile_program, device_tuning

from . import emulator
from .engine import Order

N = (1 << 31) + 4099
ROWS, LENGTH = (1 << 21) + 5, 1030
NORESERVE = 0x4000
"""Linux's MAP_NORESERVE, which Python's module has no name for before 3.13."""
DRAW = np.random.default_rng(3)


class Blocks(Order):
    """Some blocks of a kernel, and all of their threads."""

    def __init__(self, numbers: list[int]) -> None:
        super().__init__()
        object.__setattr__(self, "numbers", numbers)

    def of(self, count: int) -> np.ndarray:
        return np.asarray(self.numbers if count == len(self.numbers) else range(count), np.int32)  # type: ignore[attr-defined]


def reserved(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros, of which what is not touched takes no memory."""
    count = int(np.prod(shape))
    nbytes = max(count, 1) * np.dtype(dtype).itemsize
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE)
    return np.frombuffer(memory, dtype, count).reshape(shape)


def ends(x: np.ndarray, count: int) -> None:
    """Whole numbers in the first and the last rows."""
    for part in (x[:count], x[-count:]):
        part[...] = DRAW.integers(-9, 9, part.shape)


CASES: dict[str, tuple[Callable[[Any], Any], tuple[int, ...], str, Callable[[np.ndarray], np.ndarray], int]] = {
    "maps": (lambda x: x * 3 + 1, (N,), "int8", lambda x: x * 3 + 1, 200),
    "maps of vectors": (lambda x: x * 3 + 1, (N + 1,), "float32", lambda x: x * 3 + 1, 200),
    "reversed": (lambda x: x[::-1] + 1, (N,), "int8", lambda x: x[::-1] + 1, 200),
    "every second": (lambda x: x[1::2] + 1, (2 * N,), "int8", lambda x: x[1::2] + 1, 100),
    "row sums": (lambda x: x.sum(1), (ROWS, LENGTH), "float32", lambda x: x.sum(1), 1),
    "rows": (lambda x: x - x.max(1, keepdims=True), (ROWS, LENGTH), "float32", lambda x: x - x.max(1, keepdims=True), 1),
    "largest": (lambda x: jnp.argmax(x, 1), (ROWS, LENGTH), "float32", lambda x: np.argmax(x, 1), 1),
    "running sums": (lambda x: jnp.cumsum(x, 1), (ROWS, LENGTH), "float32", lambda x: np.cumsum(x, 1), 1),
    "sorted": (lambda x: jnp.sort(x, 1), (ROWS, LENGTH), "float32", lambda x: np.sort(x, 1), 1),
    "products": (lambda x: x @ x[:44].T, (48806500, 44), "float32", lambda x: x @ x[:44].T, 3),
    "products on tensor cores": (lambda x: x @ x[:64].T, (33554500, 64), "float32", lambda x: x @ x[:64].T, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_kernels_find_their_places_among_more_than_2_31_elements(name: str) -> None:
    function, shape, dtype, reference, count = CASES[name]
    graph = jitgrad.make_graph(function)(jitgrad.ShapeDtypeStruct(shape, dtype))
    program = compile_program(graph, device_tuning())
    (result,) = program.graph.outputs
    x, out = reserved(shape, dtype), reserved(result.type.shape, result.type.dtype.numpy)
    ends(x, 500)
    arena = reserved((program.lowered.memory.arena_bytes,), "u1")
    bases = {n: a.ctypes.data for n, a in enumerate((x, out, arena))} | {NOWHERE: 0}
    table = np.array([bases[b] + o for b, o in zip(program.bases, program.offsets, strict=True)], np.int64)
    for step in program.steps:
        assert isinstance(step, Step)
        phase, address = step.phase, table.ctypes.data + 8 * step.table
        numbers = sorted({0, phase.blocks // 2, max(phase.blocks - 2, 0), phase.blocks - 1})
        assert len(numbers) < THREADS
        module = emulator.load(step.code.module.text)
        emulator.launch(
            module, phase.function, len(numbers), (address,), shared_bytes=phase.shared_bytes, order=Blocks(numbers)
        )  # fmt: skip
    few = np.concatenate([x[:500], x[-500:]])
    want = reference(few)
    np.testing.assert_array_equal(out[:count], want[:count])
    np.testing.assert_array_equal(out[-count:], want[-count:])
