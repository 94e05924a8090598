"""Kernels that touch nothing of each other's run at once, as one step, and no others do; the bits are the interpreter's."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad_compiler.ir import Graph, interpret, parse
from jitgrad_compiler.kernels.tuning import Loops, Tuning
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.buffers import allocate
from jitgrad_compiler.runtime.executable import Executable, Held
from jitgrad_compiler.targets.cpu.together import MOST, together

EAGER = Tuning(loops=Loops(serial_work=1))
"""Small kernels are worth several threads."""


@pytest.fixture(autouse=True)
def _four_threads() -> Iterator[None]:
    before = pool.num_threads()
    pool.set_num_threads(4)
    yield
    pool.set_num_threads(before)


def letters(n: int) -> str:
    return "".join(chr(97 + n // 26**k % 26) for k in (2, 1, 0))


def graph_of(inputs: Sequence[tuple[str, int]], lines: Sequence[str], outputs: Sequence[str]) -> Graph:
    given = ", ".join(f"{name}:f32[{size}]" for name, size in inputs)
    return parse("\n".join([f"graph({given}) {{", *(f"  {line}" for line in lines), f"  return {' '.join(outputs)}", "}"]))


def updates(sizes: Sequence[int]) -> Graph:
    """Params and gradients of each size to new params: one kernel a param."""
    inputs, lines, outputs = [], [], []
    for k, size in enumerate(sizes):
        p, g, d, q = (letters(4 * k + n) for n in range(4))
        inputs += [(p, size), (g, size)]
        lines += [f"{d}:f32[{size}] = mul {g} 0.5:f32", f"{q}:f32[{size}] = sub {p} {d}"]
        outputs.append(q)
    return graph_of(inputs, lines, outputs)


def sliced(name: str, size: int, source: str, start: int) -> str:
    return f"{name}:f32[{size}] = slice {source} [limit=({start + size},), start=({start},), strides=(1,)]"


def steps(graph: Graph, donated: tuple[int, ...] = (), tuning: Tuning | None = EAGER) -> list[int]:
    """How many kernels each step has."""
    program = Executable(graph, donated, tuning=tuning).program
    return [len(numbers) for numbers in together(program.block.program, program.block.codes)]


def copied(array: np.ndarray) -> Held:
    buffer = allocate(array.nbytes)
    ctypes.memmove(buffer.address, array.ctypes.data, array.nbytes)
    return Held(buffer.address, buffer)


def agrees(graph: Graph, donated: tuple[int, ...] = (), times: int = 3) -> None:
    rng = np.random.default_rng(0)
    given = [rng.normal(size=t.shape).astype(t.dtype.numpy) for t in graph.input_types]
    wanted, run = interpret(graph, *given), Executable(graph, donated, tuning=EAGER)
    for _ in range(times):
        held = [copied(a) for a in given]
        outs = run.run([h.address for h in held], [h if n in donated else None for n, h in enumerate(held)])
        for out, t, want in zip(outs, graph.output_types, wanted, strict=True):
            np.testing.assert_array_equal(out.array(t), want)


def test_updates_of_many_arrays_are_one_step() -> None:
    graph = updates([1000 + 3 * n for n in range(40)])
    assert steps(graph) == [40]
    assert steps(graph, tuple(range(0, 80, 2))) == [40]
    agrees(graph)
    agrees(graph, tuple(range(0, 80, 2)))


def test_updates_that_are_little_work_stay_steps_of_their_own() -> None:
    assert steps(updates([10, 20, 30]), tuning=None) == [1, 1, 1]


def test_a_step_has_a_bounded_number_of_kernels() -> None:
    assert steps(updates([100 + n for n in range(MOST + 5)])) == [MOST, 5]


def test_what_is_written_over_an_input_waits_for_those_that_read_it() -> None:
    lines = [sliced("c", 3000, "b", 1500), "d:f32[3000] = add a c", "e:f32[6000] = mul b 2.0:f32"]
    graph = graph_of([("a", 3000), ("b", 6000)], lines, ["d", "e"])
    assert steps(graph) == [2] and steps(graph, (1,)) == [1, 1]
    agrees(graph, (1,), times=20)


def test_what_is_read_waits_for_what_writes_it() -> None:
    graph = parse(
        """
graph(a:f32[3000,70], b:f32[2000], c:f32[500]) {
  d:f32[3000] = reduce_max a [axes=(1,)]
  e:f32[2000] = slice d [limit=(2500,), start=(500,), strides=(1,)]
  f:f32[2000] = mul b e
  g:f32[500] = neg c
  return d f g
}
"""
    )
    assert len(steps(graph)) > 1
    agrees(graph, times=20)


@settings(max_examples=60)
@given(st.data())
def test_programs_of_slices_of_each_other_agree_with_the_interpreter(data: st.DataObject) -> None:
    """Values of different sizes, each made of slices of those before, so that kernels depend on each other here and there."""
    values = [(letters(n), data.draw(st.sampled_from([64, 700, 1500, 2048]))) for n in range(3)]
    inputs, lines = list(values), []
    for n in range(1, data.draw(st.integers(5, 14))):
        size = data.draw(st.sampled_from([m for m in (64, 700, 1500, 2048) if any(m <= whole for _, whole in values)]))
        one, other, name = (letters(3 * n + k) for k in range(3))
        for part in (one, other):
            source, whole = data.draw(st.sampled_from([v for v in values if v[1] >= size]))
            lines.append(sliced(part, size, source, data.draw(st.integers(0, whole - size))))
        lines.append(f"{name}:f32[{size}] = {data.draw(st.sampled_from(['add', 'sub', 'max']))} {one} {other}")
        values.append((name, size))
    made = [name for name, _ in values[3:]]
    outputs = data.draw(st.lists(st.sampled_from(made), min_size=1, max_size=5, unique=True))
    agrees(graph_of(inputs, lines, outputs), tuple(data.draw(st.lists(st.integers(0, 2), unique=True))), times=2)
