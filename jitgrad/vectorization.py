"""vmap: a function of one example made one of a batch. The body is traced to a Graph, which every op's batching rule rewrites."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import optree

from jitgrad_compiler.ending import whole
from jitgrad_compiler.ir.builder import Value, Weak, bind, with_weak
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import I64, NAMES, ArrayType
from jitgrad_compiler.ops.define import axis_to_front, broadcast, convert, first_axis_to
from jitgrad_compiler.passes.row_dependence import varying
from jitgrad_compiler.passes.vmap import batch

from . import axes as named_axes
from . import tree
from .array import Array, as_value
from .errors import ArgumentError, NotAnArrayError, ShapeError, TreeStructureError
from .promotion import strong_dtype
from .tracebacks import boundary
from .tracing import ARGUMENT, check_function, function_name, is_float0, leaf_name, trace

_broadcast_prefix, _leaves = whole(optree.broadcast_prefix), whole(optree.tree_leaves)


def _axes_of_leaves(where: str, what: str, axes: Any, items: Any) -> list[int | None]:
    """One axis, or None, for each leaf: `axes` is an int, None, or a pytree that `items` continues."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.leaves(items))
    if isinstance(axes, list):
        axes = tuple(axes)
    try:
        spread = _broadcast_prefix(axes, items, none_is_leaf=True, namespace=tree.NAMESPACE)
    except ValueError as error:
        raise TreeStructureError(
            f"{where}: {what}={axes!r} does not fit the structure of the values, {tree.structure(items)}: {error}"
        ) from None
    values = _leaves(items, none_is_leaf=True, namespace=tree.NAMESPACE)
    return [a for a, v in zip(spread, values, strict=True) if v is not None]


def _check_axes(what: str, axes: Any) -> None:
    """Raise ArgumentError unless axes are integers and None, and not arrays, which the new function takes."""
    for a in () if isinstance(axes, int) else tree.leaves(axes):
        if not isinstance(a, int):
            raise ArgumentError(
                f"vmap: {what} must hold integers and None, got {type(a).__name__}: {str(a)[:60]!r}. vmap gives a function, "
                "which takes the values: vmap(f)(x)."
            )


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable = None,
    axis_size: int | None = None,
    spmd_axis_name: Hashable = None,
) -> Callable[..., Any]:
    """f, done to every example along an axis of its arguments at once.

    in_axes: for each argument the axis that counts examples, None where one value, which may be of any kind, serves all; an int for
    all, or a tuple of ints, None and pytrees of them. out_axes: where that axis goes in the outputs, None for what does not differ
    from example to example. Keyword arguments are batched along axis 0. axis_name: what the collectives of jitgrad.lax (psum and
    its kin) call the axis. axis_size: how many examples there are, where no argument tells. spmd_axis_name is taken, and means
    nothing on one device. Raises ShapeError where the arguments' sizes along their axes differ, ArgumentError for an axis that
    does not exist.

    >>> import jitgrad.numpy as jnp
    >>> print(vmap(lambda x, y: x @ y, in_axes=(0, None))(jnp.ones((3, 2)), jnp.array([1.0, 2.0])))
    [3. 3. 3.]
    """
    check_function("vmap", f)
    _check_axes("in_axes", in_axes)
    _check_axes("out_axes", out_axes)
    name = function_name(f)

    @boundary
    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"vmap of {name}"
        if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
            raise ArgumentError(
                f"{where}: in_axes has {len(in_axes)} entries, but the function was called with {len(args)} arguments"
            )
        leaves, in_tree = tree.flatten((args, kwargs))
        axes = _axes_of_leaves(where, "in_axes", in_axes, args) + [0] * len(tree.leaves(kwargs))
        names = [leaf_name(ARGUMENT, path) for path, _ in tree.leaves_with_path((args, kwargs))]
        values = [_argument(where, x, a, n) for x, a, n in zip(leaves, axes, names, strict=True)]
        size = _size(where, values, axes, names, axis_size)
        fronted = [axis_to_front(v, a % v.type.rank) for v, a in zip(values, axes, strict=True) if a is not None]
        if axis_name is not None:
            fronted.append(bind(OPS["iota"], shape=(size,), axis=0, dtype=I64))

        def one_example(*mapped: Array) -> Any:
            rows = iter(mapped)
            given, keywords = tree.unflatten(in_tree, [x if a is None else next(rows) for x, a in zip(values, axes, strict=True)])
            if axis_name is None:
                return f(*given, **keywords)
            with named_axes.bound(axis_name, named_axes.Axis(size, next(rows))):
                return f(*given, **keywords)

        types = [ArrayType(v.type.shape[1:], v.type.dtype) for v in fronted]
        traced = trace(one_example, name, types, [False] * len(types), tree.structure((0,) * len(types)))
        every = [*fronted, *traced.captured]
        flags = [True] * len(fronted) + [False] * len(traced.captured)
        outs, batched = batch(traced.graph, size, every, flags)
        wanted = _axes_of_leaves(where, "out_axes", out_axes, _placeholders(traced.out_tree))
        if size and any(b and a is None for b, a in zip(batched, wanted, strict=True)):
            differ = varying(traced.graph, flags)
            outs = [o if d or not b else _first_row(o) for o, b, d in zip(outs, batched, differ, strict=True)]
            batched = [b and d for b, d in zip(batched, differ, strict=True)]
        placed = [_placed(where, o, b, a, size) for o, b, a in zip(outs, batched, wanted, strict=True)]
        shown = [_shown(o, w, a) for o, w, a in zip(placed, traced.out_weak, wanted, strict=True)]
        out = tree.unflatten(traced.out_tree, shown)
        if len(tree.leaves(out)) == len(shown):
            return out
        return tree.map(lambda x: np.zeros((size, *x.shape), x.dtype) if is_float0(x) else x, out)

    return wrapped


