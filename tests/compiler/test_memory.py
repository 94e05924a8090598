"""The memory plan: values that are alive together never share a byte, and outputs take inputs' places where none is read later."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad_compiler.ir import ArrayType, Var, parse
from jitgrad_compiler.ir.types import F32
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.memory import ALIGNMENT, MemoryPlan, aligned, plan_memory
from jitgrad_compiler.kernels.program import lower
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare

CHECKED = settings(max_examples=200)


@dataclass
class Schedule:
    """Kernels in order, with what each reads and writes."""

    kernels: list[Kernel]
    scratch: list[int]
    inputs: list[Var]
    outputs: list[Var]


def kernel(reads: list[Var], writes: list[Var]) -> Kernel:
    return Kernel("sort", (), frozenset(), [], [], (), inputs=tuple(reads), results=tuple(writes))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    sizes = st.sampled_from([0, 1, 15, 16, 17, 100, 1000])
    inputs = [Var(ArrayType((draw(sizes),), F32)) for _ in range(draw(st.integers(1, 3)))]
    values, kernels, scratch = list(inputs), [], []
    for _ in range(draw(st.integers(1, 12))):
        reads = draw(st.lists(st.sampled_from(values), max_size=3, unique=True))
        writes = [Var(ArrayType((draw(sizes),), F32)) for _ in range(draw(st.integers(1, 2)))]
        kernels.append(kernel(reads, writes))
        scratch.append(draw(st.sampled_from([0, 0, 0, 8, 640])))
        values += writes
    made = values[len(inputs) :]
    outputs = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    return Schedule(kernels, scratch, inputs, outputs)


def last_read(s: Schedule, v: Var) -> int:
    return max((n for n, k in enumerate(s.kernels) if v in k.inputs), default=-1)


def written(s: Schedule, v: Var) -> int:
    return next(n for n, k in enumerate(s.kernels) if v in k.outputs)


@CHECKED
@given(schedules())
def test_no_two_values_that_are_alive_together_overlap(s: Schedule) -> None:
    plan = plan_memory(s.kernels, s.scratch, s.inputs, s.outputs)
    placed = []
    for v, offset in plan.values.items():
        first = written(s, v)
        placed.append((offset, v.type.nbytes, first, max(first, last_read(s, v))))
    placed += [(offset, s.scratch[n], n, n) for n, offset in plan.scratch.items()]
    for i, (a, a_size, a_first, a_last) in enumerate(placed):
        assert a % ALIGNMENT == 0 and a + a_size <= plan.arena_bytes
        for b, b_size, b_first, b_last in placed[:i]:
            apart = a + a_size <= b or b + b_size <= a
            assert apart or a_last < b_first or b_last < a_first
    inside = {v for k in s.kernels for v in k.outputs} - set(s.outputs)
    assert set(plan.values) == inside
    assert set(plan.scratch) == {n for n, size in enumerate(s.scratch) if size}


@CHECKED
@given(schedules())
def test_the_arena_holds_at_least_what_is_alive_at_once_and_at_most_everything(s: Schedule) -> None:
    plan = plan_memory(s.kernels, s.scratch, s.inputs, s.outputs)
    alive = []
    for n in range(len(s.kernels)):
        here = [v for v in plan.values if written(s, v) <= n <= max(written(s, v), last_read(s, v))]
        alive.append(sum(aligned(v.type.nbytes) for v in here) + (aligned(s.scratch[n]) if s.scratch[n] else 0))
    everything = sum(aligned(v.type.nbytes) for v in plan.values) + sum(aligned(x) for x in s.scratch if x)
    assert max(alive) <= plan.arena_bytes <= everything


@CHECKED
@given(schedules())
def test_an_output_takes_the_place_of_an_input_that_is_not_read_any_more(s: Schedule) -> None:
    plan = plan_memory(s.kernels, s.scratch, s.inputs, s.outputs, donated=s.inputs)
    assert len(set(plan.donated.values())) == len(plan.donated)
    for out, donor in plan.donated.items():
        assert out.type == donor.type and out in s.outputs and donor in s.inputs
        assert last_read(s, donor) < written(s, out)


def kernels_of(text: str) -> tuple[list[Kernel], tuple[Var, ...], list[Var]]:
    graph = prepare(parse(text))
    return fuse(graph, Tuning()), graph.inputs, [a for a in graph.outputs if isinstance(a, Var)]


def test_a_map_writes_over_the_input_it_reads_at_the_same_place() -> None:
    kernels, inputs, outputs = kernels_of("graph(a:f32[9], b:f32[9]) {\n  c:f32[9] = add a b\n  return c\n}")
    assert plan_memory(kernels, [0], inputs, outputs, donated=inputs[1:]).donated == {outputs[0]: inputs[1]}


def test_an_input_that_is_read_elsewhere_is_not_written_over() -> None:
    kernels, inputs, outputs = kernels_of("graph(a:f32[9]) {\n  b:f32[9] = reverse a [axes=(0,)]\n  return b\n}")
    assert plan_memory(kernels, [0], inputs, outputs, donated=inputs).donated == {}
    kernels, inputs, outputs = kernels_of(
        "graph(a:f32[9]) {\n  b:f32[] = reduce_sum a [axes=(0,)]\n  c:f32[9] = broadcast b [dims=(), shape=(9,)]\n"
        "  d:f32[9] = sub a c\n  return d\n}"
    )
    assert plan_memory(kernels, [0] * len(kernels), inputs, outputs, donated=inputs).donated in ({}, {outputs[0]: inputs[0]})


def test_one_input_gives_its_place_to_one_output() -> None:
    kernels, inputs, outputs = kernels_of("graph(a:f32[9]) {\n  b:f32[9] = neg a\n  c:f32[9] = exp a\n  return b c\n}")
    assert list(plan_memory(kernels, [0] * len(kernels), inputs, outputs, donated=inputs).donated.values()) in ([], [inputs[0]])


STEP_OF_A_LAYER = """graph(w:f32[8,8], x:f32[8,8], g:f32[8,8]) {
  a:f32[8,8] = dot_general x g [dims=(((0,), (0,)), ((), ()))]
  b:f32[8,8] = mul a 0.1:f32
  c:f32[8,8] = sub w b
  d:f32[8,8] = dot_general g w [dims=(((1,), (1,)), ((), ()))]
  return c d
}"""


def planned(text: str) -> tuple[list[Kernel], MemoryPlan, tuple[Var, ...], list[Var]]:
    """A program whose inputs are all given away."""
    graph = parse(text)
    program = lower(graph, Tuning(), lambda k: 0, donated=range(len(graph.inputs)))
    return list(program.kernels), program.memory, program.graph.inputs, [a for a in program.graph.outputs if isinstance(a, Var)]


def test_a_product_s_epilogue_writes_over_the_parameter_that_it_updates_when_nobody_reads_that_any_more() -> None:
    kernels, plan, (w, x, g), (c, d) = planned(STEP_OF_A_LAYER)
    assert [k.outputs for k in kernels] == [(d,), (c,)]
    assert plan.donated == {c: w, d: x} or plan.donated == {c: w}


def test_a_product_is_not_written_over_what_it_is_of() -> None:
    _, plan, (w, _), _ = planned(
        "graph(w:f32[8,8], x:f32[8,8]) {\n  a:f32[8,8] = dot_general w x [dims=(((0,), (0,)), ((), ()))]\n"
        "  c:f32[8,8] = sub w a\n  return c\n}"
    )
    assert w not in plan.donated.values()


def test_a_loop_begins_in_the_memory_that_it_is_given_where_its_steps_stay_there() -> None:
    size, body = 1 << 12, "a:f32[4096] = mul x 0.5:f32\n    return a"
    loop = f"scan x [body=graph(x:f32[{size}]) {{\n    {body}\n  }}, consts=0, carry=1, length=5, reverse=False, unroll=1]"
    _, plan, (x,), (out,) = planned(f"graph(x:f32[{size}]) {{\n  y:f32[{size}] = {loop}\n  return y\n}}")
    assert plan.donated == {out: x}


def test_a_loop_whose_steps_read_elsewhere_is_given_other_memory() -> None:
    size, body = 1 << 12, "a:f32[4096] = reverse x [axes=(0,)]\n    return a"
    loop = f"scan x [body=graph(x:f32[{size}]) {{\n    {body}\n  }}, consts=0, carry=1, length=5, reverse=False, unroll=1]"
    _, plan, _, _ = planned(f"graph(x:f32[{size}]) {{\n  y:f32[{size}] = {loop}\n  return y\n}}")
    assert plan.donated == {}
