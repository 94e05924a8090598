"""The split into a known and a linear part, and the transpose of the linear part: reverse mode.

`linearize` runs a function on dual numbers whose tangents are variables of a Builder: what does not depend on tangents is done at
once (or traced, at the level it belongs to), what does is recorded. `backward` walks the record from its end, handing cotangents
from outputs to inputs by each op's transpose rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import NonDifferentiableError
from ..ir.builder import Builder, Value, bind, bind_all, new_level, source_of, staging, with_weak
from ..ir.graph import OPS, TRANSPOSE, Atom, Eqn, Graph, Literal, Var
from ..ir.interpreter import evaluate, literal_value
from ..ir.types import ArrayType, TapeType
from ..ops.calls import call
from ..ops.custom import FORWARD_MODE
from ..ops.define import not_linear, zeros
from .inline import inline
from .jvp import DualTrace
from .simplify import remove_dead


@dataclass
class Linearized:
    """A function at a point: its outputs there, and the recorded map from tangents of inputs to tangents of outputs."""

    outputs: list[Value]
    inputs: list[Var | None]
    eqns: list[Eqn]
    tangents: list[Var | None]
    known: dict[Var, Value]

    def transpose(self, cotangents: Sequence[Value]) -> list[Value | None]:
        """The inputs' cotangents for the outputs'; None where an input has no influence."""
        found: dict[Var, Value] = {}
        for v, ct in zip(self.tangents, cotangents, strict=True):
            if v is not None:
                found[v] = add_cotangents(found[v], ct) if v in found else ct
        found = backward(self.eqns, self.known, found)
        return [None if v is None else found.get(v) for v in self.inputs]

    def apply(self, tangents: Sequence[Value | None]) -> list[Value | None]:
        """The outputs' tangents for the inputs'."""
        given = {v: t for v, t in zip(self.inputs, tangents, strict=True) if v is not None}
        filled = [(v, zeros(v.type) if t is None else t) for v, t in given.items()]
        graph = remove_dead(Graph([*given, *self.known], self.eqns, [v for v in self.tangents if v is not None]))
        if _is_reverse_only(graph):  # which may be of no use, and then calls must not hold it
            graph = remove_dead(inline(graph, call))
            check_forward_mode(graph)
        outs = iter(evaluate(graph, [*[t for _, t in filled], *self.known.values()]))
        return [None if v is None else next(outs) for v in self.tangents]


def linearize(
    function: Callable[[Sequence[Value]], Sequence[Value]], primals: Sequence[Value], active: Sequence[bool]
) -> Linearized:
    """Run the function at `primals` and record its linear part with respect to the active ones."""
    where = f" ({function.__name__}, while it was being differentiated)"
    with new_level(DualTrace, where) as trace, new_level(Builder, where) as linear:
        linear.linear = True
        tangents = [linear.input(p.type) if a else None for p, a in zip(primals, active, strict=True)]
        outs = function([trace.lift(p, t) for p, t in zip(primals, tangents, strict=True)])
        lowered = [trace.lower(out) for out in outs]
        known = {}
        atoms: list[Any] = [None if t is None else linear.atom(t) for _, t in lowered]
        for value, var in linear.captured.values():
            known[var] = value
    inputs = [None if t is None else t.ref for t in tangents]
    outputs = [with_weak(p, out.weak) for out, (p, _) in zip(outs, lowered, strict=True)]
    return Linearized(outputs, inputs, linear.eqns, atoms, known)


def _is_reverse_only(linear: Graph) -> bool:
    """Whether a linear part has a map of which only the transpose is known."""
    return any(e.op.traits.transpose_only or any(map(_is_reverse_only, e.graphs)) for e in linear.eqns)


def check_forward_mode(linear: Graph) -> None:
    """Raise unless a linear part can be done as it stands."""
    for e in linear.eqns:
        if e.op.traits.transpose_only:
            raise NonDifferentiableError(FORWARD_MODE.format(name=e.params["name"]))
        for g in e.graphs:
            check_forward_mode(g)


def add_cotangents(a: Value, b: Value) -> Value:
    return bind(OPS["tape_add"], a, b) if isinstance(a.type, TapeType) else a + b


def backward(eqns: Sequence[Eqn], known: Mapping[Var, Value], cotangents: dict[Var, Value]) -> dict[Var, Value]:
    """Hand cotangents from the outputs of linear equations to their inputs; those of the record's own inputs are left over."""

    def operand(a: Atom) -> Value | ArrayType:
        if isinstance(a, Literal):
            return literal_value(a)
        return known[a] if a in known else a.type

    for e in reversed(eqns):
        given = [cotangents.pop(v, None) for v in e.outputs]
        if all(ct is None for ct in given):
            continue
        rule = TRANSPOSE.get(e.op)
        if rule is None:
            raise not_linear(e.op.name)
        with source_of(e.source):
            if not e.op.traits.sparse_cotangents:
                given = [zeros(v.type) if ct is None else ct for v, ct in zip(e.outputs, given, strict=True)]
            results = rule(given, [operand(a) for a in e.inputs], e.params)
            for a, ct in zip(e.inputs, results, strict=True):
                if ct is not None and isinstance(a, Var) and a not in known:
                    cotangents[a] = add_cotangents(cotangents[a], ct) if a in cotangents else ct
    return cotangents


