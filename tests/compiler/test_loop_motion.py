"""What is pruned from loops and what moves out of them, by the exact text."""

from __future__ import annotations

import numpy as np

from jitgrad_compiler.ir import Graph, interpret, parse, verify
from jitgrad_compiler.ir.graph import print_graph
from jitgrad_compiler.passes.loop_motion import move_out_of_loops
from jitgrad_compiler.passes.loop_pruning import prune_loops
from jitgrad_compiler.passes.scales import join_scales
from jitgrad_compiler.passes.simplify import simplify

from .agreement import assert_same


def text(graph: Graph) -> str:
    return print_graph(verify(graph, "the pass under test"), sources=False)


def agree(before: Graph, after: Graph, seed: int = 0, ulps: float = 0) -> None:
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.integers(-3, 4, t.shape), t.dtype.replace("f", "float")) for t in before.input_types]
    for got, want in zip(interpret(after, *arrays), interpret(before, *arrays), strict=True):
        assert_same(got, want, ulps)


UNREAD = """graph(a:f64[], b:f64[4]) {
  c:f64[], d:f64[], e:f64[4], f:f64[4] = scan a a b [body=graph(a:f64[], b:f64[], c:f64[]) {
    d:f64[] = add a c
    e:f64[] = mul b c
    f:f64[] = sin d
    return d e f c
  }, carry=2, consts=0, length=4, reverse=False, unroll=1]
  return c
}"""


def test_carries_results_and_operands_that_nobody_reads_are_gone() -> None:
    graph = parse(UNREAD)
    assert (
        text(prune_loops(graph))
        == """graph(a:f64[], b:f64[4]) {
  c:f64[] = scan a b [body=graph(a:f64[], b:f64[]) {
    c:f64[] = add a b
    return c
  }, carry=1, consts=0, length=4, reverse=False, unroll=1]
  return c
}"""
    )
    agree(graph, prune_loops(graph))


NESTED = """graph(a:f64[4,3]) {
  b:f64[4], c:f64[4,3] = scan a [body=graph(a:f64[3]) {
    b:f64[], c:f64[3] = scan 0.0:f64 a [body=graph(a:f64[], b:f64[]) {
      c:f64[] = add a b
      d:f64[] = sin b
      return c d
    }, carry=1, consts=0, length=3, reverse=False, unroll=1]
    return b c
  }, carry=0, consts=0, length=4, reverse=False, unroll=1]
  return b
}"""


def test_a_loop_inside_a_loop_has_no_results_that_nobody_reads_outside_of_both() -> None:
    graph = parse(NESTED)
    assert "sin" not in text(prune_loops(graph))
    agree(graph, prune_loops(graph))


CONSTANT = """graph(a:f64[], b:f64[]) {
  c:f64[4] = broadcast b [dims=(), shape=(4,)]
  d:f64[], e:f64[], f:f64[4], g:f64[4] = scan a b c [body=graph(a:f64[], b:f64[], c:f64[]) {
    d:f64[] = mul a b
    e:f64[] = add d c
    return e b e e
  }, carry=2, consts=0, length=4, reverse=False, unroll=1]
  return d e f g
}"""


def test_a_carry_that_keeps_its_value_and_slices_that_are_all_one_become_consts_and_equal_results_one() -> None:
    graph = parse(CONSTANT)
    assert (
        text(simplify(prune_loops(graph)))
        == """graph(a:f64[], b:f64[]) {
  c:f64[], d:f64[4] = scan b b a [body=graph(a:f64[], b:f64[], c:f64[]) {
    d:f64[] = mul c a
    e:f64[] = add d b
    return e e
  }, carry=1, consts=2, length=4, reverse=False, unroll=1]
  return c b d d
}"""
    )
    agree(graph, prune_loops(graph))


RECURRENT = """graph(a:f64[3,5], b:f64[5,5], c:f64[7,2,3], d:f64[2,5]) {
  e:f64[2,5], f:f64[7,2,5] = scan a b d c [body=graph(a:f64[3,5], b:f64[5,5], c:f64[2,5], d:f64[2,3]) {
    e:f64[2,5] = dot_general d a [dims=(((1,), (0,)), ((), ()))]
    f:f64[5,5] = mul b 0.125:f64
    g:f64[2,5] = dot_general c f [dims=(((1,), (0,)), ((), ()))]
    h:f64[2,5] = add e g
    return h h
  }, carry=1, consts=2, length=7, reverse=False, unroll=1]
  return e f
}"""


