"""Derivatives: grad, value_and_grad, jvp, vjp, linearize, jacfwd, jacrev, hessian.

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
from jitgrad_compiler.ir.types import COMPLEX, FLOATS, INEXACT
from jitgrad_compiler.ops.define import convert, full, reshape, zeros
from jitgrad_compiler.passes.jvp import jvp as jvp_values
from jitgrad_compiler.passes.linearize import Linearized
from jitgrad_compiler.passes.linearize import linearize as linearize_values

from . import tree
from .array import Array, as_value
from .errors import ArgumentError, NonDifferentiableError, TreeStructureError
from .promotion import strong_dtype
from .tracebacks import boundary
from .tracing import RESULT, array_leaves, function_name
from .vectorization import vmap

FLOAT0 = np.dtype([("float0", np.void, 0)])
"""The type of the tangents of integers, which carry nothing; as in jax."""


def _argnums(where: str, argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in wanted:
        if not isinstance(n, int) or not -count <= n < count:
            raise ArgumentError(
                f"{where}: argnums={argnums} names argument {n}, but the function was called with {count} positional "
                f"argument{'s' if count != 1 else ''}. Arguments are counted from 0."
            )
    return tuple(n % count for n in wanted)


def _check_inexact(where: str, leaf: Array, name: str, holomorphic: bool, allow_int: bool = False) -> None:
    dtype = leaf.type.dtype
    if holomorphic and dtype not in COMPLEX:
        raise NonDifferentiableError(
            f"{where}: holomorphic=True needs complex inputs, but {name} is {leaf.dtype}{list(leaf.shape)}"
        )
    if dtype in INEXACT or allow_int:
        return
    raise NonDifferentiableError(
        f"{where}: {name} must be of a float or complex type to be differentiated, got {leaf.dtype}{list(leaf.shape)}. "
        f"Convert it with x.astype(float), or name other arguments with argnums."
    )


def _named_leaves(args: Sequence[Any], wanted: Sequence[int]) -> tuple[list[Any], list[str], list[Any]]:
    """The leaves of the wanted arguments, what each is called in an error, and each argument's structure."""
    leaves, names, treedefs = [], [], []
    for n in wanted:
        items, treedef = tree.flatten(args[n])
        treedefs.append(treedef)
        leaves += items
        names += [f"argument {n}{tree.path_text(path)}" for path, _ in tree.leaves_with_path(args[n])]
    return leaves, names, treedefs


class _Result:
    """What a function returned while it was being differentiated: its structure, and its auxiliary part."""

    tree: Any = None
    count = 0
    aux_leaves: tuple[Any, Any] = ([], None)


def _run_flat(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Any, wanted: Sequence[int], treedefs: Sequence[Any], has_aux: bool
) -> Any:
    """The function as one of flat values, and a record of what it returned; auxiliary arrays come behind the outputs."""
    record, name = _Result(), function_name(f)

    def flat(values: Sequence[Value]) -> list[Value]:
        items, full_args = list(values), list(args)
        for n, treedef in zip(wanted, treedefs, strict=True):
            full_args[n] = tree.unflatten(treedef, items[: treedef.num_leaves])
            items = items[treedef.num_leaves :]
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


