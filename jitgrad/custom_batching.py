"""custom_vmap and sequential_vmap: functions that say themselves how they are done to a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from jitgrad_compiler.ir.builder import Builder, Value, bind_all, state, with_weak
from jitgrad_compiler.ops.custom import BatchRule
from jitgrad_compiler.ops.custom import custom_vmap as vmap_op
from jitgrad_compiler.ops.define import broadcast_batch

from . import tree
from .array import Array
from .custom_derivatives import innermost_trace
from .custom_rules import Outputs, leaves_like, positional, stand_ins
from .errors import ArgumentError, MissingRuleError
from .lax.loops import map as one_by_one
from .tracebacks import boundary_methods
from .tracing import ARGUMENT, array_leaves, check_function, function_name, trace


class custom_vmap:
    """A function whose batching is stated by a rule.

    `f.def_vmap(rule)`: rule(axis_size, in_batched, *args) -> (output, out_batched). in_batched has the structure of the arguments,
    with bools: which leaves have the axis of examples, always in front; out_batched says it of the output. Derivatives are those of
    the function itself, and derivatives inside a vmap do not use the rule. Calling f before a rule is defined raises
    MissingRuleError. As jax.custom_batching.custom_vmap.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> f = custom_vmap(lambda x, y: x + y)
    >>> rule = f.def_vmap(lambda size, batched, x, y: (x * 10 + y, True))
    >>> print(f(1.0, 2.0), jitgrad.vmap(f, in_axes=(0, None))(jnp.ones(2), 2.0))
    3.0 [12. 12.]
    """

    def __init__(self, fun: Callable[..., Any]) -> None:
        check_function("custom_vmap", fun)
        functools.update_wrapper(self, fun)
        self.fun, self.name = fun, function_name(fun)
        self.vmap_rule: Callable[..., Any] | None = None

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Define the rule; returns it, so that this is a decorator."""
        self.vmap_rule = vmap_rule
        return vmap_rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        where = f"custom_vmap function {self.name}"
        rule = self.vmap_rule
        if rule is None:
            raise MissingRuleError(f"{where}: no rule is defined; call {self.name}.def_vmap before the function")
        args = positional(where, self.fun, args, kwargs)
        if not isinstance(innermost_trace(args), Builder) or state.staging is None:
            return self.fun(*args)
        values, in_tree = array_leaves(where, args, ARGUMENT)
        weak = [v.weak for v in values]
        traced = trace(self.fun, self.name, [v.type for v in values], weak, in_tree)
        outs = Outputs(stand_ins(traced), traced.out_tree)

        def run(size: int, given: Sequence[Value], batched: Sequence[bool]) -> list[Value]:
            shown = [with_weak(v, w and not b) for v, w, b in zip(given, weak, batched, strict=True)]
            flags, arguments = tree.unflatten(in_tree, batched), tree.unflatten(in_tree, shown)
            return _batched_results(where, size, outs, rule(size, list(flags), *arguments))

        found = bind_all(
            vmap_op, *traced.captured, *values, graph=traced.with_consts(traced.captured), batching=BatchRule(self.name, run),
            consts=len(traced.captured), name=self.name,
        )  # fmt: skip
        return outs.shown(found)


def _batched_results(where: str, size: int, outs: Outputs, result: Any) -> list[Value]:
    """What a rule gives, every leaf with the axis of examples in front."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise ArgumentError(f"{where}: the rule must return a pair (output, out_batched), got {type(result).__name__}: {result!r}")
    out, flags = result
    batched = tree.leaves(tree.broadcast(flags, tree.unflatten(outs.treedef, outs.likes)))
    likes = [
        Array(type(v.type)((size, *v.type.shape) if b else v.type.shape, v.type.dtype), None, None)
        for v, b in zip(outs.leaves, batched, strict=True)
    ]
    found = leaves_like(f"{where}: the rule", "output", likes, outs.treedef, out)
    return [broadcast_batch(v, size, b) for v, b in zip(found, batched, strict=True)]


def sequential_vmap(fun: Callable[..., Any]) -> custom_vmap:
    """fun, of which vmap does one example after another, by lax.map. As jax.custom_batching.sequential_vmap.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(sequential_vmap(lambda x: x * x))(jnp.arange(3)))
    [0 1 4]
    """
    f = custom_vmap(fun)

    @f.def_vmap
    def rule(axis_size: int, in_batched: list[Any], *args: Any) -> Any:
        leaves, treedef = tree.flatten(args)
        flags = tree.leaves(in_batched)

        def one(rows: list[Any]) -> Any:
            items = iter(rows)
            return fun(*tree.unflatten(treedef, [next(items) if b else x for x, b in zip(leaves, flags, strict=True)]))

        out = one_by_one(one, [x for x, b in zip(leaves, flags, strict=True) if b])
        return out, tree.map(lambda _: True, out)

    return f


boundary_methods(custom_vmap, plain=("__init__",))

__all__ = ["custom_vmap", "sequential_vmap"]
