"""Another tuning gives other kernels, whose results are the same numbers; no size of a machine stands beside it."""

from __future__ import annotations

import ast
import contextlib
import pathlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
import jitgrad_compiler
from jitgrad import lax
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.kernels.program import lower
from jitgrad_compiler.kernels.tuning import Loops, Tuning
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cpu import program

from .tunings import DOUBLED, HALVED, changed, names

Body = Callable[..., Any]


def floats(*shape: int) -> jitgrad.ShapeDtypeStruct:
    return jitgrad.ShapeDtypeStruct(shape, np.float32)


def softmax(x: Any) -> Any:
    e = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return e / jnp.sum(e, axis=-1, keepdims=True)


def product(a: Any, b: Any) -> Any:
    return a @ b


def chain(x: Any) -> Any:
    for k in range(400):
        x = jnp.where(x > k, x * 1.5, x + 0.1 * k)
    return x


def newton(a: Any) -> Any:
    return lax.while_loop(lambda x: abs(x * x - a) > 1e-6, lambda x: (x + a / x) / 2, a)


def sines(a: Any) -> Any:
    return lax.while_loop(lambda s: s[1] < 10, lambda s: (jnp.sin(s[0]), s[1] + 1), (a, 0))[0]


def repeated(x: Any, w: Any) -> Any:
    return lax.fori_loop(0, 5, lambda i, x: jnp.tanh(x @ w), x)


def moments(x: Any) -> Any:
    return jnp.sum(x), jnp.sum(x * x), jnp.sum(x**3)


def exps(x: Any) -> Any:
    for _ in range(6):
        x = jnp.exp(x)
    return x


def ascending(x: Any) -> Any:
    return jnp.sort(x, axis=-1)


def totals(x: Any) -> Any:
    return jnp.cumsum(x, axis=-1)


def largest(x: Any, few: Any) -> Any:
    return lax.top_k(x, few.shape[0])


def scattered(x: Any, u: Any) -> Any:
    return x.at[jnp.arange(len(u)) % len(x)].add(u)


def between(x: Any) -> Any:
    return lax.pad(x, 0.0, [(0, 0, 0), (0, 1, 1)]) + lax.pad(x, 1.0, [(0, 0, 0), (1, 0, 1)])


def shifted(x: Any) -> Any:
    return sum(lax.pad(x.T, 0.0, [(k, 12 - k, 0), (32 * k, 384 - 32 * k, 0)]) for k in range(12))


def perceptron(x: Any, *ws: Any) -> Any:
    for w in ws:
        h = x @ w
        x = 0.5 * h * (1 + jnp.tanh(h + 0.04 * h * h * h))
    return jnp.sum(x * x)


def residual(x: jnp.Array, *weights: jnp.Array) -> jnp.Array:
    for w in weights:
        h = (x - jnp.mean(x, 1, keepdims=True)) / jnp.sqrt(jnp.var(x, 1, keepdims=True) + 1e-5)
        x = x + jnp.tanh(h @ w)
    return jnp.sum(x * x)


