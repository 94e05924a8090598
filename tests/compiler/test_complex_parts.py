"""Complex numbers as pairs of real ones: every op compiled is what the interpreter gives, at ordinary numbers and at the edges."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import numpy as np
import pytest

import jitgrad_compiler.passes.calls
import jitgrad_compiler.passes.checkpointing
import jitgrad_compiler.passes.custom_derivatives
import jitgrad_compiler.passes.linear_solve  # noqa: F401 - gives ops about programs their rules
from jitgrad_compiler.ir import OPS, ArrayType, Eqn, Graph, Var, interpret, parse, verify
from jitgrad_compiler.ir.types import COMPLEX, F64, I64, U64, DType
from jitgrad_compiler.passes.complex_parts import RULES, complex_parts
from jitgrad_compiler.passes.jvp import jvp_graph
from jitgrad_compiler.passes.linearize import linearize_graph, transpose_graph
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph

from .op_agreement import run_together
from .test_complex_numbers import MOVING, NAMES, complex_examples, moderate, moving_examples


def assert_close(got: np.ndarray, want: np.ndarray, ulps: float, context: object = "") -> None:
    """Beside the size of the whole number: a part may be the small difference of large ones."""
    assert got.dtype == want.dtype and got.shape == want.shape, context
    if want.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, want, err_msg=str(context))
        return
    unit = np.finfo(want.dtype).eps * np.maximum(np.abs(want), np.abs(want).mean() if want.size else 0)
    assert np.all(np.abs(got - want) <= ulps * unit), f"{context}: {got} instead of {want}"


@pytest.mark.parametrize("name", NAMES)
def test_every_op_compiled_is_what_the_interpreter_gives(name: str) -> None:
    cases = [(example, dtype) for dtype in COMPLEX for example in complex_examples(name)]
    made = [(example.graph(dtype), moderate(example, dtype)) for example, dtype in cases]
    for (example, dtype), (graph, arrays), found in zip(cases, made, run_together(made), strict=True):
        for got, want in zip(found, interpret(graph, *arrays), strict=True):
            assert_close(got, want, 16, f"{example} in {dtype}")


def numbers_of(types: Sequence[ArrayType]) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [np.asarray(rng.uniform(0.2, 1, t.shape) * (1 + 0.5j if t.dtype.is_complex else 1), t.dtype.numpy) for t in types]


@pytest.mark.parametrize("name", MOVING)
def test_derivatives_compiled_are_what_the_interpreter_gives(name: str) -> None:
    made, contexts = [], []
    for example, dtype in [(example, dtype) for dtype in COMPLEX for example in moving_examples(name)[:4]]:
        graph, arrays = example.graph(dtype), moderate(example, dtype)
        active = [t.dtype.is_inexact for t in graph.input_types]
        forward = jvp_graph(graph, active)
        made.append((forward, [*arrays, *numbers_of(forward.input_types[len(arrays) :])]))
        contexts.append(f"jvp of {example} in {dtype}")
        parts = linearize_graph(graph, active)
        if any(parts.active_outputs):
            backward = transpose_graph(parts.linear, [n < sum(active) for n in range(len(parts.linear.inputs))])
            residuals = list(interpret(parts.forward, *arrays)[len(graph.outputs) :])
            made.append((backward, [*residuals, *numbers_of(backward.input_types[len(residuals) :])]))
            contexts.append(f"transpose of {example} in {dtype}")
    for context, (graph, arrays), found in zip(contexts, made, run_together(made), strict=True):
        for got, want in zip(found, interpret(graph, *arrays), strict=True):
            assert_close(got, want, 64, context)


def test_the_table_has_a_rule_for_every_op_that_takes_or_gives_complex_numbers() -> None:
    ruled = {op.name for op in RULES}
    inlined = {name for name, op in OPS.items() if op.kind == "call"}
    others = {"complex", "schur", "bitcast_convert_type", "iota", "scan", "while_loop", "switch", "rowwise", "tape_add"}
    assert others.union(NAMES) <= ruled | inlined


def test_an_input_and_a_result_keep_their_bytes_and_values_between_are_pairs() -> None:
    graph = parse("graph(a:c64[3], b:f32[3]) {\n  c:c64[3] = mul a a\n  d:f32[3] = imag c\n  e:f32[3] = add d b\n  return c e\n}")
    made = verify(complex_parts(graph), "complex_parts")
    assert prepare(made) == parse(
        """
