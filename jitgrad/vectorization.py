"""vmap: a function of one example made one of a batch. The body is traced to a Graph, which every op's batching rule rewrites."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import optree

from jitgrad_compiler.ir.builder import Value, with_weak
from jitgrad_compiler.ir.types import ArrayType
from jitgrad_compiler.ops.define import axis_to_front, broadcast, convert, first_axis_to
from jitgrad_compiler.passes.vmap import batch

from . import tree
from .array import WEAK_SCALARS, Array
from .errors import ArgumentError, ShapeError, TreeStructureError
from .promotion import strong_dtype
from .tracing import ARGUMENT, array_leaves, function_name, leaf_name, trace


def _axes_of_leaves(where: str, what: str, axes: Any, items: Any) -> list[int | None]:
    """One axis, or None, for each leaf: `axes` is an int, None, or a pytree that `items` continues."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.leaves(items))
    if isinstance(axes, list):
        axes = tuple(axes)
    try:
        spread = optree.broadcast_prefix(axes, items, none_is_leaf=True, namespace=tree.NAMESPACE)
    except ValueError as error:
        raise TreeStructureError(
            f"{where}: {what}={axes!r} does not fit the structure of the values, {tree.structure(items)}: {error}"
        ) from None
    values = optree.tree_leaves(items, none_is_leaf=True, namespace=tree.NAMESPACE)
    found = [a for a, v in zip(spread, values, strict=True) if v is not None]
    for a in found:
        if a is not None and not isinstance(a, int):
            raise ArgumentError(f"{where}: {what} must hold integers and None, got {a!r}")
    return found


def vmap(
    f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, axis_name: Any = None, axis_size: int | None = None
) -> Callable[..., Any]:
    """f, done to every example along an axis of its arguments at once.

    in_axes: for each argument the axis that counts examples, None where one value serves all; an int for all, or a tuple of ints,
    None and pytrees of them. out_axes: where that axis goes in the outputs. Keyword arguments are batched along axis 0. Raises
    ShapeError where the arguments' sizes along their axes differ, ArgumentError for an axis that does not exist.

    >>> import jitgrad.numpy as jnp
    >>> print(vmap(lambda x, y: x @ y, in_axes=(0, None))(jnp.ones((3, 2)), jnp.array([1.0, 2.0])))
    [3. 3. 3.]
    """
    name = function_name(f)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = f"vmap of {name}"
        if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
            raise ArgumentError(
                f"{where}: in_axes has {len(in_axes)} entries, but the function was called with {len(args)} arguments"
            )
        values, in_tree = array_leaves(where, (args, kwargs), ARGUMENT)
        axes = _axes_of_leaves(where, "in_axes", in_axes, args) + [0] * len(tree.leaves(kwargs))
        names = [leaf_name(ARGUMENT, path) for path, _ in tree.leaves_with_path((args, kwargs))]
        size = _size(where, values, axes, names, axis_size)
        flags = [a is not None for a in axes]
        fronted = [axis_to_front(v, a % v.type.rank) for v, a in zip(values, axes, strict=True) if a is not None]
        shared = [_as_given(x, v) for x, v in zip(tree.leaves((args, kwargs)), values, strict=True)]

        def one_example(*mapped: Array) -> Any:
            rows = iter(mapped)
            given, keywords = tree.unflatten(in_tree, [next(rows) if b else x for x, b in zip(shared, flags, strict=True)])
            return f(*given, **keywords)

        types = [ArrayType(v.type.shape[1:], v.type.dtype) for v in fronted]
        traced = trace(one_example, name, types, [False] * len(types), tree.structure((0,) * len(types)))
        every = [*fronted, *traced.captured]
        outs, batched = batch(traced.graph, size, every, [True] * len(fronted) + [False] * len(traced.captured))
        wanted = _axes_of_leaves(where, "out_axes", out_axes, tree.unflatten(traced.out_tree, [0] * len(outs)))
        placed = [_placed(where, o, b, a, size) for o, b, a in zip(outs, batched, wanted, strict=True)]
        shown = [_shown(o, w, a) for o, w, a in zip(placed, traced.out_weak, wanted, strict=True)]
        return tree.unflatten(traced.out_tree, shown)

    return wrapped


def _as_given(x: Any, value: Array) -> Any:
    """An argument that serves every example, as the function gets it: Python's numbers stay what they are, so that they can be
    sizes and static arguments.
    """
    return x if type(x) in WEAK_SCALARS else value


def _shown(out: Value, weak: bool, axis: int | None) -> Value:
    """An output as users get it: a batch of what was a weak scalar is an array, of the default type."""
    if weak and axis is not None:
        return convert(with_weak(out, False), strong_dtype(out.type.dtype, True))
    return with_weak(out, weak)


def _size(where: str, values: list[Array], axes: list[int | None], names: list[str], given: int | None) -> int:
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
