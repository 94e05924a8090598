"""The functions that users give to loops and branches, as Graphs: traced, named in errors, brought to common operands and results.

Next on the path: loops.py and conditionals.py.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import NotAFunctionError, NotAScalarError, ParametersError
from jitgrad.operands import promote_all
from jitgrad.promotion import default_float, strong_dtype
from jitgrad.tracing import Traced, function_name
from jitgrad_compiler.ir.builder import Weak, staging
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.interpreter import evaluate
from jitgrad_compiler.ir.types import INTEGERS, ArrayType, DType

Types = Sequence[tuple[ArrayType, Weak]]
"""Of each leaf its type, and its weakness."""


def check_callable(where: str, what: str, f: Any) -> None:
    if not callable(f):
        raise NotAFunctionError(f"{where}: {what} must be a function, got {type(f).__name__}: {str(f)[:60]!r}")


def check_parameters(where: str, what: str, f: Callable[..., Any], *given: str) -> None:
    """Raise ParametersError for a function that cannot be called with arguments of these names."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # not every callable can say what it takes
        return
    try:
        signature.bind(*given)
    except TypeError as error:
        called = f"{what}({', '.join(given)})"
        raise ParametersError(
            f"{where}: {what} is called as {called}, but {described(f)} takes {signature}: {error}. Give it these parameters"
            + (f": lambda {', '.join(given)}: ..." if given and all(g.isidentifier() for g in given) else ".")
        ) from None


def check_number(where: str, what: str, x: Array, dtypes: Sequence[DType], kind: str) -> None:
    """Raise NotAScalarError unless x is a scalar of one of these element types."""
    if x.type.shape or x.type.dtype not in dtypes:
        fix = "Take one element of it." if x.type.shape else "Convert it with .astype."
        raise NotAScalarError(f"{where}: {what} must be {kind}, got {type_text(x.type, x.weak)}. {fix}")


def check_integer(where: str, what: str, x: Array) -> None:
    check_number(where, what, x, INTEGERS, "an integer scalar")


def described(f: Callable[..., Any]) -> str:
    """A function's name, and the file and line where it is defined."""
    inner: Any = f
    while True:
        if isinstance(inner, functools.partial):
            inner = inner.func
        elif hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        else:
            break
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    name = function_name(inner if isinstance(f, functools.partial) else f)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name


def type_text(type: ArrayType, weak: Weak = False) -> str:
    """A type as users write it: float32[3]."""
    return f"{strong_dtype(type.dtype, weak).numpy}{list(type.shape)}"


def leaf_names(what: str, structure: tree.PyTreeDef) -> list[str]:
    """What each leaf of a structure is called in an error."""
    items = tree.unflatten(structure, range(structure.num_leaves))
    return [what + tree.path_text(path) for path, _ in tree.leaves_with_path(items)]


def converted(graph: Graph, dtypes: Sequence[DType]) -> Graph:
    """The graph with its results in these element types."""
    if all(t.dtype == d for t, d in zip(graph.output_types, dtypes, strict=True)):
        return graph
    with staging() as builder:
        outs = evaluate(graph, [builder.input(t) for t in graph.input_types])
        return builder.finish([ops.convert(o, d) for o, d in zip(outs, dtypes, strict=True)])[0]  # type: ignore[arg-type]


def result_types(body: Traced) -> list[tuple[ArrayType, Weak]]:
    return list(zip(body.graph.output_types, body.out_weak, strict=True))


def common(types: Types) -> tuple[DType, Weak] | None:
    """The element type in which results of several branches meet, and whether it is weak; None where there is none.

    Strong types must be equal; a weak one adapts where promotion would give the strong one.
    """
    dtype, weak = promote_all(tuple((t.dtype, weak) for t, weak in types), default_float())
    strong = {t.dtype for t, w in types if not w}
    return None if strong - {dtype} or (strong and weak) else (dtype, weak)
