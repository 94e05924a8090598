"""Derivatives: grad, value_and_grad, jvp, vjp, linearize. Next on the path: jacobians.py, whose functions are made of these.

All of them run the function on dual numbers (jitgrad_compiler/passes/jvp.py and linearize.py). Outside jit the values are concrete,
so Python's `if`, `while`, print and pdb work inside a function that is being differentiated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from jitgrad_compiler.ir.builder import Value, bind, with_weak
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ops.define import full, zeros
from jitgrad_compiler.passes.jvp import jvp as jvp_values
from jitgrad_compiler.passes.linearize import Linearized
from jitgrad_compiler.passes.linearize import linearize as linearize_values

from . import tree
from .array import Array, as_value
from .errors import ArgumentError, NonDifferentiableError
from .held import Open, open_leaves
from .linear_maps import Pullback, Pushforward, cotangent_shown, linear_map, matched, tangent_shown
from .tracebacks import boundary
from .tracing import RESULT, array_leaves, check_function, function_name, is_module


def check_reduce_axes(where: str, reduce_axes: Sequence[Any]) -> None:
    if tuple(reduce_axes):
        raise ArgumentError(f"{where}: reduce_axes is here for likeness with jax and must be (), got {reduce_axes!r}")


def check_argnums(where: str, argnums: Any) -> None:
    """Raise ArgumentError unless argnums are numbers of arguments, and not arguments, which the new function takes."""
    wanted = argnums if isinstance(argnums, Sequence) and not isinstance(argnums, str) else (argnums,)
    if not all(isinstance(n, (int, np.integer)) for n in wanted):
        raise ArgumentError(
            f"{where}: argnums must be the number of an argument, or several, counted from 0, got {type(argnums).__name__}: "
            f"{str(argnums)[:60]!r}. {where} gives a function, which takes the values: {where}(f)(x)."
        )


def argument_numbers(where: str, argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    wanted = (argnums,) if isinstance(argnums, (int, np.integer)) else tuple(argnums)
    for n in wanted:
        if not isinstance(n, (int, np.integer)) or not -count <= n < count:
            raise ArgumentError(
                f"{where}: argnums={argnums} names argument {n}, but the function was called with {count} positional "
                f"argument{'s' if count != 1 else ''}. Arguments are counted from 0."
            )
    return tuple(n % count for n in wanted)


CONVERT = "Convert it with x.astype(float), or name other arguments with argnums."


def check_inexact(where: str, leaf: Array, name: str, holomorphic: bool, allow_int: bool = False, in_module: bool = False) -> None:
    dtype = leaf.type.dtype
    if holomorphic and not dtype.is_complex:
        raise NonDifferentiableError(
            f"{where}: holomorphic=True needs complex inputs, but {name} is {leaf.dtype}{list(leaf.shape)}"
        )
    if dtype.is_inexact or allow_int:
        return
    raise NonDifferentiableError(
        f"{where}: {name} must be of a float or complex type to be differentiated, got {leaf.dtype}{list(leaf.shape)}. "
        + ("Make it a buffer: self.register_buffer(name, value)." if in_module else CONVERT)
    )


def differentiated(
    where: str, args: Sequence[Any], wanted: Sequence[int], holomorphic: bool, allow_int: bool
) -> tuple[list[Array], list[Open]]:
    """The leaves of the wanted arguments that are not held, as Arrays, and how each argument is made of its own.

    Raises what `as_value` and `check_inexact` raise, with the leaf's path.
    """
    primals, parts = [], []
    for n in wanted:
        leaves, part = open_leaves(args[n])
        parts.append(part)
        for i, x in enumerate(leaves):
            if not isinstance(x, Array):
                x = as_value(x, f"{where}: {_leaf_name(args, n, i)}")
            if holomorphic or not x.type.dtype.is_inexact:
                check_inexact(where, x, _leaf_name(args, n, i), holomorphic, allow_int, is_module(args[n]))
            primals.append(x)
    return primals, parts


def _leaf_name(args: Sequence[Any], argument: int, leaf: int) -> str:
    """What a leaf of an argument is called in an error."""
    paths = [path for path, x in tree.leaves_with_path(args[argument], tree.is_held) if not tree.is_held(x)]
    return f"argument {argument}{tree.path_text(paths[leaf])}"


class _Result:
    """What a function returned while it was being differentiated: its structure, and its auxiliary part."""

    tree: Any = None
    count = 0
    aux_leaves: tuple[Any, Any] = ([], None)


def run_flat(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Any, wanted: Sequence[int], parts: Sequence[Open], has_aux: bool
) -> Any:
    """The function as one of flat values, and a record of what it returned; auxiliary arrays come behind the outputs."""
    record, name = _Result(), function_name(f)

    def flat(values: Sequence[Value]) -> list[Value]:
        items, full_args = list(values), list(args)
        for n, part in zip(wanted, parts, strict=True):
            full_args[n] = part.unflatten(items[: part.num_leaves])
            items = items[part.num_leaves :]
        out = f(*full_args, **kwargs)
        if has_aux:
            if not isinstance(out, (tuple, list)) or len(out) != 2:
                raise ArgumentError(f"{name}: with has_aux=True it must return a pair (output, aux), got {type(out).__name__}")
            out, aux = out
            record.aux_leaves = tree.flatten(aux)
        outputs, record.tree = array_leaves(name, out, RESULT)
        record.count = len(outputs)
        return [*outputs, *[x for x in record.aux_leaves[0] if isinstance(x, Array)]]

    flat.__name__ = name
    return flat, record


def auxiliary(record: _Result, lowered: Sequence[Value]) -> Any:
    """The auxiliary output with its arrays lowered out of the differentiation."""
    arrays = iter(lowered)
    leaves, treedef = record.aux_leaves
    return None if treedef is None else tree.unflatten(treedef, [next(arrays) if isinstance(x, Array) else x for x in leaves])


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function of the same arguments that returns fun's value and its gradient with respect to the arguments `argnums`.

    fun must return a scalar, or, with has_aux, a pair of a scalar and anything else. The gradient has the argument's pytree
    structure, without what that holds (`nn.trainable`: buffers and frozen parameters); for a tuple of argnums it is a tuple.
    Raises NonDifferentiableError for an output that is no real scalar and for arguments that are not of a float type,
    ArgumentError for an argnum out of range.

    >>> import jitgrad.numpy as jnp
    >>> value, gradient = value_and_grad(lambda x: jnp.sum(x ** 2))(jnp.array([1.0, 2.0]))
    >>> print(value, gradient)
    5.0 [2. 4.]
    """
    check_function("grad", fun)
    check_argnums("grad", argnums)
    check_reduce_axes("grad", reduce_axes)
    name = function_name(fun)

    @boundary
    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"grad of {name}"
        wanted = argument_numbers(where, argnums, len(args))
        primals, parts = differentiated(where, args, wanted, holomorphic, allow_int)
        flat, record = run_flat(fun, args, kwargs, wanted, parts, has_aux)
        lin = linearize_values(flat, primals, [p.type.dtype.is_inexact for p in primals])
        _check_scalar(where, record, lin.outputs, holomorphic)
        out = lin.outputs[0]
        found = lin.transpose([full((), 1, out.type.dtype), *[zeros(o.type) for o in lin.outputs[1:]]])
        grads = iter(cotangent_shown(ct, p) for ct, p in zip(found, primals, strict=True))
        per_argument = tuple(part.gradient([next(grads) for _ in range(part.num_leaves)]) for part in parts)
        gradient = per_argument[0] if isinstance(argnums, (int, np.integer)) else per_argument
        value = (out, auxiliary(record, lin.outputs[1:])) if has_aux else out
        return value, gradient

    return wrapped