graph(a:f32[3,2], b:f32[3]) {
  c:f32[3,1] = slice a [limit=(3, 1), start=(0, 0), strides=(1, 1)]
  d:f32[3] = reshape c [shape=(3,)]
  e:f32[3,1] = slice a [limit=(3, 2), start=(0, 1), strides=(1, 1)]
  f:f32[3] = reshape e [shape=(3,)]
  g:f32[3] = mul d d
  h:f32[3] = mul f f
  i:f32[3] = sub g h
  j:f32[3] = mul d f
  k:f32[3] = add j j
  l:f32[3] = add k b
  m:f32[3,1] = reshape i [shape=(3, 1)]
  n:f32[3,1] = reshape k [shape=(3, 1)]
  o:f32[3,2] = concatenate m n [axis=1]
  return o l
}"""
    )


def test_a_graph_of_real_numbers_is_left_as_it_is() -> None:
    graph = parse("graph(a:f32[3]) {\n  b:f32[3] = exp a\n  return b\n}")
    assert complex_parts(graph) is graph


# -- the edges

EDGES = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)
ELEMENTWISE = [n for n in NAMES if OPS[n].kind == "elementwise" and n != "select"]


def plane(dtype: DType) -> np.ndarray:
    """Every pair of the numbers at the edges; put together part by part, for 1j * inf has a NaN."""
    out = np.empty(len(EDGES) ** 2, dtype.numpy)
    out.real, out.imag = np.repeat(EDGES, len(EDGES)), np.tile(EDGES, len(EDGES))
    return out


@np.errstate(all="ignore")
def same_at_edges(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Element by element: the same NaNs, infinities and signs of zeros, other numbers within a few ulps of the larger part."""
    if got.dtype.kind == "V":  # floats that are no NumPy's own
        got, want = got.astype(np.float32), want.astype(np.float32)
    if got.dtype.kind not in "fc":
        return got == want
    size = np.where(np.isfinite(np.abs(want)), np.abs(want), 0) * 8 * np.finfo(got.dtype).eps
    ok = np.ones(got.shape, bool)
    for a, b in zip((got.real, got.imag), (want.real, want.imag), strict=True):
        close = np.isnan(a) & np.isnan(b) | (a == b) & ((np.signbit(a) == np.signbit(b)) | (a != 0))
        ok &= close | (np.abs(a - b) <= size) & (b != 0)
    return ok


@np.errstate(all="ignore")
@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_zeros_infinities_and_nans_come_out_as_in_eager_mode(name: str, dtype: DType) -> None:
    op, z = OPS[name], plane(dtype)
    for params in {str(e.params): e.params for e in complex_examples(name)}.values():
        arrays = [z] if op.traits.arity == 1 else [np.repeat(z, z.size), np.tile(z, z.size)]
        inputs = [Var(ArrayType(a.shape, dtype)) for a in arrays]
        outputs = [Var(t) for t in op.types([v.type for v in inputs], params)]
        graph = Graph(inputs, [Eqn(op, inputs, params, outputs)], outputs)
        (got,), (want,) = run_graph(graph, arrays), interpret(graph, *arrays)
        ok = same_at_edges(got, want)
        if name == "pow":
            ok |= one_over_infinity(*arrays) | (np.abs(got - want) < 1e-6)  # C's own power of float complex has five digits
        assert ok.all(), f"{name} {params}: {[(*[a[i] for a in arrays], got[i], want[i]) for i in np.nonzero(~ok)[0][:5]]}"


