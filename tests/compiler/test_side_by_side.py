"""Maps over elements that lie two, three or four side by side, such as an image's colours: read and written by whole vectors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.targets.cpu.loops.schedule import schedule

from ..cuda.guarded import PAGE, Region
from .test_turned import DTYPES, assert_as_eager, numbers

MAPS: dict[str, Callable[[Any], Any]] = {
    "planes": lambda x: jnp.moveaxis(x, -1, 1),
    "planes and work": lambda x: jnp.moveaxis(x, -1, 1) * 2 + 1,
    "per colour": lambda x: (x - jnp.arange(x.shape[-1]).astype(x.dtype)) * 2,
    "padded": lambda x: jnp.pad(x + jnp.arange(x.shape[-1]).astype(x.dtype), ((0, 0), (1, 2), (3, 1), (0, 0))),
    "padded planes": lambda x: jnp.pad(jnp.moveaxis(x, -1, 1), ((0, 0), (0, 0), (1, 2), (3, 1))),
    "backwards": lambda x: jnp.moveaxis(x[..., ::-1], -1, 1),
    "every second": lambda x: x[:, :, ::2] * jnp.arange(x.shape[-1]).astype(x.dtype),
    "one": lambda x: x[..., 1] * 2,
    "some": lambda x: jnp.moveaxis(x[:, 1:, 2:, 1:], -1, 1),
    "two orders": lambda x: jnp.moveaxis(x, -1, 1) + jnp.moveaxis(x[..., ::-1], -1, 1),
}
BACK: dict[str, Callable[[Any], Any]] = {
    "colours": lambda x: jnp.moveaxis(x, 1, -1),
    "padded colours": lambda x: jnp.pad(jnp.moveaxis(x, 1, -1), ((0, 0), (1, 2), (3, 1), (0, 0))),
    "colours and work": lambda x: jnp.moveaxis(x, 1, -1) * 3 - jnp.arange(x.shape[1]).astype(x.dtype),
    "stacked": lambda x: jnp.stack([x[:, 0], x[:, 1] * 2, x[:, -1] + 1], -1),
}


def written_out(f: Callable[..., Any], *args: Any) -> list[int]:
    """Steps of the axis that each kernel writes out beside vectors; 0 where there is none."""
    kernels = fuse(prepare(jitgrad.make_graph(f)(*args)), Tuning())
    found = [schedule(k, Tuning().loops) for k in kernels]
    return [s.unrolled[-1].extent if s.columns and s.unrolled else 0 for s in found]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_side_by_side_are_written_out_beside_vectors(count):
    x, y = numbers((3, 17, 40, count)), numbers((3, count, 17, 40))
    for name in ("planes", "per colour", "padded planes"):
        assert written_out(MAPS[name], x) == [count], name
    for name in ("colours", "padded colours"):
        assert written_out(BACK[name], y) == [count], name
    assert written_out(MAPS["planes"], numbers((3, 17, 40, 5))) == written_out(BACK["colours"], numbers((3, 5, 17, 40))) == [0]


@pytest.mark.parametrize(("size", "dtype"), [((9, 40), "float32"), ((1, 16), "float32"), *[((7, 53), t) for t in DTYPES]])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_they_have_the_bits_of_eager_code(count, size, dtype):
    for name, f in MAPS.items():
        if dtype == "bool" and name in ("per colour", "planes and work", "padded", "every second", "one", "two orders"):
            continue
        assert_as_eager(f, numbers((2, *size, count), dtype))
    for name, f in BACK.items():
        if dtype == "bool" and name in ("colours and work", "stacked"):
            continue
        assert_as_eager(f, numbers((2, count, *size), dtype))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_nothing_is_read_behind_an_array(count):
    region = Region(1, PAGE)
    size = PAGE // (4 * count) * count
    memory = (ctypes.c_float * size).from_address(region.start(4 * size))  # nobody may touch the page behind
    x = np.frombuffer(memory, np.float32).reshape(-1, count)
    x[:] = np.arange(size).reshape(-1, count)
    scale = np.arange(1, count + 1, dtype=np.float32)
    np.testing.assert_array_equal(jitgrad.jit(lambda x: x.T + 1)(x), x.T + 1)
    np.testing.assert_array_equal(jitgrad.jit(lambda x: x * scale)(x), x * scale)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_are_the_same_at_any_number_of_threads(threads):
    x = numbers((4, 300, 301, 3))
    with jitgrad.disable_jit():
        want = np.asarray(jnp.moveaxis(x, -1, 1) / 3)
    before = jitgrad.config.num_threads
    jitgrad.config.num_threads = threads
    try:
        got = np.asarray(jitgrad.jit(lambda x: jnp.moveaxis(x, -1, 1) / 3)(x))
    finally:
        jitgrad.config.num_threads = before
    assert got.tobytes() == want.tobytes()
