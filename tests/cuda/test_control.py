"""Loops, branches and rows whose state is too large for registers, on a GPU: one launch each, whatever runs inside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import Step, compile_program, device_tuning
from jitgrad_compiler.targets.tasks.polling import POLL

from .assemble import assemble, assembler
from .engine import Order
from .running import run_on_gpu, stand_ins

R = np.random.default_rng(5)
X = R.random((50, 50)).astype(np.float32)
W, XS, H = 0.1 * R.normal(size=(40, 40)).astype("f4"), R.normal(size=(9, 6, 40)).astype("f4"), np.zeros((6, 40), "f4")


def recurrent(w: Any, xs: Any, h: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(x + h @ w)
        return h, jnp.sort(h, -1).sum(0)

    return lax.scan(step, h, xs)


def gradients(w: Any, xs: Any, h: Any) -> Any:
    def loss(w: Any) -> Any:
        last, sums = recurrent(w, xs, h)
        return jnp.sum(last) + jnp.sum(sums**2)

    return jitgrad.grad(loss)(w)


def switched(n: int, x: Any) -> Any:
    return lax.switch(n, [lambda x: jnp.sin(x) @ x, lambda x: x * 2, lambda x: x.T], x)


def twice(x: Any) -> Any:
    return lax.fori_loop(0, 3, lambda i, a: lax.fori_loop(0, 2, lambda j, b: jnp.tanh(b @ b), a) + i, x)


PROGRAMS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "scan": (recurrent, (W, XS, H)),
    "scan backwards": (lambda w, xs, h: lax.scan(lambda h, x: (jnp.cos(h @ w) + x, h), h, xs, reverse=True), (W, XS, H)),
    "gradients through a scan": (gradients, (W, XS, H)),
    "while": (
        lambda x: lax.while_loop(lambda s: jnp.sum(s[0]) < 1000, lambda s: (s[0] * 1.1, s[1] + s[0]), (x, x * 0)),
        (X * 0.01,),
    ),
    "while that does not begin": (lambda x: lax.while_loop(lambda s: jnp.sum(s) < 0, lambda s: s @ s, x), (X,)),
    "changed in place": (lambda x: lax.fori_loop(0, 7, lambda i, a: a.at[i].set(a[i - 1] + a.sum() * 1e-3), x), (X,)),
    "branches": (lambda n, x: switched(n, x), (np.int32(2), X)),
    "loops in loops": (twice, (X,)),
    "rows": (jitgrad.vmap(lambda x: lax.while_loop(lambda s: jnp.sum(s) < 200, lambda s: s * 1.5, x)), (np.tile(X[:4], 12) + 0.1,)),
    "constant carries": (lambda x: lax.fori_loop(0, 4, lambda i, s: (s[0] + jnp.sum(x), s[1] @ x), (0.0, x)), (0.1 * X,)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_loop_is_one_launch_and_gives_what_the_processor_does(name: str) -> None:
    function, arrays = PROGRAMS[name]
    graph = jitgrad.make_graph(function)(*arrays)
    want = run_graph(graph, arrays)
    with stand_ins(resident=3):
        for got, expected in zip(run_on_gpu(graph, arrays), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6 * float(np.abs(expected).max(initial=0)))
    program = compile_program(graph, device_tuning())
    steps = [s for s in program.steps if isinstance(s, Step)]
    assert len(steps) == len(program.steps) and any(s.phase.cooperative for s in steps)
    if assembler() is not None:
        for module in program.modules:
            assert assemble(ptx(module.text, (9, 0)), "sm_90").kernels


def odd_slices(dtype: str) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Loops whose steps read and write arrays of an odd size that begin wherever the one before ends."""
    xs, rows = (R.normal(size=s).astype("f4").astype(dtype) for s in ((3, 129), (3, 65, 65)))
    start = rows[0, :64, :32]

    def product(h: Any, x: Any) -> Any:
        return jnp.tanh(x[:64, :64] @ h), (x[1:, :64] @ h).reshape(-1)[:-1]

    return {
        "maps": (lambda c, xs: lax.scan(lambda c, x: (jnp.sin(x[:128] + c), x * 2), c, xs), (xs[0, :128], xs)),
        "sums": (lambda xs: lax.map(lambda x: jnp.sum(jnp.cos(x[:128])), xs), (xs,)),
        "rows": (lambda xs: lax.map(lambda x: jitgrad.nn.softmax(x[:32, :64], -1), xs), (rows,)),
        "products": (lambda h, xs: lax.scan(product, h, xs), (start, rows)),
        "rows of a batch": (
            jitgrad.vmap(lambda x: lax.while_loop(lambda s: jnp.sum(s) < 90, lambda s: s[:128].sum() / 128 + s * s + 1, x)),
            (xs,),
        ),
    }


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_the_slices_of_a_step_may_begin_anywhere(dtype: str) -> None:
    usual = device_tuning()
    wide = replace(usual, gpu=replace(usual.gpu, wide_from=1, tensor_side=16, tensor_depth=16))
    for function, arrays in odd_slices(dtype).values():
        graph = jitgrad.make_graph(function)(*arrays)
        want = run_graph(graph, arrays)
        with stand_ins():
            for got, expected in zip(run_on_gpu(graph, arrays, wide), want, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-2 if dtype == "float16" else 1e-5, atol=1e-4)


def test_blocks_wait_for_each_other_in_any_order() -> None:
    graph = jitgrad.make_graph(gradients)(W, XS, H)
    (want,) = run_graph(graph, (W, XS, H))
    for order in ("forwards", "backwards", "shuffled", "ahead"):
        for resident in (1, 2, 5):
            with stand_ins(resident=resident, order=Order(order)):
                (got,) = run_on_gpu(graph, (W, XS, H))
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)


def branching(x: Any) -> Any:
    return jitgrad.vmap(lambda x: lax.cond(x.sum() > 0, lambda a: jnp.sort(a) @ jnp.outer(a, a), lambda a: a, x))(x)


@pytest.mark.parametrize("function", [recurrent, branching, PROGRAMS["while"][0]])
def test_whether_to_stop_is_asked_in_every_step_and_row(function: Any) -> None:
    arrays = (W, XS, H) if function is recurrent else (X,)
    program = compile_program(jitgrad.make_graph(function)(*arrays), device_tuning())
    assert program.asks_state and any(f"call i1 @{POLL}" in m.text for m in program.modules)
    with stand_ins(resident=3):
        (got, *_), (want, *_) = (run(jitgrad.make_graph(function)(*arrays), arrays) for run in (run_on_gpu, run_graph))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
