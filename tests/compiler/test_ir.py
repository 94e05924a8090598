"""The IR: what prints reads back, equal graphs are equal, and what breaks a rule is shown."""

from __future__ import annotations

import gc
import itertools
import weakref

import numpy as np
import pytest

from jitgrad_compiler.errors import UnexpectedTracerError
from jitgrad_compiler.ir import OPS, ArrayType, Eqn, Graph, IRError, Literal, Var, evaluate, interpret, parse, verify
from jitgrad_compiler.ir.builder import bind, concrete, source_of, staging
from jitgrad_compiler.ir.graph import PerGraph, print_graph
from jitgrad_compiler.ir.types import BOOL, COMPLEX, F32, F64, FLOATS, I32, INTEGERS, float_info

SMALL = """graph(a:f32[3], b:f32[3]) {
  c:f32[3] = mul a b
  d:f32[] = reduce_sum c [axes=(0,)]
  return d
}"""
NESTED = """graph(a:f32[3]) {
  b:f32[3], c:f32[] = call a [graph=graph(a:f32[3]) {
    b:f32[3] = mul a 2.0:f32
    c:f32[] = reduce_sum a [axes=(0,)]
    return b c
  }, name='f']
  return b c 1:i32
}"""


def graph_of(op: str, *types: ArrayType, **params: object) -> Graph:
    inputs = [Var(t) for t in types]
    outputs = [Var(t) for t in OPS[op].types(types, params)]
    return Graph(inputs, [Eqn(OPS[op], inputs, params, outputs)], outputs)


def returning(value: np.generic, dtype: str) -> Graph:
    return Graph([], [], [Literal(value, dtype)])


# -- text


@pytest.mark.parametrize("text", [SMALL, NESTED, "graph() {\n  return\n}"])
def test_a_text_is_what_its_graph_prints(text: str) -> None:
    assert str(parse(text)) == text


def test_spaces_and_comments_mean_nothing() -> None:
    loose = (
        "graph( a:f32[3],b:f32[3] )   {\n\n c:f32[3]=mul a   b # model.py:3\n# a note\n"
        " d:f32[] = reduce_sum c [ axes=(0,) ]\nreturn d }\n"
    )
    assert parse(loose) == parse(SMALL)


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_literals_read_back_bit_by_bit(dtype: str) -> None:
    target, info = dtype.numpy.type, float_info(dtype.numpy)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, np.iinfo(f"u{info.bits // 8}").max, 300, f"u{info.bits // 8}", endpoint=True).view(dtype.numpy)
    edges = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        info.max,
        -info.max,
        info.tiny,
        info.smallest_subnormal,
        -info.smallest_subnormal,
        0.1,
        1e22,
        3.0,
    ]
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = [n for n in [*map(target, edges), *bits] if not np.isnan(n)]
    for number in numbers:
        (again,) = parse(str(returning(number, dtype))).outputs
        assert isinstance(again, Literal) and again.type == ArrayType((), dtype)
        assert again.value.tobytes() == number.tobytes(), str(returning(number, dtype))
    (nan,) = parse(str(returning(target(np.nan), dtype))).outputs
    assert isinstance(nan, Literal) and np.isnan(nan.value)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_literals_read_back_bit_by_bit(dtype: str) -> None:
    parts = [0.0, -0.0, 1.5, -2.0, 1e-45, np.inf, -np.inf, np.nan]
    for re, im in itertools.product(parts, parts):
        number = dtype.numpy.type(complex(re, im))
        (again,) = parse(str(returning(number, dtype))).outputs
        assert isinstance(again, Literal) and again.value.dtype == dtype.numpy
        assert again.value.tobytes() == number.tobytes(), str(returning(number, dtype))


@pytest.mark.parametrize("dtype", [BOOL, *INTEGERS])
def test_integer_and_bool_literals_read_back(dtype: str) -> None:
    numbers = [False, True] if dtype == BOOL else [np.iinfo(dtype.numpy).min, 0, 1, np.iinfo(dtype.numpy).max]
    for number in numbers:
        graph = returning(dtype.numpy.type(number), dtype)
        (again,) = parse(str(graph)).outputs
        assert isinstance(again, Literal) and again.value == number and again.value.dtype == dtype.numpy
        assert parse(str(graph)) == graph


@pytest.mark.parametrize("name", ["f", "it's", '"', "a]b", "a # b", "both ' and \"", "back\\slash", "f, g=[1"])
def test_strings_among_params_read_back_whatever_is_in_them(name: str) -> None:
    inner = parse("graph(a:f32[]) {\n  return a\n}")
    graph = graph_of("call", ArrayType((), F32), graph=inner, name=name)
    assert parse(str(graph)) == graph
    assert parse(str(graph)).eqns[0].params["name"] == name


def test_a_graph_of_more_values_than_letters_reads_back() -> None:
    v = Var(ArrayType((2,), F32))
    atoms, eqns = [v], []
    for _ in range(800):
        atoms.append(Var(v.type))
        eqns.append(Eqn(OPS["neg"], [atoms[-2]], {}, [atoms[-1]]))
    graph = Graph([v], eqns, [atoms[-1], atoms[26], atoms[27]])
    assert parse(str(graph)) == graph
    assert "aa:f32[2] = neg z" in str(graph)