SECTIONS: dict[str, list[tuple[Body, list[tuple[int, ...]]]]] = {
    "fusion": [
        (lambda v, w, a: ((v * w) @ a, jnp.sum(v * w, axis=0)), [(128, 1), (128,), (128, 128)]),
        (lambda v, x: (jnp.exp(v) * v + v) * x, [(512,), (16, 512)]),
        (lambda x: (jnp.sum(x * 2 + 1, axis=0), (x * 2 + 1) @ x), [(256, 256)]),
        (lambda a, b, c, w: (w * jnp.sum(jnp.exp(a + b + c))) @ w + (a + b + c), [(32, 32)] * 4),
        (lambda *xs: sum(xs), [()] * 80),
        (lambda *xs: [a * 2 for a in xs], [(4,)] * 80),
        (softmax, [(64, 1 << 16)]), (softmax, [(16, 5000)]), (softmax, [(1, 1 << 15)]),
        (lambda x: x - jnp.mean(x, axis=0), [(64, 32)]), (lambda x: x - jnp.mean(x, axis=0), [(500, 256)]),
        (lambda x, v, w: (a := x.T @ x, jnp.tanh(v) @ v, w - a[::-1].T)[1:], [(512, 512), (64, 64), (512, 512)]),
        (jitgrad.grad(perceptron, argnums=(1, 2, 3)), [(1 << 14, 256), *[(256, 256)] * 3]),
        (chain, [(10,)]),
        (jitgrad.grad(residual), [(512, 256), *[(256, 256)] * 30]),
    ],
    "loops": [
        (jnp.exp, [(1 << 14,)]), (jnp.exp, [(3, 100_000)]),
        (moments, [(1 << 20,)]),
        (lambda x: jnp.sum(x, axis=0), [(4000, 300)]), (lambda x: jnp.sum(x, axis=1), [(400, 300, 4)]),
        (lambda x: jnp.sum(x, axis=0), [(4000, 1000)]), (lambda x: jnp.sum(x, axis=0), [(4000, 2000)]),
        (lambda x: (jnp.sum(x, axis=1), jnp.sum(x, axis=(0, 1))), [(8, 300, 40)]),
        (lambda x: jnp.stack([x, x * 2], -1), [(40, 20)]), (between, [(9, 20)]),
        (lambda *xs: jnp.block([list(xs[:8])] * 8), [(40, 40)] * 8),
        (lambda *xs: exps(jnp.exp(jnp.tanh(jnp.concatenate(xs)))) * 2 + 1, [(400,)] * 30),
        (softmax, [(1000, 1001)]), (softmax, [(1000, 600)]),
        (lambda x: jnp.log(jnp.sum(jnp.exp(x), -1)) * jnp.tanh(jnp.sum(x, -1)), [(1000, 10)]),
        (lambda x: x / jnp.sqrt(jnp.mean(x, -1, keepdims=True) + 1e-5), [(1000, 100)]),
        (jnp.transpose, [(5000, 12)]), (lambda x, y: x.T + y.T * 2, [(300, 200)] * 2),
        (shifted, [(1 << 11, 1 << 11)]),
    ],
    "contraction": [
        *((product, [(m, k), (k, n)]) for m, k, n in [
            (64, 64, 64), (128, 128, 128), (512, 512, 512), (1024, 1024, 1024), (100, 300, 50), (500, 2048, 700), (256, 1000, 1000),
            (300, 700, 700), (128, 256, 512), (100, 2048, 600), (1500, 500, 4096), (100, 300, 1024), (128, 8192, 128),
            (12544, 256, 64), (100, 1024, 64),
        ]),
        *((lambda a, b: a.T @ b, [(k, m), (k, n)]) for m, k, n in [(256, 256, 128), (128, 130, 128)]),
        (lambda a, b: jnp.exp(a) @ b, [(512, 512), (512, 512)]),
        (lambda x, w: lax.conv(x, w, (1, 1), "SAME"), [(32, 64, 16, 16), (64, 64, 3, 3)]),
        (lambda x, w: lax.conv(x, w, (1, 1), "SAME"), [(16, 64, 56, 56), (64, 64, 1, 1)]),
        (jitgrad.grad(lambda w, x: jnp.sum(lax.conv(x, w, (2, 2), "SAME") ** 2)), [(128, 64, 3, 3), (16, 64, 56, 56)]),
    ],
    "fourier": [(jnp.fft.rfft, [(16, 512)]), (jnp.fft.rfft, [(1000, 100)])],
    "control": [
        (newton, [()]), (jitgrad.vmap(newton), [(1000,)]), (jitgrad.vmap(newton), [(100_000,)]),
        (lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x), [(1 << 18,)]),
        (jitgrad.grad(sines), [()]),
        (jitgrad.vmap(lambda a: lax.while_loop(lambda s: s[0] > 1, lambda s: jnp.sin(s) @ jnp.ones((200, 200)), a)), [(99, 200)]),
    ],
    "sort": [
        *((ascending, [s]) for s in [(100,), (100, 100), (3, 1 << 17), (10, 1 << 17), (2, 1 << 16), (100, 1 << 20)]),
        *((largest, [(1 << 12,), (n,)]) for n in (10, 100)),
    ],
    "cumulative": [
        *((totals, [s]) for s in [(100, 5), (100, 200), (5000,), (3, 1 << 17), (20, 1 << 17)]),
        (lambda x: jnp.cumsum(x, axis=0), [(100, 5000)]),
    ],
    "recurrence": [(jitgrad.grad(lambda x: jnp.sum(jnp.sin(jnp.cumprod(x, axis=1)))), [(100, n)]) for n in (5, 200)],
    "scatter": [(scattered, [(1000, n), (m, n)]) for n, m in [(10, 5), (1000, 1000), (64, 20), (64, 5000), (40, 1000)]],
    "": [
        (exps, [(1000,)]), (lambda x: lax.while_loop(lambda x: x < 3.0, exps, x), [()]), (ascending, [(1000, 100)]),
        (scattered, [(1 << 20,), (3,)]), (lambda x: (jnp.sum(exps(x)), jnp.sort(x), jnp.cumsum(x)), [(1000,)]),
        (lambda x, y: y * jnp.cumsum(x @ x, axis=1)[0, 0], [(128, 128), (1000,)]),
        (lambda x, w: lax.conv(x, w, (1, 1), "SAME"), [(4, 64, 28, 28), (64, 64, 3, 3)]),
        (lambda x, w: repeated(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)), [(128, 128)] * 2),
    ],
}  # fmt: skip
"""By the section of the Tuning: programs that its fields make a difference to, the short ones first."""
COUNTS = [lambda x: x // 2, lambda x: x * 2, lambda x: max(x // 64, 1), lambda x: x * 64]
COSTS = [lambda x: x / 4, lambda x: x * 1e9, lambda x: 0.0]
SWITCHES = [lambda x: not x]
PAIRS = [lambda x: (x[0] // 4, x[1] // 4), lambda x: (x[0] * 4, x[1] * 4)]


def written(graph: Graph, tuning: Tuning) -> tuple[list[str], list[Any]]:
    """The code of a graph, which is not compiled, and how it is run."""
    codes = program._Codes(True, tuning)
    lowered = lower(graph, tuning, lambda k: codes.of(k).scratch_bytes)
    return [m.text() for m, _ in codes._modules], [codes.of(k).phases for k in lowered.kernels]


def accepted(section: str, name: str, change: Callable[[Any], Any]) -> Tuning | None:
    """The usual tuning with one field changed; None where the record refuses the number."""
    with contextlib.suppress(ValueError):
        return changed(section, name, change)
    return None


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_makes_a_difference(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_codes", WeakValueDictionary())
    graphs = [jitgrad.make_graph(f)(*[floats(*s) for s in shapes]) for f, shapes in SECTIONS[section]]
    before = [written(g, Tuning()) for g in graphs]
    record = getattr(Tuning(), section) if section else Tuning()
    for name in names(section):
        kind = type(getattr(record, name))
        makes = PAIRS if kind is tuple else COUNTS if kind is int else SWITCHES if kind is bool else COSTS
        tunings = [t for change in makes if (t := accepted(section, name, change))]
        assert any(written(g, t) != b for g, b in zip(graphs, before, strict=True) for t in tunings), name


def ordered(x: Any, y: Any, n: Any) -> Any:
    """All of it is the same to the bit in whichever order it is computed, or computed in one order always."""
    z = jnp.tanh(x) * y + 1.5
    rows = x - jnp.max(x, axis=1, keepdims=True)
    picked = jnp.argmax(z, axis=0), jnp.sort(z, axis=1), lax.cummax(z, axis=0), jnp.min(x * y)
    numbers = jnp.sum(n), jnp.sum(n, axis=0), jnp.cumsum(n, axis=1), n.at[n[0] % 256].add(n[:1])
    loops = lax.scan(lambda c, r: (jnp.tanh(c + r), jnp.sin(c)), z[0], z), jitgrad.vmap(newton)(jnp.abs(x[:, 0]) + 1)
    products = x @ y.T, jnp.exp(x) @ y.T, x.reshape(16, -1) @ y.reshape(16, -1).T
    return z, jnp.exp(rows), jnp.stack([x, y], -1), x.T[3:40] * 2, picked, numbers, loops, *products


def summed(x: Any, y: Any, n: Any) -> Any:
    norm = (x - jnp.mean(x, 1, keepdims=True)) / jnp.sqrt(jnp.var(x, 1, keepdims=True) + 1)
    return softmax(x), norm, jnp.sum(x * y), jnp.sum(x, axis=0), jnp.cumsum(x, axis=1), jnp.sum(jnp.exp(x) * y, axis=1), moments(y)


def arguments() -> list[Any]:
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((256, 600)).astype(np.float32) for _ in range(2))
    return [x, y, random.integers(0, 300, (256, 600)).astype(np.int32)]


@pytest.mark.parametrize("tuning", [HALVED, DOUBLED], ids=["halved", "doubled"])
def test_what_is_no_sum_of_floats_is_the_same_to_the_bit_under_any_tuning(tuning: Tuning) -> None:
    args = arguments()
    graph = jitgrad.make_graph(ordered)(*args)
    for got, expected in zip(run_graph(graph, args, tuning=tuning), run_graph(graph, args), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("tuning", [HALVED, DOUBLED], ids=["halved", "doubled"])
def test_sums_are_the_same_but_for_rounding(tuning: Tuning) -> None:
    args = arguments()
    graph = jitgrad.make_graph(summed)(*args)
    for got, expected in zip(run_graph(graph, args, tuning=tuning), run_graph(graph, args), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-5)


def columns(x: Any, y: Any, n: Any) -> Any:
    """Sums down columns: of whole strips of them, with some left over that fill vectors or not, in runs, of several at once."""
    wide = [x[:, :k] for k in (600, 513, 128, 130)]
    batched, windows = x.reshape(4, 64, 600)[:, :, :530], x[:, :576].reshape(1, 16, 16, 576)
    return (
        [jnp.sum(a, axis=0) for a in wide], y[:, 0] @ x, jnp.exp(y[:1, :256]) @ x, jnp.sum(batched * 0.5, axis=1),
        jnp.sum(x, axis=0) * x[3] + 1, (jnp.max(x, axis=0), jnp.mean(x * y, axis=0)),
        lax.reduce_window(windows, 0.0, lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"), jnp.sum(n, axis=0),
    )  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 4, 32])
def test_columns_that_are_run_down_together_have_the_sums_that_they_have_alone(number: int) -> None:
    args = arguments()
    graph = jitgrad.make_graph(columns)(*args)
    tuning = Tuning(loops=Loops(side_by_side=number, enough_tasks=1))
    for got, expected in zip(run_graph(graph, args, tuning=tuning), run_graph(graph, args), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_code_is_kept_for_each_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    compile_sources = program.compile_sources
    monkeypatch.setattr(program, "compile_sources", lambda texts, *rest: compiled.extend(texts) or compile_sources(texts, *rest))
    monkeypatch.setattr(program, "_codes", WeakValueDictionary())
    args = arguments()[:1]
    graphs = [jitgrad.make_graph(lambda x: softmax(x) * 3.0)(*args) for _ in range(2)]
    kept = [run_graph(g, args, tuning=t) for t in (None, HALVED, DOUBLED) for g in graphs]
    assert len(compiled) == 3 and len(kept) == 6
    run_graph(graphs[0], args, tuning=changed("loops", "heavy", lambda x: x + 1))
    assert len(compiled) == 4


def test_programs_of_two_tunings_are_two() -> None:
    graph = jitgrad.make_graph(lambda x: x * 2.0)(floats(4))
    one, other = (lower(graph, t, lambda k: 0) for t in (Tuning(), HALVED))
    assert one.structure == other.structure and one != other
    assert pickle.loads(pickle.dumps(other)) == other and other.tuning == HALVED


@pytest.mark.parametrize(
    ("section", "name", "number"),
    [("loops", "copies", 3), ("loops", "turns", 0), ("control", "steps_between", 1000), ("cumulative", "column_bytes", 32),
     ("scatter", "piece_bytes", 96)],
)  # fmt: skip
def test_a_number_that_code_could_not_be_made_by_is_refused(section: str, name: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"{section.capitalize()}: {name} must be a power of two, [0-9]+ or more, got {number}"):
        changed(section, name, lambda x: number)


FIXED = {
    "kernels/repeats.py": {
        "MOST_INLINED": "pulling recurses", "RESHAPE_DEPTH": "indices would grow by a factor", "CHOICE_COST": "work would double",
    },
    "kernels/memory.py": {"ALIGNMENT": "what all emitted code may take for granted"},
    "kernels/pull.py": {"SMALL_REDUCTION": "how much text is written out; fixes an order"},
    "targets/cpu/contract/winograd.py": {"VECTORS": "of a panel, of whose width features are a multiple"},
    "targets/tasks/lapack/blocked_cholesky.py": {"BLOCK": "which columns are factorised together fixes an order of sums"},
    "targets/tasks/lapack/blocked_eigh.py": {
        "BLOCK": "which reflections are applied together fixes an order of sums",
        "RUNS": "which columns are multiplied together may change their sums",
    },
    "targets/tasks/lapack/factorizations.py": {"BLOCK": "room for LAPACK's routines, which have sizes of their own"},
    "targets/cpu/library/radix.py": {
        "DIGIT_BITS": "of every key's size a divisor", "BUCKETS": "follows from it", "PLACE_BITS": "how a pair lies in memory",
    },
    "targets/tasks/registers/products.py": {"VALUES": "a kind, no size"},
    "targets/cpu/together.py": {"MOST": "how many kernels a step of a plan holds"},
}  # fmt: skip
"""Numbers that are no sizes of a machine, and why. Those of targets/order.py and what machine/ shares with runtime/ aside."""


def written_out(node: ast.AST) -> Iterator[ast.AST]:
    """What is below a node outside functions."""
    if not isinstance(node, ast.Lambda):
        yield node
        for below in ast.iter_child_nodes(node):
            yield from written_out(below)


def test_no_other_number_is_a_constant_of_a_module() -> None:
    root = pathlib.Path(jitgrad_compiler.__file__).parent
    found: dict[str, set[str]] = {}
    for path in [p for folder in ("kernels", "targets/cpu", "targets/tasks") for p in root.glob(f"{folder}/**/*.py")]:
        if path.name == "order.py" or path.parent.name == "machine":
            continue
        for s in ast.parse(path.read_text()).body:
            if not isinstance(s, (ast.Assign, ast.AnnAssign)) or s.value is None:
                continue
            if any(isinstance(n, ast.Constant) and type(n.value) in (int, float) for n in written_out(s.value)):
                targets = s.targets if isinstance(s, ast.Assign) else [s.target]
                named = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                found.setdefault(path.relative_to(root).as_posix(), set()).update(named)
    assert found == {path: set(reasons) for path, reasons in FIXED.items()}
