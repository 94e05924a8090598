"""The passes on small graphs, by the exact text of what they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitgrad_compiler.errors import NonDifferentiableError
from jitgrad_compiler.ir import OPS, Graph, interpret, parse, verify
from jitgrad_compiler.ir.graph import print_graph
from jitgrad_compiler.passes.decompose import decompose
from jitgrad_compiler.passes.inline import inline
from jitgrad_compiler.passes.jvp import jvp_graph
from jitgrad_compiler.passes.linearize import linearize_graph, transpose_graph
from jitgrad_compiler.passes.own_outputs import own_outputs
from jitgrad_compiler.passes.pipeline import PIPELINE, prepare
from jitgrad_compiler.passes.simplify import simplify
from jitgrad_compiler.passes.vmap import vmap_graph

from .agreement import assert_same

SINE = """graph(a:f32[3], b:f32[3]) {
  c:f32[3] = mul a b
  d:f32[3] = sin c
  e:f32[] = reduce_sum d [axes=(0,)]
  return e
}"""
CALLS = """graph(a:f32[3]) {
  b:f32[3] = call a [graph=graph(a:f32[3]) {
    b:f32[3] = exp a
    return b
  }, name='f']
  c:f32[3] = call b [graph=graph(a:f32[3]) {
    b:f32[3] = exp a
    return b
  }, name='f']
  return c
}"""

CUSTOM = """graph(a:f32[3]) {
  b:f32[3] = custom_jvp a [consts=0, graph=graph(a:f32[3]) {
    b:f32[3] = exp a
    return b
  }, name='f', rule=(graph(a:f32[3], b:f32[3]) {
    c:f32[3] = exp a
    d:f32[3] = mul b 5.0:f32
    return c d
  })]
  return b
}"""
CUSTOM_VJP = """graph(a:f32[3], b:f32[3]) {
  c:f32[3] = custom_vjp a b [consts=0, graph=graph(a:f32[3], b:f32[3]) {
    c:f32[3] = mul a b
    return c
  }, moving=(True, False), name='f', rule=(graph(a:f32[3], b:f32[3]) {
    c:f32[3] = mul a b
    return c b
  }, graph(a:f32[3], b:f32[3]) {
    c:f32[3] = mul a b
    return c
  })]
  return c
}"""
CHECKPOINT = """graph(a:f32[3]) {
  b:f32[3] = checkpoint a [graph=graph(a:f32[3]) {
    b:f32[3] = exp a
    c:f32[3] = sin b
    return c
  }, name='f', policy=('nothing',), prevent_cse=True]
  return b
}"""
SOLVE = """graph(a:f32[3], b:f32[3]) {
  c:f32[3] = linear_solve a b [consts=1, graph=graph(a:f32[3], b:f32[3]) {
    c:f32[3] = div b a
    return c
  }, matvec=graph(a:f32[3], b:f32[3]) {
    c:f32[3] = mul a b
    return c
  }, name='f', transposed=None, vecmat=None]
  return c
}"""


def text(graph: Graph) -> str:
    return print_graph(verify(graph, "the pass under test"), sources=False)


def body(inputs: str, *lines: str) -> str:
    return "\n".join([f"graph({inputs}) {{", *[f"  {line}" for line in lines], "}"])


def test_jvp_writes_each_tangent_equation_beside_its_primal() -> None:
    assert text(jvp_graph(parse(SINE), (True, False))) == body(
        "a:f32[3], b:f32[3], c:f32[3]",
        "d:f32[3] = mul a b",
        "e:f32[3] = mul c b",
        "f:f32[3] = sin d",
        "g:f32[3] = cos d",
        "h:f32[3] = mul e g",
        "i:f32[] = reduce_sum f [axes=(0,)]",
        "j:f32[] = reduce_sum h [axes=(0,)]",
        "return i j",
    )


def test_jvp_of_what_does_not_depend_on_an_active_input_is_zero() -> None:
    graph = parse(body("a:f32[2], b:f32[2]", "c:f32[2] = neg b", "d:bool[2] = lt a b", "return c d"))
    assert text(jvp_graph(graph, (True, False))) == body(
        "a:f32[2], b:f32[2], c:f32[2]",
        "d:f32[2] = neg b",
        "e:bool[2] = lt a b",
        "f:f32[2] = broadcast 0.0:f32 [dims=(), shape=(2,)]",
        "g:bool[2] = broadcast False:bool [dims=(), shape=(2,)]",
        "return d e f g",
    )


def test_linearize_parts_a_graph_into_what_is_known_and_what_is_linear() -> None:
    parts = linearize_graph(parse(SINE), (True, True))
    assert text(parts.forward) == body(
        "a:f32[3], b:f32[3]",
        "c:f32[3] = mul a b",
        "d:f32[3] = sin c",
        "e:f32[3] = cos c",
        "f:f32[] = reduce_sum d [axes=(0,)]",
        "return f b a e",
    )
    assert text(parts.linear) == body(
        "a:f32[3], b:f32[3], c:f32[3], d:f32[3], e:f32[3]",
        "f:f32[3] = mul a c",
        "g:f32[3] = mul b d",
        "h:f32[3] = add f g",
        "i:f32[3] = mul h e",
        "j:f32[] = reduce_sum i [axes=(0,)]",
        "return j",
    )
    assert (parts.residuals, parts.active_outputs) == (3, (True,))


def test_transpose_hands_cotangents_from_the_outputs_to_the_linear_inputs() -> None:
    parts = linearize_graph(parse(SINE), (True, True))
    assert text(transpose_graph(parts.linear, [True, True, *[False] * parts.residuals])) == body(
        "a:f32[3], b:f32[3], c:f32[3], d:f32[]",
        "e:f32[3] = broadcast d [dims=(), shape=(3,)]",
        "f:f32[3] = mul e c",
        "g:f32[3] = mul f b",
        "h:f32[3] = mul f a",
        "return h g",
    )


def test_cotangents_of_a_value_that_is_used_twice_are_added() -> None:
    linear = parse(body("a:f32[2], b:f32[2]", "c:f32[2] = mul a b", "d:f32[2] = neg a", "return c d d"))
    assert text(transpose_graph(linear, [True, *[False] * (len(linear.inputs) - 1)])) == body(
        "a:f32[2], b:f32[2], c:f32[2], d:f32[2]",
        "e:f32[2] = add c d",
        "f:f32[2] = neg e",
        "g:f32[2] = mul b a",
        "h:f32[2] = add f g",
        "return h",
    )


def test_vmap_puts_the_batch_in_front_and_broadcasts_what_lacks_it() -> None:
    assert text(vmap_graph(parse(SINE), 5, (True, False))) == body(
        "a:f32[5,3], b:f32[3]",
        "c:f32[5,3] = broadcast b [dims=(1,), shape=(5, 3)]",
        "d:f32[5,3] = mul a c",
        "e:f32[5,3] = sin d",
        "f:f32[5] = reduce_sum e [axes=(1,)]",
        "return f",
    )


def test_inline_puts_what_is_called_in_place_of_the_call() -> None:
    assert text(inline(parse(CALLS))) == body("a:f32[3]", "b:f32[3] = exp a", "c:f32[3] = exp b", "return c")
    flat = parse(SINE)
    assert inline(flat) is flat


def test_inline_goes_into_calls_inside_calls_and_outputs_that_are_inputs() -> None:
    nested = parse(
        "graph(a:f32[], b:f32[]) {\n  c:f32[], d:f32[] = call a b [graph=graph(a:f32[], b:f32[]) {\n"
        "    c:f32[] = call b [graph=graph(a:f32[]) {\n      return a\n    }, name='g']\n"
        "    d:f32[] = add a c\n    return c d\n  }, name='f']\n  return d c 1.0:f32\n}"
    )
    assert text(inline(nested)) == body("a:f32[], b:f32[]", "c:f32[] = add a b", "return c b 1.0:f32")


def test_forward_mode_does_a_call_and_its_tangents_in_one_call() -> None:
    graph = parse(CALLS)
    made = verify(jvp_graph(graph, (True,)), "jvp")
    assert [e.op.name for e in made.eqns] == ["call"] * 2
    x, t = np.array([0.1, -1, 0.5], np.float32), np.array([1, 2, 3], np.float32)
    flat = jvp_graph(inline(graph), (True,))
    for got, want in zip(interpret(made, x, t), interpret(flat, x, t), strict=True):
        assert_same(got, want)


def test_the_linear_part_of_a_call_is_a_call_that_takes_residuals() -> None:
    parts = linearize_graph(parse(CALLS), (True,))
    assert [e.op.name for e in parts.forward.eqns] == ["call"] * 2
    assert [e.op.name for e in verify(parts.linear, "linearize").eqns] == ["call"] * 2


def test_decompose_writes_a_matrix_times_a_vector_as_products_and_sums() -> None:
    graph = parse(body("a:f32[4,3], b:f32[3]", "c:f32[4] = dot_general a b [dims=(((1,), (0,)), ((), ()))]", "return c"))
    assert text(simplify(decompose(graph))) == body(
        "a:f32[4,3], b:f32[3]",
        "c:f32[4,3] = broadcast b [dims=(1,), shape=(4, 3)]",
        "d:f32[4,3] = mul a c",
        "e:f32[4] = reduce_sum d [axes=(1,)]",
        "return e",
    )


def test_decompose_leaves_a_matrix_product_as_it_is() -> None:
    graph = parse(body("a:f32[4,3], b:f32[3,5]", "c:f32[4,5] = dot_general a b [dims=(((1,), (0,)), ((), ()))]", "return c"))
    assert decompose(graph) == graph


def test_an_output_has_memory_of_its_own() -> None:
    graph = parse(body("a:f32[3]", "b:f32[3] = neg a", "return a b b 2.0:f32"))
    assert text(own_outputs(graph)) == body(
        "a:f32[3]",
        "b:f32[3] = neg a",
        "c:f32[3] = reshape a [shape=(3,)]",
        "d:f32[3] = reshape b [shape=(3,)]",
        "e:f32[] = reshape 2.0:f32 [shape=()]",
        "return c b d e",
    )


SIMPLIFIED = [
    ("equal equations are one", ["c:f32[3] = mul a b", "d:f32[3] = mul b a", "e:f32[3] = add c d"],
     ["c:f32[3] = mul a b", "d:f32[3] = add c c"]),
    ("what nobody reads is gone", ["c:f32[3] = sin a", "e:f32[3] = neg b"], ["c:f32[3] = neg b"]),
    ("x * 1 is x", ["c:f32[3] = mul 1.0:f32 a", "e:f32[3] = neg c"], ["c:f32[3] = neg a"]),
    ("x * -1 is -x", ["c:f32[3] = mul a -1.0:f32", "e:f32[3] = sin c"], ["c:f32[3] = neg a", "d:f32[3] = sin c"]),
    ("x * 0 stays, for x may be NaN", ["e:f32[3] = mul a 0.0:f32"], ["c:f32[3] = mul a 0.0:f32"]),
    ("x + 0 stays, for x may be -0", ["e:f32[3] = add a 0.0:f32"], ["c:f32[3] = add a 0.0:f32"]),
    ("x - 0 is x", ["c:f32[3] = sub a 0.0:f32", "e:f32[3] = neg c"], ["c:f32[3] = neg a"]),
    ("x - -0 stays", ["e:f32[3] = sub a -0.0:f32"], ["c:f32[3] = sub a -0.0:f32"]),
    ("x / 4 is x * 0.25", ["e:f32[3] = div a 4.0:f32"], ["c:f32[3] = mul a 0.25:f32"]),
    ("x / 3 stays", ["e:f32[3] = div a 3.0:f32"], ["c:f32[3] = div a 3.0:f32"]),
    ("--x is x", ["c:f32[3] = neg a", "d:f32[3] = neg c", "e:f32[3] = sin d"], ["c:f32[3] = sin a"]),
    ("constants are computed", ["c:f32[] = sqrt 4.0:f32", "d:f32[3] = broadcast c [dims=(), shape=(3,)]", "e:f32[3] = mul a d"],
     ["c:f32[3] = mul a 2.0:f32"]),
    ("an array of one number is a literal where it meets an array",
     ["d:f32[3] = broadcast 3.0:f32 [dims=(), shape=(3,)]", "e:f32[3] = add a d"],
     ["c:f32[3] = add a 3.0:f32"]),
    ("two transposes are one", ["c:f32[1,3] = reshape a [shape=(1, 3)]", "d:f32[3,1] = transpose c [permutation=(1, 0)]",
     "f:f32[1,3] = transpose d [permutation=(1, 0)]", "e:f32[3] = reshape f [shape=(3,)]", "g:f32[3] = neg e"],
     ["c:f32[3] = neg a"]),
    ("a conversion between reshapes there and back is one", ["c:f32[1,3] = reshape a [shape=(1, 3)]",
     "d:bf16[1,3] = convert_element_type c [dtype='bf16']", "f:bf16[3] = reshape d [shape=(3,)]",
     "e:f32[3] = convert_element_type f [dtype='f32']"],
     ["c:bf16[3] = convert_element_type a [dtype='bf16']", "d:f32[3] = convert_element_type c [dtype='f32']"]),
    ("two broadcasts are one",
     ["c:f32[2,3] = broadcast a [dims=(1,), shape=(2, 3)]", "e:f32[2,3,4] = broadcast c [dims=(0, 1), shape=(2, 3, 4)]"],
     ["c:f32[2,3,4] = broadcast a [dims=(1,), shape=(2, 3, 4)]"]),
    ("a known condition chooses", ["c:f32[3] = select True:bool a b", "e:f32[3] = neg c"], ["c:f32[3] = neg a"]),
    ("a select of one value is that value", ["c:bool[3] = lt a b", "d:f32[3] = select c a a", "e:f32[3] = neg d"],
     ["c:f32[3] = neg a"]),
    ("what changes nothing is gone",
     ["c:f32[3] = slice a [limit=(3,), start=(0,), strides=(1,)]", "d:f32[3] = pad c 0.0:f32 [padding=((0, 0, 0),)]",
     "f:f32[3] = convert_element_type d [dtype='f32']", "g:f32[3] = reverse f [axes=()]", "h:f32[3] = reduce_sum g [axes=()]",
     "i:f32[3] = stop_gradient h", "j:f32[3] = concatenate i [axis=0]", "k:f32[3] = integer_pow j [exponent=1]",
     "e:f32[3] = neg k"],
     ["c:f32[3] = neg a"]),
    ("an array without elements is not computed", ["c:f32[0] = slice a [limit=(1,), start=(1,), strides=(1,)]", "d:f32[0] = sin c",
     "e:f32[] = reduce_sum d [axes=(0,)]"], ["return 0.0:f32"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in SIMPLIFIED], ids=[row[0] for row in SIMPLIFIED])
def test_simplify_keeps_to_this_algebra(before: list[str], after: list[str]) -> None:
    inputs = "a:f32[3], b:f32[3]"
    graph = parse(body(inputs, *before, f"return {before[-1].partition(':')[0]}"))
    expected = after if after[-1].startswith("return") else [*after, f"return {after[-1].partition(':')[0]}"]
    assert text(simplify(graph)) == body(inputs, *expected)


def test_simplify_changes_no_bit_of_a_result() -> None:
    numbers = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, 1.5, -7], np.float32)
    lines = [
        "b:f32[10] = mul a 1.0:f32", "c:f32[10] = mul a -1.0:f32", "d:f32[10] = mul a 0.0:f32", "e:f32[10] = add a 0.0:f32",
        "f:f32[10] = sub a 0.0:f32", "g:f32[10] = sub 0.0:f32 a", "h:f32[10] = div a 8.0:f32", "i:f32[10] = neg c",
        "j:f32[10] = sub a a", "k:f32[10] = div a a", "return b c d e f g h i j k",
    ]  # fmt: skip
    graph = parse(body("a:f32[10]", *lines))
    for got, want in zip(interpret(simplify(graph), numbers), interpret(graph, numbers), strict=True):
        assert_same(got, want)


def test_a_custom_rule_takes_the_place_of_the_derivative() -> None:
    parts = linearize_graph(parse(CUSTOM), (True,))
    assert text(parts.forward) == body("a:f32[3]", "b:f32[3] = exp a", "return b")
    assert text(parts.linear) == body("a:f32[3]", "b:f32[3] = mul a 5.0:f32", "return b")


def test_a_custom_forward_program_leaves_its_residuals_to_the_custom_backward_program() -> None:
    parts = linearize_graph(parse(CUSTOM_VJP), (True, True))
    assert text(parts.forward) == body("a:f32[3], b:f32[3]", "c:f32[3] = mul a b", "return c b")
    assert [e.op.name for e in parts.linear.eqns] == ["custom_linear"]
    assert text(transpose_graph(parts.linear, (True, True, False))) == body(
        "a:f32[3], b:f32[3]",
        "c:f32[3] = mul a b",
        "d:f32[3] = broadcast 0.0:f32 [dims=(), shape=(3,)]",
        "return c d",
    )


def test_a_checkpoint_keeps_its_operands_and_computes_the_rest_again_behind_barriers() -> None:
    parts = linearize_graph(parse(CHECKPOINT), (True,))
    assert text(parts.forward) == body("a:f32[3]", "b:f32[3] = exp a", "c:f32[3] = sin b", "return c a")
    (again,) = parts.linear.eqns
    assert text(again.params["graph"]) == body(
        "a:f32[3], b:f32[3]",
        "c:f32[3] = barrier b",
        "d:f32[3] = exp c",
        "e:f32[3] = cos d",
        "f:f32[3] = mul a d",
        "g:f32[3] = mul f e",
        "return g",
    )


def test_the_derivative_of_a_solution_is_one_more_solution() -> None:
    made = simplify(jvp_graph(parse(SOLVE), (True, True)))
    assert [e.op.name for e in made.eqns] == ["linear_solve", "mul", "sub", "linear_solve"]
    with pytest.raises(NonDifferentiableError, match="f: transpose_solve is needed for reverse mode"):
        transpose_graph(parse(SOLVE), (False, True))


def test_every_program_with_a_custom_derivative_is_inlined_to_what_it_computes() -> None:
    for source, lines in (
        (CUSTOM, ["b:f32[3] = exp a"]),
        (CUSTOM_VJP, ["c:f32[3] = mul a b"]),
        (CHECKPOINT, ["b:f32[3] = exp a", "c:f32[3] = sin b"]),
        (SOLVE, ["c:f32[3] = div b a"]),
    ):
        shown = text(inline(parse(source))).splitlines()
        assert [line.strip() for line in shown[1:-2]] == lines
        assert inline(parse(source), only=OPS["call"]) == parse(source)


def test_a_barrier_is_neither_shared_nor_seen_through() -> None:
    lines = ["b:f32[3] = barrier a", "c:f32[3] = barrier a", "d:f32[3] = exp b", "e:f32[3] = exp c", "f:f32[3] = exp a"]
    graph = parse(body("a:f32[3]", *lines, "return d e f"))
    assert text(simplify(graph)) == text(graph)


@pytest.mark.parametrize("step", PIPELINE, ids=lambda step: step.__name__)
def test_a_pass_of_the_pipeline_keeps_what_a_graph_computes(step: Callable[[Graph], Graph]) -> None:
    x, y = np.linspace(-1, 1, 3).astype(np.float32), np.linspace(2, 3, 3).astype(np.float32)
    for source, arrays in ((SINE, [x, y]), (CALLS, [x])):
        for graph in (parse(source), jvp_graph(parse(source), [True] * len(arrays))):
            given = arrays if graph == parse(source) else [*arrays, *arrays]
            for got, want in zip(interpret(verify(step(graph), step.__name__), *given), interpret(graph, *given), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-6)
            assert verify(prepare(graph), "prepare").input_types == graph.input_types
