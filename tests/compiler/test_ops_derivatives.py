"""First and second derivatives of every op against finite differences, and reverse mode against forward mode."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from jitgrad_compiler.errors import NonDifferentiableError
from jitgrad_compiler.ir import OPS, Graph, evaluate, interpret, parse, verify
from jitgrad_compiler.ir.builder import Value, concrete
from jitgrad_compiler.ir.graph import JVP, TRANSPOSE
from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.passes.jvp import jvp, jvp_graph
from jitgrad_compiler.passes.linearize import linearize, linearize_graph, transpose_graph

from .op_examples import Example, accepted, examples, has_derivative

Arrays = list[np.ndarray]
STEP = 2e-3
WITH_DERIVATIVE = [name for name, op in OPS.items() if not op.no_derivative and not op.traits.complex_only]
FORWARD = [name for name in WITH_DERIVATIVE if not OPS[name].traits.reverse_only]
NO_NEIGHBOURS = ("bitcast_convert_type", "stop_gradient")
"""Constant to derivatives, though their results move with their operands."""
OF_FACTORS = ("solve", "slogdet")
"""Whose derivatives are made of a matrix and of its factors, which are constants to derivatives."""
ONCE = ("gammainc_slope", "gamma_draw_slope", "betainc_slope", "betainc_slope_b", "hyp1f1", "hyp2f1", "zeta_slope")
"""Ops that have second derivatives by their last operand alone."""
STEPS = ("floor", "ceil", "trunc", "round_even", "round_away", "sign", "rem", "mod", "floor_div")
"""Smooth between the integers, so operands keep away from them."""


def differentiable(name: str) -> list[Example]:
    """The examples that have a float operand and a float result."""
    found: list[Example] = []
    if name == "solve_factored":  # its factors do not move with its matrix; the derivatives of solve are made of it
        return found
    for example in examples(name):
        if F64 in accepted(example) and has_derivative(example):
            graph = example.graph(F64)
            floats = [t for t in graph.input_types if t.dtype == F64 and t.size]
            if floats and any(t.dtype == F64 for t in graph.output_types):
                found.append(example)
    return found


def seeded(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def operands(example: Example, rng: np.random.Generator) -> Arrays:
    arrays = example.arrays(F64, rng)
    if example.op in STEPS:
        arrays = [np.floor(a) + 0.1 + 0.8 * (a - np.floor(a)) for a in arrays]
    if example.op in ("rem", "mod", "floor_div"):  # quotients between integers too
        arrays[1] = np.full(arrays[1].shape, 1.7)
        arrays[0] = np.round(arrays[0]) * 1.7 + 0.6
    if OPS[example.op].kind == "window_reduce":  # no two elements so near that a step changes which is the largest
        arrays = [rng.permutation(a.size).reshape(a.shape) / 8.0 for a in arrays]
    if example.op == "reduce_prod":
        arrays = [a if a.size < 100 else 1 + a / a.size for a in arrays]
    return arrays


def floats_of(graph: Graph, example: Example) -> list[bool]:
    active = [t.dtype == F64 for t in graph.input_types]
    fixed = OPS[example.op].samples.fixed
    return [on and n >= fixed for n, on in enumerate(active)]


def directions(arrays: Arrays, active: Sequence[bool], rng: np.random.Generator) -> list[np.ndarray | None]:
    return [rng.uniform(-1, 1, a.shape) if on else None for a, on in zip(arrays, active, strict=True)]


def moved(arrays: Arrays, tangents: Sequence[np.ndarray | None], step: float) -> Arrays:
    return [a if t is None else np.asarray(a + step * t) for a, t in zip(arrays, tangents, strict=True)]


def finite_difference(
    f: Callable[[Arrays], Arrays], arrays: Arrays, tangents: Sequence[np.ndarray | None], h: float = STEP
) -> Arrays:
    """Central differences of two steps, extrapolated: the error is of the order h**4."""
    wide = [(a - b) / (2 * h) for a, b in zip(f(moved(arrays, tangents, h)), f(moved(arrays, tangents, -h)), strict=True)]
    h /= 2
    close = [(a - b) / (2 * h) for a, b in zip(f(moved(arrays, tangents, h)), f(moved(arrays, tangents, -h)), strict=True)]
    return [(4 * c - w) / 3 for c, w in zip(close, wide, strict=True)]


def forward(graph: Graph, arrays: Arrays, tangents: Sequence[np.ndarray | None]) -> Arrays:
    """The float outputs' tangents by jvp on concrete values; zeros where the rule says that there is none."""
    duals: list[Value | None] = [None if t is None else concrete(t) for t in tangents]
    outs, moved_outs = jvp(lambda values: evaluate(graph, values), [concrete(a) for a in arrays], duals)
    pairs = zip(outs, moved_outs, strict=True)
    return [np.zeros(o.type.shape) if t is None else np.asarray(t.data()) for o, t in pairs if o.type.dtype.is_float]