def _aux(record: _Result, lowered: Sequence[Value]) -> Any:
    """The auxiliary output with its arrays lowered out of the differentiation."""
    arrays = iter(lowered)
    leaves, treedef = record.aux_leaves
    return None if treedef is None else tree.unflatten(treedef, [next(arrays) if isinstance(x, Array) else x for x in leaves])


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function of the same arguments that returns f's value and its gradient with respect to the arguments `argnums`.

    f must return a scalar, or, with has_aux, a pair of a scalar and anything else. The gradient has the argument's pytree
    structure; for a tuple of argnums it is a tuple. Raises NonDifferentiableError for an output that is no real scalar and
    for arguments that are not of a float type, ArgumentError for an argnum out of range.

    >>> import jitgrad.numpy as jnp
    >>> value, gradient = value_and_grad(lambda x: jnp.sum(x ** 2))(jnp.array([1.0, 2.0]))
    >>> print(value, gradient)
    5.0 [2. 4.]
    """
    name = function_name(f)

    @boundary
    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"grad of {name}"
        wanted = _argnums(where, argnums, len(args))
        leaves, names, treedefs = _named_leaves(args, wanted)
        primals = [x if isinstance(x, Array) else as_value(x, f"{where}: {n}") for x, n in zip(leaves, names, strict=True)]
        for leaf, leaf_name in zip(primals, names, strict=True):
            _check_inexact(where, leaf, leaf_name, holomorphic, allow_int)
        flat, record = _run_flat(f, args, kwargs, wanted, treedefs, has_aux)
        lin = linearize_values(flat, primals, [p.type.dtype in INEXACT for p in primals])
        _check_scalar(where, record, lin.outputs, holomorphic)
        out = lin.outputs[0]
        found = lin.transpose([full((), 1, out.type.dtype), *[zeros(o.type) for o in lin.outputs[1:]]])
        grads = iter(_shown(ct, p) for ct, p in zip(found, primals, strict=True))
        per_argument = tuple(tree.unflatten(t, [next(grads) for _ in range(t.num_leaves)]) for t in treedefs)
        gradient = per_argument[0] if isinstance(argnums, int) else per_argument
        value = (out, _aux(record, lin.outputs[1:])) if has_aux else out
        return value, gradient

    return wrapped


def _shown(cotangent: Value | None, primal: Array) -> Any:
    """A cotangent as users get it: of the primal's type, zeros where there was no influence."""
    if primal.type.dtype not in INEXACT:
        return np.zeros(primal.type.shape, FLOAT0)
    return with_weak(zeros(primal.type) if cotangent is None else cotangent, primal.weak)


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
    if holomorphic and out.type.dtype not in COMPLEX:
        raise NonDifferentiableError(f"{where}: holomorphic=True needs a complex output, got {out.dtype}")
    if not holomorphic and out.type.dtype not in FLOATS:
        kind = "complex; take its real part or give holomorphic=True" if out.type.dtype in COMPLEX else "not a float type"
        raise NonDifferentiableError(f"{where}: the output is {out.dtype}, which is {kind}")


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar function f with respect to the arguments `argnums`.

    With has_aux it returns (gradient, aux). See `value_and_grad` for the errors.

    >>> import jitgrad.numpy as jnp
    >>> print(grad(jnp.tanh)(0.0))
    1.0
    """
    both = value_and_grad(f, argnums, has_aux, holomorphic, allow_int)

    @boundary
    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def check_tangent(where: str, name: str, expected: Array, given: Array, what: str) -> Array:
    """A tangent or cotangent of the primal's shape and type; a weak scalar adapts."""
    if given.type.shape != expected.type.shape:
        raise TreeStructureError(
            f"{where}: the {what} of {name} must have shape {list(expected.type.shape)}, got {list(given.type.shape)}"
        )
    if given.type.dtype != expected.type.dtype:
        if not (given.weak or expected.weak):
            raise TreeStructureError(
                f"{where}: the {what} of {name} must be of type {expected.dtype}, got {given.dtype}. Convert it with .astype."
            )
        return convert(given, expected.type.dtype)  # type: ignore[return-value]
    return given


