"""Sums over middle axes, beside other work on the same array: vectors run along the axes behind, which lie side by side."""

from __future__ import annotations

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

PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "other sums": lambda x: (jnp.sum(x * x, axis=1), jnp.sum(x, axis=(0, 1))),
    "a map": lambda x: (jnp.sum(x * x, axis=1), jnp.tanh(x)),
    "maxima": lambda x: (jnp.max(x, axis=1), jnp.min(x, axis=(0, 1)), jnp.sum(x, axis=1)),
    "everything": lambda x: (jnp.sum(x, axis=1), jnp.sum(x * 2), jnp.exp(x)),
}


@pytest.mark.parametrize("shape", [(8, 300, 40), (3, 7, 19), (40, 49, 256), (2, 3000, 3), (5, 1, 8)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_sums_over_a_middle_axis_are_numpys(name, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    for got, want in zip(jitgrad.jit(PROGRAMS[name])(x), PROGRAMS[name](jnp.asarray(x)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 3])
def test_they_are_the_same_on_any_number_of_threads(threads):
    x = np.random.default_rng(0).standard_normal((16, 600, 40)).astype(np.float32)
    results = []
    before = jitgrad.config.num_threads
    for n in (2, threads):
        jitgrad.config.num_threads = n
        results.append(jitgrad.jit(PROGRAMS["other sums"])(x))
    jitgrad.config.num_threads = before
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_vectors_run_along_what_lies_side_by_side():
    for name in ("other sums", "a map"):
        graph = prepare(jitgrad.make_graph(PROGRAMS[name])(np.zeros((8, 300, 40), np.float32)))
        (kernel,) = fuse(graph, Tuning())
        s = schedule(kernel, Tuning().loops)
        assert s.vector_axis is not None and s.vector_axis.extent == 40, name


def test_shares_of_sums_are_few_where_results_are_large():
    graph = prepare(jitgrad.make_graph(PROGRAMS["other sums"])(np.zeros((64, 64, 256), np.float32)))
    (kernel,) = fuse(graph, Tuning())
    s = schedule(kernel, Tuning().loops)
    assert s.tasks * 8 * 64 * 256 <= 2 * 64 * 64 * 256
