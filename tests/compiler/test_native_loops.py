"""Loops, branches and rows as machine code, both in registers and as blocks of kernels, against the interpreter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir import interpret
from jitgrad_compiler.kernels import program
from jitgrad_compiler.runtime.executable import compile_graph, run_graph

R = np.random.default_rng(0)


@pytest.fixture(params=["registers", "blocks", "rows as blocks"])
def lowering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Small loops in registers, as they are; everything as blocks; or only the rows, whose loops inside are in registers."""
    fits = program.register_graph
    if request.param != "registers":
        every = request.param == "blocks"
        monkeypatch.setattr(program, "register_graph", lambda e, c: None if every or e.op.name == "rowwise" else fits(e, c))
    yield request.param


def check(f, *args, rtol=1e-12):  # type: ignore[no-untyped-def]
    arrays = [np.asarray(a) for a in args]
    graph = jitgrad.make_graph(f)(*arrays)
    graph.__dict__.pop("compiled", None)
    wanted = interpret(graph, *arrays)
    for got, want in zip(run_graph(graph, arrays), wanted, strict=True):
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


def test_a_scan_hands_carries_on_and_stacks_results(lowering: str) -> None:
    def f(c, xs):  # type: ignore[no-untyped-def]
        return lax.scan(lambda c, x: ((c[0] * 0.5 + x, c[1] + 1), (c[0], c[1] % 3 == 0)), (c, 0), xs)

    for dtype in (np.float32, np.float64):
        check(f, np.asarray(0.3, dtype), R.standard_normal(37).astype(dtype), rtol=1e-6)
    check(lambda xs: lax.scan(lambda c, x: (c + x, c), jnp.zeros((), "int32"), xs, reverse=True), np.arange(9, dtype=np.int32))


@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("unroll", [1, 3])
def test_every_number_of_steps(lowering: str, length: int, unroll: int) -> None:
    def f(c, xs):  # type: ignore[no-untyped-def]
        return lax.scan(lambda c, x: (c * 0.5 + x.sum(), c - x), c, xs, unroll=unroll)

    for shape in ((), (3,), (30,)):
        check(f, R.standard_normal(shape), R.standard_normal((length, *shape)))
    check(lambda n: lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 2), (0, 1.0)), np.int64(length))


def test_large_state_goes_to_and_fro(lowering: str) -> None:
    x, w = R.standard_normal((9, 40)), R.standard_normal((40, 40)) / 20
    check(lambda x, w: lax.fori_loop(0, 5, lambda i, s: (s[1], jnp.tanh(s[0] @ w)), (x, 2 * x)), x, w)
    check(lambda x, w: lax.while_loop(lambda s: jnp.sum(s * s) > 0.5, lambda s: jnp.sin(s @ w), x), x, w)


def test_windows_of_a_large_state_are_written_in_place(lowering: str) -> None:
    def several(x):  # type: ignore[no-untyped-def]
        def body(i, s):  # type: ignore[no-untyped-def]
            x, total = s
            total = total + x[i]
            x = x.at[i].set(i * 2.0).at[i + 1].add(1.0)
            return lax.dynamic_update_slice(x, jnp.full((3,), i * 1.0, x.dtype), (i + 2,)), total

        return lax.fori_loop(0, 20, body, (x, 0.0))

    def old_and_new(x):  # type: ignore[no-untyped-def]
        def body(i, s):  # type: ignore[no-untyped-def]
            y = s[0].at[i].set(i * 2.0)
            return y, s[1] + s[0][i] + y[i]

        return lax.fori_loop(0, 20, body, (x, 0.0))

    def swapped(x):  # type: ignore[no-untyped-def]
        return lax.fori_loop(0, 7, lambda i, s: (s[1].at[i].set(1.0 * i), s[0].at[i].add(2.0)), (x, x + 1))

    def rows(x):  # type: ignore[no-untyped-def]
        window = jnp.ones((1, 5), x.dtype)
        return lax.fori_loop(0, 6, lambda i, s: lax.dynamic_update_slice(s, window * i, (i, i)), x.reshape(10, 20))

    for f in (several, old_and_new, swapped, rows):
        check(f, R.standard_normal(200))