def _matched(where: str, what: str, reference: Any, values: Sequence[Value], given: Any) -> list[Array | None]:
    """The leaves of `given`, which must be like the tree `reference` of `values`; None for integers."""
    tree.check_same_structure(where, reference, given, what)
    found: list[Array | None] = []
    for v, (path, t) in zip(values, tree.leaves_with_path(given), strict=True):
        if v.type.dtype not in INEXACT:
            found.append(None)
            continue
        item = as_value(t, f"{where}: the {what}{tree.path_text(path)}")
        found.append(check_tangent(where, f"{tree.path_text(path) or 'the value'}", cast(Array, v), item, what))
    return found


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """f's value at `primals` and its directional derivative along `tangents`: (output, output tangent).

    Tangents are like the primals in structure, shapes and types, else TreeStructureError.

    >>> value, tangent = jvp(lambda x: x ** 2, (3.0,), (1.0,))
    >>> print(value, tangent)
    9.0 6.0
    """
    name = function_name(f)
    where = f"jvp of {name}"
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise ArgumentError(f"{where}: primals and tangents must be tuples or lists of arguments, got {type(primals).__name__}")
    values, _ = array_leaves(where, tuple(primals), "primals")
    directions = _matched(where, "tangents", tuple(primals), values, tuple(tangents))
    wanted = range(len(primals))
    treedefs = [tree.structure(p) for p in primals]
    flat, record = _run_flat(f, primals, {}, wanted, treedefs, has_aux)
    outs, moved = jvp_values(flat, values, directions)
    count = record.count
    shown = [_tangent_shown(o, t) for o, t in zip(outs[:count], moved[:count], strict=True)]
    result = (tree.unflatten(record.tree, outs[:count]), tree.unflatten(record.tree, shown))
    return (*result, _aux(record, outs[count:])) if has_aux else result


def _tangent_shown(out: Value, tangent: Value | None) -> Any:
    if out.type.dtype not in INEXACT:
        return np.zeros(out.type.shape, FLOAT0)
    return with_weak(zeros(out.type) if tangent is None else tangent, out.weak)


def _linearized(
    where: str, f: Callable[..., Any], primals: Sequence[Any], has_aux: bool
) -> tuple[Linearized, _Result, list[Array]]:
    values, _ = array_leaves(where, tuple(primals), "primals")
    treedefs = [tree.structure(p) for p in primals]
    flat, record = _run_flat(f, primals, {}, range(len(primals)), treedefs, has_aux)
    return linearize_values(flat, values, [v.type.dtype in INEXACT for v in values]), record, values


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """f's value at `primals`, and a function from a cotangent of that value to a tuple of cotangents of the primals.

    >>> value, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> print(value, *pullback(1.0))
    12.0 4.0 3.0
    """
    where = f"vjp of {function_name(f)}"
    lin, record, values = _linearized(where, f, primals, has_aux)
    count = record.count
    out = tree.unflatten(record.tree, lin.outputs[:count])

    @boundary
    def pullback(cotangent: Any) -> Any:
        given = _matched(where, "cotangents", out, lin.outputs[:count], cotangent)
        filled = [zeros(o.type) if ct is None else ct for o, ct in zip(lin.outputs[:count], given, strict=True)]
        found = lin.transpose([*filled, *[zeros(o.type) for o in lin.outputs[count:]]])
        shown = [_shown(ct, p) for ct, p in zip(found, values, strict=True)]
        return tree.unflatten(tree.structure(tuple(primals)), shown)

    return (out, pullback, _aux(record, lin.outputs[count:])) if has_aux else (out, pullback)


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """f's value at `primals`, and a function from tangents of the primals to the tangent of that value.

    The function does only the linear work: use it for many directions at one point.

    >>> value, pushforward = linearize(lambda x: x ** 3, 2.0)
    >>> print(value, pushforward(1.0))
    8.0 12.0
    """
    where = f"linearize of {function_name(f)}"
    lin, record, values = _linearized(where, f, primals, has_aux)
    count = record.count
    out = tree.unflatten(record.tree, lin.outputs[:count])

    @boundary
    def pushforward(*tangents: Any) -> Any:
        given = _matched(where, "tangents", tuple(primals), values, tangents)
        moved = lin.apply(given)[:count]
        return tree.unflatten(record.tree, [_tangent_shown(o, t) for o, t in zip(lin.outputs, moved, strict=False)])

    return (out, pushforward, _aux(record, lin.outputs[count:])) if has_aux else (out, pushforward)


