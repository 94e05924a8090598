"""Kernels that are equal are compiled once: within a program, across programs and across threads."""

from __future__ import annotations

import pathlib
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from weakref import WeakValueDictionary

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.program import lower
from jitgrad_compiler.kernels.structure import structure
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.ops import effects
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime import driver, executable, pool
from jitgrad_compiler.targets.cpu import program

X = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The text of each compilation, in a process that knows no kernel yet."""
    texts: list[str] = []
    before = program.compile_sources

    def compile_sources(sources, *rest):  # type: ignore[no-untyped-def]
        texts.append("\n".join(s.text for s in sources))
        return before(sources, *rest)

    monkeypatch.setattr(program, "compile_sources", compile_sources)
    monkeypatch.setattr(program, "_codes", WeakValueDictionary())
    yield texts


def layers(n: int) -> Callable:  # type: ignore[type-arg]
    def f(x, w):  # type: ignore[no-untyped-def]
        for _ in range(n):
            x = x + jnp.tanh(x @ w)
        return x

    return f


def test_layers_that_repeat_are_one_kernel(compiled: list[str]) -> None:
    jitgrad.jit(layers(2))(X, X)
    jitgrad.jit(layers(3))(X + 1, X)
    sizes = [len(t) for t in compiled]
    jitgrad.jit(layers(12))(X, X)
    assert [len(t) for t in compiled] == sizes  # nothing new after the second


def test_a_function_whose_kernels_are_all_known_compiles_no_code(compiled: list[str]) -> None:
    first = jitgrad.jit(lambda x: jnp.sum(jnp.tanh(x) * 2.0, axis=1))
    second = jitgrad.jit(lambda y: (y, jnp.sum(jnp.tanh(y) * 2.0, axis=1)))
    wanted = np.asarray(first(X))
    assert len(compiled) == 1
    same, found = second(X[::-1].copy())
    np.testing.assert_array_equal(np.asarray(found), wanted[::-1])
    np.testing.assert_array_equal(np.asarray(same), X[::-1])
    texts = [t for t in compiled[1:] if "tanh" in t or t.count("define") > 2]
    assert not texts  # the copy of y alone may be new


def test_a_loop_around_known_kernels_is_new_and_its_kernels_are_not(compiled: list[str]) -> None:
    def step(c, _):  # type: ignore[no-untyped-def]
        return c + jnp.tanh(c @ X), None

    first = jitgrad.jit(lambda c: lax.scan(step, c, None, length=5)[0])
    second = jitgrad.jit(lambda c: lax.scan(step, c, None, length=7)[0])
    c = np.full((64, 64), 0.01, np.float32)
    want = c
    for _ in range(5):
        want = want + np.tanh(want @ X)
    np.testing.assert_allclose(np.asarray(first(c)), want, rtol=2e-4, atol=1e-5)
    for _ in range(2):
        want = want + np.tanh(want @ X)
    np.testing.assert_allclose(np.asarray(second(c)), want, rtol=2e-4, atol=1e-5)
    assert len(compiled) == 2 and len(compiled[1]) < len(compiled[0]) / 2


def test_threads_that_ask_for_equal_kernels_compile_them_once(compiled: list[str]) -> None:
    start = threading.Barrier(8)
    found: list[np.ndarray] = []

    def run(n: int) -> None:
        f = jitgrad.jit(lambda x: (jnp.exp(x) - 1.5) * jnp.sum(x, axis=1, keepdims=True))
        start.wait()
        found.append(np.asarray(f(X)))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(compiled) == 1 and len(found) == 8
    assert all(np.array_equal(found[0], f) for f in found)


def test_kernels_differ_where_their_code_would() -> None:
    def kernels(f, *args) -> list[str]:  # type: ignore[no-untyped-def]
        return [structure(k) for k in fuse(prepare(jitgrad.make_graph(f)(*args)), Tuning())]

    base = kernels(lambda x: x * 2.0 + 1.0, X)
    assert base == kernels(lambda y: y * 2.0 + 1.0, X)
    assert base != kernels(lambda x: x * 2.0 - 1.0, X)
    assert base != kernels(lambda x: x * 2.0 + -0.0, X)
    assert base != kernels(lambda x: x * 2.0 + 1.0, X[:32])
    assert base != kernels(lambda x: x * 2.0 + 1.0, X.astype(np.float64))
    assert base != kernels(lambda x: x.T * 2.0 + 1.0, X)
    assert kernels(lambda x: x + 0.0 * x, X) != kernels(lambda x: x + -0.0 * x, X)
    assert kernels(lambda x, y: x - y, X, X) == kernels(lambda x, y: y - x, X, X)  # which value is which is the plan's business
    assert kernels(lambda x: jnp.sum(x, axis=0), X) != kernels(lambda x: jnp.sum(x, axis=1), X)
    assert kernels(lambda x: jnp.sum(x), X) != kernels(lambda x: jnp.max(x), X)
    assert kernels(lambda x: jnp.argmax(x), X) != kernels(lambda x: jnp.argmin(x), X)
    assert kernels(lambda x: jnp.cumsum(x, axis=0), X) != kernels(lambda x: jnp.cumsum(x, axis=1), X)
    assert kernels(lambda x: x[3:40], X) != kernels(lambda x: x[4:41], X)


def test_a_kernel_is_the_same_record_after_it_was_compiled_and_gives_the_same_text_again(compiled: list[str]) -> None:
    def f(x, y):  # type: ignore[no-untyped-def]
        z = jnp.tanh(x).reshape(16, 4, 64) * 2.0
        return jnp.sum(z, axis=(0, 1)), x[y] + 1.0, jnp.sum(x @ x.T, axis=0), lax.scan(lambda c, r: (c + r, c), x[0], x)

    graph = jitgrad.make_graph(f)(X, np.arange(64)[::-1].copy())
    made = program.compile_program(graph, driver.symbols())
    kernels = fuse(prepare(graph), Tuning())
    before = [(str(k), structure(k)) for k in kernels]
    assert [(str(k), structure(k)) for k in made.kernels] == before
    program._codes.clear()
    again = program.compile_program(graph, driver.symbols())
    assert again.ir == made.ir and [m.object for m in again.natives] == [m.object for m in made.natives]
    assert [(str(k), structure(k)) for k in made.kernels] == before


def test_programs_are_equal_where_their_plans_are() -> None:
    def lowered(f, *args, **how):  # type: ignore[no-untyped-def]
        return lower(jitgrad.make_graph(f)(*args), Tuning(), lambda k: 0, **how)

    base = lowered(lambda x: x * 2.0 + 1.0, X)
    assert base == lowered(lambda y: y * 2.0 + 1.0, X) and len({base, lowered(lambda y: y * 2.0 + 1.0, X)}) == 1
    assert base != lowered(lambda x: x * 2.0 + 1.0, X, donated=[0])
    assert base != lowered(lambda x: x * 2.0 + 1.0, X, contracts=False)
    assert base != lowered(lambda x: x * 2.0 - 1.0, X)
    two = lowered(lambda x, y: (jnp.sin(x), jnp.sin(y) @ y), X, X)
    assert two != lowered(lambda x, y: (jnp.sin(y), jnp.sin(x) @ x), X, X)  # the same kernels, of other values


def test_a_lowered_program_is_compiled_in_another_process_to_the_same_code(tmp_path: pathlib.Path) -> None:
    def f(x, y):  # type: ignore[no-untyped-def]
        z = jnp.tanh(x).reshape(16, 4, 64) * 2.0
        rows = lax.scan(lambda c, r: (jnp.tanh(c + r @ x), jnp.sum(c)), x[0], x)
        called = calls([], 2.0)(x)
        return jnp.sum(z, axis=(0, 1)), jnp.take(x, y, axis=0) + 1.0, jnp.sum(x @ x.T, axis=0), rows, jnp.sort(x, axis=0), called

    graph = jitgrad.make_graph(f)(X, np.arange(64)[::-1].copy())
    program._codes.clear()
    made = program.compile_program(graph, driver.symbols())
    again = pickle.loads(pickle.dumps(made.block.program))
    assert again == made.block.program and hash(again) == hash(made.block.program) and str(again) == str(made.block.program)
    (tmp_path / "program").write_bytes(pickle.dumps(made.block.program))
    script = (
        "import pickle, sys\n"
        "from jitgrad_compiler.runtime import driver\n"
        "from jitgrad_compiler.targets.cpu import program\n"
        f"lowered = pickle.load(open({str(tmp_path / 'program')!r}, 'rb'))\n"
        "made = program.compile_lowered(lowered, driver.symbols())\n"
        f"open({str(tmp_path / 'object')!r}, 'wb').write(b''.join(m.object for m in made.natives))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
    assert (tmp_path / "object").read_bytes() == b"".join(m.object for m in made.natives)


def test_values_stay_apart_where_kernels_are_shared() -> None:
    f = jitgrad.jit(lambda x, y: (jnp.sin(x) * 3.0, jnp.sin(y) * 3.0, jnp.sin(jnp.sin(x) * 3.0) * 3.0))
    x, y = np.float32(0.3) * X, np.float32(0.7) * X
    a, b, c = f(x, y)
    np.testing.assert_allclose(np.asarray(a), np.sin(x) * 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(b), np.sin(y) * 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(c), np.sin(np.sin(x) * 3) * 3, rtol=1e-4, atol=1e-5)


def calls(log: list[float], factor: float) -> Callable:  # type: ignore[type-arg]
    """Python is called from a kernel of its own, from a loop in registers, from a loop of kernels, and from a branch."""

    def double(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return x * np.float32(factor)

    def note(x: np.ndarray) -> None:  # type: ignore[type-arg]
        log.append(float(x))

    def called(x):  # type: ignore[no-untyped-def]
        return jitgrad.pure_callback(double, jitgrad.ShapeDtypeStruct(x.shape, x.dtype), x)

    def noted(x):  # type: ignore[no-untyped-def]
        jitgrad.debug.callback(note, x)
        return x + 1

    def f(x):  # type: ignore[no-untyped-def]
        few = lax.fori_loop(0, 3, lambda i, s: noted(noted(s)), x[0, 0])
        rows = lax.scan(lambda c, r: (jnp.tanh(called(c) + r @ x), jnp.sum(called(r))), x[0], x)
        taken = lax.cond(x[0, 1] < 0, lambda y: called(jnp.sin(y) @ y), lambda y: y, x)
        return called(x), few, rows, taken

    return f


def test_programs_that_call_different_functions_are_one_code_and_each_calls_its_own(compiled: list[str]) -> None:
    logs: list[list[float]] = [[], []]
    found = [jitgrad.jit(calls(log, factor))(X) for log, factor in zip(logs, (2.0, -3.0), strict=True)]
    assert len(compiled) == 1
    first = float(X[0, 0])
    for log, factor, (doubled, few, (_, sums), taken) in zip(logs, (2.0, -3.0), found, strict=True):
        assert float(few) == first + 6 and sorted(log) == [first + n for n in range(6)]
        np.testing.assert_array_equal(np.asarray(doubled), X * np.float32(factor))
        np.testing.assert_allclose(np.asarray(sums), (X * factor).sum(1), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(np.asarray(taken), np.sin(X) @ X * factor, rtol=1e-4, atol=1e-4)


def test_a_program_that_calls_python_is_the_same_code_in_another_process(tmp_path: pathlib.Path) -> None:
    def objects(f: Callable) -> bytes:  # type: ignore[type-arg]
        program._codes.clear()
        graph = jitgrad.make_graph(f)(X)
        return b"".join(m.object for m in program.compile_program(graph, driver.symbols()).natives)

    here = objects(calls([], 2.0))
    script = (
        "import sys, numpy as np, jitgrad\n"
        "jitgrad.jit(lambda x: jitgrad.debug.callback(print, x))(0)  # takes the first site\n"
        f"sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n"
        "import test_shared_kernels as t\n"
        "from jitgrad_compiler.runtime import driver\n"
        "from jitgrad_compiler.targets.cpu import program\n"
        "made = program.compile_program(jitgrad.make_graph(t.calls([], 5.0))(t.X), driver.symbols())\n"
        f"open({str(tmp_path / 'object')!r}, 'wb').write(b''.join(m.object for m in made.natives))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
    assert (tmp_path / "object").read_bytes() == here


def test_a_function_that_was_pickled_is_found_again_but_not_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    function = effects.HostFunction("note", print)
    data = pickle.dumps(function)
    assert pickle.loads(data) is function
    monkeypatch.setattr(effects, "_PROCESS", b"another")
    elsewhere = pickle.loads(data)
    with pytest.raises(KeyError, match=f"this process has no function of the token {function.token}"):
        elsewhere.function(1.0)


def test_programs_that_call_different_functions_are_not_equal() -> None:
    one, again, other = (calls([], factor) for factor in (2.0, 2.0, 3.0))
    made = [lower(jitgrad.make_graph(f)(X), Tuning(), lambda k: 0) for f in (one, one, again, other)]
    assert [[structure(k) for k in p.kernels] for p in made[1:]] == [[structure(k) for k in made[0].kernels]] * 3
    assert made[0] == made[1] and made[0] not in made[2:]


def test_a_long_expression_pickles_and_so_does_a_graph_that_was_compiled() -> None:
    def f(x):  # type: ignore[no-untyped-def]
        for _ in range(280):
            x = jnp.sin(x) * 1.01
        return x

    made = program.compile_program(jitgrad.make_graph(f)(X), driver.symbols()).block.program
    assert len(made.kernels) == 1 and pickle.loads(pickle.dumps(made)) == made
    graph = jitgrad.make_graph(f)(X)
    executable.compile_graph(graph)
    again = pickle.loads(pickle.dumps(graph))
    assert again == graph and not again.kept


def test_kernels_that_would_be_written_differently_each_time_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_address(module, name, kernel, *rest):  # type: ignore[no-untyped-def]
        module.functions.append(f"; {id(kernel)}")
        return emit_loops(module, name, kernel, *rest)

    emit_loops = program.emit_loops
    monkeypatch.setattr(program, "emit_loops", with_address)
    monkeypatch.setattr(program._Codes, "every", 1)
    with pytest.raises(AssertionError, match="two texts"):
        program.compile_program(jitgrad.make_graph(lambda x: jnp.cos(x) * 1.25)(X), driver.symbols())


def test_a_large_program_is_several_modules_whose_kernels_share_tiles_and_so_do_later_programs(compiled: list[str]) -> None:
    def f(x, w):  # type: ignore[no-untyped-def]
        for scale in (1.0, 2.0, 3.0, 4.0):
            x = jnp.tanh(scale * (x @ w) / 64 + jnp.exp(x))
        return x

    graph = jitgrad.make_graph(f)(X, X)
    made = program.compile_program(graph, driver.symbols())
    assert len(made.natives) > 1
    assert all(made.ir.count(f"define void @{tile}(") == 1 for tile in set(re.findall(r"@(tile_\w+)", made.ir)))
    jitgrad.jit(lambda x: 5.0 * (x @ x.T) @ x)(X)
    assert "declare void @tile_" in compiled[1] and "define void @tile_" not in compiled[1]
    want = X
    for scale in (1, 2, 3, 4):
        want = np.tanh(scale * (want.astype(np.float64) @ X) / 64 + np.exp(want))
    np.testing.assert_allclose(np.asarray(jitgrad.jit(f)(X, X)), want, rtol=1e-4, atol=1e-5)


def test_fourier_transforms_have_one_function_a_radix_for_their_last_pass_and_those_before(compiled: list[str]) -> None:
    for n in (8, 64):
        z = (X.reshape(-1, n) + 1j * X.reshape(-1, n)[::-1]).astype(np.complex64)
        np.testing.assert_allclose(np.asarray(jitgrad.jit(jnp.fft.fft)(z)), np.fft.fft(z), rtol=1e-4, atol=1e-4)
    assert [re.findall(r"define .*@(fft_pass\w+)", text) for text in compiled] == [["fft_pass_8_f32"], []]


def test_modules_are_compiled_to_the_same_code_by_any_number_of_threads() -> None:
    graph = jitgrad.make_graph(jitgrad.grad(lambda x: jnp.sum(jnp.tanh(x @ x.T) @ jnp.exp(x))))(X)
    before, made = pool.num_threads(), []
    try:
        for threads in (1, 2, 3):
            pool.set_num_threads(threads)
            program._codes.clear()
            made.append(program.compile_program(graph, driver.symbols()))
    finally:
        pool.set_num_threads(before)
    assert len(made[0].natives) > 1
    assert len({tuple(m.object for m in p.natives) for p in made}) == 1