def _check_scalar(where: str, record: _Result, outputs: Sequence[Value], holomorphic: bool) -> None:
    if record.count != 1:
        raise NonDifferentiableError(
            f"{where}: the function must return one scalar, got {record.count} arrays ({record.tree}). "
            "Return a sum of them, give auxiliary results with has_aux=True, or use jacrev."
        )
    out = cast(Array, outputs[0])
    if out.type.shape:
        raise NonDifferentiableError(
            f"{where}: the function must return a scalar, got {out.dtype}{list(out.type.shape)}. "
            "Reduce it with jitgrad.numpy.sum or mean, or use jacrev for all derivatives."
        )
    if holomorphic and not out.type.dtype.is_complex:
        raise NonDifferentiableError(f"{where}: holomorphic=True needs a complex output, got {out.dtype}")
    if not holomorphic and not out.type.dtype.is_float:
        kind = "complex; take its real part or give holomorphic=True" if out.type.dtype.is_complex else "not a float type"
        raise NonDifferentiableError(f"{where}: the output is {out.dtype}, which is {kind}")


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar function fun with respect to the arguments `argnums`.

    With has_aux it returns (gradient, aux). See `value_and_grad` for the errors.

    >>> import jitgrad.numpy as jnp
    >>> print(grad(jnp.tanh)(0.0))
    1.0
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, reduce_axes)

    @boundary
    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """fun's value at `primals` and its directional derivative along `tangents`: (output, output tangent).

    Tangents are like the primals in structure, shapes and types, else TreeStructureError.

    >>> value, tangent = jvp(lambda x: x ** 2, (3.0,), (1.0,))
    >>> print(value, tangent)
    9.0 6.0
    """
    check_function("jvp", fun)
    where = f"jvp of {function_name(fun)}"
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise ArgumentError(f"{where}: primals and tangents must be tuples or lists of arguments, got {type(primals).__name__}")
    values, _ = array_leaves(where, tuple(primals), "primals")
    directions = matched(where, "tangents", tuple(primals), values, tuple(tangents))
    wanted = range(len(primals))
    parts = [Open(tree.structure(p)) for p in primals]
    flat, record = run_flat(fun, primals, {}, wanted, parts, has_aux)
    outs, moved = jvp_values(flat, values, directions)
    count = record.count
    shown = [tangent_shown(o, t) for o, t in zip(outs[:count], moved[:count], strict=True)]
    result = (tree.unflatten(record.tree, outs[:count]), tree.unflatten(record.tree, shown))
    return (*result, auxiliary(record, outs[count:])) if has_aux else result


