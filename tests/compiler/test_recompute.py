"""What is computed twice instead of kept: which values, and that the numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.ir import Graph, interpret, parse, verify
from jitgrad_compiler.ir.graph import Var
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.least_cut import least_cut
from jitgrad_compiler.kernels.program import KernelProgram, lower
from jitgrad_compiler.kernels.recompute import Lives, recompute
from jitgrad_compiler.kernels.tuning import Fusion, Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph

from .random_programs import Program, programs

ALWAYS = Tuning(fusion=Fusion(recompute_from=1, recompute_least=1))
NEVER = Tuning(fusion=Fusion(recompute_from=1 << 60))


def lowered(graph: Graph, tuning: Tuning) -> KernelProgram:
    return lower(graph, tuning, lambda k: 0)


def alive(program: KernelProgram) -> int:
    return Lives(program.graph, program.kernels).most


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(programs())
def test_a_program_computes_the_same_whatever_it_keeps(program: Program) -> None:
    program.check(run_graph(program.graph, program.arrays, tuning=ALWAYS), interpret(program.graph, *program.arrays))


def softmax(s: jitgrad.Array) -> jitgrad.Array:
    s = jnp.exp(s - jnp.max(s, axis=-1, keepdims=True))
    return s / jnp.sum(s, axis=-1, keepdims=True)


def normalise(x: jitgrad.Array, g: jitgrad.Array, axes: int | tuple[int, ...]) -> jitgrad.Array:
    m = jnp.mean(x, axis=axes, keepdims=True)
    return (x - m) / jnp.sqrt(jnp.mean((x - m) ** 2, axis=axes, keepdims=True) + 1e-5) * g


def gelu(h: jitgrad.Array) -> jitgrad.Array:
    return 0.5 * h * (1 + jnp.tanh(0.79788456 * (h + 0.044715 * h * h * h)))


def perceptron(ps: Sequence[jitgrad.Array], x: jitgrad.Array) -> jitgrad.Array:
    for up, down in zip(ps[::2], ps[1::2], strict=True):
        x = x + gelu(x @ up) @ down
    return x


def attention(ps: Sequence[jitgrad.Array], x: jitgrad.Array) -> jitgrad.Array:
    for qkv in ps:
        q, k, v = jnp.split(x @ qkv, 3, axis=-1)
        x = x + jnp.einsum("bqk,bkd->bqd", softmax(jnp.einsum("bqd,bkd->bqk", q, k)), v)
    return x


def convolutions(ps: Sequence[jitgrad.Array], x: jitgrad.Array) -> jitgrad.Array:
    for w, g in zip(ps[::2], ps[1::2], strict=True):
        y = jitgrad.lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
        x = jnp.maximum(normalise(y, g, (0, 1)), 0)
    return x


def layers(ps: Sequence[jitgrad.Array], x: jitgrad.Array) -> jitgrad.Array:
    for w, g in zip(ps[::2], ps[1::2], strict=True):
        x = x + jnp.tanh(normalise(x, g, -1) @ w)
    return x


NETWORKS: dict[str, tuple[Callable, list[tuple[int, ...]], tuple[int, ...], float]] = {
    "perceptron": (perceptron, [(32, 128), (128, 32)] * 3, (4, 16, 32), 0.3),
    "attention": (attention, [(16, 48)] * 3, (2, 64, 16), 0.75),
    "convolutions": (convolutions, [(3, 32, 32), (32,)] * 3, (4, 32, 32), 0.5),
    "layers": (layers, [(32, 32), (32,)] * 3, (8, 16, 32), 0.5),
}  # fmt: skip
"""A network, the shapes of its parameters and of its input, and what share of the memory it needs that keeps everything."""


def step_of(name: str) -> tuple[Graph, list[np.ndarray]]:
    """A training step and its arguments."""
    network, shapes, shape, _ = NETWORKS[name]
    random = np.random.default_rng(0)
    ps = [(random.standard_normal(s) / np.sqrt(s[0])).astype(np.float32) for s in shapes]
    x = random.standard_normal(shape).astype(np.float32)

    def step(ps: Sequence[jitgrad.Array], x: jitgrad.Array) -> object:
        loss, gradients = jitgrad.value_and_grad(lambda ps: jnp.mean(network(ps, x) ** 2))(ps)
        return loss, [p - 0.1 * g for p, g in zip(ps, gradients, strict=True)]

    return jitgrad.make_graph(step)(ps, x), [*ps, x]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_training_keeps_what_it_cannot_compute_again_alone(name: str) -> None:
    graph, _ = step_of(name)
    assert alive(lowered(graph, ALWAYS)) <= NETWORKS[name][3] * alive(lowered(graph, NEVER))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_training_computes_the_same_whatever_it_keeps(name: str) -> None:
    graph, arrays = step_of(name)
    for got, want in zip(run_graph(graph, arrays, tuning=ALWAYS), run_graph(graph, arrays, tuning=NEVER), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def kept(text: str, there: Sequence[int] = ()) -> list[int]:
    """Which equations' results of a program are to be kept for its outputs; `there` are those of which it is known. Products of
    matrices can't be computed again.
    """
    graph = parse(text)
    verify(graph)
    made = {v: e for e in graph.eqns for v in e.outputs}
    known: set[Var] = {graph.eqns[n].outputs[0] for n in there} | set(graph.inputs)
    found = least_cut(
        [v for v in graph.outputs if isinstance(v, Var)],
        lambda v: e if (e := made.get(v)) and e.op.name != "dot_general" else None,
        known,
    )
    return [n for n, e in enumerate(graph.eqns) if e.outputs[0] in found]


TWO_OF_ONE = """graph(a:f32[8,8]) {
  b:f32[8,8] = dot_general a a [dims=(((1,), (0,)), ((), ()))]
  c:f32[8,8] = tanh b
  d:f32[8,8] = mul c b
  return c d
}"""


def test_one_value_is_kept_for_two_that_are_computed_from_it() -> None:
    assert kept(TWO_OF_ONE) == [0]


def test_what_is_there_is_not_kept_again() -> None:
    assert kept(TWO_OF_ONE, there=[0]) == []
    assert kept(TWO_OF_ONE, there=[1]) == [2]


def test_of_equal_cuts_the_one_nearest_to_what_is_read_is_made() -> None:
    text = """graph(a:f32[8,8]) {
      b:f32[8,8] = dot_general a a [dims=(((1,), (0,)), ((), ()))]
      c:f32[8,8] = tanh b
      d:f32[8,8] = exp c
      return d
    }"""
    assert kept(text) == [2]


def test_a_mask_weighs_less_than_the_numbers_that_it_is_of() -> None:
    text = """graph(a:f32[8,8]) {
      b:f32[8,8] = dot_general a a [dims=(((1,), (0,)), ((), ()))]
      c:bool[8,8] = gt b 0.0:f32
      d:f32[8,8] = select c 1.0:f32 0.0:f32
      return d
    }"""
    assert kept(text) == [1]


def test_a_row_of_numbers_is_kept_before_it_is_spread() -> None:
    text = """graph(a:f32[8,8]) {
      b:f32[8] = reduce_sum a [axes=(0,)]
      c:f32[8,8] = broadcast b [shape=(8, 8), dims=(1,)]
      d:f32[8,8] = mul c 2.0:f32
      return d
    }"""
    graph = text.replace("reduce_sum a [axes=(0,)]", "dot_general a e [dims=(((1,), (0,)), ((), ()))]").replace(
        "a:f32[8,8])", "a:f32[8,8], e:f32[8])"
    )
    assert kept(graph) == [0]


def test_a_contraction_writes_one_value_for_all_that_sums_over_it_read() -> None:
    text = """graph(a:f32[64,64], x:f32[64,64]) {
      b:f32[64,64] = dot_general a a [dims=(((1,), (0,)), ((), ()))]
      c:f32[64,64] = mul b x
      d:f32[64,64] = mul c x
      e:f32[64] = reduce_sum b [axes=(0,)]
      f:f32[64] = reduce_sum c [axes=(0,)]
      g:f32[64] = reduce_sum d [axes=(0,)]
      return e f g
    }"""
    kernels = lowered(parse(text), ALWAYS).kernels
    assert [k.kind for k in kernels] == ["contract", "loops"]
    assert len(kernels[0].outputs) == 1


def test_a_small_program_is_left_as_it_is() -> None:
    graph = prepare(step_of("perceptron")[0])
    assert recompute(graph, fuse(graph, NEVER), NEVER.fusion) is None


def test_dropout_keeps_its_mask_for_random_numbers_are_dear() -> None:
    def loss(w: jitgrad.Array, x: jitgrad.Array, key: jitgrad.Array) -> jitgrad.Array:
        h = jnp.tanh(x @ w)
        return jnp.sum(jnp.where(jitgrad.random.bernoulli(key, 0.5, h.shape), h, 0.0) @ w)

    shapes = np.ones((64, 64), np.float32), np.ones((64, 64), np.float32)
    graph = jitgrad.make_graph(jitgrad.grad(loss))(*shapes, jitgrad.random.key(0))
    program = lowered(graph, ALWAYS)
    assert sum(e.op.name == "threefry2x32" for e in program.graph.eqns) == sum(
        e.op.name == "threefry2x32" for e in prepare(graph).eqns
    )


def test_a_residual_stream_is_kept_every_few_terms() -> None:
    """Without that the kernel of each layer would add up the products of all layers before it."""

    def f(ws: Sequence[jitgrad.Array], x: jitgrad.Array) -> jitgrad.Array:
        for w in ws:
            x = x + jnp.tanh(normalise(x, jnp.float32(1), 1) @ w)
        return jnp.sum(x * x)

    x = np.zeros((64, 64), np.float32)
    most = []
    for depth in (24, 48):
        graph = prepare(jitgrad.make_graph(jitgrad.grad(f))([x] * depth, x))
        kernels = lowered(graph, ALWAYS).kernels
        most.append((max(len(k.inputs) for k in kernels), max(len(k.eqns) for k in kernels)))
    assert most[0] == most[1]
