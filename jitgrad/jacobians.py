"""Jacobians and Hessians: jacfwd, jacrev, hessian. The linear part of a function, done to every unit direction at once by vmap."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from jitgrad_compiler.ir.builder import Value, bind
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import I64
from jitgrad_compiler.ops.define import convert, reshape, zeros
from jitgrad_compiler.passes.linearize import Linearized
from jitgrad_compiler.passes.linearize import linearize as linearize_values

from . import tree
from .array import Array
from .differentiation import argument_numbers, auxiliary, check_argnums, differentiated, run_flat
from .errors import NonDifferentiableError
from .promotion import strong_dtype
from .tracebacks import boundary
from .tracing import check_function, function_name
from .transfers import beside
from .vectorization import vmap


def _basis(values: Sequence[Value]) -> list[Value]:
    """For each value the unit directions of all values, its own elements in them: [total, *shape]."""
    total = sum(v.type.size for v in values)
    made, start = [], 0
    for v in values:
        at = np.arange(start, start + v.type.size)
        dtype = v.type.dtype
        row = bind(OPS["iota"], shape=(total, v.type.size), axis=0, dtype=I64)
        column = bind(OPS["iota"], shape=(total, v.type.size), axis=1, dtype=I64)
        shifted = column + int(at[0]) if len(at) and at[0] else column
        unit = convert(bind(OPS["eq"], row, shifted), dtype)
        made.append(reshape(unit, (total, *v.type.shape)))
        start += v.type.size
    return made


def _split(block: Value, axis: int, values: Sequence[Value]) -> list[Value]:
    """A Jacobian's axis over all elements cut into one piece a value, with its shape in place of the axis."""
    pieces, start = [], 0
    for v in values:
        n = v.type.size
        lo, hi = [0] * block.type.rank, list(block.type.shape)
        lo[axis], hi[axis] = start, start + n
        start += n
        whole = hi[axis] - lo[axis] == block.type.shape[axis]
        taken = block if whole else bind(OPS["slice"], block, start=tuple(lo), limit=tuple(hi), strides=(1,) * block.type.rank)
        pieces.append(reshape(taken, (*block.type.shape[:axis], *v.type.shape, *block.type.shape[axis + 1 :])))
    return pieces


def jacfwd(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The Jacobian of fun, a column at a time in forward mode: best where there are more outputs than inputs.

    The result has the output's structure, of pytrees of the arguments' structure, of arrays [*output shape, *input shape].

    >>> import jitgrad.numpy as jnp
    >>> print(jacfwd(lambda x: x ** 2)(jnp.array([1.0, 2.0])))
    [[2. 0.]
     [0. 4.]]
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, "jacfwd")


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of fun, a row at a time in reverse mode: best where there are more inputs than outputs. Results as in `jacfwd`.

    >>> import jitgrad.numpy as jnp
    >>> print(jacrev(lambda x: jnp.array([x[0] * x[1], x[0]]))(jnp.array([3.0, 2.0])))
    [[2. 3.]
     [1. 0.]]
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, "jacrev", allow_int)


def _jacobian(fun: Any, argnums: Any, has_aux: bool, holomorphic: bool, mode: str, allow_int: bool = False) -> Callable[..., Any]:
    check_function(mode, fun)
    check_argnums(mode, argnums)
    name = function_name(fun)

    @boundary
    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"{mode} of {name}"
        wanted = argument_numbers(where, argnums, len(args))
        primals, parts = differentiated(where, args, wanted, holomorphic, allow_int)
        flat, record = run_flat(fun, args, kwargs, wanted, parts, has_aux)
        lin = linearize_values(flat, primals, [p.type.dtype.is_inexact for p in primals])
        count = record.count
        outs = lin.outputs[:count]
        for o in outs:
            if not o.type.dtype.is_inexact:
                got = cast(Array, o).dtype
                raise NonDifferentiableError(f"{where}: the outputs must be of a float or complex type, got {got}")
        blocks = _forward_blocks(lin, outs, primals) if mode == "jacfwd" else _reverse_blocks(lin, outs, primals)
        rows = []
        for row in blocks:
            items = iter(row)
            per_argument = tuple(part.gradient([next(items) for _ in range(part.num_leaves)]) for part in parts)
            rows.append(per_argument[0] if isinstance(argnums, (int, np.integer)) else per_argument)
        jacobian = tree.unflatten(record.tree, rows)
        return (jacobian, auxiliary(record, lin.outputs[count:])) if has_aux else jacobian

    return wrapped


def _forward_blocks(lin: Linearized, outs: Sequence[Value], primals: Sequence[Value]) -> list[list[Value]]:
    count = len(outs)

    def push(*directions: Any) -> tuple[Any, ...]:
        moved = lin.apply(list(directions))[:count]
        return tuple(zeros(o.type) if t is None else t for o, t in zip(outs, moved, strict=True))

    columns = vmap(push, out_axes=-1)(*_basis(primals))
    return [_split(_strong(block, o), o.type.rank, primals) for block, o in zip(columns, outs, strict=True)]


def _reverse_blocks(lin: Linearized, outs: Sequence[Value], primals: Sequence[Value]) -> list[list[Value]]:
    extra = [zeros(o.type) for o in lin.outputs[len(outs) :]]

    def pull(*cotangents: Any) -> tuple[Any, ...]:
        found = lin.transpose([*cotangents, *extra])
        return tuple(zeros(p.type) if ct is None else ct for p, ct in zip(primals, found, strict=True))

    rows = vmap(pull)(*_basis(outs))
    split = [_split(_strong(block, p), 0, outs) for block, p in zip(rows, primals, strict=True)]
    return [[split[j][i] for j in range(len(primals))] for i in range(len(outs))]


def _strong(block: Value, like: Value) -> Value:
    """A block of the type that the weak scalar whose derivatives it holds takes by itself."""
    return beside(cast(Array, convert(block, strong_dtype(like.type.dtype, like.weak))), like)


def hessian(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The second derivatives of fun: `jacfwd(jacrev(fun))`. With has_aux the result is (Hessian, aux).

    >>> import jitgrad.numpy as jnp
    >>> print(hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 3.0])))
    [[6. 2.]
     [2. 0.]]
    """
    check_argnums("hessian", argnums)
    return jacfwd(jacrev(fun, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


jacobian = jacrev

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]
