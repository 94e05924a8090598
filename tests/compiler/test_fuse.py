"""Fusion: how many kernels programs become, in which order, and what one of them reads as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from jitgrad_compiler.ir import OPS, ArrayType, Graph, interpret, parse
from jitgrad_compiler.ir.builder import Value, bind, staging
from jitgrad_compiler.ir.types import BOOL, F32, F64, I8, I32
from jitgrad_compiler.kernels.expression import Apply, walk
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.ops.define import broadcast, full
from jitgrad_compiler.passes.linearize import linearize
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph

from .random_programs import Program, programs


def op(name: str, *args: Value, **params: Any) -> Value:
    return bind(OPS[name], *args, **params)


def kernels_of(graph: Graph) -> list[Kernel]:
    return fuse(prepare(graph), Tuning())


def value_and_gradients(f: Callable[..., Value], types: Sequence[ArrayType], active: Sequence[int]) -> Graph:
    """A program of a scalar function's value and its gradients with respect to some arguments."""
    with staging() as builder:
        inputs = [builder.input(t) for t in types]
        lin = linearize(lambda values: [f(*values)], inputs, [i in active for i in range(len(inputs))])
        found = lin.transpose([full((), 1, lin.outputs[0].type.dtype)])
        gradients = [g for i, g in enumerate(found) if i in active and g is not None]
        return builder.finish([lin.outputs[0], *gradients])[0]


def cross_entropy(logits: Value, labels: Value) -> Value:
    shape = logits.type.shape
    highest = op("stop_gradient", op("reduce_max", logits, axes=(1,)))
    shifted = logits - broadcast(highest, shape, (0,))
    total = op("log", op("reduce_sum", op("exp", shifted), axes=(1,)))
    chosen = op("eq", broadcast(labels, shape, (0,)), op("iota", shape=shape, axis=1, dtype=I32))
    weights = op("convert_element_type", chosen, dtype=F32)
    return -op("reduce_sum", (shifted - broadcast(total, shape, (0,))) * weights, axes=(0, 1)) / shape[0]


def layer_norm(x: Value, scale: Value, shift: Value, weights: Value) -> Value:
    shape = x.type.shape
    centered = x - broadcast(op("reduce_sum", x, axes=(1,)) / shape[1], shape, (0,))
    variance = op("reduce_sum", centered * centered, axes=(1,)) / shape[1]
    normal = centered * broadcast(op("rsqrt", variance + 1e-5), shape, (0,))
    out = normal * broadcast(scale, shape, (1,)) + broadcast(shift, shape, (1,))
    return op("reduce_sum", out * weights, axes=(0, 1))


def attention(x: Value, mask: Value) -> Value:
    """Softmax of masked scores over the last of four axes."""
    shape = x.type.shape
    scores = op("select", broadcast(mask, shape, (2, 3)), x, full(shape, -1e9, F32))
    e = op("exp", scores - broadcast(op("reduce_max", scores, axes=(3,)), shape, (0, 1, 2)))
    return e / broadcast(op("reduce_sum", e, axes=(3,)), shape, (0, 1, 2))


def traced(f: Callable[..., Value], *types: ArrayType) -> Graph:
    with staging() as builder:
        return builder.finish([f(*[builder.input(t) for t in types])])[0]


def f32(*shape: int) -> ArrayType:
    return ArrayType(shape, F32)


def random_operands(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    draw = {F32: rng.normal, I32: lambda size: rng.integers(0, 7, size), BOOL: lambda size: rng.integers(0, 2, size)}
    names = {F32: np.float32, I32: np.int32, BOOL: np.bool_}
    return [np.asarray(draw[t.dtype](size=t.shape)).astype(names[t.dtype]) for t in graph.input_types]  # type: ignore[operator]


def assert_agrees(graph: Graph) -> None:
    arrays = random_operands(graph)
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)