def _placeholders(treedef: tree.PyTreeDef) -> Any:
    """A tree of a structure, in which arrays of the type float0 are no leaves."""
    return tree.map(lambda x: None if is_float0(x) else x, tree.unflatten(treedef, [0] * treedef.num_leaves))


def _argument(where: str, x: Any, axis: int | None, name: str) -> Any:
    """A leaf of the arguments. One that serves every example is handed on as it is, NumPy's arrays aside."""
    if axis is None:
        return as_value(x, where) if isinstance(x, (np.ndarray, np.generic)) and x.dtype in NAMES else x
    try:
        return as_value(x, where)
    except NotAnArrayError:
        raise NotAnArrayError(
            f"{where}: {name} must be an array or a number to be mapped over axis {axis}, got {type(x).__name__}: {str(x)[:60]!r}. "
            "With None for it in in_axes it is handed on as it is; or close over it."
        ) from None


def _first_row(x: Value) -> Value:
    """One of rows that are all equal."""
    shape, ones = x.type.shape, (1,) * x.type.rank
    row = bind(OPS["slice"], x, start=(0,) * len(shape), limit=(1, *shape[1:]), strides=ones)
    return bind(OPS["reshape"], row, shape=shape[1:])


def _shown(out: Value, weak: Weak, axis: int | None) -> Value:
    """An output as users get it: a batch of what was a weak scalar is an array, of the default type."""
    if weak and axis is not None:
        return convert(with_weak(out, False), strong_dtype(out.type.dtype, weak))
    return with_weak(out, weak)


def _size(where: str, values: list[Any], axes: list[int | None], names: list[str], given: int | None) -> int:
    sizes = {}
    for v, a, n in zip(values, axes, names, strict=True):
        if a is None:
            continue
        if not -v.ndim <= a < v.ndim:
            raise ArgumentError(
                f"{where}: in_axes gives axis {a} for {n}, which has shape {list(v.shape)}. "
                "Use None for a value that serves every example."
            )
        sizes[n] = v.shape[a]
    if given is not None:
        sizes["axis_size"] = given
    if not sizes:
        raise ArgumentError(
            f"{where}: at least one argument must have an axis to map over (in_axes are all None), or give axis_size"
        )
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{n} has {s}" for n, s in sizes.items())
        raise ShapeError(f"{where}: the sizes along the mapped axes must be equal, but {listed}. Check in_axes.")
    return next(iter(sizes.values()))


def _placed(where: str, out: Any, batched: bool, axis: int | None, size: int) -> Any:
    if axis is None:
        if batched:
            raise ArgumentError(f"{where}: out_axes is None for an output that differs from example to example; give it an axis")
        return out
    whole = out if batched else broadcast(out, (size, *out.type.shape), tuple(range(1, out.type.rank + 1)))
    rank = whole.type.rank
    if not -rank <= axis < rank:
        raise ArgumentError(f"{where}: out_axes gives axis {axis} for an output of {rank} axes")
    return first_axis_to(whole, axis % rank)
