"""jax.lax.associative_scan: all prefixes under an associative function, in a number of steps that grows with the logarithm of the
length, each step an operation on arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, CarryTypeError, ShapeError
from jitgrad.operands import array_arg, common_dtype, strong
from jitgrad.tracing import RESULT, array_leaves, function_name

from .arguments import axis_arg
from .bodies import check_callable, check_parameters, described, leaf_names, type_text


def associative_scan(fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Each element along an axis combined with all before it: `[a, fn(a, b), fn(fn(a, b), c), ...]`, for an associative fn.

    elems is a pytree of arrays of one size along the axis; the result is like it. `fn(x, y)` is called on pytrees of the same
    structure, whose leaves hold several elements along the axis, and works on each of them alone; it keeps structure, shapes and
    types, else CarryTypeError. reverse: from the last element to the first. It does about twice the operations of a loop, but in
    2 log2(n) steps, each over whole arrays. Raises ShapeError where sizes along the axis differ.

    >>> import jitgrad.numpy as jnp
    >>> print(associative_scan(jnp.maximum, jnp.array([1, 3, 2, 5])))
    [1 3 3 5]
    """
    where = "lax.associative_scan"
    check_callable(where, "fn", fn)
    check_parameters(where, "fn", fn, "a", "b")
    leaves, treedef = array_leaves(where, elems, "elems")
    names = leaf_names("elems", treedef)
    if not leaves:
        raise ArgumentError(f"{where}: elems must hold at least one array, got {treedef}")
    for name, v in zip(names, leaves, strict=True):
        if not v.type.shape:
            raise ShapeError(f"{where}: {name} must have an axis to go along, got the scalar {type_text(v.type, v.weak)}")
    axes = [axis_arg(where, "axis", axis, v.type.rank) for v in leaves]
    sizes = [v.type.shape[a] for v, a in zip(leaves, axes, strict=True)]
    if len(set(sizes)) > 1:
        listed = ", ".join(f"{name} has {n}" for name, n in zip(names, sizes, strict=True))
        raise ShapeError(f"{where}: the sizes along axis {axis} must be equal, but {listed}. Cut them to one size.")

    def part(items: list[Array], start: int, limit: int, stride: int = 1) -> list[Array]:
        return [ops.slice_axis(v, a, start, limit, stride) for v, a in zip(items, axes, strict=True)]

    def turned(items: list[Array]) -> list[Array]:
        return [ops.op("reverse", v, axes=(a,)) for v, a in zip(items, axes, strict=True)]

    def combined(xs: list[Array], ys: list[Array]) -> list[Array]:
        out, out_tree = array_leaves(function_name(fn), fn(tree.unflatten(treedef, xs), tree.unflatten(treedef, ys)), RESULT)
        _check_kept(where, fn, treedef, xs, out_tree, out)
        return [ops.convert(strong(o), x.type.dtype) for o, x in zip(out, xs, strict=True)]

    def prefixes(items: list[Array], count: int) -> list[Array]:
        """Of neighbours combined in pairs the prefixes are every second one of ours; the others take one element more."""
        if count < 2:
            return items
        half, rest = count // 2, (count - 1) // 2
        odd = prefixes(combined(part(items, 0, 2 * half, 2), part(items, 1, count, 2)), half)
        first = part(items, 0, 1)
        if not rest:
            return [ops.concatenate([f, o], a) for f, o, a in zip(first, odd, axes, strict=True)]
        later = combined(part(odd, 0, rest), part(items, 2, count, 2))
        even = [ops.concatenate([f, v], a) for f, v, a in zip(first, later, axes, strict=True)]
        return [_interleaved(e, o, a) for e, o, a in zip(even, odd, axes, strict=True)]

    found = prefixes(turned(leaves) if reverse else leaves, sizes[0])
    return tree.unflatten(treedef, turned(found) if reverse else found)


def _interleaved(even: Array, odd: Array, axis: int) -> Array:
    """Elements of two arrays by turns; `even` has as many as `odd`, or one more at the end."""
    shape, count = odd.type.shape, odd.type.shape[axis]
    slots = (*shape[: axis + 1], 1, *shape[axis + 1 :])
    pairs = [ops.reshape(v, slots) for v in (ops.slice_axis(even, axis, 0, count), odd)]
    mixed = ops.reshape(ops.concatenate(pairs, axis + 1), (*shape[:axis], 2 * count, *shape[axis + 1 :]))
    last = ops.slice_axis(even, axis, count, even.type.shape[axis])
    return ops.concatenate([mixed, last], axis) if last.type.shape[axis] else mixed


def _check_kept(
    where: str, fn: Callable[..., Any], treedef: tree.PyTreeDef, given: list[Array], out_tree: tree.PyTreeDef, out: list[Array]
) -> None:
    if detail := tree.difference(treedef, out_tree):
        raise CarryTypeError(
            f"{where}: fn must keep the structure of elems, but {described(fn)} was given {treedef} and returned {out_tree} "
            f"({detail}). Return a tree like either argument."
        )
    for name, x, o in zip(leaf_names("elems", treedef), given, out, strict=True):
        if x.type.shape != o.type.shape or common_dtype([o, x])[0] != x.type.dtype or not o.weak and o.type.dtype != x.type.dtype:
            raise CarryTypeError(
                f"{where}: fn must keep shapes and types, but {described(fn)} was given {type_text(x.type)} for {name} and "
                f"returned {type_text(o.type, o.weak)}. Work on each element along axis alone, and convert with .astype."
            )


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Array:
    """log of the sum of exp of each element along an axis and all before it, or with `reverse` all behind it.

    >>> import jitgrad.numpy as jnp
    >>> print(cumlogsumexp(jnp.zeros(3)))
    [0.        0.6931472 1.0986123]
    """
    x = array_arg("lax.cumlogsumexp", operand)
    place = axis_arg("lax.cumlogsumexp", "axis", axis, x.type.rank)
    out: Array = associative_scan(_logaddexp, x, reverse, place)
    return out


def _logaddexp(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b)), of complex numbers with an imaginary part between -pi and pi."""
    if not a.type.dtype.is_complex:
        return ops.op("logaddexp", a, b)
    ahead = ops.op("ge", ops.op("real", a), ops.op("real", b))
    larger, smaller = ops.select(ahead, a, b), ops.select(ahead, b, a)
    size = ops.op("real", larger)
    finite = ops.op("is_finite", size)
    rest = ops.op("log1p", ops.op("exp", ops.select(finite, ops.op("sub", smaller, larger), ops.constant(0, a.type.dtype))))
    total = ops.op("add", larger, rest)
    angle = ops.op("imag", total)
    turned = ops.op("atan2", ops.op("sin", angle), ops.op("cos", angle))
    return ops.select(finite, ops.op("complex", ops.op("real", total), turned), larger)
