"""jax.lax's words to the compiler and about devices: of these there is one, the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.tracing import array_leaves

from .bodies import check_callable

PLATFORM = "cpu"


def optimization_barrier(operand: Any) -> Any:
    """A pytree of arrays as it is. The compiler neither joins what is behind with what is in front nor computes it once for both.

    >>> print(optimization_barrier(2.0))
    2.0
    """
    leaves, treedef = array_leaves("lax.optimization_barrier", operand, "the operand")
    return tree.unflatten(treedef, [ops.op("barrier", x) for x in leaves])


def platform_dependent(*args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]) -> Any:
    """The function given for the platform that programs run on, `cpu`, else `default`, called with args.

    >>> print(platform_dependent(2.0, cpu=lambda x: x + 1, tpu=lambda x: x - 1))
    3.0
    """
    for name, given in {"default": default, **per_platform}.items():
        if given is not None or name != "default":
            check_callable("lax.platform_dependent", name, given)
    f = per_platform.get(PLATFORM, default)
    if f is None:
        named = ", ".join(per_platform) or "none"
        raise ArgumentError(f"lax.platform_dependent: there is neither a function for {PLATFORM} nor a default, but for {named}")
    return f(*args)


def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """x: on one device there is nothing to lay out. `shardings` is taken for likeness with jax."""
    return x
