"""Complex numbers through the interpreter: every op that takes them computes, differentiates and batches."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, Graph, evaluate, interpret, parse
from jitgrad_compiler.ir.builder import concrete
from jitgrad_compiler.ir.types import C64, C128, DType
from jitgrad_compiler.passes.jvp import jvp
from jitgrad_compiler.passes.linearize import linearize
from jitgrad_compiler.passes.vmap import vmap_graph
from jitgrad_compiler.runtime.executable import run_graph

from .agreement import assert_same
from .op_examples import Example, Matrix, Other, dominated, examples, has_derivative

CONSTANT = ("stop_gradient", "bitcast_convert_type", "solve_factored")
"""To derivatives, though their results move with their operands, or, as the factors of a matrix, with some of them."""


def complex_examples(name: str) -> list[Example]:
    """The examples that the op's type rule takes in c128; `complex` itself is not among them, as its operands are real."""
    found = []
    for example in examples(name):
        turned = any(example.params.get(word) for word in ("vectors", "left", "right")) and "unit_diagonal" not in example.params
        if turned or name == "schur":
            continue  # eigenvectors, whose phase anything may turn: tests/linear_algebra has them
        try:
            graph = example.graph(C128)
        except (TypeError, ValueError):
            continue
        floats = [t for t in (*graph.input_types, *graph.output_types) if t.dtype == C128]
        target = example.params.get("dtype")
        rounded = target is not None and target.is_inexact and target.real.bits < 64
        if floats and example.operands and not rounded:
            found.append(example)
    return found


NAMES = [name for name in OPS if complex_examples(name)]


def moving_examples(name: str) -> list[Example]:
    return [e for e in complex_examples(name) if has_derivative(e)]


MOVING = [name for name in NAMES if name not in CONSTANT and moving_examples(name)]


def moderate(example: Example, dtype: DType) -> list[np.ndarray]:
    """Operands of about unit size, whose products do not grow, away from every branch cut and pole."""
    rng = np.random.default_rng(zlib.crc32(f"{example.op} {dtype}".encode()))
    out = []
    for o, array in zip(example.operands, example.arrays(dtype, rng), strict=True):
        if isinstance(o, Other):
            out.append(array)
        else:
            near = rng.uniform(0.6, 0.9, array.shape) + 1j * rng.uniform(0.2, 0.5, array.shape)
            near = np.asarray(near, array.dtype)
            out.append(dominated(near) if isinstance(o, Matrix) else near)
    return out


def float_results(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [out for out in interpret(graph, *arrays) if out.dtype.kind in "fc"]


@pytest.mark.parametrize("name", NAMES)
def test_both_widths_run_and_agree(name: str) -> None:
    for example in complex_examples(name):
        wide, narrow = example.graph(C128), example.graph(C64)
        arrays = moderate(example, C128)
        narrowed = [a.astype(np.complex64) if a.dtype.kind == "c" else a for a in arrays]
        for got, want in zip(run_graph(narrow, narrowed), interpret(wide, *arrays), strict=True):
            if want.dtype.kind in "fc" and want.size < 500:
                np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-5, err_msg=str(example))


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("direction", [1, 1j, 0.6 - 0.8j])
def test_tangents_are_finite_differences_in_every_direction_of_the_plane(name: str, direction: complex) -> None:
    for example in moving_examples(name):
        graph, arrays = example.graph(C128), moderate(example, C128)
        if arrays[0].size > 500:
            continue
        rng = np.random.default_rng(5)
        active = [a.dtype.kind == "c" for a in arrays]
        tangents = [
            rng.uniform(0.5, 1, a.shape) * np.complex128(direction) if on else None for a, on in zip(arrays, active, strict=True)
        ]
        duals = [None if t is None else concrete(np.asarray(t)) for t in tangents]
        outs, moved = jvp(lambda values: evaluate(graph, values), [concrete(a) for a in arrays], duals)  # noqa: B023
        got = [
            np.zeros(o.type.shape) if t is None else t.data() for o, t in zip(outs, moved, strict=True) if o.type.dtype.is_inexact
        ]

        def at(step: float) -> list[np.ndarray]:
            there = [a if t is None else np.asarray(a + step * t) for a, t in zip(arrays, tangents, strict=True)]  # noqa: B023
            return float_results(graph, there)  # noqa: B023

        h = 1e-3
        wide = [(a - b) / (2 * h) for a, b in zip(at(h), at(-h), strict=True)]
        close = [(a - b) / h for a, b in zip(at(h / 2), at(-h / 2), strict=True)]
        for g, w, c in zip(got, wide, close, strict=True):
            np.testing.assert_allclose(g, (4 * c - w) / 3, rtol=1e-5, atol=1e-7, err_msg=str(example))


