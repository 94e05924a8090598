"""linear_transpose, and closure_convert, which makes what a function closes over its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitgrad_compiler.ir.builder import with_weak
from jitgrad_compiler.ir.interpreter import evaluate
from jitgrad_compiler.passes.custom_rules import supplied
from jitgrad_compiler.passes.linear_transpose import linear_transpose_graph

from . import tree
from .array import Array
from .custom_rules import leaves_like, stand_ins
from .differentiation import check_reduce_axes
from .errors import NonDifferentiableError
from .tracing import abstract_leaves, check_function, function_name, trace


def linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Sequence[Any] = ()) -> Callable[[Any], tuple[Any, ...]]:
    """The transpose of a function that is linear in its arguments: from a cotangent of its output to a tuple of those of its
    arguments.

    primals: arrays or ShapeDtypeStructs, of which only shapes and types matter. The cotangent must be like the output, else
    TreeStructureError. Raises NonDifferentiableError where fun is not linear, naming what makes it so, or where an argument or an
    output is not of a float or complex type. As jax.linear_transpose.

    >>> import jitgrad.numpy as jnp
    >>> a = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    >>> transposed = linear_transpose(lambda x: a @ x, jnp.zeros(2))
    >>> print(*transposed(jnp.array([1.0, 0.0])))
    [1. 2.]
    """
    check_function("linear_transpose", fun)
    check_reduce_axes("linear_transpose", reduce_axes)
    name = function_name(fun)
    where = f"linear_transpose of {name}"
    types, weak, in_tree = abstract_leaves(where, (primals, {}))
    names = [f"argument {path[0].idx}{tree.path_text(path[1:])}" for path, _ in tree.leaves_with_path(primals)]
    traced = trace(lambda args, _: fun(*args), name, types, weak, in_tree)
    shape = tree.unflatten(traced.out_tree, stand_ins(traced))
    outputs = [f"the output{tree.path_text(path)}" for path, _ in tree.leaves_with_path(shape)]
    for t, what in zip([*types, *traced.graph.output_types], [*names, *outputs], strict=True):
        if not t.dtype.is_inexact:
            raise NonDifferentiableError(f"{where}: {what} must be of a float or complex type, got {t}")
    linear = [n < len(types) for n in range(len(traced.graph.inputs))]
    graph, closed_over = supplied(traced.graph, linear)
    backward = linear_transpose_graph(graph, [*linear, *[False] * len(closed_over)], f"{where}: the function")

    def transposed(cotangent: Any) -> tuple[Any, ...]:
        given = leaves_like(where, "cotangent", stand_ins(traced), traced.out_tree, cotangent)
        found = evaluate(backward, [*traced.captured, *closed_over, *given])
        args, _ = tree.unflatten(in_tree, [with_weak(v, w) for v, w in zip(found, weak, strict=True)])
        return args

    return transposed


def closure_convert(fun: Callable[..., Any], *example_args: Any) -> tuple[Callable[..., Any], list[Any]]:
    """(a function, values) such that `function(*args, *values)` is `fun(*args)`, where the values are what fun closes over.

    Values are those that may be differentiated: of a float or complex type, and being traced or differentiated now; what else fun
    closes over is a part of the function. So a function with custom derivatives can take another function whose closure matters: it
    converts it first and takes the values as arguments. The function is for arguments of the structure, shapes and types of
    example_args, else TreeStructureError. As jax.closure_convert.

    >>> import jitgrad
    >>> def outer(y):
    ...     converted, values = jitgrad.closure_convert(lambda x: x * y, 2.0)
    ...     return converted(3.0, *values)
    >>> print(jitgrad.grad(outer)(5.0))
    3.0
    """
    check_function("closure_convert", fun)
    name = function_name(fun)
    where = f"closure_convert of {name}"
    types, weak, in_tree = abstract_leaves(where, (example_args, {}))
    likes = [Array(t, None, None, w) for t, w in zip(types, weak, strict=True)]
    traced = trace(lambda args, _: fun(*args), name, types, weak, in_tree)
    hoisted = [v.owner is not None and v.type.dtype.is_inexact for v in traced.captured]
    values: list[Any] = [v for v, flag in zip(traced.captured, hoisted, strict=True) if flag]

    def converted(*args_and_values: Any) -> Any:
        count = len(args_and_values) - len(values)
        given = leaves_like(where, "arguments", likes, in_tree, (args_and_values[: max(count, 0)], {}))
        stood = [Array(v.type, None, None) for v in values]
        rest = iter(leaves_like(where, "values", stood, tree.structure([0] * len(stood)), list(args_and_values[max(count, 0) :])))
        consts = [next(rest) if flag else v for v, flag in zip(traced.captured, hoisted, strict=True)]
        outs = evaluate(traced.graph, [*given, *consts])
        return tree.unflatten(traced.out_tree, [with_weak(o, w) for o, w in zip(outs, traced.out_weak, strict=True)])

    converted.__name__ = name
    return converted, values


__all__ = ["closure_convert", "linear_transpose"]
