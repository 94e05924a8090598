"""checkpoint: functions that keep little for their derivative and compute the rest again when it is taken.

A call outside any trace just runs the function. Any other call traces it to a Graph, which goes into one `checkpoint` equation;
jitgrad_compiler/passes/checkpointing.py differentiates it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jitgrad_compiler.ir.builder import bind, bind_all, state, with_weak
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ops.checkpointing import NOTHING
from jitgrad_compiler.ops.checkpointing import checkpoint as checkpoint_op

from . import tree
from .array import as_value
from .checkpoint_policies import Policy
from .errors import ArgumentError, NonHashableStaticArgumentError
from .tracebacks import boundary
from .tracing import ARGUMENT, array_leaves, check_function, function_name, trace


def checkpoint(
    fun: Callable[..., Any] | None = None,
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Iterable[str] = (),
) -> Any:
    """fun, of which a derivative keeps the arguments alone and computes again, when it is needed, what else it needs.

    The values and derivatives are fun's own; what changes is that memory for intermediate values is paid with time for a second
    computation. policy: which intermediate values to keep nevertheless, one of `jitgrad.checkpoint_policies`. prevent_cse: keep the
    second computation apart from the first inside jit; False where something else does. static_argnums, static_argnames: arguments,
    counted from 0, and keyword arguments that are no arrays or that Python branches on; they must be hashable. `remat` is another
    name.

    Raises NonHashableStaticArgumentError for a static argument that cannot be hashed, and ArgumentError for what is no policy. In
    a traced or differentiated call the function is traced, so its arguments have no concrete values there. As jax.checkpoint; for
    what it saves see Chen et al., Training deep nets with sublinear memory cost, 2016.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> block = jitgrad.checkpoint(lambda x: jnp.sin(jnp.sin(x)))
    >>> print(jitgrad.grad(lambda x: block(block(x)))(0.0))
    1.0
    """
    if fun is None:
        return functools.partial(
            checkpoint, prevent_cse=prevent_cse, policy=policy, static_argnums=static_argnums, static_argnames=static_argnames
        )
    check_function("checkpoint", fun)
    if policy is not None and not isinstance(policy, Policy):
        raise ArgumentError(
            f"checkpoint of {function_name(fun)}: policy must be one of jitgrad.checkpoint_policies, got {policy!r}. Policies "
            "are data, not functions: name the values to keep with checkpoint_name and use save_only_these_names."
        )
    f, name = fun, function_name(fun)
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    params = {"policy": NOTHING if policy is None else policy.rule, "prevent_cse": bool(prevent_cse), "name": name}

    @boundary
    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not state.level:
            return f(*args, **kwargs)
        static = _static(name, args, numbers)
        named = {k: _hashable(name, repr(k), v) for k, v in kwargs.items() if k in names}
        rest = {k: v for k, v in kwargs.items() if k not in named}
        dynamic = tuple(None if n in static else a for n, a in enumerate(args))
        values, in_tree = array_leaves(f"checkpoint of {name}", (dynamic, rest), ARGUMENT)

        def run(given: Sequence[Any], keywords: dict[str, Any]) -> Any:
            return f(*[static.get(n, a) for n, a in enumerate(given)], **keywords, **named)

        traced = trace(run, name, [v.type for v in values], [v.weak for v in values], in_tree)
        outs = bind_all(checkpoint_op, *values, *traced.captured, graph=traced.graph, **params)
        return tree.unflatten(traced.out_tree, [with_weak(o, w) for o, w in zip(outs, traced.out_weak, strict=True)])

    return wrapped


remat = checkpoint


def _static(name: str, args: tuple[Any, ...], numbers: Sequence[int]) -> dict[int, Any]:
    """The static arguments by their numbers, which may count from the end."""
    found = {}
    for n in numbers:
        if not isinstance(n, int) or not -len(args) <= n < len(args):
            raise ArgumentError(f"checkpoint of {name}: static_argnums names argument {n!r}, but the call has {len(args)}")
        found[n % len(args)] = _hashable(name, str(n % len(args)), args[n])
    return found


def _hashable(name: str, which: str, value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise NonHashableStaticArgumentError(
            f"checkpoint of {name}: static argument {which} must be hashable, got {type(value).__name__}: "
            f"{str(value)[:60]!r}. Use a tuple instead of a list, or pass it as an ordinary argument."
        ) from None
    return value


def checkpoint_name(x: Any, name: str) -> Any:
    """x, under a name by which policies of `checkpoint` know it. A pytree's leaves each; nothing is computed.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> policy = jitgrad.checkpoint_policies.save_only_these_names("sine")
    >>> f = jitgrad.checkpoint(lambda x: jnp.exp(checkpoint_name(jnp.sin(x), "sine")), policy=policy)
    >>> print(jitgrad.grad(f)(0.0))
    1.0
    """
    if not isinstance(name, str):
        raise ArgumentError(f"checkpoint_name: the name must be a string, got {name!r}")

    def named(leaf: Any) -> Any:
        value = as_value(leaf, "checkpoint_name")
        return with_weak(bind(OPS["checkpoint_name"], value, name=name), value.weak)

    return tree.map(named, x)


__all__ = ["checkpoint", "checkpoint_name", "remat"]
