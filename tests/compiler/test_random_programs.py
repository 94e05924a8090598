"""Programs drawn at random compute the same compiled as interpreted, and the same bits on any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from jitgrad_compiler.ir import Graph, interpret, parse, verify
from jitgrad_compiler.kernels.tuning import Loops, Tuning
from jitgrad_compiler.passes.pipeline import PIPELINE
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.executable import run_graph

from .agreement import assert_same
from .random_programs import MOVES, POINTWISE, REDUCTIONS, Program, programs
from .tunings import DOUBLED, HALVED

PARALLEL = Tuning(loops=Loops(serial_work=1))
"""Small kernels are cut into tasks as large ones are."""
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def checked(examples: int) -> Callable:  # type: ignore[type-arg]
    return settings(max_examples=examples, suppress_health_check=SLOW_TO_DRAW)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = pool.num_threads()
    pool.set_num_threads(count)
    try:
        yield
    finally:
        pool.set_num_threads(before)


def agrees(program: Program, tuning: Tuning | None = None) -> None:
    program.check(run_graph(program.graph, program.arrays, tuning=tuning), interpret(program.graph, *program.arrays))


@checked(220)
@given(programs())
def test_a_program_computes_the_same_compiled_as_interpreted(program: Program) -> None:
    agrees(program)


@checked(120)
@given(programs((*MOVES, *POINTWISE), sizes=(1, 2, 3, 5, 33, 40), most=12))
def test_index_maps_and_arithmetic_fuse_to_the_same_numbers(program: Program) -> None:
    agrees(program)


@checked(120)
@given(programs((*REDUCTIONS, *POINTWISE), sizes=(1, 3, 16, 19, 40), most=10))
def test_reductions_fuse_to_the_same_numbers(program: Program) -> None:
    agrees(program)


@checked(80)
@given(programs(sizes=(0, 1, 2, 3), most=8))
def test_empty_arrays_go_through(program: Program) -> None:
    agrees(program)


@checked(80)
@given(programs(sizes=(1, 3, 16, 19, 40), most=12))
def test_a_program_in_many_tasks_computes_the_same(program: Program) -> None:
    with threads(2):
        agrees(program, PARALLEL)


@pytest.mark.parametrize("tuning", [HALVED, DOUBLED], ids=["halved", "doubled"])
@checked(60)
@given(programs())
def test_a_program_computes_the_same_under_another_tuning(tuning: Tuning, program: Program) -> None:
    agrees(program, tuning)


@checked(40)
@given(programs(most=10))
def test_every_pass_keeps_what_a_program_computes(program: Program) -> None:
    wanted = interpret(program.graph, *program.arrays)
    graph = verify(program.graph, "drawing")
    assert parse(str(graph)) == graph
    for step in PIPELINE:
        graph = verify(step(graph), step.__name__)
        program.check(interpret(graph, *program.arrays), wanted)


@checked(60)
@given(programs((*REDUCTIONS, *POINTWISE, *MOVES), sizes=(1, 3, 33, 64, 100), most=8))
def test_results_are_equal_bit_by_bit_on_any_number_of_threads(program: Program) -> None:
    outs = {}
    for count in (1, 2, 3, 5):
        with threads(count):
            outs[count] = run_graph(program.graph, program.arrays, tuning=PARALLEL)
    for count in (2, 3, 5):
        for one, many in zip(outs[1], outs[count], strict=True):
            assert_same(many, one, context=f"{count} threads")


LARGE = {
    "map": "graph(a:f32[700,900]) {\n  b:f32[700,900] = exp a\n  return b\n}",
    "sum of all": "graph(a:f32[700,900]) {\n  b:f32[] = reduce_sum a [axes=(0, 1)]\n  return b\n}",
    "sums of rows": "graph(a:f32[700,900]) {\n  b:f32[700] = reduce_sum a [axes=(1,)]\n  return b\n}",
    "sums over rows": "graph(a:f32[700,900]) {\n  b:f32[900] = reduce_sum a [axes=(0,)]\n  return b\n}",
    "sums over many short rows": "graph(a:f32[90000,7]) {\n  b:f32[7] = reduce_sum a [axes=(0,)]\n  return b\n}",
    "softmax": """graph(a:f32[700,900]) {
  b:f32[700] = reduce_max a [axes=(1,)]
  c:f32[700,900] = broadcast b [dims=(0,), shape=(700, 900)]
  d:f32[700,900] = sub a c
  e:f32[700,900] = exp d
  f:f32[700] = reduce_sum e [axes=(1,)]
  g:f32[700,900] = broadcast f [dims=(0,), shape=(700, 900)]
  h:f32[700,900] = div e g
  i:f32[900] = reduce_sum h [axes=(0,)]
  return h i
}""",
    "matrix product": "graph(a:f32[700,900]) {\n  b:f32[700,700] = dot_general a a [dims=(((1,), (1,)), ((), ()))]\n  return b\n}",
    "matrix product of few rows": """graph(a:f32[700,900]) {
  b:f32[5,900] = slice a [limit=(5, 900), start=(0, 0), strides=(1, 1)]
  c:f32[5,700] = dot_general b a [dims=(((1,), (1,)), ((), ()))]
  return c
}""",
    "scatter": """graph(a:f32[700,900]) {
  b:i32[630000] = iota [axis=0, dtype='i32', shape=(630000,)]
  c:i32[630000] = rem b 1009:i32
  d:i32[630000,1] = reshape c [shape=(630000, 1)]
  e:f32[1009] = broadcast 0.0:f32 [dims=(), shape=(1009,)]
  f:f32[630000] = reshape a [shape=(630000,)]
  g:f32[1009] = scatter e d f [axes=(0,), batch=0, kind='add']
  return g
}""",
    "cumulative": """graph(a:f32[700,900]) {
  b:f32[700,900] = cumsum a [axis=0, reverse=True]
  c:f32[700,900] = cumsum a [axis=1, reverse=False]
  return b c
}""",
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_kernel_gives_equal_bits_on_any_number_of_threads(name: str) -> None:
    graph: Graph = parse(LARGE[name])
    shape = graph.inputs[0].type.shape
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    outs = {}
    for count in (1, 2, 3, 5):
        with threads(count):
            outs[count] = run_graph(graph, [x])
    for count in (2, 3, 5):
        for one, many in zip(outs[1], outs[count], strict=True):
            assert_same(many, one, context=f"{count} threads")
    for got, want in zip(outs[1], interpret(graph, x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=2e-3)
