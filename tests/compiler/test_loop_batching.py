"""Batching of small loops and branches, by the exact text of what they make."""

from __future__ import annotations

from jitgrad_compiler.ir import Eqn, Graph, parse, verify
from jitgrad_compiler.ir.graph import print_graph
from jitgrad_compiler.passes.linearize import linearize_graph
from jitgrad_compiler.passes.vmap import vmap_graph

SCAN = """graph(w:f64[2], c:f64[2], xs:f64[3,2]) {
  d:f64[2], e:f64[3,2] = scan w c xs [body=graph(w:f64[2], c:f64[2], x:f64[2]) {
    d:f64[2] = mul w c
    e:f64[2] = sin d
    f:f64[2] = add e x
    return f d
  }, carry=1, consts=1, length=3, reverse=False, unroll=1]
  return d e
}"""
WHILE = """graph(a:f64[], x:f64[]) {
  b:f64[], n:i64[] = while_loop a x [body=graph(a:f64[], x:f64[]) {
    b:f64[] = sin x
    c:f64[] = mul a b
    return c
  }, checkpoint=None, cond=graph(a:f64[], x:f64[]) {
    t:bool[] = lt a x
    return t
  }, consts=1, saved=0, states=False]
  return b
}"""
SWITCH = """graph(i:i64[], a:f64[2], b:f64[2]) {
  c:f64[2] = switch i a b [branches=(graph(a:f64[2], b:f64[2]) {
    c:f64[2] = sin a
    return c
  }, graph(a:f64[2], b:f64[2]) {
    c:f64[2] = mul a b
    return c
  })]
  return c
}"""
WIDE = """graph(w:f64[99], n:i64[], c:f64[99]) {
  d:f64[99], i:i64[], k:i64[], t:tape[f64[99]] = while_loop w n c 0:i64 [body=graph(w:f64[99], n:i64[], c:f64[99], i:i64[]) {
    d:f64[99] = mul w c
    j:i64[] = add i 1:i64
    return d j c
  }, checkpoint=None, cond=graph(w:f64[99], n:i64[], c:f64[99], i:i64[]) {
    t:bool[] = lt i n
    return t
  }, consts=2, saved=1, states=False]
  e:f64[99] = scan k d t [body=graph(c:f64[99], x:f64[99]) {
    d:f64[99] = mul c x
    return d
  }, carry=1, consts=0, length=None, reverse=False, unroll=1]
  return e
}"""
LARGE = SCAN.replace("[2]", "[99]").replace(",2]", ",99]")


def same(graph: Graph, text: str) -> None:
    assert print_graph(verify(graph, "the pass under test"), sources=False) == text


def test_a_small_scan_is_batched_row_by_row() -> None:
    same(
        vmap_graph(parse(SCAN), 5, (False, False, True)),
        """graph(a:f64[2], b:f64[2], c:f64[5,3,2]) {
  d:f64[5,2], e:f64[5,3,2] = rowwise a b c [graph=graph(a:f64[2], b:f64[2], c:f64[3,2]) {
    d:f64[2], e:f64[3,2] = scan a b c [body=graph(a:f64[2], b:f64[2], c:f64[2]) {
      d:f64[2] = mul a b
      e:f64[2] = sin d
      f:f64[2] = add e c
      return f d
    }, carry=1, consts=1, length=3, reverse=False, unroll=1]
    return d e
  }, mapped=(False, False, True), size=5]
  return d e
}""",
    )


def test_a_large_scan_is_batched_by_its_body() -> None:
    same(
        vmap_graph(parse(LARGE), 5, (False, False, True)),
        """graph(a:f64[99], b:f64[99], c:f64[5,3,99]) {
  d:f64[5,99] = broadcast b [dims=(1,), shape=(5, 99)]
  e:f64[3,5,99] = transpose c [permutation=(1, 0, 2)]
  f:f64[5,99], g:f64[3,5,99] = scan a d e [body=graph(a:f64[99], b:f64[5,99], c:f64[5,99]) {
    d:f64[5,99] = broadcast a [dims=(1,), shape=(5, 99)]
    e:f64[5,99] = mul d b
    f:f64[5,99] = sin e
    g:f64[5,99] = add f c
    return g e
  }, carry=1, consts=1, length=3, reverse=False, unroll=1]
  h:f64[5,3,99] = transpose g [permutation=(1, 0, 2)]
  return f h
}""",
    )


