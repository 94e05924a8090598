"""The gate to compiled programs: Numba and llvmlite are imported behind it at the first compilation: `import jitgrad` is fast."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from jitgrad_compiler.ir.graph import EVALUATE, Eqn, Graph, Op, Var, remembered
from jitgrad_compiler.ir.interpreter import interpret
from jitgrad_compiler.ir.types import F64, ArrayType, TapeType, type_of
from jitgrad_compiler.ops.calls import call
from jitgrad_compiler.ops.control import rowwise, scan, switch, while_loop
from jitgrad_compiler.ops.layout import broadcast_op
from jitgrad_compiler.passes.custom_rules import params_without_rules

from .config import config
from .nan_checks import check_program


@cache
def runtime() -> Any:
    """The module jitgrad_compiler.runtime.executable."""
    module = importlib.import_module("jitgrad_compiler.runtime.executable")
    config.listen("num_threads", module.set_num_threads)
    return module


def compile_graph(graph: Graph, donated: Sequence[int] = ()) -> Any:
    """The executable of a Graph, as the settings say."""
    return runtime().compile_graph(graph, donated, config.contract_products)


def run_graph(graph: Graph, arrays: Sequence[Any]) -> list[Any]:
    """The results of a Graph's executable for NumPy arrays."""
    outs: list[Any] = runtime().run_graph(graph, arrays, config.contract_products)
    return outs


@cache
def _scalars() -> Any:
    """The module jitgrad_compiler.targets.numba_scalar."""
    return importlib.import_module("jitgrad_compiler.targets.numba_scalar")


def scalar_name(f: Any, count: int) -> str:
    """A name that tells a scalar Python function of `count` numbers from every other."""
    return _scalars().scalar_name(f, (F64,) * count, F64)


@EVALUATE.of(call)
def _evaluate_call(*arrays: Any, graph: Graph, name: str) -> list[Any]:
    """A nested program on concrete arrays: compiled, unless jit is switched off."""
    if config.disable_jit:
        return call.numpy(*arrays, graph=graph, name=name)
    outs = run_graph(graph, arrays)
    if config.debug_nans or config.debug_infs:
        check_program(name, graph, arrays, outs)
    return outs


INTERPRETED = 2000
"""Equations of loops and branches on concrete arrays that are done one by one; what has more is compiled."""
UNKNOWN = 16
"""Steps that a loop of unknown length inside one is reckoned to take."""


def _compiled(op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """A loop or a branch on concrete arrays as a compiled program."""
    graph = one_equation(op, _operand_types(op, arrays, params), params)
    _latest.append(graph)
    return run_graph(graph, arrays)


_latest: deque[Graph] = deque(maxlen=1)
"""What calls back is kept no longer than who calls it, or until another loop runs, so that a loop of Python's finds it again."""


def _operand_types(op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> tuple[Any, ...]:
    """Tapes are arrays too when they are concrete; what an operand is only the op's params tell."""
    types: list[Any] = [type_of(np.asarray(a)) for a in arrays]
    if op is scan and params["length"] is None:
        first = 1 + params["consts"] + params["carry"]
        types[first:] = [TapeType(ArrayType(t.shape[1:], t.dtype)) for t in types[first:]]
    graph = params.get("graph") or params.get("body") or params["branches"][0]
    whole = params["consts"] if op is scan else len(graph.inputs)
    head = 1 if op is switch or op is scan and params["length"] is None else 0
    for n, t in enumerate(graph.input_types[:whole]):
        types[head + n] = t if isinstance(t, TapeType) else types[head + n]
    return tuple(types)


def one_equation(op: Op, types: Sequence[Any], params: dict[str, Any]) -> Graph:
    """The op on operands of these types as a program."""
    return _one_equation(op, tuple(types), tuple(sorted(params_without_rules(params).items())))


@remembered
def _one_equation(op: Op, types: tuple[Any, ...], params: tuple[tuple[str, Any], ...]) -> Graph:
    """The op as a program, which keeps what it is compiled to. Of an elementwise one, operands without axes are spread."""
    inputs, named = [Var(t) for t in types], dict(params)
    outputs = [Var(t) for t in op.types(types, named)]
    eqns, operands = [], list(inputs)
    if op.kind == "elementwise" and (shape := outputs[0].type.shape):
        for n, v in enumerate(inputs):
            if not v.type.shape:
                operands[n] = Var(ArrayType(shape, v.type.dtype))
                eqns.append(Eqn(broadcast_op, [v], {"shape": shape, "dims": ()}, [operands[n]]))
    return Graph(inputs, [*eqns, Eqn(op, operands, named, outputs)], outputs)


def _equations(graph: Graph) -> float:
    """How many equations one run of a graph does."""
    return sum((1 + _repeats(e.op, e.params) * sum(map(_equations, e.graphs)) for e in graph.eqns), 0.0)


def _repeats(op: Op, params: Mapping[str, Any]) -> int:
    return UNKNOWN if op is while_loop else params.get("length") or params.get("size") or 1


def _evaluate_nested(op: Op) -> Any:
    """Interpreted where the number of equations is known to be small."""

    def evaluate(*arrays: Any, **params: Any) -> list[Any]:
        graphs = params.get("branches") or (params.get("body") or params["graph"],)
        steps = int(arrays[0]) if op is scan and params["length"] is None else _repeats(op, params)
        small = steps * max(map(_equations, graphs)) <= INTERPRETED
        return op.numpy(*arrays, **params) if small or config.disable_jit else _compiled(op, arrays, params)

    return evaluate


@EVALUATE.of(while_loop)
def _evaluate_while(*arrays: Any, **params: Any) -> list[Any]:
    """Interpreted for as many steps as are a small number of equations, then compiled from the state that is reached. A loop that
    keeps something of every step is compiled from the start again; one that also calls back is compiled at once, or its first steps
    would call twice.
    """
    if config.disable_jit:
        return while_loop.numpy(*arrays, **params)
    cond, body, consts = params["cond"], params["body"], params["consts"]
    most = max(1, int(INTERPRETED // max(1, _equations(cond) + _equations(body))))
    if params["saved"] or params["states"]:
        calls = cond.has_effect or body.has_effect
        found = None if calls else while_loop.numpy(*arrays, **params, most=most)
        return _compiled(while_loop, arrays, params) if found is None else found
    fixed, held = arrays[:consts], list(arrays[consts:])
    for count in range(most):
        if not interpret(cond, *fixed, *held)[0]:
            return [*held, np.int64(count)]
        held = list(interpret(body, *fixed, *held)[: len(held)])
    *held, further = _compiled(while_loop, [*fixed, *held], params)
    return [*held, further + most]


for _op in (scan, switch, rowwise):
    EVALUATE[_op] = _evaluate_nested(_op)
