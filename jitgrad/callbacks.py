"""Calls of Python functions from programs: `pure_callback` and `io_callback`; debug.py has those that give nothing back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ops import effects
from jitgrad_compiler.ops.effects import HostFunction, Results, host_function, result_of

from . import tree
from .array import Array, as_value
from .errors import ArgumentError, DTypeError, NotAnArrayError, TreeStructureError
from .signatures import static_key
from .tracing import function_name


class Prepared(NamedTuple):
    """A call: the Arrays among its arguments, and the function of these."""

    operands: list[Array]
    callee: HostFunction


def prepare_call(where: str, function: Callable[..., Any], arguments: Any, results: Any = None) -> Prepared:
    """A call of `function(*args, **kwargs)`, `arguments` being the pair; what is no array among them is handed on as it is.

    `results` is the structure of what the function gives; None: nobody asks.
    """
    if not callable(function):
        raise ArgumentError(f"{where}: the first argument must be a function, got {type(function).__name__}")
    leaves, in_tree = tree.flatten(arguments)
    values = [_array_or_none(x) for x in leaves]
    others = {n: x for n, (x, v) in enumerate(zip(leaves, values, strict=True)) if v is None}
    name = function_name(function)

    def call(*arrays: Any) -> list[Any]:
        items = iter(arrays)
        args, kwargs = tree.unflatten(in_tree, [others[n] if n in others else next(items) for n in range(len(leaves))])
        given = function(*args, **kwargs)
        if results is None:
            return []
        found, out_tree = tree.flatten(given)
        if detail := tree.difference(results, out_tree):
            raise TreeStructureError(
                f"{where} of {name}: the function must return the structure {results} of result_shape_dtypes, got {out_tree} "
                f"({detail})"
            )
        return found

    key: Any = (where, function, in_tree, tuple((n, static_key(x)) for n, x in others.items()), results)
    try:
        hash(key)
    except TypeError:  # found again by nobody
        return Prepared([v for v in values if v is not None], HostFunction(name, call))
    return Prepared([v for v in values if v is not None], host_function(key, name, call))


def _array_or_none(x: Any) -> Array | None:
    try:
        return as_value(x)
    except (NotAnArrayError, DTypeError):
        return None


def _results_of(where: str, result_shape_dtypes: Any) -> tuple[Results, Any]:
    leaves, out_tree = tree.flatten(result_shape_dtypes)
    for x in leaves:
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise ArgumentError(
                f"{where}: result_shape_dtypes must be a pytree of jitgrad.ShapeDtypeStruct or of arrays, got {type(x).__name__}: "
                f"{str(x)[:60]!r}"
            )
    return tuple(map(result_of, leaves)), out_tree


VMAP_METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all", None)


def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: None = None,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """What a Python function without side effects gives for concrete NumPy arrays, in jit and loops, too.

    Args:
        callback: called with `args` and `kwargs`; it may be called more than once, or not at all where nobody reads its results.
        result_shape_dtypes: a pytree of ShapeDtypeStructs: what it returns. A result of another shape or type is an error.
        vmap_method: "sequential": one call for each example; "expand_dims": one call, operands and results with a leading axis, of
            size 1 where an operand is the same for all; "broadcast_all": the same, with all operands repeated.

    It has no derivative of its own: give it one with custom_jvp or custom_vjp. An exception ends the program and is raised where
    that was called.

    >>> import numpy as np, jitgrad, jitgrad.numpy as jnp
    >>> cumulated = lambda x: pure_callback(np.cumsum, jitgrad.ShapeDtypeStruct(x.shape, x.dtype), x)
    >>> print(jitgrad.jit(cumulated)(jnp.array([1.0, 2.0, 3.0])))
    [1. 3. 6.]
    """
    if vmap_method not in VMAP_METHODS:
        raise ArgumentError(f"pure_callback: vmap_method must be one of {', '.join(map(repr, VMAP_METHODS))}, got {vmap_method!r}")
    results, out_tree = _results_of("pure_callback", result_shape_dtypes)
    called = prepare_call("pure_callback", callback, (args, kwargs), out_tree)
    outs = bind_all(effects.pure_callback, *called.operands, callee=called.callee, results=results, method=vmap_method)
    return tree.unflatten(out_tree, outs)


def io_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: None = None,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """What a Python function gives for concrete NumPy arrays, called each time that the program comes by, in jit and loops, too.

    Args:
        callback: called with `args` and `kwargs`; it may read, write and draw numbers as it likes.
        result_shape_dtypes: a pytree of ShapeDtypeStructs, or None: what it returns. A result of another shape or type is an error.
        ordered: for likeness with jax: calls always come in the order of the program.

    Under vmap it is called for each example; it has no derivative. An exception ends the program and is raised where that was
    called.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> lines = iter([1.5, 2.5])
    >>> read = jitgrad.jit(lambda: io_callback(lambda: next(lines), jitgrad.ShapeDtypeStruct((), jnp.float32)))
    >>> print(read(), read())
    1.5 2.5
    """
    results, out_tree = _results_of("io_callback", result_shape_dtypes)
    called = prepare_call("io_callback", callback, (args, kwargs), out_tree)
    return tree.unflatten(out_tree, bind_all(effects.io_callback, *called.operands, callee=called.callee, results=results))