def test_source_lines_are_printed_and_no_part_of_equality() -> None:
    with staging() as builder, source_of(("/home/user/model.py", 12)):
        x = builder.input(ArrayType((3,), F32))
        graph, _ = builder.finish([x * x])
    assert str(graph).splitlines()[1].rstrip().endswith("# model.py:12")
    assert "#" not in print_graph(graph, sources=False)
    assert graph == parse(str(graph))
    assert hash(graph) == hash(parse(str(graph)))


# -- equality


def test_graphs_are_equal_when_their_structure_is() -> None:
    assert parse(SMALL) == parse(SMALL)
    assert len({parse(SMALL), parse(SMALL), parse(NESTED)}) == 2
    assert parse(SMALL) != SMALL


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mul a b", "mul b a"),
        ("mul", "add"),
        ("[3]", "[4]"),
        (F32, F64),
        ("return d", "return d d"),
        ("return d", "return 0.0:f32"),
    ],
)
def test_graphs_that_differ_anywhere_are_not_equal(old: str, new: str) -> None:
    assert parse(SMALL.replace(old, new)) != parse(SMALL)


def test_literals_of_different_signs_of_zero_make_different_graphs() -> None:
    assert returning(np.float32(0.0), F32) != returning(np.float32(-0.0), F32)
    assert returning(np.float32(0.0), F32) != returning(np.float64(0.0), F64)


# -- what the parser refuses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graph(a:f32[3]) {\n  b:f32[3] = sine a\n  return b\n}", "there is no op named 'sine'"),
        ("graph(a:f32[3]) {\n  b:f32[3] = sin c\n  return b\n}", "'c' is used before it is defined"),
        ("graph(a:f32[3]) {\n  a:f32[3] = sin a\n  return a\n}", "'a' is defined twice"),
        ("graph(a:f24[3]) {\n  return a\n}", "unknown element type 'f24'"),
        ("graph(a:f32[3) {\n  return a\n}", r"expected a type such as f32\[3,4\] on line 1"),
        ("graph(a:f32[3]) {\n  b:f32[3] = sin a [x=]\n  return b\n}", "expected a Python literal on line 2"),
        ("graph(a:f32[3]) {\n  b:f32[3] = reduce_sum a [axes=open('x')]\n  return b\n}", "expected a Python literal on line 2"),
        ("graph(a:f32[3]) {\n  b:f32[3] sin a\n  return b\n}", "expected '=' on line 2"),
        ("graph(a:f32[3]) {\n  return a\n} more", "expected the end of the text on line 3"),
        ("graph(a:f32[3]) {\n  return a\n", "expected a variable or a literal"),
        ("module {}", r"expected 'graph\('"),
    ],
)
def test_the_parser_says_what_it_expected_and_where(text: str, message: str) -> None:
    with pytest.raises(IRError, match=f"parse: .*{message}"):
        parse(text)


# -- what the verifier refuses


def test_the_verifier_hands_a_right_graph_on() -> None:
    for text in (SMALL, NESTED):
        graph = parse(text)
        assert verify(graph, "parse") is graph


def test_a_wrong_type_is_shown_with_the_pass_and_the_equations_before_it() -> None:
    a, b, c = Var(ArrayType((3,), F32)), Var(ArrayType((3,), F32)), Var(ArrayType((4,), F32))
    graph = Graph([a], [Eqn(OPS["sin"], [a], {}, [b]), Eqn(OPS["neg"], [b], {}, [c], ("/home/user/model.py", 7))], [c])
    with pytest.raises(IRError) as error:
        verify(graph, "fuse")
    lines = str(error.value).splitlines()
    assert lines[0] == "verify after fuse: equation 1 (/home/user/model.py:7): neg gives f32[3], the equation says f32[4]"
    assert lines[1].strip() == "b:f32[3] = sin a"
    assert lines[2].split("#")[0].strip() == "c:f32[4] = neg b" and lines[2].endswith("<-- here")