def float_outputs(graph: Graph, arrays: Arrays) -> Arrays:
    return [out for out in interpret(graph, *arrays) if out.dtype.kind == "f"]


@pytest.mark.parametrize("name", [n for n in FORWARD if differentiable(n) and n not in NO_NEIGHBOURS])
def test_first_derivatives_are_those_of_finite_differences_for_every_set_of_operands(name: str) -> None:
    rng = seeded(name)
    for example in differentiable(name):
        graph, arrays = example.graph(F64), operands(example, rng)
        every = floats_of(graph, example)
        choices = [
            c
            for c in itertools.product((False, True), repeat=len(every))
            if any(c) and not any(a and not b for a, b in zip(c, every, strict=True))
        ]
        for active in choices:
            tangents = directions(arrays, active, rng)
            wanted = finite_difference(lambda xs: float_outputs(graph, xs), arrays, tangents)  # noqa: B023
            for got, want in zip(forward(graph, arrays, tangents), wanted, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7, err_msg=f"{example}, active {active}")


@pytest.mark.parametrize("name", [n for n in FORWARD if differentiable(n) and n not in NO_NEIGHBOURS])
def test_second_derivatives_are_finite_differences_of_first_ones(name: str) -> None:
    rng = seeded(name)
    for example in differentiable(name):
        graph, arrays = example.graph(F64), operands(example, rng)
        active = floats_of(graph, example)
        if name in ONCE:
            active = [n == len(active) - 1 for n in range(len(active))]
        tangents, again = directions(arrays, active, rng), directions(arrays, active, rng)
        twice = jvp_graph(jvp_graph(graph, active), [*active, *[False] * sum(active)])
        verify(twice, "jvp of jvp")
        given = [*arrays, *[t for t in tangents if t is not None], *[t for t in again if t is not None]]
        found = interpret(twice, *given)
        count = len(graph.outputs)
        wanted = finite_difference(lambda xs: forward(graph, xs, tangents), arrays, again)  # noqa: B023
        got = [a for a, t in zip(found[3 * count :], graph.output_types, strict=True) if t.dtype.is_float]
        for g, want in zip(got, wanted, strict=True):
            np.testing.assert_allclose(g, want, rtol=1e-5, atol=1e-6, err_msg=str(example))


@pytest.mark.parametrize("name", [n for n in FORWARD if differentiable(n)])
def test_reverse_mode_is_the_adjoint_of_forward_mode(name: str) -> None:
    rng = seeded(name)
    for example in differentiable(name):
        graph, arrays = example.graph(F64), operands(example, rng)
        tangents = directions(arrays, floats_of(graph, example), rng)
        lin = linearize(lambda values: evaluate(graph, values), [concrete(a) for a in arrays], [t is not None for t in tangents])  # noqa: B023
        outs = [o for o in lin.outputs]
        cotangents = [rng.uniform(-1, 1, o.type.shape) for o in outs]
        images = lin.apply([None if t is None else concrete(t) for t in tangents])
        backs = lin.transpose([concrete(c) for c in cotangents])
        left = sum(np.sum(c * i.data()) for c, i in zip(cotangents, images, strict=True) if i is not None)
        right = sum(np.sum(t * b.data()) for t, b in zip(tangents, backs, strict=True) if t is not None and b is not None)
        np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12, err_msg=str(example))
        straight = forward(graph, arrays, tangents)
        floats = [i for i, o in zip(images, outs, strict=True) if o.type.dtype.is_float]
        for image, want in zip(floats, straight, strict=True):
            np.testing.assert_allclose(0 if image is None else image.data(), want, rtol=1e-12, atol=1e-13, err_msg=str(example))