def _basis(values: Sequence[Value]) -> list[Value]:
    """For each value the unit directions of all values, its own elements in them: [total, *shape]."""
    total = sum(v.type.size for v in values)
    made, start = [], 0
    for v in values:
        at = np.arange(start, start + v.type.size)
        dtype = v.type.dtype
        row = bind(OPS["iota"], shape=(total, v.type.size), axis=0, dtype="i64")
        column = bind(OPS["iota"], shape=(total, v.type.size), axis=1, dtype="i64")
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
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The Jacobian of f, a column at a time in forward mode: best where there are more outputs than inputs.

    The result has the output's structure, of pytrees of the arguments' structure, of arrays [*output shape, *input shape].

    >>> import jitgrad.numpy as jnp
    >>> print(jacfwd(lambda x: x ** 2)(jnp.array([1.0, 2.0])))
    [[2. 0.]
     [0. 4.]]
    """
    return _jacobian(f, argnums, has_aux, holomorphic, "jacfwd")


def jacrev(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of f, a row at a time in reverse mode: best where there are more inputs than outputs. Results as in `jacfwd`.

    >>> import jitgrad.numpy as jnp
    >>> print(jacrev(lambda x: jnp.array([x[0] * x[1], x[0]]))(jnp.array([3.0, 2.0])))
    [[2. 3.]
     [1. 0.]]
    """
    return _jacobian(f, argnums, has_aux, holomorphic, "jacrev", allow_int)


def _jacobian(f: Any, argnums: Any, has_aux: bool, holomorphic: bool, mode: str, allow_int: bool = False) -> Callable[..., Any]:
    name = function_name(f)

    @boundary
    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"{mode} of {name}"
        wanted = _argnums(where, argnums, len(args))
        leaves, names, treedefs = _named_leaves(args, wanted)
        primals = [as_value(x, f"{where}: {n}") for x, n in zip(leaves, names, strict=True)]
        for leaf, leaf_name in zip(primals, names, strict=True):
            _check_inexact(where, leaf, leaf_name, holomorphic, allow_int)
        flat, record = _run_flat(f, args, kwargs, wanted, treedefs, has_aux)
        lin = linearize_values(flat, primals, [p.type.dtype in INEXACT for p in primals])
        count = record.count
        outs = lin.outputs[:count]
        for o in outs:
            if o.type.dtype not in INEXACT:
                got = cast(Array, o).dtype
                raise NonDifferentiableError(f"{where}: the outputs must be of a float or complex type, got {got}")
        blocks = _forward_blocks(lin, outs, primals) if mode == "jacfwd" else _reverse_blocks(lin, outs, primals)
        rows = []
        for row in blocks:
            items = iter(row)
            per_argument = tuple(tree.unflatten(t, [next(items) for _ in range(t.num_leaves)]) for t in treedefs)
            rows.append(per_argument[0] if isinstance(argnums, int) else per_argument)
        jacobian = tree.unflatten(record.tree, rows)
        return (jacobian, _aux(record, lin.outputs[count:])) if has_aux else jacobian

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
    return convert(block, strong_dtype(like.type.dtype, like.weak))


def hessian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The second derivatives of f: `jacfwd(jacrev(f))`.

    >>> import jitgrad.numpy as jnp
    >>> print(hessian(lambda x: x[0] ** 2 * x[1])(jnp.array([1.0, 3.0])))
    [[6. 2.]
     [2. 0.]]
    """
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def stop_gradient(x: Any) -> Any:
    """x, a constant to every derivative. A pytree's leaves each.

    >>> print(grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """

    def stop(leaf: Any) -> Any:
        value = as_value(leaf, "stop_gradient")
        return with_weak(bind(OPS["stop_gradient"], value), value.weak)

    return tree.map(stop, x)


__all__ = ["grad", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp"]