def test_invariants_and_contractions_of_slices_are_done_in_front_of_the_loop() -> None:
    graph = parse(RECURRENT)
    assert (
        text(simplify(move_out_of_loops(graph)))
        == """graph(a:f64[3,5], b:f64[5,5], c:f64[7,2,3], d:f64[2,5]) {
  e:f64[5,5] = mul b 0.125:f64
  f:f64[7,2,5] = dot_general c a [dims=(((2,), (0,)), ((), ()))]
  g:f64[2,5], h:f64[7,2,5] = scan e d f [body=graph(a:f64[5,5], b:f64[2,5], c:f64[2,5]) {
    d:f64[2,5] = dot_general b a [dims=(((1,), (0,)), ((), ()))]
    e:f64[2,5] = add c d
    return e e
  }, carry=1, consts=1, length=7, reverse=False, unroll=1]
  return g h
}"""
    )
    agree(graph, move_out_of_loops(graph))


GRADIENT = """graph(a:f64[5,5], b:f64[7,2,3], c:f64[2,5], d:f64[3,5]) {
  e:f64[3,5], f:f64[2,5], g:f64[7,2,5] = scan a d c b [body=graph(a:f64[5,5], b:f64[3,5], c:f64[2,5], d:f64[2,3]) {
    e:f64[2,5] = mul c 0.5:f64
    f:f64[3,5] = dot_general d e [dims=(((0,), (0,)), ((), ()))]
    g:f64[3,5] = add b f
    h:f64[2,5] = dot_general e a [dims=(((1,), (1,)), ((), ()))]
    return g e h
  }, carry=2, consts=1, length=7, reverse=True, unroll=1]
  return e f g
}"""


HALVES = """graph(a:f16[5,5], b:f16[2,5]) {
  c:f16[2,5] = scan a b [body=graph(a:f16[5,5], b:f16[2,5]) {
    c:f32[5,5] = convert_element_type a [dtype='f32']
    d:f32[2,5] = convert_element_type b [dtype='f32']
    e:f32[2,5] = dot_general d c [dims=(((1,), (0,)), ((), ()))]
    f:f16[2,5] = convert_element_type e [dtype='f16']
    return f
  }, carry=1, consts=1, length=7, reverse=False, unroll=1]
  return c
}"""


def test_widening_moves_in_front_of_a_loop_unless_products_are_of_16_bits() -> None:
    graph = parse(HALVES)
    assert [e.op.name for e in move_out_of_loops(graph).eqns] == ["convert_element_type", "scan"]
    assert move_out_of_loops(graph, halves=True) == graph


def test_sums_of_contractions_and_contractions_of_results_are_done_behind_the_loop() -> None:
    graph = parse(GRADIENT)
    moved = simplify(move_out_of_loops(graph))
    assert (
        text(moved)
        == """graph(a:f64[5,5], b:f64[7,2,3], c:f64[2,5], d:f64[3,5]) {
  e:f64[2,5], f:f64[7,2,5] = scan c [body=graph(a:f64[2,5]) {
    b:f64[2,5] = mul a 0.5:f64
    return b b
  }, carry=1, consts=0, length=7, reverse=True, unroll=1]
  g:f64[3,5] = dot_general b f [dims=(((0, 1), (0, 1)), ((), ()))]
  h:f64[3,5] = add d g
  i:f64[7,2,5] = dot_general f a [dims=(((2,), (1,)), ((), ()))]
  return h e i
}"""
    )
    agree(graph, moved, ulps=4)


