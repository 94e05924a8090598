"""Derivatives of small loops and branches, by the exact text of what they make."""

from __future__ import annotations

from jitgrad_compiler.ir import Graph, parse, verify
from jitgrad_compiler.ir.graph import print_graph
from jitgrad_compiler.passes.jvp import jvp_graph
from jitgrad_compiler.passes.linearize import linearize_graph, transpose_graph

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
CHECKPOINTED = WHILE.replace("checkpoint=None", "checkpoint=2")


def same(graph: Graph, text: str) -> None:
    assert print_graph(verify(graph, "the pass under test"), sources=False) == text


def backward(linear: Graph, tangents: int) -> Graph:
    return transpose_graph(linear, [n < tangents for n in range(len(linear.inputs))])


def test_forward_mode_of_a_scan_is_one_scan_of_primals_and_tangents() -> None:
    same(
        jvp_graph(parse(SCAN), (False, True, True)),
        """graph(a:f64[2], b:f64[2], c:f64[3,2], d:f64[2], e:f64[3,2]) {
  f:f64[2], g:f64[2], h:f64[3,2], i:f64[3,2] = scan a b d c e [body=graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2], e:f64[2]) {
    f:f64[2] = mul a b
    g:f64[2] = mul c a
    h:f64[2] = sin f
    i:f64[2] = cos f
    j:f64[2] = mul g i
    k:f64[2] = add h d
    l:f64[2] = add j e
    return k l f g
  }, carry=2, consts=1, length=3, reverse=False, unroll=1]
  return f h g i
}""",
    )


def test_reverse_mode_of_a_scan_is_a_scan_that_stacks_residuals_and_a_scan_over_them() -> None:
    parts = linearize_graph(parse(SCAN), (False, True, True))
    same(
        parts.forward,
        """graph(a:f64[2], b:f64[2], c:f64[3,2]) {
  d:f64[2], e:f64[3,2], f:f64[3,2] = scan a b c [body=graph(a:f64[2], b:f64[2], c:f64[2]) {
    d:f64[2] = mul a b
    e:f64[2] = sin d
    f:f64[2] = cos d
    g:f64[2] = add e c
    return g d f
  }, carry=1, consts=1, length=3, reverse=False, unroll=1]
  return d e a f
}""",
    )
    same(
        parts.linear,
        """graph(a:f64[2], b:f64[3,2], c:f64[2], d:f64[3,2]) {
  e:f64[2], f:f64[3,2] = scan c a b d [body=graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = mul b a
    f:f64[2] = mul e d
    g:f64[2] = add f c
    return g e
  }, carry=1, consts=1, length=3, reverse=False, unroll=1]
  return e f
}""",
    )


def test_the_transpose_of_a_scan_is_the_scan_the_other_way_round() -> None:
    parts = linearize_graph(parse(SCAN), (False, True, True))
    same(
        backward(parts.linear, 2),
        """graph(a:f64[2], b:f64[3,2], c:f64[2], d:f64[3,2]) {
  e:f64[2], f:f64[3,2] = scan a c d b [body=graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = mul b d
    f:f64[2] = add c e
    g:f64[2] = mul f a
    return g b
  }, carry=1, consts=1, length=3, reverse=True, unroll=1]
  return e f
}""",
    )


def test_forward_mode_of_a_while_loop_is_one_while_loop_of_primals_and_tangents() -> None:
    same(
        jvp_graph(parse(WHILE), (True, True)),
        """graph(a:f64[], b:f64[], c:f64[], d:f64[]) {
  e:f64[], f:f64[], g:i64[] = while_loop a c b d [body=graph(a:f64[], b:f64[], c:f64[], d:f64[]) {
    e:f64[] = sin c
    f:f64[] = cos c
    g:f64[] = mul d f
    h:f64[] = mul a e
    i:f64[] = mul b e
    j:f64[] = mul g a
    k:f64[] = add i j
    return h k
  }, checkpoint=None, cond=graph(a:f64[], b:f64[], c:f64[], d:f64[]) {
    e:bool[] = lt a c
    return e
  }, consts=2, saved=0, states=False]
  return e f
}""",
    )


def test_reverse_mode_of_a_while_loop_is_a_loop_that_keeps_tapes_and_a_scan_over_them() -> None:
    parts = linearize_graph(parse(WHILE), (True, True))
    same(
        parts.forward,
        """graph(a:f64[], b:f64[]) {
  c:f64[], d:i64[], e:tape[f64[]], f:tape[f64[]] = while_loop a b [body=graph(a:f64[], b:f64[]) {
    c:f64[] = sin b
    d:f64[] = cos b
    e:f64[] = mul a c
    return e d c
  }, checkpoint=None, cond=graph(a:f64[], b:f64[]) {
    c:bool[] = lt a b
    return c
  }, consts=1, saved=2, states=False]
  return c d a e f
}""",
    )
    same(
        parts.linear,
        """graph(a:f64[], b:f64[], c:i64[], d:f64[], e:tape[f64[]], f:tape[f64[]]) {
  g:f64[] = scan c a d b e f [body=graph(a:f64[], b:f64[], c:f64[], d:f64[], e:f64[]) {
    f:f64[] = mul c d
    g:f64[] = mul a e
    h:f64[] = mul f b
    i:f64[] = add g h
    return i
  }, carry=1, consts=2, length=None, reverse=False, unroll=1]
  return g
}""",
    )