def test_a_loop_whose_state_is_updated_in_place_needs_no_second_copy_of_it() -> None:
    big = np.zeros(1 << 20)
    graph = jitgrad.make_graph(lambda x: lax.fori_loop(0, 100, lambda i, s: s.at[i].set(s[i] + 1.0), x))(big)
    program = compile_graph(graph)
    assert program.arena_bytes < big.nbytes / 10  # type: ignore[union-attr]
    np.testing.assert_array_equal(run_graph(graph, [big])[0], (np.arange(1 << 20) < 100) * 1.0)


@pytest.mark.parametrize("size", [1, 8, 21, 64])
def test_rows_end_each_for_itself(lowering: str, size: int) -> None:
    def steps(x):  # type: ignore[no-untyped-def]
        return lax.while_loop(lambda s: s[0] < 50, lambda s: (s[0] * 1.5 + 1, s[1] + 1, s[2] * 2), (x, 0, 1.0))

    for dtype in (np.float32, np.float64):
        check(jitgrad.vmap(steps), np.linspace(-1, 60, size).astype(dtype), rtol=1e-5)


def test_rows_take_each_its_branch(lowering: str) -> None:
    def f(i, x):  # type: ignore[no-untyped-def]
        return lax.switch(i, [lambda x: x * 2, lambda x: jnp.sqrt(x), lambda x: lax.fori_loop(0, 3, lambda k, y: y + k, x)], x)

    check(jitgrad.vmap(f), np.arange(-2, 19) % 5 - 1, np.linspace(0, 3, 21))
    check(jitgrad.vmap(f, in_axes=(0, None)), np.arange(7) % 3, np.float64(2))
    check(f, np.int32(9), np.float64(2))
    check(f, np.int32(-9), np.float64(2))


def test_rows_of_arrays_and_stacked_results(lowering: str) -> None:
    table = R.standard_normal(100)

    def f(x, i, table):  # type: ignore[no-untyped-def]
        def body(c, k):  # type: ignore[no-untyped-def]
            return c.at[k % 3].set(c.sum() + table[(i + k) % 100]), c[::-1] * jnp.argmax(c)

        return lax.scan(body, x, jnp.arange(11))

    check(jitgrad.vmap(f, in_axes=(0, 0, None)), R.standard_normal((19, 3)), np.arange(19), table)
    pairs = jitgrad.vmap(jitgrad.vmap(f, in_axes=(None, 0, None)), in_axes=(0, None, None))
    check(pairs, R.standard_normal((3, 3)), np.arange(5), table)


def test_loops_in_branches_in_loops(lowering: str) -> None:
    def f(x, n):  # type: ignore[no-untyped-def]
        def outer(i, x):  # type: ignore[no-untyped-def]
            inner = lambda x: lax.while_loop(lambda s: s > 1, lambda s: s / 2 + i * 0.01, x)
            return lax.cond(x > 3, inner, lambda x: lax.fori_loop(0, i, lambda k, y: y * 1.1 + k, x), x + 1)

        return lax.fori_loop(0, n, outer, x)

    check(f, np.float64(0.3), np.int64(9))
    check(jitgrad.vmap(f), np.linspace(0, 5, 18), np.arange(18))


@pytest.mark.parametrize("checkpoint", [None, 1, 3, "auto"])
def test_tapes_and_checkpoints(lowering: str, checkpoint: int | str | None) -> None:
    def f(a, x):  # type: ignore[no-untyped-def]
        return lax.while_loop(lambda x: x < 100, lambda x: x * a + jnp.sin(x) * 0.1, x, checkpoint=checkpoint)

    gradient = jitgrad.grad(f, argnums=(0, 1))
    second = jitgrad.grad(lambda a, x: gradient(a, x)[0], argnums=(0, 1))
    for g in (f, gradient, second):
        check(g, np.float64(1.3), np.float64(1.1), rtol=1e-8)
        check(jitgrad.vmap(g, in_axes=(0, None)), np.linspace(1.2, 4, 21), np.float64(1.1), rtol=1e-8)
    check(jitgrad.jacrev(lambda a: jnp.stack([f(a, 1.1), f(a, 2.0)])), np.float64(1.4), rtol=1e-8)