@pytest.mark.parametrize("name", [n for n in FORWARD if differentiable(n)])
def test_the_derivative_of_the_reverse_mode_is_right_too(name: str) -> None:
    rng = seeded(name)
    for example in differentiable(name):
        graph, arrays = example.graph(F64), operands(example, rng)
        active = floats_of(graph, example)
        parts = linearize_graph(graph, active)
        if not any(parts.active_outputs):
            continue
        verify(parts.forward, "linearize")
        verify(parts.linear, "linearize")
        backward = verify(transpose_graph(parts.linear, [n < sum(active) for n in range(len(parts.linear.inputs))]), "transpose")
        again = verify(jvp_graph(backward, [t.dtype.is_float for t in backward.input_types]), "jvp of transpose")
        residuals = interpret(parts.forward, *arrays)[len(graph.outputs) :]
        cotangents = [rng.uniform(-1, 1, v.type.shape) for v in parts.linear.outputs]
        given = [*residuals, *cotangents]
        tangents = [
            rng.uniform(-1, 1, np.shape(a)) if t.dtype.is_float else None for a, t in zip(given, backward.input_types, strict=True)
        ]
        found = interpret(again, *given, *[t for t in tangents if t is not None])[len(backward.outputs) :]
        if name in NO_NEIGHBOURS or name in ("reduce_max", "reduce_min", "sort", "cummax", "cummin", *OF_FACTORS):
            continue  # residuals that are comparisons of the operands, or their factors, have no neighbours
        wanted = finite_difference(lambda xs: list(interpret(backward, *xs)), given, tangents)  # noqa: B023
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=str(example))


@pytest.mark.parametrize("name", [n for n in FORWARD if differentiable(n)])
def test_derivatives_print_and_read_back_and_what_is_linear_has_a_transpose(name: str) -> None:
    for example in differentiable(name):
        graph = example.graph(F64)
        active = floats_of(graph, example)
        parts = linearize_graph(graph, active)
        for e in parts.linear.eqns:
            assert e.op in TRANSPOSE, f"{name}: its derivative uses {e.op.name}, which has no transpose"
            assert all(v.type.dtype.is_inexact for v in e.outputs)
        for made in (
            parts.forward,
            parts.linear,
            jvp_graph(graph, active),
            transpose_graph(parts.linear, [n < sum(active) for n in range(len(parts.linear.inputs))]),
        ):
            assert parse(str(made)) == made


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_products_have_right_derivatives_at_zeros(zeros: int) -> None:
    rng = np.random.default_rng(zeros)
    x, at, updates = rng.uniform(1, 2, (2, 5)), np.array([[0], [0], [1]]), rng.uniform(1, 2, (3, 5))
    x[0, :zeros] = 0
    updates[0, 1:zeros] = 0
    cases = [
        ("graph(a:f64[2,5]) {\n  b:f64[2] = reduce_prod a [axes=(1,)]\n  return b\n}", [x]),
        ("graph(a:f64[2,5]) {\n  b:f64[2,5] = cumprod a [axis=1, reverse=False]\n  return b\n}", [x]),
        ("graph(a:f64[2,5]) {\n  b:f64[2,5] = cumprod a [axis=1, reverse=True]\n  return b\n}", [x]),
        (
            "graph(a:f64[2,5], b:i64[3,1], c:f64[3,5]) {\n"
            "  d:f64[2,5] = scatter a b c [axes=(0,), batch=0, kind='mul']\n  return d\n}",
            [x, at, updates],
        ),
    ]
    for text, arrays in cases:
        graph = parse(text)
        active = [t.dtype == F64 for t in graph.input_types]
        tangents = directions(arrays, active, rng)
        (want,) = finite_difference(lambda xs: list(interpret(graph, *xs)), arrays, tangents)  # noqa: B023
        (got,) = forward(graph, arrays, tangents)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8, err_msg=text)


@pytest.mark.parametrize("name", NO_NEIGHBOURS)
def test_what_is_constant_to_derivatives_has_no_tangent(name: str) -> None:
    for example in differentiable(name):
        graph = example.graph(F64)
        (x,) = operands(example, seeded(name))
        for tangent in forward(graph, [x], [np.ones_like(x)]):
            np.testing.assert_array_equal(tangent, 0)


def test_an_op_without_a_derivative_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(JVP._rules, OPS["sin"])
    monkeypatch.setattr(OPS["sin"], "no_derivative", "this test took it away")
    graph = parse("graph(a:f32[3], b:f32[3]) {\n  c:f32[3] = sin b\n  d:f32[3] = mul a c\n  return d\n}")
    jvp_graph(graph, (True, False))
    with pytest.raises(NonDifferentiableError, match="sin has no derivative: this test took it away. Use stop_gradient"):
        jvp_graph(graph, (False, True))