def test_the_transpose_of_a_while_loop_is_a_scan_over_the_tapes_from_their_end() -> None:
    parts = linearize_graph(parse(WHILE), (True, True))
    same(
        backward(parts.linear, 2),
        """graph(a:i64[], b:f64[], c:tape[f64[]], d:tape[f64[]], e:f64[]) {
  f:f64[], g:f64[] = scan a b 0.0:f64 e c d [body=graph(a:f64[], b:f64[], c:f64[], d:f64[], e:f64[]) {
    f:f64[] = mul c a
    g:f64[] = mul c e
    h:f64[] = mul f d
    i:f64[] = add b g
    return i h
  }, carry=2, consts=1, length=None, reverse=True, unroll=1]
  return f g
}""",
    )


def test_forward_mode_of_a_switch_is_one_switch_of_primals_and_tangents() -> None:
    same(
        jvp_graph(parse(SWITCH), (False, True, True)),
        """graph(a:i64[], b:f64[2], c:f64[2], d:f64[2], e:f64[2]) {
  f:f64[2], g:f64[2] = switch a b c d e [branches=(graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = sin a
    f:f64[2] = cos a
    g:f64[2] = mul c f
    return e g
  }, graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = mul a b
    f:f64[2] = mul c b
    g:f64[2] = mul d a
    h:f64[2] = add f g
    return e h
  })]
  return f g
}""",
    )


def test_reverse_mode_of_a_switch_is_two_switches_whose_branches_agree_on_what_is_kept() -> None:
    parts = linearize_graph(parse(SWITCH), (False, True, True))
    same(
        parts.forward,
        """graph(a:i64[], b:f64[2], c:f64[2]) {
  d:f64[2], e:f64[2], f:f64[2] = switch a b c [branches=(graph(a:f64[2], b:f64[2]) {
    c:f64[2] = sin a
    d:f64[2] = cos a
    e:f64[2] = broadcast 0.0:f64 [dims=(), shape=(2,)]
    return c d e
  }, graph(a:f64[2], b:f64[2]) {
    c:f64[2] = mul a b
    return c b a
  })]
  return d a e f
}""",
    )
    same(
        parts.linear,
        """graph(a:f64[2], b:f64[2], c:i64[], d:f64[2], e:f64[2]) {
  f:f64[2] = switch c a b d e [branches=(graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = mul a c
    return e
  }, graph(a:f64[2], b:f64[2], c:f64[2], d:f64[2]) {
    e:f64[2] = mul a c
    f:f64[2] = mul b d
    g:f64[2] = add e f
    return g
  })]
  return f
}""",
    )


def test_the_transpose_of_a_switch_is_a_switch_of_the_branches_transposed() -> None:
    parts = linearize_graph(parse(SWITCH), (False, True, True))
    same(
        backward(parts.linear, 2),
        """graph(a:i64[], b:f64[2], c:f64[2], d:f64[2]) {
  e:f64[2], f:f64[2] = switch a b c d [branches=(graph(a:f64[2], b:f64[2], c:f64[2]) {
    d:f64[2] = mul c a
    e:f64[2] = broadcast 0.0:f64 [dims=(), shape=(2,)]
    return d e
  }, graph(a:f64[2], b:f64[2], c:f64[2]) {
    d:f64[2] = mul c b
    e:f64[2] = mul c a
    return e d
  })]
  return e f
}""",
    )


def test_a_while_loop_that_keeps_some_states_does_the_steps_between_them_again() -> None:
    parts = linearize_graph(parse(CHECKPOINTED), (True, True))
    same(
        parts.forward,
        """graph(a:f64[], b:f64[]) {
  c:f64[], d:i64[], e:i64[], f:tape[f64[]] = while_loop a b [body=graph(a:f64[], b:f64[]) {
    c:f64[] = sin b
    d:f64[] = mul a c
    return d
  }, checkpoint=2, cond=graph(a:f64[], b:f64[]) {
    c:bool[] = lt a b
    return c
  }, consts=1, saved=0, states=True]
  g:i64[] = add d e
  h:i64[] = sub g 1:i64
  i:i64[] = div h e
  j:i64[], k:tape[i64[]] = scan i e 0:i64 [body=graph(a:i64[], b:i64[]) {
    c:i64[] = add b a
    return c b
  }, carry=1, consts=1, length=None, reverse=False, unroll=1]
  return c i d e a k f
}""",
    )
    same(
        parts.linear,
        """graph(a:f64[], b:f64[], c:i64[], d:i64[], e:i64[], f:f64[], g:tape[i64[]], h:tape[f64[]]) {
  i:f64[] = scan c a d e f b g h [body=graph(a:f64[], b:i64[], c:i64[], d:f64[], e:f64[], f:i64[], g:f64[]) {
    h:i64[] = add f c
    i:i64[] = min h b
    j:i64[], k:f64[], l:i64[], m:tape[f64[]], n:tape[f64[]] = while_loop i d f g [body=graph(a:i64[], b:f64[], c:i64[], d:f64[]) {
      e:i64[] = add c 1:i64
      f:f64[] = sin d
      g:f64[] = cos d
      h:f64[] = mul b f
      return e h g f
    }, checkpoint=None, cond=graph(a:i64[], b:f64[], c:i64[], d:f64[]) {
      e:bool[] = lt c a
      return e
    }, consts=2, saved=2, states=False]
    o:f64[] = scan l a d e m n [body=graph(a:f64[], b:f64[], c:f64[], d:f64[], e:f64[]) {
      f:f64[] = mul c d
      g:f64[] = mul a e
      h:f64[] = mul f b
      i:f64[] = add g h
      return i
    }, carry=1, consts=2, length=None, reverse=False, unroll=1]
    return o
  }, carry=1, consts=4, length=None, reverse=False, unroll=1]
  return i
}""",
    )
