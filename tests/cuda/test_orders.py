"""No bit of a result depends on the order in which threads and blocks run; a missing barrier or a sum by atomics would show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.runtime.cuda import devices

from .engine import ORDERS
from .standin import StandIn

DRIVER = StandIn()


@pytest.fixture(scope="module", autouse=True)
def device() -> Iterator[None]:
    devices.open_with(lambda number: DRIVER)
    yield
    devices.open_with(None)


def norm(x: Any, scale: Any, shift: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) * scale + shift


def attention(q: Any, k: Any, v: Any) -> Any:
    scores = jnp.einsum("bqd,bkd->bqk", q, k)
    weights = jnp.exp(scores - scores.max(-1, keepdims=True))
    return jnp.einsum("bqk,bkd->bqd", weights / weights.sum(-1, keepdims=True), v)


def gradients(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    return jitgrad.grad(lambda *x: jnp.sum(f(*x) ** 2), argnums=tuple(range(count)))


PROGRAMS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "a sum": (lambda x: jnp.sum(x * x), [(70_000,)]),
    "sums of rows, columns and both": (lambda x: (jnp.sum(x, 1), jnp.sum(x, 0), jnp.var(x)), [(300, 400)]),
    "sums of a middle axis": (lambda x: jnp.sum(x, 1), [(13, 70, 33)]),
    "the largest and where": (lambda x: (jnp.max(x, 1), jnp.argmax(x, 1)), [(33, 700)]),
    "softmax": (gradients(jitgrad.nn.softmax, 1), [(40, 1000)]),
    "layer norm": (gradients(norm, 3), [(96, 300), (300,), (300,)]),
    "a product with an epilogue": (lambda a, b: jnp.maximum(a @ b + 1, 0), [(130, 200), (200, 150)]),
    "a deep product": (lambda a, b: a @ b, [(10, 5000), (5000, 12)]),
    "attention": (gradients(attention, 3), [(3, 40, 64)] * 3),
    "a convolution": (gradients(lambda x, w: lax.conv(x, w, (1, 1), "SAME"), 2), [(2, 8, 12, 12), (16, 8, 3, 3)]),
    "sums where indices say": (lambda x: jnp.zeros(50, x.dtype).at[(x * 20).astype(int) % 50].add(x), [(3000,)]),
    "running sums, sorted": (lambda x: (jnp.cumsum(x, 1), jnp.sort(x, 1)), [(20, 300)]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_the_same_in_any_order(name: str) -> None:
    f, shapes = PROGRAMS[name]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    program, placed, found = jitgrad.jit(f), [jitgrad.device_put(x, "cuda") for x in arrays], []
    for DRIVER.order in ORDERS:
        launches = sum(DRIVER.launched.values())
        found.append([np.array(leaf) for leaf in jitgrad.tree.leaves(program(*placed))])
        assert sum(DRIVER.launched.values()) > launches
    for other in found[1:]:
        assert [x.tobytes() for x in other] == [x.tobytes() for x in found[0]]
    for got, want in zip(found[0], jitgrad.tree.leaves(jitgrad.jit(f)(*arrays)), strict=True):
        np.testing.assert_allclose(got, np.asarray(want), rtol=2e-4, atol=2e-4)
