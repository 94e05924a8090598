"""How programs of an op are compared with its reference, whatever runs them: the CPU, or a GPU."""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir import OPS, Eqn, Graph, Var, interpret
from jitgrad_compiler.ir.graph import Op
from jitgrad_compiler.ir.types import F32, F64, DType, float_info
from jitgrad_compiler.runtime.executable import run_graph

from .agreement import assert_same
from .op_examples import (
    Data,
    Example,
    accepted,
    draw,
    dtypes_of,
    elementwise_params,
    elementwise_types,
    errs_by_largest,
    examples,
    orders_sums,
    runs,
    special_operands,
    unturned,
)

Run = Callable[[Graph, list[np.ndarray]], list[np.ndarray]]
ELEMENTWISE = [name for name, op in OPS.items() if op.kind == "elementwise"]
OTHERS = [name for name, op in OPS.items() if op.kind != "elementwise" and runs(name)]
KERNELS = [
    (name, dtype) for name in ELEMENTWISE for dtype in dtypes_of(OPS[name])
    if not dtype.is_complex and not OPS[name].traits.complex_only
]  # fmt: skip
LENGTHS = (1, 7, 16, 33, 1000)
SHAPES = (*[(n,) for n in LENGTHS], (0,), (), (3, 5), (2, 3, 17), (4, 0), (1, 1))

ULPS = 2.0
"""What the vector math promises, of results rounded from a wider type."""
LOOSE = 1e-12
"""Relative accuracy, absolute near a zero, of scalar functions, for which SciPy is the reference and not always the better one."""
SCIPY_ULPS = {"erf": 3.0, "erfc": 16.0, "erf_inv": 16.0, "ndtri": 16.0}
"""Float64 functions that have no wider reference here; their accuracy against mpmath is tested with the vector math."""

PRODUCT_ULPS = {"xlogy": 5.0, "xlog1py": 5.0, "rel_entr": 8.0}
"""Products with a logarithm, which add its error, the product's and that of a quotient under it."""


