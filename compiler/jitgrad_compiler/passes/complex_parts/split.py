"""A Graph with complex values as one of real values, by the rules of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.builder import Builder, Value, bind_all, literal, source_of, staging
from ...ir.graph import Atom, Eqn, Graph, Var, remembered
from ...ir.interpreter import literal_value
from ...ir.types import ArrayType, TapeType
from ...ops.define import broadcast
from .table import RULES, Operand, Parts, apart, side_by_side, whole_type

Flags = tuple[bool, ...]


@remembered
def split(graph: Graph, whole_inputs: Flags, whole_outputs: Flags) -> Graph:
    """The graph of real values. A complex input or result is two, one behind the other, or where the flags say so one with the
    parts side by side. Tapes always are one.
    """
    with staging() as builder:
        env: dict[Var, Operand] = {}
        for v, whole in zip(graph.inputs, whole_inputs, strict=True):
            env[v] = _input(builder, v.type, whole)
        _evaluate(graph, env)
        results: list[Value] = []
        for a, whole in zip(graph.outputs, whole_outputs, strict=True):
            x = _read(env, a)
            results += [x] if not isinstance(x, Parts) else [side_by_side(x)] if whole else x
        return builder.finish(results)[0]


def _input(builder: Builder, type: Any, whole: bool) -> Operand:
    if not type.dtype.is_complex or isinstance(type, TapeType):
        return builder.input(whole_type(type))
    if whole:
        return apart(builder.input(whole_type(type)))
    part = ArrayType(type.shape, type.dtype.real)
    return Parts(builder.input(part), builder.input(part))


def _read(env: dict[Var, Operand], a: Atom) -> Operand:
    if isinstance(a, Var):
        return env[a]
    if not a.type.dtype.is_complex:
        return literal_value(a)
    return Parts(*[literal(part, a.type.dtype.real) for part in (a.value.real, a.value.imag)])


def _evaluate(graph: Graph, env: dict[Var, Operand]) -> None:
    for e in graph.eqns:
        args = [_read(env, a) for a in e.inputs]
        with source_of(e.source):
            if not _is_complex(e):
                env.update(zip(e.outputs, bind_all(e.op, *args, **e.params), strict=True))  # type: ignore[arg-type]
                continue
            found = RULES[e.op](*args, **e.params)
            outs: Sequence[Operand] = found if isinstance(found, list) else [found]
            env.update((v, _of_shape(x, v.type)) for v, x in zip(e.outputs, outs, strict=True))


def _is_complex(e: Eqn) -> bool:
    return any(a.type.dtype.is_complex for a in (*e.inputs, *e.outputs)) or any(g.has_complex for g in e.graphs)


def _of_shape(x: Operand, type: Any) -> Operand:
    """Parts that a rule gives as scalars, in the shape of the result."""
    if not isinstance(x, Parts) or all(part.type.shape == type.shape for part in x):
        return x
    return Parts(*[part if part.type.shape == type.shape else broadcast(part, type.shape, ()) for part in x])