@pytest.mark.parametrize("name", MOVING)
def test_reverse_mode_pairs_with_forward_mode_without_conjugation(name: str) -> None:
    """Re(ct * J t) = Re(J' ct * t): a complex cotangent is a row of the Jacobian, as in jax, not its conjugate."""
    rng = np.random.default_rng(6)

    def random(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
        real = rng.uniform(-1, 1, shape)
        return np.asarray(real + 1j * rng.uniform(-1, 1, shape) if dtype.is_complex else real)

    for example in moving_examples(name):
        graph, arrays = example.graph(C128), moderate(example, C128)
        active = [a.dtype.kind == "c" for a in arrays]
        lin = linearize(lambda values: evaluate(graph, values), [concrete(a) for a in arrays], active)  # noqa: B023
        tangents = [random(a.shape, C128) if on else None for a, on in zip(arrays, active, strict=True)]
        cotangents = [random(o.type.shape, o.type.dtype) for o in lin.outputs]
        images = lin.apply([None if t is None else concrete(t) for t in tangents])
        backs = lin.transpose([concrete(c) for c in cotangents])
        left = sum(np.sum(c * i.data()).real for c, i in zip(cotangents, images, strict=True) if i is not None)
        right = sum(np.sum(t * b.data()).real for t, b in zip(tangents, backs, strict=True) if t is not None and b is not None)
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10, err_msg=str(example))


@pytest.mark.parametrize("name", NAMES)
def test_batches_are_loops(name: str) -> None:
    for example in complex_examples(name):
        graph = example.graph(C128)
        rows = [moderate(example, C128) for _ in range(2)]
        for i, (o, array) in enumerate(zip(example.operands, rows[1], strict=True)):
            rows[1][i] = array if isinstance(o, Other) else array * np.complex128(0.9 + 0.1j)
        stacked = [np.stack(pair) for pair in zip(*rows, strict=True)]
        made = vmap_graph(graph, 2, [True] * len(stacked))
        each = [interpret(graph, *row) for row in rows]
        for got, want in zip(interpret(made, *stacked), (np.stack(outs) for outs in zip(*each, strict=True)), strict=True):
            if got.dtype.kind in "fc":
                np.testing.assert_allclose(got, want, rtol=1e-10, err_msg=str(example))
            else:
                assert_same(got, want)


def test_the_parts_of_a_complex_number_go_together_again() -> None:
    graph = parse(
        "graph(a:c64[3]) {\n  b:f32[3] = real a\n  c:f32[3] = imag a\n  d:c64[3] = complex b c\n  e:c64[3] = conj d\n"
        "  f:c64[3] = mul d e\n  g:f32[3] = abs a\n  return d f g\n}"
    )
    x = np.array([1 + 2j, -0.0 + 0j, 3 - 4j], np.complex64)
    whole, squared, size = run_graph(graph, [x])
    assert_same(whole, x)
    np.testing.assert_allclose(squared, [5, 0, 25])
    np.testing.assert_allclose(size, [5**0.5, 0, 5], rtol=1e-6)


def test_abs_of_a_complex_zero_has_a_zero_derivative() -> None:
    graph = parse("graph(a:c128[1]) {\n  b:f64[1] = abs a\n  return b\n}")
    _, (tangent,) = jvp(lambda values: evaluate(graph, values), [concrete(np.zeros(1, complex))], [concrete(np.ones(1, complex))])
    assert tangent is not None and tangent.data() == 0