def _linearized(
    where: str, fun: Callable[..., Any], primals: Sequence[Any], has_aux: bool
) -> tuple[Linearized, _Result, list[Array]]:
    values, _ = array_leaves(where, tuple(primals), "primals")
    parts = [Open(tree.structure(p)) for p in primals]
    flat, record = run_flat(fun, primals, {}, range(len(primals)), parts, has_aux)
    return linearize_values(flat, values, [v.type.dtype.is_inexact for v in values]), record, values


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()) -> Any:
    """fun's value at `primals`, and a function from a cotangent of that value to a tuple of cotangents of the primals.

    The function is a pytree of the arrays that it keeps (a tree_util.Partial): it can be a result or an argument of a jitted one.

    >>> value, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> print(value, *pullback(1.0))
    12.0 4.0 3.0
    """
    check_function("vjp", fun)
    check_reduce_axes("vjp", reduce_axes)
    where = f"vjp of {function_name(fun)}"
    lin, record, values = _linearized(where, fun, primals, has_aux)
    pullback = linear_map(Pullback, where, lin, values, tree.structure(tuple(primals)), record.count, record.tree)
    return _with_aux(lin, record, pullback, has_aux)


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """fun's value at `primals`, and a function from tangents of the primals to the tangent of that value.

    The function does only the linear work: use it for many directions at one point. It is a pytree of the arrays that it keeps.

    >>> value, pushforward = linearize(lambda x: x ** 3, 2.0)
    >>> print(value, pushforward(1.0))
    8.0 12.0
    """
    check_function("linearize", fun)
    where = f"linearize of {function_name(fun)}"
    lin, record, values = _linearized(where, fun, primals, has_aux)
    pushforward = linear_map(Pushforward, where, lin, values, tree.structure(tuple(primals)), record.count, record.tree)
    return _with_aux(lin, record, pushforward, has_aux)


def _with_aux(lin: Linearized, record: _Result, function: Any, has_aux: bool) -> Any:
    out = tree.unflatten(record.tree, lin.outputs[: record.count])
    return (out, function, auxiliary(record, lin.outputs[record.count :])) if has_aux else (out, function)


def stop_gradient(x: Any) -> Any:
    """x, a constant to every derivative. A pytree's leaves each.

    >>> print(grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """

    def stop(leaf: Any) -> Any:
        value = as_value(leaf, "stop_gradient")
        return with_weak(bind(OPS["stop_gradient"], value), value.weak)

    return tree.map(stop, x)


__all__ = ["grad", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp"]
