"""Loops, branches and calls of Python: a complex carry or slice becomes two real ones. What is kept on a tape stays one value with
its parts side by side, and so do the carries of a loop that keeps its states. Functions of Python take complex arrays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from ...ir.builder import Value, bind_all, staging
from ...ir.graph import OPS, Graph
from ...ir.types import ArrayType, DType, TapeType, complex_of
from ...ops.effects import HostFunction, Results, checked
from .split import split
from .table import Operand, Parts, apart, rule, side_by_side


def _flat(args: Sequence[Operand]) -> list[Value]:
    return [part for x in args for part in (x if isinstance(x, Parts) else (x,))]


def _put_together(found: Sequence[Value], types: Sequence[Any]) -> list[Operand]:
    """Results as the op gives them, two for each that is a complex array."""
    items = iter(found)
    return [Parts(next(items), next(items)) if is_two(t) else next(items) for t in types]


def is_two(type: Any) -> bool:
    return type.dtype.is_complex and not isinstance(type, TapeType)


def _count(types: Sequence[Any]) -> int:
    """How many real values stand for values of these types."""
    return sum(2 if is_two(t) else 1 for t in types)


def _parts(graph: Graph) -> Graph:
    return split(graph, (False,) * len(graph.inputs), (False,) * len(graph.outputs))


@rule("scan")
def scanned(*args: Operand, body: Graph, consts: int, carry: int, length: int | None, **params: Any) -> list[Operand]:
    types, results = body.input_types, body.output_types
    head, first = (0 if length is not None else 1), consts + carry
    kept = length is None
    on_tapes = [kept and n >= first for n in range(len(types))]
    inner = split(body, tuple(on_tapes), tuple(kept and n >= carry for n in range(len(results))))
    found = bind_all(
        OPS["scan"], *_flat(args), body=inner, consts=_count(types[:consts]), carry=_count(types[consts:first]), length=length,
        **params,
    )  # fmt: skip
    assert len(args) == head + len(types)
    carried = _count(results[:carry])
    ys = list(found[carried:]) if kept else _put_together(found[carried:], results[carry:])
    return [*_put_together(found[:carried], results[:carry]), *ys]


@rule("while_loop")
def looped(
    *args: Operand, cond: Graph, body: Graph, consts: int, saved: int, states: bool, checkpoint: int | None
) -> list[Operand]:
    types, carries = body.input_types, len(args) - consts
    whole = tuple(states and n >= consts for n in range(len(types)))
    test = split(cond, whole, (False,))
    inner = split(body, whole, tuple(states or n >= carries for n in range(len(body.outputs))))
    held = [side_by_side(x) if states and isinstance(x, Parts) else x for x in args[consts:]]
    found = bind_all(
        OPS["while_loop"], *_flat(args[:consts]), *_flat(held), cond=test, body=inner, consts=_count(types[:consts]), saved=saved,
        states=states, checkpoint=checkpoint,
    )  # fmt: skip
    if states:
        last = [apart(x) if is_two(t) else x for x, t in zip(found, types[consts:], strict=False)]
        return [*last, *found[carries:]]
    count = _count(types[consts:])
    return [*_put_together(found[:count], types[consts:]), *found[count:]]


@rule("switch")
def branched(number: Value, *args: Operand, branches: tuple[Graph, ...]) -> list[Operand]:
    found = bind_all(OPS["switch"], number, *_flat(args), branches=tuple(map(_parts, branches)))
    return _put_together(found, branches[0].output_types)


@rule("rowwise")
def by_rows(*args: Operand, graph: Graph, mapped: tuple[bool, ...], size: int) -> list[Operand]:
    flags = chain.from_iterable([m] * (2 if isinstance(x, Parts) else 1) for x, m in zip(args, mapped, strict=True))
    found = bind_all(OPS["rowwise"], *_flat(args), graph=_parts(graph), mapped=tuple(flags), size=size)
    return _put_together(found, graph.output_types)


def in_steps(
    step: Callable[[list[Value], list[Value]], list[Value]], length: int, carries: list[Value], xs: list[Value]
) -> tuple[list[Value], list[Value]]:
    """A scan whose step gives the new carries: the last ones, and all of them stacked."""
    with staging() as builder:
        held = [builder.input(c.type) for c in carries]
        slices = [builder.input(ArrayType(x.type.shape[1:], x.type.dtype)) for x in xs]
        new = step(held, slices)
        body, _ = builder.finish([*new, *new])
    found = bind_all(
        OPS["scan"], *carries, *xs, body=body, consts=0, carry=len(carries), length=length, reverse=False, unroll=1
    )  # fmt: skip
    return list(found[: len(carries)]), list(found[len(carries) :])


# -- calls of Python


def _whole(args: Sequence[Operand]) -> list[Value]:
    return [side_by_side(x) if isinstance(x, Parts) else x for x in args]


class _OfWholes:
    """A function of complex arrays, as one of real arrays with the parts side by side."""

    def __init__(self, name: str, callee: HostFunction, dtypes: Sequence[DType], results: Results) -> None:
        self.name, self.callee, self.dtypes, self.results = name, callee, dtypes, results

    def __call__(self, *arrays: Any) -> Any:
        given = [
            a.view(t.numpy).reshape(a.shape[:-1]) if t.is_complex else a for a, t in zip(arrays, self.dtypes, strict=True)
        ]  # fmt: skip
        found = self.callee.function(*given)
        if not self.results:
            return found
        made = checked(self.name, self.results, found)
        pairs = zip(made, self.results, strict=True)
        return [a.view(t.real.numpy).reshape(*shape, 2) if t.is_complex else a for a, (shape, t) in pairs]


def _dtype(x: Operand) -> DType:
    if isinstance(x, Parts):
        return complex_of(x.real.type.dtype)
    return x.type.dtype  # type: ignore[no-any-return]


def _calls(name: str) -> None:
    def called(*args: Operand, callee: HostFunction, results: Results = (), **params: Any) -> list[Operand]:
        function = HostFunction(name, _OfWholes(name, callee, [_dtype(x) for x in args], results))
        if name != "callback":
            params["results"] = tuple(
                ((*shape, 2), t.real) if t.is_complex else (shape, t) for shape, t in results
            )  # fmt: skip
        found = bind_all(OPS[name], *_whole(args), callee=function, **params)
        return [apart(x) if t.is_complex else x for x, (_, t) in zip(found, results, strict=True)]

    rule(name)(called)


for _name in ("callback", "io_callback", "pure_callback"):
    _calls(_name)