def test_gradients_of_nested_loops(lowering: str) -> None:
    def f(a, xs):  # type: ignore[no-untyped-def]
        def body(c, x):  # type: ignore[no-untyped-def]
            c = lax.while_loop(lambda s: s < 4, lambda s: s * a + 0.3, jnp.abs(c) + x * x)
            return c - 3, jnp.cos(c)

        last, ys = lax.scan(body, 0.5, xs)
        return last + ys.sum()

    gradient = jitgrad.grad(f, argnums=(0, 1))
    check(gradient, np.float64(1.3), R.standard_normal(6), rtol=1e-9)
    check(jitgrad.vmap(gradient, in_axes=(0, None)), np.linspace(1.2, 2, 10), R.standard_normal(6), rtol=1e-9)
    check(jitgrad.hessian(f), np.float64(1.3), R.standard_normal(6), rtol=1e-9)


def test_results_are_the_same_at_any_number_of_threads() -> None:
    def f(x):  # type: ignore[no-untyped-def]
        return lax.while_loop(lambda s: s[0] < 90, lambda s: (s[0] * 1.1 + jnp.sin(s[1]), s[1] + s[0]), (x, x))

    program = jitgrad.jit(jitgrad.vmap(f))
    x = np.linspace(0.1, 80, 30_000)
    before = jitgrad.config.num_threads
    try:
        results = []
        for threads in (1, 2, 3, 5):
            jitgrad.config.num_threads = threads
            results.append([np.asarray(r).tobytes() for r in program(x)])
        assert all(r == results[0] for r in results)
    finally:
        jitgrad.config.num_threads = before


def test_compiled_programs_say_what_their_tapes_take() -> None:
    f = jitgrad.grad(lambda x: lax.while_loop(lambda s: s < 9, lambda s: s * x + jnp.sin(s), x))
    analysis = jitgrad.jit(f).lower(1.5).compile().memory_analysis()
    assert analysis.tape_size_in_bytes_per_step == 2 * 4
    assert jitgrad.jit(lambda x: x + 1).lower(1.5).compile().memory_analysis().tape_size_in_bytes_per_step == 0


def test_a_carry_is_read_by_everybody_before_it_is_written_over(lowering: str) -> None:
    n = 70

    def f(x):  # type: ignore[no-untyped-def]
        def body(i, s):  # type: ignore[no-untyped-def]
            a, b, c = s
            b = a * 0.5 + c[::-1] * 0.4
            a = a.at[(i + 4) % n].set(a[(i * 3 + 1) % n])
            c = b * 0.5 + a[::-1] * 0.4
            return a, b, c

        return sum((q * q).sum() for q in lax.fori_loop(0, 3, body, (x, x, x)))

    check(jitgrad.grad(f), np.linspace(0.1, 1.1, n))


def test_values_without_elements_go_through_loops(lowering: str) -> None:
    check(
        jitgrad.vmap(lambda a, z: lax.scan(lambda c, x: (jnp.sin(c + x), None), a, z + a)[0], (0, None)),
        np.arange(5.0),
        np.zeros(0),
    )

    def f(a, z):  # type: ignore[no-untyped-def]
        return lax.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, jnp.sin(s[1]) + s[2].sum(), s[2] * 2), (0, a, jnp.sin(z)))

    check(f, np.array(1.0), np.zeros(0))


def test_a_loop_that_would_never_end_is_not_done_where_the_program_does_not_come_to_it() -> None:
    def inner(c):  # type: ignore[no-untyped-def]
        return lax.while_loop(lambda s: s != c, lambda s: s * 1.5 + 1, 0.0)

    assert jitgrad.jit(lambda n, c: lax.fori_loop(0, n, lambda i, x: x + inner(c), 1.0))(0, 3.0) == 1.0
    assert jitgrad.jit(lambda c: lax.fori_loop(0, 0, lambda i, x: x + inner(c), 1.0))(3.0) == 1.0
    assert jitgrad.jit(lambda x, c: lax.while_loop(lambda s: s < 0, lambda s: s + inner(c), x))(1.0, 3.0) == 1.0