def test_a_while_loop_computes_once_what_its_condition_and_its_body_share_of_consts() -> None:
    graph = parse("""graph(a:f64[], b:f64[]) {
  c:f64[], d:i64[] = while_loop a b [body=graph(a:f64[], b:f64[]) {
    c:f64[] = exp a
    d:f64[] = add b c
    return d
  }, checkpoint=None, cond=graph(a:f64[], b:f64[]) {
    c:f64[] = exp a
    d:f64[] = mul c 9.0:f64
    e:bool[] = lt b d
    return e
  }, consts=1, saved=0, states=False]
  return c
}""")
    moved = simplify(move_out_of_loops(graph))
    assert [e.op.name for e in moved.eqns] == ["exp", "mul", "while_loop"]
    assert [e.op.name for e in moved.eqns[-1].params["body"].eqns] == ["add"]
    assert [e.op.name for e in moved.eqns[-1].params["cond"].eqns] == ["lt"]
    agree(graph, moved)


def stepwise(result: str, length: int = 4096) -> list[str]:
    """The ops left in the body of a long scan that adds up `result` of slices, 256 by 256 numbers each."""
    graph = parse(f"""graph(a:f32[{length},256,256], b:f32[256,256]) {{
  c:f32[256,256] = scan b b a [body=graph(a:f32[256,256], b:f32[256,256], c:f32[256,256]) {{
    d:f32[256,256] = tanh c
    e:f32[256,256] = dot_general {result} [dims=(((1,), (0,)), ((), ()))]
    f:f32[256,256] = tanh e
    g:f32[256,256] = add b f
    return g
  }}, carry=1, consts=1, length={length}, reverse=False, unroll=1]
  return c
}}""")
    (e,) = [e for e in move_out_of_loops(graph).eqns if e.op.name == "scan"]
    return [x.op.name for x in e.params["body"].eqns]


def test_contractions_whose_results_would_fill_the_memory_stay_in_their_step() -> None:
    for operands in ("c c", "c a", "d a", "d d"):
        assert "dot_general" in stepwise(operands)
        assert "dot_general" not in stepwise(operands, length=16)


def test_contractions_move_where_a_scan_stacks_as_much_anyway() -> None:
    graph = parse("""graph(a:f32[4096,256,256], b:f32[256,256]) {
  c:f32[256,256], d:f32[4096,256,256] = scan b b a [body=graph(a:f32[256,256], b:f32[256,256], c:f32[256,256]) {
    d:f32[256,256] = dot_general c a [dims=(((1,), (0,)), ((), ()))]
    e:f32[256,256] = mul b d
    f:f32[256,256] = tanh e
    return f f
  }, carry=1, consts=1, length=4096, reverse=False, unroll=1]
  return c d
}""")
    assert [e.op.name for e in move_out_of_loops(graph).eqns] == ["dot_general", "scan"]


def test_sums_of_contractions_whose_operands_would_fill_the_memory_stay_in_the_loop() -> None:
    def left(length: int) -> list[str]:
        graph = parse(f"""graph(a:f32[{length},256,256], b:f32[256,256]) {{
  c:f32[256,256], d:f32[256,256] = scan b b a [body=graph(a:f32[256,256], b:f32[256,256], c:f32[256,256]) {{
    d:f32[256,256] = mul b c
    e:f32[256,256] = dot_general d c [dims=(((0,), (0,)), ((), ()))]
    f:f32[256,256] = add a e
    return f d
  }}, carry=2, consts=0, length={length}, reverse=False, unroll=1]
  return c d
}}""")
        (e,) = [e for e in move_out_of_loops(graph).eqns if e.op.name == "scan"]
        return [x.op.name for x in e.params["body"].eqns]

    assert left(16) == ["mul"]
    assert left(4096) == ["mul", "dot_general", "add"]


def scaled(*factors: str) -> str:
    """What is left of a value times these constants."""
    lines = [f"  {name}:f32[] = mul {before} {c}" for before, name, c in zip("abcd", "bcde", factors, strict=False)]
    return text(join_scales(parse("\n".join(["graph(a:f32[]) {", *lines, f"  return {'abcde'[len(factors)]}", "}"]))))


def test_factors_that_are_constants_are_joined_where_they_are_all_large_or_all_small() -> None:
    for factors, product in {
        ("10.0:f32", "2.5:f32", "-4.0:f32"): "-100.0:f32", ("0.5:f32", "-0.5:f32"): "-0.25:f32", ("1.0:f32", "0.5:f32"): "0.5:f32",
    }.items():  # fmt: skip
        assert scaled(*factors) == f"graph(a:f32[]) {{\n  b:f32[] = mul a {product}\n  return b\n}}"