def seeded(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def elementwise_graph(op: Op, dtype: str, shapes: list[tuple[int, ...]], params: list[dict[str, Any]]) -> Graph:
    """The op done to operands of every shape, with every set of params."""
    inputs: list[Var] = []
    eqns = []
    for shape in shapes:
        operands = [Var(t) for t in elementwise_types(op, dtype, shape)]
        inputs += operands
        for p in params:
            eqns.append(Eqn(op, operands, p, [Var(t) for t in op.types([v.type for v in operands], p)]))
    return Graph(inputs, eqns, [e.outputs[0] for e in eqns])


def reference(op: Op, graph: Graph, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """What the graph should give, and within how many ulps: transcendental functions are computed in a wider type."""
    dtype = graph.eqns[0].outputs[0].type.dtype
    if dtype.is_storage:  # the reference is float32's, rounded once
        return list(interpret(graph, *arrays)), 1
    if not dtype.is_float or not op.traits.transcendental and op.name != "rsqrt":
        return list(interpret(graph, *arrays)), 0
    wide = np.float64 if dtype == F32 else np.longdouble
    places = {v: n for n, v in enumerate(graph.inputs)}
    with np.errstate(all="ignore"):
        outs = [e.op.numpy(*[arrays[places[v]].astype(wide) for v in e.inputs], **e.params) for e in graph.eqns]  # type: ignore[index]
    ulps = PRODUCT_ULPS.get(op.name, SCIPY_ULPS.get(op.name, ULPS) if dtype == F64 else ULPS)
    return [np.asarray(out) for out in outs], ulps


def elementwise_kernels(op: Op) -> list[tuple[Graph, list[np.ndarray]]]:
    """The op alone at special numbers in every element type, and in one type at every length and rank, with operands."""
    found = []
    for dtype in dtypes_of(op):
        if (op.name, dtype) in KERNELS:
            operands = special_operands(op, dtype)
            found.append((elementwise_graph(op, dtype, [operands[0].shape], elementwise_params(op, dtype)), operands))
    dtype, rng = next(d for d in (F32, *dtypes_of(op)) if d in dtypes_of(op)), seeded(op.name)
    graph = elementwise_graph(op, dtype, list(SHAPES), elementwise_params(op, dtype)[:1])
    arrays = [draw(v.type, rng, op.samples.domain) for v in graph.inputs]
    if op.samples.integer_first:
        arrays = [np.round(a) if n % 2 == 0 else a for n, a in enumerate(arrays)]
    return [*found, (graph, arrays)]


def assert_kernels_agree(op: Op, some: Sequence[tuple[Graph, list[np.ndarray]]], run: Run = run_graph) -> None:
    """One program of graphs of the op alone gives what its reference gives for each, to so many ulps as were promised."""
    some = [(graph, arrays) for graph, arrays in some if graph.eqns]
    for (graph, arrays), found in zip(some, run_together(some, run), strict=True):
        wanted, ulps = reference(op, graph, arrays)
        for e, got, want in zip(graph.eqns, found, wanted, strict=True):
            _assert_elementwise(op, e, got, want, ulps)


def _assert_elementwise(op: Op, e: Eqn, got: np.ndarray, want: np.ndarray, ulps: float) -> None:
    context = f"{op.name} {e.params or ''} of {', '.join(str(a.type) for a in e.inputs)}"
    if op.traits.scalar is not None and not e.outputs[0].type.dtype.is_storage:
        tolerance = max(LOOSE, 2 * float(np.finfo(got.dtype).eps))
        with np.errstate(over="ignore"):
            rounded = want.astype(got.dtype)
        np.testing.assert_allclose(got, rounded, rtol=tolerance, atol=tolerance, err_msg=context)
        return
    if op.traits.scalar is not None:  # beside a zero, too
        with np.errstate(invalid="ignore"):
            apart = np.abs(got.astype(np.float64) - want.astype(np.float64))
        got = np.where((apart > 0) & (apart <= LOOSE), want, got)
    assert_same(got, want, ulps, context=context)


@functools.cache
def example_kernels(name: str) -> list[tuple[Example, str]]:
    """An example is tried in every element type that it has operands of."""
    return [
        (example, dtype) for example in examples(name) for dtype in accepted(example)
        if dtype == F64 or any(isinstance(o, Data) for o in example.operands)
    ]  # fmt: skip


def joined(graphs: Sequence[Graph]) -> Graph:
    """Graphs side by side as one, so that they are compiled at once."""
    inputs, eqns = [v for g in graphs for v in g.inputs], [e for g in graphs for e in g.eqns]
    return Graph(inputs, eqns, [a for g in graphs for a in g.outputs])


def run_together(some: Sequence[tuple[Graph, Sequence[np.ndarray]]], run: Run = run_graph) -> list[list[np.ndarray]]:
    """The results of each of some graphs with its operands, by one program of all."""
    found = iter(run(joined([graph for graph, _ in some]), [a for _, arrays in some for a in arrays]))
    return [list(itertools.islice(found, len(graph.outputs))) for graph, _ in some]


def assert_examples_agree(name: str, some: Sequence[tuple[Example, DType]], rng: np.random.Generator, run: Run = run_graph) -> None:
    """One program of some examples gives what the interpreter gives for each."""
    made = [(example.graph(dtype), example.arrays(dtype, rng)) for example, dtype in some]
    for (example, dtype), (graph, arrays), found in zip(some, made, run_together(made, run), strict=True):
        for got, want in zip(found, interpret(graph, *arrays), strict=True):
            _assert_result(name, got, want, dtype, f"{example} in {dtype}")


def _assert_result(name: str, got: np.ndarray, want: np.ndarray, dtype: DType, context: str) -> None:
    if OPS[name].kind == "matrices":
        assert got.dtype == want.dtype and got.shape == want.shape
        near = {F32: 2e-5, F64: 1e-12}.get(dtype) or 2 * float(float_info(dtype.numpy).eps)
        wide = np.result_type(got.dtype, np.float64) if got.dtype.kind != "V" else np.float64
        got, want = unturned(name, got.astype(wide)), unturned(name, want.astype(wide))
        np.testing.assert_allclose(got, want, rtol=near, atol=near, err_msg=context)
    elif orders_sums(name) and dtype.is_storage:
        assert_same(got, want, ulps=1, context=context)
    elif orders_sums(name) and dtype.is_float:
        tolerance = 2e-5 if want.dtype in (np.float32, np.complex64) else 1e-13
        near = tolerance * (float(np.abs(want).max(initial=0)) if errs_by_largest(name) else 1)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=near, err_msg=context)
        assert got.dtype == want.dtype
    else:
        assert_same(got, want, context=context)
