"""vmap of every op against a Python loop, for every set of batched operands, interpreted and compiled."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS, interpret, parse, verify
from jitgrad_compiler.ir.types import F32, F64, I64
from jitgrad_compiler.passes.vmap import vmap_graph

from .agreement import assert_same
from .op_agreement import run_together
from .op_examples import Example, accepted, errs_by_largest, examples, orders_sums, runs, unturned

SIZE = 3


def dtype_for(example: Example) -> str | None:
    found = accepted(example)
    return next((d for d in (F64, I64, *found) if d in found), None)


CASES = [
    (name, n) for name in OPS for n, example in enumerate(examples(name)) if dtype_for(example) and example.operands and runs(name)
]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_batched_op_is_the_op_done_to_each_element(name: str, number: int) -> None:
    example = examples(name)[number]
    dtype = dtype_for(example)
    assert dtype is not None
    graph = example.graph(dtype)
    rng = np.random.default_rng(zlib.crc32(f"{name} {number}".encode()))
    rows = [example.arrays(dtype, rng) for _ in range(SIZE)]
    masks = [mask for mask in itertools.product((False, True), repeat=len(example.operands)) if any(mask)]
    made = [verify(vmap_graph(graph, SIZE, mask), "vmap") for mask in masks]
    arrays = [[np.stack([row[i] for row in rows]) if b else rows[0][i] for i, b in enumerate(mask)] for mask in masks]
    together = run_together(list(zip(made, arrays, strict=True)))
    for mask, batched, given, compiled in zip(masks, made, arrays, together, strict=True):
        assert parse(str(batched)) == batched
        each = [interpret(graph, *[a[r] if b else a for a, b in zip(given, mask, strict=True)]) for r in range(SIZE)]
        wanted = [np.stack(outs) for outs in zip(*each, strict=True)]
        context = f"{example} in {dtype}, batched {mask}"
        for run in (interpret(batched, *given), compiled):
            for got, want in zip(run, wanted, strict=True):
                assert_result(name, got, want, context)


def assert_result(name: str, got: np.ndarray, want: np.ndarray, context: str) -> None:
    rounded = orders_sums(name) or OPS[name].traits.transcendental or name == "rsqrt"
    if rounded and got.dtype.kind in "fc":
        tolerance = 1e-12 if got.real.dtype == np.float64 else 1e-5
        largest = float(np.abs(want[np.isfinite(want)]).max(initial=1)) if errs_by_largest(name) else 1
        got, want = unturned(name, got), unturned(name, want)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * largest, err_msg=context)
    else:
        assert_same(got, want, zeros=name not in ("max", "min"), context=context)


def test_pad_by_a_batched_number_pads_each_element_by_its_own() -> None:
    graph = parse("graph(a:f32[2], b:f32[]) {\n  c:f32[5] = pad a b [padding=((1, 1, 1),)]\n  return c\n}")
    x, value = np.array([np.nan, 2], np.float32), np.array([7, np.inf, np.nan], np.float32)
    (got,) = interpret(vmap_graph(graph, 3, (False, True)), x, value)
    assert_same(got, np.stack([interpret(graph, x, v)[0] for v in value]))


def test_what_does_not_depend_on_the_batch_is_done_once() -> None:
    graph = parse("graph(a:f32[4], b:f32[4]) {\n  c:f32[4] = exp b\n  d:f32[4] = mul a c\n  return d\n}")
    made = vmap_graph(graph, 9, (True, False))
    assert [str(v.type) for e in made.eqns for v in e.outputs] == ["f32[4]", "f32[9,4]", "f32[9,4]"]
    assert made.output_types[0].dtype == F32


def test_a_constant_that_a_batched_program_returns_has_the_batch_axis() -> None:
    graph = parse("graph(a:f32[2]) {\n  return 1.5:f32\n}")
    (got,) = interpret(vmap_graph(graph, 3, (True,)), np.ones((3, 2), np.float32))
    assert_same(got, np.full(3, 1.5, np.float32))