def test_factors_stay_apart_where_a_small_one_comes_first_or_the_product_is_no_ordinary_number() -> None:
    for factors in [
        ("0.25:f32", "10.0:f32"), ("1e-15:f32", "1e+15:f32"), ("1e+30:f32", "1e+30:f32"), ("1e-30:f32", "1e-30:f32"),
        ("0.0:f32", "2.0:f32"), ("inf:f32", "2.0:f32"), ("nan:f32", "2.0:f32"), ("0.5:f32", "0.0:f32"),
    ]:  # fmt: skip
        lines = [f"  b:f32[] = mul a {factors[0]}", f"  c:f32[] = mul b {factors[1]}"]
        assert scaled(*factors) == "\n".join(["graph(a:f32[]) {", *lines, "  return c", "}"])


def test_a_large_factor_in_front_of_a_small_one_is_compared_for_and_sums_do_not_wait() -> None:
    graph = parse("""graph(a:f32[], b:f32[]) {
  c:f32[] = mul a 8.0:f32
  d:f32[] = mul 0.25:f32 c
  e:f32[] = sub b d
  return e
}""")
    assert (
        text(join_scales(graph))
        == """graph(a:f32[], b:f32[]) {
  c:f32[] = abs a
  d:bool[] = gt c 4.2535293e+37:f32
  e:f32[] = mul a inf:f32
  f:f32[] = mul a 2.0:f32
  g:f32[] = sub b e
  h:f32[] = sub b f
  i:f32[] = select d g h
  return i
}"""
    )
    for a in (3e38, -3e38, 4.2535293e37, np.nextafter(np.float32(4.2535293e37), np.float32(np.inf)), np.inf, np.nan, 1e-45, -0.0):
        x = np.float32(a), np.float32(1.5)
        with np.errstate(all="ignore"):
            (got,), (want,) = interpret(join_scales(graph), *x), interpret(graph, *x)
        np.testing.assert_array_equal(got, want)


def test_what_is_made_of_indices_alone_is_done_once_in_front_of_the_loop() -> None:
    graph = parse("""graph(a:f64[3,2,2], b:f64[2,2]) {
  c:f64[2,2] = scan b a [body=graph(a:f64[2,2], b:f64[2,2]) {
    c:i64[2,2] = iota [axis=0, dtype='i64', shape=(2, 2)]
    d:f64[2,2] = convert_element_type c [dtype='f64']
    e:f64[2,2] = dot_general d d [dims=(((1,), (0,)), ((), ()))]
    f:f64[2,2] = add a e
    g:f64[2,2] = mul f b
    return g
  }, carry=1, consts=0, length=3, reverse=False, unroll=1]
  return c
}""")
    moved = simplify(move_out_of_loops(graph))
    assert [e.op.name for e in moved.eqns] == ["iota", "convert_element_type", "dot_general", "scan"]
    assert [e.op.name for e in moved.eqns[-1].params["body"].eqns] == ["add", "mul"]
    agree(graph, moved)


def attention_like(rows: int, length: int = 8) -> list[str]:
    """The ops left in a scan over [rows, 64], of products with [2048, 64] and the sum of their products with the slices."""
    wide = f"[{rows},2048]"
    graph = parse(f"""graph(a:f32[{length},{rows},64], b:f32[2048,64]) {{
  c:f32[2048,64] = scan b b a [body=graph(a:f32[2048,64], b:f32[2048,64], c:f32[{rows},64]) {{
    d:f32{wide} = dot_general c a [dims=(((1,), (1,)), ((), ()))]
    e:f32{wide} = tanh d
    f:f32[2048,64] = dot_general e c [dims=(((0,), (0,)), ((), ()))]
    g:f32[2048,64] = add b f
    return g
  }}, carry=1, consts=1, length={length}, reverse=False, unroll=1]
  return c
}}""")
    moved = move_out_of_loops(graph)
    agree(graph, moved, ulps=64)
    return [x.op.name for e in moved.eqns if e.op.name == "scan" for x in e.params["body"].eqns]


def test_large_contractions_stay_in_their_step_where_more_is_stacked_for_them_than_they_read_or_give() -> None:
    assert attention_like(256).count("dot_general") == 2
    assert "dot_general" not in attention_like(16)
