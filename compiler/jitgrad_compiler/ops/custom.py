"""Programs whose derivatives the user states, custom_jvp and custom_vjp, or whose batching: custom_vmap.

custom_jvp [graph, rule, consts, name]: operands are consts (what the function closes over, constants to derivatives) and
arguments. The rule is one program, from the operands and tangents of the float arguments to graph's outputs and tangents of the
float ones.
custom_vjp [graph, rule, consts, moving, name]: the rule is two programs. The first maps the operands to graph's outputs and
residuals, the second maps consts, residuals and cotangents of the float outputs to cotangents of the operands that are flagged in
moving.
custom_linear [backward, known, active, name]: the linear part of a custom_vjp, of which only the transpose is known. Operands are
`known` many values and tangents; backward says how cotangents follow, as a Graph from the known values and cotangents of the
results (of whose results those that are active count), or as a Backward, which runs the user's function.

custom_vmap [graph, batching, consts, name]: what batching, a BatchRule, says is done where arguments are batched.

A rule is a Rule until a derivative is taken: the user's functions are traced when they are needed, and never otherwise. Then
passes/custom_rules.py puts its programs in its place. What a program to be compiled holds is (), for it needs none. The
derivatives of these ops are in passes/custom_derivatives.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NonDifferentiableError
from ..ir.builder import Value, concrete
from ..ir.graph import EVALUATE, Deferred, Graph, Op
from ..ir.interpreter import evaluate, interpret
from .control import expect
from .define import as_consts

FORWARD_MODE = (
    "can't apply forward-mode differentiation (jvp, linearize, jacfwd) to the custom_vjp function {name}: only its reverse mode is "
    "defined. Use grad, vjp or jacrev, or define the function with custom_jvp, which serves both modes."
)


@dataclass
class Programs:
    """A rule that has been traced. The first inputs of every graph stand for `captured`, which the rule closes over and its
    function does not; `moving` is custom_vjp's, of the arguments.
    """

    graphs: tuple[Graph, ...]
    captured: list[Value]
    moving: tuple[bool, ...] = ()


class Rule(Deferred):
    """The rule of one call, which `make` traces, at the first time that it is asked for."""

    def __init__(self, name: str, make: Callable[[], Programs]) -> None:
        super().__init__(name)
        self._make = make
        self._made: Programs | None = None

    def programs(self) -> Programs:
        made = self._made
        if made is None or any(v.owner is not None and not v.owner.alive for v in made.captured):
            made = self._made = self._make()
        return made


class Backward(Deferred):
    """The backward rule of one call as the user's function; `types` are those of the results whose cotangents it takes."""

    def __init__(
        self, name: str, types: Sequence[Any], run: Callable[[Sequence[Value], Sequence[Value]], list[Value | None]]
    ) -> None:
        super().__init__(name)
        self.types, self.run = tuple(types), run


def run_nested(*arrays: Any, graph: Graph, **params: Any) -> list[Any]:
    """The reference of an op that does what its graph does."""
    return list(interpret(graph, *map(np.asarray, arrays)))


def run_eagerly(*arrays: Any, graph: Graph, **params: Any) -> list[Any]:
    """The same in eager mode, where calls of jitted functions inside are compiled."""
    return [v.data() for v in evaluate(graph, [concrete(a) for a in arrays])]


def _check_graph(where: str, types: tuple[Any, ...], graph: Graph) -> None:
    expect(where, "the graph's inputs", graph.input_types, types)


def _custom_jvp_type(*types: Any, graph: Graph, rule: Any, consts: int, name: str) -> tuple[Any, ...]:
    where = f"custom_jvp of {name}"
    _check_graph(where, types, graph)
    if isinstance(rule, tuple) and rule:
        tangents = [t for t in types[consts:] if t.dtype.is_inexact]
        expect(where, "the rule's inputs", [*types, *tangents], rule[0].input_types)
        moved = [t for t in graph.output_types if t.dtype.is_inexact]
        expect(where, "the rule's results", [*graph.output_types, *moved], rule[0].output_types)
    return graph.output_types


def _custom_vjp_type(*types: Any, graph: Graph, rule: Any, consts: int, moving: tuple[bool, ...], name: str) -> tuple[Any, ...]:
    where = f"custom_vjp of {name}"
    _check_graph(where, types, graph)
    if isinstance(rule, tuple) and rule:
        forward, backward = rule
        count = len(graph.outputs)
        expect(where, "forward's inputs", types, forward.input_types)
        expect(where, "forward's first results", graph.output_types, forward.output_types[:count])
        given = [*types[:consts], *forward.output_types[count:], *[t for t in graph.output_types if t.dtype.is_inexact]]
        expect(where, "backward's inputs", given, backward.input_types)
        cotangents = [t for t, m in zip(types, moving, strict=True) if m]
        expect(where, "backward's results", cotangents, backward.output_types)
    return graph.output_types


custom_jvp = Op(
    "custom_jvp", _custom_jvp_type, run_nested, kind="call", computes=False, sparse_cotangents=True, hoists=as_consts,
    doc="A nested program with a forward-mode rule of its own.",
)  # fmt: skip
custom_vjp = Op(
    "custom_vjp", _custom_vjp_type, run_nested, kind="call", computes=False, sparse_cotangents=True, hoists=as_consts,
    reverse_only=True,
    doc="A nested program with a reverse-mode rule of its own.",
)  # fmt: skip
EVALUATE[custom_jvp] = EVALUATE[custom_vjp] = run_eagerly


def _custom_linear_type(*types: Any, backward: Any, known: int, active: tuple[bool, ...], name: str) -> tuple[Any, ...]:
    if isinstance(backward, Backward):
        return tuple(backward.types)
    where = f"custom_linear of {name}"
    expect(where, "the known operands", backward.input_types[:known], types[:known])
    expect(where, "the tangents", [t for t, a in zip(backward.output_types, active, strict=True) if a], types[known:])
    return tuple(backward.input_types[known:])


def _custom_linear(*arrays: Any, name: str, **params: Any) -> Any:
    raise NonDifferentiableError(FORWARD_MODE.format(name=name))


custom_linear = Op(
    "custom_linear", _custom_linear_type, _custom_linear, computes=False, reverse_only=True, transpose_only=True,
    no_derivative="it is the linear part of a custom_vjp, which has no forward mode",
    doc="A linear map of which only the transpose is known.",
)  # fmt: skip


class BatchRule(Deferred):
    """The batching rule of one call as the user's function: from (size, arguments, which are batched) to batched results."""

    def __init__(self, name: str, run: Callable[[int, Sequence[Value], Sequence[bool]], list[Value]]) -> None:
        super().__init__(name)
        self.run = run


def _custom_vmap_type(*types: Any, graph: Graph, batching: Any, consts: int, name: str) -> tuple[Any, ...]:
    _check_graph(f"custom_vmap of {name}", types, graph)
    return graph.output_types


custom_vmap = Op(
    "custom_vmap", _custom_vmap_type, run_nested, kind="call", computes=False, sparse_cotangents=True, hoists=as_consts,
    doc="A nested program with a batching rule of its own, which derivatives do not keep.",
)  # fmt: skip
EVALUATE[custom_vmap] = run_eagerly