def test_a_while_loop_whose_rows_end_by_themselves_is_batched_row_by_row() -> None:
    same(
        vmap_graph(parse(WHILE), 5, (False, True)),
        """graph(a:f64[], b:f64[5]) {
  c:f64[5], d:i64[5] = rowwise a b [graph=graph(a:f64[], b:f64[]) {
    c:f64[], d:i64[] = while_loop a b [body=graph(a:f64[], b:f64[]) {
      c:f64[] = sin b
      d:f64[] = mul a c
      return d
    }, checkpoint=None, cond=graph(a:f64[], b:f64[]) {
      c:bool[] = lt a b
      return c
    }, consts=1, saved=0, states=False]
    return c d
  }, mapped=(False, True), size=5]
  return c
}""",
    )


def test_a_switch_of_one_index_for_all_rows_has_batched_branches() -> None:
    same(
        vmap_graph(parse(SWITCH), 5, (False, False, True)),
        """graph(a:i64[], b:f64[2], c:f64[5,2]) {
  d:f64[5,2] = switch a b c [branches=(graph(a:f64[2], b:f64[5,2]) {
    c:f64[2] = sin a
    d:f64[5,2] = broadcast c [dims=(1,), shape=(5, 2)]
    return d
  }, graph(a:f64[2], b:f64[5,2]) {
    c:f64[5,2] = broadcast a [dims=(1,), shape=(5, 2)]
    d:f64[5,2] = mul c b
    return d
  })]
  return d
}""",
    )


def test_a_switch_of_an_index_for_each_row_is_done_row_by_row() -> None:
    same(
        vmap_graph(parse(SWITCH), 5, (True, True, False)),
        """graph(a:i64[5], b:f64[5,2], c:f64[2]) {
  d:f64[5,2] = rowwise a b c [graph=graph(a:i64[], b:f64[2], c:f64[2]) {
    d:f64[2] = switch a b c [branches=(graph(a:f64[2], b:f64[2]) {
      c:f64[2] = sin a
      return c
    }, graph(a:f64[2], b:f64[2]) {
      c:f64[2] = mul a b
      return c
    })]
    return d
  }, mapped=(True, True, False), size=5]
  return d
}""",
    )


def test_loops_that_hang_together_by_the_tapes_of_a_row_are_batched_together() -> None:
    both = linearize_graph(parse(WHILE), (True, True))
    assert [e.op.name for e in vmap_graph(_joined(both.forward, both.linear), 5, (False, True, False, True)).eqns] == ["rowwise"]


def _joined(forward: Graph, linear: Graph) -> Graph:
    """The values and tangents of `forward`'s first output: its two parts, one behind the other."""
    tangents = linear.inputs[:2]
    residuals = dict(zip(linear.inputs[2:], forward.outputs[1:], strict=True))
    eqns = [Eqn(e.op, [residuals.get(a, a) for a in e.inputs], e.params, e.outputs) for e in linear.eqns]  # type: ignore[arg-type]
    return Graph([*forward.inputs, *tangents], [*forward.eqns, *eqns], [forward.outputs[0], *linear.outputs])


def test_a_large_loop_whose_rows_end_together_keeps_tapes_of_batches() -> None:
    same(
        vmap_graph(parse(WIDE), 5, (False, False, True)),
        """graph(a:f64[99], b:i64[], c:f64[5,99]) {
  d:f64[5,99], e:i64[], f:i64[], g:tape[f64[5,99]] = while_loop a b c 0:i64 [body=graph(a:f64[99], b:i64[], c:f64[5,99], d:i64[]) {
    e:f64[5,99] = broadcast a [dims=(1,), shape=(5, 99)]
    f:f64[5,99] = mul e c
    g:i64[] = add d 1:i64
    return f g c
  }, checkpoint=None, cond=graph(a:f64[99], b:i64[], c:f64[5,99], d:i64[]) {
    e:bool[] = lt d b
    return e
  }, consts=2, saved=1, states=False]
  h:f64[5,99] = scan f d g [body=graph(a:f64[5,99], b:f64[5,99]) {
    c:f64[5,99] = mul a b
    return c
  }, carry=1, consts=0, length=None, reverse=False, unroll=1]
  return h
}""",
    )


def test_loops_of_different_lengths_are_done_row_by_row_even_where_they_are_large() -> None:
    assert [e.op.name for e in vmap_graph(parse(WIDE), 5, (False, True, True)).eqns] == ["rowwise"]
