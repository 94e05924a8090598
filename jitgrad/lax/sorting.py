"""jax.lax's sort, sort_key_val and top_k."""

from __future__ import annotations

from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.operands import array_arg, axis_number, is_complex, size_arg
from jitgrad_compiler.ir.types import I32

ArrayLike = Any


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """An array in increasing order along an axis, NaNs last; or several of one shape, ordered by the first `num_keys` of them.

    A tuple of arrays goes in and comes out for several. The order of equal elements is always kept, also where is_stable is False.
    Complex numbers are ordered by their real parts and, where these are equal, by the imaginary ones.

    >>> import jitgrad.numpy as jnp
    >>> keys, values = sort((jnp.array([2, 1]), jnp.array([10.0, 20.0])))
    >>> print(keys, values)
    [1 2] [20. 10.]
    """
    several = isinstance(operand, (tuple, list))
    arrays = [array_arg("lax.sort", x) for x in (operand if several else (operand,))]
    if not arrays or not 1 <= num_keys <= len(arrays):
        raise ArgumentError(f"lax.sort: num_keys must be from 1 to the number of operands, {len(arrays)}, got {num_keys}")
    axis = axis_number("lax.sort", dimension, arrays[0].type.rank)
    for key in range(num_keys - 1, -1, -1):  # stable sorts by the least key first order by all of them
        if is_complex(arrays[key]):
            for part in ("imag", "real"):
                _, *arrays = ops.op_all("sort", ops.op(part, arrays[key]), *arrays, axis=axis)
            continue
        keyed = [arrays[key], *arrays[:key], *arrays[key + 1 :]]
        first, *others = ops.op_all("sort", *keyed, axis=axis)
        arrays = [*others[:key], first, *others[key:]]
    return tuple(arrays) if several else arrays[0]


def sort_key_val(keys: ArrayLike, values: ArrayLike, dimension: int = -1, is_stable: bool = True) -> tuple[Array, Array]:
    """Keys in increasing order along an axis, and the values that go with them."""
    ordered: tuple[Array, Array] = sort((keys, values), dimension, is_stable)
    return ordered


def top_k(operand: ArrayLike, k: int, *, axis: int = -1) -> tuple[Array, Array]:
    """The k largest elements along an axis in decreasing order, and their int32 indices; of equal elements the earlier come first.

    NaN counts as largest. Raises ArgumentError where k is larger than the axis.

    >>> import jitgrad.numpy as jnp
    >>> values, indices = top_k(jnp.array([1.0, 3.0, 2.0]), 2)
    >>> print(values, indices)
    [3. 2.] [1 2]
    """
    x = array_arg("lax.top_k", operand)
    along = axis_number("lax.top_k", axis, x.type.rank)
    count = size_arg("lax.top_k", k, "k is an integer")
    n = x.type.shape[along]
    if not 0 <= count <= n:
        raise ArgumentError(f"lax.top_k: k must be from 0 to the size of axis {axis}, {n}, got {k}")
    largest, places = ops.op_all("top_k", x, axis=along, k=count)
    return largest, places


def approx_max_k(
    operand: ArrayLike, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
    reduction_input_size_override: int = -1, aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:  # fmt: skip
    """The k largest elements along an axis, and their int32 indices: exactly, as `top_k`, which any recall_target allows."""
    return top_k(operand, k, axis=reduction_dimension)


def approx_min_k(
    operand: ArrayLike, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
    reduction_input_size_override: int = -1, aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:  # fmt: skip
    """The k smallest elements along an axis in increasing order, and their int32 indices: exactly.

    >>> import jitgrad.numpy as jnp
    >>> values, indices = approx_min_k(jnp.array([1.0, 3.0, 2.0]), 2)
    >>> print(values, indices)
    [1. 2.] [0 2]
    """
    x = array_arg("lax.approx_min_k", operand)
    along, count = (
        axis_number("lax.approx_min_k", reduction_dimension, x.type.rank),
        size_arg("lax.approx_min_k", k, "k is an integer"),
    )
    n = x.type.shape[along]
    if not 0 <= count <= n:
        raise ArgumentError(f"lax.approx_min_k: k must be from 0 to the size of axis {reduction_dimension}, {n}, got {k}")
    ordered = ops.op_all("sort", x, ops.iota(x.type.shape, along, I32), axis=along)
    smallest, places = (ops.slice_axis(v, along, 0, count) for v in ordered)
    return smallest, places