def one_over_infinity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where NumPy gives NaN for the inverse of an infinite number, though its division gives 0."""
    return np.isinf(x) & (y == -1)


REFERENCES = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "sin": mpmath.sin, "cos": mpmath.cos,
    "tan": mpmath.tan, "asin": mpmath.asin, "acos": mpmath.acos, "atan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
    "tanh": mpmath.tanh, "asinh": mpmath.asinh, "acosh": mpmath.acosh, "atanh": mpmath.atanh, "sqrt": mpmath.sqrt,
    "log2": lambda z: mpmath.log(z) / mpmath.log(2), "log10": lambda z: mpmath.log(z) / mpmath.log(10), "abs": abs,
    "rsqrt": lambda z: 1 / mpmath.sqrt(z),
}  # fmt: skip


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", REFERENCES)
def test_functions_are_right_to_three_ulps_far_out_close_to_zero_and_beside_branch_points(name: str, dtype: DType) -> None:
    info = np.finfo(dtype.numpy)
    rng = np.random.default_rng(1)
    sizes = [1e-30, 1e-10, 1e-3, 0.1, 0.5, 0.6, 0.8, 1, 1, 1, 1 + 1e-6, 1 - 1e-6, 2, 3, 10, 50, 88.5, 300, 709.5, 1e10, 1e30]
    parts = rng.choice(np.array([s * m for m in sizes for s in (1, -1)]), (2, 250)).astype(info.dtype)
    z = np.empty(250, dtype.numpy)
    z.real, z.imag = parts
    graph = Graph(
        [v := Var(ArrayType(z.shape, dtype))], [e := Eqn(OPS[name], [v], {}, [Var(OPS[name].types([v.type], {})[0])])], e.outputs
    )
    (got,) = run_graph(graph, [z])
    with mpmath.workprec(400):
        for x, found in zip(z, got, strict=True):
            point = mpmath.mpc(float(x.real), float(x.imag))
            if point.real in (1, -1) and point.imag == 0:
                continue
            want = mpmath.mpc(REFERENCES[name](point))
            if abs(want) < info.max / 2:
                error = abs(mpmath.mpc(complex(found)) - want) / max(abs(want), mpmath.mpf(float(info.tiny)))
                assert error < 3 * float(info.eps), f"{name} of {x} is {found}, should be {complex(want)}"


# -- loops, branches, rows, tapes

NUMBERS = np.array([0.3 + 0.2j, 0.5 - 0.1j, -0.4 + 0.7j])


def compiled_and_interpreted(text: str, *arrays: np.ndarray) -> None:
    graph = parse(text)
    for got, want in zip(run_graph(graph, list(arrays)), interpret(graph, *arrays), strict=True):
        assert_close(np.asarray(got), want, 16, text)


STEP = """graph(a:c128{s}, b:c128{s}, c:c128{s}) {{
    d:c128{s} = mul b c
    e:c128{s} = add d a
    f:c128{s} = sin e
    return e f
  }}"""


@pytest.mark.parametrize(("shape", "rows"), [("[]", "[3]"), ("[40]", "[3,40]")])
def test_scans_carry_and_stack_complex_numbers(shape: str, rows: str) -> None:
    text = (
        f"graph(a:c128{shape}, b:c128{shape}, c:c128{rows}) {{\n  d:c128{shape}, e:c128{rows} = scan a b c [body="
        f"{STEP.format(s=shape)}, carry=1, consts=1, length=3, reverse=True, unroll=1]\n  return d e\n}}"
    )
    size = () if shape == "[]" else (40,)
    a = np.broadcast_to(0.3 + 0.4j, size)
    compiled_and_interpreted(text, a, a * 0.5, np.asarray(NUMBERS.reshape(3, *[1] * len(size)) + np.zeros(size)))


LOOP = """graph(a:c128{s}) {{
  b:c128{s}, c:i64[], {results} = while_loop a [body=graph(a:c128{s}) {{
    b:c128{s} = mul a a
    c:c128{s} = add b a
    return {saves}
  }}, checkpoint={most}, cond=graph(a:c128{s}) {{
    b:f64{s} = abs a
    {test}
    return d
  }}, consts=0, saved={saved}, states={states}]
  return b c {names}
}}"""
TESTS = {
    "[]": "d:bool[] = lt b 10.0:f64",
    "[3]": "c:f64[] = reduce_max b [axes=(0,)]\n    d:bool[] = lt c 10.0:f64",
}


@pytest.mark.parametrize("shape", TESTS)
def test_loops_keep_complex_numbers_on_tapes(shape: str) -> None:
    x = np.asarray(1.3 + 0.2j) if shape == "[]" else 1.0 + NUMBERS
    saving = dict(results=f"d:tape[c128{shape}]", saves="c b", most=None, saved=1, states=False, names="d")
    compiled_and_interpreted(LOOP.format(s=shape, test=TESTS[shape], **saving), x)
    states = dict(results=f"d:i64[], e:tape[c128{shape}]", saves="c", most=4, saved=0, states=True, names="d e")
    compiled_and_interpreted(LOOP.format(s=shape, test=TESTS[shape], **states), x)


def test_tapes_of_complex_numbers_are_given_to_programs_as_arrays() -> None:
    body = "graph(a:c128[], b:c128[]) {\n    c:c128[] = mul a b\n    return c c\n  }"
    text = (
        f"graph(a:i64[], b:c128[], c:tape[c128[]]) {{\n  d:c128[], e:tape[c128[]] = scan a b c [body={body}, carry=1, consts=0, "
        "length=None, reverse=False, unroll=1]\n  f:tape[c128[]] = tape_add e c\n  return d f\n}"
    )
    compiled_and_interpreted(text, np.asarray(3), np.asarray(1j), NUMBERS)


def test_branches_and_rows_take_and_give_complex_numbers() -> None:
    text = """graph(a:c64[3], b:i64[3]) {
  c:c64[3], d:f32[3] = rowwise a b [graph=graph(a:c64[], b:i64[]) {
    c:c64[], d:f32[] = switch b a [branches=(graph(a:c64[]) {
      b:f32[] = abs a
      return a b
    }, graph(a:c64[]) {
      b:c64[] = conj a
      return b 1.0:f32
    })]
    return c d
  }, mapped=(True, True), size=3]
  return c d
}"""
    compiled_and_interpreted(text, NUMBERS.astype(np.complex64), np.array([0, 1, 5]))


def test_bits_of_a_complex64_are_those_of_a_number_of_its_size() -> None:
    for other in (F64, I64, U64):
        text = (
            f"graph(a:c64[3]) {{\n  b:{other}[3] = bitcast_convert_type a [dtype='{other}']\n"
            "  c:c64[3] = bitcast_convert_type b [dtype='c64']\n  return b c\n}"
        )
        compiled_and_interpreted(text, NUMBERS.astype(np.complex64))


def test_an_index_a_constant_and_the_parts_of_a_number_are_complex_numbers() -> None:
    compiled_and_interpreted(
        "graph(a:f64[2,3]) {\n  b:c128[2,3] = iota [axis=1, dtype='c128', shape=(2, 3)]\n  c:c128[2,3] = complex a 2.0:f64\n"
        "  d:c128[2,3] = mul c (1-2j):c128\n  return b c d 3j:c128\n}",
        np.arange(6.0).reshape(2, 3),
    )
