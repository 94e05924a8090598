"""custom_gradient: a function that returns its value and its backward rule at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jitgrad_compiler.ir.builder import with_weak
from jitgrad_compiler.ir.interpreter import evaluate

from . import tree
from .array import as_value
from .custom_derivatives import custom_vjp
from .custom_rules import Outputs, result_pair, with_float0
from .tracing import Traced, array_leaves, check_function, function_name, is_float0, trace
from .tree_registration import Partial


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function from one that returns a pair: its value, and a rule from the value's cotangent to cotangents of the arguments.

    The rule gives a tuple, one cotangent for each argument, or for one argument that cotangent itself; it may close over what
    the function computes. It is traced, so its argument has no concrete values. Raises ArgumentError where fun does not return a
    pair. As jax.custom_gradient; custom_vjp says the same in two functions.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> @custom_gradient
    ... def clipped(x):
    ...     return x ** 2, lambda g: jnp.clip(2 * x * g, -1, 1)
    >>> print(clipped(3.0), jitgrad.grad(clipped)(3.0))
    9.0 1.0
    """
    check_function("custom_gradient", fun)
    where = f"custom_gradient function {function_name(fun)}"

    @custom_vjp
    @functools.wraps(fun)
    def function(*args: Any, **kwargs: Any) -> Any:
        return result_pair(where, "(output, rule)", fun(*args, **kwargs))[0]

    def fwd(*args: Any) -> Any:
        out, rule = result_pair(where, "(output, rule)", fun(*args))
        outs = Outputs(*array_leaves(where, out, "the output"))
        likes = outs.likes
        floats = [v for v in likes if v.type.dtype.is_inexact]

        def run(*moving: Any) -> Any:
            return rule(tree.unflatten(outs.treedef, with_float0(likes, moving)))

        traced = trace(
            run, function_name(rule), [v.type for v in floats], [v.weak for v in floats], tree.structure((0,) * len(floats))
        )
        captured, traced.captured = traced.captured, []
        return out, Partial(_as_function(traced, len(captured)), *captured)

    def bwd(rule: Any, cotangent: Any) -> Any:
        moving = [x for x in tree.leaves(cotangent) if not is_float0(x)]
        found = rule(*moving)
        return found if isinstance(found, (tuple, list)) else (found,)

    function.defvjp(fwd, bwd)
    return function


def _as_function(traced: Traced, count: int) -> Callable[..., Any]:
    """A traced rule as a function, of whose arguments the first are what it closes over."""

    def evaluated(*captured_and_cotangents: Any) -> Any:
        values = [as_value(x) for x in captured_and_cotangents]
        found = evaluate(traced.graph, [*values[count:], *values[:count]])
        return tree.unflatten(traced.out_tree, [with_weak(v, w) for v, w in zip(found, traced.out_weak, strict=True)])

    return evaluated


__all__ = ["custom_gradient"]
