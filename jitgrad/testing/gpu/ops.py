"""Every op on the device against the processor, and every gradient: by the examples of the project's tests, in a checkout."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import NonDifferentiableError, UnexpectedTracerError
from jitgrad_compiler.ir import OPS, Eqn, Graph, Var
from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ir.graph import JVP, Op
from jitgrad_compiler.ir.types import F32, F64, DType
from jitgrad_compiler.ops.calls import call

from .checks import Check, Figures, NotRun, on_both

ROOT = Path(__file__).parents[3]
SPECIAL_SCALE = 8
"""Of the tolerance at the edges of functions' domains, where a unit in the last place of the argument is many of the result."""


@cache
def _registry() -> Any:
    """The module tests/compiler/op_examples.py."""
    if not (ROOT / "tests" / "compiler" / "op_examples.py").exists():
        raise NotRun(
            f"{ROOT / 'tests'} is missing: the examples of ops are in a checkout of jitgrad's repository, run it from there"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("tests.compiler.op_examples")


def _seeded(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def _function(graph: Graph) -> Callable[..., Any]:
    """A graph as a function of arrays; of vectors that libraries may turn, what is the same for all."""
    turned = [e for e in graph.eqns if e.op.name in _registry().TURNED]

    def f(*arrays: Any) -> Any:
        outs = dict(zip(graph.outputs, bind_all(call, *arrays, graph=graph, name="example"), strict=True))
        for e in turned:
            outs.update({v: _sizes(e, n, outs[v]) for n, v in enumerate(e.outputs) if v in outs and v.type.dtype.is_float})
        return list(outs.values())

    return f


def _sizes(e: Eqn, number: int, x: Any) -> Any:
    """Of a result that may have vectors: the sizes of their elements, where values determine them."""
    if e.op.name == "svd" and len(e.outputs) == 3 and number != 1:
        few = min(e.inputs[0].type.shape[-2:])
        x = x[..., :few] if number == 0 else x[..., :few, :]
    return jnp.abs(x)


def _joined(graphs: Sequence[Graph]) -> Graph:
    """Graphs side by side as one, which is compiled once."""
    eqns = [e for g in graphs for e in g.eqns]
    return Graph([v for g in graphs for v in g.inputs], eqns, [v for g in graphs for v in g.outputs])


def _example(example: Any, dtypes: Sequence[DType]) -> Figures:
    arrays = [a for dtype in dtypes for a in example.arrays(dtype, _seeded(str(example), dtype))]
    graph = _joined([example.graph(dtype) for dtype in dtypes])
    return on_both(_function(graph), *arrays, sums=_registry().orders_sums(example.op))


def _special(op: Op, dtype: DType) -> Figures:
    """An elementwise op at the numbers where implementations go wrong first."""
    registry = _registry()
    inputs = [Var(t) for t in registry.elementwise_types(op, dtype, registry.special_operands(op, dtype)[0].shape)]
    equations = [
        Eqn(op, inputs, p, [Var(t) for t in op.types([v.type for v in inputs], p)]) for p in registry.elementwise_params(op, dtype)
    ]
    graph = Graph(inputs, equations, [e.outputs[0] for e in equations])
    return on_both(_function(graph), *registry.special_operands(op, dtype), scale=SPECIAL_SCALE)


def _named(name: str) -> list[tuple[str, Any, list[DType]]]:
    """The examples of an op: their names, and their types, the most used one first."""
    registry = _registry()
    found = []
    for n, example in enumerate(registry.examples(name)):
        dtypes = sorted(registry.accepted(example), key=lambda t: t != F32)
        found.append((f"{name} {n}", example, dtypes))
    return found


def _names() -> list[str]:
    return [name for name in OPS if _registry().runs(name)]


def examples() -> Iterator[Check]:
    """Every example in one type, then in all others, then the special numbers."""
    rows = [row for name in _names() for row in _named(name) if row[2]]
    for title, example, dtypes in rows:
        yield Check(f"{title} {dtypes[0]}", lambda e=example, d=dtypes: _example(e, d[:1]))  # type: ignore[misc]
    for name in _names():
        op = OPS[name]
        if op.kind == "elementwise" and not op.traits.complex_only:
            for dtype in _registry().dtypes_of(op):
                if dtype in (F32, F64):
                    yield Check(f"{name} special {dtype}", lambda o=op, d=dtype: _special(o, d))  # type: ignore[misc]
    for title, example, dtypes in rows:
        if dtypes[1:]:
            yield Check(f"{title} other types", lambda e=example, d=dtypes: _example(e, d[1:]))  # type: ignore[misc]


def _gradient(example: Any, dtype: DType) -> Figures:
    graph = example.graph(dtype)
    arrays = example.arrays(dtype, _seeded(str(example), dtype))
    active = [n for n, t in enumerate(graph.input_types) if t.dtype.is_float]
    f = _function(graph)

    def pulled(*arrays: Any) -> Any:
        def of_active(*values: Any) -> Any:
            whole = list(arrays)
            for n, v in zip(active, values, strict=True):
                whole[n] = v
            return [y for y in f(*whole) if np.dtype(y.dtype).kind == "f"]

        value, pullback = jitgrad.vjp(of_active, *(arrays[n] for n in active))
        return pullback([0.5 * y + 1 for y in value])

    try:
        return on_both(pulled, *arrays, scale=4, sums=True)
    except (NonDifferentiableError, UnexpectedTracerError) as error:  # of some operands, or of what a rule closes over
        raise NotRun(f"has no gradient: {str(error).splitlines()[0]}") from error


def gradients() -> Iterator[Check]:
    """The gradient of every example that has one."""
    for dtype in (F32, F64):
        for name in _names():
            if OPS[name] not in JVP:
                continue
            for title, example, dtypes in _named(name):
                if dtype in dtypes and any(t.dtype.is_float for t in example.graph(dtype).output_types):
                    yield Check(f"gradient of {title} {dtype}", lambda e=example, d=dtype: _gradient(e, d))  # type: ignore[misc]