FUSED: dict[str, tuple[Graph, int]] = {
    "softmax cross-entropy with its gradient": (
        value_and_gradients(cross_entropy, [f32(256, 300), ArrayType((256,), I32)], [0]),
        2,
    ),
    "layer norm with three gradients": (
        value_and_gradients(layer_norm, [f32(256, 300), f32(300), f32(300), f32(256, 300)], [0, 1, 2]),
        3,
    ),
    "masked softmax of four axes": (traced(attention, f32(2, 3, 40, 50), ArrayType((40, 50), BOOL)), 1),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_program_becomes_at_most_so_many_kernels(name: str) -> None:
    graph, most = FUSED[name]
    kernels = kernels_of(graph)
    assert len(kernels) <= most, "\n".join(map(str, kernels))
    assert_agrees(graph)


@pytest.mark.parametrize("name", FUSED)
def test_what_is_dear_is_emitted_once_a_stage(name: str) -> None:
    """Every exp, log and the like of the graph is one node of a kernel: shared, not repeated for each of its readers."""
    graph, _ = FUSED[name]
    wanted = sum(bool(e.op.traits.transcendental) for e in prepare(graph).eqns)
    found = sum(isinstance(n, Apply) and bool(n.op.traits.transcendental) for k in kernels_of(graph) for n in walk(k.roots()))
    assert found == wanted


def test_a_chain_of_elementwise_ops_and_layout_is_one_kernel() -> None:
    graph = parse(
        """graph(a:f32[40,50], b:f32[50]) {
  c:f32[40,50] = broadcast b [dims=(1,), shape=(40, 50)]
  d:f32[40,50] = mul a c
  e:f32[50,40] = transpose d [permutation=(1, 0)]
  f:f32[2000] = reshape e [shape=(2000,)]
  g:f32[1999] = slice f [limit=(2000,), start=(1,), strides=(1,)]
  h:f32[1999] = exp g
  return h
}"""
    )
    (kernel,) = kernels_of(graph)
    assert kernel.kind == "loops" and kernel.bytes_written == 1999 * 4
    assert_agrees(graph)


def test_a_kernel_reads_as_pseudo_code() -> None:
    graph = parse(
        """graph(a:f32[4,100], b:f32[100]) {
  c:f32[4] = reduce_max a [axes=(1,)]
  d:f32[4,100] = broadcast c [dims=(0,), shape=(4, 100)]
  e:f32[4,100] = sub a d
  f:f32[4,100] = exp e
  g:f32[4] = reduce_sum f [axes=(1,)]
  h:f32[4,100] = broadcast b [dims=(1,), shape=(4, 100)]
  i:f32[4,100] = mul f h
  return i g
}"""
    )
    (kernel,) = kernels_of(graph)
    assert str(kernel) == (
        "kernel loops (a:f32[4,100], b:f32[100]) -> (c:f32[4], d:f32[4,100])\n"
        "  for i in 4, j in 100:\n"
        "    r1 = max over j: a[100*i + j]\n"
        "    t1 = exp(sub(a[100*i + j], r1))\n"
        "    r2 = add over j: t1 -> c\n"
        "    d[100*i + j] = mul(t1, b[j])"
    )
    assert kernel.fused == ("reduce_max", "sub", "exp", "reduce_sum", "mul")


def test_an_index_map_reads_as_arithmetic_on_the_loop_indices() -> None:
    graph = parse(
        """graph(a:f32[6], b:i32[]) {
  c:f32[10] = pad a 0.0:f32 [padding=((1, 3, 0),)]
  d:f32[10] = reverse c [axes=(0,)]
  e:f32[3] = dynamic_slice d b [sizes=(3,)]
  f:f32[3] = neg e
  return f
}"""
    )
    (kernel,) = kernels_of(graph)
    assert str(kernel).splitlines()[1:] == [
        "  for i in 3:",
        "    t1 = min(max(convert_element_type(a[0], dtype=i64), 0), 7)",
        "    c[i] = neg(select((0 <= -1*i - 1*[t1] + 8 < 6), b[-1*i - 1*[t1] + 8] if (0 <= -1*i - 1*[t1] + 8 < 6), 0.0))",
    ]


def test_a_matrix_product_takes_what_is_around_it_along() -> None:
    graph = parse(
        """graph(a:f32[64,80], b:f32[80,48], c:f32[48]) {
  d:f32[64,48] = dot_general a b [dims=(((1,), (0,)), ((), ()))]
  e:f32[64,48] = broadcast c [dims=(1,), shape=(64, 48)]
  f:f32[64,48] = add d e
  g:f32[64,48] = max f 0.0:f32
  return g
}"""
    )
    (kernel,) = kernels_of(graph)
    assert kernel.kind == "contract"
    assert str(kernel).splitlines()[-1].strip() == "d[48*i + j] = max(add(dot, a[j]), 0.0)"
    assert_agrees(graph)


def test_kernels_come_in_an_order_in_which_they_can_run() -> None:
    graph = parse(
        """graph(a:f32[300,40], b:i32[300,1]) {
  c:f32[300,40] = sign a
  d:f32[300,40] = cumsum c [axis=0, reverse=False]
  e:f32[300,40] = sin d
  f:f32[40] = reduce_sum e [axes=(0,)]
  g:f32[300,40] = scatter c b e [axes=(0,), batch=0, kind='add']
  h:f32[300,40] = add g e
  i:f32[40] = sort f [axis=0]
  return h i c
}"""
    )
    assert_in_order(graph)
    assert_agrees(graph)


def assert_in_order(graph: Graph) -> None:
    lowered = prepare(graph)
    known = set(lowered.inputs)
    for k in fuse(lowered, Tuning()):
        assert set(k.inputs) <= known, f"reads what no kernel has written yet:\n{k}"
        assert not set(k.outputs) & known, f"writes again what there is:\n{k}"
        known |= set(k.outputs)
    assert all(v in known or not v.type.size for v in lowered.outputs)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(programs(least=6, most=20))
def test_kernels_of_random_programs_are_in_order_and_write_every_value_once(program: Program) -> None:
    assert_in_order(program.graph)


def test_the_lines_of_a_kernel_are_those_of_its_equations() -> None:
    graph = traced(lambda x: op("exp", x) * 2 + x, f32(64))
    (kernel,) = kernels_of(graph)
    assert {file for file, _ in kernel.sources} == {__file__}


def test_a_long_chain_of_concatenations_is_not_written_out_for_every_piece() -> None:
    depth = 24
    with staging() as builder:
        value = builder.input(ArrayType((64,), F32))
        for _ in range(depth):
            head = op("slice", value, start=(0,), limit=(63,), strides=(1,))
            tail = op("slice", value, start=(63,), limit=(64,), strides=(1,))
            value = value - op("concatenate", tail, head, axis=0)
        graph, _ = builder.finish([value])
    assert sum(1 for k in kernels_of(graph) for _ in walk(k.roots())) < 200 * depth
    x = np.linspace(-1, 1, 64, dtype=np.float32)
    np.testing.assert_allclose(run_graph(graph, [x])[0], interpret(graph, x)[0], rtol=1e-4)


def test_what_is_behind_a_barrier_is_another_kernel_that_reads_its_operand_from_memory() -> None:
    lines = ["b:f32[64] = exp a", "c:f32[64] = sin b", "d:f32[64] = barrier b", "e:f32[64] = cos d", "f:f32[64] = mul e c"]
    graph = parse("graph(a:f32[64]) {\n  " + "\n  ".join([*lines, "return c f"]) + "\n}")
    first, second = kernels_of(graph)
    assert [str(v.type) for v in first.outputs] == ["f32[64]"] * 2
    assert len(second.inputs) == 2 and "barrier" not in str(second)
    assert "exp" not in str(second)
    x = np.linspace(-1, 1, 64).astype(np.float32)
    for got, want in zip(run_graph(graph, [x]), interpret(graph, x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_barrier_around_a_contraction_copies_nothing() -> None:
    dims = "[dims=(((1,), (0,)), ((), ()))]"
    lines = [
        "c:f32[32,32] = tanh a", f"d:f32[32,32] = dot_general c b {dims}", "e:f32[32,32] = barrier c", "f:f32[32,32] = barrier b",
        f"g:f32[32,32] = dot_general f e {dims}",
    ]  # fmt: skip
    graph = parse("graph(a:f32[32,32], b:f32[32,32]) {\n  " + "\n  ".join([*lines, "return d g"]) + "\n}")
    assert sorted(k.kind for k in kernels_of(graph)) == ["contract", "contract", "loops"]


def test_kernels_run_in_program_order_where_they_can() -> None:
    lines = [f"{v}:f32[{n}] = sin {w}" for v, w, n in (("b", "a", 8), ("c", "b", 8))]
    sums = ["d:f32[] = reduce_sum c [axes=(0,)]", "e:f32[9] = broadcast d [dims=(), shape=(9,)]", "f:f32[9] = sin e"]
    late = ["h:f32[7] = slice a [limit=(7,), start=(0,), strides=(1,)]", "g:f32[7] = exp h", "i:f32[] = reduce_sum f [axes=(0,)]"]
    graph = parse("graph(a:f32[8]) {\n  " + "\n  ".join([*lines, *sums, *late, "return i f g"]) + "\n}")
    prepared = prepare(graph)
    places = {v: n for n, e in enumerate(prepared.eqns) for v in e.outputs}
    first = [min(places[e.outputs[0]] for e in k.eqns) for k in fuse(prepared, Tuning())]
    assert first == sorted(first)


def test_kernels_that_are_made_one_do_not_wait_for_who_waits_for_them() -> None:
    graph = parse("""graph(a:f32[], b:f32[3], c:f32[3], d:i64[1], e:f32[]) {
  f:f32[] = add a 0.01:f32
  g:f32[] = mul f e
  h:f32[] = mul g 0.9:f32
  i:f32[3] = broadcast h [dims=(), shape=(3,)]
  j:f32[3] = add b i
  k:f32[] = gather j d [axes=(0,), batch=0, mode='fill']
  q:f32[3] = scatter j d 0.0:f32 [axes=(0,), batch=0, kind='set']
  r:f32[] = mul k 0.5:f32
  s:f32[] = add g r
  t:f32[3] = mul q c
  u:f32[] = reduce_sum t [axes=(0,)]
  v:f32[] = add s u
  return v s f q
}""")
    arrays = [np.float32(1.5), np.ones(3, np.float32), np.arange(3, dtype=np.float32), np.array([1]), np.float32(0.5)]
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_kernels_are_not_made_one_that_would_read_what_waits_for_them() -> None:
    """b's kernel computes a + 1 again. Once cumsum has that stored, in a kernel that waits for b's, the two cannot be one."""
    graph = parse("""graph(a:f32[1000], m:f32[8,1000], n:f32[8,1000]) {
  b:f32[1000] = add a 1.0:f32
  c:f32[8,1000] = broadcast b [dims=(1,), shape=(8, 1000)]
  d:f32[8,1000] = mul c m
  e:f32[8,1000] = exp d
  f:f32[8,1000] = mul n n
  g:f32[8,1000] = sin f
  h:f32[8,1000] = mul g n
  q:f32[8,1000] = add h 2.0:f32
  i:f32[8,1000] = exp q
  j:f32[1,1000] = slice e [limit=(1, 1000), start=(0, 0), strides=(1, 1)]
  k:f32[1000] = reshape j [shape=(1000,)]
  l:f32[1000] = add b k
  o:f32[1000] = cumsum b [axis=0, reverse=False]
  p:f32[8,1000] = add e i
  return l o p
}""")
    arrays = [np.random.default_rng(0).normal(size=s).astype(np.float32) for s in ((1000,), (8, 1000), (8, 1000))]
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_what_is_reshaped_and_added_to_again_and_again_is_not_read_in_ever_deeper_indices() -> None:
    """Each such index holds several of the one before it: without a bound, 2**n divisions."""
    with staging() as builder:
        value = builder.input(ArrayType((20, 30), F32))
        for _ in range(24):
            value = op("reshape", op("transpose", value, permutation=(1, 0)) + 1.0, shape=(20, 30))
        graph, _ = builder.finish([value])
    assert len(kernels_of(graph)) > 2
    x = np.arange(600, dtype=np.float32).reshape(20, 30)
    np.testing.assert_array_equal(run_graph(graph, [x])[0], interpret(graph, x)[0])


@pytest.mark.parametrize("dtype", [F32, F64, I8, BOOL])
@pytest.mark.parametrize("size", [16, 17, 100, 1000])
def test_pairs_side_by_side_in_memory_are_read_and_written_whole(dtype: str, size: int) -> None:
    graph = parse(
        f"graph(a:{dtype}[{size},2], b:{dtype}[{size},1]) {{\n"
        f"  c:{dtype}[{size},1] = slice a [limit=({size}, 1), start=(0, 0), strides=(1, 1)]\n"
        f"  d:{dtype}[{size},1] = slice a [limit=({size}, 2), start=(0, 1), strides=(1, 1)]\n"
        f"  e:{dtype}[{size},1] = mul c d\n  f:{dtype}[{size},1] = add d b\n"
        f"  g:{dtype}[{size},2] = concatenate e f [axis=1]\n  return g e\n}}"
    )
    rng = np.random.default_rng(size)
    arrays = [(rng.integers(-3, 4, t.shape)).astype(t.dtype.numpy) for t in graph.input_types]
    for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_every_second_element_of_an_odd_number_is_read_without_the_one_behind_the_last() -> None:
    graph = parse(
        "graph(a:f32[33]) {\n  b:f32[17] = slice a [limit=(33,), start=(0,), strides=(2,)]\n  c:f32[17] = neg b\n  return c\n}"
    )
    x = np.arange(33, dtype=np.float32)
    (got,) = run_graph(graph, [x])
    np.testing.assert_array_equal(got, -x[::2])


def centred(axes: tuple[int, ...], order: tuple[int, ...] = ()) -> Callable[[Value], Value]:
    """A value less its mean along axes, of an operand that is transposed first."""

    def f(x: Value) -> Value:
        x = op("transpose", x, permutation=order) if order else x
        shape = x.type.shape
        kept = tuple(k for k in range(len(shape)) if k not in axes)
        count = int(np.prod([shape[k] for k in axes]))
        return x - broadcast(op("reduce_sum", x, axes=axes) / count, shape, kept)

    return f


@pytest.mark.parametrize(
    ("f", "shape", "most"),
    [
        (centred((1,)), (300, 64), 1), (centred((0,)), (300, 64), 2), (centred((0, 1, 2)), (4, 9, 9, 64), 2),
        (centred((0, 2, 3)), (4, 64, 9, 9), 1), (centred((1,), (1, 0)), (300, 64), 2), (centred((0,), (1, 0)), (64, 300), 1),
        (centred((0,)), (20, 10), 1),
    ],
)  # fmt: skip
def test_stages_go_from_row_to_row_where_rows_lie_side_by_side_in_memory(
    f: Callable[[Value], Value], shape: tuple[int, ...], most: int
) -> None:
    graph = traced(f, f32(*shape))
    assert len(kernels_of(graph)) == most
    assert_agrees(graph)


@pytest.mark.parametrize(("shape", "kernels"), [((3000, 64), 3), ((30, 64), 2), ((8, 1 << 14), 2)])
def test_a_short_row_that_many_places_read_is_computed_once(shape: tuple[int, ...], kernels: int) -> None:
    """The division of the mean: a kernel of its own, but for few elements and for rows that fill the cache."""
    graph = traced(centred((0,)), f32(*shape))
    assert len(kernels_of(graph)) == kernels
    assert_agrees(graph)


def test_a_row_of_each_number_many_times_is_written_out_where_many_places_read_it() -> None:
    def f(x: Value, m: Value) -> Value:
        spread = op("reshape", broadcast(m, (4, 8, 8), (0, 1)), shape=(4, 64))
        return x - broadcast(spread, (4, 500, 64), (0, 2))

    graph = traced(f, f32(4, 500, 64), f32(4, 8))
    *_, last = kernels_of(graph)
    assert "//" not in str(last)
    assert_agrees(graph)


def test_a_large_gradient_is_used_up_before_other_work_begins() -> None:
    text = """graph(x:f32[512,512], v:f32[64,64], w:f32[512,512]) {
      a:f32[512,512] = dot_general x x [dims=(((0,), (0,)), ((), ()))]
      b:f32[64,64] = dot_general v v [dims=(((1,), (0,)), ((), ()))]
      c:f32[512,512] = reverse a [axes=(0,)]
      d:f32[512,512] = sub w c
      return b d
    }"""
    b, d = (graph := parse(text)).outputs
    assert [k.outputs for k in kernels_of(graph)][1:] == [(d,), (b,)]