def test_at_most_ten_equations_are_shown_around_a_fault() -> None:
    atoms = [Var(ArrayType((3,), F32))]
    eqns = []
    for _ in range(30):
        atoms.append(Var(atoms[0].type))
        eqns.append(Eqn(OPS["neg"], [atoms[-2]], {}, [atoms[-1]]))
    eqns[20] = Eqn(OPS["neg"], [atoms[20]], {}, [Var(ArrayType((3,), I32))])
    with pytest.raises(IRError) as error:
        verify(Graph(atoms[:1], eqns, []))
    assert len(str(error.value).splitlines()) == 11
    assert "verify after tracing: equation 20" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "graph(a:f32[3], b:f32[4]) {\n  c:f32[3] = add a b\n  return c\n}",
            r"add: operands must have one shape, got f32\[3\], f32\[4\]",
        ),
        ("graph(a:f32[3], b:f64[3]) {\n  c:f32[3] = add a b\n  return c\n}", "add: operands must have one element type"),
        ("graph(a:i32[3]) {\n  b:i32[3] = sin a\n  return b\n}", "sin takes inexact element types"),
        ("graph(a:f32[3], b:f32[]) {\n  c:f32[3] = add a b\n  return c\n}", "only literals broadcast by themselves"),
        ("graph(a:f32[3]) {\n  b:f32[] = reduce_sum a [axes=(1,)]\n  return b\n}", r"axes \(1,\) must be different axes"),
        ("graph(a:f32[3]) {\n  b:f32[] = reduce_sum a\n  return b\n}", "axes"),
        ("graph(a:f32[3]) {\n  b:f32[3] = sin a a\n  return b\n}", "sin takes 1 operands, got 2"),
        ("graph(a:f32[2,3]) {\n  b:f32[7] = reshape a [shape=(7,)]\n  return b\n}", "has 6 elements"),
    ],
)
def test_the_verifier_hands_on_what_the_type_rule_says(text: str, message: str) -> None:
    with pytest.raises(IRError, match=f"verify after the test: equation 0: .*{message}"):
        verify(parse(text), "the test")


def test_a_fault_inside_a_nested_graph_is_found() -> None:
    with pytest.raises(IRError, match="verify after jvp: equation 0: mul"):
        verify(parse(NESTED.replace("b:f32[3] = mul a 2.0:f32", "b:f32[3] = mul a 2.0:f64")), "jvp")


def test_values_are_defined_once_and_before_their_use() -> None:
    a, b, c = (Var(ArrayType((3,), F32)) for _ in range(3))
    with pytest.raises(IRError, match="an input is listed twice"):
        verify(Graph([a, a], [], [a]))
    with pytest.raises(IRError, match="uses a variable that is not defined yet"):
        verify(Graph([a], [Eqn(OPS["neg"], [c], {}, [b]), Eqn(OPS["neg"], [a], {}, [c])], [b]))
    with pytest.raises(IRError, match="uses a variable that is not defined yet"):
        verify(Graph([a], [Eqn(OPS["neg"], [c], {}, [b])], [b]))
    with pytest.raises(IRError, match="defines a variable twice"):
        verify(Graph([a], [Eqn(OPS["neg"], [a], {}, [b]), Eqn(OPS["sin"], [a], {}, [b])], [b]))
    with pytest.raises(IRError, match="verify after linearize: an output is not defined by\ngraph"):
        verify(Graph([a], [], [b]), "linearize")


# -- building and interpreting


def test_an_op_on_concrete_values_runs_at_once() -> None:
    x = concrete(np.array([1.0, 2.0], np.float32))
    out = bind(OPS["reduce_sum"], x * x + 1, axes=(0,))
    assert out.owner is None and out.data() == 7.0 and out.type == ArrayType((), F32)


def test_outer_arrays_become_hidden_inputs_once_and_scalars_literals() -> None:
    array, scalar = np.arange(3.0), np.float64(2)
    with staging() as builder:
        x = builder.input(ArrayType((3,), F64))
        graph, hidden = builder.finish([x * concrete(array) + concrete(array) * concrete(scalar)])
    assert [v.data() is array for v in hidden] == [True]
    assert print_graph(graph, sources=False) == (
        "graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = mul a b\n  d:f64[3] = mul b 2.0:f64\n  e:f64[3] = add c d\n  return e\n}"
    )


def test_a_value_that_outlives_its_trace_is_called_a_leak() -> None:
    with staging() as builder:
        x = builder.input(ArrayType((), F32))
    with pytest.raises(UnexpectedTracerError, match=r"a traced value of type f32\[\] was used after"):
        x + 1


def test_interpreting_on_values_inlines_and_on_arrays_computes() -> None:
    graph = parse(SMALL)
    x = np.array([1, 2, 3], np.float32)
    assert interpret(graph, x, x)[0] == 14
    with staging() as builder:
        v = builder.input(ArrayType((3,), F32))
        again, _ = builder.finish(evaluate(graph, [v, v]))
    assert print_graph(again, sources=False) == (
        "graph(a:f32[3]) {\n  b:f32[3] = mul a a\n  c:f32[] = reduce_sum b [axes=(0,)]\n  return c\n}"
    )
    with pytest.raises(TypeError, match=r"an input of type f32\[3\] was given an array of shape \(4,\)"):
        interpret(graph, np.zeros(4, np.float32), x)


def test_what_is_kept_with_a_graph_lives_as_long_even_where_it_holds_the_graph() -> None:
    class Made:
        graph: Graph | None = None

    table = PerGraph(Made)
    graph, equal = parse("graph(a:f32[3]) {\n  return a\n}"), parse("graph(a:f32[3]) {\n  return a\n}")
    made = table.of(graph)
    made.graph = graph
    assert table.of(graph) is made and table.of(equal) is not made and PerGraph(Made).of(graph) is not made
    alive = weakref.ref(made)
    del made
    gc.collect()
    assert alive() is not None
    del graph
    gc.collect()
    assert alive() is None
