"""A function's operations on arrays of known types, done again without the function: one NumPy reference after the other.

`recorded` traces a function once and writes down what it does as a Python function of arrays. Nothing is reordered, and what it
does twice is done once, so that its numbers are those of the function's own operations. at_once.py calls this for functions that
have no counterpart in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Builder, as_typed, run_is_plain, staging
from jitgrad_compiler.ir.graph import OPS, Graph, Literal, Var
from jitgrad_compiler.passes.inline import inline
from jitgrad_compiler.passes.simplify import share

from .array import Array
from .direct_calls import direct, left_to_readers, spread
from .replay_branches import Step, arranged

LARGEST = 1 << 14
"""Elements of any one array above which the operations' own time counts, not what a call costs."""
LONGEST = 2000
"""Operations of the longest function that is written down."""


WITH_RULES = OPS["custom_jvp"], OPS["custom_vjp"]
"""Functions with derivatives of their own: where none is taken, they are what they call."""


class NotRecorded(Exception):
    """A function that does more than plain operations on small arrays, or looks at their elements."""


def recorded(function: Callable[..., Any], args: Any, kwargs: Any, arrays: Sequence[Any]) -> Callable[..., Any]:
    """`f(*arrays)`: the results' arrays for the arrays in `args` and `kwargs`, in order. Raises for what cannot be recorded."""
    with staging() as builder:
        inputs = iter(_inputs(builder, args, kwargs))
        out = function(*_replaced(args, inputs), **_replaced(kwargs, inputs))
        single = isinstance(out, Array)
        results = [out] if single else list(out)
        graph, captured = builder.finish([*results, *builder.supposed])
    for op in WITH_RULES:
        graph = inline(graph, op)
    graph = share(graph)
    if builder.looked_at or len(graph.eqns) > LONGEST or not all([isinstance(v, Var) for v in graph.outputs]):
        raise NotRecorded
    known = [*arrays, *[v.data() for v in captured]]
    return _written(graph, known, len(arrays), None if single else len(results))


def _inputs(builder: Builder, *given: Any) -> list[Any]:
    found: list[Any] = []

    def visit(items: Iterable[Any]) -> None:
        for x in items:
            if type(x) is Array:
                found.append(builder.input(x.type))
            elif isinstance(x, (tuple, list, dict)):
                visit(x.values() if isinstance(x, dict) else x)

    visit(given)
    return found


def _replaced(x: Any, inputs: Any) -> Any:
    if type(x) is Array:
        return next(inputs)
    if isinstance(x, (tuple, list)):
        return type(x)([_replaced(v, inputs) for v in x])
    return {k: _replaced(v, inputs) for k, v in x.items()} if isinstance(x, dict) else x


def _written(graph: Graph, arrays: list[Any], count: int, several: int | None) -> Callable[..., Any]:
    """The graph as a Python function of its first `count` inputs, of `several` results or one. What does not depend on the inputs
    is computed here. Outputs behind the results are supposed to be True: it raises where they are not.
    """
    number = 1 if several is None else several
    results: list[Any] = list(graph.outputs[:number])
    supposed: list[Any] = list(graph.outputs[number:])
    values: dict[Var, Any] = dict(zip(graph.inputs, arrays, strict=True))
    names: dict[Var, str] = {v: f"v{i}" for i, v in enumerate(graph.inputs[:count])}
    scope: dict[str, Any] = {"typed": as_typed}

    def bound(value: Any) -> str:
        scope[f"c{len(scope)}"] = value
        return f"c{len(scope) - 1}"

    def value(a: Any, numpys: Any) -> Any:
        if isinstance(a, Literal):
            return np.asarray(a.value) if isinstance(numpys, np.ufunc) or numpys is np.where else a.value  # which take it sooner
        return values[a]

    def named(a: Any, numpys: Any = None) -> str:
        return names[a] if isinstance(a, Var) and a in names else bound(value(a, numpys))

    steps: list[Step] = []
    left = left_to_readers(graph.eqns, graph.outputs)
    for e in graph.eqns:
        types = [v.type for v in (*e.inputs, *e.outputs)]
        if not run_is_plain(e.op, e.params, types) or e.has_effect or any([t.size > LARGEST for t in types]):
            raise NotRecorded
        numpys, more, params = spread(e) if e.outputs[0] in left else direct(e)
        outs = numpys(*[value(a, numpys) for a in e.inputs], *more, **params)
        listed = isinstance(outs, (tuple, list))
        outs = outs if listed else (outs,)
        values.update((v, o if v in left else as_typed(o, v.type)) for v, o in zip(e.outputs, outs, strict=True))
        if not any(isinstance(a, Var) and a in names for a in e.inputs):
            continue
        call = ", ".join(
            [*[named(a, numpys) for a in e.inputs], *map(bound, more), *[f"{k}={bound(p)}" for k, p in params.items()]]
        )
        names.update({v: f"v{len(names) + i}" for i, v in enumerate(e.outputs)})
        lines = [f"{', '.join([names[v] for v in e.outputs])}{',' * listed} = {bound(numpys)}({call})"]
        for v, o in zip(e.outputs, outs, strict=True):
            if v not in left and not (type(o) is np.ndarray and o.dtype is v.type.dtype.numpy and o.shape == v.type.shape):
                lines.append(f"{names[v]} = typed({names[v]}, {bound(v.type)})")
        steps.append((e, lines))
    kept = [c for c in scope.values() if isinstance(c, np.ndarray)]
    if any([np.may_share_memory(values[v], c) for v in results if v in names for c in kept]):
        raise NotRecorded  # a donation of such a result would write over what is kept here
    lines = arranged(steps, graph.outputs, names, left)
    for s in supposed:
        if s in names:
            lines.append(f"if not {named(s)}.all(): raise {bound(NotRecorded)}")
        elif not np.all(values[s]):
            raise NotRecorded
    given = [named(v) if v in names else f"{named(v)}.copy()" for v in results]
    lines.append(f"return {given[0] if several is None else '[' + ', '.join(given) + ']'}")
    source = f"def replay({', '.join([names[v] for v in graph.inputs[:count]])}):\n    " + "\n    ".join(lines)
    exec(source, scope)  # of our own names only
    replay: Callable[..., Any] = scope["replay"]
    return replay
