"""jax.lax's reductions over axes, cumulative ones along an axis, and `reduce` with a function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.operands import array_arg, check_accepts
from jitgrad.tracing import trace
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.graph import OPS, Graph, Literal
from jitgrad_compiler.ir.types import ArrayType

from .arguments import arrays_arg, axes_arg, axis_arg, combination, element_type_arg, initial_values, neutral

ArrayLike = Any


def _reduction(name: str) -> Callable[[ArrayLike, Sequence[int]], Array]:
    def function(operand: ArrayLike, axes: Sequence[int]) -> Array:
        x = array_arg(f"lax.{name}", operand)
        along = tuple(sorted(axes_arg(f"lax.{name}", "axes", axes, x.type.rank)))
        if OPS[name].traits.empty is None and not x.type.dtype.is_complex and not all(x.type.shape[a] for a in along):
            kept = tuple(n for i, n in enumerate(x.type.shape) if i not in along)
            return ops.fill(kept, neutral(name.removeprefix("reduce_"), x.type.dtype), x.type.dtype)
        return ops.op(name, x, axes=along)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{OPS[name].doc}\n\nThe axes, given as a sequence, are removed. Raises ArgumentError for an axis that does not exist."
        + ("" if OPS[name].traits.empty is not None else "\nOf no elements it is the number that leaves all others as they are.")
    )
    return function


reduce_sum = _reduction("reduce_sum")
reduce_prod = _reduction("reduce_prod")
reduce_max = _reduction("reduce_max")
reduce_min = _reduction("reduce_min")
reduce_and = _reduction("reduce_and")
reduce_or = _reduction("reduce_or")


def reduce_xor(operand: ArrayLike, axes: Sequence[int]) -> Array:
    """Exclusive or over axes, of integers or bools. The axes, given as a sequence, are removed.

    >>> import jitgrad.numpy as jnp
    >>> print(reduce_xor(jnp.array([1, 3, 4]), (0,)))
    6
    """
    x = array_arg("lax.reduce_xor", operand)
    check_accepts("lax.reduce_xor", "xor", x)
    along = axes_arg("lax.reduce_xor", "axes", axes, x.type.rank)
    out: Array = reduce(x, ops.constant(0, x.type.dtype), lambda a, b: ops.op("xor", a, b), along)
    return out


def _index_of(name: str) -> Callable[..., Array]:
    def function(operand: ArrayLike, axis: int, index_dtype: Any) -> Array:
        x = array_arg(f"lax.{name}", operand)
        return ops.op(
            name,
            x,
            axis=axis_arg(f"lax.{name}", "axis", axis, x.type.rank),
            dtype=element_type_arg(f"lax.{name}", "index_dtype", index_dtype, "iu"),
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[name].doc}\n\nThe indices are of the integer type `index_dtype`. Raises ShapeError for an empty axis."
    return function


argmax = _index_of("argmax")
argmin = _index_of("argmin")


def _cumulative(name: str) -> Callable[..., Array]:
    def function(operand: ArrayLike, axis: int = 0, reverse: bool = False) -> Array:
        x = array_arg(f"lax.{name}", operand)
        return ops.op(name, x, axis=axis_arg(f"lax.{name}", "axis", axis, x.type.rank), reverse=bool(reverse))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[name].doc}\n\nThe result has the operand's shape and type."
    return function


cumsum = _cumulative("cumsum")
cumprod = _cumulative("cumprod")
cummax = _cumulative("cummax")
cummin = _cumulative("cummin")

MONOIDS = {
    "add": "reduce_sum", "mul": "reduce_prod", "max": "reduce_max", "min": "reduce_min", "and": "reduce_and", "or": "reduce_or",
}  # fmt: skip
"""Which reduction combines elements with an op."""


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
) -> Any:
    """Arrays of one shape combined over axes by an associative function of two scalars (or of two pytrees of scalars).

    operands, init_values: an array and a scalar of its type, or pytrees of them. `init_values` is combined with each result.
    A computation that is one of lax.add, mul, max, min, bitwise_and and bitwise_or becomes that reduction; any other is done
    pairwise, on halves of the axes. Raises ShapeError for operands of several shapes, ArgumentError for a computation that returns
    another structure.

    >>> import jitgrad.numpy as jnp
    >>> print(reduce(jnp.array([1.0, 2.0, 3.0]), 0.0, lambda a, b: a + b, (0,)))
    6.0
    """
    leaves, treedef = tree.flatten(operands)
    tree.check_same_structure("lax.reduce", operands, init_values, "init_values")
    arrays = arrays_arg("lax.reduce", "operands", leaves)
    if len({x.type.shape for x in arrays}) != 1:
        raise ShapeError(f"lax.reduce: operands must have one shape, got {', '.join(str(x.type.shape) for x in arrays)}")
    starts = initial_values("lax.reduce", "init_values", tree.leaves(init_values), arrays)
    axes = tuple(sorted(axes_arg("lax.reduce", "dimensions", dimensions, arrays[0].type.rank)))
    combine = combination("lax.reduce", treedef, arrays, computation)
    name = known_monoid(combine, arrays)
    if name is not None:
        reduction = OPS[MONOIDS[name]]
        if reduction.traits.empty is not None or all(arrays[0].type.shape[a] for a in axes):
            total = ops.op(reduction.name, arrays[0], axes=axes)
            return tree.unflatten(treedef, [ops.op(name, ops.broadcast(starts[0], total.type.shape, ()), total)])
    return tree.unflatten(treedef, _pairwise(combine, arrays, starts, axes))


def known_monoid(combine: Callable[..., Any], arrays: list[Array]) -> str | None:
    """The name of the op that a computation of two scalars consists of, where a reduction goes with it."""
    if len(arrays) != 1:
        return None
    scalar = ArrayType((), arrays[0].type.dtype)
    traced = trace(lambda a, b: combine([a], [b]), "computation", [scalar, scalar], [False, False], tree.structure((0, 0)))
    graph: Graph = traced.graph
    if len(graph.eqns) != 1 or traced.captured:
        return None
    (eqn,) = graph.eqns
    both = set(map(id, eqn.inputs)) == set(map(id, graph.inputs)) and not any(isinstance(a, Literal) for a in eqn.inputs)
    whole = list(map(id, graph.outputs)) == list(map(id, eqn.outputs))
    return eqn.op.name if both and whole and eqn.op.name in MONOIDS else None


def _pairwise(combine: Callable[..., Any], arrays: list[Array], starts: list[Array], axes: tuple[int, ...]) -> list[Array]:
    """A tree of combinations over the axes flattened into the first one."""
    rank = arrays[0].type.rank
    kept = tuple(i for i in range(rank) if i not in axes)
    shape = arrays[0].type.shape
    count, kept_shape = math.prod(shape[a] for a in axes), tuple(shape[i] for i in kept)
    rest = math.prod(kept_shape)
    rows = [ops.reshape(ops.transpose(x, (*axes, *kept)), (count, rest)) for x in arrays]
    combine_rows = vmap(vmap(combine))
    while count > 1:
        half = count // 2
        left = [ops.slice_axis(x, 0, 0, half) for x in rows]
        right = [ops.slice_axis(x, 0, half, 2 * half) for x in rows]
        last = [ops.slice_axis(x, 0, 2 * half, count) for x in rows]
        joined = combine_rows(left, right)
        rows = [ops.concatenate([j, x], 0) if count % 2 else j for j, x in zip(joined, last, strict=True)]
        count = half + count % 2
    first = [ops.broadcast(s, (rest,), ()) for s in starts]
    out = vmap(combine)(first, [ops.reshape(x, (rest,)) for x in rows]) if count else first
    return [ops.reshape(x, kept_shape) for x in out]