@dataclass(frozen=True)
class LinearGraphs:
    """`linearize` as Graphs: forward gives the outputs, then `residuals` many values that linear takes behind the tangents."""

    forward: Graph
    linear: Graph
    residuals: int
    active_inputs: tuple[bool, ...]
    active_outputs: tuple[bool, ...]


def linearize_graph(graph: Graph, active: Sequence[bool]) -> LinearGraphs:
    """The pass: a Graph split into its known and its linear part with respect to the active inputs."""
    with staging() as builder:
        inputs = [builder.input(t) for t in graph.input_types]
        lin = linearize(lambda values: evaluate(graph, values), inputs, active)
        residuals = list(lin.known.values())
        forward, _ = builder.finish([*lin.outputs, *residuals])
    linear_inputs = [v for v in lin.inputs if v is not None]
    linear = Graph([*linear_inputs, *lin.known], lin.eqns, [v for v in lin.tangents if v is not None])
    outputs = tuple(v is not None for v in lin.tangents)
    return LinearGraphs(forward, linear, len(residuals), tuple(active), outputs)


def transpose_graph(graph: Graph, linear: Sequence[bool], given: Sequence[bool] | None = None) -> Graph:
    """The pass: of a Graph linear in some inputs, the Graph from (other inputs, cotangents) to the linear inputs' cotangents.

    What does not depend on linear inputs is done first, as it stands. `given` says of which outputs there are cotangents, all by
    default; those of the others are zero.
    """
    with staging() as builder:
        known = {v: builder.input(v.type) for v, is_linear in zip(graph.inputs, linear, strict=True) if not is_linear}
        cotangents: dict[Var, Value] = {}
        for a, there in zip(graph.outputs, given or [True] * len(graph.outputs), strict=True):
            ct = builder.input(a.type) if there else None
            if ct is not None and isinstance(a, Var) and a not in known:
                cotangents[a] = add_cotangents(cotangents[a], ct) if a in cotangents else ct
        recorded_eqns = evaluate_known(graph, known)
        found = backward(recorded_eqns, known, cotangents)
        ours = [v for v, is_linear in zip(graph.inputs, linear, strict=True) if is_linear]
        return builder.finish([found[v] if v in found else zeros(v.type) for v in ours])[0]


def evaluate_known(graph: Graph, known: dict[Var, Value]) -> list[Eqn]:
    """Do every equation whose operands are known, adding its outputs to `known`; returns the others."""
    left = []
    for e in graph.eqns:
        if any(isinstance(a, Var) and a not in known for a in e.inputs):
            left.append(e)
            continue
        with source_of(e.source):
            args = [literal_value(a) if isinstance(a, Literal) else known[a] for a in e.inputs]
            known.update(zip(e.outputs, bind_all(e.op, *args, **e.params), strict=True))
    return left
